"""What a node was told and what it decided, in words: frames by what they say, never as bytes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from governance.epochs import parse_epoch_certificate
from governance.lock import parse_lock
from governance.values import parse_value
from node import effects as out
from node import events as told
from node import records as kept
from node.machine import Decision
from protocol import frames
from protocol.envelope import Entry, _parse_keyset, parse_entry
from protocol.errors import ProtocolError
from protocol.messages import Attestation, Claim, Release, Threat, Unknown, value_hash
from protocol.quorum import parse_certificate
from tests.sim.cast import NETWORK, member_of
from tests.sim.scheduler import START_MS

MOST_AT_ONCE = 8
"""So many items of one list are named; of the others their number."""


def seconds(ms: int) -> str:
    """Since the run began, by whatever clock it was said."""
    return f"{(ms - START_MS) / 1000:.3f} s"


def brief(digest: bytes) -> str:
    return digest.hex()[:8]


def subject_words(subject: Any) -> str:
    return re.sub(r"0x([0-9a-f]{4})[0-9a-f]{32}([0-9a-f]{4})", r"0x\1…\2", str(subject))


def threat_words(threat: int) -> str:
    return next((one.word for one in Threat if one == threat), f"threat {threat}")


def topic_words(subject: Any, threat: int) -> str:
    return f"{subject_words(subject)} {threat_words(threat)}"


def listed(words: Iterable[str], between: str = ", ") -> str:
    every = list(words)
    more = [f"and {len(every) - MOST_AT_ONCE} more"] if len(every) > MOST_AT_ONCE else []
    return between.join([*every[:MOST_AT_ONCE], *more])


def claims_words(claims: Iterable[Claim]) -> str:
    named = listed(f"{one.type} {brief(one.digest)}" for one in claims)
    return f" for {named}" if named else ""


# what members say
def name_of(entry: Entry[Any]) -> str:
    return f"{entry.author}/{entry.key_version}#{entry.seq}"


def entry_words(entry: Entry[Any]) -> str:
    """Who says what at which seq."""
    return f"{name_of(entry)} {_body_words(entry.body)}"


def _body_words(body: Any) -> str:
    if isinstance(body, Attestation):
        person = ", by a person" if body.by_person else ""
        return (
            f"says {body.level.name} ({body.basis.name}{person}) on {topic_words(body.subject, body.threat)}"
            f"{claims_words(body.claims)}, from {seconds(body.since_ms)} to {seconds(body.expires_ms)}"
        )
    if isinstance(body, Release):
        topic = topic_words(body.subject, body.threat)
        return f"releases {topic} through {seconds(body.through_ms)}{claims_words(body.claims)}"
    if isinstance(body, Unknown):
        return f"says a word of kind {body.kind}, unknown here"
    return _BODIES[type(body).__name__](body)


_BODIES: dict[str, Callable[[Any], str]] = {
    "ActionReport": lambda one: f"reports action {brief(one.action_key)}: {one.phase}, {one.effect}",
    "Manifest": lambda one: f"lists {len(one.subjects)} subjects as its own",
    "Heartbeat": lambda one: "is alive",
    "Notice": lambda one: f"notes {one.text!r}",
    "Propose": lambda one: f"proposes value {brief(value_hash(one.value))} in round {one.round}",
    "Prepare": lambda one: f"prepares {brief(one.value_hash)} in round {one.round}",
    "Commit": lambda one: f"commits {brief(one.value_hash)} in round {one.round}",
    "Statement": lambda one: f"carries {keyset_words(one.sealed)}",
}


def sealed_words(raw: bytes) -> str:
    return _or_fault(raw, "entry", lambda: entry_words(parse_entry(raw, NETWORK).entry))


def keyset_words(raw: bytes) -> str:
    def read() -> str:
        keyset, _, _ = _parse_keyset(raw)
        return f"KeySet {keyset.member}/{keyset.version}"

    return _or_fault(raw, "KeySet", read)


def certificate_words(raw: bytes) -> str:
    def read() -> str:
        held = parse_certificate(raw)
        return f"certificate of {held.level.name} on {topic_words(*held.topic)} by {listed(map(_signed, held.entries))}"

    return _or_fault(raw, "certificate", read)


def _signed(raw: bytes) -> str:
    return _or_fault(raw, "entry", lambda: name_of(parse_entry(raw, NETWORK).entry))


def _or_fault(raw: bytes, what: str, read: Callable[[], str]) -> str:
    try:
        return read()
    except ProtocolError as error:
        return f"{len(raw)} bytes that are no {what} ({error})"


def frame_words(raw: bytes) -> str:
    def read() -> str:
        frame = frames.parse_frame(raw)
        return _FRAMES[type(frame)](frame)

    return _or_fault(raw, "frame", read)


def epoch_words(raw: bytes) -> str:
    def read() -> str:
        value = parse_value(parse_epoch_certificate(raw).value)
        proven = listed(f"{one.member}/{one.key_version}" for one in value.proofs)
        named = listed(map(brief, value.proposals))
        return (
            f"certificate of epoch {value.number}, proposals {named or 'none'}, suspended by proof {proven or 'nobody'}"
        )

    return _or_fault(raw, "epoch certificate", read)


def lock_words(raw: bytes) -> str:
    lock = parse_lock(raw)
    said = listed(type(one).__name__ for one in lock.said)
    return f"bound in round {lock.round} by {said or 'nothing'}, locked since round {lock.locked_round}"


def _heads_words(frame: frames.Heads) -> str:
    heads = listed(f"{one.author}/{one.key_version}#{one.seq} whole to {one.whole - 1}" for one in frame.heads)
    return f"heads {heads or 'of nothing'}; holds {len(frame.shown)} certificates"


_FRAMES: dict[type, Callable[[Any], str]] = {
    frames.Hello: lambda one: f"hello, version {one.version}, {listed(map(keyset_words, one.keysets))}",
    frames.Entries: lambda one: f"entries: {listed(map(sealed_words, one.raws), '; ')}",
    frames.Blobs: lambda one: f"{len(one.raws)} blobs of claims, {sum(map(len, one.raws))} bytes",
    frames.CertificateFrame: lambda one: certificate_words(one.raw),
    frames.KeySets: lambda one: listed(map(keyset_words, one.raws)),
    frames.Heads: _heads_words,
    frames.WantEntries: lambda one: f"wants {one.author}/{one.key_version} from #{one.from_seq} to #{one.to_seq}",
    frames.WantBlobs: lambda one: f"wants blobs {listed(map(brief, one.digests))}",
    frames.WantCertificates: lambda one: f"wants certificates {listed(map(brief, one.ids))}",
    frames.Shown: lambda one: f"holds certificates {listed(map(brief, one.ids))}",
    frames.WantEpochs: lambda one: f"wants the epochs after {brief(one.after)}",
    frames.EpochCertificates: lambda one: f"epochs: {listed(map(epoch_words, one.raws), '; ')}",
}


# what a node is told
def event_words(event: told.Event | None) -> str:
    return "starts" if event is None else _EVENTS[type(event)](event)


def _arrived(event: told.FrameArrived) -> str:
    way = "direct" if event.direct else "asked for" if event.asked else "relayed"
    return f"a frame of {member_of(event.peer_id)} ({way}): {frame_words(event.raw)}"


def _judged(event: told.ClaimJudged) -> str:
    ruling = event.judgement
    found = f" {ruling.level.name} on {topic_words(ruling.subject, ruling.threat)}" if ruling.subject else ""
    why = f" ({ruling.why})" if ruling.why else ""
    return f"claim {brief(event.claim.digest)} judged: {ruling.ruling.value}{found}{why}"


def _reported(event: told.SensorReported) -> str:
    seen = event.observation
    claims = claims_words(one.claim for one in seen.claims)
    return f"its sensor sees {seen.level.name} ({seen.basis.name}) on {topic_words(seen.subject, seen.threat)}{claims}"


def _stepped(event: told.LeverStepped) -> str:
    went = "done" if event.outcome.ok else "failed"
    return f"lever step {event.step} of action {brief(event.key)} {went}: {event.outcome.says}"


def _asked(event: told.OperatorAsked) -> str:
    command = event.command
    if isinstance(command, told.ActionCommand):
        return f"{event.person} asks: {command.verb} action {brief(command.key)}"
    if isinstance(command, told.Extend):
        return f"{event.person} asks: action {brief(command.key)} {command.by_ms} ms longer"
    if isinstance(command, told.Publish | told.TakeKey):
        raw = command.sealed if isinstance(command, told.Publish) else command.sealed.raw
        return f"{event.person} asks: {type(command).__name__} {keyset_words(raw)}"
    level = f" {command.level.name}" if isinstance(command, told.Raise) else ""
    return f"{event.person} asks: {type(command).__name__}{level} {topic_words(command.subject, command.threat)}"


_EVENTS: dict[type, Callable[[Any], str]] = {
    told.FrameArrived: _arrived,
    told.PeerCameUp: lambda one: f"{member_of(one.peer_id)} came up",
    told.PeerWentDown: lambda one: f"{member_of(one.peer_id)} went down: {one.why}",
    told.ClaimJudged: _judged,
    told.SensorReported: _reported,
    told.ExposuresRead: lambda one: f"{len(one.readings)} exposures read",
    told.LeverStepped: _stepped,
    told.LookedUp: lambda one: f"its disk holds {len(one.found)} words where {member_of(one.peer_id)}'s old one stands",
    told.ObserversListed: lambda one: f"its owner lists {len(one.observers)} observers",
    told.Ticked: lambda one: "a tick",
    told.OperatorAsked: _asked,
}


# what it decided
def decision_words(decision: Decision) -> list[str]:
    """One line each: records, own words among them, then effects; equal ones once, with how often."""
    lines = [f"records: {record_words(one)}" for one in decision.records]
    lines += [f"does: {effect_words(one)}" for one in decision.effects]
    counted = Counter(lines)
    return [line if times == 1 else f"{line} ({times} times)" for line, times in counted.items()]


def record_words(record: kept.Record) -> str:
    return _RECORDS[type(record)](record)


def _opened(record: kept.ActionOpened) -> str:
    stands_on = f"certificate {brief(record.certificate)}" if record.certificate else "own evidence"
    topic = topic_words(record.subject, record.threat)
    return (
        f"action {brief(record.key)} opened, {record.phase}: {record.lever} on {topic}"
        f" until {seconds(record.until_ms)} by rule {record.rule} on {stands_on}"
    )


def _ruled(record: kept.ClaimRuled) -> str:
    found = f" {record.level.name} on {topic_words(record.subject, record.threat)}" if record.subject else ""
    why = f" ({record.why})" if record.why else ""
    return f"claim {brief(record.claim.digest)} ruled: {record.ruling}{found}{why}"


def _action_stepped(record: kept.ActionStepped) -> str:
    until = f" until {seconds(record.until_ms)}" if record.until_ms else ""
    return f"action {brief(record.key)} {record.phase}{until}: {record.says}"


_RECORDS: dict[type, Callable[[Any], str]] = {
    kept.KeySetLearned: lambda one: keyset_words(one.raw),
    kept.EntryAccepted: lambda one: ("own word " if one.own else "") + sealed_words(one.raw),
    kept.BlobKept: lambda one: f"a claim's blob of {len(one.raw)} bytes",
    kept.ClaimRuled: _ruled,
    kept.CertificateAccepted: lambda one: certificate_words(one.raw) + (", made here" if one.assembled_here else ""),
    kept.EquivocationProven: lambda one: f"two tongues: {sealed_words(one.one)} AND {sealed_words(one.other)}",
    kept.FalseStatement: lambda one: f"a false word: {sealed_words(one.entry)}: {one.why}",
    kept.DecisionMade: lambda one: f"decided {one.verdict} by rule {one.rule} on {one.lever}: {one.why}",
    kept.ActionOpened: _opened,
    kept.ActionRenewed: lambda one: f"action {brief(one.key)} renewed until {seconds(one.until_ms)}: {one.why}",
    kept.ActionStepped: _action_stepped,
    kept.OperatorDid: lambda one: f"{one.person} did {one.deed}",
    kept.VoteLocked: lambda one: lock_words(one.raw),
    kept.EpochCertified: lambda one: epoch_words(one.raw),
    kept.EpochEntered: lambda one: f"epoch {one.number} is in force here",
    kept.EndingAsked: lambda one: f"{one.person} asks to end {topic_words(one.subject, one.threat)}",
    kept.EndingClosed: lambda one: f"asked no more: {topic_words(one.subject, one.threat)}, {one.how} {one.person}",
    kept.AlertSeen: lambda one: f"{one.person} has seen {one.level.name} {topic_words(one.subject, one.threat)}",
    kept.EvidenceRerun: lambda one: f"claim {brief(one.claim.digest)} re-run for {one.person}: {one.ruling}",
    kept.SigningStopped: lambda one: f"key {one.key_version} never signs again: {one.why}",
}


def effect_words(effect: out.Effect) -> str:
    return _EFFECTS[type(effect)](effect)


def _step_words(effect: out.RunStep) -> str:
    until = seconds(effect.order.until_ms)
    return f"lever step {effect.step} of action {brief(effect.key)} on {effect.lever} until {until}"


_EFFECTS: dict[type, Callable[[Any], str]] = {
    out.Send: lambda one: f"send to {member_of(one.peer_id)}: {frame_words(one.raw)}",
    out.Broadcast: lambda one: f"send to all: {frame_words(one.raw)}",
    out.Gossip: lambda one: f"gossip: {frame_words(one.raw)}",
    out.ServeEntries: lambda one: f"serve {member_of(one.peer_id)}: {_FRAMES[frames.WantEntries](one.want)[6:]}",
    out.ServeBlobs: lambda one: f"serve {member_of(one.peer_id)} blobs {listed(map(brief, one.digests))}",
    out.LookUp: lambda one: f"look up {one.author}'s old word by {one.to_seq}",
    out.VerifyClaim: lambda one: f"look whether claim {brief(one.claim.digest)} is so",
    out.RunStep: _step_words,
    out.Reply: lambda one: f"answer its operator: {'yes' if one.ok else 'no'}, {one.says}",
    out.Tell: lambda one: f"tell people: {one.text}",
}

NAMES = {word.__name__.lower(): word.__name__ for table in (_EVENTS, _RECORDS, _EFFECTS) for word in table} | {
    "started": "Started"
}
"""Lower case → what a break can name: types of events, of records and of effects."""


def kinds_of(event: told.Event | None, decision: Decision) -> set[str]:
    """Names under which a break finds a step."""
    first = "Started" if event is None else type(event).__name__
    return {first, *(type(one).__name__ for one in (*decision.records, *decision.effects))}
