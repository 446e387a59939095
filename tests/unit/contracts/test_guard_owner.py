"""A guard's owner: what only they may do, what waits, what does not, and what may be listed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.contracts.guard_stage import (
    ANYBODY,
    DAY,
    HEIR,
    HOUR,
    KEY,
    NOBODY,
    OPERATOR,
    GuardStage,
    raw,
)
from tests.unit.contracts.hostile_target import TAKES, answers
from tests.unit.contracts.registry_stage import ISOLATE, OTHER_SUBJECT, SUBJECT, THREAT, names_of
from tests.unit.contracts.world import OWNER, START

Q = names_of(7)[:5]
CALL = b"\1\2\3\4"


def owned(scene: GuardStage) -> dict[str, tuple[Any, ...]]:
    """Everything that is the owner's, with arguments that they could give."""
    return {
        "release": (0,),
        "forget": (0,),
        "add": (scene.listing(lift=CALL).values,),
        "remove": (0,),
        "reason": (0, scene.list, OTHER_SUBJECT, THREAT, ISOLATE, 5),
        "make_list": (bytes(32), NOBODY, scene.words),
        "set_operator": (HEIR,),
        "switch_off": (),
        "switch_on": (),
        "raise_delay": (DAY,),
        "offer": (HEIR,),
    }


@pytest.mark.parametrize("name", sorted(owned(GuardStage())))
def test_what_is_the_owners_nobody_else_does(name: str) -> None:
    scene = GuardStage()
    args = owned(scene)[name]
    for who in (ANYBODY, OPERATOR, HEIR, scene.gate):
        assert scene.refusal(name, *args, by=who) == "not owner"
    assert scene.refusal(name, *args) is None


def test_nothing_else_is_there_to_call() -> None:
    """A function that is added must be thought of here."""
    from adapters.evm.artifacts import artifact

    writes = {
        one["name"]
        for one in artifact("Guard").abi
        if one["type"] == "function" and one["stateMutability"] not in ("view", "pure")
    }
    anybodys = {"act", "heed", "act_alone", "lapse", "release_alone", "accept"}
    assert writes == anybodys | set(owned(GuardStage()))
    assert not [one for one in artifact("Guard").abi if one.get("stateMutability") == "payable"]


# -- ownership


def test_ownership_moves_in_two_steps_and_at_once_then() -> None:
    scene = GuardStage()
    scene.do("offer", HEIR)
    assert scene.refusal("release", 0, by=HEIR) == "not owner"
    assert scene.refusal("accept", by=ANYBODY) == "not offered"
    scene.do("accept", by=HEIR)
    assert scene.refusal("release", 0) == "not owner" and scene.refusal("release", 0, by=HEIR) is None
    assert scene.refusal("accept", by=HEIR) == "not offered"


def test_an_offer_is_taken_back_by_another_one() -> None:
    scene = GuardStage()
    scene.do("offer", HEIR)
    scene.do("offer", NOBODY)
    assert scene.refusal("accept", by=HEIR) == "not offered"
    assert scene.refusal("accept", by=NOBODY) is None or scene.do("owner") == raw(OWNER)


def test_who_owned_a_guard_that_closed_something_leaves_it_to_the_next_owner() -> None:
    scene = GuardStage()
    scene.act(Q)
    scene.do("offer", HEIR)
    scene.do("accept", by=HEIR)
    scene.do("release", 0, by=HEIR)
    assert not scene.paused


# -- what waits


def test_what_is_added_waits_and_what_is_there_goes_on() -> None:
    scene = GuardStage()
    scene.do("raise_delay", 2 * DAY)
    lever = scene.do("add", scene.listing(lift=CALL).values)
    scene.do("reason", lever, scene.list, SUBJECT, THREAT, ISOLATE, 5)
    scene.do("reason", 0, scene.list, OTHER_SUBJECT, THREAT, ISOLATE, 5)
    scene.world.now += 2 * DAY - 1
    assert scene.refusal("act", *scene.call(Q, lever=lever)) == "not yet"
    assert scene.refusal("act", *scene.call(Q, subject=OTHER_SUBJECT)) == "not yet a reason"
    assert scene.refusal("act", *scene.call(Q)) is None
    scene.world.now += 1
    assert scene.refusal("act", *scene.call(Q, subject=OTHER_SUBJECT)) is None
    scene.do("release", 0)
    assert scene.refusal("act", *scene.call(Q, lever=lever)) is None


def test_another_operator_waits_and_the_one_before_is_none_at_once() -> None:
    scene = GuardStage()
    scene.do("raise_delay", DAY)
    scene.do("set_operator", HEIR)
    scene.world.now += DAY - 1
    assert scene.refusal("act_alone", 0, scene.world.now + 60, KEY, by=OPERATOR) == "not operator"
    assert scene.refusal("act_alone", 0, scene.world.now + 60, KEY, by=HEIR) == "not yet operator"
    scene.world.now += 1
    assert scene.refusal("act_alone", 0, scene.world.now + 60, KEY, by=HEIR) is None


def test_the_delay_never_falls() -> None:
    scene = GuardStage()
    scene.do("raise_delay", 2 * DAY)
    for delay in (0, DAY, 2 * DAY, 30 * DAY + 1, 2**256 - 1):
        assert scene.refusal("raise_delay", delay) == "delay"
    assert scene.refusal("raise_delay", 30 * DAY) is None


# -- what does not wait


def test_a_removed_lever_acts_no_more_and_what_stood_by_it_is_lifted() -> None:
    scene = GuardStage()
    scene.do("raise_delay", DAY)
    scene.act(Q)
    scene.do("remove", 0)
    assert scene.events == ["Removed", "Released", "Lifted"] and not scene.paused
    assert scene.refusal("act", *scene.call(Q)) == "removed"
    scene.do("switch_on")
    scene.world.now += DAY
    assert scene.refusal("act", *scene.call(Q)) == "removed"


def test_a_reason_is_taken_away_at_once() -> None:
    scene = GuardStage()
    scene.do("raise_delay", DAY)
    scene.do("reason", 0, scene.list, SUBJECT, THREAT, 0, 0)
    assert scene.refusal("act", *scene.call(Q)) == "no reason"


def test_a_guard_that_is_off_restricts_nothing_and_anybody_may_open_what_stands() -> None:
    scene = GuardStage()
    scene.do("raise_delay", DAY)
    scene.act(Q)
    scene.do("switch_off")
    assert scene.refusal("act", *scene.call(Q, seq=9)) == "off"
    assert scene.refusal("act_alone", 0, START + 60, KEY, by=OPERATOR) == "off"
    scene.do("lapse", 0, by=ANYBODY)
    assert not scene.paused
    scene.do("switch_on")
    assert scene.refusal("act", *scene.call(Q, seq=10)) == "not yet"
    scene.world.now += DAY
    assert scene.refusal("act", *scene.call(Q)) is None


def test_what_was_added_and_waits_does_not_come_sooner_by_switching() -> None:
    scene = GuardStage()
    scene.do("raise_delay", 2 * DAY)
    lever = scene.do("add", scene.listing(lift=CALL).values)
    scene.do("switch_off")
    scene.do("switch_on")
    assert scene.do("lever", lever)[1] == START + 2 * DAY


# -- what may be listed


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"target": b"\x55" * 20}, "no target"),
        ({"restrict": b"\1\2\3"}, "calldata"),
        ({"lift": b""}, "calldata"),
        ({"probe": b"\1"}, "probe"),
        ({"mask": 1, "closed": 2}, "mask"),
        ({"cooldown_s": 719}, "cooldown"),
        ({"cooldown_s": 30 * DAY + 1}, "cooldown"),
        ({"lease_s": 0}, "lease"),
        ({"lease_s": 12 * HOUR + 1}, "lease"),
        ({"budget_s": 7 * DAY + 1}, "lease"),
        ({"budget_s": 0}, "lease"),
        ({"alone_lease_s": 6 * HOUR + 1}, "alone lease"),
        ({"alone_lease_s": 2 * HOUR + 1}, "alone lease"),
        ({"alone_lease_s": HOUR, "alone_budget_s": 0}, "alone lease"),
        ({"alone_budget_s": 24 * HOUR + 1}, "alone budget"),
        ({"lease_s": 2**256 - 1}, "lease"),
        ({"cooldown_s": 2**256 - 1}, "cooldown"),
    ],
)
def test_terms_that_bind_nothing_are_not_listed(changed: dict[str, Any], reason: str) -> None:
    scene = GuardStage()
    assert scene.refusal("add", scene.listing(**({"lift": CALL} | changed)).values) == reason


def test_a_guard_lists_neither_itself_nor_the_safe_that_it_acts_through() -> None:
    scene = GuardStage()
    assert scene.refusal("add", scene.listing(target=raw(scene.at)).values) == "target"


def test_one_thing_is_lifted_by_one_lever() -> None:
    """Of two, the first to end would open what the other still holds."""
    scene = GuardStage()
    assert scene.refusal("add", scene.listing().values) == "listed"
    scene.do("remove", 0)
    assert scene.refusal("add", scene.listing().values) is None
    assert scene.refusal("add", scene.listing().values) == "listed"


def test_one_thing_is_not_listed_again_while_its_first_lever_owes_a_lift() -> None:
    scene = GuardStage()
    scene.act(Q)
    scene.gate_do("set_pauser", scene.at, False)
    scene.do("remove", 0)
    assert scene.refusal("add", scene.listing().values) == "listed"
    scene.gate_do("set_pauser", scene.at, True)
    scene.do("lapse", 0, by=ANYBODY)
    assert scene.refusal("add", scene.listing().values) is None


@pytest.mark.parametrize(("level", "groups"), [(1, 5), (5, 5), (2**256 - 1, 5), (3, 1), (3, 65), (3, 2**256 - 1)])
def test_one_key_is_no_quorum_and_a_watch_moves_nothing(level: int, groups: int) -> None:
    scene = GuardStage()
    refused = scene.refusal("reason", 0, scene.list, SUBJECT, THREAT, level, groups)
    assert refused == ("groups" if level == 3 else "level")


def test_a_lever_is_shown_as_it_was_listed() -> None:
    from adapters.evm.guard_words import listing_of

    scene = GuardStage()
    longest = scene.listing(restrict=b"\1" * 132, lift=b"\2" * 132, probe=b"\3" * 68, mask=2**256 - 1, closed=7)
    lever = scene.do("add", longest.values)
    assert listing_of(scene.do("lever", lever)[0]) == longest
    assert listing_of(scene.do("lever", 0)[0]) == scene.listing()


def test_there_is_room_for_sixty_four_levers_and_all_are_switched_in_one_call() -> None:
    scene = GuardStage()
    for number in range(1, 64):
        scene.do("add", scene.listing(lift=CALL + bytes([number])).values)
    assert scene.refusal("add", scene.listing(lift=CALL).values) == "levers"
    scene.do("switch_off")
    assert scene.world.gas_used < 1_000_000
    assert scene.refusal("act_alone", 63, START + 60, KEY, by=OPERATOR) == "off"


# -- through a Safe


def test_a_safe_that_refuses_is_a_target_that_refuses() -> None:
    scene = GuardStage()
    for code, refused in ((answers(1), None), (answers(0), "target refused"), (answers(2), "target refused")):
        there = GuardStage(world=scene.world, through=scene.made(code))
        assert there.refusal("act", *there.call(Q)) == refused
    silent = GuardStage(world=scene.world, through=scene.made(TAKES))
    assert silent.refusal("act", *silent.call(Q)) == "target refused"
