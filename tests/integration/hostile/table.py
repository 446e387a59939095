"""Every attack by its name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.integration.hostile import breakers, strangers, words
from tests.integration.hostile.wire import Stage

STRANGER, MEMBER = "stranger", "member"


@dataclass(frozen=True)
class Attack:
    """`who`: with no name on any list, or with a member's transport identity and attestation key."""

    name: str
    who: str
    what: str
    run: Callable[[Stage], Awaitable[None]]
    flood: bool = False
    """As fast as one core goes: others' first entries must not wait for it."""


_ALL = (
    Attack("idle-sockets", STRANGER, "hundreds of sockets that never speak", strangers.idle_sockets),
    Attack("slow-writers", STRANGER, "hundreds of handshakes, a byte each half second", strangers.slow_writers),
    Attack("random-handshakes", STRANGER, "random bytes instead of a handshake", strangers.random_handshakes, True),
    Attack("half-handshakes", STRANGER, "Noise begun and left", strangers.half_handshakes, True),
    Attack("plaintext-offers", STRANGER, "plaintext, secio, TLS", strangers.plaintext_offers, True),
    Attack("endless-talk", STRANGER, "protocols that do not exist, one after another", strangers.endless_talk, True),
    Attack("varint-garbage", STRANGER, "lengths without end", strangers.varint_garbage, True),
    Attack("sybils", STRANGER, "four unknown names for each honest one, whole handshakes", strangers.sybils, True),
    Attack("protobuf-garbage", MEMBER, "gossip that is no protobuf", breakers.protobuf_garbage),
    Attack("oversized-frames", MEMBER, "frames above the bound, empty, of no kind", breakers.oversized_frames),
    Attack("stream-flood", MEMBER, "streams by the thousand", breakers.stream_flood, True),
    Attack("mux-pings", MEMBER, "the multiplexer's own pings by the thousand", breakers.mux_pings, True),
    Attack("mux-nothings", MEMBER, "frames of the multiplexer that say nothing", breakers.mux_nothings, True),
    Attack("window-pushing", MEMBER, "bytes beyond every window", breakers.window_pushing, True),
    Attack("talk-inside", MEMBER, "multiplexers that do not exist", breakers.talk_inside, True),
    Attack("talk-on-streams", MEMBER, "protocols that do not exist, on a stream", breakers.talk_on_streams, True),
    Attack("topic-flood", MEMBER, "subscriptions, grafts and prunes of invented topics", breakers.topic_flood, True),
    Attack("gossip-flood", MEMBER, "gossip with bad signatures, offers of nothing", breakers.gossip_flood, True),
    Attack("prune-and-dial", MEMBER, "PRUNE with absurd back-off and addresses to dial", breakers.prune_and_dial),
    Attack("ping-flood", MEMBER, "pings by the thousand", breakers.ping_flood, True),
    Attack("slow-reader", MEMBER, "asks for much and reads nothing", breakers.slow_reader),
    Attack("frozen-peer", MEMBER, "SIGSTOP for seven seconds, again and again", breakers.frozen_peer),
    Attack("bad-signatures", MEMBER, "own entries with bad signatures, at line rate", words.bad_signatures, True),
    Attack("names-honest", MEMBER, "junk under honest names", words.names_honest, True),
    Attack("future-stamps", MEMBER, "validly signed words from the future", words.future_stamps),
    Attack("member-flood", MEMBER, "all that a member may say, and more", words.member_flood, True),
    Attack("replays", MEMBER, "all that was ever said, again", words.replays, True),
    Attack("moving-heads", MEMBER, "heads that move, answers that are junk", words.moving_heads, True),
    Attack("endless-ranges", MEMBER, "questions without end", words.endless_ranges, True),
    Attack("fat-frames", MEMBER, "the largest frames, with nothing in them", words.fat_frames, True),
    Attack("invented-shown", MEMBER, "certificates that nobody has", words.invented_shown, True),
    Attack("silent", MEMBER, "connected and silent", words.silent),
)
ATTACKS = {one.name: one for one in _ALL}
