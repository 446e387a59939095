"""What must follow at once from what comes in."""

from __future__ import annotations

from collections import Counter
from typing import Any

from node.events import FrameArrived
from protocol import envelope, frames
from protocol.alarm import weigh
from protocol.crypto import sha256
from protocol.envelope import Entry
from protocol.errors import Code, ProtocolError
from protocol.messages import Attestation, Level
from protocol.release import Topic
from tests.sim import cast
from tests.sim.cast import NETWORK
from tests.sim.checks.base import Seen
from tests.sim.shell import Process
from tests.sim.world import World

OPINIONS_MOST = 64


def l1_what_is_reached_is_certified(seen: Seen, world: World, process: Process, taken: list[bytes]) -> str:
    """At once, with the word that reaches it: no word waits for others. A word that lost its seq to another says
    nothing new."""
    state, now_ms = process.state, process.clock().wall_ms
    topics: set[Topic] = set()
    for raw in taken:
        entry = envelope.parse_entry(raw, NETWORK).entry
        if isinstance(entry.body, Attestation):
            topic = (entry.body.subject, entry.body.threat)
            there = state.opinions.get(topic, {}).get(entry.author)
            if there is not None and there.raw == raw:
                topics.add(topic)
    for topic in sorted(topics, key=lambda one: (one[0].raw, one[1])):
        held = state.opinions[topic].values()
        found = [one for one in state.certificates.values() if one.certificate.topic == topic and one.ends_ms > now_ms]
        certified = max((one.certificate.level for one in found), default=Level.WATCH)
        if sum(one.body.level > certified for one in held) <= world.epoch_of(process).f:
            continue  # whatever counts of it: too few say more than is certified
        due = weigh(held, world.epoch_of(process), now_ms, state.releases).level
        if due > certified:
            return f"the words held reach {due.name} on {topic[0]}, and no certificate says so"
    return ""


def l6_an_honest_word_is_taken(
    seen: Seen, world: World, process: Process, event: FrameArrived, taken: list[bytes]
) -> str:
    """Whatever liars send in its author's name: what comes sealed by an honest member is taken when it comes."""
    state = process.state
    if state.refusals_by_peer.get(event.peer_id, {}).get(Code.OVER_BUDGET.word):
        return ""
    link = state.links.get(event.peer_id)
    if link is None or link.member is None:
        return ""
    for raw in _entries(event.raw):
        told = None if raw in taken or sha256(raw) in state.seen else _honest_word(world, raw)
        if (
            told is None
            or told.author not in state.epoch.by_name
            or state.keyset(told.author, told.key_version) is None
        ):
            continue
        feed = state.feeds.get((told.author, told.key_version))
        if feed is None or (told.seq not in feed.links and told.seq > feed.forgotten):
            return f"{told.author}'s word {told.seq} came and was not taken"
    return ""


def _entries(raw: bytes) -> tuple[bytes, ...]:
    try:
        frame = frames.parse_frame(raw)
    except ProtocolError:
        return ()
    return frame.raws if isinstance(frame, frames.Entries) else ()


def _honest_word(world: World, raw: bytes) -> Entry[Any] | None:
    """Sealed by a member that is no liar, with its own key; None for anything else."""
    try:
        parsed = envelope.parse_entry(raw, NETWORK)
        envelope.verify_entry(parsed, cast.hot(parsed.entry.author, parsed.entry.key_version).public)
    except ProtocolError:
        return None
    return parsed.entry if parsed.entry.author in world.processes else None


def b1_opinions_are_capped(seen: Seen, world: World, process: Process, taken: list[bytes]) -> str:
    """Asked as they come: hours later they have expired and prove nothing."""
    if len(process.state.opinions) <= OPINIONS_MOST:
        return ""
    authors = Counter(author for held in process.state.opinions.values() for author in held)
    author, many = authors.most_common(1)[0]
    return f"{many} live opinions of {author}, at most {OPINIONS_MOST}" if many > OPINIONS_MOST else ""


def a1_what_contradicts_is_proven(seen: Seen, world: World, process: None) -> str:
    """Asked after the heal: two words held of one feed, the later of which names another before it."""
    for one in world.honest():
        for key, feed in one.state.feeds.items():
            links = feed.links
            broken = [seq for seq in links if seq - 1 in links and links[seq].entry.prev != links[seq - 1].hash]
            if broken and key not in one.state.equivocations:
                return f"{one.name} holds {key[0]}'s word {broken[0]}, which does not follow the one before"
    return ""


ARRIVING = {
    "healed": (("A1 what contradicts is proven", a1_what_contradicts_is_proven),),
    "taken": (
        ("L1 what is reached is certified", l1_what_is_reached_is_certified),
        ("B1 opinions are capped", b1_opinions_are_capped),
    ),
    "told": (("L6 an honest word is taken", l6_an_honest_word_is_taken),),
}
