"""A message can grow without a new version of everything: below 64 a field must be understood, from 64 on it may."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any

import pytest

from protocol.errors import Code, Fault, ProtocolError
from protocol.limits import U63_MAX
from protocol.schema import Codec, Field, Schema, boolean, enumerated, many, raw_bytes, text, unsigned


class Colour(enum.IntEnum):
    RED = 1


@dataclass(frozen=True)
class Thing:
    size: int
    label: str | None


SCHEMA = Schema(Thing, Field(1, "size", unsigned(9)), Field(2, "label", text(4), optional=True))


def refused(action: Any) -> ProtocolError:
    with pytest.raises(ProtocolError) as caught:
        action()
    return caught.value


def test_a_value_comes_back_as_it_went() -> None:
    for thing in (Thing(3, None), Thing(9, "four")):
        assert SCHEMA.unpack(SCHEMA.pack(thing)) == thing


def test_an_absent_optional_field_is_not_written() -> None:
    assert SCHEMA.pack(Thing(3, None)) == {1: 3}


def test_a_missing_field_is_named() -> None:
    assert "Thing.size: is missing" in refused(lambda: SCHEMA.unpack({2: "x"})).detail


@pytest.mark.parametrize("key", [0, 3, 63, -1])
def test_an_unknown_critical_field_is_refused_by_its_number(key: int) -> None:
    error = refused(lambda: SCHEMA.unpack({1: 3, key: 0}))
    assert error.code is Code.UNKNOWN_CRITICAL
    assert str(key) in error.detail


@pytest.mark.parametrize("key", [64, 1000])
def test_an_unknown_optional_field_is_passed_over(key: int) -> None:
    assert SCHEMA.unpack({1: 3, key: [1, 2]}) == Thing(3, None)


@pytest.mark.parametrize("raw", [None, [], 3, b"", "x"])
def test_only_a_map_is_a_message(raw: object) -> None:
    assert refused(lambda: SCHEMA.unpack(raw)).code is Code.BAD_SHAPE


BAD_VALUES: list[tuple[Codec[Any], Any]] = [
    (unsigned(), -1),
    (unsigned(), U63_MAX + 1),
    (unsigned(9), 10),
    (unsigned(), True),
    (unsigned(), "1"),
    (raw_bytes(2, 3), b"1"),
    (raw_bytes(2, 3), b"1234"),
    (raw_bytes(2, 3), "12"),
    (text(2), "123"),
    (text(2, 1), ""),
    (text(2), b"12"),
    (text(9, 1, "ab"), "abc"),
    (boolean(), 1),
    (boolean(), None),
    (enumerated(Colour), 2),
    (enumerated(Colour), True),
    (enumerated(Colour), "RED"),
    (many(unsigned(), 2), [1, 2, 3]),
    (many(unsigned(), 2, 1), []),
    (many(unsigned(), 2), {}),
    (many(unsigned(), 2), [1, "2"]),
    (SCHEMA.codec(), {1: 10}),
]


@pytest.mark.parametrize("codec, value", BAD_VALUES, ids=range(len(BAD_VALUES)))
def test_a_value_out_of_its_bounds_is_the_senders_fault_and_placed(codec: Codec[Any], value: Any) -> None:
    error = refused(lambda: codec.unpack(value, "here"))
    assert error.code is Code.BAD_SHAPE
    assert error.code.fault is Fault.SENDER
    assert error.detail.startswith("here")


def test_a_fault_inside_a_list_is_placed() -> None:
    assert "here[1]" in refused(lambda: many(unsigned(), 2).unpack([1, "2"], "here")).detail
