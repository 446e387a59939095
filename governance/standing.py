"""Where a proposal stands, for people and for the node: who voted how, what is missing, when it passes."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from governance.ballots import Ballot
from governance.changes import term_ends_ms
from governance.proposals import SealedProposal
from governance.tally import Count
from protocol.ids import MemberName
from protocol.membership import Epoch


class State(enum.Enum):
    OPEN = "open"
    FAILED = "failed"
    WAITING = "waiting"
    """Passed; its delay runs, and vetoes count."""
    VETOED = "vetoed"
    INCIDENT = "incident"
    """Due, but it loosens and an alarm stands."""
    KEY = "key"
    """Due, but who is reinstated still uses the key that was proven."""
    READY = "ready"
    IMPOSSIBLE = "impossible"
    """A rule of the present epoch excludes it; another epoch's may not."""
    OVER = "over"


@dataclass(frozen=True)
class Standing:
    """`ballots`: each member's latest, conflicts of interest too; `due_ms`: when its delay ends, None before it passed
    here; `needed` 0 where it takes no ballots."""

    sealed: SealedProposal
    state: State
    why: str
    needed: int
    count: Count
    ballots: tuple[Ballot, ...]
    loosens: bool
    delay_ms: int
    passed_ms: int | None
    due_ms: int | None
    ends_ms: int


@dataclass(frozen=True)
class Flag:
    """What shows about a seat. Ballots decide what comes of it."""

    member: MemberName
    what: str
    """`silent` or `term-over`"""
    since_ms: int


def flags(epoch: Epoch, heard_ms: Mapping[MemberName, int], now_ms: int) -> tuple[Flag, ...]:
    """Seats without a Heartbeat for the charter's silence, and those whose term is over. `heard_ms`: the last Heartbeat
    of each; who was never heard is silent from the epoch's beginning on."""
    found: list[Flag] = []
    for seat in epoch.members:
        last_ms = heard_ms.get(seat.name, max(epoch.activates_ms, seat.seated_ms))
        if now_ms > last_ms + epoch.silence_ms:
            found.append(Flag(seat.name, "silent", last_ms))
        ends_ms = term_ends_ms(epoch, seat)
        if ends_ms and now_ms > ends_ms:
            found.append(Flag(seat.name, "term-over", ends_ms))
    return tuple(found)
