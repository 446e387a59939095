"""What a drill claims, and how each member runs it again through its own connections."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from adapters.api import Observation
from node.drill.exercise import (
    ORDER_NAME,
    Exercise,
    ExerciseSensor,
    ExerciseVerifier,
    claim_for,
    forget_order,
    parse_order,
    take_order,
    write_order,
)
from node.drill.mark import drill_of, is_drill_of, name_for
from protocol.evidence import ClaimBlob, Judgement, Ruling
from protocol.ids import NetworkId, SourceId
from protocol.messages import Basis, Level, Threat
from tests.unit.machine.world import COIN

DRILL, REAL = NetworkId(b"d" * 32), NetworkId(b"r" * 32)
ONE = Exercise(b"i" * 16, COIN, int(Threat.BRIDGE_FORGERY), Level.ISOLATE)
Probe = Callable[[], Awaitable[str]]


def answers(says: str) -> Probe:
    async def probe() -> str:
        return says

    return probe


def verifier(*says: str, network: NetworkId = DRILL) -> ExerciseVerifier:
    return ExerciseVerifier(network, {f"p{n}": answers(one) for n, one in enumerate(says)}, [SourceId("people")])


def judged(one: ClaimBlob, by: ExerciseVerifier) -> Judgement:
    return trio.run(functools.partial(by.verify, one.claim, one.blob))


def test_a_drill_is_known_by_its_name_alone_and_names_its_network() -> None:
    assert len(name_for(REAL)) <= 64
    assert is_drill_of(name_for(REAL), REAL) and not is_drill_of(name_for(REAL), DRILL)
    assert [drill_of(one) for one in ("tocsin", "drill-of-x", "a drill-of-" + "0" * 32, "drill-of-" + "0" * 33)] == [
        ""
    ] * 4


def test_an_exercise_is_supported_where_every_own_connection_answers() -> None:
    found = judged(claim_for(DRILL, ONE), verifier("", ""))
    assert (found.ruling, found.subject, found.threat, found.level) == (
        Ruling.SUPPORTS,
        COIN,
        ONE.threat,
        Level.ISOLATE,
    )
    assert found.sources == ("p0", "p1", "people")


def test_a_connection_that_is_silent_leaves_it_undecided_and_is_named() -> None:
    found = judged(claim_for(DRILL, ONE), verifier("", "refused"))
    assert (found.ruling, found.why) == (Ruling.UNDECIDED, "connection p1: refused")


def test_what_is_another_networks_or_no_exercise_is_refuted() -> None:
    good = claim_for(DRILL, ONE)
    other_id = dataclasses.replace(good.claim, id=bytes(32))
    for claimed, fault in (
        (claim_for(REAL, ONE), "another network's"),
        (ClaimBlob(other_id, good.blob), "not that of its inputs"),
        (ClaimBlob(good.claim, b"\xff"), "no exercise"),
        (ClaimBlob(good.claim, b"\x82\x01\x02"), "no exercise"),
        (claim_for(DRILL, dataclasses.replace(ONE, level=Level.HALT)), "level is none"),
        (claim_for(DRILL, dataclasses.replace(ONE, id=b"short")), "level is none"),
    ):
        found = judged(claimed, verifier(""))
        assert found.ruling is Ruling.REFUTED and fault in found.why, fault


def test_an_order_is_begun_once(tmp_path: Path) -> None:
    write_order(tmp_path, ONE, "bridge-forgery")
    assert take_order(tmp_path / ORDER_NAME) == ONE
    assert take_order(tmp_path / ORDER_NAME) is None


def test_an_order_of_before_the_start_is_forgotten(tmp_path: Path) -> None:
    write_order(tmp_path, ONE, "bridge-forgery")
    forget_order(tmp_path)
    assert take_order(tmp_path / ORDER_NAME) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"id": "00"}', "[" * 1_000, "\xff"])
def test_what_is_no_order_is_gone_and_begins_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / ORDER_NAME).write_text(text)
    assert take_order(tmp_path / ORDER_NAME) is None
    assert not (tmp_path / ORDER_NAME).exists()


def test_no_exercise_orders_a_halt() -> None:
    with pytest.raises(ValueError):
        parse_order({"id": "00" * 16, "subject": str(COIN), "threat": "bridge-forgery", "level": "HALT"})


def begun(folder: Path, by: ExerciseVerifier) -> tuple[list[Observation], str]:
    sensor, seen = ExerciseSensor(DRILL, folder, by), list[Observation]()

    async def note(one: Observation) -> None:
        seen.append(one)

    async def main() -> None:
        with trio.move_on_after(5):
            await sensor.run(note)

    trio.run(main, clock=MockClock(autojump_threshold=0))
    return seen, sensor.health()


def test_the_sensor_says_an_ordered_exercise_as_a_claim_that_it_checked_itself(tmp_path: Path) -> None:
    write_order(tmp_path, ONE, "bridge-forgery")
    (seen,), health = begun(tmp_path, verifier(""))
    assert (seen.claims, seen.basis, seen.level) == ((claim_for(DRILL, ONE),), Basis.VERIFIED, Level.ISOLATE)
    assert health == ""


def test_a_member_whose_own_connection_is_silent_begins_nothing_and_says_why(tmp_path: Path) -> None:
    write_order(tmp_path, ONE, "bridge-forgery")
    seen, health = begun(tmp_path, verifier("refused"))
    assert seen == []
    assert "connection p0: refused" in health
