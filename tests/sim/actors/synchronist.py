"""Lies about what there is: heads that move, ranges without end, certificates and entries that nobody ever made."""

from __future__ import annotations

from tests.sim.actors import pen as ink
from tests.sim.actors.liar import Liar

FAR = 10**9
FLOODS_MAX = 3
FLOOD = 120


class Synchronist(Liar):
    script = "lies_in_sync"
    beat_ms = 700
    floods = 0

    def linked(self, other: str, up: bool) -> None:
        if up:
            self.later(5, self.heads)

    def act(self) -> None:
        acts = (self.heads, self.heads, self.invented, self.unasked, self.endless, self.torn, self.flood)
        self.chance.choice(acts)()

    def _authors(self) -> list[str]:
        return [seat.name for seat in self.world.seats]

    def heads(self) -> None:
        """To each its own head and the others', far ahead, moving, at the right number with the wrong hash."""
        told = []
        for author in self._authors():
            seq = self.chance.choice((FAR, FAR + self.acted.get("heads", 0), (1 << 63) - 1, self.chance.randrange(6)))
            whole = self.chance.choice((0, seq, seq + 1, (1 << 63) - 1))
            told.append((author, self.chance.choice((0, 0, 0, 1, FAR)), min(whole, (1 << 63) - 1), seq, self._hash()))
        told.append(("nobody", 0, 1, 5, self._hash()))
        self.tell(ink.heads(told), sync=True)
        self.did("heads", f"heads of honest members at seq {FAR}, of hashes that are none")

    def _hash(self) -> bytes:
        return self.chance.randbytes(32)

    def invented(self) -> None:
        """Certificates that nobody has: shown, promised, never given."""
        ids = [self._hash() for _ in range(self.chance.choice((1, 64, 256)))]
        running = ink.certificate_id(self.epoch, self.topic(), self.chance.choice((ink.GUARD, ink.ISOLATE, ink.HALT)))
        self.tell(ink.listed(ink.SHOWN, [running, *ids[:255]]), self.one(), sync=True)
        self.tell(ink.heads([], ids), self.one(), sync=True)
        self.did("invented", "shows certificates that do not exist")

    def unasked(self) -> None:
        """Answers to nothing: entries of others' names, blobs, a certificate of one word."""
        victim = self.chance.choice(self._authors())
        body = self.opinion(self.topic(), ink.ISOLATE, [self.claimed(self.false_number(), push=False)])
        forged = ink.Pen(victim, self.pen.network, 7).seal(ink.ATTESTATION, body, self.now_ms, FAR, ink.ZERO)[0]
        own = self.pen.say(ink.ATTESTATION, body, self.now_ms)
        self.tell(ink.entries(forged, own), sync=True)
        self.tell(ink.listed(ink.BLOBS, [self.chance.randbytes(200) for _ in range(8)]), self.one(), sync=True)
        topic = (body[2], body[3])
        self.tell(ink.certified(ink.certificate(self.epoch, topic, ink.ISOLATE, [own])), sync=True)
        self.did("unasked", "answers that nobody asked for")

    def endless(self) -> None:
        """Ranges from nothing to the end of numbers, backwards ranges, feeds that are not."""
        author = self.chance.choice(self._authors())
        most = (1 << 63) - 1
        for from_seq, to_seq in ((0, most), (most, 0), (most, most), (0, 0)):
            self.tell(ink.want_entries(author, self.chance.choice((0, most)), from_seq, to_seq), self.one(), sync=True)
        self.did("endless", "asks for ranges without an end")

    def torn(self) -> None:
        """Bytes that are no frame, a frame of a later version, an empty list, a frame of the greatest size."""
        good = ink.heads([(self.name, 0, 1, 1, self._hash())])
        for raw in (good[:-1], good + b"\x00", b"", b"\x82\x18\x2a\xa0", ink.cbor([2, {1: []}]), b"\x9f" + good):
            self.tell(raw, self.one(), sync=self.chance.random() < 0.5)
        if self.floods < FLOODS_MAX:
            self.tell(b"\x82\x03\xa1\x01\x81\x5a" + (1 << 18).to_bytes(4, "big") + bytes(1 << 18), self.one())
        self.did("torn", "bytes that are no frames")

    def flood(self) -> None:
        """More questions in one breath than one connection may ask."""
        if self.floods >= FLOODS_MAX:
            return
        self.floods += 1
        to = self.one()
        for _ in range(FLOOD):
            digests = [self._hash() for _ in range(4)]
            self.tell(ink.listed(self.chance.choice((ink.WANT_BLOBS, ink.WANT_CERTIFICATES)), digests), to, sync=True)
        self.did("flood", f"{FLOOD} questions at once")
