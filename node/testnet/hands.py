"""What a member's own people do at its node in a story: approve, have lifted, and sign what its Safe is to do."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import trio

from node.testnet.real.owners import Owners, has_owners
from node.testnet.scenario import TOCSIN, Event

if TYPE_CHECKING:
    from node.testnet.supervisor import Facts, Supervisor

TRIES, APART_S = 60, 0.5
STANDS = ("sending", "sent", "effective", "escalated")
DOES = {"node.approve": ("approve", ("asked",)), "node.lift": ("lift", STANDS)}
"""Deed → how a node calls it, and the phases in which there is something to do."""


def start(run: Supervisor, facts: Facts, nursery: trio.Nursery) -> None:
    """Everybody at the time that the scenario gives, beside each other."""
    for event in run.scenario.events_in(TOCSIN, [role.name for role in facts.roles]):
        if str(event.do) in DOES:
            nursery.start_soon(_deed, run, facts, event)
    for role in facts.roles:
        if has_owners(facts.world, role):
            owners = Owners(facts.world, role, _data(run, role.name), run.say)
            facts.owners[role.name] = owners.signed
            nursery.start_soon(owners.watch)


def _data(run: Supervisor, role: str) -> Path:
    return run.seats[role].folder / "data"


async def _deed(run: Supervisor, facts: Facts, event: Event) -> None:
    """Waits for something to do, as a person does who was called."""
    verb, phases = DOES[str(event.do)]
    due_s = run.scenario.play_s(event.at_s, run.options.speed)
    await trio.sleep(max(0.0, facts.start_ms / 1000 + due_s - time.time()))
    for _ in range(TRIES):
        if await _done(run.follower.members[event.who].operator, verb, phases, f"{event.who}-oncall"):
            facts.by_hand.add((event.who, verb))
            return
        await trio.sleep(APART_S)


async def _done(operator: Any, verb: str, phases: tuple[str, ...], person: str) -> bool:
    """False also where the node was not reached: a killed one is started again."""
    try:
        waiting = [one for one in await operator.get("/actions") if one["phase"] in phases]
        for one in waiting:
            await operator.post(f"/actions/{one['key']}/{verb}", person=person)
    except (httpx.HTTPError, ValueError):
        return False
    return bool(waiting)
