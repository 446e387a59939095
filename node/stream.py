"""What happened, as server-sent events: each told once its record is durable, under the record's position in the store.

So a reader resumes where it was, over restarts of the node too: what it missed is read from the store. A reader has a
queue of its own and no say: who is too slow is dropped, told so, and resumes. `hello` begins a stream, `reset` one that
cannot go on where it was (read the state anew), `resume` ends one. Hints (`peer`) bear no id: they are in no record.
"""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import trio

from node.machine.state import State
from node.records import unpack_record
from node.store_rows import RecordRow
from node.watch import Happening, Watch, happening_of

STREAMS_MAX = 90
OF_ONE_MAX = 16
"""Of one person: a few screens. Whoever floods with streams takes its own share."""
QUEUE = 512
"""Happenings that wait for one reader; about 200 kB."""
AT_ONCE = 64
BEAT_S = 8.0
BACK_MAX = 20_000
"""Records that a resume goes back; who missed more reads the state, which is shorter."""
CROWD, GATHER_S = 8, 0.001
"""Each reader above so many has all wait that much longer for what comes next: a burst is one write to each of them,
and comes after the alarm that it tells of."""
PAGE = 32
"""Records turned into happenings between two turns of the loop: some 2 ms."""
REPLAYS_AT_ONCE = 2
Write = Callable[[bytes], Awaitable[None]]
Page = Callable[[int, int], Sequence[tuple[int, RecordRow]]]


class Full(Exception):
    """Too many streams are open; `whose`: "yours" or "all"."""

    def __init__(self, whose: str) -> None:
        super().__init__(whose)
        self.whose = whose


class _Reader:
    """One queue between the loop, which never waits, and one stream."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[int, Happening]] = deque()
        self._news = trio.Event()
        self.lost = False

    def heard(self, position: int, happening: Happening) -> None:
        if len(self._waiting) >= QUEUE:
            self.lost = True
            self._waiting.clear()
        if not self.lost:
            self._waiting.append((position, happening))
        self._news.set()

    async def take(self, wait_s: float, gather_s: float) -> list[tuple[int, Happening]]:
        """At most AT_ONCE; none where nothing came in `wait_s`."""
        if not self._waiting and not self.lost:
            self._news = trio.Event()
            with trio.move_on_after(wait_s):
                await self._news.wait()
                await trio.sleep(gather_s)
        return [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]


class Streams:
    """`page` reads the store and may block; it is called in a thread."""

    def __init__(self, watch: Watch, state: State, page: Page) -> None:
        self._watch, self._state, self._page = watch, state, page
        self._open: Counter[str] = Counter()
        self._replays = trio.Semaphore(REPLAYS_AT_ONCE)
        self._written: dict[int, tuple[Happening, bytes]] = {}
        """Position → what stands there and its bytes, of the last ones: written once for all readers."""

    @property
    def count(self) -> int:
        return self._open.total()

    @contextmanager
    def seat(self, person: str) -> Iterator[None]:
        """Full where there is none."""
        if self.count >= STREAMS_MAX:
            raise Full("all")
        if self._open[person] >= OF_ONE_MAX:
            raise Full("yours")
        self._open[person] += 1
        try:
            yield
        finally:
            self._open[person] -= 1
            self._open += Counter()

    async def tell(self, after: int | None, write: Write, welcome: Callable[[], bool] = lambda: True) -> None:
        """Until the reader is too slow, goes (cancelled from outside) or is not `welcome` any more. `after`: the last
        id that it has; None: whatever comes from now on."""
        reader = _Reader()
        self._watch.tap(reader.heard)
        try:
            upto = self._watch.position
            if after is None:
                await write(event({"kind": "hello", "position": upto}, upto, "hello"))
            elif after > upto or upto - after > BACK_MAX:
                # an id from another store's life, or one too old
                await write(event({"kind": "reset", "position": upto}, upto, "reset"))
            else:
                await self._again(after, upto, write)
            await self._live(upto, reader, write, welcome)
        finally:
            self._watch.untap(reader.heard)

    async def _live(self, upto: int, reader: _Reader, write: Write, welcome: Callable[[], bool]) -> None:
        while welcome():
            found = await reader.take(BEAT_S, GATHER_S * max(0, self.count - CROWD))
            if reader.lost:
                said = "too slow: this stream was dropped; open it again with Last-Event-ID"
                await write(event({"kind": "resume", "says": said}, 0, "resume"))
                return
            if not welcome():
                return
            text = b"".join(self._event(one, at) for at, one in found if not 0 < at <= upto)
            await write(text or b": beat\n\n")

    def _event(self, one: Happening, at: int) -> bytes:
        if not at:
            return event(one, 0, str(one["kind"]))
        kept = self._written.get(at)
        if kept is None or kept[0] is not one:
            if len(self._written) >= QUEUE:
                self._written.clear()
            kept = self._written[at] = (one, event(one, at))
        return kept[1]

    async def _again(self, after: int, upto: int, write: Write) -> None:
        async with self._replays:
            while after < upto:
                rows = await trio.to_thread.run_sync(self._page, after, min(PAGE, upto - after))
                if not rows:
                    return
                after = rows[-1][0]
                text = b"".join(self._told(at, row) for at, row in rows)
                # an id alone moves a reader on where nobody reads what lies between
                await write(text or f"id: {after}\n\n".encode())

    def _told(self, at: int, row: RecordRow) -> bytes:
        record = unpack_record(row.kind, row.version, row.body)
        happening = happening_of(record, self._state, float(getattr(record, "at_ms", 0)))
        return b"" if happening is None else event(happening, at)


def event(data: dict[str, Any], position: int, kind: str = "") -> bytes:
    """One event; JSON in ASCII holds no line break, whoever wrote it."""
    head = (f"id: {position}\n" if position else "") + (f"event: {kind}\n" if kind else "")
    body = {**data, "position": position} if position else data
    return f"{head}data: {json.dumps(body, separators=(',', ':'))}\n\n".encode()
