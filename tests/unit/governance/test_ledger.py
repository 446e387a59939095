"""The ledger: who decides, when, and what old, few, late or foreign ballots do not do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from governance.broken import Rule, RuleError
from governance.epochs import Enacted
from governance.intake import (
    BALLOTS_PER_MEMBER_MAX,
    EARLY_PER_MEMBER_MAX,
    HELD_PER_MEMBER_MAX,
    PROPOSALS_PER_MEMBER_MAX,
)
from governance.ledger import Ledger
from governance.proposals import Admit, Change, Proposal, Regroup, Reinstate, Rekey, Remove, Retune, SealedProposal
from governance.proposals import Suspend as SuspendSeat
from governance.standing import Standing, State
from governance.values import Suspect, Value, epoch_hash
from protocol.errors import Code, ProtocolError
from protocol.ids import Digest, EpochHash, GroupName, MemberName
from protocol.membership import DAY_MS, Epoch
from tests.unit.governance.members import (
    NOW,
    agreed,
    cold,
    commits,
    epoch,
    fork,
    keyset,
    lookup,
    name_of,
    names,
    proposal,
    sealed,
    value,
    vote,
)

M1, M2, M3 = map(name_of, (1, 2, 3))
NEW = MemberName("m9")
JOIN = Admit(NEW, GroupName(NEW), cold(NEW).public)
STRICTER = Retune(halt="n")
DUE = NOW + 3 * DAY_MS
"""When a change that passed at NOW is ordered."""
LOOSE = NOW + 7 * DAY_MS


def ledger_of(of: Epoch) -> Ledger:
    made = Ledger(of)
    for seat in of.members:
        made.keyset_heard(keyset(seat.name))
    return made


def told(books: Ledger, made: Proposal, at_ms: int = NOW) -> SealedProposal:
    found = sealed(books.epoch, made)
    books.take(found.raw, at_ms)
    return found


def vote_all(books: Ledger, on: SealedProposal, who: Iterable[str], at_ms: int = NOW, yes: bool = True) -> None:
    for name in who:
        books.take(vote(books.epoch, on, name, yes).raw, at_ms)


def standing(books: Ledger, on: SealedProposal, at_ms: int = NOW, restricted: bool = False) -> Standing:
    return next(one for one in books.standings(at_ms, restricted) if one.sealed.hash == on.hash)


def passed(books: Ledger, change: Change, who: Iterable[str] | None = None, at_ms: int = NOW) -> SealedProposal:
    """Proposed and voted for by these, or by everybody."""
    signers = [cold(NEW)] if isinstance(change, Admit) else []
    opened_ms = max(at_ms, books.epoch.activates_ms)
    made = agreed(books.epoch, change, *signers, opened_ms=opened_ms, closes_ms=opened_ms + 10 * DAY_MS)
    on = told(books, made, opened_ms)
    for seat in books.epoch.members if who is None else [books.epoch.by_name[MemberName(name)] for name in who]:
        books.take(vote(books.epoch, on, seat.name, cast_ms=opened_ms).raw, opened_ms)
    return on


def order(books: Ledger, made: Value, at_ms: int) -> Enacted:
    """As rounds do: a quorum commits, each node makes or takes the certificate."""
    who = [seat.name for seat in books.epoch.members]
    certificate = books.certificate(made, commits(books.epoch, made, who), lookup)
    assert certificate is not None
    return books.enter(certificate, at_ms)


def ready(books: Ledger, at_ms: int, restricted: bool = False) -> Value:
    found = books.ready(at_ms, restricted)
    assert found is not None
    return found


# --- passing


def test_a_proof_that_others_cannot_check_holds_up_no_proposal_for_ever() -> None:
    books = ledger_of(epoch(4))
    on = told(books, proposal(books.epoch, STRICTER))
    vote_all(books, on, ("m0", "m1", "m2"))
    assert books.convict(*fork("m3"))
    due_ms = NOW + 4 * DAY_MS
    made = [books.ready(due_ms, False, turn) for turn in range(3)]
    assert [(len(one.proposals), len(one.proofs)) for one in made if one is not None] == [(1, 1), (0, 1), (1, 0)]


def test_where_nothing_came_of_all_at_once_each_is_proposed_alone_in_turn() -> None:
    """Others may not find one of them ready: ballots and vetoes come in another order there."""
    books = ledger_of(epoch(4))
    first = told(books, proposal(books.epoch, STRICTER))
    second = told(books, proposal(books.epoch, Retune(lease_halt_ms=60_000)))
    for on in (first, second):
        vote_all(books, on, ("m0", "m1", "m2"))
    due_ms = NOW + 4 * DAY_MS
    made = [books.ready(due_ms, False, turn) for turn in range(4)]
    alone = sorted([(first.hash,), (second.hash,)])
    assert [len(one.proposals) for one in made if one is not None] == [2, 1, 1, 1]
    assert sorted(one.proposals for one in made[1:3] if one is not None) == alone
    assert made[3] == made[1]


def test_a_quorum_of_yes_passes_it_and_the_delay_runs_from_when_it_is_held() -> None:
    books = ledger_of(epoch(4))
    on = told(books, proposal(books.epoch, STRICTER))
    vote_all(books, on, ("m0", "m1"))
    assert standing(books, on).state is State.OPEN
    assert standing(books, on).count.missing == ("m2", "m3")
    vote_all(books, on, ("m2",), at_ms=NOW + DAY_MS)
    assert (standing(books, on).passed_ms, standing(books, on).due_ms) == (NOW + DAY_MS, NOW + 4 * DAY_MS)
    assert books.ready(NOW + 4 * DAY_MS - 1, False) is None
    assert ready(books, NOW + 4 * DAY_MS).proposals == (on.hash,)


def test_a_hidden_ballot_does_not_eat_the_delay() -> None:
    """A liar casts the deciding yes on the first day and shows it on the ninth: the others still have their days."""
    books = ledger_of(epoch(4))
    on = told(books, proposal(books.epoch, STRICTER))
    vote_all(books, on, ("m0", "m1"))
    books.take(vote(books.epoch, on, "m3", cast_ms=NOW + 1).raw, NOW + 9 * DAY_MS)
    assert standing(books, on, NOW + 9 * DAY_MS).due_ms == NOW + 12 * DAY_MS


def test_arrival_order_leaves_no_trace_in_what_passed() -> None:
    of = epoch(4)
    on = sealed(of, proposal(of, STRICTER))
    first = [vote(of, on, name, cast_ms=NOW + at) for at, name in enumerate(("m0", "m1", "m2"), 1)]
    later = [vote(of, on, "m0", False, ballot_no=1, cast_ms=NOW + 9)]
    for rows in ([*first, *later], [*later, *first]):
        books = ledger_of(of)
        for one in rows[:2]:
            books.take(one.raw, NOW)
        books.take(on.raw, NOW)
        for one in rows[2:]:
            books.take(one.raw, NOW)
        assert standing(books, on).passed_ms == NOW


def test_who_takes_its_yes_back_before_the_quorum_is_no_yes() -> None:
    books = ledger_of(epoch(4))
    on = told(books, proposal(books.epoch, STRICTER))
    books.take(vote(books.epoch, on, "m0", cast_ms=NOW + 1).raw, NOW)
    books.take(vote(books.epoch, on, "m0", False, ballot_no=1, cast_ms=NOW + 2).raw, NOW)
    for name in ("m1", "m2"):
        books.take(vote(books.epoch, on, name, cast_ms=NOW + 3).raw, NOW)
    assert standing(books, on).passed_ms is None


def test_a_voters_clock_does_not_run_back_from_one_ballot_to_the_next() -> None:
    """A no that is dated before the yes it replaces is still the later one."""
    books = ledger_of(epoch(4))
    on = told(books, proposal(books.epoch, STRICTER))
    books.take(vote(books.epoch, on, "m0", cast_ms=NOW + 5).raw, NOW)
    books.take(vote(books.epoch, on, "m0", False, ballot_no=1, cast_ms=NOW + 1).raw, NOW)
    for name in ("m1", "m2"):
        books.take(vote(books.epoch, on, name, cast_ms=NOW + 3).raw, NOW)
    assert standing(books, on).passed_ms is None


def test_once_passed_no_later_ballot_takes_the_quorum_back() -> None:
    books = ledger_of(epoch(7))
    on = passed(books, STRICTER, names(5))
    books.take(vote(books.epoch, on, "m0", False, ballot_no=1, cast_ms=NOW + 9).raw, NOW)
    backdated = vote(books.epoch, on, "m1", False, ballot_no=1, cast_ms=NOW)
    books.take(backdated.raw, NOW)
    assert standing(books, on, DUE).state is State.READY
    assert standing(books, on, DUE).count.no == ("m0", "m1")


def test_more_than_a_third_veto_it_within_its_delay_and_not_after() -> None:
    def story(at_ms: int) -> State:
        books = ledger_of(epoch(7))
        on = passed(books, STRICTER, names(5))
        for name in ("m0", "m5", "m6"):
            books.take(vote(books.epoch, on, name, False, ballot_no=1, cast_ms=at_ms).raw, at_ms)
        return standing(books, on, DUE + 2).state

    assert story(DUE - 1) is State.VETOED
    assert story(DUE + 1) is State.READY


def test_f_liars_veto_nothing() -> None:
    books = ledger_of(epoch(7))
    on = passed(books, STRICTER, names(5))
    for name in ("m5", "m6"):
        vote_all(books, on, (name,), yes=False)
    assert standing(books, on, DUE).state is State.READY


def test_a_group_says_yes_only_if_none_of_its_ballots_is_no() -> None:
    books = ledger_of(epoch(5, {"m4": "m3"}))
    on = told(books, proposal(books.epoch, STRICTER))
    vote_all(books, on, ("m0", "m1", "m3"))
    assert standing(books, on).passed_ms == NOW
    split = ledger_of(epoch(5, {"m4": "m3"}))
    other = told(split, proposal(split.epoch, STRICTER))
    vote_all(split, other, ("m4",), yes=False)
    vote_all(split, other, ("m0", "m1", "m3"))
    assert standing(split, other).passed_ms is None
    assert standing(split, other).count.no == ("m3",)


def test_ballots_cast_after_closing_pass_nothing() -> None:
    books = ledger_of(epoch(4))
    on = told(books, proposal(books.epoch, STRICTER))
    vote_all(books, on, ("m0", "m1"))
    late = on.proposal.closes_ms + 1
    books.take(vote(books.epoch, on, "m2", cast_ms=late).raw, late)
    assert standing(books, on, late).state is State.FAILED


def test_a_suspended_seat_still_ballots() -> None:
    of = epoch(4)
    muted = replace(of, members=tuple(replace(one, suspended=one.name == M3) for one in of.members))
    books = ledger_of(muted)
    on = passed(books, STRICTER, ("m0", "m1", "m3"))
    assert standing(books, on).passed_ms is not None


def test_conflicts_of_interest_are_shown_beside_the_vote() -> None:
    books = ledger_of(epoch(4))
    on = told(books, proposal(books.epoch, Remove(M3)))
    books.take(vote(books.epoch, on, "m1", conflict="we compete with m3").raw, NOW)
    (shown,) = standing(books, on).ballots
    assert (shown.member, shown.conflict) == ("m1", "we compete with m3")


def test_of_two_ballots_of_one_number_the_lower_hash_holds() -> None:
    of = epoch(4)
    on = sealed(of, proposal(of, STRICTER))
    one, other = sorted((vote(of, on, "m1"), vote(of, on, "m1", False)), key=lambda ballot: ballot.hash)
    for rows in ((one, other), (other, one)):
        books = ledger_of(of)
        books.take(on.raw, NOW)
        for ballot in rows:
            books.take(ballot.raw, NOW)
        assert standing(books, on).ballots == (one.ballot,)


def test_a_ballot_of_a_stranger_or_a_stolen_hot_key_is_refused() -> None:
    """Hot keys order; only cold keys decide."""
    books = ledger_of(epoch(4))
    on = told(books, proposal(books.epoch, STRICTER))
    stranger = vote(books.epoch, on, "m9")
    with pytest.raises(ProtocolError) as caught:
        books.take(stranger.raw, NOW)
    assert caught.value.code is Code.UNKNOWN_AUTHOR
    forged = vote(books.epoch, on, "m1", member=M2)
    with pytest.raises(ProtocolError):
        books.take(forged.raw, NOW)
    assert standing(books, on).ballots == ()


# --- other epochs


def test_old_ballots_too_few_for_the_larger_quorum_pass_nothing_later() -> None:
    """Four yes of seven fail; two members leave, Q falls to four, and the same four ballots are still too few."""
    books = ledger_of(epoch(7))
    join = passed(books, JOIN, names(4))
    for gone in ("m5", "m6"):
        passed(books, Remove(MemberName(gone)))
    order(books, ready(books, LOOSE), LOOSE)
    assert (books.epoch.n, books.epoch.q) == (5, 4)
    assert standing(books, join, LOOSE).needed == 5
    assert standing(books, join, LOOSE).passed_ms is None
    vote_all(books, join, ("m4",), at_ms=LOOSE)
    assert standing(books, join, LOOSE).passed_ms == LOOSE


def test_ballots_of_a_group_that_left_pass_nothing_later() -> None:
    books = ledger_of(epoch(7))
    join = passed(books, JOIN, ("m0", "m1", "m2", "m5"))
    passed(books, Remove(MemberName("m5")))
    order(books, ready(books, LOOSE), LOOSE)
    assert standing(books, join, LOOSE).count.yes == ("m0", "m1", "m2")
    gone = vote(books.epoch, join, "m5", ballot_no=1)
    with pytest.raises(ProtocolError):
        books.take(gone.raw, LOOSE)


def test_a_network_that_grew_asks_for_its_own_quorum() -> None:
    books = ledger_of(epoch(4))
    older = told(books, proposal(books.epoch, Remove(M3)))
    vote_all(books, older, ("m0", "m1"))
    passed(books, JOIN)
    order(books, ready(books, DUE), DUE)
    vote_all(books, older, ("m2",), at_ms=DUE)
    assert (standing(books, older, DUE).needed, standing(books, older, DUE).passed_ms) == (4, None)
    vote_all(books, older, ("m3",), at_ms=DUE)
    assert standing(books, older, DUE).passed_ms == DUE


def test_a_merge_makes_no_old_ballots_enough() -> None:
    """Merging groups lowers n and with it what is needed; four old ballots stay four of the larger quorum."""
    books = ledger_of(epoch(7))
    join = passed(books, JOIN, names(4))
    passed(books, Regroup((MemberName("m6"),), GroupName("m5")))
    order(books, ready(books, LOOSE), LOOSE)
    assert (books.epoch.n, books.epoch.q) == (6, 5)
    assert standing(books, join, LOOSE).needed == 5
    assert standing(books, join, LOOSE).passed_ms is None


def test_a_newcomers_ballot_counts_for_later_proposals_alone() -> None:
    books = ledger_of(epoch(4))
    older = told(books, proposal(books.epoch, STRICTER, closes_ms=NOW + 20 * DAY_MS))
    passed(books, JOIN)
    made = order(books, ready(books, DUE), DUE).epoch
    assert made.by_name[NEW].since == 1
    vote_all(books, older, ("m0", "m1", NEW), at_ms=DUE)
    assert standing(books, older, DUE).count.yes == ("m0", "m1")
    newer = passed(books, Remove(M3), at_ms=DUE)
    assert NEW in standing(books, newer, DUE).count.yes


def test_a_passed_proposal_goes_on_in_the_next_epoch() -> None:
    books = ledger_of(epoch(4))
    passed(books, JOIN)
    passed(books, SuspendSeat(M3))
    first = ready(books, DUE)
    assert len(first.proposals) == 1
    order(books, first, DUE)
    assert ready(books, DUE + 1).proposals != first.proposals
    assert [one.state for one in books.standings(DUE + 1)] == [State.READY]
    order(books, ready(books, DUE + 1), DUE + 1)
    assert (books.epoch.number, books.epoch.n, books.epoch.may_count(M3)) == (2, 5, False)


def test_a_ballot_by_a_key_that_was_replaced_since_is_gone() -> None:
    books = ledger_of(epoch(4))
    older = told(books, proposal(books.epoch, STRICTER))
    vote_all(books, older, ("m0", "m1"))
    change = Rekey(M1, cold("m1", 1).public)
    told(books, agreed(books.epoch, change, cold("m1", 1), cold("m1")))
    order(books, ready(books, NOW), NOW)
    assert standing(books, older).count.yes == ("m0",)


def test_a_proposal_of_an_epoch_to_come_waits_until_this_node_is_there() -> None:
    ahead, behind = ledger_of(epoch(4)), ledger_of(epoch(4))
    join = passed(ahead, JOIN)
    made = ready(ahead, DUE)
    certificate = ahead.certificate(made, commits(ahead.epoch, made, names(4)), lookup)
    assert certificate is not None
    ahead.enter(certificate, DUE)
    later = sealed(ahead.epoch, proposal(ahead.epoch, STRICTER, opened_ms=DUE, closes_ms=DUE + DAY_MS))
    assert behind.take(later.raw, DUE) is None
    assert behind.standings(DUE) == ()
    behind.enter(certificate, DUE)
    assert [one.sealed.hash for one in behind.standings(DUE)] == [later.hash]
    assert join.hash not in {one.sealed.hash for one in ahead.standings(DUE)}


def test_a_proposal_that_nobody_ordered_in_time_is_over() -> None:
    books = ledger_of(epoch(4))
    on = passed(books, STRICTER)
    end = standing(books, on).ends_ms
    assert standing(books, on, end).state is State.READY
    assert standing(books, on, end + 1).state is State.OVER
    assert books.ready(end + 1, False) is None


# --- proofs


def test_a_proof_needs_no_ballot_and_no_delay_and_lowers_no_threshold() -> None:
    books = ledger_of(epoch(7))
    assert books.convict(*fork("m3"))
    made = ready(books, NOW)
    assert made.proofs == (Suspect(M3, 1),)
    before = books.epoch
    after = order(books, made, NOW).epoch
    assert not after.may_count(M3)
    assert (after.n, after.q, after.thresholds) == (before.n, before.q, before.thresholds)
    assert books.ready(NOW + 1, False) is None


def test_a_suspended_seats_commits_still_count() -> None:
    """If more than f seats were suspended and their Commits counted nothing, nobody could ever be reinstated."""
    books = ledger_of(epoch(4))
    books.convict(*fork("m3"))
    order(books, ready(books, NOW), NOW)
    books.keyset_heard(keyset("m3", 2))
    passed(books, Reinstate(M3), at_ms=NOW + 10)
    at_ms = NOW + 4 * DAY_MS
    made = ready(books, at_ms)
    certificate = books.certificate(made, commits(books.epoch, made, ("m0", "m1", "m3")), lookup)
    assert certificate is not None
    assert books.enter(certificate, at_ms).epoch.may_count(M3)


def test_a_proof_against_a_replaced_key_is_shown_and_suspends_nobody() -> None:
    """A retired key, stolen later, re-signs an old seq: its honest owner must not be suspended in an incident."""
    books = ledger_of(epoch(4))
    books.keyset_heard(keyset("m3", 2))
    assert not books.convict(*fork("m3", 1))
    assert [suspect for suspect, _ in books.proofs] == [Suspect(M3, 1)]
    assert books.ready(NOW, False) is None
    named = value(books.epoch, proofs=(Suspect(M3, 1),), activates_ms=NOW)
    assert books.acceptable(named, NOW, False).startswith("unproven")


def test_two_entries_that_fork_nothing_convict_nobody() -> None:
    books = ledger_of(epoch(4))
    one, _ = fork("m3")
    with pytest.raises(ProtocolError):
        books.convict(one, one)
    with pytest.raises(ProtocolError):
        books.convict(one, fork("m2")[1])


def test_a_value_with_a_proof_that_this_node_lacks_is_not_prepared() -> None:
    books = ledger_of(epoch(4))
    named = value(books.epoch, proofs=(Suspect(M3, 1),), activates_ms=NOW)
    assert books.acceptable(named, NOW, False).startswith("unproven")


def test_who_is_reinstated_needs_a_fresh_key() -> None:
    books = ledger_of(epoch(4))
    books.convict(*fork("m3"))
    order(books, ready(books, NOW), NOW)
    on = passed(books, Reinstate(M3), at_ms=NOW + 10)
    at_ms = NOW + 4 * DAY_MS
    assert standing(books, on, at_ms).state is State.KEY
    books.keyset_heard(keyset("m3", 2))
    assert standing(books, on, at_ms).state is State.READY


# --- incidents


def test_what_loosens_waits_for_an_incident_to_end_and_seven_days_at_most() -> None:
    books = ledger_of(epoch(4))
    on = passed(books, Remove(M3))
    assert standing(books, on, LOOSE, restricted=True).state is State.INCIDENT
    assert books.ready(LOOSE, True) is None
    assert ready(books, LOOSE).proposals == (on.hash,)
    assert books.acceptable(ready(books, LOOSE), LOOSE, True).startswith("incident")
    assert ready(books, LOOSE + 7 * DAY_MS, restricted=True).proposals == (on.hash,)


def test_an_incident_holds_up_no_tightening_no_suspension_and_no_newcomer() -> None:
    """What an alarm could hold up for ever would protect the liar who raised it."""
    for change in (STRICTER, SuspendSeat(M3), JOIN):
        books = ledger_of(epoch(4))
        on = passed(books, change)
        assert ready(books, DUE, restricted=True).proposals == (on.hash,)
    books = ledger_of(epoch(4))
    books.convict(*fork("m3"))
    assert books.ready(NOW, True) is not None


def test_a_suspended_seat_is_removed_in_an_incident_as_well() -> None:
    books = ledger_of(epoch(4))
    books.convict(*fork("m3"))
    order(books, ready(books, NOW), NOW)
    on = passed(books, Remove(M3), at_ms=NOW + 10)
    assert ready(books, NOW + 10 + 3 * DAY_MS, restricted=True).proposals == (on.hash,)


# --- values


def test_a_value_of_another_parent_number_or_time_is_not_prepared() -> None:
    books = ledger_of(epoch(4))
    passed(books, STRICTER)
    made = ready(books, DUE)
    assert books.acceptable(made, DUE, False) == ""
    for odd in (
        replace(made, parent=EpochHash(bytes(32))),
        replace(made, number=2),
        replace(made, activates_ms=DUE + 60_001),
        replace(made, activates_ms=books.epoch.activates_ms),
        replace(made, activates_ms=DUE - 1),
        replace(made, proposals=(Digest(bytes(32)),)),
    ):
        assert books.acceptable(odd, DUE, False) != "", odd


def test_what_has_not_passed_or_is_not_due_here_is_not_prepared() -> None:
    books = ledger_of(epoch(4))
    on = told(books, proposal(books.epoch, STRICTER))
    named = value(books.epoch, [on.hash], activates_ms=DUE)
    assert books.acceptable(named, DUE, False).startswith("open")
    vote_all(books, on, names(3), at_ms=NOW + DAY_MS)
    assert books.acceptable(named, DUE, False).startswith("waiting")
    assert books.acceptable(named, NOW + 4 * DAY_MS, False) == ""


def test_a_vetoed_value_is_not_prepared_here_and_still_proven_once_a_quorum_committed() -> None:
    """A veto that one node saw in time and the others did not: it follows them."""
    books = ledger_of(epoch(4))
    on = told(books, proposal(books.epoch, STRICTER))
    books.take(vote(books.epoch, on, "m2", cast_ms=NOW + 1).raw, NOW)
    books.take(vote(books.epoch, on, "m2", False, ballot_no=1, cast_ms=NOW + 2).raw, NOW)
    for name in ("m0", "m1"):
        books.take(vote(books.epoch, on, name, cast_ms=NOW + 3).raw, NOW)
    named = value(books.epoch, [on.hash], activates_ms=DUE)
    assert books.acceptable(named, DUE, False).startswith("open")
    certificate = books.certificate(named, commits(books.epoch, named, names(3)), lookup)
    assert certificate is not None
    assert books.enter(certificate, DUE).epoch.number == 1


def test_one_epoch_takes_as_much_as_may_change_at_once() -> None:
    books = ledger_of(epoch(4))
    first = passed(books, SuspendSeat(M3))
    passed(books, Remove(M2), at_ms=NOW + 1)
    tune = passed(books, STRICTER, at_ms=NOW + 2)
    assert set(ready(books, LOOSE + 9).proposals) == {first.hash, tune.hash}


def test_proofs_go_first() -> None:
    books = ledger_of(epoch(4))
    passed(books, SuspendSeat(M2))
    books.convict(*fork("m3"))
    assert ready(books, DUE) == value(books.epoch, proofs=(Suspect(M3, 1),), activates_ms=DUE)


def test_two_nodes_with_other_ballots_have_one_epoch() -> None:
    one, other = ledger_of(epoch(7)), ledger_of(epoch(7))
    made = proposal(one.epoch, STRICTER)
    on, _ = told(one, made), told(other, made)
    vote_all(one, on, names(5))
    vote_all(other, on, names(5, 2))
    first, second = ready(one, DUE), ready(other, DUE)
    assert first == second
    mine, theirs = order(one, first, DUE).epoch, order(other, second, DUE).epoch
    assert mine == theirs
    assert mine.hash == epoch_hash(mine.network, first)


def test_who_lacks_a_ballot_makes_no_certificate_and_takes_anothers() -> None:
    one, other = ledger_of(epoch(4)), ledger_of(epoch(4))
    on = passed(one, STRICTER)
    other.take(on.raw, NOW)
    made = ready(one, DUE)
    said = commits(one.epoch, made, names(3))
    assert other.certificate(made, said, lookup) is None
    certificate = one.certificate(made, said, lookup)
    assert certificate is not None
    assert other.enter(certificate, DUE).epoch == one.enter(certificate, DUE).epoch


# --- bounds


def test_a_member_has_so_many_open_proposals() -> None:
    books = ledger_of(epoch(4))
    for at in range(PROPOSALS_PER_MEMBER_MAX):
        told(books, proposal(books.epoch, Retune(silence_ms=at + 1)))
    with pytest.raises(ProtocolError) as caught:
        told(books, proposal(books.epoch, Retune(silence_ms=99)))
    assert caught.value.code is Code.AUTHOR_OVER_BUDGET
    told(books, proposal(books.epoch, Retune(silence_ms=99), author="m1"))


def test_failed_proposals_make_room_and_are_forgotten_in_their_turn() -> None:
    books = ledger_of(epoch(4))
    for at in range(HELD_PER_MEMBER_MAX + 3):
        opened_ms = NOW + 10 * at
        made = proposal(books.epoch, Retune(silence_ms=at + 1), opened_ms=opened_ms, closes_ms=opened_ms + 1)
        told(books, made, opened_ms + 5)
    assert len(books.standings(NOW)) == HELD_PER_MEMBER_MAX


def test_who_votes_on_what_nobody_knows_loses_its_own_oldest_ballots() -> None:
    books = ledger_of(epoch(4))
    on = sealed(books.epoch, proposal(books.epoch, STRICTER))
    books.take(vote(books.epoch, on, "m1").raw, NOW)
    books.take(vote(books.epoch, on, "m2").raw, NOW)
    for at in range(EARLY_PER_MEMBER_MAX):
        books.take(vote(books.epoch, on, "m1", proposal=Digest(at.to_bytes(32, "big"))).raw, NOW)
    books.take(on.raw, NOW)
    assert standing(books, on).count.yes == ("m2",)


def test_a_member_has_so_many_ballots_on_what_is_open() -> None:
    books = ledger_of(epoch(7))
    rows = [
        told(books, proposal(books.epoch, Retune(silence_ms=8 * at + more + 1), author=f"m{at}"))
        for at in range(5)
        for more in range(PROPOSALS_PER_MEMBER_MAX)
    ]
    room = BALLOTS_PER_MEMBER_MAX
    for on in rows:
        for number in range(16):
            ballot = vote(books.epoch, on, "m1", False, ballot_no=number).raw
            if room:
                books.take(ballot, NOW)
                room -= 1
                continue
            with pytest.raises(ProtocolError) as caught:
                books.take(ballot, NOW)
            assert caught.value.code is Code.AUTHOR_OVER_BUDGET
    vote_all(books, rows[0], ("m2",))


def test_a_proposal_makes_one_epoch_however_often_it_is_told() -> None:
    """Reinstated by ballots, suspended again by a proof: the old ballots are still at every node, and in no time."""
    books = ledger_of(epoch(4))
    books.convict(*fork("m3"))
    order(books, ready(books, NOW), NOW)
    books.keyset_heard(keyset("m3", 2))
    back = passed(books, Reinstate(M3), at_ms=NOW + 10)
    rows = [vote(books.epoch, back, seat.name, cast_ms=NOW + 10).raw for seat in books.epoch.members]
    at_ms = NOW + 4 * DAY_MS
    order(books, ready(books, at_ms), at_ms)
    books.convict(*fork("m3", 2))
    made = ready(books, at_ms + 1)
    certificate = books.certificate(made, commits(books.epoch, made, names(4)), lookup)
    assert certificate is not None
    books.enter(certificate, at_ms + 1)
    assert not books.epoch.may_count(M3)
    for raw in rows:
        books.take(raw, at_ms + 2)
    with pytest.raises(RuleError) as caught:
        books.take(back.raw, at_ms + 2)
    assert caught.value.rule is Rule.ONCE


def test_a_lost_key_moves_by_the_ballots_of_the_others() -> None:
    books = ledger_of(epoch(4))
    change = Rekey(M3, cold("m3", 1).public)
    on = told(books, agreed(books.epoch, change, cold("m3", 1)))
    vote_all(books, on, ("m0", "m1", "m3"))
    assert standing(books, on).passed_ms is None
    vote_all(books, on, ("m2",))
    assert standing(books, on).due_ms == LOOSE
    made = order(books, ready(books, LOOSE), LOOSE).epoch
    assert made.by_name[M3].governance_key == cold("m3", 1).public


def test_what_a_quorum_prepared_is_not_refused_for_a_veto_that_only_we_saw() -> None:
    books = ledger_of(epoch(4))
    on = passed(books, STRICTER, names(3))
    named = value(books.epoch, [on.hash], activates_ms=DUE)
    for name in ("m2", "m3"):
        books.take(vote(books.epoch, on, name, False, ballot_no=1, cast_ms=NOW + 2).raw, NOW + 2)
    assert books.acceptable(named, DUE, False).startswith("vetoed")
    assert books.acceptable(named, DUE, False, prepared=True) == ""


def test_what_has_not_passed_anywhere_is_refused_whoever_prepared_it() -> None:
    books = ledger_of(epoch(4))
    on = passed(books, STRICTER, names(2))
    named = value(books.epoch, [on.hash], activates_ms=DUE)
    assert books.acceptable(named, DUE, False, prepared=True).startswith("short-of-quorum")


def test_a_key_that_is_forked_again_after_it_was_replaced_takes_no_proof_from_a_decided_value() -> None:
    """Its owner rotates and forks anew while the value that suspends it for the first fork is being ordered."""
    books = ledger_of(epoch(4))
    books.convict(*fork("m3", 1))
    named = ready(books, NOW)
    books.keyset_heard(keyset("m3", 2))
    books.convict(*fork("m3", 2))
    made = books.certificate(named, commits(books.epoch, named, names(3)), lookup)
    assert made is not None
    assert books.enter(made, NOW).value.proofs == (Suspect(M3, 1),)


def test_a_no_that_was_there_in_time_is_not_made_late_by_another_of_its_number() -> None:
    """Of two of one number the lower hash holds; told after the delay, it took the veto that stood before."""
    books = ledger_of(epoch(4))
    on = passed(books, STRICTER, names(3))
    noes = [vote(books.epoch, on, "m3", False, ballot_no=1, cast_ms=NOW + at) for at in range(1, 9)]
    noes.sort(key=lambda one: one.hash)
    books.take(noes[-1].raw, NOW + 10)
    books.take(vote(books.epoch, on, "m2", False, ballot_no=1, cast_ms=NOW + 2).raw, NOW + 10)
    assert standing(books, on, DUE + 1).state is State.VETOED
    books.take(noes[0].raw, DUE + 2)
    assert standing(books, on, DUE + 3).state is State.VETOED
