"""One yamux stream, read and written without the library's per-call locks and window chatter.

The library answers every read with a window update and lets the window grow to 16 MiB; this reader keeps
yamux's own 256 KiB and gives credit back when half of it has been used.
"""

from __future__ import annotations

from typing import Any

import trio
from libp2p.protocol_muxer.multiselect_communicator import MultiselectCommunicator

from node.transport.framing import WireFaultError
from node.transport.limits import RECEIVE_WINDOW, UNREAD_MAX


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
    chosen = await host.multiselect_client.select_one_of([protocol], communicator, 5)
    net_stream.set_protocol(chosen)
    return net_stream


async def cut(conn: Any) -> None:
    """End a connection even if the peer has stopped reading.

    The socket goes first: the library's close would wait for the write lock that a stuck writer holds.
    """
    with trio.move_on_after(1) as scope:
        scope.shield = True
        try:
            await conn.muxed_conn.secured_conn.close()
            conn.muxed_conn.event_shutting_down.set()
            await conn.close()
        except Exception:  # noqa: S110  whatever the library says about a dying socket, the socket is closed
            pass
