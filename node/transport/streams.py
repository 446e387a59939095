"""One yamux stream, read and written without the library's per-call locks and window chatter.

The library answers every read with a window update and lets the window grow to 16 MiB; this reader keeps
yamux's own 256 KiB and gives credit back when half of it has been used.
"""

from __future__ import annotations

import contextlib
import struct
from typing import Any

import trio
from libp2p.protocol_muxer.multiselect_communicator import MultiselectCommunicator
from libp2p.security.noise.io import MAX_PLAINTEXT_LENGTH
from libp2p.stream_muxer.yamux.yamux import HEADER_SIZE, TYPE_DATA, YAMUX_HEADER_FORMAT

from node.transport.framing import WireFaultError
from node.transport.limits import RECEIVE_WINDOW, UNREAD_MAX

_WINDOW_POLL_S = 0.005


class StreamEndedError(Exception):
    """The peer or the connection ended the stream."""


class StreamReader:
    """The reading half of an inbound stream. One task reads."""

    def __init__(self, net_stream: Any) -> None:
        self._muxed = net_stream.muxed_stream
        self._conn = self._muxed.conn
        self._sid = self._muxed.stream_id
        self._uncredited = 0

    async def read(self) -> bytes:
        """Return whatever has arrived, waiting for something if need be. Raises StreamEndedError."""
        while True:
            buffer = self._conn.stream_buffers.get(self._sid)
            if buffer:
                return await self._drain(buffer)
            wake = self._conn.stream_events.get(self._sid)
            if buffer is None or wake is None or self._muxed.recv_closed or self._muxed.closed:
                raise StreamEndedError("the peer closed the stream")
            await wake.wait()
            if self._sid in self._conn.stream_events:
                self._conn.stream_events[self._sid] = trio.Event()

    async def _drain(self, buffer: bytearray) -> bytes:
        if len(buffer) > 2 * RECEIVE_WINDOW:
            raise WireFaultError("ignored the receive window")
        data = bytes(buffer)
        buffer.clear()
        self._uncredited += len(data)
        if self._uncredited >= RECEIVE_WINDOW // 2:
            credit, self._uncredited = self._uncredited, 0
            self._muxed.recv_window += credit
            await self._muxed.send_window_update(credit)
        return data


class StreamWriter:
    """The writing half of an outbound stream. One task writes; being cancelled amid a write spoils the connection."""

    def __init__(self, net_stream: Any) -> None:
        self._muxed = net_stream.muxed_stream
        self._conn = self._muxed.conn

    async def write(self, data: bytes) -> None:
        """Write everything, waiting for the peer's window. Raises StreamEndedError, or what the socket raises.

        Between looking at the window and taking from it nothing else can run, so the library's two locks
        per write are not needed; one multiplexer frame fills at most one Noise message.
        """
        at = 0
        while at < len(data):
            size = min(await self._window(), MAX_PLAINTEXT_LENGTH - HEADER_SIZE, len(data) - at)
            self._muxed.send_window -= size
            header = struct.pack(YAMUX_HEADER_FORMAT, 0, TYPE_DATA, 0, self._muxed.stream_id, size)
            async with self._conn._write_lock:
                await self._conn.secured_conn.write(header + data[at : at + size])
            at += size

    async def _window(self) -> int:
        while True:
            if self._muxed.closed or self._muxed.send_closed or self._conn.event_shutting_down.is_set():
                raise StreamEndedError("the peer closed the stream")
            if self._muxed.send_window > 0:
                return int(self._muxed.send_window)
            # The library gives no event for a window that opens; whoever is full can wait a moment longer.
            await trio.sleep(_WINDOW_POLL_S)


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
    """End a connection at once, even if the peer has stopped reading and a writer holds the library's locks."""
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
