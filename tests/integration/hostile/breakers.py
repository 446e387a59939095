"""Attacks of a member's transport identity on the wire itself: what is no frame, no stream, no message."""

from __future__ import annotations

import os
import signal
import struct
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, NoReturn

import trio
import trio.lowlevel
from libp2p.peer.id import ID
from libp2p.peer.peerstore import create_signed_peer_record
from libp2p.pubsub.pb import rpc_pb2
from libp2p.utils import encode_varint_prefixed
from multiaddr import Multiaddr

from node.transport.api import Channel
from node.transport.guard import own_key_pair
from tests.integration.hostile.wire import (
    CUT,
    MESHSUB,
    MULTISTREAM,
    Stage,
    Target,
    Wire,
    dialled,
    mouth,
    read_some,
    secured,
    wires,
)  # fmt: skip

TOPICS = 2_000
FROZEN_S, AWAKE_S = 7.0, 1.5
HEADER = "!BBHII"


async def _each(on: Stage, deed: Callable[[Wire], Awaitable[None]]) -> None:
    """The deed at every target, for ever, on one connection until that is cut."""

    async def one(wire: Wire) -> None:
        while True:
            await wire.connect()
            try:
                await deed(wire)
            except (TypeError, ValueError, AttributeError, NameError):
                raise  # an attack that is broken itself is none
            except Exception:
                on.did("cut off")
                await wire.hang_up()
            await trio.lowlevel.checkpoint()

    async with wires(on) as mine, trio.open_nursery() as nursery:
        for wire in mine:
            nursery.start_soon(one, wire)


def published(on: Stage, **fields: Any) -> rpc_pb2.Message:
    whole: dict[str, Any] = {
        "data": on.chance.randbytes(300), "topicIDs": [on.topic], "from_id": b"\x12\x20" + bytes(32),
        "seqno": on.chance.randbytes(8), "signature": b"s" * 64,
    }  # fmt: skip
    return rpc_pb2.Message(**{**whole, **fields})


def rpc(*messages: rpc_pb2.Message) -> bytes:
    return encode_varint_prefixed(rpc_pb2.RPC(publish=messages).SerializeToString())


def control(fill: Callable[[Any], None]) -> bytes:
    message = rpc_pb2.ControlMessage()
    fill(message)
    return encode_varint_prefixed(rpc_pb2.RPC(control=message).SerializeToString())


async def protobuf_garbage(on: Stage) -> None:
    """What kills a default host: no protobuf at all, keys that are none, flipped bits, lengths of gigabytes."""
    whole = rpc(published(on), published(on, key=b"\x08\x01\x12\x20" + bytes(32)))

    def damaged() -> bytes:
        copy = bytearray(whole)
        for _ in range(on.chance.randint(1, 4)):
            copy[on.chance.randrange(len(copy))] ^= 1 << on.chance.randrange(8)
        return bytes(copy)

    async def deed(wire: Wire) -> None:
        shapes = (
            encode_varint_prefixed(b"\xff" * 50),
            rpc(published(on, key=b"\xff\xff\xff")),
            rpc(published(on, key=b"\x08\x00\x12\x04abcd")),
            rpc(published(on, from_id=b"", key=b"\xff")),
            b"\xff" * 64,
            b"\xff\xff\xff\xff\x0f",
            damaged(),
        )
        stream = await wire.stream(MESHSUB)
        await wire.write(stream, on.chance.choice(shapes))
        on.did("messages")
        await trio.sleep(0.002)

    await _each(on, deed)


async def oversized_frames(on: Stage) -> None:
    """Lengths above the bound, empty frames, control frames of no kind; back as soon as it is let in."""
    shapes = (
        (64 * 1024 + 1).to_bytes(4, "big"),
        (0x7FFF_FFFF).to_bytes(4, "big") + bytes(60_000),
        bytes(4),
        (0x8000_0000 | 9).to_bytes(4, "big") + b"\x07" + bytes(8),
        (0x8000_0000 | 0x7FFF_FFFF).to_bytes(4, "big"),
    )

    async def deed(wire: Wire) -> None:
        streams = await wire.member_streams()
        await wire.write(streams[Channel(1 + on.chance.randrange(2))], on.chance.choice(shapes))
        on.did("messages")
        with trio.move_on_after(1):
            await wire.conn.muxed_conn.event_closed.wait()

    await _each(on, deed)


async def stream_flood(on: Stage) -> None:
    """Streams by the thousand: opened, never spoken on, reset, opened again."""

    async def deed(wire: Wire) -> None:
        conn = wire.conn.muxed_conn
        number = 1_001
        while wire.stands:
            syns = b"".join(struct.pack(HEADER, 0, 1, 1, number + 2 * i, 0) for i in range(64))
            number += 128
            await conn.secured_conn.write(syns)
            on.did("streams", 64)
            await trio.sleep(0.001)

    await _each(on, deed)


async def mux_pings(on: Stage) -> None:
    """The multiplexer's own pings, each of which is answered."""

    async def deed(wire: Wire) -> None:
        session = wire.conn.muxed_conn.session
        while wire.stands:
            await session.write(b"".join(struct.pack(HEADER, 0, 2, 1, 0, number) for number in range(500)))
            on.did("frames", 500)
            await trio.sleep(0.001)

    await _each(on, deed)


async def mux_nothings(on: Stage) -> None:
    """Credit that nobody needs, and data of no length on streams that are not there, as fast as they are read."""
    nothings = struct.pack(HEADER, 0, 1, 0, 1, 0) * 2_000 + struct.pack(HEADER, 0, 0, 0, 99, 0) * 2_000

    async def deed(wire: Wire) -> None:
        while wire.stands:
            await wire.conn.muxed_conn.session.write(nothings)
            on.did("frames", 4_000)

    await _each(on, deed)


async def window_pushing(on: Stage) -> None:
    """Bytes beyond every window, on a stream that nobody reads."""

    async def deed(wire: Wire) -> None:
        stream = await wire.stream(MESHSUB)
        junk = bytes(60_000)
        header = struct.pack(HEADER, 0, 0, 0, stream.muxed_stream.stream_id, len(junk))
        await wire.write(stream, b"\xff\xff\x3f")
        while wire.stands:
            await wire.conn.muxed_conn.secured_conn.write(header + junk)
            on.did("bytes", len(junk))

    await _each(on, deed)


async def talk_inside(on: Stage) -> None:
    """After a good handshake: multiplexers that do not exist, or one whose name is a gigabyte long."""

    async def one(target: Target, turn: int = 0) -> None:
        while True:
            stream = await dialled(on, target)
            if stream is not None:
                with suppress(*CUT):
                    await ask(await secured(on, stream, target), turn)
                await trio.aclose_forcefully(stream)
                on.did("cut off")
            turn += 1

    async def ask(session: Any, turn: int) -> None:
        await session.write(MULTISTREAM)
        await session.read(len(MULTISTREAM))
        endless = b"\xff\xff\xff\x7f" + bytes(60_000) if turn % 2 else b"\x02x\n" * 20_000
        for _ in range(500):
            await session.write(endless)
            on.did("bytes", len(endless))
            with trio.move_on_after(0.001), suppress(*CUT):
                while True:
                    await session.read()

    async with trio.open_nursery() as nursery:
        for target in on.targets:
            nursery.start_soon(one, target)


async def talk_on_streams(on: Stage) -> None:
    """On a stream of its own: protocols that do not exist, as fast as they are refused."""

    async def deed(wire: Wire) -> None:
        stream = await wire.conn.muxed_conn.open_stream()
        await stream.write(MULTISTREAM)
        with trio.move_on_after(9):
            while wire.stands:
                await stream.write(b"\x02x\n" * 500)
                on.did("lines", 500)
                while await read_some(stream, 0.001):
                    pass
        await stream.reset()

    await _each(on, deed)


async def topic_flood(on: Stage) -> None:
    """Subscriptions, grafts and prunes of topics that nobody else knows."""

    async def deed(wire: Wire) -> None:
        stream = await wire.stream(MESHSUB)
        while wire.stands:
            names = [f"junk-{on.chance.randrange(1 << 40)}" for _ in range(100)]
            subscriptions = [rpc_pb2.RPC.SubOpts(subscribe=True, topicid=name) for name in names]
            raw = encode_varint_prefixed(rpc_pb2.RPC(subscriptions=subscriptions).SerializeToString())

            def fill(message: Any, names: list[str] = names) -> None:
                for name in names:
                    message.graft.add(topicID=name)
                    message.prune.add(topicID=name, backoff=1 << 60)

            if not await wire.write(stream, raw + control(fill)):
                return
            on.did("topics", 100)
            await trio.sleep(0.005)

    await _each(on, deed)


async def gossip_flood(on: Stage) -> None:
    """Messages with signatures that are none, and offers of thousands that do not exist."""

    async def deed(wire: Wire) -> None:
        stream = await wire.stream(MESHSUB)
        while wire.stands:
            ids = [on.chance.randbytes(32) for _ in range(200)]
            raw = rpc(*(published(on) for _ in range(20)))
            raw += control(lambda message, ids=ids: message.ihave.add(topicID=on.topic, messageIDs=ids))
            if not await wire.write(stream, raw):
                return
            on.did("messages", 20)
            await trio.sleep(0.002)

    await _each(on, deed)


async def prune_and_dial(on: Stage) -> None:
    """PRUNE with the longest back-off, and addresses to dial where a listener counts who comes."""
    bait = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = bait[0].socket.getsockname()[1]

    async def bite(stream: trio.SocketStream) -> None:
        on.did("dialled us")

    async def deed(wire: Wire) -> None:
        stream = await wire.stream(MESHSUB)
        while wire.stands:

            def fill(message: Any) -> None:
                prune = message.prune.add(topicID=on.topic, backoff=(1 << 64) - 1)
                for _ in range(4):
                    prune.peers.add(**_record(on.chance.randbytes(32), port))

            if not await wire.write(stream, control(fill)):
                return
            on.did("prunes")
            await trio.sleep(0.05)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, bite, bait)
        await _each(on, deed)


def _record(seed: bytes, port: int) -> dict[str, bytes]:
    """A valid signed record of a peer that does not exist, at an address of the attacker's choosing."""
    pair = own_key_pair(seed)
    peer_id = ID.from_pubkey(pair.public_key)
    record = create_signed_peer_record(peer_id, [Multiaddr(f"/ip4/127.0.0.1/tcp/{port}")], pair.private_key)
    return {"peerID": peer_id.to_bytes(), "signedPeerRecord": record.marshal_envelope()}


async def ping_flood(on: Stage) -> None:
    async def deed(wire: Wire) -> None:
        streams = await wire.member_streams()
        while wire.stands:
            pings = b"".join((0x8000_0009).to_bytes(4, "big") + b"\x01" + os.urandom(8) for _ in range(500))
            if not await wire.write(streams[Channel.ENTRIES], pings):
                return
            on.did("pings", 500)

    await _each(on, deed)


async def slow_reader(on: Stage) -> None:
    """Asks for much and reads nothing: its windows stay shut. Only pings are answered, so that it stays."""
    from tests.sim.actors import pen as ink

    async def deed(wire: Wire) -> None:
        streams = await wire.member_streams()
        most = (1 << 63) - 1
        wants = [ink.want_entries(target.name, 1, 0, most) for target in on.targets]
        while wire.stands:
            for want in wants:
                framed = len(want).to_bytes(4, "big") + want
                if not await wire.write(streams[Channel.SYNC], framed):
                    return
                on.did("asked")
            await trio.sleep(0.02)

    await _each(on, deed)


async def frozen_peer(on: Stage) -> None:
    """A member that stops in the middle of everything (SIGSTOP), comes back, and stops again."""
    me = os.getpid()
    if os.fork() == 0:
        _stop_and_wake(me)
    async with mouth(on):
        while True:
            await trio.sleep(0.5)
            on.did("awake")


def _stop_and_wake(pid: int) -> NoReturn:
    """In a process of its own, which ends with the one it stops."""
    with suppress(ProcessLookupError):
        while os.getppid() == pid:
            time.sleep(AWAKE_S)
            os.kill(pid, signal.SIGSTOP)
            time.sleep(FROZEN_S)
            os.kill(pid, signal.SIGCONT)
    os._exit(0)
