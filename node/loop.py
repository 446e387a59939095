"""The commit point: events in, records durable, only then effects out.

One task owns the machine. It takes up to 64 events at a time, lets the machine decide, writes the mark and one
transaction, and releases what was decided. Nothing leaves before that, so a crash at any moment leaves either
nothing said or something that can be said again byte for byte.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio

from node import mark, rotation
from node.effects import Effect, VerifyClaim
from node.events import Clock, Event, FrameArrived, OperatorAsked, TakeKey, Ticked
from node.keys import KeyFault
from node.machine import Decision, Machine
from node.machine.action import ENDED
from node.machine.state import State
from node.machine.statements import fault_of_key
from node.records import BlobKept, CertificateAccepted, EntryAccepted, Record, pack_record
from node.store import Batch, BlobRow, CertificateRow, EntryRow, RecordRow, Store
from node.watch import Watch, happening_of
from protocol.crypto import sha256
from protocol.envelope import Verified, parse_carried
from protocol.errors import ProtocolError
from protocol.messages import KeySet
from protocol.quorum import certificate_id, check_certificate, parse_certificate

EVENTS_AT_ONCE = 64
INBOX = 1024
"""Events waiting of all kinds."""
WORK_AHEAD = 16
"""Of what came from the network, in units of `work_of`: beyond it its readers wait, and with them the peers
(back-pressure). Not much, for peers are served in turn only ahead of this row: whatever is in it already, an honest
member's first entry waits for."""
WORK_BYTES = 512
RECORDS_AT_ONCE = 128
"""Records of one commit: what is said next waits for it."""
TICK_S = 0.1
CALM_TICK_S = 0.5
"""Where nothing has happened for a while, nothing is on its way to a target, and we may speak: ten looks a second at
nothing were half of what an idle node costs."""
STIRRED_S = 2.0
"""How long what was recorded keeps the ticks close: asking again and answering again are done by them."""
OWN_AT_ONCE = 128
"""Own entries of one commit; a decision adds at most 64 more, and the mark holds 256."""


_BOOTTIME = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def now() -> Clock:
    """CLOCK_BOOTTIME where there is one: a lease runs on while the machine sleeps."""
    return Clock(time.time_ns() // 1_000_000, time.clock_gettime_ns(_BOOTTIME) // 1_000_000)


@dataclass
class Durable:
    """What must be on the disk before anything leaves: the mark first, then the store (see node/README.md)."""

    store: Store
    mark_path: Path
    key_version: int

    def write(self, batch: Batch, own: Sequence[Verified[Any]], attestation: Any) -> None:
        if own:
            last = own[-1]
            raws = tuple(entry.raw for entry in own)
            mark.write(
                self.mark_path,
                mark.Mark(attestation, self.key_version, last.entry.seq, last.hash, raws),
            )
        self.store.commit(batch)

    def take_key(self, keyset: KeySet) -> None:
        """The mark and the key file of a fresh key. What the old one said is durable, under its own mark."""
        try:
            rotation.put_in_force(self.mark_path.parent, keyset)
        except (KeyFault, OSError) as error:
            raise mark.MarkError(f"the fresh key cannot take its place: {error}. A start finishes it.") from None
        self.key_version = keyset.version


Known = Mapping[bytes, Verified[Any]]
"""The bytes of entries → the entries: what the machine has parsed nobody parses again."""


def batch_of(records: Sequence[Record], state: State, now_ms: int, known: Known | None = None) -> Batch:
    """The records themselves and what others ask for by name: entries by seq, blobs and certificates by digest."""
    entries, blobs, certificates = [], [], []
    for record in records:
        if isinstance(record, EntryAccepted):
            entries.append(_entry_row(record, state, known or {}))
        elif isinstance(record, BlobKept):
            blobs.append(BlobRow(sha256(record.raw), record.raw))
        elif isinstance(record, CertificateAccepted):
            certificates.extend(_certificate_row(record, state, now_ms))
    rows = tuple(RecordRow(*pack_record(record)) for record in records)
    return Batch(rows, tuple(entries), tuple(blobs), tuple(certificates))


def _entry_row(record: EntryAccepted, state: State, known: Known) -> EntryRow:
    parsed = known.get(record.raw) or parse_carried(record.raw, state.epoch.network)
    entry = parsed.entry
    return EntryRow(entry.author, entry.key_version, entry.seq, parsed.hash, record.raw, record.own, record.at_ms)


def _certificate_row(record: CertificateAccepted, state: State, now_ms: int) -> list[CertificateRow]:
    certificate = parse_certificate(record.raw)
    held = state.certificates.get(certificate_id(certificate.epoch, certificate.topic, certificate.level))
    if held is None or held.raw != record.raw:  # one that came later in the same batch took its place
        epoch = state.epoch_of(certificate.epoch)
        try:
            if epoch is None:
                return []
            held = check_certificate(certificate, record.raw, epoch, state.keyset)
        except ProtocolError:  # and a KeySet of its signers was replaced too: it stays a record, nobody asks for it
            return []
    subject, level = certificate.subject.raw, int(certificate.level)
    return [
        CertificateRow(
            held.digest, subject, certificate.threat, level, certificate.epoch, held.ends_ms, record.raw, now_ms
        )
    ]


def work_of(event: Event) -> int:
    """How long the machine may be at it: a frame holds an entry in each 200 to 400 bytes."""
    return 1 + len(event.raw) // WORK_BYTES if isinstance(event, FrameArrived) else 0


class Loop:
    """`perform` gets effects in order, after their records are durable. It must not block."""

    def __init__(self, machine: Machine, durable: Durable, watch: Watch, perform: Callable[[Effect], None]) -> None:
        self.machine = machine
        self.durable = durable
        self.watch = watch
        self.perform = perform
        self.inbox, self._arrivals = trio.open_memory_channel[Event](INBOX)
        self._writer = trio.CapacityLimiter(1)
        self._tick_waits = False
        self._work_ahead = 0
        self._taken = trio.Event()
        self._stirred = trio.Event()
        self._stirred_s = trio.current_time()
        self._tick_taken_s = trio.current_time()
        self.ticks_late = 0
        """Left out, because the one before still waited."""

    def silent_s(self) -> float:
        """Since the last tick was taken and what it decided was durable."""
        return trio.current_time() - self._tick_taken_s

    async def begin(self, keysets: Sequence[bytes]) -> None:
        await self._commit([self.machine.start(now(), keysets)])

    async def run(self) -> None:
        """Until the inbox is closed; what was taken is finished even when cancelled."""
        async for first in self._arrivals:
            events = [first]
            while len(events) < EVENTS_AT_ONCE:
                try:
                    events.append(self._arrivals.receive_nowait())
                except (trio.WouldBlock, trio.EndOfChannel):
                    break
            self._work_ahead -= sum(map(work_of, events))
            self._taken.set()
            with trio.CancelScope(shield=True):
                await self._take(events)

    async def _take(self, events: Sequence[Event]) -> None:
        """One commit, or several: one mark holds only so much of what was said here, and what comes next waits."""
        decisions: list[Decision] = []
        said = recorded = 0
        for event in events:
            if isinstance(event, Ticked):
                self._tick_waits = False
            if isinstance(event, OperatorAsked) and isinstance(event.command, TakeKey):
                await self._commit(decisions)
                decisions, said, recorded = [], 0, 0
                await self._take_key(event.command)
            decisions.append(self._handle(event))
            said += len(decisions[-1].own)
            recorded += len(decisions[-1].records)
            if said >= OWN_AT_ONCE or recorded >= RECORDS_AT_ONCE:
                await self._commit(decisions)
                decisions, said, recorded = [], 0, 0
        await self._commit(decisions)
        if any(isinstance(event, Ticked) for event in events):
            self._tick_taken_s = trio.current_time()

    async def _take_key(self, command: TakeKey) -> None:
        """One mark is of one key: nothing of the old one's waits when the new one's takes its place."""
        if not fault_of_key(self.machine.state, command):
            keyset = command.sealed.keyset
            await trio.to_thread.run_sync(self.durable.take_key, keyset, limiter=self._writer)

    def _handle(self, event: Event) -> Decision:
        return self.machine.handle(event, now())

    async def send(self, event: Event) -> None:
        """From this node itself: sensors, verdicts, outcomes, what people ask."""
        await self.inbox.send(event)

    async def offer(self, event: Event) -> None:
        """From the network: into the inbox, at once where there is room, for a turn of the scheduler costs more than
        a frame."""
        work = work_of(event)
        while self._work_ahead and self._work_ahead + work > WORK_AHEAD:
            self._taken = trio.Event()
            await self._taken.wait()
        self._work_ahead += work
        try:
            self.inbox.send_nowait(event)
        except trio.WouldBlock:
            await self.inbox.send(event)

    def _calm(self) -> bool:
        state = self.machine.state
        return (
            trio.current_time() - self._stirred_s > STIRRED_S
            and state.signing_ready
            and all(action.phase in ENDED for action in state.actions.values())
        )

    async def tick(self) -> None:
        """A tick is never queued behind another: a slow disk gets fewer, not more."""
        while True:
            pause_s = TICK_S
            if self._calm():
                self._stirred = trio.Event()
                with trio.move_on_after(CALM_TICK_S) as scope:
                    await self._stirred.wait()
                pause_s = 0 if scope.cancelled_caught else TICK_S
            if pause_s:
                await trio.sleep(pause_s)
            if not self._tick_waits:
                self._tick_waits = True
                await self.inbox.send(Ticked())
            else:
                self.ticks_late += 1

    async def _write(self, batch: Batch, own: Sequence[Verified[Any]]) -> None:
        attestation = self.machine.state.setup.signer.public
        await trio.to_thread.run_sync(self.durable.write, batch, own, attestation, limiter=self._writer)

    async def _commit(self, decisions: Sequence[Decision]) -> None:
        records = [record for decision in decisions for record in decision.records]
        own = [entry for decision in decisions for entry in decision.own]
        state, at_ms = self.machine.state, 0.0
        known = {raw: entry for decision in decisions for raw, entry in decision.known.items()}
        effects = [effect for decision in decisions for effect in decision.effects]
        for effect in effects:
            # a look at a chain tells nobody anything: it need not wait for the disk
            if isinstance(effect, VerifyClaim):
                self.perform(effect)
        if records:
            batch = batch_of(records, state, now().wall_ms, known)
            await self._write(batch, own)
            at_ms = time.time_ns() / 1e6
            self._stirred_s = trio.current_time()
            self._stirred.set()
        for effect in effects:
            if not isinstance(effect, VerifyClaim):
                self.perform(effect)
        # after the effects: peers wait for those, people for these
        first = self.durable.store.position - len(records) + 1
        for position, record in enumerate(records, first):
            happening = happening_of(record, state, at_ms, known)
            if happening is not None:
                self.watch.tell(happening, position)
        self.watch.reached(self.durable.store.position)
