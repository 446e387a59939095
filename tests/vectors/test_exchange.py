"""What leaves is what OASIS's schemas and MISP's own events say it must be; what they wrote is read."""

from __future__ import annotations

import functools
import json
from typing import Any

import jsonschema
import pytest
import referencing

from adapters.intel import misp, stix
from adapters.intel.model import Alarm, below
from adapters.intel.read import read
from protocol.messages import Tlp
from tests.unit.intel.stage import NOW, US, action, alarm, opinion
from tests.vectors.foreign import packed_json

STIX = "stix21_schemas_examples.tar.xz"
MISP = "misp_event_fixtures.tar.xz"
EVERY_TLP = tuple(opinion(f"member-{tlp.value}", tlp, level=level) for tlp, level in zip(Tlp, ("NONE", *["GUARD"] * 4)))
ALARMS = {
    "one word": alarm(opinion("issuer")),
    "every marking": alarm(*EVERY_TLP, acts=(action(),)),
    "a domain, nameless": alarm(opinion("a", incident="", detector="", claims=[]), subject="domain:pay.example"),
    "taken back": alarm(opinion("a", level="NONE"), level="NONE", certificate=None),
}


@functools.cache
def schemas() -> tuple[dict[str, Any], referencing.Registry[Any]]:
    """(type → its schema, all of them by address)"""
    found = {path: one for path, one in packed_json(STIX).items() if path.startswith("schemas/")}
    resources = [(one["$id"], referencing.Resource.from_contents(one)) for one in found.values()]
    by_type = {path.rpartition("/")[2].removesuffix(".json"): one for path, one in found.items()}
    return by_type, referencing.Registry().with_resources(resources)


def faults(one: dict[str, Any]) -> list[str]:
    by_type, registry = schemas()
    validator = jsonschema.Draft202012Validator(by_type[one["type"]], registry=registry)
    return [f"{one['type']}: {error.json_path}: {error.message[:200]}" for error in validator.iter_errors(one)]


def cut(alarm: Alarm, tlp: Tlp = Tlp.RED) -> Alarm:
    left = below(alarm, tlp)
    assert left is not None
    return left


@pytest.mark.parametrize("name", ALARMS)
def test_each_object_is_valid_by_the_schema_of_its_type(name: str) -> None:
    objects = stix.objects([cut(ALARMS[name])], US, NOW)
    assert [fault for one in objects for fault in faults(one)] == []


def test_a_bundle_of_all_is_valid() -> None:
    """But for incidents, which their schema of bundles forgot to list: there each is two kinds of custom object."""
    objects = stix.objects([cut(one) for one in ALARMS.values()], US, NOW)
    assert faults(stix.bundle([one for one in objects if one["type"] != "incident"])) == []


def test_the_schemas_see_a_fault() -> None:
    indicator = next(one for one in stix.objects([ALARMS["one word"]], US, NOW) if one["type"] == "indicator")
    assert faults(indicator | {"valid_from": "yesterday"}) and faults({**indicator, "pattern": ""} | {"id": "x"})


@pytest.mark.parametrize("name", ALARMS)
def test_a_misp_event_has_no_key_and_no_kind_of_value_that_their_own_events_have_not(name: str) -> None:
    known: dict[str, dict[str, set[type]]] = {}
    for fixture in packed_json(MISP).values():
        learn(fixture, "", known)
    ours: dict[str, dict[str, set[type]]] = {}
    learn(misp.event(cut(ALARMS[name]), US, NOW), "", ours)
    strange = {
        f"{where}.{key}: {kinds}"
        for where, keys in ours.items()
        for key, kinds in keys.items()
        if not kinds <= known.get(where, {}).get(key, set())
    }
    assert strange == set()


def learn(value: Any, where: str, known: dict[str, dict[str, set[type]]]) -> None:
    """Which keys objects of each name have, and of which types."""
    if isinstance(value, list):
        for one in value:
            learn(one, where, known)
    elif isinstance(value, dict):
        for key, one in value.items():
            known.setdefault(where, {}).setdefault(key, set()).add(type(one))
            learn(one, key, known)


def test_their_examples_are_read_and_no_item_is_invented() -> None:
    examples = {path: one for path, one in packed_json(STIX).items() if "objects" in one}
    for path, example in examples.items():
        indicators = [one for one in example["objects"] if one["type"] == "indicator"]
        found = read(json.dumps(example).encode())
        assert {item.id for item in found.items} <= {one["id"] for one in indicators}, path
    c2 = read(json.dumps(examples["examples/indicator-for-c2-ip-address.json"]).encode())
    assert [(item.value, item.subject) for item in c2.items] == [("10.0.0.0", "")]


def test_their_events_are_read() -> None:
    named: list[str] = []
    for fixture in packed_json(MISP).values():
        if isinstance(fixture, dict) and ("Event" in fixture or "response" in fixture):
            named += [item.subject for item in read(json.dumps(fixture).encode()).items]
    assert "domain:ooiasjdnqjwbeasdasd.com" in named
