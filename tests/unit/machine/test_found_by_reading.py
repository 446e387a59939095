"""What a reader found that no story had told before: each a way to move, keep or miss a lever wrongly."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapters.api import ExposureReading, Outcome
from adapters.policy import Limits, OwnWord, Rule
from node.events import ExposuresRead, ReleaseTopic
from node.machine import Phase
from node.records import DecisionMade
from protocol.messages import Level, Threat
from tests.unit.machine.world import COIN, FREEZE, HOUR_MS, THREAT, TOPIC, World, claim, policy_of


@pytest.mark.parametrize("n", [4, 7])
def test_one_groups_word_is_never_a_reason_of_a_guard_certificate(n: int) -> None:
    world = World(n)
    epoch = world[0].state.epoch
    assert max(epoch.f + 1, epoch.thresholds[Level.GUARD] - epoch.f) > epoch.f


def test_an_action_that_called_for_people_is_tried_again_while_its_alarm_runs() -> None:
    world = World(7)
    node = world[2]
    node.target.script["apply"] = [Outcome(False, "no gas")]
    world[0].sense(world.true(claim()))
    world.run(2_000)
    assert node.action().phase is Phase.ESCALATED
    world.run(90_000)
    assert node.action().phase is Phase.EFFECTIVE
    assert sum("failed at apply" in told for told in node.told) == 1


def test_an_armed_lever_whose_plan_failed_once_stays_armed() -> None:
    rule = Rule("pool", "", "pool", Level.NONE, OwnWord.ANY, ("freeze",), HOUR_MS,
                arm_above=0.9, utilisation_above=0.95)  # fmt: skip
    world = World(7, policy=replace(policy_of(), rules=(rule,)))
    node = world[0]
    node.setup = replace(node.setup, declarations={"freeze": replace(FREEZE, rung=Level.GUARD)})
    node.stop()
    node.restart(fresh=True)
    node.target.script["plan"] = [Outcome(False, "the plug-in stumbled", retryable=True)]
    node.handle(ExposuresRead((ExposureReading("pool", 1e6, 1.0, 0.92, world.now_ms),)))
    world.run(3_000)
    assert node.action().phase is Phase.ARMED
    assert node.target.times("apply") == 0


def test_what_is_beyond_the_limit_is_noted_once() -> None:
    policy = replace(policy_of(), limits=Limits(calls_per_hour=0))
    world = World(7, policy=policy)
    world[0].sense(world.true(claim()))
    world.run(10_000)
    made = [one for one in world[2].records() if isinstance(one, DecisionMade) and one.lever == "freeze"]
    assert not world[2].state.actions
    assert len(made) <= 2


def test_a_release_of_one_threat_leaves_the_gate_shut_for_the_other() -> None:
    world = World(7)
    other = int(Threat.UNBACKED_SUPPLY) if int(Threat.UNBACKED_SUPPLY) != THREAT else int(Threat.BRIDGE_FORGERY)
    world[0].sense(world.true(claim()))
    world.run(1_000)
    for i in range(5):
        world[i].ask(_raise(other))
    world.run(1_000)
    for i in range(5):
        world[i].ask(ReleaseTopic(*TOPIC, 0))
    world.run(3_000)
    assert world[6].target.times("undo") == 0
    assert world[6].action().phase is Phase.EFFECTIVE


def _raise(threat: int) -> object:
    from node.events import Raise

    return Raise(COIN, threat, Level.ISOLATE, 0, "by hand")
