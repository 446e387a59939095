"""The sink: takes news at once, tells people when the pager says so, tries again, and never raises."""

from __future__ import annotations

import functools
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import trio

from adapters.api import Acknowledged, News
from adapters.notify.letter import Letter, letter
from adapters.notify.pager import Pager, Times
from protocol.messages import Tlp

CARRY_S_MAX = 20.0
"""A letter to several receivers is several calls, each bounded by its own wire."""
HURRIED_S_MAX = 8.0
"""Where no task of its own runs: a node waits ten seconds."""
BACKOFF_S = (2.0, 5.0, 15.0, 60.0, 300.0)
HASTE_S = 15.0
GIVE_UP_S = 3_600.0
_LEFT_BEHIND: dict[str, Any] = {"abandon_on_cancel": True}
"""Of a thread; under this name the stubs of trio do not know it."""
Carry = Callable[[Letter], bool]
"""Blocks; whether it was taken."""


class Notify:
    """`run` delivers until cancelled; without it news are tried once, while they are told."""

    def __init__(
        self,
        name: str,
        carry: Carry,
        times: Times,
        ceiling: Tlp,
        log: Callable[[str], None],
        acknowledged: Acknowledged = lambda about, since_ms: False,
    ) -> None:
        self.name, self.ceiling = name, ceiling
        kinds = ("sent", "failed", "withheld", "joined", "acknowledged")
        self.counts: Counter[str] = Counter(dict.fromkeys(kinds, 0))
        """Of news, but `sent` and `failed` of pages; `joined`: told in a page of another's."""
        self._carry, self._times, self._log = carry, times, log
        self._acknowledged = acknowledged
        self._pager = Pager(times)
        self._letter: Letter | None = None
        self._since_s = self._not_before_s = 0.0
        self._tries = 0
        self._running = self._busy = False
        self._some = trio.Event()
        self._one = trio.CapacityLimiter(1)

    def __repr__(self) -> str:
        return f"Notify({self.name!r})"

    async def tell(self, news: News) -> None:
        now_s = trio.current_time()
        self._pager.told(news, now_s)
        # what is new must not sleep as long as what is old may
        self._not_before_s = min(self._not_before_s, now_s + HASTE_S)
        self._some.set()
        if not self._running and self._letter is None and not self._times.after_s:
            await trio.sleep(self._times.gather_s)
            await self._turn(HURRIED_S_MAX)

    async def run(self) -> None:
        self._running = True
        try:
            while True:
                self._some = trio.Event()
                if self._busy:  # who told it is at it
                    await trio.sleep(0.1)
                    continue
                await self._turn(CARRY_S_MAX)
                with trio.move_on_at(self._next_s()):
                    await self._some.wait()
        finally:
            self._running = False

    def _next_s(self) -> float:
        if self._letter is not None:
            return self._not_before_s
        due_s = self._pager.due_s()
        return trio.current_time() + 3_600 if due_s is None else due_s

    async def _turn(self, most_s: float) -> None:
        """One try of what is due; what is not taken stays, and what comes meanwhile waits behind it."""
        if self._busy:
            return
        if self._letter is None:
            self._take_up()
        if self._letter is None or trio.current_time() < self._not_before_s:
            return
        self._busy = True
        try:
            self._settle(*await self._carried(self._letter, most_s))
        finally:
            self._busy = False

    async def _carried(self, one: Letter, most_s: float) -> tuple[bool, str]:
        """Whether it was taken, and if not, why. Who is cut off leaves the call behind, which ends by itself."""
        taken, why = False, "no answer in time"
        carry = functools.partial(trio.to_thread.run_sync, self._carry, one, limiter=self._one, **_LEFT_BEHIND)
        with trio.move_on_after(most_s):
            try:
                taken = await carry()
                why = "the service did not take it"
            except Exception as error:  # a library of others and a wire: whatever it is, the alarm goes on without it
                why = type(error).__name__
        return taken, why

    def _take_up(self) -> None:
        now_s = trio.current_time()
        page = self._pager.page(now_s, self._is_acknowledged)
        self.counts["acknowledged"] = self._pager.acknowledged
        if page is not None:
            self._letter = letter(self.name, page, self._times.after_s)
            self.counts["joined"] += page.count - 1
            self._since_s, self._not_before_s, self._tries = now_s, 0.0, 0

    def _is_acknowledged(self, topic: str, since_s: float) -> bool:
        ago_ms = int((trio.current_time() - since_s) * 1000)
        return self._acknowledged(topic, time.time_ns() // 1_000_000 - ago_ms)

    def _settle(self, taken: bool, why: str) -> None:
        if self._letter is None:
            return
        now_s = trio.current_time()
        if not taken and now_s - self._since_s <= GIVE_UP_S:
            if not self._tries:
                self._log(f"sink {self.name}: {why}; tried again")
            self._not_before_s = now_s + BACKOFF_S[min(self._tries, len(BACKOFF_S) - 1)]
            self._tries += 1
            return
        if not taken:
            self._log(f"sink {self.name}: a page of {self._letter.count} news was given up: {why}")
        elif self._tries:
            self._log(f"sink {self.name}: is heard again")
        self.counts["sent" if taken else "failed"] += 1
        self._letter, self._tries, self._not_before_s = None, 0, 0.0
