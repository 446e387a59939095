"""Two actions of ours on one lever of one target: the target knows one restriction, and it goes with the last."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from adapters.api import ExpiresBy, LeverOrder, Outcome
from adapters.policy import Policy
from node.events import ActionCommand, Clock, Extend, Ticked
from node.machine import Action, Phase
from tests.unit.machine.world import (
    COIN,
    FREEZE,
    HOUR_MS,
    LEVER_MS,
    OTHER_COIN,
    Node,
    Target,
    World,
    claim,
    policy_of,
)


class Slot(Target):
    """One restriction whatever the key, like a real target: the later end wins, a lift frees it for all."""

    end_ms = 0

    def step(self, name: str, order: LeverOrder, now_ms: int) -> Outcome:
        self.calls.append((name, order))
        if self.script.get(name):
            return self.script[name].pop(0)
        if name == "apply":
            self.end_ms = max(self.end_ms, order.until_ms)
        elif name == "undo":
            self.end_ms = 0
        stands = self.end_ms if self.end_ms > now_ms else 0
        if name == "expire":
            return Outcome(not stands, f"stands until {stands}", retryable=True)
        if name in ("read_back", "watch"):
            return Outcome(stands >= order.until_ms, f"stands until {stands}", until_ms=stands)
        return Outcome(True, name)


def two_names(**lever: Any) -> Policy:
    return replace(policy_of(**lever), assets={"coin": (COIN, OTHER_COIN)})


def scene(ends: ExpiresBy = ExpiresBy.TARGET, **lever: Any) -> tuple[World, Node, Action, Action]:
    """An alarm on each of two names of one risk, the second a minute after the first."""
    policy = two_names(expires_by=ends, accept_overdue=ends is not ExpiresBy.TARGET, **lever)
    world = World(4, policy=policy, manifest=(COIN, OTHER_COIN))
    for node in world:
        node.target = Slot()
        node.setup = replace(node.setup, declarations={"freeze": replace(FREEZE, expires_by=ends)})
        node.stop()
        node.restart(fresh=True)
    for node in world:
        world.replug(node.name)
    world.run(1_500)
    world[0].sense(world.true(claim(1)))
    world.run(1_000)
    world.skip(60_000)
    world[0].sense(world.true(claim(2), subject=OTHER_COIN), subject=OTHER_COIN)
    world.run(1_000)
    node = world[1]
    first, second = sorted(node.state.actions.values(), key=lambda one: one.opened_ms)
    assert first.phase is second.phase is Phase.EFFECTIVE and first.instance == second.instance
    return world, node, first, second


def lift(world: World, node: Node, action: Action) -> None:
    assert node.ask(ActionCommand(action.key, "lift")).ok
    world.run(1_000)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_lifting_one_leaves_the_target_to_the_other_and_the_last_frees_it(order: tuple[int, int]) -> None:
    world, node, *both = scene()
    lift(world, node, both[order[0]])
    assert both[order[0]].phase is Phase.LIFTED and node.target.times("undo") == 0
    assert "stays restricted for action" in both[order[0]].steps[-1][2]
    assert node.target.end_ms > world.now_ms and both[order[1]].phase is Phase.EFFECTIVE
    lift(world, node, both[order[1]])
    assert both[order[1]].phase is Phase.LIFTED and node.target.times("undo") == 1 and node.target.end_ms == 0


def test_the_earlier_lease_ends_in_the_journal_alone() -> None:
    world, node, first, second = scene()
    world.skip(first.until_ms - world.now_ms)
    world.run(2_000)
    assert first.phase is Phase.LAPSED and second.phase is Phase.EFFECTIVE
    assert not any("should have ended" in told for told in node.told)
    world.skip(second.until_ms - world.now_ms)
    world.run(3_000)
    assert second.phase is Phase.LAPSED and node.target.times("undo") == 0


def test_the_longer_lease_lifted_ends_with_the_shorter_one() -> None:
    world, node, first, second = scene()
    lift(world, node, second)
    world.skip(first.until_ms - world.now_ms)
    world.run(3_000)
    assert first.phase is Phase.LIFTED and node.target.end_ms == 0 and node.target.times("undo") == 1


def test_one_that_begins_while_another_is_undone_waits_for_it() -> None:
    world, node, first, second = scene()
    lift(world, node, second)
    node.target.script["undo"] = [Outcome(False, "the chain is down", retryable=True)] * 3
    assert node.ask(ActionCommand(first.key, "lift")).ok
    world[0].sense(world.true(claim(3)))
    world.until(lambda: len(node.state.actions) == 3)
    third = max(node.state.actions.values(), key=lambda one: one.opened_ms)
    world.run(5_000)
    assert first.phase is Phase.LIFTED and third.phase is Phase.EFFECTIVE
    assert node.target.end_ms >= third.until_ms, "the undo landed after what it should not have touched"


@pytest.mark.parametrize("ends", [ExpiresBy.NODE, ExpiresBy.TARGET])
def test_after_a_restart_the_shared_lever_is_remembered(ends: ExpiresBy) -> None:
    world, node, first, second = scene(ends)
    lift(world, node, first)
    node.stop()
    node.restart()
    world.replug(node.name)
    again = node.state.actions[second.key]
    lift(world, node, again)
    assert again.phase is Phase.LIFTED and node.target.times("undo") == 1 and node.target.end_ms == 0


def test_what_this_node_must_end_is_tried_until_it_is_gone() -> None:
    world, node, _first, second = scene(ExpiresBy.NODE)
    node.target.script["undo"] = [Outcome(False, "the chain is down", retryable=True)] * 20
    world.skip(second.until_ms - world.now_ms)
    world.run(25_000)
    assert second.phase is Phase.ESCALATED and any("failed at undo" in told for told in node.told)
    world.run(80_000)
    assert second.phase is Phase.LIFTED and node.target.end_ms == 0


@pytest.mark.parametrize("jump_ms", [6 * HOUR_MS, -6 * HOUR_MS])
def test_a_wall_clock_that_jumps_neither_ends_a_lease_nor_stretches_it(jump_ms: int) -> None:
    world, node, first, second = scene(ExpiresBy.NODE)
    lift(world, node, first)
    now = node.clock()

    def tick(mono_ms: int) -> None:
        node.machine.handle(Ticked(), Clock(now.wall_ms + jump_ms + mono_ms, now.mono_ms + mono_ms))

    tick(LEVER_MS)
    tick(HOUR_MS - 120_000)
    assert second.phase is Phase.EFFECTIVE
    tick(HOUR_MS)
    assert second.phase is Phase.LIFTING


def test_two_instances_that_move_the_same_are_one_lever() -> None:
    world, node, first, second = scene()
    second.instance = "other:log.freeze"
    node.state.setup = replace(node.state.setup, slots={"pool:log.freeze": "cap", "other:log.freeze": "cap"})
    lift(world, node, first)
    assert node.target.times("undo") == 0 and second.phase is Phase.EFFECTIVE
    node.state.setup = replace(node.state.setup, slots={})
    lift(world, node, second)
    assert node.target.times("undo") == 1


def test_a_person_extends_the_one_though_the_target_names_the_others_end() -> None:
    world, node, first, second = scene(max_ms=3 * HOUR_MS)
    world.until(lambda: first.watch.until_ms == second.until_ms, 150_000)
    assert node.ask(Extend(first.key, HOUR_MS)).ok
    world.run(1_000)
    assert first.phase is Phase.EFFECTIVE and node.target.end_ms == first.until_ms > second.until_ms  # type: ignore[attr-defined]
