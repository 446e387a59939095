"""Certificates: enough attestations to prove a level to anybody, offline."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from protocol.alarm import Opinion, effective_level, lease_fault, operators_of, reaches
from protocol.codec import decode, encode
from protocol.crypto import sha256
from protocol.envelope import Parsed, SealedKeySet, keyset_owner, open_keyset, parse_entry, verify_entry
from protocol.errors import Code, ProtocolError
from protocol.ids import Digest, EpochHash, GroupName, MemberName
from protocol.limits import CERTIFICATE_BYTES_MAX, ENTRY_BYTES_MAX, MEMBERS_MAX
from protocol.membership import COUNTED, Epoch
from protocol.messages import HASH, Attestation, Basis, Level, Tlp
from protocol.release import ClaimName, Topic, claim_names
from protocol.schema import Field, Schema, enumerated, many, raw_bytes, unsigned
from protocol.subjects import SUBJECT, Subject

KeySetLookup = Callable[[MemberName, int], SealedKeySet | None]
_HEADS_BYTES = 10
"""Before an entry and its KeySet in a certificate."""
_REST_BYTES = 1024
"""Epoch, subject and the like."""
Known = Callable[[bytes], Opinion | None]
"""An opinion already verified with exactly these bytes: one verification per entry."""


@dataclass(frozen=True)
class Certificate:
    """Proof made of entries; itself neither signed nor an entry. `keysets`: sealed, or the 32-byte hash of one that
    the receiver has. Those of one (subject, threat, level, epoch) are equal in effect."""

    epoch: EpochHash
    subject: Subject
    threat: int
    level: Level
    entries: tuple[bytes, ...]
    keysets: tuple[bytes, ...]

    @property
    def topic(self) -> Topic:
        return self.subject, self.threat


_CERTIFICATE = Schema(
    Certificate,
    Field(1, "epoch", HASH),
    Field(2, "subject", SUBJECT),
    Field(3, "threat", unsigned(255)),
    Field(4, "level", enumerated(Level)),
    Field(5, "entries", many(raw_bytes(1, ENTRY_BYTES_MAX), MEMBERS_MAX, 1)),
    Field(6, "keysets", many(raw_bytes(32, ENTRY_BYTES_MAX), MEMBERS_MAX)),
)


@dataclass(frozen=True)
class CheckedCertificate:
    """A certificate whose every claim to count was checked against one epoch."""

    certificate: Certificate
    raw: bytes
    digest: Digest
    opinions: tuple[Opinion, ...]
    groups: tuple[GroupName, ...]
    ends_ms: int
    """When its unexpired attestations first fail the threshold: the k-th counted expiry, latest first."""
    newest_issued_ms: int
    claims: tuple[ClaimName, ...]
    operators: frozenset[str]
    groups_verified: int
    tlp: Tlp
    """As strict as its strictest attestation."""


def pack_certificate(certificate: Certificate) -> bytes:
    return encode(_CERTIFICATE.pack(certificate))


@functools.lru_cache(maxsize=32)
def parse_certificate(raw: bytes) -> Certificate:
    """Shape only; `check_certificate` proves it."""
    certificate = _CERTIFICATE.unpack(decode(raw, bytes_max=CERTIFICATE_BYTES_MAX))
    if certificate.level not in COUNTED:
        raise ProtocolError(Code.BAD_SHAPE, "a certificate is for GUARD, ISOLATE or HALT")
    return certificate


def assemble(
    epoch: Epoch, topic: Topic, level: Level, by_group: dict[GroupName, list[Opinion]], keysets: KeySetLookup
) -> Certificate:
    """From groups that reach `level`. Entries are sorted by author, so that equal knowledge gives equal bytes."""
    opinions = sorted((one for held in by_group.values() for one in held), key=lambda one: one.entry.author)
    sealed = [keysets(one.entry.author, one.entry.key_version) for one in opinions]
    raws = tuple(sorted({keyset.raw for keyset in sealed if keyset is not None}))
    return Certificate(epoch.hash, topic[0], topic[1], level, tuple(one.raw for one in opinions), raws)


def fitting(
    epoch: Epoch, level: Level, by_group: dict[GroupName, list[Opinion]], keysets: KeySetLookup
) -> dict[GroupName, list[Opinion]] | None:
    """Groups whose opinions and KeySets fit one certificate: all of them, or else the shortest that still reach
    `level`, None where those do not. Whoever pads its words only leaves itself out."""
    held = [one for opinions in by_group.values() for one in opinions]
    sizes = {one.hash: len(one.raw) + _keyset_bytes(one, keysets) + _HEADS_BYTES for one in held}
    total, most = sum(sizes.values()), CERTIFICATE_BYTES_MAX - _REST_BYTES
    if total <= most:
        return by_group
    held.sort(key=lambda one: (sizes[one.hash], one.hash))
    while total > most:
        total -= sizes[held.pop().hash]
    return reaches(held, epoch, level)


def _keyset_bytes(opinion: Opinion, keysets: KeySetLookup) -> int:
    sealed = keysets(opinion.entry.author, opinion.entry.key_version)
    return len(sealed.raw) if sealed is not None else 0


def _open_keysets(certificate: Certificate, epoch: Epoch, known: KeySetLookup) -> KeySetLookup:
    opened: dict[tuple[MemberName, int], SealedKeySet] = {}
    for raw in certificate.keysets:
        if len(raw) == 32:
            continue
        member = epoch.by_name.get(keyset_owner(raw))
        if member is None:
            raise ProtocolError(Code.UNKNOWN_AUTHOR, "the certificate carries a KeySet of no member")
        sealed = open_keyset(raw, epoch.network, member.governance_key)
        key = (sealed.keyset.member, sealed.keyset.version)
        opened[key] = _lower(opened.get(key), sealed) or sealed
    return lambda author, version: _lower(known(author, version), opened.get((author, version)))


def _lower(one: SealedKeySet | None, other: SealedKeySet | None) -> SealedKeySet | None:
    """Of two KeySets of one member and version the lower hash holds, whoever told of it first."""
    if one is None or other is None:
        return one or other
    return min(one, other, key=lambda sealed: sealed.hash)


def _opinion(raw: bytes, certificate: Certificate, epoch: Epoch, keysets: KeySetLookup) -> Opinion:
    parsed: Parsed = parse_entry(raw, epoch.network)
    author = parsed.entry.author
    if not isinstance(parsed.entry.body, Attestation):
        raise ProtocolError(Code.MIXED_CERTIFICATE, f"the entry of {author} is no attestation")
    keyset = keysets(author, parsed.entry.key_version)
    if author not in epoch.by_name or keyset is None:
        raise ProtocolError(Code.UNKNOWN_KEY, f"no KeySet {parsed.entry.key_version} of {author} is known")
    if parsed.entry.issued_ms > keyset.keyset.expires_ms:
        raise ProtocolError(Code.BAD_KEY, f"{author} sealed under a KeySet that had expired")
    return verify_entry(parsed, keyset.keyset.attestation)


def _belongs(opinion: Opinion, certificate: Certificate, epoch: Epoch) -> None:
    body, author = opinion.body, opinion.entry.author
    same_topic = (body.subject, body.threat) == (certificate.subject, certificate.threat)
    if not same_topic or not epoch.admits(body.epoch, opinion.entry.issued_ms):
        raise ProtocolError(Code.MIXED_CERTIFICATE, f"the opinion of {author} is on another epoch, subject or threat")
    if effective_level(body) < certificate.level:
        raise ProtocolError(Code.SHORT_OF_THRESHOLD, f"the opinion of {author} does not count at this level")
    fault = lease_fault(opinion, epoch)
    if fault:
        raise ProtocolError(Code.LEASE_TOO_LONG, f"the opinion of {author}: {fault}")
    if not epoch.may_count(author):
        raise ProtocolError(Code.BAD_BODY, f"{author} is suspended in this epoch")


def check_certificate(
    certificate: Certificate, raw: bytes, epoch: Epoch, keysets: KeySetLookup, known: Known = lambda raw: None
) -> CheckedCertificate:
    """Proves it against `epoch`, or ProtocolError. Needs no clock: whether it still runs is `ends_ms`."""
    if certificate.epoch != epoch.hash:
        raise ProtocolError(Code.WRONG_EPOCH, "the certificate names another epoch than the one checked against")
    lookup = _open_keysets(certificate, epoch, keysets)
    opinions: list[Opinion] = []
    for entry_raw in certificate.entries:
        opinion = known(entry_raw) or _opinion(entry_raw, certificate, epoch, lookup)
        _belongs(opinion, certificate, epoch)
        opinions.append(opinion)
    if len({one.entry.author for one in opinions}) != len(opinions):
        raise ProtocolError(Code.DUPLICATE_SIGNER, "one author stands in the certificate twice")
    by_group = reaches(opinions, epoch, certificate.level)
    if by_group is None:
        needed = epoch.thresholds[certificate.level]
        have = len({epoch.group_of(one.entry.author) for one in opinions})
        code = Code.SHORT_OF_THRESHOLD if have < needed else Code.SOURCE_RULE
        raise ProtocolError(code, f"{have} groups, {needed} needed for {certificate.level.name}, or one source for all")
    return _checked(certificate, raw, epoch, opinions, by_group)


def _checked(
    certificate: Certificate,
    raw: bytes,
    epoch: Epoch,
    opinions: list[Opinion],
    by_group: dict[GroupName, list[Opinion]],
) -> CheckedCertificate:
    needed = epoch.thresholds[certificate.level]
    expiries = sorted((max(one.body.expires_ms for one in held) for held in by_group.values()), reverse=True)
    verified = sum(1 for held in by_group.values() if any(one.body.basis is Basis.VERIFIED for one in held))
    names: set[ClaimName] = set()
    for one in opinions:
        names |= claim_names(one.body.claims)
    return CheckedCertificate(
        certificate=certificate,
        raw=raw,
        digest=Digest(sha256(encode([*_key(certificate), sorted(one.hash for one in opinions)]))),
        opinions=tuple(opinions),
        groups=tuple(sorted(by_group)),
        ends_ms=expiries[needed - 1],
        newest_issued_ms=max(one.entry.issued_ms for one in opinions),
        claims=tuple(sorted(names)),
        operators=frozenset().union(*operators_of(opinions, epoch).values()),
        groups_verified=verified,
        tlp=max(one.body.tlp for one in opinions),
    )


def _key(certificate: Certificate) -> tuple[bytes, bytes, int, int]:
    return certificate.epoch, certificate.subject.raw, certificate.threat, int(certificate.level)


def certificate_id(epoch: EpochHash, topic: Topic, level: Level) -> Digest:
    """Names all certificates of one (epoch, subject, threat, level): what peers show each other that they have."""
    return _certificate_id(epoch, topic[0].raw, topic[1], int(level))


@functools.lru_cache(maxsize=4096)
def _certificate_id(epoch: EpochHash, subject: bytes, threat: int, level: int) -> Digest:
    """Asked for again with every word on a topic."""
    return Digest(sha256(encode([epoch, subject, threat, level])))


def without_known_keysets(certificate: Certificate, hashes: Iterable[tuple[bytes, bytes]]) -> Certificate:
    """For a peer that has them: each sealed KeySet of `hashes` (raw → hash) replaced by its hash."""
    short = dict(hashes)
    keysets = tuple(short.get(raw, raw) for raw in certificate.keysets)
    return Certificate(
        certificate.epoch, certificate.subject, certificate.threat, certificate.level, certificate.entries, keysets
    )
