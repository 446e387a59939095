"""What our own verifier said of claims, and which it could not look at yet."""

from __future__ import annotations

from dataclasses import dataclass, field

from node.records import EvidenceRerun
from protocol.evidence import Judgement
from protocol.ids import MemberName
from protocol.messages import Claim
from protocol.release import Topic


@dataclass
class Ruled:
    """What our own verifier said of a claim, and when it is worth asking again."""

    claim: Claim
    judgement: Judgement
    at_ms: int = 0
    """Of one that supports: when our own check first did, by whatever bytes."""
    again_at_ms: int = 0
    """Monotonic. This and what follows dies with the process: then it is due at once."""
    tries: int = 0
    """That came when they were due."""
    hurried: set[MemberName] = field(default_factory=set)
    """Whose words began its tries anew: once each."""


@dataclass
class Missing:
    """A claim whose blob did not come along: asked for, of one peer after another."""

    claim: Claim
    author: MemberName
    ask_at_ms: int
    since_ms: int
    tries: int = 0


@dataclass(frozen=True)
class AskedAgain:
    """A claim that is being re-run on a person's word."""

    topic: Topic
    person: str
    at_ms: int
    mono_ms: int


@dataclass
class Reruns:
    kept: dict[Topic, dict[Claim, EvidenceRerun]] = field(default_factory=dict)
    """By the alert that it was asked on: the last of each claim."""
    running: dict[Claim, AskedAgain] = field(default_factory=dict)
    """This and what follows dies with the process."""
    again_at_ms: dict[Claim, int] = field(default_factory=dict)
    """Monotonic: when each may be re-run on anybody's word next."""
