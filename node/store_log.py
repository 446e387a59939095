"""SQLite's write-ahead log, read without SQLite: a damaged log it cuts short without a word.

Rules of its file format (sqlite.org/fileformat2.html, section 4): frames count up to the last commit whose running
checksum holds; what is behind is forgotten. That is right for the one transaction that a power cut met in the middle,
and wrong for whole transactions that were durable once.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from node.store_errors import damaged

_HEADER = struct.Struct(">8I")
_FRAME = struct.Struct(">6I")
_MAGIC = 0x377F0682
"""Or this plus one, where the words of the checksum are big-endian."""
_WORD = 0xFFFFFFFF


@dataclass(frozen=True)
class _Frame:
    commits: bool
    ours: bool
    """Of this log: what an earlier one left behind it bears other salts."""
    whole: bool


def check_log(store: Path) -> None:
    """StoreError where the log beside this store lost what had been durable. No log, an empty one: nothing to say."""
    path = store.with_name(store.name + "-wal")
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return
    except OSError as error:
        raise damaged(f"the log cannot be read: {error.strerror}", path) from None
    if len(raw) <= _HEADER.size + _FRAME.size or not any(raw[: _HEADER.size]):
        return
    header = _HEADER.unpack_from(raw)
    order = ">" if header[0] & 1 else "<"
    if header[0] & ~1 != _MAGIC or _sum(order, (0, 0), raw[:24]) != header[6:8]:
        raise damaged("the beginning of the log was changed on disk: all that it holds would be forgotten", path)
    if _loses_a_commit(_frames(raw, header, order)):
        raise damaged("the log was changed on disk: commits that were durable would be forgotten", path)


def _frames(raw: bytes, header: tuple[int, ...], order: str) -> Iterable[_Frame]:
    size = header[2]
    running: tuple[int, int] = (header[6], header[7])
    holds = True
    for at in range(_HEADER.size, len(raw) - _FRAME.size - size + 1, _FRAME.size + size):
        page = at + _FRAME.size
        frame = _FRAME.unpack_from(raw, at)
        ours = frame[2:4] == header[4:6]
        if holds and ours:
            running = _sum(order, _sum(order, running, raw[at : at + 8]), raw[page : page + size])
        holds = holds and ours and running == frame[4:6]
        yield _Frame(frame[1] != 0, ours, holds)


def _loses_a_commit(frames: Iterable[_Frame]) -> bool:
    """A frame of this log behind a commit that does not hold: that commit was durable before the frame was written."""
    forgotten = False
    for frame in frames:
        if frame.whole or not frame.ours:
            continue
        if forgotten:
            return True
        forgotten = frame.commits
    return False


def _sum(order: str, start: tuple[int, int], part: bytes) -> tuple[int, int]:
    one, other = start
    words = iter(struct.unpack(f"{order}{len(part) // 4}I", part))
    for even, odd in zip(words, words):
        one = (one + even + other) & _WORD
        other = (other + odd + one) & _WORD
    return one, other
