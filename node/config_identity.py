"""Names that follow from keys: the libp2p peer id and the lever's account, without the libraries that take seconds."""

from __future__ import annotations

from protocol.crypto import Signer

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_ED25519_PROTOBUF = bytes.fromhex("002408011220")
"""Identity multihash of 36 bytes, then the protobuf {type: Ed25519, data: 32 bytes} of the libp2p peer-id spec."""
PEER_ID_CHARS = 52


def peer_id_of(transport_seed: bytes) -> str:
    """The libp2p peer id of a 32-byte Ed25519 seed."""
    raw = _ED25519_PROTOBUF + Signer(transport_seed).public
    number, text = int.from_bytes(raw, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = _BASE58[digit] + text
    return "1" * (len(raw) - len(raw.lstrip(b"\x00"))) + text


def is_peer_id(text: str) -> bool:
    """Whether this is a peer id of an Ed25519 identity, written as it is everywhere: other forms are not compared."""
    if len(text) != PEER_ID_CHARS or text[0] != "1" or not set(text) <= set(_BASE58):
        return False
    number = 0
    for letter in text:
        number = number * 58 + _BASE58.index(letter)
    return number.to_bytes(39, "big")[1:].startswith(_ED25519_PROTOBUF)


def evm_address_of(lever_secret: bytes) -> str:
    """0x… (lower case) of a secp256k1 key."""
    from coincurve import PrivateKey
    from eth_hash.auto import keccak

    point = PrivateKey(lever_secret).public_key.format(compressed=False)
    return "0x" + keccak(point[1:])[-20:].hex()
