"""Files of others' tools: what fuzzing begins with, and what may come out of the reader."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from adapters.intel import misp, stix
from adapters.intel.model import Alarm
from adapters.intel.read import TEXT_CHARS_MAX, read
from protocol.messages import Tlp
from protocol.subjects import from_text
from tests.fuzz.finding import expect
from tests.unit.intel.stage import NOW, US, action, alarm, opinion

PATTERNS = (
    "[domain-name:value = 'a.example' OR url:value = 'https://b.example:8443/x']",
    "[x-tocsin-subject:value = 'market:eip155:1:0x{}/0x01']".format("ab" * 20),
    "[a:b = 'it\\'s \\\\ AND']",
    "[ipv4-addr:value = '198.51.100.7' AND domain-name:value != 'a.example'] REPEATS 5 TIMES",
)


def intel(raw: bytes) -> None:
    try:
        outside = read(raw)
    except ValueError as error:
        expect(type(error) is ValueError and bool(str(error)), "a refusal that is somebody else's")
        raise
    for item in outside.items:
        expect(all(word.isprintable() for word in vars(item).values()), "a text that moves the cursor")
        expect(all(len(word) <= TEXT_CHARS_MAX for word in vars(item).values()), "a text without a bound")
        expect(item.subject == "" or str(from_text(item.subject)) == item.subject, "a subject in another form")


def files() -> Iterator[bytes]:
    domain = alarm(opinion("a", Tlp.CLEAR, incident=""), subject="domain:pay.example")
    taken_back = alarm(opinion("a", level="NONE"), level="NONE", certificate=None)
    for told in (alarm(opinion("issuer")), domain, taken_back, alarm(opinion("b", Tlp.AMBER), acts=(action(),))):
        yield from _written(told)
    for pattern in PATTERNS:
        indicator = {"type": "indicator", "id": "indicator--1", "pattern_type": "stix", "pattern": pattern}
        yield _packed({"type": "bundle", "objects": [indicator]})
    yield _packed({"response": [{"Event": {"Object": [{"Attribute": [{"type": "hostname", "value": "a.example"}]}]}}]})
    yield b'{"type": "bundle", "objects": ' + b"[" * 30 + b"]" * 30 + b"}"
    yield b"[]"


def _written(told: Alarm) -> Iterator[bytes]:
    objects = [one for one in stix.objects([told], US, NOW) if one["type"] in ("indicator", "identity")]
    yield _packed(stix.bundle(objects))
    yield _packed(misp.event(told, US, NOW))


def _packed(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
