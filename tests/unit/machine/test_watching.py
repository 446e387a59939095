"""What stands is looked at again, while its lease runs."""

from __future__ import annotations

from dataclasses import replace

from adapters.api import Outcome
from node.events import ActionCommand
from node.machine import Phase
from node.machine.watching import AFTER_MS
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
