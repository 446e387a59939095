"""A first policy from a survey, in `observe`: it says what it would do, and moves nothing. Pure text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from adapters.evm.survey.facts import Asset, Control, Place, Survey

ASSETS_MAX = 32
LEVERS = {
    "aave.ltv_zero": ("ltv0", "borrow", "12h", "2h"),
    "aave.freeze": ("freeze", "supply", "6h", "2h"),
}
"""Lever → its short name here, the way that it closes, longest, again after. Exits stay open under these two."""


def named(survey: Survey) -> list[tuple[str, Place, Asset]]:
    """Policy names of what lies in markets: short, unique, made of letters and digits."""
    found: list[tuple[str, Place, Asset]] = []
    for place in survey.places:
        for asset in place.assets[:ASSETS_MAX]:
            base = re.sub(r"[^a-z0-9]+", "_", asset.symbol.lower()).strip("_")[:24] or "asset"
            taken = {name for name, _, _ in found}
            name = next(one for one in (base, *(f"{base}_{i}" for i in range(2, 999))) if one not in taken)
            found.append((name, place, asset))
    return found


def policy_text(survey: Survey) -> str:
    rows = named(survey)
    return "\n".join(
        [
            f"# Written by `tocsin survey` from {survey.chain} at block {survey.block}. Read it, change it.",
            "# Amounts are read, never typed. Nothing moves in observe; `tocsin policy check` says what it would do.",
            "policy = 1",
            'mode = "observe"',
            *(f'asset.{name} = ["{survey.chain}/erc20:0x{one.address.hex()}"]' for name, _, one in rows),
            "",
            "[exposure]",
            *(_exposure(name, one) for name, _, one in rows),
            "",
            "[lever]",
            *(line for name, place, one in rows for line in _levers(name, place, one)),
            "",
            "[rule]",
            *(line for name, place, one in rows for line in _rules(name, place, one)),
            'other = { asset = "any", level = "any", own = "any", do = [], page = true }',
            "",
        ]
    )


def _exposure(name: str, asset: Asset) -> str:
    ways = [one for one in ("supply", "borrow", "withdraw") if one in asset.ways]
    said = ", ".join(f'"{one}"' for one in ways)
    return f'{name} = {{ asset = "{name}", read = "aave.reserve", max_age = "5m", ways_out = [{said}] }}'


def _pulled(place: Place, asset: Asset) -> list[Control]:
    """What somebody may do today, and we have a lever for."""
    return [one for one in place.controls if one.asset == asset.symbol and one.by and one.lever in LEVERS]


def _levers(name: str, place: Place, asset: Asset) -> Iterator[str]:
    for one in _pulled(place, asset):
        short, way, longest, again = LEVERS[one.lever]
        yield (
            f'{name}_{short} = {{ on = "{name}", call = "{one.lever}", closes = ["{way}"], expires_by = "node", '
            f'accept_overdue = true, max = "{longest}", cooldown = "{again}" }}  # {one.call}: {", ".join(one.by)}'
        )


def _rules(name: str, place: Place, asset: Asset) -> Iterator[str]:
    shorts = [LEVERS[one.lever][0] for one in _pulled(place, asset)]
    if "ltv0" in shorts:
        yield (
            f'{name}_guard = {{ asset = "{name}", level = "GUARD", basis = "VERIFIED", own = "verified", groups = 2, '
            f'do = ["{name}_ltv0"], for = "1h" }}'
        )
    if shorts:
        do = ", ".join(f'"{name}_{short}"' for short in shorts)
        yield (
            f'{name}_shut = {{ asset = "{name}", level = "ISOLATE", basis = "VERIFIED", own = "verified", groups = 3, '
            f'do = [{do}], for = "1h" }}'
        )


def targets_text(survey: Survey) -> str:
    """For node.toml: what the policy's exposures are read from."""
    lines = ["# For node.toml, beside a [[connection]] to the chain. With key_file the levers are there too."]
    for name, place, asset in named(survey):
        pool = re.search(r"pool 0x([0-9a-f]{40})", place.what)
        lines += [
            "",
            f"[target.{name}]",
            'kind = "evm.aave"',
            f'chain = "{survey.chain}"',
            f'contract = "0x{pool.group(1) if pool else place.address.hex()}"',
            f'asset = "0x{asset.address.hex()}"',
            '# key_file = "keys/lever.key"   # an account with RISK_ADMIN, and with no other right',
        ]
    return "\n".join([*lines, ""])
