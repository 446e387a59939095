"""What waits to be written to one stream of one peer."""

from __future__ import annotations

from collections import deque

import trio

from node.transport.limits import OUTBOX_BYTES, OUTBOX_FRAMES, WRITE_BATCH_BYTES, Timing

_BUSY_STREAK = 3


class Outbox:
    """A bounded queue of encoded frames with one reader, the stream's writer task.

    A frame goes out at once when the stream is idle; when writes follow one another closely they are
    gathered for a few milliseconds, which under load saves most of the cost of a write.
    """

    def __init__(self, timing: Timing, frames_max: int = OUTBOX_FRAMES, bytes_max: int = OUTBOX_BYTES) -> None:
        self._timing = timing
        self._frames_max = frames_max
        self._bytes_max = bytes_max
        self._frames: deque[bytes] = deque()
        self._urgent: deque[bytes] = deque(maxlen=16)
        self._bytes = 0
        self._wake = trio.Event()
        self._streak = 0
        self._last_take_s = 0.0

    def __len__(self) -> int:
        return len(self._frames)

    def push(self, encoded: bytes) -> bool:
        """Queue one encoded frame; False when the queue is full."""
        if len(self._frames) >= self._frames_max or self._bytes + len(encoded) > self._bytes_max:
            return False
        self._frames.append(encoded)
        self._bytes += len(encoded)
        self._wake.set()
        return True

    def push_urgent(self, encoded: bytes) -> None:
        """Queue a control frame ahead of everything; only the newest few are kept."""
        self._urgent.append(encoded)
        self._wake.set()

    def clear(self) -> None:
        """Forget everything queued."""
        self._frames.clear()
        self._urgent.clear()
        self._bytes = 0

    async def take(self) -> bytes:
        """Wait for something to write; return up to one batch of it, control frames first."""
        while not self._frames and not self._urgent:
            self._wake = trio.Event()
            await self._wake.wait()
        if self._streak >= _BUSY_STREAK and not self._urgent:
            await trio.sleep(self._timing.gather_s)
        batch = list(self._urgent)
        self._urgent.clear()
        size = 0
        while self._frames and (not size or size + len(self._frames[0]) <= WRITE_BATCH_BYTES):
            frame = self._frames.popleft()
            size += len(frame)
            batch.append(frame)
        self._bytes -= size
        self._note_pace(len(batch))
        return batch[0] if len(batch) == 1 else b"".join(batch)

    def _note_pace(self, taken: int) -> None:
        now = trio.current_time()
        gathering = self._streak >= _BUSY_STREAK
        busy = taken > 1 if gathering else now - self._last_take_s < self._timing.busy_gap_s
        self._streak = self._streak + 1 if busy else 0
        self._last_take_s = now
