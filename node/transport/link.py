"""The link to one allowed peer: find a connection, hold it, lose it, find the next.

Of the two ends the lower peer id leads. It dials at once, and it alone decides which connection is used, by
opening the member streams on it; the other end follows to wherever those arrive, and dials only when
nothing came for a while. So two connections that cross can never be chosen differently at the two ends.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

import trio
from libp2p.peer.id import ID
from multiaddr import Multiaddr

from node.transport.api import Channel, Misbehaved, PeerAddress, PeerDown, PeerStatus, ReceivedFrame, TransportEvent
from node.transport.budget import TokenBucket
from node.transport.dialling import Dialler
from node.transport.limits import (
    OBSERVER_BURST,
    OBSERVER_CONNECTS_BURST,
    OBSERVER_CONNECTS_PER_S,
    OBSERVER_UNIT_BYTES,
    OBSERVER_UNITS_PER_S,
    Timing,
)
from node.transport.outbox import Outbox, Post
from node.transport.session import PROTOCOLS, Session
from node.transport.streams import close_socket, cut


class Net(Protocol):
    """The running host, as a link sees it. Rebuilt with the host; links outlive it."""

    swarm: Any
    host: Any
    nursery: trio.Nursery

    def forget(self, conn: Any) -> None:
        """Tell gossip that a connection has ended."""


class Link:
    """One peer of the allow-list."""

    def __init__(
        self,
        own_id: str,
        address: PeerAddress,
        timing: Timing,
        rng: random.Random,
        post: Post,
        take: Callable[[TransportEvent], bool],
        put: Callable[[TransportEvent], Any],
        news: Callable[[TransportEvent], None],
    ) -> None:
        self.peer_id = address.peer_id
        self.leads = own_id < address.peer_id
        self.observer = address.observer
        self.timing = timing
        self.rng = rng
        self.outboxes = {channel: Outbox() for channel in PROTOCOLS}
        self._dialler = Dialler(address.peer_id, timing)
        now_s = trio.current_time()
        self._read_budget = TokenBucket(OBSERVER_UNITS_PER_S, OBSERVER_BURST, OBSERVER_BURST, now_s)
        self._connects = TokenBucket(OBSERVER_CONNECTS_PER_S, OBSERVER_CONNECTS_BURST, OBSERVER_CONNECTS_BURST, now_s)
        self.up = False
        self.refused = 0
        self.leaving = False
        self.finished = trio.Event()
        self.post = post
        self._take = take
        self._put = put
        self._news = news
        self.readdress(address)
        self._since_s = trio.current_time()
        self._rtt_s: float | None = None
        self._doing = "starting"
        self._banned_until_s = 0.0
        self._ban_s = timing.ban_first_s
        self.reset()

    def reset(self) -> None:
        """Forget everything that belonged to a host that is gone."""
        self._net: Net | None = None
        self._session: Session | None = None
        self._scope = trio.CancelScope()
        self._offered: deque[Any] = deque(maxlen=4)
        self._offer = trio.Event()
        self._waiting_streams: dict[int, dict[Channel, Any]] = {}

    def readdress(self, address: PeerAddress) -> None:
        """Dial these addresses from now on. Raises ValueError for a text that is not a multiaddr of this peer."""
        self.addresses = tuple(checked_address(address.peer_id, text) for text in address.addrs)

    # ---- what the node asks

    def send(self, channel: Channel, encoded: bytes) -> bool:
        """Queue an encoded frame; False and counted when the peer is down or its queue is full."""
        if self.up and self.outboxes[channel].push(encoded):
            if self._session is not None:
                self.post.due(self._session)
            return True
        self.refused += 1
        return False

    def status(self) -> PeerStatus:
        """This link now."""
        return PeerStatus(
            peer_id=self.peer_id,
            up=self.up,
            since_s=trio.current_time() - self._since_s,
            rtt_ms=None if self._rtt_s is None else self._rtt_s * 1000,
            queued=sum(len(outbox) for outbox in self.outboxes.values()),
            refused=self.refused,
            dialling="connected" if self.up else self._doing,
            observer=self.observer,
        )

    def refusal(self) -> str | None:
        """Why the peer may not connect now."""
        if self.leaving:
            return "it is leaving the allow-list"
        if trio.current_time() < self._banned_until_s:
            return "it misbehaved a moment ago"
        if self.observer and not self._connects.take(trio.current_time()):
            self._news(Misbehaved(self.peer_id, "connected more often than an observer may"))
            return "it connects more often than an observer may"
        return None

    def uses(self, conn: Any) -> bool:
        """Whether the present session runs on this connection."""
        return self._session is not None and self._session.conn is conn

    def leave(self) -> None:
        """End the link for good."""
        self.leaving = True
        self.drop("removed from the allow-list")
        self._scope.cancel()

    def drop(self, why: str, *, penalty: bool = False) -> None:
        """End the present session, with a pause before the next when it is a penalty."""
        if penalty:
            self._ban(why)
        if self._session is not None:
            self._session.end(why)

    # ---- what the session tells

    def take(self, event: TransportEvent) -> bool:
        """Hand an event to the node if it has room. An observer's always waits its turn, see `put`."""
        return not self.observer and self._take(event)

    async def put(self, event: TransportEvent) -> None:
        """Hand an event to the node, waiting for room: this is the back-pressure, and this peer's alone. An observer
        is read no faster than its budget: what it sends beyond waits in its own windows."""
        if self.observer and isinstance(event, ReceivedFrame):
            for _ in range(1 + len(event.frame) // OBSERVER_UNIT_BYTES):
                if not self._read_budget.take(trio.current_time()):
                    await trio.sleep(1 / OBSERVER_UNITS_PER_S)
                    self._read_budget.take(trio.current_time())
        await self._put(event)

    def went_up(self) -> None:
        """Open the queues."""
        for outbox in self.outboxes.values():
            outbox.clear()
        self.up = True
        self._since_s = trio.current_time()

    def measured(self, rtt_s: float) -> None:
        """Smooth the round trip as TCP does; an answered ping also ends a record of misbehaviour."""
        self._rtt_s = rtt_s if self._rtt_s is None else 0.875 * self._rtt_s + 0.125 * rtt_s
        if trio.current_time() - self._since_s > self.timing.ban_max_s:
            self._ban_s = self.timing.ban_first_s

    # ---- what the host tells

    def on_connection(self, conn: Any) -> None:
        """A connection to this peer stands. The leader uses it; the follower waits for the leader's streams."""
        if self.leads:
            self._consider(conn)

    async def on_stream(self, channel: Channel, net_stream: Any) -> None:
        """The peer has opened a member stream; stays until its connection ends."""
        conn = net_stream.swarm_conn
        session = self._session
        if session is not None and session.conn is conn:
            taken = session.take(channel, net_stream)
        else:
            waiting = self._waiting_streams.setdefault(id(conn), {})
            taken = channel not in waiting
            waiting.setdefault(channel, net_stream)
            if not self.leads and taken and channel is Channel.ENTRIES:
                self._consider(conn)
        if not taken:
            self._news(Misbehaved(self.peer_id, "opened the same stream twice"))
            await net_stream.reset()
            return
        try:
            await conn.event_closed.wait()
        finally:
            self._waiting_streams.pop(id(conn), None)

    def _consider(self, conn: Any) -> None:
        if self._session is None:
            self._offered.append(conn)
            self._offer.set()
        elif self._net is not None and self._session.conn is not conn:
            self._net.nursery.start_soon(self._arbitrate, self._session, conn)

    async def _arbitrate(self, session: Session, conn: Any) -> None:
        """A second connection means a crossing, or that the peer has lost the first one and we do not know yet."""
        if await session.lives():
            await cut(conn)
            return
        session.end("the peer connected anew")
        self._offered.append(conn)
        self._offer.set()

    # ---- the life of a link

    async def run(self, net: Net) -> None:
        """Keep the peer connected until it leaves the list or the host ends."""
        self._net = net
        with self._scope:
            while not self.leaving:
                await self._hold(net, await self._find(net))
        if self.up:
            await self._went_down("removed from the allow-list")
        self.finished.set()

    async def _find(self, net: Net) -> Any:
        while True:
            while self._offered:
                conn = self._offered.popleft()
                if not conn.is_closed:
                    return conn
            self._offer = trio.Event()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._keep_dialling, net)
                await self._offer.wait()
                nursery.cancel_scope.cancel()

    async def _hold(self, net: Net, conn: Any) -> None:
        session = self._session = Session(self, net.host, conn)
        for channel, net_stream in self._waiting_streams.pop(id(conn), {}).items():
            session.take(channel, net_stream)
        why = "the host ended"
        try:
            why = await session.run()
        finally:
            self._session = None
            net.forget(conn)
            await close_socket(conn)
        net.nursery.start_soon(cut, conn)
        if session.fault is not None:
            self._ban(session.fault)
        if self.up:
            await self._went_down(why)
        else:
            self._doing = why
            await trio.sleep(self.timing.dial_first_s)

    async def lost_host(self) -> None:
        """Say that the peer is down because the host under it is gone."""
        await self._went_down("the host is being rebuilt")

    async def _went_down(self, why: str) -> None:
        self.up = False
        self._since_s = trio.current_time()
        self._rtt_s = None
        self._doing = why
        for outbox in self.outboxes.values():
            outbox.clear()
        await self._put(PeerDown(self.peer_id, why))

    def _ban(self, why: str) -> None:
        self._news(Misbehaved(self.peer_id, why))
        self._banned_until_s = trio.current_time() + self._ban_s
        self._ban_s = min(2 * self._ban_s, self.timing.ban_max_s)

    async def _keep_dialling(self, net: Net) -> None:
        timing = self.timing
        if not self.leads:
            self._doing = "waiting for the peer to dial"
            await trio.sleep(timing.follower_wait_s * (0.8 + 0.4 * self.rng.random()))
        pause_s = timing.dial_first_s
        attempt = 0
        while True:
            await trio.sleep_until(self._banned_until_s)
            while not self.leads and net.swarm.get_connections(ID.from_base58(self.peer_id)):
                self._doing = "waiting for the streams of the peer, which has dialled"
                await trio.sleep(timing.dial_first_s)
            attempt += 1
            why = await self._dial(net, attempt)
            self._doing = f"dialled {attempt} times, last: {why}"
            await trio.sleep(pause_s * (0.5 + 0.5 * self.rng.random()))
            pause_s = min(1.5 * pause_s, timing.dial_max_s)

    async def _dial(self, net: Net, attempt: int) -> str:
        if not self.addresses:
            return "the peer gave no address, it has to dial"
        self._doing = f"dialling, attempt {attempt}"
        why = await self._dialler.round(net, self.addresses)
        if not why:
            # The connection is announced by the swarm itself; give its streams time before dialling again.
            with trio.move_on_after(self.timing.open_timeout_s):
                while net.swarm.get_connections(ID.from_base58(self.peer_id)):
                    self._doing = "connected, waiting for the member streams"
                    await trio.sleep(self.timing.dial_first_s)
        return why or "connected, but the member streams did not come"


def checked_address(peer_id: str, text: str) -> Any:
    """Parse one multiaddr text. Raises ValueError when it is none, or names another peer."""
    try:
        address = Multiaddr(text)
        named = address.value_for_protocol("p2p") if "/p2p/" in text else peer_id
    except Exception as error:
        raise ValueError(f"{text!r} is not an address (multiaddr) such as /ip4/192.0.2.1/tcp/4001: {error}") from error
    if named != peer_id:
        raise ValueError(f"the address {text!r} names another peer than {peer_id}")
    return address
