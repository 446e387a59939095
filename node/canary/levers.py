"""Levers tried as far as nothing is sent: plan, simulation at the real target, and whether it can be read back."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import trio

from adapters.api import Lever
from node.canary.look import LEVERS, Found, found
from node.machine.action import ENDED
from node.machine.state import State
from node.plugins import outcome_of, told
from node.preflight import Seat, order_of

TRY_S_MAX = 20.0


async def levers(seats: Iterable[Seat], in_use: Collection[str], now_ms: int) -> Found:
    """Those that a rule pulls. One that has an action of ours under way is left alone: the journal says how it is."""
    faults, tried, left = [], [], []
    for seat in seats:
        if seat.instance in in_use:
            left.append(seat.name)
            continue
        tried.append(seat.name)
        fault = await _tried(seat, now_ms)
        if fault:
            faults.append(f"{seat.name} ({seat.instance}): {fault}")
    names = ", ".join(tried) or "no lever"
    return found(LEVERS, faults, f"{names} would move" + (f"; in use: {', '.join(left)}" if left else ""))


async def _tried(seat: Seat, now_ms: int) -> str:
    """ "" where it would move and answers; whatever a plug-in raises is told."""
    try:
        with trio.fail_after(TRY_S_MAX):
            return await _way(seat.lever, seat, now_ms)
    except trio.TooSlowError:
        return f"no answer within {TRY_S_MAX:.0f} s"
    except Exception as error:
        return told(error)


async def _way(lever: Lever, seat: Seat, now_ms: int) -> str:
    order = order_of(seat, now_ms)
    plan = await lever.plan(order)
    if not plan.already:
        # what somebody restricted already need not be restricted again, and not every target would simulate it
        simulated = outcome_of(await lever.simulate(plan))
        if not simulated.ok:
            return f"would not move: {simulated.says}"
    read = outcome_of(await lever.read_back(order))
    return "" if read.answered else f"cannot be read back: {read.says}"


def in_use(state: State) -> frozenset[str]:
    """`target:call` of every lever that an action of ours may still move."""
    names = state.setup.instances
    return frozenset(names.get(one.lever, one.lever) for one in state.actions.values() if one.phase not in ENDED)
