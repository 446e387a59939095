"""What members said while an incident was played, and how a network of other members would have said it.

A recording has seats and not members: who speaks first, who answers, when and of what. Here its seats are given to a
network's members, so that a change is counted on incidents that this network has not had.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from governance.simulated import Difference, Said, compared, spans
from protocol.errors import Code, ProtocolError
from protocol.ids import MemberName, SourceId
from protocol.limits import MEMBERS_MAX
from protocol.membership import Epoch
from protocol.messages import Basis, Level
from protocol.release import Topic
from protocol.subjects import from_text

RECORDING_BYTES_MAX = 256 * 1024
ROWS_MAX = 2_000
AFTER_MS_MAX = 86_400_000
_THREATS_MAX = 255


@dataclass(frozen=True)
class Word:
    """`seat`: 0 for who spoke first of all. NONE withdraws."""

    seat: int
    topic: Topic
    level: Level
    basis: Basis
    after_ms: int


@dataclass(frozen=True)
class Recording:
    pack: str
    seats: int
    words: tuple[Word, ...]


def parse_recording(text: str) -> Recording:
    """ProtocolError."""
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        raise _fault("it is no JSON") from None
    if not isinstance(told, dict) or told.get("opinions") != 1:
        raise _fault("it is no recording that this version knows")
    pack, seats, rows = told.get("pack"), told.get("seats"), told.get("rows")
    if not isinstance(pack, str) or not 0 < len(pack) <= 64 or not pack.isprintable():
        raise _fault("it names no pack")
    if not isinstance(rows, list) or len(rows) > ROWS_MAX:
        raise _fault(f"it has no list of at most {ROWS_MAX} rows")
    return Recording(pack, (count := _number(seats, 1, MEMBERS_MAX)), tuple(_word(row, count) for row in rows))


def _word(row: Any, seats: int) -> Word:
    if not isinstance(row, list) or len(row) != 6:
        raise _fault("a row is [seat, ms after the first word, subject, threat, level, basis]")
    seat, after_ms, subject, threat, level, basis = row
    texts = all(isinstance(one, str) for one in (subject, level, basis))
    if not texts or level not in Level.__members__ or basis not in Basis.__members__:
        raise _fault("a row names no subject, level or basis that this version knows")
    topic = (from_text(subject), _number(threat, 0, _THREATS_MAX))
    return Word(_number(seat, 0, seats - 1), topic, Level[level], Basis[basis], _number(after_ms, 0, AFTER_MS_MAX))


def _number(value: Any, least: int, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise _fault(f"a number in it is not from {least} to {most}")
    return value


def _fault(what: str) -> ProtocolError:
    return ProtocolError(Code.BAD_SHAPE, what)


def played(
    recording: Recording, before: Epoch, after: Epoch, sources: Mapping[MemberName, Sequence[SourceId]], start_ms: int
) -> list[Said]:
    """The recording's words by the members of both epochs, in full leases. Who is in both has the same seat in both;
    who comes with `after` follows them. A network larger than the recording has several members in one seat."""
    names = sorted(before.by_name) + sorted(set(after.by_name) - set(before.by_name))
    said: list[Said] = []
    for number, name in enumerate(names):
        seat = _seat(number, len(before.by_name), recording.seats)
        for word in recording.words:
            if word.seat == seat:
                issued_ms = start_ms + word.after_ms
                ends_ms = issued_ms + max(one.lease_bound_ms(word.level) for one in (before, after))
                own = tuple(sources.get(name, ()))
                said.append(Said(name, word.topic, word.level, issued_ms, ends_ms, word.basis, own))
    return said


def _seat(number: int, members: int, seats: int) -> int:
    """The first to speak is always played; a smaller network has seats from all of the order."""
    return number * seats // members if members < seats and number < members else number % seats


@dataclass(frozen=True)
class Replayed:
    """`formed`: certificates under the epoch before. `silent`: (f before, f after) groups, those that spoke first, say
    nothing; (0, 0) where all speak."""

    pack: str
    silent: tuple[int, int]
    formed: int
    differences: tuple[Difference, ...]


def replayed(
    recording: Recording, before: Epoch, after: Epoch, sources: Mapping[MemberName, Sequence[SourceId]], start_ms: int
) -> tuple[Replayed, Replayed]:
    """With everybody, and with as many silent as either epoch bears."""
    said = played(recording, before, after, sources, start_ms)
    weak, weak_after = _without_first(said, before), _without_first(said, after)
    return (
        Replayed(recording.pack, (0, 0), _formed(said, before), compared(said, before, said, after)),
        Replayed(recording.pack, (before.f, after.f), _formed(weak, before), compared(weak, before, weak_after, after)),
    )


def _formed(said: Sequence[Said], epoch: Epoch) -> int:
    topics = {one.topic for one in said}
    return sum(
        len(found) for topic in topics for found in spans([one for one in said if one.topic == topic], epoch).values()
    )


def _without_first(said: Sequence[Said], epoch: Epoch) -> list[Said]:
    """f groups fewer: those whose first word came first."""
    seated = [one for one in said if one.member in epoch.by_name]
    first = sorted(seated, key=lambda one: (one.issued_ms, one.member))
    groups = list(dict.fromkeys(epoch.group_of(one.member) for one in first))[: epoch.f]
    return [one for one in seated if epoch.group_of(one.member) not in groups]
