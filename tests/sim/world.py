"""One seed's world: members, wires, truth, targets, liars, and everything that happens to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from adapters.api import ExpiresBy, Observation
from adapters.policy import Mode
from node.effects import Effect, Reply, RunStep, Tell, VerifyClaim
from node.events import (
    ClaimJudged,
    Event,
    FrameArrived,
    LeverStepped,
    OperatorAsked,
    PeerCameUp,
    PeerWentDown,
    SensorReported,
)
from node.machine import Decision, Setup
from node.records import Record
from protocol.envelope import Verified
from protocol.errors import Code, ProtocolError
from protocol.evidence import Judgement, Ruling, open_claim, refuted, undecided
from protocol.ids import GroupName, MemberName, SourceId
from protocol.membership import Epoch
from protocol.messages import Basis, Level
from protocol.subjects import Subject
from tests.sim import cast
from tests.sim.actors import Liar, hire
from tests.sim.network import Network
from tests.sim.options import Options
from tests.sim.ports import Ports, Wall
from tests.sim.scheduler import Scheduler
from tests.sim.shell import Process
from tests.sim.target import Target
from tests.sim.truth import Truth
from tests.sim.voting import People

CUT_OFF_MS = 10_000
"""A process that stands still longer loses its connections."""
LIFTS_TAKEN_BACK, TAKEN_BACK_MS = 0.3, 4_000
"""The share of lifts that the chain takes back again in the safety phase, where there are releases; how long after."""


@dataclass
class History:
    """What checks look at, gathered as it happens."""

    lines: list[str] = field(default_factory=list)
    told: Counter[str] = field(default_factory=Counter)
    """Faults and scripts that really happened, how often."""
    causes: dict[bytes, list[int]] = field(default_factory=dict)
    """Subject → when a new claim came true or an honest person raised it."""


class Watcher:
    """What is told of every step. Checks and traces are watchers."""

    def decided(self, world: World, process: Process, event: Event | None, decision: Decision) -> None: ...
    def released(
        self, world: World, process: Process, own: Sequence[Verified[Any]], records: Sequence[Record]
    ) -> None: ...
    def carried(self, world: World, sender: str, to: str, raw: bytes) -> None: ...
    def stepped(self, world: World, process: Process, effect: RunStep) -> None: ...


class World(Ports):
    def __init__(self, seed: int | str, options: Options, watchers: Sequence[Watcher] = ()) -> None:
        self.options, self.watchers = options, watchers
        self._told_carried, self._told_decided, self._told_released, self._told_stepped = (
            [getattr(one, what) for one in watchers if getattr(type(one), what) is not getattr(Watcher, what)]
            for what in ("carried", "decided", "released", "stepped")
        )
        self.time = Scheduler(seed)
        self.history = History()
        self.chance = self.time.chance("world")
        self.seats = cast.seats_of(options.n, "twin_seat" in options.faults, options.vendors)
        self.eyes = {seat.name: seat.eyes for seat in self.seats}
        votes = "votes" in options.faults
        names = [seat.name for seat in self.seats] + ([cast.JOINER] if votes else [])
        self._assign_roles()
        suspended = self.liar_names[:1] if "suspended_seat" in options.faults else []
        first = cast.epoch_of(
            self.seats, options.vendors, options.lease_divisor, frozenset(suspended), options.change_delay_ms
        )
        self.epochs = {first.hash: first}
        """All that honest nodes ever entered, oldest first."""
        self.truth = Truth(self.epoch, self.time.chance("truth"))
        self.network = Network(self.time, options, names, self._deliver, self._linked)
        self.extra_keysets: list[bytes] = []
        self._keysets = [cast.keyset(seat.name) for seat in self.seats]
        self.targets: dict[str, Target] = {}
        self._forks = self.time.chance("forks of the chain")
        self.told: dict[str, list[str]] = {}
        self.misset: set[str] = set()
        self.verified: Counter[str] = Counter()
        self.tick_ms = options.tick_ms
        self.processes = {seat.name: self._process(seat) for seat in self.seats if seat.name not in self.liar_names}
        self.liars: dict[str, Liar] = {}
        for name, script in zip(self.liar_names, options.scripts):
            self.liars[name] = hire(script, self, name)
        self.people = People(self) if votes else None

    def _assign_roles(self) -> None:
        """Liars are the last groups; among the honest, the one before them may be skewed or rolled back."""
        groups = [f"m{i}" for i in range(self.options.n)]
        count = len(self.options.scripts)
        self.liar_names = groups[len(groups) - count :] if count else []
        honest = groups[: len(groups) - count]
        self.skewed = honest[len(honest) - self.options.skewed :] if self.options.skewed else []
        honest = honest[: len(honest) - len(self.skewed)]
        self.rolled_back = honest[len(honest) - self.options.rolled_back :] if self.options.rolled_back else []

    @property
    def faulty(self) -> frozenset[str]:
        """Members that promises are not made to: they count among the f."""
        return frozenset([*self.liar_names, *self.skewed, *self.rolled_back])

    @property
    def untrusted(self) -> frozenset[str]:
        """The faulty, and those whose clock was ever beyond its bound: what they did then is theirs."""
        return self.faulty | self.misset

    def skew_most_ms(self) -> int:
        """Of an honest clock: well within the bound, and within leases that are hours elsewhere and seconds here."""
        return min(14_000, self.epoch.lease_ms[Level.HALT] // 6)

    def may_misset(self, name: str) -> bool:
        """Whether one more group's clock may go beyond its bound: with the faulty at most f."""
        groups = {seat.name: seat.group for seat in self.seats}
        least = self.options.n - ("votes" in self.options.faults)
        return len({groups[one] for one in (*self.untrusted, name) if one in groups}) <= (least - 1) // 3

    def honest(self) -> list[Process]:
        """Those that promises are made to: members by now."""
        seated = self.epoch.by_name
        return [one for name, one in self.processes.items() if name not in self.faulty and name in seated]

    def lease_ms(self, level: Level) -> int:
        """The longest that any epoch so far allows."""
        return max(epoch.lease_ms[level] for epoch in self.epochs.values())

    def ticks_come_every(self, ms: int) -> None:
        """To everybody, and to who comes up meanwhile."""
        self.tick_ms = ms
        for process in self.processes.values():
            process.tick_every(ms)

    def arrives(self, name: MemberName, told: Epoch, keyset: bytes) -> None:
        """A joiner comes up in the epoch that it was told of, whether or not it has a seat by now."""
        if name in self.processes:
            return
        seat = cast.Seat(name, GroupName(f"of-{name}"), (SourceId(f"{name}.node"),))
        self.eyes[name] = seat.eyes
        process = self.processes[name] = self._process(seat, told, keyset)
        process.start()
        self.note(name, f"comes up in epoch {told.number}")
        self.network.appear(name)

    def _process(self, seat: cast.Seat, told: Epoch | None = None, own: bytes = b"") -> Process:
        options, chance = self.options, self.time.chance(f"setup {seat.name}")
        ends = chance.choice((ExpiresBy.TARGET, ExpiresBy.TARGET, ExpiresBy.NODE))
        mode = Mode.OBSERVE if chance.random() < 0.2 else Mode.ACT
        lease_ms = max(6 * cast.HOUR_MS // options.lease_divisor // chance.choice((1, 2, 4)), 8_000)
        setup = Setup(
            member=seat.name,
            epoch=told or self.epoch,
            signer=cast.hot(seat.name),
            key_version=0,
            policy=cast.policy_of(mode, lease_ms, chance.random() < 0.5, ends),
            instances=cast.INSTANCE,
            declarations=cast.declarations(ends),
            own_sources=seat.eyes,
            manifest=tuple(sorted(cast.SUBJECTS)),
            fresh=True,
        )
        process = Process(self.time, self, setup, lambda: [*self.keysets(), own] if own else self.keysets())
        process.tick_ms = self.tick_ms
        process.sync_ms = chance.choice((0, 1, 3, 10))
        fails = 0.2 if "lever_fails" in options.faults else 0.0
        unsure = 0.2 if "lever_unsure" in options.faults else 0.0
        self.targets[seat.name] = Target(self.time.chance(f"target {seat.name}"), ends, fails, unsure)
        self.told[seat.name] = []
        if "skew" in options.faults:
            most_ms = self.skew_most_ms()
            process.wall = Wall(chance.randint(-most_ms, most_ms))
            if seat.name in self.skewed:
                process.wall.ahead_ms = chance.choice((-1, 1)) * chance.randint(45_000, 60_000)
            self.history.told["skew"] += 1
        return process

    def keysets(self) -> list[bytes]:
        return [*self._keysets, *self.extra_keysets]

    def begin(self) -> None:
        for process in self.processes.values():
            process.start()
            self.network.appear(process.name)
        for name in self.liars:
            self.network.appear(name)

    def note(self, who: str, what: str) -> None:
        """One line of the readable trace."""
        self.history.lines.append(f"{(self.time.now_ms - 1_790_000_000_000) / 1000:9.3f} s  {who:<6} {what}")

    # what the network tells
    def _deliver(self, a: str, b: str, raw: bytes, direct: bool, sync: bool) -> None:
        for told in self._told_carried:
            told(self, a, b, raw)
        liar = self.liars.get(b)
        if liar is not None:
            liar.hears(a, raw, sync)
        else:
            self.processes[b].push(FrameArrived(cast.peer_of(a), direct, sync, raw))

    def _linked(self, here: str, other: str, up: bool) -> None:
        liar, process = self.liars.get(here), self.processes.get(here)
        if liar is not None:
            liar.linked(other, up)
        elif process is not None:
            peer = cast.peer_of(other)
            process.push(PeerCameUp(peer) if up else PeerWentDown(peer, "gone"))

    # what nodes do
    def send(self, name: str, peer_id: str, raw: bytes, sync: bool) -> None:
        self.network.carry(name, cast.member_of(peer_id), raw, sync)

    def broadcast(self, name: str, raw: bytes) -> None:
        for other in self.network.connected(name):
            self.network.carry(name, other, raw, False)

    def gossip(self, name: str, raw: bytes) -> None:
        """Through whoever is connected, to whoever is not: a frame that is neither direct nor an answer."""
        near = set(self.network.connected(name))
        for relay in sorted(near):
            for far in self.network.connected(relay):
                if far != name and far not in near and far in self.processes:
                    near.add(far)
                    delay_ms = self.network.delay_ms(name, relay) + self.network.delay_ms(relay, far)
                    self.time.after(delay_ms, self._gossiped, relay, far, raw)

    def _gossiped(self, relay: str, far: str, raw: bytes) -> None:
        self.processes[far].push(FrameArrived(cast.peer_of(relay), False, False, raw))

    def verify(self, process: Process, effect: VerifyClaim) -> None:
        self.time.after(5 + self.chance.randrange(20), self._judged, process, effect, process.life)

    def _judged(self, process: Process, effect: VerifyClaim, life: int) -> None:
        if process.up and life == process.life:
            self.verified[process.name] += 1
            process.push(ClaimJudged(effect.claim, self._verdict(process, effect)))

    def _verdict(self, process: Process, effect: VerifyClaim) -> Judgement:
        """As every verifier begins: bytes that do not give the claim's name are not so, whatever they say."""
        try:
            open_claim(effect.claim, effect.blob)
        except ProtocolError as bad:
            return undecided(str(bad)) if bad.code is Code.UNKNOWN_CLAIM_TYPE else refuted(str(bad))
        return self.truth.look(effect.claim.digest, self.eyes[process.name], self.time.now_ms)

    def lever(self, process: Process, effect: RunStep) -> None:
        self.time.after(1 + self.chance.randrange(40), self._lever, process, effect, process.life)

    def _lever(self, process: Process, effect: RunStep, life: int) -> None:
        """What was sent lands even where its sender has died since."""
        if life != process.life and effect.step not in ("apply", "undo"):
            return
        outcome = self.targets[process.name].step(effect.lever, effect.step, effect.order, self.time.now_ms)
        for told in self._told_stepped:
            told(self, process, effect)
        forks = "releases" in self.options.faults and not self.network.calm
        if forks and effect.step == "undo" and outcome.ok and self._forks.random() < LIFTS_TAKEN_BACK:
            self.time.after(TAKEN_BACK_MS, self.take_back, process.name, effect.lever)
        if process.up and life == process.life:
            process.push(LeverStepped(effect.key, effect.step, outcome))

    def take_back(self, name: str, instance: str) -> None:
        if self.targets[name].takes_back(instance):
            self.history.told["lift taken back"] += 1
            self.note("world", f"the chain takes {name}'s lift of {instance} back")

    def tell(self, process: Process, effect: Effect) -> None:
        if isinstance(effect, Tell):
            self.told[process.name].append(effect.text)
            self.note(process.name, f"tells people: {effect.text}")
        elif isinstance(effect, Reply):
            self.note(process.name, f"answers its operator: {effect.says}")

    def decided(self, process: Process, event: Event | None, decision: Decision) -> None:
        for told in self._told_decided:
            told(self, process, event, decision)
        if self.people is not None:
            self.people.decided(process, decision)

    def released(self, process: Process, own: Sequence[Verified[Any]], records: Sequence[Record]) -> None:
        for told in self._told_released:
            told(self, process, own, records)
        if self.people is not None:
            self.people.released(process, records)

    def died(self, process: Process, why: str) -> None:
        self.note(process.name, why)
        self.network.vanish(process.name)

    # what happens to nodes
    def bring_up(self, process: Process) -> None:
        if not process.up:
            process.start()
            if process.up:
                self.note(process.name, "starts again")
                self.network.appear(process.name)
            else:
                self.note(process.name, f"does not start: {process.refused_to_start}")

    def pause(self, process: Process, ms: int) -> None:
        process.paused_until_ms = max(process.paused_until_ms, self.time.now_ms + ms)
        if ms > CUT_OFF_MS:
            pairs = [(process.name, other) for other in self.network.names if other != process.name]
            self.network.cut(pairs)
            self.time.after(ms, self.network.heal, pairs)

    def sense(self, process: Process, number: int, level: Level) -> None:
        """Its own sensor sees what its own eyes show, or sees nothing."""
        blob, fact = cast.claim(number), self.truth.facts.get(cast.claim(number).claim.digest)
        said = self.truth.look(blob.claim.digest, self.eyes[process.name], self.time.now_ms)
        if fact is None or said.ruling is not Ruling.SUPPORTS or not process.up:
            return
        self.note(process.name, f"its sensor sees claim {number}: {level.name} on {fact.subject}")
        process.push(
            SensorReported(
                Observation(
                    fact.subject, fact.threat, level, Basis.VERIFIED, (blob,), said.sources, "sensor", "", "seen", 10
                )
            )
        )

    def ask(self, process: Process, command: Any, words: str) -> None:
        if process.up:
            self.note(process.name, f"its operator: {words}")
            process.push(OperatorAsked(0, "ann", command))

    def cause(self, subject: Subject) -> None:
        self.history.causes.setdefault(subject.raw, []).append(self.time.now_ms)

    @property
    def epoch(self) -> Epoch:
        """The newest."""
        return next(reversed(self.epochs.values()))

    def epoch_of(self, process: Process) -> Epoch:
        """In which this node is."""
        return self.epochs[process.state.epoch.hash]

    def fall_apart(self) -> None:
        """Everything here holds everything else: taken apart it frees its memory at once, for the next seed to use."""
        for one in (*self.processes.values(), *self.liars.values(), self.network, self.time, self):
            vars(one).clear()

    def run(self, ms: int) -> None:
        self.time.run_until(self.time.now_ms + ms)
