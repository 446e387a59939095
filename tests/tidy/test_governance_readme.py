"""The specification of governance says what the code does: every table is compared, row for row."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from governance import ballots, chain, epochs, intake, proposals, values
from governance.broken import Rule
from governance.changes import LEFT_MAX, PAST_MAX
from governance.rules import ORDER_WITHIN_MS
from protocol.envelope import BALLOT_TAG, CONSENT_TAG, PROPOSAL_TAG
from protocol.membership import DAY_MS
from protocol.messages import VALUE_TAG
from tests.tidy.wire_tables import Row, enum_rows, schema_rows

PACKAGE = Path(__file__).resolve().parents[2] / "governance"
TEXT = (PACKAGE / "README.md").read_text()
TABLES: dict[str, list[Row]] = {
    "Proposal": schema_rows(proposals.PROPOSAL),
    "ProposalKind": enum_rows(proposals.ProposalKind),
    **{f"Change {int(kind)}: {one.kind.__name__}": schema_rows(one) for kind, one in proposals.CHANGES.items()},
    "Source": schema_rows(proposals.SOURCE),
    "Consent": schema_rows(proposals.CONSENT),
    "Ballot": schema_rows(ballots.BALLOT),
    "Vote": enum_rows(ballots.Vote),
    "Value": schema_rows(values.VALUE),
    "Suspect": schema_rows(values.SUSPECT),
    "EpochCertificate": schema_rows(epochs.EPOCH_CERTIFICATE),
    "Proof": schema_rows(epochs.PROOF),
    "Chain": schema_rows(chain.CHAIN),
}


def section(heading: str) -> str:
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert found is not None, f"governance/README.md has no heading {heading!r}"
    return found.group(1)


def table(heading: str) -> list[Row]:
    rows: list[Row] = []
    for line in section(heading).splitlines():
        if line.startswith("|"):
            rows.append(tuple(cell.strip() for cell in line.strip("|").split(" | ")))
        elif rows:
            break
    return rows[2:]


@pytest.mark.parametrize("heading", TABLES)
def test_the_table_has_the_rows_that_the_code_has(heading: str) -> None:
    assert table(heading) == TABLES[heading]


def test_every_rule_is_said_in_a_sentence() -> None:
    assert {row[0].strip("`") for row in table("Rules")} == {rule.value for rule in Rule}


def test_the_modules_are_all_named() -> None:
    named = set(re.findall(r"`(\w+)`", "".join(row[0] for row in table(TEXT.splitlines()[0].lstrip("# ")))))
    assert named == {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}


def test_tags_and_small_numbers_in_the_prose_are_those_of_the_code() -> None:
    flat = TEXT.replace("\n", " ")
    for tag in (PROPOSAL_TAG, BALLOT_TAG, CONSENT_TAG, VALUE_TAG, values.EPOCH_TAG):
        assert tag in flat
    assert f"up to {PAST_MAX} epochs" in flat
    assert f"up to {LEFT_MAX}" in flat
    assert (
        f"at most {intake.PROPOSALS_PER_MEMBER_MAX} open or passed proposals, {intake.HELD_PER_MEMBER_MAX} with" in flat
    )
    assert f"and {intake.BALLOTS_PER_MEMBER_MAX} ballots" in flat
    assert f"the newest {intake.EARLY_PER_MEMBER_MAX} of a member" in flat
    assert f"here {intake.LATER_PER_MEMBER_MAX} of an author are kept" in flat
    assert f"delay + {ORDER_WITHIN_MS // DAY_MS} days" in flat
