"""The durable store: one writer, one connection, one transaction per batch.

Synchronous: the loop calls it through `trio.to_thread.run_sync` with a limiter of one. Calls from several threads
are safe and wait for each other. When `commit` returns, the batch survives a power cut (WAL, synchronous=FULL).
After a fatal error nothing is written any more: what the kernel kept of a failed fsync is unknown.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Executable, Row, and_, exists, func, insert, select

from node.store_check import checked_meta, walk_chain
from node.store_engine import READ_OPTION, file_of, is_server, open_file, open_server, take_lock
from node.store_errors import StoreError, damaged, told
from node.store_rows import (
    CHAIN_START,
    Batch,
    BlobRow,
    CertificateRow,
    EntryRow,
    RecordRow,
    checksum,
    link,
)
from node.store_sql import Statements
from node.tables import BLOBS, CERTIFICATES, ENTRIES, META, RECORDS
from protocol.limits import U63_MAX

__all__ = ["Batch", "BlobRow", "CertificateRow", "EntryRow", "RecordRow", "Store", "StoreError"]

R = TypeVar("R", EntryRow, BlobRow, CertificateRow)

PAGE_ROWS = 1_000
"""Records read at once: a node with years of them starts in constant memory."""
LIMIT_MAX = 4_096
"""Rows of one answer; callers pass on numbers that peers asked for."""


class Store:
    """Made by `open` alone."""

    def __init__(self, engine: Engine, where: str, lock: int | None) -> None:
        self._engine = engine
        self._where = where
        self._lock_descriptor = lock
        self._mutex = threading.Lock()
        self._broken: StoreError | None = None
        self._last, self._chain = 0, CHAIN_START
        self._statements = Statements(engine.dialect)

    @classmethod
    def open(cls, url_or_path: str | Path) -> Store:
        """Creates or migrates the store and checks that it is whole; StoreError says what to do when it is not."""
        if is_server(url_or_path):
            engine = open_server(str(url_or_path))
            store = cls(engine, str(url_or_path).rsplit("@", 1)[-1], None)
        else:
            path = file_of(url_or_path)
            lock = take_lock(path)
            try:
                store = cls(open_file(path), str(path), lock)
            except BaseException:
                os.close(lock)
                raise
        try:
            store._find_end()
        except BaseException:
            store.close()
            raise
        return store

    def close(self) -> None:
        """Idempotent."""
        self._engine.dispose()
        if self._lock_descriptor is not None:
            os.close(self._lock_descriptor)
            self._lock_descriptor = None

    def network(self) -> bytes | None:
        """32 bytes, or None before `bind_network`."""
        return self._meta("network")

    def member(self) -> str | None:
        value = self._meta("member")
        return value.decode() if value is not None else None

    def bind_network(self, network: bytes, member: str) -> None:
        """Says once and for all whose store this is; another network or member is refused."""
        mine = {"network": bytes(network), "member": member.encode()}
        with self._transaction() as connection:
            found = checked_meta(map(tuple, connection.execute(select(META))), self._where)
            if not found:
                rows = [{"key": key, "value": value, "checksum": checksum((key, value))} for key, value in mine.items()]
                connection.execute(insert(META), rows)
                return
        for key, value in mine.items():
            if found.get(key) != value:
                theirs = found.get(key, b"")
                shown = theirs.hex()[:16] if key == "network" else theirs.decode(errors="replace")
                cure = "Point the node at its own data directory, or start with an empty one."
                raise StoreError(f"this store belongs to another {key} ({shown})", self._where, cure)

    def commit(self, batch: Batch) -> None:
        """All of the batch or none. Entries, blobs and certificates that are stored already are left as they are.

        A second own entry of one (author, key_version, seq) is refused as fatal: it would be signed twice.
        """
        records, chain = self._linked(batch.records)
        with self._transaction() as connection:
            self._statements.records.run(connection, records)
            for statement, rows in (
                (self._statements.entries, [row for row in batch.entries if not row.own]),
                (self._statements.own_entries, [row for row in batch.entries if row.own]),
                (self._statements.blobs, batch.blobs),
                (self._statements.certificates, batch.certificates),
            ):
                statement.run(connection, [_values(row) for row in rows])
        self._last, self._chain = self._last + len(records), chain

    def records(self, after: int = 0) -> Iterator[tuple[int, RecordRow]]:
        """(position, record) in order, from position `after` + 1; the first is 1."""
        c = RECORDS.c
        while True:
            page = select(c.position, c.kind, c.version, c.body).where(c.position > after).order_by(c.position)
            rows = self._read(page.limit(PAGE_ROWS))
            for row in rows:
                yield row.position, RecordRow(row.kind, row.version, row.body)
            if len(rows) < PAGE_ROWS:
                return
            after = rows[-1].position

    @property
    def position(self) -> int:
        """Of the last record that is durable; 0 where there is none."""
        return self._last

    def page(self, after: int, limit: int) -> list[tuple[int, RecordRow]]:
        """(position, record) in order from `after` + 1, at most `limit`."""
        c = RECORDS.c
        asked = select(c.position, c.kind, c.version, c.body).where(c.position > after).order_by(c.position)
        rows = self._read(asked.limit(_clamped(limit)))
        return [(row.position, RecordRow(row.kind, row.version, row.body)) for row in rows]

    def entries(
        self, author: str, key_version: int, from_seq: int, limit: int, bytes_max: int, to_seq: int = U63_MAX
    ) -> list[bytes]:
        """Raw entries from `from_seq` to `to_seq`, in order, at most `limit` and `bytes_max` in all; twins both."""
        c = ENTRIES.c
        of_feed = and_(c.author == author, c.key_version == key_version)
        wanted = select(ENTRIES).where(of_feed, c.seq.between(from_seq, to_seq))
        found: list[bytes] = []
        for row in self._read(wanted.order_by(c.seq, c.hash).limit(_clamped(limit))):
            raw = _checked(EntryRow, row, self._where).raw
            bytes_max -= len(raw)
            if bytes_max < 0:
                break
            found.append(raw)
        return found

    def heads(self) -> list[tuple[str, int, int, bytes]]:
        """(author, key_version, highest seq, its hash) of each feed, in order; of twins the lower hash."""
        c = ENTRIES.c
        tops = (
            select(c.author, c.key_version, func.max(c.seq).label("seq")).group_by(c.author, c.key_version).subquery()
        )
        same = and_(c.author == tops.c.author, c.key_version == tops.c.key_version, c.seq == tops.c.seq)
        rows = self._read(select(ENTRIES).join(tops, same).order_by(c.author, c.key_version, c.hash))
        heads: dict[tuple[str, int], EntryRow] = {}
        for row in rows:
            entry = _checked(EntryRow, row, self._where)
            heads.setdefault((entry.author, entry.key_version), entry)
        return [(entry.author, entry.key_version, entry.seq, entry.hash) for entry in heads.values()]

    def own_head(self, author: str, key_version: int) -> EntryRow | None:
        """The last entry that this node sealed under this key; what node.mark is compared with."""
        c = ENTRIES.c
        mine = select(ENTRIES).where(c.author == author, c.key_version == key_version, c.own)
        rows = self._read(mine.order_by(c.seq.desc()).limit(1))
        return _checked(EntryRow, rows[0], self._where) if rows else None

    def blob(self, digest: bytes) -> bytes | None:
        rows = self._read(select(BLOBS).where(BLOBS.c.digest == digest))
        return _checked(BlobRow, rows[0], self._where).raw if rows else None

    def certificate(self, digest: bytes) -> bytes | None:
        rows = self._read(select(CERTIFICATES).where(CERTIFICATES.c.digest == digest))
        return _checked(CertificateRow, rows[0], self._where).raw if rows else None

    def certificates(self, after_received_ms: int = -1, limit: int = LIMIT_MAX) -> list[CertificateRow]:
        """In order of arrival. The last millisecond comes whole, beyond `limit` if need be, so that the caller
        can go on from its `received_ms` and miss none."""
        c = CERTIFICATES.c
        ordered = select(CERTIFICATES).order_by(c.received_ms, c.digest)
        rows = list(self._read(ordered.where(c.received_ms > after_received_ms).limit(_clamped(limit))))
        if rows:
            last = rows[-1]
            rows += self._read(ordered.where(c.received_ms == last.received_ms, c.digest > last.digest))
        return [_checked(CertificateRow, row, self._where) for row in rows]

    def is_empty(self) -> bool:
        """True when nothing was ever committed; `bind_network` alone does not count."""
        questions = (exists(select(table).limit(1)) for table in (RECORDS, ENTRIES, BLOBS, CERTIFICATES))
        return not any(self._read(select(*questions))[0])

    def _meta(self, key: str) -> bytes | None:
        return checked_meta(map(tuple, self._read(select(META))), self._where).get(key)

    def _find_end(self) -> None:
        """Walks the whole chain: what `commit` appends to was just proven."""
        c = RECORDS.c
        with self._transaction(reads=True) as connection:
            chained = select(c.position, c.kind, c.version, c.body, c.chain).order_by(c.position)
            rows = connection.execution_options(yield_per=PAGE_ROWS).execute(chained)
            self._last, self._chain = walk_chain((tuple(row) for row in rows), self._where)

    def _linked(self, records: Sequence[RecordRow]) -> tuple[list[tuple[object, ...]], bytes]:
        chain = self._chain
        rows: list[tuple[object, ...]] = []
        for position, record in enumerate(records, self._last + 1):
            chain = link(chain, record.kind, record.version, record.body)
            rows.append((position, record.kind, record.version, record.body, chain))
        return rows, chain

    @contextmanager
    def _transaction(self, *, reads: bool = False) -> Iterator[Connection]:
        with self._mutex:
            if self._broken is not None:
                raise self._broken
            try:
                with told(self._where), self._engine.connect() as connection:
                    connection.execution_options(**{READ_OPTION: reads})
                    with connection.begin():
                        yield connection
            except (TypeError, ValueError) as error:
                if not reads:
                    raise
                # A flipped byte can turn a column into another type, which the driver or SQLAlchemy cannot convert.
                self._broken = damaged(f"a stored value cannot be read: {type(error).__name__}", self._where)
                raise self._broken from None
            except StoreError as error:
                if error.fatal:
                    self._broken = error
                raise

    def _read(self, query: Executable) -> Sequence[Row[Any]]:
        with self._transaction(reads=True) as connection:
            return connection.execute(query).all()


def _clamped(limit: int) -> int:
    return max(0, min(limit, LIMIT_MAX))


_FIELDS = {kind: attrgetter(*(field.name for field in fields(kind))) for kind in (EntryRow, BlobRow, CertificateRow)}


def _values(row: EntryRow | BlobRow | CertificateRow) -> tuple[object, ...]:
    values: tuple[object, ...] = _FIELDS[type(row)](row)
    return (*values, checksum(values))


def _checked(kind: type[R], row: Row[Any], where: str) -> R:
    *values, stored = tuple(row)
    if checksum(values) != stored:
        raise damaged(f"a stored {kind.__name__} was changed on disk", where)
    return kind(*values)
