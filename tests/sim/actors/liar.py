"""A seat without a machine: its connections, its pen, its beat. Alone it is silent: it holds its connections and says
nothing. What each script adds is in the files beside this one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from tests.sim import cast
from tests.sim.actors import pen as ink
from tests.sim.actors.pen import Pen

if TYPE_CHECKING:
    from tests.sim.truth import Fact
    from tests.sim.world import World

QUICK_MS = 7_000
"""So long it acts at its beat from the start, and again from the heal on; then each pause is twice the one before."""
FALSE = 500_000
"""Claims from this number on are nobody's but the liars'; they are false unless one of them makes them come true."""
FRESH = 900_000
ANSWERS_MAX = 300
Said = tuple[bytes, bytes]


class Liar:
    """`hears` and `linked` are told by the network; `act` comes with the beat, `alarmed` with somebody's alarm."""

    script = "silent"
    beat_ms = 0
    """0: never acts by itself."""
    serves = True
    """Gives its own entries and blobs to who asks, as an honest member would."""
    listens = False
    """Reads alarms of others."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name
        self.chance = world.time.chance(f"liar {name}")
        self.pen = Pen(name, world.epoch.network)
        self.blobs: dict[bytes, bytes] = {}
        self.acted: dict[str, int] = {}
        """What it did, how often."""
        self._turn = self._slowed = self._answers = self._quick_until_ms = 0
        self._after_heal = False
        if self.beat_ms:
            self._rouse()

    # what the network tells
    @property
    def epoch(self) -> bytes:
        """That in which the others are by now."""
        return self.world.epoch.hash

    def linked(self, other: str, up: bool) -> None:
        if up and self.serves:
            self.tell(ink.hello(self.pen.network), [other])

    def hears(self, sender: str, raw: bytes, sync: bool) -> None:
        if self.world.network.calm and not self._after_heal:
            self._after_heal = True
            if self.beat_ms:
                self._rouse()
        kind = ink.kind_of(raw)
        if kind == ink.ENTRIES and self.listens and not sync:
            self._listen(sender, raw)
        elif self.serves and kind in (ink.WANT_ENTRIES, ink.WANT_BLOBS) and self._answers < ANSWERS_MAX:
            self._answers += 1
            self._serve(sender, kind, ink.fields_of(raw))
        self.hear(sender, kind, raw)

    def _serve(self, sender: str, kind: int, asked: dict[int, Any]) -> None:
        if kind == ink.WANT_BLOBS:
            found = [self.blobs[digest] for digest in asked[1] if digest in self.blobs]
            if found:
                self.tell(ink.listed(ink.BLOBS, found), [sender], sync=True)
        elif (asked[1], asked[2]) == (self.name, self.pen.version):
            last = min(asked[4], asked[3] + 63, self.pen.seq)
            own = [self.pen.kept[seq] for seq in range(asked[3], last + 1) if seq in self.pen.kept]
            if own:
                self.tell(ink.entries(*own), [sender], sync=True)

    def _listen(self, sender: str, raw: bytes) -> None:
        for sealed in ink.fields_of(raw)[1]:
            told = ink.payload_of(sealed)
            if told[6] == ink.ATTESTATION and told[7][4] >= ink.GUARD and told[1] not in self.world.liars:
                self.alarmed(sender, sealed, told)

    # what scripts do with it
    def hear(self, sender: str, kind: int, raw: bytes) -> None: ...

    def alarmed(self, sender: str, sealed: bytes, told: dict[int, Any]) -> None: ...

    def act(self) -> None: ...

    # the beat
    def _rouse(self) -> None:
        self._turn, self._slowed = self._turn + 1, 0
        self._quick_until_ms = self.now_ms + QUICK_MS
        self.later(self.beat_ms // 2 + self.chance.randrange(self.beat_ms), self._beat, self._turn)

    def _beat(self, turn: int) -> None:
        if turn != self._turn:
            return
        self.act()
        self._slowed += self.now_ms > self._quick_until_ms
        longest_ms = max(self.beat_ms, self.lease_ms(ink.GUARD) // 4)
        pause_ms = min(self.beat_ms << min(20, self._slowed), longest_ms)
        self.later(pause_ms + self.chance.randrange(1 + pause_ms // 4), self._beat, turn)

    def later(self, ms: int, fn: Callable[..., Any], *args: Any) -> None:
        self.world.time.after(ms, fn, *args)

    @property
    def now_ms(self) -> int:
        return self.world.time.now_ms

    # saying things
    def did(self, what: str, words: str = "") -> None:
        """Counts an act; the first of its kind is told."""
        self.acted[what] = self.acted.get(what, 0) + 1
        self.world.history.told[self.script] += 1
        if self.acted[what] == 1:
            self.world.note(self.name, f"(liar) {words or what}")

    def peers(self) -> list[str]:
        """Honest ones that are connected."""
        return [one for one in self.world.network.connected(self.name) if one in self.world.processes]

    def halves(self) -> tuple[list[str], list[str]]:
        near = self.peers()
        self.chance.shuffle(near)
        return near[: (len(near) + 1) // 2], near[(len(near) + 1) // 2 :]

    def one(self) -> list[str]:
        near = self.peers()
        return [self.chance.choice(near)] if near else []

    def tell(self, frame: bytes, to: Iterable[str] | None = None, sync: bool = False) -> None:
        for other in self.peers() if to is None else to:
            self.world.network.carry(self.name, other, frame, sync)

    def say(self, kind: int, body: dict[int, Any], to: Iterable[str] | None = None) -> bytes:
        """The next link of its feed, to all or to some."""
        raw = self.pen.say(kind, body, self.now_ms)
        self.tell(ink.entries(raw), to)
        return raw

    # alarms
    def lease_ms(self, level: int) -> int:
        bounds = {int(one): ms for one, ms in self.world.epoch.lease_ms.items()}
        return bounds.get(level, bounds[ink.WATCH])

    def topic(self) -> tuple[bytes, int]:
        return self.chance.choice(cast.SUBJECTS).raw, cast.THREAT

    def fact(self, *levels: int) -> Fact | None:
        """Something that is so by now, or that a poisoned operator shows."""
        facts = self.world.truth.facts.values()
        known = [one for one in facts if (one.true or one.shown_by) and (not levels or one.level in levels)]
        return self.chance.choice(known) if known else None

    def claimed(self, number: int, push: bool = True, to: Iterable[str] | None = None) -> dict[int, Any]:
        """The claim of this number; its blob goes ahead, or only to who asks."""
        claim, blob = ink.shortfall(number)
        self.blobs[claim[3]] = blob
        self._tells_truth(claim)
        if (number < FALSE or number == FRESH) and claim[3] not in self.world.truth.facts:
            self.world.truth.coming.add(claim[3])
        if push:
            self.tell(ink.listed(ink.BLOBS, [blob]), to)
        return claim

    def _tells_truth(self, claim: dict[int, Any]) -> None:
        """Who tells first what is so, and nobody has told, gives the others a reason to speak: from now on, however
        long it has been so."""
        fact = next((one for digest, one in self.world.truth.facts.items() if digest == claim[3]), None)
        if fact is not None:
            told = ((fact.subject, fact.threat), claim[1], claim[2])
            if not any(told in one.state.said for one in self.world.processes.values()):
                self.world.cause(fact.subject)

    def false_number(self) -> int:
        return FALSE + self.chance.randrange(40)

    def makes_true(self, subject: Any, level: int) -> int:
        """A claim of the liars' own comes true: its number."""
        number = next(one for one in range(FALSE + 1_000, FALSE + 2_000) if self._unknown(one))
        kind = next(one for one in self.world.epoch.lease_ms if int(one) == level)
        self.world.truth.happens(number, subject, kind, self.now_ms)
        self.world.cause(subject)
        return number

    def _unknown(self, number: int) -> bool:
        return ink.shortfall(number)[0][3] not in self.world.truth.facts

    def opinion(
        self, topic: tuple[bytes, int], level: int, claims: Iterable[dict[int, Any]] = (), **other: Any
    ) -> dict[int, Any]:
        """An attestation's body as an honest member would write it, but for what is named in `other`."""
        body: dict[str, Any] = {
            "since_ms": self.now_ms,
            "expires_ms": self.now_ms + self.lease_ms(level),
            "sources": self.eyes(),
        }
        return ink.attestation(self.epoch, topic, level, claims=claims, **(body | other))

    def eyes(self) -> tuple[str, ...]:
        return next(tuple(eyes) for name, eyes in self.world.eyes.items() if name == self.name)


class Silent(Liar):
    """Never a word. What it is asked for it does not give."""

    serves = False

    def hear(self, sender: str, kind: int, raw: bytes) -> None:
        self.did("gives no answer")
