"""What happened, for people and tools: each record as a short dictionary, kept in a ring and written to the log.

A happening is told only after its record is durable; `at_ms` is then. Readers follow by number and never hold
anything up: who is too slow finds a gap in the numbers.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import trio

from governance.epochs import parse_epoch_certificate
from governance.values import parse_value
from node import records as rec
from node.machine.state import State
from protocol.envelope import Verified, parse_carried
from protocol.errors import ProtocolError
from protocol.ids import ActionKey
from protocol.messages import ActionReport, Attestation, Level, Release, Threat
from protocol.quorum import certificate_id, parse_certificate

RING = 4096
Happening = dict[str, Any]


def threat_word(threat: int) -> str:
    try:
        return Threat(threat).word
    except ValueError:
        return f"threat-{threat}"


class Watch:
    """The ring. `tell` is called by the loop alone; readers wait with `after`."""

    def __init__(self, log: Callable[[Happening], None]) -> None:
        self._ring: deque[Happening] = deque(maxlen=RING)
        self._numbers = itertools.count(1)
        self._news = trio.Event()
        self._log = log
        self._taps: set[Callable[[int, Happening], None]] = set()
        self.position = 0
        """In the store, of the last record of which everything was told."""

    def tap(self, heard: Callable[[int, Happening], None]) -> None:
        """`heard` is called for each happening at once, with its record's position, or 0 for a hint that no record
        holds; it must neither wait nor raise."""
        self._taps.add(heard)

    def untap(self, heard: Callable[[int, Happening], None]) -> None:
        self._taps.discard(heard)

    def reached(self, position: int) -> None:
        self.position = position

    def hint(self, happening: Happening) -> None:
        """What is not worth a record: to whoever listens now, and to nobody later."""
        for heard in tuple(self._taps):
            heard(0, happening)

    def tell(self, happening: Happening, position: int = 0) -> None:
        for heard in tuple(self._taps):
            heard(position, happening)
        happening = {"n": next(self._numbers), **happening}
        self._ring.append(happening)
        self._log(happening)
        news, self._news = self._news, trio.Event()
        news.set()

    def since(self, number: int) -> list[Happening]:
        return [one for one in self._ring if one["n"] > number]

    async def after(self, number: int, wait_s: float) -> list[Happening]:
        """Those after `number`, at once where there are any, else whatever comes within `wait_s`. A number that was
        not given out yet is an earlier life's: whoever followed that one gets all of this one's."""
        last = self._ring[-1]["n"] if self._ring else 0
        number = number if number <= last else 0
        with trio.move_on_after(wait_s):
            while not self._ring or self._ring[-1]["n"] <= number:
                await self._news.wait()
        return self.since(number)


def happening_of(
    record: rec.Record, state: State, at_ms: float, known: Mapping[bytes, Verified[Any]] | None = None
) -> Happening | None:
    """None for what nobody reads (blobs, plumbing). `known`: entries that are parsed already, by their bytes."""
    if isinstance(record, rec.EntryAccepted):
        told = _entry(record, state, known or {})
    else:
        teller = _TELLERS.get(type(record))
        told = teller(record, state) if teller else None
    return None if told is None else {"at_ms": round(at_ms, 3), **told}


def _entry(record: rec.EntryAccepted, state: State, known: Mapping[bytes, Verified[Any]]) -> Happening | None:
    verified = known.get(record.raw)
    try:
        entry = verified.entry if verified is not None else parse_carried(record.raw, state.epoch.network).entry
    except ProtocolError:
        return None
    body = entry.body
    told: Happening = {"author": entry.author, "seq": entry.seq, "own": record.own, "issued_ms": entry.issued_ms}
    if isinstance(body, Attestation):
        return {
            "kind": "attestation",
            **told,
            "subject": str(body.subject),
            "threat": threat_word(body.threat),
            "level": body.level.name,
            "basis": body.basis.name,
            "claims": [claim.id.hex()[:12] for claim in body.claims],
            "claim_types": [claim.type for claim in body.claims],
            "detector": body.detector,
            "incident": body.incident,
            "by_person": body.by_person,
            "expires_ms": body.expires_ms,
        }
    if isinstance(body, ActionReport):
        return {"kind": "actionreport", **told, "phase": body.phase, "effect": body.effect}
    if isinstance(body, Release):
        return {"kind": "release", **told, "subject": str(body.subject), "threat": threat_word(body.threat)}
    return {"kind": type(body).__name__.lower(), **told}


def _certificate(record: rec.CertificateAccepted, state: State) -> Happening:
    certificate = parse_certificate(record.raw)
    held = state.certificates.get(certificate_id(certificate.epoch, certificate.topic, certificate.level))
    if held is not None and held.raw == record.raw:
        authors = [one.entry.author for one in held.opinions]
    else:
        authors = [parse_carried(raw, state.epoch.network).entry.author for raw in certificate.entries]
    return {
        "kind": "certificate",
        "subject": str(certificate.subject),
        "threat": threat_word(certificate.threat),
        "level": certificate.level.name,
        "signers": authors,
        "assembled_here": record.assembled_here,
    }


def _ruled(record: rec.ClaimRuled, state: State) -> Happening:
    return {
        "kind": "verdict",
        "claim": record.claim.id.hex()[:12],
        "claim_type": record.claim.type,
        "ruling": record.ruling,
        "why": record.why,
        "level": record.level.name,
    }


def _false(record: rec.FalseStatement, state: State) -> Happening:
    return {"kind": "false-statement", "why": record.why}


def _equivocation(record: rec.EquivocationProven, state: State) -> Happening:
    author = parse_carried(record.one, state.epoch.network).entry.author
    return {"kind": "equivocation", "author": author}


def _decision(record: rec.DecisionMade, state: State) -> Happening:
    return {
        "kind": "decision",
        "verdict": record.verdict,
        "rule": record.rule,
        "lever": record.lever,
        "subject": str(record.subject) if record.subject else "",
        "why": record.why,
    }


def _opened(record: rec.ActionOpened, state: State) -> Happening:
    return {
        "kind": "action",
        "key": record.key.hex(),
        "lever": record.lever,
        "instance": record.instance,
        "subject": str(record.subject),
        "threat": threat_word(record.threat),
        "rung": Level(record.rung).name,
        "rule": record.rule,
        "certificate": bool(record.certificate),
        "phase": record.phase,
        "says": record.why,
        "until_ms": record.until_ms,
    }


def _stepped(record: rec.ActionStepped, state: State) -> Happening | None:
    action = state.actions.get(ActionKey(record.key))
    if action is None:
        return None
    return {
        "kind": "action",
        "key": record.key.hex(),
        "lever": action.lever,
        "instance": action.instance,
        "subject": str(action.subject),
        "threat": threat_word(action.threat),
        "rung": action.rung.name,
        "rule": action.rule,
        "certificate": bool(action.certificate),
        "phase": record.phase,
        "says": record.says,
        "reference": record.reference,
        "until_ms": action.until_ms,
    }


def _renewed(record: rec.ActionRenewed, state: State) -> Happening:
    return {"kind": "renewal", "key": record.key.hex(), "until_ms": record.until_ms, "says": record.why}


def _stopped(record: rec.SigningStopped, state: State) -> Happening:
    return {"kind": "signing-stopped", "why": record.why}


def _operator(record: rec.OperatorDid, state: State) -> Happening:
    return {"kind": "operator", "person": record.person, "deed": record.deed}


def _asked(record: rec.EndingAsked, state: State) -> Happening:
    return {"kind": "asked", "person": record.person, "until_ms": record.until_ms, **_wish(record)}


def _closed(record: rec.EndingClosed, state: State) -> Happening:
    return {"kind": "asked-no-more", "how": record.how, "person": record.person, **_wish(record)}


def _wish(record: rec.EndingAsked | rec.EndingClosed) -> Happening:
    what = "lift" if record.key else "release"
    told = {"what": what, "subject": str(record.subject), "threat": threat_word(record.threat)}
    return {**told, "key": record.key.hex()} if record.key else told


def _seen(record: rec.AlertSeen, state: State) -> Happening:
    return {
        "kind": "acknowledged",
        "person": record.person,
        "subject": str(record.subject),
        "threat": threat_word(record.threat),
        "level": record.level.name,
    }


def _rerun(record: rec.EvidenceRerun, state: State) -> Happening:
    return {
        "kind": "rerun",
        "person": record.person,
        "subject": str(record.subject),
        "threat": threat_word(record.threat),
        "claim": record.claim.id.hex()[:12],
        "claim_type": record.claim.type,
        "ruling": record.ruling,
        "before": record.before,
        "same": record.same,
        "why": record.why,
    }


def _epoch_certified(record: rec.EpochCertified, state: State) -> Happening:
    return {"kind": "epoch-certified", "number": parse_value(parse_epoch_certificate(record.raw).value).number}


def _epoch_entered(record: rec.EpochEntered, state: State) -> Happening:
    epoch = next((one for one in state.epochs if one.number == record.number), state.epoch)
    return {
        "kind": "epoch",
        "number": epoch.number,
        "hash": epoch.hash.hex(),
        "n": epoch.n,
        "q": epoch.q,
        "members": [one.name for one in epoch.members],
        "suspended": [one.name for one in epoch.members if one.suspended],
    }


_TELLERS: dict[type, Callable[[Any, State], Happening | None]] = {
    rec.CertificateAccepted: _certificate,
    rec.ClaimRuled: _ruled,
    rec.FalseStatement: _false,
    rec.EquivocationProven: _equivocation,
    rec.DecisionMade: _decision,
    rec.ActionOpened: _opened,
    rec.ActionStepped: _stepped,
    rec.ActionRenewed: _renewed,
    rec.SigningStopped: _stopped,
    rec.OperatorDid: _operator,
    rec.EndingAsked: _asked,
    rec.EndingClosed: _closed,
    rec.AlertSeen: _seen,
    rec.EvidenceRerun: _rerun,
    rec.EpochCertified: _epoch_certified,
    rec.EpochEntered: _epoch_entered,
}
