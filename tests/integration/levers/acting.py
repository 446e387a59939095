"""One action of a lever, from before to after: what an attacker can do, what the target shows, what it costs."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import trio

from adapters.api import Lever, LeverOrder, Outcome
from tests.integration.levers.rpc import People, Refused


@dataclass
class Played:
    name: str
    rung: str
    attack_before: bool = False
    """Whether the attack succeeded; so too during and after."""
    attack_during: bool = True
    attack_after: bool = False
    read_back: bool = False
    undone: bool = False
    """The undo said yes, and the target's word for the reserve is that of before."""
    gas: int = 0
    """Of the restricting transaction."""
    ms: int = 0
    """Plan, simulate, apply and read back, one after another."""

    @property
    def ok(self) -> bool:
        stopped = self.attack_before and not self.attack_during and self.attack_after
        return stopped and self.read_back and self.undone


@dataclass
class Target:
    name: str
    actions: list[Played] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return bool(self.actions) and all(one.ok for one in self.actions)


def _succeeds(attack: Callable[[], Any]) -> bool:
    try:
        attack()
    except Refused:
        return False
    return True


async def _gas(people: People | None, reference: str) -> int:
    if people is None or not reference:
        return 0
    found = await trio.to_thread.run_sync(people.ask, "eth_getTransactionReceipt", reference)
    return int(found["gasUsed"], 16)


@dataclass(frozen=True)
class Act:
    """`stands` is the target's own word for what the lever moves; `people` None where there is no chain."""

    lever: Lever
    given: LeverOrder
    people: People | None
    attack: Callable[[], Any]
    stands: Callable[[], Any]
    signs: Callable[[], None] | None = None
    """People whose words a step waits for: it is taken again once they have signed."""


async def play(act: Act) -> Played:
    """One action from before to after. Steps that fail are told by what they left, not raised."""
    lever, given = act.lever, act.given
    played = Played(lever.declared.call, lever.declared.rung.name, attack_before=_succeeds(act.attack))
    before = act.stands()
    begun = time.perf_counter()
    plan = await lever.plan(given)
    simulated = await lever.simulate(plan)
    applied = await _signed(act, lambda: lever.apply(plan))
    played.read_back = simulated.ok and applied.ok and (await lever.read_back(given)).ok
    played.ms = round((time.perf_counter() - begun) * 1000)
    played.gas = await _gas(act.people, applied.reference)
    played.attack_during = _succeeds(act.attack)
    undone = await _signed(act, lambda: lever.undo(given))
    played.undone = undone.ok and act.stands() == before
    played.attack_after = _succeeds(act.attack)
    return played


async def _signed(act: Act, step: Callable[[], Awaitable[Outcome]]) -> Outcome:
    outcome = await step()
    if outcome.ok or act.signs is None:
        return outcome
    act.signs()
    return await step()
