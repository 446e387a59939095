"""Seeded networks that order one value: delays, partitions, crashes, and f liars who know everything.

A world is its seed. Until `calm_ms` the network delays as it likes; from then on everything arrives soon. What an
honest member holds reaches every other, as feeds make it; of a liar's words in one place two do, and others may stay
with whom they were told to. `play` raises Broken where two honest members decide differently, where junk is decided,
where an honest member could be proven an equivocator, and where it does not end.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from governance.lock import pack_lock, parse_lock
from governance.ordering import Decided, Output, Pace, Say
from governance.rounds import Rounds
from protocol.envelope import Verified
from protocol.feed import ballot_of, value_of
from protocol.ids import MemberName
from protocol.messages import NOTHING, Commit, Prepare, Propose, Vote, value_hash
from tests.unit.protocol import world

PACE = Pace(propose_ms=1_000, prepare_ms=500, commit_ms=500, more_ms=200)
GOOD = (b"\x01", b"\x02", b"\x03")
JUNK = (b"\x71", b"\x72")
SOON_MS = 300
ENDS_MS = 900_000
EVENTS_MAX = 60_000
Heard = Callable[[Rounds, int], list[Output]]
"""What a member learned, as its rounds are told of it: now, and again after a restart."""
WAYS = ("silent", "split", "flatter", "flatter", "lie", "lie", "ahead", "forgets")


class Broken(AssertionError):
    """What must hold does not."""


@dataclass
class Ledger:
    """Which values this member may prepare by now; what it would propose."""

    likes: bytes
    known: set[bytes] = field(default_factory=set)
    vetoed: set[bytes] = field(default_factory=set)

    def value(self, turn: int = 0) -> bytes | None:
        return self.likes if self.likes in self.known else None

    def valid(self, value: bytes, prepared: bool) -> bool:
        """Some of what is good is refused by some while a quorum has not prepared it, as with vetoes."""
        return value in self.known and (prepared or value not in self.vetoed)


class Honest:
    """A member as shipped. `lock` and `store` are durable, all else dies with the process."""

    def __init__(self, net: Network, name: MemberName, likes: bytes) -> None:
        self.net, self.name, self.ledger = net, name, Ledger(likes)
        self.lock: bytes | None = None
        self.store: list[Heard] = []
        self.missed: list[Heard] = []
        self.version = 1
        self.up = False
        self.forgets = False
        self.decided: bytes | None = None
        self.own: list[Verified[Any]] = []

    def start(self) -> None:
        if self.forgets:
            self.lock, self.store = None, []
        lock = parse_lock(self.lock) if self.lock is not None else None
        self.rounds = Rounds(self.net.epoch, self.name, self.ledger, lock, PACE)
        self.up = True
        for told in self.store:
            told(self.rounds, self.net.now_ms)
        self.act(self.rounds.start(self.net.now_ms))
        missed, self.missed = self.missed, []
        for told in missed:
            self.learn(told)

    def crash(self) -> None:
        self.up = False

    def hear(self, entry: Verified[Any]) -> None:
        self.learn(lambda rounds, now_ms: rounds.heard(entry, now_ms))

    def learn(self, told: Heard) -> None:
        if not self.up:
            self.missed.append(told)
            return
        self.store.append(told)
        self.act(told(self.rounds, self.net.now_ms))

    def tick(self) -> None:
        if self.up:
            self.act(self.rounds.tick(self.net.now_ms))

    def act(self, outputs: list[Output]) -> None:
        for one in outputs:
            if not self.up:
                return
            if isinstance(one, Decided):
                self.net.was_decided(self, one)
            elif isinstance(one, Say):
                self.say(one)
        wake_ms = self.rounds.wake_ms
        if self.up and wake_ms is not None:
            self.net.at(max(wake_ms, self.net.now_ms + 1), self.tick)

    def say(self, one: Say) -> None:
        """Lock and entry are one commit: a crash comes before it, or before anything left."""
        if self.net.crashes_here():
            self.crash()
            return
        self.lock = pack_lock(one.lock)
        entry = world.sealed(self.name, one.body, seq=len(self.own), version=self.version)
        self.own.append(entry)
        self.store.append(lambda rounds, now_ms: rounds.heard(entry, now_ms))
        self.net.spread(self, entry)
        if self.net.crashes_here():
            self.crash()
            return
        self.act(self.rounds.heard(entry, self.net.now_ms))


class Network:
    def __init__(self, seed: int, n: int) -> None:
        self.random = random.Random(seed)
        self.epoch = world.epoch(n)
        self.now_ms = 0
        self.queue: list[tuple[int, int, Callable[[], None]]] = []
        self.count = itertools.count()
        self.calm_ms = self.random.choice((0, 20_000, 60_000, 90_000))
        self.late_share = self.random.choice((0.05, 0.2, 0.35, 0.5))
        self.proofs_late = self.random.random() < 0.7
        self.crash_share = self.random.choice((0.0, 0.0, 0.02, 0.1))
        names = [member.name for member in self.epoch.members]
        self.liars = self.random.sample(names, self.epoch.f)
        self.ways = {name: self.random.choice(WAYS) for name in self.liars}
        self.side = {name: self.random.randrange(2) for name in names}
        self.split = self.random.random() < 0.2
        same = self.random.random() < 0.2
        vetoes = self.random.random() < 0.3
        self.members: dict[MemberName, Honest] = {}
        for name in names:
            if self.ways.get(name, "forgets") == "forgets":
                likes = GOOD[0] if same else self.random.choice(GOOD[:2] if vetoes else GOOD)
                self.members[name] = Honest(self, name, likes)
                if vetoes and self.random.random() < 0.5:
                    self.members[name].ledger.vetoed.add(GOOD[2])
                self.members[name].forgets = name in self.ways
        self.value: bytes | None = None
        self.told: dict[tuple[Any, ...], set[bytes]] = {}
        self.sealed: dict[tuple[Any, ...], Verified[Any]] = {}
        self.lies = 60 * n
        self.restarting: set[MemberName] = set()

    # ---- time

    def at(self, at_ms: int, action: Callable[[], None]) -> None:
        heapq.heappush(self.queue, (at_ms, next(self.count), action))

    def delay_ms(self, one: MemberName, other: MemberName) -> int:
        soon_ms = self.random.randrange(10, SOON_MS)
        if self.now_ms >= self.calm_ms:
            return soon_ms
        apart = self.split and self.side[one] != self.side[other]
        if apart or self.random.random() < self.late_share:
            return min(self.calm_ms - self.now_ms, self.random.choice((1_000, 5_000, 90_000))) + soon_ms
        return soon_ms

    def crashes_here(self) -> bool:
        return self.now_ms < self.calm_ms and self.random.random() < self.crash_share

    # ---- words

    def spread(self, by: Honest, entry: Verified[Any]) -> None:
        for name, other in self.members.items():
            if other is not by:
                self.at(self.now_ms + self.delay_ms(by.name, name), lambda other=other: other.hear(entry))
        self.at(self.now_ms + self.random.randrange(1, 50), lambda: self.provoke(entry.body))

    def lie(self, liar: MemberName, body: Vote, *, to: list[Honest]) -> None:
        entry = self.sealed.setdefault((liar, body), world.sealed(liar, body, seq=len(self.sealed)))
        place = self.told.setdefault((liar, *(ballot_of(entry) or ())), set())
        for one in to:
            self.at(self.now_ms + self.random.randrange(1, 100), lambda one=one: one.hear(entry))
        if len(place) < 2 or self.random.random() < 0.5:
            place.add(value_of(entry))
            for one in self.members.values():
                if one not in to:
                    wait_ms = self.random.randrange(100, 5_000) + max(0, self.calm_ms - self.now_ms)
                    self.at(self.now_ms + wait_ms, lambda one=one: one.hear(entry))

    def provoke(self, body: Vote) -> None:
        """An honest word was said: the liars answer it, each in its way."""
        for liar, way in self.ways.items():
            if way in ("silent", "forgets") or self.lies <= 0 or self.random.random() < 0.5:
                continue
            self.lies -= 1
            everyone = list(self.members.values())
            side = self.random.randrange(2)
            half = [one for one in everyone if self.side[one.name] == side]
            rest = [one for one in everyone if one not in half]
            round_ = body.round
            if self.epoch.groups[(round_ + 1) % self.epoch.n] == self.epoch.group_of(liar):
                self._propose(liar, round_ + 1, half, rest, way)
            if way == "flatter":
                self._flatter(liar, round_, everyone)
            elif way == "ahead":
                far = round_ + self.random.choice((1, 2, 20, 1 << 40))
                self.lie(liar, Prepare(self.epoch.hash, far, NOTHING), to=everyone)
                self.lie(liar, Commit(self.epoch.hash, far, NOTHING), to=everyone)
            else:
                for to in (half, rest):
                    named = self.random.choice([NOTHING, *map(value_hash, GOOD), value_hash(JUNK[0])])
                    kind = self.random.choice((Prepare, Commit))
                    self.lie(liar, kind(self.epoch.hash, round_, named), to=to)

    def _flatter(self, liar: MemberName, round_: int, everyone: list[Honest]) -> None:
        """To each what it would like to hear: its own vote, twice."""
        for one in everyone:
            lock = one.rounds.lock if one.up else None
            if lock is not None and lock.round == round_ and lock.prepared is not None:
                self.lie(liar, Prepare(self.epoch.hash, round_, lock.prepared), to=[one])
                self.lie(liar, Commit(self.epoch.hash, round_, lock.prepared), to=[one])

    def _propose(self, liar: MemberName, round_: int, half: list[Honest], rest: list[Honest], way: str) -> None:
        """What the others are not locked on, to all or to each half another; with a quorum in the past, true or not."""
        locks = {one.rounds.lock.locked for one in half + rest if one.up}
        new = [value for value in GOOD if value not in locks] or list(GOOD)
        one = other = self.random.choice(new)
        since = None
        if way in ("flatter", "split"):
            other = self.random.choice(GOOD)
        elif way == "lie":
            one = other = self.random.choice((*new, *new, *JUNK))
            since = self.random.choice((None, round_ - 1, round_ - 1, self.random.randrange(round_ + 2)))
        elif way == "ahead":
            one = other = self.random.choice(JUNK)
        self.lie(liar, Propose(self.epoch.hash, round_, one, since), to=half)
        self.lie(liar, Propose(self.epoch.hash, round_, other, since), to=rest)

    # ---- what must hold

    def was_decided(self, by: Honest, one: Decided) -> None:
        self.is_sound(by, one)
        self.certified(by, one)

    def is_sound(self, by: Honest, one: Decided) -> None:
        if one.value not in GOOD:
            raise Broken(f"{by.name} decides junk")
        groups = {self.epoch.group_of(entry.entry.author) for entry in one.commits}
        same = all(entry.body == Commit(self.epoch.hash, one.round, one.value_hash) for entry in one.commits)
        if len(groups) < self.epoch.n - self.epoch.f or not same:
            raise Broken(f"{by.name} decides without Q Commits of different groups")
        self.agrees(by, one.value)

    def certified(self, by: Honest, one: Decided) -> None:
        self.settle(by, one.value)
        for name, other in self.members.items():
            at_ms = max(self.now_ms, self.calm_ms if self.proofs_late else 0) + self.delay_ms(by.name, name)
            self.at(at_ms, lambda other=other: self.settle(other, one.value))

    def settle(self, by: Honest, value: bytes) -> None:
        """It holds the certificate."""
        by.decided = value
        self.agrees(by, value)

    def agrees(self, by: Honest, value: bytes) -> None:
        if by.forgets:
            return
        if self.value is not None and self.value != value:
            raise Broken(f"{by.name} decides {value!r}, another honest member {self.value!r}")
        self.value = value

    def nobody_is_proven(self) -> None:
        for one in self.members.values():
            said: dict[Any, bytes] = {}
            for entry in one.own if not one.forgets else ():
                if said.setdefault(ballot_of(entry), value_of(entry)) != value_of(entry):
                    raise Broken(f"{one.name} voted two ways in round {entry.body.round}")

    def undecided(self) -> list[str]:
        return [one.name for one in self.members.values() if one.decided is None and not one.forgets]

    def play(self) -> int:
        """How many rounds it took."""
        for one in self.members.values():
            self.at(self.random.randrange(200), one.start)
            for value in GOOD:
                self.at(self.random.randrange(1, 5_000), lambda one=one, value=value: self.learn(one, value))
        while self.queue and self.undecided():
            at_ms, turn, action = heapq.heappop(self.queue)
            if at_ms > self.calm_ms + ENDS_MS or turn > EVENTS_MAX * self.epoch.n:
                break
            self.now_ms = max(self.now_ms, at_ms)
            action()
            self._revive()
        self.nobody_is_proven()
        if self.undecided():
            raise Broken(f"{self.now_ms - self.calm_ms} ms of calm, and {', '.join(self.undecided())} decided nothing")
        return max(one.rounds.round for one in self.members.values())

    def learn(self, one: Honest, value: bytes) -> None:
        one.ledger.known.add(value)
        if hasattr(one, "rounds"):
            one.tick()

    def _revive(self) -> None:
        for one in self.members.values():
            if not one.up and hasattr(one, "rounds") and one.name not in self.restarting:
                self.restarting.add(one.name)
                self.at(self.now_ms + self.random.randrange(1, 3_000), lambda one=one: self._restart(one))

    def _restart(self, one: Honest) -> None:
        self.restarting.discard(one.name)
        one.start()
