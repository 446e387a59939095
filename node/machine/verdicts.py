"""What our own verifier said of claims, and which it could not look at yet."""

from __future__ import annotations

from dataclasses import dataclass, field

from protocol.evidence import Judgement
from protocol.ids import MemberName
from protocol.messages import Claim


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
