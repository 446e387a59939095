"""Proposals, ballots, consents and values: one form for one thing, and no seal for two."""

from __future__ import annotations

from dataclasses import replace

import pytest

from governance.ballots import BALLOT_TYPE, CONFLICT_CHARS_MAX, Vote, open_ballot, parse_ballot
from governance.proposals import (
    PROPOSAL_TYPE,
    Admit,
    Change,
    Regroup,
    Reinstate,
    Rekey,
    Remove,
    Retune,
    Sources,
    Suspend,
    consent_holds,
    open_proposal,
    parse_proposal,
    statement_type,
)
from governance.values import Suspect, epoch_hash, pack_value, parse_value, value_hash
from protocol.codec import decode, encode
from protocol.envelope import BALLOT_TAG, PROPOSAL_TAG, seal_keyset, seal_statement
from protocol.errors import ProtocolError
from protocol.ids import Digest, GroupName, MemberName, NetworkId, SourceId
from protocol.limits import ENTRY_BYTES_MAX, STATEMENT_BYTES_MAX
from protocol.membership import Source
from protocol.messages import KeySet
from tests.unit.governance.members import NETWORK, NOW, agreed, cold, epoch, hot, proposal, sealed, value, vote

FOUR = epoch(4)
NEW = MemberName("m9")
CHANGES: dict[str, Change] = {
    "admit": Admit(NEW, GroupName("m9"), cold("m9").public),
    "remove": Remove(MemberName("m3")),
    "regroup": Regroup((MemberName("m2"), MemberName("m3")), GroupName("m2-and-m3")),
    "rekey": Rekey(MemberName("m1"), cold("m1", 1).public),
    "parameters": Retune(isolate="n", lease_halt_ms=60_000, silence_ms=1),
    "sources": Sources((Source(SourceId("far-a"), "a", "eip155:130"),), (SourceId("home-b"),)),
    "suspend": Suspend(MemberName("m3")),
    "reinstate": Reinstate(MemberName("m3")),
}


def code_of(caught: pytest.ExceptionInfo[ProtocolError]) -> str:
    return caught.value.code.word


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_proposal_of_each_kind_comes_back_as_it_was_made(change: Change) -> None:
    made = agreed(FOUR, change, cold("m9"))
    told = sealed(FOUR, made)
    assert open_proposal(told.raw, NETWORK, cold("m0").public).proposal == made
    assert statement_type(told.raw) == PROPOSAL_TYPE


def test_a_ballot_comes_back_as_it_was_cast() -> None:
    on = sealed(FOUR, proposal(FOUR, CHANGES["remove"]))
    told = vote(FOUR, on, "m1", yes=False, conflict="m3 owes us money")
    assert open_ballot(told.raw, NETWORK, cold("m1").public).ballot.vote is Vote.NO
    assert open_ballot(told.raw, NETWORK, cold("m1").public).ballot.conflict == "m3 owes us money"
    assert statement_type(told.raw) == BALLOT_TYPE


def test_a_keyset_is_told_from_proposals_and_ballots() -> None:
    keyset = KeySet(NEW, 1, hot("m9").public, None, ("12D3KooWm9",), NOW)
    assert statement_type(seal_keyset(NETWORK, cold("m9"), keyset).raw) == 0


def test_a_seal_holds_for_its_own_kind_and_network_alone() -> None:
    on = sealed(FOUR, proposal(FOUR, CHANGES["remove"]))
    payload = {1: BALLOT_TYPE, 2: on.hash, 3: "m1", 4: 0, 5: 1, 6: NOW, 7: ""}
    under_another_tag = seal_statement(PROPOSAL_TAG, NETWORK, cold("m1"), payload)
    with pytest.raises(ProtocolError) as caught:
        open_ballot(under_another_tag, NETWORK, cold("m1").public)
    assert code_of(caught) == "bad-signature"
    elsewhere = seal_statement(BALLOT_TAG, NetworkId(bytes(32)), cold("m1"), payload)
    with pytest.raises(ProtocolError) as caught:
        open_ballot(elsewhere, NETWORK, cold("m1").public)
    assert code_of(caught) == "bad-signature"


def test_a_type_number_of_another_kind_is_no_ballot() -> None:
    for type_ in (PROPOSAL_TYPE, 3, True, "2"):
        payload = {1: type_, 2: bytes(32), 3: "m1", 4: 0, 5: 1, 6: NOW, 7: ""}
        with pytest.raises(ProtocolError) as caught:
            parse_ballot(seal_statement(BALLOT_TAG, NETWORK, cold("m1"), payload), NETWORK)
        assert code_of(caught) == "bad-shape"


def test_a_change_that_does_not_fit_its_kind_is_refused_by_its_place() -> None:
    made = proposal(FOUR, CHANGES["remove"])
    odd = replace(made, change=CHANGES["parameters"])
    with pytest.raises(ProtocolError, match=r"unknown-critical: Proposal.change \(remove\)|Proposal.change"):
        parse_proposal(sealed(FOUR, odd).raw, NETWORK)


def test_the_largest_statement_fits_an_entry() -> None:
    rows = tuple(Source(SourceId(f"{at:03}".ljust(64, "é")), "é" * 64, "é" * 64) for at in range(64))
    with pytest.raises(ProtocolError) as caught:
        sealed(FOUR, proposal(FOUR, Sources(rows)))
    assert code_of(caught) == "oversized"
    assert ENTRY_BYTES_MAX - STATEMENT_BYTES_MAX > 512


def test_a_conflict_of_interest_is_short() -> None:
    on = sealed(FOUR, proposal(FOUR, CHANGES["remove"]))
    vote(FOUR, on, "m1", conflict="x" * CONFLICT_CHARS_MAX)
    with pytest.raises(ProtocolError):
        vote(FOUR, on, "m1", conflict="x" * (CONFLICT_CHARS_MAX + 1))


def test_a_consent_is_for_one_change_of_one_epoch() -> None:
    change = CHANGES["admit"]
    made = agreed(FOUR, change, cold("m9"))
    (given,) = made.consents
    assert consent_holds(NETWORK, made, given)
    assert not consent_holds(NETWORK, replace(made, parent=epoch(4, hash=bytes(32)).hash), given)
    assert not consent_holds(NETWORK, replace(made, change=replace(change, group="m1")), given)
    assert not consent_holds(NetworkId(bytes(32)), made, given)


def test_a_value_has_one_form() -> None:
    two = Digest(b"\x01" * 32), Digest(b"\x02" * 32)
    made = value(FOUR, two, proofs=(Suspect(MemberName("m3"), 2),))
    assert parse_value(pack_value(made)) == made
    for odd in (
        replace(made, proposals=two[::-1]),
        replace(made, proposals=(two[0], two[0])),
        replace(made, proofs=made.proofs * 2),
        replace(made, proposals=(), proofs=()),
    ):
        with pytest.raises(ProtocolError) as caught:
            parse_value(pack_value(odd))
        assert code_of(caught) == "bad-shape"


def test_an_optional_field_is_hashed_beside_the_others_and_refused_within_a_proof() -> None:
    """What a reader would drop must not be in what it hashes: two readers would name one epoch twice."""
    made = value(FOUR, proofs=(Suspect(MemberName("m3"), 2),))
    fields = decode(pack_value(made), bytes_max=9999)
    later = parse_value(encode(fields | {64: 1}))
    assert pack_value(later) == encode(fields | {64: 1})
    assert epoch_hash(NETWORK, later) != epoch_hash(NETWORK, made)
    with pytest.raises(ProtocolError) as caught:
        parse_value(encode(fields | {4: [fields[4][0] | {64: 1}]}))
    assert code_of(caught) == "bad-shape"


def test_an_epochs_hash_names_its_network_its_parent_and_its_value() -> None:
    made = value(FOUR, [Digest(b"\x01" * 32)])
    others = {
        epoch_hash(NETWORK, made),
        epoch_hash(NetworkId(bytes(32)), made),
        epoch_hash(NETWORK, replace(made, parent=bytes(32))),
        epoch_hash(NETWORK, replace(made, number=2)),
        epoch_hash(NETWORK, replace(made, activates_ms=NOW)),
    }
    assert len(others) == 5
    assert value_hash(made) not in others


def test_the_largest_value_fits_a_statement_and_so_a_propose() -> None:
    proposals = tuple(sorted(Digest(bytes([at]) * 32) for at in range(64)))
    proofs = tuple(sorted(Suspect(MemberName(f"{at:03}".ljust(32, "x")), 16_000_000) for at in range(85)))
    assert len(pack_value(value(FOUR, proposals, proofs=proofs))) < STATEMENT_BYTES_MAX - 512
