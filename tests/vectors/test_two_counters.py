"""Two counters of one text: in random small networks the code and the checker find the same level, the same groups,
the same certificates and the same refusals. The same worlds in every run."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from protocol.envelope import Verified
from protocol.errors import ProtocolError
from protocol.ids import EpochHash, GroupName, MemberName, SourceId
from protocol.membership import Epoch, Member, Source
from protocol.messages import Basis, Claim, Level, Release
from protocol.quorum import certificate_id, check_certificate, parse_certificate
from tests.tidy.make_vectors import EPOCH, FAR, HOME, NOW, TOPIC, cold, epoch, hot, plain, word
from tests.vectors.alarms import FORGERY, level_of
from tests.vectors.counted import HOUR, certificate, says, shown_epoch
from tests.vectors.test_checker import READER

NAMES = tuple(MemberName(f"m{at}") for at in range(10))
OTHER_CLAIM = replace(FORGERY, id=bytes(32))
FORMULAS = ("max(2, f + 1)", "Q", "n", "min(n, f + 2)", "1 + 1", "2 * f + 1")
WORLDS = 160


def network(rng: random.Random) -> Epoch:
    """One to nine seats in groups, few operators over two chains, some seats suspended, some formulas odd."""
    names = NAMES[: rng.randint(1, 9)]
    together = rng.choice((0.0, 0.5, 0.9))
    members = tuple(
        Member(
            name,
            GroupName(rng.choice(names[:5]) if rng.random() < together else name),
            cold(name).public,
            suspended=rng.random() < 0.15,
        )
        for name in names
    )
    operators = names if rng.random() < 0.6 else ("one", "two", "three")[: rng.randint(1, 3)]
    sources = tuple(
        Source(
            SourceId(f"s{at}"), rng.choice(operators) if rng.random() < 0.3 else operators[at % len(operators)], chain
        )
        for at in range(2 * len(names))
        for chain in (rng.choice((HOME, FAR)),)
    )
    formulas = {level: rng.choice(FORMULAS[:3]) for level in (Level.GUARD, Level.ISOLATE, Level.HALT)}
    if rng.random() < 0.3:
        formulas[Level.GUARD] = rng.choice(FORMULAS)
    lease = {level: rng.choice((HOUR, 6 * HOUR, 24 * HOUR)) for level in formulas}
    return replace(epoch(), members=members, sources=sources, formulas=formulas, lease_ms=lease)


def claims(rng: random.Random) -> tuple[Claim, ...]:
    return tuple(one for one in (FORGERY, OTHER_CLAIM) if rng.random() < 0.6)


def opinion(rng: random.Random, name: str, seq: int, wild: float, basis: Basis | None = None) -> Verified[Any]:
    """`wild`: how often something about it is out of the ordinary. `basis`: that of all, in a world of observers."""

    def odd(ordinary: Any, *others: Any) -> Any:
        return rng.choice(others) if rng.random() < wild else ordinary

    at_ms = odd(NOW, NOW - HOUR, NOW + 60_000, NOW + 60_001)
    own = SourceId(f"s{2 * int(name[1:])}"), SourceId(f"s{2 * int(name[1:]) + 1}")
    return says(
        name,
        odd(rng.choice((Level.GUARD, Level.ISOLATE, Level.ISOLATE, Level.HALT)), Level.NONE, Level.WATCH),
        at_ms=at_ms,
        seq=seq,
        basis=odd(basis or rng.choice((Basis.VERIFIED, Basis.OBSERVED)), Basis.HEARSAY, Basis.VERIFIED),
        sources=odd(own, (), (SourceId("s0"),), (SourceId("s1"), SourceId("x"))),
        threat=odd(TOPIC[1], 35, 255),
        epoch=odd(EPOCH, EpochHash(bytes(32))),
        claims=claims(rng),
        since_ms=odd(at_ms, at_ms - HOUR, at_ms + 1),
        expires_ms=at_ms + odd(rng.choice((HOUR // 2, HOUR)), 1, HOUR + 1, 6 * HOUR + 1, 13 * HOUR),
    )


def released(rng: random.Random, name: str) -> Verified[Any]:
    body = Release(EPOCH, TOPIC[0], TOPIC[1], NOW - rng.choice((0, 0, 1, HOUR, HOUR)), claims(rng))
    return word(name, body, seq=rng.randint(5, 9), issued_ms=NOW)


def words(rng: random.Random, of: Epoch) -> list[Verified[Any]]:
    """Of members and one stranger; releases in a third of the worlds."""
    wild, names = rng.choice((0.02, 0.1)), [*(one.name for one in of.members), NAMES[-1]]
    basis = rng.choice((Basis.OBSERVED, None))
    times = rng.choice(((0, 1, 1, 1, 2), (1,)))
    said = [opinion(rng, name, seq, wild, basis) for name in names for seq in range(rng.choice(times))]
    least = rng.choice((Level.GUARD, Level.GUARD, Level.ISOLATE, Level.HALT))
    said = [replace_level(rng, one, least) for one in said]
    if rng.random() < 0.35:
        said += [released(rng, name) for name in names if rng.random() < 0.85]
    rng.shuffle(said)
    return said


def outside(of: Epoch) -> Any:
    return READER.Epoch(shown_epoch(of))


def test_both_find_the_same_level_and_the_same_groups() -> None:
    rng, found = random.Random(1), []
    for _ in range(WORLDS):
        of = network(rng)
        said, now_ms = words(rng, of), NOW + rng.choice((0, 0, 1000, HOUR // 2, HOUR))
        theirs = [READER.Entry(one.raw, of.network).open(hot(one.entry.author).public) for one in said]
        topic = [TOPIC[0].raw.hex(), TOPIC[1]]
        ours = level_of(of, now_ms, said)
        assert ours == READER.alarm(topic, theirs, outside(of), now_ms), plain(of)
        found.append(ours[0])
    assert set(found) == set(Level)
    assert min(found.count(level) for level in Level) >= 4


def verdict(raw: bytes, of: Epoch) -> Any:
    try:
        checked = check_certificate(parse_certificate(raw), raw, of, lambda name, version: None)
    except ProtocolError as error:
        return error.code.word
    made = checked.certificate
    return {
        "id": certificate_id(made.epoch, made.topic, made.level).hex(),
        "digest": checked.digest.hex(),
        "groups": list(checked.groups),
        "ends_ms": checked.ends_ms,
        "newest_issued_ms": checked.newest_issued_ms,
        "tlp": int(checked.tlp),
    }


def verdict_outside(raw: bytes, of: Epoch) -> Any:
    found: list[Any] = []
    refused = READER.code_of(lambda: found.append(READER.certificate(raw, outside(of), [])))
    return refused or found[0]


@pytest.mark.parametrize("wild", [0.0, 0.01, 0.08])
def test_both_take_and_refuse_the_same_certificates(wild: float) -> None:
    rng, found = random.Random(f"certificates {wild}"), []
    for _ in range(WORLDS // 2):
        of = network(rng)
        level = rng.choice((Level.GUARD, Level.ISOLATE, Level.HALT))
        names = rng.sample([one.name for one in of.members], rng.randint(-(-len(of.members) * 2 // 3), len(of.members)))
        basis = rng.choice((Basis.OBSERVED, None))
        said = [replace_level(rng, opinion(rng, name, 0, wild, basis), level) for name in names]
        if rng.random() < wild:
            said.append(rng.choice(said))
        raw = certificate(said, level)
        ours = verdict(raw, of)
        assert ours == verdict_outside(raw, of), plain(of)
        found.append(ours if isinstance(ours, str) else "")
    assert {"", "short-of-threshold", "source-rule", "bad-body"} <= set(found)
    assert found.count("") >= 5


def replace_level(rng: random.Random, one: Verified[Any], level: Level) -> Verified[Any]:
    """At the certificate's level or above, so that most of what is wrong is something else."""
    body = one.body
    if body.level in (Level.NONE, Level.WATCH):
        return one
    raised = replace(body, level=rng.choice([at for at in Level if at >= level]))
    return word(one.entry.author, raised, seq=one.entry.seq, issued_ms=one.entry.issued_ms)
