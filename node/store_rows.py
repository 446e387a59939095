"""What the store keeps, and the checksums that tell whether it still has it."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable
from dataclasses import dataclass

CHAIN_START = bytes(32)


@dataclass(frozen=True)
class RecordRow:
    """One decision of the machine; `body` is opaque here."""

    kind: int
    version: int
    body: bytes


@dataclass(frozen=True)
class EntryRow:
    """One link of a feed. `own`: sealed by this node."""

    author: str
    key_version: int
    seq: int
    hash: bytes
    raw: bytes
    own: bool
    received_ms: int


@dataclass(frozen=True)
class BlobRow:
    digest: bytes
    raw: bytes


@dataclass(frozen=True)
class CertificateRow:
    digest: bytes
    subject: bytes
    threat: int
    level: int
    epoch: bytes
    ends_ms: int
    raw: bytes
    received_ms: int


@dataclass(frozen=True)
class Batch:
    """What becomes durable together or not at all."""

    records: tuple[RecordRow, ...] = ()
    entries: tuple[EntryRow, ...] = ()
    blobs: tuple[BlobRow, ...] = ()
    certificates: tuple[CertificateRow, ...] = ()


def link(chain: bytes, kind: int, version: int, body: bytes) -> bytes:
    """The running SHA-256 after one more record."""
    return hashlib.sha256(chain + struct.pack(">qq", kind, version) + body).digest()


def checksum(fields: Iterable[object]) -> bytes:
    """32 bytes over a row's fields, each with its length, in the order of its columns."""
    whole = bytearray()
    for field in fields:
        part = field if type(field) is bytes else _text(field).encode()
        whole += len(part).to_bytes(4, "big")
        whole += part
    return hashlib.sha256(whole).digest()


def _text(field: object) -> str:
    return str(int(field) if isinstance(field, int) else field)
