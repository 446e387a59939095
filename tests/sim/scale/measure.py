"""What the shipped code costs on this machine: the figures that the model is fed with. CPU of the process, not wall."""

from __future__ import annotations

import gc
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import trio

from node import mark
from node.effects import Broadcast, VerifyClaim
from node.events import ClaimJudged, Clock, FrameArrived, PeerCameUp, Ticked
from node.loop import batch_of
from node.machine import Machine, Setup
from node.store import Batch, Store
from node.transport.api import Channel, PeerAddress
from protocol.crypto import Signer, sha256, verify
from protocol.envelope import parse_entry, seal_entry
from protocol.evidence import (
    BackingReading,
    Judgement,
    Ruling,
    SupplyAboveBacking,
    claim_of,
    judge_backing,
    open_claim,
)
from protocol.frames import Blobs, CertificateFrame, Entries, Shown, pack_frame, parse_frame
from protocol.ids import ZERO_HASH, PublicKey, SourceId
from protocol.messages import Level
from protocol.quorum import check_certificate, pack_certificate, parse_certificate, without_known_keysets
from tests.integration.transport.support import Peer, peer
from tests.unit.machine import cast
from tests.unit.protocol.world import BRIDGE, FAR, HOME

CLOCK = Clock(cast.START_MS, 1_000_000)
SIZES = (7, 13, 19, 31, 50, 100, 150, 200, 250)
"""Numbers of members a real machine is measured at; the wire format holds 256."""

CLAIM = claim_of(SupplyAboveBacking(HOME, BRIDGE.escrow, FAR, BRIDGE.twin, 500))
FORGED = 64
WIRE_PEERS = 8
DISK_TURNS, DISK_ROUNDS = 8, 15
WIRE_ROUNDS = 40
GATHERED = 8
WIRE_TURNS = 7


def cpu_ms(do: Callable[[], Any]) -> tuple[float, Any]:
    """CPU milliseconds of the calling thread, and what `do` returned."""
    began = time.thread_time_ns()
    found = do()
    return (time.thread_time_ns() - began) / 1e6, found


def typical(do: Callable[[], Any], rounds: int = 200) -> float:
    """Median CPU milliseconds of one call."""
    return statistics.median(cpu_ms(do)[0] for _ in range(rounds))


class Stage:
    """One real machine `m0` among `n` members and the words of all others on one claim, sealed and framed."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.epoch = cast.epoch_of(n)
        self.keysets = [cast.keyset(one.name) for one in self.epoch.members]
        self.blob = cast.claim()
        self.frames = [self.word(i) for i in range(1, n)]

    def word(self, i: int, seq: int = 1) -> bytes:
        """The Entries frame of m<i>'s ISOLATE on the claim."""
        name = cast.member(i)
        body = cast.opinion(Level.ISOLATE, (self.blob,), sources=(f"{name}-node",), epoch=self.epoch.hash)
        sealed = seal_entry(
            cast.NETWORK, cast.hot(name), author=name, key_version=0, seq=seq, prev=ZERO_HASH,
            issued_ms=cast.START_MS, body=body,
        )  # fmt: skip
        return pack_frame(Entries((sealed.raw,)))

    def forged(self) -> bytes:
        """One frame of many words of m2, no two alike, under seals that are false in the last bit."""
        raws = []
        for seq in range(2, 2 + FORGED):
            frame = parse_frame(self.word(2, seq))
            if isinstance(frame, Entries):
                raws.append(frame.raws[0][:-1] + bytes([frame.raws[0][-1] ^ 1]))
        return pack_frame(Entries(tuple(raws)))

    def machine(self) -> Machine:
        name = cast.member(0)
        made = Machine(Setup(
            member=name, epoch=self.epoch, signer=cast.hot(name), key_version=0, policy=cast.policy_of(),
            instances={"freeze": "pool:log.freeze"}, declarations={"freeze": cast.FREEZE},
            own_sources=(SourceId(f"{name}-node"),), manifest=(cast.COIN,), fresh=True,
        ))  # fmt: skip
        made.start(CLOCK, self.keysets)
        for i in range(1, self.n):
            made.handle(PeerCameUp(cast.peer_of(cast.member(i))), CLOCK)
        return made

    def event(self, i: int, raw: bytes) -> FrameArrived:
        return FrameArrived(cast.peer_of(cast.member(i)), True, False, raw)

    def judgement(self) -> Judgement:
        said = Judgement(Ruling.SUPPORTS, "it is so", cast.COIN, cast.THREAT, Level.ISOLATE, 10)
        return replace(said, sources=(SourceId("m0-node"),))


def alarm_at(stage: Stage) -> dict[str, Any]:
    """One alarm through one machine: {first, judged: ms; entries: [ms] by position; duplicate, tick, shown: ms}.

    `first` takes the first word with its blob, `judged` takes the verdict and seals and packs the own word."""
    machine = stage.machine()
    parse_entry.cache_clear()  # a node meets each word for the first time, only this bench meets it in every round
    gc.collect()
    gc.disable()
    try:
        pushed = stage.event(1, pack_frame(Blobs((stage.blob.blob,))))
        first, decisions = cpu_ms(lambda: [machine.handle(pushed, CLOCK),
                                           machine.handle(stage.event(1, stage.frames[0]), CLOCK)])  # fmt: skip
        asked = [one for one in decisions[-1].effects if isinstance(one, VerifyClaim)]
        judged, said = cpu_ms(lambda: machine.handle(ClaimJudged(asked[0].claim, stage.judgement()), CLOCK))
        if not any(isinstance(one, Broadcast) for one in said.effects):
            raise RuntimeError("the machine did not answer a claim that it had verified: the stage is set wrongly")
        entries, decision = [], said
        for i in range(2, stage.n):
            spent, decision = cpu_ms(lambda i=i: machine.handle(stage.event(i, stage.frames[i - 1]), CLOCK))
            entries.append(spent)
        if not any(one.certificate.level is Level.ISOLATE for one in machine.state.certificates.values()):
            raise RuntimeError("the machine holds no ISOLATE certificate: the stage is set wrongly")
        twice = stage.event(2, stage.frames[1])
        duplicate = typical(lambda: machine.handle(twice, CLOCK), 30)
        garbage = _forged(stage, machine)
        shown_raw = stage.event(2, pack_frame(Shown((bytes(32),))))
        shown = typical(lambda: machine.handle(shown_raw, CLOCK), 30)
        tick = statistics.median(
            cpu_ms(lambda k=k: machine.handle(Ticked(), Clock(cast.START_MS + k, 1_000_000 + k)))[0]
            for k in range(100, 2100, 100)
        )
    finally:
        gc.enable()
    return {"first": first, "judged": judged, "entries": entries, "duplicate": duplicate, "tick": tick, "shown": shown,
            "garbage": garbage, "batch": _batch_cpu(machine, decision), "machine": machine}  # fmt: skip


def _forged(stage: Stage, machine: Machine) -> float:
    bundle = stage.event(2, stage.forged())
    parse_entry.cache_clear()
    return cpu_ms(lambda: machine.handle(bundle, CLOCK))[0] / FORGED


def _batch_cpu(machine: Machine, decision: Any) -> float:
    return typical(lambda: batch_of(decision.records, machine.state, cast.START_MS, decision.known), 30)


def measured_machine(n: int, rounds: int) -> dict[str, Any]:
    """The medians over `rounds` fresh machines, and what a certificate of ISOLATE costs at this `n`."""
    stage = Stage(n)
    runs = [alarm_at(stage) for _ in range(rounds)]
    found: dict[str, Any] = {
        name: statistics.median(run[name] for run in runs)
        for name in ("first", "judged", "duplicate", "tick", "shown", "garbage", "batch")
    }
    found["entries"] = [statistics.median(row) for row in zip(*(run["entries"] for run in runs), strict=True)]
    machine = runs[0]["machine"]
    return found | _certificate(machine) | {"certificate_taken": _taken(stage, machine)}


def _taken(stage: Stage, machine: Machine) -> float:
    """A fresh machine is given a certificate of words that it never saw: checked, stored, and each word counted."""
    held = next(one for one in machine.state.certificates.values() if one.certificate.level is Level.ISOLATE)
    raw, fresh = pack_frame(CertificateFrame(held.raw)), stage.machine()
    parse_certificate.cache_clear()
    parse_entry.cache_clear()
    return cpu_ms(lambda: fresh.handle(stage.event(1, raw), CLOCK))[0]


def _certificate(machine: Machine) -> dict[str, Any]:
    """Checking one that was never seen, KeySets known: {signers, check, certificate_bytes, short_bytes}."""
    state = machine.state
    held = next(one for one in state.certificates.values() if one.certificate.level is Level.ISOLATE)
    hashes = [(sealed.raw, sealed.hash) for versions in state.keysets.values() for sealed in versions.values()]
    short = without_known_keysets(held.certificate, hashes)
    raw = pack_certificate(short)

    def check_anew() -> float:
        parse_entry.cache_clear()
        return cpu_ms(lambda: check_certificate(short, raw, state.epoch, state.keyset))[0]

    check = statistics.median(check_anew() for _ in range(5))
    return {"signers": len(held.opinions), "check": check, "certificate_bytes": len(held.raw), "short_bytes": len(raw)}


def claim_judged() -> Judgement:
    """Opening a claim's blob and judging what was read; the reading itself is the providers' time and not counted."""
    inputs = open_claim(CLAIM.claim, CLAIM.blob)
    if not isinstance(inputs, SupplyAboveBacking):
        raise TypeError("the bench's claim is one of unbacked supply")
    return judge_backing(inputs, BackingReading(900, 1_000, 1_000, 1_000, 100, 100), BRIDGE)


def floors() -> dict[str, float]:
    """One signature made, one checked, one claim judged, one frame packed; ChaCha20-Poly1305 over an entry's frame in
    the library that Noise uses: ms."""
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    signer, word = Signer(bytes(range(32))), bytes(370)
    signature = signer.sign(word)
    cipher = ChaCha20Poly1305(bytes(32))
    return {
        "sign": typical(lambda: signer.sign(word), 500),
        "verify": typical(lambda: verify(signer.public, word, signature), 500),
        "aead": typical(lambda: cipher.encrypt(bytes(12), word, b""), 500),
        "claim": typical(claim_judged, 500),
        "pack": typical(lambda: pack_frame(Entries((word,))), 500),
    }


def disk() -> dict[str, float]:
    """What waits for the disk, wall ms: {commit: fixed, commit_per_entry, mark}."""
    from node.store import EntryRow, RecordRow

    def batch(number: int, size: int) -> Batch:
        rows = tuple(
            EntryRow("floor", 1, number * 1000 + k, sha256(f"{number} {k}".encode()), bytes(350), False, number)
            for k in range(size)
        )
        return Batch(tuple(RecordRow(1, 1, bytes(350)) for _ in range(size)), rows, (), ())

    def wall(do: Callable[[int], Any]) -> float:
        """The quietest turn's median: what others do to this disk meanwhile is not the node's."""
        turns = []
        for turn in range(DISK_TURNS):
            spent = []
            for k in range(DISK_ROUNDS):
                began = time.perf_counter()
                do(turn * DISK_ROUNDS + k)
                spent.append((time.perf_counter() - began) * 1e3)
            turns.append(statistics.median(spent))
            time.sleep(0.3)
        return min(turns)

    with tempfile.TemporaryDirectory(dir=Path.cwd()) as place:
        store = Store.open(Path(place) / "floor.db")
        store.bind_network(bytes(32), "floor")
        try:
            one = wall(lambda k: store.commit(batch(k, 1)))
            many = wall(lambda k: store.commit(batch(100_000 + k, 64)))
        finally:
            store.close()
        path = Path(place) / mark.NAME
        marked = wall(lambda k: mark.write(path, mark.Mark(PublicKey(bytes(32)), 1, k, bytes(32), (bytes(350),))))
    per_entry = max(0.0, (many - one) / 63)
    return {"commit": one - per_entry, "commit_per_entry": per_entry, "mark": marked}


def wire(frame_bytes: int) -> dict[str, float]:
    """The shipped transport over loopback: CPU ms of one process for a frame sent to, or received from, one of eight
    peers in one wave, and for each KiB more. The peers live in a process of their own."""
    return trio.run(_wire, frame_bytes)


async def _wire(frame_bytes: int) -> dict[str, float]:
    async with AsyncExitStack() as stack:
        here = await stack.enter_async_context(peer("scale-here"))
        command = ["-m", "tests.sim.scale.echo", here.id, here.transport.listening[0], str(WIRE_PEERS)]
        child = await trio.to_thread.run_sync(
            lambda: subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True)
        )
        try:
            if child.stdout is None:
                raise RuntimeError("the peers' process has no output")
            ids = (await trio.to_thread.run_sync(child.stdout.readline)).split()
            here.transport.allow({one: PeerAddress(one, ()) for one in ids})
            for one in ids:
                await here.until(lambda one=one: here.is_up(one), 30)
            found = [await _waves(here, frame_bytes) for _ in range(WIRE_TURNS)]
        finally:
            child.kill()
            child.wait()
    send, both, large, large_both, many, many_both = (statistics.median(row) for row in zip(*found, strict=True))
    per_kib, receive = max(0.0, (large - send) / 32), both - send
    back_per_kib = max(0.0, (large_both - large - receive) / 32)
    more = max(0.0, (many - send) / (GATHERED - 1))
    back_more = max(0.0, (many_both - many - receive) / (GATHERED - 1))
    return {"send": send, "receive": receive, "send_per_kib": per_kib, "receive_per_kib": back_per_kib,
            "send_more": more, "receive_more": back_more}  # fmt: skip


async def _waves(here: Peer, frame_bytes: int) -> tuple[float, ...]:
    """One after the other, so that a slow moment of the machine slows all of them."""
    small, large = bytes(frame_bytes - 1), bytes(32 * 1024)
    return (
        await _round_cpu(here, b"s" + small, answers=0),
        await _round_cpu(here, b"e" + small, answers=WIRE_PEERS),
        await _round_cpu(here, b"s" + large, answers=0),
        await _round_cpu(here, b"e" + large, answers=WIRE_PEERS),
        await _round_cpu(here, b"s" + small, answers=0, frames=GATHERED),
        await _round_cpu(here, b"e" + small, answers=WIRE_PEERS * GATHERED, frames=GATHERED),
    )


async def _round_cpu(here: Peer, frame: bytes, answers: int, frames: int = 1) -> float:
    """CPU ms a peer of one wave: everybody is sent `frame`, so many times at once; `answers` frames come back."""
    spent = []
    for _ in range(WIRE_ROUNDS):
        here.seen.clear()
        began = time.process_time_ns()
        for _ in range(frames):
            here.transport.broadcast(frame)
        if answers:
            await here.until(lambda: len(here.frames(Channel.ENTRIES)) >= answers, 30)
        await trio.sleep(0.012)
        spent.append((time.process_time_ns() - began) / 1e6)
    return statistics.median(spent) / WIRE_PEERS
