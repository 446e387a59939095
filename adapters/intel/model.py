"""What leaves: an alarm as this node's own API tells it, cut to the ceiling that a recipient may have."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from protocol.messages import Basis, Level, Tlp

CEILINGS = {"clear": Tlp.CLEAR, "green": Tlp.GREEN, "amber": Tlp.AMBER}
"""What may be exchanged at all. AMBER+STRICT stays in the organisation and RED with who heard it, so neither leaves."""
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_OID, "tocsin/1/intel")
"""Of the ids made here; STIX keeps a namespace of its own for observables, which this is not."""
_LAST_MS = 253_402_300_799_999
"""The end of the year 9999, after which the formats have no way to write a moment."""


@dataclass(frozen=True)
class Word:
    """One member's opinion, as it signed it."""

    member: str
    level: Level
    basis: Basis
    since_ms: int
    issued_ms: int
    expires_ms: int
    by_person: bool
    live: bool
    group: str
    detector: str
    incident: str
    claims: tuple[str, ...]
    tlp: Tlp


@dataclass(frozen=True)
class Deed:
    """One restriction of this member's own levers."""

    key: str
    lever: str
    rung: str
    phase: str
    opened_ms: int
    at_ms: int
    until_ms: int


@dataclass(frozen=True)
class Author:
    """Who exports, in which network (hexadecimal)."""

    network: str
    member: str


@dataclass(frozen=True)
class Alarm:
    id: str
    subject: str
    threat: str
    level: Level
    groups: tuple[str, ...]
    certificate: str
    """Digest of the one that runs, "" where none does or where it may not be named."""
    certificate_tlp: Tlp
    """As strict as its strictest attestation, which may be an older word than any that is held; CLEAR without one."""
    words: tuple[Word, ...]
    deeds: tuple[Deed, ...]

    @property
    def first_ms(self) -> int:
        return min(word.since_ms for word in self.words)

    @property
    def until_ms(self) -> int:
        return max(word.expires_ms for word in self.words)

    @property
    def standing(self) -> tuple[Word, ...]:
        """Words that were not taken back."""
        return tuple(word for word in self.words if word.level > Level.NONE)

    @property
    def tlp(self) -> Tlp:
        return max(self.certificate_tlp, *(word.tlp for word in self.words))

    @property
    def incident(self) -> str:
        """The name that whoever spoke first gave it; "" where nobody did."""
        named = sorted((word.since_ms, word.member, word.incident) for word in self.words if word.incident)
        return named[0][2] if named else ""

    def changed_ms(self, now_ms: int) -> int:
        """The last moment up to now at which what is told here may have become another: a new word, a word that ended,
        a step of a lever. Two exports between such moments are equal, and over one the later is the newer version."""
        moments = [at for word in self.words for at in (word.issued_ms, word.expires_ms)]
        moments += [at for deed in self.deeds for at in (deed.at_ms, deed.until_ms)]
        return max([self.first_ms, *(at for at in moments if at <= now_ms)])


def alarm_of(alert: Mapping[str, Any], actions: Iterable[Mapping[str, Any]]) -> Alarm:
    """From the node's own JSON (`GET /v1/alerts`, `GET /v1/actions`). KeyError or ValueError for another's."""
    subject, threat = str(alert["subject"]), str(alert["threat"])
    certificate = alert.get("certificate") or {}
    own = [one for one in actions if (one["subject"], one["threat"]) == (subject, threat)]
    return Alarm(
        id=str(alert["id"]),
        subject=subject,
        threat=threat,
        level=Level[alert["level"]],
        groups=tuple(alert["groups"]),
        certificate=str(certificate.get("digest", "")),
        certificate_tlp=Tlp[certificate["tlp"]] if certificate else Tlp.CLEAR,
        words=tuple(_word(one) for one in alert["opinions"]),
        deeds=tuple(_deed(one) for one in own if one["steps"]),
    )


def _word(one: Mapping[str, Any]) -> Word:
    return Word(
        member=str(one["author"]),
        level=Level[one["level"]],
        basis=Basis[one["basis"]],
        since_ms=int(one["since_ms"]),
        issued_ms=int(one["issued_ms"]),
        expires_ms=int(one["expires_ms"]),
        by_person=bool(one["by_person"]),
        live=bool(one["live"]),
        group=str(one["group"]),
        detector=str(one["detector"]),
        incident=str(one["incident"]),
        claims=tuple(sorted({str(claim["type"]) for claim in one["claims"]})),
        tlp=Tlp[one["tlp"]],
    )


def _deed(one: Mapping[str, Any]) -> Deed:
    moments = [int(step["at_ms"]) for step in one["steps"]]
    return Deed(
        key=str(one["key"]),
        lever=str(one["lever"]),
        rung=str(one["rung"]),
        phase=str(one["phase"]),
        opened_ms=min(moments),
        at_ms=max(moments),
        until_ms=int(one["until_ms"]),
    )


def below(alarm: Alarm, ceiling: Tlp) -> Alarm | None:
    """What somebody may have who may have `ceiling`; None where that is nothing. What rests on a word that is held
    back is held back too: the certificate, the network's level and groups. Own levers are AMBER at least."""
    words = tuple(word for word in alarm.words if word.tlp <= ceiling)
    if not words:
        return None
    deeds = alarm.deeds if ceiling >= Tlp.AMBER else ()
    if alarm.tlp <= ceiling:
        return replace(alarm, deeds=deeds)
    said = [word for word in words if word.live and word.level > Level.NONE]
    return replace(
        alarm,
        level=max((word.level for word in said), default=Level.NONE),
        groups=tuple(sorted({word.group for word in said})),
        certificate="",
        certificate_tlp=Tlp.CLEAR,
        words=words,
        deeds=deeds,
    )


def name_of(*parts: str) -> uuid.UUID:
    """The same for the same parts, everywhere; each part is set off by its length, so that no two lists are one."""
    return uuid.uuid5(NAMESPACE, "".join(f"{len(part)}:{part}" for part in parts))


def moment(at_ms: int) -> datetime:
    """UTC, to the millisecond, within what the formats can write."""
    seconds, millis = divmod(min(max(at_ms, 0), _LAST_MS), 1000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=millis * 1000)


def sentence(alarm: Alarm) -> str:
    """What is said, for people of other tools."""
    members = len({word.member for word in alarm.standing})
    if not members:
        return f"{alarm.threat} on {alarm.subject}: what was said was taken back."
    proven = " A quorum certificate stands on it." if alarm.certificate else ""
    groups = f"{len(alarm.groups)} group{'' if len(alarm.groups) == 1 else 's'} of the network"
    spoke = f"{members} member{'' if members == 1 else 's'}"
    return f"{alarm.threat} on {alarm.subject}: {alarm.level.name} by {groups}; {spoke} spoke.{proven}"
