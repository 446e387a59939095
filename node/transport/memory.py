"""The same transport without sockets: for tests and simulations, on whatever clock trio runs.

Delay, loss and partitions are set on the network; with `trio.testing.MockClock` an hour costs nothing.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import trio

from node.transport.api import (
    Channel,
    PeerAddress,
    PeerDown,
    PeerStatus,
    PeerUp,
    ReceivedFrame,
    TransportEvent,
)
from node.transport.limits import EVENT_QUEUE, FRAME_MAX, OUTBOX_FRAMES

if TYPE_CHECKING:
    from trio_typing import TaskStatus


class MemoryNetwork:
    """All the wires. One-way delays in seconds, loss as a probability per frame, both per direction."""

    def __init__(self, *, seed: int = 0, delay_s: float = 0.0, loss: float = 0.0) -> None:
        self._rng = random.Random(seed)  # noqa: S311  a simulation repeats itself on purpose
        self._default_delay_s = delay_s
        self._default_loss = loss
        self._delays_s: dict[tuple[str, str], float] = {}
        self._losses: dict[tuple[str, str], float] = {}
        self._group: dict[str, int] = {}
        self.transports: dict[str, MemoryTransport] = {}

    def transport(self, peer_id: str, peers: Mapping[str, PeerAddress] | None = None) -> MemoryTransport:
        """Plug in a peer; it is reachable while its `run` runs."""
        plugged = self.transports[peer_id] = MemoryTransport(self, peer_id, peers or {})
        return plugged

    def set_delay(self, sender: str, receiver: str, delay_s: float) -> None:
        """Delay this direction from now on; frames on their way keep theirs, order is kept."""
        self._delays_s[sender, receiver] = delay_s

    def set_loss(self, sender: str, receiver: str, loss: float) -> None:
        """Lose this share of the frames sent in this direction."""
        self._losses[sender, receiver] = loss

    def partition(self, *groups: Iterable[str]) -> None:
        """Cut the network: peers named in different groups, or in none, cannot reach one another."""
        self._group = {peer_id: number for number, group in enumerate(groups, 1) for peer_id in group}
        self._refresh()

    def heal(self) -> None:
        """Undo every partition."""
        self._group = {}
        self._refresh()

    def delay_s(self, sender: str, receiver: str) -> float:
        """The one-way delay now."""
        return self._delays_s.get((sender, receiver), self._default_delay_s)

    def loses(self, sender: str, receiver: str) -> bool:
        """Whether this frame is lost: asked once for each."""
        loss = self._losses.get((sender, receiver), self._default_loss)
        return loss > 0 and self._rng.random() < loss

    def connected(self, one: str, other: str) -> bool:
        """Whether both run, allow each other, and nothing lies between."""
        first, second = self.transports.get(one), self.transports.get(other)
        if first is None or second is None or not (first.running and second.running):
            return False
        if self._group and (self._group.get(one) is None or self._group.get(one) != self._group.get(other)):
            return False
        return other in first.allowed and one in second.allowed

    def _refresh(self) -> None:
        for transport in self.transports.values():
            transport.refresh()


class _Wire:
    """One direction between two peers: what is on its way, in order."""

    def __init__(self) -> None:
        self.frames: deque[tuple[float, Channel, bytes]] = deque()
        self.wake = trio.Event()
        self.up = False
        self.since_s = trio.current_time()
        self.refused = 0
        self.scope: trio.CancelScope | None = None


class MemoryTransport:
    """See `api.Transport`."""

    def __init__(self, network: MemoryNetwork, peer_id: str, peers: Mapping[str, PeerAddress]) -> None:
        self.peer_id = peer_id
        self.running = False
        self.allowed: dict[str, PeerAddress] = {k: v for k, v in peers.items() if k != peer_id}
        self._network = network
        self._wires: dict[str, _Wire] = {}
        self._news: deque[TransportEvent] = deque()
        self._news_wake = trio.Event()
        self._send_event, self._events = trio.open_memory_channel[TransportEvent](EVENT_QUEUE)
        self._nursery: trio.Nursery | None = None

    @property
    def events(self) -> trio.MemoryReceiveChannel[TransportEvent]:
        """See `api.Transport`."""
        return self._events

    @property
    def listening(self) -> tuple[str, ...]:
        """See `api.Transport`."""
        return (f"/memory/1/p2p/{self.peer_id}",) if self.running else ()

    def send(self, peer_id: str, channel: Channel, frame: bytes) -> bool:
        """See `api.Transport`."""
        if channel is Channel.GOSSIP:
            raise ValueError("gossip has no addressee; call gossip()")
        return self._queue(peer_id, channel, frame)

    def hold(self, peer_id: str, for_s: float) -> None:
        """See `api.Transport`: in memory there is nobody to hold."""

    def cut_off(self, peer_id: str, why: str) -> None:
        """See `hold`."""

    def strangers(self) -> Mapping[str, int]:
        """See `api.Transport`: nobody."""
        return {}

    def broadcast(self, frame: bytes, except_peer: str | None = None) -> int:
        """See `api.Transport`."""
        up = [peer_id for peer_id in self._members_up() if peer_id != except_peer]
        return sum(self._queue(peer_id, Channel.ENTRIES, frame) for peer_id in up)

    def gossip(self, frame: bytes) -> None:
        """See `api.Transport`. Every peer that is connected to us hears it; nobody passes it on."""
        for peer_id in self._members_up():
            self._queue(peer_id, Channel.GOSSIP, frame)

    def allow(self, peers: Mapping[str, PeerAddress]) -> None:
        """See `api.Transport`."""
        self.allowed = {peer_id: address for peer_id, address in peers.items() if peer_id != self.peer_id}
        for transport in list(self._network.transports.values()):
            transport.refresh()

    def status(self) -> list[PeerStatus]:
        """See `api.Transport`."""
        lines = []
        for peer_id in sorted(self.allowed):
            wire = self._wires.get(peer_id)
            up = wire is not None and wire.up
            there_and_back_s = self._network.delay_s(self.peer_id, peer_id) + self._network.delay_s(
                peer_id, self.peer_id
            )
            lines.append(
                PeerStatus(
                    peer_id=peer_id,
                    up=up,
                    since_s=0.0 if wire is None else trio.current_time() - wire.since_s,
                    rtt_ms=there_and_back_s * 1000 if up else None,
                    queued=0 if wire is None else len(wire.frames),
                    refused=0 if wire is None else wire.refused,
                    dialling="connected" if up else "unreachable",
                    observer=self.allowed[peer_id].observer,
                )
            )
        return lines

    async def run(self, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """See `api.Transport`."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                self.running = True
                self._network._refresh()
                task_status.started()
                await self._pump_news()
        finally:
            self.running = False
            self._nursery = None
            self._network._refresh()

    def refresh(self) -> None:
        """Compare every wire with the network: called by the network when something has changed."""
        known = set(self._wires) | set(self.allowed)
        for peer_id in sorted(known):
            wire = self._wires.get(peer_id)
            now_up = self._network.connected(self.peer_id, peer_id)
            if now_up and (wire is None or not wire.up):
                self._raise_wire(peer_id)
            elif wire is not None and wire.up and not now_up:
                self._drop_wire(peer_id, wire)

    # ---- wires

    def _members_up(self) -> list[str]:
        return [
            peer_id
            for peer_id, wire in self._wires.items()
            if wire.up and peer_id in self.allowed and not self.allowed[peer_id].observer
        ]

    def _raise_wire(self, peer_id: str) -> None:
        if self._nursery is None:
            return
        before = self._wires.get(peer_id)
        wire = self._wires[peer_id] = _Wire()
        wire.refused = 0 if before is None else before.refused
        wire.up = True
        self._tell(PeerUp(peer_id))
        self._nursery.start_soon(self._carry, peer_id, wire)

    def _drop_wire(self, peer_id: str, wire: _Wire) -> None:
        wire.up = False
        wire.since_s = trio.current_time()
        wire.frames.clear()
        if wire.scope is not None:
            wire.scope.cancel()
        self._tell(PeerDown(peer_id, "unreachable"))

    def _queue(self, peer_id: str, channel: Channel, frame: bytes) -> bool:
        if not 0 < len(frame) <= FRAME_MAX[channel]:
            raise ValueError(f"a frame must hold 1 to {FRAME_MAX[channel]} bytes, this one holds {len(frame)}")
        wire = self._wires.get(peer_id)
        if wire is None:
            return False
        if not wire.up or len(wire.frames) >= OUTBOX_FRAMES:
            wire.refused += 1
            return False
        if not self._network.loses(self.peer_id, peer_id):
            due_s = trio.current_time() + self._network.delay_s(self.peer_id, peer_id)
            wire.frames.append((due_s, channel, frame))
            wire.wake.set()
        return True

    async def _carry(self, peer_id: str, wire: _Wire) -> None:
        with trio.CancelScope() as wire.scope:
            while wire.up:
                while wire.frames:
                    due_s, channel, frame = wire.frames[0]
                    await trio.sleep_until(due_s)
                    receiver = self._network.transports[peer_id]
                    await receiver._send_event.send(ReceivedFrame(self.peer_id, channel, frame))
                    wire.frames.popleft()
                wire.wake = trio.Event()
                await wire.wake.wait()

    # ---- news

    def _tell(self, event: TransportEvent) -> None:
        self._news.append(event)
        self._news_wake.set()

    async def _pump_news(self) -> None:
        while True:
            while self._news:
                await self._send_event.send(self._news.popleft())
            self._news_wake = trio.Event()
            await self._news_wake.wait()
