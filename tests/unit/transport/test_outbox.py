"""What waits for a writer: bounded, in order, at once when idle, gathered under load, in one turn for all peers."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import trio
from trio.testing import MockClock

from node.transport.limits import Timing
from node.transport.outbox import Outbox, Post


def virtually(body: Callable[[], Coroutine[Any, Any, None]]) -> None:
    trio.run(body, clock=MockClock(autojump_threshold=0))


class Noted:
    """A peer that notes when it was flushed and what then waited."""

    def __init__(self) -> None:
        self.waiting = 0
        self.flushed: list[tuple[float, int]] = []

    def flush(self) -> int:
        waited, self.waiting = self.waiting, 0
        self.flushed.append((trio.current_time(), waited))
        return waited


def test_a_full_queue_refuses_by_count_and_by_bytes() -> None:
    few = Outbox(frames_max=2, bytes_max=100)
    assert [few.push(b"x") for _ in range(3)] == [True, True, False]
    small = Outbox(frames_max=10, bytes_max=10)
    assert [small.push(b"x" * 6), small.push(b"x" * 6), small.push(b"x" * 4)] == [True, False, True]


def test_room_returns_when_frames_are_taken() -> None:
    outbox = Outbox(frames_max=2, bytes_max=100)
    outbox.push(b"a")
    outbox.push(b"b")
    assert outbox.cut(100) == b"ab"
    assert outbox.push(b"c" * 100)


def test_a_ping_overtakes_everything() -> None:
    outbox = Outbox()
    outbox.push(b"frame")
    outbox.push_urgent(b"ping ")
    assert outbox.cut(100) == b"ping frame"
    assert outbox.empty


def test_one_cut_is_bounded_but_a_single_frame_always_fits() -> None:
    outbox = Outbox()
    for size in (100_000, 10, 20, 40):
        outbox.push(bytes(size))
    assert [len(outbox.cut(50)) for _ in range(4)] == [100_000, 30, 40, 0]


def test_what_is_said_while_streams_are_idle_goes_at_once() -> None:
    async def body() -> None:
        post, peer, asked_s = Post(Timing()), Noted(), []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(post.run)
            for _ in range(10):
                await trio.sleep(1)
                asked_s.append(trio.current_time())
                post.due(peer)
            await trio.sleep(1)
            nursery.cancel_scope.cancel()
        assert [at_s for at_s, _ in peer.flushed] == asked_s

    virtually(body)


def test_one_turn_flushes_all_peers_once_however_much_was_said() -> None:
    async def body() -> None:
        post, peers = Post(Timing()), [Noted(), Noted()]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(post.run)
            await trio.sleep(1)
            for _ in range(5):
                for peer in peers:
                    peer.waiting += 1
                    post.due(peer)
            await trio.sleep(1)
            nursery.cancel_scope.cancel()
        assert [[waited for _, waited in peer.flushed] for peer in peers] == [[5], [5]]

    virtually(body)


def test_turns_that_follow_closely_are_gathered() -> None:
    async def body() -> None:
        timing = Timing()
        post, peer = Post(timing), Noted()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(post.run)
            for _ in range(200):
                peer.waiting += 1
                post.due(peer)
                await trio.sleep(timing.busy_gap_s / 4)
            await trio.sleep(0.1)
            nursery.cancel_scope.cancel()
        assert sum(waited for _, waited in peer.flushed) == 200
        assert len(peer.flushed) < 60

    virtually(body)


def test_a_ping_does_not_wait_for_company() -> None:
    async def body() -> None:
        timing = Timing(gather_s=1.0)
        post, peer = Post(timing), Noted()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(post.run)
            for _ in range(6):
                post.due(peer)
                await trio.sleep(timing.busy_gap_s / 4)
            asked_s = trio.current_time()
            post.due(Noted(), urgent=True)
            urged = Noted()
            await trio.sleep(1.1)
            peer.flushed.clear()
            post.due(urged, urgent=True)
            asked_s = trio.current_time()
            await trio.sleep(0.001)
            assert [at_s for at_s, _ in urged.flushed] == [asked_s]
            nursery.cancel_scope.cancel()

    virtually(body)
