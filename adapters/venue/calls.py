"""An operation with what it is called with: literals, and a few words for what an order brings."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any
from urllib.parse import quote

from adapters.venue.openapi import Document, Operation
from adapters.venue.signing import Request
from adapters.venue.text import MISSING

UNTIL, KEY, NOTE, BEFORE = "{until_ms}", "{action_key}", "{note}", "{before}"
BODY_BYTES_MAX = 64 * 1024
DEPTH_MAX = 8
_BRACES = re.compile(r"\{[^{}]*\}?|\}")
_HEADER = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,500}[\x21-\x7e])?\Z")


@dataclass(frozen=True)
class Words:
    """What stands for what in one request."""

    until_ms: int
    action_key: str
    note: str = ""
    before: Any = None

    @property
    def said(self) -> dict[str, Any]:
        return {UNTIL: self.until_ms, KEY: self.action_key, NOTE: self.note, BEFORE: self.before}


@dataclass(frozen=True)
class Call:
    operation: Operation
    path: Mapping[str, Any]
    query: Mapping[str, Any]
    headers: Mapping[str, Any]
    body: Any
    """MISSING where it has none."""

    def uses(self, word: str) -> bool:
        return any(word in one for one in texts_of([self.path, self.query, self.headers, self.body]))

    @property
    def repeats(self) -> bool:
        """Whether the document says that sending it twice has one effect."""
        return self.operation.method in ("GET", "PUT", "DELETE") or self.operation.takes_idempotency_key

    def request(self, base: str, words: Words, key: str = "") -> Request:
        """`key`: for Idempotency-Key, where the operation changes something. ValueError."""
        path = self.operation.path
        for name, value in self.path.items():
            path = path.replace(f"{{{name}}}", _segment(filled(value, words)))
        query = "&".join(
            f"{quote(name, safe='')}={quote(_text(filled(value, words)), safe='')}"
            for name, value in self.query.items()
        )
        headers = {name.lower(): _field(filled(value, words)) for name, value in self.headers.items()}
        body = b"" if self.body is MISSING else json.dumps(filled(self.body, words), separators=(",", ":")).encode()
        if len(body) > BODY_BYTES_MAX:
            raise ValueError(f"its body is above {BODY_BYTES_MAX} bytes")
        if key:
            headers["idempotency-key"] = key
        url = base.rstrip("/") + path + (f"?{query}" if query else "")
        return Request(self.operation.method, url, body, headers)

    def faults(self, document: Document, words: Words) -> list[str]:
        """Why the document does not take it with these words."""
        found = []
        for place, given in (("path", self.path), ("query", self.query), ("header", self.headers)):
            known = self.operation.of(place)
            names = {name.lower(): name for name in known} if place == "header" else {name: name for name in known}
            for name, value in given.items():
                own = names.get(name.lower() if place == "header" else name)
                if own is None:
                    found.append(f"{place}: {self.operation.name} takes no {name[:40]!r}; allowed: {', '.join(known)}")
                    continue
                wrong = document.faults(known[own].schema, filled(value, words))
                found += [f"{place}.{name}: {one}" for one in wrong]
        return found + self._body_faults(document, words)

    def _body_faults(self, document: Document, words: Words) -> list[str]:
        wanted = self.operation.body
        if self.body is MISSING:
            return ["body: is missing; the operation needs one"] if self.operation.body_required else []
        if wanted is MISSING:
            return [f"body: {self.operation.name} takes no JSON body"]
        return [
            f"body{one if one.startswith('/') else f': {one}'}"
            for one in document.faults(wanted, filled(self.body, words))
        ]

    def unfilled(self) -> list[str]:
        """Parameters that the operation needs and nobody gives. Its Idempotency-Key is given by the lever."""
        found = [name for name in self.operation.variables if name not in self.path]
        for place, given in (("query", self.query), ("header", self.headers)):
            names = {name.lower() for name in given} | {"idempotency-key"}
            needs = [one for one in self.operation.of(place).values() if one.required]
            found += [one.name for one in needs if one.name.lower() not in names]
        return found


def filled(value: Any, words: Words) -> Any:
    """A word alone stands for its value; within a text, for its text."""
    if isinstance(value, Mapping):
        return {name: filled(one, words) for name, one in value.items()}
    if isinstance(value, list):
        return [filled(one, words) for one in value]
    if not isinstance(value, str):
        return value
    said = words.said
    if value in said:
        return said[value]
    return _BRACES.sub(lambda found: str(said[found[0]]), value)


def texts_of(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [text for one in value.values() for text in texts_of(one)]
    if isinstance(value, list):
        return [text for one in value for text in texts_of(one)]
    return [value] if isinstance(value, str) else []


def strange(value: Any, words: tuple[str, ...], depth: int = 0) -> str:
    """What may not stand in a template, "" where all may."""
    if isinstance(value, Mapping | list):
        if depth > DEPTH_MAX:
            return "it is nested too deeply"
        inner = value.values() if isinstance(value, Mapping) else value
        return next((found for one in inner if (found := strange(one, words, depth + 1))), "")
    if isinstance(value, str):
        other = next((one for one in _BRACES.findall(value) if one not in words), "")
        return f"{other[:40]!r} stands for nothing here; allowed: {', '.join(words) or 'literals'}" if other else ""
    finite = type(value) in (int, bool) or (type(value) is float and isfinite(value))
    return "" if finite else f"{str(value)[:40]!r} is no JSON value"


def _text(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _segment(value: Any) -> str:
    """One segment of a path, which cannot leave it."""
    text = _text(value)
    if text in ("", ".", "..") or len(text) > 256:
        raise ValueError(f"{text[:40]!r} is no segment of a path")
    return quote(text, safe="")


def _field(value: Any) -> str:
    text = _text(value)
    if not _HEADER.match(text):
        raise ValueError("a header is printable ASCII without a break")
    return text
