"""Each directed scenario goes as its script says, with every invariant asked all the while."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sim.memo import shared_parsing
from tests.sim.scripts import BOOK, perform


@pytest.fixture(scope="module", autouse=True)
def parsing() -> Iterator[None]:
    with shared_parsing():
        yield


@pytest.mark.parametrize("name", sorted(BOOK))
def test_it_goes_as_its_script_says(name: str) -> None:
    perform(name)
