"""What our transactions say after their arguments: read back whole, and nothing else is taken for it."""

import pytest

from adapters.evm.trailer import MAGIC, SIZE, Trailer, trailer_of
from protocol.ids import ActionKey

SAID = Trailer(ActionKey(bytes(range(32))), 1_800_000_000, True, 7_500)
CALL = b"\x01\x02\x03\x04" + bytes(64)


def test_it_is_read_back_whole_from_behind_the_arguments():
    packed = SAID.pack()
    assert len(packed) == SIZE and packed.startswith(MAGIC) and trailer_of(CALL + packed) == SAID


def test_a_lift_says_an_end_of_zero():
    lift = Trailer(SAID.key, 0, False, 0)
    assert trailer_of(CALL + lift.pack()) == lift


@pytest.mark.parametrize(
    "data",
    [
        b"",
        CALL,
        SAID.pack(),
        CALL + SAID.pack()[:-1],
        CALL + b"\0" + SAID.pack(),
        CALL + SAID.pack() + b"\0",
        CALL + SAID.pack().replace(MAGIC, b"abcd"),
        CALL + SAID.pack()[:44] + b"\x02" + SAID.pack()[45:],
    ],
    ids=("nothing", "a plain call", "no call", "cut", "shifted", "longer", "other magic", "no flag"),
)
def test_other_bytes_are_no_trailer(data: bytes):
    assert trailer_of(data) is None


@pytest.mark.parametrize("before", [2**64 - 1, 2**64, 10**24, 2**256 - 1])
def test_a_number_of_any_width_that_a_contract_has_is_read_back_whole(before: int):
    packed = Trailer(SAID.key, 5, False, before).pack()
    assert trailer_of(CALL + packed) == Trailer(SAID.key, 5, False, before)
    assert trailer_of(CALL + packed[:-1]) is None and trailer_of(CALL + b"\0" + packed) is None


def test_a_number_that_no_contract_has_is_not_packed():
    with pytest.raises(OverflowError):
        Trailer(SAID.key, 0, False, 2**256).pack()
