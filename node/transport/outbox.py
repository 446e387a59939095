"""What waits to be written to one stream of one peer, and the one task that writes to all of them."""

from __future__ import annotations

from collections import deque
from typing import Protocol

import trio

from node.transport.limits import OUTBOX_BYTES, OUTBOX_FRAMES, Timing

_BUSY_STREAK = 3


class Outbox:
    """A bounded queue of encoded frames."""

    def __init__(self, frames_max: int = OUTBOX_FRAMES, bytes_max: int = OUTBOX_BYTES) -> None:
        self._frames_max = frames_max
        self._bytes_max = bytes_max
        self._frames: deque[bytes] = deque()
        self._urgent: deque[bytes] = deque(maxlen=16)
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def empty(self) -> bool:
        """Whether neither frames nor control frames wait."""
        return not self._frames and not self._urgent

    def push(self, encoded: bytes) -> bool:
        """Queue one encoded frame; False when the queue is full."""
        if len(self._frames) >= self._frames_max or self._bytes + len(encoded) > self._bytes_max:
            return False
        self._frames.append(encoded)
        self._bytes += len(encoded)
        return True

    def push_urgent(self, encoded: bytes) -> None:
        """Queue a control frame ahead of everything; only the newest few are kept."""
        self._urgent.append(encoded)

    def clear(self) -> None:
        """Forget everything queued."""
        self._frames.clear()
        self._urgent.clear()
        self._bytes = 0

    def cut(self, size: int) -> bytes:
        """Take what fits into `size` bytes, control frames first; one frame always, however long."""
        batch = list(self._urgent)
        self._urgent.clear()
        taken = 0
        while self._frames and (not batch or taken + len(self._frames[0]) <= size):
            frame = self._frames.popleft()
            taken += len(frame)
            batch.append(frame)
        self._bytes -= taken
        return batch[0] if len(batch) == 1 else b"".join(batch)


class Flushes(Protocol):
    """A peer's session, as the post sees it."""

    def flush(self) -> int:
        """Write what waits as far as it goes, without waiting; how many frames waited. Must not raise."""


class Post:
    """Writes for all peers in one turn, after whoever had something to say has said all of it.

    What is said while the streams are idle goes out at once; when turns follow one another closely they are gathered
    for a few milliseconds, which under load saves most of the cost of a write.
    """

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._due: dict[Flushes, None] = {}
        self._urgent = False
        self._wake = trio.Event()
        self._streak = 0
        self._last_s = 0.0

    def due(self, one: Flushes, *, urgent: bool = False) -> None:
        """Have this one flushed in the next turn; `urgent`: without gathering."""
        self._due[one] = None
        self._urgent = self._urgent or urgent
        self._wake.set()

    async def run(self) -> None:
        """Flush whatever is due, for ever."""
        while True:
            if not self._due:
                self._wake = trio.Event()
            await self._wake.wait()
            if self._streak >= _BUSY_STREAK and not self._urgent:
                await trio.sleep(self._timing.gather_s)
            due, self._due, self._urgent = self._due, {}, False
            self._note_pace(max([one.flush() for one in due], default=0))

    def _note_pace(self, most: int) -> None:
        now = trio.current_time()
        gathering = self._streak >= _BUSY_STREAK
        busy = most > 1 if gathering else now - self._last_s < self._timing.busy_gap_s
        self._streak = self._streak + 1 if busy else 0
        self._last_s = now
