"""What is replayed: a pack of this package, a pack's file, a recording, a record of a real incident, a node's events.

A pack and a recording say what members said and how fast. A record of a real incident has a timeline and no such
words: the network's part is then taken from a recording of the same kind, and the answer says so.
"""

from __future__ import annotations

import datetime
import importlib.resources
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from governance.packs import RECORDING_BYTES_MAX, Recording, parse_recording
from node.recordings import SUFFIX
from protocol.errors import ProtocolError
from protocol.messages import threat_from_word
from protocol.subjects import from_text

FILE_BYTES_MAX = 8 * 1024 * 1024
EVENTS_MAX = 2_000
DEPTH_MAX = 32
_MARKS = re.compile(r'"(?:[^"\\]|\\.)*+"|[\[\]{}]')
BEGINS = "first_malicious_tx"
TEXT_CHARS_MAX = 200
AFTER_MS_MAX = 3_600_000
LIKE = {"bridge": "forged-bridge-release", "oracle": "oracle-push", "price": "oracle-push"}
"""A word in the class of a real incident → the pack whose members' words stand for the network's."""


class IncidentFault(Exception):
    """Why nothing can be replayed: what, and what to do."""


@dataclass(frozen=True)
class Past:
    """One line of history, in seconds since the first malicious transaction."""

    at_s: float
    says: str


@dataclass(frozen=True)
class Incident:
    """`names`: everything that the asset it is about is called. Times count from the first malicious transaction, or,
    `by_words`, from the first word. `after_ms`: from the one to the other, None where nobody measured it. `borrowed`:
    the pack that the words are of, "" where they are its own. `deeds_s`: when the attacker did something, the first
    one included."""

    name: str
    says: str
    recording: Recording
    names: frozenset[str]
    t0: str = ""
    after_ms: int | None = None
    by_words: bool = False
    borrowed: str = ""
    history: tuple[Past, ...] = ()
    deeds_s: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()


def load(written: str, words: str = "") -> Incident:
    """`words`: a pack or recording whose words are taken instead. IncidentFault."""
    from node.testnet.scenario import pack_names

    if written in pack_names():
        return _of_pack(written, words or written)
    path = Path(written)
    text = _read(path)
    if path.suffix == ".toml":
        beside = path.with_name(path.name.removesuffix(".toml") + SUFFIX)
        return _of_pack(written, words or str(beside))
    told = _json(text, written)
    if isinstance(told, list):
        return _with_words(_of_events(written, told), words)
    if "opinions" in told:
        return _of_recording(written, text, told)
    if "incident" in told:
        return _of_record(written, told, words)
    raise IncidentFault(
        f"{written}: is no pack, recording, incident or list of events; packs: {', '.join(pack_names())}"
    )


def _read(path: Path) -> str:
    from node.testnet.scenario import pack_names

    try:
        with path.open("rb") as file:
            raw = file.read(FILE_BYTES_MAX + 1)
        if len(raw) > FILE_BYTES_MAX:
            raise IncidentFault(f"{path}: is over {FILE_BYTES_MAX} bytes; cut it to one incident")
        return raw.decode("utf-8")
    except OSError as error:
        known = ", ".join(pack_names())
        raise IncidentFault(f"{path}: {error.strerror}; name a file, or one of the packs: {known}") from None
    except UnicodeDecodeError:
        raise IncidentFault(f"{path}: is not UTF-8; give a pack, a recording or a list of events") from None


def _json(text: str, where: str) -> Any:
    """An object; or a list of events, from a list, from `{"events": [...]}` or from one object a line."""
    if _depth(text) > DEPTH_MAX:
        raise IncidentFault(f"{where}: is nested deeper than {DEPTH_MAX}; no recording and no list of events is")
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        try:
            told = [json.loads(line) for line in text.splitlines() if line.strip()]
        except (ValueError, RecursionError):
            raise IncidentFault(f"{where}: is neither JSON nor JSON lines; give what the node wrote, whole") from None
    if isinstance(told, dict) and isinstance(told.get("events"), list) and "incident" not in told:
        told = told["events"]
    if not isinstance(told, dict | list):
        raise IncidentFault(f"{where}: holds no object; give a recording, an incident or a list of events")
    return told


def _depth(text: str) -> int:
    """Counted before it is parsed: where a library raised the limit of recursion, deep nesting ends the process."""
    depth = deepest = 0
    for mark in _MARKS.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(mark[0], 0)
        deepest = max(deepest, depth)
    return deepest


def _of_pack(written: str, words: str) -> Incident:
    from node.testnet.scenario import ScenarioFaults, load

    try:
        pack = load(written)
    except ScenarioFaults as error:
        raise IncidentFault("\n  ".join([f"{error.source}:", *map(str, error.faults)])) from None
    said = _words(words)
    facts = [fact for fact in pack.facts.values() if fact.at_s is not None]
    real = frozenset(fact.subject for fact in pack.facts.values() if fact.subject)
    attacks = [one for one in pack.events if one.who == "attacker"]
    return replace(
        said,
        name=pack.id,
        says=pack.says,
        names=said.names | real,
        t0=pack.run.t0,
        borrowed="" if said.name == pack.id else said.name,
        history=tuple(Past(one.at_s or 0.0, one.say) for one in sorted(facts, key=lambda one: one.at_s or 0.0)),
        deeds_s=tuple(step.history_s for step in pack.steps(attacks, seed=1)),
        notes=tuple(filter(None, [pack.hindsight()])),
    )


def _words(words: str) -> Incident:
    """A recording by the name of its pack, or by its path."""
    folder = importlib.resources.files("deploy") / "scenarios"
    here = folder / f"{words}{SUFFIX}"
    if "/" not in words and here.is_file():
        text = here.read_text("utf-8")
    else:
        text = _read(Path(words))
    return _of_recording(words, text, _json(text, words))


def _of_recording(where: str, text: str, told: Any) -> Incident:
    if len(text) > RECORDING_BYTES_MAX:
        raise IncidentFault(f"{where}: is over {RECORDING_BYTES_MAX} bytes; record a shorter run")
    try:
        recording = parse_recording(text)
    except ProtocolError as error:
        raise IncidentFault(f"{where}: {error}; `tocsin testnet --opinions FILE` writes one") from None
    if not recording.words:
        raise IncidentFault(f"{where}: nobody says anything in it; nothing would be decided")
    things = told.get("things")
    named = {str(one) for one in things.values()} if isinstance(things, dict) else set()
    after_ms = told.get("after_ms")
    known = type(after_ms) is int and 0 <= after_ms <= AFTER_MS_MAX
    subjects = {str(word.topic[0]) for word in recording.words}
    return Incident(
        recording.pack,
        f"what {recording.seats} members said when {recording.pack} was played",
        recording,
        frozenset(subjects | named),
        after_ms=after_ms if known else None,
    )


def _with_words(one: Incident, words: str) -> Incident:
    if not words:
        return one
    said = _words(words)
    return replace(one, recording=said.recording, borrowed=said.name)


def _of_events(where: str, told: list[Any]) -> Incident:
    """Own words of every member, as one node tells them in `GET /v1/events`."""
    rows = [one for one in told[: 10 * EVENTS_MAX] if isinstance(one, dict) and one.get("kind") == "attestation"]
    known = {(one.get("author"), one.get("seq"), one.get("issued_ms")): one for one in rows}
    said = [one for one in known.values() if type(one.get("issued_ms")) is int and isinstance(one.get("author"), str)]
    if not said:
        raise IncidentFault(f"{where}: no attestation is among these events; `GET /v1/events` tells them")
    if len(said) > EVENTS_MAX:
        raise IncidentFault(f"{where}: over {EVENTS_MAX} attestations; cut it to one incident")
    said.sort(key=lambda one: (one["issued_ms"], one["author"]))
    seats = {name: seat for seat, name in enumerate(dict.fromkeys(one["author"] for one in said))}
    first_ms = said[0]["issued_ms"]
    rows_out = [
        [
            seats[one["author"]],
            one["issued_ms"] - first_ms,
            one.get("subject"),
            int(threat_from_word(str(one.get("threat"))) or 0),
            one.get("level"),
            one.get("basis"),
        ]
        for one in said
    ]
    text = json.dumps({"opinions": 1, "pack": "events", "seats": len(seats), "rows": rows_out})
    found = _of_recording(where, text, {})
    begun = datetime.datetime.fromtimestamp(first_ms / 1000, datetime.UTC) if 0 < first_ms < 1 << 42 else None
    t0 = "" if begun is None else begun.isoformat(timespec="seconds").replace("+00:00", "Z")
    return replace(found, name=where, says=f"what {len(seats)} members said", t0=t0, by_words=True)


def _of_record(where: str, told: Mapping[str, Any], words: str) -> Incident:
    """A timeline of a real incident: `incident`, `class`, `asset`, `events` with `t`, `kind` and `what`."""
    kind = str(told.get("class", ""))
    like = words or next((pack for word, pack in LIKE.items() if word in kind.lower()), "")
    if not like:
        raise IncidentFault(f"{where}: of what kind it is is not known here; add --words with a pack of the same kind")
    events = told.get("events")
    dated = [row for one in (events if isinstance(events, list) else [])[:EVENTS_MAX] if (row := _dated(one))]
    begun = next((at for at, is_first, _ in dated if is_first), None)
    if begun is None:
        raise IncidentFault(f"{where}: no event of kind {BEGINS} with a time; from it all times are counted")
    said = _words(like)
    history = sorted((Past((at - begun).total_seconds(), says) for at, _, says in dated), key=lambda one: one.at_s)
    return Incident(
        _short(told.get("incident")),
        _short(kind),
        said.recording,
        _names_of(told.get("asset")),
        begun.isoformat().replace("+00:00", "Z"),
        said.after_ms,
        borrowed=said.name,
        history=tuple(one for one in history if one.at_s >= 0),
    )


def _dated(one: Any) -> tuple[datetime.datetime, bool, str] | None:
    if not isinstance(one, dict) or not isinstance(one.get("t"), str):
        return None
    try:
        at = datetime.datetime.fromisoformat(one["t"])
    except ValueError:
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=datetime.UTC)
    return at, one.get("kind") == BEGINS, _short(one.get("what"))


def _names_of(asset: Any) -> frozenset[str]:
    if not isinstance(asset, dict):
        return frozenset()
    symbol, token, chain = (str(asset.get(key, "")) for key in ("symbol", "token", "chain"))
    found = {symbol.lower()} if symbol else set()
    number = {"ethereum": "1", "optimism": "10", "unichain": "130", "base": "8453", "arbitrum": "42161"}.get(chain)
    try:
        found.add(str(from_text(f"eip155:{number}/erc20:{token.lower()}")))
    except ProtocolError:
        return frozenset(found)
    return frozenset(found)


def _short(text: Any) -> str:
    return str(text)[:TEXT_CHARS_MAX] if text is not None else ""
