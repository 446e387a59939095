"""Files of others are read within bounds, and what they say stays what they say."""

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.intel import misp, stix
from adapters.intel.read import DEPTH_MAX, FILE_BYTES_MAX, ITEMS_MAX, TEXT_CHARS_MAX, read
from protocol.messages import Tlp
from tests.unit.intel.stage import COIN, NOW, US, alarm, opinion


def bundle(*objects: dict[str, Any]) -> bytes:
    return json.dumps({"type": "bundle", "id": "bundle--x", "objects": list(objects)}).encode()


def indicator(pattern: str, **other: Any) -> dict[str, Any]:
    return {"type": "indicator", "id": "indicator--1", "pattern_type": "stix", "pattern": pattern, **other}


@pytest.mark.parametrize("as_", ["stix", "misp"])
def test_what_one_tocsin_wrote_another_reads(as_: str) -> None:
    told = alarm(opinion("issuer", Tlp.GREEN))
    value = stix.bundle(stix.objects([told], US, NOW)) if as_ == "stix" else misp.event(told, US, NOW)
    (item,) = read(json.dumps(value).encode()).items
    assert (item.subject, item.threat, item.tlp, item.source) == (COIN, "bridge-forgery", "GREEN", "lender-a")


@pytest.mark.parametrize(
    ("pattern", "subjects"),
    [
        ("[domain-name:value = 'Pay.Example.']", ["domain:pay.example"]),
        ("[url:value = 'https://pay.example/x?y']", ["domain:pay.example"]),
        (f"[x-tocsin-subject:value = '{COIN.replace('a129', 'A129')}']", [COIN]),
        (
            "[domain-name:value = 'a.example' OR domain-name:value = 'b.example']",
            ["domain:a.example", "domain:b.example"],
        ),
        ("[domain-name:value = 'a.example' AND domain-name:value = 'b.example']", [""]),
        ("[domain-name:value != 'a.example']", [""]),
        ("[domain-name:value = 'not AND a name']", [""]),
        ("[cryptocurrency-wallet:value = '0xa1290d69c65a6fe4df752f95823fae25cb99e5a7']", [""]),
        ("[ipv4-addr:value = '198.51.100.7']", [""]),
        ("nonsense", [""]),
    ],
)
def test_only_a_pattern_that_says_one_of_these_names_subjects(pattern: str, subjects: list[str]) -> None:
    assert [item.subject for item in read(bundle(indicator(pattern))).items] == subjects


def test_what_was_taken_back_or_is_no_pattern_of_stix_is_left_out() -> None:
    found = read(bundle(indicator("[a:b = 'c']", revoked=True), indicator("alert tcp", pattern_type="snort")))
    assert (found.items, found.left_out) == ((), 2)


@pytest.mark.parametrize(
    ("marks", "tlp"),
    [
        ([stix.marking(Tlp.CLEAR)["id"]], "CLEAR"),
        ([stix.marking(Tlp.GREEN)["id"], "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed"], "RED"),
        (["marking-definition--00000000-0000-4000-8000-000000000000"], ""),
        ("no list", ""),
    ],
)
def test_the_strictest_marking_is_shown(marks: Any, tlp: str) -> None:
    (item,) = read(bundle(indicator("[domain-name:value = 'a.example']", object_marking_refs=marks))).items
    assert item.tlp == tlp


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b" " * (FILE_BYTES_MAX + 1), "has over"),
        (b'{"a":' * (DEPTH_MAX + 1) + b"1" + b"}" * (DEPTH_MAX + 1), "nested over"),
        (b"[" * 1_000_000, "nested over"),
        (b"[]" * 4_000_000 + b"[", "not closed"),
        (b"\xff\xfe{}", "no JSON"),
        (b'{"type": "bundle", "n": NaN}', "no JSON"),
        (b'{"type": "bundle", "n": 1' + b"0" * 5_000 + b"}", "no JSON"),
        (b"[]", "no object"),
        (b"{}", "neither"),
        (b'{"type": "indicator"}', "neither"),
    ],
)
def test_a_file_that_is_none_is_refused_in_words(raw: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read(raw)


def test_as_deep_as_the_bound_is_read() -> None:
    deep = b'{"type": "bundle", "x": ' + b"[" * (DEPTH_MAX - 1) + b"]" * (DEPTH_MAX - 1) + b"}"
    assert read(deep).items == ()


def test_brackets_within_texts_are_not_depth() -> None:
    assert read(bundle(indicator("[" * 500 + '"\\' + "{" * 500))).items[0].subject == ""


@pytest.mark.parametrize("spoilt", [None, 7, [], {}, "x", [[]], [{"type": []}], {"Event": 1}])
def test_whatever_stands_in_a_place_nothing_escapes(spoilt: Any) -> None:
    keys = ("id", "name", "pattern", "labels", "object_marking_refs", "created_by_ref", "valid_until", "revoked")
    for key in keys:
        read(bundle(indicator("[domain-name:value = 'a.example']") | {key: spoilt}))
    read(json.dumps({"type": "bundle", "objects": spoilt}).encode())
    for key in ("Orgc", "Tag", "Attribute", "Object", "info", "uuid"):
        read(json.dumps({"Event": {"Attribute": [{"type": "domain", "value": "a.example"}], key: spoilt}}).encode())
    read(json.dumps({"response": spoilt}).encode())


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["Event", "type", "name"]), inner),
    max_leaves=8,
)
STIX_KEYS = st.sampled_from(["type", "id", "pattern", "labels", "object_marking_refs", "name", "pattern_type"])
MISP_KEYS = st.sampled_from(["Attribute", "Object", "Tag", "Orgc", "uuid", "type", "value", "name", "info"])


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(STIX_KEYS, VALUES), st.dictionaries(MISP_KEYS, VALUES))
def test_whatever_the_objects_are_made_of_every_item_is_told_in_printable_texts(stix_part: Any, misp_part: Any) -> None:
    event = {"Event": {"Attribute": [{"type": "domain", "value": "a.example"} | misp_part]} | misp_part}
    for raw in (bundle(indicator("[domain-name:value = 'a.example']") | stix_part), json.dumps(event).encode()):
        assert all(word.isprintable() for item in read(raw).items for word in vars(item).values())


def test_texts_are_one_printable_line_of_bounded_length() -> None:
    (item,) = read(bundle(indicator("[domain-name:value = 'a.example']", name="\x1b[2J\n" + "x" * 10_000))).items
    assert item.name.isprintable() and len(item.name) <= TEXT_CHARS_MAX


def test_more_than_a_person_could_look_at_is_left_out_and_counted() -> None:
    many = [indicator("[domain-name:value = 'a.example']") | {"id": f"indicator--{n}"} for n in range(ITEMS_MAX + 5)]
    found = read(bundle(*many))
    assert (len(found.items), found.left_out) == (ITEMS_MAX, 5)


@pytest.mark.parametrize("pattern", ["'" * 10_000, "\\'" * 5_000, "a-" * 5_000, "[a:b = '" * 1_250, "x" * 10_000])
def test_a_spiteful_pattern_costs_no_more_than_its_length(pattern: str) -> None:
    raw = bundle(*[indicator(pattern) | {"id": f"indicator--{n}"} for n in range(20)])
    before = time.process_time()
    read(raw)
    assert time.process_time() - before < 2
