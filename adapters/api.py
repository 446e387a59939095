"""The contracts between a node and the world: sensors, verifiers, exposure readers, levers, sinks. Types only."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from protocol.envelope import Entry
from protocol.evidence import ClaimBlob, Judgement
from protocol.ids import ActionKey, NetworkId, SourceId
from protocol.messages import Attestation, Basis, Claim, Level, Tlp
from protocol.subjects import Subject


@dataclass(frozen=True)
class Observation:
    """Something looks wrong. `sources` are those that the sensor itself checked and found in agreement."""

    subject: Subject
    threat: int
    level: Level
    basis: Basis
    claims: tuple[ClaimBlob, ...]
    sources: tuple[SourceId, ...]
    detector: str
    incident: str
    detail: str
    amount: int = 0
    """What is missing or moved, in the asset's base units; 0 where that is not known."""


class Sensor(Protocol):
    name: str

    async def run(self, report: Callable[[Observation], Awaitable[None]]) -> None:
        """Until cancelled. A chain that is down is told through `health`, not by raising."""

    def health(self) -> str:
        """ "" where well, else one sentence: what, since when."""


class Verifier(Protocol):
    claim_types: frozenset[str]

    async def verify(self, claim: Claim, blob: bytes) -> Judgement:
        """Re-runs the claim through own providers. Never raises for bad input or a chain that is down: UNDECIDED."""


@dataclass(frozen=True)
class ExposureReading:
    """What we hold at risk, read and never typed. `usd` None: unknown, which is never 0."""

    name: str
    usd: float | None
    unit_usd: float | None
    """USD of one whole unit (1e18 base units) of the exposure's asset, to weigh a claim's amount."""
    utilisation: float | None
    """0..1 where the exposure is to a pool's liquidity."""
    at_ms: int
    detail: str = ""


class ExposureReader(Protocol):
    async def read(self, name: str, now_ms: int) -> ExposureReading: ...


class ExpiresBy(enum.Enum):
    """Who must be awake for a restriction to end."""

    TARGET = "target"
    GUARD = "guard"
    NODE = "node"
    HUMAN = "human"


@dataclass(frozen=True)
class LeverDeclaration:
    """What an action of a lever does to its target: declared by the adapter, proved by its tests."""

    call: str
    """Its name in policies, e.g. `lending.ltv_zero`."""
    rung: Level
    closes: frozenset[str]
    blocks_exit: bool
    reversible: bool
    expires_by: ExpiresBy
    max_ms: int
    cooldown_ms: int
    says: str
    """One sentence for people: what is restricted and what stays open."""


@dataclass(frozen=True)
class LeverOrder:
    """One restriction of one lever. The same key again with a later `until_ms` is a renewal."""

    action_key: ActionKey
    lever: str
    subject: Subject
    rung: Level
    until_ms: int
    by_human: bool


@dataclass(frozen=True)
class Plan:
    """What will be sent, in words and as an opaque payload; `already` where the target stands so until then."""

    order: LeverOrder
    says: str
    already: bool = False


@dataclass(frozen=True)
class Outcome:
    """Of any step. `reference` is the target's own name for it (a transaction hash)."""

    ok: bool
    says: str
    reference: str = ""
    until_ms: int = 0
    """Read back from the target; 0 where nothing is restricted."""
    retryable: bool = False
    answered: bool = True
    """False where the target could not be asked: `until_ms` 0 then says nothing."""


class Lever(Protocol):
    """Idempotent by action key: applying one twice has one effect on the target."""

    declared: LeverDeclaration

    async def plan(self, order: LeverOrder) -> Plan: ...

    async def simulate(self, plan: Plan) -> Outcome: ...

    async def apply(self, plan: Plan) -> Outcome: ...

    async def read_back(self, order: LeverOrder) -> Outcome:
        """ok where the target itself says that the restriction stands at least until `order.until_ms`."""

    async def undo(self, order: LeverOrder) -> Outcome: ...


@dataclass(frozen=True)
class Beyond:
    """What a lever's credential could do at its target besides its mandate. `tried` 0: this lever cannot tell."""

    tried: int
    may: tuple[str, ...]


class Mandated(Protocol):
    """A lever that can say what else its credential could do."""

    async def beyond(self) -> Beyond:
        """Each forbidden call tried at the target as the credential, without sending anything. Raises as reads do."""


class Outstanding(Protocol):
    """A lever that knows of what was signed or scheduled beforehand and may still take effect."""

    async def outstanding(self) -> tuple[str, ...]:
        """One sentence each, with how it is made void. Raises as reads do."""


@dataclass(frozen=True)
class News:
    """What people are told."""

    text: str
    tlp: Tlp = Tlp.AMBER
    about: str = ""
    """The topic that it concerns, made of what no member chooses freely; "" for a matter of the node's own."""
    level: Level = Level.NONE
    """The highest that anybody says on that topic now."""


class Sink(Protocol):
    """Tells people and systems. The node hands it nothing above its ceiling, and counts that as `withheld`."""

    name: str
    ceiling: Tlp
    counts: Counter[str]
    """Shown among the metrics; the sink's own to count in, under whatever names it likes."""

    async def tell(self, news: News) -> None:
        """Takes it within ten seconds; never raises for a receiver that is away."""


def lacking(sink: object) -> str:
    """What one of another author's lacks of it; "" where nothing."""
    kinds = {"name": str, "ceiling": Tlp, "counts": Counter}
    lacks = [name for name, kind in kinds.items() if not isinstance(getattr(sink, name, None), kind)]
    return ", ".join(lacks if callable(getattr(sink, "tell", None)) else [*lacks, "tell"])


@runtime_checkable
class Delivering(Sink, Protocol):
    """A sink with a task of its own, which runs as long as the node does; without it, `tell` delivers by itself."""

    async def run(self) -> None: ...


Acknowledged = Callable[[str, int], bool]
"""(`News.about`, or its text where that is ""; since when, ms) → whether a person has taken it up since."""


Countersign = Callable[[NetworkId, Entry[Attestation]], bytes]
"""An own attestation that is about to be sealed → its `evm_sig`. Pure and quick: it is part of sealing."""


@dataclass(frozen=True)
class Instances:
    """What the configuration named, built by the catalog."""

    sensors: tuple[Sensor, ...] = ()
    verifiers: tuple[Verifier, ...] = ()
    readers: dict[str, ExposureReader] = field(default_factory=dict)
    levers: dict[str, Lever] = field(default_factory=dict)
    sinks: tuple[Sink, ...] = ()
    probes: dict[str, Callable[[], Awaitable[str]]] = field(default_factory=dict)
    """Connection id → asks it now: "" where it is well, else what is wrong."""
    countersign: Countersign | None = None
    """For the one registry that this node's words are for."""
    closers: tuple[Callable[[], Awaitable[None]], ...] = ()
    """Awaited once when the node ends: connections and the like."""
