"""`evm.call` on unlike contracts, each written down as its owner would: what the tests and the check play."""

from __future__ import annotations

import contextlib
import time
import tomllib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import trio

from adapters.api import LeverOrder
from adapters.evm.abi import Abi
from adapters.evm.account import Account
from adapters.evm.artifacts import artifact as own_artifact
from adapters.evm.call import CallLever
from adapters.evm.call_config import CALL, read_target
from adapters.evm.client import ChainClient, Connection
from adapters.evm.sending import Sender
from adapters.section import Section
from protocol.ids import ActionKey, SourceId
from protocol.messages import Level
from protocol.subjects import asset
from tests.integration.levers.aave_market import E18, KEYS, Market
from tests.integration.levers.packages import AAVE, artifact, linked
from tests.integration.levers.pausable_token import Token
from tests.integration.levers.rpc import People
from tests.integration.levers.scene import KEY

COMMON = 'rung = "GUARD"\nmax = "1h"\ncooldown = "1h"\nblocks_exit = false\n'
NOBODY = bytes(20)


def hexed(raw: bytes) -> str:
    return f"0x{raw.hex()}"


@dataclass(frozen=True)
class Written:
    """A target as node.toml has it, on a chain; `seat` is whose account pulls it."""

    people: People
    chain: str
    contract: bytes
    asset: bytes
    seat: str
    text: str

    def lever(self, client: ChainClient, role: str = "", text: str = "") -> CallLever:
        faults: list[str] = []
        keys = Section("target.any", tomllib.loads(COMMON + (text or self.text)), faults)
        target = read_target("any", keys, self.chain, self.contract, self.asset)
        keys.done()
        assert target is not None and not faults, faults
        return CallLever(target, client, Sender(client, self.chain, Account(KEYS[role or self.seat])))

    def order(self, seconds: float = 600, key: ActionKey = KEY) -> LeverOrder:
        until_ms = int((time.time() + seconds) * 1000)
        return LeverOrder(key, f"any:{CALL}", asset(self.chain, self.asset), Level.GUARD, until_ms, False)

    def sent(self, role: str = "") -> int:
        address = hexed(Account(KEYS[role or self.seat]).address)
        return int(self.people.ask("eth_getTransactionCount", address, "latest"), 16)


def pausing(token: Token) -> Written:
    text = """
closes = ["transfer"]
restrict = { fn = "function pause()" }
lift = { fn = "function unpause()" }
read = { fn = "function paused() view returns (bool)", stands = "== true" }
events = [{ fn = "event Paused(address account)", is = 1 }, { fn = "event Unpaused(address account)", is = 0 }]
"""
    return Written(token.people, token.chain, token.at, token.at, "risk_admin", text)


def capping(market: Market, cap: int) -> Written:
    """Aave's borrow cap: the configurator is called and tells, the data provider is read."""
    loan, data = hexed(market.loan), hexed(market.data_provider)
    text = f"""
closes = ["borrow"]
becomes = {cap}
restrict = {{ fn = "function setBorrowCap(address asset, uint256 cap)", args = ["{loan}", {cap}] }}
lift = {{ fn = "function setBorrowCap(address asset, uint256 cap)", args = ["{loan}", "{{before}}"] }}
[read]
at = "{data}"
fn = "function getReserveCaps(address asset) view returns (uint256 borrow, uint256 supply)"
args = ["{loan}"]
field = "borrow"
stands = ["> 0", "<= {cap}"]
[[events]]
fn = "event BorrowCapChanged(address indexed asset, uint256 before, uint256 cap)"
field = "cap"
where = {{ asset = "{loan}" }}
"""
    return Written(market.people, market.chain, market.configurator, market.loan, "risk_admin", text)


@dataclass(frozen=True)
class Bridge:
    """An escrow of this project's own, whose endpoint is the attacker's."""

    people: People
    chain: str
    escrow: bytes
    token: bytes

    def deliver(self) -> None:
        """A release of 1 base unit under the next nonce."""
        abi = Abi(own_artifact("Escrow").abi)
        nonce = int(self.people.view(self.escrow, abi, "released_total")) + 1
        self.people.do(KEYS["attacker"], self.escrow, abi, "deliver", nonce, Account(KEYS["attacker"]).address, 1)

    def until(self, by_human: bool = False) -> int:
        return int(self.people.view(self.escrow, Abi(own_artifact("Escrow").abi), "paused_until", by_human))

    def do(self, role: str, fn: str, *args: object) -> None:
        self.people.do(KEYS[role], self.escrow, Abi(own_artifact("Escrow").abi), fn, *args)


def build_bridge(people: People) -> Bridge:
    owner = KEYS["owner"]
    token, escrow = own_artifact("Token"), own_artifact("Escrow")
    at = people.make(owner, token.bytecode, Abi(token.abi), ("Home", "HOM"))
    attacker, guard = Account(KEYS["attacker"]).address, Account(KEYS["risk_admin"]).address
    home = people.make(owner, escrow.bytecode, Abi(escrow.abi), (at, attacker, guard))
    people.do(owner, at, Abi(token.abi), "mint", home, E18)
    return Bridge(people, f"eip155:{people.chain_id}", home, at)


def leasing(bridge: Bridge) -> Written:
    """A contract that keeps ends: its slot of automatic restrictions, with a literal where it asks for a key."""
    event = "{} (bytes32 indexed what, address indexed asset, {}bool by_human, bytes32 indexed action_key)".replace(
        " (", "("
    )
    text = f"""
closes = ["release"]
restrict = {{ fn = "function pause_releases(uint256,bool,bytes32)", args = ["{{until_s}}", false, "0x{"07" * 32}"] }}
lift = {{ fn = "function lift_pause(bool,bytes32)", args = [false, "0x{"07" * 32}"] }}
read = {{ fn = "function paused_until(bool) view returns (uint256)", args = [false], stands = ">= {{until_s}}" }}
[[events]]
fn = "event {event.format("Restricted", "uint256 until, ")}"
field = "until"
where = {{ by_human = false, what = "0x{b"pause".hex():0<64}" }}
[[events]]
fn = "event {event.format("Lifted", "")}"
is = 0
where = {{ by_human = false, what = "0x{b"pause".hex():0<64}" }}
"""
    return Written(bridge.people, bridge.chain, bridge.escrow, bridge.token, "risk_admin", text)


@dataclass(frozen=True)
class Sentinel:
    """Aave's own SequencerOracle, which a market's sentinel asks before each loan, and which tells of nothing."""

    market: Market
    oracle: bytes

    def down(self) -> int:
        return int(self.market.people.view(self.oracle, self._abi, "latestRoundData")[1])

    def set(self, down: bool, role: str = "risk_admin") -> None:
        self.market.people.do(KEYS[role], self.oracle, self._abi, "setAnswer", down, 0)

    @property
    def _abi(self) -> Abi:
        return Abi(artifact(AAVE, "SequencerOracle")["abi"])


def build_sentinel(market: Market) -> Sentinel:
    people, owner = market.people, KEYS["owner"]
    made = {one: artifact(AAVE, one) for one in ("SequencerOracle", "PriceOracleSentinel")}
    guard = Account(KEYS["risk_admin"]).address
    oracle = people.make(owner, linked(made["SequencerOracle"], {}), Abi(made["SequencerOracle"]["abi"]), (guard,))
    asks = made["PriceOracleSentinel"]
    sentinel = people.make(owner, linked(asks, {}), Abi(asks["abi"]), (market.provider, oracle, 1))
    found = Sentinel(market, oracle)
    found.set(False)
    market.do("owner", "provider", "setPriceOracleSentinel", sentinel)
    return found


def flagging(sentinel: Sentinel) -> Written:
    text = """
closes = ["borrow"]
restrict = { fn = "function setAnswer(bool isDown, uint256 timestamp)", args = [true, 0] }
lift = { fn = "function setAnswer(bool isDown, uint256 timestamp)", args = ["{before}", 0] }
[read]
fn = "function latestRoundData() view returns (uint80, int256 answer, uint256, uint256, uint80)"
field = "answer"
stands = "== 1"
"""
    market = sentinel.market
    return Written(market.people, market.chain, sentinel.oracle, market.loan, "risk_admin", text)


@contextlib.asynccontextmanager
async def client_to(url: str, chain: str) -> AsyncIterator[ChainClient]:
    client = ChainClient(tuple(Connection(SourceId(f"{who}.home"), chain, url) for who in ("p1", "p2")))
    try:
        yield client
    finally:
        await client.aclose()


def tell(written: Written, story: Callable[[ChainClient], Awaitable[None]]) -> None:
    async def run() -> None:
        async with client_to(written.people.url, written.chain) as client:
            await story(client)

    trio.run(run)
