"""Counting ballots: a pure function of those at hand, whatever order they came in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from governance.ballots import SealedBallot, Vote
from governance.proposals import Proposal
from governance.rules import counts, needed
from protocol.ids import GroupName, MemberName
from protocol.membership import Epoch


@dataclass(frozen=True)
class Arrived:
    """A proven ballot, and when this node first held it."""

    sealed: SealedBallot
    at_ms: int


Box = Mapping[MemberName, Mapping[int, Arrived]]
"""Each member's ballots on one proposal, by number."""


def passing(epoch: Epoch, proposal: Proposal, box: Box) -> tuple[SealedBallot, ...] | None:
    """The yes ballots by which it passed, one of each group, or None.

    It passed at the first moment, by the voters' clocks and while it was open, at which the groups' ballots then latest
    held the quorum. What replaces a ballot after that moment changes nothing; a voter's clock never runs back from one
    ballot to the next.
    """
    need = needed(epoch, proposal)
    if not need:
        return ()
    latest: dict[MemberName, SealedBallot] = {}
    by_moment: dict[int, list[SealedBallot]] = {}
    for at_ms, sealed in _timeline(epoch, proposal, box):
        by_moment.setdefault(at_ms, []).append(sealed)
    for at_ms in sorted(by_moment):
        for sealed in by_moment[at_ms]:
            latest[sealed.ballot.member] = sealed
        chosen = _yes_of_groups(epoch, latest.values())
        if len(chosen) >= need:
            return tuple(chosen[group] for group in sorted(chosen))
    return None


def any_passing(epoch: Epoch, proposal: Proposal, box: Box) -> tuple[SealedBallot, ...] | None:
    """Any yes ballots of enough groups, replaced or not, the shortest of each: what is shown for a decided value where
    this node's own count differs. Whoever decided it counted."""
    yes = [one for _, one in _timeline(epoch, proposal, box) if one.ballot.vote is Vote.YES]
    by_group: dict[GroupName, SealedBallot] = {}
    for one in sorted(yes, key=lambda sealed: (len(sealed.raw), sealed.hash), reverse=True):
        by_group[epoch.group_of(one.ballot.member)] = one
    if len(by_group) < needed(epoch, proposal):
        return None
    return tuple(by_group[group] for group in sorted(by_group))


def _timeline(epoch: Epoch, proposal: Proposal, box: Box) -> list[tuple[int, SealedBallot]]:
    """Those that count, each voter's in the order of their numbers, with their moments."""
    rows: list[tuple[int, SealedBallot]] = []
    for member, held in box.items():
        if not counts(epoch, proposal, member):
            continue
        at_ms = 0
        for number in sorted(held):
            at_ms = max(at_ms, held[number].sealed.ballot.cast_ms)
            if at_ms <= proposal.closes_ms:
                rows.append((at_ms, held[number].sealed))
    return rows


def _yes_of_groups(epoch: Epoch, latest: Iterable[SealedBallot]) -> dict[GroupName, SealedBallot]:
    """Group → its shortest yes: only where none of its ballots is no."""
    said: dict[GroupName, SealedBallot] = {}
    against: set[GroupName] = set()
    for one in latest:
        group = epoch.group_of(one.ballot.member)
        if one.ballot.vote is Vote.NO:
            against.add(group)
        elif group not in said or (len(one.raw), one.hash) < (len(said[group].raw), said[group].hash):
            said[group] = one
    return {group: one for group, one in said.items() if group not in against}


def latest_of(held: Mapping[int, Arrived], until_ms: int) -> Arrived | None:
    """The ballot of the highest number that was held by then."""
    return max(
        (one for one in held.values() if one.at_ms <= until_ms),
        key=lambda one: one.sealed.ballot.ballot_no,
        default=None,
    )


@dataclass(frozen=True)
class Count:
    """Groups whose latest ballots, held by some moment, are yes, are no, or are not there."""

    yes: tuple[GroupName, ...]
    no: tuple[GroupName, ...]
    missing: tuple[GroupName, ...]


def count(epoch: Epoch, proposal: Proposal, box: Box, until_ms: int) -> Count:
    said: dict[GroupName, bool] = {}
    can: set[GroupName] = set()
    for seat in epoch.members:
        if not counts(epoch, proposal, seat.name):
            continue
        can.add(seat.group)
        one = latest_of(box.get(seat.name, {}), until_ms)
        if one is not None:
            said[seat.group] = said.get(seat.group, True) and one.sealed.ballot.vote is Vote.YES
    return Count(
        tuple(sorted(group for group, yes in said.items() if yes)),
        tuple(sorted(group for group, yes in said.items() if not yes)),
        tuple(sorted(can - said.keys())),
    )


def is_vetoed(epoch: Epoch, against: Sequence[GroupName]) -> bool:
    """More than a third of the groups: f liars alone stop nothing."""
    return 3 * len(against) > epoch.n
