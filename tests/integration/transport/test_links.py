"""Links between honest peers: they come up once, survive what happens to hosts and peers, and come back."""

from __future__ import annotations

import signal
import statistics
import subprocess
import sys
from dataclasses import replace

import pytest
import trio

from node.testnet.proxy import Route, run_proxy
from node.transport.api import Channel, PeerAddress
from node.transport.host import Libp2pTransport, ListenFailedError
from node.transport.limits import RECEIVE_WINDOW
from tests.integration.transport.support import QUICK, TOPIC, Peer, introduce, peer, seed, story


def test_frames_arrive_whole_in_order_and_on_their_channel() -> None:
    async def body() -> None:
        async with peer("a") as a, peer("b") as b:
            await introduce(a, b)
            entries = [bytes([n]) * (n + 1) for n in range(100)]
            large = b"s" * (256 * 1024)
            assert all(a.transport.send(b.id, Channel.ENTRIES, frame) for frame in entries)
            assert a.transport.send(b.id, Channel.SYNC, large)
            await b.until(lambda: len(b.frames(Channel.ENTRIES)) == 100 and len(b.frames(Channel.SYNC)) == 1)
            assert b.frames(Channel.ENTRIES) == entries
            assert b.frames(Channel.SYNC) == [large]

    story(body)


def test_every_pair_of_seven_comes_up_exactly_once() -> None:
    async def body() -> None:
        async with (
            peer("1") as p1, peer("2") as p2, peer("3") as p3, peer("4") as p4, peer("5") as p5, peer("6") as p6,
            peer("7") as p7,
        ):  # fmt: skip
            everyone = (p1, p2, p3, p4, p5, p6, p7)
            await introduce(*everyone)
            await trio.sleep(QUICK.follower_wait_s * 1.5)
            for one in everyone:
                for other in everyone:
                    if one is not other:
                        assert (one.ups(other.id), one.downs(other.id)) == (1, 0)
            assert p1.transport.broadcast(b"to all", except_peer=p2.id) == 5

    story(body)


def test_only_the_follower_knows_an_address_and_the_pair_still_meets() -> None:
    async def body() -> None:
        async with peer("a") as a, peer("b") as b:
            leader, follower = sorted((a, b), key=lambda one: one.id)
            leader.transport.allow({follower.id: PeerAddress(follower.id, ())})
            follower.transport.allow({leader.id: leader.address})
            await leader.until(lambda: leader.is_up(follower.id))
            await follower.until(lambda: follower.is_up(leader.id))

    story(body)


def test_connections_that_cross_do_not_flap() -> None:
    """Through a delay both ends are still shaking hands when the other one's dial arrives."""

    async def body() -> None:
        hasty = replace(QUICK, follower_wait_s=0.0)
        async with peer("a", timing=hasty) as a, peer("b", timing=hasty) as b, trio.open_nursery() as nursery:
            detours = [Route("127.0.0.1", 0, "127.0.0.1", port_of(one), 40) for one in (a, b)]
            ports = await nursery.start(run_proxy, detours)
            for one, other, port in ((a, b, ports[1]), (b, a, ports[0])):
                one.transport.allow({other.id: PeerAddress(other.id, (f"/ip4/127.0.0.1/tcp/{port}",))})
            await a.until(lambda: a.is_up(b.id))
            await trio.sleep(2 * QUICK.probe_s)
            for one, other in ((a, b), (b, a)):
                assert (one.ups(other.id), one.downs(other.id)) == (1, 0)
                assert len(one.transport._generation.swarm.get_connections()) == 1
            nursery.cancel_scope.cancel()

    story(body)


def port_of(one: Peer) -> int:
    return int(one.transport.listening[0].split("/")[4])


def test_a_peer_restarted_on_its_port_is_back_within_two_seconds() -> None:
    async def body() -> None:
        async with peer("a") as a:
            async with peer("b") as b:
                await introduce(a, b)
                listen = b.transport.listening[0]
                for n in range(10):
                    b.transport.gossip(b"before %d" % n)
                await a.until(lambda: len(a.frames(Channel.GOSSIP)) == 10)
            await a.until(lambda: a.downs(b.id) == 1)
            restarted_s = trio.current_time()
            async with peer("b", listen=listen.split("/p2p/")[0], allowed=(a.address,)) as again:
                await a.until(lambda: a.ups(b.id) == 2)
                await again.until(lambda: again.is_up(a.id))
                assert trio.current_time() - restarted_s < 2

    story(body)


def test_gossip_after_a_restart_is_heard_although_sequence_numbers_repeat() -> None:
    async def body() -> None:
        async with peer("a") as a:
            for life in (1, 2):
                async with peer("b", allowed=(a.address,)) as b:
                    a.transport.allow({b.id: b.address})
                    await b.until(lambda b=b: b.is_up(a.id))
                    b.transport._generation.pubsub.counter = 1000
                    await gossip_until_heard(b, a, [b"life %d, %d" % (life, n) for n in range(10)])

    story(body)


async def gossip_until_heard(sender: Peer, hearer: Peer, frames: list[bytes]) -> None:
    for frame in frames:
        sender.transport.gossip(frame)
    await hearer.until(lambda: set(frames) <= set(hearer.frames(Channel.GOSSIP)))


def test_a_burst_of_three_hundred_gossip_messages_is_delivered_whole() -> None:
    async def body() -> None:
        async with peer("a") as a, peer("b") as b, peer("c") as c:
            await introduce(a, b, c)
            await trio.sleep(1.2)
            burst = [b"message %d" % n for n in range(300)]
            await gossip_until_heard(a, b, burst)
            await gossip_until_heard(a, c, burst[:1])
            await c.until(lambda: len(set(c.frames(Channel.GOSSIP))) == 300)

    story(body)


@pytest.mark.network
def test_a_frozen_process_is_dropped_and_delays_nobody_else() -> None:
    async def body() -> None:
        async with peer("a") as a, peer("b") as b:
            child = await start_child("frozen", a.id, a.transport.listening[0])
            try:
                a.transport.allow({b.id: b.address, child.id: PeerAddress(child.id, (child.address,))})
                b.transport.allow({a.id: a.address})
                await a.until(lambda: a.is_up(child.id) and a.is_up(b.id))
                child.process.send_signal(signal.SIGSTOP)
                filler, spent_s = bytes(60_000), []
                for n in range(60):
                    a.transport.send(child.id, Channel.ENTRIES, filler)
                    sent_s = trio.current_time()
                    assert a.transport.send(b.id, Channel.ENTRIES, b"prompt %d" % n)
                    await b.until(lambda n=n: len(b.frames(Channel.ENTRIES)) == n + 1)
                    spent_s.append(trio.current_time() - sent_s)
                assert statistics.median(spent_s) < 0.3
                await a.until(lambda: a.downs(child.id) == 1, limit_s=8 * QUICK.ping_every_s)
                assert a.downs(b.id) == 0
                assert not a.transport.send(child.id, Channel.ENTRIES, b"to the void")
            finally:
                child.process.kill()
                child.process.wait()

    story(body)


class Child:
    def __init__(self, process: subprocess.Popen[bytes], address: str) -> None:
        self.process = process
        self.address = address
        self.id = address.rsplit("/", 1)[1]


async def start_child(name: str, allowed_id: str, address: str) -> Child:
    command = [sys.executable, "-m", "tests.integration.transport.child", name, allowed_id, address]
    process = await trio.to_thread.run_sync(lambda: subprocess.Popen(command, stdout=subprocess.PIPE))
    assert process.stdout is not None
    line = await trio.to_thread.run_sync(process.stdout.readline)
    return Child(process, line.decode().strip())


def test_a_host_that_dies_is_rebuilt_in_place_and_its_peers_come_back() -> None:
    async def body() -> None:
        async with peer("a") as a, peer("b") as b:
            await introduce(a, b)
            before = a.transport.listening

            async def die() -> None:
                raise RuntimeError("a defect in the library")

            a.transport._generation.swarm.manager.run_task(die)
            await a.until(lambda: a.downs(b.id) == 1, limit_s=1)
            await a.until(lambda: a.ups(b.id) == 2, limit_s=5)
            await b.until(lambda: b.is_up(a.id))
            assert a.transport.rebuilds == 1
            assert a.transport.listening == before
            assert b.transport.broadcast(b"after") == 1
            await a.until(lambda: a.frames(Channel.ENTRIES) == [b"after"])
            b.transport.gossip(b"gossip after")
            await a.until(lambda: a.frames(Channel.GOSSIP) == [b"gossip after"])

    story(body)


def test_a_peer_taken_off_the_list_is_cut_off_and_stays_out() -> None:
    async def body() -> None:
        async with peer("a") as a, peer("b") as b, peer("c") as c:
            await introduce(a, b, c)
            a.transport.allow({c.id: c.address})
            await a.until(lambda: a.downs(b.id) == 1)
            await b.until(lambda: b.downs(a.id) == 1)
            await trio.sleep(1)
            assert a.ups(b.id) == 1
            assert a.downs(c.id) == 0
            assert a.transport.strangers_refused > 0
            a.transport.allow({b.id: b.address, c.id: c.address})
            await a.until(lambda: a.ups(b.id) == 2)

    story(body)


def test_a_peer_removed_and_listed_again_at_once_goes_down_and_then_up() -> None:
    async def body() -> None:
        async with peer("a") as a, peer("b") as b:
            await introduce(a, b)
            a.transport.allow({})
            a.transport.allow({b.id: b.address})
            await a.until(lambda: a.ups(b.id) == 2)
            news = [type(event).__name__ for event in a.seen]
            assert news == ["PeerUp", "PeerDown", "PeerUp"]

    story(body)


def test_a_dozen_reconnects_do_not_use_up_the_room_for_connections() -> None:
    async def body() -> None:
        async with peer("a") as a, peer("b") as b:
            await introduce(a, b)
            for _ in range(12):
                downs = b.downs(a.id)
                b.transport._links[a.id].drop("for the test")
                await b.until(lambda downs=downs: b.downs(a.id) == downs + 1)
                await b.until(lambda: b.is_up(a.id))
            await a.until(lambda: a.is_up(b.id))
            for one in (a, b):
                swarm = one.transport._generation.swarm
                # The library takes some tenths of a second to forget a connection that has ended.
                await one.until(lambda swarm=swarm: len(swarm.get_connections()) == 1 and swarm.inbound_live <= 1)
                assert swarm.handshakes == 0

    story(body)


def test_a_full_queue_says_no_and_counts() -> None:
    async def body() -> None:
        async with peer("a") as a, peer("b") as b:
            await introduce(a, b)
            taken = sum(a.transport.send(b.id, Channel.ENTRIES, bytes(40_000)) for _ in range(600))
            assert 0 < taken < 600
            assert a.transport.status()[0].refused == 600 - taken
            await b.until(lambda: len(b.frames(Channel.ENTRIES)) == taken)

    story(body)


def test_a_node_that_pauses_loses_no_direct_frame() -> None:
    async def body() -> None:
        async with peer("a") as a, peer("b") as b:
            await introduce(a, b)
            b.reads = trio.Event()
            sent = []
            for n in range(3000):
                if not a.transport.send(b.id, Channel.ENTRIES, b"%d" % n + bytes(1000)):
                    break
                sent.append(b"%d" % n + bytes(1000))
                await trio.lowlevel.checkpoint()
            assert len(sent) > 500
            b.reads.set()
            await b.until(lambda: len(b.frames(Channel.ENTRIES)) >= len(sent))
            assert b.frames(Channel.ENTRIES) == sent
            assert (a.downs(b.id), b.downs(a.id)) == (0, 0)

    story(body)


def test_opening_streams_makes_no_window_grow() -> None:
    async def body() -> None:
        async with peer("a") as a, peer("b") as b:
            await introduce(a, b)
            for one, other in ((a, b), (b, a)):
                streams = one.transport._links[other.id]._session.conn.muxed_conn.streams.values()
                assert len(streams) >= 4
                assert max(stream.send_window for stream in streams) <= RECEIVE_WINDOW

    story(body)


def test_a_port_in_use_is_said_so() -> None:
    async def body() -> None:
        async with peer("a") as a:
            listen = a.transport.listening[0].split("/p2p/")[0]
            with pytest.raises(ListenFailedError, match=listen):
                await Libp2pTransport(seed("b"), listen, {}, TOPIC).run()

    story(body)
