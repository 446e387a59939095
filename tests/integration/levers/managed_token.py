"""An AccessManager as OpenZeppelin published it (5.7), the token that obeys it, and a node's levers beside them.

The token is 4.9's ERC20PresetMinterPauser: the manager alone holds its roles, and people act through the manager's
`execute`, each by a role of the manager."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import trio

from adapters.api import LeverOrder
from adapters.declared import Owned
from adapters.evm.abi import Abi
from adapters.evm.access_manager import CLOSE, LEVERS, ManagedLever, ManagedTarget, declared
from adapters.evm.account import Account
from adapters.evm.client import ChainClient, Connection
from adapters.evm.sending import Sender
from protocol.ids import ActionKey, SourceId
from protocol.messages import Level
from protocol.subjects import asset
from tests.integration.levers.aave_market import E18, KEYS
from tests.integration.levers.packages import OPEN_ZEPPELIN, artifact, linked
from tests.integration.levers.pausable_token import HOUR_MS, PAUSER, Token, address, build_token
from tests.integration.levers.pausable_token import abi as token_abi
from tests.integration.levers.rpc import Done, People
from tests.integration.levers.scene import KEY

ADMIN, MINTS, PAUSES, LIFTS = 0, 7, 8, 9
"""Roles of the manager."""
NODE, PERSON, THIEF = "risk_admin", "emergency_admin", "attacker"
"""Whose account a node has; another admin; who has stolen a minter's key."""
WAYS = ("mint", "pause")
SLOW, DAY_S = b"\x51" * 20, 86_400
"""A contract of the manager whose admins wait for a day, from five days after it was said."""


def manager_abi() -> Abi:
    return Abi(artifact(OPEN_ZEPPELIN, "AccessManager")["abi"])


@dataclass(frozen=True)
class ManagedToken:
    """`at` is the manager."""

    token: Token
    at: bytes

    @property
    def people(self) -> People:
        return self.token.people

    def do(self, role: str, fn: str, *args: Any) -> Done:
        return self.people.do(KEYS[role], self.at, manager_abi(), fn, *args)

    def view(self, fn: str, *args: Any) -> Any:
        return self.people.view(self.at, manager_abi(), fn, *args)

    def through(self, role: str, fn: str, *args: Any) -> Done:
        """The token's function, by the manager, as somebody."""
        return self.do(role, "execute", self.token.at, token_abi().function(fn).encode(args))

    def mint(self, role: str = THIEF) -> Done:
        return self.through(role, "mint", address(role), E18)

    @property
    def shut(self) -> bool:
        return bool(self.view("isTargetClosed", self.token.at))

    @property
    def paused(self) -> bool:
        return bool(self.token.view("paused"))

    def mines(self) -> None:
        """A block, at the chain's time now."""
        self.people.send(KEYS["honest"], address("honest"), b"")

    def grants(self, role: int, who: str, delay_s: int = 0) -> None:
        self.do("owner", "grantRole", role, address(who), delay_s)


def build_managed(url: str, answer: Callable[[bytes], bytes | None] | None = None) -> ManagedToken:
    """NODE and PERSON are admins of the manager; THIEF may mint by it. PackageFault, Refused."""
    token = build_token(url, answer)
    found = artifact(OPEN_ZEPPELIN, "AccessManager")
    at = token.people.make(KEYS["owner"], linked(found, {}), Abi(found["abi"]), (address("owner"),))
    made = ManagedToken(token, at)
    for role in (PAUSER, token.view("MINTER_ROLE")):
        token.do("owner", "grantRole", role, at)
    for role, name in ((MINTS, "mint"), (PAUSES, "pause"), (LIFTS, "unpause")):
        made.do("owner", "setTargetFunctionRole", token.at, [token_abi().function(name).selector], role)
    for role, who in ((ADMIN, NODE), (ADMIN, PERSON), (MINTS, THIEF), (PAUSES, PERSON), (LIFTS, PERSON)):
        made.grants(role, who)
    made.do("owner", "setTargetAdminDelay", SLOW, DAY_S)
    return made


@dataclass
class ManagedScene:
    managed: ManagedToken
    client: ChainClient

    def lever(self, call: str = CLOSE, role: str = NODE, contract: bytes = b"") -> ManagedLever:
        token = self.managed.token
        target = ManagedTarget("wrapped", token.chain, self.managed.at, contract or token.at, token.at)
        said = declared(call, Owned(Level.HALT, WAYS, True, HOUR_MS, HOUR_MS))
        return LEVERS[call](target, said, self.client, Sender(self.client, token.chain, Account(KEYS[role])))

    def order(self, call: str = CLOSE, seconds: float = 600, key: ActionKey = KEY) -> LeverOrder:
        until_ms = int((time.time() + seconds) * 1000)
        subject = asset(self.managed.token.chain, self.managed.token.at)
        return LeverOrder(key, f"wrapped:{call}", subject, Level.HALT, until_ms, False)

    def sent_by(self, role: str = NODE) -> int:
        return int(self.managed.people.ask("eth_getTransactionCount", f"0x{address(role).hex()}", "latest"), 16)


@contextlib.asynccontextmanager
async def managed_scene_of(managed: ManagedToken) -> AsyncIterator[ManagedScene]:
    """Two connections to the chain, as levers ask for."""
    token = managed.token
    client = ChainClient(tuple(Connection(SourceId(f"{who}.home"), token.chain, token.url) for who in ("p1", "p2")))
    try:
        yield ManagedScene(managed, client)
    finally:
        await client.aclose()


def tell(managed: ManagedToken, story: Callable[[ManagedScene], Awaitable[None]]) -> None:
    async def run() -> None:
        async with managed_scene_of(managed) as scene:
            await story(scene)

    trio.run(run)
