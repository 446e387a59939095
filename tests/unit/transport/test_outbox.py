"""What waits for a writer: bounded, in order, at once when idle, gathered under load."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import trio
from trio.testing import MockClock

from node.transport.limits import Timing
from node.transport.outbox import Outbox


def virtually(body: Callable[[], Coroutine[Any, Any, None]]) -> None:
    trio.run(body, clock=MockClock(autojump_threshold=0))


def test_a_full_queue_refuses_by_count_and_by_bytes() -> None:
    few = Outbox(Timing(), frames_max=2, bytes_max=100)
    assert [few.push(b"x") for _ in range(3)] == [True, True, False]
    small = Outbox(Timing(), frames_max=10, bytes_max=10)
    assert [small.push(b"x" * 6), small.push(b"x" * 6), small.push(b"x" * 4)] == [True, False, True]


def test_room_returns_when_frames_are_taken() -> None:
    async def body() -> None:
        outbox = Outbox(Timing(), frames_max=2, bytes_max=100)
        outbox.push(b"a")
        outbox.push(b"b")
        assert await outbox.take() == b"ab"
        assert outbox.push(b"c" * 100)

    virtually(body)


def test_an_idle_stream_sends_at_once() -> None:
    async def body() -> None:
        outbox = Outbox(Timing())
        for _ in range(10):
            await trio.sleep(1)
            outbox.push(b"x")
            asked_s = trio.current_time()
            await outbox.take()
            assert trio.current_time() == asked_s

    virtually(body)


def test_writes_that_follow_closely_are_gathered() -> None:
    async def body() -> None:
        timing = Timing()
        outbox = Outbox(timing)
        sizes: list[int] = []

        async def write() -> None:
            while True:
                sizes.append(len(await outbox.take()))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(write)
            for _ in range(200):
                outbox.push(b"x")
                await trio.sleep(timing.busy_gap_s / 4)
            await trio.sleep(0.1)
            nursery.cancel_scope.cancel()
        assert sum(sizes) == 200
        assert len(sizes) < 60

    virtually(body)


def test_a_ping_overtakes_everything_and_does_not_wait() -> None:
    async def body() -> None:
        outbox = Outbox(Timing())
        outbox.push(b"frame")
        outbox.push_urgent(b"ping ")
        assert await outbox.take() == b"ping frame"

    virtually(body)


def test_one_batch_is_bounded_but_a_single_frame_always_fits() -> None:
    async def body() -> None:
        outbox = Outbox(Timing())
        for _ in range(3):
            outbox.push(bytes(100_000))
        assert [len(await outbox.take()) for _ in range(3)] == [100_000] * 3

    virtually(body)
