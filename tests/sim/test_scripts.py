"""Each directed scenario goes as its script says, with every invariant asked all the while."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sim.checks import NAMES
from tests.sim.memo import shared_parsing
from tests.sim.scripts import BOOK, perform
from tests.sim.scripts.book import table

BY_THE_SCRIPT = {"S14", "L4", "L6"}
"""Promises that only the scripts themselves ask, by their own expectations."""


@pytest.fixture(scope="module", autouse=True)
def parsing() -> Iterator[None]:
    with shared_parsing():
        yield


@pytest.mark.parametrize("name", sorted(BOOK))
def test_it_goes_as_its_script_says(name: str) -> None:
    perform(name)


def test_the_readme_lists_them_all() -> None:
    """`python -m tests.sim.scripts --table` prints what belongs there."""
    assert table() in (Path(__file__).parent / "scripts" / "README.md").read_text("utf-8")


def test_each_script_says_what_it_plays_and_what_checks_it() -> None:
    known = {name.split()[0] for name in NAMES} | BY_THE_SCRIPT
    assert [one.name for one in BOOK.values() if not one.words or not set(one.checks.split(", ")) <= known] == []
