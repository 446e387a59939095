"""An alarm as a MISP event: the subject as its attribute, a sighting of it for each member that spoke, own levers as
comments, TLP as tags. Every UUID is a version 5, so that a second export updates the event of the first."""

from __future__ import annotations

from typing import Any

from adapters.intel.model import Alarm, Author, Deed, Word, moment, name_of, sentence
from protocol.messages import Level, Tlp

Object = dict[str, Any]
_DISTRIBUTION = {Tlp.CLEAR: "3", Tlp.GREEN: "1"}
"""MISP's own: 3 all communities, 1 this community; everything stricter 0, the organisation alone."""
_HIGH, _MEDIUM, _LOW, _UNDEFINED = "1", "2", "3", "4"
_THREAT = {Level.HALT: _HIGH, Level.ISOLATE: _HIGH, Level.GUARD: _MEDIUM, Level.WATCH: _LOW, Level.NONE: _UNDEFINED}
_ONGOING, _COMPLETED = "1", "2"
_SEEN, _EXPIRED = "0", "2"


def event(alarm: Alarm, author: Author, now_ms: int) -> Object:
    """Of an alarm that was cut by `below`. Texts everywhere, as MISP writes its own."""
    changed_ms = alarm.changed_ms(now_ms)
    attributes = [_subject(alarm, author, changed_ms), *(_lever(one, alarm, author) for one in alarm.deeds)]
    return {
        "Event": {
            "uuid": _uuid("event", author, alarm.id),
            "info": sentence(alarm),
            "date": moment(alarm.first_ms).date().isoformat(),
            "timestamp": _seconds(changed_ms),
            "threat_level_id": _THREAT[alarm.level],
            "analysis": _ONGOING if alarm.standing else _COMPLETED,
            "distribution": _DISTRIBUTION.get(_tlp(alarm), "0"),
            "published": False,
            "extends_uuid": "",
            "Orgc": _organisation(author.member, author.network),
            "Tag": [{"name": name} for name in _tags(alarm)],
            "Attribute": attributes,
            "attribute_count": str(len(attributes)),
        }
    }


def events(alarms: list[Alarm], author: Author, now_ms: int) -> Object:
    """One as itself, several as MISP answers a search."""
    made = [event(alarm, author, now_ms) for alarm in sorted(alarms, key=lambda one: one.id)]
    return made[0] if len(made) == 1 else {"response": made}


def _tlp(alarm: Alarm) -> Tlp:
    return max(alarm.tlp, Tlp.AMBER) if alarm.deeds else alarm.tlp


def _tags(alarm: Alarm) -> list[str]:
    tlp = "tlp:" + _tlp(alarm).name.lower().replace("_", "+")
    return [tlp, f'tocsin:threat="{alarm.threat}"', f'tocsin:level="{alarm.level.name}"']


def _uuid(kind: str, author: Author, *parts: str) -> str:
    return str(name_of(f"misp-{kind}", author.network, author.member, *parts))


def _organisation(member: str, network: str) -> Object:
    return {"uuid": str(name_of("identity", network, member)), "name": member}


def _seconds(at_ms: int) -> str:
    return str(int(moment(at_ms).timestamp()))


def _attribute(kind: str, category: str, value: str, comment: str, at_ms: int, uuid: str) -> Object:
    return {
        "uuid": uuid,
        "type": kind,
        "category": category,
        "value": value,
        "comment": comment,
        "to_ids": False,
        "disable_correlation": False,
        "deleted": False,
        "distribution": "5",
        "timestamp": _seconds(at_ms),
    }


def _subject(alarm: Alarm, author: Author, changed_ms: int) -> Object:
    kind, category, value = "text", "Other", alarm.subject
    if alarm.subject.startswith("domain:"):
        kind, category, value = "domain", "Network activity", alarm.subject.removeprefix("domain:")
    uuid = _uuid("subject", author, alarm.id)
    comment = f"tocsin alarm {alarm.id}"
    if alarm.certificate:
        comment += f", certificate {alarm.certificate}"
    words = sorted(alarm.words, key=lambda word: word.member)
    sightings = [_sighting(word, alarm, author, uuid) for word in words]
    made = _attribute(kind, category, value, comment, changed_ms, uuid)
    # a page of one's own that was taken over is found in traffic; a contract's address is nothing to look for there
    return made | {"to_ids": kind == "domain" and bool(alarm.standing), "Sighting": sightings}


def _sighting(word: Word, alarm: Alarm, author: Author, attribute: str) -> Object:
    how = "person" if word.by_person else word.detector or "node"
    return {
        "uuid": _uuid("sighting", author, alarm.id, word.member),
        "attribute_uuid": attribute,
        "date_sighting": _seconds(word.issued_ms),
        "type": _SEEN if word.level > Level.NONE else _EXPIRED,
        "source": f"{word.member}: {word.level.name}, {word.basis.name.lower()}, {how}",
        "Organisation": _organisation(word.member, author.network),
    }


def _lever(deed: Deed, alarm: Alarm, author: Author) -> Object:
    until = moment(deed.until_ms).isoformat(timespec="seconds") if deed.until_ms else "no time"
    value = f"{deed.lever} ({deed.rung}) {deed.phase}, until {until}"
    uuid = _uuid("lever", author, alarm.id, deed.key)
    return _attribute("comment", "Internal reference", value, "an own lever", deed.at_ms, uuid)
