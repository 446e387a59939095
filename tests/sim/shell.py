"""The shell as a model: batches, the commit point, effects after it, death at any step, recovery.

What node/loop, node/perform and node/parts do with trio, SQLite and sockets is done here with a scheduler and a list.
The rules that both keep are one table, run against both: `tests/sim/rules.py`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from node import mark
from node.effects import (
    LOOKED_UP_MAX,
    Broadcast,
    Effect,
    Gossip,
    LookUp,
    RunStep,
    Send,
    ServeBlobs,
    ServeEntries,
    VerifyClaim,
)
from node.events import Clock, Event, LookedUp, Ticked
from node.machine import Decision, Machine, Setup, State
from node.machine.statements import learnable
from node.records import EntryAccepted, KeySetLearned, Record
from protocol.envelope import Verified, parse_entry
from protocol.frames import ENTRIES_PER_FRAME_MAX, Blobs, Entries, pack_frame
from tests.sim.cast import hot
from tests.sim.disk import Disk, DiskError
from tests.sim.ports import Ports, Wall
from tests.sim.scheduler import Scheduler

EVENTS_AT_ONCE = 64
OWN_AT_ONCE = 128
INBOX = 1024
ENTRIES_FRAME_BYTES_MAX = 60 * 1024
SERVED_BYTES_MAX = 192 * 1024
DEATHS = ("before_mark", "after_mark", "after_store", "mid_release")
"""Steps of a commit at which a process may die."""


class Process:
    """One node. `setup` is the owner's; what mark and store say of signing is added at each start."""

    def __init__(self, scheduler: Scheduler, ports: Ports, setup: Setup, keysets: Callable[[], list[bytes]]) -> None:
        self.time, self.ports, self.setup, self.keysets = scheduler, ports, setup, keysets
        self.name = setup.member
        self.disk = Disk(setup.epoch.network)
        self.disk.first_mark(setup.signer.public, setup.key_version)
        self.wall = Wall()
        self.machine = Machine(setup)
        self.up, self.life = False, 0
        self.tick_ms, self._pace, self.sync_ms = 300, 0, 2
        self.paused_until_ms = 0
        self.dies_at = ""
        """A step of the next commit with own words, or ""."""
        self.refused_to_start = ""
        self._inbox: deque[Event] = deque()
        self._taken: deque[Event] = deque()
        """What one turn of the loop took and has not decided yet: a commit came between."""
        self._busy = self._tick_waits = False

    @property
    def state(self) -> State:
        return self.machine.state

    def clock(self) -> Clock:
        return self.wall.read(self.time.now_ms)

    # life and death
    def start(self) -> None:
        """node/parts and node/app: the mark against the store, the past replayed, what the mark carries taken over."""
        setup = self.setup
        if self.disk.newer:
            self.refused_to_start = "the store holds a record of a newer version"
            return
        rows = self.disk.reopen()
        verdict = mark.check(
            self.disk.mark,
            self.disk.own_head(setup.member, setup.key_version),
            not rows,
            network=setup.epoch.network,
            member=setup.member,
            attestation=setup.signer.public,
            key_version=setup.key_version,
        )
        fresh = verdict.ruling is mark.Ruling.MAY_SIGN and self.disk.mark is not None and self.disk.mark.seq < 0
        stopped = verdict.reason if verdict.ruling is mark.Ruling.REFUSE else ""
        self.refused_to_start = ""
        self.machine = Machine(replace(setup, fresh=fresh, stopped_why=stopped))
        self.machine.recover(rows)
        for row in rows:
            self.disk.kept(row)
        self.up, self.life, self._busy = True, self.life + 1, False
        self._forget_events()
        if verdict.ruling is mark.Ruling.ADOPT:
            try:
                self._adopt(verdict.raws)
            except DiskError as error:
                self.up, self.refused_to_start = False, f"the disk: {error}"
                return
        self._busy = True
        self._commit([self._decide(None)], self.life)
        self.tick_every(self.tick_ms)

    def tick_every(self, ms: int) -> None:
        """From now on: a tick that was to come at another pace does not."""
        self.tick_ms, self._pace = ms, self._pace + 1
        if self.up:
            self.time.after(1 + (sum(self.name.encode()) + 37 * self.life) % ms, self._tick, self._pace)

    def _adopt(self, raws: Sequence[bytes]) -> None:
        adopted: list[Record] = [KeySetLearned(raw) for raw in learnable(self.state, self.keysets())]
        adopted += [EntryAccepted(raw, True, self.clock().wall_ms) for raw in raws]
        self.machine.recover(adopted)
        self.disk.commit(adopted)
        for record in adopted:
            self.disk.kept(record)
        own = [self.state.own_feed().links[parse_entry(raw, self.setup.epoch.network).entry.seq] for raw in raws]
        self.ports.released(self, own, adopted)

    def die(self, why: str) -> None:
        if self.up:
            self.up, self._busy, self.dies_at = False, False, ""
            self._forget_events()
            self.ports.died(self, why)

    def rekey(self) -> None:
        """`tocsin restore`: a fresh attestation key under the owner's governance key, with a mark of its own."""
        version = self.setup.key_version + 1
        self.setup = replace(self.setup, key_version=version, signer=hot(self.name, version))
        self.disk.first_mark(self.setup.signer.public, version)

    # the loop
    def _forget_events(self) -> None:
        self._inbox.clear()
        self._taken.clear()
        self._tick_waits = False

    def _tick(self, pace: int) -> None:
        """Never queued behind another: a slow disk or a process that stands still gets fewer."""
        if self.up and pace == self._pace:
            if not self._tick_waits:
                self._tick_waits = True
                self.push(Ticked())
            self.time.after(self.tick_ms, self._tick, pace)

    def push(self, event: Event) -> None:
        """Into the inbox; where it is full the peers' frames wait at the peers, and are lost with the connection."""
        if self.up and len(self._inbox) < INBOX:
            self._inbox.append(event)
            if not self._busy:
                self._busy = True
                self.time.after(0, self._take, self.life)

    def _stands_still(self, fn: Callable[..., None], *args: Any) -> bool:
        """A stopped process goes on where it was, at the clock of then."""
        if self.time.now_ms >= self.paused_until_ms:
            return False
        self.time.at(self.paused_until_ms, fn, *args)
        return True

    def _take(self, life: int) -> None:
        """Up to 64 events; a commit of its own where so much was said that one mark could not hold it."""
        if not self.up or life != self.life:
            return
        if self._stands_still(self._take, life):
            return
        if not self._taken and len(self._inbox) <= EVENTS_AT_ONCE:
            self._taken, self._inbox = self._inbox, self._taken
        elif not self._taken:
            self._taken.extend(self._inbox.popleft() for _ in range(EVENTS_AT_ONCE))
        decisions: list[Decision] = []
        said = 0
        while self._taken and said < OWN_AT_ONCE:
            event = self._taken.popleft()
            if isinstance(event, Ticked):
                self._tick_waits = False
            decisions.append(self._decide(event))
            said += len(decisions[-1].own)
        self._commit(decisions, life)

    def _decide(self, event: Event | None) -> Decision:
        if event is None:
            decision = self.machine.start(self.clock(), self.keysets())
        else:
            decision = self.machine.handle(event, self.clock())
        self.ports.decided(self, event, decision)
        return decision

    def _commit(self, decisions: list[Decision], life: int) -> None:
        """The mark, then the store, then the world; a look at a chain need not wait for the disk."""
        records = [record for one in decisions for record in one.records]
        own = [entry for one in decisions for entry in one.own]
        waiting: list[Effect] = []
        for effect in (effect for one in decisions for effect in one.effects):
            if isinstance(effect, VerifyClaim):
                self.ports.verify(self, effect)
            else:
                waiting.append(effect)
        if not records:
            self._release(waiting, own, records)
            self._next(life)
        else:
            self.time.after(self.sync_ms, self._write_mark, records, own, waiting, life)

    def _dies(self, at: str, own: Sequence[Any]) -> bool:
        if self.dies_at != at or not own:
            return False
        self.disk.met.append("crash_at_step")
        self.die(f"died {at.replace('_', ' ')}")
        return True

    def _write_mark(self, records: list[Record], own: list[Verified[Any]], effects: list[Effect], life: int) -> None:
        if not self.up or life != self.life or self._dies("before_mark", own):
            return
        if self._stands_still(self._write_mark, records, own, effects, life):
            return
        try:
            if own:
                raws = tuple(entry.raw for entry in own)
                last = own[-1]
                self.disk.write_mark(
                    mark.Mark(self.setup.signer.public, self.setup.key_version, last.entry.seq, last.hash, raws)
                )
        except DiskError as error:
            self.die(f"the disk: {error}")
            return
        self.time.after(self.sync_ms, self._write_store, records, own, effects, life)

    def _write_store(self, records: list[Record], own: list[Verified[Any]], effects: list[Effect], life: int) -> None:
        if not self.up or life != self.life or self._dies("after_mark", own):
            return
        if self._stands_still(self._write_store, records, own, effects, life):
            return
        lying = self.disk.fault == "persisted_but_failed"
        try:
            self.disk.commit(records)
        except DiskError as error:
            self.die(f"the disk: {error}")
            return
        for record in records:
            self.disk.kept(record)
        if self._dies("after_store", own):
            return
        self._release(effects, own, records)
        if lying:
            self.die("the power went; the last transaction had been acknowledged and is not there")
        self._next(life)

    def _release(self, effects: list[Effect], own: Sequence[Verified[Any]], records: Sequence[Record]) -> None:
        if own or records:
            self.ports.released(self, own, records)
        half = len(effects) // 2 if self.dies_at == "mid_release" and own else -1
        for at, effect in enumerate(effects):
            if at == half:
                self.die("died while it sent")
                return
            self._perform(effect)

    def _next(self, life: int) -> None:
        if self.up and life == self.life:
            self._busy = bool(self._inbox or self._taken)
            if self._busy:
                self.time.after(0, self._take, life)

    # effects
    def _perform(self, effect: Effect) -> None:
        if isinstance(effect, Send):
            sync = effect.sync or len(effect.raw) > ENTRIES_FRAME_BYTES_MAX
            self.ports.send(self.name, effect.peer_id, effect.raw, sync)
        elif isinstance(effect, Broadcast):
            self.ports.broadcast(self.name, effect.raw)
        elif isinstance(effect, Gossip):
            self.ports.gossip(self.name, effect.raw)
        elif isinstance(effect, RunStep):
            self.ports.lever(self, effect)
        elif isinstance(effect, ServeEntries):
            want = effect.want
            most = min(max(want.to_seq - want.from_seq + 1, 1), ENTRIES_PER_FRAME_MAX * 4)
            feed = (want.author, want.key_version)
            raws = self.disk.entries(*feed, want.from_seq, most, SERVED_BYTES_MAX, want.to_seq)
            for start in range(0, len(raws), ENTRIES_PER_FRAME_MAX):
                frame = pack_frame(Entries(tuple(raws[start : start + ENTRIES_PER_FRAME_MAX])))
                self.ports.send(self.name, effect.peer_id, frame, True)
        elif isinstance(effect, ServeBlobs):
            for blob in (self.disk.blob(digest) for digest in effect.digests):
                if blob is not None:
                    self.ports.send(self.name, effect.peer_id, pack_frame(Blobs((blob,))), True)
        elif isinstance(effect, LookUp):
            feed = (effect.author, effect.key_version)
            found = self.disk.entries(*feed, effect.from_seq, LOOKED_UP_MAX, SERVED_BYTES_MAX, effect.to_seq)
            self.push(LookedUp(effect.peer_id, effect.raw, tuple(found)))
        else:
            self.ports.tell(self, effect)
