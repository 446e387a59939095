"""state + record → state. The same code by day and at recovery; it decides nothing and asks nobody."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from node.machine.state import ENDED, Action, Phase, Ruled, State
from node.records import (
    ActionOpened,
    ActionRenewed,
    ActionStepped,
    BlobKept,
    CertificateAccepted,
    ClaimRuled,
    DecisionMade,
    EntryAccepted,
    EquivocationProven,
    FalseStatement,
    KeySetLearned,
    OperatorDid,
    Record,
    SigningStopped,
)
from protocol.crypto import sha256
from protocol.envelope import Parsed, Verified, keyset_owner, open_keyset, parse_entry, verify_entry
from protocol.errors import ImpossibleError
from protocol.evidence import Judgement, Ruling
from protocol.feed import Feed
from protocol.ids import ActionKey, Digest, SourceId
from protocol.messages import Attestation, Manifest, Release
from protocol.quorum import CheckedCertificate, certificate_id, check_certificate, parse_certificate
from protocol.release import Topic, claim_names


def verified_entry(state: State, raw: bytes) -> Verified[Any]:
    """Opens an entry whose author and key are known; ProtocolError otherwise."""
    return verify_parsed(state, parse_entry(raw, state.epoch.network))


def verify_parsed(state: State, parsed: Parsed) -> Verified[Any]:
    keyset = state.keyset(parsed.entry.author, parsed.entry.key_version)
    if keyset is None:
        raise ImpossibleError(f"an entry of {parsed.entry.author} was recorded before its KeySet")
    return verify_entry(parsed, keyset.keyset.attestation)


def evolve(state: State, record: Record, known: Any = None) -> None:
    """Applies one record. `known`: the verified value that the live path holds already (never re-verified)."""
    _TABLE[type(record)](state, record, known)


def _keyset(state: State, record: KeySetLearned, known: Any) -> None:
    owner = state.epoch.by_name[keyset_owner(record.raw)]
    sealed = known or open_keyset(record.raw, state.epoch.network, owner.governance_key)
    versions = state.keysets.setdefault(owner.name, {})
    there = versions.get(sealed.keyset.version)
    if there is None or sealed.hash < there.hash:
        versions[sealed.keyset.version] = sealed
    for link in state.links.values():
        link.member = state.member_of(link.peer_id)


def _entry(state: State, record: EntryAccepted, known: Any) -> None:
    verified: Verified[Any] = known or verified_entry(state, record.raw)
    entry = verified.entry
    key = (entry.author, entry.key_version)
    state.feeds.setdefault(key, Feed(*key)).add(verified)
    state.last_word_ms[entry.author] = max(entry.issued_ms, state.last_word_ms.get(entry.author, 0))
    body = entry.body
    if isinstance(body, Attestation):
        _opinion(state, verified)
        if entry.author == state.me:
            state.said.update(((body.subject, body.threat), claim.type, claim.id) for claim in body.claims)
    elif isinstance(body, Release):
        state.releases.add(entry.author, body, state.epoch)
    elif isinstance(body, Manifest) and _is_latest_manifest(state, verified):
        state.manifests[entry.author] = frozenset(body.subjects)


def _is_latest_manifest(state: State, verified: Verified[Any]) -> bool:
    entry = verified.entry
    if entry.key_version < state.current_version(entry.author):
        return False
    feed = state.feeds[(entry.author, entry.key_version)]
    return not any(isinstance(link.body, Manifest) for seq, link in feed.links.items() if seq > entry.seq)


def _opinion(state: State, verified: Verified[Attestation]) -> None:
    """The later seq of a feed replaces, a newer KeySet beats an older; never arrival, never the clock."""
    entry = verified.entry
    topic: Topic = (entry.body.subject, entry.body.threat)
    held = state.opinions.setdefault(topic, {})
    there = held.get(entry.author)
    if there is None or (entry.key_version, entry.seq) > (there.entry.key_version, there.entry.seq):
        held[entry.author] = verified
    keep = (topic, entry.author)
    state.keep_until_ms[keep] = max(entry.body.expires_ms, state.keep_until_ms.get(keep, 0))


def _blob(state: State, record: BlobKept, known: Any) -> None:
    state.blobs[Digest(sha256(record.raw))] = record.raw


def _ruled(state: State, record: ClaimRuled, known: Any) -> None:
    sources = tuple(SourceId(one) for one in record.sources)
    amount = int.from_bytes(record.amount, "big")
    judgement = Judgement(
        Ruling(record.ruling), record.why, record.subject, record.threat, record.level, amount, sources
    )
    before = state.ruled.get(record.claim.digest)
    tries = before.tries + 1 if before else 1
    state.ruled[record.claim.digest] = Ruled(record.claim, judgement, tries=tries)


def _certificate(state: State, record: CertificateAccepted, known: Any) -> None:
    checked: CheckedCertificate = known or check_certificate(
        parse_certificate(record.raw), record.raw, state.epoch, state.keyset
    )
    certificate = checked.certificate
    id_ = certificate_id(certificate.epoch, certificate.topic, certificate.level)
    state.certificates[id_] = checked
    state.accepted_ms[id_] = record.at_ms
    firsts = state.first_newest_ms.setdefault(certificate.topic, {})
    for name in checked.claims:
        firsts.setdefault(name, checked.newest_issued_ms)


def _equivocation(state: State, record: EquivocationProven, known: Any) -> None:
    one = known or verified_entry(state, record.one)
    state.equivocations.setdefault((one.entry.author, one.entry.key_version), (record.one, record.other))


def _false(state: State, record: FalseStatement, known: Any) -> None:
    entry = (known or verified_entry(state, record.entry)).entry
    told = state.false_statements.setdefault(entry.author, [])
    if len(told) < 64:
        told.append(record.why)


def _decision(state: State, record: DecisionMade, known: Any) -> None:
    state.last_decisions[(record.rule, record.lever, record.subject.raw if record.subject else b"")] = record.verdict


def _opened(state: State, record: ActionOpened, known: Any) -> None:
    key = ActionKey(record.key)
    state.actions[key] = Action(
        key=key,
        lever=record.lever,
        instance=record.instance,
        subject=record.subject,
        threat=record.threat,
        rung=record.rung,
        lease_ms=record.lease_ms,
        until_ms=record.until_ms,
        rule=record.rule,
        why=record.why,
        claims=claim_names(record.claims),
        certificate=record.certificate,
        phase=Phase.ASKED if record.phase == Phase.ASKED.value else Phase.ORDERED,
        armed_only=record.phase == Phase.ARMED.value,
        opened_ms=record.at_ms,
        steps=[(record.at_ms, record.phase, record.why, "")],
    )


def _renewed(state: State, record: ActionRenewed, known: Any) -> None:
    action = state.actions[ActionKey(record.key)]
    action.until_ms = max(action.until_ms, record.until_ms)
    action.claims |= claim_names(record.claims)
    action.steps.append((record.at_ms, "renewed", record.why, ""))


def _stepped(state: State, record: ActionStepped, known: Any) -> None:
    action = state.actions[ActionKey(record.key)]
    phase = Phase(record.phase)
    action.attempts = action.attempts + 1 if phase is action.phase else 0
    action.phase = phase
    if len(action.steps) < 256:
        action.steps.append((record.at_ms, record.phase, record.says, record.reference))
    if record.phase == Phase.ORDERED.value or record.phase == Phase.SENDING.value:
        action.armed_only = False
    if phase in ENDED:
        action.ended_ms = record.at_ms


def _nothing(state: State, record: OperatorDid, known: Any) -> None:
    """Kept for people; no rule reads it."""


def _stopped(state: State, record: SigningStopped, known: Any) -> None:
    state.stopped[record.key_version] = record.why


_TABLE: dict[type, Callable[[State, Any, Any], None]] = {
    KeySetLearned: _keyset,
    EntryAccepted: _entry,
    BlobKept: _blob,
    ClaimRuled: _ruled,
    CertificateAccepted: _certificate,
    EquivocationProven: _equivocation,
    FalseStatement: _false,
    DecisionMade: _decision,
    ActionOpened: _opened,
    ActionRenewed: _renewed,
    ActionStepped: _stepped,
    OperatorDid: _nothing,
    SigningStopped: _stopped,
}
