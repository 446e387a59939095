"""A member that lies: a whole node whose mind says, at given times, what it knows to be untrue.

On true claims it answers truly. The lies are well-formed, validly signed under its own delegated key and cite real
blocks, transactions and logs: what a real Byzantine member would send. Nothing of an honest node is weakened for it.
"""

from __future__ import annotations

import functools
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio

from node.app import RECURSION_LIMIT, Node
from node.config import NodeConfig
from node.events import Clock, Event
from node.loop import now
from node.machine import Decision, Machine
from node.machine.step import Step
from node.parts import StartFault, load_parts
from protocol.evidence import ClaimBlob
from protocol.ids import Digest
from protocol.messages import Attestation, Basis, Claim, Level, Tlp, threat_from_word
from protocol.subjects import Subject, from_text


@dataclass(frozen=True)
class Lie:
    """An event of the liar's own: no honest machine knows it."""

    subject: Subject
    threat: int
    claim: ClaimBlob


class LyingMachine(Machine):
    def handle(self, event: Event | Lie, at: Clock) -> Decision:
        if not isinstance(event, Lie):
            return super().handle(event, at)
        step = Step(self.state, at)
        epoch = self.state.epoch
        step.say(
            Attestation(
                epoch.hash,
                event.subject,
                event.threat,
                Level.ISOLATE,
                Basis.VERIFIED,
                (event.claim.claim,),
                self.state.setup.own_sources,
                "sensor",
                "",
                at.wall_ms,
                at.wall_ms + epoch.lease_bound_ms(Level.ISOLATE),
                False,
                Tlp.GREEN,
            ),
            (event.claim.blob,),
        )
        return step.done()


class LyingNode(Node):
    def __init__(self, parts: Any, lies: Path) -> None:
        super().__init__(parts)
        self.machine = LyingMachine(self.machine.state.setup)
        self._lies = lies

    async def extra(self) -> None:
        """`lies`: a file with [{at_ms, subject, threat, claim_type, claim_id, digest, blob}]; may come later."""
        while not self._lies.exists():  # noqa: ASYNC110 (a file is all that the two sides share)
            await trio.sleep(0.1)
        for one in sorted(json.loads(self._lies.read_text("utf-8")), key=lambda told: told["at_ms"]):
            wait_ms = one["at_ms"] - now().wall_ms
            if wait_ms < -1_000:
                continue  # told before a restart
            await trio.sleep(max(0, wait_ms) / 1000)
            await self.loop.inbox.send(_lie(one))  # type: ignore[arg-type]  # only this machine takes it


def _lie(told: dict[str, Any]) -> Lie:
    threat = threat_from_word(told["threat"])
    if threat is None:
        raise ValueError(f"no threat {told['threat']!r}")
    claim = Claim(told["claim_type"], bytes.fromhex(told["claim_id"]), Digest(bytes.fromhex(told["digest"])))
    return Lie(from_text(told["subject"]), int(threat), ClaimBlob(claim, bytes.fromhex(told["blob"])))


def run(config: NodeConfig, lies: Path) -> int:
    sys.setrecursionlimit(RECURSION_LIMIT)
    try:
        trio.run(functools.partial(LyingNode(load_parts(config), lies).run))
    except StartFault as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0
