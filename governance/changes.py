"""What changes make of an epoch: `next_epoch` is a pure function of the parent's state and the value's changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from governance.broken import Rule, RuleError
from governance.charter_toml import SOURCES_MAX
from governance.proposals import (
    Admit,
    Change,
    Proposal,
    Regroup,
    Reinstate,
    Rekey,
    Remove,
    Retune,
    Sources,
    Suspend,
)
from governance.values import Suspect, Value, epoch_hash
from protocol.crypto import is_sound_key
from protocol.errors import ProtocolError
from protocol.ids import Digest, GroupName, MemberName, PublicKey, SourceId
from protocol.limits import MEMBERS_MAX
from protocol.membership import DAY_MS, LEASE_MS_MOST, Epoch, Member, Past, Source, formula_faults
from protocol.messages import Level

DELAY_MS_MAX = 30 * DAY_MS
SEAT_MS_MAX = 3660 * DAY_MS
LEASE_MS_LEAST = 1_000
PAST_MAX = 64
"""Epochs that open proposals may name: more than a chain makes while one is open, unless its delays are none."""
LEFT_MAX = 1024
"""Names of seats that are gone; the oldest are forgotten after some generations of members."""
BY_PROOF = "its feed forked"
BY_BALLOTS = "by ballots"


@dataclass
class _Draft:
    epoch: Epoch
    activates_ms: int
    members: dict[MemberName, Member]
    formulas: dict[Level, str]
    lease_ms: dict[Level, int]
    sources: dict[SourceId, Source]
    durations: dict[str, int]
    gone: list[MemberName] = field(default_factory=list)
    touched: set[GroupName] = field(default_factory=set)
    """Groups whose say changes: at most max(1, f) of them in one epoch."""

    @property
    def number(self) -> int:
        return self.epoch.number + 1

    def seat(self, name: MemberName) -> Member:
        if name not in self.members:
            raise RuleError(Rule.SEAT, f"{name} has no seat")
        return self.members[name]

    def put(self, seat: Member) -> None:
        self.members[seat.name] = seat

    def take_key(self, key: PublicKey) -> None:
        if not is_sound_key(key):
            raise RuleError(Rule.KEY, "the new governance key is no point of the prime-order group")
        for seat in (*self.members.values(), *self.epoch.members):
            if seat.governance_key == key:
                raise RuleError(Rule.KEY, f"the new governance key is that of {seat.name}")


def next_epoch(epoch: Epoch, value: Value, proposals: Mapping[Digest, Proposal]) -> Epoch:
    """The epoch that `value` makes of `epoch`, its parent; RuleError where the changes are impossible together.

    Proofs first, then proposals in the order of their hashes. `proposals` holds every one that the value names.
    """
    draft = _Draft(
        epoch,
        value.activates_ms,
        dict(epoch.by_name),
        dict(epoch.formulas),
        {level: epoch.lease_bound_ms(level) for level in LEASE_MS_MOST},
        dict(epoch.source_by_id),
        {name: getattr(epoch, name) for name in _DURATIONS},
    )
    for suspect in value.proofs:
        _convict(draft, suspect)
    for hash_ in value.proposals:
        _apply(draft, proposals[hash_].change)
    _check(draft)
    ended = Past(epoch.hash, epoch.number, epoch.q, epoch.activates_ms, epoch.made_of)
    return replace(
        epoch,
        number=draft.number,
        hash=epoch_hash(epoch.network, value),
        activates_ms=value.activates_ms,
        members=tuple(sorted(draft.members.values(), key=lambda one: one.name)),
        formulas=draft.formulas,
        lease_ms=draft.lease_ms,
        sources=tuple(sorted(draft.sources.values(), key=lambda one: one.id)),
        parent=epoch.hash,
        past=(ended, *epoch.past)[:PAST_MAX],
        made_of=value.proposals,
        left=(*draft.gone, *epoch.left)[:LEFT_MAX],
        change_delay_ms=draft.durations["change_delay_ms"],
        loosen_delay_ms=draft.durations["loosen_delay_ms"],
        seat_term_ms=draft.durations["seat_term_ms"],
        silence_ms=draft.durations["silence_ms"],
    )


_DURATIONS = {
    "change_delay_ms": (0, DELAY_MS_MAX),
    "loosen_delay_ms": (0, DELAY_MS_MAX),
    "seat_term_ms": (1, SEAT_MS_MAX),
    "silence_ms": (1, SEAT_MS_MAX),
}


def _convict(draft: _Draft, suspect: Suspect) -> None:
    seat = draft.seat(suspect.member)
    if seat.suspended or suspect.key_version <= seat.proven:
        raise RuleError(Rule.CHANGES, f"{seat.name} is suspended already, or was for that key")
    draft.put(replace(seat, suspended=True, why=BY_PROOF, proven=suspect.key_version))
    draft.touched.add(seat.group)


def _apply(draft: _Draft, change: Change) -> None:
    match change:
        case Admit():
            _admit(draft, change)
        case Remove():
            _remove(draft, change)
        case Regroup():
            _regroup(draft, change)
        case Rekey():
            draft.take_key(change.key)
            seat = draft.seat(change.member)
            draft.put(replace(seat, governance_key=change.key, keyed_ms=draft.activates_ms))
            draft.touched.add(seat.group)
        case Retune():
            _retune(draft, change)
        case Sources():
            _register(draft, change)
        case Suspend():
            _suspend(draft, change)
        case Reinstate():
            _reinstate(draft, change)


def _admit(draft: _Draft, change: Admit) -> None:
    if change.member in draft.members or change.member in draft.epoch.by_name or change.member in draft.epoch.left:
        raise RuleError(Rule.NAME, f"{change.member} is, or was, the name of a seat: its feeds stay its first owner's")
    draft.take_key(change.key)
    if len(draft.members) >= MEMBERS_MAX:
        raise RuleError(Rule.ROOM, f"a network has at most {MEMBERS_MAX} seats")
    at_ms = draft.activates_ms
    draft.put(Member(change.member, change.group, change.key, False, draft.number, at_ms, at_ms))
    draft.touched.add(change.group)


def _remove(draft: _Draft, change: Remove) -> None:
    seat = draft.seat(change.member)
    if len(draft.members) == 1:
        raise RuleError(Rule.SOMEBODY, f"{seat.name} is the last seat")
    del draft.members[seat.name]
    draft.gone.insert(0, seat.name)
    draft.touched.add(seat.group)


def _regroup(draft: _Draft, change: Regroup) -> None:
    if len(set(change.members)) != len(change.members):
        raise RuleError(Rule.CHANGES, "a seat is moved twice")
    for name in change.members:
        seat = draft.seat(name)
        if seat.group == change.group:
            raise RuleError(Rule.CHANGES, f"{name} sits in {change.group} already")
        draft.touched.add(seat.group)
        draft.put(replace(seat, group=change.group, since=draft.number))


def _retune(draft: _Draft, change: Retune) -> None:
    formulas = {Level.GUARD: change.guard, Level.ISOLATE: change.isolate, Level.HALT: change.halt}
    leases = {
        Level.GUARD: change.lease_guard_ms,
        Level.ISOLATE: change.lease_isolate_ms,
        Level.HALT: change.lease_halt_ms,
    }
    before = (dict(draft.formulas), dict(draft.lease_ms), dict(draft.durations))
    draft.formulas |= {level: text for level, text in formulas.items() if text is not None}
    for level, lease_ms in leases.items():
        if lease_ms is None:
            continue
        if not LEASE_MS_LEAST <= lease_ms <= LEASE_MS_MOST[level]:
            raise RuleError(Rule.LEASES, f"a lease of {level.name} is 1 s to {LEASE_MS_MOST[level]} ms")
        draft.lease_ms[level] = lease_ms
    for name, (least, most) in _DURATIONS.items():
        value = getattr(change, name)
        if value is None:
            continue
        if not least <= value <= most:
            raise RuleError(Rule.DURATIONS, f"{name} is {least} to {most}")
        draft.durations[name] = value
    if before == (draft.formulas, draft.lease_ms, draft.durations):
        raise RuleError(Rule.CHANGES, "every parameter stays as it is")


def _register(draft: _Draft, change: Sources) -> None:
    named = [row.id for row in change.rows] + list(change.gone)
    if len(set(named)) != len(named) or not named:
        raise RuleError(Rule.CHANGES, "no source is named, or one twice")
    for id_ in change.gone:
        if id_ not in draft.sources:
            raise RuleError(Rule.CHANGES, f"no source {id_} is registered")
        del draft.sources[id_]
    for row in change.rows:
        if draft.sources.get(row.id) == row:
            raise RuleError(Rule.CHANGES, f"the source {row.id} is registered so already")
        draft.sources[row.id] = row
    if len(draft.sources) > SOURCES_MAX:
        raise RuleError(Rule.ROOM, f"a register has at most {SOURCES_MAX} sources")


def _suspend(draft: _Draft, change: Suspend) -> None:
    seat = draft.seat(change.member)
    if seat.suspended:
        raise RuleError(Rule.CHANGES, f"{seat.name} is suspended already")
    draft.put(replace(seat, suspended=True, why=BY_BALLOTS))
    draft.touched.add(seat.group)


def _reinstate(draft: _Draft, change: Reinstate) -> None:
    """Also the renewal of a term, from its second half on."""
    seat = draft.seat(change.member)
    half_ms = seat.seated_ms + draft.epoch.seat_term_ms // 2
    if not seat.suspended and draft.activates_ms < half_ms:
        raise RuleError(Rule.CHANGES, f"{seat.name} is not suspended, and its term is not half over")
    draft.put(replace(seat, suspended=False, why="", seated_ms=draft.activates_ms))
    draft.touched.add(seat.group)


def _check(draft: _Draft) -> None:
    """What holds for all changes of an epoch together."""
    epoch = draft.epoch
    if len(draft.touched) > max(1, epoch.f):
        raise RuleError(Rule.BOUND, f"{len(draft.touched)} groups would change, at most {max(1, epoch.f)} may at once")
    n = len({seat.group for seat in draft.members.values()})
    try:
        faults = formula_faults(draft.formulas, n)
    except ProtocolError as error:
        raise RuleError(Rule.THRESHOLDS, error.detail) from None
    # as for a charter: fewer than four groups only inform, and max(2, f + 1) cannot be met by one
    faults = [fault for fault in faults if n >= 4 or not fault.endswith(": never")]
    if faults:
        raise RuleError(Rule.THRESHOLDS, "; ".join(faults))
    used = {chain for bridge in epoch.bridges for chain in (bridge.home, bridge.far)}
    used |= {oracle.chain for oracle in epoch.oracles}
    read = {source.scope for source in draft.sources.values()}
    for chain in sorted(used & {source.scope for source in epoch.sources} - read):
        raise RuleError(Rule.SOURCES, f"nobody would read {chain}")


def term_ends_ms(epoch: Epoch, seat: Member) -> int:
    """When this seat's term is over, 0 for never (nobody said when it began). It then shows; ballots decide."""
    return seat.seated_ms + epoch.seat_term_ms if seat.seated_ms else 0
