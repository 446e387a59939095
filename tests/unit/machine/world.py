"""A network of real machines in memory: real keys, a virtual clock, wires with delay, loss and cuts; claims and levers
are tables. A node's disk is its list of packed records: `restart` throws the machine away and recovers from it."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from adapters.api import Observation
from adapters.policy import Policy
from node.effects import Broadcast, Effect, LookUp, Reply, RunStep, Send, ServeBlobs, ServeEntries, Tell, VerifyClaim
from node.events import (
    ClaimJudged,
    Clock,
    Event,
    FrameArrived,
    LeverStepped,
    LookedUp,
    OperatorAsked,
    PeerCameUp,
    PeerWentDown,
    SensorReported,
    Ticked,
)
from node.machine import Action, Decision, Machine, Setup, State
from node.records import BlobKept, EntryAccepted, Record, pack_record, unpack_record
from protocol.crypto import Signer, sha256
from protocol.envelope import Verified, parse_carried, seal_entry
from protocol.errors import ProtocolError
from protocol.evidence import ClaimBlob, Judgement, Ruling, open_claim, refuted
from protocol.frames import Blobs, Entries, pack_frame
from protocol.ids import ZERO_HASH, Digest, MemberName, SourceId
from protocol.messages import Attestation, Basis, Body, Level
from protocol.quorum import CheckedCertificate
from protocol.subjects import Subject
from tests.unit.machine.cast import (
    CHAIN as CHAIN,
)
from tests.unit.machine.cast import (
    COIN as COIN,
)
from tests.unit.machine.cast import (
    DELAY_MS as DELAY_MS,
)
from tests.unit.machine.cast import (
    FREEZE as FREEZE,
)
from tests.unit.machine.cast import (
    HOUR_MS as HOUR_MS,
)
from tests.unit.machine.cast import (
    LEVER_MS as LEVER_MS,
)
from tests.unit.machine.cast import (
    NETWORK as NETWORK,
)
from tests.unit.machine.cast import (
    OTHER_COIN as OTHER_COIN,
)
from tests.unit.machine.cast import (
    START_MS as START_MS,
)
from tests.unit.machine.cast import (
    THREAT as THREAT,
)
from tests.unit.machine.cast import (
    TICK_MS as TICK_MS,
)
from tests.unit.machine.cast import (
    TOPIC as TOPIC,
)
from tests.unit.machine.cast import (
    VERIFY_MS as VERIFY_MS,
)
from tests.unit.machine.cast import (
    Target as Target,
)
from tests.unit.machine.cast import (
    claim as claim,
)
from tests.unit.machine.cast import (
    epoch_of as epoch_of,
)
from tests.unit.machine.cast import (
    governance as governance,
)
from tests.unit.machine.cast import (
    hot as hot,
)
from tests.unit.machine.cast import (
    keyset as keyset,
)
from tests.unit.machine.cast import (
    member as member,
)
from tests.unit.machine.cast import (
    opinion as opinion,
)
from tests.unit.machine.cast import (
    peer_of as peer_of,
)
from tests.unit.machine.cast import (
    policy_of as policy_of,
)


class Node:
    """One machine, its disk, its target and what it told people."""

    def __init__(self, world: World, setup: Setup) -> None:
        self.world, self.setup, self.name = world, setup, setup.member
        self.disk: list[tuple[int, int, bytes]] = []
        self.target = Target()
        self.verdicts: dict[Digest, Judgement | list[Judgement]] = {}
        self.told: list[str] = []
        self.replies: list[Reply] = []
        self.verified: list[Digest] = []
        self.up = False
        self.life = 0
        self.ahead_ms = 0
        """Of true time, as its wall clock is set."""
        self.machine = Machine(setup)

    @property
    def state(self) -> State:
        return self.machine.state

    def clock(self) -> Clock:
        return Clock(self.world.now_ms + self.ahead_ms, self.world.now_ms - START_MS + 1_000_000)

    def records(self) -> list[Record]:
        return [unpack_record(*row) for row in self.disk]

    def count(self, kind: type) -> int:
        return sum(1 for one in self.records() if isinstance(one, kind))

    def own_seqs(self) -> list[int]:
        return [parse_carried(one.raw, NETWORK).entry.seq for one in self.records()
                if isinstance(one, EntryAccepted) and one.own]  # fmt: skip

    def start(self) -> None:
        self.up, self.life = True, self.life + 1
        self.perform(self.machine.start(self.clock(), self.world.keysets()))
        self.world.after(1 + self.world.rng.randrange(TICK_MS), self._tick, self.life)

    def stop(self) -> None:
        self.up = False
        self.world.unplug(self.name)

    def restart(self, lose_last: int = 0, **changes: Any) -> None:
        """A new machine on the same disk, or on one whose last records are gone."""
        if lose_last:
            del self.disk[-lose_last:]
        self.setup = replace(self.setup, **{"fresh": False, **changes})
        self.machine = Machine(self.setup)
        self.machine.recover(self.records())
        self.start()

    def _tick(self, life: int) -> None:
        if self.up and life == self.life:
            self.handle(Ticked())
            self.world.after(TICK_MS, self._tick, life)

    def handle(self, event: Event) -> Decision:
        decision = self.machine.handle(event, self.clock())
        self.perform(decision)
        return decision

    def perform(self, decision: Decision) -> None:
        self.disk.extend(pack_record(record) for record in decision.records)
        for effect in decision.effects:
            self._do(effect)

    def _do(self, effect: Effect) -> None:
        world, life = self.world, self.life
        if isinstance(effect, Send):
            world.carry(self.name, effect.peer_id, effect.raw, effect.sync)
        elif isinstance(effect, Broadcast):
            for peer in sorted(world.wires.get(self.name, ())):
                world.carry(self.name, peer_of(peer), effect.raw, False)
        elif isinstance(effect, VerifyClaim):
            world.after(VERIFY_MS, self._judged, effect, life)
        elif isinstance(effect, RunStep):
            world.after(LEVER_MS, self._stepped, effect, life)
        elif isinstance(effect, ServeEntries):
            self._serve(effect)
        elif isinstance(effect, LookUp):
            world.after(1, self._looked_up, effect, life)
        elif isinstance(effect, ServeBlobs):
            for raw in (one.raw for one in self.records() if isinstance(one, BlobKept)):
                if sha256(raw) in effect.digests:
                    world.carry(self.name, effect.peer_id, pack_frame(Blobs((raw,))), True)
        elif isinstance(effect, Reply):
            self.replies.append(effect)
        elif isinstance(effect, Tell):
            self.told.append(effect.text)

    def _serve(self, effect: ServeEntries) -> None:
        want, found = effect.want, {}
        for record in self.records():
            if isinstance(record, EntryAccepted):
                entry = parse_carried(record.raw, NETWORK).entry
                if (entry.author, entry.key_version) == (want.author, want.key_version):
                    found[entry.seq] = record.raw
        raws = [found[seq] for seq in sorted(found) if want.from_seq <= seq <= want.to_seq]
        for at in range(0, len(raws), 64):
            self.world.carry(self.name, effect.peer_id, pack_frame(Entries(tuple(raws[at : at + 64]))), True)

    def _looked_up(self, effect: LookUp, life: int) -> None:
        if self.up and life == self.life:
            entries = [one.raw for one in self.records() if isinstance(one, EntryAccepted)]
            parsed = [parse_carried(raw, NETWORK) for raw in entries]
            places = [(effect.author, effect.key_version, seq) for seq in range(effect.from_seq, effect.to_seq + 1)]
            found = [one.raw for one in parsed if (one.entry.author, one.entry.key_version, one.entry.seq) in places]
            self.handle(LookedUp(effect.peer_id, effect.raw, tuple(found)))

    def _judged(self, effect: VerifyClaim, life: int) -> None:
        if not self.up or life != self.life:
            return
        self.verified.append(effect.claim.digest)
        said = self.verdicts.get(effect.claim.digest) or self.world.truth.get(effect.claim.digest, refuted("untrue"))
        try:
            open_claim(effect.claim, effect.blob)
        except ProtocolError as bad:  # as every verifier begins
            said = refuted(str(bad))
        if isinstance(said, list):
            said = said.pop(0) if len(said) > 1 else said[0]
        if said.ruling is Ruling.SUPPORTS and not said.sources:
            said = replace(said, sources=(SourceId(f"{self.name}-node"),))
        self.handle(ClaimJudged(effect.claim, said))

    def _stepped(self, effect: RunStep, life: int) -> None:
        if self.up and life == self.life:
            outcome = self.target.step(effect.step, effect.order, self.world.now_ms)
            self.handle(LeverStepped(effect.key, effect.step, outcome))

    # what tests ask
    def certificate(self, level: Level = Level.ISOLATE, subject: Subject = COIN) -> CheckedCertificate | None:
        for held in self.state.certificates.values():
            if (held.certificate.subject, held.certificate.level) == (subject, level):
                return held
        return None

    def opinion(self, author: str, subject: Subject = COIN) -> Verified[Attestation] | None:
        return self.state.opinions.get((subject, THREAT), {}).get(MemberName(author))

    def action(self) -> Action:
        (one,) = self.state.actions.values()
        return one

    def ask(self, command: Any, person: str = "ann", *, token: bool = False) -> Reply:
        """`token`: over TCP; else at the control socket, under whatever name."""
        self.handle(OperatorAsked(len(self.replies), person, command, token))
        return self.replies[-1]

    def sense(self, *claims: ClaimBlob, level: Level = Level.ISOLATE, subject: Subject = COIN) -> None:
        source = (SourceId(f"{self.name}-node"),)
        self.handle(SensorReported(
            Observation(subject, THREAT, level, Basis.VERIFIED, claims, source, "sensor", "", "seen")
        ))  # fmt: skip


class World:
    """`World(7)` and everything is up, connected and has said its first words."""

    def __init__(
        self, n: int = 7, seed: int = 1, *, liars: int = 0, policy: Policy | None = None, **setup: Any
    ) -> None:
        self.now_ms = START_MS
        self.rng = random.Random(seed)
        self.epoch = setup.pop("epoch", None) or epoch_of(n)
        self.truth: dict[Digest, Judgement] = {}
        self.extra_keysets: list[bytes] = []
        self.wires: dict[str, set[str]] = {}
        self.delay_ms: dict[tuple[str, str], int] = {}
        self.loss = 0.0
        self.wiretap: list[tuple[str, str, bytes]] = []
        self._queue: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self._numbers = itertools.count()
        self._last_at: dict[tuple[str, str], int] = {}
        manifest, own = setup.pop("manifest", (COIN,)), setup.pop("own_sources", None)
        self.nodes = {
            name: Node(self, Setup(
                member=name, epoch=self.epoch, signer=hot(name), key_version=0, policy=policy or policy_of(),
                instances={"freeze": "pool:log.freeze"}, declarations={"freeze": FREEZE},
                own_sources=(SourceId(f"{name}-node"),) if own is None else own, manifest=manifest, fresh=True, **setup,
            ))
            for name in [member(i) for i in range(n - liars)]
        }  # fmt: skip
        self.liars = {member(i): Liar(self, member(i)) for i in range(n - liars, n)}
        for node in self.nodes.values():
            node.start()
        names = [*self.nodes, *self.liars]
        for a, b in itertools.combinations(names, 2):
            self.plug(a, b)
        self.run(300)

    def __getitem__(self, i: int) -> Node:
        return self.nodes[member(i)]

    def __iter__(self) -> Any:
        return iter(self.nodes.values())

    def keysets(self) -> list[bytes]:
        return [*(keyset(one.name) for one in self.epoch.members), *self.extra_keysets]

    def true(self, one: ClaimBlob, level: Level = Level.ISOLATE, subject: Subject = COIN) -> ClaimBlob:
        self.truth[one.claim.digest] = Judgement(Ruling.SUPPORTS, "it is so", subject, THREAT, level, 10)
        return one

    # time
    def after(self, ms: int, fn: Callable[..., None], *args: Any) -> None:
        heapq.heappush(self._queue, (self.now_ms + ms, next(self._numbers), fn, args))

    def run(self, ms: int) -> None:
        until = self.now_ms + ms
        while self._queue and self._queue[0][0] <= until:
            self.now_ms, _, fn, args = heapq.heappop(self._queue)
            fn(*args)
        self.now_ms = until

    def skip(self, ms: int) -> None:
        """Time in which nothing happens but its passing: ticks of now are made up for by one each."""
        self.now_ms += ms
        self._queue = [(at + ms, number, fn, args) for at, number, fn, args in self._queue]
        self._last_at.clear()
        self.run(2 * TICK_MS)

    def until(self, holds: Callable[[], bool], most_ms: int = 10_000) -> int:
        """Milliseconds that passed until it held; fails where it never did."""
        started = self.now_ms
        while not holds():
            assert self.now_ms - started < most_ms, "it never came to hold"
            self.run(1)
        return self.now_ms - started

    # wires
    def plug(self, a: str, b: str) -> None:
        self.wires.setdefault(a, set()).add(b)
        self.wires.setdefault(b, set()).add(a)
        for one, other in ((a, b), (b, a)):
            node = self.nodes.get(MemberName(one))
            if node is not None and node.up:
                node.handle(PeerCameUp(peer_of(other)))

    def unplug(self, a: str, *others: str) -> None:
        for b in sorted(others or set(self.wires.get(a, ()))):
            self.wires[a].discard(b)
            self.wires[b].discard(a)
            for one, other in ((a, b), (b, a)):
                node = self.nodes.get(MemberName(one))
                if node is not None and node.up:
                    node.handle(PeerWentDown(peer_of(other), "cut"))

    def replug(self, a: str) -> None:
        for b in [*self.nodes, *self.liars]:
            if b != a and (b in self.liars or self.nodes[b].up):
                self.plug(a, b)

    def carry(self, a: str, peer_id: str, raw: bytes, sync: bool) -> None:
        b = peer_id.removeprefix("peer-of-")
        self.wiretap.append((a, b, raw))
        if b not in self.wires.get(a, ()) or self.rng.random() < self.loss or b not in self.nodes:
            return
        at = max(self.now_ms + self.delay_ms.get((a, b), DELAY_MS), self._last_at.get((a, b), 0))
        self._last_at[(a, b)] = at
        event = FrameArrived(peer_of(a), not sync, sync, raw)
        self.after(at - self.now_ms, self._deliver, self.nodes[MemberName(b)], event)

    def _deliver(self, node: Node, event: FrameArrived) -> None:
        if node.up and event.peer_id in node.state.links:
            node.handle(event)


class Liar:
    """A seat without a machine: seals what the test wants and hands it to whom the test wants."""

    def __init__(self, world: World, name: MemberName) -> None:
        self.world, self.name = world, name
        self.seq, self.prev = -1, ZERO_HASH

    def seal(self, body: Body, *, seq: int | None = None, prev: Any = None, version: int = 0,
             issued_ms: int | None = None, key: Signer | None = None) -> Verified[Any]:  # fmt: skip
        made = seal_entry(
            NETWORK, key or hot(self.name, version), author=self.name, key_version=version,
            seq=self.seq + 1 if seq is None else seq, prev=self.prev if prev is None else prev,
            issued_ms=self.world.now_ms if issued_ms is None else issued_ms, body=body,
        )  # fmt: skip
        if seq is None:
            self.seq, self.prev = made.entry.seq, made.hash
        return made

    def send(self, frame: Any, to: list[int] | None = None, sync: bool = False) -> None:
        raw = frame if isinstance(frame, bytes) else pack_frame(frame)
        for node in self.world.nodes.values() if to is None else [self.world[i] for i in to]:
            self.world.carry(self.name, peer_of(node.name), raw, sync)

    def say(self, body: Body, *blobs: ClaimBlob, to: list[int] | None = None) -> Verified[Any]:
        made = self.seal(body)
        if blobs:
            self.send(Blobs(tuple(one.blob for one in blobs)), to)
        self.send(Entries((made.raw,)), to)
        return made
