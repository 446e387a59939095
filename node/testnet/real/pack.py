"""A scenario played on markets that others published: the same story, the same people, other targets.

Only words change: kinds of things, and what policies read and call there. Aave keeps flags and no leases, so that its
restrictions end by the node, and the policy says so."""

from __future__ import annotations

import re

from node.testnet.scenario import Scenario
from node.testnet.scenario_parse import parse_pack

WORDS = {
    'kind = "lending"': 'kind = "lending.aave"',
    '"lending.reserve"': '"aave.reserve"',
    '"lending.utilisation"': '"aave.utilisation"',
    '"lending.ltv_zero"': '"aave.ltv_zero"',
    '"lending.freeze"': '"aave.freeze"',
    '"lending.cap"': '"aave.borrow_cap"',
}
_BY_TARGET, _BY_NODE = 'expires_by = "target"', 'expires_by = "node", accept_overdue = true'
_ON_AAVE = re.compile(r'"aave\.(ltv_zero|freeze|borrow_cap)"')


def realised(scenario: Scenario) -> Scenario:
    """The same pack with its lending markets on Aave v3. Raises ScenarioFaults where it does not bear that."""
    return parse_pack("\n".join(map(_line, scenario.text.split("\n"))), scenario.id)


def _line(text: str) -> str:
    for word, real in WORDS.items():
        text = text.replace(word, real)
    return text.replace(_BY_TARGET, _BY_NODE) if _ON_AAVE.search(text) else text


def targets_of(scenario: Scenario) -> dict[str, str]:
    """Thing → whose contracts it stands on, of all things that a lever may move."""
    ours = "this package's own contracts"
    return {
        one.name: "Aave v3.0, as published" if one.kind == "lending.aave" else ours
        for one in scenario.things.values()
        if one.is_a.levers
    }
