"""Exposure to a reserve of Aave v3, at the price of Aave's own oracle. What cannot be read is None, never 0."""

from __future__ import annotations

from adapters.api import ExposureReading
from adapters.evm.aave_abi import ORACLE, PROVIDER
from adapters.evm.aave_reserve import AaveTarget, Reserves
from adapters.evm.client import ChainClient
from adapters.evm.errors import ChainError
from adapters.evm.wire import ask_call

READS = ("aave.reserve", "aave.utilisation")
POLICY_UNIT = 18
"""Policies weigh amounts in base units by units of 1e18 of them, whatever the token's decimals are."""
USD = bytes(20)
"""Aave's name for it among base currencies."""


class AaveReader:
    """`aave.reserve`: all that is supplied, in USD, and how much of it is lent out. `aave.utilisation`: the latter."""

    def __init__(self, client: ChainClient, target: AaveTarget, read: str) -> None:
        self._target, self._what = target, read
        self._reserves = Reserves(client, target)

    async def read(self, name: str, now_ms: int) -> ExposureReading:
        """Never raises: what went wrong stands in `detail`."""
        try:
            reserve = await self._reserves.read()
            whole_usd, detail = await self._price()
        except ChainError as broken:
            return ExposureReading(name, None, None, None, now_ms, str(broken))
        used = reserve.debt / reserve.supplied if reserve.supplied else 0.0
        decimals = reserve.terms.decimals
        unit_usd = None if whole_usd is None else whole_usd * 10.0 ** (POLICY_UNIT - decimals)
        usd = None if whole_usd is None else reserve.supplied / 10**decimals * whole_usd
        return ExposureReading(name, usd if self._what == "aave.reserve" else None, unit_usd, used, now_ms, detail)

    async def _price(self) -> tuple[float | None, str]:
        """USD of one whole token, or None and why."""
        oracle = await self._reserves.ask_one(await self._reserves.provider(), PROVIDER, "getPriceOracle")
        price, currency, unit = await self._reserves.ask(
            ask_call(oracle, ORACLE, "getAssetPrice", (self._target.asset,)),
            ask_call(oracle, ORACLE, "BASE_CURRENCY"),
            ask_call(oracle, ORACLE, "BASE_CURRENCY_UNIT"),
        )
        if currency != USD or not unit:
            return None, f"the market's oracle counts in 0x{currency.hex()}, not in USD"
        return (price / unit, "") if price else (None, "the market's oracle has no price of the asset")


def aave_readers(target: AaveTarget, client: ChainClient) -> dict[str, AaveReader]:
    return {read: AaveReader(client, target, read) for read in READS}
