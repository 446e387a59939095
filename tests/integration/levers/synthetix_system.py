"""A futures market and two synths of Synthetix v2x (2.102.1), from the bytecode that its package tells was deployed.

Its own are: AddressResolver, SystemStatus, FlexibleStorage, FuturesMarketManager, the whole of a market that is traded
on chain (ProxyPerpsV2, PerpsV2Market, its views and state) and both synths. Stood in for are the price, the waiting
period of exchanges, the fee pool and the list of synths; the settings are written by the owner."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import trio

from adapters.api import LeverOrder
from adapters.evm.abi import Abi, keccak256
from adapters.evm.account import Account
from adapters.evm.client import ChainClient, Connection
from adapters.evm.sending import Sender
from adapters.evm.synthetix import SuspendLever, SynthetixTarget, suspend_levers
from adapters.evm.synthetix_rows import REASON, word32
from node.testnet.real.standin import says, stand_in
from protocol.ids import ActionKey, SourceId
from protocol.messages import Level
from protocol.subjects import asset
from tests.integration.levers.aave_market import E18, KEYS, NOBODY
from tests.integration.levers.packages import SYNTHETIX, artifact, linked
from tests.integration.levers.rpc import Done, People
from tests.integration.levers.scene import KEY

MARKET, SYNTH, DOLLAR = "sETHPERP", "sETH", "sUSD"
GUARD, PERSON, HALF = "risk_admin", "emergency_admin", "pool_admin"
"""Whose account a node has; who else suspends; who may suspend and not resume. "owner" owns the SystemStatus."""
SECTIONS = ("Futures", "Synth", "SynthExchange")
PRICE, MARGIN = 2_000 * E18, 10_000 * E18
SETTINGS = {"maxLeverage": 100 * E18, "maxMarketValue": 10**6 * E18, "skewScale": 10**6 * E18}
MAX = 2**255 - 1
NOT_PLAYED = ("PerpsV2ExchangeRate", "CollateralManager", "EtherWrapper", "WrapperFactory")
ROUTES = {
    "PerpsV2Market": ("transferMargin", "withdrawAllMargin", "modifyPosition", "closePosition"),
    "PerpsV2MarketViews": ("marketKey", "baseAsset", "positions"),
}


def abi(contract: str) -> Abi:
    return Abi(artifact(SYNTHETIX, contract)["abi"])


def address(role: str) -> bytes:
    return Account(KEYS[role]).address


@dataclass(frozen=True)
class System:
    """`at` has every contract's address by its name, and beside those `market`, `sETH` and `sUSD`: what people use."""

    url: str
    chain: str
    at: dict[str, bytes]
    answer: Callable[[bytes], bytes | None] | None = None

    @property
    def people(self) -> People:
        return People(self.url, self.answer)

    def status(self, role: str, fn: str, *args: Any) -> Done:
        return self.people.do(KEYS[role], self.at["SystemStatus"], abi("SystemStatus"), fn, *args)

    def view(self, fn: str, *args: Any) -> Any:
        """Of the SystemStatus."""
        return self.people.view(self.at["SystemStatus"], abi("SystemStatus"), fn, *args)

    def trade(self, role: str, size: int = E18 // 10) -> Done:
        """Opens more of a long position, or with a size below 0 less of it."""
        bound = MAX if size > 0 else 0
        return self.people.do(KEYS[role], self.at["market"], abi("PerpsV2Market"), "modifyPosition", size, bound)

    def close(self, role: str) -> Done:
        return self.people.do(KEYS[role], self.at["market"], abi("PerpsV2Market"), "closePosition", 0)

    def withdraw(self, role: str) -> Done:
        return self.people.do(KEYS[role], self.at["market"], abi("PerpsV2Market"), "withdrawAllMargin")

    def transfer(self, role: str) -> Done:
        known = abi("MultiCollateralSynth")
        return self.people.do(KEYS[role], self.at[SYNTH], known, "transfer", address("honest"), E18)

    def exchange(self, role: str) -> None:
        """What Synthetix asks before each exchange of the synth into dollars. Refused."""
        self.view("requireExchangeBetweenSynthsAllowed", word32(SYNTH), word32(DOLLAR))


@dataclass
class _Builder:
    people: People
    at: dict[str, bytes] = field(default_factory=dict)

    def make(self, contract: str, *args: Any, name: str = "") -> bytes:
        found = artifact(SYNTHETIX, contract)
        at = self.people.make(KEYS["owner"], linked(found, {}), Abi(found["abi"]), args)
        self.at[name or contract] = at
        return at

    def stand(self, name: str, *answers: tuple[bytes, bytes]) -> None:
        self.at[name] = self.people.send(KEYS["owner"], None, stand_in(dict(answers))).created

    def do(self, name: str, contract: str, fn: str, *args: Any) -> None:
        self.people.do(KEYS["owner"], self.at[name], abi(contract), fn, *args)


def build_system(url: str, answer: Callable[[bytes], bytes | None] | None = None) -> System:
    """On a chain that has funded the accounts of KEYS. PackageFault, Refused."""
    made = _Builder(People(url, answer))
    owner = address("owner")
    resolver = made.make("AddressResolver", owner)
    made.make("SystemStatus", owner)
    made.make("FlexibleStorage", resolver)
    made.make("FuturesMarketManager", owner, resolver)
    synths = [_synth(made, name) for name in (DOLLAR, SYNTH)]
    _stand_ins(made)
    fragments = _market(made)
    _resolve(made, ["FuturesMarketManager", *synths, *fragments])
    _open(made)
    system = System(url, f"eip155:{made.people.chain_id}", made.at, answer)
    for role in ("attacker", "honest"):
        args = (KEYS[role], system.at["market"], abi("PerpsV2Market"), "transferMargin", MARGIN)
        made.people.do(*args)
        system.trade(role)
    return system


def _synth(made: _Builder, name: str) -> str:
    """Its proxy is what people hold; the name of its implementation."""
    owner, inner = address("owner"), f"implementation of {name}"
    proxy, state = made.make("ProxyERC20", owner, name=name), made.make("TokenState", owner, owner, name=f"of {name}")
    for role in ("attacker", "honest"):
        made.do(f"of {name}", "TokenState", "setBalanceOf", address(role), 100 * MARGIN)
    args = (f"Synth {name}", name, owner, word32(name), 200 * MARGIN, made.at["AddressResolver"])
    target = made.make("MultiCollateralSynth", proxy, state, *args, name=inner)
    made.do(name, "ProxyERC20", "setTarget", target)
    made.do(f"of {name}", "TokenState", "setAssociatedContract", target)
    return inner


def _stand_ins(made: _Builder) -> None:
    known = [says("synths(bytes32)", int.from_bytes(made.at[name]), key=word32(name)) for name in (DOLLAR, SYNTH)]
    made.stand("Issuer", *known, says("synths(bytes32)", 0))
    made.stand("FeePool", says("FEE_ADDRESS()", 0xFEE))
    price = says("rateWithSafetyChecks(bytes32)", PRICE, 0, 0), says("rateAndInvalid(bytes32)", PRICE, 0)
    made.stand("ExchangeRates", *price)
    made.stand("nobody")
    made.stand(
        "Exchanger",
        says("settle(address,bytes32)", 0, 0, 0),
        says("settlementOwing(address,bytes32)", 0, 0, 0),
        says("maxSecsLeftInWaitingPeriod(address,bytes32)", 0),
        says("dynamicFeeRateForExchange(bytes32,bytes32)", 0, 0),
    )


def _market(made: _Builder) -> list[str]:
    owner, resolver = address("owner"), made.at["AddressResolver"]
    proxy = made.make("ProxyPerpsV2", owner, name="market")
    state = made.make("PerpsV2MarketState", owner, [], word32(SYNTH), word32(MARKET), NOBODY)
    made.make("PerpsV2Market", proxy, state, owner, resolver)
    made.make("PerpsV2MarketViews", state, owner, resolver)
    made.do("PerpsV2MarketState", "PerpsV2MarketState", "addAssociatedContracts", [made.at["PerpsV2Market"]])
    made.do("PerpsV2MarketState", "PerpsV2MarketState", "linkOrInitializeState")
    for contract, functions in ROUTES.items():
        for fn in functions:
            route = (abi(contract).function(fn).selector, made.at[contract], contract.endswith("Views"))
            made.do("market", "ProxyPerpsV2", "addRoute", *route)
    return [*ROUTES]


def _resolve(made: _Builder, cached: list[str]) -> None:
    """Names at the resolver, and everybody's own copy of them."""
    owner, dollar = address("owner"), f"implementation of {DOLLAR}"
    named = {name: made.at[name] for name in ("SystemStatus", "FlexibleStorage", "FuturesMarketManager")}
    named |= {name: made.at[name] for name in ("Issuer", "FeePool", "ExchangeRates", "Exchanger")}
    named |= dict.fromkeys(NOT_PLAYED, made.at["nobody"])
    named |= {"PerpsV2MarketSettings": owner, "SynthsUSD": made.at[dollar]}
    made.do("AddressResolver", "AddressResolver", "importAddresses", [*map(word32, named)], [*named.values()])
    for name in cached:
        contract = "MultiCollateralSynth" if name.startswith("implementation") else name
        made.do(name, contract, "rebuildCache")


def _open(made: _Builder) -> None:
    """The market is known and has its settings; who may suspend what."""
    made.do("FuturesMarketManager", "FuturesMarketManager", "addProxiedMarkets", [made.at["market"]])
    records = [keccak256(word32(MARKET) + word32(name)) for name in SETTINGS]
    settings = (word32("PerpsV2MarketSettings"), records, [*SETTINGS.values()])
    made.do("FlexibleStorage", "FlexibleStorage", "setUIntValues", *settings)
    for role, resumes in ((GUARD, True), (PERSON, True), (HALF, False)):
        for section in SECTIONS:
            may = (word32(section), address(role), True, resumes)
            made.do("SystemStatus", "SystemStatus", "updateAccessControl", *may)


@dataclass
class SuspendScene:
    system: System
    client: ChainClient

    def target(self, market: str = MARKET, synth: str = SYNTH) -> SynthetixTarget:
        return SynthetixTarget("eth", self.system.chain, self.system.at["AddressResolver"], market, synth, REASON)

    def lever(self, call: str = "synthetix.market", role: str = GUARD, **keys: str) -> SuspendLever:
        sender = Sender(self.client, self.system.chain, Account(KEYS[role]))
        return suspend_levers(self.target(**keys), self.client, sender)[call]

    def order(self, call: str = "synthetix.market", seconds: float = 600, key: ActionKey = KEY) -> LeverOrder:
        until_ms = int((time.time() + seconds) * 1000)
        subject = asset(self.system.chain, self.system.at[SYNTH])
        return LeverOrder(key, f"eth:{call}", subject, Level.HALT, until_ms, False)

    def sent_by(self, role: str = GUARD) -> int:
        return int(self.system.people.ask("eth_getTransactionCount", f"0x{address(role).hex()}", "latest"), 16)


@contextlib.asynccontextmanager
async def suspend_scene_of(system: System) -> AsyncIterator[SuspendScene]:
    client = ChainClient(tuple(Connection(SourceId(f"{who}.home"), system.chain, system.url) for who in ("p1", "p2")))
    try:
        yield SuspendScene(system, client)
    finally:
        await client.aclose()


def tell(system: System, story: Callable[[SuspendScene], Awaitable[None]]) -> None:
    async def run() -> None:
        async with suspend_scene_of(system) as scene:
            await story(scene)

    trio.run(run)
