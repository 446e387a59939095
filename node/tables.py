"""The tables of the durable store, in terms that SQLite and PostgreSQL both know.

Bodies are opaque bytes. Every row carries a checksum, records a running one, so that a flipped byte is found
before its row is believed. `REVISIONS` names the migrations in order; the last is what this version writes.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, MetaData, String, Table, text

from protocol.limits import NAME_CHARS_MAX

REVISIONS = ("0001",)
METADATA = MetaData()

META = Table(
    "meta",
    METADATA,
    Column("key", String(32), primary_key=True),
    Column("value", LargeBinary, nullable=False),
    Column("checksum", LargeBinary(32), nullable=False),
)
"""`network` (32 bytes) and `member`: whose store this is."""

RECORDS = Table(
    "records",
    METADATA,
    # Integer, not BigInteger: only so does SQLite alias it to its row id. 2^31 records are 60 years at one a second.
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("kind", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("chain", LargeBinary(32), nullable=False),
)

ENTRIES = Table(
    "entries",
    METADATA,
    Column("author", String(NAME_CHARS_MAX), primary_key=True),
    Column("key_version", BigInteger, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    # Two entries of one seq are the proof of an equivocation: both must stay.
    Column("hash", LargeBinary(32), primary_key=True),
    Column("raw", LargeBinary, nullable=False),
    Column("own", Boolean, nullable=False),
    Column("received_ms", BigInteger, nullable=False),
    Column("checksum", LargeBinary(32), nullable=False),
)
# The last line of sign-once: of our own entries the database itself takes one per seq.
Index(
    "own_once",
    ENTRIES.c.author,
    ENTRIES.c.key_version,
    ENTRIES.c.seq,
    unique=True,
    sqlite_where=text("own"),
    postgresql_where=text("own"),
)

BLOBS = Table(
    "blobs",
    METADATA,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("raw", LargeBinary, nullable=False),
    Column("checksum", LargeBinary(32), nullable=False),
)

CERTIFICATES = Table(
    "certificates",
    METADATA,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("subject", LargeBinary, nullable=False),
    Column("threat", Integer, nullable=False),
    Column("level", Integer, nullable=False),
    Column("epoch", LargeBinary(32), nullable=False),
    Column("ends_ms", BigInteger, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("received_ms", BigInteger, nullable=False),
    Column("checksum", LargeBinary(32), nullable=False),
)
Index("certificates_by_arrival", CERTIFICATES.c.received_ms, CERTIFICATES.c.digest)
