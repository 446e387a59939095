"""What a round of ordering decides: which passed proposals and proofs make the next epoch, and when it begins."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from governance.genesis import EPOCH_TAG
from protocol import messages
from protocol.codec import decode, encode
from protocol.crypto import sha256
from protocol.errors import Code, ProtocolError
from protocol.ids import Digest, EpochHash, MemberName, NetworkId
from protocol.limits import KEYSETS_PER_MEMBER_MAX, VALUE_BYTES_MAX
from protocol.messages import HASH, NAME
from protocol.schema import OPTIONAL_FROM, Field, Schema, many, unsigned

PROPOSALS_PER_EPOCH_MAX = 64
PROOFS_PER_EPOCH_MAX = 85
"""max(1, f) of 256 groups; with as many proposals a Value stays under VALUE_BYTES_MAX."""


@dataclass(frozen=True, order=True)
class Suspect:
    """Whom a proof of equivocation suspends: the feed of this KeySet forked."""

    member: MemberName
    key_version: int


@dataclass(frozen=True)
class Value:
    """`proposals` by hash and `proofs`, each sorted and none twice: one form for one decision."""

    parent: EpochHash
    number: int
    proposals: tuple[Digest, ...]
    proofs: tuple[Suspect, ...]
    activates_ms: int
    later: tuple[tuple[int, Any], ...] = ()
    """Optional fields of a later version: hashed, and ignored."""


SUSPECT = Schema(
    Suspect, Field(1, "member", NAME), Field(2, "key_version", unsigned(KEYSETS_PER_MEMBER_MAX * 1_000_000))
)
VALUE = Schema(
    Value,
    Field(1, "parent", HASH),
    Field(2, "number", unsigned()),
    Field(3, "proposals", many(HASH, PROPOSALS_PER_EPOCH_MAX)),
    Field(4, "proofs", many(SUSPECT.codec(), PROOFS_PER_EPOCH_MAX)),
    Field(5, "activates_ms", unsigned()),
)


def pack_value(value: Value) -> bytes:
    return encode(VALUE.pack(value) | dict(value.later))


def parse_value(raw: bytes) -> Value:
    """ProtocolError for another shape, rows out of order or twice, or nothing to decide."""
    fields = decode(raw, bytes_max=VALUE_BYTES_MAX)
    value = VALUE.unpack(fields)
    value = replace(value, later=tuple((key, one) for key, one in fields.items() if key >= OPTIONAL_FROM))
    if list(value.proposals) != sorted(set(value.proposals)) or list(value.proofs) != sorted(set(value.proofs)):
        raise ProtocolError(Code.BAD_SHAPE, "Value: proposals and proofs are sorted, none twice")
    if pack_value(value) != raw:
        raise ProtocolError(
            Code.BAD_SHAPE, "Value: no optional field within a proof, for it would be lost and the hash with it"
        )
    if not value.proposals and not value.proofs:
        raise ProtocolError(Code.BAD_SHAPE, "Value: changes nothing")
    return value


def value_hash(value: Value) -> Digest:
    """What votes call it by."""
    return messages.value_hash(pack_value(value))


def epoch_hash(network: NetworkId, value: Value) -> EpochHash:
    """Of the epoch that this value makes. Its state follows from its parent's and from the value alone."""
    return EpochHash(sha256(encode([EPOCH_TAG, network, value.number, value.parent, value_hash(value)])))
