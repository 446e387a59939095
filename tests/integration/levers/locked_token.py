"""A TimelockController as OpenZeppelin published it (5.7), somebody who schedules in it, a node that may cancel."""

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
from adapters.evm.sending import Sender
from adapters.evm.timelock import CALL, CancelLever, LockTarget, call_of, declared
from protocol.ids import ActionKey, SourceId
from protocol.messages import Level
from protocol.subjects import asset
from tests.integration.levers.aave_market import E18, KEYS
from tests.integration.levers.packages import OPEN_ZEPPELIN, artifact, linked
from tests.integration.levers.pausable_token import GUARD, HOUR_MS, Token, address, build_token
from tests.integration.levers.pausable_token import abi as token_abi
from tests.integration.levers.rpc import Done
from tests.integration.levers.scene import KEY

PROPOSER, CANCELLER = keccak256(b"PROPOSER_ROLE"), keccak256(b"CANCELLER_ROLE")
THIEF = "attacker"
"""Has a proposer's key."""
ZERO = bytes(32)


def lock_abi() -> Abi:
    return Abi(artifact(OPEN_ZEPPELIN, "TimelockController")["abi"])


@dataclass(frozen=True)
class LockedToken:
    """`at` is the timelock, which may mint; its delay is none, so that what waits is due."""

    token: Token
    at: bytes

    def do(self, role: str, fn: str, *args: Any) -> Done:
        return self.token.people.do(KEYS[role], self.at, lock_abi(), fn, *args)

    def mint(self, amount: int = E18) -> tuple[Any, ...]:
        """What is scheduled and executed: one operation."""
        data = token_abi().function("mint").encode((address(THIEF), amount))
        return (self.token.at, 0, data, ZERO, ZERO)

    def schedules(self, operation: tuple[Any, ...], delay_s: int = 0) -> bytes:
        self.do(THIEF, "schedule", *operation, delay_s)
        return bytes(self.token.people.view(self.at, lock_abi(), "hashOperation", *operation))


def build_locked(url: str, answer: Callable[[bytes], bytes | None] | None = None) -> LockedToken:
    token = build_token(url, answer)
    found = artifact(OPEN_ZEPPELIN, "TimelockController")
    who = ([address(THIEF)], [address(THIEF)], address("owner"))
    at = token.people.make(KEYS["owner"], linked(found, {}), Abi(found["abi"]), (0, *who))
    token.do("owner", "grantRole", token.view("MINTER_ROLE"), at)
    locked = LockedToken(token, at)
    locked.do("owner", "grantRole", CANCELLER, address(GUARD))
    return locked


@dataclass
class LockScene:
    locked: LockedToken
    client: ChainClient

    def lever(self, role: str = GUARD, calls: tuple[str, ...] = ("mint(address,uint256)",)) -> CancelLever:
        token = self.locked.token
        meant = frozenset(call_of(f"0x{token.at.hex()} {one}") for one in calls)
        said = declared(Owned(Level.ISOLATE, ("mint",), False, HOUR_MS, HOUR_MS))
        sender = Sender(self.client, token.chain, Account(KEYS[role]))
        return CancelLever(LockTarget("lock", token.chain, self.locked.at, meant), said, self.client, sender)

    def order(self, key: ActionKey = KEY) -> LeverOrder:
        until_ms = int((time.time() + 600) * 1000)
        subject = asset(self.locked.token.chain, self.locked.token.at)
        return LeverOrder(key, f"lock:{CALL}", subject, Level.ISOLATE, until_ms, True)

    def sent_by(self, role: str = GUARD) -> int:
        people = self.locked.token.people
        return int(people.ask("eth_getTransactionCount", f"0x{address(role).hex()}", "latest"), 16)


@contextlib.asynccontextmanager
async def lock_scene_of(locked: LockedToken) -> AsyncIterator[LockScene]:
    """Two connections to the chain, as levers ask for."""
    token = locked.token
    client = ChainClient(tuple(Connection(SourceId(f"{who}.home"), token.chain, token.url) for who in ("p1", "p2")))
    try:
        yield LockScene(locked, client)
    finally:
        await client.aclose()


def tell(locked: LockedToken, story: Callable[[LockScene], Awaitable[None]]) -> None:
    async def run() -> None:
        async with lock_scene_of(locked) as scene:
            await story(scene)

    trio.run(run)
