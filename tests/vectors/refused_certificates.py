"""Certificates that must be refused, one fault each: the maker of refused-certificates.json."""

from __future__ import annotations

from typing import Any

from protocol.envelope import SealedKeySet, Verified, seal_keyset
from protocol.ids import EpochHash
from protocol.messages import Basis, Heartbeat, Level, Threat
from protocol.subjects import oracle
from tests.tidy.make_vectors import (
    EPOCH,
    FEED,
    HOME,
    NAMES,
    NETWORK,
    NOW,
    TOPIC,
    cold,
    delegated,
    hot,
    keyset,
    opinion,
    word,
)
from tests.vectors.counted import (
    EPOCHS,
    GUARD,
    HALT,
    HOUR,
    SEVEN,
    VENDOR,
    certificate,
    observed,
    of_two_keysets,
    own,
    says,
    shown_epoch,
)
from tests.vectors.edwards import TORSION, bytes_of
from tests.vectors.sealing import Raw, cbor, entry, of_kind

Row = tuple[str, str, list[SealedKeySet], bytes, str]
THREE = [says(name) for name in NAMES[:3]]
GOOD = certificate(THREE)
OTHER = EpochHash(bytes(32))
RAWS = [one.raw for one in THREE]
KEYSETS = [delegated(name).raw for name in NAMES[:3]]
FIELDS: dict[Any, Any] = {1: EPOCH, 2: TOPIC[0].raw, 3: TOPIC[1], 4: 3, 5: RAWS, 6: KEYSETS}
SAME_EYE = [says(name, sources=VENDOR) for name in NAMES[:3]]


def swapped(*said: Verified[Any]) -> bytes:
    """The good certificate with its last opinions replaced by these."""
    return certificate([*THREE[: 3 - len(said)], *said])


def last(**changes: Any) -> bytes:
    return swapped(says(NAMES[2], **changes))


def forms() -> list[Row]:
    made: list[tuple[str, bytes, str]] = [
        ("a byte behind it", GOOD + b"\x00", "not-canonical"),
        (
            "entries of indefinite length",
            cbor(FIELDS | {5: Raw(b"\x9f" + b"".join(map(cbor, RAWS)) + b"\xff")}),
            "not-canonical",
        ),
        ("a level longer than needed", cbor(FIELDS | {4: Raw(b"\x18\x03")}), "not-canonical"),
        ("an array", cbor(list(FIELDS.values())), "bad-shape"),
        ("no threat", cbor({key: one for key, one in FIELDS.items() if key != 3}), "bad-shape"),
        ("no entries", cbor(FIELDS | {5: []}), "bad-shape"),
        ("an entry of nothing", cbor(FIELDS | {5: [b""]}), "bad-shape"),
        ("a KeySet of 31 bytes", cbor(FIELDS | {6: [bytes(31)]}), "bad-shape"),
        ("the level NONE", cbor(FIELDS | {4: 0}), "bad-shape"),
        ("the level WATCH", cbor(FIELDS | {4: 1}), "bad-shape"),
        ("a level of a later version", cbor(FIELDS | {4: 5}), "bad-shape"),
        ("a subject of an unknown kind", cbor(FIELDS | {2: b"\x81\x0b"}), "bad-shape"),
        ("a critical field of a later version", cbor(FIELDS | {7: 0}), "unknown-critical"),
        ("an entry that is none", cbor(FIELDS | {5: [*RAWS, b"\x80"]}), "bad-envelope"),
        ("a KeySet that is none", cbor(FIELDS | {6: [*KEYSETS, b"\x80" + bytes(32)]}), "not-canonical"),
    ]
    return [(what, "four", [], raw, code) for what, raw, code in made]


def keysets() -> list[Row]:
    foreign = seal_keyset(NETWORK, cold("stranger"), keyset("stranger"))
    forged = seal_keyset(NETWORK, cold("stranger"), keyset("venue"))
    mixed = seal_keyset(NETWORK, cold("venue"), keyset("venue", attestation=bytes_of(TORSION[1])))
    expired = seal_keyset(NETWORK, cold("venue"), keyset("venue", expires_ms=NOW - 1))
    stranger, venue = says("stranger"), says("venue")
    two = [one.raw for one in THREE[:2]]
    rows: list[tuple[str, list[SealedKeySet], list[bytes], list[bytes], str]] = [
        ("a KeySet of no member", [], RAWS, [*KEYSETS, foreign.raw], "unknown-author"),
        ("a KeySet that another key sealed", [], RAWS, [*KEYSETS, forged.raw], "bad-signature"),
        ("a KeySet that delegates a point of small order", [], RAWS, [*KEYSETS, mixed.raw], "bad-key"),
        ("an opinion under a KeySet that had expired", [], [*two, venue.raw], [*KEYSETS[:2], expired.raw], "bad-key"),
        ("an opinion whose KeySet is nowhere", [], RAWS, KEYSETS[:2], "unknown-key"),
        (
            "an opinion whose KeySet is named by hash and not known",
            [],
            RAWS,
            [*KEYSETS[:2], delegated("lender-b").hash],
            "unknown-key",
        ),
        ("an opinion under another version", [], [*two, other_version()], KEYSETS, "unknown-key"),
        ("a stranger's opinion", [], [*two, stranger.raw], KEYSETS, "unknown-key"),
        ("an opinion that another key sealed", [], [*two, entry_by_another()], KEYSETS, "bad-signature"),
        (
            "an opinion with a changed seal",
            [],
            [*two, RAWS[2][:-1] + bytes([RAWS[2][-1] ^ 1])],
            KEYSETS,
            "bad-signature",
        ),
        ("the KeySets looked at before the entries", [], [*two, b"\x80"], [foreign.raw], "unknown-author"),
    ]
    made: list[Row] = [
        (what, "four", known, cbor(FIELDS | {5: raws, 6: held}), code) for what, known, raws, held, code in rows
    ]
    rival = "an opinion under the KeySet of the higher hash, of two of one version"
    return [*made, (rival, "four", [], of_two_keysets(lower=False), "bad-signature")]


def other_version() -> bytes:
    body = of_kind(1, Raw(cbor_body("lender-b")))
    return entry(body | {1: "lender-b", 2: 2}, "lender-b")


def entry_by_another() -> bytes:
    return entry(of_kind(1, Raw(cbor_body("lender-b"))) | {1: "lender-b"}, signer=hot("venue"))


def cbor_body(name: str) -> bytes:
    from protocol.messages import BODIES

    return cbor(BODIES[1].pack(opinion(name)))


def opinions() -> list[Row]:
    beat = word(NAMES[2], Heartbeat(EPOCH))
    unknown = [says(name, threat=255) for name in NAMES[:3]]
    rows: list[tuple[str, str, bytes, str]] = [
        ("an entry that is no attestation", "four", swapped(beat), "mixed-certificate"),
        ("an opinion on another subject", "four", last(subject=oracle(HOME, FEED)), "mixed-certificate"),
        ("an opinion on another threat", "four", last(threat=int(Threat.UNBACKED_SUPPLY)), "mixed-certificate"),
        ("an opinion of another epoch", "four", last(epoch=OTHER), "mixed-certificate"),
        ("an opinion of a lower level", "four", last(level=GUARD), "short-of-threshold"),
        ("an opinion that withdraws", "four", last(level=Level.NONE), "short-of-threshold"),
        ("an opinion from hearsay", "four", last(basis=Basis.HEARSAY), "short-of-threshold"),
        ("a threat that is unknown here", "four", certificate(unknown, threat=255), "short-of-threshold"),
        ("a lease one millisecond above the bound", "four", last(expires_ms=NOW + 6 * HOUR + 1), "lease-too-long"),
        ("a lease above what this charter allows", "four-stricter", GOOD, "lease-too-long"),
        ("an opinion older than its first issue", "four", last(since_ms=NOW + 1), "lease-too-long"),
        ("a suspended seat", "four-one-suspended", swapped(says("venue")), "bad-body"),
        ("the same entry twice", "four", certificate([*THREE, THREE[2]]), "duplicate-signer"),
        ("one author with two opinions", "four", certificate([*THREE, says(NAMES[2], seq=1)]), "duplicate-signer"),
        ("another epoch", "four", certificate(THREE, epoch=OTHER), "wrong-epoch"),
    ]
    return [(what, name, [], raw, code) for what, name, raw, code in rows]


def whole() -> list[Row]:
    seats = ["issuer", "vault", "lender-a", "wallet", "lender-b"]
    mixed = [says(n, sources=VENDOR if at < 3 else own(n)) for at, n in enumerate(SEVEN[:5])]
    one_chain = [says(n, sources=(VENDOR[0], own(n)[1]) if at < 3 else own(n)) for at, n in enumerate(SEVEN[:5])]
    blind = [says(n, sources=() if at < 2 else own(n)) for at, n in enumerate(SEVEN[:5])]
    guards = [observed(name, GUARD, VENDOR) for name in SEVEN[:3]]
    no_eyes = [observed(name, GUARD, ()) for name in NAMES[:2]]
    rows: list[tuple[str, str, bytes, str]] = [
        ("one group fewer than ISOLATE needs", "four", certificate(THREE[:2]), "short-of-threshold"),
        ("one group fewer than GUARD needs", "four", certificate([says(NAMES[0], GUARD)], GUARD), "short-of-threshold"),
        (
            "one group fewer than HALT needs",
            "four",
            certificate([says(n, HALT) for n in NAMES[:2]], HALT),
            "short-of-threshold",
        ),
        (
            "GUARD of two where seven need three",
            "seven",
            certificate([says(n, GUARD) for n in SEVEN[:2]], GUARD),
            "short-of-threshold",
        ),
        (
            "five seats of three groups",
            "seven-seats-of-five",
            certificate([says(name) for name in seats]),
            "short-of-threshold",
        ),
        (
            "a stricter formula",
            "four-stricter",
            certificate([says(n, GUARD) for n in NAMES[:2]], GUARD),
            "short-of-threshold",
        ),
        ("one operator behind all", "four", certificate(SAME_EYE), "source-rule"),
        ("nobody lists a source", "four", certificate([says(n, sources=()) for n in NAMES[:3]]), "source-rule"),
        (
            "sources that nobody registered",
            "four",
            certificate([says(n, sources=(n,)) for n in NAMES[:3]]),
            "source-rule",
        ),
        ("only two of five look with other eyes than the vendor's", "seven", certificate(mixed), "source-rule"),
        ("the same on one chain of two", "seven", certificate(one_chain), "source-rule"),
        ("two of five list nothing", "seven", certificate(blind), "source-rule"),
        (
            "HALT has the source rule too",
            "four",
            certificate([says(n, HALT, sources=VENDOR) for n in NAMES[:3]], HALT),
            "source-rule",
        ),
        ("GUARD of one operator's observers", "seven", certificate(guards, GUARD), "source-rule"),
        ("GUARD of observers without a source", "four", certificate(no_eyes, GUARD), "source-rule"),
    ]
    return [(what, name, [], raw, code) for what, name, raw, code in rows]


def refused_certificates() -> dict[str, Any]:
    rows = forms() + keysets() + opinions() + whole()
    used = {name: shown_epoch(EPOCHS[name]) for name in {row[1]: None for row in rows}}
    shown = [
        {"what": what, "epoch": name, "keysets": [one.raw.hex() for one in known], "raw": raw.hex(), "code": code}
        for what, name, known, raw, code in rows
    ]
    return {"epochs": used, "refused": shown}
