"""A first policy from a survey, in `observe`: it says what it would do, and moves nothing. Pure text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from adapters.evm.survey.facts import Asset, Control, Place, Survey

ASSETS_MAX = 32
LEVERS = {
    "aave.ltv_zero": ("ltv0", "borrow", "12h", "2h"),
    "aave.freeze": ("freeze", "supply", "6h", "2h"),
}
"""Lever → its short name here, the way that it closes, longest, again after. Exits stay open under these two."""


@dataclass(frozen=True)
class Row:
    name: str
    chain: str
    place: Place
    asset: Asset


def rows_of(surveys: Sequence[Survey]) -> list[Row]:
    """What lies in markets, under names for the policy: short, unique, made of letters and digits."""
    found: list[Row] = []
    every = [(one.chain, place, asset) for one in surveys for place in one.places for asset in place.assets]
    for chain, place, asset in every[:ASSETS_MAX]:
        base = re.sub(r"[^a-z0-9]+", "_", asset.symbol.lower()).strip("_")[:24] or "asset"
        taken = {one.name for one in found}
        name = next(one for one in (base, *(f"{base}_{i}" for i in range(2, 999))) if one not in taken)
        found.append(Row(name, chain, place, asset))
    return found


def policy_text(surveys: Sequence[Survey]) -> str:
    rows = rows_of(surveys)
    seen = ", ".join(f"{one.chain} at block {one.block}" for one in surveys)
    return "\n".join(
        [
            f"# Written by `tocsin survey` from {seen}. Read it, change it.",
            "# Amounts are read, never typed. Nothing moves in observe; `tocsin policy check` says what it would do.",
            "policy = 1",
            'mode = "observe"',
            *(f'asset.{one.name} = ["{one.chain}/erc20:0x{one.asset.address.hex()}"]' for one in rows),
            "",
            "[exposure]",
            *map(_exposure, rows),
            "",
            "[lever]",
            *(line for one in rows for line in _levers(one)),
            "",
            "[rule]",
            *(line for one in rows for line in _rules(one)),
            'other = { asset = "any", level = "any", own = "any", do = [], page = true }',
            "",
        ]
    )


def _exposure(row: Row) -> str:
    ways = [one for one in ("supply", "borrow", "withdraw") if one in row.asset.ways]
    said = ", ".join(f'"{one}"' for one in ways)
    return f'{row.name} = {{ asset = "{row.name}", read = "aave.reserve", max_age = "5m", ways_out = [{said}] }}'


def _pulled(row: Row) -> list[Control]:
    """What somebody may do today, and we have a lever for."""
    mine = [one for one in row.place.controls if one.asset == row.asset.symbol]
    return [one for one in mine if one.by and one.lever in LEVERS]


def _levers(row: Row) -> Iterator[str]:
    for one in _pulled(row):
        short, way, longest, again = LEVERS[one.lever]
        yield f"# {one.call}: {', '.join(one.by)}"
        yield (
            f'{row.name}_{short} = {{ on = "{row.name}", call = "{one.lever}", closes = ["{way}"], '
            f'expires_by = "node", accept_overdue = true, max = "{longest}", cooldown = "{again}" }}'
        )


def _rules(row: Row) -> Iterator[str]:
    name, shorts = row.name, [LEVERS[one.lever][0] for one in _pulled(row)]
    verified = 'basis = "VERIFIED", own = "verified"'
    if "ltv0" in shorts:
        do = f'do = ["{name}_ltv0"], for = "1h"'
        yield f'{name}_guard = {{ asset = "{name}", level = "GUARD", {verified}, groups = 2, {do} }}'
    if shorts:
        named = ", ".join(f'"{name}_{one}"' for one in shorts)
        do = f'do = [{named}], for = "1h"'
        yield f'{name}_shut = {{ asset = "{name}", level = "ISOLATE", {verified}, groups = 3, {do} }}'


def targets_text(surveys: Sequence[Survey]) -> str:
    """For node.toml: what the policy's exposures are read from."""
    lines = ["# For node.toml, beside a [[connection]] to the chain. With key_file the levers are there too."]
    for row in rows_of(surveys):
        lines += [
            "",
            f"[target.{row.name}]",
            'kind = "evm.aave"',
            f'chain = "{row.chain}"',
            f'contract = "0x{row.place.pool.hex()}"',
            f'asset = "0x{row.asset.address.hex()}"',
            '# key_file = "keys/lever.key"   # an account with RISK_ADMIN, and with no other right',
        ]
    return "\n".join([*lines, ""])
