"""A drill's adapters look and tell; none of them acts."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trio

from adapters.api import Instances, LeverOrder, News, Outcome, Plan
from node.drill.harmless import MarkedSink, PlannedLever, harmless
from node.drill.mark import LEASE_MS
from node.events import Clock
from protocol.ids import ActionKey, Digest, MemberName
from protocol.messages import Level, Tlp
from tests.unit.machine.world import COIN, FREEZE, START_MS, epoch_of


class Armed:
    """A lever that must never be pulled."""

    declared = FREEZE
    slot = "pool"

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def plan(self, order: LeverOrder) -> Plan:
        self.asked.append("plan")
        return Plan(order, "freeze the pool", already=True)

    async def simulate(self, plan: Plan) -> Outcome:
        self.asked.append("simulate")
        return Outcome(True, "it would freeze")

    async def apply(self, plan: Plan) -> Outcome:
        raise AssertionError("pulled")

    async def read_back(self, order: LeverOrder) -> Outcome:
        raise AssertionError("asked what stands")

    async def undo(self, order: LeverOrder) -> Outcome:
        raise AssertionError("undone")


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.drill.harmless.now", lambda: Clock(START_MS, 0))


def order(for_ms: int = 60_000) -> LeverOrder:
    return LeverOrder(ActionKey(Digest(b"k" * 32)), "freeze", COIN, Level.ISOLATE, START_MS + for_ms, False)


def test_a_whole_action_plans_and_simulates_at_the_target_and_does_no_more() -> None:
    real = Armed()
    lever = PlannedLever(real)
    asked = order()

    async def whole() -> list[Outcome]:
        plan = await lever.plan(asked)
        assert plan.says.startswith("EXERCISE") and not plan.already
        steps = [await lever.simulate(plan), await lever.apply(plan), await lever.read_back(asked)]
        return [*steps, await lever.undo(asked), await lever.read_back(asked)]

    simulated, applied, stands, undone, gone = trio.run(whole)
    assert real.asked == ["plan", "simulate"]
    assert simulated.says == "it would freeze"
    assert all(one.ok and "EXERCISE" in one.says for one in (applied, stands, undone))
    assert (gone.ok, gone.until_ms) == (False, 0)


def test_what_was_noted_is_over_when_its_time_is() -> None:
    lever = PlannedLever(Armed())
    past = order(-1)

    async def whole() -> Outcome:
        await lever.apply(await lever.plan(past))
        return await lever.read_back(past)

    assert trio.run(whole).until_ms == 0


def test_it_is_declared_as_the_real_one_but_for_how_long() -> None:
    lever = PlannedLever(Armed())
    assert (lever.declared.call, lever.declared.rung, lever.slot) == (FREEZE.call, FREEZE.rung, "pool")
    assert lever.declared.max_ms == min(FREEZE.max_ms, LEASE_MS)


def test_every_lever_sensor_signature_and_sink_of_a_drill_is_made_harmless(tmp_path: Path) -> None:
    real = Armed()
    built = Instances(
        sensors=(SimpleNamespace(name="bridge"),),  # type: ignore[arg-type]
        levers={"pool:log.freeze": real, "pool:log.cap": real},
        sinks=(Ears(),),
        countersign=lambda network, entry: b"signed",
    )
    found = harmless(built, epoch_of(4), MemberName("m0"), tmp_path)
    assert {type(one) for one in found.levers.values()} == {PlannedLever} and len(found.levers) == 2
    assert [one.name for one in found.sensors] == ["exercise"]
    assert found.countersign is None
    assert all(isinstance(one, MarkedSink) for one in found.sinks)


class Ears:
    def __init__(self) -> None:
        self.heard: list[str] = []
        self.name, self.ceiling, self.counts = "pager", Tlp.AMBER, Counter[str]()

    async def tell(self, news: News) -> None:
        self.heard.append(news.text)


def test_a_sink_hears_that_it_is_no_alarm_and_is_otherwise_as_it_was() -> None:
    ears = Ears()
    marked: Any = MarkedSink(ears)
    trio.run(marked.tell, News("ISOLATE on rseth"))
    assert ears.heard == ["EXERCISE, no alarm: ISOLATE on rseth"]
    assert (marked.name, marked.ceiling, marked.counts) == ("pager", Tlp.AMBER, ears.counts)
