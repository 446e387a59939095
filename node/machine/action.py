"""One restriction of one lever: its phases and what is kept of it."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from adapters.api import LeverOrder
from protocol.ids import ActionKey
from protocol.messages import Level
from protocol.release import ClaimName
from protocol.subjects import Subject


class Phase(enum.Enum):
    """An action's life. `lands` says what each step leads to; nothing else moves it."""

    ASKED = "asked"
    ARMED = "armed"
    ORDERED = "ordered"
    PLANNED = "planned"
    SIMULATED = "simulated"
    SENDING = "sending"
    SENT = "sent"
    EFFECTIVE = "effective"
    ESCALATED = "escalated"
    LIFTING = "lifting"
    LAPSED = "lapsed"
    LIFTED = "lifted"
    REFUSED = "refused"


@dataclass
class Watch:
    """Of what stands: when it is looked at next, and what the last looks said. Not recorded."""

    at_ms: int = 0
    running: bool = False
    looks: int = 0
    missing: int = 0
    """Looks in a row that did not find it."""
    unknown: int = 0
    """Looks in a row without an answer."""
    until_ms: int = 0
    """The end that the target named at the last look that found it; 0 before."""


STEPS_MAX = 256
ENDED = frozenset({Phase.LAPSED, Phase.LIFTED, Phase.REFUSED})
ON_TARGET = frozenset({Phase.SENDING, Phase.SENT, Phase.EFFECTIVE, Phase.ESCALATED, Phase.LIFTING})
"""The target may stand restricted."""


@dataclass
class Action:
    """One restriction of one lever, from its opening to its end."""

    key: ActionKey
    lever: str
    instance: str
    subject: Subject
    threat: int
    rung: Level
    lease_ms: int
    until_ms: int
    rule: str
    why: str
    claims: frozenset[ClaimName]
    certificate: bytes
    phase: Phase
    armed_only: bool
    opened_ms: int
    steps: list[tuple[int, str, str, str]] = field(default_factory=list)
    """(at_ms, phase, says, reference)"""
    rests_ms: int = 0
    """When the newest word that it rests on was first issued: a release at or after it lifts the restriction."""
    ended_ms: int = 0
    read_until_ms: int = 0
    """The end that the target named when it was last read back; 0 where it names none."""
    attempts: int = 0
    retry_at_ms: int = 0
    running: str = ""
    """The step the shell is at, "" for none: at most one at a time."""
    reported: str = ""
    counted_until_ms: int = -1
    """The `until_ms` that `ends_mono_ms` was counted for; neither is recorded."""
    ends_mono_ms: int = 0
    watch: Watch = field(default_factory=Watch)

    def note(self, at_ms: int, phase: str, says: str, reference: str = "") -> None:
        """The journal that people read; the store has all of it."""
        if len(self.steps) < STEPS_MAX:
            self.steps.append((at_ms, phase, says, reference))

    def sent_ms(self) -> int | None:
        """When it was first sent to its target."""
        return next((at_ms for at_ms, phase, _, _ in self.steps if phase == Phase.SENDING.value), None)

    def order(self) -> LeverOrder:
        return LeverOrder(self.key, self.lever, self.subject, self.rung, self.until_ms, by_human=False)
