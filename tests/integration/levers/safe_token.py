"""A token whose pauser is a 2-of-3 Safe, as Safe (1.4.1, or what it published later) and OpenZeppelin (4.9) published
them, and a node's lever."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio

from adapters.api import LeverOrder
from adapters.declared import Owned
from adapters.evm.abi import Abi
from adapters.evm.account import Account
from adapters.evm.client import ChainClient, Connection
from adapters.evm.evm_key import EvmKey
from adapters.evm.pausable import PausableTarget
from adapters.evm.pausable import declared as pause_declared
from adapters.evm.safe import CALL, SafeLever, declared
from adapters.evm.safe_council import SafeTarget, Shows
from adapters.evm.safe_files import Proposal, parse_proposal, sign_proposal
from adapters.evm.safe_inbox import Inbox
from adapters.evm.safe_module import ModulePauseLever
from adapters.evm.safe_tx import SafeTx, listed, shown_by
from adapters.evm.sending import Sender
from protocol.ids import ActionKey, SourceId
from protocol.messages import Level
from protocol.subjects import asset
from tests.integration.levers.aave_market import KEYS
from tests.integration.levers.packages import SAFE, artifact, linked
from tests.integration.levers.pausable_token import GUARD, HOUR_MS, PAUSER, PERSON, Token, address, build_token
from tests.integration.levers.rpc import Done, People
from tests.integration.levers.scene import KEY

OWNERS = ("owner", "lender", "pool_admin")
THRESHOLD = 2
WAYS = ("transfer",)


def safe_abi(contract: str = "Safe") -> Abi:
    return Abi(artifact(SAFE, contract)["abi"])


@dataclass(frozen=True)
class SafeToken:
    token: Token
    safe: bytes
    multi_send: bytes

    @property
    def people(self) -> People:
        return self.token.people

    def do(self, role: str, fn: str, *args: Any) -> Done:
        return self.people.do(KEYS[role], self.safe, safe_abi(), fn, *args)

    def view(self, fn: str, *args: Any) -> Any:
        return self.people.view(self.safe, safe_abi(), fn, *args)

    @property
    def paused(self) -> bool:
        return bool(self.token.view("paused"))

    def call(self, text: str) -> Any:
        return listed(f"0x{self.token.at.hex()} {text}")

    def executes(self, *calls: str, sender: str = "owner", safe: bool = False) -> Done:
        """What two owners want, by the Safe; `safe`: a call to the Safe itself."""
        made = tuple(listed(f"0x{(self.safe if safe else self.token.at).hex()} {one}") for one in calls)
        return self.sends(SafeTx(self.token.chain, self.safe, made, self.view("nonce"), self.multi_send), sender)

    def sends(self, tx: SafeTx, sender: str = "owner") -> Done:
        keys = sorted((EvmKey(KEYS[role]) for role in OWNERS[:THRESHOLD]), key=lambda key: key.address)
        signed = b"".join(key.sign(tx.hash) for key in keys)
        return self.do(sender, "execTransaction", *list(tx.values.values())[:-1], signed)


def build_safe(
    url: str,
    answer: Callable[[bytes], bytes | None] | None = None,
    package: str = SAFE,
    owners: Callable[[People], list[bytes]] = lambda people: list(map(address, OWNERS)),
) -> SafeToken:
    """PackageFault, Refused."""
    token = build_token(url, answer)
    people = token.people
    at = {}
    for contract in ("Safe", "SafeProxyFactory", "MultiSendCallOnly"):
        found = artifact(package, contract)
        at[contract] = people.make(KEYS["owner"], linked(found, {}), Abi(found["abi"]))
    nobody = bytes(20)
    first = (owners(people), THRESHOLD, nobody, b"", nobody, nobody, 0, nobody)
    made = (at["SafeProxyFactory"], safe_abi("SafeProxyFactory"), "createProxyWithNonce", at["Safe"])
    call = (*made, safe_abi().function("setup").encode(first), 0)
    safe: bytes = people.view(*call)
    people.do(KEYS["owner"], *call)
    token.do("owner", "grantRole", PAUSER, safe)
    token.do("owner", "revokeRole", PAUSER, address(GUARD))
    return SafeToken(token, safe, at["MultiSendCallOnly"])


@dataclass
class SafeScene:
    built: SafeToken
    client: ChainClient
    folder: Path
    told: list[str] = field(default_factory=list)

    @property
    def inbox(self) -> Inbox:
        return Inbox(self.folder / "council")

    def lever(self, role: str = GUARD, watch_s: float = 0, **other: Any) -> SafeLever:
        built, at = self.built, f"0x{self.built.token.at.hex()}"
        calls = {"restrict": ("pause()",), "lift": ("unpause()",)} | other
        lists = {name: tuple(listed(f"{at} {one}") for one in calls[name]) for name in ("restrict", "lift")}
        shows, multi_send = Shows(*shown_by(f"{at} paused() = true")), other.get("multi_send", built.multi_send)
        target = SafeTarget("council", built.token.chain, built.safe, **lists, shows=shows, multi_send=multi_send)
        said = declared(Owned(Level.HALT, WAYS, True, HOUR_MS, HOUR_MS))
        sender = Sender(self.client, built.token.chain, Account(KEYS[role]))
        return SafeLever(target, said, self.client, sender, (self.inbox, self.told.append), watch_s)

    def module(self, role: str = GUARD) -> ModulePauseLever:
        token = self.built.token
        said = pause_declared(Owned(Level.HALT, WAYS, True, HOUR_MS, HOUR_MS))
        target = PausableTarget("council", token.chain, token.at, token.at)
        sender = Sender(self.client, token.chain, Account(KEYS[role]))
        return ModulePauseLever(target, self.built.safe, said, self.client, sender)

    def order(self, seconds: float = 600, key: ActionKey = KEY) -> LeverOrder:
        until_ms = int((time.time() + seconds) * 1000)
        subject = asset(self.built.token.chain, self.built.token.at)
        return LeverOrder(key, f"council:{CALL}", subject, Level.HALT, until_ms, False)

    def proposals(self) -> list[Proposal]:
        """As an owner reads them, from the file alone."""
        return [parse_proposal(one.read_text()) for one in sorted(self.inbox.path.glob("*.proposal.json"))]

    def sign(self, *owners: str, at: int = 0) -> None:
        """Each reads the proposal and puts its signature into the inbox."""
        one = self.proposals()[at]
        for role in owners:
            (self.inbox.path / f"{role}-{one.does}.json").write_text(sign_proposal(one, EvmKey(KEYS[role])))

    def files(self) -> list[str]:
        return sorted(one.name for one in self.inbox.path.iterdir())

    def sent_by(self, role: str = GUARD) -> int:
        return int(self.built.people.ask("eth_getTransactionCount", f"0x{address(role).hex()}", "latest"), 16)


@contextlib.asynccontextmanager
async def safe_scene_of(built: SafeToken, folder: Path) -> AsyncIterator[SafeScene]:
    """Two connections to the chain, as levers ask for."""
    token = built.token
    client = ChainClient(tuple(Connection(SourceId(f"{who}.home"), token.chain, token.url) for who in ("p1", "p2")))
    try:
        yield SafeScene(built, client, folder)
    finally:
        await client.aclose()


def tell(built: SafeToken, folder: Path, story: Callable[[SafeScene], Awaitable[None]]) -> None:
    async def run() -> None:
        async with safe_scene_of(built, folder) as scene:
            await story(scene)

    trio.run(run)


__all__ = ["GUARD", "OWNERS", "PERSON", "SafeScene", "SafeToken", "address", "build_safe", "safe_scene_of", "tell"]
