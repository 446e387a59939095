"""A member's policy as a pack writes it, names of things in place of addresses, made into the policy language."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from adapters.policy.model import PolicyFaults
from adapters.policy.parse import parse
from node.testnet.registry import ASSETS, PRICED
from node.testnet.scenario import Role, Thing
from node.testnet.scenario_section import Section

OTHER: Mapping[str, Any] = {"asset": "any", "level": "any", "own": "any", "do": [], "page": True}
"""The one rule of a member that has nothing at stake: look, tell a person, move nothing."""
TABLES = ("exposure", "lever", "rule", "limits")


def policy_of(role: Role, subjects: Callable[[str], list[str]]) -> dict[str, Any]:
    """The policy's document; `subjects`: thing → texts of all its names."""
    rows = {table: role.policy[table] for table in TABLES if table in role.policy} or {"rule": {"other": dict(OTHER)}}
    written = [row.get("asset") for table in ("exposure", "rule") for row in _rows(rows.get(table))]
    named = {name for name in written if isinstance(name, str) and name != "any"}
    assets = {name: subjects(name) for name in sorted(named)}
    return {"policy": 1, "mode": role.mode, **({"asset": assets} if assets else {}), **rows}


def _rows(table: Any) -> list[Mapping[str, Any]]:
    return [row for row in table.values() if isinstance(row, Mapping)] if isinstance(table, Mapping) else []


def check_policy(role: Role, things: Mapping[str, Thing], top: Section) -> None:
    """Every fault of the policy as a fault of the pack, with the pack's lines."""
    risks = sorted(name for name, one in things.items() if one.kind in PRICED)

    def dummy(name: str) -> list[str]:
        if name not in risks:
            return []
        address = hashlib.sha256(name.encode()).hexdigest()[:40]
        return [f"eip155:1/erc20:0x{address}" if things[name].kind in ASSETS else f"oracle:eip155:1:0x{address}"]

    path = f"policy.{role.name}"
    try:
        parse(policy_of(role, dummy))
    except PolicyFaults as broken:
        for fault in broken.faults:
            known = f"one of {', '.join(risks)}" if fault.path.startswith("asset.") else fault.cure
            what = "is no asset or price of this pack" if fault.path.startswith("asset.") else fault.what
            top.fault(f"{path}.{fault.path}", what, known)
    for name, row in _items(role.policy.get("exposure")):
        target = row.get("target")
        if not isinstance(target, str) or target not in things:
            allowed = f"one of {', '.join(sorted(one.name for one in things.values() if one.is_a.target))}"
            top.fault(f"{path}.exposure.{name}.target", f"{target!r:.60} is no thing of this pack", allowed)


def _items(table: Any) -> list[tuple[str, Mapping[str, Any]]]:
    found = table.items() if isinstance(table, Mapping) else ()
    return [(name, row) for name, row in found if isinstance(row, Mapping)]
