"""One connected peer, what it was asked for, and what peers show that we lack. Nothing of it is recorded."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from node.ingress import ASKED, LOOK_UPS, SERVED, Bucket
from protocol.ids import Digest, MemberName

SHOWN_MAX = 1024
"""`certificate_id`s remembered of a peer; more than run at once in any network that still tells alarms apart."""


@dataclass(frozen=True)
class Wanted:
    """What was last asked for of one feed at one peer: only that is an answer."""

    at_ms: int
    from_seq: int
    to_seq: int


@dataclass
class Lack:
    """What peers show and we lack, a certificate or what is missing of a feed: asked of one peer at a time."""

    ask_at_ms: int
    """When it, or the next peer, is asked."""
    by_ms: int
    """When it is asked for at the latest, though it may still come by itself."""
    peer_ids: frozenset[str] = frozenset()
    """Who was asked last, and when."""
    asked_at_ms: int | None = None
    asked: set[str] = field(default_factory=set)
    """In this round."""
    rounds: int = 0
    holders: set[str] = field(default_factory=set)
    """Who showed it, as of the last time somebody was asked."""
    from_seq: int = -1
    """Of a feed: from where."""
    first_shown_by: str = ""
    """Of a certificate."""


@dataclass
class Link:
    """One connected peer. Everything in it is bounded: it is filled by what the peer says."""

    peer_id: str
    members: frozenset[MemberName]
    """Whose newest KeySets name this peer id. Nothing proves which of them it is: a liar may name everybody's, and
    takes nobody's connection by that."""
    up_mono_ms: int = 0
    shown: set[Digest] = field(default_factory=set)
    heads_at_ms: int = 0
    epochs_asked_ms: int = -1_000_000
    own_head_seen: bool = False
    past_seen: bool = False
    """What it has of our feeds under keys before this one is here."""
    differs: bool = False
    wanted: dict[tuple[MemberName, int], Wanted] = field(default_factory=dict)
    theirs: dict[tuple[MemberName, int], int] = field(default_factory=dict)
    """feed → their last seq, as they say."""
    asked: dict[Digest, int] = field(default_factory=dict)
    """Certificates that it was asked for and has not sent, and when."""
    answered_mono_ms: int | None = None
    """When something last came that it was asked for."""
    keysets_shown: set[bytes] = field(default_factory=set)
    """Sent in answer to a Hello; KEYSETS_PER_MEMBER_MAX and KEYSETS_REPLACED_MAX bound what there can be."""
    first_shown: set[Digest] = field(default_factory=set)
    """Certificates that we lack and that it was the first to show."""
    asking: Bucket = field(default_factory=lambda: Bucket(*ASKED))
    """What it always answers."""
    pushed: deque[Digest] = field(default_factory=deque)
    serving: Bucket = field(default_factory=lambda: Bucket(*SERVED))
    looking: Bucket = field(default_factory=lambda: Bucket(*LOOK_UPS))

    @property
    def member(self) -> MemberName | None:
        """One of them; None: nobody's, so a stranger."""
        return min(self.members, default=None)

    def note_shown(self, ids: Iterable[Digest]) -> None:
        """Forgetting costs one push too many; remembering all that a liar invents would cost memory."""
        if len(self.shown) > SHOWN_MAX:
            self.shown.clear()
        self.shown.update(ids)

    def asked_for(self, author: MemberName, key_version: int, seq: int) -> bool:
        want = self.wanted.get((author, key_version))
        return want is not None and want.from_seq <= seq <= want.to_seq
