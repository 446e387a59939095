"""An epoch's certificate: what proves, offline and from the epoch before alone, that its members made the next one.

Ballots of cold keys decide, Commits of hot keys order: it needs a quorum of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from governance import rules
from governance.ballots import SealedBallot, Vote, open_ballot, parse_ballot
from governance.broken import Rule, RuleError
from governance.changes import next_epoch
from governance.heard import voices
from governance.proposals import Proposal, parse_proposal
from governance.values import PROOFS_PER_EPOCH_MAX, PROPOSALS_PER_EPOCH_MAX, Suspect, Value, parse_value
from protocol import messages
from protocol.codec import decode, encode
from protocol.envelope import SealedKeySet, Verified, keyset_owner, open_keyset, parse_entry, verify_entry
from protocol.errors import Code, ProtocolError
from protocol.feed import is_equivocation
from protocol.ids import Digest, GroupName, MemberName
from protocol.limits import (
    ENTRY_BYTES_MAX,
    EPOCH_CERTIFICATE_BYTES_MAX,
    MEMBERS_MAX,
    STATEMENT_BYTES_MAX,
    VALUE_BYTES_MAX,
)
from protocol.membership import Epoch
from protocol.messages import Commit
from protocol.schema import Field, Schema, many, raw_bytes

BALLOTS_MAX = 4096
"""Beyond what fits the bytes: a bound for the table alone."""


@dataclass(frozen=True)
class Proof:
    """Two sealed entries of one feed that fork it."""

    first: bytes
    second: bytes


@dataclass(frozen=True)
class EpochCertificate:
    """`value`: the bytes that the Commits name; the rest sealed, as it was said. Consents stand in the proposals."""

    value: bytes
    proposals: tuple[bytes, ...]
    ballots: tuple[bytes, ...]
    proofs: tuple[Proof, ...]
    commits: tuple[bytes, ...]
    keysets: tuple[bytes, ...]


_SEALED = raw_bytes(1, ENTRY_BYTES_MAX)
_STATEMENT = raw_bytes(1, STATEMENT_BYTES_MAX)
PROOF = Schema(Proof, Field(1, "first", _SEALED), Field(2, "second", _SEALED))
EPOCH_CERTIFICATE = Schema(
    EpochCertificate,
    Field(1, "value", raw_bytes(1, VALUE_BYTES_MAX)),
    Field(2, "proposals", many(_STATEMENT, PROPOSALS_PER_EPOCH_MAX)),
    Field(3, "ballots", many(_STATEMENT, BALLOTS_MAX)),
    Field(4, "proofs", many(PROOF.codec(), PROOFS_PER_EPOCH_MAX)),
    Field(5, "commits", many(_SEALED, MEMBERS_MAX, 1)),
    Field(6, "keysets", many(_SEALED, 2 * MEMBERS_MAX, 1)),
)


@dataclass(frozen=True)
class Enacted:
    """A checked certificate: the epoch it makes, and what made it, for people."""

    epoch: Epoch
    value: Value
    proposals: dict[Digest, Proposal]
    ballots: dict[Digest, tuple[SealedBallot, ...]]
    committed: tuple[GroupName, ...]


def pack_epoch_certificate(certificate: EpochCertificate) -> bytes:
    """ProtocolError(oversized) where it has more than EPOCH_CERTIFICATE_BYTES_MAX."""
    raw = encode(EPOCH_CERTIFICATE.pack(certificate))
    if len(raw) > EPOCH_CERTIFICATE_BYTES_MAX:
        raise ProtocolError(Code.OVERSIZED, f"an epoch certificate of {len(raw)} bytes")
    return raw


def parse_epoch_certificate(raw: bytes) -> EpochCertificate:
    """Shape only; `check` proves it."""
    return EPOCH_CERTIFICATE.unpack(decode(raw, bytes_max=EPOCH_CERTIFICATE_BYTES_MAX))


def check(certificate: EpochCertificate, epoch: Epoch) -> Enacted:
    """Against `epoch`, its parent, and nothing else: no clock, no store. ProtocolError says what is wrong."""
    value = parse_value(certificate.value)
    check_place(value, epoch)
    proposals = _proposals(certificate, value, epoch)
    for hash_, proposal in proposals.items():
        rules.check_once(epoch, hash_)
        check_ordered(epoch, proposal, value.activates_ms)
    made = next_epoch(epoch, value, proposals)
    ballots = _ballots(certificate, proposals, epoch)
    keysets = _keysets(certificate, epoch)
    _check_proofs(certificate, value, epoch, keysets)
    committed = _committed(certificate, epoch, keysets)
    return Enacted(made, value, proposals, ballots, committed)


def check_place(value: Value, epoch: Epoch) -> None:
    if (value.parent, value.number) != (epoch.hash, epoch.number + 1):
        raise ProtocolError(Code.WRONG_EPOCH, f"the value is not of what follows epoch {epoch.number}")
    if value.activates_ms <= epoch.activates_ms:
        raise RuleError(Rule.TIME, "an epoch begins after the one before it")


def check_ordered(epoch: Epoch, proposal: Proposal, activates_ms: int) -> None:
    """What holds of a proposal that an epoch contains, as far as it can be seen offline. Its author may have left."""
    rules.check_closing(epoch, proposal)
    rules.check_consents(epoch, proposal)
    rules.check_others(epoch, proposal)
    earliest_ms = proposal.opened_ms + rules.delay_ms(epoch, proposal)
    if not earliest_ms <= activates_ms <= rules.ends_ms(epoch, proposal):
        raise RuleError(Rule.TIME, "a proposal makes an epoch after its delay and before its end")


def _proposals(certificate: EpochCertificate, value: Value, epoch: Epoch) -> dict[Digest, Proposal]:
    found = {}
    for raw in certificate.proposals:
        sealed = parse_proposal(raw, epoch.network)
        found[sealed.hash] = sealed.proposal
    if tuple(sorted(found)) != value.proposals or len(found) != len(certificate.proposals):
        raise ProtocolError(Code.MIXED_CERTIFICATE, "the proposals are not those that the value names")
    return found


def _ballots(
    certificate: EpochCertificate, proposals: dict[Digest, Proposal], epoch: Epoch
) -> dict[Digest, tuple[SealedBallot, ...]]:
    found: dict[Digest, dict[MemberName, SealedBallot]] = {hash_: {} for hash_ in proposals}
    for raw in certificate.ballots:
        ballot = parse_ballot(raw, epoch.network).ballot
        proposal = proposals.get(ballot.proposal)
        if proposal is None:
            raise ProtocolError(Code.MIXED_CERTIFICATE, f"the ballot of {ballot.member} is on another proposal")
        if not rules.counts(epoch, proposal, ballot.member):
            raise ProtocolError(Code.UNKNOWN_AUTHOR, f"{ballot.member} has no say in this proposal")
        sealed = open_ballot(raw, epoch.network, epoch.by_name[ballot.member].governance_key)
        if ballot.vote is not Vote.YES or ballot.cast_ms > proposal.closes_ms:
            raise ProtocolError(Code.MIXED_CERTIFICATE, f"the ballot of {ballot.member} is no yes, or too late")
        if ballot.member in found[ballot.proposal]:
            raise ProtocolError(Code.DUPLICATE_SIGNER, f"{ballot.member} votes twice on one proposal")
        found[ballot.proposal][ballot.member] = sealed
    for hash_, by_member in found.items():
        groups = {epoch.group_of(member) for member in by_member}
        need = rules.needed(epoch, proposals[hash_])
        if len(groups) < need:
            raise ProtocolError(Code.SHORT_OF_THRESHOLD, f"{len(groups)} groups voted yes, {need} are needed")
    return {hash_: tuple(one.values()) for hash_, one in found.items()}


KeySetsByName = dict[tuple[MemberName, int], SealedKeySet]


def _keysets(certificate: EpochCertificate, epoch: Epoch) -> KeySetsByName:
    opened: KeySetsByName = {}
    for raw in certificate.keysets:
        member = epoch.by_name.get(keyset_owner(raw))
        if member is None:
            raise ProtocolError(Code.UNKNOWN_AUTHOR, "the certificate carries a KeySet of no member")
        sealed = open_keyset(raw, epoch.network, member.governance_key)
        name = (sealed.keyset.member, sealed.keyset.version)
        if name in opened:
            raise ProtocolError(Code.DUPLICATE_SIGNER, f"two KeySets of {name[0]} have one version")
        opened[name] = sealed
    return opened


def _opened(raw: bytes, epoch: Epoch, keysets: KeySetsByName) -> Verified[Any]:
    parsed = parse_entry(raw, epoch.network)
    entry = parsed.entry
    keyset = keysets.get((entry.author, entry.key_version))
    if keyset is None:
        raise ProtocolError(Code.UNKNOWN_KEY, f"no KeySet {entry.key_version} of {entry.author} is carried")
    if entry.issued_ms > keyset.keyset.expires_ms:
        raise ProtocolError(Code.BAD_KEY, f"{entry.author} sealed under a KeySet that had expired")
    return verify_entry(parsed, keyset.keyset.attestation)


def _check_proofs(certificate: EpochCertificate, value: Value, epoch: Epoch, keysets: KeySetsByName) -> None:
    if len(certificate.proofs) != len(value.proofs):
        raise ProtocolError(Code.MIXED_CERTIFICATE, "the proofs are not those that the value names")
    for suspect, proof in zip(value.proofs, certificate.proofs, strict=True):
        check_proof(suspect, _opened(proof.first, epoch, keysets), _opened(proof.second, epoch, keysets))


def check_proof(suspect: Suspect, first: Verified[Any], second: Verified[Any]) -> None:
    named = (suspect.member, suspect.key_version)
    if (first.entry.author, first.entry.key_version) != named or not is_equivocation(first, second):
        raise ProtocolError(Code.MIXED_CERTIFICATE, f"two entries do not prove that {suspect.member} forked its feed")


def _committed(certificate: EpochCertificate, epoch: Epoch, keysets: KeySetsByName) -> tuple[GroupName, ...]:
    named = messages.value_hash(certificate.value)
    authors: list[MemberName] = []
    rounds: set[int] = set()
    for raw in certificate.commits:
        verified = _opened(raw, epoch, keysets)
        body = verified.entry.body
        if not isinstance(body, Commit) or (body.epoch, body.value_hash) != (epoch.hash, named):
            raise ProtocolError(
                Code.MIXED_CERTIFICATE, f"the entry of {verified.entry.author} commits to no such value"
            )
        authors.append(verified.entry.author)
        rounds.add(body.round)
    if len(rounds) != 1:
        raise ProtocolError(Code.MIXED_CERTIFICATE, "the Commits are of several rounds")
    if len(set(authors)) != len(authors):
        raise ProtocolError(Code.DUPLICATE_SIGNER, "one member commits twice")
    groups = {epoch.group_of(author) for author in authors}
    if not {*authors} <= {*voices(epoch).values()}:
        raise ProtocolError(Code.MIXED_CERTIFICATE, "a Commit is not of its group's first member")
    if len(groups) < epoch.q:
        raise ProtocolError(Code.SHORT_OF_THRESHOLD, f"{len(groups)} groups committed, {epoch.q} are needed")
    return tuple(sorted(groups))


def chosen_commits(epoch: Epoch, commits: Sequence[Verified[Commit]]) -> tuple[Verified[Commit], ...]:
    """Each group's voice's shortest, as many as a quorum: whoever pads its words only leaves itself out."""
    spoke = {*voices(epoch).values()}
    by_group: dict[GroupName, Verified[Commit]] = {}
    for one in sorted(commits, key=lambda commit: (len(commit.raw), commit.hash), reverse=True):
        if one.entry.author in spoke:
            by_group[epoch.group_of(one.entry.author)] = one
    ranked = sorted(by_group.values(), key=lambda commit: (len(commit.raw), commit.hash))[: epoch.q]
    return tuple(sorted(ranked, key=lambda commit: commit.entry.author))
