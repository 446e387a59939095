"""Each lever on targets that others wrote, played once and measured: what the attacker could do before, during and
after."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from node.testnet.chain_process import start_chain
from tests.integration.levers import (
    played_aave,
    played_calls,
    played_controls,
    played_guard,
    played_off_chain,
    played_perps,
    played_venue,
)
from tests.integration.levers.aave_market import FUNDED
from tests.integration.levers.acting import Target
from tests.integration.levers.packages import missing

ON_CHAIN = (played_aave, played_calls, played_controls, played_perps, played_guard)
"""Each says which packages it needs, and plays its targets on a chain."""


def lacking(packages: Iterable[str] = tuple(name for one in ON_CHAIN for name in one.PACKAGES)) -> str:
    return next(filter(None, map(missing, packages)), "")


def run() -> dict[str, Any]:
    """{"ok", "targets", "without"}: `without` says what this machine cannot play, and why."""
    played: list[Target] = []
    without = []
    for family in ON_CHAIN:
        why = lacking(family.PACKAGES)
        if why:
            without.append(f"{family.__name__.rsplit('.', 1)[-1]}: {why}")
            continue
        chain = start_chain("embedded", 1, FUNDED)
        try:
            played += family.targets(chain.url)
        finally:
            chain.stop()
    played += played_venue.targets()
    off_chain, why_not = played_off_chain.targets()
    played, without = [*played, *off_chain], [*without, *why_not]
    ok = bool(played) and all(one.ok for one in played)
    return {"ok": ok, "targets": [asdict(one) for one in played], "without": without}
