"""A token that pauses, as OpenZeppelin published it (4.9's ERC20PresetMinterPauser), and a node's lever beside it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import trio

from adapters.api import LeverOrder
from adapters.declared import Owned
from adapters.evm.abi import Abi, keccak256
from adapters.evm.account import Account
from adapters.evm.client import ChainClient, Connection
from adapters.evm.pausable import CALL, PausableTarget, PauseLever, declared
from adapters.evm.sending import Sender
from protocol.ids import ActionKey, SourceId
from protocol.messages import Level
from protocol.subjects import asset
from tests.integration.levers.aave_market import E18, KEYS
from tests.integration.levers.packages import OPEN_ZEPPELIN_4, artifact, linked
from tests.integration.levers.rpc import Done, People
from tests.integration.levers.scene import KEY

PRESET = "ERC20PresetMinterPauser"
PAUSER = keccak256(b"PAUSER_ROLE")
GUARD, PERSON = "risk_admin", "emergency_admin"
"""Whose account a node has, and who else may pause; each has the one role, and "owner" has all of them."""
HOUR_MS = 3_600_000
WAYS = ("transfer", "mint", "burn")


def abi() -> Abi:
    return Abi(artifact(OPEN_ZEPPELIN_4, PRESET)["abi"])


@dataclass(frozen=True)
class Token:
    """`at` is where it stands; `answer` as a market's: where the chain is in this process."""

    url: str
    chain: str
    at: bytes
    answer: Callable[[bytes], bytes | None] | None = None

    @property
    def people(self) -> People:
        return People(self.url, self.answer)

    def do(self, role: str, fn: str, *args: Any) -> Done:
        return self.people.do(KEYS[role], self.at, abi(), fn, *args)

    def view(self, fn: str, *args: Any) -> Any:
        return self.people.view(self.at, abi(), fn, *args)

    def transfer(self, role: str) -> Done:
        return self.do(role, "transfer", address("honest"), E18)


def address(role: str) -> bytes:
    return Account(KEYS[role]).address


def build_token(url: str, answer: Callable[[bytes], bytes | None] | None = None) -> Token:
    """On a chain that has funded the accounts of KEYS. PackageFault, Refused."""
    people, found = People(url, answer), artifact(OPEN_ZEPPELIN_4, PRESET)
    at = people.make(KEYS["owner"], linked(found, {}), abi(), ("Wrapped", "WRP"))
    token = Token(url, f"eip155:{people.chain_id}", at, answer)
    for role in (GUARD, PERSON):
        token.do("owner", "grantRole", PAUSER, address(role))
    for role in ("attacker", "honest"):
        token.do("owner", "mint", address(role), 1_000 * E18)
    return token


@dataclass
class PauseScene:
    token: Token
    client: ChainClient

    def lever(self, role: str = GUARD) -> PauseLever:
        target = PausableTarget("wrapped", self.token.chain, self.token.at, self.token.at)
        said = declared(Owned(Level.HALT, WAYS, True, HOUR_MS, HOUR_MS))
        return PauseLever(target, said, self.client, Sender(self.client, self.token.chain, Account(KEYS[role])))

    def order(self, seconds: float = 600, key: ActionKey = KEY) -> LeverOrder:
        until_ms = int((time.time() + seconds) * 1000)
        subject = asset(self.token.chain, self.token.at)
        return LeverOrder(key, f"wrapped:{CALL}", subject, Level.HALT, until_ms, False)

    def sent_by(self, role: str = GUARD) -> int:
        return int(self.token.people.ask("eth_getTransactionCount", f"0x{address(role).hex()}", "latest"), 16)


@contextlib.asynccontextmanager
async def pause_scene_of(token: Token, second: str = "") -> AsyncIterator[PauseScene]:
    """Two connections; `second` is where the other one goes, if not to the same chain."""
    urls = {"p1": token.url, "p2": second or token.url}
    client = ChainClient(tuple(Connection(SourceId(f"{who}.home"), token.chain, url) for who, url in urls.items()))
    try:
        yield PauseScene(token, client)
    finally:
        await client.aclose()


def tell(token: Token, story: Callable[[PauseScene], Awaitable[None]], second: str = "") -> None:
    async def run() -> None:
        async with pause_scene_of(token, second) as scene:
            await story(scene)

    trio.run(run)
