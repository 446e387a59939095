"""What a running node's state says of each part of its way."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from adapters.api import ExposureReading
from node.canary import look
from node.machine import State
from tests.unit.machine.world import World, policy_of

GUARDED = replace(policy_of(), rules=(replace(policy_of().rules[0], min_loss_usd=100.0),))


def mono_ms(world: World) -> int:
    return world[0].clock().mono_ms


def read(state: State, usd: float | None, at_ms: int) -> None:
    state.exposures = {"pool": ExposureReading("pool", usd, 1.0, None, at_ms, "no answer")}


def test_a_word_that_all_hold_is_carried() -> None:
    world = World(4)
    world.run(70_000)
    found = look.gossip(world[0].state, mono_ms(world))
    assert (found.ok, found.says.partition(" is ")[2]) == (True, "held by 4 of 4 groups")


def test_a_word_that_too_few_hold_is_not_and_it_is_said_who_lacks_it() -> None:
    world = World(4)
    world.run(70_000)
    world.unplug("m0", "m1", "m2")
    found = look.gossip(world[0].state, mono_ms(world))
    assert not found.ok
    assert "held by 2 of 4 groups, a quorum is 3; not by " in found.says


def test_peers_that_show_no_heads_hold_nothing_that_we_know_of() -> None:
    world = World(4)
    world.run(70_000)
    assert not look.gossip(world[0].state, mono_ms(world) + look.HEADS_MS_MAX + 10_000).ok


def test_a_node_that_may_not_sign_does_not_gossip() -> None:
    world = World(4, stopped_why="the mark is missing")
    world.run(70_000)
    assert "signs nothing: the mark is missing" in look.gossip(world[0].state, mono_ms(world)).says


def test_a_quorum_is_heard_by_what_it_says() -> None:
    world = World(4)
    world.run(70_000)
    assert look.quorum(world[0].state, world.now_ms).ok
    found = look.quorum(world[0].state, world.now_ms + look.WORD_MS_MAX + 60_000)
    assert not found.ok and "words of 1 of 4 groups" in found.says


def test_a_dry_run_moves_what_the_policy_would() -> None:
    world = World(4, policy=GUARDED)
    read(world[0].state, 5.0, world.now_ms)
    # five dollars are below the floor: that is known, so the way is whole
    found = look.policy(world[0].state, world.now_ms)
    assert (found.ok, found.says) == (True, "a dry run moves freeze")


def test_an_amount_that_nobody_knows_would_stop_an_alarm_here() -> None:
    world = World(4, policy=GUARDED)
    read(world[0].state, None, world.now_ms)
    found = look.policy(world[0].state, world.now_ms)
    assert not found.ok
    assert "freeze would not move" in found.says and "unknown" in found.says


def test_an_amount_of_long_ago_is_one_that_nobody_knows() -> None:
    world = World(4, policy=GUARDED)
    read(world[0].state, 5e6, world.now_ms - 86_400_000)
    assert not look.policy(world[0].state, world.now_ms).ok


def test_a_dry_run_changes_nothing() -> None:
    world = World(4, policy=GUARDED)
    read(world[0].state, 5e6, world.now_ms)
    look.policy(world[0].state, world.now_ms)
    world.run(5_000)
    assert world[0].state.actions == {}


def sensor(name: str, says: str) -> Any:
    return SimpleNamespace(name=name, health=lambda: says)


def test_a_sensor_or_a_chain_that_is_ill_is_named() -> None:
    ill = look.sensors([sensor("bridge", ""), sensor("backing", "BLIND: no answer")], {"p1": "", "p2": "refused"})
    assert (ill.ok, ill.says) == (False, "sensor backing: BLIND: no answer; connection p2: refused")
    assert look.sensors([sensor("bridge", "")], {"p1": ""}).ok
