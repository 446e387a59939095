"""One attacker: a process that plays one attack until it is ended, and writes down what it did."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio

from tests.integration.hostile.lab import Lab, Seat, end_with_parent
from tests.integration.hostile.table import ATTACKS, STRANGER, Attack
from tests.integration.hostile.wire import Stage, Target
from tests.integration.network.forked import Child, fork

NOTES_S = 0.2
NICE = 0


@dataclass
class Attacker:
    """A running one. `did`: what it has counted so far."""

    attack: Attack
    child: Child
    notes: Path
    peer_id: str

    def did(self) -> dict[str, int]:
        return json.loads(self.notes.read_text("utf-8")) if self.notes.exists() else {}

    def end(self) -> dict[str, int]:
        """What it did. Fails where it ended by itself: an attack that breaks is no attack."""
        died = self.child.ended()
        self.child.kill()
        assert not died, f"{self.attack.name} ended by itself: {self.child.err.read_text()[-3000:]}"
        return self.did()


def begin(
    lab: Lab, name: str, number: int = 0, cores: Sequence[int] | None = None, only: Sequence[str] = ()
) -> Attacker:
    """`number`: which of the hostile identities it has; each seat has several. `only`: names of honest members."""
    attack = ATTACKS[name]
    seat = lab.hostile[number % len(lab.hostile)]
    identity = (
        bytes([255 - number]) * 32
        if attack.who == STRANGER
        else seat.identities[number // len(lab.hostile) % len(seat.identities)]
    )
    stage = stage_for(lab, seat, identity, number, only)
    notes = lab.folder / f"attacker-{name}-{number}.json"
    notes.unlink(missing_ok=True)
    return Attacker(attack, fork(lab.folder, _life(attack, stage, notes, cores)), notes, stage.peer_id)


def stage_for(lab: Lab, seat: Seat, identity: bytes, number: int, only: Sequence[str]) -> Stage:
    from node.keys import Purpose

    return Stage(
        targets=[Target(one.name, one.port, one.peer_id) for one in lab.honest if not only or one.name in only],
        identity=identity,
        topic=f"tocsin/{lab.charter.network.hex()[:32]}",
        network=bytes(lab.charter.network),
        epoch=bytes(lab.charter.epoch0().hash),
        author=seat.name,
        attestation=seat.secrets[Purpose.ATTESTATION],
        seed=number + 1,
    )


def _life(attack: Attack, stage: Stage, notes: Path, cores: Sequence[int] | None) -> Callable[[], int]:
    def life() -> int:
        end_with_parent()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if cores is not None:
            os.sched_setaffinity(0, cores)
        trio.run(_play, attack, stage, notes)
        return 0

    return life


async def _play(attack: Attack, stage: Stage, notes: Path) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_note, stage, notes)
        await attack.run(stage)


async def _note(stage: Stage, notes: Path) -> None:
    fresh: Any = notes.with_suffix(".new")
    while True:
        fresh.write_text(json.dumps(stage.done), "utf-8")
        fresh.rename(notes)
        await trio.sleep(NOTES_S)
