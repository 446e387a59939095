"""Key files: 32 bytes in hexadecimal, mode 0600, made durable before anybody hears of the key.

What is read is told to nobody: messages name the file and never its content.
"""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from protocol.crypto import KEY_BYTES, Signer

ATTESTATION, TRANSPORT, LEVER = "attestation.key", "transport.key", "lever.key"
GOVERNANCE = "governance.key"
"""Beside the card, never below data_dir: it is cold, and a backup of the node must not hold it."""


class KeyFileError(Exception):
    """A key file that must not or cannot be used: what, where, what to do."""


def key_file_fault(path: Path) -> str:
    """ "" where the file may be used, else what is wrong and its cure."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return f"{path} is missing; `tocsin init` makes keys, `tocsin restore` replaces a lost hot key"
    except OSError as error:
        return f"{path} cannot be looked at: {error.strerror}; mend the rights of its directory"
    if not stat.S_ISREG(found.st_mode):
        return f"{path} is no regular file; put the key itself there, no link"
    if stat.S_IMODE(found.st_mode) & 0o077:
        mode = f"{stat.S_IMODE(found.st_mode):04o}"
        return f"{path} can be read by others (mode {mode}); run: chmod 600 {path} (and think who has read it)"
    if found.st_uid not in (os.geteuid(), 0):
        return f"{path} belongs to another user; run: chown {os.geteuid()} {path}"
    return ""


def read_secret(path: Path) -> bytes:
    """The 32 bytes; KeyFileError where others can read it or it is malformed."""
    fault = key_file_fault(path)
    if fault:
        raise KeyFileError(fault)
    try:
        secret = bytes.fromhex(path.read_text("ascii").strip())
    except OSError as error:
        raise KeyFileError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError:
        raise KeyFileError(f"{path} holds no hexadecimal key; restore it from your copy") from None
    if len(secret) != KEY_BYTES:
        raise KeyFileError(f"{path} holds {len(secret)} bytes instead of {KEY_BYTES}; restore it from your copy")
    return secret


def read_signer(path: Path) -> Signer:
    return Signer(read_secret(path))


def write_secret(path: Path, secret: bytes) -> None:
    """Refuses to replace a key: KeyFileError."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise KeyFileError(f"{path} exists and a key is never overwritten; choose another directory") from None
    except OSError as error:
        raise KeyFileError(f"{path} cannot be written: {error.strerror}") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(secret.hex().encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def fresh_secret() -> bytes:
    return secrets.token_bytes(KEY_BYTES)


_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_ED25519_PROTOBUF = bytes.fromhex("0024") + bytes.fromhex("08011220")
"""Identity multihash of 36 bytes, then the protobuf {type: Ed25519, data: 32 bytes} of the libp2p peer-id spec."""


def peer_id_of(transport: bytes) -> str:
    """The libp2p peer id of a 32-byte seed, without importing libp2p (two seconds)."""
    raw = _ED25519_PROTOBUF + Signer(transport).public
    number, text = int.from_bytes(raw, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = _BASE58[digit] + text
    return "1" * (len(raw) - len(raw.lstrip(b"\x00"))) + text


def evm_address_of(lever: bytes) -> str:
    """0x… (lower case) of a secp256k1 key; imports its two libraries when called."""
    from coincurve import PrivateKey
    from eth_hash.auto import keccak

    point = PrivateKey(lever).public_key.format(compressed=False)
    return "0x" + keccak(point[1:])[-20:].hex()
