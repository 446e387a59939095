"""The composition root: one nursery, every part made once, the order of start and stop.

Start: configuration → keys → store → mark against store → recover → transport → sensors. Stop (SIGTERM, /v1/stop):
no new events, the commit under way finishes, nothing is undone; what stands is said, and stands until its lease.
"""

from __future__ import annotations

import functools
import gc
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import trio

from adapters.api import Delivering, Observation
from governance.charter import write as write_charter
from node import backup as backups
from node import inside, owner
from node.allowed import allowed_now, follow_members, list_observers_anew, observers_of
from node.api import make_app
from node.api_exercise import Exercise
from node.api_surface import Surface
from node.canary.keep import Canary, keep_canary
from node.config import NodeConfig
from node.discipline import LOOK_S, Discipline
from node.dispatch import Dispatch
from node.doors import serve
from node.drill.mark import drill_of
from node.effects import Tell
from node.events import Event, FrameArrived, PeerCameUp, PeerWentDown, SensorReported
from node.exposing import read_exposures, watch_chain
from node.hearing import watch_hearing
from node.insiders import Insiders
from node.instances import instances_of
from node.loop import batch_of, now
from node.machine import Machine, Setup
from node.machine.action import ON_TARGET
from node.machine.statements import learnable
from node.mark import MarkError
from node.metrics.counted import Counted, CountedDurable
from node.metrics.disk import Looks
from node.metrics.door import Meters
from node.metrics.health import in_a_line
from node.parts import Parts, StartFault, load_parts
from node.perform import Performer
from node.plugins import CLOSE_S_MAX, close_all, kept, told
from node.present import when
from node.present_governance import export
from node.records import EntryAccepted, KeySetLearned, NewerRecordError, Record, unpack_record
from node.service import Service
from node.serving_metrics import show_metrics
from node.status import status_of
from node.store import StoreError
from node.stream import Streams
from node.taking import next_key
from node.telemetry import open_log
from node.tracing.traced import tracing_of
from node.transport.api import Channel, Misbehaved, PeerAddress, PeerDown, PeerUp, ReceivedFrame
from node.transport.host import Libp2pTransport
from node.watch import Watch
from protocol.errors import ImpossibleError, ProtocolError
from protocol.ids import SourceId
from protocol.subjects import Subject

log = logging.getLogger("tocsin.node")
RECURSION_LIMIT = 1_000
"""A dependency raises it to 100 000 at import; nested input from outside would then overflow the C stack."""
SWITCH_S = 0.000_5
"""A commit is a thread's, and each step of it asks the loop's thread for the interpreter: busy under a flood, that one
would give way only after 5 ms, a dozen times a commit."""
GARBAGE_AT = (10_000, 20, 50)
"""Python's own 700, 10, 10 look through a growing state again and again; hardly anything here refers to itself."""


class Node:
    """One running node. `run` returns when it was told to stop."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        config = parts.config
        self.lines = open_log(config.log)
        self.watch = Watch(lambda happening: self.lines.write({"level": "info", "where": "tocsin.loop", **happening}))
        self.instances = instances_of(self)
        self.tracing = tracing_of(self)
        self.machine = Machine(self._setup())
        self.streams = Streams(self.watch, self.machine.state, parts.store.page)
        self.transport = Libp2pTransport(
            parts.transport_seed, config.listen, self._allowed(), f"tocsin/{parts.charter.network.hex()[:32]}"
        )
        self.started = time.monotonic()
        self.stopping = trio.Event()
        self.asked_to_stop = trio.Event()
        self._copying = trio.CapacityLimiter(1)
        self.tell_sinks: Callable[[Tell], None] = lambda effect: None
        """Once it runs."""
        self.discipline = Discipline(lambda peer, why: self.transport.cut_off(peer, why))
        self.misbehaved: dict[str, int] = {}
        self.counted = Counted()
        self.looks = Looks(config)
        self.insiders = Insiders(config.insiders)
        self.canary = Canary(config.canary.every_s)
        self.service = Service({})
        self.chain_faults: dict[str, str] = {}
        """Connection id → "" or what is wrong, as last asked."""

    def _setup(self) -> Setup:
        parts, policy = self.parts, self.parts.policy
        names = {}
        for lever, use in sorted(policy.levers.items()):
            names[lever] = policy.instance_of(use)
        missing = sorted(f"{lever} ({name})" for lever, name in names.items() if name not in self.instances.levers)
        if missing:
            raise StartFault(
                [f"{parts.config.policy}: no target in node.toml offers the lever {one}" for one in missing]
            )
        subjects: set[Subject] = {
            one for exposure in policy.exposures.values() for one in policy.assets[exposure.asset]
        }
        return Setup(
            member=parts.config.member,
            epoch=parts.epoch,
            past=parts.past,
            signer=parts.signer,
            key_version=parts.keyset.keyset.version,
            policy=policy,
            instances=names,
            declarations={lever: self.instances.levers[name].declared for lever, name in names.items()},
            slots={name: str(getattr(self.instances.levers[name], "slot", name)) for name in names.values()},
            own_sources=self._own_sources(),
            manifest=tuple(sorted(subjects)),
            fresh=parts.fresh,
            stopped_why=parts.stopped_why,
            skew_max_ms=parts.config.clock.skew_max_ms,
            observers=observers_of(parts.config),
            countersign=self.instances.countersign,
        )

    def _own_sources(self) -> tuple[SourceId, ...]:
        """What this member itself operates: chains that it has a connection to, and services, which need none."""
        here = {one.id for one in self.parts.config.connections}
        own = [one for one in self.parts.epoch.sources if one.operator == self.parts.config.member]
        services = {one.id for one in own if ":" not in one.scope}
        return tuple(sorted({*(SourceId(one) for one in here), *services}))

    def _allowed(self) -> dict[str, PeerAddress]:
        return allowed_now(self.parts, self.machine.state)

    def _recover(self) -> None:
        """Replays the store; what the mark carries beyond it was signed and is taken over as it is."""
        store = self.parts.store
        try:
            records = [unpack_record(row.kind, row.version, row.body) for _, row in store.records()]
            self.machine.recover(records)
            if self.parts.adopted:
                missing = learnable(self.machine.state, [one.raw for one in self.parts.keysets])
                adopted: list[Record] = [KeySetLearned(raw) for raw in missing]
                adopted += [EntryAccepted(raw, True, now().wall_ms) for raw in self.parts.adopted]
                self.machine.recover(adopted)
                store.commit(batch_of(adopted, self.machine.state, now().wall_ms))
        except NewerRecordError as error:
            cure = "run the version of tocsin that wrote it, or a later one; this one leaves it untouched"
            raise StartFault([f"{self.parts.config.store}: {error}; {cure}"]) from None
        except (ProtocolError, ImpossibleError) as error:
            cure = "restore a backup, then `tocsin restore` delegates a fresh key"
            raise StartFault(
                [f"{self.parts.config.store}: its records contradict each other: {error}; {cure}"]
            ) from None

    async def run(self, ready: Callable[[], None] = lambda: None) -> None:
        parts = self.parts
        self._recover()
        self.watch.reached(self.parts.store.position)
        self.transport.allow(self._allowed())
        async with trio.open_nursery() as nursery:
            version = parts.keyset.keyset.version
            durable = CountedDurable(parts.store, parts.config.mark, version, self.counted)
            performer: list[Performer] = []
            self.loop = loop = self.tracing.loop(self, durable, lambda effect: performer[0](effect))
            dispatch = Dispatch(self.instances.levers, loop.send, self.counted.stepped)
            performer.append(
                Performer(
                    self.transport,
                    parts.store,
                    self.instances.verifiers,
                    dispatch,
                    self.instances.sinks,
                    nursery,
                    loop.send,
                    functools.partial(inside.note_told, self.insiders),
                )
            )
            self.tell_sinks = performer[0]
            # before anything that a signal could come after: by default it ends the process without a word
            await nursery.start(self._signals)
            nursery.start_soon(self._end, nursery.cancel_scope)
            await nursery.start(self.transport.run)
            await nursery.start(self._serve_control, performer[0])
            await loop.begin([one.raw for one in self.parts.keysets])
            nursery.start_soon(loop.tick)
            nursery.start_soon(self._pump)
            nursery.start_soon(self._keep_discipline)
            nursery.start_soon(loop.run)
            nursery.start_soon(read_exposures, parts.policy, self.instances.readers, loop.send)
            nursery.start_soon(follow_members, self._allowed, self.transport.allow)
            nursery.start_soon(watch_hearing, self)
            nursery.start_soon(keep_canary, self)
            for connection, probe in self.instances.probes.items():
                nursery.start_soon(watch_chain, connection, probe, self.chain_faults)
            for sensor in self.instances.sensors:
                nursery.start_soon(sensor.run, self._observed)
            if parts.config.metrics.listen is not None:
                nursery.start_soon(show_metrics, self, parts.config.metrics.listen)
            for sink in self.instances.sinks:
                if isinstance(sink, Delivering):
                    nursery.start_soon(kept, sink.name, sink.run)
            nursery.start_soon(self._stop_when_asked)
            nursery.start_soon(self.extra)
            nursery.start_soon(self.insiders.keep)
            nursery.start_soon(self.service.keep, loop.silent_s, functools.partial(in_a_line, self))
            # what stands by now stands for good, and looking through it costs more than what could be found there
            gc.freeze()
            gc.set_threshold(*GARBAGE_AT)
            ready()
        await close_all((self.tracing.aclose, *self.instances.closers), CLOSE_S_MAX)
        self._farewell()

    def on_stopping(self) -> None:
        """For whoever runs the node: the stop has begun."""

    async def extra(self) -> None:
        """For what is built on a node; an ordinary one does nothing more."""

    def standing(self) -> list[str]:
        """What our levers hold now, in words: it outlives this process until its lease."""
        held = [one for one in self.machine.state.actions.values() if one.phase in ON_TARGET]
        return [
            f"{one.lever} on {one.subject} stands until {when(one.until_ms)} ({one.phase.value})"
            for one in sorted(held, key=lambda one: one.opened_ms)
        ]

    def _farewell(self) -> None:
        standing = self.standing()
        for line in standing:
            log.info(line)
        log.info("stopped; nothing was undone, %d restriction(s) stand until their lease ends", len(standing))
        self.parts.store.close()

    async def _end(self, everything: trio.CancelScope) -> None:
        await self.stopping.wait()
        self.on_stopping()
        everything.cancel()

    async def _signals(self, *, task_status: Any) -> None:
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as arriving:
            task_status.started()
            async for number in arriving:
                if number == signal.SIGHUP:
                    if (listed := list_observers_anew(self.parts)) is not None:
                        await self.loop.send(listed)
                else:
                    self.stopping.set()

    async def _stop_when_asked(self) -> None:
        """A moment later, so that whoever asked gets the answer first."""
        await self.asked_to_stop.wait()
        await trio.sleep(0.1)
        self.stopping.set()

    async def _observed(self, observation: Observation) -> None:
        await self.loop.send(SensorReported(observation))

    async def _pump(self) -> None:
        """The transport's news into the loop's inbox; waiting there is what holds fast peers back."""
        async for event in self.transport.events:
            told: Event
            if isinstance(event, ReceivedFrame):
                told = FrameArrived(
                    event.peer_id, event.channel is Channel.ENTRIES, event.channel is Channel.SYNC, event.frame
                )
            elif isinstance(event, PeerUp):
                told = PeerCameUp(event.peer_id)
                self._hint(event.peer_id, True)
            elif isinstance(event, PeerDown):
                told = PeerWentDown(event.peer_id, event.why)
                self._hint(event.peer_id, False)
            else:
                self._misbehaved(event)
                continue
            await self.loop.offer(told)
            held_ms = self.machine.state.budgets.held_ms(event.peer_id, now().mono_ms)
            if held_ms:
                self.transport.hold(event.peer_id, held_ms / 1000)
        raise ImpossibleError("the transport ended by itself: a node that hears nobody must not seem to run")

    def _hint(self, peer_id: str, up: bool) -> None:
        member = self.machine.state.member_of(peer_id) or ""
        self.watch.hint({"kind": "peer", "peer_id": peer_id, "member": member, "up": up})

    def _misbehaved(self, event: Misbehaved) -> None:
        self.discipline.misbehaved(event, now().wall_ms)
        known = self.misbehaved.get(event.why, 0)
        if known or len(self.misbehaved) < 256:
            self.misbehaved[event.why] = known + 1

    async def _keep_discipline(self) -> None:
        while True:
            at = now()
            self.discipline.strangers(self.transport.strangers(), at.wall_ms)
            self.discipline.look(self.machine.state, at.wall_ms, at.mono_ms)
            await trio.sleep(LOOK_S)

    async def _serve_control(self, performer: Performer, *, task_status: Any) -> None:
        surface = Surface(
            state=self.machine.state,
            watch=self.watch,
            streams=self.streams,
            insiders=self.insiders,
            submit=self.loop.send,
            tickets=performer.tickets,
            status=functools.partial(status_of, self),
            backup=self._backup,
            next_key=functools.partial(next_key, self.parts, self.machine.state),
            export=self._export,
            stop=self._stop,
            looks=self.looks,
            page=self.parts.store.page,
        )
        app = make_app(surface)
        if drill_of(self.parts.charter.parameters.name):
            app.add_middleware(Exercise)
        await serve(Meters(self, self.looks, app), app, self.parts.config, self.stopping, task_status=task_status)

    def _export(self) -> dict[str, Any]:
        return export(self.machine.state, write_charter(self.parts.charter), self.parts.before)

    def _stop(self) -> list[str]:
        self.asked_to_stop.set()
        return self.standing()

    async def _backup(self, dest: str) -> dict[str, Any]:
        take = functools.partial(backups.backup, self.parts.config.store, Path(dest))
        try:
            await trio.to_thread.run_sync(take, limiter=self._copying)
        except (StoreError, OSError, ValueError) as error:
            return {"ok": False, "says": str(error)}
        return {"ok": True, "says": f"checked copy at {dest}; keys and the mark are not in it"}


def run(config: NodeConfig, ready: Callable[[], None] = lambda: None) -> int:
    """`tocsin up`: 0 when stopped, 1 when it could not start."""
    sys.setrecursionlimit(RECURSION_LIMIT)
    sys.setswitchinterval(SWITCH_S)
    service = Service(os.environ)
    try:
        node = Node(load_parts(config))
        node.service = service

        def up() -> None:
            owner.tell(owner.hello(node))
            service.say("READY=1")
            ready()

        def stopping() -> None:
            service.say("STOPPING=1")
            forced.start()

        forced = threading.Timer(owner.STOP_S_MAX, owner.end_now)
        forced.daemon = True
        node.on_stopping = stopping  # type: ignore[method-assign]
        trio.run(functools.partial(node.run, up))
        forced.cancel()
    except StartFault as error:
        owner.tell(error.faults)
        return 1
    except (StoreError, MarkError) as error:
        log.critical("stopped: %s", error)
        owner.tell([str(error)])
        return 1
    except BaseExceptionGroup as group:
        known = list(owner.known(group))
        log.critical("stopped: %s", "; ".join(known) or told(group))
        if not known:
            raise
        owner.tell(known)
        return 1
    standing = node.standing()
    owner.tell([f"stopped; nothing was undone; {len(standing) or 'no'} restriction(s) of ours stand", *standing])
    return 0
