"""A lever without a target: it says what would be done, so that any member can start in a dry run."""

from __future__ import annotations

import time
from collections.abc import Callable

from adapters.api import ExpiresBy, Instances, LeverDeclaration, LeverOrder, Outcome, Plan
from adapters.catalog import Shop
from adapters.declared import refused
from adapters.section import Section
from protocol.messages import Level

DECLARED = LeverDeclaration(
    call="log.note",
    rung=Level.WATCH,
    closes=frozenset(),
    blocks_exit=False,
    reversible=True,
    expires_by=ExpiresBy.TARGET,
    max_ms=12 * 3_600_000,
    cooldown_ms=0,
    says="a line in the node's log; nothing is restricted",
)


class LogLever:
    """Nothing stands anywhere, so nothing has to be undone; "read back" is what was noted since the start."""

    declared = DECLARED

    def __init__(self, name: str, log: Callable[[str], None]) -> None:
        self._name, self._log = name, log
        self._noted: dict[bytes, int] = {}
        self._over: dict[bytes, int] = {}
        """Key → the end up to which it is not noted again."""

    async def plan(self, order: LeverOrder) -> Plan:
        says = f"note {order.rung.name} on {order.subject} at {self._name}"
        return Plan(order, says, already=self._noted.get(order.action_key, 0) >= order.until_ms)

    async def simulate(self, plan: Plan) -> Outcome:
        fault = _fault(plan.order)
        if fault:
            return Outcome(False, fault)
        return Outcome(True, "a line would be written", until_ms=self._noted.get(plan.order.action_key, 0))

    async def apply(self, plan: Plan) -> Outcome:
        order = plan.order
        fault = _fault(order)
        if fault:
            return Outcome(False, fault)
        if self._over.get(order.action_key, 0) >= order.until_ms:
            return Outcome(True, "noted and over before under this key; nothing noted")
        if self._noted.get(order.action_key, 0) < order.until_ms:
            self._log(f"lever {self._name}: {plan.says}, until {order.until_ms} ms (dry run: nothing is restricted)")
            self._noted[order.action_key] = order.until_ms
        return Outcome(True, "noted", until_ms=order.until_ms)

    async def read_back(self, order: LeverOrder) -> Outcome:
        until_ms = self._noted.get(order.action_key, 0)
        if until_ms >= order.until_ms > 0:
            return Outcome(True, "noted; nothing is restricted")
        return Outcome(False, "not noted since this node started; noting it again is harmless", retryable=True)

    async def undo(self, order: LeverOrder) -> Outcome:
        noted_ms = self._noted.pop(order.action_key, None)
        if noted_ms is not None:
            self._over[order.action_key] = noted_ms
            self._log(f"lever {self._name}: {order.rung.name} on {order.subject} is over")
        return Outcome(True, "nothing stood")


def _fault(order: LeverOrder) -> str:
    """As a lever with a target would refuse it: a dry run is to show that too."""
    return refused(order, DECLARED, time.time_ns() // 1_000_000)


def target(name: str, keys: Section, shop: Shop) -> Instances:
    """`[target.NAME] kind = "log"`: one lever, no readings."""
    return Instances(levers={f"{name}:{DECLARED.call}": LogLever(name, shop.log)})
