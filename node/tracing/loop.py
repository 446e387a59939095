"""The loop of a node that is traced: the same steps, with their times noted beside them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from node.effects import Effect
from node.events import Event
from node.loop import Durable, Loop
from node.machine import Decision, Machine
from node.plugins import told
from node.store import Batch
from node.tracing.facts import Heard, tell
from node.tracing.story import Story, Told
from node.watch import Watch
from protocol.envelope import Verified

log = logging.getLogger("tocsin.tracing")


class TracedLoop(Loop):
    """`hand_on` gets what is over; it must neither wait nor raise."""

    def __init__(
        self,
        machine: Machine,
        durable: Durable,
        watch: Watch,
        perform: Callable[[Effect], None],
        story: Story,
        hand_on: Callable[[list[Told]], None],
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        super().__init__(machine, durable, watch, perform)
        self._story, self._hand_on, self._now_ns = story, hand_on, now_ns
        self._arrived_ns: dict[int, int] = {}
        """id of an event that waits → when it came. It lives until it is handled, so nobody else has its id."""
        self._heard: list[Heard] = []
        self._durable_ns = 0
        self._faulty = False

    async def offer(self, event: Event) -> None:
        with self._arriving(event):
            await super().offer(event)

    async def send(self, event: Event) -> None:
        with self._arriving(event):
            await super().send(event)

    @contextmanager
    def _arriving(self, event: Event) -> Iterator[None]:
        self._arrived_ns[id(event)] = self._now_ns()
        try:
            yield
        except BaseException:  # a peer went while its frame waited for room: the id will be another event's
            self._arrived_ns.pop(id(event), None)
            raise

    def _handle(self, event: Event) -> Decision:
        began_ns = self._now_ns()
        arrived_ns = self._arrived_ns.pop(id(event), began_ns)
        decision = super()._handle(event)
        self._heard.append(Heard(event, decision, arrived_ns, began_ns, self._now_ns()))
        return decision

    async def _write(self, batch: Batch, own: Sequence[Verified[Any]]) -> None:
        await super()._write(batch, own)
        self._durable_ns = self._now_ns()

    async def _commit(self, decisions: Sequence[Decision]) -> None:
        heard, self._heard = self._heard, []
        self._durable_ns = at_ns = self._now_ns()
        await super()._commit(decisions)
        if not heard:
            heard = [Heard(None, one, at_ns, at_ns, at_ns) for one in decisions]
        self._told(heard)

    def _told(self, heard: list[Heard]) -> None:
        try:
            for one in heard:
                tell(self._story, self.machine.state, one, self._durable_ns)
            self._hand_on(self._story.over(self._now_ns()))
        except Exception as error:  # no trace is worth an alarm
            if not self._faulty:
                log.error("traces have a fault of their own and may lack spans: %s", told(error))
            self._faulty = True
