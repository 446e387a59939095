"""Spends what others are allowed: junk that names honest authors, at rate, for some seconds."""

from __future__ import annotations

from tests.sim import cast
from tests.sim.actors import pen as ink
from tests.sim.actors.liar import Liar

BURSTS_MAX = 2
BURST_FRAMES = 48
EVERY_MS = 8
FAT, FAT_FRAMES = 64, 36
SUBJECTS = 80
"""More than the live opinions that are kept of one author."""


class Burner(Liar):
    """Few bursts: before the alarm, in it, after the heal. One of them fat enough to spend a connection's budget."""

    script = "burns_budgets"
    beat_ms = 1_300
    bursts = 0

    def _rouse(self) -> None:
        self.bursts = 0
        super()._rouse()

    def act(self) -> None:
        if self.bursts >= BURSTS_MAX:
            return
        self.bursts += 1
        self.chance.choice((self.names_honest, self.names_honest, self.names_honest, self.fat, self.own))()

    def junk(self) -> bytes:
        """An honest author's next entry, but for the signature: the name, the seq and the place that it will have."""
        victim = self.chance.choice(sorted(self.world.processes))
        seq = self.chance.choice((self.chance.randrange(12), 10**6))
        body = {1: self.epoch}
        forger = ink.Pen(victim, self.pen.network)
        forger.key = self.pen.key
        return forger.seal(ink.HEARTBEAT, body, self.now_ms, seq, ink.ZERO)[0]

    def names_honest(self) -> None:
        for at in range(BURST_FRAMES):
            self.later(at * EVERY_MS, self._one)
        self.did("names honest", f"{BURST_FRAMES} junk entries that name honest authors")

    def _one(self) -> None:
        frame = ink.entries(self.junk())
        for _ in range(2):
            self.tell(frame, self.one())

    def fat(self) -> None:
        """Frames full of nobody's words and of junk, until the budget of its connection to one victim is spent."""
        nobody = ink.Pen("nobody", self.pen.network).seal(ink.HEARTBEAT, {1: self.epoch}, self.now_ms, 0, ink.ZERO)[0]
        frame = ink.listed(ink.ENTRIES, [self.junk(), self.junk(), *[nobody] * (FAT - 2)])
        to = self.one()
        for at in range(FAT_FRAMES):
            self.later(at * EVERY_MS, self.tell, frame, to)
        self.did("fat", f"{FAT_FRAMES} frames of {FAT} junk entries to {to}")

    def own(self) -> None:
        """Its own budget: true signatures on nothing, more than an author may say; and alarms on eighty subjects."""
        for number in range(SUBJECTS):
            topic = (cast.JUNK.raw[:-20] + number.to_bytes(20, "big"), cast.THREAT)
            self.say(ink.ATTESTATION, self.opinion(topic, ink.ISOLATE, [self.claimed(self.false_number(), push=False)]))
        for at in range(5):
            raws = [self.pen.say(ink.HEARTBEAT, {1: self.epoch}, self.now_ms) for _ in range(56)]
            self.later(at * 20, self.tell, ink.entries(*raws), self.halves()[0])
        self.did("own", "280 words of its own at once")
