"""The alarm: the level is what enough control groups say now, and nothing else moves it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from protocol.alarm import effective_level, is_live, lease_fault, reaches, source_rule_holds, weigh
from protocol.ids import EpochHash, SourceId
from protocol.limits import SKEW_AHEAD_MS_MAX
from protocol.membership import LEASE_MS_MOST, Epoch
from protocol.messages import Basis, Level, Threat
from tests.unit.protocol.world import (
    CLAIM,
    FAR,
    HOME,
    HOUR,
    NO_RELEASES,
    NOW,
    all_say,
    attestation,
    epoch,
    name,
    names,
    own_sources,
    regrouped,
    releases,
    says,
    suspending,
    vendor,
)

FOUR = epoch(4)
EPOCHS = {n: epoch(n) for n in range(1, 34)}


def level(opinions: list, of: Epoch = FOUR, now_ms: int = NOW, released=NO_RELEASES) -> Level:  # type: ignore[type-arg, no-untyped-def]
    return weigh(opinions, of, now_ms, released).level


def test_nobody_says_anything() -> None:
    assert level([]) is Level.NONE


def test_one_member_alone_raises_a_watch_and_no_more() -> None:
    assert level([says("m00", Level.HALT)]) is Level.WATCH


@pytest.mark.parametrize("n", EPOCHS)
def test_guard_takes_f_plus_one_groups_and_never_fewer_than_two(n: int) -> None:
    of = EPOCHS[n]
    needed = max(2, of.f + 1)
    assert of.thresholds[Level.GUARD] == needed
    assert level(all_say(names(needed - 1), Level.GUARD), of) is Level.WATCH
    if needed <= n:
        assert level(all_say(names(needed), Level.GUARD), of) is Level.GUARD


@pytest.mark.parametrize("n", [n for n in EPOCHS if n >= 2])
@pytest.mark.parametrize("wanted", [Level.ISOLATE, Level.HALT])
def test_isolate_and_halt_take_a_quorum(n: int, wanted: Level) -> None:
    of = EPOCHS[n]
    assert level(all_say(names(of.q), wanted), of) is wanted
    assert level(all_say(names(of.q - 1), wanted), of) < Level.ISOLATE


@pytest.mark.parametrize("n", EPOCHS)
def test_f_groups_alone_move_nothing_at_any_level(n: int) -> None:
    of = EPOCHS[n]
    for wanted in (Level.GUARD, Level.ISOLATE, Level.HALT):
        assert level(all_say(names(of.f), wanted), of) <= Level.WATCH


def test_a_higher_opinion_counts_for_the_levels_below() -> None:
    assert level([says("m00", Level.GUARD), says("m01", Level.HALT)]) is Level.GUARD
    assert level([says("m00", Level.ISOLATE), says("m01", Level.HALT), says("m02", Level.HALT)]) is Level.ISOLATE


def test_members_of_one_group_count_once() -> None:
    of = regrouped(epoch(7), {"m01": "g00", "m02": "g00", "m03": "g00"})
    assert of.n == 4
    assert level(all_say(names(4), Level.HALT), of) is Level.WATCH
    assert level(all_say(names(5), Level.HALT), of) is Level.GUARD


def test_a_groups_opinion_is_its_members_highest() -> None:
    of = regrouped(epoch(5), {"m01": "g00"})
    said = [says("m00", Level.WATCH), says("m01", Level.ISOLATE), says("m02"), says("m03")]
    assert level(said, of) is Level.ISOLATE


def test_hearsay_never_counts_above_a_watch() -> None:
    said = all_say(names(4), Level.HALT, basis=Basis.HEARSAY)
    assert effective_level(said[0].body) is Level.WATCH
    assert level(said) is Level.WATCH


def test_an_unknown_threat_never_counts() -> None:
    assert effective_level(attestation(threat=200)) is Level.NONE
    assert level(all_say(names(4), Level.HALT, threat=200)) is Level.NONE


def test_every_known_threat_counts() -> None:
    for threat in Threat:
        assert level(all_say(names(3), threat=int(threat))) is Level.ISOLATE


def test_level_none_withdraws() -> None:
    assert level([says("m00", Level.NONE)]) is Level.NONE


class TestTime:
    def test_an_opinion_counts_up_to_its_expiry_and_not_at_it(self) -> None:
        said = all_say(names(3))
        assert level(said, now_ms=NOW + HOUR - 1) is Level.ISOLATE
        assert level(said, now_ms=NOW + HOUR) is Level.NONE

    def test_the_level_falls_when_the_quorums_last_opinion_ends(self) -> None:
        said = [says(who, expires_ms=NOW + (at + 1) * 1000) for at, who in enumerate(names(4))]
        assert level(said, now_ms=NOW + 1500) is Level.ISOLATE
        assert level(said, now_ms=NOW + 2500) is Level.GUARD
        assert level(said, now_ms=NOW + 3500) is Level.WATCH

    def test_an_opinion_from_further_ahead_than_the_skew_does_not_count_yet(self) -> None:
        ahead = says("m00", at_ms=NOW + SKEW_AHEAD_MS_MAX + 1, expires_ms=NOW + HOUR)
        assert not is_live(ahead, FOUR, NOW)
        assert is_live(ahead, FOUR, NOW + 1)

    @pytest.mark.parametrize("said", list(LEASE_MS_MOST))
    def test_a_lease_above_its_levels_bound_never_counts(self, said: Level) -> None:
        bound_ms = LEASE_MS_MOST[said]
        assert lease_fault(says("m00", said, expires_ms=NOW + bound_ms), FOUR) == ""
        assert "lease" in lease_fault(says("m00", said, expires_ms=NOW + bound_ms + 1), FOUR)
        assert not is_live(says("m00", said, expires_ms=NOW + bound_ms + 1), FOUR, NOW)

    def test_a_charter_may_bound_leases_further_and_never_less(self) -> None:
        tighter = replace(FOUR, lease_ms={Level.ISOLATE: HOUR - 1})
        looser = replace(FOUR, lease_ms={Level.ISOLATE: 100 * HOUR})
        assert lease_fault(says("m00"), tighter)
        assert looser.lease_bound_ms(Level.ISOLATE) == LEASE_MS_MOST[Level.ISOLATE]

    def test_an_opinion_older_than_its_own_issue_is_taken_and_a_younger_one_is_not(self) -> None:
        assert is_live(says("m00", since_ms=NOW - HOUR), FOUR, NOW)
        assert not is_live(says("m00", since_ms=NOW + 1), FOUR, NOW)


class TestSeats:
    def test_an_opinion_of_another_epoch_does_not_count(self) -> None:
        assert level(all_say(names(4), epoch=EpochHash(bytes(32)))) is Level.NONE

    def test_an_opinion_of_no_member_does_not_count(self) -> None:
        assert level([*all_say(names(2)), says("stranger")]) is Level.GUARD

    def test_a_suspended_seat_weighs_nothing_and_thresholds_stay(self) -> None:
        of = suspending(FOUR, "m03")
        assert of.thresholds == FOUR.thresholds
        assert level([says("m01"), says("m02"), says("m03")], of) is Level.GUARD
        assert level([says("m00"), says("m01"), says("m02")], of) is Level.ISOLATE

    def test_a_group_speaks_through_its_unsuspended_member(self) -> None:
        of = suspending(regrouped(epoch(5), {"m01": "g00"}), "m00")
        assert level([says("m00"), says("m01"), says("m02"), says("m03")], of) is Level.ISOLATE


class TestReleasePoint:
    def test_what_was_first_said_up_to_the_point_never_counts_again(self) -> None:
        done = releases(FOUR, m00=NOW, m01=NOW, m02=NOW)
        assert level(all_say(names(4)), released=done) is Level.NONE

    def test_a_renewal_of_the_same_opinion_does_not_count_either(self) -> None:
        done = releases(FOUR, m00=NOW, m01=NOW, m02=NOW)
        again = all_say(names(4), at_ms=NOW + 60_000, since_ms=NOW, seq=1)
        assert level(again, now_ms=NOW + 60_000, released=done) is Level.NONE

    def test_what_began_later_counts(self) -> None:
        done = releases(FOUR, m00=NOW, m01=NOW, m02=NOW)
        new = all_say(names(3), at_ms=NOW + 1, since_ms=NOW + 1)
        assert level(new, now_ms=NOW + 1, released=done) is Level.ISOLATE

    def test_fewer_than_a_quorum_end_nothing(self) -> None:
        done = releases(FOUR, m00=NOW, m01=NOW)
        assert level(all_say(names(3)), released=done) is Level.ISOLATE


class TestOneOperatorAtGuard:
    def test_observations_through_one_vendor_count_once(self) -> None:
        said = all_say(names(4), Level.GUARD, basis=Basis.OBSERVED, sources=vendor(1))
        assert level(said) is Level.WATCH

    def test_a_second_vendor_is_a_second_eye(self) -> None:
        said = [
            says("m00", Level.GUARD, basis=Basis.OBSERVED, sources=vendor(1)),
            says("m01", Level.GUARD, basis=Basis.OBSERVED, sources=vendor(2)),
        ]
        assert level(said) is Level.GUARD

    def test_verification_through_one_vendor_counts_each_time(self) -> None:
        assert level(all_say(names(2), Level.GUARD, sources=vendor(1))) is Level.GUARD

    def test_who_looks_through_two_operators_is_an_eye_of_its_own(self) -> None:
        both = (*vendor(1)[:1], *vendor(2)[1:])
        assert level(all_say(names(2), Level.GUARD, basis=Basis.OBSERVED, sources=both)) is Level.GUARD

    @pytest.mark.parametrize("sources", [(), (SourceId("nobody-knows"),)])
    def test_observations_through_no_registered_source_count_once(self, sources: tuple[SourceId, ...]) -> None:
        said = all_say(names(4), Level.GUARD, basis=Basis.OBSERVED, sources=sources)
        assert level(said) is Level.WATCH

    def test_own_nodes_are_eyes_of_their_own(self) -> None:
        assert level(all_say(names(2), Level.GUARD, basis=Basis.OBSERVED)[:1]) is Level.WATCH
        said = [says(who, Level.GUARD, basis=Basis.OBSERVED, sources=own_sources(who)) for who in names(2)]
        assert level(said) is Level.GUARD

    def test_a_member_that_verified_lifts_its_whole_group_out_of_the_rule(self) -> None:
        of = regrouped(epoch(5), {"m01": "g00"})
        said = [
            says("m00", Level.GUARD, basis=Basis.OBSERVED, sources=vendor(1)),
            says("m01", Level.GUARD, sources=vendor(1)),
            says("m02", Level.GUARD, basis=Basis.OBSERVED, sources=vendor(1)),
        ]
        assert level(said, of) is Level.GUARD
        assert level([said[0], said[2]], of) is Level.WATCH


class TestSourceRule:
    def test_own_nodes_satisfy_it(self) -> None:
        assert level(all_say(names(3))) is Level.ISOLATE

    def test_one_vendor_for_all_is_not_enough(self) -> None:
        assert level(all_say(names(4), sources=vendor(1))) is Level.GUARD

    @pytest.mark.parametrize("n", [4, 7, 10, 13, 31])
    def test_f_liars_who_write_other_names_do_not_help_a_poisoned_vendor(self, n: int) -> None:
        """All honest members read through one vendor; f liars claim to be independent."""
        of = EPOCHS[n]
        fooled = [says(who, sources=vendor(1)) for who in names(n - of.f)]
        liars = [says(who, sources=own_sources(who)) for who in names(of.f, n - of.f)]
        assert level([*fooled, *liars], of) is Level.GUARD

    @pytest.mark.parametrize("n", [4, 7, 10, 13, 31])
    def test_one_honest_independent_eye_beside_them_is_enough(self, n: int) -> None:
        of = EPOCHS[n]
        fooled = [says(who, sources=vendor(1)) for who in names(n - of.f - 1)]
        independent = [says(who, sources=own_sources(who)) for who in names(of.f + 1, n - of.f - 1)]
        assert level([*fooled, *independent], of) is Level.ISOLATE

    def test_two_vendors_listed_by_everybody_satisfy_it(self) -> None:
        assert level(all_say(names(3), sources=(*vendor(1), *vendor(2)))) is Level.ISOLATE

    def test_two_vendors_halved_between_all_satisfy_it_where_each_half_is_f_plus_one(self) -> None:
        halves = [says(who, sources=vendor(1 + at % 2)) for at, who in enumerate(names(4))]
        assert level(halves) is Level.ISOLATE
        assert level(halves[:3]) is Level.GUARD

    def test_independence_is_asked_for_each_chain(self) -> None:
        """Own nodes at home and one vendor for the far chain: the far chain's reading is one operator's word."""
        mixed = [says(who, sources=(own_sources(who)[0], vendor(1)[1])) for who in names(4)]
        assert level(mixed) is Level.GUARD

    def test_a_group_without_a_registered_source_does_not_help(self) -> None:
        said = [says("m00", sources=vendor(1)), says("m01", sources=()), says("m02", sources=(SourceId("ghost"),))]
        assert level(said) is Level.GUARD
        assert level([*said[:1], says("m01"), *said[2:]]) is Level.GUARD

    def test_nobody_lists_anything(self) -> None:
        assert not source_rule_holds({one.entry.author: [one] for one in all_say(names(4), sources=())}, FOUR)  # type: ignore[misc]

    def test_a_groups_sources_are_those_of_all_its_counted_members(self) -> None:
        of = regrouped(epoch(5), {"m04": "g00"})
        said = [says(who, sources=vendor(1)) for who in names(4)]
        assert level(said, of) is Level.GUARD
        helped = [*said[:3], says("m03"), says("m04")]
        assert level(helped, of) is Level.ISOLATE


def test_the_carrying_groups_are_told() -> None:
    weighing = weigh([*all_say(names(3)), says("m03", Level.GUARD)], FOUR, NOW, NO_RELEASES)
    assert sorted(weighing.groups) == ["g00", "g01", "g02"]


def test_at_watch_all_who_hold_an_opinion_are_told() -> None:
    assert sorted(weigh([says("m02", Level.WATCH)], FOUR, NOW, NO_RELEASES).groups) == ["g02"]


def test_more_voices_never_lower_a_level() -> None:
    said = all_say(names(3))
    for extra in (says("m03", Level.WATCH), says("m03", Level.NONE), says("m03", Level.HALT, basis=Basis.HEARSAY)):
        assert level([*said, extra]) is Level.ISOLATE


def test_opinions_on_claims_a_quorum_released_do_not_count() -> None:
    from protocol.release import Releases
    from tests.unit.protocol.world import released

    done = Releases()
    for who in names(3):
        done.add(who, released(1, claims=(CLAIM,)), FOUR)
    assert level(all_say(names(4)), released=done) is Level.NONE


def test_reaching_is_asked_for_each_level_apart() -> None:
    said = all_say(names(3))
    assert reaches(said, FOUR, Level.ISOLATE) is not None
    assert reaches(said, FOUR, Level.HALT) is None


def test_own_sources_of_a_world_member_cover_both_chains() -> None:
    register = FOUR.source_by_id
    assert [register[one].scope for one in own_sources(name(0))] == [HOME, FAR]
