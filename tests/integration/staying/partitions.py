"""Partitions and heals: fewer than Q groups never form an ISOLATE or HALT certificate, and after the heal everything is
everywhere.

Each round cuts the network, has members raise alarms while it is cut, looks at what each accepted, and heals it. Two
kinds of subject: `split` ones that every member raises, so that together they would be enough but no side that is cut
is, and `short` ones that Q − 1 members raise, which must never form, healed or not. A try is one subject at one side.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.integration.staying.crowd import Crowd, subject, until
from tests.integration.staying.links import Way, between

FLAP_S = 0.5
"""Cut and whole for half a second each: 1 Hz."""
FLAPS = 3
WORDS_S = 0.7
"""Long enough for every word to be everywhere that it can reach: within a side that takes milliseconds."""
NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class Cut:
    """`small`: the sides of fewer than Q groups that hear nobody else. `hold_s`: how long before words are said; links
    that carry nothing are given up after six to eight seconds."""

    kind: str
    ways: tuple[Way, ...]
    small: tuple[tuple[str, ...], ...]
    hold_s: float = 0.0
    refuse: bool = False
    flaps: bool = False


@dataclass
class Tally:
    """What was tried and seen. `violations` in words; `heal_ms` by kind."""

    tries: int = 0
    rounds: int = 0
    violations: list[str] = field(default_factory=list)
    heal_ms: dict[str, list[float]] = field(default_factory=dict)
    links_ms: list[float] = field(default_factory=list)
    """Until all heard all again: the part of `heal_ms` that is the transport's."""
    cpu_s: list[float] = field(default_factory=list)
    """Of all members together over each heal: on a busy machine the wall clock measures the others."""
    certificates: int = 0

    def all_heals(self) -> list[float]:
        return sorted(one for some in self.heal_ms.values() for one in some)


def cuts(one: Crowd, rng: random.Random) -> Iterator[Cut]:
    """Halves, three quarters, one way, flapping, over and over, with others in each part each time."""
    n = len(one.all)
    for turn in itertools.count():
        names = list(one.all)
        rng.shuffle(names)
        half, few = (names[: n // 2], names[n // 2 :]), (names[: n - one.q + 1], names[n - one.q + 1 :])
        quarter = (names[: max(1, n // 4)], names[max(1, n // 4) :])
        hold_s = (0.0, 9.0, 3.0)[turn % 3]
        yield Cut("halves", tuple(between(half)), _small(one, half), hold_s, refuse=turn % 2 == 1)
        yield Cut("three quarters", tuple(between(quarter)), _small(one, quarter), hold_s)
        deaf = few[0]  # hears nobody else, and is heard: those who hear may count it
        ways = tuple((a, b) for a in few[1] for b in deaf)
        yield Cut("one way", ways, (tuple(deaf),), hold_s)
        yield Cut("flapping", tuple(between(half)), (), flaps=True)


def _small(one: Crowd, sides: tuple[list[str], ...]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(side) for side in sides if len(side) < one.q)


def play(one: Crowd, cut: Cut, tally: Tally, rng: random.Random, subjects: int, within_s: float) -> None:
    """One round. AssertionError only where the heal does not come; what may not be is in `tally.violations`."""
    levels = {subject(next(NUMBERS)): "HALT" if number % 8 == 3 else "ISOLATE" for number in range(subjects)}
    short = dict(list(levels.items())[: max(1, subjects // 4)])
    split = {name: level for name, level in levels.items() if name not in short}
    saying = {name: [one.all[at] for at in sorted(rng.sample(range(len(one.all)), one.q - 1))] for name in short}
    words = {
        member: [*split.items(), *((name, level) for name, level in short.items() if member in saying[name])]
        for member in one.all
    }
    for some in words.values():
        rng.shuffle(some)
    if cut.flaps:
        _flap(one, cut, words)
    else:
        (one.wires.refuse if cut.refuse else one.wires.cut)(*cut.ways)
        time.sleep(cut.hold_s)
        one.say(words)
        time.sleep(WORDS_S)
        one.listen()
        for side in cut.small:
            _nothing_formed(one, side, split, cut.kind, tally)
    tops = one.tops()
    used_s = one.cpu_s()
    one.wires.heal()
    links_ms = until("all hear all", lambda: apart(one), within_s)
    tally.links_ms.append(links_ms)
    took_ms = links_ms + until("everything everywhere", lambda: missing(one, split, tops), within_s)
    tally.cpu_s.append(one.cpu_s() - used_s)
    tally.heal_ms.setdefault(cut.kind, []).append(took_ms)
    time.sleep(0.3)
    one.listen()
    tally.rounds += 1
    tally.tries += len(split) * len(cut.small) + len(short)
    _only_with_a_quorum(one, words, cut.kind, tally)


def _flap(one: Crowd, cut: Cut, words: dict[str, list[tuple[str, str]]]) -> None:
    """Words are said while it flaps, some in each cut."""
    parts = FLAPS
    for part in range(parts):
        one.wires.cut(*cut.ways)
        began = time.monotonic()
        one.say({member: some[part::parts] for member, some in words.items()})
        time.sleep(max(0.0, FLAP_S - (time.monotonic() - began)))
        one.wires.heal()
        time.sleep(FLAP_S)


def _nothing_formed(one: Crowd, side: tuple[str, ...], split: dict[str, str], kind: str, tally: Tally) -> None:
    for member in side:
        for name, level in split.items():
            signers = one.certified[member].get((name, level))
            if signers is not None:
                tally.violations.append(f"{kind}: {member}, among {len(side)}, accepted {level} on {name} by {signers}")


def apart(one: Crowd) -> str:
    hears = one.hears()
    return "" if set(hears.values()) == {len(one.all)} else f"heard: {hears}"


def missing(one: Crowd, split: dict[str, str], tops: dict[str, int]) -> str:
    """What is not everywhere yet, in words; "" where everything is."""
    one.listen()
    short = {member: sum(what not in held for what in split.items()) for member, held in one.certified.items()}
    if any(short.values()):
        return f"certificates missing: {short}"
    lacking = one.lacking(tops)
    return f"entries missing: {lacking}" if lacking else ""


def _only_with_a_quorum(one: Crowd, words: dict[str, list[tuple[str, str]]], kind: str, tally: Tally) -> None:
    """Whatever was ever accepted has Q signers, each of whom said it."""
    said = {(name, level, member) for member, some in words.items() for name, level in some}
    names = {name for name, _, _ in said}
    for member, held in one.certified.items():
        for (name, level), signers in held.items():
            if name not in names:
                continue
            tally.certificates += 1
            liars = [signer for signer in signers if (name, level, signer) not in said]
            if len(set(signers)) < one.q or liars:
                tally.violations.append(
                    f"{kind}: {member} accepted {level} on {name} by {signers}, not said by {liars}"
                )


def campaign(
    one: Crowd,
    tries: int,
    seed: int,
    subjects: int,
    within_s: float,
    told: Callable[[Cut, Tally], None] = lambda cut, tally: None,
) -> Tally:
    """Rounds until so many tries were made."""
    rng, tally = random.Random(seed), Tally()
    for cut in cuts(one, rng):
        play(one, cut, tally, rng, subjects, within_s)
        told(cut, tally)
        if tally.tries >= tries:
            break
    return tally
