"""What a connected, authenticated, hostile peer can do: lose its own connection, and nothing else."""

from __future__ import annotations

import os
import random
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from unittest import mock

import trio
from libp2p.io.exceptions import IOException
from libp2p.peer.id import ID
from libp2p.peer.peerstore import create_signed_peer_record
from libp2p.pubsub.pb import rpc_pb2
from libp2p.utils import encode_varint_prefixed
from multiaddr import Multiaddr

from node.transport import guard
from node.transport.api import Channel, Misbehaved, PeerAddress
from node.transport.guard import own_key_pair
from node.transport.handshake import ENDLESS_TALK
from node.transport.limits import INBOUND_STREAMS_BURST, PENDING_HANDSHAKES
from tests.integration.transport.support import QUICK, TOPIC, Liar, Peer, introduce, liar, peer, seed, story

MESHSUB = "/meshsub/1.1.0"


@asynccontextmanager
async def victim_friend_liar() -> AsyncIterator[tuple[Peer, Peer, Liar]]:
    async with peer("victim") as victim, peer("friend") as friend, liar() as attacker:
        await introduce(victim, friend)
        victim.transport.allow({friend.id: friend.address, attacker.id: PeerAddress(attacker.id, ())})
        yield victim, friend, attacker


async def still_delivering(victim: Peer, friend: Peer) -> None:
    assert victim.transport.rebuilds == 0
    word = os.urandom(8)
    assert friend.transport.broadcast(word) == 1
    await victim.until(lambda: word in victim.frames(Channel.ENTRIES))
    friend.transport.gossip(b"gossip" + word)
    await victim.until(lambda: b"gossip" + word in victim.frames(Channel.GOSSIP))
    assert friend.downs(victim.id) == 0


def message(**fields: object) -> rpc_pb2.Message:
    whole: dict[str, object] = {
        "data": b"x", "topicIDs": [TOPIC], "from_id": b"\x12\x20" + bytes(32), "seqno": b"1" * 8,
        "signature": b"s" * 64,
    }  # fmt: skip
    return rpc_pb2.Message(**{**whole, **fields})


def rpc(*messages: rpc_pb2.Message) -> bytes:
    return encode_varint_prefixed(rpc_pb2.RPC(publish=messages).SerializeToString())


def test_the_inputs_that_kill_a_default_host_leave_this_one_standing() -> None:
    async def body() -> None:
        async with victim_friend_liar() as (victim, friend, attacker):
            crashers = [
                encode_varint_prefixed(b"\xff" * 50),
                rpc(message(key=b"\xff\xff\xff")),
                rpc(message(key=b"\x08\x00\x12\x04abcd")),
                rpc(message(from_id=b"", key=b"\xff")),
                rpc(message(from_id=b"\x00" * 3, seqno=b"")),
                b"\xff" * 64,
            ]
            for crasher in crashers:
                await attacker.say(victim, MESHSUB, crasher)
            await victim.until(lambda: any(isinstance(e, Misbehaved) for e in victim.seen))
            await still_delivering(victim, friend)

    story(body)


def test_two_hundred_damaged_gossip_messages_are_survived() -> None:
    async def body() -> None:
        with mock.patch.object(guard, "INBOUND_STREAMS_BURST", 256.0):
            await whole_story()

    async def whole_story() -> None:
        async with victim_friend_liar() as (victim, friend, attacker):
            rng = random.Random(20261)
            whole = rpc(message(), message(data=b"y" * 100, key=b"\x08\x01\x12\x20" + bytes(32)))
            for _ in range(200):
                await attacker.say(victim, MESHSUB, damaged(rng, whole))
            await still_delivering(victim, friend)

    story(body)


def test_who_opens_streams_again_and_again_is_given_so_many_and_named() -> None:
    async def body() -> None:
        async with victim_friend_liar() as (victim, friend, attacker):
            await attacker.connect(victim)
            for _ in range(int(INBOUND_STREAMS_BURST) + 20):
                stream = await attacker.conn.muxed_conn.open_stream()
                await stream.write(b"\x13/multistream/1.0.0\n\x02x\n")
                await stream.reset()
            flood = Misbehaved(attacker.id, "opened too many streams")
            await victim.until(lambda: flood in victim.seen)
            await still_delivering(victim, friend)

    story(body)


def test_who_names_protocols_on_a_stream_without_an_end_is_named() -> None:
    async def body() -> None:
        async with victim_friend_liar() as (victim, friend, attacker):
            await attacker.connect(victim)
            stream = await attacker.conn.muxed_conn.open_stream()
            await stream.write(b"\x13/multistream/1.0.0\n" + b"\x02x\n" * 100)
            talk = Misbehaved(attacker.id, ENDLESS_TALK)
            await victim.until(lambda: talk in victim.seen)
            await still_delivering(victim, friend)

    story(body)


def test_a_second_entries_stream_on_one_connection_is_refused() -> None:
    async def body() -> None:
        async with victim_friend_liar() as (victim, friend, attacker):
            await attacker.member_streams(victim)
            await victim.until(lambda: victim.is_up(attacker.id))
            await (await attacker.conn.new_stream()).write(b"\x13/multistream/1.0.0\n\x12/tocsin/entries/1\n")
            await victim.until(lambda: any(isinstance(e, Misbehaved) and "twice" in e.why for e in victim.seen))
            assert victim.is_up(attacker.id)
            await still_delivering(victim, friend)

    story(body)


def test_two_hundred_damaged_frames_on_member_streams_are_survived() -> None:
    async def body() -> None:
        async with victim_friend_liar() as (victim, friend, attacker):
            rng = random.Random(20263)
            whole = b"".join(len(f).to_bytes(4, "big") + f for f in (b"a" * 12, b"b" * 5))
            sent = 0
            while sent < 200:
                await attacker.hang_up()
                try:
                    streams = await attacker.member_streams(victim)
                    for _ in range(10):
                        await streams[Channel(1 + sent % 2)].write(damaged(rng, whole))
                        sent += 1
                        await trio.sleep(0.001)
                except Exception:
                    await trio.sleep(0.01)
            await still_delivering(victim, friend)

    story(body, 30)


def test_a_frame_announced_above_the_limit_costs_the_peer_its_connection() -> None:
    async def body() -> None:
        async with victim_friend_liar() as (victim, friend, attacker):
            streams = await attacker.member_streams(victim)
            await victim.until(lambda: victim.is_up(attacker.id))
            await streams[Channel.ENTRIES].write((64 * 1024 + 1).to_bytes(4, "big"))
            await victim.until(lambda: victim.downs(attacker.id) == 1)
            assert any(isinstance(e, Misbehaved) and "65537 bytes" in e.why for e in victim.seen)
            await still_delivering(victim, friend)

    story(body)


def test_a_stranger_gets_a_handshake_and_nothing_more() -> None:
    async def body() -> None:
        async with peer("victim") as victim, peer("friend") as friend, liar("stranger") as stranger:
            await introduce(victim, friend)
            with trio.move_on_after(1):
                await stranger.connect(victim)
                await open_any(stranger, victim)
            assert victim.transport.strangers_refused >= 1
            assert not any(line.peer_id == stranger.id for line in victim.transport.status())
            await still_delivering(victim, friend)

    story(body)


async def open_any(stranger: Liar, victim: Peer) -> None:
    await stranger.stream(victim, MESHSUB)
    raise AssertionError("a stranger opened a stream")


def test_connections_that_never_speak_keep_nobody_out() -> None:
    async def body() -> None:
        async with peer("victim") as victim, peer("friend") as friend:
            port = int(victim.transport.listening[0].split("/")[4])
            silent = []
            for _ in range(PENDING_HANDSHAKES + 20):
                with suppress(OSError):  # who is sent away may see that before he is there
                    silent.append(await trio.open_tcp_stream("127.0.0.1", port))
            victim.transport.allow({friend.id: PeerAddress(friend.id, ())})
            friend.transport.allow({victim.id: victim.address})
            await victim.until(lambda: victim.is_up(friend.id), limit_s=2)
            assert victim.transport._generation.swarm.handshakes <= PENDING_HANDSHAKES
            for stream in silent:
                await stream.aclose()

    story(body)


def test_plaintext_is_not_spoken() -> None:
    async def body() -> None:
        async with peer("victim") as victim, peer("friend") as friend:
            await introduce(victim, friend)
            for security in (b"/plaintext/2.0.0\n", b"/secio/1.0.0\n", b"/tls/1.0.0\n"):
                assert b"na\n" in await negotiate(victim, security)
            assert b"/noise\n" in await negotiate(victim, b"/noise\n")
            await still_delivering(victim, friend)

    story(body)


async def negotiate(victim: Peer, security: bytes) -> bytes:
    port = int(victim.transport.listening[0].split("/")[4])
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    async with stream:
        for line in (b"/multistream/1.0.0\n", security):
            await stream.send_all(bytes([len(line)]) + line)
        heard = b""
        with trio.move_on_after(2):
            while heard.count(b"\n") < 2:
                heard += await stream.receive_some(1024)
        return heard


def test_peer_exchange_makes_nobody_dial() -> None:
    async def body() -> None:
        async with victim_friend_liar() as (victim, friend, attacker):
            bait = await trio.open_tcp_listeners(0, host="127.0.0.1")
            bites = 0

            async def bite(stream: trio.SocketStream) -> None:
                nonlocal bites
                bites += 1

            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.serve_listeners, bite, bait)
                control = rpc_pb2.ControlMessage()
                prune = control.prune.add(topicID=TOPIC, backoff=2**60)
                prune.peers.add(**signed_bait(bait[0].socket.getsockname()[1]))
                pruned = rpc_pb2.RPC(control=control)
                await attacker.say(victim, MESHSUB, encode_varint_prefixed(pruned.SerializeToString()))
                await trio.sleep(0.3)
                assert bites == 0
                nursery.cancel_scope.cancel()
            await still_delivering(victim, friend)

    story(body)


def signed_bait(port: int) -> dict[str, bytes]:
    """A valid record of a peer that does not exist, at an address of the attacker's choosing."""
    pair = own_key_pair(seed("bait"))
    peer_id = ID.from_pubkey(pair.public_key)
    record = create_signed_peer_record(peer_id, [Multiaddr(f"/ip4/127.0.0.1/tcp/{port}")], pair.private_key)
    return {"peerID": peer_id.to_bytes(), "signedPeerRecord": record.marshal_envelope()}


def test_many_streams_on_one_connection_are_turned_away() -> None:
    async def body() -> None:
        async with victim_friend_liar() as (victim, friend, attacker):
            await attacker.connect(victim)
            for _ in range(60):
                await attacker.conn.new_stream()
            await victim.until(lambda: any(isinstance(e, Misbehaved) and "streams" in e.why for e in victim.seen))
            await still_delivering(victim, friend)

    story(body)


def test_bytes_pushed_where_nobody_reads_end_the_connection() -> None:
    async def body() -> None:
        async with victim_friend_liar() as (victim, friend, attacker):
            stream = await attacker.stream(victim, MESHSUB)
            await stream.write(b"\xff\xff\x3f")
            yamux = stream.muxed_stream.conn
            junk = bytes(60_000)
            header = struct.pack("!BBHII", 0, 0, 0, stream.muxed_stream.stream_id + 2, len(junk))
            syn = struct.pack("!BBHII", 0, 1, 1, stream.muxed_stream.stream_id + 2, 0)
            await yamux.secured_conn.write(syn)
            with suppress(IOException):  # the connection may end before all is pushed
                for _ in range(60):
                    await yamux.secured_conn.write(header + junk)
            await victim.until(lambda: any(isinstance(e, Misbehaved) and "windows" in e.why for e in victim.seen))
            await still_delivering(victim, friend)

    story(body)


def test_a_flood_of_gossip_is_budgeted_per_connection() -> None:
    async def body() -> None:
        async with victim_friend_liar() as (victim, friend, attacker):
            flood = rpc(*(message(data=b"%d" % n) for n in range(1500)))
            await attacker.say(victim, MESHSUB, flood)
            await victim.until(lambda: any(isinstance(e, Misbehaved) and "budget" in e.why for e in victim.seen))
            await still_delivering(victim, friend)

    story(body)


def test_a_peer_that_opens_its_streams_but_never_answers_a_ping_is_dropped() -> None:
    async def body() -> None:
        async with victim_friend_liar() as (victim, friend, attacker):
            await attacker.member_streams(victim)
            await victim.until(lambda: victim.is_up(attacker.id))
            await victim.until(lambda: victim.downs(attacker.id) == 1, limit_s=6 * QUICK.ping_every_s)
            await still_delivering(victim, friend)

    story(body)


def damaged(rng: random.Random, whole: bytes) -> bytes:
    """Flip one to four bits, and sometimes lose the end."""
    copy = bytearray(whole)
    for _ in range(rng.randint(1, 4)):
        copy[rng.randrange(len(copy))] ^= 1 << rng.randrange(8)
    return bytes(copy[: rng.randint(1, len(copy))] if rng.random() < 0.3 else copy)
