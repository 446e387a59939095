"""A policy as values: what its owner signed, with nothing left to interpret."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from adapters.api import ExpiresBy
from protocol.messages import Basis, Level
from protocol.subjects import Subject

ANY = "any"
"""In a rule's `asset`: whatever the alarm is about."""
_UNITS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s"), (1, "ms"))
UNIT_MS = {unit: size for size, unit in _UNITS}


def spell_ms(duration_ms: int) -> str:
    """As a policy writes it: the largest unit that divides it."""
    size, unit = next((size, unit) for size, unit in _UNITS if duration_ms % size == 0)
    return f"{duration_ms // size}{unit}"


class Mode(enum.IntEnum):
    """How far a decision may go by itself; the lesser of policy and lever holds."""

    OBSERVE = 0
    ASK = 1
    ACT = 2


class OwnWord(enum.Enum):
    """What a rule asks of this node's own check."""

    VERIFIED = "verified"
    UNABLE = "unable"
    CONTRADICTED = "contradicted"
    ANY = "any"


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a policy. `line` 0: the whole file, or no text to point into."""

    path: str
    line: int
    what: str
    cure: str

    def __str__(self) -> str:
        where = f"line {self.line}, {self.path}" if self.line else self.path
        return f"{where}: {self.what}; {self.cure}"


class PolicyFaults(Exception):
    """Everything wrong with a policy at once, in the order of the file."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = faults


@dataclass(frozen=True)
class Exposure:
    """Where we can lose. The amount is read under `read`, never typed."""

    name: str
    asset: str
    read: str
    max_age_ms: int
    ways_out: tuple[str, ...]
    target: str = ""
    behind: str = ""


@dataclass(frozen=True)
class LeverUse:
    """A lever that the owner lends to its policy. It may only narrow what the adapter declares."""

    name: str
    on: str
    call: str
    closes: frozenset[str]
    expires_by: ExpiresBy
    max_ms: int
    cooldown_ms: int
    accept_overdue: bool = False
    blocks_exit: bool = False
    mode: Mode = Mode.ACT


@dataclass(frozen=True)
class Rule:
    """`level` means at least; `level` NONE rests on own evidence; floors come on top of the network's thresholds."""

    name: str
    asset: str
    """An asset's name or `any`; "" where `exposure` is given."""
    exposure: str
    level: Level
    own: OwnWord
    do: tuple[str, ...]
    for_ms: int
    any_level: bool = False
    basis: Basis | None = None
    groups: int = 0
    sources: int = 0
    min_loss_usd: float | None = None
    hold_ms: int = 0
    silent: tuple[str, ...] = ()
    arm_above: float | None = None
    utilisation_above: float | None = None
    page: bool = False

    @property
    def by_utilisation(self) -> bool:
        return self.arm_above is not None or self.utilisation_above is not None

    @property
    def levers(self) -> tuple[str, ...]:
        return tuple(sorted({*self.do, *self.silent}))


@dataclass(frozen=True)
class Limits:
    """Beyond `calls_per_hour` of new restrictions the node holds. None: unlimited."""

    calls_per_hour: int | None = None


@dataclass(frozen=True)
class Ending:
    """How many people it takes to lift an own lever or to say a release. `socket`: whose the control socket is, "" for
    nobody's: whoever opens it may claim any name, so a claim is never one of two people."""

    need: int = 1
    within_ms: int = 30 * UNIT_MS["m"]
    """So long the first word waits for the second."""
    socket: str = ""


@dataclass(frozen=True)
class Policy:
    """Rules are a set, kept in the order of their names; `lines` only tells people where a thing was written."""

    mode: Mode = Mode.OBSERVE
    assets: Mapping[str, tuple[Subject, ...]] = field(default_factory=dict)
    exposures: Mapping[str, Exposure] = field(default_factory=dict)
    levers: Mapping[str, LeverUse] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    limits: Limits = Limits()
    ending: Ending = Ending()
    lines: Mapping[str, int] = field(default_factory=dict, compare=False, repr=False)

    def asset_of(self, rule: Rule) -> str:
        """The asset's name that a rule is about, or `any`."""
        return self.exposures[rule.exposure].asset if rule.exposure else rule.asset

    def instance_of(self, lever: LeverUse) -> str:
        """`target:call`: which lever of the configuration is meant."""
        exposure = self.exposures[lever.on]
        return f"{exposure.target or exposure.name}:{lever.call}"

    def fault(self, path: str, what: str, cure: str) -> Fault:
        return Fault(path, line_of(self.lines, path), what, cure)


def line_of(lines: Mapping[str, int], path: str) -> int:
    """The line of the nearest written ancestor of a dotted path; 0 where there is none."""
    while path:
        if path in lines:
            return lines[path]
        path = path.rpartition(".")[0]
    return 0
