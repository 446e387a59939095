"""A guard's quorum: what enough groups' words do, how far they reach, and everything that is no such word."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.evm.eip712 import Domain
from adapters.evm.evm_key import ORDER
from adapters.evm.guard_words import ANY_THREAT, packed_vote
from adapters.evm.registry import signed
from protocol.crypto import sha256
from tests.unit.contracts.guard_stage import (
    ANYBODY,
    BUDGET,
    COOLDOWN,
    EPOCH,
    HOUR,
    KEY,
    LEASE,
    OPERATOR,
    WEEK,
    GuardStage,
    raw,
    words_of,
)
from tests.unit.contracts.registry_stage import (
    GUARD,
    HALT,
    HOUR_MS,
    ISOLATE,
    NOW_MS,
    OTHER_SUBJECT,
    SUBJECT,
    THREAT,
    key_of,
    names_of,
    stage,
)
from tests.unit.contracts.world import START, RevertedError

SEVEN = names_of(7)
Q = 5
NOT_ALONE = {"alone_lease_s": 0, "alone_budget_s": 0}


def spoilt(call: tuple[Any, ...], place: int, **changed: int) -> tuple[Any, ...]:
    """A call with the parts of one vote's signature replaced: `at`, `v` (0 or 1), `r`, `s`."""
    *front, votes = call
    author, body_hash, told, r, s = votes[place]
    told = told & ~0xFFFF | changed.get("at", told & 255) | changed.get("v", told >> 8 & 255) << 8
    vote = (author, body_hash, told, changed.get("r", r), changed.get("s", s))
    return *front, [*votes[:place], vote, *votes[place + 1 :]]


# -- what a quorum does


def test_a_quorum_closes_the_gate_and_anybody_opens_it_when_the_first_word_expires() -> None:
    scene = GuardStage()
    scene.act(SEVEN[:Q])
    assert scene.events == ["Restricted"] and scene.paused
    assert scene.told("Restricted") == {"lever": 0, "alone": False, "about": SUBJECT, "until": START + HOUR}
    assert scene.refusal("lapse", 0, by=ANYBODY) == "not over"
    scene.world.now += HOUR
    scene.do("lapse", 0, by=ANYBODY)
    assert scene.events == ["Lifted"] and not scene.paused
    assert scene.refusal("lapse", 0, by=ANYBODY) == "nothing to lift"


def test_an_end_is_rounded_up_to_the_second() -> None:
    scene = GuardStage()
    scene.act(SEVEN[:Q], expires=NOW_MS + 60_001)
    assert scene.standing()[0] == START + 61


def test_a_certificate_sent_twice_or_by_somebody_faster_does_no_harm() -> None:
    scene = GuardStage()
    call = scene.call(SEVEN[:Q])
    scene.do("act", *call, by=OPERATOR)
    before = scene.standing()
    scene.do("act", *call, by=ANYBODY)
    assert scene.events == [] and scene.standing() == before


def test_other_words_of_a_higher_level_count_and_lower_ones_do_not() -> None:
    scene = GuardStage()
    assert scene.refusal("act", *scene.call(SEVEN[:Q], level=GUARD)) == "level of a vote"
    assert scene.refusal("act", *scene.call(SEVEN[:Q], level=5)) == "level of a vote"
    assert scene.refusal("act", *scene.call(SEVEN[:Q], level=HALT)) is None


def test_a_reason_is_for_its_subject_and_threat_alone() -> None:
    scene = GuardStage()
    assert scene.refusal("act", *scene.call(SEVEN[:Q], subject=OTHER_SUBJECT)) == "no reason"
    assert scene.refusal("act", *scene.call(SEVEN[:Q], threat=THREAT + 1)) == "no reason"
    scene.do("reason", 0, scene.list, OTHER_SUBJECT, ANY_THREAT, ISOLATE, Q)
    assert scene.refusal("act", *scene.call(SEVEN[:Q], subject=OTHER_SUBJECT, threat=0)) == "threat"
    assert scene.refusal("act", *scene.call(SEVEN[:Q], subject=OTHER_SUBJECT, threat=THREAT + 1)) is None


def test_words_signed_for_a_registry_count_where_the_list_names_it() -> None:
    scene, registry = GuardStage(), b"\x77" * 20
    scene.list = scene.listed(scene.words, "0x" + registry.hex())
    scene.do("reason", 0, scene.list, SUBJECT, THREAT, ISOLATE, Q)
    assert scene.refusal("act", *scene.call(SEVEN[:Q])) == "other signer"
    votes = [(name, scene.values(name)) for name in SEVEN[:Q]]
    said = [(values, signed(Domain(1, registry), "Alarm", values, key_of(name))) for name, values in votes]
    assert scene.refusal("act", *packed(scene, said)) is None


# -- what is no quorum's word


def packed(scene: GuardStage, said: list[tuple[dict[str, Any], bytes]]) -> tuple[Any, ...]:
    """Signatures as they are, whoever made them: sorted as their authors' keys are."""
    at = {scene.words[i] >> 96: i for i in range(len(scene.words))}
    votes = []
    for values, signature in said:
        own = at[int.from_bytes(key_of(values["author"].rstrip(b"\0").decode()).address, "big")]
        parts = (signature[64], int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big"))
        names = ("author", "seq", "bodyHash", "level", "issued", "submitBy", "expires")
        votes.append((own, packed_vote((*(values[name] for name in names), (own, *parts)))))
    first = said[0][0]
    return 0, scene.list, first["epoch"], first["subject"], first["threat"], [vote for _, vote in sorted(votes)]


def test_too_few_groups_are_refused() -> None:
    scene = GuardStage()
    assert scene.refusal("act", *scene.call(SEVEN[: Q - 1])) == "short of threshold"
    assert scene.refusal("act", 0, scene.list, EPOCH, SUBJECT, THREAT, []) == "short of threshold"


def test_two_keys_of_one_group_count_once() -> None:
    scene = GuardStage()
    scene.words = words_of(SEVEN, [0, 0, 1, 2, 3, 4, 5])
    scene.list = scene.listed(scene.words)
    scene.do("reason", 0, scene.list, SUBJECT, THREAT, ISOLATE, Q)
    assert scene.refusal("act", *packed(scene, scene.said(SEVEN[:Q]))) == "short of threshold"
    assert scene.refusal("act", *packed(scene, scene.said(SEVEN[: Q + 1]))) is None


def test_one_signer_twice_or_out_of_order_is_refused() -> None:
    scene = GuardStage()
    *front, votes = scene.call(SEVEN[:Q])
    assert scene.refusal("act", *front, [votes[0], *votes]) == "signer order"
    assert scene.refusal("act", *front, votes[::-1]) == "signer order"


def test_the_other_root_of_a_signature_is_refused() -> None:
    scene = GuardStage()
    call = scene.call(SEVEN[:Q])
    _, _, told, _, s = call[-1][2]
    assert scene.refusal("act", *spoilt(call, 2, s=ORDER - s, v=1 - (told >> 8 & 255))) == "high s"


@pytest.mark.parametrize("changed", [{"r": 0}, {"s": 0}, {"r": ORDER}, {"r": 2**256 - 1}])
def test_a_signature_that_recovers_nobody_is_refused(changed: dict[str, int]) -> None:
    scene = GuardStage()
    assert scene.refusal("act", *spoilt(scene.call(SEVEN[:Q]), 2, **changed)) == "no signer"


def test_a_v_of_another_form_is_refused() -> None:
    scene = GuardStage()
    for v in (2, 27, 255):
        assert scene.refusal("act", *spoilt(scene.call(SEVEN[:Q]), 2, v=v)) == "v"


def test_a_place_without_a_key_signs_nothing_not_even_for_the_zero_address() -> None:
    scene = GuardStage()
    call = scene.call(SEVEN[:Q])
    for at in (7, 63):
        assert scene.refusal("act", *spoilt(call, 4, at=at)) == "signer order"
        assert scene.refusal("act", *spoilt(call, 4, at=at, r=0)) == "signer order"
    assert scene.refusal("act", *spoilt(call, 4, at=64)) is not None
    assert scene.refusal("act", *spoilt(call, 4, at=255)) is not None


def test_a_strangers_signature_under_a_members_place_is_refused() -> None:
    scene = GuardStage()
    said = scene.said(SEVEN[:Q])
    values = said[0][0]
    said[0] = (values, signed(scene.domain, "Alarm", values, key_of("stranger")))
    assert scene.refusal("act", *packed(scene, said)) == "other signer"


@pytest.mark.parametrize("where", ["chain", "contract"])
def test_words_for_another_chain_or_contract_are_refused(where: str) -> None:
    scene = GuardStage()
    elsewhere = Domain(2, raw(scene.at)) if where == "chain" else Domain(1, raw(scene.gate))
    assert scene.refusal("act", *packed(scene, scene.said(SEVEN[:Q], elsewhere))) == "other signer"


FIELDS = (
    "network",
    "epoch",
    "author",
    "seq",
    "bodyHash",
    "subject",
    "threat",
    "level",
    "issued",
    "submitBy",
    "expires",
)


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_of_a_word_is_under_its_signature(field: str) -> None:
    """One member signs something else than what the call says of its word."""
    scene = GuardStage()
    said = scene.said(SEVEN[:Q])
    told, _ = said[0]
    other = sha256(b"other") if isinstance(told[field], bytes) else told[field] + 1
    said[0] = (told, signed(scene.domain, "Alarm", told | {field: other}, key_of(SEVEN[0])))
    assert scene.refusal("act", *packed(scene, said)) == "other signer"


def test_words_of_two_epochs_are_no_certificate() -> None:
    scene = GuardStage()
    said = [*scene.said(SEVEN[:3]), *scene.said(SEVEN[3:Q], epoch=bytes(32))]
    assert scene.refusal("act", *packed(scene, said)) == "other signer"


def test_a_word_kept_back_is_refused() -> None:
    scene = GuardStage()
    call = scene.call(SEVEN[:Q])
    scene.world.now += 601
    assert scene.refusal("act", *call) == "late"
    scene.world.now -= 1
    assert scene.refusal("act", *call) is None


def test_a_word_dated_more_than_a_minute_ahead_is_refused() -> None:
    scene = GuardStage()
    assert scene.refusal("act", *scene.call(SEVEN[:Q], issued=NOW_MS + 60_001)) == "dated ahead"
    assert scene.refusal("act", *scene.call(SEVEN[:Q], issued=NOW_MS + 60_000)) is None


def test_what_has_expired_restricts_nothing() -> None:
    scene = GuardStage()
    call = scene.call(SEVEN[:Q], expires=NOW_MS + 5_000)
    scene.world.now += 5
    assert scene.refusal("act", *call) == "expired"


def test_the_largest_numbers_overflow_nothing() -> None:
    scene = GuardStage()
    call = scene.call(SEVEN[:Q], expires=2**64 - 1, submitBy=NOW_MS + 600_000, seq=2**64 - 1)
    assert scene.refusal("act", *call) is None
    assert scene.standing()[0] == START + LEASE
    scene = GuardStage()
    assert scene.refusal("act", *scene.call(SEVEN[:Q], issued=2**64 - 1, submitBy=1, expires=1)) == "dated ahead"


def test_a_lever_that_is_not_there_is_refused() -> None:
    scene = GuardStage()
    for lever in (1, 2**256 - 1):
        assert scene.refusal("act", *scene.call(SEVEN[:Q], lever=lever)) == "no such lever"


# -- how far a quorum reaches


def test_siblings_and_renewals_hold_no_longer_than_one_lease_from_the_first_word() -> None:
    scene = GuardStage()
    for hour in range(8):
        members = SEVEN[hour % 3 : hour % 3 + Q]
        refused = scene.refusal("act", *scene.call(members, seq=hour))
        assert refused == (None if hour < 7 else "cooldown"), hour
        assert scene.standing()[0] <= START + LEASE
        scene.world.now += HOUR - 1
    scene.do("lapse", 0)
    assert not scene.paused


def test_the_next_term_waits_for_the_cooldown() -> None:
    scene = GuardStage()
    scene.act(SEVEN[:Q])
    scene.world.now += LEASE + COOLDOWN - 1
    scene.do("lapse", 0)
    assert scene.refusal("act", *scene.call(SEVEN[:Q])) == "cooldown"
    scene.world.now += 1
    assert scene.refusal("act", *scene.call(SEVEN[:Q])) is None and scene.paused


def test_a_word_sent_at_its_last_second_does_not_spend_the_term() -> None:
    """Who holds a certificate back until it almost expires must not buy the cooldown with it."""
    scene = GuardStage()
    call = scene.call(SEVEN[:Q], expires=NOW_MS + 300_000)
    scene.world.now += 299
    scene.do("act", *call)
    scene.world.now += 2
    scene.do("lapse", 0)
    scene.act(SEVEN[:Q])
    assert scene.paused and scene.standing()[0] == scene.world.now + HOUR


def test_no_word_said_before_a_release_is_taken_after_it() -> None:
    """Not even one dated ahead, at the shortest cooldown that may be listed."""
    scene = GuardStage(terms={"cooldown_s": 720})
    call = scene.call(SEVEN[:Q], issued=NOW_MS + 60_000)
    scene.do("release", 0)
    for seconds in (0, 60, 599, 1):
        scene.world.now += seconds
        assert scene.refusal("act", *call) == "cooldown"
    scene.world.now += 1
    assert scene.refusal("act", *call) == "late"


def test_in_seven_days_no_more_than_the_budget() -> None:
    scene = GuardStage()
    frozen = 0
    while scene.world.now < START + WEEK:
        if scene.refusal("act", *scene.call(SEVEN[:Q], expires=scene.world.now * 1000 + 6 * HOUR_MS)) is None:
            frozen += scene.standing()[0] - scene.world.now
            scene.world.now = scene.standing()[0]
            scene.do("lapse", 0)
        scene.world.now += 4 * HOUR
    assert BUDGET - HOUR <= frozen <= BUDGET


def test_a_spent_budget_is_said_and_flows_back() -> None:
    scene = GuardStage(terms={"cooldown_s": 720, "lease_s": 600, "budget_s": 1_200} | NOT_ALONE)
    scene.act(SEVEN[:Q])
    assert scene.standing()[0] == START + 600
    scene.world.now += 600 + 720
    scene.act(SEVEN[:Q])
    assert scene.standing()[0] == scene.world.now + 1
    scene.world.now += 1
    scene.do("lapse", 0)
    assert scene.refusal("act", *scene.call(SEVEN[:Q])) == "budget" and not scene.paused
    scene.world.now += WEEK
    scene.act(SEVEN[:Q])
    assert scene.standing()[0] == scene.world.now + 600


def test_what_a_release_leaves_unused_flows_back() -> None:
    scene = GuardStage()
    for _ in range(6):
        scene.act(SEVEN[:Q], expires=scene.world.now * 1000 + 6 * HOUR_MS)
        assert scene.standing()[0] == scene.world.now + LEASE
        scene.world.now += 60
        scene.do("release", 0)
        scene.world.now += COOLDOWN


def test_no_more_flows_back_than_was_left_unused() -> None:
    """Released half-way every time, the budget is used up all the same."""
    scene = GuardStage(terms={"cooldown_s": 720, "lease_s": 600, "budget_s": 1_200} | NOT_ALONE)
    frozen = 0
    for _ in range(8):
        if scene.refusal("act", *scene.call(SEVEN[:Q])) is None:
            half = (scene.standing()[0] - scene.world.now + 1) // 2
            frozen += half
            scene.world.now += half
            scene.do("release", 0)
        scene.world.now += 720
    assert 600 <= frozen <= 620


# -- whose words count


def test_words_on_their_way_when_their_list_is_dropped_do_nothing() -> None:
    scene = GuardStage()
    call = scene.call(SEVEN[:Q])
    fresh = words_of(["n0", "n1", *SEVEN[:3]])
    was, scene.list = scene.list, scene.listed(fresh)
    scene.do("reason", 0, scene.list, SUBJECT, THREAT, ISOLATE, 3)
    scene.do("reason", 0, was, SUBJECT, THREAT, 0, 0)
    assert scene.refusal("act", *call) == "no reason"
    assert scene.refusal("act", 0, scene.list, *call[2:]) in ("other signer", "signer order")
    scene.words = fresh
    assert scene.refusal("act", *scene.call(["n0", "n1", "m00"])) is None


def test_what_is_no_list_of_this_guard_is_named_by_no_reason() -> None:
    scene, other = GuardStage(), GuardStage()
    assert scene.refusal("reason", 0, raw(scene.gate), SUBJECT, THREAT, ISOLATE, Q) == "no list"
    assert scene.refusal("reason", 0, other.list[:-1] + b"\0", SUBJECT, THREAT, ISOLATE, Q) == "no list"
    assert scene.refusal("reason", 0, scene.list, SUBJECT, THREAT, ISOLATE, 0) == "no registry"
    assert scene.refusal("reason", 0, b"\x55" * 20, SUBJECT, THREAT, ISOLATE, 0) == "no registry"
    assert scene.refusal("heed", 0, scene.list, SUBJECT, THREAT) == "no registry"


def test_a_list_is_shown_as_it_was_made_and_runs_nothing() -> None:
    scene = GuardStage()
    network, voice, keys = scene.do("list_of", scene.list)
    assert (voice, list(keys)) == (raw(scene.at), scene.words) and len(network) == 32
    assert bytes(scene.world.run("0x" + scene.list.hex(), b"\1\2\3\4", ANYBODY).output) == b""


@pytest.mark.parametrize("words", [[5], [1 << 96, 1 << 96], [2 << 96, 1 << 96], [1 << 96 | 256], [1 << 96 | 1 << 95]])
def test_keys_in_no_order_or_of_no_form_are_no_list(words: list[int]) -> None:
    assert GuardStage().refusal("make_list", bytes(32), "0x" + "00" * 20, words) in ("key order", "key word")


def test_what_a_registry_shows_closes_the_gate_while_it_shows_it() -> None:
    scene, mirror = GuardStage(), stage()
    there = GuardStage(world=mirror.world)
    there.do("reason", 0, mirror.address, SUBJECT, THREAT, ISOLATE, 0)
    assert there.refusal("heed", 0, mirror.address, SUBJECT, THREAT) == "expired"
    mirror.do("alarm", *mirror.alarm(SEVEN[:3], GUARD))
    assert there.refusal("heed", 0, mirror.address, SUBJECT, THREAT) == "expired"
    mirror.do("alarm", *mirror.alarm(SEVEN[:Q]))
    there.do("heed", 0, mirror.address, SUBJECT, THREAT, by=ANYBODY)
    assert there.paused and there.standing()[0] == START + HOUR
    there.do("release", 0)
    assert there.refusal("heed", 0, mirror.address, SUBJECT, THREAT) == "cooldown"
    assert scene.refusal("heed", 0, mirror.address, SUBJECT, THREAT) == "no reason"


def test_a_registry_is_no_list_that_nobody_need_sign_for() -> None:
    """Its reason asks for no groups of its own: taken for a list, no votes at all would be enough."""
    mirror = stage()
    scene = GuardStage(world=mirror.world)
    scene.do("reason", 0, mirror.address, SUBJECT, THREAT, ISOLATE, 0)
    assert scene.refusal("act", 0, mirror.address, EPOCH, SUBJECT, THREAT, []) == "no list"


def test_a_registry_that_says_for_ever_is_heard_for_one_lease() -> None:
    from tests.unit.contracts.hostile_target import answers

    scene = GuardStage()
    liar = scene.made(answers(2**256 - 1))
    scene.do("reason", 0, raw(liar), SUBJECT, THREAT, ISOLATE, 0)
    scene.do("heed", 0, raw(liar), SUBJECT, THREAT)
    assert scene.standing()[0] == START + LEASE


def test_an_operators_key_opens_no_door_of_the_quorums() -> None:
    scene = GuardStage()
    scene.do("act_alone", 0, START + 60, KEY, by=OPERATOR)
    with pytest.raises(RevertedError):
        scene.do("act", *scene.call(SEVEN[: Q - 1]), by=OPERATOR)
