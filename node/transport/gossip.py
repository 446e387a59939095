"""GossipSub as the second path: best effort, bounded, and unable to take the host down."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import libp2p.pubsub.gossipsub as gossipsub_module
import libp2p.pubsub.pubsub as pubsub_module
import trio
from libp2p.pubsub.gossipsub import PROTOCOL_ID_V11, PROTOCOL_ID_V12, GossipSub
from libp2p.pubsub.pubsub import Pubsub
from libp2p.pubsub.rpc_queue import RpcQueue
from libp2p.pubsub.score import ScoreParams

from node.transport.api import Channel
from node.transport.budget import TokenBucket
from node.transport.guard import Gate
from node.transport.limits import (
    FRAME_MAX,
    GOSSIP_BURST,
    GOSSIP_RATE_PER_S,
    GOSSIP_RPC_MAX,
    GOSSIP_RPC_QUEUE,
    Timing,
)

_DEGREE, _DEGREE_LOW, _DEGREE_HIGH = 6, 4, 12
_NEVER = float("inf")
_FORWARDERS_REMEMBERED = 1024

OVERRIDDEN = (
    (Pubsub, ("stream_handler", "push_msg", "_handle_new_peer", "notify_subscriptions", "_handle_dead_peer")),
    (Pubsub, ("_replay_recent_messages",)),
    (GossipSub, ("handle_prune", "handle_graft", "_do_px", "_check_equivocation")),
    (pubsub_module, ("RpcQueue", "maybe_consume_signed_record")),
    (gossipsub_module, ("maybe_consume_signed_record",)),
)

Deliver = Callable[[str, bytes], None]


class DeepRpcQueue(RpcQueue):  # type: ignore[misc]
    """The library's per-peer queue holds 32 and drops in silence: a burst of 300 loses 284."""

    def __init__(self) -> None:
        super().__init__(max_size=GOSSIP_RPC_QUEUE)


class GuardedGossip(GossipSub):  # type: ignore[misc]
    """A router that knows one topic and dials nobody."""

    topic = ""
    gate: Gate

    async def handle_prune(self, prune_msg: Any, sender_peer_id: Any) -> None:
        """Invented topics would be remembered for ever; peer exchange would have us dial strangers."""
        if prune_msg.topicID != self.topic:
            return
        del prune_msg.peers[:]
        # The peer chooses the pause, up to 2**64 seconds: ours is the most that it gets.
        prune_msg.backoff = min(prune_msg.backoff, self.prune_back_off)
        await super().handle_prune(prune_msg, sender_peer_id)

    async def handle_graft(self, graft_msg: Any, sender_peer_id: Any) -> None:
        """See `handle_prune`."""
        if graft_msg.topicID == self.topic:
            await super().handle_graft(graft_msg, sender_peer_id)
        else:
            self.gate.misbehaved(str(sender_peer_id), "spoke of a gossip topic that nobody has")

    async def _do_px(self, px_peers: Any) -> None:
        """Nobody tells us whom to dial."""

    def _check_equivocation(self, msg: Any) -> bool:
        """The library remembers every message for ever here; message ids are content hashes, so nothing is lost."""
        return True


class SafePubsub(Pubsub):  # type: ignore[misc]
    """No remote input may raise out of a stream handler or a push task: either would end the process."""

    gate: Gate
    deliver: Deliver
    cut_off: Callable[[str, str], None]
    shuns: Callable[[str], bool] = staticmethod(lambda peer_id: False)
    """Whom nothing is gossiped to and nothing taken from."""

    def prepare(self, gate: Gate, deliver: Deliver, cut_off: Callable[[str, str], None]) -> None:
        """Say where frames and refusals go; call before running."""
        self.gate = self.router.gate = gate
        self.deliver = deliver
        self.cut_off = cut_off
        self._via: OrderedDict[bytes, str] = OrderedDict()
        self._buckets: dict[str, tuple[TokenBucket, TokenBucket]] = {}
        self._refused: dict[str, int] = {}
        # The library makes a task of each message: a full burst would run in one turn of the scheduler, for seconds.
        self._turn = trio.Lock()
        # The default starts at the second of the clock: a node restarted after a busy time repeats itself.
        self.counter = time.time_ns()

    async def stream_handler(self, stream: Any) -> None:
        """Read one peer's messages; what he breaks is his stream."""
        peer = stream.muxed_conn.peer_id
        if self.shuns(str(peer)):
            # Held and never read: its window fills, and its library does not try again and again.
            await stream.swarm_conn.event_closed.wait()
            return
        try:
            await super().stream_handler(stream)
        except Exception as error:
            self.gate.misbehaved(str(peer), f"sent a gossip message that cannot be read: {type(error).__name__}")
            with trio.move_on_after(1):
                await stream.reset()
            self._handle_dead_peer(peer)

    async def _handle_new_peer(self, peer_id: Any) -> None:
        """Open a stream to a peer that gossips; others are no part of the mesh."""
        if not self.shuns(str(peer_id)):
            await super()._handle_new_peer(peer_id)

    async def _replay_recent_messages(self, peer_id: Any, topic: str) -> None:
        """Nothing: whoever comes up asks for what it lacks. Everything again to everybody was half of a heal's cost."""

    async def push_msg(self, msg_forwarder: Any, msg: Any) -> None:
        """Take one message, from ourselves or from a peer within its budget."""
        if msg_forwarder == self.my_id:
            await super().push_msg(msg_forwarder, msg)
            return
        peer_id = str(msg_forwarder)
        if not self._affordable(peer_id):
            return
        why = _malformed(msg)
        if why is not None:
            self.gate.misbehaved(peer_id, why)
            return
        try:
            async with self._turn:
                if self._is_msg_seen(msg):
                    return
                self._remember(content_id(msg), peer_id)
                await super().push_msg(msg_forwarder, msg)
                if not self._is_msg_seen(msg):
                    self.gate.misbehaved(peer_id, "forwarded a message whose signature does not hold")
        except Exception as error:
            self.gate.misbehaved(peer_id, f"forwarded a message that cannot be checked: {type(error).__name__}")

    def notify_subscriptions(self, publish_message: Any) -> None:
        """Hand a verified message on, instead of the library's channel of 32 that drops in silence."""
        via = self._via.pop(content_id(publish_message), None)
        if via is not None:
            self.deliver(via, publish_message.data)

    def forget_connection(self, conn: Any) -> None:
        """Drop a gossip stream that lives on an ended connection, so that the next one gets its own at once."""
        peer = conn.muxed_conn.peer_id
        stream = self.peers.get(peer)
        if stream is not None and stream.muxed_conn is conn.muxed_conn:
            self._handle_dead_peer(peer)

    def _remember(self, message_id: bytes, peer_id: str) -> None:
        self._via[message_id] = peer_id
        while len(self._via) > _FORWARDERS_REMEMBERED:
            self._via.popitem(last=False)

    def _affordable(self, peer_id: str) -> bool:
        now = trio.current_time()
        if peer_id not in self._buckets:
            while len(self._buckets) >= _FORWARDERS_REMEMBERED:
                self._buckets.pop(next(iter(self._buckets)))
            self._buckets[peer_id] = _bucket(1, now), _bucket(len(self.peers) + 1, now)
        own, all_peers = self._buckets[peer_id]
        if not all_peers.take(now):
            self.cut_off(peer_id, "flooded gossip")
            return False
        if own.take(now):
            return True
        refused = self._refused[peer_id] = self._refused.get(peer_id, 0) + 1
        if refused % 100 == 1:
            self.gate.misbehaved(peer_id, "exceeded its gossip budget")
        return False


def _bucket(peers: int, now_s: float) -> TokenBucket:
    """What one peer may say, or pass on of so many: an honest one cannot be made to look like a flooder."""
    return TokenBucket(peers * GOSSIP_RATE_PER_S, peers * GOSSIP_BURST, peers * GOSSIP_BURST, now_s)


def content_id(msg: Any) -> bytes:
    """A message is what it says, whoever repeats it: sha256(topics joined by '|' ‖ 0 ‖ data)."""
    topics: bytes = b"|".join(topic.encode() for topic in msg.topicIDs)
    return hashlib.sha256(topics + b"\0" + msg.data).digest()


def build_pubsub(host: Any, topic: str, timing: Timing) -> tuple[SafePubsub, GuardedGossip]:
    """A pubsub and its router, not running yet. 1.1 first: 1.2 costs twice the CPU for frames of our size."""
    pubsub_module.RpcQueue = DeepRpcQueue
    # Each RPC carries its sender's addresses, signed; nobody here dials them, and looking cost a tenth of all.
    pubsub_module.maybe_consume_signed_record = _leave_record
    gossipsub_module.maybe_consume_signed_record = _leave_record
    router = GuardedGossip(
        [PROTOCOL_ID_V11, PROTOCOL_ID_V12],
        degree=_DEGREE,
        degree_low=_DEGREE_LOW,
        degree_high=_DEGREE_HIGH,
        heartbeat_interval=timing.gossip_heartbeat_s,
        heartbeat_initial_delay=0.1,
        do_px=False,
        score_params=ScoreParams(accept_px_threshold=_NEVER),
        spam_protection_enabled=False,
        adaptive_gossip_enabled=False,
        eclipse_protection_enabled=False,
        max_idontwant_messages=5000,
    )
    router.topic = topic
    pubsub = SafePubsub(
        host,
        router,
        strict_signing=True,
        msg_id_constructor=content_id,
        max_inbound_rpc_size=GOSSIP_RPC_MAX,
        allowed_topics={topic},
    )
    return pubsub, router


def _leave_record(rpc: Any, host: Any, peer_id: Any) -> bool:
    return True


def _malformed(msg: Any) -> str | None:
    if len(msg.topicIDs) != 1:
        return "sent a gossip message with other than one topic"
    if len(msg.from_id) > 64 or len(msg.seqno) != 8 or len(msg.key) > 64:
        return "sent a gossip message with fields of impossible length"
    if not 0 < len(msg.data) <= FRAME_MAX[Channel.GOSSIP]:
        return "sent a gossip message of impossible size"
    return None
