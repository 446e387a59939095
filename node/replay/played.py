"""The pure part: words as recorded, counted by the protocol's own rules, decided by the policy's own rules.

Times are ms since the first malicious transaction, or since the first word where nobody knows of that. At every moment
at which anything changes (a word, an end of a level, a hold run out) the policy is asked anew; kept is what it first
said of each lever.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from adapters.api import ExposureReading, LeverDeclaration
from adapters.policy import AlarmView, Decision, Mode, Own, Policy, Situation, Verdict, decide
from governance.simulated import Said, Span, spans
from protocol.membership import COUNTED, Epoch
from protocol.messages import Basis, Level
from protocol.release import Topic
from protocol.subjects import Subject

MOMENTS_MAX = 5_000


@dataclass(frozen=True)
class Formed:
    """A level that the network reached on one topic."""

    topic: Topic
    level: Level
    from_ms: int
    groups: int


@dataclass(frozen=True)
class Answered:
    """What the policy first said of one lever. `at_ms` None: it never got so far as to act, ask or arm; then `decision`
    is the last reason to hold."""

    at_ms: int | None
    decision: Decision


@dataclass(frozen=True)
class Played:
    first_word_ms: int
    own_ms: int | None
    """When this node's own check had its answer."""
    formed: tuple[Formed, ...]
    answers: tuple[Answered, ...]


@dataclass(frozen=True)
class Owner:
    """`hit`: what the incident's subject is in the policy. `own`: what this node's check says once it is done."""

    policy: Policy
    declared: Mapping[str, LeverDeclaration]
    readings: Mapping[str, ExposureReading]
    hit: tuple[Subject, ...]
    own: Own = Own.VERIFIED


def unleashed(policy: Policy) -> Policy:
    """A policy that only observes is played as if it acted: the question is what it would do. `ask` stays `ask`."""
    levers = {
        name: dataclasses.replace(one, mode=Mode.ACT if one.mode is Mode.OBSERVE else one.mode)
        for name, one in policy.levers.items()
    }
    return dataclasses.replace(policy, mode=Mode.ACT if policy.mode is Mode.OBSERVE else policy.mode, levers=levers)


def play(said: Sequence[Said], epoch: Epoch, owner: Owner) -> Played:
    """`said`: the members' words, in ms since the first malicious transaction. ValueError where there are too many."""
    lives = [_Life(topic, [one for one in said if one.topic == topic], epoch) for topic in _topics(said)]
    policy = unleashed(owner.policy)
    moments = _moments(lives, policy)
    if len(moments) > MOMENTS_MAX:
        raise ValueError(f"over {MOMENTS_MAX} moments; a shorter recording is needed")
    first: dict[str, Answered] = {}
    for now_ms in moments:
        for one in decide(policy, _situation(owner, epoch, lives, now_ms)):
            if one.lever is not None and _is_news(first.get(one.lever), one):
                moved = one.verdict in (Verdict.ACT, Verdict.ASK, Verdict.ARM)
                first[one.lever] = Answered(now_ms if moved else None, one)
    formed = [one for life in lives for one in life.formed()]
    own = [life.own_ms for life in lives if life.own_ms is not None]
    return Played(
        min((life.first_ms for life in lives), default=0),
        min(own, default=None) if owner.own is not Own.NONE else None,
        tuple(sorted(formed, key=lambda one: (one.from_ms, one.level))),
        tuple(sorted(first.values(), key=lambda one: (one.at_ms is None, one.at_ms or 0, one.decision.lever or ""))),
    )


def _is_news(before: Answered | None, now: Decision) -> bool:
    """An act replaces whatever came before it; what was done first stays; of reasons to hold the last is told."""
    if before is None or before.at_ms is None:
        return True
    return now.verdict is Verdict.ACT and before.decision.verdict is not Verdict.ACT


def _topics(said: Sequence[Said]) -> list[Topic]:
    return sorted({one.topic for one in said}, key=lambda topic: (topic[0].raw, topic[1]))


def _moments(lives: Sequence[_Life], policy: Policy) -> list[int]:
    turns = {at_ms for life in lives for at_ms in life.turns()}
    holds = {rule.hold_ms for rule in policy.rules}
    return sorted(turns | {life.first_ms + hold for life in lives for hold in holds})


def _situation(owner: Owner, epoch: Epoch, lives: Sequence[_Life], now_ms: int) -> Situation:
    alarms = tuple(life.view(subject, owner.own, now_ms) for life in lives for subject in owner.hit)
    readings = {name: dataclasses.replace(one, at_ms=now_ms) for name, one in owner.readings.items()}
    leases = {level: epoch.lease_bound_ms(level) for level in COUNTED}
    return Situation(now_ms, leases, alarms, readings, epoch.only_informs, levers=owner.declared)


class _Life:
    """One topic: when each level stood, and who said what when."""

    def __init__(self, topic: Topic, said: Sequence[Said], epoch: Epoch) -> None:
        self._topic, self._said, self._epoch = topic, sorted(said, key=lambda one: one.issued_ms), epoch
        self._spans: dict[Level, list[Span]] = spans(said, epoch)
        self.first_ms = self._said[0].issued_ms
        verified = [one for one in self._said if one.basis is Basis.VERIFIED and one.level >= Level.GUARD]
        slowest = {one.member: one.issued_ms for one in reversed(verified)}
        # nobody knows how quick this node would have been: as the slowest of those who re-ran it
        self.own_ms = max(slowest.values(), default=None)
        self._own_level = max((one.level for one in verified), default=Level.NONE)

    def turns(self) -> set[int]:
        ends = {at_ms for held in self._spans.values() for one in held for at_ms in (one.from_ms, one.until_ms)}
        return ends | {one.issued_ms for one in self._said}

    def formed(self) -> list[Formed]:
        return [
            Formed(self._topic, level, one.from_ms, len(one.groups)) for level in COUNTED for one in self._spans[level]
        ]

    def view(self, subject: Subject, own: Own, now_ms: int) -> AlarmView:
        level, span = self._standing(now_ms)
        carrying = [one for one in self._live(now_ms) if one.level >= max(level, Level.GUARD)]
        verified = [one for one in carrying if one.basis is Basis.VERIFIED]
        known = self._epoch.source_by_id
        operators = {known[one].operator for said in carrying for one in said.sources if one in known}
        checked = own if self.own_ms is not None and now_ms >= self.own_ms else Own.NONE
        supports = self._own_level if checked in (Own.VERIFIED, Own.OBSERVED) else Level.NONE
        return AlarmView(
            subject,
            self._topic[1],
            network_level=level,
            groups=self._groups(carrying),
            groups_verified=self._groups(verified),
            operators=len(operators),
            own=checked,
            own_level=supports,
            since_ms=self.first_ms,
            ends_ms=span.until_ms if span else None,
        )

    def _standing(self, now_ms: int) -> tuple[Level, Span | None]:
        for level in reversed(COUNTED):
            for one in self._spans[level]:
                if one.from_ms <= now_ms < one.until_ms:
                    return level, one
        return Level.NONE, None

    def _live(self, now_ms: int) -> list[Said]:
        """The latest of each member, as far as it has not ended."""
        latest = {one.member: one for one in self._said if one.issued_ms <= now_ms}
        return [one for one in latest.values() if one.expires_ms > now_ms and self._epoch.may_count(one.member)]

    def _groups(self, said: Sequence[Said]) -> int:
        return len({self._epoch.group_of(one.member) for one in said})
