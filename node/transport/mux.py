"""Yamux whose daily frames are taken several at a time and without locks; the rare ones are left to the library.

The library awaits each header and each body, takes a lock for each frame, and formats a log line for each whether
anybody reads it or not. Here a frame without flags for a stream that stands is dealt with in place. The library's own
loop sees only what opens, ends and breaks things, in the order in which it came.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import trio
from libp2p.stream_muxer.yamux.yamux import (
    HEADER_SIZE,
    TYPE_DATA,
    TYPE_WINDOW_UPDATE,
    YAMUX_HEADER_FORMAT,
    Yamux,
    YamuxStream,
)

from node.transport.limits import FRAME_UNIT_BYTES, FRAMES_BURST, FRAMES_PER_S, RARE_FRAME_UNITS, RECEIVE_WINDOW

_HEADER = struct.Struct(YAMUX_HEADER_FORMAT)
Sink = Callable[[bytes], None]


def data_header(stream_id: int, size: int) -> bytes:
    """The header of `size` bytes on a stream."""
    return _HEADER.pack(0, TYPE_DATA, 0, stream_id, size)


def credit_frame(stream_id: int, size: int) -> bytes:
    """Lets the peer send so many bytes more on a stream."""
    return _HEADER.pack(0, TYPE_WINDOW_UPDATE, 0, stream_id, size)


def _nothing() -> None:
    """Nobody waits for a window."""


class WindowIgnoredError(Exception):
    """The peer pushed more into a stream than any window of ours allows; the connection's end."""


class QuietStream(YamuxStream):  # type: ignore[misc]
    """Keeps yamux's own window, and gives credit when half of it has been read."""

    uncredited = 0

    async def _auto_tune_and_send_window_update(self, *, bytes_read: int = 0) -> None:
        """The library doubles the window at every second read, negotiating included, up to 16 MiB."""
        self.uncredited += bytes_read
        if self.uncredited >= RECEIVE_WINDOW // 2:
            credit, self.uncredited = self.uncredited, 0
            self.recv_window += credit
            await self.send_window_update(credit)


class QuietYamux(Yamux):  # type: ignore[misc]
    """`sinks`: stream id → who takes its bytes at once; other streams fill the library's buffers.
    `window_opened`: called when the peer has given credit."""

    def __init__(self, secured_conn: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(secured_conn, *args, **kwargs)
        self.session = secured_conn
        self.secured_conn = _RareFrames(secured_conn, self)
        self.sinks: dict[int, Sink] = {}
        self.window_opened: Callable[[], None] = _nothing
        self._purse = FRAMES_BURST
        self._spent = 0.0
        self._paid_s = 0.0

    async def _write_frame(self, data: bytes) -> None:
        """Sealing needs no lock, see `noise`; the turn that others get after it stays."""
        await self.session.write(data)
        await trio.lowlevel.checkpoint()

    def took_daily(self) -> bool:
        """Deal with the whole daily frames at the front of what was read; whether a rare one follows."""
        plain, at, given, rare = self.session.plain, 0, False, False
        while len(plain) - at >= HEADER_SIZE:
            _, kind, flags, stream_id, size = _HEADER.unpack_from(plain, at)
            if kind == TYPE_DATA:
                self._check_window(stream_id, size)
            rare = flags != 0 or kind > TYPE_WINDOW_UPDATE
            if rare:
                self._spent += RARE_FRAME_UNITS
                break
            stream = self.streams.get(stream_id)
            if kind == TYPE_WINDOW_UPDATE:
                at += HEADER_SIZE
                self._spent += 1
                if stream is not None:
                    stream.send_window += size
                    given = True
                continue
            end = at + HEADER_SIZE + size
            if len(plain) < end:
                break
            if stream is not None:
                self._data(stream, bytes(plain[at + HEADER_SIZE : end]))
            at = end
            self._spent += 1 + size / FRAME_UNIT_BYTES
        del plain[:at]
        if given:
            self.window_opened()
        return rare

    async def rest(self) -> None:
        """Read no more for a moment where a peer has sent more frames than anybody needs to: what says nothing is read
        at line rate otherwise, and nothing of it fills a window."""
        if not self._spent:
            return
        now_s = trio.current_time()
        self._purse = min(FRAMES_BURST, self._purse + (now_s - self._paid_s) * FRAMES_PER_S) - self._spent
        self._spent, self._paid_s = 0.0, now_s
        if self._purse < 0:
            self.session.accuse("sent more frames than anybody needs to")
            await trio.sleep(-self._purse / FRAMES_PER_S)

    def _check_window(self, stream_id: int, size: int) -> None:
        """The library only logs: a second at line rate into a stream that nobody reads would be hundreds of MiB."""
        if size > RECEIVE_WINDOW or len(self.stream_buffers.get(stream_id, b"")) > RECEIVE_WINDOW:
            self.session.accuse("pushed more bytes than its windows allow")
            raise WindowIgnoredError(f"stream {stream_id}")

    def _data(self, stream: Any, data: bytes) -> None:
        stream_id = stream.stream_id
        buffer = self.stream_buffers[stream_id]
        sink = self.sinks.get(stream_id)
        if sink is None:
            buffer += data
            stream.recv_window = max(0, stream.recv_window - len(data))
            self.stream_events[stream_id].set()
            return
        if buffer:  # what came with a rare frame comes first
            data = bytes(buffer) + data
            buffer.clear()
        sink(data)


class _RareFrames:
    """A secured connection as the library's loop sees it: headers and bodies of rare frames, nothing else."""

    def __init__(self, session: Any, mux: QuietYamux) -> None:
        self._session = session
        self._mux = mux
        self._body_follows = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    async def read(self, n: int) -> bytes:
        """A header of a rare frame, or the body of the one whose header was read last."""
        session = self._session
        if self._body_follows:
            self._body_follows = False
            return bytes(await session.read(n))
        # The frame that the library has just dealt with may have carried credit.
        self._mux.window_opened()
        while not self._mux.took_daily():
            await self._mux.rest()
            await session.more()
        await self._mux.rest()
        header = bytes(await session.read(HEADER_SIZE))
        _, kind, _, _, size = _HEADER.unpack(header)
        self._body_follows = kind == TYPE_DATA and size > 0
        return header
