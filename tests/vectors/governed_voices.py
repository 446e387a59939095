"""Golden epoch certificates where groups have several seats, and where a proof is two votes of one round."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from governance.epochs import EpochCertificate, Proof, check
from governance.proposals import Retune
from governance.values import Suspect
from protocol.ids import EpochHash
from protocol.messages import NOTHING, Commit, Prepare, Propose
from protocol.messages import value_hash as hash_of
from tests.tidy.make_vectors import delegated, word
from tests.vectors.counted import EPOCHS
from tests.vectors.governed import SEVEN, VENUE, proposed, seated, told, whole
from tests.vectors.governed_epochs import CHANGE_MS, NOW, after, certified, commits, packed, value

SHARED = seated(EPOCHS["seven-seats-of-five"])
"""vault sits in the group of issuer, wallet in that of lender-a: five groups, of which four are a quorum."""
VOICED = {"seven-seats-of-five": SHARED, "seven": SEVEN}
VOICES = ["issuer", "lender-a", "lender-b", "venue"]
STRICTER = told(proposed(Retune(halt="n"), SHARED))
ONE, TWO = hash_of(b"\xa1\x01\x00"), hash_of(b"\xa1\x01\x01")


def _committed(*who: str) -> EpochCertificate:
    made = value(SHARED, [STRICTER], CHANGE_MS)
    by_all = certified(SHARED, [STRICTER], CHANGE_MS, [seat.name for seat in SHARED.members])
    keysets = tuple(delegated(name).raw for name in who)
    return replace(by_all, commits=tuple(commits(SHARED, made, who)), keysets=keysets)


def _proven(one: Any, other: Any) -> EpochCertificate:
    """Far apart in the feed, so that nothing but the votes can contradict each other."""
    said = word(VENUE, one, seq=3).raw, word(VENUE, other, seq=9).raw
    return replace(certified(SEVEN, [], NOW, (), [Suspect(VENUE, 1)]), proofs=(Proof(*said),))


def _made() -> list[tuple[str, str, EpochCertificate]]:
    epoch = SEVEN.hash
    return [
        ("four of five groups, each by its first seat", "seven-seats-of-five", _committed(*VOICES)),
        ("two Proposes of a round", "seven", _proven(Propose(epoch, 2, b"\x01"), Propose(epoch, 2, b"\x02"))),
        ("two Prepares of a round", "seven", _proven(Prepare(epoch, 2, ONE), Prepare(epoch, 2, NOTHING))),
        ("two Commits of a round", "seven", _proven(Commit(epoch, 2, ONE), Commit(epoch, 2, TWO))),
    ]


def _refused() -> list[tuple[str, str, EpochCertificate, str]]:
    epoch, other = SEVEN.hash, EpochHash(bytes(32))
    of_another = _committed("lender-a", "lender-b", "vault", "venue")
    no_proofs = {
        "a Propose said again with another valid_round": (Propose(epoch, 2, b"\x01"), Propose(epoch, 2, b"\x01", 1)),
        "a Prepare said again": (Prepare(epoch, 2, ONE), Prepare(epoch, 2, ONE)),
        "votes of two rounds": (Prepare(epoch, 2, ONE), Prepare(epoch, 3, TWO)),
        "votes of two epochs": (Prepare(epoch, 2, ONE), Prepare(other, 2, TWO)),
        "a Prepare and a Commit": (Prepare(epoch, 2, ONE), Commit(epoch, 2, TWO)),
    }
    return [
        ("a Commit of a group's second seat", "seven-seats-of-five", of_another, "mixed-certificate"),
        (
            "a Commit of a group's second seat beside its first's",
            "seven-seats-of-five",
            _committed(*VOICES, "vault"),
            "mixed-certificate",
        ),
        *((what, "seven", _proven(*pair), "mixed-certificate") for what, pair in no_proofs.items()),
    ]


def epoch_certificates_of_voices() -> dict[str, Any]:
    rows = []
    for what, place, made in _made():
        enacted = check(made, VOICED[place])
        told_ = {"committed": list(enacted.committed), "next": after(enacted.epoch)}
        rows.append({"what": what, "epoch": place, "raw": packed(made), **told_})
    return {"epochs": {name: whole(of) for name, of in VOICED.items()}, "certificates": rows}


def refused_epoch_certificates_of_voices() -> dict[str, Any]:
    rows = [{"what": w, "epoch": place, "raw": packed(made), "code": code} for w, place, made, code in _refused()]
    return {"epochs": {name: whole(of) for name, of in VOICED.items()}, "refused": rows}
