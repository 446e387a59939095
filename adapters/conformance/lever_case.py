"""What an author provides of a lever: the lever, an order, and the target's own word for what it moves."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

from adapters.api import Lever, LeverOrder, Outcome, Plan
from adapters.conformance.fact import Broken, NotTried, Stand, answered
from protocol.crypto import sha256
from protocol.ids import ActionKey

STEP_S_MAX = 20.0
"""As long as a node waits for a step."""


class LeverCase(Stand):
    """One lever on a target that stands free. It is made anew for each fact (`async with`), so a fact may spoil it.

    A hook that a target cannot have stays as it is here; the facts that need it are then not tried."""

    keeps_keys = True
    """Whether a lever that was made anew knows what was done before it. False is for targets without a memory."""

    def lever(self) -> Lever:
        """A new one on the same target each time, as after a restart."""
        raise NotTried("the case makes no lever")

    def order(self) -> LeverOrder:
        """One that the lever takes, of some minutes from now."""
        raise NotTried("the case has no order")

    async def shows(self) -> object:
        """What the target itself says of all that the lever moves, comparable: not asked of the lever."""
        raise NotTried("the case cannot look at the target")

    async def sent(self) -> int:
        """How often anything was sent to the target with the lever's credential."""
        raise NotTried("the case cannot count what was sent")

    async def person_restricts(self) -> None:
        """Somebody else makes the same restriction theirs, whether or not it stands already."""
        raise NotTried("the case has nobody else who restricts")

    async def person_lifts(self) -> None:
        """Somebody else lifts whatever the lever set."""
        raise NotTried("the case has nobody else who lifts")

    async def persons_stands(self) -> bool:
        """Whether what `person_restricts` set still stands."""
        raise NotTried("the case has nobody else who restricts")

    async def cut(self) -> None:
        """The target is not reachable from now on."""
        raise NotTried("the case cannot cut the target off")

    async def mend(self) -> None:
        """It is again."""
        raise NotTried("the case cannot cut the target off")


class Watched:
    """A lever whose every answer is bounded in time, of the right type, and written down."""

    def __init__(self, lever: Lever, said: list[str]) -> None:
        self.inner, self.declared, self._said = lever, lever.declared, said

    async def plan(self, order: LeverOrder) -> Plan:
        plan = await answered("plan", self.inner.plan(order), Plan, STEP_S_MAX)
        self._said += [plan.says, repr(plan)]
        return plan

    async def simulate(self, plan: Plan) -> Outcome:
        return self._heard(await answered("simulate", self.inner.simulate(plan), Outcome, STEP_S_MAX))

    async def apply(self, plan: Plan) -> Outcome:
        return self._heard(await answered("apply", self.inner.apply(plan), Outcome, STEP_S_MAX))

    async def read_back(self, order: LeverOrder) -> Outcome:
        return self._heard(await answered("read_back", self.inner.read_back(order), Outcome, STEP_S_MAX))

    async def undo(self, order: LeverOrder) -> Outcome:
        return self._heard(await answered("undo", self.inner.undo(order), Outcome, STEP_S_MAX))

    def _heard(self, outcome: Outcome) -> Outcome:
        self._said += [str(outcome.says), repr(outcome)]
        return outcome


class Scene:
    """A case that is played, with the lever under watch and its order."""

    def __init__(self, case: LeverCase) -> None:
        self.case, self.said = case, list[str]()
        self.order = case.order()
        self.lever = self.made()

    def made(self) -> Watched:
        """The lever as after a restart."""
        return Watched(self.case.lever(), self.said)

    def other(self, number: int) -> LeverOrder:
        """The same restriction under another key."""
        return replace(self.order, action_key=ActionKey(sha256(self.order.action_key + bytes([number]))))

    def until(self, seconds: float) -> LeverOrder:
        """The order with another end, counted from now."""
        return replace(self.order, until_ms=int((time.time() + seconds) * 1000))

    def reversible(self) -> None:
        """NotTried for a lever whose doing nobody takes back."""
        if not self.lever.declared.reversible:
            raise NotTried("what it does cannot be undone")

    async def apply(self, order: LeverOrder | None = None, lever: Watched | None = None) -> Outcome:
        """Plan and apply; Broken where it says no."""
        lever, order = lever or self.lever, order or self.order
        outcome = await lever.apply(await lever.plan(order))
        if not outcome.ok:
            raise Broken(f"apply said no: {outcome.says}")
        return outcome

    async def undo(self, order: LeverOrder | None = None) -> Outcome:
        outcome = await self.lever.undo(order or self.order)
        if not outcome.ok:
            raise Broken(f"undo said no: {outcome.says}")
        return outcome

    @contextlib.asynccontextmanager
    async def untouched(self, what: str) -> AsyncIterator[None]:
        """Broken where anything was sent meanwhile, or the target shows something else afterwards."""
        sent, shows = await self.case.sent(), await self.case.shows()
        yield
        more = await self.case.sent() - sent
        if more:
            raise Broken(f"{what}: {more} sent to the target, and nothing was to be")
        now = await self.case.shows()
        if now != shows:
            raise Broken(f"{what}: the target shows {now!r}, and showed {shows!r}")


def played(make: Callable[[], LeverCase]) -> Callable[[], contextlib.AbstractAsyncContextManager[Scene]]:
    @contextlib.asynccontextmanager
    async def opened() -> AsyncIterator[Scene]:
        async with make() as case:
            yield Scene(case)

    return opened
