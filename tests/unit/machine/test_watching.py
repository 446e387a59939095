"""What stands is looked at again, while its lease runs; what was lifted, until that is final."""

from __future__ import annotations

from dataclasses import replace

from adapters.api import ExpiresBy, Outcome
from node.events import ActionCommand
from node.machine import Phase
from node.machine.watching import AFTER_END_MS, AFTER_MS, LIFTS_MOST, LOOKED_BACK_MS
from node.records import ActionStepped
from tests.unit.machine.world import Node, World, claim

SOON_MS = AFTER_MS[0] + AFTER_MS[1] + 1_000


def standing() -> tuple[World, Node]:
    world = World(4)
    world[0].sense(world.true(claim()))
    world.run(3_000)
    assert world[0].action().phase is Phase.EFFECTIVE
    return world, world[0]


def test_what_stands_is_looked_at_and_nothing_is_written() -> None:
    world, node = standing()
    before = node.count(ActionStepped)
    world.run(SOON_MS)
    assert node.target.times("watch") == 2 and node.count(ActionStepped) == before


def test_it_is_looked_at_ever_more_rarely() -> None:
    world, node = standing()
    world.run(600_000)
    assert node.target.times("watch") == 5


def test_what_a_reorganisation_took_is_brought_back_under_the_same_key() -> None:
    world, node = standing()
    key = node.action().key
    node.target.until_ms.clear()
    world.run(3 * SOON_MS)
    assert node.action().phase is Phase.EFFECTIVE and node.target.until_ms.keys() == {key}
    assert any("does not stand any more" in one for one in node.told)


def test_one_look_that_finds_nothing_is_not_believed() -> None:
    world, node = standing()
    node.target.script["watch"] = [Outcome(False, "free")]
    world.run(2 * SOON_MS)
    assert node.target.times("apply") == 1 and not any("any more" in one for one in node.told)


def test_what_a_person_lifted_stays_lifted_and_people_are_told() -> None:
    """A lever does not act again under its key: it says yes, and the target still shows nothing."""
    world, node = standing()
    node.target.until_ms.clear()
    node.target.script["apply"] = [Outcome(True, "done before under this key; nothing sent") for _ in range(99)]
    world.run(4 * SOON_MS)
    assert node.action().phase is Phase.ESCALATED and not node.target.until_ms
    assert any("failed at read_back" in one for one in node.told)


def test_a_restriction_that_fails_again_and_again_is_tried_ever_more_rarely() -> None:
    world, node = standing()
    node.target.until_ms.clear()
    node.target.script["apply"] = [Outcome(True, "done before under this key; nothing sent") for _ in range(9_999)]
    before = node.count(ActionStepped)
    world.run(600_000)
    cycles = sum(1 for _, phase, _, _ in node.action().steps if phase == "escalated")
    assert 2 <= cycles <= 5 and node.count(ActionStepped) - before <= 13 * cycles


def test_who_cannot_be_asked_is_not_asked_to_restrict_and_people_are_told_once() -> None:
    world, node = standing()
    node.target.script["watch"] = [Outcome(False, "no answer", answered=False) for _ in range(9)]
    world.run(6 * SOON_MS)
    assert node.target.times("apply") == 1
    assert sum(1 for one in node.told if one.startswith("nobody knows whether")) == 1


def test_a_lift_amid_a_look_frees_the_target() -> None:
    world, node = standing()
    world.until(lambda: node.action().watch.running, 60_000)
    node.ask(ActionCommand(node.action().key, "lift"))
    world.run(1_000)
    assert node.action().phase is Phase.LIFTED and not node.target.until_ms


def test_what_cannot_be_undone_is_not_asked_for_again() -> None:
    world, node = standing()
    declared = node.state.setup.declarations
    final = {name: replace(one, reversible=False) for name, one in declared.items()}
    node.state.setup = replace(node.state.setup, declarations=final)
    node.target.until_ms.clear()
    world.run(6 * SOON_MS)
    assert node.target.times("apply") == 1
    assert sum("does not stand any more" in one for one in node.told) == 1


def test_after_a_restart_what_stands_is_looked_at_again() -> None:
    world, node = standing()
    node.restart()
    world.run(SOON_MS)
    assert node.target.times("watch") >= 1


def test_what_was_sent_and_is_lost_is_asked_for_again_within_seconds() -> None:
    """A block with it was taken back before anybody had read it back: no provider knows it any more."""
    world = World(4)
    node = world[0]
    node.target.script["read_back"] = [Outcome(False, "free", retryable=True) for _ in range(5)]
    node.sense(world.true(claim()))
    world.run(6_000)
    assert node.action().phase is Phase.EFFECTIVE and node.target.times("apply") == 2


def test_what_is_lost_a_second_time_is_for_people() -> None:
    world = World(4)
    node = world[0]
    node.target.script["read_back"] = [Outcome(False, "free", retryable=True) for _ in range(99)]
    node.sense(world.true(claim()))
    world.run(40_000)
    assert node.action().phase is Phase.ESCALATED and node.target.times("apply") == 2
    assert any("failed at read_back" in one for one in node.told)


def test_who_cannot_be_asked_what_was_sent_is_not_asked_to_restrict_again() -> None:
    world = World(4)
    node = world[0]
    node.target.script["read_back"] = [Outcome(False, "no answer", retryable=True, answered=False) for _ in range(6)]
    node.sense(world.true(claim()))
    world.run(20_000)
    assert node.action().phase is Phase.EFFECTIVE and node.target.times("apply") == 1


def lifted() -> tuple[World, Node]:
    world, node = standing()
    node.ask(ActionCommand(node.action().key, "lift"))
    world.run(1_000)
    assert node.action().phase is Phase.LIFTED and not node.target.until_ms
    return world, node


def comes_back(node: Node) -> None:
    """The chain takes the block with the lift back, and the restriction is what it was."""
    action = node.action()
    node.target.until_ms[action.key] = action.until_ms


def test_a_lift_that_a_reorganisation_took_is_sent_again() -> None:
    world, node = lifted()
    comes_back(node)
    world.run(SOON_MS)
    assert node.action().phase is Phase.LIFTED and not node.target.until_ms
    assert node.target.times("undo") == 2 and any("was lifted and stands again" in one for one in node.told)


def test_it_is_seen_after_a_restart_too() -> None:
    world, node = lifted()
    comes_back(node)
    node.restart()
    world.run(SOON_MS)
    assert not node.target.until_ms and node.target.times("undo") == 2


def test_it_is_seen_by_a_node_that_stood_still_meanwhile() -> None:
    world, node = lifted()
    comes_back(node)
    world.skip(2 * sum(AFTER_END_MS))
    world.run(SOON_MS)
    assert not node.target.until_ms and node.target.times("undo") == 2


def test_a_node_that_starts_does_not_look_at_what_it_lifted_days_ago() -> None:
    world, node = lifted()
    node.stop()
    world.skip(LOOKED_BACK_MS)
    node.restart()
    world.run(SOON_MS)
    assert node.target.times("watch") == 0


def test_one_look_that_finds_it_again_is_not_believed() -> None:
    world, node = lifted()
    node.target.script["watch"] = [Outcome(True, "stands")]
    world.run(2 * SOON_MS)
    assert node.target.times("undo") == 1 and not any("stands again" in one for one in node.told)


def test_who_cannot_be_asked_is_not_asked_to_lift_again() -> None:
    world, node = lifted()
    node.target.script["watch"] = [Outcome(False, "no answer", answered=False) for _ in range(9)]
    world.run(2 * SOON_MS)
    assert node.target.times("undo") == 1


def test_a_lift_is_looked_at_until_it_is_final_and_nothing_is_written() -> None:
    world, node = lifted()
    before = node.count(ActionStepped)
    world.run(2 * sum(AFTER_END_MS))
    assert node.target.times("watch") == len(AFTER_END_MS) and node.count(ActionStepped) == before


def test_what_a_person_restricts_after_a_lift_stays_and_people_are_told() -> None:
    """An undo under our key lifts nothing of a person's: it says yes, and the target still shows a restriction."""
    world, node = lifted()
    comes_back(node)
    node.target.script["undo"] = [Outcome(True, "left alone: it stands, and not by this key") for _ in range(99)]
    world.run(600_000)
    assert node.target.times("undo") == LIFTS_MOST and node.target.until_ms
    assert any("whoever may lift it has to" in one for one in node.told)


def test_what_another_action_of_ours_holds_is_not_lifted_by_the_look() -> None:
    world, node = lifted()
    first = node.action()
    world[0].sense(world.true(claim(2)))
    world.run(3_000)
    second = next(one for one in node.state.actions.values() if one.key != first.key)
    assert second.phase is Phase.EFFECTIVE
    node.target.until_ms[first.key] = first.until_ms
    world.run(2 * SOON_MS)
    assert node.target.times("undo") == 1 and second.phase is Phase.EFFECTIVE


def test_what_the_policy_has_no_lever_for_any_more_is_told_to_people() -> None:
    world, node = lifted()
    node.state.setup = replace(node.state.setup, declarations={})
    comes_back(node)
    world.run(SOON_MS)
    assert node.target.times("undo") == 1 and any("whoever may lift it has to" in one for one in node.told)


def test_what_only_people_may_lift_is_told_to_them() -> None:
    world, node = lifted()
    declared = node.state.setup.declarations
    by_people = {name: replace(one, expires_by=ExpiresBy.HUMAN) for name, one in declared.items()}
    node.state.setup = replace(node.state.setup, declarations=by_people)
    comes_back(node)
    world.run(SOON_MS)
    assert node.target.times("undo") == 1 and any("whoever may lift it has to" in one for one in node.told)
