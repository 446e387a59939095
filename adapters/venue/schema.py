"""Whether a value is what a schema of an OpenAPI document asks for: 3.0 and 3.1, the words that bodies are made of.

A word that restricts and is not read here refuses the whole schema: what would be passed over in silence could be the
one that matters."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from adapters.venue.text import same

DEPTH_MAX = 32
SAYS_NOTHING = frozenset(
    (
        "title",
        "description",
        "example",
        "examples",
        "default",
        "deprecated",
        "readOnly",
        "writeOnly",
        "format",
        "xml",
        "externalDocs",
        "discriminator",
        "nullable",
        "contentMediaType",
        "contentEncoding",
        "$comment",
        "$schema",
        "$id",
        "$anchor",
        "$defs",
        "definitions",
    )
)
COMBINES = frozenset(("allOf", "anyOf", "oneOf", "not", "$ref"))
Resolve = Callable[[str], Any]
"""A local reference (`#/…`) → what stands there. ValueError."""


def faults(schema: Any, value: Any, resolve: Resolve, where: str = "", depth: int = 0) -> Iterator[str]:
    """Each place at which the value is not what is asked for, in words."""
    if depth > DEPTH_MAX:
        yield f"{where or 'the schema'}: refers to itself without end"
        return
    if schema is True or schema == {}:
        return
    if not isinstance(schema, Mapping):
        yield f"{where or 'it'}: nothing is allowed here"
        return
    for word, wanted in schema.items():
        if word in SAYS_NOTHING or word.startswith("x-"):
            continue
        if word in COMBINES:
            yield from _combined(word, wanted, value, resolve, where, depth)
        elif word in ("properties", "additionalProperties", "items"):
            yield from _inside(word, schema, value, resolve, where, depth)
        elif word in CHECKS:
            if not _holds(word, wanted, value, schema):
                yield f"{where or 'it'}: is not as {word} asks ({str(wanted)[:60]})"
        else:
            yield f"{where or 'it'}: the schema says {word[:40]}, which is not read here"


def _holds(word: str, wanted: Any, value: Any, schema: Mapping[str, Any]) -> bool:
    """A schema that is no schema lets nothing through."""
    try:
        return CHECKS[word](wanted, value, schema)
    except (TypeError, ValueError, ArithmeticError):
        return False


def _combined(word: str, wanted: Any, value: Any, resolve: Resolve, where: str, depth: int) -> Iterator[str]:
    if word == "$ref":
        try:
            yield from faults(resolve(wanted), value, resolve, where, depth + 1)
        except ValueError as wrong:
            yield f"{where or 'it'}: {wrong}"
        return
    if word == "not":
        if not any(True for _ in faults(wanted, value, resolve, where, depth + 1)):
            yield f"{where or 'it'}: is what it must not be"
        return
    found = [list(faults(one, value, resolve, where, depth + 1)) for one in wanted] if isinstance(wanted, list) else []
    fits = sum(not one for one in found)
    if word == "allOf":
        yield from (fault for one in found for fault in one)
    elif not fits or (word == "oneOf" and fits > 1):
        yield f"{where or 'it'}: fits {fits} of {word}, as {found[0][0] if found and found[0] else 'nothing'}"


def _inside(
    word: str, schema: Mapping[str, Any], value: Any, resolve: Resolve, where: str, depth: int
) -> Iterator[str]:
    inner = schema[word]
    if word == "items":
        for index, one in enumerate(value if isinstance(value, list) else ()):
            yield from faults(inner, one, resolve, f"{where}/{index}", depth + 1)
        return
    if not isinstance(value, dict):
        return
    known = schema.get("properties", {})
    known = known if isinstance(known, Mapping) else {}
    for name, one in value.items():
        if word == "properties" and name in known:
            yield from faults(known[name], one, resolve, f"{where}/{name}", depth + 1)
        elif word == "additionalProperties" and name not in known:
            if inner is False:
                yield f"{where}/{name}: is no field here; allowed: {', '.join(map(str, known))}"
            else:
                yield from faults(inner, one, resolve, f"{where}/{name}", depth + 1)


def _type(wanted: Any, value: Any, schema: Mapping[str, Any]) -> bool:
    kinds = wanted if isinstance(wanted, list) else [wanted]
    if value is None:
        return "null" in kinds or schema.get("nullable") is True
    return any(_is(kind, value) for kind in kinds)


def _is(kind: Any, value: Any) -> bool:
    if isinstance(value, bool):
        return bool(kind == "boolean")
    whole = type(value) is int or (type(value) is float and value.is_integer())
    return bool(
        (kind == "string" and isinstance(value, str))
        or (kind == "integer" and whole)
        or (kind == "number" and type(value) in (int, float))
        or (kind == "object" and isinstance(value, dict))
        or (kind == "array" and isinstance(value, list))
    )


def _number(value: Any) -> bool:
    return type(value) in (int, float)


def _above(wanted: Any, value: Any, schema: Mapping[str, Any]) -> bool:
    strict = schema.get("exclusiveMinimum") is True
    return not _number(value) or value > wanted or (value == wanted and not strict)


def _below(wanted: Any, value: Any, schema: Mapping[str, Any]) -> bool:
    strict = schema.get("exclusiveMaximum") is True
    return not _number(value) or value < wanted or (value == wanted and not strict)


def _pattern(wanted: Any, value: Any, schema: Mapping[str, Any]) -> bool:
    try:
        return not isinstance(value, str) or re.search(wanted, value) is not None
    except (re.error, TypeError):
        return False


Check = Callable[[Any, Any, Mapping[str, Any]], bool]
CHECKS: dict[str, Check] = {
    "type": _type,
    "enum": lambda wanted, value, _: any(same(one, value) for one in wanted),
    "const": lambda wanted, value, _: same(wanted, value),
    "required": lambda wanted, value, _: not isinstance(value, dict) or set(wanted) <= set(value),
    "minimum": _above,
    "maximum": _below,
    # a flag beside minimum in 3.0, a bound of its own in 3.1
    "exclusiveMinimum": lambda wanted, value, _: isinstance(wanted, bool) or not _number(value) or value > wanted,
    "exclusiveMaximum": lambda wanted, value, _: isinstance(wanted, bool) or not _number(value) or value < wanted,
    "multipleOf": lambda wanted, value, _: not _number(value) or value % wanted == 0,
    "minLength": lambda wanted, value, _: not isinstance(value, str) or len(value) >= wanted,
    "maxLength": lambda wanted, value, _: not isinstance(value, str) or len(value) <= wanted,
    "pattern": _pattern,
    "minItems": lambda wanted, value, _: not isinstance(value, list) or len(value) >= wanted,
    "maxItems": lambda wanted, value, _: not isinstance(value, list) or len(value) <= wanted,
    "uniqueItems": lambda wanted, value, _: not wanted or not isinstance(value, list) or _unique(value),
    "minProperties": lambda wanted, value, _: not isinstance(value, dict) or len(value) >= wanted,
    "maxProperties": lambda wanted, value, _: not isinstance(value, dict) or len(value) <= wanted,
}


def _unique(values: list[Any]) -> bool:
    return not any(same(one, other) for at, one in enumerate(values) for other in values[:at])
