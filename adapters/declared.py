"""What only an owner knows of a lever and says in `[target.NAME]`: what it closes, whether people are locked in."""

from __future__ import annotations

from dataclasses import dataclass

from adapters.api import ExpiresBy, LeverDeclaration, LeverOrder
from adapters.section import Section
from protocol.messages import Level

MAX_MS = 24 * 3_600_000
"""The longest restriction that a configuration may ask for."""
SLACK_MS = 120_000
"""Between the clock that made an order and ours."""
COOLDOWN_MS_MAX = 30 * 86_400_000
RUNGS = [level.name for level in (Level.GUARD, Level.ISOLATE, Level.HALT)]


@dataclass(frozen=True)
class Owned:
    rung: Level
    closes: tuple[str, ...]
    blocks_exit: bool
    max_ms: int
    cooldown_ms: int

    def declare(self, call: str, what: str, *, expires_by: ExpiresBy, reversible: bool = True) -> LeverDeclaration:
        """`what`: how it closes, in words."""
        exits = "nobody gets out that way either" if self.blocks_exit else "ways out stay open"
        says = f"{what}, which closes {', '.join(self.closes)} (as its owner says); {exits}"
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


def owned(keys: Section) -> Owned | None:
    """rung, closes, blocks_exit (true where it is not said), max, cooldown; None where a fault stands."""
    rung, closes = keys.word("rung", RUNGS), keys.names("closes")
    blocks_exit = keys.flag("blocks_exit", True)
    max_ms, cooldown_ms = keys.duration("max", MAX_MS), keys.duration("cooldown", COOLDOWN_MS_MAX)
    if rung is None or not closes or max_ms is None or cooldown_ms is None:
        return None
    return Owned(Level[rung], closes, blocks_exit, max_ms, cooldown_ms)


def refused(order: LeverOrder, declared: LeverDeclaration, now_ms: int) -> str:
    """Why an order is not taken at all, "" where it is: a process may have been stopped since it was decided."""
    if order.until_ms <= now_ms:
        return "its end has come already"
    longest_ms = now_ms + declared.max_ms + SLACK_MS
    if order.until_ms > longest_ms:
        asked_ms = min(order.until_ms, 1 << 63)
        return f"asked until {asked_ms} ms, and {declared.call} goes no further than {longest_ms}: shorten it"
    return ""
