"""What operators take names what is there: metrics of the table, commands that parse, alerts that exist."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from cyclopts import CycloptsError

from node.cli import build_app
from node.metrics.table import FAMILIES

DEPLOY = Path(__file__).resolve().parents[3] / "deploy"
RUNBOOK = (DEPLOY / "RUNBOOK.md").read_text("utf-8")
COMMANDS = sorted({" ".join(one.split()) for one in re.findall(r"`(tocsin [^`]+)`", RUNBOOK)})


def known() -> set[str]:
    ends = ("_bucket", "_sum", "_count")
    return {one.name for one in FAMILIES} | {one.name + end for one in FAMILIES for end in ends if "hist" in one.kind}


@pytest.mark.parametrize("name", ["alerts.yml", "dashboard.json"])
def test_every_metric_that_is_named_is_in_the_table(name: str) -> None:
    named = set(re.findall(r"\btocsin_\w+", (DEPLOY / name).read_text("utf-8")))
    assert len(named) >= 10 and named <= known(), named - known()


def test_the_dashboard_is_json_and_each_panel_asks_something() -> None:
    panels = json.loads((DEPLOY / "dashboard.json").read_text("utf-8"))["panels"]
    assert all(panel["targets"][0]["expr"] and panel["title"] for panel in panels)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_runbook_parses(command: str) -> None:
    build_app().parse_args(shlex.split(command)[1:], exit_on_error=False, print_error=False)


def test_a_command_that_does_not_exist_would_be_seen() -> None:
    for wrong in ("action raise 7b5c8fc6486d", "lever test --now", "statos"):
        with pytest.raises(CycloptsError):
            build_app().parse_args(shlex.split(wrong), exit_on_error=False, print_error=False)


def test_every_alert_that_the_runbook_speaks_of_exists() -> None:
    alerts = set(re.findall(r"alert: (\w+)", (DEPLOY / "alerts.yml").read_text("utf-8")))
    assert set(re.findall(r"`(Tocsin\w+)`", RUNBOOK)) <= alerts
