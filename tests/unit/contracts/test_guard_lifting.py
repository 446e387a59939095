"""A guard's own node, and how what it closed is opened again: by whom, of whom, and at targets that mean ill."""

from __future__ import annotations

import pytest

from tests.unit.contracts.guard_stage import (
    ABI,
    ALONE_BUDGET,
    ALONE_LEASE,
    ANYBODY,
    CLOSED,
    COOLDOWN,
    HOUR,
    KEY,
    OPEN,
    OPERATOR,
    UNKNOWN,
    WEEK,
    GuardStage,
    raw,
)
from tests.unit.contracts.hostile_target import BURNS, FLOODS, REFUSES, SHORT, TAKES, answers, calls_back
from tests.unit.contracts.registry_stage import ISOLATE, SUBJECT, THREAT, names_of
from tests.unit.contracts.world import OWNER, START, person

Q = names_of(7)[:5]


def alone(scene: GuardStage, seconds: int = HOUR, lever: int = 0) -> str | None:
    return scene.refusal("act_alone", lever, scene.world.now + seconds, KEY, by=OPERATOR)


def pauser(scene: GuardStage) -> str:
    """A person who may pause as well."""
    scene.gate_do("set_pauser", OWNER, True)
    return OWNER


# -- the operator


def test_the_owners_node_closes_the_gate_alone_and_opens_it() -> None:
    scene = GuardStage()
    assert alone(scene, 600) is None and scene.paused
    assert scene.told("Restricted") == {"lever": 0, "alone": True, "about": KEY, "until": START + 600}
    scene.do("release_alone", 0, by=OPERATOR)
    assert scene.events == ["Released", "Lifted"] and not scene.paused


@pytest.mark.parametrize("who", [ANYBODY, OWNER, person("heir")])
def test_nobody_else_acts_or_opens_as_the_operator(who: str) -> None:
    scene = GuardStage()
    assert scene.refusal("act_alone", 0, START + 60, KEY, by=who) == "not operator"
    alone(scene)
    assert scene.refusal("release_alone", 0, by=who) == "not operator"


def test_alone_it_reaches_less_far_than_a_quorum() -> None:
    scene = GuardStage()
    assert alone(scene, 6 * HOUR) is None
    assert scene.standing()[1] == START + ALONE_LEASE
    scene.world.now += ALONE_LEASE
    assert alone(scene) == "cooldown"
    scene.world.now += COOLDOWN
    assert alone(scene) is None


def test_a_node_that_is_all_thief_closes_no_more_than_its_budget_in_seven_days() -> None:
    scene = GuardStage()
    frozen = 0
    while scene.world.now < START + WEEK:
        if alone(scene, 6 * HOUR) is None:
            frozen += scene.standing()[1] - scene.world.now
            scene.world.now = scene.standing()[1]
        scene.world.now += 2 * HOUR
    assert ALONE_BUDGET - HOUR <= frozen <= ALONE_BUDGET


def test_a_thief_of_the_operators_key_spends_nothing_of_the_quorums() -> None:
    scene = GuardStage()
    before = scene.do("grant", 0, False)
    for _ in range(20):
        alone(scene, 6 * HOUR)
        scene.world.now += 700
        scene.do("release_alone", 0, by=OPERATOR)
    start, most = scene.do("grant", 0, False)
    assert start <= scene.world.now and most - scene.world.now == before[1] - START
    scene.act(Q)
    assert scene.paused


def test_the_operator_does_not_take_back_the_quorums_word() -> None:
    scene = GuardStage()
    alone(scene)
    scene.act(Q)
    scene.do("release_alone", 0, by=OPERATOR)
    assert scene.events == ["Released"] and scene.paused
    assert scene.refusal("lapse", 0) == "not over"


def test_of_two_words_the_later_end_holds() -> None:
    scene = GuardStage()
    scene.act(Q, expires=(START + 600) * 1000)
    alone(scene, HOUR)
    scene.world.now += 601
    assert scene.refusal("lapse", 0) == "not over" and scene.paused
    scene.world.now += HOUR
    scene.do("lapse", 0)
    assert not scene.paused


def test_a_repeat_of_the_node_changes_nothing_and_acts_at_no_target_again() -> None:
    scene = GuardStage()
    alone(scene, 600)
    scene.gate_do("unpause", by=pauser(scene))
    assert scene.refusal("act_alone", 0, START + 600, KEY, by=OPERATOR) is None
    assert scene.events == [] and not scene.paused


def test_a_lever_that_is_not_for_one_key_is_not() -> None:
    scene = GuardStage(terms={"alone_lease_s": 0, "alone_budget_s": 0})
    assert alone(scene) == "not alone"


@pytest.mark.parametrize("until", [0, START, 2**256 - 1])
def test_an_end_that_is_over_or_without_end_overflows_nothing(until: int) -> None:
    scene = GuardStage()
    refused = scene.refusal("act_alone", 0, until, KEY, by=OPERATOR)
    assert refused == ("expired" if until <= START else None)
    assert scene.standing()[1] in (0, START + ALONE_LEASE)


# -- whose a closing is


def test_what_somebody_else_closed_is_not_closed_again_and_never_opened() -> None:
    scene = GuardStage()
    scene.gate_do("pause", by=pauser(scene))
    scene.act(Q)
    assert scene.events == ["Restricted", "Stood"]
    scene.world.now += HOUR
    assert scene.refusal("lapse", 0) == "nothing to lift"
    scene.do("release", 0)
    scene.do("remove", 0)
    assert scene.paused


def test_what_somebody_opened_is_left_open() -> None:
    scene = GuardStage()
    scene.act(Q)
    scene.gate_do("unpause", by=pauser(scene))
    scene.act(Q, seq=9, expires=(START + 2 * HOUR) * 1000)
    assert not scene.paused
    scene.world.now += 2 * HOUR
    scene.do("lapse", 0)
    assert scene.events == ["Lifted"] and scene.told("Lifted")["called"] is False


def test_who_opened_a_gate_and_had_it_noted_closes_it_later_as_their_own() -> None:
    scene = GuardStage()
    scene.act(Q)
    scene.gate_do("unpause", by=pauser(scene))
    scene.do("lapse", 0, by=ANYBODY)
    assert scene.events == ["Lifted"] and scene.told("Lifted")["called"] is False
    scene.gate_do("pause")
    scene.world.now += HOUR
    assert scene.refusal("lapse", 0) == "nothing to lift" and scene.paused


def test_what_nobody_lapsed_is_closed_again_without_being_opened_between() -> None:
    scene = GuardStage()
    scene.act(Q)
    scene.world.now += 6 * HOUR + COOLDOWN
    scene.act(Q)
    assert scene.events == ["Restricted", "Stood"] and scene.paused
    scene.world.now += HOUR
    scene.do("lapse", 0)
    assert not scene.paused


def test_what_the_owner_forgets_is_theirs() -> None:
    scene = GuardStage()
    scene.act(Q)
    scene.do("forget", 0)
    assert scene.paused and scene.refusal("lapse", 0) == "nothing to lift"


# -- targets that refuse, or mean ill


def test_a_right_that_is_missing_is_told_and_nothing_is_spent() -> None:
    scene = GuardStage()
    scene.gate_do("set_pauser", scene.at, False)
    assert alone(scene) == "target refused"
    assert scene.standing() == (0, 0, False, OPEN)
    scene.gate_do("set_pauser", scene.at, True)
    assert alone(scene) is None


def test_a_refused_lift_is_told_and_asked_again_by_anybody() -> None:
    scene = GuardStage()
    scene.act(Q)
    scene.world.now += HOUR
    scene.gate_do("set_pauser", scene.at, False)
    scene.do("lapse", 0, by=ANYBODY)
    assert scene.events == ["LiftRefused"] and scene.standing()[2:] == (True, CLOSED)
    scene.gate_do("set_pauser", scene.at, True)
    scene.do("lapse", 0, by=ANYBODY)
    assert scene.events == ["Lifted"] and not scene.paused


def test_an_owner_releases_removes_and_switches_off_whatever_the_target_says() -> None:
    scene = GuardStage()
    scene.act(Q)
    scene.gate_do("set_pauser", scene.at, False)
    for name, args in (("release", (0,)), ("switch_off", ()), ("remove", (0,))):
        assert scene.refusal(name, *args) is None
    scene.gate_do("set_pauser", scene.at, True)
    scene.do("lapse", 0, by=ANYBODY)
    assert not scene.paused


def hostile(scene: GuardStage, code: bytes, **changed: object) -> int:
    """A lever on such a target; its number."""
    at = raw(scene.made(code))
    call = b"\1\2\3\4"
    told = {"target": at, "restrict": call, "lift": call, "probe": b""} | changed
    lever: int = scene.do("add", scene.listing(**told).values)
    scene.do("reason", lever, scene.list, SUBJECT, THREAT, ISOLATE, 5)
    return lever


@pytest.mark.parametrize("code", [REFUSES, BURNS])
def test_a_target_that_refuses_or_burns_all_gas_holds_up_nothing_else(code: bytes) -> None:
    scene = GuardStage()
    lever = hostile(scene, code)
    assert scene.refusal("act", *scene.call(Q, lever=lever)) == "target refused"
    scene.act(Q)
    assert scene.paused


def test_a_target_that_floods_its_caller_is_not_listened_to() -> None:
    scene = GuardStage()
    lever = hostile(scene, FLOODS, probe=b"\5\6\7\x08", closed=1)
    assert scene.refusal("act", *scene.call(Q, lever=lever)) is None
    assert scene.world.gas_used < 200_000


@pytest.mark.parametrize(
    ("code", "shows"),
    [
        (REFUSES, UNKNOWN),
        (SHORT, UNKNOWN),
        (TAKES, UNKNOWN),
        (answers(1), CLOSED),
        (answers(2), OPEN),
        (BURNS, UNKNOWN),
    ],
)
def test_a_probe_is_believed_only_where_it_answers_a_word(code: bytes, shows: int) -> None:
    scene = GuardStage()
    lever = hostile(scene, code, probe=b"\5\6\7\x08", closed=1)
    assert scene.standing(lever)[3] == shows


def test_a_probe_looks_at_the_bits_of_its_mask_alone() -> None:
    scene = GuardStage()
    lever = hostile(scene, answers(0b1011_0000), probe=b"\5\6\7\x08", mask=0b0001_0000, closed=0b0001_0000)
    assert scene.standing(lever)[3] == CLOSED


@pytest.mark.parametrize("name", ["act", "lapse", "act_alone", "release_alone", "release", "remove", "switch_off"])
def test_a_target_that_calls_back_gets_nowhere(name: str) -> None:
    """Whatever it calls the guard with, and even where it is the owner and the operator."""
    scene = GuardStage()
    args = {
        "act": scene.call(Q),
        "act_alone": (0, START + 60, KEY),
        "switch_off": (),
    }.get(name, (0,))
    target = scene.made(calls_back(raw(scene.at), ABI.function(name).encode(args)))
    call = b"\1\2\3\4"
    scene.do("add", scene.listing(target=raw(target), restrict=call, lift=call, probe=b"").values)
    scene.do("reason", 1, scene.list, SUBJECT, THREAT, ISOLATE, 5)
    alone(scene, 60)
    if name == "lapse":  # anybody might, outside of a call
        scene.world.now += 60
    scene.do("set_operator", target)
    scene.do("offer", target)
    scene.do("accept", by=target)
    before = scene.standing(0)
    scene.do("act", *scene.call(Q, lever=1))
    assert scene.world._state.get_storage(raw(target), 0) == 1
    assert scene.standing(0) == before and scene.paused
    scene.do("release", 1, by=target)
    assert scene.standing(0) == before and scene.paused and not scene.standing(1)[2]


def test_the_target_sees_the_guard_as_it_will_be() -> None:
    """What it reads while it is called is what holds afterwards: no view shows an older state."""
    scene = GuardStage()
    target = scene.made(calls_back(raw(scene.at), ABI.function("standing").encode((1,))))
    call = b"\1\2\3\4"
    scene.do("add", scene.listing(target=raw(target), restrict=call, lift=call, probe=b"").values)
    scene.do("reason", 1, scene.list, SUBJECT, THREAT, ISOLATE, 5)
    scene.do("act", *scene.call(Q, lever=1))
    assert scene.world._state.get_storage(raw(target), 0) == 2
    assert scene.standing(1) == (START + HOUR, 0, True, UNKNOWN)
