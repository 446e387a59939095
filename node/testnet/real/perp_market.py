"""A venue of Perpetual Protocol v2 (2.8.4) on a pool of Uniswap v3, planned into a world's transactions from the
published artifacts.

Only prices are stood in for. A maker provides liquidity on both sides of the index; two honest traders stand against
each other, so that the market is at its index when the story begins. Every address is known before anything is sent."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from adapters.evm.abi import Abi, keccak256
from node.testnet.real.packages import PERP, UNISWAP, artifact, linked
from node.testnet.real.perp_abi import FOREVER, trade
from node.testnet.real.standin import says, stand_in
from node.testnet.scenario import Thing
from node.testnet.world import CROWD, DEPLOYER, FEEDER, UNIT, lever, units

if TYPE_CHECKING:
    from node.testnet.world_build import Site

GAS = 12_000_000
PPM = 1_000_000
FEE, OBSERVATIONS, TICKS = 3_000, 64, 1_000
"""The pool's fee in millionths, the prices that it remembers, and how far one may move at once, in 1/10,000."""
SPACING, HALF_RANGE = 60, 6_900
"""Ticks of a pool with that fee, and of the maker's range to each side: from half the index to twice."""
LOOK_BACK_S = 1
"""Over which prices are averaged: the market is not older than the story's setup."""
DEEP = 15
"""The maker's liquidity against honest positions: such a position moves the market by some percent."""
DEPOSITS_MAX = 1_000_000 * UNIT
"""Of what counts as margin, in all: above what a story brings."""
EVER = 2**256 - 1
RISK = (5, 750_000, 500_000, 2_000, 30_000, 10_000 * UNIT, 500 * UNIT)
"""Of the CollateralManager: tokens an account; debt, liquidation, buffer and fee in millionths; threshold, dust."""


def _ticks(price: float) -> tuple[int, int]:
    middle = round(math.log(price) / math.log(1.0001) / SPACING) * SPACING
    return middle - HALF_RANGE, middle + HALF_RANGE


class PerpMarket:
    """Plans one venue with one market; nothing here waits."""

    def __init__(self, site: Site, thing: Thing) -> None:
        self.site, self.thing = site, thing
        self.margin: str = thing.params["margin"]
        self.counts: str = thing.params["counts"]
        self.price = site.price(thing.params["index"], self.margin)
        self.at: dict[str, bytes] = {}

    def _abi(self, contract: str) -> Abi:
        return Abi(artifact(UNISWAP if contract.startswith("Uniswap") else PERP, contract)["abi"])

    def _make(self, contract: str, *args: Any) -> bytes:
        found = artifact(UNISWAP if contract.startswith("Uniswap") else PERP, contract)
        code = linked(found, {}) + self._abi(contract).construct(args)
        self.at[contract] = self.site.home.create(DEPLOYER, code, f"deploy {contract} of others", GAS)
        return self.at[contract]

    def _do(self, contract: str, fn: str, *args: Any, who: str = DEPLOYER) -> bytes:
        data = self._abi(contract).function(fn).encode(args)
        return self.site.home.call(who, self.at[contract], data, f"{who}: {fn} at {self.thing.name}", GAS)

    def plan(self) -> dict[str, bytes]:
        """Part → address; `contract` is the ClearingHouse, `base` the virtual token that stands for the market."""
        for contract in ("ClearingHouseConfig", "MarketRegistry", "OrderBook", "InsuranceFund", "Exchange"):
            self._make(contract)
        for contract in ("AccountBalance", "Vault", "CollateralManager", "ClearingHouse", "UniswapV3Factory"):
            self._make(contract)
        self._tokens()
        self._joined()
        self._listed()
        self._owned()
        parts = {"base": "BaseToken", "vault": "Vault", "exchange": "Exchange", "registry": "MarketRegistry"}
        parts["collaterals"] = "CollateralManager"
        return {"contract": self.at["ClearingHouse"], **{part: self.at[name] for part, name in parts.items()}}

    def _feed(self, price: int) -> bytes:
        words = [says("decimals()", 18), *(says(f"{fn}(uint256)", price) for fn in ("getDispatchedPrice", "getPrice"))]
        return self.site.home.create(DEPLOYER, stand_in(dict(words)), "deploy a price", GAS)

    def _tokens(self) -> None:
        """The base token's address is the lower one: it is to be the first of the pool."""
        self._make("BaseToken")
        while self._make("QuoteToken") < self.at["BaseToken"]:
            pass
        self._do("BaseToken", "initialize", "vBASE", "vBASE", self._feed(self.price))
        self._do("QuoteToken", "initialize", "vQUOTE", "vQUOTE")

    def _joined(self) -> None:
        at, do, margin = self.at, self._do, self.site.at[self.margin]["token"]
        config, vault, exchange, balances = (
            at[name] for name in ("ClearingHouseConfig", "Vault", "Exchange", "AccountBalance")
        )
        do("ClearingHouseConfig", "initialize")
        do("ClearingHouseConfig", "setSettlementTokenBalanceCap", EVER)
        for fn in ("setTwapInterval", "setMarkPriceMarketTwapInterval", "setMarkPricePremiumInterval"):
            do("ClearingHouseConfig", fn, LOOK_BACK_S)
        do("MarketRegistry", "initialize", at["UniswapV3Factory"], at["QuoteToken"])
        do("OrderBook", "initialize", at["MarketRegistry"])
        do("InsuranceFund", "initialize", margin)
        do("Exchange", "initialize", at["MarketRegistry"], at["OrderBook"], config)
        do("AccountBalance", "initialize", config, at["OrderBook"])
        do("OrderBook", "setExchange", exchange)
        do("Exchange", "setAccountBalance", balances)
        do("Vault", "initialize", at["InsuranceFund"], config, balances, exchange)
        do("CollateralManager", "initialize", config, vault, *RISK)
        do("Vault", "setCollateralManager", at["CollateralManager"])
        do("InsuranceFund", "setVault", vault)
        do("AccountBalance", "setVault", vault)
        parts = (config, vault, at["QuoteToken"], at["UniswapV3Factory"], exchange, balances, at["InsuranceFund"])
        do("ClearingHouse", "initialize", *parts)
        for contract in ("OrderBook", "Exchange", "AccountBalance", "Vault", "MarketRegistry"):
            do(contract, "setClearingHouse", at["ClearingHouse"])

    def _listed(self) -> None:
        """A pool of both virtual tokens, which only it and the ClearingHouse may move; and what counts as margin."""
        pair = (self.at["BaseToken"], self.at["QuoteToken"])
        self._do("UniswapV3Factory", "createPool", *pair, FEE)
        # where CREATE2 puts it: by the factory, the pair, and the code of the pool alone
        salt = keccak256(b"".join(token.rjust(32, b"\0") for token in pair) + FEE.to_bytes(32, "big"))
        code = keccak256(linked(artifact(UNISWAP, "UniswapV3Pool"), {}))
        self.at["UniswapV3Pool"] = keccak256(b"\xff" + self.at["UniswapV3Factory"] + salt + code)[12:]
        self._do("UniswapV3Pool", "initialize", math.isqrt((self.price << 192) // UNIT))
        self._do("UniswapV3Pool", "increaseObservationCardinalityNext", OBSERVATIONS)
        for token in ("BaseToken", "QuoteToken"):
            self._do(token, "mintMaximumTo", self.at["ClearingHouse"])
            for holder in ("ClearingHouse", "UniswapV3Pool"):
                self._do(token, "addWhitelist", self.at[holder])
        self._do("MarketRegistry", "addPool", self.at["BaseToken"], FEE)
        self._do("Exchange", "setMaxTickCrossedWithinBlock", self.at["BaseToken"], TICKS)
        ratio = round(self.thing.params["counted"] * PPM)
        config = (self._feed(self.price), ratio, PPM // 10, DEPOSITS_MAX)
        self._do("CollateralManager", "addCollateral", self.site.at[self.counts]["token"], config)

    def _owned(self) -> None:
        """Who may move the numbers that levers move owns the contracts that hold them: there is no lesser right."""
        things = self.site.scenario.things
        mine = {name for name, one in things.items() if self.thing.name in (name, one.params.get("at"))}
        for role in self.site.members:
            if any(one.partition(".")[0] in mine for one in role.levers):
                for contract in ("MarketRegistry", "Exchange", "CollateralManager"):
                    self._do(contract, "setOwner", self.site.signers[lever(role.name)].address)
                    self._do(contract, "updateOwner", who=lever(role.name))

    def people(self) -> None:
        """Once the pool has a past: a maker's liquidity, two honest traders, and honest margin in what counts as it."""
        size = units(self.thing.params["open_interest"])
        value = size * self.price // UNIT
        deep, lower, upper = DEEP * size, *_ticks(self.price / UNIT)
        for who, amount in ((DEPLOYER, DEEP * value), (CROWD, 2 * value), (FEEDER, 2 * value)):
            self._deposit(who, self.margin, amount)
        order = (self.at["BaseToken"], deep, DEEP * value, lower, upper, 0, 0, False, FOREVER)
        self._do("ClearingHouse", "addLiquidity", order)
        self._do("ClearingHouse", "openPosition", trade(self.at["BaseToken"], size), who=CROWD)
        self._do("ClearingHouse", "openPosition", trade(self.at["BaseToken"], -size), who=FEEDER)
        self._deposit(CROWD, self.counts, units(self.thing.params["posted"]))

    def _deposit(self, who: str, asset: str, amount: int) -> None:
        token, own = self.site.at[asset]["token"], self.site.signers[who].address
        if who != CROWD:
            self.site.home.send(DEPLOYER, token, "Token", "mint", own, amount)
        self.site.home.send(who, token, "Token", "approve", self.at["Vault"], EVER)
        self._do("Vault", "deposit", token, amount, who=who)
