"""A change of epoch amid an alarm: what stands goes on, what is said counts on, who left counts nowhere."""

from __future__ import annotations

from dataclasses import replace

from node.events import ReleaseTopic
from node.machine import Phase, epochs, views
from node.machine.evolve import evolve
from node.records import CertificateAccepted
from protocol.crypto import sha256
from protocol.ids import EpochHash
from protocol.limits import EPOCH_OVERLAP_MS
from protocol.membership import Epoch
from protocol.messages import Level
from tests.unit.machine.world import COIN, HOUR_MS, THREAT, World, claim, member


def next_of(world: World, **changes: object) -> Epoch:
    before = world.epoch
    number = before.number + 1
    return replace(
        before,
        number=number,
        hash=EpochHash(sha256(f"epoch {number}".encode())),
        parent=before.hash,
        activates_ms=world.now_ms,
        **changes,
    )


def without(world: World, i: int) -> tuple:
    return tuple(one for one in world.epoch.members if one.name != member(i))


def suspended(world: World, i: int) -> tuple:
    return tuple(replace(one, suspended=one.name == member(i)) for one in world.epoch.members)


def enter(world: World, epoch: Epoch, *nodes: int) -> None:
    for node in [world[i] for i in nodes] if nodes else list(world):
        epochs.enter(node.state, epoch)
    world.epoch = epoch


def alarmed(n: int = 7) -> World:
    world = World(n)
    world[0].sense(world.true(claim()))
    world.run(1_000)
    assert all(node.action().phase is Phase.EFFECTIVE for node in world)
    return world


def test_a_change_lifts_nothing_and_opens_nothing_twice() -> None:
    world = alarmed()
    until_ms = [node.action().until_ms for node in world]
    enter(world, next_of(world))
    world.run(3_000)
    assert [node.action().until_ms for node in world] == until_ms
    assert all(node.target.times("undo") == 0 for node in world)
    assert all(node.target.times("apply") == 1 for node in world)


def test_live_words_are_said_again_in_the_new_epoch_to_the_same_end() -> None:
    world = alarmed()
    before = {node.name: world[0].opinion(node.name).body for node in world}
    enter(world, next_of(world))
    world.run(1_000)
    for name, old in before.items():
        new = world[0].opinion(name).body
        assert new.epoch == world.epoch.hash
        assert (new.since_ms, new.expires_ms, new.claims) == (old.since_ms, old.expires_ms, old.claims)


def test_the_alarm_has_a_certificate_of_the_new_epoch_too() -> None:
    world = alarmed()
    enter(world, next_of(world))
    world.run(1_000)
    for node in world:
        named = {held.certificate.epoch for held in node.state.certificates.values()}
        assert world.epoch.hash in named


def test_the_lease_of_what_is_opened_later_runs_from_the_first_epochs_certificate() -> None:
    world = alarmed()
    at_ms = world.now_ms
    enter(world, next_of(world))
    world.run(5_000)
    late = world[3]
    del late.state.actions[late.action().key]
    world.run(1_000)
    assert late.action().until_ms < at_ms + HOUR_MS


def test_words_of_the_epoch_before_count_for_a_while_and_those_of_later_do_not() -> None:
    world = World(7)
    enter(world, next_of(world), 1, 2, 3, 4, 5, 6)  # m0 has not heard of it
    world[0].sense(world.true(claim()))
    world.run(500)
    assert world[1].certificate(Level.ISOLATE) is not None
    late = next_of(world)
    assert late.admits(world.epoch.hash, late.activates_ms + EPOCH_OVERLAP_MS - 1)
    assert not late.admits(world.epoch.hash, late.activates_ms + EPOCH_OVERLAP_MS)
    assert not late.admits(EpochHash(sha256(b"epoch 0")), late.activates_ms)


def test_who_was_removed_counts_nowhere_and_says_nothing() -> None:
    world = World(7)
    enter(world, next_of(world, members=without(world, 6)))
    world.run(500)
    world[0].sense(world.true(claim()))
    world.run(1_000)
    assert "no seat" in world[6].state.may_sign()
    assert all(node.opinion("m6") is None for node in world if node.name != "m6")
    assert all(node.certificate() for node in world if node.name != "m6")
    assert all(not any(link.member == "m6" for link in world[i].state.links.values()) for i in range(6))


def test_a_standing_certificate_carries_the_removed_and_the_suspended_to_its_end() -> None:
    world = alarmed(4)  # all but one are needed
    held = world[0].certificate()
    for changed in (without(world, 3), suspended(world, 2)):
        enter(world, next_of(world, members=changed))
    world.run(2_000)
    assert any(one.digest == held.digest for one in world[0].state.certificates.values())
    assert world[0].action().phase is Phase.EFFECTIVE


def test_a_certificate_of_before_that_comes_late_may_name_who_has_left() -> None:
    world = alarmed(4)
    held = world[0].certificate()
    gone = int(max(one.entry.author for one in held.opinions)[1:])
    enter(world, next_of(world, members=without(world, gone)))
    world[0].state.certificates.clear()
    evolve(world[0].state, CertificateAccepted(held.raw, False, world.now_ms), held)
    assert any(one.digest == held.digest for one in world[0].state.certificates.values())


def test_two_epochs_in_a_row_lower_no_word_that_a_smaller_claim_follows() -> None:
    """The word of two epochs ago counts no more and waits to be said again: what is seen first is said with it."""
    world = World(7)
    world[0].sense(world.true(claim(), Level.HALT))
    world.run(1_000)
    enter(world, next_of(world))
    enter(world, next_of(world))
    world[1].sense(world.true(claim(2)))
    world.run(1_000)
    said = world[2].opinion("m1")
    assert said is not None and said.body.level is Level.HALT and len(said.body.claims) == 2


def test_words_said_anew_bring_back_no_certificate_of_what_was_released() -> None:
    """A joiner that never had the first one took it for standing, on the released claims, once a second attack came."""
    world = alarmed(4)
    held = world[0].certificate()
    for i in range(4):
        world[i].ask(ReleaseTopic(COIN, THREAT, 0))
    world.run(1_000)
    enter(world, next_of(world))
    for state in (node.state for node in world):
        state.certificates.clear()
    world[1].sense(world.true(claim(2)))
    world.run(1_000)
    assert world[0].certificate() and not views.stands(world[0].state, held, world.now_ms)


def test_new_certificates_do_not_count_the_suspended_and_need_as_many_as_before() -> None:
    world = World(4)
    enter(world, next_of(world, members=suspended(world, 3)))
    world[0].state.links.pop("peer-of-m2", None)
    world.unplug("m2")
    world[0].sense(world.true(claim()))
    world.run(2_000)
    assert world[0].certificate(Level.ISOLATE) is None  # m0, m1 and a suspended seat are not Q
    assert world[0].opinion("m3") is not None
