"""A reader that asks on sees everything once, in the order in which it came."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.intel.shelf import PAGE_MAX, Asked, Shelf, asked_of, micros, written


def one(name: str, version: int = 0) -> dict[str, Any]:
    return {"id": f"indicator--{name}", "type": "indicator", "spec_version": "2.1", "created": "c", "modified": version}


def read_on(shelf: Shelf, after_us: int, limit: int) -> list[tuple[str, int]]:
    """All pages from there."""
    found: list[tuple[str, int]] = []
    while True:
        page = shelf.page(Asked(after_us, limit))
        found += [(held.object["id"], held.object["modified"]) for held in page.held]
        if not page.more:
            return found
        after_us = int(page.next)


STOCKS = st.lists(st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 3), max_size=6), min_size=1, max_size=6)


@settings(max_examples=80, deadline=None)
@given(STOCKS, st.integers(1, 3), st.lists(st.integers(-5, 5), min_size=6, max_size=6))
def test_who_asks_on_after_each_stock_has_what_is_there_whatever_the_clock_does(
    stocks: list[dict[str, int]], limit: int, steps: list[int]
) -> None:
    shelf, known, after_us, at_ms = Shelf(), dict[str, int](), 0, 1_000
    for stock, step in zip(stocks, steps):
        at_ms += step
        shelf.stock([one(name, version) for name, version in sorted(stock.items())], at_ms)
        page = shelf.page(Asked(after_us))
        known |= dict(read_on(shelf, after_us, limit))
        after_us = int(page.next) if page.held else after_us
        assert {f"indicator--{name}": version for name, version in stock.items()}.items() <= known.items()
        assert read_on(shelf, after_us, limit) == []


def test_what_did_not_change_is_told_once() -> None:
    shelf = Shelf()
    for at_ms in (1_000, 2_000):
        shelf.stock([one("a"), one("b")], at_ms)
    assert [held.added_us for held in shelf.page(Asked()).held] == [1_000_000, 1_000_001]


def test_what_is_gone_is_told_to_nobody() -> None:
    shelf = Shelf()
    shelf.stock([one("a")], 1_000)
    shelf.stock([], 2_000)
    assert shelf.page(Asked()).held == ()


def test_a_page_is_never_larger_than_its_bound() -> None:
    shelf = Shelf()
    shelf.stock([one(str(n)) for n in range(PAGE_MAX + 1)], 1_000)
    page = shelf.page(asked_of({"limit": "999999"}))
    assert (len(page.held), page.more) == (PAGE_MAX, True)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"match[type]": "indicator,incident"}, ["a", "b"]),
        ({"match[type]": "incident"}, []),
        ({"match[id]": "indicator--b"}, ["b"]),
        ({"match[version]": "last"}, ["a", "b"]),
        ({"match[version]": "1"}, ["b"]),
        ({"match[spec_version]": "2.0"}, []),
        ({"added_after": written(1_000_000)}, ["b"]),
        ({"next": "1000001"}, []),
    ],
)
def test_a_reader_may_ask_for_some(query: dict[str, str], names: list[str]) -> None:
    shelf = Shelf()
    shelf.stock([one("a"), one("b", 1)], 1_000)
    assert [held.object["id"][11:] for held in shelf.page(asked_of(query)).held] == names


@pytest.mark.parametrize(
    "query",
    [
        {"added_after": "yesterday"},
        {"added_after": "2026-04-18T17:35:00"},
        {"added_after": "9" * 500},
        {"next": "-1"},
        {"next": "٣"},
        {"next": "9" * 30},
        {"limit": "0"},
        {"limit": "-1"},
        {"limit": "1e3"},
        {"limit": "9" * 20},
    ],
)
def test_what_is_no_question_is_refused_in_words(query: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(query))):
        asked_of(query)


def test_a_moment_before_all_is_the_beginning() -> None:
    assert micros("0001-01-01T00:00:00+14:00") == 0 == micros("1970-01-01T00:00:00Z")
