"""The shell of the simulator and the shell of a node keep the same rules: one table, run against both."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sim.real_shell import DRIVERS
from tests.sim.rules import RULES, Rule


@pytest.mark.parametrize("shell", sorted(DRIVERS))
@pytest.mark.parametrize("rule", RULES, ids=[rule.name for rule in RULES])
def test_both_shells_keep_the_rule(rule: Rule, shell: str, tmp_path: Path) -> None:
    assert DRIVERS[shell](rule.drive, tmp_path) == rule.expect, rule.story


def test_every_rule_has_its_own_name() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
