"""One life of the node under test: the real composition root on its real files, with three stub peers instead of
sockets, a sensor and a verifier of the test's, and killing wrappers around its ports."""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import trio

import node.loop
from adapters.api import Observation
from adapters.evm.client import ChainClient
from adapters.evm.relays import Relays
from node import app, mark
from node.config import load
from node.parts import Parts
from node.testnet.zygote import LATE
from node.transport.api import Channel, PeerAddress, PeerUp
from node.transport.memory import MemoryNetwork
from protocol.crypto import sha256
from protocol.envelope import parse_entry
from protocol.evidence import ClaimBlob, Judgement, Ruling, SupplyAboveBacking, claim_of
from protocol.frames import Head, Heads, pack_frame
from protocol.ids import NetworkId, SourceId
from protocol.messages import Basis, Claim, Level, Threat
from protocol.subjects import Subject, asset
from tests.integration.kill9.points import KilledLever, KilledStore, Killer, TappedTransport, die

for late in LATE:
    importlib.import_module(late)  # once, before the forks

CHAIN = "eip155:1"
SOURCE = SourceId("m0.eip155-1")
LEFT, GO, POOL, WORDS = "left.log", "go", "pool.raw", "words"


@dataclass(frozen=True)
class Life:
    """`seen`: alarms of earlier lives, which a sensor with lookback sees again; `next`: the one after `go` is there.
    `deed`: what is done at `point`, a name in DEEDS or in tests.integration.faults.deeds."""

    folder: str
    seen: tuple[int, ...] = ()
    next: int = -1
    point: str = ""
    deed: str = "kill"


def subject(number: int) -> Subject:
    return asset(CHAIN, sha256(f"asset {number}".encode())[:20])


def claim(number: int) -> ClaimBlob:
    return claim_of(SupplyAboveBacking(CHAIN, b"e" * 20, "eip155:130", b"t" * 20, number + 1))


@dataclass
class AllTrue:
    killer: Killer
    claim_types = frozenset({"evm-supply-above-backing"})

    async def verify(self, asked: Claim, blob: bytes) -> Judgement:
        self.killer.at("verify.before")
        number = next(one for one in range(10_000) if claim(one).claim.digest == asked.digest)
        return Judgement(Ruling.SUPPORTS, "so", subject(number), Threat.UNBACKED_SUPPLY, Level.ISOLATE, 10, (SOURCE,))


@dataclass
class Script:
    """A sensor: sees again what it saw, then waits for the word, arms the killer and sees the next: at every word."""

    life: Life
    killer: Killer
    name: str = "script"

    async def run(self, report: Callable[[Observation], Awaitable[None]]) -> None:
        for number in self.life.seen:
            await report(self._sees(number))
        go = trio.Path(self.life.folder) / GO
        while True:
            while not await go.exists():  # noqa: ASYNC110 (another process makes it)
                await trio.sleep(0.01)
            await go.unlink()
            self.killer.armed = True
            if self.life.next >= 0:
                await report(self._sees(self.life.next))

    def health(self) -> str:
        return ""

    def _sees(self, number: int) -> Observation:
        return Observation(
            subject(number), Threat.UNBACKED_SUPPLY, Level.ISOLATE, Basis.VERIFIED, (claim(number),), (SOURCE,),
            self.name, f"incident-{number}", "it is so", 10,
        )  # fmt: skip


class Killable(app.Node):
    def __init__(self, parts: Parts, life: Life) -> None:
        self.life, self.killer = life, Killer(life.point, _deed(life.deed))
        parts.store = KilledStore(parts.store, self.killer)  # type: ignore[assignment]
        super().__init__(parts)
        levers = {name: KilledLever(lever, self.killer) for name, lever in self.instances.levers.items()}
        sensors = (Script(life, self.killer),)
        self.instances = replace(
            self.instances, levers=levers, sensors=sensors, verifiers=(AllTrue(self.killer),), readers={}
        )
        self.net = MemoryNetwork(delay_s=0.002)
        peers = {peer: PeerAddress(peer, ()) for peer in self._allowed()}
        me = next(sealed.keyset for sealed in parts.charter.keysets if sealed.keyset.member == parts.config.member)
        self.me = me.transport[0]
        tapped = TappedTransport(self.net, self.me, peers)
        tapped.left, tapped.killer = Path(life.folder) / LEFT, self.killer
        self.net.transports[self.me] = tapped
        self.transport = tapped  # type: ignore[assignment]

    async def extra(self) -> None:
        async with trio.open_nursery() as nursery:
            for peer in sorted(self._allowed()):
                nursery.start_soon(self._peer, peer)
            nursery.start_soon(self._prompt)

    async def _prompt(self) -> None:
        """What the test wants peers to say: lines of peer id, channel and frame in a file that it puts there."""
        words = trio.Path(self.life.folder) / WORDS
        while True:
            await trio.sleep(0.05)
            if await words.exists():
                lines = (await words.read_text()).splitlines()
                await words.unlink()
                for peer, channel, raw in (line.split() for line in lines):
                    self.net.transports[peer].send(self.me, Channel[channel], bytes.fromhex(raw))

    async def _peer(self, peer: str) -> None:
        """A stub: says what it ever heard of the node's own feed, so that a rolled back node would be silenced."""
        wire = self.net.transport(peer, {self.me: PeerAddress(self.me, ())})
        async with trio.open_nursery() as nursery:
            await nursery.start(wire.run)
            async for event in wire.events:
                if isinstance(event, PeerUp):
                    heads = _heads(Path(self.life.folder) / LEFT, self.parts.charter.network)
                    wire.send(self.me, Channel.SYNC, pack_frame(Heads(heads, ())))


def _heads(left: Path, network: NetworkId) -> tuple[Head, ...]:
    if not left.exists():
        return ()
    parsed = [parse_entry(bytes.fromhex(line), network) for line in left.read_text().splitlines()]
    if not parsed:
        return ()
    last = max(parsed, key=lambda one: one.entry.seq)
    entry = last.entry
    return (Head(entry.author, entry.key_version, entry.seq + 1, entry.seq, last.hash),)


def _submit(killer: Killer, folder: Path, real: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """Around what hands a transaction to providers, or to relays: the last of its arguments."""

    async def submit(*given: Any) -> None:
        killer.at("chain.before")
        if killer.passes("chain.pool"):
            (folder / POOL).write_bytes(given[-1])
        killer.at("chain.pool")
        await real(*given)
        killer.at("chain.after")

    return submit


def _deed(name: str) -> Callable[[], None]:
    if name == "kill":
        return die
    found: Callable[[], None] = getattr(importlib.import_module("tests.integration.faults.deeds"), name)
    return found


def live(life: Life) -> int:
    """What a forked process does: `tocsin up` with killing wrappers around its ports; its exit code."""
    folder = Path(life.folder)
    with ExitStack() as patched:

        def killable(parts: Parts) -> Killable:
            living = Killable(parts, life)
            killed_mark: Any = living.killer.around("mark", mark.write)
            patched.enter_context(mock.patch.object(node.loop.mark, "write", killed_mark))
            for door in (ChainClient, Relays):
                patched.enter_context(mock.patch.object(door, "submit", _submit(living.killer, folder, door.submit)))
            return living

        patched.enter_context(mock.patch.object(app, "Node", killable))
        return app.run(load(folder / "node.toml"))
