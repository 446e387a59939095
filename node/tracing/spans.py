"""A span as a value, and the names of traces: the same on every node without a word about them on the wire. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from protocol.codec import encode
from protocol.crypto import sha256
from protocol.messages import Attestation, Level, Tlp
from protocol.release import Topic

Value = str | bool | int | float | tuple[str, ...]
Attributes = Mapping[str, Value]
First = tuple[str, bytes]
"""What an alarm began with: (type, id) of a claim, or of a word without one its author and since when it holds."""
ROOT = bytes(8)
TRACE_BYTES, SPAN_BYTES = 16, 8
TEXT_CHARS_MAX = 300


@dataclass(frozen=True)
class Span:
    """Times in ns since 1970, UTC, by this machine's clock. `parent` is ROOT for the span of a whole alarm. `failed`:
    why, where its status is ERROR. `links`: other traces by which a node may know the same alarm."""

    name: str
    trace_id: bytes
    span_id: bytes
    parent: bytes
    start_ns: int
    end_ns: int
    attributes: Attributes
    failed: str = ""
    links: tuple[bytes, ...] = ()


@dataclass
class Draft:
    """A span in the making. `guarded`: what names the subject, the incident or a claim, and texts, which may."""

    name: str
    span_id: bytes
    parent: bytes
    start_ns: int
    end_ns: int = 0
    attributes: dict[str, Value] = field(default_factory=dict)
    guarded: dict[str, Value] = field(default_factory=dict)
    failed: str = ""


@dataclass(frozen=True)
class Word:
    """One member's attestation, as far as a trace tells of it. `own`: said here."""

    author: str
    own: bool
    level: Level
    basis: str
    tlp: Tlp
    claims: tuple[tuple[str, bytes], ...]
    incident: str
    by_person: bool
    since_ms: int

    @property
    def first(self) -> First:
        return min(self.claims, default=(f"person {self.author}", self.since_ms.to_bytes(8, "big")))


def word_of(author: str, own: bool, body: Attestation) -> Word:
    claims = tuple((one.type, one.id) for one in body.claims)
    said = (body.level, body.basis.name, body.tlp, claims, body.incident, body.by_person, body.since_ms)
    return Word(author, own, *said)


def trace_of(network: bytes, topic: Topic, first: First) -> bytes:
    """Of an alarm in a network: half of a hash, bound to this use of it."""
    named = encode(["tocsin/1/trace", network, topic[0].raw, topic[1], *first])
    return sha256(named)[:TRACE_BYTES]


def span_of(member: str, topic: Topic, began_ns: int, number: int) -> bytes:
    """The `number`-th span of what this member began at `began_ns`: no two nodes or lives have one in common."""
    named = encode(["tocsin/1/span", member, topic[0].raw, topic[1], began_ns, number])
    return sha256(named)[:SPAN_BYTES]


def cut(text: str) -> str:
    return text if len(text) <= TEXT_CHARS_MAX else text[: TEXT_CHARS_MAX - 1] + "…"
