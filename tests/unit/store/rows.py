"""Rows that the stories of this directory are told with."""

from __future__ import annotations

from node.store import Batch, BlobRow, CertificateRow, EntryRow, RecordRow
from protocol.crypto import sha256

NETWORK = b"n" * 32


def entry(seq: int, *, author: str = "alpha", twin: int = 0, own: bool = False, size: int = 40) -> EntryRow:
    raw = f"{author} {seq} {twin} ".encode().ljust(size, b".")
    return EntryRow(author, 1, seq, sha256(raw), raw, own, 1_000 + seq)


def record(number: int) -> RecordRow:
    return RecordRow(number % 7, 1, f"record {number}".encode())


def certificate(number: int, *, received_ms: int | None = None) -> CertificateRow:
    raw = f"certificate {number}".encode()
    arrived = number if received_ms is None else received_ms
    return CertificateRow(sha256(raw), b"subject", 35, 3, b"e" * 32, 9_000, raw, arrived)


def blob(number: int) -> BlobRow:
    raw = f"blob {number}".encode()
    return BlobRow(sha256(raw), raw)


def batch_of(number: int) -> Batch:
    """One event: a record, an own entry, a blob and a certificate."""
    return Batch((record(number),), (entry(number, own=True),), (blob(number),), (certificate(number),))
