"""The two halves of a stream: frames at once while there is room, held back without losing one where there is none."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any

import pytest
import trio
import trio.testing

from node.transport.framing import PING, Control, encode_control, encode_frame
from node.transport.limits import RECEIVE_WINDOW
from node.transport.mux import credit_frame
from node.transport.outbox import Outbox
from node.transport.streams import Reading, StreamEndedError, StreamTap, StreamWriter

FRAME_MAX = 4096


class Node:
    """A consumer with so much room, and a connection under its tap."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.got: list[bytes] = []
        self.heeded: list[Control] = []
        self.faults: list[Exception] = []
        self.credits: list[bytes] = []
        self.more_room = trio.Event()
        conn = SimpleNamespace(
            sinks={}, stream_events={2: trio.Event()}, stream_buffers={2: bytearray()},
            session=SimpleNamespace(push=self.credits.append),
        )  # fmt: skip
        self.muxed = SimpleNamespace(conn=conn, stream_id=2, recv_closed=False, closed=False, uncredited=0)
        reading = Reading(self.take, self.put, self.heeded.append, self.faults.append, lambda: None)
        self.tap = StreamTap(SimpleNamespace(muxed_stream=self.muxed), FRAME_MAX, reading)

    def take(self, frame: bytes) -> bool:
        if len(self.got) >= self.room:
            return False
        self.got.append(frame)
        return True

    async def put(self, frame: bytes) -> None:
        while not self.take(frame):
            await self.more_room.wait()

    def make_room(self) -> None:
        self.room = 1_000_000
        self.more_room.set()


def told(body: Callable[[trio.Nursery], Coroutine[Any, Any, None]]) -> None:
    async def bounded() -> None:
        with trio.fail_after(5):
            async with trio.open_nursery() as nursery:
                await body(nursery)
                nursery.cancel_scope.cancel()

    trio.run(bounded)


def wire(*frames: bytes) -> bytes:
    return b"".join(encode_frame(frame, FRAME_MAX) for frame in frames)


def test_frames_are_handed_on_in_the_turn_that_brought_them() -> None:
    async def body(nursery: trio.Nursery) -> None:
        node = Node(room=10)
        node.tap(wire(b"one", b"two")[:-1])
        node.tap(wire(b"two")[-1:])
        assert node.got == [b"one", b"two"]

    told(body)


def test_what_finds_no_room_waits_in_order_and_a_ping_does_not() -> None:
    async def body(nursery: trio.Nursery) -> None:
        node = Node(room=1)
        nursery.start_soon(node.tap.run)
        node.tap(wire(b"one", b"two", b"three") + encode_control(PING, bytes(8)))
        await trio.testing.wait_all_tasks_blocked()
        assert node.got == [b"one"]
        assert node.heeded == [Control(PING, bytes(8))]
        node.make_room()
        node.tap(wire(b"four"))
        await trio.testing.wait_all_tasks_blocked()
        assert node.got == [b"one", b"two", b"three", b"four"]

    told(body)


def test_credit_is_given_by_halves_of_the_window_and_only_for_what_was_taken() -> None:
    async def body(nursery: trio.Nursery) -> None:
        node, frame = Node(room=1), bytes(4092)
        nursery.start_soon(node.tap.run)
        for _ in range(RECEIVE_WINDOW // 2 // 4096):
            node.tap(wire(frame))
        await trio.testing.wait_all_tasks_blocked()
        assert node.credits == []
        node.make_room()
        await trio.testing.wait_all_tasks_blocked()
        assert node.credits == [credit_frame(2, RECEIVE_WINDOW // 2)]

    told(body)


def test_a_peer_that_pushes_on_beyond_its_window_is_at_fault_once() -> None:
    async def body(nursery: trio.Nursery) -> None:
        node = Node(room=0)
        for _ in range(4 * RECEIVE_WINDOW // 4096):
            node.tap(wire(bytes(4092)))
        assert [str(fault) for fault in node.faults] == ["ignored the receive window"]

    told(body)


def test_what_came_before_the_tap_is_read_first() -> None:
    async def body(nursery: trio.Nursery) -> None:
        node = Node(room=10)
        node.muxed.conn.stream_buffers[2] += wire(b"early")
        nursery.start_soon(node.tap.run)
        await trio.testing.wait_all_tasks_blocked()
        node.muxed.conn.sinks[2](wire(b"later"))
        assert node.got == [b"early", b"later"]

    told(body)


def test_the_end_of_the_stream_ends_the_tap() -> None:
    async def body(nursery: trio.Nursery) -> None:
        node = Node(room=10)
        node.muxed.recv_closed = True
        node.muxed.conn.stream_events[2].set()
        with pytest.raises(StreamEndedError):
            await node.tap.run()
        assert node.muxed.conn.sinks == {}

    told(body)


def writer(window: int) -> tuple[StreamWriter, Outbox, Any]:
    muxed = SimpleNamespace(
        conn=SimpleNamespace(event_shutting_down=trio.Event()), stream_id=1, send_window=window,
        closed=False, send_closed=False,
    )  # fmt: skip
    outbox = Outbox()
    return StreamWriter(SimpleNamespace(muxed_stream=muxed), outbox), outbox, muxed


def test_a_long_frame_is_cut_by_the_window_and_a_ping_waits_for_its_end() -> None:
    async def body(nursery: trio.Nursery) -> None:
        stream, outbox, muxed = writer(window=10)
        outbox.push(b"long frame of many bytes")
        assert stream.next(100)[12:] == b"long frame"
        outbox.push_urgent(b"ping")
        assert stream.next(100) == b""
        muxed.send_window = 50
        assert stream.next(100)[12:] == b" of many bytes"
        assert stream.next(100)[12:] == b"ping"
        assert not stream.waits

    told(body)


def test_all_that_waits_goes_into_one_multiplexer_frame_of_the_room_there_is() -> None:
    async def body(nursery: trio.Nursery) -> None:
        stream, outbox, _ = writer(window=1000)
        for frame in (b"aaaa", b"bbbb", b"cccc"):
            outbox.push(frame)
        assert stream.next(12 + 8)[12:] == b"aaaabbbb"
        assert stream.next(12 + 8)[12:] == b"cccc"

    told(body)


def test_a_stream_that_has_ended_is_said_so_to_whoever_has_something_to_write() -> None:
    async def body(nursery: trio.Nursery) -> None:
        stream, outbox, muxed = writer(window=1000)
        muxed.closed = True
        assert stream.next(100) == b""
        outbox.push(b"x")
        with pytest.raises(StreamEndedError):
            stream.next(100)

    told(body)
