"""A scenario played on contracts that others published: the same story, the same people, other targets.

Lending markets become Aave's by words alone: kinds of things, and what policies read and call there. Aave keeps flags
and no leases, so that its restrictions end by the node, and the policy says so. What else is different in a pack stands
beside this file under its name."""

from __future__ import annotations

import re
from pathlib import Path

from node.testnet.real.packages import AAVE, PERP, SAFE, UNISWAP
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
NEEDED = {"lending.aave": (AAVE,), "safe": (SAFE,), "perp.v2": (PERP, UNISWAP)}
"""Kind → the packages that its contracts are in."""
PERPETUAL = "Perpetual Protocol v2 (2.8.4)"
SAID = {"lending.aave": "Aave v3.0", "safe": "Safe 1.4.1, over Aave v3.0", "perp.v2": PERPETUAL, "posting": PERPETUAL}
_BY_TARGET, _BY_NODE = 'expires_by = "target"', 'expires_by = "node", accept_overdue = true'
_ON_AAVE = re.compile(r'"aave\.(ltv_zero|freeze|borrow_cap)"')
_TABLE, _ROW = re.compile(r"\[([a-z0-9.-]+)\]"), re.compile(r"([a-z0-9._-]+) = ")
Tables = dict[str, dict[str, str]]
"""Table → key → its line: a pack has one a line."""


def realised(scenario: Scenario) -> Scenario:
    """The same pack on contracts of others. Raises ScenarioFaults where it does not bear that."""
    text = "\n".join(map(_line, scenario.text.split("\n")))
    other = Path(__file__).with_name(f"{scenario.id}.toml")
    return parse_pack(_laid_over(text, other.read_text("utf-8")) if other.is_file() else text, scenario.id)


def packages_of(scenario: Scenario) -> tuple[str, ...]:
    """Those that a realised pack reads."""
    return tuple(sorted({name for one in scenario.things.values() for name in NEEDED.get(one.kind, ())}))


def _line(text: str) -> str:
    for word, real in WORDS.items():
        text = text.replace(word, real)
    return text.replace(_BY_TARGET, _BY_NODE) if _ON_AAVE.search(text) else text


def _tables(text: str) -> Tables:
    found: Tables = {}
    rows: dict[str, str] = {}
    for line in text.split("\n"):
        if table := _TABLE.match(line):
            rows = found.setdefault(table[1], {})
        elif row := _ROW.match(line):
            rows[row[1]] = line
    return found


def _laid_over(text: str, other: str) -> str:
    tables = _tables(text)
    for name, rows in _tables(other).items():
        tables[name] = rows if name.startswith("policy.") else tables.get(name, {}) | rows
    return "\n".join(f"[{name}]\n" + "\n".join(rows.values()) + "\n" for name, rows in tables.items())


def targets_of(scenario: Scenario) -> dict[str, str]:
    """Thing → whose contracts it stands on, of all things that a lever may move."""
    ours = "this package's own contracts"
    return {
        one.name: f"{SAID[one.kind]}, as published" if one.kind in SAID else ours
        for one in scenario.things.values()
        if one.is_a.levers
    }
