"""What peers did that was refused, by peer and code; and what follows: a peer that goes on spoiling bytes is cut off.

It comes back through the transport's pause, which doubles each time. What it merely passes on is never held against it:
where members know different KeySets, sound bytes look spoilt to some.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from node.ingress import Bucket
from node.machine.state import State
from node.transport.api import Misbehaved

LOOK_S = 0.2
OFFENCES = (16.0, 0.1)
"""Burst and steady rate of offences of one peer before it is cut off: a bit may flip, nobody flips one a second."""
ROWS_MAX = 4_096
ROWS_SHOWN_MAX = 64
STRANGERS = "strangers"
"""All whom nobody allowed, in one row: each of them could have a thousand names."""
_CODES = (
    ("is not on the allow-list", "stranger"),
    ("announced ", "frame-size"),
    ("asked for one protocol", "endless-talk"),
    ("sent a control frame", "control-frame"),
    ("opened too many streams", "stream-flood"),
    ("opened the same stream", "stream-twice"),
    ("broke a stream", "broken-stream"),
    ("sent a gossip message", "bad-gossip"),
    ("forwarded a message", "bad-gossip"),
    ("exceeded its gossip budget", "gossip-budget"),
    ("flooded gossip", "gossip-flood"),
    ("pushed more bytes", "window"),
    ("ignored the receive window", "window"),
    ("no answer to", "no-pong"),
    ("pinged more often", "ping-flood"),
    ("sent more frames", "frame-flood"),
    ("spoke of a gossip topic", "unknown-topic"),
    ("goes on sending what is spoilt", "cut-off"),
)
"""How the transport's words begin → the code they are counted under; the rest is `wire`."""

_WIRE_OFFENCES = frozenset(
    {"stream-flood", "stream-twice", "bad-gossip", "unknown-topic", "window", "endless-talk", "frame-flood"}
)
"""What the transport refuses and bears, and no honest peer does: a flood that it was made to pass on is none. What is
left ends the connection by itself."""


def code_of(why: str) -> str:
    return next((code for begins, code in _CODES if why.startswith(begins)), "wire")


@dataclass
class Row:
    count: int = 0
    last_ms: int = 0


@dataclass
class Discipline:
    """`cut_off(peer, why)` ends a connection with a pause before the next."""

    cut_off: Callable[[str, str], None]
    rows: dict[tuple[str, str], Row] = field(default_factory=dict)
    _on_wire: dict[str, int] = field(default_factory=dict)
    _offences: dict[str, tuple[int, Bucket]] = field(default_factory=dict)

    def misbehaved(self, event: Misbehaved, now_ms: int) -> None:
        """What the wire layer refused."""
        code = code_of(event.why)
        peer = STRANGERS if code == "stranger" else event.peer_id
        row = self._row(peer, code)
        row.count, row.last_ms = row.count + 1, now_ms
        if code in _WIRE_OFFENCES and (peer in self._on_wire or len(self._on_wire) < ROWS_MAX):
            self._on_wire[peer] = self._on_wire.get(peer, 0) + 1

    def strangers(self, totals: Mapping[str, int], now_ms: int) -> None:
        """The transport's own running totals."""
        for code, count in totals.items():
            if count:
                self._stands_at(STRANGERS, code, count, now_ms)

    def look(self, state: State, now_ms: int, mono_ms: int) -> None:
        """What the machine refused since the last look. `now_ms` is the wall clock, for people."""
        for peer, codes in state.refusals_by_peer.items():
            for code, count in codes.items():
                self._stands_at(peer, code, count, now_ms)
        for peer in state.offences.keys() | self._on_wire.keys():
            count = state.offences.get(peer, 0) + self._on_wire.get(peer, 0)
            before, bucket = self._offences.get(peer, (0, Bucket(*OFFENCES)))
            affordable = all(bucket.take(1, mono_ms) for _ in range(min(count - before, int(OFFENCES[0]) + 1)))
            self._offences[peer] = (count, bucket)
            if not affordable:
                self.cut_off(peer, "goes on sending what is spoilt")

    def _stands_at(self, peer: str, code: str, count: int, now_ms: int) -> None:
        row = self._row(peer, code)
        if row.count != count:
            row.count, row.last_ms = count, now_ms

    def _row(self, peer: str, code: str) -> Row:
        key = (peer, code)
        if key not in self.rows and len(self.rows) >= ROWS_MAX:
            return Row()
        return self.rows.setdefault(key, Row())

    def shown(self, state: State) -> list[dict[str, Any]]:
        """`{peer, member, code, count, last_ms}`, the most frequent first, at most 64."""
        told = [
            {"peer": peer, "member": state.member_of(peer) or "", "code": code, **asdict(row)}
            for (peer, code), row in self.rows.items()
        ]
        return sorted(told, key=lambda row: (-row["count"], row["peer"], row["code"]))[:ROWS_SHOWN_MAX]
