"""What a governance key sealed, carried by any member's node."""

from __future__ import annotations

import pytest

from node.events import Publish, TakeKey
from node.machine.statements import KEYSETS_PER_MEMBER_MAX
from node.records import KeySetLearned
from protocol.envelope import open_keyset, seal_keyset
from protocol.ids import MemberName, NetworkId
from protocol.messages import KeySet, Level, Statement
from tests.unit.machine.world import (
    DELAY_MS,
    HOUR_MS,
    NETWORK,
    START_MS,
    World,
    claim,
    governance,
    hot,
    keyset,
    member,
    opinion,
)

LATER_MS = START_MS + 10_000_000


def sealed(name: str, version: int, *, key: int | None = None, network: bytes = NETWORK, owner: str = "") -> bytes:
    body = KeySet(MemberName(name), version, hot(name, version if key is None else key).public, None, (), LATER_MS)
    return seal_keyset(NetworkId(network), governance(owner or name), body).raw


def version_of(world: World, i: int, name: str) -> int:
    return world[i].state.current_version(MemberName(name))


def test_a_members_revocation_is_carried_by_anothers_node_and_holds_everywhere_within_two_delays() -> None:
    world = World(4)
    world[3].stop()
    assert world[0].ask(Publish(sealed("m3", 1))).ok
    world.run(2 * DELAY_MS)
    assert [version_of(world, i, "m3") for i in (0, 1, 2)] == [1, 1, 1]


def test_nothing_sealed_under_a_revoked_key_counts_after() -> None:
    world = World(4, liars=1)
    world.liars["m3"].say(opinion())
    world.run(100)
    assert world[0].opinion("m3") is not None
    world[0].ask(Publish(sealed("m3", 1)))
    world.run(2 * DELAY_MS)
    assert [world[i].opinion("m3") for i in range(3)] == [None] * 3
    world.liars["m3"].say(opinion(Level.HALT, now_ms=world.now_ms))
    world.run(2_000)
    assert [world[i].opinion("m3") for i in range(3)] == [None] * 3


def test_who_was_away_hears_of_it_and_after_a_restart_still_knows() -> None:
    world = World(4)
    world[2].stop()
    world[0].ask(Publish(sealed("m3", 1)))
    world.run(1_000)
    world[2].restart()
    world.replug("m2")
    world.run(2_000)
    assert version_of(world, 2, "m3") == 1
    world[2].stop()
    world[2].restart()
    assert version_of(world, 2, "m3") == 1


def test_who_lost_it_on_the_way_takes_it_from_the_feed_without_a_new_connection() -> None:
    world = World(4)
    world.loss = 1.0
    world[0].ask(Publish(sealed("m3", 1)))
    world.run(100)
    world.loss = 0.0
    assert version_of(world, 1, "m3") == 0
    world.run(7_000)
    assert version_of(world, 1, "m3") == 1


def test_the_own_key_carries_its_successor_as_its_last_word() -> None:
    world = World(4)
    node = world[0]
    node.sense(world.true(claim()))
    world.run(500)
    assert node.ask(Publish(keyset("m0", 1))).ok
    top = node.state.own_head()[0]
    world.run(70_000)
    assert "replaced" in node.state.may_sign()
    assert node.state.own_head()[0] == top
    assert isinstance(node.state.own_feed().links[top].body, Statement)
    assert version_of(world, 1, "m0") == 1 and world[1].opinion("m0") is None
    assert node.state.reissue, "what it said waits for the new key"


def test_what_is_in_force_is_said_again_and_learned_once() -> None:
    world = World(4)
    raw = sealed("m3", 1)
    before = world[0].count(KeySetLearned)
    assert world[0].ask(Publish(raw)).ok and world[0].ask(Publish(raw)).ok
    world.run(100)
    assert [node.count(KeySetLearned) for node in world] == [before + 1] * 4


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"\x00", "it is not taken"),
        (sealed("m9", 1, owner="m3"), "m9 is no member of this epoch"),
        (sealed("m3", 1, owner="m2"), "not sealed by its governance key"),
        (sealed("m3", 1, network=bytes(32)), "not sealed by its governance key"),
    ],
)
def test_what_does_not_hold_is_refused_in_words_and_never_said(raw: bytes, says: str) -> None:
    world = World(4)
    reply = world[0].ask(Publish(raw))
    assert not reply.ok and says in reply.says
    world.run(100)
    assert not any(isinstance(one.body, Statement) for one in world[0].state.own_feed().links.values())


def test_an_older_version_and_the_loser_of_two_are_refused() -> None:
    world = World(4)
    one, other = sorted((sealed("m3", 2, key=7), sealed("m3", 2, key=8)), key=by_hash)
    assert world[0].ask(Publish(one)).ok
    assert "lower hash" in world[0].ask(Publish(other)).says
    assert "version 2 of m3 is in force" in world[0].ask(Publish(sealed("m3", 1))).says


def test_the_lower_of_two_takes_the_others_place_everywhere() -> None:
    world = World(4)
    low, high = sorted((sealed("m3", 2, key=7), sealed("m3", 2, key=8)), key=by_hash)
    assert world[0].ask(Publish(high)).ok
    world.run(100)
    assert world[1].ask(Publish(low)).ok
    world.run(100)
    for node in world:
        held = node.state.keyset(member(3), 2)
        assert held is not None and held.raw == low


def test_more_versions_than_an_epoch_takes_are_refused_by_number() -> None:
    world = World(4)
    for version in range(1, KEYSETS_PER_MEMBER_MAX):
        assert world[0].ask(Publish(sealed("m3", version))).ok
    reply = world[0].ask(Publish(sealed("m3", KEYSETS_PER_MEMBER_MAX)))
    assert not reply.ok and "16 versions" in reply.says


def test_a_node_that_must_not_sign_publishes_nothing() -> None:
    world = World(4)
    world[0].stop()
    world[0].restart(stopped_why="mark and store disagree")
    world.replug("m0")
    reply = world[0].ask(Publish(sealed("m3", 1)))
    assert not reply.ok and "mark and store disagree" in reply.says


def taken(name: str, version: int = 1) -> TakeKey:
    return TakeKey(hot(name, version), open_keyset(keyset(name, version), NETWORK, governance(name).public))


def test_a_fresh_key_taken_in_the_middle_of_an_alarm_leaves_no_moment_of_silence() -> None:
    """Each of the others holds either the old word or the new one at every moment, and no certificate ends."""
    world = World(4)
    world[0].sense(world.true(claim()))
    world.run(1_000)
    assert all(node.certificate() for node in world)
    assert world[0].ask(Publish(keyset("m0", 1))).ok and world[0].ask(taken("m0")).ok
    for _ in range(300):
        world.run(1)
        for node in world:
            assert node.opinion("m0") is not None and node.certificate() is not None
    for node in world:
        said = node.opinion("m0")
        assert said is not None and said.entry.key_version == 1 and said.body.level is Level.ISOLATE


def test_the_old_key_never_signs_again_and_the_new_feed_begins_at_nothing() -> None:
    world = World(4)
    node = world[0]
    node.ask(Publish(keyset("m0", 1)))
    top = node.state.own_head()[0]
    node.ask(taken("m0"))
    node.sense(world.true(claim()))
    world.run(70_000)
    old, new = node.state.feeds[(member(0), 0)], node.state.feeds[(member(0), 1)]
    assert (old.top, new.whole) == (top, new.top) and new.top > 1
    assert "replaced" not in node.state.may_sign() and not world[1].state.equivocations


def test_a_node_that_must_not_sign_is_cured_by_a_fresh_key() -> None:
    world = World(4)
    world[0].stop()
    world[0].restart(stopped_why="mark and store disagree")
    world.replug("m0")
    assert world[0].ask(taken("m0")).ok
    world[0].sense(world.true(claim()))
    world.run(1_000)
    assert world[1].opinion("m0") is not None


def test_a_key_that_others_revoked_the_node_for_is_taken_when_it_comes() -> None:
    world = World(4)
    world[1].ask(Publish(keyset("m0", 1)))
    world.run(100)
    assert world[0].state.may_sign()
    assert world[0].ask(taken("m0")).ok
    assert not world[0].state.may_sign()


def test_a_key_of_another_version_owner_or_hash_is_not_taken() -> None:
    world = World(4)
    node = world[0]
    assert "not above" in node.ask(taken("m0", 0)).says
    assert "of m1 and not of m0" in node.ask(taken("m1")).says
    wrong = TakeKey(hot("m0", 9), taken("m0").sealed)
    assert "another key" in node.ask(wrong).says
    world[1].ask(Publish(keyset("m0", 3)))
    world.run(100)
    assert "version 3 of m0 is in force" in node.ask(taken("m0", 2)).says


def test_who_meets_a_member_after_its_key_changed_knows_what_it_runs() -> None:
    world = World(4)
    world[0].ask(taken("m0"))
    world.run(1_000)
    new = world[3]
    new.stop()
    new.disk.clear()
    new.restart(fresh=True)
    world.replug("m3")
    world.run(3_000)
    assert new.state.manifests[member(0)] == world[1].state.manifests[member(0)] != frozenset()


def test_an_expiring_key_is_told_of_thirty_seven_and_one_days_before_and_at_its_end_is_silent() -> None:
    world = World(4)
    node = world[0]
    end_ms = START_MS + 8_000 * HOUR_MS
    for days, says in ((31, ""), (29, "in 28 days"), (6, "in 5 days"), (0.9, "in 21 hours"), (-0.01, "has expired")):
        node.told.clear()
        world.skip(int(end_ms - days * 24 * HOUR_MS) - world.now_ms)
        world.run(1_000)
        told = [one for one in node.told if "KeySet" in one]
        assert len(told) == bool(says) and all(says in one for one in told)
    assert "expired" in node.state.may_sign()
    top = node.state.own_head()[0]
    world.run(120_000)
    assert node.state.own_head()[0] == top


def by_hash(raw: bytes) -> bytes:
    return open_keyset(raw, NETWORK, governance("m3").public).hash
