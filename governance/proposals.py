"""Proposals: one change to the network, sealed by a member's governance key.

Here are their shapes and seals. Whether a change is possible is `governance.rules`' to say.
"""

from __future__ import annotations

import enum
import functools
from dataclasses import dataclass, field, fields
from typing import Any

from protocol.codec import encode
from protocol.crypto import Signer
from protocol.envelope import (
    PROPOSAL_TAG,
    ParsedStatement,
    check_consent,
    check_statement,
    parse_statement,
    seal_statement,
    sign_consent,
)
from protocol.errors import Code, ProtocolError
from protocol.ids import Digest, EpochHash, GroupName, MemberName, NetworkId, PublicKey, SourceId
from protocol.limits import LABEL_CHARS_MAX, TEXT_CHARS_MAX
from protocol.membership import Source
from protocol.messages import HASH, NAME
from protocol.schema import Codec, Field, Schema, enumerated, many, raw_bytes, text, unsigned

PROPOSAL_TYPE = 1
"""Key 1 of the payload; a ballot has 2, a KeySet a text."""
MOVED_MAX = 16
SOURCE_ROWS_MAX = 64
CONSENTS_MAX = 2


class ProposalKind(enum.IntEnum):
    ADMIT = 1
    REMOVE = 2
    REGROUP = 3
    REKEY = 4
    PARAMETERS = 5
    SOURCES = 6
    SUSPEND = 7
    REINSTATE = 8

    @property
    def word(self) -> str:
        return self.name.lower()


@dataclass(frozen=True)
class Admit:
    """A new seat. A group that exists takes it in; another name makes a new group."""

    member: MemberName
    group: GroupName
    key: PublicKey


@dataclass(frozen=True)
class Remove:
    member: MemberName


@dataclass(frozen=True)
class Regroup:
    """These seats now sit in `group`: one group splits, or several merge."""

    members: tuple[MemberName, ...]
    group: GroupName


@dataclass(frozen=True)
class Rekey:
    """The seat's governance key is `key` from now on. With the old key's consent it is the owner's own affair."""

    member: MemberName
    key: PublicKey


@dataclass(frozen=True)
class Retune:
    """Parameters; None leaves one as it is. Durations in ms."""

    guard: str | None = None
    isolate: str | None = None
    halt: str | None = None
    lease_guard_ms: int | None = None
    lease_isolate_ms: int | None = None
    lease_halt_ms: int | None = None
    change_delay_ms: int | None = None
    loosen_delay_ms: int | None = None
    seat_term_ms: int | None = None
    silence_ms: int | None = None


@dataclass(frozen=True)
class Sources:
    """Rows of the source register that come or are replaced, and ids that leave."""

    rows: tuple[Source, ...] = ()
    gone: tuple[SourceId, ...] = ()


@dataclass(frozen=True)
class Suspend:
    """Without proof: for silence, or for what the note says."""

    member: MemberName


@dataclass(frozen=True)
class Reinstate:
    """Ends a suspension, or begins a new term."""

    member: MemberName


Change = Admit | Remove | Regroup | Rekey | Retune | Sources | Suspend | Reinstate

_LABEL = text(LABEL_CHARS_MAX, 1)
_FORMULA = text(64, 1)
SOURCE = Schema(Source, Field(1, "id", _LABEL), Field(2, "operator", _LABEL), Field(3, "scope", _LABEL))
_MEMBER = (Field(1, "member", NAME),)
_OPTIONAL_MS = unsigned()
CHANGES: dict[ProposalKind, Schema[Any]] = {
    ProposalKind.ADMIT: Schema(Admit, *_MEMBER, Field(2, "group", NAME), Field(3, "key", HASH)),
    ProposalKind.REMOVE: Schema(Remove, *_MEMBER),
    ProposalKind.REGROUP: Schema(Regroup, Field(1, "members", many(NAME, MOVED_MAX, 1)), Field(2, "group", NAME)),
    ProposalKind.REKEY: Schema(Rekey, *_MEMBER, Field(2, "key", HASH)),
    ProposalKind.PARAMETERS: Schema(
        Retune,
        *(
            Field(key, one.name, _FORMULA if key <= 3 else _OPTIONAL_MS, optional=True)
            for key, one in enumerate(fields(Retune), start=1)
        ),
    ),
    ProposalKind.SOURCES: Schema(
        Sources,
        Field(1, "rows", many(SOURCE.codec(), SOURCE_ROWS_MAX)),
        Field(2, "gone", many(_LABEL, SOURCE_ROWS_MAX)),
    ),
    ProposalKind.SUSPEND: Schema(Suspend, *_MEMBER),
    ProposalKind.REINSTATE: Schema(Reinstate, *_MEMBER),
}
KIND_OF: dict[type, ProposalKind] = {schema.kind: kind for kind, schema in CHANGES.items()}


@dataclass(frozen=True)
class Consent:
    """A governance key's own word that it takes, or gives up, a seat by just this change of just this parent."""

    key: PublicKey
    signature: bytes


CONSENT = Schema(Consent, Field(1, "key", HASH), Field(2, "signature", raw_bytes(64, 64)))


@dataclass(frozen=True)
class Proposal:
    """`parent` is the epoch in which it was made; `opened_ms` its author's clock; `note` says why, for people."""

    parent: EpochHash
    author: MemberName
    opened_ms: int
    closes_ms: int
    kind: ProposalKind
    change: Change
    note: str = ""
    consents: tuple[Consent, ...] = field(default=())


def _body_codec() -> Codec[Any]:
    """Read by the kind beside it, once that is known."""
    return Codec(lambda change: CHANGES[KIND_OF[type(change)]].pack(change), lambda raw, where: raw)


PROPOSAL = Schema(
    Proposal,
    Field(2, "parent", HASH),
    Field(3, "author", NAME),
    Field(4, "opened_ms", unsigned()),
    Field(5, "closes_ms", unsigned()),
    Field(6, "kind", enumerated(ProposalKind)),
    Field(7, "change", _body_codec()),
    Field(8, "note", text(TEXT_CHARS_MAX)),
    Field(9, "consents", many(CONSENT.codec(), CONSENTS_MAX)),
)


@dataclass(frozen=True)
class SealedProposal:
    """`hash` names it: ballots and values say this. Not proven by itself (`open_proposal` does)."""

    raw: bytes
    proposal: Proposal
    hash: Digest
    statement: ParsedStatement


def statement_type(raw: bytes) -> int:
    """PROPOSAL_TYPE, BALLOT_TYPE or 0 for a KeySet and whatever else; ProtocolError for what is no statement."""
    fields_ = parse_statement(raw, PROPOSAL_TAG, NetworkId(bytes(32))).fields
    found = fields_.get(1) if type(fields_) is dict else None
    return found if type(found) is int else 0


def typed(raw: Any, type_: int, what: str) -> dict[int, Any]:
    """The fields without their type number; ProtocolError where it is another."""
    if type(raw) is not dict:
        raise ProtocolError(Code.BAD_SHAPE, f"{what}: a map")
    if type(raw.get(1)) is not int or raw[1] != type_:
        raise ProtocolError(Code.BAD_SHAPE, f"{what}.type: {type_}")
    return {key: value for key, value in raw.items() if key != 1}


@functools.lru_cache(maxsize=256)
def parse_proposal(raw: bytes, network: NetworkId) -> SealedProposal:
    """Size, canonical bytes, shape and hash; unproven."""
    parsed = parse_statement(raw, PROPOSAL_TAG, network)
    loose = PROPOSAL.unpack(typed(parsed.fields, PROPOSAL_TYPE, "Proposal"))
    change = CHANGES[loose.kind].unpack(loose.change, f"Proposal.change ({loose.kind.word})")
    made = Proposal(
        loose.parent, loose.author, loose.opened_ms, loose.closes_ms, loose.kind, change, loose.note, loose.consents
    )
    return SealedProposal(raw, made, Digest(parsed.hash), parsed)


def open_proposal(raw: bytes, network: NetworkId, governance: PublicKey) -> SealedProposal:
    """Under its author's governance key."""
    sealed = parse_proposal(raw, network)
    check_statement(sealed.statement, governance, sealed.proposal.author)
    return sealed


def seal_proposal(network: NetworkId, governance: Signer, proposal: Proposal) -> SealedProposal:
    """Seals what it is given; `governance.rules.propose` refuses what is impossible first."""
    raw = seal_statement(PROPOSAL_TAG, network, governance, {1: PROPOSAL_TYPE} | PROPOSAL.pack(proposal))
    return parse_proposal(raw, network)


def consent_payload(parent: EpochHash, change: Change) -> bytes:
    """What a consent signs: bound to the epoch, so that it serves no second time once that epoch is long gone."""
    kind = KIND_OF[type(change)]
    return encode({1: parent, 2: int(kind), 3: CHANGES[kind].pack(change)})


def consent(network: NetworkId, governance: Signer, parent: EpochHash, change: Change) -> Consent:
    """The joiner's, the new key's, the old key's."""
    return Consent(governance.public, sign_consent(network, governance, consent_payload(parent, change)))


def consent_holds(network: NetworkId, proposal: Proposal, given: Consent) -> bool:
    return check_consent(network, given.key, consent_payload(proposal.parent, proposal.change), given.signature)
