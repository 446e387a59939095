"""The adapters of a node in a drill network: every part that only looks, and none that acts, signs for others or rings.

Levers keep plan and simulation, at the real target, and lose the rest; own sensors are not built at all; a sink's words
are marked. This is done where the adapters are made, before anything of the node exists that could call them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

from adapters.api import Delivering, Instances, Lever, LeverOrder, News, Outcome, Plan, Sink
from node.drill.exercise import ExerciseSensor, ExerciseVerifier, forget_order
from node.drill.mark import LEASE_MS, WORD
from node.loop import now
from protocol.ids import ActionKey, MemberName, NetworkId, SourceId
from protocol.membership import Epoch

KEYS_MAX = 4_096


class PlannedLever:
    """One lever of a drill. Only `plan` and `simulate` of the real one are kept: it cannot call what it does not have.
    "Sent" means noted here; read back is what was noted, until its end."""

    def __init__(self, lever: Lever) -> None:
        self.declared = replace(lever.declared, max_ms=min(lever.declared.max_ms, LEASE_MS))
        self.slot = getattr(lever, "slot", None)
        self._plan: Callable[[LeverOrder], Awaitable[Plan]] = lever.plan
        self._simulate: Callable[[Plan], Awaitable[Outcome]] = lever.simulate
        self._until_ms: dict[ActionKey, int] = {}

    async def plan(self, order: LeverOrder) -> Plan:
        made = await self._plan(order)
        # what stands at the real target is no reason to leave a step of the exercise out
        return replace(made, says=f"{WORD}: {made.says}", already=False)

    async def simulate(self, plan: Plan) -> Outcome:
        return await self._simulate(plan)

    async def apply(self, plan: Plan) -> Outcome:
        while len(self._until_ms) >= KEYS_MAX:
            self._until_ms.pop(next(iter(self._until_ms)))
        self._until_ms[plan.order.action_key] = plan.order.until_ms
        return Outcome(True, f"{WORD}: planned and simulated at the target, nothing sent", until_ms=plan.order.until_ms)

    async def read_back(self, order: LeverOrder) -> Outcome:
        until_ms = self._until_ms.get(order.action_key, 0)
        if until_ms >= order.until_ms and until_ms > now().wall_ms:
            return Outcome(True, f"{WORD}: planned and simulated, nothing stands", until_ms=until_ms)
        return Outcome(False, f"{WORD}: nothing was planned under this key since the start", retryable=True)

    async def undo(self, order: LeverOrder) -> Outcome:
        self._until_ms.pop(order.action_key, None)
        return Outcome(True, f"{WORD}: nothing stood")


class MarkedSink:
    """A sink whose every word says what it is."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.name, self.ceiling, self.counts = sink.name, sink.ceiling, sink.counts

    async def tell(self, news: News) -> None:
        await self._sink.tell(replace(news, text=f"{WORD}, no alarm: {news.text}"))

    async def run(self) -> None:
        if isinstance(self._sink, Delivering):
            await self._sink.run()


def harmless(built: Instances, epoch: Epoch, member: MemberName, data_dir: Path) -> Instances:
    """`built` without sensors of its own."""
    services = [one.id for one in epoch.sources if one.operator == member and ":" not in one.scope]
    verifier = ExerciseVerifier(NetworkId(epoch.network), built.probes, [SourceId(one) for one in services])
    forget_order(data_dir)
    return replace(
        built,
        sensors=(ExerciseSensor(epoch.network, data_dir, verifier),),
        verifiers=(*built.verifiers, verifier),
        levers={name: PlannedLever(lever) for name, lever in built.levers.items()},
        sinks=tuple(MarkedSink(one) for one in built.sinks),
        countersign=None,
    )
