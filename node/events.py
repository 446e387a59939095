"""What happened, in the past tense: the only way anything reaches the machine. Pure values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from adapters.api import ExposureReading, Observation, Outcome
from protocol.crypto import Signer
from protocol.envelope import SealedKeySet
from protocol.evidence import Judgement
from protocol.ids import ActionKey
from protocol.messages import Claim, Level, Tlp
from protocol.subjects import Subject


@dataclass(frozen=True)
class Clock:
    """`wall_ms`: since 1970, UTC. `mono_ms`: monotonic, including sleep."""

    wall_ms: int
    mono_ms: int


@dataclass(frozen=True)
class FrameArrived:
    peer_id: str
    direct: bool
    """On the member's own ENTRIES stream; False for answers to requests and for gossip."""
    asked: bool
    """On the SYNC stream: answers to what we asked for."""
    raw: bytes


@dataclass(frozen=True)
class PeerCameUp:
    peer_id: str


@dataclass(frozen=True)
class PeerWentDown:
    peer_id: str
    why: str


@dataclass(frozen=True)
class ClaimJudged:
    claim: Claim
    judgement: Judgement


@dataclass(frozen=True)
class SensorReported:
    observation: Observation


@dataclass(frozen=True)
class ExposuresRead:
    readings: tuple[ExposureReading, ...]


@dataclass(frozen=True)
class LeverStepped:
    key: ActionKey
    step: str
    outcome: Outcome


@dataclass(frozen=True)
class LookedUp:
    """What the store has where `raw`, which that peer sent, claims to stand, and just before and after it."""

    peer_id: str
    raw: bytes
    found: tuple[bytes, ...]


@dataclass(frozen=True)
class Observer:
    """A peer on this node's own list that may read certificates up to its ceiling (PROTOCOL 1)."""

    name: str
    ceiling: Tlp


@dataclass(frozen=True)
class ObserversListed:
    """The owner's list, whole, by peer id. Recorded nowhere: the next start reads it again."""

    observers: Mapping[str, Observer]


@dataclass(frozen=True)
class Ticked:
    """About ten times a second; nothing depends on how often."""


@dataclass(frozen=True)
class Raise:
    subject: Subject
    threat: int
    level: Level
    lease_ms: int
    incident: str


@dataclass(frozen=True)
class Withdraw:
    subject: Subject
    threat: int


@dataclass(frozen=True)
class ReleaseTopic:
    subject: Subject
    threat: int
    through_ms: int
    """0: now."""
    back: bool = False
    """Takes back what one person asked and no other has said yet."""


@dataclass(frozen=True)
class ActionCommand:
    key: ActionKey
    verb: str
    """approve, refuse or lift."""
    back: bool = False
    """As of ReleaseTopic; of a lift alone."""


@dataclass(frozen=True)
class Publish:
    """What a governance key sealed, of any member, to be said in this node's own feed."""

    sealed: bytes


@dataclass(frozen=True)
class TakeKey:
    """A fresh attestation key of this node's own, whose mark "nothing signed" stands on the disk already."""

    signer: Signer
    sealed: SealedKeySet


@dataclass(frozen=True)
class Extend:
    """An own restriction that stands is to stand `by_ms` longer than it would."""

    key: ActionKey
    by_ms: int


@dataclass(frozen=True)
class Rerun:
    """What is claimed on this topic is re-run now, once more, through this node's own connections."""

    subject: Subject
    threat: int


@dataclass(frozen=True)
class Acknowledge:
    """A person has seen it."""

    subject: Subject
    threat: int


Command = Raise | Withdraw | ReleaseTopic | ActionCommand | Extend | Rerun | Acknowledge | Publish | TakeKey


@dataclass(frozen=True)
class OperatorAsked:
    """`ticket` comes back in the Reply effect."""

    ticket: int
    person: str
    command: Command
    proven: bool = False
    """The person's own token says who it is; else the name is what somebody at the control socket wrote."""


Event = (
    FrameArrived
    | PeerCameUp
    | PeerWentDown
    | ClaimJudged
    | SensorReported
    | ExposuresRead
    | LeverStepped
    | LookedUp
    | ObserversListed
    | Ticked
    | OperatorAsked
)
