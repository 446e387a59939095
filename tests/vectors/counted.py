"""Certificates that hold, each showing one rule of counting: the maker of certificates-counted.json."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from protocol.codec import decode, encode
from protocol.crypto import Signer
from protocol.envelope import SealedKeySet, Verified, seal_entry, seal_keyset
from protocol.ids import GroupName, MemberName, SourceId
from protocol.limits import CERTIFICATE_BYTES_MAX
from protocol.membership import Epoch, Member, Source
from protocol.messages import Basis, Level, Tlp
from protocol.quorum import (
    Certificate,
    KeySetLookup,
    certificate_id,
    check_certificate,
    pack_certificate,
    parse_certificate,
)
from tests.tidy.make_vectors import (
    EPOCH,
    FAR,
    HOME,
    NAMES,
    NOW,
    TOPIC,
    cold,
    delegated,
    epoch,
    hot,
    keyset,
    opinion,
    plain,
    seed,
    word,
)

SEVEN = (*NAMES, MemberName("vault"), MemberName("wallet"), MemberName("watcher"))
HOUR = 3_600_000
VENDOR = (SourceId("vendor-far"), SourceId("vendor-home"))


def network_of(names: Sequence[str], groups: dict[str, str] | None = None, **changes: Any) -> Epoch:
    """Each with own sources for both chains, and one vendor's for all."""
    base = epoch()
    members = tuple(
        Member(MemberName(name), GroupName((groups or {}).get(name, name)), cold(name).public) for name in names
    )
    sources = [
        Source(SourceId(f"{name}-{end}"), name, of) for name in names for end, of in (("far", FAR), ("home", HOME))
    ]
    sources += [Source(VENDOR[0], "vendor", FAR), Source(VENDOR[1], "vendor", HOME)]
    return replace(base, members=members, sources=tuple(sources), **changes)


def suspending(base: Epoch, name: str) -> Epoch:
    return replace(base, members=tuple(replace(one, suspended=one.name == name) for one in base.members))


EPOCHS: dict[str, Epoch] = {
    "four": network_of(NAMES),
    "four-one-suspended": suspending(network_of(NAMES), "venue"),
    "three": network_of(NAMES[:3]),
    "seven": network_of(SEVEN),
    "seven-seats-of-five": network_of(SEVEN, {"vault": "issuer", "wallet": "lender-a"}),
    "four-stricter": network_of(
        NAMES,
        formulas={Level.GUARD: "min(n, f + 2)", Level.ISOLATE: "Q", Level.HALT: "2 * f + 2 - (n - 4)"},
        lease_ms={Level.GUARD: HOUR, Level.ISOLATE: HOUR // 2, Level.HALT: HOUR // 4},
    ),
}


def says(name: str, level: Level = Level.ISOLATE, *, at_ms: int = NOW, seq: int = 0, **changes: Any) -> Verified[Any]:
    body = replace(opinion(name, level), **{"expires_ms": at_ms + HOUR, **changes})
    return word(name, body, seq=seq, issued_ms=at_ms)


def certificate(said: Sequence[Verified[Any]], level: Level = Level.ISOLATE, **changes: Any) -> bytes:
    """As they come, with the KeySets of their authors."""
    names = sorted({one.entry.author for one in said})
    made = Certificate(
        EPOCH, TOPIC[0], TOPIC[1], level, tuple(one.raw for one in said), tuple(delegated(name).raw for name in names)
    )
    return pack_certificate(replace(made, **changes))


def with_a_later_field(raw: bytes) -> bytes:
    """The same certificate with a field 64."""
    return encode(decode(raw, bytes_max=CERTIFICATE_BYTES_MAX) | {64: "later"})


def observed(name: str, level: Level, sources: tuple[SourceId, ...]) -> Verified[Any]:
    return says(name, level, basis=Basis.OBSERVED, sources=sources)


def own(name: str) -> tuple[SourceId, ...]:
    return SourceId(f"{name}-far"), SourceId(f"{name}-home")


GUARD, ISOLATE, HALT = Level.GUARD, Level.ISOLATE, Level.HALT
Case = tuple[str, str, list[SealedKeySet], bytes]
_WITH_VENDOR = [observed(name, GUARD, VENDOR) for name in SEVEN[:2]]
_OWN_EYES = [observed(name, GUARD, own(name)) for name in SEVEN[2:4]]
COUNTED: list[Case] = [
    ("a quorum of four groups", "four", [], certificate([says(name) for name in NAMES[:3]])),
    ("entries in another order: the same digest", "four", [], certificate([says(n) for n in reversed(NAMES[:3])])),
    (
        "an optional field of a later version",
        "four",
        [],
        with_a_later_field(certificate([says(name) for name in NAMES[:3]])),
    ),
    ("all of four", "four", [], certificate([says(name) for name in NAMES])),
    ("the least for GUARD", "four", [], certificate([says(name, GUARD) for name in NAMES[:2]], GUARD)),
    ("higher opinions carry a lower level", "four", [], certificate([says(name, HALT) for name in NAMES[:3]])),
    ("three groups need all three", "three", [], certificate([says(name) for name in NAMES[:3]])),
    ("five of seven", "seven", [], certificate([says(name) for name in SEVEN[:5]])),
    (
        "the k-th expiry, latest first: two with long leases do not prolong it",
        "seven",
        [],
        certificate([says(n, expires_ms=NOW + HOUR * (1 + at // 5)) for at, n in enumerate(SEVEN)]),
    ),
    (
        "each group's own expiry: the third latest of three is the earliest",
        "four",
        [],
        certificate([says(name, expires_ms=NOW + HOUR + at) for at, name in enumerate(NAMES[:3])]),
    ),
    (
        "two seats of one group count once, with the later expiry",
        "seven-seats-of-five",
        [],
        certificate(
            [
                says("issuer", expires_ms=NOW + HOUR),
                says("vault", expires_ms=NOW + 3 * HOUR),
                *(says(name, expires_ms=NOW + 2 * HOUR) for name in ("lender-a", "lender-b", "venue")),
            ]
        ),
    ),
    (
        "the vendor of some is not the eye of all",
        "seven",
        [],
        certificate([says(n, sources=VENDOR if at < 2 else own(n)) for at, n in enumerate(SEVEN[:5])]),
    ),
    (
        "a group without a registered source counts as a group and helps no source rule",
        "seven",
        [],
        certificate([says(n, sources=() if at < 1 else own(n)) for at, n in enumerate(SEVEN[:5])]),
    ),
    (
        "one chain at one operator: f + 1 others still look with other eyes",
        "seven",
        [],
        certificate([says(n, sources=(VENDOR[0], own(n)[1]) if at < 2 else own(n)) for at, n in enumerate(SEVEN[:5])]),
    ),
    (
        "GUARD counts one operator's observers once: three are left of four",
        "seven",
        [],
        certificate([*_WITH_VENDOR, *_OWN_EYES], GUARD),
    ),
    (
        "GUARD counts who observed through two operators",
        "four",
        [],
        certificate([observed(n, GUARD, (VENDOR[0], own(n)[1])) for n in NAMES[:2]], GUARD),
    ),
    (
        "stricter formulas and leases",
        "four-stricter",
        [],
        certificate([says(name, GUARD, expires_ms=NOW + HOUR) for name in NAMES[:3]], GUARD),
    ),
    (
        "a KeySet by its hash, for who has it",
        "four",
        [delegated("issuer")],
        certificate(
            [says(name) for name in NAMES[:3]],
            keysets=(delegated("issuer").hash, *(delegated(name).raw for name in NAMES[1:3])),
        ),
    ),
    (
        "no KeySet at all, for who has them",
        "four",
        [delegated(name) for name in NAMES],
        certificate([says(name) for name in NAMES[:3]], keysets=()),
    ),
    (
        "as strict as its strictest",
        "four",
        [],
        certificate([says(n, tlp=Tlp.RED if n == "venue" else Tlp.CLEAR) for n in (*NAMES[:2], "venue")]),
    ),
    (
        "opinions of different times",
        "four",
        [],
        certificate([says(n, at_ms=NOW + 1000 * at, since_ms=NOW) for at, n in enumerate(NAMES[:3])]),
    ),
]


def two_of_one_version(name: str) -> tuple[Signer, Signer, tuple[bytes, bytes]]:
    """(key of the KeySet that holds, key of the other, both sealed): the lower hash holds."""
    other = Signer(seed(name, "another attestation"))
    usual, rival = delegated(name), seal_keyset(epoch().network, cold(name), keyset(name, attestation=other.public))
    keys = (hot(name), other) if usual.hash < rival.hash else (other, hot(name))
    return *keys, (usual.raw, rival.raw)


def lookup(known: Sequence[SealedKeySet]) -> KeySetLookup:
    held = {(one.keyset.member, one.keyset.version): one for one in known}
    return lambda name, version: held.get((name, version))


def shown_epoch(of: Epoch) -> dict[str, Any]:
    """What counting takes of an epoch."""
    kept = ("network", "hash", "members", "formulas", "lease_ms", "sources")
    return {name: value for name, value in plain(of).items() if name in kept}


def shown_certificate(case: Case) -> dict[str, Any]:
    what, name, known, raw = case
    made = parse_certificate(raw)
    checked = check_certificate(made, raw, EPOCHS[name], lookup(known))
    return {
        "what": what,
        "epoch": name,
        "keysets": [one.raw.hex() for one in known],
        "raw": raw.hex(),
        "id": certificate_id(made.epoch, made.topic, made.level).hex(),
        "digest": checked.digest.hex(),
        "groups": list(checked.groups),
        "ends_ms": checked.ends_ms,
        "newest_issued_ms": checked.newest_issued_ms,
        "tlp": int(checked.tlp),
    }


def under(key: Signer, name: str) -> bytes:
    """An opinion of `name` sealed by this key."""
    plain_word = says(name).entry
    return seal_entry(
        epoch().network,
        key,
        author=plain_word.author,
        key_version=1,
        seq=0,
        prev=plain_word.prev,
        issued_ms=NOW,
        body=plain_word.body,
    ).raw


def of_two_keysets(*, lower: bool) -> bytes:
    """The last opinion is sealed under the KeySet that holds, or under the other one of that version."""
    holds, other, both = two_of_one_version(NAMES[2])
    raws = (*(says(name).raw for name in NAMES[:2]), under(holds if lower else other, NAMES[2]))
    return certificate([says(NAMES[0])], entries=raws, keysets=(*(delegated(n).raw for n in NAMES[:2]), *both))


def shown_cases(cases: list[Case]) -> dict[str, Any]:
    used = {name: shown_epoch(EPOCHS[name]) for name in {case[1]: None for case in cases}}
    return {"epochs": used, "certificates": [shown_certificate(case) for case in cases]}


def certificates_counted() -> dict[str, Any]:
    lower = ("of two KeySets of one version the lower hash holds", "four", [], of_two_keysets(lower=True))
    return shown_cases([*COUNTED, lower])


def certificates_counted_by_group() -> dict[str, Any]:
    """Expiries and operators where a group has two seats, and where there are more groups than needed."""
    apart = [observed("issuer", GUARD, VENDOR), observed("vault", GUARD, own("vault"))]
    beside = [observed("issuer", GUARD, VENDOR), says("vault", GUARD, sources=VENDOR)]
    by_vendor = observed("lender-b", GUARD, VENDOR)
    seats = ("issuer", "vault", "lender-a", "wallet", "lender-b", "venue", "watcher")
    every = [says(name, expires_ms=NOW + HOUR + at) for at, name in enumerate(SEVEN)]
    paired = [says(name, expires_ms=NOW + HOUR + at) for at, name in enumerate(seats)]
    five = "seven-seats-of-five"
    return shown_cases(
        [
            ("seven expiries: the fifth latest", "seven", [], certificate(every)),
            ("two seats of two groups: the fourth latest of five", five, [], certificate(paired)),
            ("GUARD: seats of one group that see by two operators", five, [], certificate([*apart, by_vendor], GUARD)),
            ("GUARD: an observer beside a verifier of its group", five, [], certificate([*beside, by_vendor], GUARD)),
        ]
    )
