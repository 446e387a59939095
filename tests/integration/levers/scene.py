"""A node's levers beside the people of a market: what the tests and the check play."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import trio

from adapters.api import Lever, LeverOrder, Outcome
from adapters.evm.aave import aave_levers
from adapters.evm.aave_reserve import AaveTarget
from adapters.evm.account import Account
from adapters.evm.client import ChainClient, Connection
from adapters.evm.sending import Sender
from protocol.ids import ActionKey, SourceId
from protocol.messages import Level
from protocol.subjects import asset
from tests.integration.levers.aave_market import Market

KEY, OTHER_KEY = ActionKey(b"\x0a" * 32), ActionKey(b"\x0b" * 32)
SEATS = {
    "aave.ltv_zero": "risk_admin",
    "aave.freeze": "risk_admin",
    "aave.pause": "emergency_admin",
    "aave.borrow_cap": "risk_admin",
}
"""Whose account a node needs for each lever on v3.0; POOL_ADMIN may do all of it."""


@dataclass
class Scene:
    market: Market
    client: ChainClient

    def target(self, call: str) -> AaveTarget:
        token = self.market.loan if call == "aave.borrow_cap" else self.market.collateral
        return AaveTarget("market", self.market.chain, self.market.pool, token)

    def lever(self, call: str, role: str = "") -> Lever:
        account = Account(self.market.keys[role or SEATS[call]])
        return aave_levers(self.target(call), self.client, Sender(self.client, self.market.chain, account))[call]

    def order(self, call: str, seconds: float = 600, key: ActionKey = KEY, by_human: bool = False) -> LeverOrder:
        until_ms = int((time.time() + seconds) * 1000)
        subject = asset(self.market.chain, self.target(call).asset)
        return LeverOrder(key, f"market:{call}", subject, Level.HALT, until_ms, by_human)

    def sent_by(self, role: str) -> int:
        """How many transactions the account has sent so far."""
        return int(
            self.market.people.ask("eth_getTransactionCount", f"0x{self.market.address(role).hex()}", "latest"), 16
        )


async def pull(lever: Lever, given: LeverOrder) -> Outcome:
    """The whole way of an action; each step must say yes. What apply said."""
    plan = await lever.plan(given)
    simulated = await lever.simulate(plan)
    assert simulated.ok, simulated.says
    applied = await lever.apply(plan)
    assert applied.ok, applied.says
    read_back = await lever.read_back(given)
    assert read_back.ok and read_back.until_ms == given.until_ms, read_back.says
    return applied


@contextlib.asynccontextmanager
async def scene_of(market: Market) -> AsyncIterator[Scene]:
    """Two connections to the chain, as levers ask for."""
    client = ChainClient(tuple(Connection(SourceId(f"{who}.home"), market.chain, market.url) for who in ("p1", "p2")))
    try:
        yield Scene(market, client)
    finally:
        await client.aclose()


def tell(market: Market, story: Callable[[Scene], Awaitable[None]]) -> None:
    async def run() -> None:
        async with scene_of(market) as scene:
            await story(scene)

    trio.run(run)
