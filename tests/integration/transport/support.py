"""Peers for the tests: honest ones that note what they see, and one that may send anything."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import trio
from libp2p.peer.id import ID
from libp2p.tools.anyio_service import background_trio_service
from multiaddr import Multiaddr

from node.transport.api import Channel, PeerAddress, PeerDown, PeerUp, ReceivedFrame, TransportEvent
from node.transport.guard import build_host, own_key_pair, peer_id_of
from node.transport.host import Libp2pTransport
from node.transport.limits import Timing
from node.transport.session import PROTOCOLS
from node.transport.streams import cut, open_stream

TOPIC = "tests"
QUICK = Timing(
    ping_every_s=0.3, dial_max_s=0.4, follower_wait_s=0.5, open_timeout_s=2.0, probe_s=0.5,
    ban_first_s=0.02, ban_max_s=0.05,
)  # fmt: skip


def seed(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


def story(body: Callable[[], Coroutine[Any, Any, None]], limit_s: float = 20) -> None:
    """Run one test on the real clock; a test that hangs fails."""

    async def bounded() -> None:
        with trio.fail_after(limit_s):
            await body()

    trio.run(bounded)


class Peer:
    """An honest transport and everything that it reported."""

    def __init__(self, transport: Libp2pTransport) -> None:
        self.transport = transport
        self.id = transport.peer_id
        self.seen: list[TransportEvent] = []
        self._news = trio.Event()
        self.reads = trio.Event()
        self.reads.set()

    async def watch(self) -> None:
        async for event in self.transport.events:
            await self.reads.wait()
            self.seen.append(event)
            self._news.set()
            self._news = trio.Event()

    async def until(self, true: Callable[[], bool], limit_s: float = 10) -> None:
        with trio.fail_after(limit_s):
            while not true():
                with trio.move_on_after(0.05):
                    await self._news.wait()

    def frames(self, channel: Channel) -> list[bytes]:
        return [e.frame for e in self.seen if isinstance(e, ReceivedFrame) and e.channel is channel]

    def ups(self, peer_id: str) -> int:
        return sum(isinstance(e, PeerUp) and e.peer_id == peer_id for e in self.seen)

    def downs(self, peer_id: str) -> int:
        return sum(isinstance(e, PeerDown) and e.peer_id == peer_id for e in self.seen)

    @property
    def address(self) -> PeerAddress:
        return PeerAddress(self.id, self.transport.listening)

    def is_up(self, peer_id: str) -> bool:
        return any(line.peer_id == peer_id and line.up for line in self.transport.status())


@asynccontextmanager
async def peer(
    name: str,
    listen: str | None = "/ip4/127.0.0.1/tcp/0",
    timing: Timing = QUICK,
    allowed: tuple[PeerAddress, ...] = (),
) -> AsyncIterator[Peer]:
    transport = Libp2pTransport(
        seed(name), listen, {address.peer_id: address for address in allowed}, TOPIC, timing=timing
    )
    async with trio.open_nursery() as nursery:

        async def run(task_status: Any) -> None:
            await transport.run(task_status=task_status)

        await nursery.start(run)
        one = Peer(transport)
        nursery.start_soon(one.watch)
        yield one
        nursery.cancel_scope.cancel()


async def introduce(*peers: Peer) -> None:
    """Allow everyone to everyone and wait for the mesh."""
    for one in peers:
        one.transport.allow({other.id: other.address for other in peers if other is not one})
    for one in peers:
        for other in peers:
            if other is not one:
                await one.until(lambda one=one, other=other: one.is_up(other.id))


class Liar:
    """A peer with a valid identity that writes whatever it likes on real, authenticated streams."""

    def __init__(self, swarm: Any, host: Any, peer_id: str) -> None:
        self.swarm = swarm
        self.host = host
        self.id = peer_id
        self.conn: Any = None

    def refusal(self, peer_id: str) -> str | None:
        return None

    def misbehaved(self, peer_id: str, why: str) -> None:
        pass

    def turned_away(self) -> None:
        pass

    async def connect(self, victim: Peer) -> None:
        """Connect anew unless the last connection still stands; keeps at it while the victim refuses."""
        while self.conn is None or self.conn.is_closed or self.conn.muxed_conn.event_shutting_down.is_set():
            try:
                with trio.move_on_after(1):
                    address = Multiaddr(victim.transport.listening[0])
                    self.conn = await self.swarm.dial_addr(address, ID.from_base58(victim.id))
            except Exception:
                await trio.sleep(0.02)

    async def stream(self, victim: Peer, protocol: str) -> Any:
        """Open one stream; tries again when the victim has just cut the connection."""
        while True:
            await self.connect(victim)
            try:
                with trio.move_on_after(1):
                    return await open_stream(self.host, self.conn, protocol)
            except Exception:
                await trio.sleep(0.02)
            await self.hang_up()

    async def say(self, victim: Peer, protocol: str, data: bytes) -> None:
        """Open a stream, write the bytes, and give the victim a moment to stumble over them."""
        stream = await self.stream(victim, protocol)
        try:
            await stream.write(data)
        except Exception:
            await self.hang_up()
        await trio.sleep(0.002)

    async def member_streams(self, victim: Peer) -> dict[Channel, Any]:
        """Open both member streams on one connection, as an honest peer would."""
        await self.connect(victim)
        return {channel: await open_stream(self.host, self.conn, p) for channel, p in PROTOCOLS.items()}

    async def hang_up(self) -> None:
        if self.conn is not None:
            await cut(self.conn)
        self.conn = None


@asynccontextmanager
async def liar(name: str = "liar") -> AsyncIterator[Liar]:
    pair = own_key_pair(seed(name))
    one = Liar(None, None, peer_id_of(seed(name)))
    one.swarm, one.host = build_host(pair, one)

    async def swallow(stream: Any) -> None:
        await stream.swarm_conn.event_closed.wait()

    for protocol in PROTOCOLS.values():
        one.host.set_stream_handler(protocol, swallow)
    async with background_trio_service(one.swarm):
        yield one
        await one.hang_up()
