"""A market of Perpetual Protocol v2 (2.8.4) on a pool of Uniswap v3, all of it from the published artifacts.

Only the index price is stood in for, and dollars are OpenZeppelin's preset token. A maker provides liquidity; an honest
trader has a position, the attacker has margin."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import trio

from adapters.api import LeverOrder
from adapters.evm.abi import Abi
from adapters.evm.account import Account
from adapters.evm.client import ChainClient, Connection
from adapters.evm.perp_v2 import PerpLever, perp_levers
from adapters.evm.perp_v2_rows import PerpTarget
from adapters.evm.sending import Sender
from node.testnet.chain_evm import EmbeddedChain
from node.testnet.real.standin import says, stand_in
from protocol.ids import ActionKey, SourceId
from protocol.messages import Level
from protocol.subjects import asset
from tests.integration.levers.aave_market import E18, FUNDED, KEYS
from tests.integration.levers.forked import answering
from tests.integration.levers.packages import OPEN_ZEPPELIN_4, PERP, UNISWAP, artifact, linked
from tests.integration.levers.rpc import Done, People
from tests.integration.levers.scene import KEY

OWNER, MAKER = "owner", "lender"
PACKAGES = (PERP, UNISWAP, OPEN_ZEPPELIN_4)
ERC20 = "ERC20PresetMinterPauser"
PRICE = 2_000
ROOT_PRICE = math.isqrt(PRICE << 192)
LOWER, UPPER = 69_000, 83_040
"""Ticks of the maker's range: about 1,000 to 4,000 dollars."""
FEE, OBSERVATIONS = 3_000, 64
TICKS = 1_000
"""Of 1/10,000 each: as far as the price may move at once, the most that the contract takes."""
MARGIN, LIQUIDITY = 1_000_000 * E18, 1_000 * E18
FOREVER = 2**255
MAX = 2**256 - 1
COLLATERAL = (5, 750_000, 500_000, 2_000, 30_000, 10_000 * E18, 500 * E18)


def abi(contract: str) -> Abi:
    package = {"UniswapV3Factory": UNISWAP, "UniswapV3Pool": UNISWAP, ERC20: OPEN_ZEPPELIN_4}.get(contract, PERP)
    return Abi(artifact(package, contract)["abi"])


def address(role: str) -> bytes:
    return Account(KEYS[role]).address


@dataclass(frozen=True)
class Perp:
    """`at` has every contract's address by its name."""

    url: str
    chain: str
    at: dict[str, bytes]
    answer: Callable[[bytes], bytes | None] | None = None

    @property
    def people(self) -> People:
        return People(self.url, self.answer)

    def do(self, role: str, contract: str, fn: str, *args: Any) -> Done:
        return self.people.do(KEYS[role], self.at[contract], abi(contract), fn, *args)

    def view(self, contract: str, fn: str, *args: Any) -> Any:
        return self.people.view(self.at[contract], abi(contract), fn, *args)

    @property
    def base(self) -> bytes:
        return self.at["BaseToken"]

    def open(self, role: str, dollars: int, short: bool = False) -> Done:
        """A long position for so many whole dollars, or a short one."""
        order = (self.base, short, not short, dollars * E18, 0, FOREVER, 0, bytes(32))
        return self.do(role, "ClearingHouse", "openPosition", order)

    def close(self, role: str) -> Done:
        return self.do(role, "ClearingHouse", "closePosition", (self.base, 0, 0, FOREVER, bytes(32)))

    def push(self, role: str, dollars: int = 60_000) -> None:
        """Moves the price some percent off the index and back. Refused."""
        self.open(role, dollars)
        self.close(role)

    def add(self, role: str, amount: int) -> Done:
        order = (self.base, amount, amount * PRICE, LOWER, UPPER, 0, 0, False, FOREVER)
        return self.do(role, "ClearingHouse", "addLiquidity", order)

    def withdraw(self, role: str, amount: int = E18) -> Done:
        return self.do(role, "Vault", "withdraw", self.at[ERC20], amount)

    def spread_ppm(self) -> float:
        """How far the market is above the index, in millionths."""
        root = self.view("Exchange", "getSqrtMarketTwapX96", self.base, 0)
        return ((root / 2**96) ** 2 / PRICE - 1) * 1e6


@dataclass
class _Builder:
    people: People
    at: dict[str, bytes] = field(default_factory=dict)

    def make(self, contract: str, *args: Any) -> bytes:
        package = {"UniswapV3Factory": UNISWAP, ERC20: OPEN_ZEPPELIN_4}.get(contract, PERP)
        found = artifact(package, contract)
        self.at[contract] = self.people.make(KEYS[OWNER], linked(found, {}), Abi(found["abi"]), args)
        return self.at[contract]

    def do(self, contract: str, fn: str, *args: Any) -> None:
        self.people.do(KEYS[OWNER], self.at[contract], abi(contract), fn, *args)


@dataclass
class Clock:
    """A pool is asked what its price was half an hour ago, so it must be older than that when people come."""

    behind_s: float = 7_200.0

    def __call__(self) -> float:
        return time.time() - self.behind_s


def perp_chain() -> tuple[EmbeddedChain, Perp]:
    """A chain in this process whose market was made two hours ago."""
    clock = Clock()
    chain = EmbeddedChain(1, {bytes.fromhex(address[2:]): wei for address, wei in FUNDED.items()}, clock)
    return chain, _build(answering(chain), clock)


def _build(answer: Callable[[bytes], bytes | None], clock: Clock) -> Perp:
    made = _Builder(People("", answer))
    for contract in ("ClearingHouseConfig", "MarketRegistry", "OrderBook", "InsuranceFund", "Exchange"):
        made.make(contract)
    for contract in ("AccountBalance", "Vault", "CollateralManager", "ClearingHouse", "UniswapV3Factory"):
        made.make(contract)
    made.make(ERC20, "Dollar", "USD")
    _tokens(made)
    _joined(made)
    _listed(made)
    clock.behind_s = 0.0
    perp = Perp("", f"eip155:{made.people.chain_id}", made.at, answer)
    for role in (MAKER, "honest", "attacker"):
        made.do(ERC20, "mint", address(role), 20 * MARGIN)
        perp.do(role, ERC20, "approve", made.at["Vault"], MAX)
        perp.do(role, "Vault", "deposit", made.at[ERC20], (10 if role == MAKER else 1) * MARGIN)
    perp.add(MAKER, LIQUIDITY)
    perp.open("honest", 5_000)
    return perp


def _tokens(made: _Builder) -> None:
    """The base token's address is the lower one: it is to be the first of the pool."""
    decimals, price = says("decimals()", 18), says("getDispatchedPrice(uint256)", PRICE * E18)
    made.at["index"] = made.people.send(KEYS[OWNER], None, stand_in(dict([decimals, price]))).created
    made.make("BaseToken")
    while made.make("QuoteToken") < made.at["BaseToken"]:
        pass
    made.do("BaseToken", "initialize", "vETH", "vETH", made.at["index"])
    made.do("QuoteToken", "initialize", "vUSD", "vUSD")


def _joined(made: _Builder) -> None:
    at, owner = made.at, made.do
    owner("ClearingHouseConfig", "initialize")
    owner("ClearingHouseConfig", "setSettlementTokenBalanceCap", MAX)
    owner("MarketRegistry", "initialize", at["UniswapV3Factory"], at["QuoteToken"])
    owner("OrderBook", "initialize", at["MarketRegistry"])
    owner("InsuranceFund", "initialize", at[ERC20])
    owner("Exchange", "initialize", at["MarketRegistry"], at["OrderBook"], at["ClearingHouseConfig"])
    owner("AccountBalance", "initialize", at["ClearingHouseConfig"], at["OrderBook"])
    owner("OrderBook", "setExchange", at["Exchange"])
    owner("Exchange", "setAccountBalance", at["AccountBalance"])
    config, balances, exchange = at["ClearingHouseConfig"], at["AccountBalance"], at["Exchange"]
    owner("Vault", "initialize", at["InsuranceFund"], config, balances, exchange)
    owner("CollateralManager", "initialize", config, at["Vault"], *COLLATERAL)
    owner("Vault", "setCollateralManager", at["CollateralManager"])
    owner("InsuranceFund", "setVault", at["Vault"])
    owner("AccountBalance", "setVault", at["Vault"])
    parts = (config, at["Vault"], at["QuoteToken"], at["UniswapV3Factory"], exchange, balances, at["InsuranceFund"])
    owner("ClearingHouse", "initialize", *parts)
    for contract in ("OrderBook", "Exchange", "AccountBalance", "Vault", "MarketRegistry"):
        owner(contract, "setClearingHouse", at["ClearingHouse"])


def _listed(made: _Builder) -> None:
    """A pool of both virtual tokens, which only it and the ClearingHouse may move."""
    at = made.at
    pair = (at["BaseToken"], at["QuoteToken"], FEE)
    made.do("UniswapV3Factory", "createPool", *pair)
    at["UniswapV3Pool"] = made.people.view(at["UniswapV3Factory"], abi("UniswapV3Factory"), "getPool", *pair)
    made.do("UniswapV3Pool", "initialize", ROOT_PRICE)
    made.do("UniswapV3Pool", "increaseObservationCardinalityNext", OBSERVATIONS)
    for token in ("BaseToken", "QuoteToken"):
        made.do(token, "mintMaximumTo", at["ClearingHouse"])
        for holder in ("ClearingHouse", "UniswapV3Pool"):
            made.do(token, "addWhitelist", at[holder])
    made.do("MarketRegistry", "addPool", at["BaseToken"], FEE)
    made.do("Exchange", "setMaxTickCrossedWithinBlock", at["BaseToken"], TICKS)


@dataclass
class PerpScene:
    perp: Perp
    client: ChainClient
    spread_ppm: int = 10_000

    def lever(self, call: str = "perp2.halt", role: str = OWNER) -> PerpLever:
        target = PerpTarget("eth", self.perp.chain, self.perp.at["ClearingHouse"], self.perp.base, self.spread_ppm)
        return perp_levers(target, self.client, Sender(self.client, self.perp.chain, Account(KEYS[role])))[call]

    def order(self, call: str = "perp2.halt", seconds: float = 600, key: ActionKey = KEY) -> LeverOrder:
        until_ms = int((time.time() + seconds) * 1000)
        return LeverOrder(key, f"eth:{call}", asset(self.perp.chain, self.perp.base), Level.HALT, until_ms, False)

    def sent_by(self, role: str = OWNER) -> int:
        return int(self.perp.people.ask("eth_getTransactionCount", f"0x{address(role).hex()}", "latest"), 16)


@contextlib.asynccontextmanager
async def perp_scene_of(perp: Perp) -> AsyncIterator[PerpScene]:
    client = ChainClient(tuple(Connection(SourceId(f"{who}.home"), perp.chain, perp.url) for who in ("p1", "p2")))
    try:
        yield PerpScene(perp, client)
    finally:
        await client.aclose()


def tell(perp: Perp, story: Callable[[PerpScene], Awaitable[None]]) -> None:
    async def run() -> None:
        async with perp_scene_of(perp) as scene:
            await story(scene)

    trio.run(run)
