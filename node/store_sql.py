"""The statements of `commit`, turned into the database's own text once: twice the commits per second of Core's way.

Insert-or-ignore names the primary key, so that breaking `own_once` is an error and not ignored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Executable, Table, insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect

from node.tables import BLOBS, CERTIFICATES, ENTRIES, RECORDS


@dataclass(frozen=True)
class Prepared:
    """`names`: the columns that each row gives, in this order."""

    sql: str
    names: tuple[str, ...]
    positional: bool

    def run(self, connection: Connection, rows: Sequence[tuple[object, ...]]) -> None:
        if not rows:
            return
        given: list[Any] = list(rows) if self.positional else [dict(zip(self.names, row)) for row in rows]
        connection.exec_driver_sql(self.sql, given if len(given) > 1 else given[0])


def prepare(statement: Executable, table: Table, dialect: Dialect) -> Prepared:
    compiled: Any = statement.compile(dialect=dialect)  # type: ignore[attr-defined]
    names = tuple(compiled.positiontup or table.columns.keys())
    return Prepared(str(compiled), names, bool(compiled.positional))


class Statements:
    def __init__(self, dialect: Dialect) -> None:
        build = postgresql.insert if dialect.name == "postgresql" else sqlite.insert

        def once(table: Table) -> Prepared:
            keys = list(table.primary_key.columns)
            return prepare(build(table).on_conflict_do_nothing(index_elements=keys), table, dialect)

        self.records = prepare(insert(RECORDS), RECORDS, dialect)
        self.entries = once(ENTRIES)
        self.blobs = once(BLOBS)
        self.certificates = once(CERTIFICATES)
        # A peer may have told us our own entry before we adopted it: then it becomes ours.
        own = build(ENTRIES)
        changed = {name: own.excluded[name] for name in ("raw", "own", "received_ms", "checksum")}
        keys = list(ENTRIES.primary_key.columns)
        self.own_entries = prepare(own.on_conflict_do_update(index_elements=keys, set_=changed), ENTRIES, dialect)
