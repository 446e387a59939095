"""One yamux stream, read and written without the library's tasks, locks and window chatter.

The library answers every read with a window update and lets the window grow to 16 MiB; the tap keeps yamux's own
256 KiB and gives credit back when half of it has been used.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import trio
from libp2p.protocol_muxer.multiselect_communicator import MultiselectCommunicator
from libp2p.stream_muxer.yamux.yamux import HEADER_SIZE

from node.transport.framing import Control, FrameReader, WireFaultError
from node.transport.limits import RECEIVE_WINDOW, UNREAD_MAX
from node.transport.mux import credit_frame, data_header
from node.transport.outbox import Outbox


class StreamEndedError(Exception):
    """The peer or the connection ended the stream."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a tap does with what it hears: `hear` once for any bytes, `take` a frame at once (False: no room), `put` it
    when there is room, `heed` a control frame, `failed` when the stream cannot go on."""

    take: Callable[[bytes], bool]
    put: Callable[[bytes], Awaitable[None]]
    heed: Callable[[Control], None]
    failed: Callable[[Exception], None]
    hear: Callable[[], None]


class StreamTap:
    """The reading half of an inbound stream: frames are handed on as bytes arrive, by the task that read the socket.
    Only what finds no room waits, for `run`; the peer gets no credit for it, so that soon nothing more comes."""

    def __init__(self, net_stream: Any, frame_max: int, reading: Reading) -> None:
        self._muxed = net_stream.muxed_stream
        self._conn = self._muxed.conn
        self._sid = self._muxed.stream_id
        self._frames = FrameReader(frame_max)
        self._reading = reading
        self._uncredited = self._muxed.uncredited
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._over = False

    def __call__(self, data: bytes) -> None:
        """Take bytes of this stream. Never raises: whoever calls it reads for all streams."""
        if self._over:
            return
        self._uncredited += len(data)
        self._reading.hear()
        try:
            for frame in self._frames.feed(data):
                if isinstance(frame, Control):
                    self._reading.heed(frame)
                elif self._waiting or not self._reading.take(frame):
                    self._keep(frame)
            self._credit()
        except Exception as error:
            self._over = True
            self._reading.failed(error)

    async def run(self) -> None:
        """Hand on what found no room, until the stream ends. Raises StreamEndedError."""
        self._conn.sinks[self._sid] = self
        try:
            while True:
                self._unbuffer()
                while self._waiting:
                    if not self._reading.take(self._waiting[0]):
                        await self._reading.put(self._waiting[0])
                    self._waiting_bytes -= len(self._waiting.popleft())
                self._credit()
                wake = self._conn.stream_events.get(self._sid)
                if wake is None or self._muxed.recv_closed or self._muxed.closed:
                    raise StreamEndedError("the peer closed the stream")
                await wake.wait()
                if self._sid in self._conn.stream_events:
                    self._conn.stream_events[self._sid] = trio.Event()
        finally:
            self._conn.sinks.pop(self._sid, None)

    def _unbuffer(self) -> None:
        """What came before the tap, or with a frame that the library dealt with."""
        buffer = self._conn.stream_buffers.get(self._sid)
        if buffer:
            data = bytes(buffer)
            buffer.clear()
            self(data)

    def _keep(self, frame: bytes) -> None:
        self._waiting.append(frame)
        self._waiting_bytes += len(frame)
        if self._waiting_bytes > 2 * RECEIVE_WINDOW:
            raise WireFaultError("ignored the receive window")
        wake = self._conn.stream_events.get(self._sid)
        if wake is not None:
            wake.set()

    def _credit(self) -> None:
        if self._uncredited >= RECEIVE_WINDOW // 2 and not self._waiting:
            credit, self._uncredited = self._uncredited, 0
            self._conn.session.push(credit_frame(self._sid, credit))


class StreamWriter:
    """The writing half of an outbound stream: cuts what waits in the outbox into multiplexer frames."""

    def __init__(self, net_stream: Any, outbox: Outbox) -> None:
        self._muxed = net_stream.muxed_stream
        self._conn = self._muxed.conn
        self._outbox = outbox
        self._rest = b""

    @property
    def waits(self) -> bool:
        """Whether there is anything to write."""
        return bool(self._rest) or not self._outbox.empty

    def next(self, room: int) -> bytes:
        """A multiplexer frame of at most `room` bytes with what the peer's window takes; empty when there is nothing
        to write, or no window for it. Raises StreamEndedError."""
        if not self.waits:
            return b""
        muxed = self._muxed
        if muxed.closed or muxed.send_closed or self._conn.event_shutting_down.is_set():
            raise StreamEndedError("the peer closed the stream")
        size = min(muxed.send_window, room - HEADER_SIZE)
        if size <= 0:
            return b""
        data = self._rest or self._outbox.cut(size)
        self._rest = data[size:]
        data = data[:size]
        muxed.send_window -= len(data)
        return data_header(muxed.stream_id, len(data)) + data


def unread_bytes(conn: Any) -> int:
    """Bytes that a connection (SwarmConn) has received and nobody has read."""
    return sum(len(buffer) for buffer in conn.muxed_conn.stream_buffers.values())


def hoards(conn: Any) -> bool:
    """Whether a peer has pushed more into this connection than all its windows allow."""
    return unread_bytes(conn) > UNREAD_MAX


async def open_stream(host: Any, conn: Any, protocol: str) -> Any:
    """Open and negotiate one outbound stream on this very connection. Raises whatever the library raises."""
    net_stream = await conn.new_stream()
    communicator = MultiselectCommunicator(net_stream)
    chosen = await host.multiselect_client.select_one_of([protocol], communicator, 10)
    net_stream.set_protocol(chosen)
    return net_stream


async def close_socket(conn: Any) -> None:
    """End a connection at once, even if the peer has stopped reading and a writer waits for it."""
    # Whatever the library says about a dying socket, the socket is closed.
    with trio.move_on_after(1) as scope, contextlib.suppress(Exception):
        scope.shield = True
        await conn.muxed_conn.secured_conn.close()


async def cut(conn: Any) -> None:
    """End a connection and let the library forget it, which takes it some tenths of a second."""
    await close_socket(conn)
    with trio.move_on_after(1), contextlib.suppress(Exception):
        conn.muxed_conn.event_shutting_down.set()
        await conn.close()
