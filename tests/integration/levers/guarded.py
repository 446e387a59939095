"""A guard of ours on the chain of a market or token, whose accounts play its owner, operator, person and attacker."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from adapters.evm.account import Account
from adapters.evm.client import ChainClient, Connection
from protocol.ids import SourceId
from tests.integration.evm.guard_scene import GuardScene
from tests.integration.levers.aave_market import KEYS

SEATS = {"owner": "owner", "guardian": "risk_admin", "honest": "emergency_admin", "attacker": "attacker"}


@contextlib.asynccontextmanager
async def guard_scene_of(url: str, chain: str) -> AsyncIterator[GuardScene]:
    """Nothing stands there yet. Two connections to the chain, as levers ask for."""
    client = ChainClient(tuple(Connection(SourceId(f"{who}.home"), chain, url) for who in ("p1", "p2")))
    try:
        yield GuardScene(client, chain, {name: Account(KEYS[role]) for name, role in SEATS.items()})
    finally:
        await client.aclose()
