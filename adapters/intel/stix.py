"""An alarm as STIX 2.1: an Indicator, a Sighting for each member that spoke, an Incident, a Course of Action for each
own lever that was pulled, an Identity for each member, TLP 2.0 as OASIS publishes its markings.

Every id is a UUIDv5 of what it names and of who exports, so two exports are one set of objects, and an object of one
member is never a version of another's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from adapters.intel.model import Alarm, Author, Deed, Word, moment, name_of, sentence
from protocol.messages import Basis, Level, Tlp

Object = dict[str, Any]
_TLP_EXTENSION = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"
_TLP_CREATED = "2022-10-01T00:00:00.000Z"
_TLP = {
    Tlp.CLEAR: ("clear", "94868c89-83c2-464b-929b-a1a8aa3c8487"),
    Tlp.GREEN: ("green", "bab4a63c-aed9-4cf5-a766-dfca5abac2bb"),
    Tlp.AMBER: ("amber", "55d920b0-5e8b-4f79-9ee9-91f868d9b421"),
    Tlp.AMBER_STRICT: ("amber+strict", "939a9414-2ddd-4d32-a0cd-375ea402b003"),
    Tlp.RED: ("red", "e828b379-4e03-4974-9ac4-e53a884c97c1"),
}
"""OASIS's own marking definitions for TLP 2.0: their ids are fixed, and no copy with another id may be made."""
_CONFIDENCE = {Basis.HEARSAY: 15, Basis.OBSERVED: 50, Basis.VERIFIED: 85}
"""STIX's scale of Low, Med and High."""
_KINDS = {
    "credential-leak": "compromised",
    "api-key-leak": "compromised",
    "database-breach": "compromised",
    "position-leak": "compromised",
    "identity-leak": "compromised",
    "key-compromise": "compromised",
    "frontend-hijack": "compromised",
    "supply-chain": "compromised",
    "liquidity-run": "anomalous-activity",
    "halt-observed": "anomalous-activity",
}
_ALWAYS = moment(0)
"""An Identity says a name and nothing of a time; the same moment everywhere keeps it one object."""


def written(at_ms: int) -> str:
    return moment(at_ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def marking(tlp: Tlp) -> Object:
    word, id_ = _TLP[tlp]
    extension = {"extension_type": "property-extension", "tlp_2_0": word}
    return {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": f"marking-definition--{id_}",
        "created": _TLP_CREATED,
        "name": f"TLP:{word.upper()}",
        "extensions": {_TLP_EXTENSION: extension},
    }


def tlp_named(id_: str) -> Tlp | None:
    """Which one an id of OASIS's is."""
    return next((tlp for tlp, (_, known) in _TLP.items() if id_ == f"marking-definition--{known}"), None)


def objects(alarms: Iterable[Alarm], author: Author, now_ms: int) -> list[Object]:
    """Of alarms that were cut by `below`. Each object once, what others point at first."""
    found: dict[str, Object] = {}
    incidents: dict[str, list[Alarm]] = {}
    for alarm in sorted(alarms, key=lambda one: one.id):
        incidents.setdefault(_incident_id(alarm, author), []).append(alarm)
    for id_, of_it in incidents.items():
        made = [_incident(id_, of_it, author, now_ms)]
        for alarm in of_it:
            made += _of_alarm(alarm, id_, author, now_ms)
        members = sorted({author.member, *(word.member for alarm in of_it for word in alarm.words)})
        markings = [marking(tlp) for tlp in sorted({alarm.tlp for alarm in of_it} | _told(of_it))]
        for one in (*markings, *(_identity(name, author.network) for name in members), *made):
            found[one["id"]] = one
    return list(found.values())


def bundle(found: list[Object]) -> Object:
    """Its id is that of what is in it. A bundle holds one object at least."""
    digest = hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()
    return {"type": "bundle", "id": f"bundle--{name_of('bundle', digest)}", "objects": found}


def _told(alarms: Iterable[Alarm]) -> set[Tlp]:
    words = {word.tlp for alarm in alarms for word in alarm.words}
    return words | {_of_deed(alarm) for alarm in alarms if alarm.deeds}


def _of_deed(alarm: Alarm) -> Tlp:
    return max(Tlp.AMBER, alarm.tlp)


def _made(kind: str, id_: str, author: Author, created_ms: int, modified_ms: int, tlp: Tlp) -> Object:
    return {
        "type": kind,
        "spec_version": "2.1",
        "id": id_,
        "created_by_ref": _identity_id(author.member, author.network),
        "created": written(created_ms),
        "modified": written(max(created_ms, modified_ms)),
        "object_marking_refs": [f"marking-definition--{_TLP[tlp][1]}"],
    }


def _id(kind: str, author: Author, *parts: str) -> str:
    return f"{kind}--{name_of(kind, author.network, author.member, *parts)}"


def _identity_id(member: str, network: str) -> str:
    return f"identity--{name_of('identity', network, member)}"


def _identity(member: str, network: str) -> Object:
    at = _ALWAYS.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {
        "type": "identity",
        "spec_version": "2.1",
        "id": _identity_id(member, network),
        "created": at,
        "modified": at,
        "name": member,
        "identity_class": "organization",
        "description": f"A member of the Tocsin network {network[:16]}.",
    }


def _incident_id(alarm: Alarm, author: Author) -> str:
    """Alarms that were given one name are of one incident; one without a name is its own."""
    return _id("incident", author, "named", alarm.incident) if alarm.incident else _id("incident", author, alarm.id)


def _incident(id_: str, alarms: list[Alarm], author: Author, now_ms: int) -> Object:
    first_ms = min(alarm.first_ms for alarm in alarms)
    changed_ms = max(alarm.changed_ms(now_ms) for alarm in alarms)
    made = _made("incident", id_, author, first_ms, changed_ms, max(alarm.tlp for alarm in alarms))
    made["name"] = alarms[0].incident or f"{alarms[0].threat} on {alarms[0].subject}"
    made["description"] = " ".join(sentence(alarm) for alarm in alarms)
    return made


def _of_alarm(alarm: Alarm, incident: str, author: Author, now_ms: int) -> list[Object]:
    indicator = _indicator(alarm, author, now_ms)
    made = [indicator, _related("related-to", indicator["id"], incident, alarm, author, alarm.tlp)]
    made += [_sighting(word, alarm, indicator["id"], author) for word in sorted(alarm.words, key=_by_member)]
    for deed in alarm.deeds:
        course = _course(deed, alarm, author, now_ms)
        made += [course, _related("mitigates", course["id"], indicator["id"], alarm, author, _of_deed(alarm))]
    return made


def _by_member(word: Word) -> str:
    return word.member


def _indicator(alarm: Alarm, author: Author, now_ms: int) -> Object:
    id_ = _id("indicator", author, alarm.id)
    made = _made("indicator", id_, author, alarm.first_ms, alarm.changed_ms(now_ms), alarm.tlp)
    made |= {
        "name": f"{alarm.threat} on {alarm.subject}",
        "description": sentence(alarm),
        "indicator_types": [_KINDS.get(alarm.threat, "malicious-activity")],
        "pattern": pattern(alarm.subject),
        "pattern_type": "stix",
        "pattern_version": "2.1",
        "valid_from": written(alarm.first_ms),
        "valid_until": written(max(alarm.until_ms, alarm.first_ms + 1)),
        "labels": [f"tocsin:threat={alarm.threat}", f"tocsin:level={alarm.level.name}"],
        "external_references": _references(alarm),
    }
    if alarm.standing:
        made["confidence"] = max(_CONFIDENCE[word.basis] for word in alarm.standing)
    else:
        made["revoked"] = True
    return made


def _references(alarm: Alarm) -> list[Object]:
    found = [{"source_name": "tocsin", "external_id": alarm.id}]
    if alarm.certificate:
        found.append({"source_name": "tocsin-certificate", "external_id": alarm.certificate})
    return found


def pattern(subject: str) -> str:
    """STIX knows domains; of chains it knows nothing, so what lives there is a custom object with the CAIP text."""
    path, value = "x-tocsin-subject:value", subject
    if subject.startswith("domain:"):
        path, value = "domain-name:value", subject.removeprefix("domain:")
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"[{path} = '{quoted}']"


def _sighting(word: Word, alarm: Alarm, indicator: str, author: Author) -> Object:
    id_ = _id("sighting", author, alarm.id, word.member)
    made = _made("sighting", id_, author, word.since_ms, word.issued_ms, word.tlp)
    how = "a person" if word.by_person else word.detector or "its node"
    rests = f", resting on {', '.join(word.claims)}" if word.claims else ""
    made |= {
        "description": f"{word.member} says {word.level.name} ({word.basis.name.lower()}) by {how}{rests}.",
        "first_seen": written(word.since_ms),
        "last_seen": written(max(word.issued_ms, word.since_ms)),
        "count": 1,
        "confidence": _CONFIDENCE[word.basis],
        "sighting_of_ref": indicator,
        "where_sighted_refs": [_identity_id(word.member, author.network)],
    }
    if word.level is Level.NONE:
        made["revoked"] = True
    return made


def _course(deed: Deed, alarm: Alarm, author: Author, now_ms: int) -> Object:
    ended = deed.until_ms if deed.until_ms <= now_ms else 0
    id_ = _id("course-of-action", author, deed.key)
    made = _made("course-of-action", id_, author, deed.opened_ms, max(deed.at_ms, ended), _of_deed(alarm))
    until = f" until {written(deed.until_ms)}" if deed.until_ms else ""
    made["name"] = f"{deed.lever} at {deed.rung}"
    made["description"] = f"{author.member}'s own lever {deed.lever} ({deed.rung}) is {deed.phase}{until}."
    return made


def _related(kind: str, source: str, target: str, alarm: Alarm, author: Author, tlp: Tlp) -> Object:
    made = _made("relationship", _id("relationship", author, kind, source, target), author, 0, 0, tlp)
    made["created"] = made["modified"] = written(alarm.first_ms)
    return made | {"relationship_type": kind, "source_ref": source, "target_ref": target}
