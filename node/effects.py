"""What the shell is to do, in the imperative. Nothing here happens before the records beside it are durable."""

from __future__ import annotations

from dataclasses import dataclass

from adapters.api import LeverOrder
from protocol.frames import WantEntries
from protocol.ids import ActionKey, Digest, MemberName
from protocol.limits import U63_MAX
from protocol.messages import Claim, Level, Tlp
from protocol.release import Topic


@dataclass(frozen=True)
class Send:
    """One frame to one peer; `sync`: on the stream of requests and answers."""

    peer_id: str
    raw: bytes
    sync: bool = False


@dataclass(frozen=True)
class Broadcast:
    """One frame to every member that is connected, encoded once."""

    raw: bytes


@dataclass(frozen=True)
class Gossip:
    """One frame to everybody else, by GossipSub. Never anything above TLP:GREEN."""

    raw: bytes


@dataclass(frozen=True)
class ServeEntries:
    """Read a range from the store and send it."""

    peer_id: str
    want: WantEntries


@dataclass(frozen=True)
class ServeBlobs:
    peer_id: str
    digests: tuple[Digest, ...]


@dataclass(frozen=True)
class LookUp:
    """Read what the store has of this feed around this seq, where memory has it no more; it comes back as LookedUp."""

    peer_id: str
    raw: bytes
    """What is to be compared with it."""
    author: MemberName
    key_version: int
    from_seq: int
    to_seq: int


LOOKED_UP_MAX = 6
"""Twins of three places, of which two are a proof."""


@dataclass(frozen=True)
class VerifyClaim:
    """Re-run it through our own providers; the verdict comes back as ClaimJudged."""

    claim: Claim
    blob: bytes


@dataclass(frozen=True)
class RunStep:
    """One step of a lever (plan, simulate, apply, read_back, undo); the outcome comes back as LeverStepped."""

    key: ActionKey
    step: str
    lever: str
    """The adapter's instance, `<target>:<call>`."""
    order: LeverOrder
    ends_mono_ms: int = U63_MAX
    """By the clock that nobody sets, the end of the lease: who carries the step out may have slept through it."""


@dataclass(frozen=True)
class Reply:
    ticket: int
    ok: bool
    says: str
    waits_until_ms: int = 0
    """It is asked and not done: until then for a second person; 0 where it is done."""


def about_of(topic: Topic) -> str:
    return f"{topic[0]} {topic[1]}"


@dataclass(frozen=True)
class Tell:
    """To people, through every sink whose ceiling is not below it: what a node says of itself is its owner's own."""

    text: str
    tlp: Tlp = Tlp.AMBER
    topic: Topic | None = None
    """The alert that it is about."""
    level: Level = Level.NONE

    @property
    def about(self) -> str:
        """The topic, as a sink tells it apart from others."""
        return "" if self.topic is None else about_of(self.topic)


Effect = Send | Broadcast | Gossip | ServeEntries | ServeBlobs | LookUp | VerifyClaim | RunStep | Reply | Tell
