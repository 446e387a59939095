"""Keeps an alarm alive past its reasons: again just before its end, dated back, dated ahead, in other bytes."""

from __future__ import annotations

from tests.sim import cast
from tests.sim.actors import pen as ink
from tests.sim.actors.liar import Liar

AGAIN_MAX = 16
HOUR_MS = 3_600_000


class Stretcher(Liar):
    """Those who stretch leases take turns: each begins its own later than the one before."""

    script = "stretches_leases"
    beat_ms = 900

    def __init__(self, world: object, name: str) -> None:
        super().__init__(world, name)  # type: ignore[arg-type]
        self.again = 0
        self.since_ms: dict[tuple[bytes, int], int] = {}

    def act(self) -> None:
        fact = self.fact(ink.GUARD, ink.ISOLATE)
        if fact is None:
            self.clocks()
            return
        roll = self.chance.random()
        if roll < 0.25 and self.again < AGAIN_MAX:
            self.hold((fact.subject.raw, fact.threat), fact.number, int(fact.level))
        elif roll < 0.75:
            self.bounds((fact.subject.raw, fact.threat), fact.number)
        else:
            self.clocks()

    def hold(self, topic: tuple[bytes, int], number: int, level: int) -> None:
        """As late as possible: when the others' words end, this one has begun again."""
        if self.again >= AGAIN_MAX:
            return
        self.again += 1
        since_ms = self.since_ms.setdefault(topic, self.now_ms)
        since_ms = self.chance.choice((since_ms, self.now_ms, max(since_ms - HOUR_MS, 0)))
        far = self.chance.choice(("eip155:10", "eip155:11", "eip155:12"))
        claim, blob = ink.shortfall(number, far)
        self.blobs[claim[3]] = blob
        self.tell(ink.listed(ink.BLOBS, [blob]))
        self.say(ink.ATTESTATION, self.opinion(topic, level, [claim], since_ms=since_ms))
        self.did("holds", "says it again just before it ends")
        turn = [name for name, one in sorted(self.world.liars.items()) if one.script == self.script].index(self.name)
        lease_ms = self.lease_ms(level)
        self.later(lease_ms - self.chance.randrange(100, 700) - turn * lease_ms // 4, self.hold, topic, number, level)

    def bounds(self, topic: tuple[bytes, int], number: int) -> None:
        """One step over each bound that time has."""
        level = self.chance.choice((ink.GUARD, ink.ISOLATE, ink.HALT))
        now_ms, lease_ms = self.now_ms, self.lease_ms(level)
        since_ms, expires_ms = self.chance.choice(
            (
                (now_ms, now_ms + lease_ms + 1),
                (now_ms, (1 << 63) - 1),
                (now_ms + 1, now_ms + lease_ms),
                (0, now_ms + lease_ms),
                (now_ms - 2 * lease_ms, now_ms + lease_ms),
                (now_ms, now_ms - 1),
            )
        )
        body = self.opinion(topic, level, [self.claimed(number)], since_ms=since_ms, expires_ms=expires_ms)
        self.say(ink.ATTESTATION, body)
        self.did("bounds", "an opinion with times beyond their bounds")

    def clocks(self) -> None:
        """Dated ahead, far ahead, or back; with a Heartbeat of the same clock."""
        off_ms = self.chance.choice((-HOUR_MS, -40_000, 40_000, 59_000, 75_000, 7 * HOUR_MS))
        at_ms = self.now_ms + off_ms
        fact = self.fact()
        topic = (fact.subject.raw, fact.threat) if fact is not None else self.topic()
        claims = [self.claimed(fact.number)] if fact is not None else []
        lease_ms = self.lease_ms(ink.ISOLATE)
        body = ink.attestation(self.epoch, topic, ink.ISOLATE, at_ms, at_ms + lease_ms, claims, self.eyes())
        self.tell(ink.entries(self.pen.say(ink.ATTESTATION, body, at_ms)))
        self.tell(ink.entries(self.pen.say(ink.HEARTBEAT, {1: cast.FOREIGN}, at_ms)))
        self.did("clocks", f"words dated {off_ms // 1000} s from now")
