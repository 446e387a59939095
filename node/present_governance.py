"""Who sits in the network and what is being decided, as JSON for the control socket. Read-only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from governance.ballots import Ballot, Vote
from governance.packs import Replayed, replayed
from governance.proposals import (
    Admit,
    Change,
    Regroup,
    Reinstate,
    Rekey,
    Remove,
    Retune,
    Sources,
    Suspend,
)
from governance.rules import apply, counts
from governance.simulated import Difference, differences, recorded
from governance.standing import Standing, flags
from governance.standing import State as Stands
from node.machine.state import State
from node.present import when
from node.recordings import recordings
from node.watch import threat_word
from protocol.errors import ProtocolError
from protocol.ids import MemberName, SourceId
from protocol.membership import Epoch, Member
from protocol.messages import Attestation

Json = dict[str, Any]
EFFECTS_SHOWN = 12
REPLAYED_MAX = 256
"""Opinions: at 256 members each takes some milliseconds to count, in the loop of a node that has more to do."""
_STANDS = {
    Stands.OPEN: "open",
    Stands.FAILED: "closed short of a quorum",
    Stands.WAITING: "passed; its delay runs",
    Stands.VETOED: "vetoed",
    Stands.INCIDENT: "passed; it loosens, and waits for an alarm to end",
    Stands.KEY: "passed; waits for a new attestation key",
    Stands.READY: "passed; being ordered",
    Stands.IMPOSSIBLE: "impossible in this epoch",
    Stands.OVER: "over: not ordered in time",
}


def network(state: State, now_ms: int) -> Json:
    epoch = state.epoch
    shown: dict[MemberName, list[str]] = {}
    for flag in flags(epoch, dict(state.last_word_ms), now_ms):
        if flag.member != state.me or flag.what != "silent":
            shown.setdefault(flag.member, []).append(f"{flag.what.replace('-', ' ')} since {when(flag.since_ms)}")
    return {
        "member": state.me,
        "network": epoch.network.hex(),
        "epoch": {
            "number": epoch.number,
            "hash": epoch.hash.hex(),
            "parent": epoch.parent.hex() if epoch.parent is not None else None,
            "activates_ms": epoch.activates_ms,
            "n": epoch.n,
            "f": epoch.f,
            "q": epoch.q,
            "thresholds": {level.name: count for level, count in epoch.thresholds.items()},
            "change_delay_ms": epoch.change_delay_ms,
            "loosen_delay_ms": epoch.loosen_delay_ms,
            "seat_term_ms": epoch.seat_term_ms,
            "silence_ms": epoch.silence_ms,
        },
        "round": state.rounds.round if state.rounds.awake else None,
        "open": sum(1 for one in state.ledger.standings(now_ms, state.restricted) if one.state in _LIVE),
        "members": [_seat(state, seat, shown.get(seat.name, [])) for seat in epoch.members],
        "left": list(epoch.left),
    }


_LIVE = frozenset({Stands.OPEN, Stands.WAITING, Stands.INCIDENT, Stands.KEY, Stands.READY})


def _seat(state: State, seat: Member, flagged: list[str]) -> Json:
    heard = seat.name == state.me or seat.name in state.up_members()
    stands = [f"suspended: {seat.why}" if seat.why else "suspended"] if seat.suspended else []
    stands += flagged
    version = max(state.keysets.get(seat.name, {}), default=None)
    proofs = sorted(version for author, version in state.equivocations if author == seat.name)
    last_ms = state.last_word_ms.get(seat.name)
    sentences = [
        f"{seat.name} sits in group {seat.group}; {'; '.join(stands) or 'in good standing'}.",
        f"Governance key {seat.governance_key.hex()}.",
        f"Its hot keys are version {version}." if version is not None else "No KeySet of it is held here.",
        f"Its last word here was issued at {when(last_ms)}." if last_ms else "It has said nothing here yet.",
    ]
    if seat.seated_ms:
        sentences.append(f"Its term runs until {when(seat.seated_ms + state.epoch.seat_term_ms)}.")
    sentences += [f"Two payloads under one number of its key {version} are kept as proof." for version in proofs]
    return {
        "name": seat.name,
        "group": seat.group,
        "governance": seat.governance_key.hex(),
        "heard": heard,
        "suspended": seat.suspended,
        "flags": flagged,
        "stands": "; ".join(stands) or "sits",
        "key_version": version,
        "proofs": proofs,
        "seated_ms": seat.seated_ms,
        "last_word_ms": last_ms,
        "sentences": sentences,
    }


def export(state: State, charter: str, before: Sequence[bytes]) -> Json:
    """`before`: epoch certificates ahead of the one that this node started from."""
    newest = [versions[max(versions)] for _, versions in sorted(state.keysets.items())]
    beats = [one for _, one in sorted(state.heartbeats.items())]
    keyed = {(one.keyset.member, one.keyset.version) for one in newest}
    return {
        "epoch": {"number": state.epoch.number, "hash": state.epoch.hash.hex()},
        "charter": charter,
        "certificates": [raw.hex() for raw in (*before, *(raw for _, raw in state.chain))],
        "heartbeats": [one.raw.hex() for one in beats if (one.entry.author, one.entry.key_version) in keyed],
        "keysets": [one.raw.hex() for one in newest],
    }


def proposals(state: State, now_ms: int) -> list[Json]:
    return [proposal(state, one, now_ms) for one in state.ledger.standings(now_ms, state.restricted)]


def find(state: State, prefix: str, now_ms: int) -> Json | None:
    found = [
        one
        for one in state.ledger.standings(now_ms, state.restricted)
        if one.sealed.hash.hex().startswith(prefix.lower())
    ]
    if len(found) != 1:
        return None
    told = proposal(state, found[0], now_ms)
    effects = would_change(state, found[0], now_ms)
    return {**told, "would_change": effects, "sentences": [*told["sentences"], *effects]}


def would_change(state: State, one: Standing, now_ms: int) -> list[str]:
    """In sentences: every opinion that this node still holds of any member, counted again under what the proposal would
    make of this epoch."""
    made = one.sealed.proposal
    at_ms = max(now_ms, made.opened_ms + one.delay_ms, state.epoch.activates_ms + 1)
    try:
        after = apply(state.epoch, {one.sealed.hash: made}, at_ms)
    except ProtocolError as error:
        return [f"It cannot be ordered in this epoch: {error.detail}."]
    links = [link for feed in state.feeds.values() for link in feed.links.values()]
    said = [recorded(link) for link in links if isinstance(link.body, Attestation)]
    said = sorted(said, key=lambda row: row.issued_ms)[-REPLAYED_MAX:]
    words = [f"Then {after.n} groups, {after.q} a quorum; now {state.epoch.n} and {state.epoch.q}."]
    if said:
        found = [_difference(row) for row in differences(said, state.epoch, after)]
        nothing = "every certificate would have formed as it did"
        words.append(f"Replayed on the last {len(said)} opinions held here: {_told(found, nothing)}")
    return words + _on_packs(state, after, at_ms)


def _told(found: list[str], nothing: str) -> str:
    if not found:
        return f"{nothing}."
    more = f"; and {len(found) - EFFECTS_SHOWN} more" if len(found) > EFFECTS_SHOWN else ""
    return "; ".join(found[:EFFECTS_SHOWN]) + more + "."


def _on_packs(state: State, after: Epoch, at_ms: int) -> list[str]:
    """Incidents that this network has not had, said by its members as others said them."""
    sources = sources_of(state, after)
    words = [
        _of_pack(one)
        for recording in recordings()
        for one in replayed(recording, state.epoch, after, sources, at_ms)
        if one.silent == (0, 0) or one.differences
    ]
    blind = sorted(name for name in state.epoch.by_name if not sources.get(name))
    if blind:
        words.append(f"No source of {', '.join(blind)} is known here: in these replays it counts for GUARD alone.")
    return words


def _of_pack(one: Replayed) -> str:
    named = f"{one.pack} with all speaking"
    if one.silent != (0, 0):
        before, then = one.silent
        named = f"{one.pack} with {before} of the groups silent" + (f", then {then}" if then != before else "")
    found = [_in_pack(row) for row in one.differences]
    nothing = f"all {one.formed} certificates form as now" if one.formed else "no certificate forms, now or then"
    return f"Replayed on {named}: " + _told(found, nothing)


def _in_pack(row: Difference) -> str:
    what = f"{row.level.name} for {threat_word(row.topic[1])}"
    if row.after is None:
        return f"{what} would not form"
    if row.before is None:
        return f"{what} would form, which now it does not"
    later_ms = row.later_ms or 0
    return f"{what} would form {abs(later_ms)} ms {'later' if later_ms > 0 else 'sooner'}"


def sources_of(state: State, after: Epoch) -> dict[MemberName, tuple[SourceId, ...]]:
    """What each member last read through; who has attested nothing yet, what the register has of its own."""
    found: dict[MemberName, tuple[SourceId, ...]] = {}
    for seat in (*state.epoch.members, *after.members):
        own = {seat.name, seat.group}
        found[seat.name] = tuple(
            one.id for one in after.sources if one.operator in own or one.id.partition(".")[0] in own
        )
    for (author, _), feed in sorted(state.feeds.items()):
        said = [link.body.sources for _, link in sorted(feed.links.items()) if isinstance(link.body, Attestation)]
        if said and said[-1]:
            found[author] = said[-1]
    return found


def _difference(row: Difference) -> str:
    what = f"{row.level.name} for {threat_word(row.topic[1])} on {row.topic[0]}"
    if row.after is None and row.before is not None:
        return f"{what} of {when(row.before.from_ms)} would not have formed"
    if row.before is None and row.after is not None:
        return f"{what} would have formed at {when(row.after.from_ms)}, which it did not"
    later_ms = row.later_ms or 0
    return f"{what} would have formed {abs(later_ms) / 1000:.1f} s {'later' if later_ms > 0 else 'sooner'}"


def proposal(state: State, one: Standing, now_ms: int) -> Json:
    made = one.sealed.proposal
    told = {
        "id": one.sealed.hash.hex(),
        "kind": made.kind.word,
        "says": says(made.change),
        "author": made.author,
        "note": made.note,
        "parent": made.parent.hex(),
        "opened_ms": made.opened_ms,
        "closes_ms": made.closes_ms,
        "state": one.state.value,
        "stands": _STANDS[one.state] + (f" ({one.why})" if one.why else ""),
        "needed": one.needed,
        "yes": list(one.count.yes),
        "no": list(one.count.no),
        "missing": list(one.count.missing),
        "vetoes": len(one.count.no),
        "loosens": one.loosens,
        "delay_ms": one.delay_ms,
        "passed_ms": one.passed_ms,
        "due_ms": one.due_ms,
        "ends_ms": one.ends_ms,
        "ballots": [_ballot(state, one, ballot) for ballot in one.ballots],
    }
    return {**told, "sentences": _sentences(state, told, now_ms)}


def _ballot(state: State, one: Standing, ballot: Ballot) -> Json:
    seat = state.epoch.by_name.get(ballot.member)
    return {
        "member": ballot.member,
        "group": seat.group if seat is not None else "",
        "vote": "yes" if ballot.vote is Vote.YES else "no",
        "ballot_no": ballot.ballot_no,
        "cast_ms": ballot.cast_ms,
        "conflict": ballot.conflict,
        "counts": counts(state.epoch, one.sealed.proposal, ballot.member),
    }


def _sentences(state: State, told: Json, now_ms: int) -> list[str]:
    words = [f"{told['says']}, proposed by {told['author']} at {when(told['opened_ms'])}."]
    words += [f"Why: {told['note']}"] if told["note"] else []
    if told["needed"]:
        words.append(
            f"{len(told['yes'])} of the {told['needed']} groups needed say yes ({', '.join(told['yes']) or 'none'}); "
            f"{len(told['no'])} say no; not heard: {', '.join(told['missing']) or 'nobody'}."
        )
    else:
        words.append("It is its owner's own affair and takes no ballots.")
    words.append(f"It is {told['stands']}.")
    if told["due_ms"] is None and told["needed"]:
        words.append(f"Ballots count until {when(told['closes_ms'])}.")
    elif told["due_ms"] is not None and told["due_ms"] > now_ms:
        third = state.epoch.n // 3 + 1
        words.append(
            f"It may be ordered from {when(told['due_ms'])} on; {third} groups that say no stop it until then."
        )
    words += ["It loosens: it waits while an alarm stands on what many run."] if told["loosens"] else []
    declared = [f"{one['member']}: {one['conflict']}" for one in told["ballots"] if one["conflict"]]
    words += [f"Declared interests: {'; '.join(declared)}."] if declared else []
    return words


def says(change: Change) -> str:
    """In a half sentence."""
    if isinstance(change, Admit):
        return f"admit {change.member} ({change.group})"
    if isinstance(change, Remove):
        return f"remove {change.member}"
    if isinstance(change, Regroup):
        return f"put {', '.join(change.members)} into group {change.group}"
    if isinstance(change, Rekey):
        return f"move the governance key of {change.member} to {change.key.hex()[:16]}…"
    if isinstance(change, Suspend):
        return f"suspend {change.member}"
    if isinstance(change, Reinstate):
        return f"reinstate {change.member}"
    if isinstance(change, Sources):
        rows, gone = ", ".join(one.id for one in change.rows), ", ".join(change.gone)
        return f"sources: register {rows or 'none'}, drop {gone or 'none'}"
    return _retuned(change)


def _retuned(change: Retune) -> str:
    given = [
        f"{name} = {value}" for name in Retune.__dataclass_fields__ if (value := getattr(change, name)) is not None
    ]
    return f"set {', '.join(given)}"
