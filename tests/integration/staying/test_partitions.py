"""Partitions of four real processes, short: the whole of it is `python -m tests.integration.staying --tries 500`."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from tests.integration.staying.crowd import Crowd, crowd
from tests.integration.staying.links import between
from tests.integration.staying.partitions import Cut, Tally, play

pytestmark = pytest.mark.network
HEALS_S = 60.0
"""Generous: how long it took is the command's affair."""


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crowd]:
    with crowd(tmp_path_factory.mktemp("four"), 4) as one:
        yield one


def played(one: Crowd, cut: Cut, subjects: int = 8) -> Tally:
    tally = Tally()
    play(one, cut, tally, random.Random(7), subjects, HEALS_S)
    return tally


HALVES = (("m0", "m1"), ("m2", "m3"))


@pytest.mark.parametrize(
    ("cut", "tries"),
    [
        (Cut("halves", tuple(between(HALVES)), HALVES), 14),
        (Cut("halves", tuple(between(HALVES)), HALVES, refuse=True), 14),
        (Cut("three quarters", tuple(between((("m0",), ("m1", "m2", "m3")))), (("m0",),)), 8),
        (Cut("one way", (("m0", "m2"), ("m0", "m3"), ("m1", "m2"), ("m1", "m3")), (("m2", "m3"),)), 8),
        (Cut("flapping", tuple(between(HALVES)), (), flaps=True), 2),
    ],
    ids=["halves", "halves-reset", "three-quarters", "one-way", "flapping"],
)
def test_fewer_than_a_quorum_certify_nothing_and_a_heal_brings_everything_everywhere(
    four: Crowd, cut: Cut, tries: int
) -> None:
    tally = played(four, cut)
    assert tally.violations == []
    assert tally.tries == tries
    assert tally.certificates == 6 * 4


def test_a_wire_that_was_not_cut_is_noticed(four: Crowd) -> None:
    """The check itself: where members that should be apart are not, the certificates that form are told."""
    tally = played(four, Cut("nothing is cut", (), HALVES))
    assert len(tally.violations) == 6 * 4
    assert "among 2, accepted" in tally.violations[0]
