"""Who did what in an exercise, and when: read off the words that one node of the drill network heard. Pure.

Four points: verified (ran the claim again and said so), decided, planned (planned and simulated at its targets; or it
decided to move nothing), acknowledged (a person said so).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from node.drill.exercise import CLAIM_TYPE
from node.drill.mark import WORD

Happening = Mapping[str, Any]
ACK = "ack"
NOTHING = "moves nothing"
LABEL_CHARS = 64
POINTS_MAX = 4
_OVER = ("lapsed", "lifted", "refused")


@dataclass(frozen=True)
class Row:
    """Times in ms since the exercise's first word; None: not heard of."""

    member: str
    verified_ms: int | None = None
    decided: str = ""
    planned_ms: int | None = None
    acknowledged_ms: int | None = None

    @property
    def planned(self) -> bool:
        return self.planned_ms is not None or self.decided == NOTHING

    @property
    def points(self) -> int:
        done = (self.verified_ms is not None, bool(self.decided), self.planned, self.acknowledged_ms is not None)
        return sum(done)


@dataclass(frozen=True)
class Score:
    claim: str
    subject: str
    threat: str
    level: str
    begun_by: str
    begun_ms: int
    rows: tuple[Row, ...]

    @property
    def points(self) -> int:
        return sum(one.points for one in self.rows)


def exercises(events: Iterable[Happening]) -> list[Happening]:
    """The first word of each, in the order of their times."""
    first: dict[str, Happening] = {}
    for one in sorted(filter(_is_exercise, events), key=lambda one: one["issued_ms"]):
        first.setdefault(claim_named(one), one)
    return list(first.values())


def claim_named(word: Happening) -> str:
    """By which exercise a word of one is known: the first half dozen bytes of the claim's id, as happenings have it."""
    return str(word["claims"][word["claim_types"].index(CLAIM_TYPE)])


def _is_exercise(one: Happening) -> bool:
    return one.get("kind") == "attestation" and CLAIM_TYPE in one["claim_types"]


def score(events: Sequence[Happening], first: Happening, members: Sequence[str]) -> Score:
    """`first`: one of `exercises`. What was said after the next one began on the same topic is the next one's."""
    claim = claim_named(first)
    begun_ms = first["issued_ms"]
    later = [one["issued_ms"] for one in exercises(events) if one["issued_ms"] > begun_ms]
    ends_ms = min(later, default=1 << 62)
    mine = [one for one in events if begun_ms <= one.get("issued_ms", 0) < ends_ms]
    rows = tuple(_row(name, [one for one in mine if one.get("author") == name], claim, begun_ms) for name in members)
    return Score(claim, first["subject"], first["threat"], first["level"], first["author"], begun_ms, rows)


def _row(name: str, said: Sequence[Happening], claim: str, begun_ms: int) -> Row:
    words = [one for one in said if _is_exercise(one) and claim in one["claims"]]
    verified = [one["issued_ms"] for one in words if one["basis"] == "VERIFIED"]
    acks = [one for one in words if one["by_person"] and one["incident"].startswith(f"{ACK} {claim}: ")]
    reports = [one for one in said if one["kind"] == "actionreport" and one["effect"].startswith(WORD)]
    planned = [one["issued_ms"] for one in reports if one["phase"] == "effective"]
    decided = acks[-1]["incident"].partition(": ")[2] if acks else "acts" if planned else ""
    return Row(name, _since(verified, begun_ms), decided, _since(planned, begun_ms), _since(_times(acks), begun_ms))


def _times(words: Iterable[Happening]) -> list[int]:
    return [one["issued_ms"] for one in words]


def _since(times_ms: Iterable[int], begun_ms: int) -> int | None:
    first = min(times_ms, default=None)
    return None if first is None else first - begun_ms


def label(claim: str, actions: Iterable[Mapping[str, Any]], subject: str) -> str:
    """What an acknowledgement says of this member's own decision, for a label of a word in the drill network."""
    mine = [one for one in actions if one["subject"] == subject and one["phase"] not in _OVER]
    asked = sum(one["phase"] == "asked" for one in mine)
    failed = sum(one["phase"] == "escalated" for one in mine)
    told = [f"acts {len(mine) - asked}"] if len(mine) > asked else []
    told += [f"asks {asked}"] if asked else []
    told += [f"{failed} would not move"] if failed else []
    return f"{ACK} {claim}: {', '.join(told) or NOTHING}"[:LABEL_CHARS]


def as_json(one: Score) -> dict[str, Any]:
    rows = [
        {
            "member": row.member,
            "verified_ms": row.verified_ms,
            "decided": row.decided or None,
            "planned": row.planned,
            "planned_ms": row.planned_ms,
            "acknowledged_ms": row.acknowledged_ms,
            "points": row.points,
        }
        for row in one.rows
    ]
    return {
        "exercise": one.claim,
        "subject": one.subject,
        "threat": one.threat,
        "level": one.level,
        "begun_by": one.begun_by,
        "begun_ms": one.begun_ms,
        "points": one.points,
        "of": POINTS_MAX * len(one.rows),
        "members": rows,
    }
