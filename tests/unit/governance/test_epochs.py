"""An epoch's certificate proves itself from the epoch before, and nothing short of it does."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace

import pytest

from governance.broken import RuleError
from governance.epochs import (
    EpochCertificate,
    Proof,
    check,
    chosen_commits,
    pack_epoch_certificate,
    parse_epoch_certificate,
)
from governance.proposals import Admit, Rekey, Remove, Retune
from governance.standing import flags
from governance.values import Suspect, Value, pack_value, value_hash
from protocol.errors import ProtocolError
from protocol.ids import Digest, EpochHash, GroupName, MemberName
from protocol.limits import EPOCH_CERTIFICATE_BYTES_MAX
from protocol.membership import DAY_MS, Epoch, Past
from protocol.messages import Commit, Heartbeat
from tests.unit.governance.members import (
    NOW,
    agreed,
    cold,
    commits,
    epoch,
    fork,
    keyset,
    name_of,
    names,
    proposal,
    says,
    sealed,
    value,
    vote,
    votes,
)

FOUR = epoch(4)
M1, M3 = name_of(1), name_of(3)
STRICTER = proposal(FOUR, Retune(halt="n"))
ON = sealed(FOUR, STRICTER)
VALUE = value(FOUR, [ON.hash], activates_ms=NOW + 3 * DAY_MS)


def certified(of: Epoch = FOUR, made: Value = VALUE, who: int = 3) -> EpochCertificate:
    return EpochCertificate(
        value=pack_value(made),
        proposals=(ON.raw,),
        ballots=tuple(one.raw for one in votes(of, ON, names(who))),
        proofs=(),
        commits=tuple(one.raw for one in commits(of, made, names(who))),
        keysets=tuple(keyset(name).raw for name in names(who)),
    )


GOOD = certified()
ELSEWHERE = replace(FOUR, hash=EpochHash(bytes(32)))


def code_of(made: EpochCertificate, of: Epoch = FOUR) -> str:
    with pytest.raises(ProtocolError) as caught:
        check(made, of)
    error = caught.value
    return error.rule.value if isinstance(error, RuleError) else error.code.word


def valued(**changes: object) -> EpochCertificate:
    """As if the whole quorum had committed to this value."""
    return certified(made=replace(VALUE, **changes))  # type: ignore[arg-type]


def test_it_proves_the_next_epoch_offline() -> None:
    made = parse_epoch_certificate(pack_epoch_certificate(GOOD))
    enacted = check(made, FOUR)
    assert (enacted.epoch.number, enacted.epoch.parent) == (1, FOUR.hash)
    assert enacted.epoch.formulas[4] == "n"  # type: ignore[index]
    assert enacted.committed == ("m0", "m1", "m2")
    assert [ballot.ballot.member for ballot in enacted.ballots[ON.hash]] == ["m0", "m1", "m2"]


def test_hot_keys_alone_decide_nothing() -> None:
    """One hole in the one implementation yields every hot key; cold keys still decide who is a member."""
    assert code_of(replace(GOOD, ballots=())) == "short-of-threshold"
    assert code_of(replace(GOOD, ballots=GOOD.ballots[:2])) == "short-of-threshold"


def test_cold_keys_alone_order_nothing() -> None:
    assert code_of(replace(GOOD, commits=GOOD.commits[:2])) == "short-of-threshold"


def test_a_group_commits_by_its_first_member_alone() -> None:
    """Another seat's stolen key would put a group behind what its voice, which keeps its lock, never committed to."""
    shared = epoch(5, {"m4": "m0"})
    on = sealed(shared, ON.proposal)
    made = value(shared, [on.hash], activates_ms=NOW + 3 * DAY_MS)
    for who, code in ((("m0", "m1", "m2"), ""), (("m4", "m1", "m2"), "mixed-certificate")):
        certificate = EpochCertificate(
            pack_value(made),
            (on.raw,),
            tuple(one.raw for one in votes(shared, on, (*names(3), MemberName("m4")))),
            (),
            tuple(one.raw for one in commits(shared, made, who)),
            tuple(keyset(name).raw for name in names(5)),
        )
        if code:
            assert code_of(certificate, shared) == code
        else:
            assert check(certificate, shared).committed == ("m0", "m1", "m2")


CASES: dict[str, tuple[Callable[[], EpochCertificate], str]] = {
    "another parent": (lambda: valued(parent=EpochHash(bytes(32))), "wrong-epoch"),
    "another number": (lambda: valued(number=2), "wrong-epoch"),
    "before its parent began": (lambda: valued(activates_ms=FOUR.activates_ms), "ordered-in-its-time"),
    "before its delay": (lambda: valued(activates_ms=NOW + 3 * DAY_MS - 1), "ordered-in-its-time"),
    "after its end": (lambda: valued(activates_ms=NOW + 27 * DAY_MS + 1), "ordered-in-its-time"),
    "a proposal that is not named": (lambda: valued(proposals=(Digest(bytes(32)),)), "mixed-certificate"),
    "a proposal twice": (lambda: replace(GOOD, proposals=GOOD.proposals * 2), "mixed-certificate"),
    "no proposal": (lambda: replace(GOOD, proposals=()), "mixed-certificate"),
    "a ballot on another": (
        lambda: replace(GOOD, ballots=(vote(FOUR, ON, "m0", proposal=Digest(bytes(32))).raw, *GOOD.ballots)),
        "mixed-certificate",
    ),
    "a no": (lambda: replace(GOOD, ballots=(vote(FOUR, ON, "m3", False).raw, *GOOD.ballots)), "mixed-certificate"),
    "a yes too late": (
        lambda: replace(GOOD, ballots=(vote(FOUR, ON, "m3", cast_ms=STRICTER.closes_ms + 1).raw, *GOOD.ballots)),
        "mixed-certificate",
    ),
    "a ballot of a stranger": (
        lambda: replace(GOOD, ballots=(vote(FOUR, ON, "m9").raw, *GOOD.ballots)),
        "unknown-author",
    ),
    "a ballot by another's key": (
        lambda: replace(GOOD, ballots=(*GOOD.ballots[:2], vote(FOUR, ON, "m9", member=M3).raw)),
        "bad-signature",
    ),
    "one ballot twice": (lambda: replace(GOOD, ballots=(*GOOD.ballots[:2], GOOD.ballots[0])), "duplicate-signer"),
    "a KeySet of nobody": (lambda: replace(GOOD, keysets=(*GOOD.keysets, keyset("m9").raw)), "unknown-author"),
    "a KeySet that another key sealed": (
        lambda: replace(GOOD, keysets=(keyset("m0", 1, which=1).raw, *GOOD.keysets[1:])),
        "bad-signature",
    ),
    "a KeySet missing": (lambda: replace(GOOD, keysets=GOOD.keysets[:2]), "unknown-key"),
    "a KeySet twice": (lambda: replace(GOOD, keysets=(*GOOD.keysets, GOOD.keysets[0])), "duplicate-signer"),
    "a commit to nothing": (
        lambda: replace(GOOD, commits=(*GOOD.commits[:2], says("m2", Commit(FOUR.hash, 0, Digest(bytes(32)))).raw)),
        "mixed-certificate",
    ),
    "a commit of another epoch": (
        lambda: replace(
            GOOD, commits=tuple(one.raw for one in commits(replace(FOUR, hash=EpochHash(bytes(32))), VALUE, names(3)))
        ),
        "mixed-certificate",
    ),
    "commits of two rounds": (
        lambda: replace(GOOD, commits=(*GOOD.commits[:2], commits(FOUR, VALUE, ["m2"], 1)[0].raw)),
        "mixed-certificate",
    ),
    "a heartbeat for a commit": (
        lambda: replace(GOOD, commits=(*GOOD.commits[:2], says("m2", Heartbeat(FOUR.hash)).raw)),
        "mixed-certificate",
    ),
    "one member commits twice": (
        lambda: replace(GOOD, commits=(*GOOD.commits[:2], GOOD.commits[0])),
        "duplicate-signer",
    ),
    "a proof that is not named": (
        lambda: replace(GOOD, proofs=(Proof(*(one.raw for one in fork("m1"))),)),
        "mixed-certificate",
    ),
}


@pytest.mark.parametrize(("made", "code"), CASES.values(), ids=CASES)
def test_one_fault_and_it_proves_nothing(made: Callable[[], EpochCertificate], code: str) -> None:
    assert code_of(made()) == code


def test_a_changed_byte_anywhere_proves_nothing_or_the_same_epoch() -> None:
    raw = bytearray(pack_epoch_certificate(GOOD))
    expected = check(GOOD, FOUR).epoch.hash
    for at in range(0, len(raw), 7):
        raw[at] ^= 1
        with contextlib.suppress(ProtocolError):
            assert check(parse_epoch_certificate(bytes(raw)), FOUR).epoch.hash == expected
        raw[at] ^= 1


def test_a_proof_of_equivocation_makes_an_epoch_without_ballots() -> None:
    made = value(FOUR, proofs=(Suspect(M3, 1),), activates_ms=NOW)
    first, second = fork("m3")
    proven = replace(
        certified(made=made),
        proposals=(),
        ballots=(),
        proofs=(Proof(first.raw, second.raw),),
        keysets=tuple(keyset(name).raw for name in names(4)),
    )
    assert not check(proven, FOUR).epoch.may_count(M3)
    early = replace(made, activates_ms=FOUR.activates_ms)
    said = tuple(one.raw for one in commits(FOUR, early, names(3)))
    assert code_of(replace(proven, value=pack_value(early), commits=said)) == "ordered-in-its-time"
    assert code_of(replace(proven, proofs=(Proof(first.raw, first.raw),))) == "mixed-certificate"
    other = tuple(one.raw for one in fork("m2"))
    assert code_of(replace(proven, proofs=(Proof(*other),))) == "mixed-certificate"
    assert code_of(replace(proven, keysets=proven.keysets[:3])) == "unknown-key"
    assert code_of(replace(proven, proofs=())) == "mixed-certificate"


def test_a_key_moved_by_its_owner_needs_no_ballots() -> None:
    change = Rekey(M1, cold("m1", 1).public)
    own = sealed(FOUR, agreed(FOUR, change, cold("m1", 1), cold("m1")))
    made = value(FOUR, [own.hash], activates_ms=NOW)
    assert (
        check(replace(certified(made=made), proposals=(own.raw,), ballots=()), FOUR).epoch.by_name[M1].governance_key
        == cold("m1", 1).public
    )
    lost = sealed(FOUR, agreed(FOUR, change, cold("m1", 1)))
    made = value(FOUR, [lost.hash], activates_ms=NOW + 7 * DAY_MS)
    assert code_of(replace(certified(made=made), proposals=(lost.raw,), ballots=())) == "short-of-threshold"


def test_a_joiner_who_never_consented_is_admitted_by_nobody() -> None:
    join = Admit(MemberName("m9"), GroupName("m9"), cold("m9").public)
    on = sealed(FOUR, proposal(FOUR, join))
    made = value(FOUR, [on.hash], activates_ms=NOW + 3 * DAY_MS)
    forced = replace(
        certified(made=made), proposals=(on.raw,), ballots=tuple(one.raw for one in votes(FOUR, on, names(4)))
    )
    assert code_of(forced) == "consents-of-new-keys"


def test_a_commit_under_a_keyset_that_had_expired_counts_nothing() -> None:
    late = NOW + 300 * DAY_MS + 1
    said = says("m2", Commit(FOUR.hash, 0, value_hash(VALUE)), issued_ms=late)
    assert code_of(replace(GOOD, commits=(*GOOD.commits[:2], said.raw))) == "bad-key"


def test_a_founders_liar_quorum_of_an_old_epoch_proves_nothing_of_a_new_one() -> None:
    """Three of four founders are a quorum of the founding, not of the network that grew."""
    grown = replace(epoch(10), number=7, hash=EpochHash(b"\x07" * 32))
    assert code_of(GOOD, grown) == "wrong-epoch"


def test_a_proposal_makes_one_epoch() -> None:
    after = check(GOOD, FOUR).epoch
    looser = replace(after, formulas=FOUR.formulas)
    again = replace(VALUE, parent=after.hash, number=2, activates_ms=after.activates_ms + 1)
    assert code_of(certified(looser, again), looser) == "decided-once"
    later = replace(looser, number=2, made_of=(), past=(Past(after.hash, 1, 3, 0, after.made_of),))
    assert code_of(certified(later, replace(again, parent=later.hash, number=3)), later) == "decided-once"


def test_padded_commits_are_left_out() -> None:
    made = commits(FOUR, VALUE, names(4))
    padded = says("m0", Commit(FOUR.hash, 0, made[0].body.value_hash), seq=2**40)
    chosen = chosen_commits(FOUR, [padded, *made[1:]])
    assert [one.entry.author for one in chosen] == ["m1", "m2", "m3"]


def test_a_removal_among_256_groups_fits_one_certificate() -> None:
    many = epoch(256)
    on = sealed(many, proposal(many, Remove(M3)))
    made = value(many, [on.hash], activates_ms=NOW + 7 * DAY_MS)
    full = EpochCertificate(
        pack_value(made),
        (on.raw,),
        tuple(one.raw for one in votes(many, on, names(many.q))),
        (),
        tuple(one.raw for one in commits(many, made, names(many.q))),
        tuple(keyset(name).raw for name in names(many.q)),
    )
    raw = pack_epoch_certificate(full)
    assert len(raw) < EPOCH_CERTIFICATE_BYTES_MAX * 3 // 4
    assert check(parse_epoch_certificate(raw), many).epoch.n == 255


# --- what shows


def test_silence_and_the_end_of_a_term_show() -> None:
    heard = dict.fromkeys(names(3), NOW)
    assert flags(FOUR, heard, NOW + DAY_MS) == ()
    shown = flags(FOUR, heard, NOW + 2 * DAY_MS + 1)
    assert [(one.member, one.what) for one in shown] == [("m3", "silent")]
    over = flags(FOUR, dict.fromkeys(names(4), NOW + 400 * DAY_MS), NOW + 400 * DAY_MS)
    assert {one.what for one in over} == {"term-over"}
    assert len(over) == 4
