"""The built-in levers as cases of the conformance suite: what a target shows, and what other people do to it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from adapters.api import Lever, LeverOrder
from adapters.conformance import LeverCase
from adapters.evm.account import Account
from adapters.evm.client import ChainClient, Connection
from adapters.evm.sending import Sender
from protocol.ids import ActionKey, SourceId
from protocol.messages import Level
from protocol.subjects import asset
from tests.integration.levers.forked import Copy
from tests.integration.levers.rpc import People

KEY = ActionKey(b"\x0a" * 32)
CANARY = "canary-4c1f"
TIMEOUT_S = 0.5
LEASE_S = 600


def nothing() -> None:
    pass


@dataclass(frozen=True)
class Stage:
    """One lever on one target. `make` builds it of a client and its account's sender; the rest is done to the target
    and asked of it past the lever."""

    call: str
    chain: str
    asset: bytes
    key: bytes
    make: Callable[[ChainClient, Sender], Lever]
    shows: Callable[[People], object]
    restricts: Callable[[People], None]
    lifts: Callable[[People], None]
    persons: Callable[[People], bool]


class EvmCase(LeverCase):
    """A stage on a copy of a chain, seen through two connections with a token in their addresses."""

    def __init__(self, stage: Stage, copy: Copy) -> None:
        self.stage, self.copy = stage, copy
        self.account, self.people = Account(stage.key), People(copy.url)
        self.secrets = (CANARY, stage.key.hex(), repr(stage.key)[2:-1], str(int.from_bytes(stage.key, "big")))

    async def __aenter__(self) -> Any:
        url = self.copy.url.replace("http://", f"http://tocsin:{CANARY}@")
        seen = tuple(Connection(SourceId(f"{who}.home"), self.stage.chain, url) for who in ("p1", "p2"))
        self.client = ChainClient(seen, TIMEOUT_S)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.copy.mend()
        await self.client.aclose()

    def lever(self) -> Lever:
        return self.stage.make(self.client, Sender(self.client, self.stage.chain, self.account))

    def order(self) -> LeverOrder:
        until_ms = int((time.time() + LEASE_S) * 1000)
        subject = asset(self.stage.chain, self.stage.asset)
        return LeverOrder(KEY, f"x:{self.stage.call}", subject, Level.GUARD, until_ms, False)

    async def shows(self) -> object:
        return self.stage.shows(self.people)

    async def sent(self) -> int:
        return int(self.people.ask("eth_getTransactionCount", f"0x{self.account.address.hex()}", "latest"), 16)

    async def person_restricts(self) -> None:
        self.stage.restricts(self.people)

    async def person_lifts(self) -> None:
        self.stage.lifts(self.people)

    async def persons_stands(self) -> bool:
        return self.stage.persons(self.people)

    async def cut(self) -> None:
        self.copy.cut()

    async def mend(self) -> None:
        self.copy.mend()
