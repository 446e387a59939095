"""What governance keys seal, what rounds decide, and what proves an epoch."""

from __future__ import annotations

import contextlib
from typing import Any

from governance import epochs
from governance.ballots import BALLOT, BALLOT_TYPE, open_ballot, parse_ballot
from governance.ledger import Ledger
from governance.proposals import PROPOSAL, PROPOSAL_TYPE, parse_proposal, statement_type
from governance.rules import judge
from governance.values import epoch_hash, pack_value, parse_value
from protocol.codec import decode, encode
from protocol.errors import Code, ProtocolError
from protocol.limits import ENTRY_BYTES_MAX, EPOCH_CERTIFICATE_BYTES_MAX
from tests.fuzz.finding import expect
from tests.tidy.make_vectors import NETWORK, NOW
from tests.vectors.governed_epochs import OUT

_PARENTS = tuple(OUT.values())


def governance(raw: bytes) -> None:
    """A statement, a value or an epoch's certificate: which, its own shape tells."""
    found = decode(raw, bytes_max=EPOCH_CERTIFICATE_BYTES_MAX)
    if type(found) is list:
        _statement(raw)
    elif type(found) is dict and type(found.get(2)) is list:
        _certificate(raw)
    else:
        value = parse_value(raw)
        expect(pack_value(value) == raw, "packed again, a value has other bytes")
        epoch_hash(NETWORK, value)


def _statement(raw: bytes) -> None:
    type_ = statement_type(raw)
    if type_ == PROPOSAL_TYPE:
        proposal = parse_proposal(raw, NETWORK).proposal
        _same(raw, {1: type_} | PROPOSAL.pack(proposal))
        for parent in _PARENTS:
            with contextlib.suppress(ProtocolError):
                judge(parent, proposal, NOW)
    elif type_ == BALLOT_TYPE:
        ballot = parse_ballot(raw, NETWORK).ballot
        _same(raw, {1: type_} | BALLOT.pack(ballot))
        seat = _PARENTS[0].by_name.get(ballot.member)
        if seat is None:
            raise ProtocolError(Code.UNKNOWN_AUTHOR, "nobody here")
        open_ballot(raw, NETWORK, seat.governance_key)
    with contextlib.suppress(ProtocolError):
        Ledger(_PARENTS[0]).take(raw, NOW)


def _same(raw: bytes, fields: dict[int, Any]) -> None:
    payload = decode(raw, bytes_max=ENTRY_BYTES_MAX)[2]
    told = decode(payload, bytes_max=ENTRY_BYTES_MAX)
    expect(encode(fields) == payload or _later(told), "packed again, a statement has other bytes")


def _later(value: Any) -> bool:
    if type(value) is dict:
        return any(key >= 64 or _later(one) for key, one in value.items())
    return type(value) is list and any(map(_later, value))


def _certificate(raw: bytes) -> None:
    certificate = epochs.parse_epoch_certificate(raw)
    again = epochs.pack_epoch_certificate(certificate)
    expect(again == raw or _later(decode(raw, bytes_max=len(raw))), "packed again, a certificate has other bytes")
    value = parse_value(certificate.value)
    for parent in _PARENTS:
        if parent.hash == value.parent:
            _enacted(certificate, parent)


def _enacted(certificate: epochs.EpochCertificate, parent: Any) -> None:
    try:
        enacted = epochs.check(certificate, parent)
    except ProtocolError:
        return
    expect(enacted.epoch.number == parent.number + 1, "an epoch has another number")
    expect(len(set(enacted.committed)) >= parent.q, "ordered by too few groups")
    for ballots in enacted.ballots.values():
        groups = {parent.group_of(one.ballot.member) for one in ballots}
        expect(not ballots or len(groups) >= parent.q, "passed by too few groups")
