"""Who did what in an exercise, read off the words that one node heard."""

from typing import Any

from node.drill.score import Row, as_json, exercises, label, score

NAMES = ("a", "b", "c")


def word(author: str, at_ms: int, claim: str = "c1", **more: Any) -> dict[str, Any]:
    said = {"kind": "attestation", "author": author, "issued_ms": at_ms, "subject": "coin", "threat": "bridge-forgery"}
    said |= {"level": "ISOLATE", "basis": "VERIFIED", "claims": [claim], "claim_types": ["drill-exercise"]}
    return said | {"by_person": False, "incident": "", **more}


def ack(author: str, at_ms: int, says: str, claim: str = "c1") -> dict[str, Any]:
    return word(author, at_ms, claim, by_person=True, incident=f"ack {claim}: {says}")


def report(author: str, at_ms: int, phase: str = "effective", effect: str = "EXERCISE: planned") -> dict[str, Any]:
    return {"kind": "actionreport", "author": author, "issued_ms": at_ms, "phase": phase, "effect": effect}


def rows(*events: dict[str, Any]) -> dict[str, Row]:
    heard = [word("a", 1_000), *events]
    return {one.member: one for one in score(heard, exercises(heard)[0], NAMES).rows}


def test_all_four_steps_give_four_points_with_their_times() -> None:
    b = rows(word("b", 1_030), report("b", 1_200), ack("b", 9_000, "acts 1"))["b"]
    assert b == Row("b", 30, "acts 1", 200, 8_000)
    assert b.points == 4


def test_a_member_that_is_not_heard_of_has_none() -> None:
    assert rows()["c"] == Row("c") and rows()["c"].points == 0


def test_a_word_that_was_not_re_run_is_no_verification() -> None:
    assert rows(word("b", 1_030, basis="OBSERVED"))["b"].verified_ms is None


def test_who_decides_to_move_nothing_has_nothing_to_plan() -> None:
    c = rows(word("c", 1_030), ack("c", 2_000, "moves nothing"))["c"]
    assert (c.planned, c.planned_ms, c.points) == (True, None, 4)


def test_who_only_asks_its_people_has_not_planned() -> None:
    c = rows(word("c", 1_030), ack("c", 2_000, "asks 1"))["c"]
    assert (c.decided, c.planned, c.points) == ("asks 1", False, 3)


def test_a_report_of_something_else_is_no_plan() -> None:
    found = rows(report("b", 1_200, effect="frozen"), report("c", 1_200, phase="lapsed"))
    assert not found["b"].planned and not found["c"].planned


def test_words_of_another_exercise_count_for_that_one() -> None:
    events = [
        word("a", 1_000),
        word("b", 1_030),
        word("a", 700_000, "c2"),
        word("b", 700_050, "c2"),
        report("b", 700_200),
    ]
    first, second = exercises(events)
    assert [row.points for row in score(events, first, NAMES).rows] == [1, 1, 0]
    assert {row.member: row.points for row in score(events, second, NAMES).rows} == {"a": 1, "b": 3, "c": 0}


def test_an_alarm_is_no_exercise() -> None:
    assert exercises([word("a", 1, claim_types=["evm-release-without-burn"])]) == []


def test_a_label_says_what_was_decided_and_fits() -> None:
    acts = {"subject": "coin", "phase": "effective"}
    assert label("c1", [], "coin") == "ack c1: moves nothing"
    assert label("c1", [acts, acts | {"phase": "asked"}], "coin") == "ack c1: acts 1, asks 1"
    assert label("c1", [acts | {"phase": "escalated"}], "coin") == "ack c1: acts 1, 1 would not move"
    assert label("c1", [acts | {"phase": "lapsed"}, acts | {"subject": "other"}], "coin") == "ack c1: moves nothing"
    assert len(label("c" * 12, [acts] * 99 + [acts | {"phase": "escalated"}] * 999, "coin")) <= 64


def test_programs_get_the_same() -> None:
    events = [word("a", 1_000), word("b", 1_030)]
    told = as_json(score(events, exercises(events)[0], NAMES))
    assert (told["points"], told["of"], told["begun_by"], len(told["members"])) == (2, 12, "a", 3)
