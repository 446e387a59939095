"""A lever in any language: a program that is asked one question a run, and believed as far as it can be checked."""

from __future__ import annotations

import time

import trio

from adapters.api import Beyond, LeverDeclaration, LeverOrder, Outcome, Plan
from adapters.declared import refused
from adapters.moment import utc
from adapters.program.run import Program, run
from adapters.program.words import Answer, ProgramFault, answer, request

CALL = "program.run"


class ProgramLever:
    """Idempotent by action key as the program is, which is asked what stands before and after it is told to act."""

    def __init__(self, name: str, declared: LeverDeclaration, program: Program) -> None:
        self.declared = declared
        self._name, self._program = name, program
        self._one = trio.Lock()
        self.slot = f"program/{name}"

    async def plan(self, order: LeverOrder) -> Plan:
        """Raises nothing: what the program does not say is said in the plan, and found again by simulate."""
        what = f"{CALL} on {self._name} ({self._program.command[0]}) until {utc(-(-order.until_ms // 1000))}"
        says = f"{what}: {self.declared.says}"
        try:
            said = await self._ask("plan", order)
        except ProgramFault as broken:
            return Plan(order, f"{says} (not planned yet: {broken})")
        return Plan(order, f"{says}; it says: {said.says}", already=said.ok and said.already)

    async def simulate(self, plan: Plan) -> Outcome:
        why = refused(plan.order, self.declared, time.time_ns() // 1_000_000)
        return Outcome(False, why, answered=False) if why else await self._step("simulate", plan.order)

    async def apply(self, plan: Plan) -> Outcome:
        """Not asked where it reads back as done; and only believed where it reads back as done afterwards."""
        order = plan.order
        why = refused(order, self.declared, time.time_ns() // 1_000_000)
        if why:
            return Outcome(False, why, answered=False)
        standing = await self.read_back(order)
        if standing.ok:
            return Outcome(True, f"stands so already, not asked again: {standing.says}", "", order.until_ms)
        if not standing.answered:
            return standing
        done = await self._step("apply", order)
        if not done.ok:
            return done
        shown = await self.read_back(order)
        if not shown.ok:
            says = f"it said done ({done.says}), and then that it does not stand: {shown.says}"
            return Outcome(False, says, done.reference, retryable=shown.retryable, answered=shown.answered)
        return Outcome(True, done.says, done.reference, order.until_ms)

    async def read_back(self, order: LeverOrder) -> Outcome:
        found = await self._step("read_back", order)
        if found.ok and found.until_ms < order.until_ms:
            says = f"it says that it stands, until {found.until_ms} ms and not {order.until_ms}: {found.says}"
            return Outcome(False, says, until_ms=found.until_ms, retryable=True)
        return found

    async def undo(self, order: LeverOrder) -> Outcome:
        return await self._step("undo", order)

    async def beyond(self) -> Beyond:
        """As the program says. ProgramFault."""
        said = await self._ask("beyond", None)
        return Beyond(said.tried, said.may) if said.ok else Beyond(0, ())

    async def _step(self, do: str, order: LeverOrder) -> Outcome:
        try:
            said = await self._ask(do, order)
        except ProgramFault as broken:
            return Outcome(False, str(broken), retryable=True, answered=False)
        return Outcome(said.ok, said.says, said.reference, said.until_ms, said.retryable, said.answered)

    async def _ask(self, do: str, order: LeverOrder | None) -> Answer:
        try:
            async with self._one:  # a program need not know of itself
                return answer(await run(self._program, request(do, order)))
        except ProgramFault as broken:
            raise ProgramFault(f"the program {self._program.command[0]} at {do}: it {broken}") from None
