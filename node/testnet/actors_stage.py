"""Where an actor stands: its clock, its keys, its way to the chains, and the record of what it did."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import trio

from adapters.evm.abi import Abi, abi_of
from adapters.evm.client import Account, ChainClient, Connection
from adapters.evm.errors import NotSent, Reverted
from adapters.evm.sending import Sender
from adapters.evm.wire import Receipt
from node.testnet.world import World
from protocol.ids import SourceId

CALL_TIMEOUT_S = 10.0
MINED_WITHIN_S = 20.0
NONCE_TRIES = 6
"""The bridge's endpoint is one account that the honest relayer and the attacker both send from."""


class Refused(Exception):
    """The target said no: `why` is its own word."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True)
class Spec:
    """What a process of actors is started with. `start_ms`: wall clock of t0. `out`: a file, appended to."""

    world: World
    start_ms: int
    speed: float
    out: str

    def to_json(self) -> str:
        rest = {"start_ms": self.start_ms, "speed": self.speed, "out": self.out}
        return json.dumps({"world": self.world.to_json(), **rest})

    @classmethod
    def from_json(cls, text: str) -> Spec:
        raw = json.loads(text)
        return cls(World.from_json(raw["world"]), int(raw["start_ms"]), float(raw["speed"]), raw["out"])


@dataclass(frozen=True)
class Deed:
    """One line of the record. `history_s`, `play_s`: when it was due; `at_ms`: wall clock when it was done with.
    `amount` in whole units; `why`: what the target said when `ok` is false."""

    at_ms: int
    history_s: float
    play_s: float
    who: str
    event: str
    do: str
    step: int
    ok: bool
    why: str
    amount: float
    tx: str


class Stage:
    """One process's actors share it. Use on trio; `aclose` in the end."""

    def __init__(self, spec: Spec) -> None:
        self.spec, self.world, self.scenario = spec, spec.world, spec.world.scenario
        links = [Connection(SourceId(f"actor-{chain}"), chain, url) for chain, url in spec.world.urls.items()]
        self.client = ChainClient(tuple(links), timeout_s=CALL_TIMEOUT_S)
        self._senders: dict[tuple[str, str], Sender] = {}
        self._fd = os.open(spec.out, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    async def aclose(self) -> None:
        await self.client.aclose()
        os.close(self._fd)

    @property
    def elapsed_s(self) -> float:
        """Since t0, as played; negative before."""
        return time.time() - self.spec.start_ms / 1000

    def play_s(self, history_s: float) -> float:
        return self.scenario.play_s(history_s, self.spec.speed)

    async def until(self, history_s: float) -> None:
        await trio.sleep(max(0.0, self.play_s(history_s) - self.elapsed_s))

    def sender(self, who: str, chain: str) -> Sender:
        """`who`: an account of the world."""
        key = (who, chain)
        if key not in self._senders:
            self._senders[key] = Sender(self.client, chain, Account(self.world.key(who)))
        return self._senders[key]

    def address(self, who: str) -> bytes:
        return self.sender(who, self.world.home).account.address

    async def send(
        self, who: str, at: bytes, contract: str | Abi, fn: str, args: Sequence[Any], chain: str = ""
    ) -> Receipt:
        """`contract`: one of ours by name, or what is asked of somebody else's. Mined and well, or Refused.

        Another sender of the same account may take our nonce: then again."""
        sender = self.sender(who, chain or self.world.home)
        known = abi_of(contract) if isinstance(contract, str) else contract
        for left in reversed(range(NONCE_TRIES)):
            try:
                return await sender.transact(at, known, fn, args, MINED_WITHIN_S)
            except Reverted as no:
                raise Refused(no.reason or "no reason given") from no
            except NotSent as crossed:
                if not left or "nonce" not in str(crossed).lower():
                    raise
            await trio.sleep(0.05)
        raise AssertionError("the last try returns or raises")

    async def view(self, at: bytes, contract: str | Abi, fn: str, args: Sequence[Any] = (), chain: str = "") -> Any:
        known = abi_of(contract) if isinstance(contract, str) else contract
        return (await self.client.call(chain or self.world.home, at, known, fn, args)).value

    def note(self, deed: Deed) -> None:
        """One line, in one write: several processes may append to the same file."""
        os.write(self._fd, json.dumps(asdict(deed)).encode() + b"\n")


def action_key(*parts: object) -> bytes:
    """A person's restriction has a key of its own kind; no node's key can meet it."""
    return hashlib.sha256("/".join(map(str, ("by hand", *parts))).encode()).digest()
