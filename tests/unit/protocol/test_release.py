"""Release points: ending takes a quorum of whole groups, and what has ended stays ended."""

from __future__ import annotations

import itertools

import pytest

from protocol.ids import MemberName
from protocol.release import Releases, claim_names
from tests.unit.protocol.world import (
    CLAIM,
    NOW,
    OTHER_CLAIM,
    OTHER_TOKEN,
    TOPIC,
    attestation,
    epoch,
    names,
    regrouped,
    released,
    releases,
    suspending,
)

FOUR = epoch(4)


def claimed(base=FOUR, whos=names(3), *, claims=(CLAIM,)) -> Releases:  # type: ignore[no-untyped-def]
    made = Releases()
    for who in whos:
        made.add(MemberName(who), released(1, claims=claims), base)
    return made


def test_nothing_is_released_at_first() -> None:
    assert Releases().point_ms(TOPIC) == 0
    assert not Releases().covers(attestation(), FOUR)


def test_the_point_is_the_quorums_least_word() -> None:
    assert releases(FOUR, m00=NOW, m01=NOW + 5, m02=NOW + 9).point_ms(TOPIC) == NOW
    assert releases(FOUR, m00=NOW, m01=NOW + 5, m02=NOW + 9, m03=NOW + 7).point_ms(TOPIC) == NOW + 5


def test_fewer_than_a_quorum_make_no_point() -> None:
    assert releases(FOUR, m00=NOW, m01=NOW).point_ms(TOPIC) == 0


def test_f_liars_cannot_move_it_beyond_what_honest_groups_said() -> None:
    assert releases(FOUR, m00=NOW, m01=NOW, m02=NOW + 10**9).point_ms(TOPIC) == NOW


def test_a_groups_word_is_its_members_least() -> None:
    of = regrouped(epoch(5), {"m01": "g00"})
    assert releases(of, m00=NOW, m02=NOW, m03=NOW).point_ms(TOPIC) == 0
    assert releases(of, m00=NOW, m01=NOW - 7, m02=NOW, m03=NOW).point_ms(TOPIC) == NOW - 7


def test_a_suspended_member_is_not_waited_for_and_not_counted() -> None:
    of = suspending(regrouped(epoch(5), {"m01": "g00"}), "m01")
    assert releases(of, m00=NOW, m02=NOW, m03=NOW).point_ms(TOPIC) == NOW
    lone = suspending(FOUR, "m02")
    assert releases(lone, m00=NOW, m01=NOW, m02=NOW).point_ms(TOPIC) == 0


def test_a_stranger_counts_nothing() -> None:
    assert releases(FOUR, m00=NOW, m01=NOW, stranger=NOW).point_ms(TOPIC) == 0


def test_a_point_never_falls() -> None:
    made = releases(FOUR, m00=NOW, m01=NOW, m02=NOW)
    made.add(MemberName("m00"), released(NOW - 100), FOUR)
    made.add(MemberName("m03"), released(NOW - 100), epoch(31))
    assert made.point_ms(TOPIC) == NOW


def test_the_order_of_arrival_leaves_no_trace() -> None:
    said = [("m00", NOW), ("m01", NOW + 5), ("m02", NOW + 9), ("m00", NOW + 20)]
    points = set()
    for order in itertools.permutations(said):
        made = Releases()
        for who, through in order:
            made.add(MemberName(who), released(through), FOUR)
        points.add(made.point_ms(TOPIC))
    assert points == {NOW + 5}


def test_topics_are_apart() -> None:
    made = releases(FOUR, m00=NOW, m01=NOW, m02=NOW)
    assert made.point_ms((OTHER_TOKEN, TOPIC[1])) == 0
    assert made.point_ms((TOPIC[0], TOPIC[1] + 1)) == 0


@pytest.mark.parametrize("since_ms, covered", [(NOW - 1, True), (NOW, True), (NOW + 1, False)])
def test_an_opinion_is_covered_up_to_the_point_by_when_it_began(since_ms: int, covered: bool) -> None:
    made = releases(FOUR, m00=NOW, m01=NOW, m02=NOW)
    assert made.covers(attestation(since_ms=since_ms), FOUR) is covered


class TestClaims:
    def test_an_opinion_all_of_whose_claims_were_released_is_covered(self) -> None:
        assert claimed().covers(attestation(), FOUR)

    def test_one_new_claim_is_enough_to_count(self) -> None:
        assert not claimed().covers(attestation(claims=(CLAIM, OTHER_CLAIM)), FOUR)
        assert claimed(claims=(CLAIM, OTHER_CLAIM)).covers(attestation(claims=(CLAIM, OTHER_CLAIM)), FOUR)

    def test_other_bytes_for_the_same_claim_are_the_same_claim(self) -> None:
        told_otherwise = type(CLAIM)(CLAIM.type, CLAIM.id, OTHER_CLAIM.digest)
        assert claimed().covers(attestation(claims=(told_otherwise,)), FOUR)

    def test_the_same_id_of_another_type_is_another_claim(self) -> None:
        assert not claimed().covers(attestation(claims=(type(CLAIM)("evm-log", CLAIM.id, CLAIM.digest),)), FOUR)

    def test_an_opinion_without_claims_is_covered_by_time_alone(self) -> None:
        assert not claimed().covers(attestation(claims=()), FOUR)

    def test_a_quorum_of_groups_is_needed(self) -> None:
        assert not claimed(whos=names(2)).covers(attestation(), FOUR)

    def test_the_whole_group_must_have_said_so(self) -> None:
        of = regrouped(epoch(5), {"m01": "g00"})
        assert not claimed(of, ["m00", "m02", "m03"]).covers(attestation(), of)
        assert claimed(of, ["m00", "m01", "m02", "m03"]).covers(attestation(), of)

    def test_a_suspended_members_word_weighs_nothing(self) -> None:
        of = suspending(FOUR, "m02")
        assert not claimed(of).covers(attestation(), of)

    def test_what_a_quorum_released_stays_released_in_a_larger_epoch(self) -> None:
        assert claimed().covers(attestation(), epoch(31))

    def test_it_holds_for_its_topic_alone(self) -> None:
        assert not claimed().covers(attestation(subject=OTHER_TOKEN), FOUR)


def test_claims_are_named_by_type_and_id() -> None:
    assert claim_names([CLAIM]) == {(CLAIM.type, CLAIM.id)}
