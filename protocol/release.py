"""Release points: what a quorum of groups says no longer holds. Starting is cheaper than ending."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field

from protocol.ids import GroupName, MemberName
from protocol.membership import Epoch
from protocol.messages import Attestation, Claim, Release
from protocol.subjects import Subject

Topic = tuple[Subject, int]
"""(subject, threat)"""
ClaimName = tuple[str, bytes]
"""(type, id): the same claim whatever bytes told it."""


def claim_names(claims: Iterable[Claim]) -> frozenset[ClaimName]:
    return frozenset((claim.type, claim.id) for claim in claims)


@dataclass
class Releases:
    """All Releases seen, per topic: each member's furthest, the claims each member released, the point reached."""

    latest: dict[Topic, dict[MemberName, int]] = field(default_factory=dict)
    claims: dict[Topic, dict[ClaimName, set[MemberName]]] = field(default_factory=dict)
    points: dict[Topic, int] = field(default_factory=dict)
    spent: dict[Topic, set[ClaimName]] = field(default_factory=dict)
    """Claims that a quorum has released: like a point, never unsaid."""

    def add(self, author: MemberName, release: Release, epoch: Epoch) -> None:
        """A Release counts as of the epoch in force; a point once reached never falls."""
        topic = (release.subject, release.threat)
        by_member = self.latest.setdefault(topic, {})
        by_member[author] = max(release.through_ms, by_member.get(author, 0))
        for name in claim_names(release.claims):
            told = self.claims.setdefault(topic, {}).setdefault(name, set())
            told.add(author)
            if _groups_of(told, epoch) >= epoch.q:
                self.spent.setdefault(topic, set()).add(name)
        self.points[topic] = max(self.points.get(topic, 0), _point(by_member, epoch))

    def point_ms(self, topic: Topic) -> int:
        """Opinions first issued at or before this never count again; 0 where nothing is released."""
        return self.points.get(topic, 0)

    def covers(self, attestation: Attestation, epoch: Epoch) -> bool:
        """True where this opinion never counts again: by its time, or because all it claims was released by Q."""
        topic = (attestation.subject, attestation.threat)
        if topic not in self.latest:
            return attestation.since_ms <= 0
        if attestation.since_ms <= self.point_ms(topic):
            return True
        return self.covers_claims(topic, claim_names(attestation.claims), epoch)

    def covers_claims(self, topic: Topic, names: Iterable[ClaimName], epoch: Epoch) -> bool:
        if topic not in self.latest:
            return False
        told, spent = self.claims.get(topic, {}), self.spent.get(topic, set())
        wanted = tuple(names)
        return bool(wanted) and all(
            name in spent or _groups_of(told.get(name, set()), epoch) >= epoch.q for name in wanted
        )


def _groups_of(members: Set[MemberName], epoch: Epoch) -> int:
    """Groups all of whose unsuspended members are among these: ending takes the whole group, like the point."""
    seats = [member for member in epoch.members if not member.suspended]
    missing = {member.group for member in seats if member.name not in members}
    return len({member.group for member in seats} - missing)


def _point(by_member: Mapping[MemberName, int], epoch: Epoch) -> int:
    """The Q-th greatest over groups; a group's is the least of its unsuspended members' latest."""
    by_group: dict[GroupName, int] = {}
    for member in epoch.members:
        if not member.suspended:
            said = by_member.get(member.name, 0)
            by_group[member.group] = min(said, by_group.get(member.group, said))
    ranked = sorted(by_group.values(), reverse=True)
    return ranked[epoch.q - 1] if len(ranked) >= epoch.q else 0
