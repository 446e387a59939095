"""Where tracing is joined to a node: its loop, its end, its counts. Off, a node has the ordinary loop and no more."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import trio

from node import inside
from node.drill.mark import drill_of
from node.effects import Effect
from node.loop import Durable, Loop
from node.parts import StartFault
from node.status import VERSION
from node.tracing.facts import words_held
from node.tracing.loop import TracedLoop
from node.tracing.sender import Sender
from node.tracing.settings import Settings, TracingFault, settings_of
from node.tracing.spans import Value
from node.tracing.story import Story, Told

if TYPE_CHECKING:
    from node.app import Node

log = logging.getLogger("tocsin.tracing")


class Untraced:
    @property
    def counts(self) -> Mapping[str, int]:
        """Of spans, by what became of them (METRICS.md)."""
        return {}

    @property
    def fault(self) -> str:
        """Why the collector took nothing when last asked, "" where it did."""
        return ""

    def loop(self, node: Node, durable: Durable, perform: Callable[[Effect], None]) -> Loop:
        return Loop(node.machine, durable, node.watch, perform)

    async def aclose(self) -> None:
        """Nothing waits."""


class Traced(Untraced):
    def __init__(self, settings: Settings, resource: Mapping[str, Value]) -> None:
        from node.tracing import otel

        self._settings = settings
        encode = otel.Encoder(resource).encoded
        self._sender = Sender(encode, settings.collector.post, otel.refused, log.warning)
        self._story: Story | None = None
        self._hand_on: Callable[[list[Told]], None] = lambda told: None

    @property
    def counts(self) -> Mapping[str, int]:
        lost = self._story.dropped if self._story is not None else 0
        counts = self._sender.counts
        return {**counts, "dropped": counts["dropped"] + lost}

    @property
    def fault(self) -> str:
        fault = self._sender.fault
        return f"the collector at {self._settings.collector.shown} takes no traces: {fault}" if fault else ""

    def loop(self, node: Node, durable: Durable, perform: Callable[[Effect], None]) -> Loop:
        state = node.machine.state
        held = functools.partial(words_held, state)
        self._story = Story(state.epoch.network, state.me, self._settings.ceiling, held)
        self._hand_on = functools.partial(self._handed_on, node)
        self._sender.start()
        return TracedLoop(node.machine, durable, node.watch, perform, self._story, self._hand_on)

    async def aclose(self) -> None:
        """The alarms under way are told as far as they came. Bounded by the sender."""
        if self._story is not None:
            self._hand_on(self._story.close(time.time_ns()))
            await trio.to_thread.run_sync(self._sender.stop)

    def _handed_on(self, node: Node, told: list[Told]) -> None:
        for one in told:
            if one.tlp <= self._settings.ceiling:
                inside.note_traced(node.insiders, node.machine.state, one.topic)
            self._sender.take(one.spans)


def tracing_of(node: Node) -> Untraced:
    """StartFault where node.toml wants traces and cannot have them."""
    parts = node.parts
    try:
        settings = settings_of(parts.config)
    except TracingFault as fault:
        raise StartFault([f"{parts.config.path}: {fault}"]) from None
    if settings is None:
        return Untraced()
    resource: dict[str, Value] = {
        "service.name": "tocsin",
        "service.version": VERSION,
        "service.instance.id": f"{parts.charter.network.hex()[:16]}/{parts.config.member}",
        "tocsin.member": parts.config.member,
        "tocsin.network": parts.charter.network.hex(),
    }
    if drill_of(parts.charter.parameters.name):
        resource["tocsin.exercise"] = True
    return Traced(settings, resource)
