"""What is done to a node at a named point of its life, besides killing it. Each acts on its own process for good."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from node.store import StoreError

REAL_WRITE, REAL_FSYNC = os.write, os.fsync


def pause() -> None:
    """The whole process, with all its threads, until somebody sends SIGCONT."""
    os.kill(os.getpid(), signal.SIGSTOP)


def path_of(descriptor: int) -> str:
    return str(Path(f"/proc/self/fd/{descriptor}").readlink())


def failing(number: int) -> OSError:
    return OSError(number, os.strerror(number))


# -- the mark: mark.cbor.new is written and synced, renamed, and its directory synced


def mark_has_no_space() -> None:
    os.write = _writing(lambda fd, content: _fail(errno.ENOSPC))


def mark_stops_half_way() -> None:
    """A short write, then an error."""

    def write(descriptor: int, content: Any) -> int:
        os.write = _writing(lambda fd, content: _fail(errno.EIO))
        return REAL_WRITE(descriptor, bytes(content)[: len(content) // 2])

    os.write = _writing(write)


def mark_trickles() -> None:
    """Seven bytes at a time: that is no error, and the rest is due."""
    os.write = _writing(lambda fd, content: REAL_WRITE(fd, bytes(content)[:7]))


def mark_is_named_and_not_synced() -> None:
    """The new mark stands under its name; nobody knows whether it will after a power cut."""
    os.fsync = _syncing("/data")


def _fail(number: int) -> int:
    raise failing(number)


def _writing(write: Callable[[int, Any], int]) -> Callable[[int, Any], int]:
    return lambda fd, content: (write if path_of(fd).endswith("mark.cbor.new") else REAL_WRITE)(fd, content)


def _syncing(end: str) -> Callable[[Any], None]:
    def fsync(descriptor: Any) -> None:
        if type(descriptor) is int and path_of(descriptor).endswith(end):
            raise failing(errno.EIO)
        REAL_FSYNC(descriptor)

    return fsync


# -- the store: SQLite appends to its log and syncs it


def store_has_no_space() -> None:
    _replace_log("/dev/full", os.O_RDWR)


def store_cannot_write() -> None:
    """A descriptor on which every write fails: to SQLite an input/output error."""
    _replace_log("/dev/null", os.O_RDONLY)


def store_is_not_synced() -> None:
    """It takes what is written, and cannot say that it keeps it: it does not."""
    _replace_log("/dev/null", os.O_RDWR)


def _replace_log(device: str, flags: int) -> None:
    other = os.open(device, flags)
    for link in list(Path("/proc/self/fd").iterdir()):
        if link.is_symlink() and str(link.readlink()).endswith(".sqlite-wal"):
            os.dup2(other, int(link.name))
    os.close(other)


def store_says_no_late() -> None:
    raise StoreError("the disk says no, after it has kept all of it", "store.sqlite", "Check the disk.", fatal=True)
