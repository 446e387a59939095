"""Who counts and how many are enough: formulas over groups, checked before anybody signs them."""

from __future__ import annotations

import pytest

from protocol.errors import Code, ProtocolError
from protocol.membership import COUNTED, DEFAULT_FORMULAS, evaluate, formula_faults
from protocol.messages import Level
from tests.unit.protocol.world import epoch, regrouped, suspending


@pytest.mark.parametrize(
    "formula, at_seven",
    [
        ("Q", 5),
        ("n", 7),
        ("f + 1", 3),
        ("max(2, f + 1)", 3),
        ("max(2,f+1)", 3),
        ("min(n, Q + 1)", 6),
        ("max(2, f + 1, Q)", 5),
        ("2 * f + 1", 5),
        ("n - (f - 1)", 6),
        ("(Q)", 5),
    ],
)
def test_a_formula_is_arithmetic_over_the_groups(formula: str, at_seven: int) -> None:
    assert evaluate(formula, 7) == at_seven


@pytest.mark.parametrize(
    "formula",
    [
        "",
        " ",
        "q",
        "N",
        "x",
        "-1",
        "+Q",
        "Q / 2",
        "Q // 2",
        "2 ** 3",
        "Q % 2",
        "Q if f else n",
        "Q > 1",
        "max(2)",
        "max()",
        "min(Q)",
        "max(*Q)",
        "max(Q, key=n)",
        "max(2, 3",
        "Q Q",
        "1.5",
        "1e3",
        "0x10",
        "0b1",
        "1_0",
        "01",
        "999",
        "Q # all",
        "Q\n",
        "Q\t+1",
        "Q\0",
        "ｎ",
        "Ｑ",
        "True",
        "__import__('os')",
        "n.real",
        "[n][0]",
        "lambda: 1",
        "1," * 20,
        "(" * 32,
        "n" * 65,
        "Q + " * 20 + "1",
    ],
)
def test_anything_else_is_no_formula(formula: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        evaluate(formula, 7)
    assert caught.value.code is Code.BAD_CHARTER


@pytest.mark.parametrize("n", range(1, 65))
def test_two_quorums_meet_in_an_honest_group(n: int) -> None:
    of = epoch(1)
    f, q = (n - 1) // 3, n - (n - 1) // 3
    assert evaluate("Q", n) == q
    assert 2 * q - n >= f + 1
    assert q <= n - f
    assert of.q == 1


@pytest.mark.parametrize("n", range(4, 34))
def test_the_default_formulas_are_a_valid_charter(n: int) -> None:
    assert formula_faults(DEFAULT_FORMULAS, n) == []


@pytest.mark.parametrize(
    "changed, word",
    [
        ({Level.GUARD: "f"}, "GUARD needs"),
        ({Level.GUARD: "1"}, "GUARD needs"),
        ({Level.ISOLATE: "Q - 1"}, "ISOLATE needs"),
        ({Level.ISOLATE: "f + 1"}, "ISOLATE needs"),
        ({Level.ISOLATE: "n"}, "HALT needs"),
        ({Level.HALT: "n + 1"}, "never"),
    ],
)
def test_a_formula_below_its_floor_or_out_of_reach_is_a_fault_in_words(changed: dict[Level, str], word: str) -> None:
    faults = formula_faults({**DEFAULT_FORMULAS, **changed}, 7)
    assert any(word in fault for fault in faults)


def test_a_constant_that_fits_one_size_does_not_fit_another() -> None:
    formulas = {**DEFAULT_FORMULAS, Level.ISOLATE: "5", Level.HALT: "5"}
    assert formula_faults(formulas, 7) == []
    assert formula_faults(formulas, 31) != []


def test_groups_are_counted_and_not_members() -> None:
    of = regrouped(epoch(7), {"m01": "g00", "m02": "g00"})
    assert (of.n, of.f, of.q) == (5, 1, 4)
    assert len(of.members) == 7


def test_suspension_changes_no_threshold() -> None:
    of = epoch(7)
    assert suspending(of, "m00", "m01").thresholds == of.thresholds


@pytest.mark.parametrize("n, informs", [(1, True), (3, True), (4, False), (7, False)])
def test_below_four_groups_a_network_only_informs(n: int, informs: bool) -> None:
    assert epoch(n).only_informs is informs


def test_a_seat_counts_unless_it_is_suspended_or_not_there() -> None:
    of = suspending(epoch(4), "m03")
    assert [of.may_count(who) for who in ("m00", "m03", "stranger")] == [True, False, False]  # type: ignore[arg-type]


@pytest.mark.parametrize("n", range(4, 34))
def test_the_ladder_of_thresholds_never_goes_down(n: int) -> None:
    needed = [epoch(n).thresholds[level] for level in COUNTED]
    assert needed == sorted(needed)
