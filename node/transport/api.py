"""The transport's door: bytes in, bytes out, and news about peers.

Nothing here knows members, entries or CBOR, and nothing here imports libp2p, so the core, the simulator and
every test can hold a `Transport` without the library.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import trio

if TYPE_CHECKING:
    from trio_typing import TaskStatus


class Channel(enum.IntEnum):
    """Which way a frame travels. ENTRIES and SYNC are direct and ordered per peer; GOSSIP is best effort."""

    ENTRIES = 1
    SYNC = 2
    GOSSIP = 3


@dataclass(frozen=True, slots=True)
class PeerAddress:
    """Where a peer listens: `addrs` are multiaddr texts, with or without the `/p2p/<peer id>` suffix.

    An empty tuple means that only the peer can dial. An observer may connect and ask; it is sent nothing that is
    broadcast or gossiped, and is read no faster than its own small budget.
    """

    peer_id: str
    addrs: tuple[str, ...]
    observer: bool = False


@dataclass(frozen=True, slots=True)
class ReceivedFrame:
    """One whole frame. On GOSSIP `peer_id` is the peer that forwarded it, not the one that wrote it."""

    peer_id: str
    channel: Channel
    frame: bytes


@dataclass(frozen=True, slots=True)
class PeerUp:
    """Both streams to the peer and both from it are open: frames can flow."""

    peer_id: str


@dataclass(frozen=True, slots=True)
class PeerDown:
    """A peer that was up is not any more; frames queued for it are gone, synchronisation makes them good."""

    peer_id: str
    why: str


@dataclass(frozen=True, slots=True)
class Misbehaved:
    """What the wire layer refused, for counting. Dropped silently when the consumer is behind."""

    peer_id: str
    why: str


TransportEvent: TypeAlias = ReceivedFrame | PeerUp | PeerDown | Misbehaved


@dataclass(frozen=True, slots=True)
class PeerStatus:
    """One peer now. `since_s`: seconds in the present state. `queued`: frames waiting. `refused`: frames
    that `send` turned away since the start. `dialling`: what the link is doing, in words."""

    peer_id: str
    up: bool
    since_s: float
    rtt_ms: float | None
    queued: int
    refused: int
    dialling: str
    observer: bool = False


class Transport(Protocol):
    """What the node asks of a network. All calls but `run` return at once and never raise because of a peer."""

    @property
    def events(self) -> trio.abc.ReceiveChannel[TransportEvent]:
        """Frames and news, bounded for each peer. Who fills its part holds back its own reader; no direct frame is
        lost."""

    @property
    def listening(self) -> tuple[str, ...]:
        """Multiaddrs on which this transport can be dialled, known once `run` has started."""

    def send(self, peer_id: str, channel: Channel, frame: bytes) -> bool:
        """Queue one frame for one peer. False: not queued (peer down, queue full), and counted.

        Raises ValueError for a frame above the channel's bound or on GOSSIP, which has no addressee.
        """

    def broadcast(self, frame: bytes, except_peer: str | None = None) -> int:
        """Queue one frame on ENTRIES to every peer that is up and no observer; returns how many queues took it."""

    def gossip(self, frame: bytes) -> None:
        """Publish on the gossip topic, best effort; dropped and counted when the queue is full."""

    def hold(self, peer_id: str, for_s: float) -> None:
        """Take no frames of this peer for a moment: it has spent its budget. What it sent waits, and so does it."""

    def cut_off(self, peer_id: str, why: str) -> None:
        """End the connection to a peer that misbehaved. It may come back after a pause, which doubles each time."""

    def strangers(self) -> Mapping[str, int]:
        """How many connections of nobody's were turned away, by where: code → count since the start."""

    def allow(self, peers: Mapping[str, PeerAddress]) -> None:
        """Replace the allow-list, which is also the dial list; a peer no longer listed is cut off."""

    def status(self) -> list[PeerStatus]:
        """One line per allowed peer, ordered by peer id."""

    async def run(self, *, task_status: TaskStatus[None] = ...) -> Any:
        """Serve until cancelled; `task_status.started()` once listening."""
