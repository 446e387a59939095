"""A flipped byte in the files of a real node, everywhere: found at the start, or harmless. `python -m
tests.integration.faults.flips` flips thousands."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from node import app
from node.config import load
from tests.integration.faults.flips import STORE, Copies, sweep

pytestmark = pytest.mark.network

FLIPS = 90


@pytest.fixture(scope="module")
def seen(copies: Copies) -> Counter[str]:
    return sweep(copies, FLIPS, random.Random(3))


def test_no_flipped_byte_alters_what_the_node_signs_on(seen: Counter[str]) -> None:
    assert [word for word in seen if "ALTERED" in word] == []


@pytest.mark.parametrize("word", ["store.sqlite: refused", "store.sqlite-wal: refused", "mark.cbor: silent"])
def test_most_that_is_written_is_missed_at_once(seen: Counter[str], word: str) -> None:
    assert seen[word] > FLIPS // 10, seen


def test_the_refusal_says_what_where_and_what_to_do_in_one_line(
    copies: Copies, capsys: pytest.CaptureFixture[str]
) -> None:
    assert copies.truth is not None
    position, _, _, body, _ = copies.truth["records"][-1]
    raw = (copies.closed / "data" / STORE).read_bytes()
    copies.flipped(copies.closed, STORE, raw.index(body[-24:]), 0)
    assert app.run(load(copies.work / "node.toml")) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"tocsin: record {position} ") and "was changed on disk" in line
    assert str(copies.work / "data" / STORE) in line and "keep it aside and run `tocsin restore`" in line
