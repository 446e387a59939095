"""One happening in one line, for people. Every text passes `clean`: other members' words move no cursor."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

from node.commands.common import clean

Happening = dict[str, Any]
CHARS_MAX = 400
_LONG = re.compile(r"(0x)?[0-9a-f]{4}([0-9a-f]{12,})(?=[0-9a-f]{4}(?![0-9a-f]))", re.IGNORECASE)
PHASES = {
    "asked": "waits for a person's yes",
    "armed": "is planned and simulated, not sent",
    "effective": "STANDS, read back from the target",
    "lapsed": "has ended by itself, read back",
    "lifted": "is lifted, read back",
    "refused": "was refused by a person",
    "escalated": "FAILED: it needs a person",
}


def text(value: object) -> str:
    return clean(value)[:CHARS_MAX]


def short(value: object) -> str:
    """Long hexadecimal numbers by their ends: `eip155:1/erc20:0xa129…e5a7`."""
    return _LONG.sub(lambda found: found.group(0)[: -len(found.group(2))] + "…", text(value))


def clock(at_ms: object) -> str:
    """UTC."""
    at_s = at_ms / 1000 if isinstance(at_ms, int | float) and 0 <= at_ms < 1e15 else 0
    return time.strftime("%H:%M:%S", time.gmtime(at_s))


def line_of(told: Happening) -> str | None:
    """None for what says nothing to a person (heartbeats, keys, manifests)."""
    teller = _TELLERS.get(str(told.get("kind", "")))
    return None if teller is None else teller(told)


def _on(told: Happening) -> str:
    return f"{text(told.get('threat'))} on {short(told.get('subject'))}"


def _attestation(told: Happening) -> str:
    who = "we" if told.get("own") else text(told.get("author"))
    types = ", ".join(dict.fromkeys(text(one) for one in told.get("claim_types") or ())) or "a person's word"
    if told.get("level") == "NONE":
        return f"{who} take{'' if told.get('own') else 's'} back: {_on(told)}"
    basis = text(told.get("basis")).lower()
    return f"{who} say{'' if told.get('own') else 's'} {text(told.get('level'))}: {_on(told)} ({basis}, {types})"


def _certificate(told: Happening) -> str:
    count = len(told.get("signers") or ())
    where = "counted here" if told.get("assembled_here") else "came from a peer"
    return f"CERTIFICATE {text(told.get('level'))}: {_on(told)}, {count} members, {where}"


def _verdict(told: Happening) -> str:
    why = f": {text(told.get('why'))}" if told.get("why") else ""
    return f"re-ran claim {text(told.get('claim_type'))} {text(told.get('claim'))[:8]}: {text(told.get('ruling'))}{why}"


def _decision(told: Happening) -> str | None:
    if told.get("verdict") == "ignore":
        return None
    return f"policy: {text(told.get('verdict'))}: {short(told.get('why'))}"


def _action(told: Happening) -> str:
    phase = text(told.get("phase"))
    says = f": {short(told.get('says'))}" if told.get("says") else ""
    return f"lever {text(told.get('lever'))} ({text(told.get('rung'))}) {PHASES.get(phase, f'is {phase}')}{says}"


def _renewal(told: Happening) -> str:
    until = clock(told.get("until_ms"))
    return f"lease of {text(told.get('key'))[:12]} runs until {until}: {short(told.get('says'))}"


def _release(told: Happening) -> str:
    return f"{text(told.get('author'))} releases: {_on(told)}"


def _rerun(told: Happening) -> str:
    same = ", as before" if told.get("same") else f", before: {text(told.get('before'))}" if told.get("before") else ""
    claim = f"{text(told.get('claim_type'))} {text(told.get('claim'))[:8]}"
    return f"RE-RUN for {text(told.get('person'))}: {claim}: {text(told.get('ruling'))}{same}: {text(told.get('why'))}"


def _peer(told: Happening) -> str:
    who = text(told.get("member") or told.get("peer_id"))
    return f"{who} is {'connected' if told.get('up') else 'gone'}"


def _epoch(told: Happening) -> str:
    gone = told.get("suspended") or ()
    names = f"; suspended: {', '.join(map(text, gone))}" if gone else ""
    number, groups, needed = (text(told.get(key)) for key in ("number", "n", "q"))
    return f"epoch {number} is in force: {groups} groups, {needed} needed{names}"


_TELLERS: dict[str, Callable[[Happening], str | None]] = {
    "attestation": _attestation,
    "certificate": _certificate,
    "verdict": _verdict,
    "decision": _decision,
    "action": _action,
    "renewal": _renewal,
    "release": _release,
    "rerun": _rerun,
    "false-statement": lambda told: f"FALSE STATEMENT, the proof is kept: {short(told.get('why'))}",
    "equivocation": lambda told: f"TWO WORDS UNDER ONE NUMBER by {text(told.get('author'))}: the proof is kept",
    "signing-stopped": lambda told: f"THIS NODE SIGNS NOTHING: {text(told.get('why'))}",
    "operator": lambda told: f"{text(told.get('person'))} asked this node: {text(told.get('deed'))}",
    "epoch-certified": lambda told: f"epoch {text(told.get('number'))} is decided",
    "epoch": _epoch,
    "peer": _peer,
    "reset": lambda told: "what happened before this is not told again: it is too long ago, or of another store",
}
