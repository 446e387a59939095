"""A scenario as values: what is in the world, who is a member, what happens when, what must come out.

`load` reads a pack by name or by path and raises ScenarioFaults with every fault at once. All times are seconds
since the pack's t0 as history has them; `Scenario.play_s` gives when the network plays them.
"""

from __future__ import annotations

import importlib.resources
import random
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from node.testnet.options import CHAINLESS
from node.testnet.registry import DETECTORS_OF, KINDS, Kind

CONTROL, TOCSIN, BOTH = "control", "tocsin", "both"
ARMS = (CONTROL, TOCSIN)
OBSERVER = "observer"
PACK_CHARS_MAX = 256 * 1024


@dataclass(frozen=True)
class Fault:
    """`line` 0: the whole file. `allowed`: what would be right, as half a sentence."""

    where: str
    line: int
    what: str
    allowed: str

    def __str__(self) -> str:
        place = f"line {self.line}, {self.where}" if self.line else self.where
        return f"{place}: {self.what}; {self.allowed}"


class ScenarioFaults(Exception):
    """Everything wrong with a pack at once, in the order of the file. `faults` is never empty."""

    def __init__(self, source: str, faults: Iterable[Fault]) -> None:
        self.source = source
        self.faults = tuple(faults)
        super().__init__("\n".join(f"{source}: {fault}" for fault in self.faults))


@dataclass(frozen=True)
class Run:
    """`lease_s`: level name → seconds of real time. Events after `ends_s` are told, not played."""

    t0: str
    known_until: str
    history_divided_by: float
    lease_s: Mapping[str, float]
    ends_s: float


@dataclass(frozen=True)
class Fact:
    """The only place for real names; `at_s` is None for a fact without a time. `subject`: what the incident's asset
    is called where it really was, as CAIP text, so that an owner's own list can be held against it."""

    name: str
    say: str
    src: str
    err: str
    at_s: float | None = None
    value: float | None = None
    subject: str = ""


@dataclass(frozen=True)
class Thing:
    name: str
    kind: str
    params: Mapping[str, Any]

    @property
    def is_a(self) -> Kind:
        return KINDS[self.kind]


@dataclass(frozen=True)
class Role:
    """A member to be. `levers` are `thing.lever`, `sensors` are `thing.sensor`; `policy` is its table of the pack."""

    name: str
    group: str
    providers: tuple[str, ...] = ()
    exposed: tuple[str, ...] = ()
    levers: tuple[str, ...] = ()
    sensors: tuple[str, ...] = ()
    mode: str = "observe"
    needed: bool = False
    policy: Mapping[str, Any] = field(default_factory=dict)
    says: str = ""

    @property
    def is_exposed(self) -> bool:
        return bool(self.exposed)


@dataclass(frozen=True)
class Do:
    """One verb on one thing with all its parameters filled."""

    thing: str
    verb: str
    params: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.thing}.{self.verb}"


@dataclass(frozen=True)
class Event:
    """`steps` times between `at_s` and `at_s + over_s`; amounts are for the event as a whole, split over its steps.
    `fallbacks` are tried in order, within the same step, where the thing before refused."""

    name: str
    at_s: float
    who: str
    do: Do
    arm: str = BOTH
    fallbacks: tuple[Do, ...] = ()
    steps: int = 1
    over_s: float = 0.0
    until: str = "done"
    fact: str = ""
    assumed: str = ""

    def in_arm(self, arm: str) -> bool:
        return self.arm in (BOTH, arm)


@dataclass(frozen=True)
class Step:
    """One deed due: `share` of the event's amounts (the shares of an event sum to 1)."""

    event: Event
    index: int
    history_s: float
    share: float


@dataclass(frozen=True)
class Expect:
    """`is_` within `tolerance` (relative), `at_least`, `at_most`: checks. `goal` and `report` are told only."""

    name: str
    arm: str
    of: str
    is_: float | None = None
    tolerance: float = 0.0
    at_least: float | None = None
    at_most: float | None = None
    goal: str = ""
    report: str = ""
    needs: tuple[str, ...] = ()

    @property
    def is_check(self) -> bool:
        return not (self.is_ is None and self.at_least is None and self.at_most is None)

    def holds(self, got: float) -> bool:
        if self.is_ is not None and abs(got - self.is_) > abs(self.is_) * self.tolerance:
            return False
        return not (
            (self.at_least is not None and got < self.at_least) or (self.at_most is not None and got > self.at_most)
        )

    def expected(self) -> str:
        parts = []
        if self.is_ is not None:
            parts.append(f"{self.is_:,.10g}" + (f" ± {self.tolerance:.0%}" if self.tolerance else ""))
        parts.extend(
            f"{word} {bound:,.10g}"
            for word, bound in (("at least", self.at_least), ("at most", self.at_most))
            if bound is not None
        )
        return " and ".join(parts) or self.goal or self.report


@dataclass(frozen=True)
class Check:
    name: str
    ok: bool
    expected: str
    got: str


@dataclass(frozen=True)
class Scenario:
    id: str
    family: str
    twin: str
    says: str
    run: Run
    facts: Mapping[str, Fact]
    things: Mapping[str, Thing]
    roles: tuple[Role, ...]
    events: tuple[Event, ...]
    expects: tuple[Expect, ...]
    text: str = field(repr=False)

    def play_s(self, history_s: float, speed: float = 1.0) -> float:
        """When a moment (or how long a stretch) of history is played, in seconds of real time."""
        return history_s / self.run.history_divided_by / speed

    def members(self, n: int) -> tuple[Role, ...]:
        """The first n: needed roles, then others as listed, then unexposed `observer-1`…, in groups of their own."""
        listed = sorted(self.roles, key=lambda role: not role.needed)[:n]
        more = [Role(f"{OBSERVER}-{number}", f"{OBSERVER}-{number}") for number in range(1, n - len(listed) + 1)]
        return (*listed, *more)

    @property
    def members_min(self) -> int:
        return sum(role.needed for role in self.roles)

    @property
    def members_default(self) -> int:
        return len(self.roles)

    def events_in(self, arm: str, present: Collection[str] | None = None) -> tuple[Event, ...]:
        """What is played in an arm, in order of time; events of roles that are not `present` are left out."""
        roles = {role.name for role in self.roles}
        absent = roles - set(present) if present is not None else set()
        played = (one for one in self.events if one.in_arm(arm) and one.who not in absent)
        return tuple(sorted((one for one in played if one.at_s <= self.run.ends_s), key=lambda one: one.at_s))

    def only_told(self) -> tuple[Event, ...]:
        """Events after the end of the play: history, printed and never played."""
        return tuple(one for one in self.events if one.at_s > self.run.ends_s)

    def steps(self, events: Iterable[Event], seed: int) -> tuple[Step, ...]:
        """The fixed schedule of these events: same seed, same times and sizes, whatever anybody else does."""
        found = [step for event in events for step in _steps_of(event, seed)]
        return tuple(sorted(found, key=lambda step: (step.history_s, step.event.name, step.index)))

    def hindsight(self, made: str = DETECTORS_OF) -> str:
        """One line where detectors or policies are younger than what could be known; else ""."""
        if made[:7] <= self.run.known_until[:7]:
            return ""
        return (
            f"HINDSIGHT: detectors and policies are of {made}; before {self.run.t0[:10]} one could know "
            f"what was known until {self.run.known_until}"
        )

    def usd(self, asset: str) -> float:
        return float(self.things[asset].params["usd"])

    def checks(self, arm: str, metrics: Mapping[str, float], present: Collection[str]) -> list[Check]:
        """Expectations of an arm (`both` counts for each) that are checks, whose metric was measured and whose
        roles are present. A metric that is missing is left to whoever measures it: call again with theirs."""
        found = []
        for one in self.expects:
            if one.is_check and one.arm in (BOTH, arm) and one.of in metrics and set(one.needs) <= set(present):
                got = metrics[one.of]
                found.append(Check(f"{one.name}.{arm}", one.holds(got), one.expected(), f"{got:,.10g}"))
        return found


_JITTER = 0.15
"""Of the distance between steps, and of a step's size: a real hand is not a metronome."""


def _steps_of(event: Event, seed: int) -> list[Step]:
    chance = random.Random(f"{seed}/{event.name}")  # noqa: S311 (a schedule, no secret)
    weights = [1 + chance.uniform(-_JITTER, _JITTER) for _ in range(event.steps)]
    gap = event.over_s / max(1, event.steps - 1)
    inner = range(1, event.steps - 1)
    shifts = [chance.uniform(-_JITTER, _JITTER) * gap if index in inner else 0.0 for index in range(event.steps)]
    return [
        Step(event, index, event.at_s + index * gap + shifts[index], weights[index] / sum(weights))
        for index in range(event.steps)
    ]


_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,63}\Z")


def pack_names() -> tuple[str, ...]:
    """Packs that come with this package."""
    folder = importlib.resources.files("deploy") / "scenarios"
    return tuple(sorted(entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".toml")))


def load(name_or_path: str | Path) -> Scenario:
    """A pack of this package by its name, or any file by its path. Raises ScenarioFaults."""
    from node.testnet.scenario_parse import parse_pack

    name = str(name_or_path)
    if _NAME.match(name) and name in pack_names():
        text = (importlib.resources.files("deploy") / "scenarios" / f"{name}.toml").read_text("utf-8")
        return parse_pack(text, name)
    path = Path(name)
    if not path.is_file():
        known = f"packs: {', '.join(pack_names())}; without chains: {', '.join(CHAINLESS)}; or a path"
        raise ScenarioFaults(name, [Fault("scenario", 0, "is neither a pack nor a file", known)])
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as unreadable:
        raise ScenarioFaults(name, [Fault("scenario", 0, f"cannot be read: {unreadable}", "a UTF-8 file")]) from None
    return parse_pack(text, name)
