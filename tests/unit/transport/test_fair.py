"""Whoever talks most does not decide how long the others wait."""

from __future__ import annotations

import trio
import trio.testing

from node.transport.api import Channel, Misbehaved, PeerUp, ReceivedFrame
from node.transport.fair import FairEvents
from node.transport.limits import EVENTS_PER_PEER, NEWS_QUEUE


def frame(peer: str, number: int, channel: Channel = Channel.ENTRIES) -> ReceivedFrame:
    return ReceivedFrame(peer, channel, b"%d" % number)


def test_an_honest_frame_is_next_but_one_behind_a_flood() -> None:
    async def body() -> None:
        events = FairEvents()
        for number in range(EVENTS_PER_PEER):
            await events.put(frame("flooder", number))
        await events.put(frame("honest", 0))
        assert [(await events.receive()).peer_id for _ in range(3)] == ["flooder", "honest", "flooder"]

    trio.run(body)


def test_a_peer_that_filled_its_part_waits_and_nobody_else_does() -> None:
    async def body() -> None:
        events = FairEvents()
        put: list[int] = []

        async def flood() -> None:
            for number in range(3 * EVENTS_PER_PEER):
                await events.put(frame("flooder", number))
                put.append(number)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(flood)
            await trio.testing.wait_all_tasks_blocked()
            assert len(put) == EVENTS_PER_PEER
            await events.put(PeerUp("honest"))
            got = [await events.receive() for _ in range(3 * EVENTS_PER_PEER + 1)]
        assert [one.frame for one in got if isinstance(one, ReceivedFrame)] == [b"%d" % n for n in put]

    trio.run(body)


def test_two_readers_of_one_peer_both_get_on() -> None:
    async def body() -> None:
        events = FairEvents()

        async def flood(channel: Channel) -> None:
            for number in range(2 * EVENTS_PER_PEER):
                await events.put(frame("one", number, channel))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(flood, Channel.ENTRIES)
            nursery.start_soon(flood, Channel.SYNC)
            got = [await events.receive() for _ in range(4 * EVENTS_PER_PEER)]
        assert len(events) == 0
        assert {one.channel for one in got if isinstance(one, ReceivedFrame)} == {Channel.ENTRIES, Channel.SYNC}

    trio.run(body)


def test_gossip_by_whomever_and_news_of_refusals_have_one_place_each() -> None:
    async def body() -> None:
        events = FairEvents()
        await events.put(frame("a", 0, Channel.GOSSIP))
        await events.put(frame("b", 0, Channel.GOSSIP))
        assert all(events.tell(Misbehaved("c", "loud")) for _ in range(NEWS_QUEUE))
        assert not events.tell(Misbehaved("c", "loud"))
        await events.put(frame("d", 0))
        assert [(await events.receive()).peer_id for _ in range(4)] == ["a", "c", "d", "b"]

    trio.run(body)


def test_closed_it_ends_after_what_is_left() -> None:
    async def body() -> None:
        events = FairEvents()
        await events.put(PeerUp("a"))
        await events.aclose()
        assert [one async for one in events] == [PeerUp("a")]

    trio.run(body)


def test_a_peer_that_is_held_waits_and_the_others_are_served() -> None:
    async def body() -> None:
        events = FairEvents()
        for number in range(3):
            await events.put(frame("held", number))
        await events.put(frame("other", 0))
        events.hold("held", 5.0)
        began_s = trio.current_time()
        assert (await events.receive()).peer_id == "other"
        assert trio.current_time() == began_s
        assert (await events.receive()).peer_id == "held"
        assert trio.current_time() >= began_s + 5.0

    trio.run(body, clock=trio.testing.MockClock(autojump_threshold=0))
