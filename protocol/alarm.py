"""The alarm: an order statistic over expiring opinions.

The network's level on (subject, threat) is the highest L such that the groups whose live opinion is at least L
reach L's threshold: a pure function of (live opinions, epoch, now). Arrival order cannot matter, equal knowledge
gives equal levels, and there is no leader.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from protocol.envelope import Verified
from protocol.ids import GroupName
from protocol.limits import SKEW_AHEAD_MS_MAX
from protocol.membership import COUNTED, Epoch
from protocol.messages import Attestation, Basis, Level, Threat
from protocol.release import Releases

Opinion = Verified[Attestation]
_THREATS = frozenset(int(threat) for threat in Threat)


def effective_level(attestation: Attestation) -> Level:
    """HEARSAY never counts above WATCH; a threat unknown here never counts."""
    if attestation.threat not in _THREATS:
        return Level.NONE
    if attestation.basis is Basis.HEARSAY:
        return min(attestation.level, Level.WATCH)
    return attestation.level


def lease_fault(opinion: Opinion, epoch: Epoch) -> str:
    """Why the times of this opinion can never count, or ""."""
    body, issued_ms = opinion.body, opinion.entry.issued_ms
    if body.since_ms > issued_ms:
        return "it says to be older than its first issue"
    lease_ms = body.expires_ms - issued_ms
    bound_ms = epoch.lease_bound_ms(body.level)
    if lease_ms > bound_ms:
        return f"its lease of {lease_ms} ms is above the bound of {bound_ms} ms"
    return ""


def is_live(opinion: Opinion, epoch: Epoch, now_ms: int) -> bool:
    """Counts now, as far as time, epoch and seat go."""
    return (
        opinion.body.expires_ms > now_ms
        and epoch.admits(opinion.body.epoch, opinion.entry.issued_ms)
        and epoch.may_count(opinion.entry.author)
        and opinion.entry.issued_ms <= now_ms + SKEW_AHEAD_MS_MAX
        and not lease_fault(opinion, epoch)
    )


def operators_of(opinions: Iterable[Opinion], epoch: Epoch) -> dict[str, frozenset[str]]:
    """scope (chain or service) → operators that these opinions list for it; ids outside the register are nothing."""
    found: dict[str, set[str]] = {}
    for opinion in opinions:
        for source_id in opinion.body.sources:
            source = epoch.source_by_id.get(source_id)
            if source is not None:
                found.setdefault(source.scope, set()).add(source.operator)
    return {scope: frozenset(operators) for scope, operators in found.items()}


def source_rule_holds(by_group: dict[GroupName, list[Opinion]], epoch: Epoch) -> bool:
    """For every operator o at least f + 1 of the groups list, for each scope among their sources, one not of o's.

    With f liars among the signers no single operator then fed all honest ones (S3). A group that lists no
    registered source is no independent eye and does not help.
    """
    everyone: set[str] = set()
    depend: Counter[str] = Counter()
    eyes = 0
    for opinions in by_group.values():
        scopes = operators_of(opinions, epoch).values()
        eyes += bool(scopes)
        everyone.update(*scopes)
        # whom this group rests on in some scope: counted once, for asking each operator about each group is n squared
        depend.update({operator for operators in scopes if len(operators) == 1 for operator in operators})
    return bool(everyone) and all(eyes - depend[operator] >= epoch.f + 1 for operator in everyone)


def _observed_by_one(opinion: Opinion, epoch: Epoch) -> str | None:
    """The operator, where this is OBSERVED through one operator only; "" where through none that is registered:
    nobody can tell such eyes apart, so they count once like one operator's."""
    if opinion.body.basis is not Basis.OBSERVED:
        return None
    operators = set().union(*operators_of([opinion], epoch).values())
    return None if len(operators) > 1 else next(iter(operators), "")


def counted_groups(opinions: Sequence[Opinion], epoch: Epoch, level: Level) -> dict[GroupName, list[Opinion]]:
    """Group → its opinions at or above `level`, each group once. At GUARD, groups that only saw the same operator's
    view count once together: one detector vendor is not everybody's lever."""
    by_group: dict[GroupName, list[Opinion]] = {}
    for opinion in sorted(opinions, key=lambda one: (one.entry.author, one.entry.key_version, one.entry.seq)):
        if effective_level(opinion.body) >= level:
            by_group.setdefault(epoch.group_of(opinion.entry.author), []).append(opinion)
    if level is not Level.GUARD:
        return by_group
    seen_operators: set[str] = set()
    kept: dict[GroupName, list[Opinion]] = {}
    for group, held in by_group.items():
        views = {_observed_by_one(opinion, epoch) for opinion in held}
        only = views.pop() if len(views) == 1 else None
        if only is not None and only in seen_operators:
            continue
        if only is not None:
            seen_operators.add(only)
        kept[group] = held
    return kept


def reaches(opinions: Sequence[Opinion], epoch: Epoch, level: Level) -> dict[GroupName, list[Opinion]] | None:
    """The groups that carry `level`, or None where they do not reach its row of the table."""
    if sum(effective_level(one.body) >= level for one in opinions) < epoch.thresholds[level]:
        return None
    by_group = counted_groups(opinions, epoch, level)
    if len(by_group) < epoch.thresholds[level]:
        return None
    if level >= Level.ISOLATE and not source_rule_holds(by_group, epoch):
        return None
    return by_group


@dataclass(frozen=True)
class Weighing:
    """The network's word on one topic, from what this node holds."""

    level: Level
    groups: dict[GroupName, list[Opinion]]
    """Those that carry the level; at NONE and WATCH those that hold any live opinion."""


def live(opinions: Iterable[Opinion], epoch: Epoch, now_ms: int, releases: Releases) -> list[Opinion]:
    """Those that count now: neither ended nor released."""
    return [one for one in opinions if is_live(one, epoch, now_ms) and not releases.covers(one.body, epoch)]


def weigh(opinions: Iterable[Opinion], epoch: Epoch, now_ms: int, releases: Releases) -> Weighing:
    """`opinions`: the latest of each author on one topic."""
    return weigh_live(live(opinions, epoch, now_ms, releases), epoch)


def weigh_live(opinions: Sequence[Opinion], epoch: Epoch) -> Weighing:
    """`opinions`: those of `live`."""
    highest = max((effective_level(one.body) for one in opinions), default=Level.NONE)
    for level in reversed(COUNTED):
        by_group = reaches(opinions, epoch, level) if level <= highest else None
        if by_group is not None:
            return Weighing(level, by_group)
    watching = counted_groups(opinions, epoch, Level.WATCH)
    return Weighing(Level.WATCH if watching else Level.NONE, watching)
