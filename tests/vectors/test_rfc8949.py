"""RFC 8949, appendix A, whole: each example has this value here, or is refused for a stated reason."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from protocol.codec import decode, encode
from protocol.errors import Code, ProtocolError
from tests.vectors.foreign import appendix_a

EXAMPLES = 82
TAG, FLOAT = "tag", "float or wide simple value"
SIMPLE = "simple value other than false, true, null"
INDEFINITE = "reserved or indefinite length"
KEY = "map key that is not an unsigned integer"
REFUSED = {
    TAG: (
        "c249010000000000000000",
        "c349010000000000000000",
        "c074323031332d30332d32315432303a30343a30305a",
        "c11a514b67b0",
        "c1fb41d452d9ec200000",
        "d74401020304",
        "d82076687474703a2f2f7777772e6578616d706c652e636f6d",
        "d818456449455446",
    ),
    FLOAT: (
        *("f90000", "f98000", "f93c00", "fb3ff199999999999a", "f93e00", "f97bff", "fa47c35000", "fa7f7fffff"),
        *("fb7e37e43c8800759c", "f90001", "f90400", "f9c400", "fbc010666666666666", "f97c00", "f97e00", "f9fc00"),
        *("fa7f800000", "fa7fc00000", "faff800000", "fb7ff0000000000000", "fb7ff8000000000000", "fbfff0000000000000"),
        *("f818", "f8ff"),
    ),
    SIMPLE: ("f7", "f0"),
    INDEFINITE: (
        *("5f42010243030405ff", "7f657374726561646d696e67ff", "9fff", "9f018202039f0405ffff", "9f01820203820405ff"),
        *("83018202039f0405ff", "83019f0203ff820405"),
        "9f0102030405060708090a0b0c0d0e0f101112131415161718181819ff",
        *("bf61610161629f0203ffff", "826161bf61626163ff", "bf6346756ef563416d7421ff"),
    ),
    KEY: ("a26161016162820203", "826161a161626163", "a56161614161626142616361436164614461656145"),
}
"""Reason, as the refusal says it → the examples refused for it."""
REASON_OF = {hexes: reason for reason, all_of in REFUSED.items() for hexes in all_of}


def value_of(written: str) -> Any:
    """An example's value from its JavaScript: numbers, quoted texts, arrays, CBOR's own diagnostic notation."""
    if written in ("true", "false", "null"):
        return {"true": True, "false": False, "null": None}[written]
    if written.startswith("BigInt"):
        return int(written[8:-2])
    value = ast.literal_eval(written)
    if isinstance(value, str) and value.startswith("h'"):
        return bytes.fromhex(value[2:-1])
    return ast.literal_eval(value) if isinstance(value, str) and value.startswith("{") else value


def taken() -> list[tuple[str, str]]:
    return [(hexes, written) for hexes, written in appendix_a() if hexes not in REASON_OF]


def test_every_example_is_here_and_in_one_place() -> None:
    told = [hexes for hexes, _ in appendix_a()]
    assert len(told) == len(set(told)) == EXAMPLES
    assert set(REASON_OF) <= set(told)
    assert len(REASON_OF) == sum(map(len, REFUSED.values()))


def test_what_is_in_the_dialect_has_the_right_value() -> None:
    differs = [hexes for hexes, written in taken() if decode(bytes.fromhex(hexes), bytes_max=99) != value_of(written)]
    assert differs == []
    assert len(taken()) == EXAMPLES - len(REASON_OF) == 34


def test_what_is_in_the_dialect_is_written_again_as_it_was() -> None:
    assert [hexes for hexes, _ in taken() if encode(decode(bytes.fromhex(hexes), bytes_max=99)).hex() != hexes] == []


@pytest.mark.parametrize("reason", REFUSED)
def test_what_is_outside_is_refused_for_its_reason(reason: str) -> None:
    for hexes in REFUSED[reason]:
        with pytest.raises(ProtocolError) as caught:
            decode(bytes.fromhex(hexes), bytes_max=99)
        assert caught.value.code is Code.NOT_CANONICAL, hexes
        assert caught.value.detail.startswith(reason), hexes
