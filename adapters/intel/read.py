"""Files of others, STIX 2.1 bundles and MISP events, as items for people to look at. Nothing here accuses anybody.

Every byte is hostile: size, depth and number are bounded before anything is made of them, and what cannot be read is
counted and left out. ValueError, in words, where the file as a whole is none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from adapters.intel.stix import tlp_named
from protocol.errors import ProtocolError
from protocol.messages import Tlp
from protocol.subjects import from_text

FILE_BYTES_MAX = 8 * 1024 * 1024
DEPTH_MAX = 24
"""A MISP event with objects nests nine deep."""
OBJECTS_MAX = 20_000
ITEMS_MAX = 2_000
TEXT_CHARS_MAX = 300
COMPARISONS_MAX = 16
"""Of one pattern: more is a list and no statement."""
_TLP1 = {
    "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9": Tlp.CLEAR,
    "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da": Tlp.GREEN,
    "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82": Tlp.AMBER,
    "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed": Tlp.RED,
}
"""The markings of TLP 1, which others still use; its WHITE is CLEAR."""
_TLP_TAGS = {f"tlp:{tlp.name.lower().replace('_', '+')}": tlp for tlp in Tlp} | {"tlp:white": Tlp.CLEAR}
_COMPARISON = re.compile(
    r"(?<![a-z0-9-])([a-z0-9-]{3,60}:[A-Za-z0-9_.-]{1,60})\s{0,4}=\s{0,4}'((?:[^'\\]|\\['\\]){1,400})'"
)
_JOINED = re.compile(r"\b(AND|NOT|FOLLOWEDBY|LIKE|MATCHES|WITHIN|REPEATS)\b|!=|<|>")
"""Where a pattern says more than "one of these", none of its parts means anything alone."""
_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*+'?", re.DOTALL)
_WORTH_READING = frozenset({"domain", "hostname", "url", "text", "other", "eth", "link"})


@dataclass(frozen=True)
class Item:
    """What somebody else says is bad. `subject` in Tocsin's own words, "" where it names none of ours."""

    id: str
    subject: str
    value: str
    name: str
    source: str
    threat: str
    """As another Tocsin wrote it, "" else: which threat it is here, a person decides."""
    tlp: str
    """"" where it is not marked: then nobody said that it may be passed on."""
    until: str
    """As it stands there: when it ends."""


@dataclass(frozen=True)
class Outside:
    kind: str
    """`stix` or `misp`."""
    items: tuple[Item, ...]
    left_out: int
    """What is of no kind that is read, is taken back, or is beyond the bound."""


def read(raw: bytes) -> Outside:
    value = parsed(raw)
    if value.get("type") == "bundle":
        return _stix(_list(value.get("objects")))
    if "Event" in value or "response" in value:
        return _misp(value)
    raise ValueError("this is neither a STIX 2.1 bundle nor a MISP event")


def parsed(raw: bytes) -> dict[str, Any]:
    """JSON of bounded size and depth whose outermost value is an object."""
    if len(raw) > FILE_BYTES_MAX:
        raise ValueError(f"it has over {FILE_BYTES_MAX} bytes")
    if not _shallow(raw):
        raise ValueError(f"it is nested over {DEPTH_MAX} deep, or a bracket is not closed")
    try:
        value = json.loads(raw.decode("utf-8"), parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise ValueError("it is no JSON in UTF-8") from None
    if type(value) is not dict:
        raise ValueError("its outermost value is no object")
    return value


def _no_number(word: str) -> None:
    raise ValueError(word)


_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def _shallow(raw: bytes) -> bool:
    """Whether brackets outside strings nest within the bound: asked before a parser recurses. Each turn takes the
    innermost pairs away."""
    left = _STRING.sub(b"", raw).translate(_ONE_KIND, _NO_BRACKETS)
    for _ in range(DEPTH_MAX):
        left = left.replace(b"[]", b"")
    return not left


def _list(value: Any) -> list[dict[str, Any]]:
    """Its objects, at most as many as are looked at."""
    return [one for one in value[:OBJECTS_MAX] if type(one) is dict] if type(value) is list else []


def _text(value: Any) -> str:
    """One printable line of bounded length; "" for what is no text."""
    if type(value) is not str:
        return ""
    return "".join(one if one.isprintable() else " " for one in value[:TEXT_CHARS_MAX]).strip()


def _gathered(kind: str, found: Iterator[Item | None]) -> Outside:
    items: dict[tuple[str, str], Item] = {}
    left_out = 0
    for item in found:
        if item is None or len(items) >= ITEMS_MAX:
            left_out += 1
        else:
            items.setdefault((item.id, item.value), item)
    return Outside(kind, tuple(items.values()), left_out)


def _stix(objects: list[dict[str, Any]]) -> Outside:
    names = {_text(one.get("id")): _text(one.get("name")) for one in objects if one.get("type") == "identity"}
    return _gathered("stix", (item for one in objects for item in _indicator(one, names)))


def _indicator(one: dict[str, Any], names: dict[str, str]) -> Iterator[Item | None]:
    if one.get("type") != "indicator":
        return
    pattern = one.get("pattern")
    if one.get("revoked") is True or one.get("pattern_type", "stix") != "stix" or type(pattern) is not str:
        yield None
        return
    refs = one.get("object_marking_refs")
    marks = [_marked(ref) for ref in refs[:16] if type(ref) is str] if type(refs) is list else []
    labels = one.get("labels")
    words = [_text(label) for label in labels[:64]] if type(labels) is list else []
    threats = [word.removeprefix("tocsin:threat=") for word in words if word.startswith("tocsin:threat=")]
    for path, value in _comparisons(pattern):
        yield Item(
            id=_text(one.get("id")),
            subject=_subject(path, value),
            value=_text(value),
            name=_text(one.get("name")) or _text(one.get("description")),
            source=names.get(_text(one.get("created_by_ref")), "") or "not named",
            threat=threats[0] if threats else "",
            tlp=_strictest([mark for mark in marks if mark is not None]),
            until=_text(one.get("valid_until")),
        )


def _comparisons(pattern: str) -> list[tuple[str, str]]:
    """Each alternative of a pattern that is a list of such; a pattern that is more, as one item without a subject."""
    if len(pattern) <= 10_000 and not _JOINED.search(_QUOTED.sub("''", pattern)):
        found = [(path, re.sub(r"\\(['\\])", r"\1", value)) for path, value in _COMPARISON.findall(pattern)]
        if 0 < len(found) <= COMPARISONS_MAX:
            return found
    return [("", pattern)]


def _marked(ref: str) -> Tlp | None:
    known = tlp_named(ref)
    return _TLP1.get(ref) if known is None else known


def _strictest(marks: list[Tlp]) -> str:
    return max(marks).name if marks else ""


def _subject(path: str, value: str) -> str:
    """Ours, in its one form; "" where it is none. An address without its chain is none: on which one, nobody said."""
    written = value
    if path == "url:value":
        path, written = "domain-name:value", _host(value)
    if path == "domain-name:value":
        written = f"domain:{written.lower().rstrip('.')}"
    elif path != "x-tocsin-subject:value":
        return ""
    try:
        return str(from_text(written))
    except ProtocolError:
        return ""


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _misp(value: dict[str, Any]) -> Outside:
    listed = [value] if "Event" in value else _list(value.get("response"))
    events = [one["Event"] for one in listed if type(one.get("Event")) is dict]
    return _gathered("misp", (item for event in events for item in _of_event(event)))


def _of_event(event: dict[str, Any]) -> Iterator[Item | None]:
    organisation = event.get("Orgc")
    source = _text(organisation.get("name")) if type(organisation) is dict else ""
    tags = [_text(tag.get("name")) for tag in _list(event.get("Tag"))[:64]]
    threats = [tag[15:-1] for tag in tags if tag.startswith('tocsin:threat="') and tag.endswith('"')]
    tlp = _strictest([_TLP_TAGS[tag.lower()] for tag in tags if tag.lower() in _TLP_TAGS])
    parts = [_list(one.get("Attribute")) for one in (event, *_list(event.get("Object")))]
    for attribute in (one for part in parts for one in part):
        kind, value = _text(attribute.get("type")), _text(attribute.get("value"))
        if kind not in _WORTH_READING or not value or attribute.get("deleted") is True:
            yield None
            continue
        path = {"domain": "domain-name:value", "hostname": "domain-name:value", "url": "url:value"}.get(kind)
        subject = _subject(path or "x-tocsin-subject:value", value)
        if not subject and kind in ("text", "other", "link"):
            yield None
            continue
        yield Item(
            id=_text(attribute.get("uuid")) or _text(event.get("uuid")),
            subject=subject,
            value=value,
            name=_text(event.get("info")),
            source=source or "not named",
            threat=threats[0] if threats else "",
            tlp=tlp,
            until="",
        )
