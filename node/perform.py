"""Effects to the world: frames to peers, claims to verifiers, steps to levers, answers to people."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import trio

from adapters.api import News, Sink, Verifier
from node.dispatch import Dispatch
from node.effects import (
    LOOKED_UP_MAX,
    Broadcast,
    Effect,
    Gossip,
    LookUp,
    Reply,
    RunStep,
    Send,
    ServeBlobs,
    ServeEntries,
    Tell,
    VerifyClaim,
)
from node.events import ClaimJudged, Event, LookedUp
from node.machine.step import bundled
from node.plugins import judgement_of, told
from node.store import Store, StoreError
from node.transport.api import Channel, Transport
from node.transport.limits import FRAME_MAX
from protocol.evidence import Judgement, undecided
from protocol.frames import ENTRIES_PER_FRAME_MAX, Blobs, Entries, pack_frame
from protocol.messages import Claim

log = logging.getLogger("tocsin.perform")
VERIFYING_AT_ONCE = 8
TELL_S_MAX = 10.0
VERIFY_S_MAX = 10.0
SERVING_AT_ONCE = 64
SERVED_BYTES_MAX = 192 * 1024
RANGE_PAUSE_S = 0.01
"""Between two answers with a range of entries, each some milliseconds of reading: what is said now goes first. Eighty a
second are twenty thousand entries."""
"""Of one answer; who wants more asks again from where it ends."""
ENTRIES_FRAME_BYTES_MAX = 60 * 1024
"""Frames above it travel on the stream of requests and answers, which takes larger ones."""


class Performer:
    """Called by the loop, never blocks it: what takes time becomes a task of the one nursery."""

    def __init__(
        self,
        transport: Transport,
        store: Store,
        verifiers: Sequence[Verifier],
        dispatch: Dispatch,
        sinks: Sequence[Sink],
        nursery: trio.Nursery,
        report: Callable[[Event], Awaitable[None]],
        knows: Callable[[str, Tell], None] = lambda sink, effect: None,
    ) -> None:
        """`knows` hears which sink was told what."""
        self._transport = transport
        self._store = store
        self._verifiers = {type_: one for one in verifiers for type_ in sorted(one.claim_types)}
        self._dispatch = dispatch
        self._sinks = sinks
        self._nursery = nursery
        self._verifying = trio.CapacityLimiter(VERIFYING_AT_ONCE)
        self._reading = trio.CapacityLimiter(1)
        self._one_range = trio.Lock()
        self._serving = 0
        self._report = report
        self._knows = knows
        self.tickets: dict[int, trio.MemorySendChannel[Reply]] = {}

    def __call__(self, effect: Effect) -> None:
        if isinstance(effect, Send):
            sync = effect.sync or len(effect.raw) > ENTRIES_FRAME_BYTES_MAX
            self._transport.send(effect.peer_id, Channel.SYNC if sync else Channel.ENTRIES, effect.raw)
        elif isinstance(effect, Broadcast):
            self._broadcast(effect.raw)
        elif isinstance(effect, Gossip):
            if len(effect.raw) <= FRAME_MAX[Channel.GOSSIP]:
                self._transport.gossip(effect.raw)
        elif isinstance(effect, VerifyClaim):
            self._nursery.start_soon(self._verify, effect.claim, effect.blob)
        elif isinstance(effect, RunStep):
            self._nursery.start_soon(self._dispatch.run, effect)
        elif isinstance(effect, ServeEntries | ServeBlobs | LookUp):
            self._serve(effect)
        elif isinstance(effect, Reply):
            waiting = self.tickets.pop(effect.ticket, None)
            if waiting is not None:
                with suppress(trio.WouldBlock, trio.BrokenResourceError):  # who asked has gone
                    waiting.send_nowait(effect)
        elif isinstance(effect, Tell):
            for sink in self._sinks:
                if effect.tlp <= sink.ceiling:
                    self._nursery.start_soon(self._tell, sink, effect)
                else:
                    sink.counts["withheld"] += 1

    def _broadcast(self, raw: bytes) -> None:
        if len(raw) <= ENTRIES_FRAME_BYTES_MAX:
            self._transport.broadcast(raw)
            return
        for peer in self._transport.status():
            if peer.up and not peer.observer:
                self._transport.send(peer.peer_id, Channel.SYNC, raw)

    async def _tell(self, sink: Sink, effect: Tell) -> None:
        news = News(effect.text, effect.tlp, effect.about, effect.level)
        # ahead of it: one that fails half way may have told it all the same
        self._knows(sink.name, effect)
        try:
            with trio.move_on_after(TELL_S_MAX):
                await sink.tell(news)
        except Exception as error:  # a sink is somebody's plug-in: the alarm goes on without it
            log.warning("sink %s could not tell %r: %s", sink.name, news.text[:80], told(error))

    async def _verify(self, claim: Claim, blob: bytes) -> None:
        verifier = self._verifiers.get(claim.type)
        judgement = undecided(f"claims of type {claim.type} are not verified here")
        if verifier is not None:
            async with self._verifying:
                with trio.move_on_after(VERIFY_S_MAX) as scope:
                    judgement = await _verdict(verifier, claim, blob)
                if scope.cancelled_caught:
                    judgement = undecided(f"no verdict within {VERIFY_S_MAX:.0f} s")
        await self._report(ClaimJudged(claim, judgement))

    def _serve(self, effect: ServeEntries | ServeBlobs | LookUp) -> None:
        """Whoever asks faster than the store answers is not answered: it will ask again."""
        if self._serving >= SERVING_AT_ONCE:
            return
        self._serving += 1
        self._nursery.start_soon(self._serve_one, effect)

    async def _serve_one(self, effect: ServeEntries | ServeBlobs | LookUp) -> None:
        try:
            if isinstance(effect, ServeEntries):
                await self._serve_entries(effect)
            elif isinstance(effect, LookUp):
                await self._look_up(effect)
            else:
                await self._serve_blobs(effect)
        except StoreError as error:  # nobody else's question may stop this node; its own start checks the store
            log.error("what %s asked for cannot be read: %s", effect.peer_id, error)
        finally:
            self._serving -= 1

    async def _serve_entries(self, effect: ServeEntries) -> None:
        want = effect.want
        limit = min(max(want.to_seq - want.from_seq + 1, 1), ENTRIES_PER_FRAME_MAX * 4)

        def read() -> list[bytes]:
            feed = (want.author, want.key_version)
            return self._store.entries(*feed, want.from_seq, limit, SERVED_BYTES_MAX, want.to_seq)

        async with self._one_range:
            raws = await trio.to_thread.run_sync(read, limiter=self._reading)
            for start in range(0, len(raws), ENTRIES_PER_FRAME_MAX):
                frame = pack_frame(Entries(tuple(raws[start : start + ENTRIES_PER_FRAME_MAX])))
                self._transport.send(effect.peer_id, Channel.SYNC, frame)
            await trio.sleep(RANGE_PAUSE_S)

    async def _look_up(self, effect: LookUp) -> None:
        def read() -> list[bytes]:
            feed = (effect.author, effect.key_version)
            return self._store.entries(*feed, effect.from_seq, LOOKED_UP_MAX, SERVED_BYTES_MAX, effect.to_seq)

        found = await trio.to_thread.run_sync(read, limiter=self._reading)
        await self._report(LookedUp(effect.peer_id, effect.raw, tuple(found)))

    async def _serve_blobs(self, effect: ServeBlobs) -> None:
        def read() -> list[bytes]:
            found = (self._store.blob(digest) for digest in effect.digests)
            return [blob for blob in found if blob is not None]

        blobs = await trio.to_thread.run_sync(read, limiter=self._reading)
        for together in bundled(blobs):
            self._transport.send(effect.peer_id, Channel.SYNC, pack_frame(Blobs(together)))


async def _verdict(verifier: Verifier, claim: Claim, blob: bytes) -> Judgement:
    try:
        return judgement_of(await verifier.verify(claim, blob))
    except Exception as error:  # a verifier is somebody's plug-in: what it cannot say is undecided
        return undecided(f"the verifier failed: {told(error)}")
