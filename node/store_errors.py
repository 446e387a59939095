"""What can go wrong with the store: what, where, and what to do next."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DBAPIError, OperationalError


class StoreError(Exception):
    """`fatal`: the disk or the file cannot be trusted any more; the node stops signing and stops."""

    def __init__(self, what: str, where: str | Path, cure: str, *, fatal: bool = False) -> None:
        super().__init__(f"{what} ({where}). {cure}")
        self.what = what
        self.where = str(where)
        self.cure = cure
        self.fatal = fatal


_BUSY = "Another process holds the write lock of this file: stop it; one node has one store."
_CURES = {
    5: (False, _BUSY),
    6: (False, _BUSY),
    8: (True, "Make the file and its directory writable for the node's user."),
    10: (True, "The disk failed a read or write: check it (dmesg, SMART), then restore a backup on a sound one."),
    11: (True, "The file is damaged: keep it aside and run `tocsin restore` with the latest backup."),
    13: (True, "Free space on this disk, then start the node again; nothing half-written was kept."),
    14: (True, "Check that the directory exists and that the node's user may write in it."),
    19: (True, "A row contradicts one that is stored: the node would have signed twice. Keep the file, report this."),
    26: (True, "This is no database: keep it aside and run `tocsin restore` with the latest backup."),
}
"""SQLite primary result code -> (fatal, cure)."""


def damaged(what: str, where: str | Path) -> StoreError:
    return StoreError(what, where, _CURES[11][1], fatal=True)


def from_sqlite(error: sqlite3.Error, where: str | Path) -> StoreError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == 0 and str(error).startswith("Could not decode"):
        # of the driver itself, and it would quote what is stored
        return damaged("a stored text is none", where)
    if code == 1:
        # our statements are fixed: where one does not fit any more, the schema was changed under it
        return damaged(f"the database says: {error}", where)
    fatal, cure = _CURES.get(code, (True, "Unexpected: keep the file and report this."))
    return StoreError(f"the database says: {error}", where, cure, fatal=fatal)


@contextmanager
def told(where: str | Path) -> Iterator[None]:
    """Every database error leaves as a StoreError; statements and their values (member data) never do."""
    try:
        yield
    except sqlite3.Error as error:
        raise from_sqlite(error, where) from None
    except UnicodeDecodeError:
        # the driver stumbles over its own message where that quotes bytes of the file
        raise damaged("the database names something that is no text", where) from None
    except DBAPIError as error:
        if isinstance(error.orig, sqlite3.Error):
            raise from_sqlite(error.orig, where) from None
        # Of a server only a lost or refused connection may pass by itself.
        fatal = not isinstance(error, OperationalError)
        cure = "Check that the database server runs, accepts this node's user and has space."
        raise StoreError(f"the database says: {type(error.orig).__name__}", where, cure, fatal=fatal) from None
