"""Members decide: proposals and ballots in feeds, rounds among machines, an epoch on all of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from governance.ballots import Ballot, Vote, cast
from governance.ledger import Ledger
from governance.proposals import (
    KIND_OF,
    Admit,
    Change,
    Proposal,
    Reinstate,
    Rekey,
    Remove,
    Retune,
    SealedProposal,
    Sources,
    Suspend,
    consent,
    seal_proposal,
)
from governance.standing import State as Stands
from node.events import FrameArrived, Publish
from node.machine import Machine, Phase
from node.machine.statements import learnable
from node.present_governance import find
from node.records import EntryAccepted, EpochCertified
from protocol.crypto import Signer, sha256
from protocol.envelope import parse_carried, seal_entry, seal_keyset
from protocol.feed import ballot_of, value_of
from protocol.frames import Entries, pack_frame
from protocol.ids import GroupName, MemberName, SourceId
from protocol.membership import Source
from protocol.messages import NOTHING, Heartbeat, KeySet, Level, Prepare
from tests.unit.machine.world import (
    HOUR_MS,
    NETWORK,
    START_MS,
    Node,
    World,
    claim,
    epoch_of,
    governance,
    hot,
    keyset,
    member,
    peer_of,
)

DELAY_MS = 2_000
SETTLED_MS = 4_000
"""Rounds, votes and a certificate among machines whose wires take 20 ms."""


def world_of(n: int = 4, **setup: Any) -> World:
    return World(n, epoch=epoch_of(n, change_delay_ms=DELAY_MS, loosen_delay_ms=DELAY_MS), **setup)


def propose(world: World, change: Change, by: int = 0, signers: tuple[Signer, ...] = ()) -> SealedProposal:
    epoch = world[by].state.epoch
    consents = tuple(consent(NETWORK, one, epoch.hash, change) for one in signers)
    made = Proposal(
        epoch.hash, member(by), world.now_ms, world.now_ms + HOUR_MS, KIND_OF[type(change)], change, "", consents
    )
    sealed = seal_proposal(NETWORK, governance(member(by)), made)
    reply = world[by].ask(Publish(sealed.raw))
    assert reply.ok, reply.says
    return sealed


def vote(world: World, proposal: SealedProposal, *voters: int, yes: bool = True, number: int = 0) -> None:
    for i in voters:
        ballot = Ballot(proposal.hash, member(i), number, Vote(yes), world.now_ms)
        reply = world[i].ask(Publish(cast(NETWORK, governance(member(i)), ballot).raw))
        assert reply.ok, reply.says


def numbers(world: World) -> list[int]:
    return [node.state.epoch.number for node in world]


def stands(node: Node, proposal: SealedProposal) -> Stands:
    told = node.state.ledger.standings(node.world.now_ms, node.state.restricted)
    return next(one.state for one in told if one.sealed.hash == proposal.hash)


def first_keyset(name: str) -> bytes:
    body = KeySet(MemberName(name), 0, hot(name).public, None, (peer_of(name),), START_MS + 8_000 * HOUR_MS)
    return seal_keyset(NETWORK, governance(name), body).raw


def admit(name: str) -> Admit:
    return Admit(MemberName(name), GroupName(f"g-{name}"), governance(name).public)


def test_a_quorum_of_ballots_and_a_delay_make_an_epoch_everywhere() -> None:
    world = world_of()
    made = propose(world, Suspend(member(3)))
    vote(world, made, 0, 1, 2)
    world.run(DELAY_MS - 100)
    assert numbers(world) == [0] * 4
    world.run(SETTLED_MS)
    assert numbers(world) == [1] * 4
    assert len({node.state.epoch.hash for node in world}) == 1
    assert all(node.state.epoch.by_name[member(3)].suspended for node in world)


def test_a_source_that_an_epoch_registers_is_vouched_for_by_its_operator_from_then_on() -> None:
    """Who joins has none in the charter, and could not say a word."""
    world = world_of(own_sources=())
    assert world[1].state.own_sources() == ()
    people = Source(SourceId("m1-people"), member(1), "people")
    vote(world, propose(world, Sources((people,), ())), 0, 1, 2)
    world.run(DELAY_MS + SETTLED_MS)
    assert numbers(world) == [1] * 4
    assert [node.state.own_sources() for node in world] == [(), (people.id,), (), ()]


def test_too_few_ballots_make_none() -> None:
    world = world_of()
    made = propose(world, Suspend(member(3)))
    vote(world, made, 0, 1)
    world.run(DELAY_MS + SETTLED_MS)
    assert numbers(world) == [0] * 4
    assert stands(world[2], made) is Stands.OPEN


def test_more_than_a_third_stop_what_has_passed_while_its_delay_runs() -> None:
    world = world_of()
    made = propose(world, Suspend(member(3)))
    vote(world, made, 0, 1, 2)
    world.run(200)
    vote(world, made, 2, 3, yes=False, number=1)
    world.run(DELAY_MS + SETTLED_MS)
    assert numbers(world) == [0] * 4
    assert stands(world[0], made) is Stands.VETOED


def test_an_impossible_proposal_is_refused_where_it_is_made_with_its_rule() -> None:
    world = world_of()
    made = Proposal(
        world.epoch.hash, member(0), world.now_ms, world.now_ms + HOUR_MS, KIND_OF[Retune], Retune(isolate="f + 1")
    )
    reply = world[0].ask(Publish(seal_proposal(NETWORK, governance(member(0)), made).raw))
    assert not reply.ok and "thresholds-stay-valid" in reply.says
    assert not world[0].state.ledger.held


def test_who_joins_is_let_in_and_counts() -> None:
    world = world_of()
    made = propose(world, admit("m4"), signers=(governance("m4"),))
    assert world[0].ask(Publish(first_keyset("m4"))).ok
    vote(world, made, 0, 1, 2)
    world.run(DELAY_MS + SETTLED_MS)
    assert numbers(world) == [1] * 4
    assert all(node.state.members_of("peer-of-m4") == {"m4"} for node in world)
    assert all(node.state.epoch.n == 5 for node in world)


def test_who_starts_from_a_later_epoch_takes_what_stands_of_the_one_before() -> None:
    world = world_of(7)
    for i in (5, 6):
        world[i].stop()
    world[0].sense(world.true(claim()))
    world.run(1_000)
    for name in ("m7", "m8"):
        vote(world, propose(world, admit(name), signers=(governance(name),)), 0, 1, 2, 3, 4)
    world.run(DELAY_MS + SETTLED_MS)
    late = world[6]
    late.restart(lose_last=len(late.disk), epoch=world[0].state.epoch, past=(world.epoch,))
    world.replug(member(6))
    world.run(5_000)
    late.stop()
    late.restart()
    isolating = [one for one in late.state.certificates.values() if one.certificate.level is Level.ISOLATE]
    assert [one.certificate.epoch for one in isolating] == [world.epoch.hash], "six of nine groups make no new one"
    assert late.state.epoch.n == 9


def test_a_keyset_of_nobody_that_is_proposed_is_refused() -> None:
    world = world_of()
    reply = world[0].ask(Publish(first_keyset("m9")))
    assert not reply.ok and "no member" in reply.says


def test_a_member_that_was_away_learns_the_epoch_when_it_comes_back() -> None:
    world = world_of()
    world.unplug("m3")
    made = propose(world, admit("m4"), signers=(governance("m4"),))
    vote(world, made, 0, 1, 2)
    world.run(DELAY_MS + SETTLED_MS)
    assert numbers(world) == [1, 1, 1, 0]
    world.replug("m3")
    world.run(500)
    assert numbers(world) == [1] * 4


def test_what_was_decided_outlives_a_restart() -> None:
    world = world_of()
    made = propose(world, Suspend(member(3)))
    vote(world, made, 0, 1, 2)
    world.run(DELAY_MS + SETTLED_MS)
    hash_ = world[0].state.epoch.hash
    world[0].stop()
    world[0].restart()
    assert world[0].state.epoch.hash == hash_
    assert len(world[0].state.chain) == 1


@pytest.mark.parametrize("after_ms", [DELAY_MS + 20, DELAY_MS + 40, DELAY_MS + 60, DELAY_MS + 80, DELAY_MS + 120])
def test_a_restart_amid_a_round_says_nothing_two_ways(after_ms: int) -> None:
    world = world_of()
    made = propose(world, Suspend(member(3)))
    vote(world, made, 0, 1, 2)
    world.run(after_ms)
    for i in range(3):
        world[i].stop()
        world[i].restart()
        world.replug(member(i))
    world.run(30_000)
    assert numbers(world) == [1] * 4
    assert not any(node.state.equivocations for node in world)


def test_an_equivocator_is_suspended_without_ballots_and_no_threshold_falls() -> None:
    world = world_of(4, liars=1)
    liar = world.liars[member(3)]
    before = dict(world[0].state.epoch.thresholds)
    one = liar.seal(Heartbeat(world.epoch.hash), seq=0)
    other = liar.seal(Heartbeat(world.epoch.hash), seq=0, issued_ms=world.now_ms + 1)
    liar.send(Entries((one.raw,)), to=[0])
    liar.send(Entries((other.raw,)), to=[1])
    world.run(20_000)
    for node in world:
        assert node.state.epoch.number == 1
        assert node.state.epoch.by_name[member(3)].suspended
        assert node.state.epoch.thresholds == before


def test_who_was_away_when_a_fork_was_proven_hears_of_it_when_it_comes_back() -> None:
    """Three of four are a quorum and the fourth is the liar: without the one that was away nobody is suspended."""
    world = world_of(4, liars=1)
    liar = world.liars[member(3)]
    world.unplug(member(2))
    one = liar.seal(Heartbeat(world.epoch.hash), seq=0)
    other = liar.seal(Heartbeat(world.epoch.hash), seq=0, issued_ms=world.now_ms + 1)
    liar.send(Entries((one.raw, other.raw)), to=[0, 1])
    world.run(2_000)
    world.replug(member(2))
    world.run(20_000)
    assert numbers(world) == [1] * 3


def test_what_loosens_waits_while_an_alarm_stands() -> None:
    world = world_of(7)
    world[0].sense(world.true(claim()))
    world.run(1_000)
    assert all(node.action().phase is Phase.EFFECTIVE for node in world)
    loosening = propose(world, Remove(member(6)))
    tightening = propose(world, Suspend(member(5)), by=1)
    for made in (loosening, tightening):
        vote(world, made, 0, 1, 2, 3, 4)
    world.run(DELAY_MS + SETTLED_MS)
    assert all(node.state.epoch.by_name[member(5)].suspended for node in world)
    assert all(member(6) in node.state.epoch.by_name for node in world)
    assert stands(world[0], loosening) is Stands.INCIDENT
    assert all(node.action().phase is Phase.EFFECTIVE for node in world)


def test_a_moved_governance_key_takes_its_keysets_with_it() -> None:
    world = world_of()
    new = Signer(sha256(b"another cold key"))
    change = Rekey(member(3), new.public)
    propose(world, change, by=3, signers=(new, governance(member(3))))
    fresh = KeySet(member(3), 1, hot("m3", 1).public, None, (peer_of("m3"),), START_MS + 8_000 * HOUR_MS)
    assert world[3].ask(Publish(seal_keyset(NETWORK, new, fresh).raw)).ok
    world.run(20_000)
    assert numbers(world) == [1] * 4
    assert all(node.state.current_version(member(3)) == 1 for node in world)
    assert "replaced" in world[3].state.may_sign()


def test_who_moved_its_governance_key_without_a_keyset_is_silent_and_starts_all_the_same() -> None:
    world = world_of()
    new = Signer(sha256(b"another cold key"))
    propose(world, Rekey(member(3), new.public), by=3, signers=(new, governance(member(3))))
    world.run(20_000)
    assert numbers(world) == [1] * 4
    assert "governance key moved" in world[3].state.may_sign()
    for i in (3, 0):  # their charter holds the KeySet of the key that is gone
        world[i].stop()
        world[i].restart()
        assert world[i].state.keyset(member(3), 0) is None


def test_what_the_mark_carries_is_taken_over_beside_a_charter_that_is_older_than_a_key() -> None:
    world = world_of()
    new = Signer(sha256(b"another cold key"))
    propose(world, Rekey(member(3), new.public), by=3, signers=(new, governance(member(3))))
    world.run(20_000)
    fresh = KeySet(member(3), 1, hot("m3", 1).public, None, (peer_of("m3"),), START_MS + 8_000 * HOUR_MS)
    sealed = seal_keyset(NETWORK, new, fresh).raw
    assert learnable(world[3].state, [*world.keysets(), sealed]) == [sealed]


def test_nothing_lowers_the_word_of_who_is_suspended() -> None:
    """It counts again with its seat."""
    world = world_of()
    said, more = world.true(claim(), Level.HALT), world.true(claim(2))
    world[3].sense(said, level=Level.HALT)
    made = propose(world, Suspend(member(3)))
    vote(world, made, 0, 1, 2)
    world.run(DELAY_MS + SETTLED_MS)
    world[3].sense(more)
    own = world[3].opinion("m3")
    assert own is not None
    assert own.body.level is Level.HALT
    assert {said.claim, more.claim} <= set(own.body.claims)


def test_a_partition_makes_no_two_epochs() -> None:
    world = world_of(7)
    made = propose(world, Suspend(member(6)))
    vote(world, made, 0, 1, 2, 3, 4)
    world.run(DELAY_MS - 200)
    for a in range(4):
        world.unplug(member(a), *(member(b) for b in range(4, 7)))
    world.run(20_000)
    assert numbers(world) == [0] * 7
    for a in range(4):
        for b in range(4, 7):
            world.plug(member(a), member(b))
    world.run(60_000)
    assert numbers(world) == [1] * 7
    assert len({node.state.epoch.hash for node in world}) == 1


def test_the_suspended_comes_back_by_ballots() -> None:
    world = world_of()
    made = propose(world, Suspend(member(3)))
    vote(world, made, 0, 1, 2)
    world.run(DELAY_MS + SETTLED_MS)
    again = propose(world, Reinstate(member(3)))
    vote(world, again, 0, 1, 2)
    world.run(DELAY_MS + SETTLED_MS)
    assert numbers(world) == [2] * 4
    assert not world[0].state.epoch.by_name[member(3)].suspended


def test_ballots_of_who_has_left_pass_nothing_later() -> None:
    world = world_of(7)
    waiting = propose(world, Suspend(member(0)), by=1)
    vote(world, waiting, 5, 6, 1, 2)
    leaving = propose(world, Remove(member(6)), by=2)
    vote(world, leaving, 0, 1, 2, 3, 4)
    world.run(DELAY_MS + SETTLED_MS)
    assert numbers(world)[:6] == [1] * 6
    vote(world, waiting, 3)
    world.run(DELAY_MS + SETTLED_MS)
    # five of seven said yes, but one of them has left: four are short of the larger quorum of both epochs
    assert numbers(world)[:6] == [1] * 6
    assert stands(world[0], waiting) is Stands.OPEN


def test_the_removed_node_says_nothing_and_is_asked_nothing() -> None:
    world = world_of(5)
    made = propose(world, Remove(member(4)))
    vote(world, made, 0, 1, 2, 3)
    world.run(DELAY_MS + SETTLED_MS)
    assert numbers(world) == [1] * 5
    assert "no seat" in world[4].state.may_sign()
    world[0].sense(world.true(claim()))
    world.run(1_000)
    assert all(world[i].certificate(Level.ISOLATE) for i in range(4))
    assert world[0].opinion("m4") is None


def test_who_votes_sees_what_it_would_have_changed() -> None:
    world = world_of(4)
    world.unplug("m3")
    world[0].sense(world.true(claim()))
    world.run(1_000)
    assert world[0].certificate(Level.ISOLATE)
    made = propose(world, Suspend(member(1)))
    told = find(world[0].state, made.hash.hex(), world.now_ms)
    assert told is not None
    assert any("would not have formed" in one and "ISOLATE" in one for one in told["would_change"])


def test_what_changes_nothing_says_so() -> None:
    world = world_of(4)
    world[0].sense(world.true(claim()))
    world.run(1_000)
    made = propose(world, Retune(halt="n"))
    told = find(world[0].state, made.hash.hex(), world.now_ms)
    assert told is not None and any(
        "every certificate would have formed as it did" in one for one in told["would_change"]
    )


def test_who_votes_sees_what_it_would_do_to_recorded_incidents() -> None:
    world = world_of(4)
    made = propose(world, Retune(isolate="n", halt="n"))
    told = find(world[0].state, made.hash.hex(), world.now_ms)
    assert told is not None
    said = [one for one in told["would_change"] if "forged-bridge-release with 1 of the groups silent" in one]
    assert len(said) == 1 and "ISOLATE for bridge-forgery would not form" in said[0]


def joiner(world: World, name: str) -> Node:
    """A machine of its own key, in the epoch that it was told of, connected to nobody yet."""
    setup = replace(world[0].setup, member=MemberName(name), signer=hot(name), own_sources=(), fresh=True)
    node = Node(world, setup)
    node.up, node.life = True, 1
    node.perform(node.machine.start(node.clock(), [*world.keysets(), first_keyset(name)]))
    world.after(1, node._tick, 1)
    world.nodes[node.name] = node
    return node


def test_a_joiner_speaks_as_soon_as_its_epoch_lets_it_in() -> None:
    world = world_of()
    new = joiner(world, "m4")
    assert "no seat" in new.state.may_sign()
    assert not new.state.refusals
    made = propose(world, admit("m4"), signers=(governance("m4"),))
    assert world[0].ask(Publish(first_keyset("m4"))).ok
    vote(world, made, 0, 1, 2)
    world.run(DELAY_MS + SETTLED_MS)
    world.replug("m4")
    took_ms = world.until(lambda: not new.state.may_sign())
    assert took_ms < 1_000
    world.run(3_000)
    assert all(node.state.heartbeats.get(MemberName("m4")) for node in world)


def test_a_joiner_whose_keyset_comes_late_is_heard_though_it_was_proposed_twice() -> None:
    """The other proposal stays open under the same key: what is in force already must not wait for it."""
    world = world_of()
    new = joiner(world, "m4")
    made = propose(world, admit("m4"), signers=(governance("m4"),))
    propose(
        world, Admit(MemberName("m4"), GroupName("g-other"), governance("m4").public), by=1, signers=(governance("m4"),)
    )
    vote(world, made, 0, 1, 2)
    world.run(DELAY_MS + SETTLED_MS)
    assert world[0].state.epoch.number == 1
    assert world[0].ask(Publish(first_keyset("m4"))).ok
    world.replug("m4")
    world.until(lambda: not new.state.may_sign(), 3_000)


def test_a_clock_that_lags_keeps_nobody_in_the_epoch_before() -> None:
    world = world_of()
    world[3].ahead_ms = -20_000
    made = propose(world, Suspend(member(2)))
    vote(world, made, 0, 1, 2)
    world.run(DELAY_MS + SETTLED_MS)
    assert numbers(world) == [1] * 4


def test_a_certificate_of_an_unknown_epoch_makes_its_reader_ask_for_it() -> None:
    world = world_of()
    world.unplug("m3")
    made = propose(world, Suspend(member(2)))
    vote(world, made, 0, 1, 2)
    world.run(DELAY_MS + SETTLED_MS)
    world.loss = 1.0
    world.replug("m3")
    world.run(1_500)
    world.loss = 0.0
    assert world[3].state.epoch.number == 0
    world[0].sense(world.true(claim()))
    world.until(lambda: world[3].state.epoch.number == 1, 3_000)


def test_votes_of_an_epoch_that_a_crash_took_bind_in_it_all_the_same() -> None:
    """The mark kept what was said in the next epoch, and the store had not entered it: its rounds began as if nothing
    had been said, and the node voted twice."""
    world = world_of(4)
    made = propose(world, Suspend(member(2)))
    vote(world, made, 0, 1, 3)
    world.run(DELAY_MS + SETTLED_MS)
    node = world[0]
    records = node.records()
    at = next(i for i, one in enumerate(records) if isinstance(one, EpochCertified))
    crashed = Machine(node.setup)
    crashed.recover(records[:at])
    seq, prev = crashed.state.own_head()
    said = seal_entry(
        NETWORK, hot("m0"), author=node.name, key_version=0, seq=seq + 1, prev=prev, issued_ms=world.now_ms,
        body=Prepare(node.state.epoch.hash, 0, NOTHING),
    )  # fmt: skip
    crashed.recover([EntryAccepted(said.raw, True, world.now_ms), *records[at : at + 2]])
    assert crashed.state.epoch.number == 1
    assert crashed.state.rounds.lock.prepared == NOTHING


def test_votes_that_came_before_their_epoch_count_in_it() -> None:
    world = world_of(4)
    made = propose(world, Suspend(member(2)))
    vote(world, made, 0, 1, 3)
    world.run(DELAY_MS + SETTLED_MS)
    node, other = world[0], world[1]
    records = node.records()
    at = next(i for i, one in enumerate(records) if isinstance(one, EpochCertified))
    late = Machine(node.setup)
    late.recover(records[:at])
    seq, prev = late.state.feeds[("m1", 0)].top, late.state.feeds[("m1", 0)].top_hash
    said = seal_entry(
        NETWORK, hot("m1"), author=other.name, key_version=0, seq=seq + 1, prev=prev, issued_ms=world.now_ms,
        body=Prepare(node.state.epoch.hash, 0, NOTHING),
    )  # fmt: skip
    late.recover([EntryAccepted(said.raw, False, world.now_ms), *records[at : at + 2]])
    assert late.state.rounds.log.prepares(0) == 1


@pytest.mark.parametrize("after_ms", [20, 40, 60, 80, 120])
@pytest.mark.parametrize("first", [1, 3])
def test_a_store_that_is_lost_amid_a_round_makes_nobody_vote_two_ways(after_ms: int, first: int) -> None:
    """What was said under the key before binds, and is with the others: under its fresh one a node votes once it has
    that back, whoever comes first. m3 was away when it was said."""
    world = world_of()
    made = propose(world, Suspend(member(3)))
    vote(world, made, 0, 1, 2)
    world.run(DELAY_MS - 50)
    world.unplug("m3")
    world.until(lambda: bool(world[0].state.rounds.lock.said))
    world.run(after_ms)
    for i in (0, 1, 2):
        world[i].stop()
    world[0].disk.clear()
    world.extra_keysets.append(keyset("m0", 1))
    world[0].restart(key_version=1, signer=hot("m0", 1), fresh=True)
    if first == 1:
        world[1].restart()
    world.replug(member(first))
    world.run(20_000)
    for i in (1, 2):
        if not world[i].up:
            world[i].restart()
        world.replug(member(i))
    world.replug(member(3))
    world.run(60_000)
    assert numbers(world) == [1] * 4
    assert not contradictions(world[1], "m0")


def test_what_was_said_of_rounds_far_ahead_is_heard_when_they_come() -> None:
    """After a cut feeds come one after another: of what the first said of rounds far ahead little was kept, and nobody
    says it again."""
    world = world_of()
    node, epoch = world[3], world[3].state.epoch.hash
    world.run(500)
    world.unplug("m3")
    for name in ("m0", "m1"):
        world.plug("m3", name)
        feed = node.state.feeds[(MemberName(name), 0)]
        seq, prev = feed.top, feed.top_hash
        for round_ in range(30, 41):
            seq += 1
            said = seal_entry(
                NETWORK, hot(name), author=MemberName(name), key_version=0, seq=seq, prev=prev,
                issued_ms=world.now_ms, body=Prepare(epoch, round_, NOTHING),
            )  # fmt: skip
            prev = parse_carried(said.raw, NETWORK).hash
            node.handle(FrameArrived(peer_of(name), True, False, pack_frame(Entries((said.raw,)))))
    world.run(300)
    assert node.state.rounds.round == 40
    assert [len(node.state.rounds.log.rounds[one].prepares) for one in range(30, 41)] == [2] * 11


def test_who_votes_and_then_replaces_its_key_leaves_nobody_locked_for_good() -> None:
    """Its Prepare had made a quorum for those who heard it in time, and counts no more. One liar could do it."""
    world = world_of()
    made = propose(world, Suspend(member(3)))
    vote(world, made, 0, 1, 2)
    world.run(DELAY_MS - 50)
    world[3].stop()
    world.until(lambda: all(world[i].state.rounds.lock.locked is not None for i in (0, 1, 2)))
    world[0].stop()
    assert world[1].ask(Publish(keyset("m0", 1))).ok
    world[3].restart()
    world.replug(member(3))
    world.run(90_000)
    assert numbers(world)[1:] == [1] * 3


def test_who_decided_and_lost_commits_before_its_certificate_stood_votes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """What its certificate is to rest on has not come yet: meanwhile two are found to seal under other keys."""
    monkeypatch.setattr(Ledger, "certificate", lambda *_: None)
    world = world_of()
    made = propose(world, Suspend(member(3)))
    vote(world, made, 0, 1, 2)
    world.run(DELAY_MS + SETTLED_MS)
    rounds = world[0].state.rounds
    assert rounds.decided is not None
    for other in (1, 2):
        rounds.log.rekeyed(member(other), 0, afresh=True)
    world.run(SETTLED_MS)
    assert rounds.decided is None


def contradictions(node: Node, author: str) -> list[tuple[Any, ...]]:
    """Places in the rounds that an author filled in two ways, whatever the key."""
    said: dict[tuple[Any, ...], set[bytes]] = {}
    for one in node.records():
        if isinstance(one, EntryAccepted):
            word = parse_carried(one.raw, NETWORK)
            place = ballot_of(word) if word.entry.author == author else None
            if place is not None:
                said.setdefault(place, set()).add(value_of(word))
    return [place for place, values in said.items() if len(values) > 1]
