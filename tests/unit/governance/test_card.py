from __future__ import annotations

import pytest

from governance.card import parse_card, write_card
from governance.durations import format_duration, parse_duration
from governance.faults import CardFaults
from tests.unit.governance import world


def test_a_card_reads_back_the_same() -> None:
    card = world.card("lender-a", "acme")
    assert parse_card(write_card(card)) == card


def test_a_card_without_a_group_is_its_own_group() -> None:
    text = write_card(world.card("venue")).replace('group = "venue"\n', "")
    assert parse_card(text).group == "venue"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('name = "venue"', 'name = "Venue One"', "is no name"),
        ("governance = ", "governence = ", "did you mean 'governance'?"),
        ("card = 1", "card = 2", "version unknown here"),
        (world.attestation("venue").public.hex(), world.governance("venue").public.hex(), "is the governance key too"),
        (world.attestation("venue").public.hex(), "00" * 32, "prime-order"),
    ],
)
def test_a_bad_card_says_what_is_wrong(old: str, new: str, says: str) -> None:
    text = write_card(world.card("venue"))
    assert old in text
    with pytest.raises(CardFaults, match=says.replace("?", r"\?")):
        parse_card(text.replace(old, new))


@pytest.mark.parametrize("written", ["0s", "500ms", "1h30m", "12h", "366d"])
def test_durations_read_back(written: str) -> None:
    assert format_duration(parse_duration(written)) == written


@pytest.mark.parametrize("written", ["", "12", "h", "-1h", "1.5h", "1h 30m", "9" * 30 + "d", "999999999999d"])
def test_what_is_no_duration_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match=r"no duration|century"):
        parse_duration(written)
