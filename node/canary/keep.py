"""When the canary looks, and what people are told: a part that two looks in a row found silent, once; and once more
when it is well again. One look alone wakes nobody: providers hiccup."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import trio

from node.canary import look
from node.canary.levers import in_use, levers
from node.canary.look import PARTS, Found
from node.effects import Tell
from node.hearing import clock
from node.loop import now
from node.plugins import masked, told
from node.preflight import seats

if TYPE_CHECKING:
    from node.app import Node

log = logging.getLogger("tocsin.canary")
FIRST_S = 60.0
"""After the start: connections are made and exposures read by then."""
AGAIN_S = 20.0
"""Between the two looks that make a silence."""
LOOK_S_MAX = 180.0


@dataclass(frozen=True)
class Part:
    """`doubted`: the last look found it silent, and no second one did yet. `since_ms`: of the wall clock."""

    name: str
    ok: bool
    doubted: bool
    says: str
    since_ms: int


class Canary:
    """`every_s` 0: never looks."""

    def __init__(self, every_s: int) -> None:
        self.every_s = every_s
        self.at_ms: int | None = None
        """When it last looked to the end."""
        self.parts: dict[str, Part] = {}

    def heard(self, found: Sequence[Found], now_ms: int) -> list[str]:
        """What people are told of this look."""
        self.at_ms = now_ms
        lines = []
        for one in found:
            before = self.parts.get(one.part, Part(one.part, True, False, "", now_ms))
            silent = not one.ok and (before.doubted or not before.ok)
            part = Part(one.part, not silent, not one.ok and not silent, one.says, before.since_ms)
            if part.ok != before.ok:
                part = replace(part, since_ms=now_ms)
                lines.append(_line(part, before, now_ms))
            self.parts[one.part] = part
        return lines

    @property
    def doubts(self) -> bool:
        return any(one.doubted for one in self.parts.values())

    def silent(self) -> list[Part]:
        return [one for one in self.parts.values() if not one.ok]

    def told(self) -> dict[str, Any]:
        """As `tocsin status` and /v1/ready have it."""
        parts = [self.parts[name] for name in PARTS if name in self.parts]
        return {
            "every_s": self.every_s,
            "at_ms": self.at_ms,
            "ok": not self.silent(),
            "parts": [
                {"part": one.name, "ok": one.ok, "doubted": one.doubted, "says": one.says, "since_ms": one.since_ms}
                for one in parts
            ],
        }

    async def keep(self, way: Callable[[], Awaitable[list[Found]]], tell: Callable[[str], None]) -> None:
        """Until cancelled; returns at once where it is switched off."""
        wait_s = min(FIRST_S, self.every_s)
        while self.every_s:
            await trio.sleep(wait_s)
            for line in self.heard(await self._look(way), now().wall_ms):
                tell(line)
            wait_s = min(AGAIN_S, self.every_s) if self.doubts else self.every_s

    async def _look(self, way: Callable[[], Awaitable[list[Found]]]) -> list[Found]:
        try:
            with trio.fail_after(LOOK_S_MAX):
                return await way()
        except trio.TooSlowError:
            why = f"the look did not end within {LOOK_S_MAX:.0f} s"
        except Exception as error:  # a sensor's own words are asked for: somebody's plug-in
            why = told(error)
        return [Found(name, False, f"could not be looked at: {why}") for name in PARTS]


def _line(part: Part, before: Part, now_ms: int) -> str:
    if part.ok:
        return f"canary: {part.name} is well again after {(now_ms - before.since_ms) // 1000} s: {part.says}"
    return f"CANARY: {part.name} is SILENT since {clock(now_ms)} UTC: {part.says}; `tocsin status` shows every part"


async def keep_canary(node: Node) -> None:
    """For the node's nursery."""

    async def way() -> list[Found]:
        state, at = node.machine.state, now()
        offered = seats(node.instances, node.parts.config.targets, node.parts.policy)
        pulled = [one for one in offered if one.rules]
        return [
            look.sensors(node.instances.sensors, node.chain_faults),
            look.gossip(state, at.mono_ms),
            look.quorum(state, at.wall_ms),
            look.policy(state, at.wall_ms),
            await levers(pulled, in_use(state), at.wall_ms),
        ]

    def tell(line: str) -> None:
        log.warning("%s", line)
        node.tell_sinks(Tell(masked(line)))

    await node.canary.keep(way, tell)
