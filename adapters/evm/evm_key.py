"""secp256k1 words of members for contracts: signing a digest, and whose signature it is. Never sends anything.

A signature is 65 bytes r ‖ s ‖ v with low s and v of 27 or 28; every other form is refused, here as on the chain, so
that one word has one form.
"""

from __future__ import annotations

from coincurve import PrivateKey, PublicKey

from adapters.evm.abi import keccak256

SIGNATURE_BYTES = 65
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


class EvmKey:
    """A private key that can only sign. Its repr shows the address alone."""

    def __init__(self, secret: bytes) -> None:
        try:
            if len(secret) != 32:  # the library pads what is shorter
                raise ValueError
            self._key = PrivateKey(secret)
        except (ValueError, TypeError):  # the library's own text may quote the key
            raise ValueError("not a secp256k1 private key: 32 bytes below the group order") from None
        self.address = address_of(self._key.public_key)

    def sign(self, digest: bytes) -> bytes:
        """65 bytes over a digest of 32; deterministic (RFC 6979)."""
        raw = self._key.sign_recoverable(digest, hasher=None)
        return bytes(raw[:64]) + bytes([27 + raw[64]])

    def __repr__(self) -> str:
        return f"EvmKey(0x{self.address.hex()})"

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("an EvmKey is not copied or pickled: it holds a private key")


def address_of(key: PublicKey) -> bytes:
    return keccak256(key.format(compressed=False)[1:])[12:]


def signer_of(digest: bytes, signature: bytes) -> bytes | None:
    """The address whose signature this is, None where it is in no form that a contract of ours takes."""
    if len(digest) != 32 or len(signature) != SIGNATURE_BYTES or signature[64] not in (27, 28):
        return None
    if int.from_bytes(signature[32:64], "big") > ORDER // 2:
        return None
    try:
        found = PublicKey.from_signature_and_message(signature[:64] + bytes([signature[64] - 27]), digest, hasher=None)
    except Exception:  # the library raises bare Exception where nothing can be recovered
        return None
    return address_of(found)


def parts_of(signature: bytes) -> tuple[int, int, int]:
    """(v, r, s)."""
    return signature[64], int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
