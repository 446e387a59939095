"""Members that do what no honest program does: one that forks its feed, one that speaks though it must not."""

from __future__ import annotations

import functools
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio

from node.app import RECURSION_LIMIT, Node
from node.config import NodeConfig
from node.effects import Broadcast
from node.events import Clock, Event
from node.machine import Decision, Machine
from node.machine.state import State
from node.machine.step import Step
from node.parts import StartFault, load_parts
from protocol.envelope import seal_entry
from protocol.frames import Entries, pack_frame
from protocol.messages import Attestation, Basis, Level, Tlp, threat_from_word
from protocol.subjects import Subject, from_text


@dataclass(frozen=True)
class Fork:
    """An event of the forker's own: no honest machine knows it."""

    subject: Subject
    threat: int


class ForkingMachine(Machine):
    def handle(self, event: Event | Fork, at: Clock) -> Decision:
        if not isinstance(event, Fork):
            return super().handle(event, at)
        step, state = Step(self.state, at), self.state
        seq, head = state.own_head()
        step.say(_word(state, event, Level.ISOLATE, at.wall_ms))
        other = seal_entry(
            state.epoch.network,
            state.setup.signer,
            author=state.me,
            key_version=state.setup.key_version,
            seq=seq + 1,
            prev=head,
            issued_ms=at.wall_ms,
            body=_word(state, event, Level.WATCH, at.wall_ms),
        )
        step.do(Broadcast(pack_frame(Entries((other.raw,)))))
        return step.done()


def _word(state: State, event: Fork, level: Level, now_ms: int) -> Attestation:
    return Attestation(
        state.epoch.hash,
        event.subject,
        event.threat,
        level,
        Basis.OBSERVED,
        (),
        state.own_sources(),
        "person",
        "",
        now_ms,
        now_ms + state.epoch.lease_bound_ms(level),
        True,
        Tlp.GREEN,
    )


class ForkingNode(Node):
    def __init__(self, parts: Any, cue: Path) -> None:
        super().__init__(parts)
        self.machine = ForkingMachine(self.machine.state.setup)
        self._cue = cue

    async def extra(self) -> None:
        """`cue`: a file with "SUBJECT THREAT", written when it is to happen."""
        while not self._cue.exists():  # noqa: ASYNC110 (a file is all that the two sides share)
            await trio.sleep(0.05)
        subject, threat = self._cue.read_text("utf-8").split()
        await self.loop.inbox.send(Fork(from_text(subject), int(threat_from_word(threat) or 0)))  # type: ignore[arg-type]


def run(config: NodeConfig, cue: Path) -> int:
    sys.setrecursionlimit(RECURSION_LIMIT)
    try:
        trio.run(functools.partial(ForkingNode(load_parts(config), cue).run))
    except StartFault as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def run_defiant(config: NodeConfig) -> int:
    """Whoever holds a stolen key has a program that does not obey its revocation."""
    from node import app

    State.may_sign = lambda self: ""  # type: ignore[method-assign]
    return app.run(config)
