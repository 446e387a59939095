"""What a lever is declared to do: by its row, or, where only its owner knows what it closes, by `[target.NAME]`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from adapters.api import ExpiresBy, LeverDeclaration, LeverOrder
from adapters.section import Section
from protocol.messages import Level

HOUR_MS = 3_600_000
MAX_MS = 24 * HOUR_MS
"""The longest restriction that a configuration may ask for."""
SLACK_MS = 120_000
"""Between the clock that made an order and ours."""
COOLDOWN_MS_MAX = 30 * 86_400_000
RUNGS = (Level.GUARD, Level.ISOLATE, Level.HALT)
ENDS = {
    ExpiresBy.TARGET: "the target itself ends it",
    ExpiresBy.GUARD: "once it is over anybody may end it, and this node does",
    ExpiresBy.NODE: "it ends when this node lifts it",
    ExpiresBy.HUMAN: "people end it",
}


@dataclass(frozen=True)
class Owned:
    rung: Level
    closes: tuple[str, ...]
    blocks_exit: bool
    max_ms: int
    cooldown_ms: int

    def declare(
        self,
        call: str,
        what: str,
        *,
        read: str = "as its owner says",
        expires_by: ExpiresBy = ExpiresBy.NODE,
        ends: str = "",
        reversible: bool = True,
    ) -> LeverDeclaration:
        """`what`: in words, up to the ways that it closes. `read`: whence its owner knows that; `ends`: in other words
        than everybody's."""
        exits = "nobody gets out that way either" if self.blocks_exit else "ways out stay open"
        says = f"{what} {', '.join(self.closes)} ({read}); {exits}; {ends or ENDS[expires_by]}"
        return LeverDeclaration(
            call=call,
            rung=self.rung,
            closes=frozenset(self.closes),
            blocks_exit=self.blocks_exit,
            reversible=reversible,
            expires_by=expires_by,
            max_ms=self.max_ms,
            cooldown_ms=self.cooldown_ms,
            says=says,
        )


def by_node(
    call: str, rung: Level, closes: Iterable[str], hours: int, cool: int, says: str, *, blocks_exit: bool = False
) -> LeverDeclaration:
    """Of a target that keeps no leases and whose sources are known: `hours` at most, again after `cool` hours."""
    return LeverDeclaration(
        call=call,
        rung=rung,
        closes=frozenset(closes),
        blocks_exit=blocks_exit,
        reversible=True,
        expires_by=ExpiresBy.NODE,
        max_ms=hours * HOUR_MS,
        cooldown_ms=cool * HOUR_MS,
        says=says,
    )


def owned(keys: Section, least: Level = Level.GUARD, blocks_exit: bool = True) -> Owned | None:
    """rung (`least` and above), closes, blocks_exit (as given where it is not said), max, cooldown; None where a fault
    stands."""
    rung, closes = keys.word("rung", [level.name for level in RUNGS if level >= least]), keys.names("closes")
    blocks_exit = keys.flag("blocks_exit", blocks_exit)
    max_ms, cooldown_ms = keys.duration("max", MAX_MS), keys.duration("cooldown", COOLDOWN_MS_MAX)
    if rung is None or not closes or max_ms is None or cooldown_ms is None:
        return None
    return Owned(Level[rung], closes, blocks_exit, max_ms, cooldown_ms)


def may_be_lifted(keys: Section) -> bool:
    """`reversible`, where a configuration lists the lift itself: it has one, or says that there is none."""
    reversible = keys.flag("reversible", True)
    if reversible and keys.raw("lift") is None:
        keys.fault(
            "lift", "is missing; write reversible = false where there is no way back: then only people may pull it"
        )
    return reversible


def ends_by(reversible: bool, keeps_end: bool) -> ExpiresBy:
    """`keeps_end`: the target is told when it ends."""
    return ExpiresBy.TARGET if keeps_end else ExpiresBy.NODE if reversible else ExpiresBy.HUMAN


def refused(order: LeverOrder, declared: LeverDeclaration, now_ms: int) -> str:
    """Why an order is not taken at all, "" where it is: a process may have been stopped since it was decided."""
    if order.until_ms <= now_ms:
        return "its end has come already"
    longest_ms = now_ms + declared.max_ms + SLACK_MS
    if order.until_ms > longest_ms:
        asked_ms = min(order.until_ms, 1 << 63)
        return f"asked until {asked_ms} ms, and {declared.call} goes no further than {longest_ms}: shorten it"
    return ""
