"""The bridge and the markets of the story on two real chains, and the people around them."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any

import trio

from adapters.api import Observation
from adapters.evm.abi import abi_of
from adapters.evm.artifacts import artifact
from adapters.evm.client import Account, ChainClient, Connection
from adapters.evm.sending import Sender
from adapters.evm.verifiers import EvmVerifier
from adapters.evm.wire import Receipt
from protocol.evidence import ReleaseWithoutBurn, SupplyAboveBacking
from protocol.ids import EpochHash, NetworkId, SourceId
from protocol.membership import Bridge, Epoch, OracleFeed
from protocol.subjects import asset, oracle

HOME, FAR = "eip155:1", "eip155:130"
E18 = 10**18
ESCROWED = 157_000 * E18
PEOPLE = {name: Account(bytes([i]) * 32) for i, name in enumerate(("owner", "attacker", "honest", "guardian"), 1)}
POOR = Account(b"\x09" * 32)
FUNDED = {"0x" + one.address.hex(): 10**24 for one in PEOPLE.values()}
NAMES = {"rs": "Token", "weth": "Token", "escrow": "Escrow", "twin": "Twin", "lend": "Lending", "perp": "Perp"}
NAMES |= {"feed": "Oracle", "ref": "Oracle"}


def epoch_with(bridges: tuple[Bridge, ...] = (), oracles: tuple[OracleFeed, ...] = ()) -> Epoch:
    return Epoch(NetworkId(bytes(32)), 0, EpochHash(bytes(32)), 0, (), bridges=bridges, oracles=oracles)


@dataclass
class World:
    client: ChainClient
    at: dict[str, bytes] = field(default_factory=dict)
    epoch: Epoch = field(default_factory=epoch_with)
    burned: int = 0

    def chain_of(self, thing: str) -> str:
        return FAR if thing == "twin" else HOME

    def sender(self, who: str | Account, chain: str = HOME) -> Sender:
        return Sender(self.client, chain, PEOPLE[who] if isinstance(who, str) else who)

    async def do(self, who: str, thing: str, fn: str, *args: Any) -> Receipt:
        return await self.sender(who, self.chain_of(thing)).transact(self.at[thing], abi_of(NAMES[thing]), fn, args, 10)

    async def view(self, thing: str, fn: str, *args: Any) -> Any:
        return (await self.client.call(self.chain_of(thing), self.at[thing], abi_of(NAMES[thing]), fn, args)).value

    async def make(self, thing: str, *args: Any) -> None:
        sender = self.sender("owner", self.chain_of(thing))
        self.at[thing] = await sender.deploy(artifact(NAMES[thing]), args, 10)

    @property
    def verifier(self) -> EvmVerifier:
        return EvmVerifier(self.client, lambda: self.epoch)

    # -- the bridge

    async def open_bridge(self) -> None:
        owner, guardian = PEOPLE["owner"].address, PEOPLE["guardian"].address
        await self.make("rs", "rs", "RS")
        await self.make("escrow", self.at["rs"], owner, guardian)
        await self.make("twin", "twin", "TW", owner)
        await self.do("owner", "rs", "mint", owner, 200_000 * E18)
        await self.do("owner", "rs", "approve", self.at["escrow"], 2**256 - 1)
        await self.do("owner", "escrow", "lock", ESCROWED, PEOPLE["honest"].address)
        await self.do("owner", "twin", "deliver", 1, PEOPLE["honest"].address, ESCROWED)
        bridge = Bridge(asset(HOME, self.at["rs"]), HOME, self.at["escrow"], FAR, self.at["twin"])
        self.epoch = replace(self.epoch, bridges=(bridge,))

    async def burn(self, amount: int) -> int:
        """An honest message on its way home; its nonce."""
        await self.do("honest", "twin", "burn_out", amount, PEOPLE["honest"].address)
        self.burned += 1
        return self.burned

    async def deliver(self, nonce: int, who: str, amount: int) -> ReleaseWithoutBurn:
        """The endpoint releases; what a claim about it says."""
        to = PEOPLE[who].address
        receipt = await self.do("owner", "escrow", "deliver", nonce, to, amount)
        index = next(log.index for log in receipt.logs if log.address == self.at["escrow"])
        return ReleaseWithoutBurn(HOME, self.at["escrow"], receipt.tx, index, FAR, self.at["twin"], nonce, to, amount)

    def short_at(self, block: int) -> SupplyAboveBacking:
        return SupplyAboveBacking(HOME, self.at["escrow"], FAR, self.at["twin"], block)

    # -- the markets

    async def open_lending(self) -> None:
        owner, guardian = PEOPLE["owner"].address, PEOPLE["guardian"].address
        for thing in ("rs", "weth"):
            await self.make(thing, thing, thing)
        await self.make("lend", self.at["weth"], owner, guardian)
        await self.do("owner", "lend", "add_collateral", self.at["rs"], E18, 9_000)
        await self.do("owner", "weth", "mint", owner, 1_000 * E18)
        await self.do("owner", "weth", "approve", self.at["lend"], 2**256 - 1)
        await self.do("owner", "lend", "provide", 1_000 * E18)
        for who in ("attacker", "honest"):
            await self.do("owner", "rs", "mint", PEOPLE[who].address, 500 * E18)
            await self.do(who, "rs", "approve", self.at["lend"], 2**256 - 1)
            await self.do(who, "weth", "approve", self.at["lend"], 2**256 - 1)
            await self.do(who, "lend", "supply_collateral", self.at["rs"], 100 * E18)

    async def open_perp(self) -> None:
        owner, guardian = PEOPLE["owner"].address, PEOPLE["guardian"].address
        for thing in ("rs", "weth"):
            await self.make(thing, thing, thing)
        await self.make("feed", owner, E18)
        await self.make("perp", self.at["weth"], self.at["rs"], 5_000, guardian)
        await self.do("owner", "perp", "add_market", self.at["rs"], self.at["feed"], 1_000)
        for who in ("attacker", "honest"):
            await self.do("owner", "weth", "mint", PEOPLE[who].address, 100 * E18)
            await self.do(who, "weth", "approve", self.at["perp"], 2**256 - 1)
            await self.do(who, "perp", "deposit_margin", 100 * E18)

    async def open_feed(self) -> None:
        owner = PEOPLE["owner"].address
        await self.make("feed", owner, 1_000 * E18)
        await self.make("ref", owner, 1_000 * E18)
        feed = OracleFeed(oracle(HOME, self.at["feed"]), HOME, self.at["feed"], (self.at["ref"],))
        self.epoch = replace(self.epoch, oracles=(feed,))

    # -- time

    async def second_over(self) -> None:
        """Until both chains have a block of a later second than any that was there."""
        now_s = max([await self._now_s(HOME), await self._now_s(FAR)])
        with trio.fail_after(5):
            while min([await self._now_s(HOME), await self._now_s(FAR)]) <= now_s:  # noqa: ASYNC110 another process's clock
                await trio.sleep(0.02)

    async def _now_s(self, chain: str) -> int:
        return (await self.client.block(chain)).value.timestamp

    async def watch(self, sensor: Any, want: int, within_s: float = 4) -> list[Observation]:
        """What a sensor reports until it has reported so many, or the time is over."""
        seen: list[Observation] = []

        async def report(observation: Observation) -> None:
            seen.append(observation)
            if len(seen) >= want > 0:
                scope.cancel()

        with trio.move_on_after(within_s) as scope:
            await sensor.run(report)
        return seen


def connections(home_url: str, far_url: str) -> tuple[Connection, ...]:
    return tuple(
        Connection(SourceId(f"{who}.{place}"), chain, url)
        for place, chain, url in (("home", HOME, home_url), ("far", FAR, far_url))
        for who in ("p1", "p2")
    )


@contextlib.asynccontextmanager
async def world(chains: Any) -> AsyncIterator[World]:
    client = ChainClient(connections(chains[0].url, chains[1].url))
    try:
        yield World(client)
    finally:
        await client.aclose()
