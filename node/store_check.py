"""Looking at a store file without trusting it: whose it is, of which version, whether it is whole.

Uses the driver alone, so that backup and restore can judge a file that is not open as a store.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from node.store_errors import StoreError, damaged, told
from node.store_log import check_log
from node.store_rows import CHAIN_START, checksum, link

APPLICATION_ID = 0x5443534E
"""'TCSN', in the file's header."""


@dataclass(frozen=True)
class FileFacts:
    revision: str | None
    network: bytes | None
    member: str | None
    records: int


def check_file(path: Path, *, every_row: bool = False) -> FileFacts:
    """What the file says of itself; StoreError when it is torn, foreign or a record was changed.

    `every_row` also checks entries, blobs and certificates, which are otherwise checked when they are read.
    """
    _check_header(path)
    check_log(path)
    with told(path), closing(sqlite3.connect(path)) as connection:
        # Not quick_check: only the whole check finds an index that has lost a row, which then seems never stored.
        verdict = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if verdict != "ok":
            raise damaged(f"the file is damaged: {verdict.strip().splitlines()[-1]}", path)
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if "alembic_version" not in tables:
            return FileFacts(None, None, None, 0)
        found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        meta = checked_meta(connection.execute("SELECT key, value, checksum FROM meta"), path)
        rows = connection.execute("SELECT position, kind, version, body, chain FROM records ORDER BY position")
        records, _ = walk_chain(rows, path)
        if every_row:
            _check_rows(connection, path)
        member = meta.get("member")
        revision = found[0] if found else None
        return FileFacts(revision, meta.get("network"), member.decode() if member else None, records)


def own_seq(path: Path, member: str, key_version: int) -> int:
    """The last own entry under a key; -1 for none. Call after `check_file`."""
    with told(path), closing(sqlite3.connect(path)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'entries'").fetchone():
            return -1
        asked = "SELECT max(seq) FROM entries WHERE own AND author = ? AND key_version = ?"
        (found,) = connection.execute(asked, (member, key_version)).fetchone()
    return -1 if found is None else int(found)


def bodies_of(path: Path, kind: int) -> list[bytes]:
    """Of the records of one kind, in order, read beside a node that may be running; none where there is no store.

    Nothing is checked here: whoever reads them finds out by their seals."""
    if not path.exists():
        return []
    with told(path), closing(sqlite3.connect(path.absolute().as_uri() + "?mode=ro", uri=True)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'records'").fetchone():
            return []
        rows = connection.execute("SELECT body FROM records WHERE kind = ? ORDER BY position", (kind,))
        return [bytes(body) for (body,) in rows]


def checked_meta(rows: Iterable[Iterable[Any]], where: str | Path) -> dict[str, bytes]:
    """`network` and `member` of `(key, value, checksum)` rows."""
    meta = {}
    for key, value, stored in rows:
        # the checksum takes a text for its bytes: a flipped byte can make the one of the other
        if type(key) is not str or type(value) is not bytes or checksum((key, value)) != stored:
            raise damaged("the row that says whose store this is was changed on disk", where)
        meta[key] = value
    return meta


def _check_header(path: Path) -> None:
    """Reads bytes, not SQL: opening another program's database could already write to it (recovery, checkpoint)."""
    try:
        with path.open("rb") as file:
            header = file.read(100)
    except OSError as error:
        cure = "Let the node's user read it."
        raise StoreError(f"the file cannot be read: {error.strerror}", path, cure, fatal=True) from None
    if len(header) < 100 or not header.startswith(b"SQLite format 3\0"):
        raise damaged("this is no database, or its beginning was overwritten", path)
    if int.from_bytes(header[68:72], "big") != APPLICATION_ID:
        cure = "Name the store of a tocsin node; this file was left untouched."
        raise StoreError("this is a database, and not a tocsin store", path, cure)


def walk_chain(rows: Iterable[Iterable[object]], where: str | Path) -> tuple[int, bytes]:
    """(last position, running SHA-256) of `(position, kind, version, body, chain)` rows; names the first bad one."""
    last, chain = 0, CHAIN_START
    for position, kind, version, body, stored in rows:
        if position != last + 1:
            raise damaged(f"record {last + 1} is missing", where)
        last += 1
        if type(kind) is not int or type(version) is not int or type(body) is not bytes:
            raise damaged(f"record {last} was changed on disk: a column has another type", where)
        chain = link(chain, kind, version, body)
        if chain != stored:
            raise damaged(f"record {last} was changed on disk: its running checksum does not match", where)
    return last, chain


_CHECKED: dict[str, dict[str, type]] = {
    "entries": {
        "author": str,
        "key_version": int,
        "seq": int,
        "hash": bytes,
        "raw": bytes,
        "own": int,
        "received_ms": int,
    },
    "blobs": {"digest": bytes, "raw": bytes},
    "certificates": {
        "digest": bytes,
        "subject": bytes,
        "threat": int,
        "level": int,
        "epoch": bytes,
        "ends_ms": int,
        "raw": bytes,
        "received_ms": int,
    },
}
"""Table → column → what the driver gives of it."""


def _check_rows(connection: sqlite3.Connection, path: Path) -> None:
    for table, columns in _CHECKED.items():
        wanted = list(columns.values())
        for *fields, stored in connection.execute(f"SELECT {', '.join(columns)}, checksum FROM {table}"):  # noqa: S608
            if list(map(type, fields)) != wanted or checksum(fields) != stored:
                raise damaged(f"a row of {table} was changed on disk", path)


def free_name(path: Path) -> Path:
    """`path`, or the first numbered name beside it that is not taken."""
    number, candidate = 0, path
    while os.path.lexists(candidate):
        number += 1
        candidate = path.with_name(f"{path.name}.{number}")
    return candidate


def copy_file(source: Path, target: Path) -> None:
    """A consistent copy of a store, even of one in use; 0600, durable, one file. Refuses an existing target."""
    try:
        os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except OSError as error:
        cure = "Name a new file in a directory that exists; nothing is overwritten."
        raise StoreError(f"the copy cannot be made: {error.strerror}", target, cure) from None
    try:
        with told(target), closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
            old.backup(new)
            # The header of a live store says WAL; a copy that is carried about is one file.
            new.execute("PRAGMA journal_mode = DELETE").fetchone()
        _make_durable(target)
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _make_durable(path: Path) -> None:
    for name, flags in ((path, os.O_RDONLY), (path.parent, os.O_RDONLY | os.O_DIRECTORY)):
        descriptor = os.open(name, flags)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
