"""What a change would have changed: recorded opinions counted again under another epoch.

Of one topic and level, the spans of time in which the network would have been there, under each of two epochs, and
where they differ. Counting is the protocol's own; people read the answer before they vote.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from protocol.alarm import Opinion, reaches
from protocol.envelope import Entry
from protocol.ids import ZERO_HASH, GroupName, MemberName, SourceId
from protocol.membership import COUNTED, Epoch
from protocol.messages import Attestation, Basis, EntryKind, Level, Tlp
from protocol.release import Topic

ROWS_MAX = 20_000
"""Opinions of one replay: every change of one is a moment that is counted."""


@dataclass(frozen=True)
class Said:
    """One opinion as recorded: who thought what of which topic, from when until when."""

    member: MemberName
    topic: Topic
    level: Level
    issued_ms: int
    expires_ms: int
    basis: Basis = Basis.VERIFIED
    sources: tuple[SourceId, ...] = ()


@dataclass(frozen=True)
class Span:
    """The groups that carried it when it began."""

    from_ms: int
    until_ms: int
    groups: tuple[GroupName, ...]

    def meets(self, other: Span) -> bool:
        return self.from_ms < other.until_ms and other.from_ms < self.until_ms


@dataclass(frozen=True)
class Difference:
    """`before` None: it would form only now. `after` None: it would not have formed. Both: it forms sooner or later."""

    topic: Topic
    level: Level
    before: Span | None
    after: Span | None

    @property
    def later_ms(self) -> int | None:
        """How much later it forms; negative: sooner. None where it forms on one side alone."""
        if self.before is None or self.after is None:
            return None
        return self.after.from_ms - self.before.from_ms


def recorded(opinion: Opinion) -> Said:
    """Of a stored attestation."""
    body = opinion.body
    topic = (body.subject, body.threat)
    issued_ms = opinion.entry.issued_ms
    return Said(opinion.entry.author, topic, body.level, issued_ms, body.expires_ms, body.basis, body.sources)


def differences(said: Iterable[Said], before: Epoch, after: Epoch) -> tuple[Difference, ...]:
    """By topic, level and time. ValueError for over ROWS_MAX rows."""
    rows = list(said)
    return compared(rows, before, rows, after)


def compared(said: Sequence[Said], before: Epoch, then: Sequence[Said], after: Epoch) -> tuple[Difference, ...]:
    """`said` under the one epoch beside `then` under the other."""
    if max(len(said), len(then)) > ROWS_MAX:
        raise ValueError(f"at most {ROWS_MAX} opinions are replayed")
    was_said, will_be_said = _by_topic(said), _by_topic(then)
    found: list[Difference] = []
    for topic in sorted(was_said.keys() | will_be_said.keys(), key=lambda one: (one[0].raw, one[1])):
        was, will = spans(was_said.get(topic, ()), before), spans(will_be_said.get(topic, ()), after)
        for level in COUNTED:
            found.extend(_compared(topic, level, was[level], will[level]))
    return tuple(found)


def _by_topic(said: Iterable[Said]) -> dict[Topic, list[Said]]:
    by_topic: dict[Topic, list[Said]] = {}
    for one in said:
        by_topic.setdefault(one.topic, []).append(one)
    return by_topic


def _compared(topic: Topic, level: Level, was: list[Span], will: list[Span]) -> Iterator[Difference]:
    rows: list[Difference] = []
    for span in was:
        met = next((one for one in will if one.meets(span)), None)
        if met is None or met.from_ms != span.from_ms:
            rows.append(Difference(topic, level, span, met))
    rows.extend(Difference(topic, level, None, one) for one in will if not any(one.meets(span) for span in was))
    yield from sorted(rows, key=lambda row: (row.before or row.after or Span(0, 0, ())).from_ms)


def spans(said: Sequence[Said], epoch: Epoch) -> dict[Level, list[Span]]:
    """Of one topic: when each level would have stood. A member's later opinion replaces its earlier one, NONE withdraws
    it; a lease longer than this epoch allows is taken for as long as it does; whoever has no seat, or a suspended one,
    weighs nothing."""
    seated = [one for one in said if epoch.may_count(one.member)]
    rows = sorted((_Row(one.issued_ms, _ends_ms(one, epoch), _as_opinion(one, epoch)) for one in seated), key=_issued)
    found: dict[Level, list[Span]] = {level: [] for level in COUNTED}
    open_: dict[Level, tuple[int, tuple[GroupName, ...]]] = {}
    latest: dict[MemberName, _Row] = {}
    at = 0
    for now_ms in sorted({row.issued_ms for row in rows} | {row.ends_ms for row in rows}):
        while at < len(rows) and rows[at].issued_ms <= now_ms:
            latest[rows[at].opinion.entry.author] = rows[at]
            at += 1
        live = [row.opinion for row in latest.values() if row.ends_ms > now_ms]
        for level in COUNTED:
            carried = reaches(live, epoch, level)
            if carried is not None and level not in open_:
                open_[level] = (now_ms, tuple(sorted(carried)))
            elif carried is None and level in open_:
                from_ms, groups = open_.pop(level)
                found[level].append(Span(from_ms, now_ms, groups))
    return found


@dataclass(frozen=True)
class _Row:
    issued_ms: int
    ends_ms: int
    opinion: Opinion


def _issued(row: _Row) -> int:
    return row.issued_ms


def _ends_ms(one: Said, epoch: Epoch) -> int:
    return min(one.expires_ms, one.issued_ms + epoch.lease_bound_ms(one.level))


def _as_opinion(one: Said, epoch: Epoch) -> Opinion:
    """A row as counting takes it. Counting reads author and body alone; nothing here is sealed or leaves."""
    body = Attestation(
        epoch=epoch.hash,
        subject=one.topic[0],
        threat=one.topic[1],
        level=one.level,
        basis=one.basis,
        claims=(),
        sources=one.sources,
        detector="",
        incident="",
        since_ms=one.issued_ms,
        expires_ms=one.expires_ms,
        by_person=False,
        tlp=Tlp.GREEN,
    )
    entry = Entry(one.member, 0, 0, ZERO_HASH, one.issued_ms, int(EntryKind.ATTESTATION), body)
    return cast(Opinion, _Unsealed(entry, body))


@dataclass(frozen=True)
class _Unsealed:
    entry: Entry[Attestation]
    body: Attestation
