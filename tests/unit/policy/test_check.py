"""What a well-formed policy may still not say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapters.api import ExpiresBy, LeverDeclaration
from adapters.policy import Fault, check, parse_text
from protocol.membership import LEASE_MS_MOST
from protocol.messages import Level
from tests.unit.policy.stage import DECLARED, EXAMPLES, HOUR_MS

LENDER, VENUE, HOP2 = "Lender, acting", "Perpetuals venue", "Second-hop lender"


def checked(text: str, declared: dict[str, LeverDeclaration] = DECLARED, n: int = 7) -> list[Fault]:
    return list(check(parse_text(text), declared, LEASE_MS_MOST, n, (n - 1) // 3))


def refused(title: str, old: str, new: str) -> list[str]:
    assert old in EXAMPLES[title]
    return [one.path for one in checked(EXAMPLES[title].replace(old, new, 1))]


@pytest.mark.parametrize("title", EXAMPLES)
def test_every_example_of_the_readme_is_sane(title: str) -> None:
    assert checked(EXAMPLES[title]) == []


def test_a_lever_is_described_here_as_the_chain_adapter_declares_it() -> None:
    from adapters.evm.lever_rows import ROWS

    real = {row.declared.call: row.declared for row in ROWS}
    assert all(checked(text, real) == [] for text in EXAMPLES.values())


def test_one_call_may_be_declared_otherwise_at_another_target() -> None:
    closes_less = replace(DECLARED["lending.freeze"], closes=frozenset())
    assert checked(EXAMPLES[LENDER], DECLARED | {"other:lending.freeze": closes_less}) == []
    found = checked(EXAMPLES[LENDER], DECLARED | {"lend:lending.freeze": closes_less})
    assert [one.path for one in found] == ["lever.freeze.closes"]


def test_a_cell_without_an_answer_is_named() -> None:
    (fault,) = checked(EXAMPLES[LENDER].replace('own = "any"', 'own = "contradicted"'))
    assert fault.path == "asset.rseth" and fault.line == 4
    assert "own = unable at NONE, GUARD" in fault.what


def test_without_an_answer_to_a_contradiction_the_policy_is_refused() -> None:
    text = "\n".join(line for line in EXAMPLES["Lender, asking"].splitlines() if not line.startswith("other"))
    assert [one.what.split(" at ")[0] for one in checked(text)] == [
        "no rule answers own = contradicted",
        "no rule answers own = unable",
        "no rule answers own = verified",
    ]


@pytest.mark.parametrize(
    ("title", "old", "new", "paths"),
    [
        (LENDER, ', silent = ["ltv0"]', "", ["rule.blind.hold"]),
        (LENDER, '"freeze"], silent = ["ltv0"]', '"ltv0"], silent = ["freeze"]', ["rule.blind.silent"]),
        (LENDER, 'hold = "4m", ', "", ["rule.blind.silent"]),
        (VENUE, 'hold = "4m", do = ["halt"], silent = ["reduce"]', 'do = ["halt"]', ["rule.stop.do"]),
        (VENUE, 'do = ["halt"], silent = ["reduce"]', 'do = ["halt"], silent = ["halt"]', ["rule.stop.silent"]),
        (LENDER, 'do = ["ltv0"], for = "6h"', 'do = ["ltv0"], for = "13h"', ["rule.guard.for", "rule.guard.for"]),
        (LENDER, 'level = "GUARD"', 'level = "ISOLATE"', []),
        (LENDER, 'level = "ISOLATE", basis', 'level = "GUARD", basis', ["rule.shut.do"]),
        (LENDER, "groups = 5", "groups = 6", ["rule.blind.groups"]),
        (LENDER, 'own = "unable"', 'own = "contradicted"', ["rule.blind.own"]),
        (LENDER, 'level = "none", own = "verified"', 'level = "none", own = "any"', ["rule.alone.own"]),
        (LENDER, 'level = "none", own = "verified"', 'level = "any", own = "verified"', ["rule.alone.level"]),
        (LENDER, "lending.freeze", "lending.melt", ["lever.freeze.call"]),
        (LENDER, 'closes = ["supply"]', 'closes = []', ["lever.freeze.closes"]),
        (LENDER, 'expires_by = "target", max = "6h"', 'expires_by = "guard", max = "6h"', ["lever.freeze.expires_by"]),
        (LENDER, 'max = "6h"', 'max = "7h"', ["lever.freeze.max"]),
        (LENDER, 'max = "6h", cooldown = "2h"', 'max = "6h", cooldown = "1h"', ["lever.freeze.cooldown"]),
        (VENUE, "blocks_exit = true, ", "", ["lever.halt.blocks_exit"]),
    ],
)  # fmt: skip
def test_what_is_refused_and_where(title: str, old: str, new: str, paths: list[str]) -> None:
    assert refused(title, old, new) == paths


def test_a_lease_above_the_charters_bound_is_refused() -> None:
    bounds = {**LEASE_MS_MOST, Level.ISOLATE: HOUR_MS}
    found = check(parse_text(EXAMPLES["Issuer, acting"]), DECLARED, bounds, 7, 2)
    assert [one.path for one in found] == ["rule.shut.for"]
    assert "charter" in found[0].what


@pytest.mark.parametrize("ends", [ExpiresBy.NODE, ExpiresBy.HUMAN])
def test_a_lever_that_somebody_must_end_has_to_be_accepted_as_such(ends: ExpiresBy) -> None:
    declared = {**DECLARED, "lending.cap": replace(DECLARED["lending.cap"], expires_by=ends)}
    text = EXAMPLES[HOP2].replace('expires_by = "target"', f'expires_by = "{ends.value}"')
    assert [one.path for one in checked(text, declared)] == ["lever.cap.expires_by"]
    assert checked(text.replace("max = ", "accept_overdue = true, max = "), declared) == []


def test_a_lever_that_cannot_be_undone_is_in_no_rule() -> None:
    declared = {**DECLARED, "lending.cap": replace(DECLARED["lending.cap"], reversible=False)}
    assert [one.path for one in checked(EXAMPLES[HOP2], declared)] == ["rule.second.do"]


def test_a_utilisation_carries_no_more_than_guard() -> None:
    declared = {**DECLARED, "lending.cap": replace(DECLARED["lending.cap"], rung=Level.ISOLATE)}
    assert [one.path for one in checked(EXAMPLES[HOP2], declared)] == ["rule.second.do"]


def test_all_faults_come_at_once_in_the_order_of_the_file() -> None:
    text = EXAMPLES[LENDER].replace("lending.freeze", "lending.melt").replace("groups = 5", "groups = 7")
    found = checked(text)
    assert [one.path for one in found] == ["lever.freeze.call", "rule.blind.groups"]
    assert [one.line for one in found] == sorted(one.line for one in found) and found[0].line > 0


def test_a_fault_says_where_what_and_the_cure() -> None:
    (fault,) = checked(EXAMPLES[LENDER].replace("groups = 5", "groups = 6"))
    assert str(fault) == (
        "line 17, rule.blind.groups: needs 6 groups; of 7, only 5 are sure to speak; write groups = 5 or less"
    )
