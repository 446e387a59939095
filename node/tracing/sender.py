"""Spans on their way to a collector, in a thread of their own. Whoever hands them over never waits: a row that is full
takes no more, and what a collector does not take costs spans alone."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence

from node.tracing.collector import POST_S_MAX, Answer
from node.tracing.spans import Span

WAITING_MAX = 4_096
AT_ONCE = 256
BACKOFF_S = (1.0, 2.0, 5.0, 15.0, 30.0)
GIVE_UP_S = 300.0
STOP_S_MAX = 1.5
"""For what waits, when the node stops; then it is lost."""
WHATS = ("sent", "failed", "dropped")


class Sender:
    """`encode` makes a request of spans, `post(body, timeout in s)` carries it there, `refused` reads how many of them
    an answer turns down. `counts`: see METRICS.md."""

    def __init__(
        self,
        encode: Callable[[Sequence[Span]], bytes],
        post: Callable[[bytes, float], Answer],
        refused: Callable[[bytes], int],
        log: Callable[[str], None],
    ) -> None:
        self._encode, self._post, self._refused, self._log = encode, post, refused, log
        self.counts: Counter[str] = Counter(dict.fromkeys(WHATS, 0))
        self.fault = ""
        """Why the last try failed; "" where it did not."""
        self._waiting: deque[Span] = deque()
        self._some = threading.Event()
        self._ends_s: float | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="traces", daemon=True)

    def start(self) -> None:
        """Not where it is made: a process that forks takes no thread along."""
        self._thread.start()

    def take(self, spans: Sequence[Span]) -> None:
        """From the loop: at once, whatever the thread is at."""
        room = max(WAITING_MAX - len(self._waiting), 0)
        self._waiting.extend(spans[:room])
        self.counts["dropped"] += max(len(spans) - room, 0)
        self._some.set()

    def stop(self) -> None:
        """Blocks until what waits is away, STOP_S_MAX at most; the thread of a silent collector is left behind."""
        self._ends_s = time.monotonic() + STOP_S_MAX
        self._stopping.set()
        self._some.set()
        if self._thread.is_alive():
            self._thread.join(STOP_S_MAX)
        self.counts["dropped"] += len(self._waiting)

    def _run(self) -> None:
        while True:
            self._some.wait()
            self._some.clear()
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]
                self._carry(batch)
            if self._stopping.is_set():
                return

    def _carry(self, batch: Sequence[Span]) -> None:
        """Tried until it is taken, refused for good, or too old."""
        try:
            body = self._encode(batch)
        except Exception as error:  # a library of others: whatever it is, the alarm goes on without it
            self._log(f"traces: {len(batch)} spans could not be written: {type(error).__name__}")
            self.counts["failed"] += len(batch)
            return
        began_s, tries = time.monotonic(), 0
        while True:
            answer = self._post(body, self._left_s())
            late = time.monotonic() - began_s > GIVE_UP_S or self._stopping.is_set()
            if not answer.fault or not answer.again or late:
                self._settle(len(batch), answer)
                return
            self._failing(answer.fault)
            self._stopping.wait(BACKOFF_S[min(tries, len(BACKOFF_S) - 1)])
            tries += 1

    def _left_s(self) -> float:
        ends_s = self._ends_s
        return POST_S_MAX if ends_s is None else min(max(ends_s - time.monotonic(), 0.05), POST_S_MAX)

    def _settle(self, count: int, answer: Answer) -> None:
        if answer.fault:
            self._failing(answer.fault)
            self.counts["failed"] += count
            return
        lost = min(self._refused(answer.body), count)
        self.counts["sent"] += count - lost
        self.counts["failed"] += lost
        if self.fault:
            self._log("traces: the collector takes them again")
        self.fault = ""

    def _failing(self, fault: str) -> None:
        if not self.fault:
            self._log(f"traces: the collector does not take them ({fault}); the node goes on, spans may be lost")
        self.fault = fault
