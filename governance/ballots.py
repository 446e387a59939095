"""Ballots: a governance key's yes or no to one proposal."""

from __future__ import annotations

import enum
import functools
from dataclasses import dataclass

from governance.proposals import typed
from protocol.crypto import Signer
from protocol.envelope import BALLOT_TAG, ParsedStatement, check_statement, parse_statement, seal_statement
from protocol.ids import Digest, MemberName, NetworkId, PublicKey
from protocol.messages import HASH, NAME
from protocol.schema import Field, Schema, enumerated, text, unsigned

BALLOT_TYPE = 2
BALLOT_NO_MAX = 15
"""So a member has at most sixteen on one proposal, whatever it does."""
CONFLICT_CHARS_MAX = 128
"""Short, because a quorum of ballots stands in an epoch's certificate."""


class Vote(enum.IntEnum):
    NO = 0
    YES = 1


@dataclass(frozen=True)
class Ballot:
    """`proposal` is its hash. A higher `ballot_no` replaces; `cast_ms` is the voter's clock; `conflict` declares an
    interest of the voter's own in the outcome, "" for none, and is shown beside the vote."""

    proposal: Digest
    member: MemberName
    ballot_no: int
    vote: Vote
    cast_ms: int
    conflict: str = ""


BALLOT = Schema(
    Ballot,
    Field(2, "proposal", HASH),
    Field(3, "member", NAME),
    Field(4, "ballot_no", unsigned(BALLOT_NO_MAX)),
    Field(5, "vote", enumerated(Vote)),
    Field(6, "cast_ms", unsigned()),
    Field(7, "conflict", text(CONFLICT_CHARS_MAX)),
)


@dataclass(frozen=True)
class SealedBallot:
    """`hash` decides between two of one number (the lower holds)."""

    raw: bytes
    ballot: Ballot
    hash: Digest
    statement: ParsedStatement


@functools.lru_cache(maxsize=1024)
def parse_ballot(raw: bytes, network: NetworkId) -> SealedBallot:
    """Size, canonical bytes, shape and hash; unproven."""
    parsed = parse_statement(raw, BALLOT_TAG, network)
    ballot = BALLOT.unpack(typed(parsed.fields, BALLOT_TYPE, "Ballot"))
    return SealedBallot(raw, ballot, Digest(parsed.hash), parsed)


def open_ballot(raw: bytes, network: NetworkId, governance: PublicKey) -> SealedBallot:
    """Under its member's governance key."""
    sealed = parse_ballot(raw, network)
    check_statement(sealed.statement, governance, sealed.ballot.member)
    return sealed


def cast(network: NetworkId, governance: Signer, ballot: Ballot) -> SealedBallot:
    raw = seal_statement(BALLOT_TAG, network, governance, {1: BALLOT_TYPE} | BALLOT.pack(ballot))
    return parse_ballot(raw, network)
