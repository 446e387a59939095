"""Says again what was said: later, under another network or epoch, in another frame, as an answer nobody asked for."""

from __future__ import annotations

from tests.sim import cast
from tests.sim.actors import pen as ink
from tests.sim.actors.liar import Liar

KEPT_MAX = 120
CERTIFICATES_MAX = 12
WORTH = frozenset({ink.HELLO, ink.ENTRIES, ink.BLOBS, ink.CERTIFICATE, ink.HEADS, ink.SHOWN})


class Replayer(Liar):
    script = "replays"
    beat_ms = 500

    def __init__(self, world: object, name: str) -> None:
        self.kept: list[bytes] = []
        self.certificates: list[bytes] = []
        super().__init__(world, name)  # type: ignore[arg-type]

    def hear(self, sender: str, kind: int, raw: bytes) -> None:
        """Keeps a sample of all that it ever heard, the oldest too."""
        if kind not in WORTH:
            if kind == ink.WANT_CERTIFICATES and self.certificates:
                self.tell(self.chance.choice(self.certificates), [sender], sync=True)
            return
        if kind == ink.CERTIFICATE and len(self.certificates) < CERTIFICATES_MAX:
            self.certificates.append(raw)
        if kind == ink.SHOWN and self.chance.random() < 0.5:
            self.tell(ink.listed(ink.WANT_CERTIFICATES, ink.fields_of(raw)[1][:8]), [sender], sync=True)
        if len(self.kept) < KEPT_MAX:
            self.kept.append(raw)
        elif self.chance.random() < 0.2:
            self.kept[self.chance.randrange(KEPT_MAX)] = raw

    def act(self) -> None:
        acts = (self.again, self.again, self.certificate, self.other_network, self.other_epoch, self.moved, self.first)
        self.chance.choice(acts)()

    def again(self) -> None:
        if self.kept:
            for _ in range(3):
                frame = self.chance.choice(self.kept)
                self.tell(frame, self.chance.choice((None, self.one())), sync=self.chance.random() < 0.5)
            self.did("again", "repeats what others said")

    def first(self) -> None:
        """What it heard first of all, of which most is withdrawn, released or expired by now."""
        if self.kept:
            self.tell(self.kept[0])
            for frame in self.certificates[:2]:
                self.tell(frame, sync=True)
            self.did("first", "repeats the oldest that it has")

    def certificate(self) -> None:
        """Heard ones, and the same entries under another level, threat or epoch."""
        if not self.certificates:
            return
        frame = self.chance.choice(self.certificates)
        told = ink.read(ink.fields_of(frame)[1])
        forged = dict(told)
        place, value = self.chance.choice(((1, cast.FOREIGN), (4, ink.HALT), (3, cast.OTHER_THREAT), (4, told[4])))
        forged[place] = value
        if value == told[place]:
            forged[5] = [told[5][0], *told[5]]
        self.tell(frame, self.one(), sync=True)
        self.tell(ink.certified(ink.cbor(forged)), self.one(), sync=True)
        self.did("certificates", "an old certificate, and its entries under other words")

    def other_network(self) -> None:
        """Its own true key, for another network: valid there."""
        body = self.opinion(self.topic(), ink.ISOLATE, [self.claimed(self.false_number(), push=False)])
        raw, _ = self.pen.seal(ink.ATTESTATION, body, self.now_ms, self.pen.seq + 1, self.pen.head, cast.FOREIGN)
        self.tell(ink.entries(raw))
        self.tell(ink.hello(cast.FOREIGN), self.one())
        self.did("other network", "words that it sealed for another network")

    def other_epoch(self) -> None:
        fact = self.fact()
        topic = (fact.subject.raw, fact.threat) if fact is not None else self.topic()
        claim = self.claimed(fact.number if fact is not None else self.false_number())
        body = self.opinion(topic, ink.ISOLATE, [claim])
        body[1] = self.chance.choice((ink.sha(b"an epoch of before"), ink.ZERO, cast.FOREIGN))
        self.say(ink.ATTESTATION, body)
        self.did("other epoch", "an opinion of another epoch")

    def moved(self) -> None:
        """Another's sealed words in frames of other kinds, and its own chain from its start."""
        heard = [one for one in self.kept if ink.kind_of(one) == ink.ENTRIES]
        if heard:
            raws = ink.fields_of(self.chance.choice(heard))[1]
            kind = self.chance.choice((ink.KEYSETS, ink.BLOBS, ink.ENTRIES))
            self.tell(ink.listed(kind, raws), self.one(), sync=True)
            as_statement = {1: raws[0]}
            self.say(ink.STATEMENT, as_statement, self.one())
        if self.pen.kept:
            self.tell(ink.entries(*list(self.pen.kept.values())[:20]))
        self.did("moved", "others' words where they do not belong")
