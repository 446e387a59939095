"""A node's own loop, mark, store, performer and recovery behind the driver of the rules."""

from __future__ import annotations

import errno
import functools
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import trio
from trio.testing import MockClock

from adapters.api import News
from node import mark
from node.app import Node
from node.dispatch import Dispatch
from node.effects import Effect, Reply
from node.events import Clock, Event, FrameArrived, PeerCameUp, PeerWentDown
from node.loop import Durable, Loop
from node.mark import Mark
from node.perform import Performer
from node.records import Record, unpack_record
from node.store import Batch, Store, StoreError
from node.transport.api import Channel, PeerAddress, PeerDown, PeerUp, ReceivedFrame
from node.transport.memory import MemoryNetwork, MemoryTransport
from node.watch import Watch
from protocol.evidence import Judgement, refuted
from protocol.frames import Frame, pack_frame
from protocol.messages import Claim, Tlp
from tests.sim import cast
from tests.sim.scheduler import START_MS
from tests.sim.shells import KEYSETS, ME, OTHERS, SETUP, DiedHere, Drive, NotedMachine, Shell, on_model


class NotedTransport:
    """What the performer asks of a transport, noted and passed on."""

    def __init__(self, shell: Shell, inner: MemoryTransport) -> None:
        self.shell, self.inner = shell, inner
        self.status = inner.status

    def send(self, peer_id: str, channel: Channel, raw: bytes) -> bool:
        self.shell.left(cast.member_of(peer_id), raw)
        return self.inner.send(peer_id, channel, raw)

    def broadcast(self, raw: bytes) -> int:
        self.shell.left("all", raw)
        return self.inner.broadcast(raw)

    def gossip(self, raw: bytes) -> None:
        self.shell.left("gossip", raw)
        self.inner.gossip(raw)


class LookingVerifier:
    """Notes that it looked; nothing is true."""

    claim_types = frozenset({"evm-supply-above-backing"})

    def __init__(self, shell: Shell) -> None:
        self.shell = shell

    async def verify(self, claim: Claim, blob: bytes) -> Judgement:
        self.shell.log.append("look")
        return refuted("untrue")


class HearingSink:
    """Keeps what people are told."""

    name, ceiling = "hears", Tlp.AMBER

    def __init__(self, shell: Shell) -> None:
        self.shell, self.counts = shell, Counter[str]()

    async def tell(self, news: News) -> None:
        self.shell.told.append(news.text)


class RealShell(Shell):
    """node.loop, node.mark, node.store, node.perform and node.app's recovery, in one directory of a real disk; the
    wires are the memory transport's and time is trio's virtual clock."""

    def __init__(self, path: Path, nursery: trio.Nursery) -> None:
        super().__init__()
        self.path, self.copy = path / "data", path / "copy"
        self.path.mkdir()
        self.nursery = nursery
        self.network = MemoryNetwork()
        self.puppets = {name: self.network.transport(cast.peer_of(name), _addresses((ME,))) for name in OTHERS}
        for puppet in self.puppets.values():
            nursery.start_soon(puppet.run)
            nursery.start_soon(_drain, puppet)
        mark.write_first(self.path / "mark", SETUP.signer.public, 0)
        self.scope, self.begun = trio.CancelScope(), trio.Event()
        self.why = ""
        self._performed = 0
        self.store: Store | None = None

    async def start(self) -> None:
        self.begun = trio.Event()
        self.nursery.start_soon(self._live)
        await self.begun.wait()
        await self.run(10)

    def _verdict(self, store: Store) -> tuple[mark.Verdict, bool]:
        """As node/parts puts mark and store together."""
        found: mark.Mark | mark.MarkError | None
        try:
            found = mark.read(self.path / "mark")
        except mark.MarkError as error:
            found = error
        told = mark.check(found, store.own_head(ME, 0), store.is_empty(), network=cast.NETWORK, member=ME,
                          attestation=SETUP.signer.public, key_version=0)  # fmt: skip
        fresh = told.ruling is mark.Ruling.MAY_SIGN and isinstance(found, mark.Mark) and found.seq < 0
        return told, fresh

    async def _live(self) -> None:
        self.store = store = Store.open(self.path / "store.sqlite")
        self._gate(store)
        told, fresh = self._verdict(store)
        refused = told.reason if told.ruling is mark.Ruling.REFUSE else ""
        self.machine = NotedMachine(replace(SETUP, fresh=fresh, stopped_why=refused))
        parts = SimpleNamespace(
            store=store,
            adopted=told.raws if told.ruling is mark.Ruling.ADOPT else (),
            keysets=[SimpleNamespace(raw=raw) for raw in KEYSETS],
            config=SimpleNamespace(store="store"),
        )
        Node._recover(SimpleNamespace(parts=parts, machine=self.machine))  # type: ignore[arg-type]
        self.alive, self.scope, self.why = True, trio.CancelScope(), ""
        try:
            with self.scope:
                async with trio.open_nursery() as nursery:
                    await self._begin(nursery, store)
                    self.begun.set()
        except* Exception as group:
            self.why = str(group.exceptions)
        finally:
            self.alive = False
            store.close()
            self.begun.set()

    async def _begin(self, nursery: trio.Nursery, store: Store) -> None:
        transport = self.network.transport(cast.peer_of(ME), _addresses(self.peers))
        performer: list[Performer] = []
        durable = Durable(store, self.path / "mark", 0)
        self.loop = loop = Loop(self.machine, durable, Watch(lambda happening: None), self._perform(performer))
        dispatch = Dispatch({}, loop.inbox.send)
        noted: Any = NotedTransport(self, transport)
        performer.append(
            Performer(noted, store, [LookingVerifier(self)], dispatch, [HearingSink(self)], nursery, loop.inbox.send)
        )
        await loop.begin(KEYSETS)
        nursery.start_soon(transport.run)
        nursery.start_soon(self._pump, transport)
        nursery.start_soon(loop.run)
        nursery.start_soon(loop.tick)

    def _perform(self, performer: list[Performer]) -> Callable[[Effect], None]:
        def perform(effect: Effect) -> None:
            self._dies("mid_release", self._performed == 1)
            self._performed += 1
            if isinstance(effect, Reply):
                self.log.append(f"reply {effect.ticket}")
                self.says.append(effect.says)
            performer[0](effect)

        return perform

    async def _pump(self, transport: MemoryTransport) -> None:
        async for event in transport.events:
            if isinstance(event, ReceivedFrame):
                direct, sync = event.channel is Channel.ENTRIES, event.channel is Channel.SYNC
                await self.loop.inbox.send(FrameArrived(event.peer_id, direct, sync, event.frame))
            elif isinstance(event, PeerUp):
                await self.loop.inbox.send(PeerCameUp(event.peer_id))
            elif isinstance(event, PeerDown):
                await self.loop.inbox.send(PeerWentDown(event.peer_id, event.why))

    # the disk
    def _gate(self, store: Store) -> None:
        inner = store.commit

        def commit(batch: Batch) -> None:
            own = any(row.own for row in batch.entries)
            self._dies("after_mark", own)
            if self.fails in ("store", "full") and (own or self.fails == "full"):
                raise StoreError("the database or disk is full", "store", "Free space.", fatal=True)
            inner(batch)
            self.wrote_store([unpack_record(row.kind, row.version, row.body) for row in batch.records])
            if self.fails == "said_no" and own:
                raise StoreError("disk I/O error", "store", "Check the disk.", fatal=True)
            self._dies("after_store", own)
            self._performed = 0 if own else 2

        store.commit = commit  # type: ignore[method-assign]

    def _dies(self, at: str, own: bool) -> None:
        if own and self.dies_at == at:
            self.dies_at = ""
            raise DiedHere(at)

    def write_mark(self, inner: Callable[[Path, Mark], None], path: Path, written: Mark) -> None:
        self._dies("before_mark", bool(written.raws))
        inner(path, written)
        if written.raws:
            self.wrote_mark(written)

    def write_durably(self, inner: Callable[[Path, bytes], None], path: Path, content: bytes) -> None:
        if self.fails in ("mark", "full"):
            raise OSError(errno.ENOSPC, "No space left on device")
        inner(path, content)

    async def in_thread(self, fn: Callable[..., Any], *args: Any, limiter: Any = None) -> Any:
        """The disk's thread, on virtual time; only writing is slow."""
        async with limiter:
            await trio.sleep(self.slow_ms / 1000 if getattr(fn, "__name__", "") == "write" else 0)
            return fn(*args)

    async def run(self, ms: int) -> None:
        await trio.sleep(ms / 1000)

    async def push(self, *events: Event) -> None:
        for event in events:
            self.loop.inbox.send_nowait(event)

    async def hear(self, peer: str, frame: Frame, sync: bool = False) -> None:
        self.puppets[peer].send(cast.peer_of(ME), Channel.SYNC if sync else Channel.ENTRIES, pack_frame(frame))

    async def kill(self) -> None:
        self.scope.cancel()
        await self.run(1)

    def lose_mark(self) -> None:
        (self.path / "mark").unlink()

    def lose_store(self) -> None:
        for path in self.path.glob("store*"):
            path.unlink()

    def copy_store(self) -> None:
        shutil.rmtree(self.copy, ignore_errors=True)
        shutil.copytree(self.path, self.copy, ignore=lambda folder, names: [one for one in names if "mark" in one])

    def put_back_store(self) -> None:
        self.lose_store()
        for path in self.copy.glob("store*"):
            shutil.copy(path, self.path / path.name)

    def mark(self) -> Mark | None:
        return mark.read(self.path / "mark")

    def records(self) -> list[Record]:
        store = self.store if self.alive else Store.open(self.path / "store.sqlite")
        assert store is not None
        try:
            return [unpack_record(row.kind, row.version, row.body) for _, row in store.records()]
        finally:
            if not self.alive:
                store.close()


def _addresses(names: Sequence[str]) -> dict[str, PeerAddress]:
    return {cast.peer_of(name): PeerAddress(cast.peer_of(name), ()) for name in names}


async def _drain(puppet: MemoryTransport) -> None:
    async for _ in puppet.events:
        pass


def _now() -> Clock:
    ms = int(trio.current_time() * 1000)
    return Clock(START_MS + ms, 1_000_000 + ms)


def on_real(drive: Drive, path: Path) -> Any:
    async def story() -> Any:
        async with trio.open_nursery() as nursery:
            shell = RealShell(path, nursery)
            with (
                mock.patch("node.loop.now", _now),
                mock.patch("node.mark.write", functools.partial(shell.write_mark, mark.write)),
                mock.patch("node.mark.write_durably", functools.partial(shell.write_durably, mark.write_durably)),
                mock.patch("trio.to_thread.run_sync", shell.in_thread),
            ):
                found = await drive(shell)
                shell.scope.cancel()
                nursery.cancel_scope.cancel()
        return found

    return trio.run(story, clock=MockClock(autojump_threshold=0))


DRIVERS: dict[str, Callable[[Drive, Path], Any]] = {"model": on_model, "node": on_real}
