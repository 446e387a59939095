"""One value, one form: everything else that CBOR can say is refused before the library sees a byte."""

from __future__ import annotations

import re

import pytest

from protocol import codec
from protocol.errors import Code, Fault, ProtocolError
from protocol.limits import DEPTH_MAX, ITEMS_MAX
from tests.unit.protocol.world import real_data


def decode(hexes: str) -> object:
    return codec.decode(bytes.fromhex(hexes), bytes_max=1 << 20)


def refused(hexes: str) -> str:
    with pytest.raises(ProtocolError) as caught:
        decode(hexes)
    assert caught.value.code is Code.NOT_CANONICAL
    return caught.value.detail


IN_DIALECT = {
    "00": 0,
    "17": 23,
    "1818": 24,
    "1903e8": 1000,
    "1bffffffffffffffff": (1 << 64) - 1,
    "20": -1,
    "3bffffffffffffffff": -(1 << 64),
    "40": b"",
    "4401020304": b"\x01\x02\x03\x04",
    "62c3bc": "ü",
    "80": [],
    "8301820203820405": [1, [2, 3], [4, 5]],
    "a0": {},
    "a201020304": {1: 2, 3: 4},
    "f4": False,
    "f5": True,
    "f6": None,
}


@pytest.mark.parametrize("hexes", IN_DIALECT)
def test_a_value_of_the_dialect_has_this_one_form(hexes: str) -> None:
    assert decode(hexes) == IN_DIALECT[hexes]
    assert codec.encode(IN_DIALECT[hexes]).hex() == hexes


REFUSED = {
    "integer in one byte more than needed": ("1817", "longer head"),
    "integer in two bytes where one does": ("190018", "longer head"),
    "integer in four bytes where two do": ("1a00000100", "longer head"),
    "integer in eight bytes where four do": ("1b0000000000000001", "longer head"),
    "string length in more bytes than needed": ("580100", "longer head"),
    "array length in more bytes than needed": ("980100", "longer head"),
    "map length in more bytes than needed": ("b8010000", "longer head"),
    "indefinite byte string": ("5f41004100ff", "indefinite"),
    "indefinite text": ("7f6161ff", "indefinite"),
    "indefinite array": ("9f01ff", "indefinite"),
    "indefinite map": ("bf0102ff", "indefinite"),
    "reserved length": ("1c", "reserved"),
    "break alone": ("ff", "indefinite"),
    "tag": ("c000", "tag"),
    "bignum": ("c249010000000000000000", "tag"),
    "negative bignum": ("c349010000000000000000", "tag"),
    "half float": ("f93c00", "float"),
    "single float": ("fa47c35000", "float"),
    "double float": ("fb3ff199999999999a", "float"),
    "undefined": ("f7", "simple value"),
    "unassigned simple value": ("f0", "simple value"),
    "simple value in a second byte": ("f818", "float or wide simple"),
    "map key twice": ("a201000100", "unsorted or twice"),
    "map keys unsorted": ("a202000100", "unsorted or twice"),
    "map keys unsorted by length": ("a218180001 00".replace(" ", ""), "unsorted or twice"),
    "text map key": ("a1616100", "not an unsigned integer"),
    "negative map key": ("a12000", "not an unsigned integer"),
    "byte string map key": ("a1410000", "not an unsigned integer"),
    "array map key": ("a18000", "not an unsigned integer"),
    "text that is not UTF-8": ("62c328", "UTF-8"),
    "text with a lone surrogate": ("63eda080", "UTF-8"),
    "text with an overlong form": ("62c080", "UTF-8"),
    "trailing byte": ("0000", "trailing"),
    "nothing": ("", "truncated"),
    "truncated head": ("19", "truncated"),
    "truncated string": ("4201", "truncated"),
    "truncated array": ("8201", "more items than bytes"),
    "truncated map value": ("a101", "more items than bytes"),
    "array that promises four billion items": ("9affffffff", "more items than bytes"),
    "string that promises 2^64 bytes": ("5bffffffffffffffff", "truncated"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_another_form_is_refused_by_its_fault(what: str) -> None:
    hexes, why = REFUSED[what]
    assert why in refused(hexes)


def test_nesting_is_taken_to_the_limit_and_not_beyond() -> None:
    deep: object = 0
    for _ in range(DEPTH_MAX):
        deep = [deep]
    assert codec.decode(codec.encode(deep), bytes_max=99) == deep
    assert "nested" in refused(codec.encode([deep]).hex())


def test_items_are_taken_to_the_limit_and_not_beyond() -> None:
    assert len(codec.decode(codec.encode([0] * (ITEMS_MAX - 1)), bytes_max=1 << 20)) == ITEMS_MAX - 1
    assert "itemised" in refused(codec.encode([0] * ITEMS_MAX).hex())


def test_size_is_looked_at_before_anything_else() -> None:
    with pytest.raises(ProtocolError) as caught:
        codec.decode(b"\xff" * 11, bytes_max=10)
    assert caught.value.code is Code.OVERSIZED
    assert caught.value.code.fault is Fault.SENDER


def test_keys_are_written_in_one_order_whatever_order_they_were_given_in() -> None:
    assert codec.encode({300: 1, 2: 0, 24: 5}) == codec.encode({2: 0, 24: 5, 300: 1})


def appendix_a() -> list[tuple[str, bool]]:
    """(hex, whether the example keeps to the dialect) of every example of RFC 8949, appendix A."""
    text = real_data("interop/cborg_rfc8949_appendix_a.js").read_text()
    return [(found, in_dialect(bytes.fromhex(found))) for found in re.findall(r"hex: '([0-9a-f]+)'", text)]


def in_dialect(raw: bytes) -> bool:
    """A second reading of the rules, written apart from the scanner."""
    import cbor2

    def plain(value: object) -> bool:
        if isinstance(value, dict):
            return all(type(key) is int and key >= 0 and plain(one) for key, one in value.items())
        if isinstance(value, list):
            return all(map(plain, value))
        if type(value) is int:
            return -(1 << 64) <= value < 1 << 64
        return type(value) in (bytes, str, bool, type(None))

    try:
        value = cbor2.loads(raw)
        return plain(value) and cbor2.dumps(value, canonical=True) == raw
    except Exception:
        return False


def test_the_examples_of_rfc_8949_are_taken_or_refused_as_the_dialect_says() -> None:
    examples = appendix_a()
    taken = [hexes for hexes, _ in examples if not _is_refused(hexes)]
    assert taken == [hexes for hexes, fits in examples if fits]
    assert len(examples) >= 80
    assert 30 <= len(taken) < len(examples)


def _is_refused(hexes: str) -> bool:
    try:
        decode(hexes)
    except ProtocolError:
        return True
    return False
