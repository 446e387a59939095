"""Exposure, read from the contracts: what lies at risk in USD, and how full a pool is. A figure that cannot be read is
None, never 0. Only the price of the unit that a contract counts in comes from outside it: configured, or an Oracle."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from adapters.api import ExposureReading
from adapters.evm.abi import abi_of
from adapters.evm.client import ChainClient
from adapters.evm.errors import ChainError, Reverted
from adapters.evm.wire import Ask, Revert, ask_call

E18 = 10**18
BPS = 10_000
LENDING, PERP, ESCROW, TOKEN, ORACLE = (abi_of(name) for name in ("Lending", "Perp", "Escrow", "Token", "Oracle"))


@dataclass(frozen=True)
class Holding:
    """What is read: `asset` as in a lever's target; `position` our own account there, where that is the exposure."""

    chain: str
    contract: bytes
    asset: bytes
    usd_per_loan_unit: float | None
    """USD of one whole unit that the contract counts in: loan asset, margin asset, or the escrowed token itself."""
    usd_oracle: bytes | None = None
    position: bytes | None = None


@dataclass(frozen=True)
class Figures:
    usd: float | None
    unit_usd: float | None
    utilisation: float | None = None


class EvmReader:
    """One kind of reading of one holding."""

    def __init__(self, client: ChainClient, holding: Holding, read: str) -> None:
        self._client, self._holding, self._read = client, holding, READS[read]

    async def read(self, name: str, now_ms: int) -> ExposureReading:
        """Never raises: what went wrong stands in `detail`."""
        try:
            unit = await _unit_usd(self._client, self._holding)
            found = await self._read(self._client, self._holding, unit)
        except ChainError as broken:
            return ExposureReading(name, None, None, None, now_ms, str(broken))
        detail = "" if unit is not None else "no price of its unit: set usd_per_loan_unit or usd_oracle"
        return ExposureReading(name, found.usd, found.unit_usd, found.utilisation, now_ms, detail)


async def _ask(client: ChainClient, holding: Holding, *asks: Ask[object]) -> tuple[object, ...]:
    values = (await client.read(holding.chain, *asks)).value
    for ask, value in zip(asks, values):
        if isinstance(value, Revert):
            raise Reverted(value.reason, f"a view of {ask.params[0].get('to')} on {holding.chain}")
    return values


async def _unit_usd(client: ChainClient, holding: Holding) -> float | None:
    if holding.usd_oracle is None:
        return holding.usd_per_loan_unit
    (price,) = await _ask(client, holding, ask_call(holding.usd_oracle, ORACLE, "price"))
    return _number(price) / E18


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _usd(base_units: int, unit_usd: float | None) -> float | None:
    return None if unit_usd is None else base_units / E18 * unit_usd


async def _reserve(client: ChainClient, holding: Holding, unit: float | None) -> Figures:
    """All of the asset that lies in the market as collateral, at the market's own price."""
    total, terms, used = await _ask(
        client,
        holding,
        ask_call(holding.contract, LENDING, "total_collateral", (holding.asset,)),
        ask_call(holding.contract, LENDING, "collateral", (holding.asset,)),
        ask_call(holding.contract, LENDING, "utilisation_bps"),
    )
    price = _number(terms[0]) if isinstance(terms, tuple) else 0
    unit_usd = _usd(price, unit)
    return Figures(_usd(_number(total), unit_usd), unit_usd, _number(used) / BPS)


async def _utilisation(client: ChainClient, holding: Holding, unit: float | None) -> Figures:
    """How much of the loan asset is lent out, and what we ourselves have provided."""
    asks = [ask_call(holding.contract, LENDING, "utilisation_bps")]
    if holding.position is not None:
        asks.append(ask_call(holding.contract, LENDING, "provided_of", (holding.position,)))
    used, *own = await _ask(client, holding, *asks)
    return Figures(_usd(_number(own[0]), unit) if own else None, unit, _number(used) / BPS)


async def _open_interest(client: ChainClient, holding: Holding, unit: float | None) -> Figures:
    size, price = await _ask(
        client,
        holding,
        ask_call(holding.contract, PERP, "open_interest", (holding.asset,)),
        ask_call(holding.contract, PERP, "index_price", (holding.asset,)),
    )
    unit_usd = _usd(_number(price), unit)
    return Figures(_usd(_number(size), unit_usd), unit_usd)


async def _backing(client: ChainClient, holding: Holding, unit: float | None) -> Figures:
    (lies,) = await _ask(client, holding, ask_call(holding.asset, TOKEN, "balanceOf", (holding.contract,)))
    return Figures(_usd(_number(lies), unit), unit)


READS: dict[str, Callable[[ChainClient, Holding, float | None], Awaitable[Figures]]] = {
    "lending.reserve": _reserve,
    "lending.utilisation": _utilisation,
    "perp.open_interest": _open_interest,
    "escrow.backing": _backing,
}


def readers_for(kind: str, client: ChainClient, holding: Holding) -> dict[str, EvmReader]:
    """Every reading of a contract kind ("lending", "perp", "escrow"), by name."""
    return {read: EvmReader(client, holding, read) for read in READS if read.startswith(f"{kind}.")}
