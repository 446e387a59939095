"""Algorithm 1, line by line, as one member of four lives it: m01 unless said otherwise; m00 proposes in round 0, m01 in
round 1 and so on. f is 1, Q is 3."""

from __future__ import annotations

from dataclasses import replace

import pytest

from governance.lock import LOCK_BYTES_MAX, Lock, pack_lock, parse_lock
from governance.ordering import Pace, Step
from governance.rounds import AGAIN_MS
from protocol.ids import EpochHash
from protocol.limits import VALUE_BYTES_MAX
from protocol.membership import Member as Seat
from protocol.messages import NOTHING, Prepare, Propose
from tests.unit.governance.rounds_world import (
    EPOCH,
    H1,
    H2,
    JUNK,
    ONE,
    PACE,
    TWO,
    Ledger,
    Member,
    commit,
    prepare,
    propose,
)
from tests.unit.protocol import world


def started(me: int | None = 1, n: int = 4, ledger: Ledger | None = None) -> Member:
    member = Member(me, n, ledger)
    member.start()
    return member


def locked() -> Member:
    """Locked on ONE in round 0, and now in round 1, where m01 itself proposes."""
    member = started()
    member.hear(0, propose(0))
    member.hear_all([0, 2], prepare(0))
    assert (member.rounds.lock.locked, member.rounds.lock.locked_round) == (ONE, 0)
    member.hear_all([0, 2], commit(0, NOTHING))
    member.after(PACE.after(PACE.commit_ms, 0))
    assert member.rounds.round == 1
    return member


def in_round_2() -> Member:
    """As `locked`, in round 2, where m02 proposes."""
    member = locked()
    member.hear_all([0, 2], prepare(2, NOTHING))
    assert (member.rounds.round, member.rounds.step) == (2, Step.PROPOSE)
    return member


# ---- 11-21


def test_the_proposer_of_a_round_proposes_what_waits() -> None:
    assert started(0).said[0] == propose(0)
    assert propose(0) not in started(1).said


def test_the_proposers_take_turns_in_the_epochs_order() -> None:
    member = started(3)
    assert [member.rounds.log.proposer(round_) for round_ in range(5)] == ["g00", "g01", "g02", "g03", "g00"]


def test_a_proposer_that_has_a_valid_value_proposes_it_and_says_since_when() -> None:
    """15-16"""
    assert propose(1, ONE, 0) in locked().said


def test_a_value_that_begins_to_wait_later_is_proposed_then() -> None:
    member = started(0, ledger=Ledger(waits=None))
    assert member.said == []
    member.ledger.waits = TWO
    assert member.after(10)[0] == propose(0, TWO)


def test_no_value_beyond_the_wires_size_is_proposed() -> None:
    assert started(0, ledger=Ledger(waits=bytes(VALUE_BYTES_MAX + 1))).said == []


# ---- 22-27


def test_a_valid_proposal_is_prepared() -> None:
    assert started().hear(0, propose(0)) == [prepare(0)]


def test_a_proposal_of_anybody_else_is_not_heard() -> None:
    assert started().hear(2, propose(0)) == []


def test_a_proposal_that_may_not_be_prepared_is_answered_with_nothing_in_time() -> None:
    member = started()
    assert member.hear(0, propose(0, JUNK)) == []
    assert member.after(PACE.propose_ms) == [prepare(0, NOTHING)]


def test_a_proposal_is_prepared_as_soon_as_what_it_needs_is_known() -> None:
    """Ballots come by feeds and may come later than the Propose that rests on them."""
    member = started()
    member.hear(0, propose(0, JUNK))
    member.ledger.fine.add(JUNK)
    assert [type(said) for said in member.after(10)] == [Prepare]


def test_who_is_locked_answers_a_fresh_proposal_of_another_value_with_nothing() -> None:
    assert in_round_2().hear(2, propose(2, TWO))[:1] == [prepare(2, NOTHING)]


def test_who_is_locked_prepares_the_same_value_again() -> None:
    assert in_round_2().hear(2, propose(2, ONE)) == [prepare(2, H1)]


def test_one_round_has_one_answer() -> None:
    member = started()
    member.hear(0, propose(0, ONE))
    assert member.hear(0, propose(0, TWO)) == []


# ---- 28-33


def test_of_a_value_prepared_by_a_quorum_before_less_is_asked() -> None:
    """The quorum's honest groups saw to the rest: a veto seen here alone stalls nothing."""
    member = started(3, ledger=Ledger(fine=set()))
    member.hear_all([0, 1, 2], prepare(0))
    member.hear_all([0, 2], prepare(1, NOTHING))
    assert member.hear(1, propose(1, ONE, 0)) == [prepare(1)]


def test_a_valid_round_without_its_quorum_of_prepares_is_not_believed() -> None:
    member = started(3, ledger=Ledger(fine=set()))
    member.hear_all([0, 1], prepare(0))
    member.hear_all([0, 2], prepare(1, NOTHING))
    assert member.hear(1, propose(1, ONE, 0)) == []
    assert member.after(PACE.after(PACE.propose_ms, 1))[:1] == [prepare(1, NOTHING)]


def test_what_was_prepared_as_its_proposer_says_is_else_a_proposal_like_any_other() -> None:
    """The votes that it rests on may be gone with a key that was replaced: nobody would see them again."""
    member = started(3)
    member.hear_all([0, 1], prepare(0))
    member.hear_all([0, 2], prepare(1, NOTHING))
    assert member.hear(1, propose(1, ONE, 0)) == [prepare(1)]


def test_who_is_locked_otherwise_waits_for_the_prepares_of_a_valid_round() -> None:
    member = in_round_2()
    assert member.hear(2, propose(2, TWO, 1)) == []
    assert member.hear_all([0, 2, 3], prepare(1, H2))[:1] == [prepare(2, H2)]


def test_a_lock_outlives_the_votes_that_it_rests_on() -> None:
    """One of the quorum replaced its key: its votes count no more, and who was locked waited for them for ever."""
    member = started(ledger=Ledger(fine={ONE}))
    member.hear(0, propose(0))
    member.hear_all([0, 2], prepare(0))
    member.rounds.rekeyed(world.name(2), 2, member.now_ms)
    member.ledger.fine.clear()
    said = member.hear_all([0, 3], prepare(1, NOTHING))
    assert not member.rounds.log.prepared(0, H1)
    assert said[:2] == [propose(1, ONE, 0), prepare(1)]


def test_the_prepares_of_a_valid_round_may_come_after_the_proposal() -> None:
    member = started(3, ledger=Ledger(fine=set()))
    member.hear_all([0, 2], prepare(1, NOTHING))
    member.hear(1, propose(1, ONE, 0))
    assert member.hear_all([0, 1, 2], prepare(0)) == [prepare(1)]


@pytest.mark.parametrize("valid_round", [1, 2, 1 << 62])
def test_a_valid_round_that_is_no_past_round_is_not_believed(valid_round: int) -> None:
    member = started(3)
    member.hear_all([0, 2], prepare(1, NOTHING))
    assert member.hear(1, propose(1, ONE, valid_round)) == []


def test_a_lock_yields_to_a_later_quorum() -> None:
    member = in_round_2()
    member.hear_all([0, 2, 3], prepare(1, H2))
    assert member.hear(2, propose(2, TWO, 1)) == [prepare(2, H2)]


def test_a_lock_does_not_yield_to_an_earlier_quorum() -> None:
    """29: the lock is of round 2, the quorum for the other value of round 1."""
    member = in_round_2()
    member.hear(2, propose(2, ONE))
    member.hear_all([0, 2], prepare(2))
    assert member.rounds.lock.locked_round == 2
    member.hear_all([0, 2, 3], prepare(1, H2))
    member.hear_all([0, 2], prepare(3, NOTHING))
    assert member.hear(3, propose(3, TWO, 1))[:1] == [prepare(3, NOTHING)]


def test_a_value_prepared_by_a_quorum_before_waits_for_what_this_node_lacks() -> None:
    member = started(3, ledger=Ledger(known=set()))
    member.hear_all([0, 1, 2], prepare(0))
    member.hear_all([0, 2], prepare(1, NOTHING))
    assert member.hear(1, propose(1, ONE, 0)) == []
    member.ledger.known.add(ONE)
    assert member.after(10) == [prepare(1)]


# ---- 34-46


def test_a_quorum_of_prepares_locks_and_commits() -> None:
    member = started()
    member.hear(0, propose(0))
    member.hear(0, prepare(0))
    assert member.hear(2, prepare(0)) == [commit(0)]
    lock = member.rounds.lock
    assert (lock.locked, lock.locked_round, lock.valid, lock.valid_round) == (ONE, 0, ONE, 0)


def test_fewer_prepares_lock_nothing() -> None:
    member = started()
    member.hear(0, propose(0))
    assert member.hear(0, prepare(0)) == []
    assert member.rounds.lock.locked is None


def test_of_five_groups_four_are_a_quorum() -> None:
    """2f + 1 would be three, and two threes of five may have but a liar in common."""
    member = started(n=5)
    member.hear(0, propose(0))
    assert member.hear_all([0, 2], prepare(0)) == []
    assert member.hear(3, prepare(0)) == [commit(0)]


def test_prepares_before_the_proposal_count_when_it_comes() -> None:
    member = started()
    member.hear_all([0, 2, 3], prepare(0))
    assert member.hear(0, propose(0)) == [prepare(0), commit(0)]


def test_prepares_of_a_quorum_that_agrees_on_nothing_start_a_time_out() -> None:
    """34-35, 61-64"""
    member = started()
    member.hear(0, propose(0))
    member.hear(0, prepare(0))
    assert member.hear(2, prepare(0, NOTHING)) == []
    assert member.after(PACE.prepare_ms - 1) == []
    assert member.after(1) == [commit(0, NOTHING)]


def test_a_quorum_for_nothing_commits_nothing_at_once() -> None:
    """44-46"""
    member = started()
    member.after(PACE.propose_ms)
    member.hear(2, prepare(0, NOTHING))
    assert member.hear(3, prepare(0, NOTHING)) == [commit(0, NOTHING)]
    assert member.rounds.lock.locked is None


def test_a_quorum_that_comes_after_the_commit_makes_the_value_valid_and_not_locked() -> None:
    """42-43"""
    member = started()
    member.hear(0, propose(0))
    member.hear(2, prepare(0, NOTHING))
    member.hear(3, prepare(0))
    member.after(PACE.prepare_ms)
    member.hear(0, prepare(0))
    lock = member.rounds.lock
    assert (lock.locked, lock.valid, lock.valid_round) == (None, ONE, 0)
    assert member.said[-1] == commit(0, NOTHING)


# ---- 47-56


def test_commits_of_a_quorum_that_agrees_on_nothing_end_the_round_in_time() -> None:
    member = started()
    member.hear_all([0, 2, 3], commit(0, NOTHING))
    member.after(PACE.commit_ms)
    assert member.rounds.round == 1


def test_a_quorum_of_commits_decides() -> None:
    member = started()
    member.hear(0, propose(0))
    member.hear_all([0, 2], prepare(0))
    member.hear_all([0, 2], commit(0))
    (decided,) = member.decided
    assert (decided.round, decided.value, decided.value_hash) == (0, ONE, H1)
    assert [one.entry.author for one in decided.commits] == ["m00", "m01", "m02"]
    assert all(one.body == commit(0) for one in decided.commits)
    assert member.rounds.wake_ms is None


def test_commits_of_a_round_long_past_decide_too() -> None:
    member = started()
    member.hear(0, propose(0))
    member.hear_all([0, 2], prepare(5, NOTHING))
    assert member.rounds.round == 5
    member.hear_all([0, 2, 3], commit(0))
    assert [one.round for one in member.decided] == [0]


def test_nobody_decides_what_it_does_not_know() -> None:
    member = started()
    member.hear_all([0, 2, 3], commit(0))
    assert member.decided == []
    member.hear(0, propose(0))
    assert [one.value for one in member.decided] == [ONE]


def test_after_the_decision_nothing_is_said() -> None:
    member = started()
    member.hear_all([0, 2, 3], commit(0))
    member.hear(0, propose(0))
    before = len(member.said)
    assert member.after(1_000_000) == []
    assert member.hear_all([0, 2], prepare(9)) == []
    assert (len(member.said), len(member.decided)) == (before, 1)


def test_f_plus_one_groups_of_a_later_round_move_us_there() -> None:
    """55-56"""
    member = started()
    member.hear(2, prepare(5, NOTHING))
    assert member.rounds.round == 0
    member.hear(3, commit(5, NOTHING))
    assert member.rounds.round == 5


def test_f_plus_one_groups_of_different_later_rounds_move_us_to_the_earlier_of_them() -> None:
    member = started()
    member.hear(2, prepare(7, NOTHING))
    member.hear(3, prepare(5, NOTHING))
    assert member.rounds.round == 5


def test_f_liars_move_nobody_however_far_ahead_they_speak() -> None:
    member = started(n=7)
    member.hear_all([5, 6], prepare(1 << 60, NOTHING))
    assert member.rounds.round == 0
    member.hear(4, prepare(3, NOTHING))
    assert member.rounds.round == 3


# ---- 57-67


def test_time_outs_grow_by_the_round_and_no_further_than_their_bound() -> None:
    pace = Pace(propose_ms=1_000, more_ms=100, most_ms=60_000)
    assert [pace.after(pace.propose_ms, round_) for round_ in (0, 1, 10, 1 << 62)] == [1_000, 1_100, 2_000, 60_000]


def test_silence_of_the_proposer_ends_in_nothing() -> None:
    """57-60"""
    member = started()
    assert member.after(PACE.propose_ms - 1) == []
    assert member.after(1) == [prepare(0, NOTHING)]


def test_a_time_out_of_a_round_that_is_over_does_nothing() -> None:
    member = started()
    member.hear_all([2, 3], prepare(2, NOTHING))
    assert member.after(PACE.propose_ms) == []
    assert member.after(2 * PACE.more_ms)[:1] == [prepare(2, NOTHING)]


def test_it_says_when_it_wants_to_be_woken() -> None:
    member = started()
    assert member.rounds.wake_ms == member.now_ms + PACE.propose_ms
    member.after(PACE.propose_ms)
    assert member.rounds.wake_ms is None  # a quorum's Prepares are waited for, not a time


# ---- when it runs


def test_nothing_runs_while_nothing_waits() -> None:
    member = started(ledger=Ledger(waits=None))
    assert member.after(1_000_000) == []
    assert member.rounds.wake_ms is None


def test_f_plus_one_groups_wake_who_knows_of_nothing() -> None:
    member = started(ledger=Ledger(waits=None))
    member.hear(2, prepare(0, NOTHING))
    assert not member.rounds.awake
    member.hear(3, prepare(0, NOTHING))
    assert member.after(PACE.propose_ms)[:1] == [prepare(0, NOTHING)]


def test_a_proposal_that_may_be_prepared_wakes_too() -> None:
    assert started(ledger=Ledger(waits=None)).hear(0, propose(0)) == [prepare(0)]


def test_rounds_fall_silent_when_nothing_waits_any_more() -> None:
    member = started()
    member.hear_all([0, 2, 3], commit(0, NOTHING))
    member.ledger.waits = None
    member.after(PACE.commit_ms)
    assert member.after(1_000_000) == []
    assert (member.rounds.round, member.rounds.awake) == (1, False)


def test_what_a_quorum_prepared_keeps_the_rounds_going_although_nothing_waits_here() -> None:
    """It may be the lock of somebody who could not prepare anything else any more."""
    member = started(ledger=Ledger(waits=None, fine=set()))
    member.hear_all([0, 2, 3], prepare(0))
    member.hear_all([0, 2, 3], commit(0, NOTHING))
    member.after(PACE.propose_ms + PACE.commit_ms)
    assert (member.rounds.round, member.rounds.awake) == (1, True)


# ---- one voice for each group


def test_who_is_not_its_groups_first_member_listens_and_says_nothing() -> None:
    base = world.epoch(4)
    shared = replace(base.members[1], name=world.name(0) + "-twin")  # type: ignore[arg-type]
    epoch = replace(base, members=(*base.members, shared))
    twin = Member(None, epoch=epoch)
    twin.me = shared.name
    twin.restart()
    twin.hear(0, propose(0))
    assert twin.after(1_000_000) == []
    twin.hear_all([0, 2, 3], commit(0))
    assert [one.value for one in twin.decided] == [ONE]


def test_a_group_has_one_voice_however_many_members_speak() -> None:
    base = world.epoch(4)
    more = tuple(Seat(world.name(at), base.members[3].group, base.members[3].governance_key) for at in range(4, 7))
    member = Member(1, epoch=replace(base, members=(*base.members, *more)))
    member.start()
    member.hear_all([4, 5, 6], prepare(0))
    assert member.rounds.log.prepares(0) == 0


def test_a_suspended_seats_votes_still_count() -> None:
    base = world.epoch(4)
    suspended = tuple(replace(one, suspended=one.name == world.name(2)) for one in base.members)
    member = Member(1, epoch=replace(base, members=suspended))
    member.start()
    member.hear(0, propose(0))
    member.hear(0, prepare(0))
    assert member.hear(2, prepare(0)) == [commit(0)]


def test_votes_of_another_epoch_are_passed_over() -> None:
    other = EpochHash(bytes(32))
    member = started()
    member.hear(0, Propose(other, 0, ONE))
    assert member.hear_all([0, 2, 3], Prepare(other, 0, H1)) == []
    assert not member.rounds.log.rounds


# ---- liars


def test_who_votes_two_ways_in_a_round_counts_for_every_value_there() -> None:
    """So that all who know it for a liar count the same, whichever two of its words they hold."""
    member = started()
    member.hear(0, propose(0))
    member.hear(3, prepare(0, H2))
    member.hear(3, prepare(0, NOTHING))
    assert member.hear(0, prepare(0)) == [commit(0)]


def test_only_a_real_commit_decides() -> None:
    """The certificate has to show it to others."""
    member = started()
    member.hear(0, propose(0))
    member.hear_all([0, 2], prepare(0))
    member.hear(3, commit(0, H2))
    member.hear(3, commit(0, NOTHING))
    member.hear(0, commit(0))
    assert member.decided == []
    member.hear(2, commit(0))
    assert [one.value for one in member.decided] == [ONE]


def test_two_proposals_of_a_round_are_both_known_and_one_is_prepared() -> None:
    member = started()
    member.hear(0, propose(0, TWO))
    member.hear(0, propose(0, ONE))
    member.hear_all([0, 2], prepare(0))
    assert member.said == [prepare(0, H2)]
    member.hear(3, prepare(0))
    assert member.said[-1] == commit(0)


# ---- locks, restarts, keys


def test_a_lock_comes_with_every_vote_and_holds_that_vote() -> None:
    member = started(0)
    outputs = [parse_lock(pack_lock(one)) for one in (member.rounds.lock,)]
    assert outputs[0].said == tuple(member.said)
    assert parse_lock(member.kept or b"") == member.rounds.lock


def test_the_largest_lock_packs_within_its_bound() -> None:
    value = bytes(VALUE_BYTES_MAX)
    most = (1 << 63) - 1
    lock = Lock(EPOCH, most, value, most, value, most, value, most, H1, H1)
    assert len(pack_lock(lock)) <= LOCK_BYTES_MAX
    assert parse_lock(pack_lock(lock)) == lock


def test_who_restarts_says_nothing_twice() -> None:
    member = started()
    member.hear(0, propose(0))
    before = list(member.said)
    assert member.restart() == []
    assert member.said == before
    assert member.hear(0, propose(0, TWO)) == []


def test_who_restarts_is_still_locked() -> None:
    member = in_round_2()
    member.restart()
    assert member.hear_all([0, 2], prepare(2, NOTHING)) == []
    assert member.hear(2, propose(2, TWO))[:1] == [prepare(2, NOTHING)]


def test_who_restarts_before_its_words_were_sealed_says_the_same_words() -> None:
    """The ledger may answer otherwise by now; what the lock says was said is what is said."""
    member = started(0)
    said = list(member.said)
    member.store.clear()
    member.ledger.waits = TWO
    assert member.restart()[: len(said)] == said


def test_a_lock_of_another_epoch_binds_nobody() -> None:
    member = locked()
    old = parse_lock(member.kept or b"")
    fresh = Member(1)
    fresh.kept = pack_lock(replace(old, epoch=EpochHash(bytes(32))))
    fresh.restart()
    assert (fresh.rounds.round, fresh.rounds.lock.locked) == (0, None)


def test_under_a_new_key_the_words_of_this_round_are_said_again() -> None:
    member = started()
    member.hear(0, propose(0))
    assert member.new_key() == [prepare(0)]
    assert member.rounds.log.prepares(0) == 1


def test_what_a_replaced_key_sealed_counts_no_more() -> None:
    member = started()
    member.hear(0, propose(0))
    member.hear(2, prepare(0))
    member.rounds.rekeyed(world.name(2), 2, member.now_ms)
    assert member.hear(0, prepare(0)) == []
    assert member.hear(2, prepare(0), version=1) == []
    assert member.hear(2, prepare(0), version=2) == [commit(0)]


def test_prepares_of_a_past_round_count_whatever_keys_left_since() -> None:
    """One of a quorum left its key: who was not there would never believe those who are locked by it."""
    member = started(3, ledger=Ledger(fine=set()))
    member.hear_all([0, 1, 2], prepare(0))
    member.rounds.rekeyed(world.name(2), 2, member.now_ms)
    member.hear_all([0, 1], prepare(1, NOTHING))
    assert member.hear(1, propose(1, ONE, 0)) == [prepare(1)]


def test_a_prepare_under_a_key_that_has_left_may_come_late_for_a_past_round_and_for_no_present_one() -> None:
    member = started(3, ledger=Ledger(fine=set()))
    member.rounds.rekeyed(world.name(2), 2, member.now_ms)
    member.hear_all([0, 1, 2], prepare(0))
    assert not member.rounds.log.prepared(0, H1)
    member.hear_all([0, 1], prepare(1, NOTHING))
    assert member.hear(1, propose(1, ONE, 0)) == [prepare(1)]


def test_who_has_a_key_that_has_left_takes_no_room_from_its_owners_words() -> None:
    member = started(3)
    member.rounds.rekeyed(world.name(2), 2, member.now_ms)
    for round_ in range(20, 24):
        member.hear(2, prepare(round_), version=2)
    for round_ in range(30, 40):
        member.hear(2, prepare(round_), version=1)
    assert [one for one in member.rounds.log.rounds if one >= 20] == [20, 21, 22, 23]


def test_who_forked_its_feed_counts_as_having_prepared_anything_in_the_past() -> None:
    member = started(3, ledger=Ledger(fine=set()))
    member.hear_all([0, 1], prepare(0))
    member.rounds.log.convicted(world.name(2), 1)
    member.hear_all([0, 1], prepare(1, NOTHING))
    assert member.hear(1, propose(1, ONE, 0)) == [prepare(1)]


def test_who_was_given_its_seat_back_is_no_liar_for_what_it_did_before() -> None:
    four = world.epoch(4)
    seats = tuple(replace(one, proven=1) if one.name == world.name(2) else one for one in four.members)
    member = Member(3, epoch=replace(four, members=seats))
    member.rounds.log.convicted(world.name(2), 1)
    assert not member.rounds.log.liars
    member.rounds.log.convicted(world.name(2), 2)
    assert member.rounds.log.liars


def test_a_decision_whose_commits_left_with_their_key_before_a_certificate_stood_is_voted_on() -> None:
    member = started()
    member.hear(0, propose(0))
    member.hear_all([0, 2], commit(0))
    member.hear(3, commit(0))
    assert member.rounds.decided is not None
    member.rounds.rekeyed(world.name(3), 1, member.now_ms, afresh=True)
    member.rounds.rekeyed(world.name(2), 1, member.now_ms, afresh=True)
    member.after(1)
    assert member.rounds.decided is None
    assert member.hear_all([0, 2], prepare(0))[:1] == [commit(0)]


def test_a_decision_rests_on_the_commits_that_count_now() -> None:
    """One of them left with its key and was said again under the next: the old one certifies nothing."""
    member = started()
    member.hear(0, propose(0))
    member.hear_all([0, 2], commit(0))
    member.hear(3, commit(0))
    member.rounds.rekeyed(world.name(3), 2, member.now_ms)
    member.hear(3, commit(0), version=2)
    member.after(1)
    assert member.rounds.decided is not None
    assert [one.entry.key_version for one in member.rounds.decided.commits] == [1, 1, 2]


def test_a_fresh_key_of_another_seat_of_its_group_takes_nothing_from_its_voice() -> None:
    """The voice's Prepare was forgotten at one member, and nobody else's round could end without it."""
    five = world.epoch(5)
    twin, voice = world.name(4), five.by_name[world.name(2)]
    seats = tuple(replace(one, group=voice.group) if one.name == twin else one for one in five.members)
    member = Member(1, epoch=replace(five, members=seats))
    member.rounds.log.rekeyed(twin, 1)
    member.hear(2, prepare(0))
    member.rounds.log.rekeyed(twin, 2)
    assert member.rounds.log.prepares(0) == 1


def test_a_keyset_of_the_same_version_that_wins_silences_the_other() -> None:
    member = started()
    member.hear(2, prepare(0))
    member.rounds.rekeyed(world.name(2), 1, member.now_ms, afresh=True)
    assert not member.rounds.log.holds(world.epoch(4).groups[2], prepare(0))
    member.hear(2, prepare(0))
    assert member.rounds.log.holds(world.epoch(4).groups[2], prepare(0))


@pytest.mark.parametrize("late", (False, True))
def test_votes_under_a_key_that_has_left_end_a_round_in_time(late: bool) -> None:
    """m02 went on to round 1 and replaced its key: it says nothing of round 0 again, and nobody else would go on."""
    member = started()
    if late:
        member.rounds.rekeyed(world.name(2), 2, member.now_ms)
    member.hear_all([0, 2], prepare(0, NOTHING))
    if not late:
        member.rounds.rekeyed(world.name(2), 2, member.now_ms)
    assert member.after(PACE.propose_ms) == [prepare(0, NOTHING)]
    assert member.after(PACE.prepare_ms) == [commit(0, NOTHING)]
    member.hear(0, commit(0, NOTHING))
    member.hear(2, commit(0, NOTHING))
    member.rounds.rekeyed(world.name(2), 3, member.now_ms)
    member.after(PACE.commit_ms)
    assert member.rounds.round == 1


def test_a_forked_voice_counts_for_the_end_of_a_round() -> None:
    """m03 went on by a Commit of m02 that nobody else can get."""
    member = started()
    member.hear_all([0, 3], prepare(0, NOTHING))
    member.after(PACE.propose_ms)
    member.hear(0, commit(0, NOTHING))
    member.rounds.log.convicted(world.name(2), 1)
    member.after(1)
    member.after(PACE.commit_ms)
    assert member.rounds.round == 1


def test_a_word_that_nobody_heard_is_said_again_after_a_while() -> None:
    member = started()
    member.hear(0, propose(0))
    member.rounds.log.rekeyed(world.name(1), 1, afresh=True)
    assert member.rounds.wake_ms is not None
    assert member.after(AGAIN_MS) == [prepare(0)]
    assert member.after(AGAIN_MS) == []


def test_a_vote_whose_lock_a_crash_took_binds_all_the_same() -> None:
    """The mark brought it back alone: it is the word of this round, and a Commit is a lock."""
    member = Member(1)
    member.rounds.log.take(world.sealed(world.name(0), propose(0)))
    for body in (prepare(0), commit(0)):
        member.rounds.bind(body, own=True)
    assert member.rounds.lock.said == (prepare(0), commit(0))
    assert (member.rounds.lock.locked, member.rounds.lock.locked_round) == (ONE, 0)


def test_a_commit_of_ours_to_an_unknown_value_binds_to_its_hash() -> None:
    member = started()
    member.rounds.bind(commit(0, H2), own=True)
    member.hear_all([0, 2], prepare(2, NOTHING))
    assert member.hear(2, propose(2, ONE))[:1] == [prepare(2, NOTHING)]
    member.hear_all([0, 3], prepare(6, NOTHING))
    assert member.hear(2, propose(6, TWO))[:1] == [prepare(6, H2)]


@pytest.mark.parametrize("late", (False, True))
def test_a_commit_finds_its_value_though_its_proposer_left_the_key_it_proposed_under(late: bool) -> None:
    """Bound to what it could not name, it refused whatever came, and nobody could propose what it wanted."""
    member = Member(1)
    member.start()
    if late:
        member.rounds.bind(commit(0), own=True)
        member.rounds.log.rekeyed(world.name(0), 2)
        member.hear(0, propose(0), version=1)
    else:
        member.rounds.log.take(world.sealed(world.name(0), propose(0)))
        member.rounds.log.rekeyed(world.name(0), 2)
        member.rounds.bind(commit(0), own=True)
    assert (member.rounds.lock.locked, member.rounds.lock.valid_round, member.rounds.bound) == (ONE, 0, None)


def test_a_value_that_is_sought_finds_room_beside_what_a_thief_proposed() -> None:
    member = started()
    member.rounds.bind(commit(0), own=True)
    member.rounds.log.rekeyed(world.name(0), 2)
    for at in range(3, 20):
        member.hear(0, propose(0, bytes([at])), version=1)
    member.hear(0, propose(0), version=1)
    assert member.rounds.lock.locked == ONE
    assert len(member.rounds.log.rounds[0].former.proposals) == 3


def test_what_left_with_its_key_is_not_prepared() -> None:
    member = started()
    member.rounds.log.rekeyed(world.name(0), 2)
    assert member.hear(0, propose(0), version=1) == []


def test_commits_decide_a_value_whose_proposer_left_its_key() -> None:
    member = started()
    member.rounds.log.rekeyed(world.name(0), 2)
    member.hear(0, propose(0), version=1)
    member.hear_all([2, 3], commit(0))
    member.hear(0, commit(0), version=2)
    assert member.rounds.decided is not None


def test_who_lost_its_store_says_nothing_in_rounds_of_which_peers_bring_its_votes_back() -> None:
    member = started(ledger=Ledger(waits=None))
    member.rounds.bind(prepare(1, H2), own=False)
    assert member.hear(0, propose(0)) == []
    member.hear_all([0, 2], prepare(2, NOTHING))
    assert member.hear(2, propose(2)) == [prepare(2)]


def test_a_thief_of_an_older_key_mutes_its_owner_for_no_more_than_it_said() -> None:
    """And never makes it say anything."""
    member = started()
    member.hear(0, propose(0))
    member.rounds.bind(prepare(1 << 60), own=False)
    member.rounds.bind(prepare(0, H2), own=False)
    member.hear_all([0, 2], prepare(1, NOTHING))
    assert propose(1) in member.said


def test_who_is_muted_goes_from_round_to_round_with_the_others() -> None:
    member = started()
    member.rounds.bind(prepare(3), own=False)
    member.hear_all([0, 2, 3], commit(0, NOTHING))
    assert member.after(PACE.commit_ms) == []
    assert member.rounds.round == 1


# ---- memory


def test_a_liar_that_invents_rounds_fills_no_more_than_its_share() -> None:
    member = started()
    for round_ in range(100, 400):
        member.hear(3, prepare(round_, NOTHING))
    assert sorted(member.rounds.log.rounds) == [396, 397, 398, 399]
    member.hear(3, prepare(200, NOTHING))
    assert len(member.rounds.log.rounds) == 4


def test_a_proposer_that_proposes_without_end_fills_no_more_than_two() -> None:
    member = started()
    for at in range(50):
        member.hear(0, propose(0, bytes([at])))
    assert len(member.rounds.log.proposals(0)) == 2


def test_what_an_honest_group_prepared_finds_room_beside_what_a_liar_proposed() -> None:
    member = started()
    member.hear(0, propose(0, JUNK))
    member.hear(0, propose(0, JUNK + b"2"))
    member.hear_all([2, 3], prepare(0, H2))
    member.hear(0, propose(0, TWO))
    assert TWO in [one.value for one in member.rounds.log.proposals(0)]


def test_rounds_far_behind_are_forgotten() -> None:
    member = started()
    for round_ in range(0, 1_200, 8):
        member.hear_all([2, 3], commit(round_, NOTHING))
    assert member.rounds.round == 1_192
    assert min(member.rounds.log.rounds) == 1_192 - 512
    member.hear(2, prepare(3))
    assert 3 not in member.rounds.log.rounds
