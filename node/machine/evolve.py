"""state + record → state. The same code by day and at recovery; it decides nothing and asks nobody."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from node.machine import deciding, persons
from node.machine.action import ENDED, Action, Phase
from node.machine.state import State
from node.machine.verdicts import Ruled
from node.records import (
    ActionOpened,
    ActionRenewed,
    ActionStepped,
    AlertSeen,
    BlobKept,
    CertificateAccepted,
    ClaimRuled,
    DecisionMade,
    EndingAsked,
    EndingClosed,
    EntryAccepted,
    EpochCertified,
    EpochEntered,
    EquivocationProven,
    EvidenceRerun,
    FalseStatement,
    KeySetLearned,
    OperatorDid,
    Record,
    SigningStopped,
    VoteLocked,
)
from protocol.crypto import sha256
from protocol.envelope import Parsed, Verified, keyset_owner, open_keyset, parse_carried, verify_entry
from protocol.errors import ImpossibleError
from protocol.evidence import Judgement, Ruling
from protocol.feed import Feed, is_later
from protocol.ids import ActionKey, Digest, GroupName, MemberName, SourceId
from protocol.limits import KEYSETS_PER_MEMBER_MAX, OPINIONS_PER_AUTHOR_MAX
from protocol.messages import VOTES, Attestation, Heartbeat, Level, Manifest, Release, Statement
from protocol.quorum import CheckedCertificate, certificate_id, check_certificate, parse_certificate
from protocol.release import ClaimName, Topic, claim_names

SEEN_MAX = 32_768
SAID_MAX = 100_000
"""Own claims: each was true of a subject in a manifest, so this is a lifetime's worth; the oldest go first."""
OWN_TOPICS_MAX = 1_024
RELEASE_TOPICS_MAX = 1_024
RELEASE_CLAIMS_MAX = 256
RELEASE_NAMES_MAX = 16_384
"""Of claims that one author released, over all topics: some megabytes."""
K = TypeVar("K")
V = TypeVar("V")


def verified_entry(state: State, raw: bytes) -> Verified[Any]:
    """Opens an entry whose author and key are known; ProtocolError otherwise."""
    return verify_parsed(state, parse_carried(raw, state.epoch.network))


def verify_parsed(state: State, parsed: Parsed) -> Verified[Any]:
    keyset = state.keyset(parsed.entry.author, parsed.entry.key_version)
    if keyset is None:
        raise ImpossibleError(f"an entry of {parsed.entry.author} was recorded before its KeySet")
    return verify_entry(parsed, keyset.keyset.attestation)


def evolve(state: State, record: Record, known: Any = None) -> None:
    """Applies one record. `known`: the verified value that the live path holds already (never re-verified)."""
    _TABLE[type(record)](state, record, known)


def _keyset(state: State, record: KeySetLearned, known: Any) -> None:
    state.words += 1
    state.said_heads = None
    owner = state.epoch.by_name[keyset_owner(record.raw)]
    sealed = known or open_keyset(record.raw, state.epoch.network, owner.governance_key)
    version = sealed.keyset.version
    versions = state.keysets.setdefault(owner.name, {})
    there = versions.get(version)
    beyond = there is None and len(versions) >= KEYSETS_PER_MEMBER_MAX
    if there is not None or beyond:
        deciding.contradict(state, max(there or sealed, sealed, key=lambda one: one.hash))
    if not beyond and (there is None or sealed.hash < there.hash):
        versions[version] = sealed
        if there is not None:
            _drop_feed(state, (owner.name, version))
        _silence(state, owner.name, max(versions), version if there is not None else -1)
        deciding.take_keyset(state, versions[max(versions)], afresh=there is not None and version == max(versions))
    for link in state.links.values():
        link.members = state.members_of(link.peer_id)


def _drop_feed(state: State, key: tuple[MemberName, int]) -> None:
    """Its words may come again and are judged anew: the KeySet that holds now may delegate the same key."""
    gone = state.feeds.pop(key, None)
    state.telling.pop(key, None)
    if gone is not None:
        state.seen = {hash_: place for hash_, place in state.seen.items() if place[0] is not gone}


def _silence(state: State, author: MemberName, newest: int, replaced: int) -> None:
    """Nothing sealed under an older version counts any more; our own live words are said again under the new key."""
    for topic in sorted(state.opinions, key=lambda one: (one[0].raw, one[1])):
        held = state.opinions[topic].get(author)
        if held is None or held.entry.key_version >= newest != replaced:
            continue
        state.drop_opinion(topic, author)
    for topic, own in state.sealed_here.items() if author == state.me else ():
        if own.body.level is not Level.NONE and not own.entry.key_version >= newest != replaced:
            state.reissue[topic] = own


def _entry(state: State, record: EntryAccepted, known: Any) -> None:
    state.said_heads = None
    verified: Verified[Any] = known or verified_entry(state, record.raw)
    entry = verified.entry
    key = (entry.author, entry.key_version)
    feed = state.feeds.get(key)
    if feed is None:
        feed = state.feeds[key] = Feed(*key)
    feed.add(verified)
    state.last_word_ms[entry.author] = max(entry.issued_ms, state.last_word_ms.get(entry.author, 0))
    _remember(state.seen, sha256(record.raw), (feed, entry.seq), SEEN_MAX)
    body = entry.body
    if isinstance(body, Attestation):
        if record.own:
            _sealed_here(state, verified)
        if entry.key_version >= state.current_version(entry.author):
            _opinion(state, verified)
    elif isinstance(body, Release):
        _release(state, entry.author, body)
    elif isinstance(body, Heartbeat):
        known_beat = state.heartbeats.get(entry.author)
        if known_beat is None or is_later(verified, known_beat):
            state.heartbeats[entry.author] = verified
    elif isinstance(body, Statement):
        deciding.take_statement(state, body.sealed, record.at_ms)
    elif isinstance(body, VOTES):
        deciding.take_vote(state, verified, record.own)
    elif isinstance(body, Manifest) and _is_latest_manifest(state, verified):
        state.manifests[entry.author] = frozenset(body.subjects)
        state.manifest_versions[entry.author] = entry.key_version


def _sealed_here(state: State, verified: Verified[Attestation]) -> None:
    """What peers bring back of ours does not count for this: under a stolen key it may be the thief's, who would have
    us say it again under the next one, or keep us from ever answering a claim."""
    body = verified.body
    topic: Topic = (body.subject, body.threat)
    for claim in body.claims:
        _remember(state.said, (topic, claim.type, claim.id), None, SAID_MAX)
    state.sealed_here.pop(topic, None)
    state.sealed_here[topic] = verified
    if len(state.sealed_here) > OWN_TOPICS_MAX:
        del state.sealed_here[next(iter(state.sealed_here))]


def _remember(known: dict[K, V], name: K, value: V, most: int) -> None:
    known[name] = value
    if len(known) > most:
        del known[next(iter(known))]


def _remember_ms(known: dict[K, int], name: K, at_ms: int) -> None:
    known[name] = at_ms
    if len(known) > SAID_MAX:
        del known[next(iter(known))]


def _release(state: State, author: MemberName, body: Release) -> None:
    """Bounded per author: who releases what nobody ever raised fills only its own share."""
    state.words += 1
    topic: Topic = (body.subject, body.threat)
    if author not in state.releases.latest.get(topic, {}):
        if state.release_topics.get(author, 0) >= RELEASE_TOPICS_MAX:
            return
        state.release_topics[author] = state.release_topics.get(author, 0) + 1
    named = sum(1 for told in state.releases.claims.get(topic, {}).values() if author in told)
    spent = state.release_names.get(author, 0)
    if named > RELEASE_CLAIMS_MAX or spent >= RELEASE_NAMES_MAX:
        body = replace(body, claims=())
    state.release_names[author] = spent + len(body.claims)
    state.releases.add(author, body, state.epoch)


def _is_latest_manifest(state: State, verified: Verified[Any]) -> bool:
    entry = verified.entry
    if entry.key_version < state.current_version(entry.author):
        return False
    feed = state.feeds[(entry.author, entry.key_version)]
    return not any(isinstance(link.body, Manifest) for seq, link in feed.links.items() if seq > entry.seq)


def _opinion(state: State, verified: Verified[Attestation]) -> None:
    """The later seq of a feed replaces, a newer KeySet beats an older; never arrival, never the clock. Of two words
    of one seq the lower hash holds, as in the feed."""
    state.words += 1
    entry = verified.entry
    topic: Topic = (entry.body.subject, entry.body.threat)
    there = state.opinions.get(topic, {}).get(entry.author)
    if is_later(verified, there) if there is not None else not state.is_superseded(verified):
        state.hold_opinion(topic, verified)
    keep = (topic, entry.author)
    state.keep_until_ms[keep] = max(entry.body.expires_ms, state.keep_until_ms.get(keep, 0))
    if entry.author == state.me:
        state.reissue.pop(topic, None)
    _cap_author(state, entry.author)


def _cap_author(state: State, author: MemberName) -> None:
    """An author's live opinions are capped: the highest (level, seq) stay."""
    topics = state.topics_of.get(author, {})
    if len(topics) > OPINIONS_PER_AUTHOR_MAX:
        state.drop_opinion(min(topics.values())[2], author)


def _blob(state: State, record: BlobKept, known: Any) -> None:
    state.blobs[Digest(sha256(record.raw))] = record.raw


def _ruled(state: State, record: ClaimRuled, known: Any) -> None:
    sources = tuple(SourceId(one) for one in record.sources)
    amount = int.from_bytes(record.amount, "big")
    judgement = Judgement(
        Ruling(record.ruling), record.why, record.subject, record.threat, record.level, amount, sources
    )
    state.verdicts += 1
    state.threats.add(record.threat)
    before = state.ruled.get(record.claim)
    at_ms = record.at_ms
    if judgement.ruling is Ruling.SUPPORTS:
        name = (record.claim.type, record.claim.id)
        at_ms = min(at_ms, state.found_ms.get(name, at_ms))
        _remember_ms(state.found_ms, name, at_ms)
    if before is None:
        state.ruled[record.claim] = Ruled(record.claim, judgement, at_ms)
    else:
        before.judgement, before.at_ms = judgement, at_ms


def _certificate(state: State, record: CertificateAccepted, known: Any) -> None:
    certificate = parse_certificate(record.raw) if known is None else known.certificate
    epoch = state.epoch_of(certificate.epoch) or state.epoch
    checked: CheckedCertificate = known or check_certificate(certificate, record.raw, epoch, state.keyset)
    state.said_heads = None
    id_ = certificate_id(certificate.epoch, certificate.topic, certificate.level)
    before = state.certificates.get(id_)
    if before is None or before.ends_ms <= record.at_ms:
        state.held_since_ms[id_] = record.at_ms
    state.accepted_ms[id_] = record.at_ms
    state.certificates[id_] = checked
    state.threats.add(certificate.threat)
    firsts = state.first_newest_ms.setdefault(certificate.topic, {})
    for name in _sure_names(state, checked):
        firsts.setdefault(name, checked.newest_issued_ms)


def _sure_names(state: State, checked: CheckedCertificate) -> list[ClaimName]:
    """Claims that an honest group stands behind. A liar may name a claim before it comes true: were it noted, what
    is said on it when it does would be cut short."""
    topic = checked.certificate.topic
    # whoever stands in one of an epoch before may have left since
    epoch = state.epoch_of(checked.certificate.epoch) or state.epoch
    groups: dict[ClaimName, set[GroupName]] = {}
    own: set[ClaimName] = set()
    for one in checked.opinions:
        for claim in one.body.claims:
            groups.setdefault((claim.type, claim.id), set()).add(epoch.group_of(one.entry.author))
            ruled = state.ruled.get(claim)
            if ruled is not None and ruled.judgement.supports(*topic):
                own.add((claim.type, claim.id))
    return sorted(name for name, told in groups.items() if len(told) > epoch.f or name in own)


def _equivocation(state: State, record: EquivocationProven, known: Any) -> None:
    one = known or verified_entry(state, record.one)
    state.equivocations.setdefault((one.entry.author, one.entry.key_version), (record.one, record.other))
    deciding.convict(state, one, verified_entry(state, record.other))


def _false(state: State, record: FalseStatement, known: Any) -> None:
    entry = (known or verified_entry(state, record.entry)).entry
    state.false_statements.setdefault(entry.author, []).append(record.why)


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
        rests_ms=_rests_ms(state, (record.subject, record.threat), record.at_ms),
    )


def _rests_ms(state: State, topic: Topic, at_ms: int) -> int:
    held = state.opinions.get(topic, {}).values()
    return min(at_ms, max((one.body.since_ms for one in held if one.body.level >= Level.GUARD), default=at_ms))


def _renewed(state: State, record: ActionRenewed, known: Any) -> None:
    action = state.actions[ActionKey(record.key)]
    action.until_ms = max(action.until_ms, record.until_ms)
    if record.threat is not None:
        action.threat = record.threat
        action.claims = frozenset()
    if record.claims:
        action.claims |= claim_names(record.claims)
        action.rests_ms = _rests_ms(state, (action.subject, action.threat), record.at_ms)
    action.note(record.at_ms, "renewed", record.why)


def _stepped(state: State, record: ActionStepped, known: Any) -> None:
    action = state.actions[ActionKey(record.key)]
    phase = Phase(record.phase)
    action.attempts = action.attempts + 1 if phase is action.phase else 0
    action.phase = phase
    action.note(record.at_ms, record.phase, record.says, record.reference)
    if phase is Phase.EFFECTIVE:
        action.read_until_ms = record.until_ms
    if record.fires or phase is Phase.SENDING:
        action.armed_only = False
    if phase in ENDED:
        action.ended_ms = record.at_ms
    persons.stepped(state, action)


def _nothing(state: State, record: OperatorDid, known: Any) -> None:
    """Kept for people; no rule reads it."""


def _locked(state: State, record: VoteLocked, known: Any) -> None:
    deciding.lock_votes(state, record.raw)


def _certified(state: State, record: EpochCertified, known: Any) -> None:
    state.certified = record.raw


def _entered(state: State, record: EpochEntered, known: Any) -> None:
    deciding.enter(state, record.at_ms)


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
    EndingAsked: persons.asked,
    EndingClosed: persons.closed,
    AlertSeen: persons.seen,
    EvidenceRerun: persons.reran,
    DecisionMade: _decision,
    ActionOpened: _opened,
    ActionRenewed: _renewed,
    ActionStepped: _stepped,
    OperatorDid: _nothing,
    SigningStopped: _stopped,
    VoteLocked: _locked,
    EpochCertified: _certified,
    EpochEntered: _entered,
}
