"""Opening: file rights, the lock, pragmas, migrations. The store that comes out is of this version and whole."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.pool import StaticPool

from node.store_check import APPLICATION_ID, check_file, copy_file, free_name
from node.store_errors import StoreError, told
from node.tables import REVISIONS

BUSY_TIMEOUT_MS = 5_000
READ_OPTION = "tocsin_reads"
"""Execution option of a transaction that only reads: it takes no write lock."""


def is_server(url_or_path: str | Path) -> bool:
    return "://" in str(url_or_path) and not str(url_or_path).startswith("sqlite")


def file_of(url_or_path: str | Path) -> Path:
    """The SQLite file that is meant; ':memory:' is refused: it is neither durable nor shared between threads."""
    name = str(url_or_path)
    if name.startswith("sqlite:///"):
        name = name.removeprefix("sqlite:///")
    if not name or ":memory:" in name or "://" in name:
        cure = "Name a file: memory is neither durable nor the same in two threads."
        raise StoreError("the store has no file", name or "no path", cure)
    return Path(name)


def take_lock(path: Path) -> int:
    """An open descriptor that holds the one lock of this store; the kernel frees it when the process dies."""
    lock = path.with_name(path.name + ".lock")
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        cure = "Create the directory and let the node's user write in it."
        raise StoreError(f"the lock cannot be made: {error.strerror}", lock, cure, fatal=True) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        cure = "Stop the other node first: two of them would sign twice."
        raise StoreError("another process has this store open", path, cure) from None
    return descriptor


def open_file(path: Path) -> Engine:
    """Creates, checks, backs up and migrates as needed. The caller holds the lock."""
    is_new = not path.exists() or path.stat().st_size == 0
    with told(path):
        if is_new:
            _create(path)
        elif (revision := check_file(path, every_row=True).revision) != REVISIONS[-1]:
            _refuse_unknown(revision, path)
            before = path.with_name(f"{path.name}.before-{REVISIONS[-1]}-from-{revision or 'nothing'}")
            copy_file(path, free_name(before))
        engine = create_engine(
            URL.create("sqlite", database=str(path)),
            poolclass=StaticPool,
            connect_args={"check_same_thread": False},
            hide_parameters=True,
        )
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        try:
            _migrate(engine, path)
        except BaseException:
            engine.dispose()
            raise
    return engine


def open_server(url: str) -> Engine:
    """PostgreSQL, by a driver that the operator installed."""
    where = url.rsplit("@", 1)[-1]
    try:
        engine = create_engine(url, pool_size=1, max_overflow=0, hide_parameters=True)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        cure = "Install the driver that the URL names (for instance psycopg), or name a file."
        raise StoreError(f"no such database: {type(error).__name__}", where, cure) from None
    with told(where):
        _migrate(engine, where)
    return engine


def _create(path: Path) -> None:
    """An empty file that only the node's user can read, its name durable."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.close()


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # None: the driver begins nothing by itself. Its own BEGIN is deferred and loses read-modify-writes silently.
    connection.isolation_level = None
    for pragma in (
        f"busy_timeout = {BUSY_TIMEOUT_MS}",
        "journal_mode = WAL",
        # NORMAL may forget what was signed when the power fails.
        "synchronous = FULL",
        "trusted_schema = OFF",
        "cell_size_check = ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    reads = connection.get_execution_options().get(READ_OPTION, False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _refuse_unknown(revision: str | None, where: str | Path) -> None:
    if revision is not None and revision not in REVISIONS:
        cure = "Run the version of tocsin that wrote it, or a later one; this one leaves it untouched."
        raise StoreError(f"the store is of a newer version (schema {revision}, known {REVISIONS[-1]})", where, cure)


def _migrate(engine: Engine, where: str | Path) -> None:
    """All steps in one transaction: an interrupted migration leaves the old store."""
    with engine.begin() as connection:
        revision = _revision(connection)
        _refuse_unknown(revision, where)
        if revision == REVISIONS[-1]:
            return
        # Imported here: a store of this version, the usual case, starts without alembic.
        from alembic import command
        from alembic.config import Config

        config = Config()
        scripts = Path(__file__).parent / "migrations"
        config.set_main_option("script_location", str(scripts).replace("%", "%%"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
