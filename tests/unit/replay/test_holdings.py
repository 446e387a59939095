"""The owner's list: read whole or refused whole, each fault with its line."""

import pytest

from node.replay.holdings import HoldingFaults, read_holdings
from protocol.messages import Level

HEAD = "name,asset,usd,unit_usd,utilisation,levers,ways_out\n"


def test_a_row_is_what_it_says() -> None:
    (one,), ignored = read_holdings(HEAD + 'lend,rs,"52,100,000",2507,0.55,a.cap=GUARD a.freeze,borrow supply\n')
    assert (one.name, one.asset, one.usd, one.unit_usd, one.utilisation) == ("lend", "rs", 52_100_000, 2507, 0.55)
    assert one.levers == (("a.cap", Level.GUARD), ("a.freeze", Level.ISOLATE))
    assert one.ways_out == ("borrow", "supply")
    assert ignored == ()


def test_what_nobody_gave_is_unknown_and_not_nothing() -> None:
    (one,), _ = read_holdings("name,asset,usd\nlend,rs,1\n")
    assert (one.unit_usd, one.utilisation) == (None, None)


def test_columns_of_other_people_are_named_and_left_alone() -> None:
    _, ignored = read_holdings("name,asset,usd,desk\nlend,rs,1,zurich\n")
    assert ignored == ("desk",)


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("Lend A,rs,1", "line 2: 'Lend A' is no usable name"),
        ("lend,,1", "line 2: asset is missing"),
        ("lend,rs,", "line 2: usd '' is out of bounds"),
        ("lend,rs,-1", "line 2: usd '-1' is out of bounds"),
        ("lend,rs,nan", "line 2: usd 'nan' is out of bounds"),
        ("lend,rs,1e300", "line 2: usd '1e300' is out of bounds"),
        ("lend,rs,1,,1.5", "line 2: utilisation '1.5' is out of bounds"),
        ("lend,rs,1,,,a.freeze=WATCH", "line 2: lever 'a.freeze=WATCH' is none"),
        ("lend,rs,1\nlend,rs,2", "line 3: 'lend' is there twice"),
        ("", "has no row"),
    ],
)
def test_a_bad_row_is_refused_with_its_line(row: str, fault: str) -> None:
    with pytest.raises(HoldingFaults) as told:
        read_holdings(HEAD + row + "\n")
    assert told.value.faults[0].startswith(fault)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(HoldingFaults) as told:
        read_holdings(HEAD + "A,,x\n")
    assert len(told.value.faults) == 3


def test_a_list_without_its_columns_or_without_end_is_refused() -> None:
    with pytest.raises(HoldingFaults, match="has no column asset, usd"):
        read_holdings("name\nlend\n")
    with pytest.raises(HoldingFaults, match="has over 1000 rows"):
        read_holdings("name,asset,usd\n" + "".join(f"x{number},rs,1\n" for number in range(1_001)))
