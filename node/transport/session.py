"""One peer while one connection to it lasts: four streams and a pinger."""

from __future__ import annotations

import random
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import trio

from node.transport.api import Channel, PeerUp, ReceivedFrame, TransportEvent
from node.transport.budget import TokenBucket
from node.transport.framing import PING, PONG, Control, WireFaultError, encode_control
from node.transport.limits import FRAME_MAX, PINGS_BURST, PINGS_PER_S, RECORD_MAX, WRITE_BATCH_BYTES, Timing
from node.transport.outbox import Outbox, Post
from node.transport.streams import Reading, StreamEndedError, StreamTap, StreamWriter, open_stream

PROTOCOLS = {Channel.ENTRIES: "/tocsin/entries/1", Channel.SYNC: "/tocsin/sync/1"}


class Surroundings(Protocol):
    """What a session needs from its link and host."""

    peer_id: str
    timing: Timing
    rng: random.Random
    outboxes: dict[Channel, Outbox]
    post: Post

    def take(self, event: TransportEvent) -> bool:
        """Hand an event to the node if it has room."""

    async def put(self, event: TransportEvent) -> None:
        """Hand an event to the node, waiting for room."""

    def went_up(self) -> None:
        """Note that frames may be queued from now on."""

    def measured(self, rtt_s: float) -> None:
        """Note a round trip."""


class Session:
    """Runs until the connection, the peer or we end it; says why."""

    def __init__(self, link: Surroundings, host: Any, conn: Any) -> None:
        self.conn = conn
        self.fault: str | None = None
        self._link = link
        self._host = host
        self._why = ""
        self._scope = trio.CancelScope()
        self._inbound: dict[Channel, Any] = {}
        self._arrived = trio.Event()
        self._settled = trio.Event()
        self._sign_of_life = trio.Event()
        self._heard = False
        self._ping_sent: dict[bytes, float] = {}
        self._writers: list[StreamWriter] = []
        self._records: Any = None
        self._stuck = trio.Event()
        self._unasked = TokenBucket(PINGS_PER_S, PINGS_BURST, PINGS_BURST, 0.0)

    def take(self, channel: Channel, net_stream: Any) -> bool:
        """Accept an inbound stream; False when the peer has already opened that one."""
        if channel in self._inbound:
            return False
        self._inbound[channel] = net_stream
        if len(self._inbound) == len(PROTOCOLS):
            self._arrived.set()
        return True

    def end(self, why: str) -> None:
        """Stop soon; the first reason given is the one that is told."""
        self._why = self._why or why
        self._scope.cancel()

    async def lives(self) -> bool:
        """Whether the peer is still at the other end: it finishes opening, or something comes in soon."""
        if not self._settled.is_set():
            await self._settled.wait()
            return not self._scope.cancel_called
        self._sign_of_life = trio.Event()
        self._ping()
        with trio.move_on_after(self._link.timing.probe_s):
            await self._sign_of_life.wait()
        return self._sign_of_life.is_set()

    async def run(self) -> str:
        """Open, serve, and return the reason for the end."""
        with self._scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._until_it_ends, self.conn.event_closed.wait)
                try:
                    await self._serve(await self._open())
                except WireFaultError as fault:
                    self.fault = str(fault)
                    self.end(self.fault)
                except Exception as error:
                    self.end(f"the member streams could not be opened: {type(error).__name__}")
        self._settled.set()
        return self._why or "the connection ended"

    async def _open(self) -> dict[Channel, Any]:
        outbound: dict[Channel, Any] = {}

        async def open_one(channel: Channel, protocol: str) -> None:
            # Caught here: beside the cancellation that a closed connection brings, an error would leave as a group of
            # both, which no `except` of ours takes, and end the host.
            try:
                outbound[channel] = await open_stream(self._host, self.conn, protocol)
            except Exception as error:
                self.end(f"the member streams could not be opened: {type(error).__name__}")

        with trio.fail_after(self._link.timing.open_timeout_s):
            async with trio.open_nursery() as nursery:
                for channel, protocol in PROTOCOLS.items():
                    nursery.start_soon(open_one, channel, protocol)
            await self._arrived.wait()
        return outbound

    async def _serve(self, outbound: dict[Channel, Any]) -> None:
        self._settled.set()
        self._link.went_up()
        await self._link.put(PeerUp(self._link.peer_id))
        self._records = self.conn.muxed_conn.session
        self._writers = [StreamWriter(outbound[channel], self._link.outboxes[channel]) for channel in PROTOCOLS]
        self.conn.muxed_conn.window_opened = self._window_opened
        try:
            async with trio.open_nursery() as nursery:
                for channel in PROTOCOLS:
                    nursery.start_soon(self._until_it_ends, self._tap(channel).run)
                nursery.start_soon(self._until_it_ends, self._unstick)
                nursery.start_soon(self._until_it_ends, self._keep_asking)
                self._link.post.due(self)
        finally:
            self._writers = []

    async def _until_it_ends(self, work: Callable[..., Awaitable[None]], *args: Any) -> None:
        try:
            await work(*args)
            self.end("the connection was closed")
        except Exception as error:
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        if isinstance(error, WireFaultError):
            self.fault = self.fault or str(error)
            self.end(self.fault)
        elif isinstance(error, StreamEndedError):
            self.end(str(error))
        else:
            self.end(f"the connection broke: {type(error).__name__}")

    # ---- writing: in the post's turn

    def flush(self) -> int:
        """See `outbox.Flushes`: one Noise record for all that waits, as long as it fits."""
        most = sum(len(outbox) for outbox in self._link.outboxes.values())
        sent = 0
        try:
            while self._writers and not self._records.blocked:
                parts, room = [], RECORD_MAX
                for writer in self._writers:
                    part = writer.next(room)
                    if part:
                        parts.append(part)
                        room -= len(part)
                if not parts:
                    return most
                self._records.push(b"".join(parts))
                sent += RECORD_MAX - room
                if sent >= WRITE_BATCH_BYTES:
                    self._link.post.due(self)
                    return most
            self._stuck.set()
        except Exception as error:
            self._failed(error)
        return most

    def _window_opened(self) -> None:
        if any(writer.waits for writer in self._writers):
            self._link.post.due(self)

    async def _unstick(self) -> None:
        """Where the kernel took not all, go on when it has."""
        while True:
            await self._stuck.wait()
            await self._records.flushed()
            self._stuck = trio.Event()
            self._link.post.due(self)

    # ---- reading: in the turn of whoever read the socket

    def _tap(self, channel: Channel) -> StreamTap:
        link = self._link

        def take(frame: bytes) -> bool:
            return link.take(ReceivedFrame(link.peer_id, channel, frame))

        async def put(frame: bytes) -> None:
            await link.put(ReceivedFrame(link.peer_id, channel, frame))

        reading = Reading(take, put, self._heed, self._failed, self._hear)
        return StreamTap(self._inbound[channel], FRAME_MAX[channel], reading)

    def _hear(self) -> None:
        self._heard = True
        if not self._sign_of_life.is_set():
            self._sign_of_life.set()

    def _heed(self, control: Control) -> None:
        sent_s = self._ping_sent.pop(control.nonce, None) if control.kind == PONG else None
        if sent_s is not None:
            self._ping_sent.clear()
            self._link.measured(trio.current_time() - sent_s)
        elif not self._unasked.take(trio.current_time()):
            raise WireFaultError("pinged more often than anybody needs to")
        elif control.kind == PING:
            self._urge(encode_control(PONG, control.nonce))

    def _ping(self) -> None:
        nonce = secrets.token_bytes(8)
        self._ping_sent[nonce] = trio.current_time()
        self._urge(encode_control(PING, nonce))

    def _urge(self, encoded: bytes) -> None:
        self._link.outboxes[Channel.ENTRIES].push_urgent(encoded)
        self._link.post.due(self, urgent=True)

    async def _keep_asking(self) -> None:
        """Whoever was heard from is asked now and then, for the round trip; whoever was not, or owes an answer, at
        every turn, and lost after so many."""
        timing = self._link.timing
        self._ping()
        await trio.sleep(timing.ping_every_s * self._link.rng.random())
        rested = 0
        while len(self._ping_sent) < timing.ping_misses:
            rested += 1
            if not self._heard or self._ping_sent or rested >= timing.ping_when_heard:
                rested = 0
                self._ping()
            self._heard = False
            await trio.sleep(timing.ping_every_s)
        raise StreamEndedError(f"no answer to {timing.ping_misses} pings")
