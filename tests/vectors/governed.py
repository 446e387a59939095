"""Golden files of governance: statements and values as bytes, and proposals that break a rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from governance.ballots import BALLOT_TYPE, Ballot, SealedBallot, Vote, cast
from governance.proposals import (
    KIND_OF,
    PROPOSAL_TYPE,
    Admit,
    Change,
    Proposal,
    Regroup,
    Reinstate,
    Rekey,
    Remove,
    Retune,
    SealedProposal,
    Sources,
    Suspend,
    consent,
    consent_payload,
    seal_proposal,
)
from governance.values import Suspect, Value, epoch_hash, pack_value, value_hash
from protocol.codec import decode, encode
from protocol.crypto import Signer
from protocol.envelope import BALLOT_TAG, CONSENT_TAG, PROPOSAL_TAG, seal_statement
from protocol.ids import EpochHash, GroupName, MemberName, SourceId
from protocol.limits import SKEW_AHEAD_MS_MAX
from protocol.membership import DAY_MS, Epoch, Source
from protocol.messages import VALUE_TAG, Level
from tests.tidy.make_vectors import NETWORK, NOW, cold, plain, seed
from tests.vectors.counted import EPOCHS
from tests.vectors.sealing import sealed as sealed_by_hand

NEW = MemberName("newcomer")
LENDER, VENUE, VAULT = MemberName("lender-a"), MemberName("venue"), MemberName("vault")
JOIN = Admit(NEW, GroupName(NEW), cold(NEW).public)
NEXT_KEY = Signer(seed("lender-a", "next governance"))
REKEY = Rekey(LENDER, NEXT_KEY.public)
CHANGES: dict[str, Change] = {
    "admit": JOIN,
    "remove": Remove(VENUE),
    "regroup": Regroup((VENUE, VAULT), GroupName("venue-and-vault")),
    "rekey": REKEY,
    "parameters": Retune(halt="n", lease_halt_ms=1_800_000, loosen_delay_ms=9 * DAY_MS),
    "sources": Sources((Source(SourceId("newcomer-home"), NEW, "eip155:1"),), (SourceId("vendor-far"),)),
    "suspend": Suspend(VENUE),
    "reinstate": Reinstate(VENUE),
}


def seated(of: Epoch) -> Epoch:
    return replace(
        of,
        activates_ms=NOW - DAY_MS,
        members=tuple(replace(one, seated_ms=NOW - DAY_MS) for one in of.members),
    )


SEVEN = seated(EPOCHS["seven"])
PLACES: dict[str, Epoch] = {
    "seven": SEVEN,
    "four": seated(EPOCHS["four"]),
    "three": seated(EPOCHS["three"]),
    "one-suspended": seated(EPOCHS["four-one-suspended"]),
    "constant-guard": replace(
        seated(EPOCHS["seven"]), formulas={Level.GUARD: "3", Level.ISOLATE: "5", Level.HALT: "Q"}
    ),
}
CONSENTING: dict[type, tuple[Signer, ...]] = {Admit: (cold(NEW),), Rekey: (NEXT_KEY, cold(LENDER))}


def proposed(change: Change, of: Epoch = SEVEN, **changes: Any) -> Proposal:
    signers = changes.pop("signers", CONSENTING.get(type(change), ()))
    made = Proposal(
        of.hash, MemberName("issuer"), NOW, NOW + 10 * DAY_MS, KIND_OF[type(change)], change, "as we agreed on the call"
    )
    given = tuple(consent(NETWORK, one, made.parent, change) for one in signers)
    return replace(made, **{"consents": given, **changes})


def told(made: Proposal) -> SealedProposal:
    return seal_proposal(NETWORK, cold(made.author), made)


def statement_row(what: str, who: str, tag: str, value: Any, made: SealedProposal | SealedBallot) -> dict[str, Any]:
    return {
        "what": what,
        "governance_seed": seed(who, "governance").hex(),
        "domain_tag": tag,
        "value": plain(value),
        "payload": decode(made.raw, bytes_max=1 << 20)[2].hex(),
        "to_be_signed": made.statement.to_be_signed.hex(),
        "sealed": made.raw.hex(),
        "hash": made.hash.hex(),
    }


REMOVAL = told(proposed(CHANGES["remove"]))
BALLOTS = {
    "yes": Ballot(REMOVAL.hash, LENDER, 0, Vote.YES, NOW + 1),
    "no, with a conflict of interest": Ballot(REMOVAL.hash, VENUE, 15, Vote.NO, NOW + 2, "it is our own seat: ü"),
}
VALUES = {
    "a removal": Value(SEVEN.hash, 1, (REMOVAL.hash,), (), NOW + 20 * DAY_MS),
    "two proposals": Value(
        SEVEN.hash, 1, tuple(sorted((REMOVAL.hash, told(proposed(JOIN)).hash))), (), NOW + 20 * DAY_MS
    ),
    "a proof": Value(SEVEN.hash, 1, (), (Suspect(VENUE, 1),), NOW),
}


def statements() -> dict[str, Any]:
    proposals = {name: told(proposed(change)) for name, change in CHANGES.items()}
    ballots = {what: cast(NETWORK, cold(one.member), one) for what, one in BALLOTS.items()}
    return {
        "network": NETWORK.hex(),
        "proposals": [
            statement_row(what, one.proposal.author, PROPOSAL_TAG, one.proposal, one) for what, one in proposals.items()
        ],
        "ballots": [
            statement_row(what, one.ballot.member, BALLOT_TAG, one.ballot, one) for what, one in ballots.items()
        ],
        "consents": [
            {
                "what": what,
                "domain_tag": CONSENT_TAG,
                "parent": SEVEN.hash.hex(),
                "kind": int(KIND_OF[type(change)]),
                "change": plain(change),
                "payload": consent_payload(SEVEN.hash, change).hex(),
                **plain(given),
            }
            for what, change in CHANGES.items()
            for given in proposed(change).consents
        ],
        "values": [
            {
                "what": what,
                "domain_tag": VALUE_TAG,
                "value": plain(one),
                "raw": pack_value(one).hex(),
                "hash": value_hash(one).hex(),
                "epoch": epoch_hash(NETWORK, one).hex(),
            }
            for what, one in VALUES.items()
        ],
    }


def _fields(sealed: bytes, **changes: Any) -> dict[Any, Any]:
    payload: dict[Any, Any] = decode(decode(sealed, bytes_max=1 << 20)[2], bytes_max=1 << 20)
    made = payload | {int(key[1:]): value for key, value in changes.items()}
    return {key: made[key] for key in sorted(made) if made[key] is not None}


def refused_statements() -> dict[str, Any]:
    """Proposals, ballots and values, one fault each; `kind` says as what each is read."""
    yes = cast(NETWORK, cold(LENDER), BALLOTS["yes"])

    def proposal(**changes: Any) -> bytes:
        return sealed_by_hand(encode(_fields(REMOVAL.raw, **changes)), PROPOSAL_TAG, cold("issuer"))

    def ballot(**changes: Any) -> bytes:
        return sealed_by_hand(encode(_fields(yes.raw, **changes)), BALLOT_TAG, cold(LENDER))

    def value(**changes: Any) -> bytes:
        fields: dict[Any, Any] = decode(pack_value(VALUES["a removal"]), bytes_max=9999)
        return encode(fields | {int(key[1:]): one for key, one in changes.items()})

    payload = _fields(yes.raw)
    low, high = sorted((REMOVAL.hash, told(proposed(JOIN)).hash))
    rows: list[tuple[str, str, bytes, str]] = [
        ("proposal", "a ballot's type", proposal(k1=BALLOT_TYPE), "bad-shape"),
        ("proposal", "true for a type", proposal(k1=True), "bad-shape"),
        ("proposal", "no type", proposal(k1=None), "bad-shape"),
        ("proposal", "a kind of a later version", proposal(k6=9), "bad-shape"),
        ("proposal", "a change of another kind", proposal(k6=1), "bad-shape"),
        ("proposal", "a change that is no map", proposal(k7=[]), "bad-shape"),
        ("proposal", "a critical field in the change", proposal(k7={1: "venue", 2: 0}), "unknown-critical"),
        ("proposal", "a critical field of a later version", proposal(k10=0), "unknown-critical"),
        ("proposal", "a note of 1025 characters", proposal(k8="x" * 1025), "bad-shape"),
        ("proposal", "three consents", proposal(k9=[{1: bytes(32), 2: bytes(64)}] * 3), "bad-shape"),
        ("proposal", "a consent of 63 bytes", proposal(k9=[{1: bytes(32), 2: bytes(63)}]), "bad-shape"),
        ("proposal", "nobody is moved", proposal(k6=3, k7={1: [], 2: "venue"}), "bad-shape"),
        ("proposal", "an empty formula", proposal(k6=5, k7={1: ""}), "bad-shape"),
        ("proposal", "bytes beyond the limit", proposal(k64=bytes(15_300)), "oversized"),
        ("ballot", "a proposal's type", ballot(k1=PROPOSAL_TYPE), "bad-shape"),
        ("ballot", "a sixteenth replacement", ballot(k4=16), "bad-shape"),
        ("ballot", "a vote of 2", ballot(k5=2), "bad-shape"),
        ("ballot", "a vote of true", ballot(k5=True), "bad-shape"),
        ("ballot", "129 characters of conflict", ballot(k7="x" * 129), "bad-shape"),
        ("ballot", "a critical field of a later version", ballot(k8=0), "unknown-critical"),
        (
            "ballot",
            "sealed under the tag of a proposal",
            seal_statement(PROPOSAL_TAG, NETWORK, cold(LENDER), payload),
            "bad-signature",
        ),
        ("ballot", "sealed by another key", seal_statement(BALLOT_TAG, NETWORK, cold(VENUE), payload), "bad-signature"),
        ("value", "proposals out of order", value(k3=[high, low]), "bad-shape"),
        ("value", "one proposal twice", value(k3=[low, low]), "bad-shape"),
        ("value", "nothing to decide", value(k3=[]), "bad-shape"),
        ("value", "proofs out of order", value(k4=[{1: "venue", 2: 1}, {1: "issuer", 2: 1}]), "bad-shape"),
        ("value", "65 proposals", value(k3=[bytes([at]) * 32 for at in range(65)]), "bad-shape"),
        ("value", "a critical field of a later version", value(k6=0), "unknown-critical"),
    ]
    sound = [
        ("proposal", "an optional field of a later version", proposal(k64=0)),
        ("ballot", "an optional field of a later version", ballot(k64=0)),
        ("ballot", "128 characters of conflict", ballot(k7="é" * 128)),
        ("value", "a proof alone", value(k3=[], k4=[{1: "venue", 2: 0}])),
        ("value", "an optional field of a later version", value(k64=0)),
    ]
    return {
        "network": NETWORK.hex(),
        "keys": {"proposal": cold("issuer").public.hex(), "ballot": cold(LENDER).public.hex()},
        "sound": [{"kind": kind, "what": what, "raw": raw.hex()} for kind, what, raw in sound],
        "refused": [{"kind": kind, "what": what, "raw": raw.hex(), "code": code} for kind, what, raw, code in rows],
    }


Row = tuple[str, str, Proposal, str]


def _impossible() -> list[Row]:
    four, three, out, constant = (PLACES[name] for name in ("four", "three", "one-suspended", "constant-guard"))
    other = replace(proposed(JOIN), change=replace(JOIN, group=GroupName("issuer")))
    lone = Rekey(LENDER, NEXT_KEY.public)
    return [
        (
            "open for over thirty days",
            "seven",
            proposed(JOIN, closes_ms=NOW + 30 * DAY_MS + 1),
            "closes-within-30-days",
        ),
        ("closed as it opens", "seven", proposed(JOIN, closes_ms=NOW), "closes-within-30-days"),
        ("opened before its epoch", "seven", proposed(JOIN, opened_ms=NOW - 2 * DAY_MS), "closes-within-30-days"),
        ("a joiner who did not consent", "seven", proposed(JOIN, signers=()), "consents-of-new-keys"),
        ("a consent to another change", "seven", other, "consents-of-new-keys"),
        ("a stranger's consent", "seven", proposed(JOIN, signers=(cold(NEW), cold(VENUE))), "consents-of-new-keys"),
        ("a consent twice", "seven", proposed(JOIN, signers=(cold(NEW), cold(NEW))), "consents-of-new-keys"),
        ("a removal with a consent", "seven", proposed(Remove(VENUE), signers=(cold(VENUE),)), "consents-of-new-keys"),
        ("a new key that did not consent", "seven", proposed(REKEY, signers=(cold(LENDER),)), "consents-of-new-keys"),
        ("a seat's name", "seven", proposed(replace(JOIN, member=VENUE)), "name-is-free"),
        (
            "a seat's key",
            "seven",
            proposed(replace(JOIN, key=cold(VENUE).public), signers=(cold(VENUE),)),
            "key-is-free",
        ),
        ("nobody to remove", "seven", proposed(Remove(NEW)), "seat-exists"),
        ("nobody to suspend", "seven", proposed(Suspend(NEW)), "seat-exists"),
        ("suspended already", "one-suspended", proposed(Suspend(VENUE), out), "changes-something"),
        ("not suspended, term not half over", "seven", proposed(Reinstate(VENUE)), "changes-something"),
        ("moved to where it sits", "seven", proposed(Regroup((VENUE,), GroupName(VENUE))), "changes-something"),
        ("moved twice", "seven", proposed(Regroup((VENUE, VENUE), GroupName("z"))), "changes-something"),
        ("no parameter", "seven", proposed(Retune()), "changes-something"),
        ("no source", "seven", proposed(Sources()), "changes-something"),
        ("a source that is registered so", "seven", proposed(Sources(SEVEN.sources[:1])), "changes-something"),
        ("GUARD below f + 1", "seven", proposed(Retune(guard="2")), "thresholds-stay-valid"),
        ("ISOLATE below Q", "seven", proposed(Retune(isolate="Q - 1")), "thresholds-stay-valid"),
        ("HALT below ISOLATE", "seven", proposed(Retune(isolate="n")), "thresholds-stay-valid"),
        ("HALT above n", "seven", proposed(Retune(halt="n + 1")), "thresholds-stay-valid"),
        ("no formula", "seven", proposed(Retune(halt="n // 1")), "thresholds-stay-valid"),
        ("a constant that eight groups outgrow", "constant-guard", proposed(JOIN, constant), "thresholds-stay-valid"),
        ("a lease beyond its bound", "seven", proposed(Retune(lease_halt_ms=3_600_001)), "leases-within-bounds"),
        ("a lease of 999 ms", "seven", proposed(Retune(lease_guard_ms=999)), "leases-within-bounds"),
        ("a delay of 31 days", "seven", proposed(Retune(change_delay_ms=31 * DAY_MS)), "durations-within-bounds"),
        ("no silence at all", "seven", proposed(Retune(silence_ms=0)), "durations-within-bounds"),
        (
            "three groups at once where two may",
            "seven",
            proposed(Regroup((VENUE, VAULT, MemberName("wallet")), GroupName("z"))),
            "at-most-max-1-f-groups-change",
        ),
        (
            "two groups at once of four",
            "four",
            proposed(Regroup((VENUE, LENDER), GroupName("z")), four),
            "at-most-max-1-f-groups-change",
        ),
        (
            "a lost key of three",
            "three",
            proposed(lone, three, signers=(NEXT_KEY,)),
            "others-can-reach-a-quorum",
        ),
    ]


def refused_proposals() -> dict[str, Any]:
    """Well sealed and well shaped, judged in an epoch at a time. `rule`: the one that is broken, by name."""
    sound: list[tuple[str, str, Proposal]] = [
        (f"{name}, which is possible", "one-suspended" if name == "reinstate" else "seven", proposed(change))
        for name, change in CHANGES.items()
        if name != "regroup"
    ]
    sound += [
        ("a merge of two groups", "seven", proposed(CHANGES["regroup"])),
        ("open for thirty days", "seven", proposed(JOIN, closes_ms=NOW + 30 * DAY_MS)),
        ("a fourth for three", "three", proposed(JOIN, PLACES["three"])),
        ("a lost key of seven", "seven", proposed(REKEY, signers=(NEXT_KEY,))),
        ("a removal down to three", "four", proposed(Remove(VENUE), PLACES["four"])),
        ("opened a minute ahead", "seven", proposed(JOIN, opened_ms=NOW + SKEW_AHEAD_MS_MAX)),
    ]
    other: list[tuple[str, str, Proposal, str]] = [
        ("of an epoch that nobody knows", "seven", proposed(JOIN, parent=EpochHash(bytes(32))), "wrong-epoch"),
        ("of nobody who has a seat", "seven", proposed(JOIN, author=NEW), "unknown-author"),
        (
            "opened over a minute ahead",
            "seven",
            proposed(JOIN, opened_ms=NOW + SKEW_AHEAD_MS_MAX + 1),
            "from-the-future",
        ),
    ]
    rows = [
        {"what": what, "epoch": place, "raw": told(made).raw.hex(), "code": "breaks-rule", "rule": rule}
        for what, place, made, rule in _impossible()
    ]
    rows += [
        {"what": what, "epoch": place, "raw": told(made).raw.hex(), "code": code} for what, place, made, code in other
    ]
    return {
        "now_ms": NOW,
        "epochs": {name: whole(of) for name, of in PLACES.items()},
        "sound": [{"what": what, "epoch": place, "raw": told(made).raw.hex()} for what, place, made in sound],
        "refused": rows,
    }


def whole(of: Epoch) -> dict[str, Any]:
    """An epoch with what governance reads of it."""
    return plain(of) | {
        "members": [
            plain(one)
            | {"since": one.since, "seated_ms": one.seated_ms, "keyed_ms": one.keyed_ms, "proven": one.proven}
            for one in of.members
        ],
        "durations_ms": [of.change_delay_ms, of.loosen_delay_ms, of.seat_term_ms, of.silence_ms],
        "past": [plain(one) for one in of.past],
        "left": list(of.left),
    }


def governed() -> Mapping[str, dict[str, Any]]:
    return {
        "statements": statements(),
        "refused-statements": refused_statements(),
        "refused-proposals": refused_proposals(),
    }
