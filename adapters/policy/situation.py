"""What a decision is made from and what it is: values only, so that equal situations give equal decisions."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from adapters.api import ExposureReading, LeverDeclaration
from protocol.membership import LEASE_MS_MOST
from protocol.messages import Level
from protocol.subjects import Subject


class Own(enum.Enum):
    """This node's own word on one (subject, threat). HEARSAY is NONE."""

    NONE = "none"
    """Nothing checked, or not yet."""
    OBSERVED = "observed"
    """Its own sensor reads so; no claim was re-run."""
    VERIFIED = "verified"
    """Its own verifier re-ran a claim through its own sources, and it holds."""
    UNABLE = "unable"
    """It tried and its providers could not tell."""
    CONTRADICTED = "contradicted"
    """It re-ran the claim and found otherwise."""


@dataclass(frozen=True)
class AlarmView:
    """One (subject, threat) as this node sees it. `network_level` is NONE without a live certificate."""

    subject: Subject
    threat: int
    network_level: Level = Level.NONE
    groups: int = 0
    """Control groups counted at `network_level`."""
    groups_verified: int = 0
    """Of these, the ones with basis VERIFIED."""
    operators: int = 0
    """Distinct operators behind their sources."""
    own: Own = Own.NONE
    own_level: Level = Level.NONE
    """The highest level that this node's own word supports."""
    amount: int = 0
    """Base units missing or moved, as this node's own verifier found it; 0: unknown."""
    claims: tuple[tuple[str, bytes], ...] = ()
    """Sorted (type, id)."""
    since_ms: int = 0
    """When this node first held it, by its own clock, never an author's word: a hold counts from here."""
    ends_ms: int | None = None
    """When the certificate ends; None without one."""


@dataclass(frozen=True)
class Situation:
    now_ms: int
    epoch_lease_ms: Mapping[Level, int] = field(default_factory=lambda: dict(LEASE_MS_MOST))
    alarms: tuple[AlarmView, ...] = ()
    exposures: Mapping[str, ExposureReading] = field(default_factory=dict)
    only_informs: bool = False
    """Fewer than four control groups: the network informs, policies hold."""
    blind: bool = False
    """Fewer than Q groups heard: own evidence and GUARD only."""
    levers: Mapping[str, LeverDeclaration] = field(default_factory=dict)
    """A lever's name in the policy → what its adapter declares."""


class Verdict(enum.Enum):
    """Strictest first. ARM: planned and simulated, not sent."""

    ACT = "act"
    ASK = "ask"
    ARM = "arm"
    HOLD = "hold"
    IGNORE = "ignore"


VERDICTS = tuple(Verdict)


@dataclass(frozen=True)
class Decision:
    """`lever` None: nothing of ours is touched. `lease_ms` 0 unless the verdict is ACT, ASK or ARM."""

    verdict: Verdict
    rule: str
    exposure: str
    lever: str | None
    rung: Level
    subject: Subject | None
    threat: int
    claims: tuple[tuple[str, bytes], ...]
    lease_ms: int
    why: str
    page: bool = False
