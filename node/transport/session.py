"""One peer while one connection to it lasts: four streams, two writers, two readers, a pinger."""

from __future__ import annotations

import random
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import trio

from node.transport.api import Channel, PeerUp, ReceivedFrame, TransportEvent
from node.transport.framing import PING, PONG, Control, FrameReader, WireFaultError, encode_control
from node.transport.limits import FRAME_MAX, Timing
from node.transport.outbox import Outbox
from node.transport.streams import StreamEndedError, StreamReader, StreamWriter, open_stream

PROTOCOLS = {Channel.ENTRIES: "/tocsin/entries/1", Channel.SYNC: "/tocsin/sync/1"}


class Surroundings(Protocol):
    """What a session needs from its link and host."""

    peer_id: str
    timing: Timing
    rng: random.Random
    outboxes: dict[Channel, Outbox]

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
        self._ping_sent: dict[bytes, float] = {}

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
            outbound[channel] = await open_stream(self._host, self.conn, protocol)

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
        async with trio.open_nursery() as nursery:
            for channel in PROTOCOLS:
                nursery.start_soon(self._until_it_ends, self._write, channel, outbound[channel])
                nursery.start_soon(self._until_it_ends, self._read, channel, self._inbound[channel])
            nursery.start_soon(self._until_it_ends, self._keep_asking)

    async def _until_it_ends(self, work: Callable[..., Awaitable[None]], *args: Any) -> None:
        try:
            await work(*args)
            self.end("the connection was closed")
        except WireFaultError as fault:
            self.fault = str(fault)
            self.end(self.fault)
        except StreamEndedError as ended:
            self.end(str(ended))
        except Exception as error:
            self.end(f"the connection broke: {type(error).__name__}")

    async def _write(self, channel: Channel, net_stream: Any) -> None:
        outbox = self._link.outboxes[channel]
        stream = StreamWriter(net_stream)
        while True:
            await stream.write(await outbox.take())

    async def _read(self, channel: Channel, net_stream: Any) -> None:
        stream = StreamReader(net_stream)
        frames = FrameReader(FRAME_MAX[channel])
        while True:
            data = await stream.read()
            self._sign_of_life.set()
            for frame in frames.feed(data):
                if isinstance(frame, Control):
                    self._heed(frame)
                else:
                    await self._link.put(ReceivedFrame(self._link.peer_id, channel, frame))

    def _heed(self, control: Control) -> None:
        if control.kind == PING:
            self._link.outboxes[Channel.ENTRIES].push_urgent(encode_control(PONG, control.nonce))
            return
        sent_s = self._ping_sent.pop(control.nonce, None)
        if sent_s is not None:
            self._ping_sent.clear()
            self._link.measured(trio.current_time() - sent_s)

    def _ping(self) -> None:
        nonce = secrets.token_bytes(8)
        self._ping_sent[nonce] = trio.current_time()
        self._link.outboxes[Channel.ENTRIES].push_urgent(encode_control(PING, nonce))

    async def _keep_asking(self) -> None:
        timing = self._link.timing
        self._ping()
        await trio.sleep(timing.ping_every_s * self._link.rng.random())
        while len(self._ping_sent) < timing.ping_misses:
            self._ping()
            await trio.sleep(timing.ping_every_s)
        raise StreamEndedError(f"no answer to {timing.ping_misses} pings")
