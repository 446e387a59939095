"""Every body as a frozen value, and its table. Times are milliseconds since 1970, UTC."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from protocol.codec import encode
from protocol.crypto import sha256
from protocol.ids import Digest, EpochHash, MemberName, PublicKey, SourceId
from protocol.limits import (
    CLAIMS_MAX,
    ENTRY_BYTES_MAX,
    KEYSETS_PER_MEMBER_MAX,
    LABEL_CHARS_MAX,
    MANIFEST_SUBJECTS_MAX,
    NAME_CHARS_MAX,
    NOTICE_CHARS_MAX,
    SOURCES_MAX,
    TEXT_CHARS_MAX,
    TRANSPORT_KEYS_MAX,
    VALUE_BYTES_MAX,
)
from protocol.schema import Codec, Field, Schema, boolean, enumerated, many, raw_bytes, text, unsigned
from protocol.subjects import SUBJECT, Subject

VALUE_TAG = "tocsin/1/value"
NAME_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789-"


class EntryKind(enum.IntEnum):
    ATTESTATION = 1
    RELEASE = 2
    ACTION_REPORT = 3
    MANIFEST = 4
    HEARTBEAT = 5
    NOTICE = 6
    STATEMENT = 7
    PROPOSE = 8
    PREPARE = 9
    COMMIT = 10


class Level(enum.IntEnum):
    """The ladder. WATCH never moves a lever."""

    NONE = 0
    WATCH = 1
    GUARD = 2
    ISOLATE = 3
    HALT = 4


class Basis(enum.IntEnum):
    """How the author knows. HEARSAY never counts above WATCH."""

    HEARSAY = 1
    OBSERVED = 2
    VERIFIED = 3


class Threat(enum.IntEnum):
    """Closed: 1..31 information, 32..63 integrity. A number unknown here is kept and never counts."""

    CREDENTIAL_LEAK = 1
    API_KEY_LEAK = 2
    DATABASE_BREACH = 3
    POSITION_LEAK = 4
    IDENTITY_LEAK = 5
    KEY_COMPROMISE = 32
    CONTRACT_EXPLOIT = 33
    BRIDGE_FORGERY = 34
    UNBACKED_SUPPLY = 35
    ORACLE_MANIPULATION = 36
    MARKET_MANIPULATION = 37
    GOVERNANCE_ATTACK = 38
    FRONTEND_HIJACK = 39
    SUPPLY_CHAIN = 40
    LIQUIDITY_RUN = 41
    HALT_OBSERVED = 42

    @property
    def word(self) -> str:
        return self.name.lower().replace("_", "-")


def threat_from_word(word: str) -> Threat | None:
    return next((threat for threat in Threat if threat.word == word), None)


class Tlp(enum.IntEnum):
    """Traffic Light Protocol 2.0, strictest last."""

    CLEAR = 0
    GREEN = 1
    AMBER = 2
    AMBER_STRICT = 3
    RED = 4


@dataclass(frozen=True, order=True)
class Claim:
    """What an opinion rests on. `digest` names the blob of canonical inputs, which travels apart."""

    type: str
    id: bytes
    digest: Digest


@dataclass(frozen=True)
class Attestation:
    """A member's current opinion, keyed (author, subject, threat); a later one replaces it, NONE withdraws it."""

    epoch: EpochHash
    subject: Subject
    threat: int
    level: Level
    basis: Basis
    claims: tuple[Claim, ...]
    sources: tuple[SourceId, ...]
    detector: str
    incident: str
    since_ms: int
    expires_ms: int
    by_person: bool
    tlp: Tlp
    evm_sig: bytes | None = None


@dataclass(frozen=True)
class Release:
    """ "What was said up to `through_ms` no longer holds for me": counts by quorum, on a person's command only."""

    epoch: EpochHash
    subject: Subject
    threat: int
    through_ms: int
    claims: tuple[Claim, ...]


@dataclass(frozen=True)
class ActionReport:
    """What a member did with its own lever. Told, never counted."""

    action_key: bytes
    phase: str
    effect: str


@dataclass(frozen=True)
class Manifest:
    """What the member runs or is exposed to; its latest holds."""

    subjects: tuple[Subject, ...]


@dataclass(frozen=True)
class Heartbeat:
    epoch: EpochHash


@dataclass(frozen=True)
class Notice:
    text: str
    tlp: Tlp


@dataclass(frozen=True)
class Statement:
    """Something sealed by a governance key (a KeySet, Proposal or Ballot), carried by any feed."""

    sealed: bytes


NOTHING = Digest(bytes(32))
"""What a vote names that is for no value."""


@dataclass(frozen=True)
class Propose:
    """A round's proposer asks for this value. Of Tendermint's Algorithm 1, like the two votes below."""

    epoch: EpochHash
    """The one that the value would follow; its members order."""
    round: int
    value: bytes
    """Canonical CBOR, opaque here."""
    valid_round: int | None = None
    """Where Q groups prepared this value, if they did."""


@dataclass(frozen=True)
class Prepare:
    """The first vote of a round: for the value of this hash, or for NOTHING."""

    epoch: EpochHash
    round: int
    value_hash: Digest


@dataclass(frozen=True)
class Commit:
    """The second vote of a round; Q of them for one value decide it."""

    epoch: EpochHash
    round: int
    value_hash: Digest


@dataclass(frozen=True)
class Unknown:
    """A kind of a later version, a body with a number of one, a vote of another shape: stored, chained and relayed,
    never counted."""

    kind: int
    fields: Mapping[int, Any]


@dataclass(frozen=True)
class KeySet:
    """A member's hot keys, delegated by its governance key. The highest version wins."""

    member: MemberName
    version: int
    attestation: PublicKey
    evm: bytes | None
    transport: tuple[str, ...]
    """libp2p peer ids: they carry bytes and prove nothing about who said what."""
    expires_ms: int


Vote = Propose | Prepare | Commit
VOTES = (Propose, Prepare, Commit)
Body = Attestation | Release | ActionReport | Manifest | Heartbeat | Notice | Statement | Vote | Unknown

HASH = raw_bytes(32, 32)
NAME = text(NAME_CHARS_MAX, 1, NAME_ALPHABET)
_LABEL = text(LABEL_CHARS_MAX)

CLAIM = Schema(
    Claim,
    Field(1, "type", text(LABEL_CHARS_MAX, 1, NAME_ALPHABET)),
    Field(2, "id", HASH),
    Field(3, "digest", HASH),
)
_CLAIMS: Codec[tuple[Claim, ...]] = many(CLAIM.codec(), CLAIMS_MAX)

KEYSET = Schema(
    KeySet,
    Field(1, "member", NAME),
    Field(2, "version", unsigned(KEYSETS_PER_MEMBER_MAX * 1_000_000)),
    Field(3, "attestation", HASH),
    Field(4, "evm", raw_bytes(20, 20), optional=True),
    Field(5, "transport", many(text(LABEL_CHARS_MAX, 8), TRANSPORT_KEYS_MAX)),
    Field(6, "expires_ms", unsigned()),
)

_VOTED = (Field(1, "epoch", HASH), Field(2, "round", unsigned()), Field(3, "value_hash", HASH))

BODIES: dict[int, Schema[Any]] = {
    EntryKind.ATTESTATION: Schema(
        Attestation,
        Field(1, "epoch", HASH),
        Field(2, "subject", SUBJECT),
        Field(3, "threat", unsigned(255)),
        Field(4, "level", enumerated(Level)),
        Field(5, "basis", enumerated(Basis)),
        Field(6, "claims", _CLAIMS),
        Field(7, "sources", many(text(LABEL_CHARS_MAX, 1), SOURCES_MAX)),
        Field(8, "detector", _LABEL),
        Field(9, "incident", _LABEL),
        Field(10, "since_ms", unsigned()),
        Field(11, "expires_ms", unsigned()),
        Field(12, "by_person", boolean()),
        Field(13, "tlp", enumerated(Tlp)),
        Field(14, "evm_sig", raw_bytes(65, 65), optional=True),
    ),
    EntryKind.RELEASE: Schema(
        Release,
        Field(1, "epoch", HASH),
        Field(2, "subject", SUBJECT),
        Field(3, "threat", unsigned(255)),
        Field(4, "through_ms", unsigned()),
        Field(5, "claims", _CLAIMS),
    ),
    EntryKind.ACTION_REPORT: Schema(
        ActionReport,
        Field(1, "action_key", HASH),
        Field(2, "phase", _LABEL),
        Field(3, "effect", text(TEXT_CHARS_MAX)),
    ),
    EntryKind.MANIFEST: Schema(Manifest, Field(1, "subjects", many(SUBJECT, MANIFEST_SUBJECTS_MAX))),
    EntryKind.HEARTBEAT: Schema(Heartbeat, Field(1, "epoch", HASH)),
    EntryKind.NOTICE: Schema(Notice, Field(1, "text", text(NOTICE_CHARS_MAX)), Field(2, "tlp", enumerated(Tlp))),
    EntryKind.STATEMENT: Schema(Statement, Field(1, "sealed", raw_bytes(1, ENTRY_BYTES_MAX))),
    EntryKind.PROPOSE: Schema(
        Propose,
        Field(1, "epoch", HASH),
        Field(2, "round", unsigned()),
        Field(3, "value", raw_bytes(1, VALUE_BYTES_MAX)),
        Field(4, "valid_round", unsigned(), optional=True),
    ),
    EntryKind.PREPARE: Schema(Prepare, *_VOTED),
    EntryKind.COMMIT: Schema(Commit, *_VOTED),
}
KIND_OF: dict[type, EntryKind] = {schema.kind: EntryKind(kind) for kind, schema in BODIES.items()}


def value_hash(value: bytes) -> Digest:
    """What votes call a value by."""
    return Digest(sha256(encode([VALUE_TAG, value])))
