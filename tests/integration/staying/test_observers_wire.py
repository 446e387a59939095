"""Observers on real connections: let in, paced, told nothing broadcast or gossiped, cut off when unlisted."""

from __future__ import annotations

from dataclasses import replace

import trio

from node.transport.api import Channel, Misbehaved, PeerDown
from tests.integration.transport.support import Peer, introduce, peer, story


async def watched(node: Peer, observer: Peer) -> None:
    """`node` lists `observer`, which knows where to dial."""
    listed = {other.peer_id: other for other in node.transport._peers.values()}
    listed[observer.id] = replace(observer.address, addrs=(), observer=True)
    node.transport.allow(listed)
    observer.transport.allow({node.id: node.address})
    await node.until(lambda: node.is_up(observer.id))
    await observer.until(lambda: observer.is_up(node.id))


def test_an_observer_is_answered_and_hears_nothing_that_is_broadcast_or_gossiped() -> None:
    async def body() -> None:
        async with peer("a") as a, peer("b") as b, peer("o") as o:
            await introduce(a, b)
            await watched(a, o)
            for n in range(20):
                assert a.transport.broadcast(b"to members %d" % n) == 1
                a.transport.gossip(b"to the mesh %d" % n)
            await b.until(lambda: len(b.frames(Channel.ENTRIES)) == 20 and len(b.frames(Channel.GOSSIP)) == 20)
            assert a.transport.send(o.id, Channel.SYNC, b"an answer")
            await o.until(lambda: o.frames(Channel.SYNC) == [b"an answer"])
            assert (o.frames(Channel.ENTRIES), o.frames(Channel.GOSSIP)) == ([], [])

    story(body)


def test_what_an_observer_gossips_reaches_nobody() -> None:
    async def body() -> None:
        async with peer("a") as a, peer("b") as b, peer("o") as o:
            await introduce(a, b)
            await watched(a, o)
            for n in range(5):
                o.transport.gossip(b"junk %d" % n)
            b.transport.gossip(b"honest")
            await a.until(lambda: a.frames(Channel.GOSSIP) == [b"honest"])
            await trio.sleep(1)
            assert (a.frames(Channel.GOSSIP), b.frames(Channel.GOSSIP)) == ([b"honest"], [])

    story(body)


def test_an_observer_that_floods_waits_and_a_member_does_not() -> None:
    """Its frames are read at its own small rate; a member's come through beside them at once."""

    async def body() -> None:
        async with peer("a") as a, peer("b") as b, peer("o") as o:
            await introduce(a, b)
            await watched(a, o)
            sent = sum(o.transport.send(a.id, Channel.ENTRIES, b"x" * 4000) for _ in range(400))
            assert sent == 400
            await a.until(lambda: len(a.frames(Channel.ENTRIES)) >= 100)
            for n in range(300):
                assert b.transport.send(a.id, Channel.SYNC, b"%d" % n)
            await a.until(lambda: len(a.frames(Channel.SYNC)) == 300)
            assert len(a.frames(Channel.ENTRIES)) < 400

    story(body)


def test_who_connects_again_and_again_is_let_in_no_more_often_than_an_observer_may() -> None:
    async def body() -> None:
        async with peer("a") as a, peer("o") as o:
            await watched(a, o)
            why = "connected more often than an observer may"
            with trio.fail_after(15):
                while not any(isinstance(one, Misbehaved) and one.why == why for one in a.seen):
                    o.transport.allow({})
                    o.transport.allow({a.id: a.address})
                    await trio.sleep(0.1)
            assert a.ups(o.id) <= 10

    story(body)


def test_the_allow_list_is_followed_on_live_connections() -> None:
    """Another set, handed over while all are connected: who is not in it is cut and told as down, who is new comes."""

    async def body() -> None:
        async with peer("a") as a, peer("b") as b, peer("c") as c, peer("o") as o:
            await introduce(a, b)
            await watched(a, o)
            c.transport.allow({a.id: a.address})
            a.transport.allow({b.id: b.address, c.id: c.address})
            await a.until(lambda: a.downs(o.id) == 1 and a.is_up(c.id))
            await o.until(lambda: o.downs(a.id) == 1)
            assert (a.downs(b.id), a.ups(b.id)) == (0, 1)
            a.transport.allow({c.id: c.address})
            await a.until(lambda: a.downs(b.id) == 1)
            await b.until(lambda: b.downs(a.id) >= 1)
            assert {one.why for one in a.seen if isinstance(one, PeerDown)} == {"removed from the allow-list"}
            assert [one.peer_id for one in a.transport.status()] == [c.id]
            await trio.sleep(1)
            assert (a.ups(b.id), a.ups(o.id), a.downs(c.id)) == (1, 1, 0)

    story(body)


def test_a_member_that_becomes_an_observer_is_cut_and_comes_back_as_one() -> None:
    async def body() -> None:
        async with peer("a") as a, peer("b") as b:
            await introduce(a, b)
            a.transport.allow({b.id: replace(b.address, observer=True)})
            await a.until(lambda: a.ups(b.id) == 2)
            assert a.downs(b.id) == 1
            assert a.transport.broadcast(b"to members") == 0

    story(body)
