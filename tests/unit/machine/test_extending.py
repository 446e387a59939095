"""A person extends what stands: by the steps of a renewal, within what everybody bounds, and only what can be."""

from __future__ import annotations

from dataclasses import replace

from adapters.api import Outcome
from adapters.policy import Mode
from node.effects import Reply
from node.events import ActionCommand, Extend, ReleaseTopic
from node.machine import Phase, extending
from node.records import ActionRenewed, OperatorDid
from protocol.ids import ActionKey
from tests.unit.machine.test_actions import alarmed, lift_hours
from tests.unit.machine.world import FREEZE, HOUR_MS, START_MS, TOPIC, Node, World, policy_of

MINUTE_MS = 60_000


def standing(hours: int = 3, **changes: object) -> tuple[World, Node]:
    """A lever that the policy pulls for an hour, and would lend for `hours`."""
    world = alarmed(World(4, policy=policy_of(max_ms=hours * HOUR_MS, **changes)))
    assert world[2].action().phase is Phase.EFFECTIVE
    return world, world[2]


def extend(node: Node, by_ms: int = HOUR_MS, person: str = "anna") -> Reply:
    return node.ask(Extend(node.action().key, by_ms), person, token=True)


def phases(node: Node) -> list[str]:
    return [phase for _, phase, _, _ in node.action().steps]


def test_an_hour_more_is_asked_of_the_target_and_read_back() -> None:
    world, node = standing()
    until_ms = node.action().until_ms
    reply = extend(node)
    world.run(500)
    assert reply.ok and "read back" in reply.says
    assert node.action().until_ms == until_ms + HOUR_MS == node.target.until_ms[node.action().key]
    assert phases(node)[-4:] == ["renewed", "sending", "sent", "effective"]


def test_it_is_one_action_under_its_own_key_with_the_persons_name_in_the_journal() -> None:
    world, node = standing()
    extend(node)
    world.run(500)
    (renewed,) = (one for one in node.records() if isinstance(one, ActionRenewed))
    assert renewed.why.startswith("extended by anna, by 1h: until ") and node.count(OperatorDid) == 1
    assert "extended by anna" in node.action().steps[-3][2]


def test_it_stands_past_its_first_end_and_ends_at_its_new_one() -> None:
    world, node = standing()
    extend(node)
    lift_hours(world, 1.2)
    assert node.action().phase is Phase.EFFECTIVE
    lift_hours(world, 1)
    assert node.action().phase is Phase.LAPSED


def test_a_node_that_dies_amid_it_goes_on_to_the_new_end() -> None:
    world, node = standing()
    until_ms = node.action().until_ms
    extend(node)
    node.restart()
    world.run(1_000)
    assert node.action().phase is Phase.EFFECTIVE and node.action().until_ms == until_ms + HOUR_MS
    assert node.target.until_ms == {node.action().key: until_ms + HOUR_MS}


def test_all_words_together_stay_within_the_policys_bound_from_when_it_was_sent() -> None:
    world, node = standing(hours=3)
    sent_ms = node.action().sent_ms() or 0
    for _ in range(12):
        extend(node, HOUR_MS // 2)
        world.run(500)
        world.skip(10 * MINUTE_MS)
    assert sent_ms + 2 * HOUR_MS < node.action().until_ms <= sent_ms + 3 * HOUR_MS
    assert "since it was sent" in extend(node).says


def test_what_is_too_long_is_refused_with_what_is_left() -> None:
    _, node = standing(hours=2)
    refusal = extend(node, 2 * HOUR_MS)
    assert not refusal.ok and refusal.says.endswith("by 1h at most")
    assert node.count(ActionRenewed) == 0


def test_the_charter_bounds_it_where_policy_and_lever_would_not() -> None:
    _, node = standing(hours=24)
    node.restart(declarations={"freeze": replace(FREEZE, max_ms=24 * HOUR_MS)})
    action = node.action()
    assert extending.latest_ms(node.state, action) - (action.sent_ms() or 0) == 6 * HOUR_MS


def test_less_than_a_minute_is_no_extension() -> None:
    _, node = standing()
    assert extend(node, 59_000).says == "by 1m at least"


def test_what_waits_for_a_person_is_approved_first() -> None:
    world = alarmed(World(4, policy=policy_of(Mode.ASK, max_ms=3 * HOUR_MS)))
    assert "approve" in extend(world[2]).says


def test_what_is_on_its_way_is_not_extended_twice() -> None:
    world, node = standing()
    assert extend(node).ok
    assert "on its way to its target" in extend(node, person="bert").says
    world.run(500)
    assert extend(node, person="bert").ok


def test_what_is_being_lifted_or_has_ended_is_not_extended() -> None:
    world, node = standing()
    node.ask(ActionCommand(node.action().key, "lift"))
    assert extend(node).says == "it is being lifted"
    world.run(500)
    assert extend(node).says == "it has ended already (lifted)"


def test_what_cannot_be_undone_has_no_end_to_move() -> None:
    world, node = standing()
    node.restart(declarations={"freeze": replace(FREEZE, reversible=False)})
    world.run(500)
    assert "cannot be undone" in extend(node).says


def test_a_target_that_names_another_end_is_left_alone() -> None:
    world = World(4, policy=policy_of(max_ms=3 * HOUR_MS))
    node = world[2]
    node.target.script["read_back"] = [Outcome(True, "stands", until_ms=START_MS + 5 * HOUR_MS)]
    alarmed(world)
    assert "by its own word" in extend(node).says


def test_what_the_last_look_did_not_find_is_left_alone() -> None:
    world, node = standing()
    node.target.until_ms.clear()
    world.until(lambda: node.action().watch.missing > 0, 20_000)
    assert "the last look at the target did not find it" in extend(node).says


def test_a_wall_clock_that_was_set_since_gives_it_no_other_end() -> None:
    for hours in (7, -7):
        _, node = standing()
        node.ahead_ms = hours * HOUR_MS
        assert "clock was set since" in extend(node).says
        assert node.count(ActionRenewed) == 0 and node.action().phase is Phase.EFFECTIVE


def test_what_ran_out_a_moment_ago_is_not_extended() -> None:
    world, node = standing()
    world.skip(node.action().until_ms - world.now_ms - 500)
    world.run(400)
    assert extend(node).says == "its lease has run out"


def test_a_release_lifts_what_a_person_extended() -> None:
    world, node = standing()
    extend(node)
    world.run(500)
    for one in world:
        one.ask(ReleaseTopic(*TOPIC, 0))
    world.run(1_000)
    assert node.action().phase is Phase.LIFTED


def test_a_target_that_refuses_the_longer_lease_is_escalated_like_a_renewal() -> None:
    world, node = standing()
    node.target.script["apply"] = [Outcome(False, "not so long")]
    extend(node)
    world.run(500)
    assert node.action().phase is Phase.ESCALATED and "failed at apply: not so long" in node.told[-1]


def test_an_unknown_key_is_no_action() -> None:
    assert World(4)[0].ask(Extend(ActionKey(bytes(32)), HOUR_MS)).says == "no action of this key"
