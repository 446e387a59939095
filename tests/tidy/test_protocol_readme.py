"""The wire specification says what the code does: every table is compared, row for row."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from protocol import evidence
from protocol.alarm import source_rule_holds
from protocol.envelope import (
    BALLOT_TAG,
    CHARTER_TAG,
    CONSENT_TAG,
    KEYSET_TAG,
    MARK_TAG,
    PROPOSAL_TAG,
    PROTECTED,
    domain_tag,
)
from protocol.feed import RIVALS_MAX
from protocol.membership import COUNTED, DEFAULT_FORMULAS
from protocol.messages import EntryKind
from protocol.subjects import Kind
from tests.tidy import wire_tables

PROTOCOL = Path(__file__).resolve().parents[2] / "protocol"
TEXT = (PROTOCOL / "README.md").read_text()
TABLES = wire_tables.tables()


def section(heading: str) -> str:
    """From its heading to the next of any depth."""
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert found is not None, f"protocol/README.md has no heading {heading!r}"
    return found.group(1)


def table(heading: str) -> list[tuple[str, ...]]:
    """The rows of the first table under a heading, without its head."""
    rows: list[tuple[str, ...]] = []
    for line in section(heading).splitlines():
        if line.startswith("|"):
            rows.append(tuple(cell.strip() for cell in line.strip("|").split(" | ")))
        elif rows:
            break
    return rows[2:]


@pytest.mark.parametrize("heading", TABLES)
def test_the_table_has_the_rows_that_the_code_has(heading: str) -> None:
    assert table(heading) == TABLES[heading]


def test_no_table_of_a_message_is_left_over() -> None:
    shown = re.findall(r"^### ((?:Kind|Frame) \d+: \w+)", TEXT, re.MULTILINE)
    assert shown == [heading for heading in TABLES if heading.startswith(("Kind ", "Frame "))]
    assert re.findall(r"^### (evm-\S+)", TEXT, re.MULTILINE) == list(evidence._INPUTS)


def test_the_domain_tags_are_those_of_the_code() -> None:
    rows = table("Sealing")
    tags = {row[0].strip("`") for row in rows}
    cold = {KEYSET_TAG, CHARTER_TAG, MARK_TAG, PROPOSAL_TAG, BALLOT_TAG, CONSENT_TAG}
    assert tags == {*(domain_tag(kind) for kind in EntryKind), "tocsin/1/kind-N", *cold}
    for kind in EntryKind:
        assert any(row[0] == f"`{domain_tag(kind)}`" and f"kind {int(kind)}" in row[1] for row in rows)
    assert PROTECTED.hex() in section("Sealing")


def test_the_subject_kinds_are_those_of_the_code() -> None:
    assert [(row[0], row[1]) for row in table("Subjects")] == [(str(int(kind)), kind.name) for kind in Kind]


def test_a_claims_id_is_made_of_the_parts_that_the_code_takes() -> None:
    for kind, parts in evidence._IDENTITY.items():
        assert f"id parts: {', '.join(parts)}." in section(evidence.TYPE_OF[kind]).replace("\n", " ")


def test_the_thresholds_of_the_judges_are_those_of_the_code() -> None:
    told = {
        "evm-release-without-burn": (evidence.RELEASE_ISOLATE_BPS, evidence.RELEASE_GUARD_BPS),
        "evm-supply-above-backing": (evidence.SHORTFALL_ISOLATE_BPS, evidence.SHORTFALL_GUARD_BPS),
        "evm-oracle-deviation": (evidence.DEVIATION_ISOLATE_BPS, evidence.DEVIATION_GUARD_BPS),
    }
    for heading, steps in told.items():
        found = {int(bps) for bps in re.findall(r"(\d+) bps", section(heading))}
        assert found == set(steps)


def test_the_default_formulas_are_those_of_the_code() -> None:
    rows = table("The alarm")
    assert [(row[0], row[1].strip("`")) for row in rows] == [(one.name, DEFAULT_FORMULAS[one]) for one in COUNTED]


def test_the_modules_are_all_named() -> None:
    named = set(re.findall(r"`(\w+)`", "".join(row[0] for row in table("protocol: the wire specification"))))
    assert named == {path.stem for path in PROTOCOL.glob("*.py")} - {"__init__"}


def test_small_numbers_in_the_prose_are_those_of_the_code() -> None:
    assert f"at most {RIVALS_MAX} of a feed" in TEXT.replace("\n", " ")
    assert source_rule_holds.__doc__ is not None
