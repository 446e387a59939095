"""Ed25519, SHA-256, Argon2id. The only importer of the signature library: one verifier, so that peers cannot split."""

from __future__ import annotations

import hashlib

from nacl import bindings
from nacl.exceptions import CryptoError

from protocol.errors import Code, ProtocolError
from protocol.ids import PublicKey

SIGNATURE_BYTES = 64
KEY_BYTES = 32
_ARGON2_PASSES, _ARGON2_BYTES = 3, 16 * 1024 * 1024


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


class Signer:
    """A private key that can only sign. Its repr and its pickle show the public half alone."""

    __slots__ = ("_secret", "public")

    def __init__(self, seed: bytes) -> None:
        if len(seed) != KEY_BYTES:
            raise ProtocolError(Code.BAD_KEY, f"a seed has {KEY_BYTES} bytes, this one {len(seed)}")
        public, self._secret = bindings.crypto_sign_seed_keypair(seed)
        self.public = PublicKey(public)

    def sign(self, message: bytes) -> bytes:
        """64 bytes, deterministic (RFC 8032)."""
        return bytes(bindings.crypto_sign(message, self._secret)[:SIGNATURE_BYTES])

    def __repr__(self) -> str:
        return f"Signer({self.public.hex()[:16]}…)"

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a Signer is not copied or pickled: it holds a private key")


def verify(key: PublicKey, message: bytes, signature: bytes) -> bool:
    """True where libsodium accepts; it rejects small-order keys and non-canonical signatures."""
    if len(signature) != SIGNATURE_BYTES or len(key) != KEY_BYTES:
        return False
    try:
        bindings.crypto_sign_open(signature + message, key)
    except (CryptoError, ValueError, TypeError):
        return False
    return True


def is_sound_key(key: bytes) -> bool:
    """True for a point of the prime-order group: checked once, when a key is delegated."""
    return len(key) == KEY_BYTES and bool(bindings.crypto_core_ed25519_is_valid_point(key))


def argon2id(secret: bytes, salt: bytes) -> bytes:
    """32 bytes of Argon2id (RFC 9106), 3 passes over 16 MiB; the salt has 16. For secrets that a person carries."""
    alg = bindings.crypto_pwhash_ALG_ARGON2ID13
    return bytes(bindings.crypto_pwhash_alg(32, secret, salt, _ARGON2_PASSES, _ARGON2_BYTES, alg))
