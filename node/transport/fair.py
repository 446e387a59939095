"""What has arrived and waits for the node: a short queue for each peer, served in turn.

In one queue for all, whoever talks most decides how long everybody else waits. Here a peer that floods fills its own
queue, its reader stops, its windows fill, and the others' next frame is never more than one round away.
"""

from __future__ import annotations

from collections import OrderedDict, deque

import trio

from node.transport.api import Channel, ReceivedFrame, TransportEvent
from node.transport.limits import EVENTS_PER_PEER, NEWS_QUEUE

_GOSSIP, _NEWS = "gossip", "news"


class FairEvents(trio.abc.ReceiveChannel[TransportEvent]):
    """One consumer. Order is kept within a peer; gossip and news of what was refused have a place each in the row."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, deque[TransportEvent]] = OrderedDict()
        self._room: dict[str, trio.Event] = {}
        self._held_until_s: dict[str, float] = {}
        self._arrived = trio.Event()
        self._closed = False

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def take(self, event: TransportEvent) -> bool:
        """Queue; False where the peer's own queue is full."""
        key = _key(event)
        if len(self._waiting.get(key, ())) >= EVENTS_PER_PEER:
            return False
        self._append(key, event)
        return True

    async def put(self, event: TransportEvent) -> None:
        """Wait for room in the peer's own queue, then queue."""
        while not self.take(event):
            await self._room.setdefault(_key(event), trio.Event()).wait()

    def tell(self, event: TransportEvent) -> bool:
        """Queue news of a refusal; False, and it is dropped, where too many wait."""
        if len(self._waiting.get(_NEWS, ())) >= NEWS_QUEUE:
            return False
        self._append(_NEWS, event)
        return True

    def _append(self, key: str, event: TransportEvent) -> None:
        if key not in self._waiting:
            self._waiting[key] = deque()
        self._waiting[key].append(event)
        self._arrived.set()

    async def receive(self) -> TransportEvent:
        """The next peer's next event. Raises EndOfChannel once closed."""
        await trio.lowlevel.checkpoint_if_cancelled()
        while (key := self._next()) is None:
            if self._closed and not self._waiting:
                raise trio.EndOfChannel
            self._arrived = trio.Event()
            if not self._held_until_s:  # a deadline that nobody needs is a fifth of what a frame costs
                await self._arrived.wait()
                continue
            with trio.move_on_at(min(self._held_until_s.values())):
                await self._arrived.wait()
        queue = self._waiting.pop(key)
        event = queue.popleft()
        if queue:
            self._waiting[key] = queue
        # Not for each: whoever waits for room is woken when there is room for several.
        if len(queue) <= EVENTS_PER_PEER // 2 and (room := self._room.pop(key, None)) is not None:
            room.set()
        return event

    def hold(self, peer_id: str, for_s: float) -> None:
        """Serve this peer's queue no more for a moment: its reader stops soon, and then the peer."""
        self._held_until_s[peer_id] = trio.current_time() + for_s

    def _next(self) -> str | None:
        """Who is to be served: the first in the row that is not held."""
        if not self._held_until_s:
            return next(iter(self._waiting), None)
        now_s = trio.current_time()
        self._held_until_s = {peer: until_s for peer, until_s in self._held_until_s.items() if until_s > now_s}
        return next((key for key in self._waiting if key not in self._held_until_s), None)

    async def aclose(self) -> None:
        """Nothing more will come."""
        self._closed = True
        self._arrived.set()
        await trio.lowlevel.checkpoint()


def _key(event: TransportEvent) -> str:
    """Gossip comes through one task for all forwarders: it is one in the row, whoever fills it."""
    return _GOSSIP if isinstance(event, ReceivedFrame) and event.channel is Channel.GOSSIP else event.peer_id
