"""Two people end a restriction where the policy says so: who asks, who carries it out, who does not count twice."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapters.policy import Ending
from node.effects import Reply, Tell
from node.events import Acknowledge, ActionCommand, ReleaseTopic
from node.machine import persons
from node.machine.action import Phase
from node.records import AlertSeen, EndingAsked, EndingClosed, OperatorDid, pack_record, unpack_record
from protocol.messages import Level, Release
from tests.unit.machine.test_actions import alarmed
from tests.unit.machine.world import (
    COIN,
    HOUR_MS,
    OTHER_COIN,
    START_MS,
    THREAT,
    TOPIC,
    Node,
    World,
    claim,
    opinion,
    policy_of,
)

MINUTE_MS = 60_000
NEXT = 1_000


def two(socket: str = "", n: int = 4) -> World:
    """Everything stands; two people end it."""
    return alarmed(World(n, policy=replace(policy_of(), ending=Ending(need=2, socket=socket))))


def lift(node: Node, person: str, *, token: bool = True, back: bool = False) -> Reply:
    return node.ask(ActionCommand(node.action().key, "lift", back), person, token=token)


def release(node: Node, person: str, through_ms: int = 0, *, back: bool = False) -> Reply:
    return node.ask(ReleaseTopic(*TOPIC, through_ms, back), person, token=True)


def released(node: Node) -> list[Release]:
    feed = node.state.own_feed()
    return [link.body for link in feed.links.values() if isinstance(link.body, Release)]


def test_the_first_persons_lift_is_kept_and_told_and_lifts_nothing() -> None:
    world = two()
    node = world[0]
    asked = lift(node, "anna")
    world.run(NEXT)
    assert asked.ok and asked.waits_until_ms == node.records()[-1].at_ms + 30 * MINUTE_MS  # type: ignore[union-attr]
    assert "second person until" in asked.says and "anna asks to lift freeze" in node.told[-1]
    assert node.action().phase is Phase.EFFECTIVE and node.target.until_ms


def test_a_second_person_carries_it_out_and_the_journal_names_both() -> None:
    world = two()
    node = world[0]
    lift(node, "anna")
    world.run(5 * MINUTE_MS)
    done = lift(node, "bob")
    world.run(NEXT)
    assert done.ok and not done.waits_until_ms
    assert node.action().phase is Phase.LIFTED and not node.target.until_ms and not node.state.asked
    assert any("anna and bob, two people's word" in says for _, _, says, _ in node.action().steps)


@pytest.mark.parametrize("again", ["anna", "Anna", "ANNA"])
def test_the_same_person_again_is_not_a_second_one(again: str) -> None:
    world = two()
    node = world[0]
    lift(node, "anna")
    said = lift(node, again)
    world.run(NEXT)
    assert not said.ok and "already" in said.says and node.action().phase is Phase.EFFECTIVE


def test_a_name_written_at_the_control_socket_is_no_person() -> None:
    world = two()
    node = world[0]
    lift(node, "anna")
    said = lift(node, "bob", token=False)
    assert not said.ok and 'socket = "NAME"' in said.says
    assert node.action().phase is Phase.EFFECTIVE


def test_the_control_socket_is_whose_the_policy_says_whatever_name_is_written_there() -> None:
    world = two(socket="Anna")
    node = world[0]
    assert lift(node, "bob", token=False).waits_until_ms
    assert node.state.asked[node.action().key].person == "Anna"
    assert not lift(node, "carol", token=False).ok and not lift(node, "anna").ok
    assert lift(node, "bob").ok
    assert node.action().phase in (Phase.LIFTING, Phase.LIFTED)


def test_who_asked_takes_it_back_and_the_next_word_is_a_first_one() -> None:
    world = two()
    node = world[0]
    lift(node, "anna")
    assert lift(node, "anna", back=True).ok and not node.state.asked
    assert lift(node, "bob").waits_until_ms and node.action().phase is Phase.EFFECTIVE


def test_nothing_asked_is_nothing_to_take_back() -> None:
    assert not lift(two()[0], "anna", back=True).ok


def test_half_an_hour_later_nobody_has_asked() -> None:
    world = two()
    node = world[0]
    lift(node, "anna")
    world.skip(30 * MINUTE_MS)
    assert not node.state.asked and "nobody seconded anna" in node.told[-1]
    assert lift(node, "bob").waits_until_ms and node.action().phase is Phase.EFFECTIVE


def test_a_restart_keeps_what_was_asked() -> None:
    world = two()
    node = world[0]
    lift(node, "anna")
    node.stop()
    node.restart()
    world.replug("m0")
    world.run(NEXT)
    assert not lift(node, "anna").ok and lift(node, "bob").ok
    world.run(NEXT)
    assert node.action().phase is Phase.LIFTED


def test_a_lease_ends_without_anybody() -> None:
    world = two()
    lift(world[0], "anna")
    for _ in range(5):
        world.skip(HOUR_MS // 4)
    assert world[0].action().phase is Phase.LAPSED and not world[0].state.asked


def test_a_release_says_what_the_first_of_two_wrote() -> None:
    world = two()
    node = world[0]
    asked = release(node, "anna")
    at_ms = world.now_ms
    world.run(MINUTE_MS)
    assert asked.waits_until_ms and not released(node)
    assert release(node, "bob").ok
    (said,) = released(node)
    assert said.through_ms == at_ms and said.claims == (claim().claim,)


def test_what_came_since_the_first_word_is_not_released_with_it() -> None:
    world = two()
    node = world[0]
    release(node, "anna")
    world.run(MINUTE_MS)
    world[1].sense(world.true(claim(2)))
    world.run(NEXT)
    release(node, "bob")
    assert claim(2).claim not in released(node)[0].claims


def test_a_second_person_who_means_less_does_not_say_the_firsts_word() -> None:
    world = two()
    node = world[0]
    release(node, "anna")
    said = release(node, "bob", through_ms=START_MS)
    assert not said.ok and "which is later" in said.says and not released(node)


def test_two_ask_of_one_and_one_needs_nobody() -> None:
    world = alarmed(World(4))
    assert world[0].ask(ReleaseTopic(*TOPIC, 0)).ok and released(world[0])
    assert lift(world[0], "anna", token=False).ok
    assert world[0].count(EndingAsked) == 0 and world[0].count(OperatorDid) == 2


def test_a_policy_that_wants_one_again_lets_the_word_that_waits_be_carried_out_by_its_asker() -> None:
    world = two()
    node = world[0]
    lift(node, "anna")
    node.stop()
    node.restart(policy=policy_of())
    world.replug("m0")
    assert lift(node, "anna").ok and node.action().phase in (Phase.LIFTING, Phase.LIFTED)


def test_what_a_quorum_released_meanwhile_waits_for_nobody() -> None:
    world = two(n=7)
    node = world[0]
    lift(node, "anna")
    for i in range(1, 6):
        release(world[i], "anna")
        release(world[i], "bob")
    world.run(NEXT)
    assert node.action().phase is Phase.LIFTED and not node.state.asked


# --- seen ---------------------------------------------------------------------------------------------------------


def test_who_has_seen_an_alert_is_kept_once_for_each_level() -> None:
    world = alarmed(World(4))
    node = world[0]
    for person in ("anna", "bob", "anna"):
        assert node.ask(Acknowledge(*TOPIC), person, token=True).ok
    assert node.count(AlertSeen) == 2
    seen = persons.who_saw(node.state, TOPIC, world.now_ms)
    assert [(one.person, one.level) for one in seen] == [("anna", Level.ISOLATE), ("bob", Level.ISOLATE)]


def test_who_takes_an_alert_up_stops_what_was_told_of_it_before() -> None:
    world = alarmed(World(4))
    node, told_ms = world[0], world.now_ms
    about = Tell("a lever waits", topic=TOPIC).about
    assert not persons.is_taken_up(node.state, about, told_ms)
    node.ask(Acknowledge(*TOPIC), "anna")
    assert persons.is_taken_up(node.state, about, told_ms)
    assert not persons.is_taken_up(node.state, about, world.now_ms + 1)
    assert not persons.is_taken_up(node.state, Tell("another", topic=(OTHER_COIN, THREAT)).about, told_ms)


def test_nobody_has_seen_what_does_not_stand() -> None:
    assert not World(4)[0].ask(Acknowledge(OTHER_COIN, THREAT), "anna").ok


def test_whoever_saw_the_last_alarm_has_not_seen_the_next() -> None:
    world = World(4, liars=1)
    liar, node = world.liars["m3"], world[0]
    liar.say(opinion(Level.GUARD, (), now_ms=world.now_ms, sources=("m3-node",)))
    world.run(NEXT)
    node.ask(Acknowledge(*TOPIC), "anna")
    assert persons.who_saw(node.state, TOPIC, world.now_ms)
    world.run(NEXT)
    liar.say(opinion(Level.GUARD, (), now_ms=world.now_ms, sources=("m3-node",)))
    world.run(NEXT)
    assert node.opinion("m3") is not None and not persons.who_saw(node.state, TOPIC, world.now_ms)


@pytest.mark.parametrize(
    "record",
    [
        EndingAsked(bytes(32), COIN, THREAT, "anna", 2, 0, (), 1),
        EndingAsked(b"", COIN, THREAT, "anna", 2, 1, (claim().claim,), 1),
        EndingClosed(b"", COIN, THREAT, "taken back", "bob", 1),
        AlertSeen(COIN, THREAT, Level.HALT, "anna", 1),
    ],
)
def test_what_is_written_is_read(record: EndingAsked | EndingClosed | AlertSeen) -> None:
    assert unpack_record(*pack_record(record)) == record
