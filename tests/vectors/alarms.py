"""What a network's level is, from sealed words and a clock: the maker of alarms.json."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from protocol.alarm import weigh
from protocol.envelope import Verified
from protocol.evidence import claim_of
from protocol.ids import MemberName
from protocol.membership import Epoch
from protocol.messages import Attestation, Basis, Claim, Level, Release, Threat
from protocol.release import Releases
from protocol.subjects import oracle
from tests.tidy.make_vectors import EPOCH, FEED, FORGED, HOME, NAMES, NOW, TOPIC, hot, word
from tests.vectors.counted import EPOCHS, GUARD, HALT, HOUR, ISOLATE, SEVEN, VENDOR, observed, own, says, shown_epoch

FORGERY = claim_of(FORGED).claim
WATCH, NONE = Level.WATCH, Level.NONE
Words = Sequence[Verified[Any]]


def releases(
    name: str, through_ms: int = NOW, claims: tuple[Claim, ...] = (), at_ms: int = NOW + 1000
) -> Verified[Any]:
    return word(name, Release(EPOCH, TOPIC[0], TOPIC[1], through_ms, claims), seq=9, issued_ms=at_ms)


def all_say(names: Sequence[str], level: Level = ISOLATE, **changes: Any) -> list[Verified[Any]]:
    return [says(name, level, **changes) for name in names]


THREE = all_say(NAMES[:3])
LATER = NOW + 60_000
QUORUM_RELEASES = [releases(name) for name in NAMES[:3]]
TWO_SEATS = ("issuer", "vault", "lender-a", "wallet", "lender-b", "venue", "watcher")
CASES: list[tuple[str, str, int, Words]] = [
    ("nothing is said", "four", LATER, []),
    ("one member says HALT", "four", LATER, all_say(NAMES[:1], HALT)),
    ("two of four reach GUARD", "four", LATER, all_say(NAMES[:2])),
    ("three of four reach ISOLATE", "four", LATER, THREE),
    ("levels mix: three at GUARD or above, two at ISOLATE", "four", LATER, [*THREE[:2], says("lender-b", GUARD)]),
    ("three reach HALT", "four", LATER, all_say(NAMES[:3], HALT, expires_ms=NOW + HOUR)),
    ("withdrawn: the later word of an author replaces", "four", LATER, [*THREE, says("lender-b", NONE, seq=1)]),
    ("the later word replaces whatever came last", "four", LATER, [says("lender-b", NONE, seq=1), *THREE]),
    ("hearsay is worth a WATCH", "four", LATER, all_say(NAMES[:3], basis=Basis.HEARSAY)),
    ("a threat of a later version is not counted", "four", LATER, all_say(NAMES[:3], threat=255)),
    (
        "another subject's opinions are another's",
        "four",
        LATER,
        [*THREE[:2], says("lender-b", subject=oracle(HOME, FEED))],
    ),
    (
        "another threat's are another's",
        "four",
        LATER,
        [*THREE[:2], says("lender-b", threat=int(Threat.UNBACKED_SUPPLY))],
    ),
    ("another epoch's count for nothing", "four", LATER, [*THREE[:2], says("lender-b", epoch=bytes(32))]),
    ("a stranger counts for nothing", "four", LATER, [*THREE[:2], says("vault")]),
    (
        "a suspended seat counts for nothing and lowers no threshold",
        "four-one-suspended",
        LATER,
        all_say(["issuer", "lender-a", "venue"]),
    ),
    ("two seats of a group count once", "seven-seats-of-five", LATER, all_say(TWO_SEATS[:4])),
    ("four groups of five", "seven-seats-of-five", LATER, all_say(TWO_SEATS[:6])),
    ("the last millisecond of three", "four", NOW + HOUR - 1, THREE),
    ("the end of three", "four", NOW + HOUR, THREE),
    ("from as far ahead as is taken", "four", NOW, all_say(NAMES[:3], at_ms=NOW + 60_000)),
    ("from further ahead: not yet", "four", NOW, all_say(NAMES[:3], at_ms=NOW + 60_001)),
    ("a lease at its bound", "four", LATER, all_say(NAMES[:3], expires_ms=NOW + 6 * HOUR)),
    ("a lease above its bound", "four", LATER, [*THREE[:2], says("lender-b", expires_ms=NOW + 6 * HOUR + 1)]),
    ("a lease above what this charter allows", "four-stricter", LATER, THREE),
    ("older than its first issue", "four", LATER, [*THREE[:2], says("lender-b", since_ms=NOW + 1)]),
    ("ISOLATE fails its source rule and is GUARD", "four", LATER, all_say(NAMES[:3], sources=VENDOR)),
    ("no sources at all: GUARD", "four", LATER, all_say(NAMES[:3], sources=())),
    ("one vendor's observers make no GUARD", "four", LATER, [observed(name, GUARD, VENDOR) for name in NAMES]),
    ("observers without a source make no GUARD", "four", LATER, [observed(name, GUARD, ()) for name in NAMES]),
    (
        "an observer beside a verifier",
        "four",
        LATER,
        [observed("issuer", GUARD, VENDOR), says("venue", GUARD, sources=VENDOR)],
    ),
    ("observers with eyes of their own", "four", LATER, [observed(name, GUARD, own(name)) for name in NAMES[:2]]),
    ("four of seven are GUARD", "seven", LATER, all_say(SEVEN[:4])),
    ("released by a quorum", "four", LATER, [*THREE, *QUORUM_RELEASES]),
    ("released by fewer than a quorum", "four", LATER, [*THREE, *QUORUM_RELEASES[:2]]),
    (
        "the point is the third greatest of four",
        "four",
        LATER,
        [*THREE, *QUORUM_RELEASES[:2], releases("venue", NOW - 1)],
    ),
    (
        "first issued after the point",
        "four",
        LATER,
        [*all_say(NAMES[:3], at_ms=NOW + 1, since_ms=NOW + 1), *QUORUM_RELEASES],
    ),
    (
        "renewed after the point, and first issued before",
        "four",
        LATER,
        [*all_say(NAMES[:3], at_ms=NOW + 5, since_ms=NOW), *QUORUM_RELEASES],
    ),
    (
        "its claims released by a quorum",
        "four",
        LATER,
        [*THREE, *(releases(name, NOW - 1, (FORGERY,)) for name in NAMES[:3])],
    ),
    (
        "its claims released by two",
        "four",
        LATER,
        [*THREE, *(releases(name, NOW - 1, (FORGERY,)) for name in NAMES[:2])],
    ),
    (
        "no claims: nothing to release but time",
        "four",
        LATER,
        [*all_say(NAMES[:3], claims=()), *(releases(n, NOW - 1, (FORGERY,)) for n in NAMES[:3])],
    ),
    (
        "one seat of a group has not released",
        "seven-seats-of-five",
        LATER,
        [*all_say(TWO_SEATS), *(releases(name) for name in ("issuer", "lender-a", "lender-b", "venue", "watcher"))],
    ),
    (
        "all seats of four groups have",
        "seven-seats-of-five",
        LATER,
        [*all_say(TWO_SEATS), *(releases(name) for name in TWO_SEATS[:6])],
    ),
]


def level_of(of: Epoch, now_ms: int, said: Words) -> tuple[Level, list[str]]:
    """(level, groups that carry it) on TOPIC, from every word of members on it, each author's latest."""
    ended, latest = Releases(), {}
    for one in said:
        author, body = one.entry.author, one.body
        if author not in of.by_name or (body.subject, body.threat) != TOPIC:
            continue
        if isinstance(body, Release):
            ended.add(author, body, of)
        elif isinstance(body, Attestation) and one.entry.seq >= latest.get(author, one).entry.seq:
            latest[author] = one
    weighed = weigh(latest.values(), of, now_ms, ended)
    return weighed.level, sorted(weighed.groups)


def alarms() -> dict[str, Any]:
    rows = []
    for what, name, now_ms, said in CASES:
        level, groups = level_of(EPOCHS[name], now_ms, said)
        shown = {"what": what, "epoch": name, "now_ms": now_ms, "entries": [one.raw.hex() for one in said]}
        rows.append(shown | {"level": int(level), "groups": groups})
    used = {name: shown_epoch(EPOCHS[name]) for name in {case[1]: None for case in CASES}}
    keys = sorted({MemberName(one.entry.author) for case in CASES for one in case[3]})
    return {
        "subject": TOPIC[0].raw.hex(),
        "threat": TOPIC[1],
        "epochs": used,
        "keys": {name: hot(name).public.hex() for name in keys},
        "alarms": rows,
    }
