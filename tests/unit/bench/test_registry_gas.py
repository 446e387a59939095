"""What the registry's calls cost: within the goals, and no dearer by who sends them or in what order."""

from __future__ import annotations

from dataclasses import asdict

from tests.bench.registry import GOALS, measured, table


def test_seven_groups_cost_what_the_table_says() -> None:
    costs = measured(7)
    assert {name: getattr(costs, name) for name, most in GOALS.items() if getattr(costs, name) > most} == {}
    assert costs.guard < costs.alarm
    assert costs.sibling < costs.alarm  # it stores nothing
    assert all(f"{value:,}" in table([costs]) for value in asdict(costs).values())
