"""Golden files of epochs: certificates that make one, what they make, and certificates that prove nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from governance.ballots import Ballot, SealedBallot, Vote, cast
from governance.changes import next_epoch
from governance.epochs import EPOCH_CERTIFICATE, EpochCertificate, Proof, check
from governance.proposals import Regroup, Reinstate, Remove, Retune, SealedProposal, Suspend
from governance.values import Suspect, Value, pack_value, value_hash
from protocol.codec import encode
from protocol.envelope import seal_keyset
from protocol.ids import Digest, EpochHash, GroupName, MemberName
from protocol.membership import DAY_MS, Epoch
from protocol.messages import Commit, Heartbeat
from tests.tidy.make_vectors import NAMES, NETWORK, NOW, cold, delegated, keyset, plain, word
from tests.vectors.counted import SEVEN as SEVEN_NAMES
from tests.vectors.governed import (
    CHANGES,
    JOIN,
    LENDER,
    NEW,
    NEXT_KEY,
    PLACES,
    REKEY,
    SEVEN,
    VENUE,
    proposed,
    told,
    whole,
)

FIVE = SEVEN_NAMES[:5]
CHANGE_MS, LOOSE_MS = NOW + 3 * DAY_MS, NOW + 7 * DAY_MS
HALT_OF_N = told(proposed(Retune(halt="n")))


def ballots(on: SealedProposal, who: Iterable[str], **changes: Any) -> list[SealedBallot]:
    made = Ballot(on.hash, MemberName(""), 0, Vote.YES, NOW + 1)
    return [cast(NETWORK, cold(name), replace(made, member=MemberName(name), **changes)) for name in who]


def value(of: Epoch, on: Sequence[SealedProposal], at_ms: int, proofs: Sequence[Suspect] = (), **changes: Any) -> Value:
    made = Value(of.hash, of.number + 1, tuple(sorted(one.hash for one in on)), tuple(proofs), at_ms)
    return replace(made, **changes)


def commits(of: Epoch, made: Value, who: Iterable[str], round_: int = 2) -> list[bytes]:
    return [word(name, Commit(of.hash, round_, value_hash(made))).raw for name in who]


def certified(
    of: Epoch,
    on: Sequence[SealedProposal],
    at_ms: int,
    voters: Sequence[str] = FIVE,
    proofs: Sequence[Suspect] = (),
    **changes: Any,
) -> EpochCertificate:
    """By the first quorum of this epoch; `changes` of the value."""
    made = value(of, on, at_ms, proofs, **changes)
    who = [seat.name for seat in of.members][: of.q]
    signers = [*who, *(one.member for one in proofs if one.member not in who)]
    return EpochCertificate(
        value=pack_value(made),
        proposals=tuple(one.raw for one in on),
        ballots=tuple(ballot.raw for one in on for ballot in ballots(one, voters)),
        proofs=tuple(Proof(*forked(one.member)) for one in proofs),
        commits=tuple(commits(of, made, who)),
        keysets=tuple(delegated(name).raw for name in signers),
    )


def forked(name: str) -> tuple[bytes, bytes]:
    return word(name, Heartbeat(SEVEN.hash)).raw, word(name, Heartbeat(SEVEN.hash), issued_ms=NOW + 1).raw


GOOD = certified(SEVEN, [HALT_OF_N], CHANGE_MS)
JOINED = told(proposed(JOIN))
GROWN = next_epoch(SEVEN, value(SEVEN, [JOINED], CHANGE_MS), {JOINED.hash: JOINED.proposal})
"""Epoch 1 of seven that admitted an eighth: proposals of epoch 0 are still open there."""
REMOVAL = told(proposed(Remove(VENUE)))
FEWER = next_epoch(SEVEN, value(SEVEN, [REMOVAL], LOOSE_MS), {REMOVAL.hash: REMOVAL.proposal})
MUTED = PLACES["one-suspended"]
OUT = {"seven": SEVEN, "eight-in-epoch-1": GROWN, "six-in-epoch-1": FEWER, "four": PLACES["four"], "muted": MUTED}


def _made() -> list[tuple[str, str, EpochCertificate]]:
    own, lost = told(proposed(REKEY)), told(proposed(REKEY, signers=(NEXT_KEY,)))
    three = sorted((HALT_OF_N, REMOVAL, told(proposed(JOIN))), key=lambda one: one.hash)
    kinds = {name: told(proposed(change)) for name, change in CHANGES.items() if name not in ("rekey", "reinstate")}
    loose = ("remove", "regroup", "sources")
    rows = [
        (f"a proposal to {name}", "seven", certified(SEVEN, [one], LOOSE_MS if name in loose else CHANGE_MS))
        for name, one in kinds.items()
    ]
    back = told(proposed(Reinstate(VENUE), MUTED))
    rows += [
        ("a seat that is reinstated", "muted", certified(MUTED, [back], CHANGE_MS, NAMES[:3])),
        ("a key moved by its owner, without ballots", "seven", certified(SEVEN, [own], NOW, ())),
        ("a lost key", "seven", certified(SEVEN, [lost], LOOSE_MS, [one for one in SEVEN_NAMES[:6] if one != LENDER])),
        ("three proposals at once", "seven", certified(SEVEN, three, LOOSE_MS)),
        ("a proof", "seven", certified(SEVEN, [], NOW, (), [Suspect(VENUE, 1)])),
        (
            "two proofs and a proposal",
            "seven",
            certified(SEVEN, [HALT_OF_N], CHANGE_MS, FIVE, [Suspect(LENDER, 1), Suspect(VENUE, 1)]),
        ),
        (
            "of an epoch before, by the larger quorum",
            "six-in-epoch-1",
            certified(FEWER, [HALT_OF_N], LOOSE_MS + 1, [one for one in SEVEN_NAMES[:6] if one != VENUE]),
        ),
        (
            "of an epoch before, in a larger one",
            "eight-in-epoch-1",
            certified(GROWN, [HALT_OF_N], CHANGE_MS + 1, SEVEN_NAMES[:6]),
        ),
        ("more ballots and Commits than needed", "four", _all_of_four()),
        (
            "an optional field of a later version in the value",
            "seven",
            certified(SEVEN, [HALT_OF_N], CHANGE_MS, later=((64, 0),)),
        ),
    ]
    return rows


def _all_of_four() -> EpochCertificate:
    of = PLACES["four"]
    on = told(proposed(Suspend(VENUE), of))
    made = certified(of, [on], CHANGE_MS, NAMES)
    named = value(of, [on], CHANGE_MS)
    return replace(made, commits=tuple(commits(of, named, NAMES)), keysets=tuple(delegated(name).raw for name in NAMES))


_Refused = tuple[str, str, EpochCertificate, str]


def _refused() -> list[_Refused]:
    return [*_refused_values(), *_refused_ballots(), *_refused_commits(), *_refused_proofs()]


def _refused_values() -> list[_Refused]:
    def with_value(**changes: Any) -> EpochCertificate:
        return certified(SEVEN, [HALT_OF_N], CHANGE_MS, **changes)

    lost = told(proposed(REKEY, signers=(NEXT_KEY,)))
    join_unasked = told(proposed(JOIN, signers=()))
    two_of_four = told(proposed(Regroup((VENUE, LENDER), GroupName("z")), PLACES["four"]))
    return [
        ("of another parent", "seven", with_value(parent=EpochHash(bytes(32))), "wrong-epoch"),
        ("of another number", "seven", with_value(number=2), "wrong-epoch"),
        ("beginning with its parent", "seven", with_value(activates_ms=SEVEN.activates_ms), "ordered-in-its-time"),
        ("before its delay", "seven", with_value(activates_ms=CHANGE_MS - 1), "ordered-in-its-time"),
        ("after its end", "seven", with_value(activates_ms=NOW + 27 * DAY_MS + 1), "ordered-in-its-time"),
        (
            "what loosens after the shorter delay",
            "seven",
            certified(SEVEN, [REMOVAL], CHANGE_MS),
            "ordered-in-its-time",
        ),
        ("a lost key after the shorter delay", "seven", certified(SEVEN, [lost], CHANGE_MS), "ordered-in-its-time"),
        ("a value that decides nothing", "seven", with_value(proposals=()), "bad-shape"),
        ("another proposal", "seven", replace(GOOD, proposals=(REMOVAL.raw,)), "mixed-certificate"),
        ("a proposal more", "seven", replace(GOOD, proposals=(*GOOD.proposals, REMOVAL.raw)), "mixed-certificate"),
        ("a proposal twice", "seven", replace(GOOD, proposals=GOOD.proposals * 2), "mixed-certificate"),
        ("a joiner who did not consent", "seven", certified(SEVEN, [join_unasked], CHANGE_MS), "consents-of-new-keys"),
        (
            "two groups of four at once",
            "four",
            certified(PLACES["four"], [two_of_four], LOOSE_MS, NAMES[:3]),
            "at-most-max-1-f-groups-change",
        ),
    ]


def _refused_ballots() -> list[_Refused]:
    def ballot(name: str, **changes: Any) -> bytes:
        return ballots(HALT_OF_N, [name], **changes)[0].raw

    other_key = cast(NETWORK, cold(VENUE), Ballot(HALT_OF_N.hash, FIVE[4], 0, Vote.YES, NOW + 1)).raw
    lost = told(proposed(REKEY, signers=(NEXT_KEY,)))
    newcomer = [*SEVEN_NAMES[:5], NEW]
    return [
        ("a ballot short", "seven", replace(GOOD, ballots=GOOD.ballots[1:]), "short-of-threshold"),
        ("a lost key by its own ballot too", "seven", certified(SEVEN, [lost], LOOSE_MS), "unknown-author"),
        (
            "a quorum of six where one of seven is needed",
            "six-in-epoch-1",
            certified(FEWER, [HALT_OF_N], LOOSE_MS + 1, [one for one in SEVEN_NAMES[:5] if one != VENUE]),
            "short-of-threshold",
        ),
        (
            "a quorum of seven where one of eight is needed",
            "eight-in-epoch-1",
            certified(GROWN, [HALT_OF_N], CHANGE_MS + 1, FIVE),
            "short-of-threshold",
        ),
        (
            "a newcomer's ballot on what is older than its seat",
            "eight-in-epoch-1",
            certified(GROWN, [HALT_OF_N], CHANGE_MS + 1, newcomer),
            "unknown-author",
        ),
        (
            "a ballot on another proposal",
            "seven",
            replace(GOOD, ballots=(*GOOD.ballots, ballots(REMOVAL, ["vault"])[0].raw)),
            "mixed-certificate",
        ),
        ("a no", "seven", replace(GOOD, ballots=(*GOOD.ballots, ballot("wallet", vote=Vote.NO))), "mixed-certificate"),
        (
            "a yes too late",
            "seven",
            replace(GOOD, ballots=(*GOOD.ballots, ballot("wallet", cast_ms=NOW + 10 * DAY_MS + 1))),
            "mixed-certificate",
        ),
        ("a stranger's ballot", "seven", replace(GOOD, ballots=(*GOOD.ballots, ballot("stranger"))), "unknown-author"),
        ("a ballot by another's key", "seven", replace(GOOD, ballots=(*GOOD.ballots[:4], other_key)), "bad-signature"),
        ("a ballot twice", "seven", replace(GOOD, ballots=(*GOOD.ballots, GOOD.ballots[0])), "duplicate-signer"),
    ]


def _refused_commits() -> list[_Refused]:
    named = value(SEVEN, [HALT_OF_N], CHANGE_MS)
    expired = seal_keyset(NETWORK, cold(FIVE[4]), keyset(FIVE[4], expires_ms=NOW - 1)).raw
    wrong_seal = seal_keyset(NETWORK, cold(VENUE), keyset(FIVE[4])).raw
    return [
        (
            "a stranger's KeySet",
            "seven",
            replace(GOOD, keysets=(*GOOD.keysets, delegated("stranger").raw)),
            "unknown-author",
        ),
        ("a KeySet by another's key", "seven", replace(GOOD, keysets=(*GOOD.keysets[:4], wrong_seal)), "bad-signature"),
        ("a KeySet twice", "seven", replace(GOOD, keysets=(*GOOD.keysets, GOOD.keysets[0])), "duplicate-signer"),
        ("no KeySet for a Commit", "seven", replace(GOOD, keysets=GOOD.keysets[1:]), "unknown-key"),
        ("a Commit under an expired KeySet", "seven", replace(GOOD, keysets=(*GOOD.keysets[:4], expired)), "bad-key"),
        ("a Commit short", "seven", replace(GOOD, commits=GOOD.commits[1:]), "short-of-threshold"),
        (
            "a Commit to nothing",
            "seven",
            replace(GOOD, commits=(*GOOD.commits[:4], word(FIVE[4], Commit(SEVEN.hash, 2, Digest(bytes(32)))).raw)),
            "mixed-certificate",
        ),
        (
            "Commits of two rounds",
            "seven",
            replace(GOOD, commits=(*GOOD.commits[:4], *commits(SEVEN, named, [FIVE[4]], 3))),
            "mixed-certificate",
        ),
        (
            "a Heartbeat for a Commit",
            "seven",
            replace(GOOD, commits=(*GOOD.commits[:4], word(FIVE[4], Heartbeat(SEVEN.hash)).raw)),
            "mixed-certificate",
        ),
        ("a Commit twice", "seven", replace(GOOD, commits=(*GOOD.commits, GOOD.commits[0])), "duplicate-signer"),
    ]


def _refused_proofs() -> list[_Refused]:
    proven = certified(SEVEN, [], NOW, (), [Suspect(VENUE, 1)])
    return [
        ("a proof that nothing names", "seven", replace(GOOD, proofs=(Proof(*forked("issuer")),)), "mixed-certificate"),
        ("no proof", "seven", replace(proven, proofs=()), "mixed-certificate"),
        (
            "one entry twice for a proof",
            "seven",
            replace(proven, proofs=(Proof(forked(VENUE)[0], forked(VENUE)[0]),)),
            "mixed-certificate",
        ),
        ("a proof against another", "seven", replace(proven, proofs=(Proof(*forked("issuer")),)), "mixed-certificate"),
        (
            "a proof against a seat that is suspended",
            "muted",
            certified(MUTED, [], NOW, (), [Suspect(VENUE, 1)]),
            "changes-something",
        ),
    ]


def epoch_certificates() -> dict[str, Any]:
    rows = []
    for what, place, made in _made():
        enacted = check(made, OUT[place])
        rows.append(
            {
                "what": what,
                "epoch": place,
                "raw": packed(made),
                "committed": list(enacted.committed),
                "next": after(enacted.epoch),
            }
        )
    return {"epochs": {name: whole(of) for name, of in OUT.items()}, "certificates": rows}


def after(of: Epoch) -> dict[str, Any]:
    kept = (
        "number",
        "hash",
        "parent",
        "activates_ms",
        "members",
        "formulas",
        "sources",
        "durations_ms",
        "past",
        "left",
    )
    told_ = {name: one for name, one in whole(of).items() if name in kept}
    return told_ | {"lease_ms": {level: one for level, one in plain(of)["lease_ms"].items() if int(level) >= 2}}


def packed(made: EpochCertificate) -> str:
    return encode(EPOCH_CERTIFICATE.pack(made)).hex()


def refused_epoch_certificates() -> dict[str, Any]:
    rows = []
    for what, place, made, said in _refused():
        fault = {"code": "breaks-rule", "rule": said} if said in RULES else {"code": said}
        rows.append({"what": what, "epoch": place, "raw": packed(made), **fault})
    return {"epochs": {name: whole(of) for name, of in OUT.items()}, "refused": rows}


def entire(of: Epoch) -> dict[str, Any]:
    """With what was decided already."""
    past = [plain(one) | {"made_of": plain(one.made_of)} for one in of.past]
    return whole(of) | {"made_of": plain(of.made_of), "past": past}


def replayed() -> dict[str, Any]:
    """One proposal, told again in the next epoch and in the one after."""
    tuned = next_epoch(SEVEN, value(SEVEN, [HALT_OF_N], CHANGE_MS), {HALT_OF_N.hash: HALT_OF_N.proposal})
    back = replace(tuned, formulas=SEVEN.formulas)
    later = next_epoch(back, value(back, [], CHANGE_MS + 1, [Suspect(LENDER, 1)]), {})
    places = {"the next": back, "the one after": later}
    again = {place: certified(of, [HALT_OF_N], CHANGE_MS + 2) for place, of in places.items()}
    return {
        "epochs": {place: entire(of) for place, of in places.items()},
        "refused": [
            {
                "what": f"a proposal told again in {place}",
                "epoch": place,
                "raw": packed(made),
                "code": "breaks-rule",
                "rule": "decided-once",
            }
            for place, made in again.items()
        ],
    }


RULES = {"ordered-in-its-time", "consents-of-new-keys", "at-most-max-1-f-groups-change", "changes-something"}
