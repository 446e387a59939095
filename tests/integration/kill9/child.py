"""One life of the node under test: the real composition root on its real files, with three stub peers instead of
sockets, a sensor and a verifier of the test's, and killing wrappers around its ports."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import trio

import node.loop
from adapters.api import Observation
from adapters.evm.client import ChainClient
from node import app, mark
from node.config import load
from node.parts import Parts, load_parts
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
from tests.integration.kill9.points import KilledLever, KilledStore, Killer, TappedTransport

for late in LATE:
    importlib.import_module(late)  # once, before the forks

CHAIN = "eip155:1"
SOURCE = SourceId("m0.eip155-1")
LEFT, GO, POOL = "left.log", "go", "pool.raw"


@dataclass(frozen=True)
class Life:
    """`seen`: alarms of earlier lives, which a sensor with lookback sees again; `next`: the one after `go` is there."""

    folder: str
    seen: tuple[int, ...] = ()
    next: int = -1
    point: str = ""


def subject(number: int) -> Subject:
    return asset(CHAIN, sha256(f"asset {number}".encode())[:20])


def claim(number: int) -> ClaimBlob:
    return claim_of(SupplyAboveBacking(CHAIN, b"e" * 20, "eip155:130", b"t" * 20, number + 1))


class AllTrue:
    claim_types = frozenset({"evm-supply-above-backing"})

    async def verify(self, asked: Claim, blob: bytes) -> Judgement:
        number = next(one for one in range(10_000) if claim(one).claim.digest == asked.digest)
        return Judgement(Ruling.SUPPORTS, "so", subject(number), Threat.UNBACKED_SUPPLY, Level.ISOLATE, 10, (SOURCE,))


@dataclass
class Script:
    """A sensor: sees again what it saw, then waits for the word, arms the killer and sees the next."""

    life: Life
    killer: Killer
    name: str = "script"

    async def run(self, report: Callable[[Observation], Awaitable[None]]) -> None:
        for number in self.life.seen:
            await report(self._sees(number))
        go = trio.Path(self.life.folder) / GO
        while not await go.exists():  # noqa: ASYNC110 (another process makes it)
            await trio.sleep(0.01)
        await go.unlink()
        self.killer.armed = True
        if self.life.next >= 0:
            await report(self._sees(self.life.next))
        await trio.sleep_forever()

    def health(self) -> str:
        return ""

    def _sees(self, number: int) -> Observation:
        return Observation(
            subject(number), Threat.UNBACKED_SUPPLY, Level.ISOLATE, Basis.VERIFIED, (claim(number),), (SOURCE,),
            self.name, f"incident-{number}", "it is so", 10,
        )  # fmt: skip


class Killable(app.Node):
    def __init__(self, parts: Parts, life: Life) -> None:
        self.life, self.killer = life, Killer(life.point)
        parts.store = KilledStore(parts.store, self.killer)  # type: ignore[assignment]
        super().__init__(parts)
        levers = {name: KilledLever(lever, self.killer) for name, lever in self.instances.levers.items()}
        sensors = (Script(life, self.killer),)
        self.instances = replace(self.instances, levers=levers, sensors=sensors, verifiers=(AllTrue(),), readers={})
        self.net = MemoryNetwork(delay_s=0.002)
        peers = {peer: PeerAddress(peer, ()) for peer in self._addresses()}
        me = next(sealed.keyset for sealed in parts.charter.keysets if sealed.keyset.member == parts.config.member)
        self.me = me.transport[0]
        tapped = TappedTransport(self.net, self.me, peers)
        tapped.left, tapped.killer = Path(life.folder) / LEFT, self.killer
        self.net.transports[self.me] = tapped
        self.transport = tapped  # type: ignore[assignment]

    async def extra(self) -> None:
        async with trio.open_nursery() as nursery:
            for peer in sorted(self._addresses()):
                nursery.start_soon(self._peer, peer)

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


def _submit(killer: Killer, folder: Path) -> Callable[..., Awaitable[None]]:
    real = ChainClient.submit

    async def submit(self: ChainClient, chain: str, raw: bytes) -> None:
        killer.at("chain.before")
        if killer.passes("chain.pool"):
            (folder / POOL).write_bytes(raw)
        killer.at("chain.pool")
        await real(self, chain, raw)
        killer.at("chain.after")

    return submit


def live(life: Life) -> None:
    """Target of a forked process: runs until it is killed or told to stop."""
    folder = Path(life.folder)
    sys.setrecursionlimit(app.RECURSION_LIMIT)
    living = Killable(load_parts(load(folder / "node.toml")), life)
    killed_mark: Any = living.killer.around("mark", mark.write)
    with (
        mock.patch.object(node.loop.mark, "write", killed_mark),
        mock.patch.object(ChainClient, "submit", _submit(living.killer, folder)),
    ):
        trio.run(functools.partial(living.run))
