"""The transport over libp2p: one host, one link per allowed peer, rebuilt in place when the library dies."""

from __future__ import annotations

import logging
import random
import secrets
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import trio
from libp2p.tools.anyio_service import background_trio_service
from multiaddr import Multiaddr

from node.transport import gossip as gossip_module
from node.transport.api import (
    Channel,
    Misbehaved,
    PeerAddress,
    PeerDown,
    PeerStatus,
    ReceivedFrame,
    TransportEvent,
)
from node.transport.door import Door
from node.transport.fair import FairEvents
from node.transport.framing import encode_frame
from node.transport.gossip import SafePubsub, build_pubsub
from node.transport.guard import ConnectionNews, GuardedSwarm, build_host, check_pinned_library, own_key_pair
from node.transport.guard import peer_id_of as peer_id_of
from node.transport.limits import FRAME_MAX, GOSSIP_IN_QUEUE, GOSSIP_OUT_QUEUE, Timing
from node.transport.link import Link
from node.transport.outbox import Post
from node.transport.session import PROTOCOLS
from node.transport.streams import close_socket, cut, hoards

if TYPE_CHECKING:
    from trio_typing import TaskStatus

_LOG = logging.getLogger(__name__)
_STRANGER_NEWS_EVERY_S = 1.0
_SWEEP_EVERY_S = 1.0


class ListenFailedError(RuntimeError):
    """The address cannot be listened on: the operator's configuration, or another process in its place."""


class _Generation:
    """One life of the libp2p host."""

    def __init__(self, swarm: GuardedSwarm, host: Any, pubsub: SafePubsub, nursery: trio.Nursery) -> None:
        self.swarm = swarm
        self.host = host
        self.pubsub = pubsub
        self.nursery = nursery

    def forget(self, conn: Any) -> None:
        """Tell gossip that a connection has ended."""
        self.pubsub.forget_connection(conn)


class Libp2pTransport:
    """See `api.Transport`. `identity_seed`: 32 bytes; `listen`: a multiaddr, port 0 for any free port; None: nobody can
    dial this transport, it dials."""

    def __init__(
        self,
        identity_seed: bytes,
        listen: str | None,
        peers: Mapping[str, PeerAddress],
        topic: str,
        *,
        timing: Timing | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self._key_pair = own_key_pair(identity_seed)
        self.peer_id = peer_id_of(identity_seed)
        self._listen = None if listen is None else Multiaddr(listen)
        self._topic = topic
        self._timing = timing or Timing()
        self._rng = rng or random.Random(secrets.randbits(64))  # noqa: S311  jitter, not a secret
        self._peers = dict(peers)
        self._links: dict[str, Link] = {}
        self._door = Door()
        self._events = FairEvents()
        self._post = Post(self._timing)
        self._gossip_out: deque[bytes] = deque()
        self._gossip_wake = trio.Event()
        self._gossip_in: deque[ReceivedFrame] = deque()
        self._gossip_arrived = trio.Event()
        self._listening: tuple[str, ...] = ()
        self._has_lived = False
        self._generation: _Generation | None = None
        self._retiring: dict[str, Link] = {}
        self._stranger_told_s = -_STRANGER_NEWS_EVERY_S
        self.strangers_refused = 0
        self.gossip_dropped = 0
        self.rebuilds = 0

    def __repr__(self) -> str:
        return f"Libp2pTransport({self.peer_id})"

    # ---- api.Transport

    @property
    def events(self) -> trio.abc.ReceiveChannel[TransportEvent]:
        """See `api.Transport`."""
        return self._events

    @property
    def listening(self) -> tuple[str, ...]:
        """See `api.Transport`."""
        return self._listening

    def send(self, peer_id: str, channel: Channel, frame: bytes) -> bool:
        """See `api.Transport`."""
        if channel is Channel.GOSSIP:
            raise ValueError("gossip has no addressee; call gossip()")
        encoded = encode_frame(frame, FRAME_MAX[channel])
        link = self._links.get(peer_id)
        return link is not None and link.send(channel, encoded)

    def broadcast(self, frame: bytes, except_peer: str | None = None) -> int:
        """See `api.Transport`."""
        encoded = encode_frame(frame, FRAME_MAX[Channel.ENTRIES])
        return sum(
            link.send(Channel.ENTRIES, encoded)
            for peer_id, link in self._links.items()
            if link.up and not link.observer and peer_id != except_peer
        )

    def gossip(self, frame: bytes) -> None:
        """See `api.Transport`."""
        if not 0 < len(frame) <= FRAME_MAX[Channel.GOSSIP]:
            raise ValueError(f"a gossip frame holds 1 to {FRAME_MAX[Channel.GOSSIP]} bytes, this one {len(frame)}")
        if len(self._gossip_out) >= GOSSIP_OUT_QUEUE:
            self.gossip_dropped += 1
            return
        self._gossip_out.append(frame)
        self._gossip_wake.set()

    def allow(self, peers: Mapping[str, PeerAddress]) -> None:
        """See `api.Transport`. Raises ValueError, changing nothing, when an address makes no sense."""
        wanted = {peer_id: address for peer_id, address in peers.items() if peer_id != self.peer_id}
        for peer_id, address in wanted.items():
            if peer_id != address.peer_id:
                raise ValueError(f"the address of {address.peer_id} is listed under {peer_id}")
        stay = {
            known for known, link in self._links.items() if known in wanted and link.observer is wanted[known].observer
        }
        fresh = {peer_id: self._new_link(a) for peer_id, a in wanted.items() if peer_id not in stay}
        self._peers = wanted
        for peer_id in [known for known in self._links if known not in stay]:
            self._retire(self._links.pop(peer_id))
        for peer_id, address in wanted.items():
            if peer_id in self._links:
                self._links[peer_id].readdress(address)
        self._links.update(fresh)
        self._door.know(text for address in wanted.values() for text in address.addrs)
        if self._generation is not None:
            for link in fresh.values():
                self._generation.nursery.start_soon(self._run_link, link, self._generation)

    def status(self) -> list[PeerStatus]:
        """See `api.Transport`."""
        return [self._links[peer_id].status() for peer_id in sorted(self._links)]

    async def run(self, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """See `api.Transport`. Raises UnknownLibraryError or ListenFailedError before it has started."""
        check_pinned_library(gossip_module.OVERRIDDEN)
        self.allow(self._peers)
        pause_s = self._timing.rebuild_pause_s
        while True:
            try:
                async with self._one_life() as generation:
                    task_status.started()
                    task_status = trio.TASK_STATUS_IGNORED
                    pause_s = self._timing.rebuild_pause_s
                    await self._serve_gossip(generation)
            except Exception as error:
                if not self._has_lived:
                    raise _innermost(error) from None
                _LOG.error("the libp2p host died and is being rebuilt: %r", _innermost(error))
            self.rebuilds += 1
            await self._all_down()
            await trio.sleep(pause_s)
            pause_s = min(2 * pause_s, self._timing.dial_max_s)

    # ---- guard.Gate

    def refusal(self, peer_id: str) -> str | None:
        """Whether a peer may connect; called with the handshake complete, so the id is proven."""
        link = self._links.get(peer_id)
        if link is not None:
            return link.refusal()
        self.strangers_refused += 1
        now_s = trio.current_time()
        if now_s - self._stranger_told_s >= _STRANGER_NEWS_EVERY_S:
            self._stranger_told_s = now_s
            self._news(Misbehaved(peer_id, "is not on the allow-list"))
        return "it is not on the allow-list"

    def misbehaved(self, peer_id: str, why: str) -> None:
        """Tell the node, if it has room for such news."""
        self._news(Misbehaved(peer_id, why))

    def turned_away(self) -> None:
        """Count a connection that never got through the handshake."""
        self.strangers_refused += 1

    # ---- one life of the host

    @asynccontextmanager
    async def _one_life(self) -> AsyncIterator[_Generation]:
        swarm, host = build_host(self._key_pair, self, self._door)
        try:
            async with background_trio_service(swarm):
                await self._start_listening(swarm)
                pubsub, router = build_pubsub(host, self._topic, self._timing)
                pubsub.prepare(self, self._deliver_gossip, self._cut_off)
                pubsub.shuns = self._is_observer
                swarm.register_notifee(ConnectionNews(self._on_connection))
                for channel, protocol in PROTOCOLS.items():
                    host.set_stream_handler(protocol, self._stream_handler(channel))
                async with background_trio_service(pubsub), background_trio_service(router):
                    await pubsub.wait_until_ready()
                    await pubsub.subscribe(self._topic)
                    async with trio.open_nursery() as nursery:
                        self._generation = _Generation(swarm, host, pubsub, nursery)
                        for link in self._links.values():
                            nursery.start_soon(self._run_link, link, self._generation)
                        nursery.start_soon(self._sweep, self._generation)
                        nursery.start_soon(self._post.run)
                        yield self._generation
                        nursery.cancel_scope.cancel()
        finally:
            self._generation = None
            with trio.move_on_after(2) as scope:
                scope.shield = True
                await _tear_down(swarm)

    async def _start_listening(self, swarm: GuardedSwarm) -> None:
        if self._listen is not None:
            if not await swarm.listen(self._listen):
                raise ListenFailedError(
                    f"cannot listen on {self._listen}: it is in use, or not an address of this machine"
                )
            addresses = [address for listener in swarm.listeners.values() for address in listener.get_addrs()]
            # A rebuilt host must come back where its peers dial it, also when the first one took any free port.
            self._listen = addresses[0]
            self._listening = tuple(f"{address}/p2p/{self.peer_id}" for address in addresses)
        self._has_lived = True

    def _is_observer(self, peer_id: str) -> bool:
        link = self._links.get(peer_id)
        return link is None or link.observer

    def _on_connection(self, conn: Any) -> None:
        link = self._links.get(str(conn.muxed_conn.peer_id))
        if link is not None:
            link.on_connection(conn)

    def _stream_handler(self, channel: Channel) -> Any:
        async def handle(net_stream: Any) -> None:
            link = self._links.get(str(net_stream.muxed_conn.peer_id))
            if link is None:
                await net_stream.reset()
            else:
                await link.on_stream(channel, net_stream)

        return handle

    def _retire(self, link: Link) -> None:
        link.leave()
        if self._generation is not None:
            self._retiring[link.peer_id] = link

    async def _run_link(self, link: Link, generation: _Generation) -> None:
        """Run a link; one that follows another to the same peer waits until that one has said its last."""
        before = self._retiring.get(link.peer_id)
        if before is not None:
            await before.finished.wait()
        if not link.leaving:
            await link.run(generation)
        if self._retiring.get(link.peer_id) is link:
            del self._retiring[link.peer_id]

    async def _sweep(self, generation: _Generation) -> None:
        """End connections that carry no session for long, and those that pile up what nobody reads."""
        idle_since_s: dict[Any, float] = {}
        while True:
            await trio.sleep(_SWEEP_EVERY_S)
            now_s = trio.current_time()
            conns = generation.swarm.get_connections()
            idle_since_s = {conn: idle_since_s.get(conn, now_s) for conn in conns if not self._in_use(conn)}
            for conn in conns:
                if hoards(conn):
                    self._cut_off(str(conn.muxed_conn.peer_id), "pushed more bytes than its windows allow")
                elif now_s - idle_since_s.get(conn, now_s) < 2 * self._timing.open_timeout_s:
                    continue
                generation.nursery.start_soon(cut, conn)

    def _in_use(self, conn: Any) -> bool:
        link = self._links.get(str(conn.muxed_conn.peer_id))
        return link is not None and link.uses(conn)

    async def _all_down(self) -> None:
        self._retiring.clear()
        for link in list(self._links.values()):
            link.reset()
            if link.up:
                await link.lost_host()

    # ---- events and gossip

    def _new_link(self, address: PeerAddress) -> Link:
        return Link(
            self.peer_id, address, self._timing, self._rng, self._post, self._events.take, self._put, self._news
        )

    async def _put(self, event: TransportEvent) -> None:
        await self._events.put(event)

    def _news(self, event: TransportEvent) -> None:
        if not self._events.tell(event):
            _LOG.debug("news dropped, the node is behind: %r", event)

    def _deliver_gossip(self, peer_id: str, frame: bytes) -> None:
        if len(self._gossip_in) >= GOSSIP_IN_QUEUE:
            self.gossip_dropped += 1
            return
        self._gossip_in.append(ReceivedFrame(peer_id, Channel.GOSSIP, frame))
        self._gossip_arrived.set()

    def hold(self, peer_id: str, for_s: float) -> None:
        """See `api.Transport`."""
        self._events.hold(peer_id, for_s)

    def cut_off(self, peer_id: str, why: str) -> None:
        """See `api.Transport`."""
        self._cut_off(peer_id, why)

    def strangers(self) -> Mapping[str, int]:
        """See `api.Transport`."""
        return {"no-handshake": self.strangers_refused, "at-the-door": self._door.turned_away}

    def _cut_off(self, peer_id: str, why: str) -> None:
        link = self._links.get(peer_id)
        if link is not None:
            link.drop(why, penalty=True)
        if self._generation is not None:
            # also those on which it never opened the member streams
            for conn in self._generation.swarm.get_connections():
                if str(conn.muxed_conn.peer_id) == peer_id:
                    self._generation.nursery.start_soon(cut, conn)

    async def _serve_gossip(self, generation: _Generation) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._pump_gossip_in)
            await self._publish_gossip(generation.pubsub)

    async def _pump_gossip_in(self) -> None:
        while True:
            while self._gossip_in:
                await self._put(self._gossip_in.popleft())
            self._gossip_arrived = trio.Event()
            await self._gossip_arrived.wait()

    async def _publish_gossip(self, pubsub: SafePubsub) -> None:
        while True:
            while self._gossip_out:
                await pubsub.publish(self._topic, self._gossip_out.popleft())
                await trio.lowlevel.checkpoint()
            self._gossip_wake = trio.Event()
            await self._gossip_wake.wait()


def _innermost(error: Exception) -> Exception:
    """The one failure inside the nurseries' groups, or the group when there are several."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


async def _tear_down(swarm: GuardedSwarm) -> None:
    """Close sockets for certain: the library's listener is a system task, which no nursery of ours ends."""
    async with trio.open_nursery() as nursery:
        for listener in list(swarm.listeners.values()):
            nursery.start_soon(listener.close)
        for conn in swarm.get_connections():
            nursery.start_soon(close_socket, conn)


__all__ = ["Libp2pTransport", "ListenFailedError", "PeerDown", "peer_id_of"]
