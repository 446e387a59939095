"""Whom this node hears, since when, and what it does about the others: for the log and `tocsin status`.

The machine decides by what it hears; this only says so. Times are milliseconds of the wall clock, UTC.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import trio

from node.loop import now
from node.machine.expiry import own_warning
from node.machine.state import State
from node.machine.views import margin_word
from node.transport.api import PeerStatus
from protocol.ids import MemberName

if TYPE_CHECKING:
    from node.app import Node

log = logging.getLogger("tocsin.node")
WATCH_HEARING_S = 1.0
SETTLING_S = 5.0
"""After a start the first connections are still being made."""
AGAIN_S = 60.0
"""How often a node that stays blind says so again."""
DOING_CHARS_MAX = 160


@dataclass(frozen=True)
class Heard:
    """One other member now. `since_ms`: since when it is up, or silent. `ahead_ms`: its clock minus ours, None: not
    heard yet. `doing`: what the transport does to reach it."""

    member: MemberName
    up: bool
    since_ms: int
    doing: str
    last_word_ms: int | None
    ahead_ms: int | None


def members_heard(state: State, peers: Iterable[PeerStatus], now_ms: int) -> list[Heard]:
    """Every member of the epoch but ourselves, in order."""
    by_peer = {one.peer_id: one for one in peers if not one.observer}
    up = state.up_members()
    return [
        _heard(state, one.name, one.name in up, by_peer, now_ms)
        for one in sorted(state.epoch.members, key=lambda one: one.name)
        if one.name != state.me
    ]


def _heard(state: State, name: MemberName, up: bool, by_peer: Mapping[str, PeerStatus], now_ms: int) -> Heard:
    versions = state.keysets.get(name, {})
    ids = versions[max(versions)].keyset.transport if versions else ()
    links = [by_peer[peer_id] for peer_id in ids if peer_id in by_peer]
    links = [one for one in links if one.up] or links if up else links
    since_s = min((one.since_s for one in links), default=0.0)
    doing = next((one.dialling for one in links), "no identity of it is known, so nobody is dialled")
    rtts = [one.rtt_ms for one in links if one.up and one.rtt_ms is not None]
    return Heard(
        name,
        up,
        now_ms - int(since_s * 1000),
        doing[:DOING_CHARS_MAX],
        state.last_word_ms.get(name),
        ahead_ms(state, name, min(rtts, default=0.0)),
    )


def ahead_ms(state: State, name: MemberName, rtt_ms: float) -> int | None:
    """A member's clock minus ours, by its last Heartbeat on its own connection and half a round trip for the way."""
    behind_ms = state.behind_ms.get(name)
    return None if behind_ms is None else round(rtt_ms / 2) - behind_ms - state.ahead_ms


def clock(at_ms: int) -> str:
    return time.strftime("%H:%M:%S", time.gmtime(at_ms / 1000))


def sentence(state: State, heard: Iterable[Heard]) -> str:
    """`blind: hears 3 of 5, needs 4; lender-b, oracle silent since 12:04:11; dialling: lender-b (…), oracle (…)`."""
    word = margin_word(state)
    parts = [f"{word + ': ' if word else ''}hears {state.heard_groups()} of {state.epoch.n}, needs {state.epoch.q}"]
    silent = [one for one in heard if not one.up]
    since: dict[str, list[str]] = {}
    for one in sorted(silent, key=lambda one: one.since_ms):
        since.setdefault(clock(one.since_ms), []).append(one.member)
    parts += [f"{', '.join(sorted(names))} silent since {at}" for at, names in since.items()]
    if silent:
        parts.append("dialling: " + ", ".join(f"{one.member} ({one.doing})" for one in silent))
    return "; ".join(parts)


@dataclass
class Crier:
    """Decides when a line is worth the log: at each change of who is heard, and each minute while blind."""

    skew_max_ms: int
    _last: tuple[bool, tuple[str, ...]] = (False, ())
    _said_s: float = 0.0
    _skewed: dict[str, bool] = field(default_factory=dict)
    _expiry: tuple[int, int | None] = (-1, None)

    def lines(self, state: State, heard: list[Heard], up_s: float) -> list[tuple[bool, str]]:
        """(is a warning, line). `up_s`: seconds since the start."""
        found = [*self._clocks(heard), *self._key(state)]
        silent = tuple(one.member for one in heard if not one.up)
        now = (state.blind(), silent)
        again = state.blind() and up_s - self._said_s >= AGAIN_S
        if up_s >= SETTLING_S and (now != self._last or again):
            self._last, self._said_s = now, up_s
            found.append((bool(silent), sentence(state, heard)))
        return found

    def _key(self, state: State) -> Iterable[tuple[bool, str]]:
        """Our own delegation: 30, 7 and 1 days before its end, and then."""
        if state.expiry_said != self._expiry:
            self._expiry = state.expiry_said
            words = own_warning(state)
            if words:
                yield True, words

    def _clocks(self, heard: list[Heard]) -> Iterable[tuple[bool, str]]:
        for one in heard:
            off = one.ahead_ms is not None and abs(one.ahead_ms) > self.skew_max_ms
            if off != self._skewed.get(one.member, False):
                self._skewed[one.member] = off
                yield off, skew_words(one, self.skew_max_ms)


def skew_words(one: Heard, most_ms: int) -> str:
    ahead = one.ahead_ms or 0
    where = f"{abs(ahead)} ms {'ahead of' if ahead > 0 else 'behind'} ours"
    if abs(ahead) <= most_ms:
        return f"the clock of {one.member} is well again: {where}"
    return f"the clock of {one.member} is {where}, {most_ms} ms are allowed: one of the two is wrong"


def told(heard: Heard, most_ms: int) -> dict[str, Any]:
    """As JSON, beside what the transport says of the same peer."""
    off = heard.ahead_ms is not None and abs(heard.ahead_ms) > most_ms
    return {
        "since_ms": heard.since_ms,
        "last_word_ms": heard.last_word_ms,
        "clock_ahead_ms": heard.ahead_ms,
        "clock_warning": skew_words(heard, most_ms) if off else "",
    }


async def watch_hearing(node: Node) -> None:
    """Which members are silent, since when, and what is done about it: said when it changes."""
    crier = Crier(node.parts.config.clock.skew_max_ms)
    while True:
        await trio.sleep(WATCH_HEARING_S)
        state = node.machine.state
        heard = members_heard(state, node.transport.status(), now().wall_ms)
        for warns, line in crier.lines(state, heard, time.monotonic() - node.started):
            log.log(logging.WARNING if warns else logging.INFO, "%s", line)
