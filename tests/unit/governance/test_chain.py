"""A chain of epochs in one file: nothing in it can be changed, cut off or made up unseen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from governance import charter as charters
from governance.ballots import Ballot, Vote, cast
from governance.chain import Chain, pack_chain, parse_chain, verify
from governance.epochs import pack_epoch_certificate, parse_epoch_certificate
from governance.ledger import Ledger
from governance.proposals import KIND_OF as KINDS
from governance.proposals import Admit, Change, Proposal, Remove, Retune, consent, seal_proposal
from governance.values import value_hash
from protocol.crypto import Signer
from protocol.envelope import SealedKeySet, Verified, seal_entry, seal_keyset
from protocol.errors import Code, ProtocolError
from protocol.ids import ZERO_HASH, EpochHash, GroupName, MemberName
from protocol.membership import DAY_MS, Epoch
from protocol.messages import Commit, Heartbeat, KeySet
from tests.unit.governance import world

START = world.NOW_MS
NEW = MemberName("newcomer")
LATE = START + 40 * DAY_MS


def delegated(of: Epoch, name: str, version: int = 1) -> SealedKeySet:
    made = KeySet(MemberName(name), version, world.attestation(name).public, None, (f"12D3KooW{name}",), LATE * 2)
    return seal_keyset(of.network, world.governance(name), made)


def says(of: Epoch, name: str, body: Any, at_ms: int, version: int = 1) -> Verified[Any]:
    return seal_entry(
        of.network,
        world.attestation(name),
        author=MemberName(name),
        key_version=version,
        seq=0,
        prev=ZERO_HASH,
        issued_ms=at_ms,
        body=body,
    )


def decide(books: Ledger, change: Change, voters: Sequence[str], at_ms: int, *signers: Signer) -> bytes:
    """Proposed, voted for, ordered: the certificate, and the ledger is an epoch on."""
    of = books.epoch
    given = tuple(consent(of.network, one, of.hash, change) for one in signers)
    made = Proposal(of.hash, of.members[0].name, at_ms, at_ms + DAY_MS, KINDS[type(change)], change, "", given)
    on = seal_proposal(of.network, world.governance(made.author), made)
    books.take(on.raw, at_ms)
    for name in voters:
        ballot = Ballot(on.hash, MemberName(name), 0, Vote.YES, at_ms, "its lender" if name == "venue" else "")
        books.take(cast(of.network, world.governance(name), ballot).raw, at_ms)
    due_ms = at_ms + 8 * DAY_MS
    found = books.ready(due_ms, False)
    assert found is not None
    said = [says(of, seat.name, Commit(of.hash, 0, value_hash(found)), due_ms) for seat in of.members]
    certificate = books.certificate(found, said, lambda name, version: delegated(of, name, version))
    assert certificate is not None
    books.enter(certificate, due_ms)
    return pack_epoch_certificate(certificate)


def beats(of: Epoch, at_ms: int, names: Sequence[str] = ()) -> dict[str, tuple[bytes, ...]]:
    who = names or [seat.name for seat in of.members]
    return {
        "heartbeats": tuple(says(of, name, Heartbeat(of.hash), at_ms).raw for name in who),
        "keysets": tuple(delegated(of, name).raw for name in who),
    }


@cache
def story() -> tuple[Chain, tuple[Epoch, ...]]:
    """Four founders; a fifth joins, HALT gets stricter, the venue is removed."""
    text = world.founded()
    books = Ledger(charters.parse(text).epoch0())
    epochs = [books.epoch]
    rows: list[bytes] = []
    join = Admit(NEW, GroupName(NEW), world.governance(NEW).public)
    for at, (change, voters, signers) in enumerate(
        [
            (join, ("issuer", "lender-a", "venue"), (world.governance(NEW),)),
            (Retune(halt="n"), ("issuer", "lender-a", "lender-b", NEW), ()),
            (Remove(MemberName("venue")), ("issuer", "lender-a", "lender-b", NEW), ()),
        ]
    ):
        rows.append(decide(books, change, voters, START + (at * 10 + 1) * DAY_MS, *signers))
        epochs.append(books.epoch)
    return Chain(text, tuple(rows), **beats(books.epoch, LATE)), tuple(epochs)


CHAIN, EPOCHS = story()
TRUSTED = EPOCHS[2].hash


def refused(chain: Chain, trusted: EpochHash = TRUSTED) -> Code:
    with pytest.raises(ProtocolError) as caught:
        verify(chain, trusted, LATE)
    return caught.value.code


def test_it_tells_every_epoch_and_who_changed_what_by_whose_ballots() -> None:
    verdict = verify(parse_chain(pack_chain(CHAIN)), TRUSTED, LATE)
    assert verdict.doubts == ()
    assert [link.epoch for link in verdict.links] == list(EPOCHS)
    (joined,) = verdict.links[1].made
    assert isinstance(joined.proposal.change, Admit)
    assert {one.member: one.conflict for one in joined.ballots} == {
        "issuer": "",
        "lender-a": "",
        "venue": "its lender",
    }
    assert MemberName("venue") not in verdict.head.by_name
    assert len(verdict.links[3].committed) >= EPOCHS[2].q


def test_a_chain_is_trusted_from_any_epoch_of_its_own() -> None:
    for epoch in EPOCHS[1:]:
        assert verify(CHAIN, epoch.hash, LATE).head == EPOCHS[-1]


def test_a_long_range_forgery_is_refused() -> None:
    """Founders' keys, stolen years later, sign another history from epoch 0: every signature holds."""
    books = Ledger(EPOCHS[0])
    rows = [decide(books, Retune(silence_ms=1), ("issuer", "lender-a", "lender-b"), START + DAY_MS)]
    forged = Chain(CHAIN.charter, tuple(rows), **beats(books.epoch, LATE))
    assert verify(forged, books.epoch.hash, LATE).doubts == ()
    assert refused(forged) is Code.WRONG_EPOCH


def test_a_chain_that_is_cut_short_is_not_current() -> None:
    """Removed members show the chain as it was before their removal; the others' Heartbeats name a later epoch."""
    old = EPOCHS[2]
    cut = Chain(CHAIN.charter, CHAIN.certificates[:2])
    assert verify(cut, TRUSTED, LATE).doubts[0].startswith("not-current")
    alone = replace(cut, **beats(old, LATE, ("venue",)))
    assert verify(alone, TRUSTED, LATE).heard == ("venue",)
    assert verify(alone, TRUSTED, LATE).doubts[0].startswith("not-current")
    names = ("issuer", "lender-a", "lender-b")
    honest = replace(
        cut,
        heartbeats=tuple(says(old, name, Heartbeat(EPOCHS[3].hash), LATE).raw for name in names),
        keysets=tuple(delegated(old, name).raw for name in names),
    )
    verdict = verify(honest, TRUSTED, LATE)
    assert verdict.elsewhere == names
    assert len(verdict.doubts) == 2


def test_old_heartbeats_prove_nothing() -> None:
    stale = replace(CHAIN, **beats(EPOCHS[-1], LATE - DAY_MS - 1))
    assert verify(stale, TRUSTED, LATE).heard == ()
    ahead = replace(CHAIN, **beats(EPOCHS[-1], LATE + 60_001))
    assert verify(ahead, TRUSTED, LATE).heard == ()


def test_heartbeats_of_a_replaced_key_prove_nothing() -> None:
    newer = tuple(delegated(EPOCHS[-1], seat.name, 2).raw for seat in EPOCHS[-1].members)
    for rows in ((*CHAIN.keysets, *newer), (*newer, *CHAIN.keysets)):
        assert refused(replace(CHAIN, keysets=rows)) is Code.UNKNOWN_KEY


def test_trust_from_too_long_ago_is_a_doubt() -> None:
    """Keys of an epoch that ended long ago may be anybody's."""
    verdict = verify(CHAIN, EPOCHS[0].hash, LATE)
    assert verdict.doubts[0].startswith("stale-trust")
    fresh = replace(CHAIN, **beats(EPOCHS[-1], START + 30 * DAY_MS))
    assert verify(fresh, EPOCHS[0].hash, START + 30 * DAY_MS).doubts == ()


def test_a_missing_swapped_or_doubled_epoch_is_refused() -> None:
    one, two, three = CHAIN.certificates
    for rows in ((two, three), (one, three), (two, one, three), (one, one, two, three)):
        assert refused(replace(CHAIN, certificates=rows)) is Code.WRONG_EPOCH


def test_a_forked_epoch_is_refused_where_the_other_one_is_trusted() -> None:
    """The same parent, another child, a true quorum for each: whose hash is trusted tells them apart."""
    books = Ledger(EPOCHS[1])
    other = decide(books, Retune(silence_ms=7), ("issuer", "lender-a", "lender-b", NEW), START + 11 * DAY_MS)
    forked = Chain(CHAIN.charter, (CHAIN.certificates[0], other), **beats(books.epoch, LATE))
    assert verify(forked, EPOCHS[1].hash, LATE).head.hash != EPOCHS[2].hash
    assert refused(forked) is Code.WRONG_EPOCH


def test_another_charter_is_another_network() -> None:
    other = CHAIN.charter.replace('network = "test-net"', 'network = "test-nets"')
    assert other != CHAIN.charter
    assert refused(replace(CHAIN, charter=other)) is Code.WRONG_EPOCH
    assert refused(replace(CHAIN, charter="nonsense")) is Code.BAD_CHARTER


def test_a_missing_ballot_commit_or_keyset_is_refused_by_its_epoch() -> None:
    good = parse_epoch_certificate(CHAIN.certificates[1])
    for broken in (
        replace(good, ballots=good.ballots[1:]),
        replace(good, commits=good.commits[1:]),
        replace(good, keysets=good.keysets[1:]),
    ):
        rows = (CHAIN.certificates[0], pack_epoch_certificate(broken), CHAIN.certificates[2])
        with pytest.raises(ProtocolError, match="epoch 2: "):
            verify(replace(CHAIN, certificates=rows), TRUSTED, LATE)


def test_no_changed_byte_makes_another_history() -> None:
    raw = bytearray(pack_chain(CHAIN))
    for at in range(0, len(raw), 97):
        raw[at] ^= 4
        try:
            assert verify(parse_chain(bytes(raw)), EPOCHS[-1].hash, LATE).head == EPOCHS[-1]
        except ProtocolError:
            continue
        finally:
            raw[at] ^= 4
