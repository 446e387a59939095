"""How attackers reach the wire: plain sockets for who has no name, libp2p for who has one. Nothing here is honest code
of the node but the way to open a connection."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import trio
from libp2p.exceptions import BaseLibp2pError
from libp2p.network.connection.raw_connection import RawConnection
from libp2p.peer.id import ID
from libp2p.tools.anyio_service import background_trio_service
from multiaddr import Multiaddr
from nacl.signing import SigningKey

from node.transport.api import Channel, PeerAddress, ReceivedFrame
from node.transport.guard import build_host, own_key_pair, peer_id_of
from node.transport.handshake import HandshakeStream
from node.transport.host import Libp2pTransport
from node.transport.limits import Timing
from node.transport.noise import RecordSession
from node.transport.session import PROTOCOLS
from node.transport.streams import cut, open_stream
from tests.sim.actors import pen as ink

MESHSUB = "/meshsub/1.1.0"
CONNECT_S = 2.0
MULTISTREAM = b"\x13/multistream/1.0.0\n"
CUT = (OSError, trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError, BaseLibp2pError)
"""What an attacker sees where its connection is ended."""
EAGER = Timing(dial_first_s=0.05, dial_max_s=0.3, follower_wait_s=0.2, open_timeout_s=5.0)


@dataclass(frozen=True)
class Target:
    """One honest node."""

    name: str
    port: int
    peer_id: str

    @property
    def address(self) -> str:
        return f"/ip4/127.0.0.1/tcp/{self.port}"


@dataclass
class Stage:
    """What an attack is given. `identity`: a 32-byte transport seed, a member's where the attack is one's."""

    targets: list[Target]
    identity: bytes
    topic: str
    network: bytes
    epoch: bytes
    author: str = ""
    attestation: bytes = b""
    seed: int = 1
    done: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)

    def did(self, what: str, count: int = 1) -> None:
        self.done[what] += count

    @property
    def peer_id(self) -> str:
        return peer_id_of(self.identity)

    def pen(self, author: str = "") -> ink.Pen:
        """Writes under any name, always with the attacker's own key."""
        pen = ink.Pen(author or self.author, self.network, 0)
        pen.key = SigningKey(self.attestation)
        return pen


async def dialled(on: Stage, target: Target) -> trio.SocketStream | None:
    """A plain socket to a target, from some address of a thousand; None where it was not taken."""
    where = f"127.{on.chance.randrange(60, 64)}.{on.chance.randrange(250)}.9"
    try:
        with trio.move_on_after(CONNECT_S):
            return await trio.open_tcp_stream("127.0.0.1", target.port, local_address=where)
    except OSError:
        await trio.sleep(0.01)
    return None


async def read_some(stream: Any, within_s: float) -> bytes:
    """Of a socket, a secured connection or a stream on one; b"" where nothing comes in time, or it is cut."""
    read = stream.receive_some if isinstance(stream, trio.SocketStream) else stream.read
    with trio.move_on_after(within_s), suppress(*CUT):
        return bytes(await read(65_536))
    return b""


async def secured(on: Stage, stream: trio.SocketStream, target: Target) -> RecordSession:
    """A connection after Noise and before anything else, under the attacker's transport identity."""
    swarm, _ = build_host(own_key_pair(on.identity), _OpenGate())
    raw = RawConnection(HandshakeStream(stream), True)
    with trio.fail_after(CONNECT_S):
        session = await swarm.upgrader.upgrade_security(raw, True, ID.from_base58(target.peer_id))
    assert isinstance(session, RecordSession)
    return session


class Wire:
    """An authenticated peer that writes whatever it likes: one connection to one target, made anew when it is cut."""

    def __init__(self, stage: Stage, swarm: Any, host: Any, target: Target) -> None:
        self.stage, self.swarm, self.host, self.target = stage, swarm, host, target
        self.conn: Any = None

    @property
    def stands(self) -> bool:
        return (
            self.conn is not None and not self.conn.is_closed and not self.conn.muxed_conn.event_shutting_down.is_set()
        )

    async def connect(self) -> None:
        """Keeps at it while the target refuses."""
        while not self.stands:
            try:
                with trio.move_on_after(CONNECT_S):
                    self.conn = await self.swarm.dial_addr(
                        Multiaddr(self.target.address), ID.from_base58(self.target.peer_id)
                    )
                    self.stage.did("connected")
            except Exception:
                self.stage.did("refused")
                await trio.sleep(0.05)

    async def stream(self, protocol: str) -> Any:
        while True:
            await self.connect()
            try:
                with trio.move_on_after(CONNECT_S):
                    return await open_stream(self.host, self.conn, protocol)
            except Exception:
                await trio.sleep(0.02)
            await self.hang_up()

    async def member_streams(self) -> dict[Channel, Any]:
        return {channel: await self.stream(protocol) for channel, protocol in PROTOCOLS.items()}

    async def write(self, stream: Any, data: bytes, within_s: float = CONNECT_S) -> bool:
        """False where the target no longer takes it: the connection is given up then."""
        with trio.move_on_after(within_s), suppress(Exception):
            await stream.write(data)
            return True
        await self.hang_up()
        return False

    async def hang_up(self) -> None:
        if self.conn is not None:
            with suppress(Exception):
                await cut(self.conn)
        self.conn = None


class _OpenGate:
    def refusal(self, peer_id: str) -> str | None:
        return None

    def misbehaved(self, peer_id: str, why: str) -> None:
        pass

    def turned_away(self) -> None:
        pass


@asynccontextmanager
async def wires(stage: Stage, identity: bytes = b"") -> AsyncIterator[list[Wire]]:
    """One to each target, not connected yet."""
    swarm, host = build_host(own_key_pair(identity or stage.identity), _OpenGate())

    async def swallow(stream: Any) -> None:
        await stream.swarm_conn.event_closed.wait()

    for protocol in (*PROTOCOLS.values(), MESHSUB):
        host.set_stream_handler(protocol, swallow)
    async with background_trio_service(swarm):
        yield [Wire(stage, swarm, host, target) for target in stage.targets]


@dataclass
class Mouth:
    """A member's well-formed connections, for those whose lies are in the words. `heard`: frames, newest last."""

    stage: Stage
    transport: Libp2pTransport
    heard: list[bytes] = field(default_factory=list)
    wants: list[tuple[str, bytes]] = field(default_factory=list)

    def up(self) -> list[str]:
        return [one.peer_id for one in self.transport.status() if one.up]

    async def tell(self, frame: bytes, *, sync: bool = False, to: str = "") -> int:
        """Queued at every target, or at one; waits a moment where nobody takes it."""
        channel = Channel.SYNC if sync else Channel.ENTRIES
        took = sum(self.transport.send(peer, channel, frame) for peer in ([to] if to else self.up()))
        self.stage.did("frames", took)
        await trio.sleep(0 if took else 0.005)
        return took

    async def listen(self) -> None:
        """Keeps a sample of what is said, the oldest too."""
        async for event in self.transport.events:
            if isinstance(event, ReceivedFrame):
                self.stage.did("heard")
                if ink.kind_of(event.frame) in (ink.WANT_ENTRIES, ink.WANT_BLOBS, ink.WANT_CERTIFICATES):
                    self.wants = [*self.wants[-63:], (event.peer_id, event.frame)]
                elif len(self.heard) < 512:
                    self.heard.append(event.frame)
                else:
                    self.heard[self.stage.chance.randrange(64, 512)] = event.frame


@asynccontextmanager
async def mouth(stage: Stage) -> AsyncIterator[Mouth]:
    peers = {one.peer_id: PeerAddress(one.peer_id, (one.address,)) for one in stage.targets}
    transport = Libp2pTransport(stage.identity, "/ip4/127.0.0.1/tcp/0", peers, stage.topic, timing=EAGER)
    async with trio.open_nursery() as nursery:

        async def run(task_status: Any) -> None:
            await transport.run(task_status=task_status)

        await nursery.start(run)
        one = Mouth(stage, transport)
        nursery.start_soon(one.listen)
        while not one.up():  # noqa: ASYNC110 (another process lets it in)
            await trio.sleep(0.02)
        yield one
        nursery.cancel_scope.cancel()
