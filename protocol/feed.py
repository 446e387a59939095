"""Feeds: one author's entries under one attestation key, chained by `prev`. Gaps never delay; forks are proofs."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Any

from protocol.envelope import Parsed, Verified
from protocol.ids import ZERO_HASH, EntryHash, MemberName

WINDOW = 1024
"""Entries of a feed kept in memory to prove forks at once (about two megabytes); older ones lie in the store."""
WINDOWS_WITH_A_GAP = 4
"""So many windows are kept while entries below them are missing; then the gap is given up."""

RIVALS_MAX = 16
"""Forked entries remembered of one feed. One proof is enough; who forks without end gets no more of our memory."""


class Link(enum.Enum):
    NEW = "new"
    KNOWN = "known"
    FORK = "fork"


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

    def judge(self, entry: Parsed | Verified[Any]) -> tuple[Link, int | None]:
        """What this entry would be; for a FORK the seq of the entry it contradicts."""
        seq = entry.entry.seq
        here = self.links.get(seq)
        if here is not None:
            told = here.hash == entry.hash or entry.hash in self.rivals or len(self.rivals) >= RIVALS_MAX
            return (Link.KNOWN, None) if told else (Link.FORK, seq)
        if seq <= self.forgotten:
            return Link.KNOWN, None
        before = self.links.get(seq - 1)
        if before is not None and before.hash != entry.entry.prev:
            return Link.FORK, seq - 1
        after = self.links.get(seq + 1)
        if after is not None and after.entry.prev != entry.hash:
            return Link.FORK, seq + 1
        return Link.NEW, None

    def add(self, entry: Verified[Any]) -> None:
        seq = entry.entry.seq
        here = self.links.get(seq)
        if here is not None and here.hash != entry.hash:
            entry = self._settle(here, entry)
        self.links[seq] = entry
        if seq >= self.top:
            self.top, self.top_hash = seq, entry.hash
        while self.whole + 1 in self.links:
            self.whole += 1
        while len(self.links) > WINDOW:
            oldest = min(self.links)
            if oldest > self.whole and len(self.links) <= WINDOWS_WITH_A_GAP * WINDOW:
                break  # what is missing below is still being asked for
            self.forgotten = max(self.forgotten, oldest)
            self.whole = max(self.whole, oldest)
            del self.links[oldest]

    def _settle(self, here: Verified[Any], entry: Verified[Any]) -> Verified[Any]:
        """Of two entries of one seq the lower hash stands, so that all who know both have one head."""
        low, high = (here, entry) if here.hash < entry.hash else (entry, here)
        self.rivals.add(high.hash)
        self.rivals.discard(low.hash)
        return low


def is_equivocation(one: Verified[Any], other: Verified[Any]) -> bool:
    """Do these two sealed entries prove that their author forked its feed? Signatures play no part in it."""
    a, b = one.entry, other.entry
    if (a.author, a.key_version) != (b.author, b.key_version):
        return False
    if a.seq == b.seq:
        return one.hash != other.hash
    first, second = (one, other) if a.seq < b.seq else (other, one)
    return second.entry.seq == first.entry.seq + 1 and second.entry.prev != first.hash
