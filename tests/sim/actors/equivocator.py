"""Says two things under one number: to halves, to one alone, with a wrong link, late, by KeySets."""

from __future__ import annotations

from typing import Any

from tests.sim.actors import pen as ink
from tests.sim.actors.liar import Liar
from tests.sim.actors.pen import Pen

ROTATIONS_MAX = 3


class Equivocator(Liar):
    script = "equivocates"
    beat_ms = 600
    listens = True

    def __init__(self, world: Any, name: str) -> None:
        super().__init__(world, name)
        self.rotations = 0

    def act(self) -> None:
        self.chance.choice((self.to_halves, self.wrong_link, self.to_one, self.late, self.manifests, self.keysets))()

    def _pair(self) -> tuple[bytes, bytes]:
        """Two payloads of one seq: an alarm that may be true, and its withdrawal or a lower word."""
        fact = self.fact()
        number, topic = self.false_number(), self.topic()
        if fact is not None and self.chance.random() < 0.7:
            number, topic = fact.number, (fact.subject.raw, fact.threat)
        claim = self.claimed(number)
        high = self.opinion(topic, self.chance.choice((ink.GUARD, ink.ISOLATE)), [claim])
        low = self.opinion(topic, self.chance.choice((ink.NONE, ink.WATCH, ink.GUARD)), [], basis=ink.OBSERVED)
        one, other = (high, low) if self.chance.random() < 0.5 else (low, high)
        return self.pen.say(ink.ATTESTATION, one, self.now_ms), self.pen.other(ink.ATTESTATION, other, self.now_ms)

    def to_halves(self) -> None:
        one, other = self._pair()
        left, right = self.halves()
        self.tell(ink.entries(one), left)
        self.tell(ink.entries(other), right)
        self.did("to halves", f"one payload of seq {self.pen.seq} to {left}, another to {right}")

    def to_one(self) -> None:
        one, other = self._pair()
        self.tell(ink.entries(one))
        to = self.one()
        self.tell(ink.entries(other), to)
        self.did("to one", f"a second payload of seq {self.pen.seq} to {to} alone")

    def late(self) -> None:
        one, other = self._pair()
        self.tell(ink.entries(one))
        self.later(self.chance.randrange(500, 12_000), self._late, other)

    def _late(self, other: bytes) -> None:
        self.tell(ink.entries(other), self.one() if self.chance.random() < 0.5 else None)
        self.did("late", "the other payload of an old seq, late")

    def wrong_link(self) -> None:
        beat = {1: self.epoch}
        raw, named = self.pen.seal(ink.HEARTBEAT, beat, self.now_ms, self.pen.seq + 1, self.chance.randbytes(32))
        self.pen.seq, self.pen.before, self.pen.head = self.pen.seq + 1, self.pen.head, named
        self.pen.kept[self.pen.seq] = raw
        self.tell(ink.entries(raw), self.chance.choice((None, self.one())))
        self.did("wrong link", f"seq {self.pen.seq} names another entry before it than it sent")

    def manifests(self) -> None:
        """Subjects that only half of the members believe it runs."""
        subject = self.topic()[0]
        one = self.pen.say(ink.MANIFEST, {1: [subject]}, self.now_ms)
        other = self.pen.other(ink.MANIFEST, {1: []}, self.now_ms)
        left, right = self.halves()
        self.tell(ink.entries(one), left)
        self.tell(ink.entries(other), right)
        self.did("manifests", "two manifests under one number")

    def keysets(self) -> None:
        """Two KeySets of one version with one key, which name others' connections as its own; the feed goes on."""
        if self.rotations >= ROTATIONS_MAX:
            return self.to_halves()
        self.rotations += 1
        version, far_ms = self.pen.version + 1, self.now_ms + 30_000_000_000
        peers = [
            f"peer-of-{name}" for name in (self.name, *self.chance.sample(self.peers(), min(3, len(self.peers()))))
        ]
        two = [ink.keyset(self.name, version, self.pen.network, far_ms + more, peers) for more in (0, 1)]
        for raw, half in zip(two, self.halves()):
            self.tell(ink.listed(ink.KEYSETS, [raw]), half)
        self.pen = Pen(self.name, self.pen.network, version)
        self.did("keysets", f"two KeySets of version {version} to halves")
        return None

    def alarmed(self, sender: str, sealed: bytes, told: dict[int, Any]) -> None:
        """Agrees with half of the members and contradicts itself to the others."""
        if self.chance.random() < 0.3:
            body = told[7]
            topic = (body[2], body[3])
            one = self.pen.say(ink.ATTESTATION, self.opinion(topic, body[4], body[6]), self.now_ms)
            other = self.pen.other(ink.ATTESTATION, self.opinion(topic, ink.NONE), self.now_ms)
            left, right = self.halves()
            self.tell(ink.entries(one), left)
            self.tell(ink.entries(other), right)
            self.did("answers", "its answer to an alarm differs from half to half")
