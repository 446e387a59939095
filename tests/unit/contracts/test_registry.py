"""The registry: what the quorum's signatures do, and everything that is no such signature."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from adapters.evm.eip712 import Domain
from adapters.evm.evm_key import ORDER
from adapters.evm.registry import epoch_values
from protocol.crypto import sha256
from tests.unit.contracts.registry_stage import (
    GUARD,
    HALT,
    HOUR_MS,
    ISOLATE,
    NOW_MS,
    OTHER_SUBJECT,
    SUBJECT,
    THREAT,
    Stage,
    epoch_of,
    key_of,
    names_of,
    stage,
)
from tests.unit.contracts.world import START, RevertedError

SEVEN = names_of(7)
Q = 5


def with_ballot(call: tuple[Any, ...], place: int, **changed: int) -> tuple[Any, ...]:
    """An alarm's or lift's arguments with fields of the signature at `place` replaced."""
    *front, votes = call
    names = ("at", "v", "r", "s")
    ballot = dict(zip(names, votes[place][-1])) | changed
    return *front, [*votes[:place], (*votes[place][:-1], tuple(ballot[name] for name in names)), *votes[place + 1 :]]


# -- alarms


def test_a_quorum_restricts_until_the_first_of_its_words_expires() -> None:
    scene = stage()
    values = {name: scene.alarm_values(name, expires=NOW_MS + HOUR_MS + i * 1000) for i, name in enumerate(SEVEN[:Q])}
    scene.do("alarm", *scene.alarm_of(values, ISOLATE))
    assert scene.events == ["Restricted"]
    assert scene.until(ISOLATE) == scene.until() == START + 3600


def test_an_end_is_rounded_up_to_the_second() -> None:
    scene = stage()
    scene.do("alarm", *scene.alarm(SEVEN[:Q], expires=NOW_MS + 60_001))
    assert scene.until() == START + 61


def test_a_restriction_ends_by_itself() -> None:
    scene = stage()
    scene.do("alarm", *scene.alarm(SEVEN[:Q]))
    scene.world.now = scene.until()
    assert scene.until() <= scene.world.now


@pytest.mark.parametrize(("level", "needed"), [(GUARD, 3), (ISOLATE, 5), (HALT, 5)])
def test_each_level_asks_for_its_own_number_of_groups(level: int, needed: int) -> None:
    scene = stage()
    assert scene.refusal("alarm", *scene.alarm(SEVEN[: needed - 1], level)) == "short of threshold"
    assert scene.refusal("alarm", *scene.alarm(SEVEN[:needed], level)) is None


def test_who_asks_for_a_level_does_not_hear_of_the_ones_below() -> None:
    """f + 1 groups must not freeze what asks for a quorum."""
    scene = stage()
    scene.do("alarm", *scene.alarm(SEVEN[:3], GUARD))
    assert (scene.until(GUARD) > 0, scene.until(ISOLATE), scene.until(HALT)) == (True, 0, 0)


def test_a_word_of_a_higher_level_counts_for_a_lower_one() -> None:
    scene = stage()
    values = {name: scene.alarm_values(name, level=HALT if name == "m00" else GUARD) for name in SEVEN[:3]}
    assert scene.refusal("alarm", *scene.alarm_of(values, GUARD)) is None
    values |= {name: scene.alarm_values(name, level=GUARD) for name in SEVEN[3:]}
    assert scene.refusal("alarm", *scene.alarm_of(values, ISOLATE)) == "level of a vote"


@pytest.mark.parametrize("level", [0, 1, 5, 2**255])
def test_a_level_that_moves_nothing_is_refused(level: int) -> None:
    scene = stage()
    assert scene.refusal("alarm", *scene.alarm(SEVEN[:Q], level)) == "level"


def test_one_signer_twice_is_refused() -> None:
    scene = stage()
    *front, votes = scene.alarm(SEVEN[:Q])
    assert scene.refusal("alarm", *front, [votes[0], *votes]) == "signer order"


def test_signers_out_of_order_are_refused() -> None:
    scene = stage()
    *front, votes = scene.alarm(SEVEN[:Q])
    assert scene.refusal("alarm", *front, votes[::-1]) == "signer order"


def test_two_keys_of_one_group_count_once() -> None:
    seats = [(name, "one" if name in SEVEN[:2] else name) for name in SEVEN]
    scene = Stage(epoch_of(seats), SEVEN)
    assert scene.row.n == 6
    assert scene.refusal("alarm", *scene.alarm(SEVEN[:5])) == "short of threshold"
    assert scene.refusal("alarm", *scene.alarm(SEVEN[:6])) is None


def test_groups_without_a_key_still_count_among_the_n() -> None:
    scene = stage(keyed=SEVEN[:5])
    assert scene.refusal("alarm", *scene.alarm(SEVEN[:4])) == "short of threshold"
    assert scene.refusal("alarm", *scene.alarm(SEVEN[:5])) is None


def test_the_other_root_of_a_signature_is_refused() -> None:
    scene = stage()
    call = scene.alarm(SEVEN[:Q])
    _, v, _, s = call[-1][2][-1]
    assert scene.refusal("alarm", *with_ballot(call, 2, s=ORDER - s, v=55 - v)) == "high s"


@pytest.mark.parametrize("v", [0, 1, 26, 29, 2**255])
def test_a_v_of_another_form_is_refused(v: int) -> None:
    scene = stage()
    assert scene.refusal("alarm", *with_ballot(scene.alarm(SEVEN[:Q]), 2, v=v)) == "v"


@pytest.mark.parametrize("changed", [{"r": 0}, {"s": 0}, {"r": ORDER}, {"r": 2**256 - 1}])
def test_a_signature_that_recovers_nobody_is_refused(changed: dict[str, int]) -> None:
    scene = stage()
    assert scene.refusal("alarm", *with_ballot(scene.alarm(SEVEN[:Q]), 2, **changed)) == "no signer"


@pytest.mark.parametrize("at", [7, 2**256 - 1])
def test_a_key_that_is_not_there_is_refused(at: int) -> None:
    scene = stage()
    assert scene.refusal("alarm", *with_ballot(scene.alarm(SEVEN[:Q]), 4, at=at)) == "no such key"


def test_a_strangers_signature_under_a_members_place_is_refused() -> None:
    scene = stage()
    call = scene.alarm(SEVEN[:Q])
    ballot = scene.ballot("stranger", "Alarm", scene.alarm_values("m00"))
    assert scene.refusal("alarm", *with_ballot(call, 1, **dict(zip("vrs", ballot[1:])))) == "other signer"


@pytest.mark.parametrize("place", ["chain", "contract"])
def test_words_for_another_chain_or_contract_are_refused(place: str) -> None:
    scene = stage()
    twin = scene.deployed(scene.row, scene.words)
    elsewhere = Domain(2, scene.address) if place == "chain" else Domain(1, twin)
    values = {name: scene.alarm_values(name) for name in SEVEN[:Q]}
    assert scene.refusal("alarm", *scene.alarm_of(values, ISOLATE, elsewhere)) == "other signer"
    if place == "contract":
        scene.address = twin
        assert scene.refusal("alarm", *scene.alarm_of(values, ISOLATE, elsewhere)) is None


@pytest.mark.parametrize(
    "field", ["author", "seq", "bodyHash", "subject", "threat", "level", "issued", "submitBy", "expires"]
)
def test_every_field_of_a_word_is_under_its_signature(field: str) -> None:
    scene = stage()
    values = {name: scene.alarm_values(name) for name in SEVEN[:Q]}
    told = dict(values)
    was = values["m00"][field]
    other = sha256(b"other") if isinstance(was, bytes) else was - 1 if field in ("submitBy", "expires") else was + 1
    told["m00"] = values["m00"] | {field: other}
    call = scene.alarm_of(told, ISOLATE)
    for name in values:  # signed as said before
        signature = scene.ballot(name, "Alarm", values[name])[1:]
        call = with_ballot(call, scene.in_order(values).index(name), **dict(zip("vrs", signature)))
    assert scene.refusal("alarm", *call) == "other signer"


def test_a_word_for_another_network_is_refused() -> None:
    scene = stage()
    assert scene.refusal("alarm", *scene.alarm(SEVEN[:Q], network=bytes(32))) == "other signer"


def test_a_word_of_another_epoch_is_refused() -> None:
    scene = stage()
    assert scene.refusal("alarm", *scene.alarm(SEVEN[:Q], epoch=bytes(32))) == "not this epoch"


def test_a_word_kept_back_is_refused() -> None:
    scene = stage()
    call = scene.alarm(SEVEN[:Q])
    scene.world.now += 600
    assert scene.refusal("alarm", *call) is None
    scene = stage()
    call = scene.alarm(SEVEN[:Q])
    scene.world.now += 601
    assert scene.refusal("alarm", *call) == "late"


def test_nobody_signs_for_later_than_ten_minutes() -> None:
    scene = stage()
    assert scene.refusal("alarm", *scene.alarm(SEVEN[:Q], submitBy=NOW_MS + 600_001)) == "submitted by too late a time"


def test_a_word_dated_more_than_a_minute_ahead_is_refused() -> None:
    scene = stage()
    assert scene.refusal("alarm", *scene.alarm(SEVEN[:Q], issued=NOW_MS + 60_001)) == "dated ahead"
    assert scene.refusal("alarm", *scene.alarm(SEVEN[:Q], issued=NOW_MS + 60_000)) is None
    assert scene.until() == START + 60 + 3600


@pytest.mark.parametrize(("level", "hours"), [(GUARD, 12), (ISOLATE, 6), (HALT, 1)])
def test_no_word_lives_longer_than_its_levels_lease(level: int, hours: int) -> None:
    scene = stage()
    over = scene.alarm(SEVEN[:Q], level, expires=NOW_MS + hours * HOUR_MS + 1)
    assert scene.refusal("alarm", *over) == "lease"
    assert scene.refusal("alarm", *scene.alarm(SEVEN[:Q], level, expires=NOW_MS + hours * HOUR_MS)) is None
    assert scene.until(level) == START + hours * 3600


def test_a_clock_ahead_buys_no_longer_restriction() -> None:
    scene = stage()
    scene.do("alarm", *scene.alarm(SEVEN[:Q], HALT, issued=NOW_MS + 60_000))
    assert scene.until() == START + 3600


def test_what_has_expired_restricts_nothing() -> None:
    scene = stage()
    call = scene.alarm(SEVEN[:Q], expires=NOW_MS + 5_000)
    scene.world.now += 5
    assert scene.refusal("alarm", *call) == "expired"


def test_an_expiry_before_the_word_itself_is_refused() -> None:
    scene = stage()
    assert scene.refusal("alarm", *scene.alarm(SEVEN[:Q], expires=NOW_MS - 1)) == "lease"


def test_numbers_at_their_limit_overflow_nothing() -> None:
    scene = stage()
    for name in ("issued", "submitBy", "expires", "threat", "seq"):
        call = scene.alarm(SEVEN[:Q], **{"submitBy": NOW_MS, "expires": NOW_MS + 1000} | {name: 2**256 - 1})
        assert (scene.refusal("alarm", *call) is None) == (name in ("threat", "seq")), name


def test_a_network_of_three_only_informs() -> None:
    scene = stage(3)
    assert scene.refusal("alarm", *scene.alarm(names_of(3))) == "only informs"


def test_a_suspended_seats_word_is_refused() -> None:
    scene = stage(suspended=SEVEN[:1])
    assert scene.refusal("alarm", *scene.alarm(SEVEN[:Q])) == "suspended"
    assert scene.refusal("alarm", *scene.alarm(SEVEN[1 : Q + 1])) is None


def test_siblings_execute_as_one() -> None:
    scene = stage()
    scene.do("alarm", *scene.alarm(SEVEN[:Q]))
    scene.do("alarm", *scene.alarm(SEVEN[2:]))
    assert scene.events == []
    assert scene.until() == START + 3600


def test_the_same_alarm_again_changes_nothing() -> None:
    scene = stage()
    call = scene.alarm(SEVEN[:Q])
    scene.do("alarm", *call)
    scene.world.now += 60
    scene.do("alarm", *call)
    assert (scene.events, scene.until()) == ([], START + 3600)


@pytest.mark.parametrize("swapped", [False, True])
def test_two_certificates_merge_to_the_later_end_in_either_order(swapped: bool) -> None:
    scene = stage()
    calls = [scene.alarm(SEVEN[:Q], expires=NOW_MS + s * 1000) for s in (600, 900)]
    for call in calls[::-1] if swapped else calls:
        scene.do("alarm", *call)
    assert scene.until() == START + 900


def test_another_subject_or_threat_is_another_matter() -> None:
    scene = stage()
    scene.do("alarm", *scene.alarm(SEVEN[:Q], subject=OTHER_SUBJECT))
    scene.do("alarm", *scene.alarm(SEVEN[:Q], threat=THREAT + 1))
    assert scene.until() == 0


# -- lifts


def test_a_quorum_lifts_what_was_said_until_then() -> None:
    scene = stage()
    for level in (GUARD, ISOLATE, HALT):
        scene.do("alarm", *scene.alarm(SEVEN[:Q], level))
    scene.do("lift", *scene.lift(SEVEN[2:], NOW_MS))
    assert scene.events == ["Lifted"]
    assert scene.until() == 0
    assert scene.do("released_through", SUBJECT, THREAT) == NOW_MS


def test_what_was_released_restricts_nothing_again() -> None:
    scene = stage()
    call = scene.alarm(SEVEN[:Q])
    scene.do("alarm", *call)
    scene.do("lift", *scene.lift(SEVEN[:Q], NOW_MS))
    assert scene.refusal("alarm", *call) == "released"
    assert scene.refusal("alarm", *scene.alarm(SEVEN[2:])) == "released"
    assert scene.refusal("alarm", *scene.alarm(SEVEN[:Q], issued=NOW_MS + 1)) is None
    assert scene.until() == START + 3601


def test_a_lift_leaves_what_was_said_after_its_time() -> None:
    scene = stage()
    scene.do("alarm", *scene.alarm(SEVEN[:Q]))
    scene.do("lift", *scene.lift(SEVEN[:Q], NOW_MS - 1))
    assert scene.until() == START + 3600


def test_after_a_lift_an_earlier_end_may_stand() -> None:
    scene = stage()
    scene.do("alarm", *scene.alarm(SEVEN[:Q]))
    scene.do("lift", *scene.lift(SEVEN[:Q], NOW_MS))
    scene.do("alarm", *scene.alarm(SEVEN[:Q], issued=NOW_MS + 1, expires=NOW_MS + 60_000))
    assert scene.until() == START + 60


def test_the_earliest_time_of_a_lift_holds() -> None:
    scene = stage()
    values = dict(zip(SEVEN[:Q], range(NOW_MS - 10, NOW_MS - 5)))
    votes = [vote for name in scene.in_order(values) for vote in scene.lift([name], values[name])[-1]]
    scene.do("lift", *scene.lift(SEVEN[:1], 0)[:-1], votes)
    assert scene.do("released_through", SUBJECT, THREAT) == NOW_MS - 10


def test_a_release_point_never_falls() -> None:
    scene = stage()
    scene.do("lift", *scene.lift(SEVEN[:Q], NOW_MS))
    scene.do("lift", *scene.lift(SEVEN[:Q], NOW_MS - 1))
    assert scene.events == []
    assert scene.do("released_through", SUBJECT, THREAT) == NOW_MS


def test_nobody_releases_the_future() -> None:
    scene = stage()
    assert scene.refusal("lift", *scene.lift(SEVEN[:Q], NOW_MS + 1)) == "through the future"


def test_fewer_than_a_quorum_lift_nothing() -> None:
    scene = stage()
    assert scene.refusal("lift", *scene.lift(SEVEN[: Q - 1], NOW_MS)) == "short of quorum"
    assert scene.refusal("lift", *scene.lift([], NOW_MS)) == "short of quorum"
    *front, votes = scene.lift(SEVEN[:4], NOW_MS)
    assert scene.refusal("lift", *front, [*votes, votes[-1]]) == "signer order"


def test_suspended_seats_and_other_epochs_lift_nothing() -> None:
    scene = stage(suspended=SEVEN[:1])
    assert scene.refusal("lift", *scene.lift(SEVEN[:Q], NOW_MS)) == "suspended"
    assert scene.refusal("lift", *scene.lift(SEVEN[2:], NOW_MS, epoch=bytes(32))) == "not this epoch"


def test_a_word_of_alarm_is_no_word_of_lifting() -> None:
    scene = stage()
    call = scene.lift(SEVEN[:Q], NOW_MS)
    alarmed = scene.ballot("m00", "Alarm", scene.alarm_values("m00"))
    at = scene.in_order(SEVEN[:Q]).index("m00")
    assert scene.refusal("lift", *with_ballot(call, at, **dict(zip("vrs", alarmed[1:])))) == "other signer"


# -- epochs and keys

EIGHT = names_of(8)
NEXT = epoch_of([(name, name) for name in EIGHT], 1)


def grown() -> tuple[Stage, Any, tuple[int, ...]]:
    scene = stage()
    return scene, scene.next_row(NEXT), scene.words_of(NEXT, EIGHT)


def test_a_quorum_moves_to_the_next_epoch() -> None:
    scene, row, words = grown()
    scene.do("advance", *scene.advance(row, words, SEVEN[:Q]))
    assert scene.events == ["EpochEntered"]
    assert scene.do("epoch") == row.values
    assert scene.do("keys") == words
    assert scene.do("quorum") == 6


def test_a_restriction_outlives_its_epoch_and_a_word_does_not() -> None:
    scene, row, words = grown()
    scene.do("alarm", *scene.alarm(SEVEN[:Q]))
    late = scene.alarm(SEVEN[2:], expires=NOW_MS + 2 * HOUR_MS)
    scene.do("advance", *scene.advance(row, words, SEVEN[:Q]))
    assert scene.until() == START + 3600
    assert scene.refusal("alarm", *late) == "not this epoch"
    scene.entered(row, words)
    assert scene.refusal("alarm", *scene.alarm(EIGHT[:Q])) == "short of threshold"
    assert scene.refusal("alarm", *scene.alarm(EIGHT[2:])) is None


def test_who_left_signs_nothing_more() -> None:
    scene = stage()
    stay = SEVEN[1:]
    smaller = epoch_of([(name, name) for name in stay], 1)
    row, words = scene.next_row(smaller), scene.words_of(smaller, stay)
    scene.do("advance", *scene.advance(row, words, SEVEN[:Q]))
    was = scene.words
    scene.entered(row, words)
    assert scene.refusal("alarm", *scene.alarm(stay)) is None
    *front, votes = scene.alarm(stay)
    gone = scene.ballot("m00", "Alarm", scene.alarm_values("m00"))
    place = next(at for at, word in enumerate(was) if word >> 96 == int.from_bytes(key_of("m00").address, "big"))
    assert scene.refusal("alarm", *with_ballot((*front, votes), 5, at=place, **dict(zip("vrs", gone[1:])))) in (
        "other signer",
        "signer order",
        "no such key",
    )


@pytest.mark.parametrize("members", [SEVEN[: Q - 1], ()])
def test_fewer_than_a_quorum_do_not_advance(members: tuple[str, ...]) -> None:
    scene, row, words = grown()
    assert scene.refusal("advance", *scene.advance(row, words, members)) == "short of quorum"


def test_the_newcomer_does_not_count_for_its_own_admission() -> None:
    scene, row, words = grown()
    call = scene.advance(row, words, SEVEN[: Q - 1])
    scene_words, scene.words = scene.words, words
    own = scene.ballot("m07", "Epoch", epoch_values(row, words))
    scene.words = scene_words
    assert scene.refusal("advance", *call[:2], sorted([*call[2], own])) in (
        "other signer",
        "signer order",
        "no such key",
    )


def test_an_epoch_is_entered_once_and_none_is_skipped() -> None:
    scene, row, words = grown()
    call = scene.advance(row, words, SEVEN[:Q])
    ahead = replace(row, number=2)
    assert scene.refusal("advance", *scene.advance(ahead, words, SEVEN[:Q])) == "not the next epoch"
    scene.do("advance", *call)
    assert scene.refusal("advance", *call) == "not the next epoch"


@pytest.mark.parametrize(
    ("changed", "refused"),
    [
        ({"network": bytes(32)}, "other network"),
        ({"parent": bytes(32)}, "other parent"),
        ({"activates_ms": NOW_MS + 1000}, "not active yet"),
        ({"hash": bytes(32)}, "no hash"),
        ({"n": 1}, "groups"),
        ({"n": 257}, "groups"),
        ({"guard": 2}, "guard"),
        ({"guard": 9}, "guard"),
        ({"isolate": 5}, "isolate"),
        ({"halt": 5}, "halt"),
        ({"halt": 9}, "halt"),
        ({"guard_lease_ms": 12 * HOUR_MS + 1}, "guard lease"),
        ({"isolate_lease_ms": 6 * HOUR_MS + 1}, "isolate lease"),
        ({"halt_lease_ms": HOUR_MS + 1}, "halt lease"),
        ({"halt_lease_ms": 0}, "halt lease"),
    ],
)
def test_no_quorum_enters_an_epoch_below_the_protocols_floors(changed: dict[str, Any], refused: str) -> None:
    scene, row, words = grown()
    bad = replace(row, **changed)
    assert scene.refusal("advance", *scene.advance(bad, words, SEVEN[:Q])) == refused


def test_an_epoch_signed_and_another_one_told_is_refused() -> None:
    scene, row, words = grown()
    _, _, ballots = scene.advance(row, words, SEVEN[:Q])
    assert scene.refusal("advance", replace(row, guard=4).values, list(words), ballots) == "other signer"
    assert scene.refusal("advance", row.values, list(words[:-1]), ballots) == "other signer"


@pytest.mark.parametrize(
    ("spoil", "refused"),
    [
        (lambda words: words[::-1], "key order"),
        (lambda words: (words[0], *words), "key order"),
        (lambda words: (words[0] & (2**96 - 1), *words[1:]), "key order"),
        (lambda words: (*words[:-1], words[-1] | 1 << 9), "key word"),
        (lambda words: (*words[:-1], words[-1] | 255), "no such group"),
        (lambda words: words[:5], "too few groups have keys"),
    ],
)
def test_keys_that_make_no_sense_are_refused(spoil: Any, refused: str) -> None:
    scene, row, words = grown()
    assert scene.refusal("advance", *scene.advance(row, spoil(words), SEVEN[:Q])) == refused
    with pytest.raises(RevertedError, match=refused):
        scene.deployed(row, spoil(words))


def test_a_suspended_seat_still_signs_epochs() -> None:
    """Else nobody could be reinstated where more than f are suspended."""
    scene = stage(suspended=SEVEN[:3])
    row = scene.next_row(NEXT)
    assert scene.refusal("advance", *scene.advance(row, scene.words, SEVEN[:Q])) is None


def test_a_quorum_changes_a_key_within_the_epoch() -> None:
    scene = stage()
    stolen, fresh = key_of("m00").address, key_of("m00 anew").address
    group = next(word & 255 for word in scene.words if word >> 96 == int.from_bytes(stolen, "big"))
    rest = [word for word in scene.words if word >> 96 != int.from_bytes(stolen, "big")]
    words = tuple(sorted([*rest, int.from_bytes(fresh, "big") << 96 | group]))
    thief = scene.alarm(SEVEN[:Q])
    assert scene.refusal("change_keys", *scene.change_keys(words, SEVEN[: Q - 1])) == "short of quorum"
    assert scene.refusal("change_keys", *scene.change_keys(words, SEVEN[:Q], 2)) == "not the next keys"
    call = scene.change_keys(words, SEVEN[:Q])
    scene.do("change_keys", *call)
    assert scene.events == ["KeysChanged"]
    assert (scene.do("keys"), scene.do("keys_version")) == (words, 1)
    assert scene.refusal("change_keys", *call) == "not the next keys"
    assert scene.refusal("alarm", *thief) in ("other signer", "signer order")
    scene.words = words
    assert scene.refusal("alarm", *scene.alarm([*SEVEN[1:Q], "m00 anew"], author=bytes(32))) is None


def test_fewer_keys_leave_no_old_one_behind() -> None:
    scene = stage()
    scene.do("change_keys", *scene.change_keys(scene.words[:5], SEVEN[:Q]))
    assert scene.do("keys") == scene.words[:5]
    assert scene.refusal("alarm", *scene.alarm(SEVEN)) == "no such key"


def test_keys_start_anew_with_an_epoch() -> None:
    scene = stage()
    scene.do("change_keys", *scene.change_keys(scene.words[:6], SEVEN[:Q]))
    scene.words = scene.words[:6]
    row = scene.next_row(epoch_of([(name, name) for name in SEVEN], 1))
    signers = [name for name in SEVEN if scene.at(name) < 6][:Q]
    scene.do("advance", *scene.advance(row, scene.words, signers))
    assert scene.do("keys_version") == 0


def test_a_network_of_the_largest_size_fits_in_a_block() -> None:
    names = tuple(f"m{number:03}" for number in range(256))
    scene = Stage(epoch_of([(name, name) for name in names]), names)
    assert scene.world.gas_used < 20_000_000
    scene.do("alarm", *scene.alarm(names[: scene.row.q]))
    assert scene.world.gas_used < 10_000_000
