"""One reserve of a market of Aave v3 as all connections say it stands: what levers and readers both begin with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from adapters.evm.aave_abi import CONFIGURATOR, DATA, POOL, PROVIDER, Terms, terms_of
from adapters.evm.abi import Abi
from adapters.evm.client import ChainClient
from adapters.evm.errors import ChainDown, Reverted
from adapters.evm.wire import Ask, Revert, ask_call

BPS_MAX = (1 << 16) - 1
"""What the Pool has room for."""


@dataclass(frozen=True)
class AaveTarget:
    """`pool` is the market's Pool, `asset` the token of the reserve; 20 bytes each."""

    name: str
    chain: str
    pool: bytes
    asset: bytes


@dataclass(frozen=True)
class Reserve:
    configurator: bytes
    chain_s: int
    """The chain's own time, read before the rest."""
    head: int
    terms: Terms
    ltv: int
    """Basis points; of a frozen reserve from v3.1 on the one that comes back when it is freed."""
    freeze_moves_ltv: bool
    """From v3.1 on."""
    supplied: int
    debt: int
    """Base units of the asset."""

    @property
    def lent(self) -> int:
        """Whole tokens, rounded down: what borrow caps count in."""
        return self.debt // int(10**self.terms.decimals)


class Reserves:
    """Reads one reserve. The Pool's addresses provider never changes; what it names is read each time."""

    def __init__(self, client: ChainClient, target: AaveTarget) -> None:
        self._client, self._target = client, target
        self._provider = b""

    async def provider(self) -> bytes:
        """The addresses provider, from the Pool itself. ChainError."""
        if not self._provider:
            self._provider = bytes(await self.ask_one(self._target.pool, POOL, "ADDRESSES_PROVIDER"))
        return self._provider

    async def read(self) -> Reserve:
        """ChainError; Reverted too where the Pool does not list the asset or is none."""
        target = self._target
        provider = await self.provider()
        head = (await self._client.block(target.chain)).value
        word, configurator, data = await self.ask(
            ask_call(target.pool, POOL, "getConfiguration", (target.asset,)),
            ask_call(provider, PROVIDER, "getPoolConfigurator"),
            ask_call(provider, PROVIDER, "getPoolDataProvider"),
        )
        terms = terms_of(word)
        if not terms.active:
            raise Reverted("no active reserve of this asset", f"the pool 0x{target.pool.hex()} on {target.chain}")
        pending, supplied, debt = (
            await self._client.read(
                target.chain,
                ask_call(configurator, CONFIGURATOR, "getPendingLtv", (target.asset,)),
                ask_call(data, DATA, "getATokenTotalSupply", (target.asset,)),
                ask_call(data, DATA, "getTotalDebt", (target.asset,)),
            )
        ).value
        refused = next((one for one in (supplied, debt) if isinstance(one, Revert)), None)
        if refused is not None:
            raise Reverted(refused.reason, f"the data provider 0x{data.hex()} on {target.chain}")
        moves = not isinstance(pending, Revert)  # only v3.1 and later know a pending LTV
        ltv = pending if moves and terms.frozen else terms.ltv
        if ltv > BPS_MAX:
            raise ChainDown(f"the configurator 0x{configurator.hex()} on {target.chain} names an LTV of {ltv}")
        return Reserve(configurator, head.timestamp, head.number, terms, ltv, moves, supplied, debt)

    async def ask(self, *asks: Ask[Any]) -> Sequence[Any]:
        """Several views in one question; Reverted where one of them refuses."""
        values = (await self._client.read(self._target.chain, *asks)).value
        for asked, value in zip(asks, values):
            if isinstance(value, Revert):
                raise Reverted(value.reason, f"a view of {asked.params[0].get('to')} on {self._target.chain}")
        return values

    async def ask_one(self, contract: bytes, abi: Abi, fn: str, args: Sequence[Any] = ()) -> Any:
        return (await self.ask(ask_call(contract, abi, fn, args)))[0]
