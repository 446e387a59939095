"""`tocsin insiders`: the list to hand on, from the file alone."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from node.insiders import Row
from tests.unit.cli.world import FakeNode, run

HOUR_MS = 3_600_000
NOON_MS = 1_776_513_600_000
"""2026-04-18T12:00:00Z"""


def row(who: str, hours: int, about: str = "bridge-forgery on a coin") -> Row:
    first_ms = NOON_MS + hours * HOUR_MS
    return Row(who, "viewer", "tcp", "alert", "ab" * 32, about, "RED", first_ms, first_ms + HOUR_MS, 3)


@pytest.fixture
def held(node: FakeNode) -> FakeNode:
    rows = [row("anna", 0), row("bob", 5, '=HYPERLINK("http://a.example")'), row("carol", 9, "\x1b[31mred")]
    (node.config.parent / "data").mkdir()
    path = node.config.parent / "data" / "insiders.jsonl"
    path.write_text("".join(json.dumps(asdict(one)) + "\n" for one in rows) + '{"who":')
    return node


Capsys = pytest.CaptureFixture[str]


def test_people_see_who_when_and_what(held: FakeNode, capsys: Capsys) -> None:
    ran = run(capsys, "insiders", "--config", held.config)
    assert ran.code == 0 and "2026-04-18T12:00:00Z" in ran.out and "\x1b" not in ran.out and "abababababab" in ran.out
    assert "1 line(s) are no rows" in ran.err


@pytest.mark.parametrize(
    ("since", "until", "who"),
    [
        ("2026-04-18T14:00:00Z", "", ["bob", "carol"]),
        ("", "2026-04-18T18:00:00+01:00", ["anna", "bob"]),
        (str(NOON_MS), str(NOON_MS), ["anna"]),
    ],
)
def test_a_span_of_time_keeps_whoever_could_have_read_in_it(
    held: FakeNode, capsys: Capsys, since: str, until: str, who: list[str]
) -> None:
    ran = run(capsys, "insiders", "--config", held.config, "--since", since, "--until", until, "-o", "json")
    assert [one["who"] for one in ran.json] == who


def test_no_cell_is_a_formula(held: FakeNode, capsys: Capsys) -> None:
    ran = run(capsys, "insiders", "--config", held.config, "-o", "csv")
    assert '''"'=HYPERLINK(""http://a.example"")"''' in ran.out and ran.out.count("\n") == 4


def test_a_moment_without_a_zone_is_none(held: FakeNode, capsys: Capsys) -> None:
    ran = run(capsys, "insiders", "--config", held.config, "--since", "2026-04-18T14:00:00")
    assert ran.code == 2 and "--since" in ran.err


def test_where_nobody_has_read_anything_that_is_said(node: FakeNode, capsys: Capsys, tmp_path: Path) -> None:
    assert "Nobody has read" in run(capsys, "insiders", "--config", node.config).out
