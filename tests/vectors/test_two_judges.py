"""Two judges of one text: over random readings near their thresholds the code and the checker rule alike."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from protocol.evidence import TYPE_OF, BackingReading, DeviationReading, ReleaseReading
from tests.tidy.make_vectors import CLAIMS, FORGED, plain
from tests.vectors.test_checker import READER
from tests.vectors.verdicts import BRIDGE, ORACLE, SEEN, judged, written

READINGS = 3000
REGISTER = {"bridge": plain(BRIDGE), "oracle": plain(ORACLE)}
Case = tuple[Any, Any]


def near(rng: random.Random, number: int) -> int:
    """Around it, seldom far away."""
    return max(0, rng.choice((number - 1, number, number + 1, number, rng.randint(0, 2 * number + 1), 0)))


def release(rng: random.Random) -> Case:
    held = rng.choice((0, 1, 9_999, 10_000, 1_000_003, 2**255))
    amount = near(rng, held * rng.choice((1, 100, 10_000)) // 10_000)
    log = rng.choice(((*SEEN[:3], amount), (*SEEN[:3], amount), (*SEEN[:3], amount), None, SEEN))
    burned_to = rng.choice((FORGED.recipient, bytes(20)))
    read = ReleaseReading(log, 1000, held, near(rng, amount), burned_to, near(rng, 1000))
    return replace(FORGED, amount=amount), read


def shortfall(rng: random.Random) -> tuple[int, int]:
    """(backing, supply)"""
    supply = rng.choice((0, 1, 999, 10_000, 1_000_003, 2**200))
    return near(rng, supply - supply * rng.choice((0, 10, 100, 5_000)) // 10_000), supply


def backing(rng: random.Random) -> Case:
    read = BackingReading(*shortfall(rng), *shortfall(rng), home_block_s=1000, far_head_s=near(rng, 1000))
    return CLAIMS["supply-above-backing"], read


def deviation(rng: random.Random) -> Case:
    def prices() -> tuple[int, tuple[int, ...]]:
        references = tuple(near(rng, 10_000) for _ in range(rng.randint(0, 5)))
        return near(rng, 10_000 + rng.choice((-2_000, -500, 0, 500, 2_000))), references

    return CLAIMS["oracle-deviation"], DeviationReading(*prices(), *prices())


@pytest.mark.parametrize("make", [release, backing, deviation], ids=lambda make: make.__name__)
def test_both_rule_alike(make: Callable[[random.Random], Case]) -> None:
    rng, found = random.Random(make.__name__), Counter[Any]()
    for _ in range(READINGS):
        inputs, read = make(rng)
        registered = rng.random() < 0.95
        ours = judged(inputs, read, registered)
        one = {"type": TYPE_OF[type(inputs)], "registered": registered}
        theirs = READER.verdict(one | {"inputs": written(plain(inputs)), "read": written(plain(read))}, REGISTER)
        said: dict[str, Any] = {"ruling": ours.ruling.value}
        if ours.subject is not None:
            said |= {"subject": ours.subject.raw.hex(), "threat": int(ours.threat), "level": int(ours.level)}
        assert said == theirs, (inputs, read)
        found[ours.ruling.value, int(ours.level)] += 1
    assert min(found.values()) >= 10
    assert len(found) >= (3 if make is deviation else 5)
