"""What a change may do: each rule by its name, each with the attack it answers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from governance import rules
from governance.broken import Rule, RuleError
from governance.changes import LEFT_MAX, PAST_MAX, next_epoch, term_ends_ms
from governance.proposals import (
    Admit,
    Change,
    Proposal,
    Regroup,
    Reinstate,
    Rekey,
    Remove,
    Retune,
    Sources,
    Suspend,
    consent,
)
from governance.values import Suspect
from protocol.errors import Code, ProtocolError
from protocol.ids import Digest, EpochHash, GroupName, MemberName, PublicKey, SourceId
from protocol.membership import DAY_MS, Epoch, OracleFeed, Source
from protocol.messages import Level
from protocol.subjects import oracle
from tests.unit.governance.members import NOW, agreed, cold, epoch, name_of, proposal, value

FOUR, SEVEN = epoch(4), epoch(7)
M1, M2, M3, M6 = map(name_of, (1, 2, 3, 6))
NEW = MemberName("m9")
JOIN = Admit(NEW, GroupName(NEW), cold(NEW).public)
HALT_OF_N = Retune(halt="n")


def broken(of: Epoch, made: Proposal) -> Rule:
    with pytest.raises(RuleError) as caught:
        rules.judge(of, made, NOW)
    assert caught.value.code is Code.BREAKS_RULE
    assert caught.value.detail.startswith(caught.value.rule.value)
    return caught.value.rule


def after(of: Epoch, *changes: Change, at_ms: int = NOW + 20 * DAY_MS) -> Epoch:
    made = {Digest(bytes([at]) * 32): proposal(of, change) for at, change in enumerate(changes)}
    return next_epoch(of, value(of, made, activates_ms=at_ms), made)


def convicted(of: Epoch, name: str, version: int = 1) -> Epoch:
    return next_epoch(of, value(of, proofs=(Suspect(MemberName(name), version),)), {})


def suspended(of: Epoch, *who: MemberName) -> Epoch:
    return replace(of, members=tuple(replace(one, suspended=one.name in who) for one in of.members))


def rekeying(of: Epoch, member: MemberName, *, with_old: bool = True, which: int = 1) -> Proposal:
    change = Rekey(member, cold(member, which).public)
    signers = [cold(member, which), cold(member)] if with_old else [cold(member, which)]
    return agreed(of, change, *signers)


# --- time and place


def test_a_proposal_is_open_for_thirty_days_at_most() -> None:
    made = proposal(FOUR, HALT_OF_N)
    rules.judge(FOUR, replace(made, closes_ms=NOW + 30 * DAY_MS), NOW)
    assert broken(FOUR, replace(made, closes_ms=NOW + 30 * DAY_MS + 1)) is Rule.CLOSES
    assert broken(FOUR, replace(made, closes_ms=made.opened_ms)) is Rule.CLOSES


def test_a_proposal_opens_in_the_epoch_that_it_names() -> None:
    made = proposal(FOUR, HALT_OF_N, opened_ms=FOUR.activates_ms - 1, closes_ms=NOW + DAY_MS)
    assert broken(FOUR, made) is Rule.CLOSES


def test_a_proposal_of_another_chain_or_a_long_gone_epoch_is_nobodys_fault() -> None:
    with pytest.raises(ProtocolError) as caught:
        rules.judge(FOUR, proposal(FOUR, HALT_OF_N, parent=EpochHash(bytes(32))), NOW)
    assert caught.value.code is Code.WRONG_EPOCH
    with pytest.raises(ProtocolError) as caught:
        rules.judge(FOUR, proposal(FOUR, HALT_OF_N), NOW + 60 * DAY_MS)
    assert caught.value.code is Code.WRONG_EPOCH


def test_who_has_no_seat_proposes_nothing() -> None:
    with pytest.raises(ProtocolError) as caught:
        rules.judge(FOUR, proposal(FOUR, HALT_OF_N, author=NEW), NOW)
    assert caught.value.code is Code.UNKNOWN_AUTHOR


def test_an_impossible_proposal_is_not_even_sealed() -> None:
    with pytest.raises(RuleError):
        rules.propose(FOUR, cold("m0"), proposal(FOUR, Remove(NEW)), NOW)
    with pytest.raises(ProtocolError) as caught:
        rules.propose(FOUR, cold("m1"), proposal(FOUR, HALT_OF_N), NOW)
    assert caught.value.code is Code.BAD_KEY
    assert rules.propose(FOUR, cold("m0"), proposal(FOUR, HALT_OF_N), NOW).proposal.change == HALT_OF_N


# --- seats


def test_a_joiner_consents() -> None:
    """A seat nobody asked for would count in n and never answer."""
    assert broken(FOUR, proposal(FOUR, JOIN)) is Rule.CONSENTS
    rules.judge(FOUR, agreed(FOUR, JOIN, cold(NEW)), NOW)


def test_a_consent_of_another_epoch_or_another_change_is_none() -> None:
    old = replace(FOUR, hash=EpochHash(b"\x01" * 32))
    elsewhere = consent(FOUR.network, cold(NEW), old.hash, JOIN)
    assert broken(FOUR, proposal(FOUR, JOIN, consents=(elsewhere,))) is Rule.CONSENTS
    for_a_group = consent(FOUR.network, cold(NEW), FOUR.hash, replace(JOIN, group=GroupName("m1")))
    assert broken(FOUR, proposal(FOUR, JOIN, consents=(for_a_group,))) is Rule.CONSENTS


def test_nobody_else_consents_and_none_twice() -> None:
    assert broken(FOUR, agreed(FOUR, JOIN, cold(NEW), cold("m1"))) is Rule.CONSENTS
    assert broken(FOUR, agreed(FOUR, JOIN, cold(NEW), cold(NEW))) is Rule.CONSENTS
    assert broken(FOUR, agreed(FOUR, Remove(M3), cold("m3"))) is Rule.CONSENTS


def test_a_name_is_used_once_for_ever() -> None:
    """The feeds and KeySets of a name stay its first owner's: another's entry 0 would look like a fork."""
    assert broken(FOUR, agreed(FOUR, replace(JOIN, member=M3), cold(NEW))) is Rule.NAME
    gone = after(epoch(5), Remove(M3))
    assert M3 not in gone.by_name
    late = agreed(
        gone,
        replace(JOIN, member=M3),
        cold(NEW),
        opened_ms=gone.activates_ms,
        closes_ms=gone.activates_ms + DAY_MS,
    )
    with pytest.raises(RuleError) as caught:
        rules.judge(gone, late, gone.activates_ms)
    assert caught.value.rule is Rule.NAME


def test_names_that_left_stand_newest_first_within_one_epoch_too() -> None:
    """Which name is forgotten when there are too many must not depend on the reader."""
    assert after(after(epoch(8), Remove(M6)), Remove(M1), Remove(M2)).left == (M2, M1, M6)


def test_a_governance_key_has_one_seat() -> None:
    double = replace(JOIN, key=cold("m1").public)
    assert broken(FOUR, agreed(FOUR, double, cold("m1"))) is Rule.KEY


def test_a_key_of_small_order_gets_no_seat() -> None:
    small = replace(JOIN, key=PublicKey(b"\x01" + bytes(31)))
    with pytest.raises(RuleError) as caught:
        after(FOUR, small)
    assert caught.value.rule is Rule.KEY


def test_who_has_no_seat_cannot_be_removed_moved_suspended_or_reinstated() -> None:
    for change in (Remove(NEW), Regroup((NEW,), GroupName("m1")), Suspend(NEW), Reinstate(NEW)):
        assert broken(FOUR, proposal(FOUR, change)) is Rule.SEAT


def test_a_founding_trio_can_admit_a_fourth() -> None:
    """f is 0 below four groups: a bound of f groups an epoch would close such a network for ever."""
    three = epoch(3)
    rules.judge(three, agreed(three, JOIN, cold(NEW)), NOW)
    assert after(three, JOIN).n == 4


def test_the_last_seat_stays() -> None:
    alone = epoch(1)
    assert broken(alone, proposal(alone, Remove(name_of(0)))) is Rule.SOMEBODY


def test_a_suspended_seat_stays_in_n_and_keeps_every_threshold() -> None:
    """Thresholds over the unsuspended let f liars reach GUARD alone once one honest seat is suspended."""
    made = convicted(SEVEN, "m3")
    assert (made.n, made.f, made.q, made.thresholds) == (SEVEN.n, SEVEN.f, SEVEN.q, SEVEN.thresholds)
    assert not made.may_count(M3)
    assert made.by_name[M3].why == "its feed forked"


def test_a_proof_suspends_once_and_never_again_for_its_key() -> None:
    made = convicted(FOUR, "m3", 2)
    with pytest.raises(RuleError):
        convicted(made, "m3", 3)
    back = after(made, Reinstate(M3))
    assert back.may_count(M3)
    with pytest.raises(RuleError):
        convicted(back, "m3", 2)
    assert not convicted(back, "m3", 3).may_count(M3)


def test_what_changes_nothing_is_no_proposal() -> None:
    out = suspended(FOUR, M3)
    for of, change in (
        (out, Suspend(M3)),
        (FOUR, Regroup((M3,), GroupName("m3"))),
        (FOUR, Regroup((M3, M3), GroupName("m2"))),
        (FOUR, Retune()),
        (FOUR, Retune(guard=FOUR.formulas[Level.GUARD], silence_ms=FOUR.silence_ms)),
        (FOUR, Sources()),
        (FOUR, Sources(rows=FOUR.sources[:1])),
        (FOUR, Sources(gone=(SourceId("nobody"),))),
        (FOUR, Sources(rows=(replace(FOUR.sources[0], operator="z"),), gone=(FOUR.sources[0].id,))),
    ):
        assert broken(of, proposal(of, change)) is Rule.CHANGES, change


def test_a_term_is_renewed_from_its_second_half_on() -> None:
    assert broken(FOUR, proposal(FOUR, Reinstate(M3))) is Rule.CHANGES
    old = replace(FOUR, seat_term_ms=2 * DAY_MS)
    made = after(old, Reinstate(M3), at_ms=NOW + DAY_MS)
    assert term_ends_ms(made, made.by_name[M3]) == NOW + 3 * DAY_MS
    assert term_ends_ms(made, made.by_name[M2]) == NOW + DAY_MS


# --- bounds


def test_at_most_f_groups_change_in_an_epoch_and_one_where_f_is_nothing() -> None:
    assert after(SEVEN, Remove(M1), Remove(M2)).n == 5
    with pytest.raises(RuleError) as caught:
        after(epoch(7, {}, seat_term_ms=1), Remove(M1), Remove(M2), Reinstate(M6))
    assert caught.value.rule is Rule.BOUND
    with pytest.raises(RuleError) as caught:
        after(FOUR, Remove(M1), Suspend(M2))
    assert caught.value.rule is Rule.BOUND


def test_a_proof_counts_among_the_groups_that_change() -> None:
    proofs = (Suspect(M1, 1), Suspect(M2, 1))
    with pytest.raises(RuleError) as caught:
        next_epoch(FOUR, value(FOUR, proofs=proofs), {})
    assert caught.value.rule is Rule.BOUND
    assert next_epoch(SEVEN, value(SEVEN, proofs=proofs), {}).q == 5


def test_a_merge_of_two_groups_is_one_change_and_a_split_too() -> None:
    merged = after(FOUR, Regroup((M3,), GroupName("m2")))
    assert merged.groups == ("m0", "m1", "m2")
    apart = after(epoch(5, {"m4": "m3"}), Regroup((name_of(4),), GroupName("m4")))
    assert apart.n == 5
    assert apart.by_name[name_of(4)].since == 1
    assert apart.by_name[M3].since == 0


def test_a_charter_that_becomes_invalid_by_its_size_is_impossible() -> None:
    """A constant threshold that held for nine groups is f alone at ten."""
    nine = epoch(9, formulas={Level.GUARD: "3", Level.ISOLATE: "Q", Level.HALT: "Q"})
    ten = Admit(MemberName("m10"), GroupName("m10"), cold("m10").public)
    assert broken(nine, agreed(nine, ten, cold("m10"))) is Rule.THRESHOLDS
    repaired = after(nine, Retune(guard="f + 1"))
    assert after(repaired, ten).n == 10


def test_thresholds_stay_above_the_floors_of_every_charter() -> None:
    for change in (Retune(guard="f"), Retune(isolate="f + 1"), Retune(halt="Q - 1"), Retune(halt="n + 1")):
        assert broken(SEVEN, proposal(SEVEN, change)) is Rule.THRESHOLDS, change
    assert broken(SEVEN, proposal(SEVEN, Retune(guard="__import__"))) is Rule.THRESHOLDS


def test_three_groups_may_be_left_though_nothing_forms_there() -> None:
    assert after(FOUR, Remove(M3)).only_informs
    assert after(epoch(2), Remove(M1)).n == 1


def test_leases_and_durations_stay_within_their_bounds() -> None:
    assert broken(FOUR, proposal(FOUR, Retune(lease_halt_ms=3_600_001))) is Rule.LEASES
    assert broken(FOUR, proposal(FOUR, Retune(lease_guard_ms=999))) is Rule.LEASES
    assert broken(FOUR, proposal(FOUR, Retune(change_delay_ms=31 * DAY_MS))) is Rule.DURATIONS
    assert broken(FOUR, proposal(FOUR, Retune(silence_ms=0))) is Rule.DURATIONS
    made = after(FOUR, Retune(lease_halt_ms=1_000, loosen_delay_ms=9 * DAY_MS))
    assert (made.lease_bound_ms(Level.HALT), made.loosen_delay_ms) == (1_000, 9 * DAY_MS)
    assert made.lease_bound_ms(Level.GUARD) == FOUR.lease_bound_ms(Level.GUARD)


def test_a_chain_that_members_rely_on_keeps_a_source() -> None:
    feed = OracleFeed(oracle("eip155:1", b"\x01" * 20), "eip155:1", b"\x01" * 20, (b"\x02" * 20,))
    of = replace(FOUR, oracles=(feed,))
    assert broken(of, proposal(of, Sources(gone=(SourceId("home-a"), SourceId("home-b"))))) is Rule.SOURCES
    rules.judge(of, proposal(of, Sources(gone=(SourceId("home-a"),))), NOW)


# --- keys


def test_a_key_moved_by_old_and_new_needs_no_ballot_and_no_delay() -> None:
    made = rekeying(FOUR, M1)
    rules.judge(FOUR, made, NOW)
    assert (rules.needed(FOUR, made), rules.delay_ms(FOUR, made)) == (0, 0)


def test_a_lost_key_moves_by_ballots_of_the_others_with_the_full_delay() -> None:
    """A rotation that only the old key can sign never happens once the old key is lost."""
    made = rekeying(FOUR, M1, with_old=False)
    rules.judge(FOUR, made, NOW)
    assert (rules.needed(FOUR, made), rules.delay_ms(FOUR, made)) == (3, FOUR.loosen_delay_ms)
    assert not rules.counts(FOUR, made, M1)
    assert rules.counts(FOUR, made, M2)


def test_the_new_key_consents_always() -> None:
    change = Rekey(M1, cold("m1", 1).public)
    assert broken(FOUR, agreed(FOUR, change, cold("m1"))) is Rule.CONSENTS
    assert broken(FOUR, agreed(FOUR, change, cold("m1", 1), cold("m2"))) is Rule.CONSENTS


def test_three_groups_cannot_move_the_key_that_one_of_them_lost() -> None:
    three = epoch(3)
    assert broken(three, rekeying(three, M1, with_old=False)) is Rule.OTHERS
    rules.judge(three, rekeying(three, M1), NOW)


def test_a_key_rests_a_change_delay_between_its_owners_moves() -> None:
    """A thief, or a member who means ill, would otherwise make epochs as fast as rounds go."""
    moved = after(FOUR, Rekey(M1, cold("m1", 1).public), at_ms=NOW)
    again = Rekey(M1, cold("m1", 2).public)
    made = agreed(moved, again, cold("m1", 2), cold("m1", 1), opened_ms=NOW + DAY_MS)
    assert broken(moved, made) is Rule.KEY_RESTS
    later = replace(made, opened_ms=NOW + 3 * DAY_MS)
    rules.judge(moved, later, NOW + 3 * DAY_MS)


# --- what passing takes


def test_the_larger_quorum_of_two_epochs_is_needed() -> None:
    """ "admit X" fails with four yes of seven; two leave, Q falls to four, and the old ballots would pass it."""
    made = agreed(SEVEN, JOIN, cold(NEW))
    five = after(SEVEN, Remove(M1), Remove(M2))
    assert (SEVEN.q, five.q) == (5, 4)
    assert rules.needed(five, made) == 5


def test_ballots_count_for_seats_that_sat_in_their_group_in_both_epochs() -> None:
    made = proposal(FOUR, Remove(M3))
    grown = after(FOUR, JOIN)
    assert not rules.counts(grown, made, NEW)
    assert rules.counts(grown, made, M3)
    gone = after(grown, Remove(M3))
    assert not rules.counts(gone, made, M3)
    moved = after(FOUR, Regroup((M2,), GroupName("m1")))
    assert not rules.counts(moved, made, M2)


def test_an_epoch_knows_its_predecessors_and_forgets_the_oldest() -> None:
    of = epoch(4)
    for at in range(PAST_MAX + 3):
        of = after(of, Retune(silence_ms=at + 1), at_ms=NOW + at)
    assert (of.number, len(of.past), of.past[0].number) == (PAST_MAX + 3, PAST_MAX, PAST_MAX + 2)
    assert rules.parent_of(of, of.past[-1].hash).number == 3
    assert LEFT_MAX >= 256


@pytest.mark.parametrize(
    ("change", "loose"),
    [
        (Remove(M3), True),
        (Regroup((M3,), GroupName("m2")), True),
        (Retune(guard="max(3, f + 1)"), False),
        (Retune(isolate="min(n, Q + 1)"), False),
        (Retune(lease_halt_ms=1_800_000), False),
        (Retune(change_delay_ms=DAY_MS), True),
        (Retune(loosen_delay_ms=8 * DAY_MS), False),
        (Sources(rows=(Source(SourceId("new"), "c", "eip155:1"),)), False),
        (Sources(rows=(Source(SourceId("home-a"), "b", "eip155:1"),)), True),
        (Sources(gone=(SourceId("home-a"),)), True),
        (Suspend(M3), False),
        (Reinstate(M3), False),
        (JOIN, False),
    ],
    ids=repr,
)
def test_what_loosens_is_said_for_each_change(change: Change, loose: bool) -> None:
    assert rules.loosens(FOUR, change) is loose
    delay_ms = FOUR.loosen_delay_ms if loose else FOUR.change_delay_ms
    assert rules.delay_ms(FOUR, proposal(FOUR, change)) == delay_ms


def test_the_removal_of_a_suspended_seat_never_waits() -> None:
    assert not rules.loosens(suspended(FOUR, M3), Remove(M3))


def test_a_formula_is_lower_where_it_is_lower_for_any_size() -> None:
    """The same today and less tomorrow is less."""
    strict = replace(FOUR, formulas={Level.GUARD: "max(2, f + 1)", Level.ISOLATE: "n", Level.HALT: "n"})
    assert rules.loosens(strict, Retune(isolate="max(4, Q)"))
    longer = replace(FOUR, lease_ms={**FOUR.lease_ms, Level.HALT: 60_000})
    assert rules.loosens(longer, Retune(lease_halt_ms=60_001))
