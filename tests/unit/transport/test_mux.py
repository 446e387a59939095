"""Daily frames in place, rare ones to the library, in the order in which they came."""

from __future__ import annotations

import struct
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import trio
from libp2p.stream_muxer.yamux.yamux import YamuxStream
from trio.testing import MockClock

from node.transport.limits import FRAMES_BURST, FRAMES_PER_S, RARE_FRAME_UNITS, RECEIVE_WINDOW
from node.transport.mux import QuietStream, QuietYamux, WindowIgnoredError, credit_frame, data_header


class Session:
    """What has arrived, and then nothing more."""

    is_initiator = True

    def __init__(self) -> None:
        self.plain = bytearray()
        self.written: list[bytes] = []
        self.accused: list[str] = []
        self.accuse = self.accused.append

    async def read(self, n: int) -> bytes:
        data = bytes(self.plain[:n])
        del self.plain[:n]
        return data

    async def more(self) -> None:
        raise trio.EndOfChannel

    async def write(self, data: bytes) -> None:
        self.written.append(data)


def frame(kind: int, flags: int, stream_id: int, size: int, body: bytes = b"") -> bytes:
    return struct.pack("!BBHII", 0, kind, flags, stream_id, size) + body


def data(stream_id: int, body: bytes) -> bytes:
    return data_header(stream_id, len(body)) + body


def with_stream(test: Callable[[QuietYamux, Session, list[bytes]], Any]) -> None:
    """Stream 2 stands and is heard by a sink; stream 4 stands and fills the library's buffer."""

    async def body() -> None:
        session, heard = Session(), []
        mux = QuietYamux(session, None)
        for stream_id in (2, 4):
            mux.streams[stream_id] = QuietStream(stream_id, mux, False)
            mux.stream_buffers[stream_id] = bytearray()
            mux.stream_events[stream_id] = trio.Event()
        mux.sinks[2] = heard.append
        found = test(mux, session, heard)
        if found is not None:
            await found

    trio.run(body)


def test_daily_frames_reach_their_sinks_in_order_and_a_partial_one_waits() -> None:
    def body(mux: QuietYamux, session: Session, heard: list[bytes]) -> None:
        session.plain += data(2, b"one") + data(4, b"gossip") + data(2, b"two") + data(2, b"three")[:-1]
        assert not mux.took_daily()
        assert heard == [b"one", b"two"]
        assert mux.stream_buffers[4] == b"gossip"
        assert mux.stream_events[4].is_set()
        session.plain += b"e"
        assert not mux.took_daily()
        assert heard[2:] == [b"three"]
        assert not session.plain

    with_stream(body)


def test_data_for_a_stream_that_is_not_there_is_dropped() -> None:
    def body(mux: QuietYamux, session: Session, heard: list[bytes]) -> None:
        session.plain += data(8, b"nobody") + data(2, b"one")
        assert not mux.took_daily()
        assert heard == [b"one"]

    with_stream(body)


def test_what_came_with_a_rare_frame_comes_first() -> None:
    def body(mux: QuietYamux, session: Session, heard: list[bytes]) -> None:
        mux.stream_buffers[2] += b"with a flag, "
        session.plain += data(2, b"without")
        mux.took_daily()
        assert heard == [b"with a flag, without"]

    with_stream(body)


def test_credit_opens_the_window_and_is_told() -> None:
    def body(mux: QuietYamux, session: Session, heard: list[bytes]) -> None:
        told: list[int] = []
        mux.window_opened = lambda: told.append(mux.streams[2].send_window)
        session.plain += credit_frame(2, 1000) + credit_frame(8, 5)
        assert not mux.took_daily()
        assert told == [RECEIVE_WINDOW + 1000]

    with_stream(body)


def test_the_library_sees_rare_frames_only_with_their_bodies() -> None:
    async def rare(mux: QuietYamux, session: Session) -> list[bytes]:
        found = []
        for size in (12, 3, 12, 12):
            found.append(await mux.secured_conn.read(size))
        return found

    async def body(mux: QuietYamux, session: Session, heard: list[bytes]) -> None:
        ending, ping, opening = frame(0, 4, 2, 3, b"end"), frame(2, 1, 0, 77), frame(1, 1, 6, 0)
        session.plain += data(2, b"before") + ending + data(2, b"after") + ping + credit_frame(2, 9) + opening
        assert await rare(mux, session) == [ending[:12], b"end", ping, opening]
        assert heard == [b"before", b"after"]
        assert mux.streams[2].send_window == RECEIVE_WINDOW + 9

    with_stream(body)


def test_a_frame_that_announces_more_than_a_window_ends_the_connection() -> None:
    def body(mux: QuietYamux, session: Session, heard: list[bytes]) -> None:
        session.plain += data_header(2, RECEIVE_WINDOW + 1)
        with pytest.raises(WindowIgnoredError):
            mux.took_daily()
        assert session.accused == ["pushed more bytes than its windows allow"]

    with_stream(body)


@pytest.mark.parametrize("flags", [0, 2])
def test_what_nobody_reads_is_not_kept_beyond_its_window(flags: int) -> None:
    async def body(mux: QuietYamux, session: Session, heard: list[bytes]) -> None:
        with pytest.raises(WindowIgnoredError):
            for _ in range(10):
                session.plain += frame(0, flags, 4, 60_000, bytes(60_000))
                if mux.took_daily():
                    await mux.secured_conn.read(12)
                    mux.stream_buffers[4] += await mux.secured_conn.read(60_000)
        assert len(mux.stream_buffers[4]) <= RECEIVE_WINDOW + 60_000
        assert len(session.accused) == 1

    with_stream(body)


def test_a_stream_keeps_its_window_and_gives_credit_by_halves() -> None:
    async def body(mux: QuietYamux, session: Session, heard: list[bytes]) -> None:
        mux.stream_buffers[4] += bytes(RECEIVE_WINDOW // 2)
        stream: YamuxStream = mux.streams[4]
        for _ in range(3):
            assert len(await stream.read(RECEIVE_WINDOW // 8)) == RECEIVE_WINDOW // 8
        assert session.written == []
        await stream.read(RECEIVE_WINDOW // 8)
        assert session.written == [credit_frame(4, RECEIVE_WINDOW // 2)]

    with_stream(body)


def test_the_unknown_is_passed_on_as_of_the_session() -> None:
    def body(mux: QuietYamux, session: Session, heard: list[bytes]) -> None:
        assert mux.secured_conn.is_initiator
        assert not hasattr(mux.secured_conn, "conn_state")
        assert SimpleNamespace(conn=mux).conn.session is session

    with_stream(body)


def test_who_sends_frames_that_say_nothing_is_read_no_faster_than_anybody_needs() -> None:
    async def body() -> None:
        session = Session()
        mux = QuietYamux(session, None, is_initiator=True)
        begun_s = trio.current_time()
        for nothing in (credit_frame(1, 0), data_header(99, 0), frame(2, 1, 0, 7)):
            for _ in range(2_000):
                session.plain += nothing
                mux.took_daily()
                session.plain.clear()
                await mux.rest()
        units = 2_000 * (1 + 1 + RARE_FRAME_UNITS)
        took_s = trio.current_time() - begun_s
        assert took_s == pytest.approx((units - FRAMES_BURST) / FRAMES_PER_S, rel=0.01)
        assert set(session.accused) == {"sent more frames than anybody needs to"}

    trio.run(body, clock=MockClock(autojump_threshold=0))


def test_whole_answers_at_four_megabytes_a_second_are_read_without_a_rest() -> None:
    async def body() -> None:
        session = Session()
        mux = QuietYamux(session, None, is_initiator=True)
        begun_s = trio.current_time()
        for _ in range(100):
            for _ in range(16):
                session.plain += data(99, bytes(256 * 1024))
                mux.took_daily()
                await mux.rest()
            await trio.sleep(1)
        assert trio.current_time() - begun_s == pytest.approx(100)
        assert session.accused == []

    trio.run(body, clock=MockClock(autojump_threshold=0))
