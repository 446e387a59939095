"""What stands on contracts of others, looked at from outside: Aave's markets, a venue of Perpetual Protocol, Safes.

Every term that a lever could move, and those beside it, are read at the height at which the world stood and in the
end; every event of the contracts that hold them is traced to the transaction behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapters.evm.abi import Abi
from adapters.evm.client import ChainClient
from adapters.evm.perp_v2_rows import SETTERS
from adapters.evm.safe_council import SAFE
from adapters.evm.survey.fragments import functions
from adapters.evm.wire import Ask, ask_call
from node.testnet.real.aave_abi import DATA
from node.testnet.real.seen import Change, Seen, changes_of
from node.testnet.scenario import Thing
from node.testnet.world import World

Terms = tuple[str, object, object]
VENUE = functions(
    "owner() address",
    "getMaxTickCrossedWithinBlock(address) uint24",
    "getMarketMaxPriceSpreadRatio(address) uint24",
    "getFeeRatio(address) uint24",
    "isOpen() bool",
)
TOKENS = Abi(
    [
        {
            "type": "function",
            "name": "getCollateralConfig",
            "inputs": [{"type": "address", "name": "token"}],
            "outputs": [{"type": kind, "name": kind} for kind in ("address", "uint24", "uint24", "uint256")],
        }
    ]
)
"""Of the CollateralManager: feed, two ratios, and how much of a token may lie at the venue."""


async def look(world: World, client: ChainClient, head: int) -> Seen:
    """Raises the client's ChainError."""
    changes: list[Change] = []
    terms: list[Terms] = []
    executed: list[tuple[str, int]] = []
    looker = _Looker(world, client, head)
    for thing in world.scenario.things.values():
        if thing.kind == "lending.aave":
            changes += await looker.aave_changes(thing)
            terms += await looker.aave_terms(thing)
        elif thing.kind == "perp.v2":
            changes += await looker.venue_changes(thing)
            terms += await looker.venue_terms(thing)
        elif thing.kind == "safe":
            (before, *then), (after, *now) = await looker.both(looker.safe_asks(thing))
            terms.append((thing.name, then, now))
            executed.append((thing.name, int(after) - int(before)))
    return Seen(tuple(changes), tuple(terms), tuple(executed))


class _Looker:
    def __init__(self, world: World, client: ChainClient, head: int) -> None:
        self._world, self._client, self._head = world, client, head
        self._first = world.blocks[world.home]

    async def both(self, asks: Sequence[tuple[bytes, Any, str, tuple[Any, ...]]]) -> tuple[list[Any], list[Any]]:
        """Answers as the world stood, and now."""
        found = []
        for block in (self._first, self._head):
            made: list[Ask[Any]] = [ask_call(at, abi, fn, args, block=block) for at, abi, fn, args in asks]
            found.append(list((await self._client.read(self._world.home, *made)).value))
        return found[0], found[1]

    async def _logs(self, at: bytes, topics: list[bytes]) -> Sequence[Any]:
        return (await self._client.logs(self._world.home, at, topics, self._first + 1, self._head)).value

    async def aave_changes(self, thing: Thing) -> list[Change]:
        logs = await self._logs(self._world.address(thing.name, "configurator"), [])
        return await changes_of(self._world, self._client, thing.name, logs)

    async def aave_terms(self, thing: Thing) -> list[Terms]:
        """LTV, flags and caps of every reserve."""
        at = self._world.address(thing.name, "data")
        found: list[Terms] = []
        for asset in (thing.params["loan"], *thing.params["collateral"]):
            token = (self._world.address(asset, "token"),)
            asks = [(at, DATA, fn, token) for fn in ("getReserveConfigurationData", "getReserveCaps")]
            found.append((f"{thing.name}.{asset}", *await self.both(asks)))
        return found

    async def venue_changes(self, thing: Thing) -> list[Change]:
        """Two of the contracts tell of nothing but their owner's doing; of the Exchange, which tells of trades too,
        that alone which moves its limit."""
        logs: list[Any] = []
        for part in ("registry", "collaterals"):
            logs += await self._logs(self._world.address(thing.name, part), [])
        limit = SETTERS.event("MaxTickCrossedWithinBlockChanged").topic
        logs += await self._logs(self._world.address(thing.name, "exchange"), [limit])
        return await changes_of(self._world, self._client, thing.name, logs)

    async def venue_terms(self, thing: Thing) -> list[Terms]:
        """Owners, limit, spread, fee, that the market is open, and the terms of what counts as margin."""
        base, exchange, registry = (self._world.address(thing.name, part) for part in ("base", "exchange", "registry"))
        collaterals, counts = (
            self._world.address(thing.name, "collaterals"),
            self._world.address(thing.params["counts"], "token"),
        )
        asks: list[tuple[bytes, Any, str, tuple[Any, ...]]] = [
            (exchange, VENUE, "owner", ()),
            (registry, VENUE, "owner", ()),
            (exchange, VENUE, "getMaxTickCrossedWithinBlock", (base,)),
            (registry, VENUE, "getMarketMaxPriceSpreadRatio", (base,)),
            (registry, VENUE, "getFeeRatio", (base,)),
            (base, VENUE, "isOpen", ()),
            (collaterals, VENUE, "owner", ()),
            (collaterals, TOKENS, "getCollateralConfig", (counts,)),
        ]
        return [(thing.name, *await self.both(asks))]

    def safe_asks(self, thing: Thing) -> list[tuple[bytes, Any, str, tuple[Any, ...]]]:
        return [(self._world.address(thing.name), SAFE, fn, ()) for fn in ("nonce", "getThreshold", "getOwners")]
