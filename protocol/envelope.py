"""The one door from bytes to trust.

`parse_entry` checks size, canonical form and shape. `verify_entry` checks the seal and is the only place that
builds `Verified`: whoever holds one holds the proof. Sealed as untagged COSE_Sign1 (RFC 9052) with Ed25519; the
external AAD binds the kind's domain tag and the network, so no signature is valid for two purposes or networks.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from protocol import crypto
from protocol.codec import decode, encode
from protocol.errors import Code, ProtocolError
from protocol.ids import EntryHash, MemberName, NetworkId, PublicKey
from protocol.limits import ENTRY_BYTES_MAX, KEYSETS_PER_MEMBER_MAX, STATEMENT_BYTES_MAX
from protocol.messages import (
    BODIES,
    HASH,
    KEYSET,
    KIND_OF,
    NAME,
    VOTES,
    Body,
    EntryKind,
    KeySet,
    Release,
    Unknown,
)
from protocol.schema import Codec, Field, Schema, unsigned

PROTECTED = encode({1: -8})
"""alg: EdDSA, and nothing else, ever: a literal, so there is nothing to negotiate."""
_CONTEXT = "Signature1"

B = TypeVar("B", bound=Body)


def domain_tag(kind: int) -> str:
    """One per kind; kinds of a later version get a tag of their number."""
    try:
        return f"tocsin/1/{EntryKind(kind).name.lower().replace('_', '-')}"
    except ValueError:
        return f"tocsin/1/kind-{kind}"


KEYSET_TAG = "tocsin/1/keyset"
CHARTER_TAG = "tocsin/1/charter"
MARK_TAG = "tocsin/1/mark"
PROPOSAL_TAG = "tocsin/1/proposal"
BALLOT_TAG = "tocsin/1/ballot"
CONSENT_TAG = "tocsin/1/consent"


@dataclass(frozen=True)
class Entry(Generic[B]):
    """One link of a feed = (author, attestation key). `key_version` names the author's KeySet that seals it."""

    author: MemberName
    key_version: int
    seq: int
    prev: EntryHash
    issued_ms: int
    kind: int
    body: B


@dataclass(frozen=True)
class Parsed:
    """Well-formed and unproven: good for finding the key, for nothing else."""

    raw: bytes
    entry: Entry[Any]
    hash: EntryHash
    to_be_signed: bytes
    signature: bytes


_DOOR = object()


class Verified(Generic[B]):
    """An entry whose seal was checked against its author's delegated key. Only `verify_entry` makes one."""

    __slots__ = ("body", "entry", "hash", "raw")

    def __init__(self, door: object, raw: bytes, entry: Entry[B], hash_: EntryHash) -> None:
        if door is not _DOOR:
            raise TypeError("Verified is made by protocol.envelope alone")
        self.raw = raw
        self.entry = entry
        self.hash = hash_
        self.body: B = entry.body
        """`entry.body`, asked for hundreds of times a word."""

    def __repr__(self) -> str:
        e = self.entry
        return f"Verified({e.author}/{e.key_version}#{e.seq} {domain_tag(e.kind)[9:]} {self.hash.hex()[:8]})"


def _body_codec() -> Codec[Any]:
    return Codec(lambda body: body, lambda raw, where: raw)


_ENTRY = Schema(
    Entry,
    Field(1, "author", NAME),
    Field(2, "key_version", unsigned(KEYSETS_PER_MEMBER_MAX * 1_000_000)),
    Field(3, "seq", unsigned()),
    Field(4, "prev", HASH),
    Field(5, "issued_ms", unsigned()),
    Field(6, "kind", unsigned(255)),
    Field(7, "body", _body_codec()),
)


def _to_be_signed(tag: str, network: NetworkId, payload: bytes) -> bytes:
    """COSE's Sig_structure. All but the payload is the same for every word of a kind: written once."""
    return _signed_ahead(tag, network) + encode(payload)


@functools.lru_cache(maxsize=256)
def _signed_ahead(tag: str, network: NetworkId) -> bytes:
    return encode([_CONTEXT, PROTECTED, encode([tag, network]), b""])[:-1]


def _seal(tag: str, network: NetworkId, payload: bytes, signer: crypto.Signer) -> bytes:
    signature = signer.sign(_to_be_signed(tag, network, payload))
    return encode([PROTECTED, {}, payload, signature])


def _unseal(raw: bytes, bytes_max: int = ENTRY_BYTES_MAX) -> tuple[bytes, bytes]:
    """(payload, signature) of an untagged COSE_Sign1 in our one form."""
    parts = decode(raw, bytes_max=bytes_max)
    if type(parts) is not list or len(parts) != 4:
        raise ProtocolError(Code.BAD_ENVELOPE, "not a COSE_Sign1 array of four")
    protected, unprotected, payload, signature = parts
    if protected != PROTECTED:
        raise ProtocolError(Code.BAD_ENVELOPE, "protected header is not the literal {alg: EdDSA}")
    if unprotected != {}:
        raise ProtocolError(Code.BAD_ENVELOPE, "unprotected header is not empty")
    if type(payload) is not bytes or type(signature) is not bytes or len(signature) != crypto.SIGNATURE_BYTES:
        raise ProtocolError(Code.BAD_ENVELOPE, "payload or signature is not a byte string of its size")
    return payload, signature


def seal_entry(
    network: NetworkId,
    signer: crypto.Signer,
    *,
    author: MemberName,
    key_version: int,
    seq: int,
    prev: EntryHash,
    issued_ms: int,
    body: B,
) -> Verified[B]:
    """Our own word. The caller makes it durable before a byte of it leaves (sign-once)."""
    kind = body.kind if isinstance(body, Unknown) else KIND_OF[type(body)]
    packed = dict(body.fields) if isinstance(body, Unknown) else BODIES[kind].pack(body)
    entry = Entry(author, key_version, seq, prev, issued_ms, int(kind), body)
    _check_times(entry)
    payload = encode(_ENTRY.pack(entry) | {7: packed})
    to_be_signed = _to_be_signed(domain_tag(kind), network, payload)
    raw = encode([PROTECTED, {}, payload, signer.sign(to_be_signed)])
    if len(raw) > ENTRY_BYTES_MAX:
        raise ProtocolError(Code.OVERSIZED, f"entry of {len(raw)} bytes, at most {ENTRY_BYTES_MAX}")
    return Verified(_DOOR, raw, entry, EntryHash(crypto.sha256(to_be_signed)))


@functools.lru_cache(maxsize=256)
def parse_entry(raw: bytes, network: NetworkId) -> Parsed:
    """Size, canonical bytes and shape; ProtocolError names what is wrong.

    The last few are remembered: an entry is looked at on arrival, when stored, when told and in certificates."""
    return _parsed(raw, network, carried=False)


def parse_carried(raw: bytes, network: NetworkId) -> Parsed:
    """What a node keeps and passes on: like `parse_entry`, but a body in which a number of a later version stands is
    Unknown, as a kind of a later version is. So its author's feed has no hole that everybody asks for, for ever."""
    try:
        return parse_entry(raw, network)
    except ProtocolError as error:
        if not error.later:
            raise
    return _parsed(raw, network, carried=True)


def _parsed(raw: bytes, network: NetworkId, *, carried: bool) -> Parsed:
    payload, signature = _unseal(raw)
    fields = decode(payload, bytes_max=ENTRY_BYTES_MAX)
    entry = _ENTRY.unpack(fields, "entry")
    if type(entry.body) is not dict:
        raise ProtocolError(Code.BAD_SHAPE, "entry.body: a map")
    body = Unknown(entry.kind, entry.body) if carried else _typed(entry.kind, entry.body)
    typed = Entry(entry.author, entry.key_version, entry.seq, entry.prev, entry.issued_ms, entry.kind, body)
    _check_times(typed)
    to_be_signed = _to_be_signed(domain_tag(entry.kind), network, payload)
    return Parsed(raw, typed, EntryHash(crypto.sha256(to_be_signed)), to_be_signed, signature)


def _typed(kind: int, body: dict[int, Any]) -> Body:
    """Nodes of before votes were spoken chain a vote of any shape: who refused one would have a gap where they have
    none. It counts for nothing."""
    schema = BODIES.get(kind)
    if schema is None:
        return Unknown(kind, body)
    try:
        unpacked: Body = schema.unpack(body)
    except ProtocolError:
        if schema.kind not in VOTES:
            raise
        return Unknown(kind, body)
    return unpacked


def _check_times(entry: Entry[Any]) -> None:
    """A Release speaks of the past only: dated ahead it would blind its readers to what comes until then."""
    if isinstance(entry.body, Release) and entry.body.through_ms > entry.issued_ms:
        raise ProtocolError(Code.BAD_SHAPE, "entry.body.through_ms: at most the entry's issued_ms")


def verify_entry(parsed: Parsed, key: PublicKey) -> Verified[Any]:
    """Checks the seal under the attestation key of the author's KeySet `key_version`."""
    if not crypto.verify(key, parsed.to_be_signed, parsed.signature):
        who = f"{parsed.entry.author}#{parsed.entry.seq}"
        raise ProtocolError(Code.BAD_SIGNATURE, f"{who} is not sealed by the key it names")
    return Verified(_DOOR, parsed.raw, parsed.entry, parsed.hash)


@dataclass(frozen=True)
class SealedKeySet:
    """A delegation whose seal was checked; `hash` decides between two of one version (the lower holds)."""

    raw: bytes
    keyset: KeySet
    hash: bytes


def seal_keyset(network: NetworkId, governance: crypto.Signer, keyset: KeySet) -> SealedKeySet:
    payload = encode(KEYSET.pack(keyset))
    raw = _seal(KEYSET_TAG, network, payload, governance)
    return SealedKeySet(raw, keyset, crypto.sha256(_to_be_signed(KEYSET_TAG, network, payload)))


def keyset_owner(raw: bytes) -> MemberName:
    """Whose it says it is, unproven: to find the governance key to check it with."""
    return _parse_keyset(raw)[0].member


@functools.lru_cache(maxsize=128)
def _parse_keyset(raw: bytes) -> tuple[KeySet, bytes, bytes]:
    payload, signature = _unseal(raw)
    return KEYSET.unpack(decode(payload, bytes_max=ENTRY_BYTES_MAX)), payload, signature


@functools.lru_cache(maxsize=512)
def open_keyset(raw: bytes, network: NetworkId, governance: PublicKey) -> SealedKeySet:
    """Checks seal and keys. The attestation key must be a point of the prime-order group.

    Remembered: every certificate carries the same few again."""
    keyset, payload, signature = _parse_keyset(raw)
    to_be_signed = _to_be_signed(KEYSET_TAG, network, payload)
    if not crypto.verify(governance, to_be_signed, signature):
        raise ProtocolError(Code.BAD_SIGNATURE, f"KeySet of {keyset.member} is not sealed by its governance key")
    if not crypto.is_sound_key(keyset.attestation):
        raise ProtocolError(Code.BAD_KEY, f"KeySet of {keyset.member} delegates a key of small or mixed order")
    return SealedKeySet(raw, keyset, crypto.sha256(to_be_signed))


@dataclass(frozen=True)
class ParsedStatement:
    """A Proposal or Ballot, well-formed and unproven: good for finding the key. `hash` names it."""

    raw: bytes
    fields: Any
    hash: bytes
    to_be_signed: bytes
    signature: bytes


def seal_statement(tag: str, network: NetworkId, governance: crypto.Signer, fields: Mapping[int, Any]) -> bytes:
    """`fields`: the payload, an integer-keyed map."""
    raw = _seal(tag, network, encode(dict(fields)), governance)
    if len(raw) > STATEMENT_BYTES_MAX:
        raise ProtocolError(Code.OVERSIZED, f"statement of {len(raw)} bytes, at most {STATEMENT_BYTES_MAX}")
    return raw


def parse_statement(raw: bytes, tag: str, network: NetworkId) -> ParsedStatement:
    """Size, canonical bytes, envelope. What the fields are is for the table of its kind to say."""
    payload, signature = _unseal(raw, STATEMENT_BYTES_MAX)
    to_be_signed = _to_be_signed(tag, network, payload)
    fields = decode(payload, bytes_max=STATEMENT_BYTES_MAX)
    return ParsedStatement(raw, fields, crypto.sha256(to_be_signed), to_be_signed, signature)


def check_statement(parsed: ParsedStatement, governance: PublicKey, who: str) -> None:
    """ProtocolError(bad-signature) where `governance` did not seal it."""
    if not crypto.verify(governance, parsed.to_be_signed, parsed.signature):
        raise ProtocolError(Code.BAD_SIGNATURE, f"the statement of {who} is not sealed by its governance key")


def sign_consent(network: NetworkId, governance: crypto.Signer, payload: bytes) -> bytes:
    """A governance key's consent to a change that gives it a seat or takes one from it: 64 bytes."""
    return governance.sign(_to_be_signed(CONSENT_TAG, network, payload))


def check_consent(network: NetworkId, governance: PublicKey, payload: bytes, signature: bytes) -> bool:
    return crypto.verify(governance, _to_be_signed(CONSENT_TAG, network, payload), signature)


def sign_charter(network: NetworkId, governance: crypto.Signer) -> bytes:
    """A founder's consent to be bound by the charter of this id: a detached signature of 64 bytes."""
    return governance.sign(_to_be_signed(CHARTER_TAG, network, bytes(network)))


def check_charter_signature(network: NetworkId, governance: PublicKey, signature: bytes) -> bool:
    return crypto.verify(governance, _to_be_signed(CHARTER_TAG, network, bytes(network)), signature)
