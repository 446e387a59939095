"""Feeds: one author's entries under one attestation key, chained by `prev`. Gaps never delay; forks are proofs."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Any

from protocol.envelope import Parsed, Verified
from protocol.ids import ZERO_HASH, EntryHash, EpochHash, MemberName
from protocol.messages import VOTES, Attestation, Propose
from protocol.release import Topic

WINDOW = 1024
"""Entries of a feed kept in memory to prove forks at once (about two megabytes); older ones lie in the store."""
WINDOW_BYTES = 1024 * 1024
"""Of sealed bytes in a window, and three times that in values: a window of the largest entries would be fifty."""
WINDOWS_WITH_A_GAP = 4
"""So many windows are kept while entries below them are missing; then the gap is given up."""

RIVALS_MAX = 16
"""Forked entries remembered of one feed. One proof is enough; who forks without end gets no more of our memory."""


class Link(enum.Enum):
    NEW = "new"
    KNOWN = "known"
    FORK = "fork"
    OLD = "old"
    """Below the window: the store has what was said there, or nothing."""


Ballot = tuple[EpochHash, int, int]
"""(epoch, kind, round): a feed says one thing there."""
_NONE: Ballot = (EpochHash(b""), -1, -1)


def ballot_of(entry: Parsed | Verified[Any]) -> Ballot | None:
    """Which place of which epoch's rounds an entry fills; None for what is no vote."""
    body = entry.entry.body
    return (body.epoch, entry.entry.kind, body.round) if isinstance(body, VOTES) else None


def value_of(entry: Parsed | Verified[Any]) -> bytes:
    """What a vote is for: the value that is proposed, the hash of the one voted for."""
    body = entry.entry.body
    value: bytes = body.value if isinstance(body, Propose) else body.value_hash
    return value


def topic_of(entry: Verified[Any]) -> Topic | None:
    """What an opinion is on; None for what is none."""
    body = entry.entry.body
    return (body.subject, body.threat) if isinstance(body, Attestation) else None


def is_later(one: Verified[Any], than: Verified[Any]) -> bool:
    """Of two words of one author: the newer key, then the later seq, then, of a fork, the lower hash."""
    a, b = one.entry, than.entry
    if (a.key_version, a.seq) == (b.key_version, b.seq):
        return one.hash < than.hash
    return (a.key_version, a.seq) > (b.key_version, b.seq)


@dataclass
class Feed:
    """What is known of one feed. `whole` is the last seq with nothing missing before it, −1 for none."""

    author: MemberName
    key_version: int
    links: dict[int, Verified[Any]] = field(default_factory=dict)
    """seq → entry"""
    whole: int = -1
    top: int = -1
    top_hash: EntryHash = ZERO_HASH
    forgotten: int = -1
    """Links up to here left the window."""
    rivals: set[EntryHash] = field(default_factory=set)
    """Entries that lost their seq to another: seen, proven, not taken again."""
    size: int = 0
    """Sealed bytes of the links."""
    votes: dict[Ballot, int] = field(default_factory=dict, compare=False)
    """What was said in an epoch's rounds → the lowest seq in the window at which it was."""
    last_on: dict[Topic, int] = field(default_factory=dict, compare=False)
    """The highest seq in the window at which the author said what it thinks of a topic."""

    def judge(self, entry: Parsed | Verified[Any]) -> tuple[Link, int | None]:
        """What this entry would be; for a FORK the seq of the entry it contradicts."""
        seq = entry.entry.seq
        here = self.links.get(seq)
        if here is not None:
            told = here.hash == entry.hash or entry.hash in self.rivals or len(self.rivals) >= RIVALS_MAX
            return (Link.KNOWN, None) if told else (Link.FORK, seq)
        if seq <= self.forgotten:
            return Link.OLD, None
        before = self.links.get(seq - 1)
        if before is not None and before.hash != entry.entry.prev:
            return Link.FORK, seq - 1
        after = self.links.get(seq + 1)
        if after is not None and after.entry.prev != entry.hash:
            return Link.FORK, seq + 1
        voted = self.votes.get(ballot_of(entry) or _NONE)
        if voted is not None and value_of(self.links[voted]) != value_of(entry):
            return Link.FORK, voted
        return Link.NEW, None

    def add(self, entry: Verified[Any]) -> None:
        seq = entry.entry.seq
        here = self.links.get(seq)
        if here is not None and here.hash != entry.hash:
            entry = self._settle(here, entry)
        self._note_vote(here, entry)
        self.links[seq] = entry
        self._note_topic(here, entry)
        self.size += len(entry.raw) - (len(here.raw) if here is not None else 0)
        if seq >= self.top:
            self.top, self.top_hash = seq, entry.hash
        while self.whole + 1 in self.links:
            self.whole += 1
        while self._beyond(1):
            oldest = min(self.links)
            if oldest > self.whole and not self._beyond(WINDOWS_WITH_A_GAP):
                break  # what is missing below is still being asked for
            self.forgotten = max(self.forgotten, oldest)
            self.whole = max(self.whole, oldest)
            gone = self.links.pop(oldest)
            self.size -= len(gone.raw)
            self._forget_vote(gone)
            topic = topic_of(gone)
            if topic is not None and self.last_on.get(topic) == oldest:
                del self.last_on[topic]

    def supersedes(self, opinion: Verified[Attestation]) -> bool:
        """Did the author say something later on the same topic? It may have ended, and be held no more: what it
        replaced, coming late, does not count instead."""
        last = self.last_on.get((opinion.body.subject, opinion.body.threat))
        return last is not None and is_later(self.links[last], opinion)

    def _beyond(self, windows: int) -> bool:
        return len(self.links) > windows * WINDOW or self.size > windows * WINDOW_BYTES

    def _note_vote(self, here: Verified[Any] | None, entry: Verified[Any]) -> None:
        if here is not None and here.hash != entry.hash:
            self._forget_vote(here)
        ballot = ballot_of(entry)
        if ballot is not None:
            self.votes[ballot] = min(entry.entry.seq, self.votes.get(ballot, entry.entry.seq))

    def _forget_vote(self, entry: Verified[Any]) -> None:
        ballot = ballot_of(entry)
        if ballot is not None and self.votes.get(ballot) == entry.entry.seq:
            del self.votes[ballot]

    def _note_topic(self, here: Verified[Any] | None, entry: Verified[Any]) -> None:
        before, topic = topic_of(here) if here is not None else None, topic_of(entry)
        if before is not None and before != topic and self.last_on.get(before) == entry.entry.seq:
            del self.last_on[before]
            left = [seq for seq, one in self.links.items() if topic_of(one) == before]
            if left:
                self.last_on[before] = max(left)
        if topic is not None:
            self.last_on[topic] = max(entry.entry.seq, self.last_on.get(topic, 0))

    def _settle(self, here: Verified[Any], entry: Verified[Any]) -> Verified[Any]:
        """Of two entries of one seq the lower hash stands, so that all who know both have one head."""
        low, high = (here, entry) if here.hash < entry.hash else (entry, here)
        self.rivals.add(high.hash)
        self.rivals.discard(low.hash)
        return low


def is_equivocation(one: Verified[Any], other: Verified[Any]) -> bool:
    """Do these two sealed entries prove that their author forked its feed, or voted two ways? Signatures play no part.

    A vote said twice for the same value, as after a restart, is none, whatever else differs."""
    a, b = one.entry, other.entry
    if (a.author, a.key_version) != (b.author, b.key_version):
        return False
    if a.seq == b.seq:
        return one.hash != other.hash
    ballot = ballot_of(one)
    if ballot is not None and ballot == ballot_of(other) and value_of(one) != value_of(other):
        return True
    first, second = (one, other) if a.seq < b.seq else (other, one)
    return second.entry.seq == first.entry.seq + 1 and second.entry.prev != first.hash
