"""A target of the tests that forgets nothing and costs nothing, a right lever on it, and what a case needs of both."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import trio

from adapters.api import ExpiresBy, LeverDeclaration, LeverOrder, Outcome, Plan
from adapters.conformance import LeverCase
from protocol.ids import ActionKey
from protocol.messages import Level
from protocol.subjects import asset

DECLARED = LeverDeclaration(
    call="flag.raise",
    rung=Level.GUARD,
    closes=frozenset({"write"}),
    blocks_exit=False,
    reversible=True,
    expires_by=ExpiresBy.NODE,
    max_ms=3_600_000,
    cooldown_ms=0,
    says="nobody writes; reading stays open",
)
CANARY = "canary-5f2d"


@dataclass
class Flags:
    """Restrictions by who set them: our keys, and "person". What was once done under a key stays known."""

    stands: dict[bytes | str, int] = field(default_factory=dict)
    done: set[bytes] = field(default_factory=set)
    sent: int = 0
    away: bool = False

    async def ask(self) -> None:
        await trio.lowlevel.checkpoint()
        if self.away:
            raise OSError(f"no answer from https://user:{CANARY}@flags.invalid")

    async def put(self, key: bytes, until_ms: int) -> None:
        await self.ask()
        self.stands[key] = until_ms
        self.done.add(key)
        self.sent += 1

    async def take(self, key: bytes) -> None:
        await self.ask()
        self.stands.pop(key, None)
        self.sent += 1


class FlagLever:
    declared = DECLARED

    def __init__(self, flags: Flags) -> None:
        self.flags = flags

    def __repr__(self) -> str:
        return "FlagLever()"

    def _fault(self, order: LeverOrder) -> str:
        now_ms = time.time() * 1000
        if order.until_ms <= now_ms:
            return "it has ended"
        return "too long" if order.until_ms > now_ms + self.declared.max_ms + 60_000 else ""

    async def plan(self, order: LeverOrder) -> Plan:
        stands = not self.flags.away and self.flags.stands.get(order.action_key, 0) >= order.until_ms > 0
        return Plan(order, f"raise the flag until {order.until_ms}", stands)

    async def simulate(self, plan: Plan) -> Outcome:
        try:
            await self.flags.ask()
        except OSError:
            return self.nobody()
        fault = self._fault(plan.order)
        return Outcome(not fault, fault or "it would be raised")

    async def apply(self, plan: Plan) -> Outcome:
        order = plan.order
        try:
            await self.flags.ask()
            fault = self._fault(order)
            if fault:
                return Outcome(False, fault)
            stands = self.flags.stands.get(order.action_key, 0)
            if stands >= order.until_ms or (not stands and order.action_key in self.flags.done):
                return Outcome(True, "done before; nothing sent", until_ms=stands)
            await self.flags.put(order.action_key, order.until_ms)
        except OSError:
            return self.nobody()
        return Outcome(True, "raised", "flag", order.until_ms)

    async def read_back(self, order: LeverOrder) -> Outcome:
        try:
            await self.flags.ask()
        except OSError:
            return self.nobody()
        until_ms = self.flags.stands.get(order.action_key, 0)
        stands = until_ms >= order.until_ms > 0
        return Outcome(stands, "it is raised" if stands else "it is not", until_ms=until_ms, retryable=True)

    async def undo(self, order: LeverOrder) -> Outcome:
        try:
            await self.flags.ask()
            if order.action_key not in self.flags.stands:
                return Outcome(True, "nothing of ours stands; nothing sent")
            await self.flags.take(order.action_key)
        except OSError:
            return self.nobody()
        return Outcome(True, "taken down")

    def nobody(self) -> Outcome:
        return Outcome(False, "the flags do not answer", retryable=True, answered=False)


class FlagCase(LeverCase):
    secrets = (CANARY,)
    kind: type[FlagLever] = FlagLever

    def __init__(self) -> None:
        self.flags = Flags()

    def lever(self) -> FlagLever:
        return self.kind(self.flags)

    def order(self) -> LeverOrder:
        until_ms = int(time.time() * 1000) + 600_000
        return LeverOrder(
            ActionKey(b"\x05" * 32), "x:flag.raise", asset("eip155:1", bytes(20)), Level.GUARD, until_ms, False
        )

    async def shows(self) -> object:
        return dict(self.flags.stands)

    async def sent(self) -> int:
        return self.flags.sent

    async def person_restricts(self) -> None:
        self.flags.stands["person"] = 1

    async def person_lifts(self) -> None:
        self.flags.stands.clear()

    async def persons_stands(self) -> bool:
        return "person" in self.flags.stands

    async def cut(self) -> None:
        self.flags.away = True

    async def mend(self) -> None:
        self.flags.away = False
