"""A key file at rest: Argon2id (RFC 9106) over a passphrase, XChaCha20-Poly1305 over the secret. Pure; salt and nonce
are inputs. Everything that stands beside the sealed secret is authenticated with it, so no header can be exchanged."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from nacl import bindings
from nacl.exceptions import CryptoError

FORMAT = 2
PASSES, KIB = 3, 64 * 1024
"""RFC 9106's second recommendation, in one lane: a quarter of a second, and 64 MiB for each guess of a thief."""
PASSES_MAX, KIB_LEAST, KIB_MAX = 16, 8, 1024 * 1024
"""What a file may ask of whoever opens it."""
SALT_BYTES = int(bindings.crypto_pwhash_SALTBYTES)
NONCE_BYTES = int(bindings.crypto_aead_xchacha20poly1305_ietf_NPUBBYTES)
_KEY_BYTES = int(bindings.crypto_aead_xchacha20poly1305_ietf_KEYBYTES)


class WrongPassphrase(Exception):
    """Or a file that was changed: the two cannot be told apart."""


def sealed(purpose: str, public: str, secret: bytes, phrase: bytes, salt: bytes, nonce: bytes) -> dict[str, Any]:
    """The fields of the file."""
    header = {
        "tocsin_key": FORMAT,
        "purpose": purpose,
        "public": public,
        "argon2id": {"passes": PASSES, "kib": KIB, "salt": salt.hex()},
        "nonce": nonce.hex(),
    }
    key = _key(phrase, salt, PASSES, KIB)
    box = bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(secret, _bound(header), nonce, key)
    return {**header, "sealed": box.hex()}


def opened(fields: Mapping[str, Any], phrase: bytes) -> bytes:
    """The secret. ValueError where the fields are none of a sealed key; WrongPassphrase."""
    header = {name: one for name, one in fields.items() if name != "sealed"}
    kdf = fields.get("argon2id")
    if type(kdf) is not dict:
        raise ValueError("it does not say how it is sealed")
    passes, kib = _number(kdf.get("passes"), 1, PASSES_MAX), _number(kdf.get("kib"), KIB_LEAST, KIB_MAX)
    salt, nonce = _bytes(kdf.get("salt"), SALT_BYTES), _bytes(fields.get("nonce"), NONCE_BYTES)
    box = _bytes(fields.get("sealed"))
    try:
        key = _key(phrase, salt, passes, kib)
        return bytes(bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(box, _bound(header), nonce, key))
    except CryptoError:
        raise WrongPassphrase from None


def _key(phrase: bytes, salt: bytes, passes: int, kib: int) -> bytes:
    alg = bindings.crypto_pwhash_ALG_ARGON2ID13
    return bytes(bindings.crypto_pwhash_alg(_KEY_BYTES, phrase, salt, passes, kib * 1024, alg))


def _bound(header: Mapping[str, Any]) -> bytes:
    return json.dumps(header, sort_keys=True, separators=(",", ":")).encode()


def _number(value: Any, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"a number from {least} to {most} is expected")
    return value


def _bytes(value: Any, length: int = 0) -> bytes:
    raw = bytes.fromhex(value) if type(value) is str else b""
    if not raw or (length and len(raw) != length):
        raise ValueError(f"{length or 'some'} bytes in hexadecimal are expected")
    return raw
