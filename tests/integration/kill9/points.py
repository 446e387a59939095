"""Where the node is killed: wrappers around the ports of a child process; nothing of the kind is in shipped code."""

from __future__ import annotations

import contextlib
import os
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adapters.api import Lever, LeverDeclaration, LeverOrder, Outcome, Plan
from node.store import Batch, Store
from node.transport.api import Channel
from node.transport.memory import MemoryTransport
from protocol.errors import ProtocolError
from protocol.frames import Entries, parse_frame

APPLYING = (
    # the batch of the alarm itself, with own words
    "mark.before",
    "mark.after",
    "store.before",
    "store.after",
    "wire.before",
    "wire.after",
    # the steps of the lever, and the journal's commits between them
    "plan.before",
    "plan.after",
    "store.before#2",
    "simulate.before",
    "simulate.after",
    "store.before#3",
    "store.after#3",
    "apply.before",
    "chain.before",
    "chain.pool",
    "chain.after",
    "apply.after",
    "store.before#4",
    "read_back.before",
    "read_back.after",
    # the report of the effect
    "mark.before#2",
    "mark.after#2",
    "store.after#5",
)
LIFTING = ("undo.before", "chain.before#2", "chain.pool#2", "chain.after#2", "undo.after", "mark.after#3")
POINTS = (*APPLYING, *LIFTING)
TIMED = "after:"
"""Followed by seconds: the moment after the alarm at which the node is killed from outside."""


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@dataclass
class Killer:
    """Kills its own process at the nth passage of a named point, counted from when it is armed; `deed`: or does to it
    what another test wants done there."""

    point: str = ""
    deed: Callable[[], None] = die
    armed: bool = False
    passed: Counter[str] = field(default_factory=Counter)

    def at(self, name: str) -> None:
        if not self.armed:
            return
        deadly = self.passes(name)
        self.passed[name] += 1
        if deadly:
            self.deed()

    def passes(self, name: str) -> bool:
        """Whether the next passage is the deadly one, for who has something to leave behind first."""
        passage = self.passed[name] + 1
        return self.armed and self.point in ((name, f"{name}#1") if passage == 1 else (f"{name}#{passage}",))

    def around(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def called(*args: Any, **more: Any) -> Any:
            self.at(f"{name}.before")
            answer = call(*args, **more)
            self.at(f"{name}.after")
            return answer

        return called

    def around_async(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        async def called(*args: Any, **more: Any) -> Any:
            self.at(f"{name}.before")
            answer = await call(*args, **more)
            self.at(f"{name}.after")
            return answer

        return called


class KilledStore:
    def __init__(self, store: Store, killer: Killer) -> None:
        self._store, self._killer = store, killer

    def commit(self, batch: Batch) -> None:
        self._killer.around("store", self._store.commit)(batch)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class KilledLever:
    def __init__(self, lever: Lever, killer: Killer) -> None:
        self.declared: LeverDeclaration = lever.declared
        self._lever, self._killer = lever, killer

    async def plan(self, order: LeverOrder) -> Plan:
        return await self._killer.around_async("plan", self._lever.plan)(order)

    async def simulate(self, plan: Plan) -> Outcome:
        return await self._killer.around_async("simulate", self._lever.simulate)(plan)

    async def apply(self, plan: Plan) -> Outcome:
        return await self._killer.around_async("apply", self._lever.apply)(plan)

    async def read_back(self, order: LeverOrder) -> Outcome:
        return await self._killer.around_async("read_back", self._lever.read_back)(order)

    async def undo(self, order: LeverOrder) -> Outcome:
        return await self._killer.around_async("undo", self._lever.undo)(order)


class TappedTransport(MemoryTransport):
    """What leaves is noted in a file before it goes: bytes that the kernel has survive the process."""

    left: Path
    killer: Killer

    def send(self, peer_id: str, channel: Channel, frame: bytes) -> bool:
        self._note(frame)
        return bool(self.killer.around("wire", super().send)(peer_id, channel, frame))

    def broadcast(self, frame: bytes, except_peer: str | None = None) -> int:
        self._note(frame)
        return int(self.killer.around("wire", super().broadcast)(frame, except_peer))

    def gossip(self, frame: bytes) -> None:
        self._note(frame)
        super().gossip(frame)

    def _note(self, raw: bytes) -> None:
        frame = None
        with contextlib.suppress(ProtocolError):
            frame = parse_frame(raw)
        if isinstance(frame, Entries):
            with self.left.open("ab", buffering=0) as file:
                file.write(b"".join(one.hex().encode() + b"\n" for one in frame.raws))
