"""Who could know what, and when: each reading of what is not for everybody, by reader, door and thing, with its first
and last time and how often.

`data_dir/insiders.jsonl`, 0600, beside the store and not in it: what is read never waits in the way of an alarm. A line
is a row as it was then, and the last of a row holds. A first reading is on the disk before its answer leaves; what is
read again is written within a minute. A reader has so many rows and no more; beyond them it is known that there was
more, and not what.
"""

from __future__ import annotations

import json
import logging
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import trio

from protocol.messages import Tlp

log = logging.getLogger("tocsin.insiders")
LATER_S = 60.0
OF_ONE_MAX = 2_000
ROWS_MAX = 20_000
"""Of all readers; some 4 MB as a file."""
LINES_MAX = 100_000
"""Then the file is written anew, one line a row."""
LINE_BYTES_MAX = 16_384
FILE_BYTES_MAX = 64 * 1024 * 1024
TEXT_CHARS_MAX = 400


@dataclass(frozen=True)
class Reader:
    """`door`: tcp, socket, metrics or sink. At the socket the account is known and not the person."""

    who: str
    role: str
    door: str


@dataclass(frozen=True)
class Thing:
    """`id` names it among its kind; `about`: for people. `tlp`: the strictest word in it."""

    kind: str
    id: str
    about: str
    tlp: str


MORE = Thing("more", "", "more things than are listed one by one", "RED")


@dataclass(frozen=True)
class Row:
    who: str
    role: str
    door: str
    kind: str
    id: str
    about: str
    tlp: str
    first_ms: int
    last_ms: int
    count: int

    @property
    def key(self) -> tuple[str, ...]:
        return self.who, self.role, self.door, self.kind, self.id


class InsidersFault(Exception):
    """What is wrong with the list, and what to do."""


def read(path: Path) -> tuple[dict[tuple[str, ...], Row], int, int]:
    """The rows by key, how many lines there are, and how many of them are none (one may be torn by a crash)."""
    rows: dict[tuple[str, ...], Row] = {}
    lines = bad = 0
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise InsidersFault(f"{path}: over {FILE_BYTES_MAX} bytes, which a node never writes; move it away")
        with path.open("rb") as file:
            while line := file.readline(LINE_BYTES_MAX):
                lines += 1
                row = _row(line)
                if row is None:
                    bad += 1
                else:
                    rows[row.key] = row
    except FileNotFoundError:
        return {}, 0, 0
    except OSError as error:
        raise InsidersFault(f"{path}: cannot be read: {error.strerror}; check path and rights") from None
    return rows, lines, bad


def _row(line: bytes) -> Row | None:
    try:
        row = Row(**json.loads(line))
    except (ValueError, TypeError, RecursionError):
        return None
    texts = (row.who, row.role, row.door, row.kind, row.id, row.about, row.tlp)
    numbers = (row.first_ms, row.last_ms, row.count)
    sound = all(type(one) is str for one in texts) and all(type(one) is int and one >= 0 for one in numbers)
    return row if sound else None


class Insiders:
    """`saw` by whoever answers, `knew` by whoever may not wait, `keep` for as long as the node runs."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: dict[tuple[str, ...], Row] = {}
        self._lines = 0
        self._dirty: dict[tuple[str, ...], Row] = {}
        self._of: Counter[tuple[str, str]] = Counter()
        self._writing = trio.Lock()
        self._writer = trio.CapacityLimiter(1)
        self._failed = False
        try:
            self._rows, self._lines, bad = read(path)
        except InsidersFault as fault:
            self._fail(str(fault))
        else:
            if bad:
                log.warning("%s: %d line(s) are no rows and are left out", path, bad)
        self._of.update((row.who, row.door) for row in self._rows.values())

    def knew(self, reader: Reader, things: Iterable[Thing], at_ms: int, times: int = 1) -> bool:
        """Noted in memory; whether any of it is read by this reader for the first time. `times` 0: it still reads."""
        fresh = [thing for thing in things if self._noted(reader, thing, at_ms, times)]
        return bool(fresh)

    def _noted(self, reader: Reader, thing: Thing, at_ms: int, times: int) -> bool:
        key = (reader.who, reader.role, reader.door, thing.kind, thing.id)
        held = self._rows.get(key)
        full = self._of[(reader.who, reader.door)] >= OF_ONE_MAX or len(self._rows) >= ROWS_MAX
        if held is None and full and thing is not MORE:
            return self._noted(reader, MORE, at_ms, times)
        if held is None:
            self._of[(reader.who, reader.door)] += 1
            what = (thing.kind, thing.id, thing.about[:TEXT_CHARS_MAX], thing.tlp)
            row = Row(reader.who, reader.role, reader.door, *what, at_ms, at_ms, times)
        else:
            last_ms, count = max(held.last_ms, at_ms), held.count + times
            tlp = max(held.tlp, thing.tlp, key=lambda word: Tlp.__members__.get(word, Tlp.RED))
            row = replace(held, last_ms=last_ms, count=count, about=thing.about[:TEXT_CHARS_MAX], tlp=tlp)
        self._rows[key] = self._dirty[key] = row
        return held is None

    async def saw(self, reader: Reader, things: Iterable[Thing], at_ms: int) -> None:
        """A first reading is durable when this returns; that it could not be written is said, and keeps nobody from
        seeing an alarm."""
        if self.knew(reader, things, at_ms):
            await self.write()

    async def keep(self) -> None:
        """Until cancelled; then what is left is written."""
        try:
            while True:
                await trio.sleep(LATER_S)
                await self.write()
        finally:
            with trio.CancelScope(shield=True):
                await self.write()

    async def write(self) -> None:
        """Whoever comes while another writes finds its own written, or writes all that came meanwhile."""
        async with self._writing:
            rows, self._dirty = self._dirty, {}
            if not rows:
                return
            anew = self._lines + len(rows) > LINES_MAX
            written = [*self._rows.values()] if anew else [*rows.values()]
            try:
                await trio.to_thread.run_sync(self._put, written, anew, limiter=self._writer)
            except OSError as error:
                self._dirty = {**rows, **self._dirty}
                self._fail(f"{self._path}: who reads what cannot be written: {error.strerror}; check rights and space")
                return
            self._failed = False
            self._lines = len(written) if anew else self._lines + len(written)

    def _fail(self, says: str) -> None:
        if not self._failed:
            log.error("%s", says)
        self._failed = True

    def _put(self, rows: list[Row], anew: bool) -> None:
        text = "".join(json.dumps(asdict(row), separators=(",", ":")) + "\n" for row in rows).encode()
        path = self._path.with_name(f".{self._path.name}.new") if anew else self._path
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | (os.O_TRUNC if anew else os.O_APPEND)
        with os.fdopen(os.open(path, flags, 0o600), "r+b" if anew else "a+b") as file:
            if not anew and file.seek(0, os.SEEK_END) and os.pread(file.fileno(), 1, file.tell() - 1) != b"\n":
                text = b"\n" + text  # a crash tore the last line
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if anew:
            path.replace(self._path)
