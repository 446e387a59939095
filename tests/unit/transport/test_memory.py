"""The transport without sockets behaves as the one with them, on a virtual clock."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from node.transport.api import Channel, PeerAddress, PeerDown, PeerUp, ReceivedFrame, Transport, TransportEvent
from node.transport.limits import EVENT_QUEUE, OUTBOX_FRAMES
from node.transport.memory import MemoryNetwork, MemoryTransport

ABC = {name: PeerAddress(name, ()) for name in "abc"}


def virtually(body: Callable[[], Coroutine[Any, Any, None]]) -> None:
    trio.run(body, clock=MockClock(autojump_threshold=0))


@asynccontextmanager
async def three(network: MemoryNetwork) -> AsyncIterator[tuple[MemoryTransport, MemoryTransport, MemoryTransport]]:
    a, b, c = (network.transport(name, ABC) for name in "abc")
    async with trio.open_nursery() as nursery:
        for transport in (a, b, c):
            nursery.start_soon(transport.run)
        await trio.sleep(1)
        yield a, b, c
        nursery.cancel_scope.cancel()


def drained(transport: Transport) -> list[TransportEvent]:
    events = []
    while True:
        try:
            events.append(transport.events.receive_nowait())
        except trio.WouldBlock:
            return events


def test_everyone_who_allows_each_other_comes_up_once() -> None:
    async def body() -> None:
        async with three(MemoryNetwork()) as (a, b, _c):
            # In which order trio starts the three is chance.
            assert set(drained(a)) == {PeerUp("b"), PeerUp("c")}
            assert len(drained(b)) == 2

    virtually(body)


def test_a_frame_takes_the_delay_of_its_direction_and_keeps_its_order() -> None:
    async def body() -> None:
        network = MemoryNetwork(delay_s=0.1)
        async with three(network) as (a, b, c):
            drained(b), drained(c)
            network.set_delay("a", "c", 0.5)
            sent_s = trio.current_time()
            assert a.broadcast(b"1") == 2
            assert a.send("b", Channel.SYNC, b"2")
            got = [await b.events.receive(), await b.events.receive()]
            assert got == [ReceivedFrame("a", Channel.ENTRIES, b"1"), ReceivedFrame("a", Channel.SYNC, b"2")]
            assert trio.current_time() - sent_s == pytest.approx(0.1)
            await c.events.receive()
            assert trio.current_time() - sent_s == pytest.approx(0.5)

    virtually(body)


def test_a_partition_is_told_loses_what_was_on_its_way_and_heals() -> None:
    async def body() -> None:
        network = MemoryNetwork(delay_s=0.1)
        async with three(network) as (a, b, c):
            drained(a), drained(b), drained(c)
            a.broadcast(b"lost")
            network.partition("a", "bc")
            assert not a.send("b", Channel.ENTRIES, b"refused")
            assert b.send("c", Channel.ENTRIES, b"heard")
            await trio.sleep(1)
            assert drained(a) == [PeerDown("b", "unreachable"), PeerDown("c", "unreachable")]
            assert drained(c) == [PeerDown("a", "unreachable"), ReceivedFrame("b", Channel.ENTRIES, b"heard")]
            network.heal()
            await trio.sleep(1)
            assert drained(a) == [PeerUp("b"), PeerUp("c")]
            assert a.status()[0].refused == 1

    virtually(body)


def test_loss_is_seeded() -> None:
    async def body() -> None:
        heard = []
        for _ in range(2):
            async with three(MemoryNetwork(seed=7, loss=0.5)) as (a, b, _c):
                for n in range(100):
                    a.send("b", Channel.ENTRIES, b"%d" % n)
                await trio.sleep(1)
                heard.append([e.frame for e in drained(b) if isinstance(e, ReceivedFrame)])
        assert heard[0] == heard[1]
        assert 30 < len(heard[0]) < 70

    virtually(body)


def test_a_receiver_that_does_not_read_fills_the_queue_and_no_more() -> None:
    async def body() -> None:
        async with three(MemoryNetwork()) as (a, b, c):
            taken = 0
            for _ in range(20):
                taken += sum(a.send("b", Channel.ENTRIES, b"x") for _ in range(100))
                await trio.sleep(0.1)
            assert OUTBOX_FRAMES <= taken <= OUTBOX_FRAMES + EVENT_QUEUE
            drained(c)
            assert a.send("c", Channel.ENTRIES, b"prompt")
            assert await c.events.receive() == ReceivedFrame("a", Channel.ENTRIES, b"prompt")
            assert b.status()[0].up

    virtually(body)


def test_gossip_reaches_all_peers_and_a_removed_peer_nothing() -> None:
    async def body() -> None:
        async with three(MemoryNetwork()) as (a, b, c):
            a.allow({"b": ABC["b"]})
            drained(b), drained(c)
            a.gossip(b"g")
            await trio.sleep(1)
            assert drained(b) == [ReceivedFrame("a", Channel.GOSSIP, b"g")]
            assert drained(c) == [PeerDown("a", "unreachable")]

    virtually(body)


def test_a_peer_that_stops_and_starts_goes_down_and_up() -> None:
    async def body() -> None:
        network = MemoryNetwork()
        async with three(network) as (a, _b, _c):
            drained(a)
            async with trio.open_nursery() as nursery:
                d = network.transport("d", {"a": ABC["a"]})
                a.allow({**ABC, "d": PeerAddress("d", ())})
                nursery.start_soon(d.run)
                await trio.sleep(1)
                nursery.cancel_scope.cancel()
            await trio.sleep(1)
            assert drained(a) == [PeerUp("d"), PeerDown("d", "unreachable")]

    virtually(body)


def test_an_observer_is_sent_what_is_meant_for_it_and_nothing_that_is_broadcast_or_gossiped() -> None:
    async def body() -> None:
        network = MemoryNetwork()
        async with three(network) as (a, _b, c):
            a.allow({"b": ABC["b"], "c": PeerAddress("c", (), observer=True)})
            drained(c)
            assert a.broadcast(b"to members") == 1
            a.gossip(b"to the mesh")
            assert a.send("c", Channel.SYNC, b"to you")
            await trio.sleep(1)
            assert [one.frame for one in drained(c) if isinstance(one, ReceivedFrame)] == [b"to you"]
            assert [one.observer for one in a.status()] == [False, True]

    virtually(body)
