"""What is written down before anything follows from it: versioned, append-only, replayed by the live path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from governance.lock import LOCK_BYTES_MAX
from node.records_persons import BY_PERSONS
from node.records_persons import AlertSeen as AlertSeen
from node.records_persons import EndingAsked as EndingAsked
from node.records_persons import EndingClosed as EndingClosed
from node.records_persons import EvidenceRerun as EvidenceRerun
from node.records_persons import Wish as Wish
from protocol.codec import decode, encode
from protocol.errors import ImpossibleError
from protocol.limits import BLOB_BYTES_MAX, CERTIFICATE_BYTES_MAX, ENTRY_BYTES_MAX, EPOCH_CERTIFICATE_BYTES_MAX
from protocol.messages import CLAIM, HASH, Claim, Level
from protocol.schema import Codec, Field, Schema, boolean, enumerated, many, raw_bytes, text, unsigned
from protocol.subjects import SUBJECT, Subject

VERSION = 1
RECORD_BYTES_MAX = 512 * 1024
_WORDS = 4096


class NewerRecordError(ImpossibleError):
    """The checksums hold, so nobody changed it: a later version of this program wrote it."""


@dataclass(frozen=True)
class KeySetLearned:
    raw: bytes


@dataclass(frozen=True)
class EntryAccepted:
    """`own`: sealed here; the mark names it before this record is durable."""

    raw: bytes
    own: bool
    at_ms: int


@dataclass(frozen=True)
class BlobKept:
    raw: bytes


@dataclass(frozen=True)
class ClaimRuled:
    """What our own verifier or sensor said of a claim."""

    claim: Claim
    ruling: str
    why: str
    subject: Subject | None
    threat: int
    level: Level
    amount: bytes
    """Big-endian, as short as it goes: amounts outgrow 64 bits."""
    sources: tuple[str, ...]
    at_ms: int


@dataclass(frozen=True)
class CertificateAccepted:
    raw: bytes
    assembled_here: bool
    at_ms: int


@dataclass(frozen=True)
class EquivocationProven:
    one: bytes
    other: bytes
    at_ms: int


@dataclass(frozen=True)
class FalseStatement:
    """A VERIFIED opinion whose claim our deterministic verifier refutes: kept as proof, names its author."""

    entry: bytes
    why: str
    at_ms: int


@dataclass(frozen=True)
class DecisionMade:
    verdict: str
    rule: str
    lever: str
    subject: Subject | None
    threat: int
    why: str
    at_ms: int


@dataclass(frozen=True)
class ActionOpened:
    key: bytes
    lever: str
    instance: str
    subject: Subject
    threat: int
    rung: Level
    lease_ms: int
    until_ms: int
    rule: str
    why: str
    claims: tuple[Claim, ...]
    """Digest zero: (type, id) is what names a claim here."""
    certificate: bytes
    """Digest of the certificate that opened it; empty for own evidence."""
    phase: str
    at_ms: int


@dataclass(frozen=True)
class ActionRenewed:
    key: bytes
    until_ms: int
    claims: tuple[Claim, ...]
    why: str
    at_ms: int
    threat: int | None = None
    """Where it rests on another threat from now on: what it was opened for was released."""


@dataclass(frozen=True)
class ActionStepped:
    key: bytes
    phase: str
    says: str
    reference: str
    until_ms: int
    at_ms: int
    fires: bool | None = None
    """Where it turns an armed action into one that is to be sent."""


@dataclass(frozen=True)
class OperatorDid:
    person: str
    deed: str
    at_ms: int


@dataclass(frozen=True)
class SigningStopped:
    """Under this key for ever: only a fresh one, delegated by the governance key, speaks again."""

    key_version: int
    why: str
    at_ms: int


@dataclass(frozen=True)
class VoteLocked:
    """What this member said, and is bound to, in the rounds of the epoch in force (`governance.lock`): durable before
    the vote beside it leaves."""

    raw: bytes


@dataclass(frozen=True)
class EpochCertified:
    """What follows the epoch in force is proven."""

    raw: bytes
    at_ms: int


@dataclass(frozen=True)
class EpochEntered:
    """The certified one is in force from here on."""

    number: int
    at_ms: int


Record = (
    KeySetLearned
    | EntryAccepted
    | BlobKept
    | ClaimRuled
    | CertificateAccepted
    | EquivocationProven
    | FalseStatement
    | DecisionMade
    | ActionOpened
    | ActionRenewed
    | ActionStepped
    | OperatorDid
    | SigningStopped
    | VoteLocked
    | EpochCertified
    | EpochEntered
    | EndingAsked
    | EndingClosed
    | AlertSeen
    | EvidenceRerun
)

_SEALED = raw_bytes(1, ENTRY_BYTES_MAX)
_SAYS = text(_WORDS)
_AT = Field(60, "at_ms", unsigned())
_CLAIMS: Codec[Any] = many(CLAIM.codec(), 64)

_TABLE: dict[int, Schema[Any]] = {
    1: Schema(KeySetLearned, Field(1, "raw", _SEALED)),
    2: Schema(EntryAccepted, Field(1, "raw", _SEALED), Field(2, "own", boolean()), _AT),
    3: Schema(BlobKept, Field(1, "raw", raw_bytes(1, BLOB_BYTES_MAX))),
    4: Schema(
        ClaimRuled,
        Field(1, "claim", CLAIM.codec()),
        Field(2, "ruling", text(16)),
        Field(3, "why", _SAYS),
        Field(4, "subject", SUBJECT, optional=True),
        Field(5, "threat", unsigned(255)),
        Field(6, "level", enumerated(Level)),
        Field(7, "amount", raw_bytes(0, 32)),
        Field(8, "sources", many(text(64), 16)),
        _AT,
    ),
    5: Schema(
        CertificateAccepted,
        Field(1, "raw", raw_bytes(1, CERTIFICATE_BYTES_MAX)),
        Field(2, "assembled_here", boolean()),
        _AT,
    ),
    6: Schema(EquivocationProven, Field(1, "one", _SEALED), Field(2, "other", _SEALED), _AT),
    7: Schema(FalseStatement, Field(1, "entry", _SEALED), Field(2, "why", _SAYS), _AT),
    8: Schema(
        DecisionMade,
        Field(1, "verdict", text(16)),
        Field(2, "rule", text(64)),
        Field(3, "lever", text(64)),
        Field(4, "subject", SUBJECT, optional=True),
        Field(5, "threat", unsigned(255)),
        Field(6, "why", _SAYS),
        _AT,
    ),
    9: Schema(
        ActionOpened,
        Field(1, "key", HASH),
        Field(2, "lever", text(64)),
        Field(3, "instance", text(200)),
        Field(4, "subject", SUBJECT),
        Field(5, "threat", unsigned(255)),
        Field(6, "rung", enumerated(Level)),
        Field(7, "lease_ms", unsigned()),
        Field(8, "until_ms", unsigned()),
        Field(9, "rule", text(64)),
        Field(10, "why", _SAYS),
        Field(11, "claims", _CLAIMS),
        Field(12, "certificate", raw_bytes(0, 32)),
        Field(13, "phase", text(16)),
        _AT,
    ),
    10: Schema(
        ActionRenewed,
        Field(1, "key", HASH),
        Field(2, "until_ms", unsigned()),
        Field(3, "claims", _CLAIMS),
        Field(4, "why", _SAYS),
        Field(5, "threat", unsigned(255), optional=True),
        _AT,
    ),
    11: Schema(
        ActionStepped,
        Field(1, "key", HASH),
        Field(2, "phase", text(16)),
        Field(3, "says", _SAYS),
        Field(4, "reference", text(256)),
        Field(5, "until_ms", unsigned()),
        Field(6, "fires", boolean(), optional=True),
        _AT,
    ),
    12: Schema(OperatorDid, Field(1, "person", text(64)), Field(2, "deed", _SAYS), _AT),
    13: Schema(SigningStopped, Field(1, "key_version", unsigned()), Field(2, "why", _SAYS), _AT),
    14: Schema(VoteLocked, Field(1, "raw", raw_bytes(1, LOCK_BYTES_MAX))),
    15: Schema(EpochCertified, Field(1, "raw", raw_bytes(1, EPOCH_CERTIFICATE_BYTES_MAX)), _AT),
    16: Schema(EpochEntered, Field(1, "number", unsigned()), _AT),
    **BY_PERSONS,
}
_NUMBER: Mapping[type, int] = {schema.kind: number for number, schema in _TABLE.items()}


def pack_record(record: Record) -> tuple[int, int, bytes]:
    """(kind, version, body) as the store keeps it."""
    number = _NUMBER[type(record)]
    return number, VERSION, encode(_TABLE[number].pack(record))


def kind_of(record: type) -> int:
    """The number under which records of this type are stored."""
    return _NUMBER[record]


def unpack_record(kind: int, version: int, body: bytes) -> Record:
    """Our own words come back as they were written, or the store is not ours: ImpossibleError; NewerRecordError where
    a later version wrote it."""
    schema = _TABLE.get(kind)
    if schema is None or version != VERSION:
        raise NewerRecordError(f"the store holds a record of kind {kind}, version {version}: a newer node wrote it")
    record: Record = schema.unpack(decode(body, bytes_max=RECORD_BYTES_MAX))
    return record


def short(words: str, most: int = _WORDS) -> str:
    """Fits a record: what others say is cut, never refused."""
    return words if len(words) <= most else words[: most - 1] + "…"
