"""Bodies held against an OpenAPI document, its faults, and JSON that is not believed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapters.venue.openapi import Document
from adapters.venue.text import MISSING, at, parsed, same, tokens_of
from tests.integration.venue.document import document, raw


def spoilt(**more: Any) -> bytes:
    return json.dumps(document() | more).encode()


def faults(schema: Any, value: Any) -> list[str]:
    return Document(raw()).faults(schema, value)


@pytest.mark.parametrize("version", ["3.0.0", "3.0.3", "3.1.0", "3.1.1"])
def test_operations_are_known_by_their_names(version: str):
    halt = Document(raw(version)).operations["haltPair"]
    assert (halt.method, halt.path, halt.variables) == ("POST", "/v1/pairs/{pair}/halt", ("pair",))
    assert halt.takes_idempotency_key and halt.body_required and "pair" in halt.of("path")


@pytest.mark.parametrize(
    ("what", "says"),
    [
        (b"", "is no JSON"),
        (b"openapi: 3.1.0", "OpenAPI in YAML"),
        (b"[]", "is no OpenAPI document"),
        (b'{"openapi": "2.0"}', "is no OpenAPI document"),
        (b'{"openapi": "3.1.0", "openapi": "3.1.0"}', "a name stands there twice"),
        (b"[" * 200_000, "nested too deeply"),
        (b" " * (5 << 20), "is above"),
        (spoilt(paths={"/a": {"get": {"operationId": "x"}, "put": {"operationId": "x"}}}), "two operations named 'x'"),
        (spoilt(paths={"/a": {"$ref": "other.json#/a"}}), "outside the document"),
        (spoilt(paths={"/a": {"$ref": "#/nowhere"}}), "is not there"),
        (spoilt(paths={"/a": {"$ref": "#/paths/~1a"}}), "lead to each other"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_such_document_is_refused(what: bytes, says: str):
    with pytest.raises(ValueError, match=says):
        Document(what)


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": "string"}, "a", 1),
        ({"type": "integer"}, 1, True),
        ({"type": "integer"}, 2.0, 2.5),
        ({"type": "number"}, 1.5, "1.5"),
        ({"type": "boolean"}, True, 1),
        ({"type": ["string", "null"]}, None, 1),
        ({"type": "string", "nullable": True}, None, 1),
        ({"type": "string"}, "a", None),
        ({"enum": [1, "a"]}, 1, True),
        ({"const": 5}, 5, 6),
        ({"minimum": 1, "maximum": 3}, 3, 4),
        ({"exclusiveMinimum": 1}, 2, 1),
        ({"minimum": 1, "exclusiveMinimum": True}, 2, 1),
        ({"maximum": 1, "exclusiveMaximum": True}, 0, 1),
        ({"multipleOf": 5}, 10, 11),
        ({"multipleOf": 0}, "a", 1),
        ({"minLength": 2, "maxLength": 3}, "ab", "abcd"),
        ({"pattern": "^[A-Z]+$"}, "AB", "ab"),
        ({"pattern": "("}, 1, "a"),
        ({"required": ["a"]}, {"a": 1}, {"b": 1}),
        ({"properties": {"a": {"type": "integer"}}}, {"a": 1}, {"a": "1"}),
        ({"properties": {"a": {}}, "additionalProperties": False}, {"a": 1}, {"b": 1}),
        ({"additionalProperties": {"type": "integer"}}, {"b": 1}, {"b": "1"}),
        ({"items": {"type": "integer"}, "maxItems": 2}, [1], [1, 2, 3]),
        ({"items": {"type": "integer"}}, [1], ["a"]),
        ({"uniqueItems": True}, [1, True], [1, 1]),
        ({"allOf": [{"type": "integer"}, {"minimum": 3}]}, 3, 2),
        ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, "a", None),
        ({"oneOf": [{"type": "integer"}, {"minimum": 3}]}, 1, 4),
        ({"not": {"type": "string"}}, 1, "a"),
        ({"$ref": "#/components/schemas/Reason"}, "why", 1),
        ({"format": "int64", "description": "x", "x-own": 1}, 1, ...),
    ],
)  # fmt: skip
def test_a_value_is_held_against_its_schema(schema: Any, good: Any, bad: Any):
    assert faults(schema, good) == []
    assert bad is ... or faults(schema, bad)


@pytest.mark.parametrize("word", ["if", "patternProperties", "contains", "dependentRequired", "unevaluatedProperties"])
def test_a_word_that_is_not_read_here_is_not_passed_over(word: str):
    assert "which is not read here" in faults({word: {}}, {})[0]


def test_a_schema_that_refers_to_itself_ends():
    found = Document(spoilt(components={"schemas": {"A": {"$ref": "#/components/schemas/A"}}}, paths={}))
    assert "without end" in found.faults({"$ref": "#/components/schemas/A"}, 1)[0]


@pytest.mark.parametrize(
    ("pointer", "may"),
    [("/market/status", True), ("/market/state", False), ("/status", False), ("/market/status/deep", True), ("", True)],
)
def test_a_pointer_that_leads_nowhere_in_the_documents_answer_is_known(pointer: str, may: bool):
    found = Document(raw())
    assert found.may_have(found.operations["getPair"].answer, tokens_of(pointer)) is may


@pytest.mark.parametrize(
    "text",
    [b"NaN", b"[Infinity]", b'{"a":1,"a":2}', b"1" * 5_000, b"1e999", b"\xff", b"[" * 5_000, b"{", b'"\xed\xa0\x80"'],
)
def test_json_that_is_none_or_too_much_is_a_value_error(text: bytes):
    with pytest.raises(ValueError):
        parsed(text)


def test_pointers():
    value = {"a/b": {"~": [10, 20]}, "": 1}
    assert at(value, tokens_of("/a~1b/~0/1")) == 20 and at(value, tokens_of("/")) == 1 and at(value, ()) is value
    for nowhere in ("/x", "/a~1b/~0/2", "/a~1b/~0/-", "/a~1b/~0/" + "9" * 40, "//x"):
        assert at(value, tokens_of(nowhere)) is MISSING
    with pytest.raises(ValueError):
        tokens_of("a")


def test_a_flag_is_no_number():
    assert same(1, 1.0) and same("a", "a") and not same(1, True) and not same(0, False) and not same(None, False)
