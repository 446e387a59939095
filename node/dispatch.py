"""Steps of levers, one at a time per action. The machine journals before and after each; a step that is run again
after a crash has one effect, because every lever is idempotent by action key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import trio

from adapters.api import Lever, LeverOrder, Outcome, Plan
from node import loop
from node.effects import RunStep
from node.events import Event, LeverStepped
from node.plugins import outcome_of, told
from protocol.ids import ActionKey

STEP_S_MAX = 20.0
"""A target that does not answer within this is asked again, not waited for."""


class Dispatch:
    """Owns the levers. `report` is the loop's inbox; `count` is told how each step went, and its seconds."""

    def __init__(
        self,
        levers: Mapping[str, Lever],
        report: Callable[[Event], Awaitable[None]],
        count: Callable[[RunStep, Outcome, float], None] = lambda effect, outcome, took_s: None,
    ) -> None:
        self._levers = levers
        self._report = report
        self._count = count
        self._plans: dict[ActionKey, Plan] = {}

    async def run(self, effect: RunStep) -> None:
        began_s = trio.current_time()
        outcome = await self._outcome(effect)
        self._count(effect, outcome, trio.current_time() - began_s)
        await self._report(LeverStepped(effect.key, effect.step, outcome))

    async def _outcome(self, effect: RunStep) -> Outcome:
        lever = self._levers.get(effect.lever)
        if lever is None:
            return Outcome(False, f"no lever {effect.lever} is configured here; name its target in node.toml")
        with trio.move_on_after(STEP_S_MAX):
            try:
                return outcome_of(await self._step(lever, effect))
            except Exception as error:  # an adapter is somebody's plug-in: whatever it raises stays its own
                return Outcome(False, told(error), retryable=True, answered=False)
        return Outcome(False, f"no answer within {STEP_S_MAX:.0f} s", retryable=True, answered=False)

    async def _step(self, lever: Lever, effect: RunStep) -> Outcome:
        order = effect.order
        if effect.step == "plan":
            return await self._planned(lever, order)
        if effect.step == "simulate":
            return await lever.simulate(await self._plan(lever, order))
        if effect.step == "apply":
            plan = await self._plan(lever, order)
            # the process may have been stopped since the machine decided: not every target refuses what has ended
            if loop.now().mono_ms >= effect.ends_mono_ms:
                return Outcome(False, "its lease ended before it was sent; nothing sent", retryable=True)
            return await lever.apply(plan)
        if effect.step in ("read_back", "watch"):
            return await lever.read_back(order)
        if effect.step == "undo":
            self._plans.pop(order.action_key, None)
            return await lever.undo(order)
        return await self._expired(lever, order)

    async def _planned(self, lever: Lever, order: LeverOrder) -> Outcome:
        plan = await lever.plan(order)
        self._plans[order.action_key] = plan
        return Outcome(True, plan.says)

    async def _plan(self, lever: Lever, order: LeverOrder) -> Plan:
        """A plan of before a restart, or for a shorter lease, is made anew."""
        plan = self._plans.get(order.action_key)
        if plan is None or plan.order != order:
            plan = await lever.plan(order)
            self._plans[order.action_key] = plan
        return plan

    async def _expired(self, lever: Lever, order: LeverOrder) -> Outcome:
        """The lease ended by itself: the target is asked whether it really stands free."""
        standing = outcome_of(await lever.read_back(order))
        self._plans.pop(order.action_key, None)
        if not standing.answered:
            return Outcome(False, f"nobody knows whether it is free: {standing.says}", retryable=True)
        if standing.until_ms > 0:
            return Outcome(False, f"still restricted until {standing.until_ms}: {standing.says}", retryable=True)
        return Outcome(True, "read back: no longer restricted")
