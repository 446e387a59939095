"""The people of a scenario as processes: attacker, crowd, and the recorded hands of members' own staff.

Each runs by its own clock and seed and writes one JSON line a deed. The attacker never waits for the defence: its
schedule is fixed before it starts, and all that a refusal does is to send it to its next venue.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import trio

from adapters.evm.errors import ChainError
from node.testnet.actors_deeds import DEEDS, Doing
from node.testnet.actors_stage import Deed, Refused, Spec, Stage
from node.testnet.actors_traffic import Traffic
from node.testnet.real.refusals import in_words
from node.testnet.scenario import Do, Event, Step
from node.testnet.world import ATTACKER, CROWD, World, people_events

Lines = Callable[[Stage], list[list[Event]]]
"""Events by actor."""


def spec(world: World, *, start_ms: int, out: str | Path, speed: float = 1.0) -> str:
    """JSON for the `run_…` functions. `start_ms`: wall clock of t0; start processes before it."""
    return Spec(world, start_ms, speed, str(out)).to_json()


def run_attacker(spec_json: str) -> None:
    """Plays the attacker's events; returns after the last. For a process of its own."""
    _run(spec_json, lambda stage: [_of(stage, ATTACKER)])


def run_crowd(spec_json: str) -> None:
    """Plays the crowd's events and, from its start on, honest bridge traffic until the end of the play."""
    _run(spec_json, lambda stage: [_of(stage, CROWD)], traffic=True)


def run_people(spec_json: str) -> None:
    """Plays what members' people do by their own hand, each role beside the others."""
    _run(spec_json, _people)


def _of(stage: Stage, who: str) -> list[Event]:
    return [event for event in stage.scenario.events_in(stage.world.arm, stage.world.members) if event.who == who]


def _people(stage: Stage) -> list[list[Event]]:
    events = people_events(stage.scenario, stage.world.arm, list(stage.world.roles.values()))
    return [[event for event in events if event.who == who] for who in sorted({event.who for event in events})]


def _run(spec_json: str, lines: Lines, traffic: bool = False) -> None:
    trio.run(play, Spec.from_json(spec_json), lines, traffic)


async def play(given: Spec, lines: Lines, traffic: bool) -> None:
    """`lines(stage)`: events by actor; each actor's are played in order, the actors beside each other."""
    stage = Stage(given)
    try:
        ends_s = stage.play_s(stage.scenario.run.ends_s)
        async with trio.open_nursery() as nursery:
            for events in lines(stage):
                nursery.start_soon(_play_line, stage, events)
            for thing in stage.scenario.things.values():
                if traffic and thing.kind == "bridge.escrow" and thing.params["in_flight"] == "poisson":
                    nursery.start_soon(Traffic(stage, thing, ends_s).run)
    finally:
        await stage.aclose()


async def _play_line(stage: Stage, events: Iterable[Event]) -> None:
    given_up: set[str] = set()
    for step in stage.scenario.steps(events, stage.world.seed):
        await stage.until(step.history_s)
        if step.event.name in given_up:
            continue
        if not await _play_step(stage, step) and step.event.until == "refused":
            given_up.add(step.event.name)


async def _play_step(stage: Stage, step: Step) -> bool:
    """True once one venue took it; each refusal is a line of its own."""
    for do in (step.event.do, *step.event.fallbacks):
        tx, why = b"", ""
        try:
            deed = DEEDS[stage.scenario.things[do.thing].kind, do.verb]
            tx = (await deed(Doing(stage, step.event.who, do, step.share))).tx
        except Refused as no:
            why = in_words(no.why)
        except ChainError as broken:
            why = f"not refused, but failed: {broken}"
        stage.note(_deed(stage, step, do, tx, why))
        if tx:
            return True
    return False


def _deed(stage: Stage, step: Step, do: Do, tx: bytes, why: str) -> Deed:
    return Deed(
        at_ms=int(time.time() * 1000),
        history_s=round(step.history_s, 3),
        play_s=round(stage.play_s(step.history_s), 3),
        who=step.event.who,
        event=step.event.name,
        do=str(do),
        step=step.index,
        ok=bool(tx),
        why=why,
        amount=float(do.params.get("borrow") or do.params.get("amount") or 0) * step.share,
        tx="0x" + tx.hex() if tx else "",
    )


def read_deeds(path: str | Path) -> list[dict[str, object]]:
    """What was written so far; a line that a killed process left unfinished is dropped."""
    found = []
    file = Path(path)
    for line in file.read_text("utf-8").splitlines() if file.exists() else ():
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return found
