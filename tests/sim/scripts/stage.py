"""What a directed scenario is played with: a world without random faults, and words for what happens in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from adapters.api import ExpiresBy
from adapters.policy import Mode
from node.effects import RunStep
from node.events import Event, Raise, ReleaseTopic, Withdraw
from node.machine import Decision, Phase
from node.records import (
    ActionOpened,
    ActionStepped,
    CertificateAccepted,
    EquivocationProven,
    FalseStatement,
    Record,
    SigningStopped,
)
from protocol.envelope import Verified, parse_entry
from protocol.frames import parse_frame
from protocol.ids import MemberName
from protocol.messages import Attestation, Level, Release
from protocol.quorum import CheckedCertificate, parse_certificate
from protocol.subjects import Subject
from tests.sim import cast
from tests.sim.checks import Checker
from tests.sim.options import Options
from tests.sim.run import Ticks
from tests.sim.scripts.liar import Directed
from tests.sim.shell import Process
from tests.sim.world import Watcher, World

COIN = cast.SUBJECTS[0]
HOUR_MS = cast.HOUR_MS
SETTLED_MS = 7_000
"""Everybody has heard everybody's Heartbeat."""


class Failed(AssertionError):
    """The scenario did not go as its script says."""


class Narrator(Watcher):
    """The readable trace: what is said, what is accepted, what levers do."""

    def released(self, world: World, process: Process, own: Sequence[Verified[Any]], records: Sequence[Record]) -> None:
        for entry in own:
            body = entry.body
            if isinstance(body, Attestation):
                world.note(process.name, f"says {body.level.name} ({body.basis.name}) on {body.subject}")
            elif isinstance(body, Release):
                world.note(process.name, f"releases {body.subject}")

    def decided(self, world: World, process: Process, event: Event | None, decision: Decision) -> None:
        for record in decision.records:
            words = _words(record)
            if words:
                world.note(process.name, words)

    def stepped(self, world: World, process: Process, effect: RunStep) -> None:
        if effect.step in ("apply", "undo"):
            world.note(process.name, f"its lever is told: {effect.step}")


class Canonical(Watcher):
    """Asks of each frame that an honest member sends."""

    def __init__(self, checker: Checker) -> None:
        self.checker = checker
        self.known: set[bytes] = set()

    def carried(self, world: World, sender: str, to: str, raw: bytes) -> None:
        process = world.processes.get(MemberName(sender))
        if process is not None and raw not in self.known:
            self.known.add(raw)
            self.checker.ask("frame", world, process, parse_frame(raw), raw)


def _words(record: Record) -> str:
    if isinstance(record, CertificateAccepted):
        told = parse_certificate(record.raw)
        return f"holds a certificate: {told.level.name} on {told.subject}, {len(told.entries)} words"
    if isinstance(record, EquivocationProven):
        return f"holds a proof against {parse_entry(record.one, cast.NETWORK).entry.author}"
    if isinstance(record, FalseStatement):
        return f"keeps as false: {record.why}"
    if isinstance(record, ActionOpened):
        return f"opens an action: {record.lever} on {record.subject}, rule {record.rule}"
    if isinstance(record, ActionStepped):
        return f"action {record.key.hex()[:6]} is {record.phase}: {record.says}"
    if isinstance(record, SigningStopped):
        return f"puts its pen down: {record.why}"
    return ""


@dataclass(frozen=True)
class Setting:
    """Nothing of it is drawn. `ends`: who ends the levers; `own_rule`: levers on own evidence alone."""

    n: int = 4
    liars: int = 0
    vendors: int = 0
    twin: bool = False
    suspended: bool = False
    ends: ExpiresBy = ExpiresBy.TARGET
    mode: Mode = Mode.ACT
    own_rule: bool = False
    lease_ms: int = HOUR_MS
    eyes: tuple[tuple[int, tuple[str, ...]], ...] = ()
    """Member → what it reads through, where not its own node."""

    def options(self) -> Options:
        chosen = {"twin_seat": self.twin, "suspended_seat": self.suspended}
        return Options(
            n=self.n, faults=frozenset(name for name, on in chosen.items() if on), scripts=("silent",) * self.liars,
            skewed=0, rolled_back=0, vendors=self.vendors, lease_divisor=1, tick_ms=200, span_ms=0, deeds=0, loss=0.0,
            jitter=0.0, regions=1,
        )  # fmt: skip


class Scene:
    """`scene[i]` is the process of member i; `scene.liar(i)` the pen of a liar, the last members being liars."""

    def __init__(self, name: str, setting: Setting) -> None:
        self.setting = setting
        self.checker = Checker()
        watchers = [self.checker, Ticks(self.checker), Canonical(self.checker), Narrator()]
        self.world = world = World(name, setting.options(), watchers)
        for process in world.processes.values():
            self._direct(process)
        for one in world.liars:
            world.liars[one] = Directed(world, one)  # type: ignore[assignment]
        world.begin()
        self.run(SETTLED_MS)

    def _direct(self, process: Process) -> None:
        setting, number = self.setting, self.world.network.names.index(process.name)
        eyes: Any = dict(setting.eyes).get(number)
        if eyes is not None:
            self.world.eyes[process.name] = eyes
            process.setup = replace(process.setup, own_sources=eyes)
        policy = cast.policy_of(setting.mode, setting.lease_ms, setting.own_rule, setting.ends)
        process.setup = replace(process.setup, policy=policy, declarations=cast.declarations(setting.ends))
        process.sync_ms = 2
        self.world.targets[process.name].expires_by = setting.ends

    def __getitem__(self, i: int) -> Process:
        return self.world.processes[MemberName(f"m{i}")]

    def all(self) -> list[Process]:
        return self.world.honest()

    def liar(self, i: int = -1) -> Directed:
        name = f"m{i}" if i >= 0 else self.world.liar_names[-1]
        return self.world.liars[name]  # type: ignore[return-value]

    @property
    def now_ms(self) -> int:
        return self.world.time.now_ms

    # time
    def run(self, ms: int) -> None:
        self.world.run(ms)

    def pass_hours(self, hours: float) -> None:
        """Hours in which little happens: ticks come rarely, and nothing depends on how often."""
        end_ms = self.now_ms + int(hours * HOUR_MS)
        while (left_ms := end_ms - self.now_ms) > 5_000:
            tick_ms = max(200, left_ms // 16)
            for process in self.world.processes.values():
                process.tick_every(tick_ms)
            self.run(left_ms - 2 * tick_ms)
        for process in self.world.processes.values():
            process.tick_every(200)
        self.run(end_ms - self.now_ms + 1_000)

    def until(self, what: str, holds: Callable[[], object], most_ms: int = 10_000) -> int:
        """Milliseconds until it held."""
        started = self.now_ms
        while not holds():
            if self.now_ms - started >= most_ms:
                raise Failed(f"it never came to hold: {what}")
            self.run(1)
        return self.now_ms - started

    # what happens
    def true(self, number: int, level: Level = Level.ISOLATE, subject: Subject = COIN) -> None:
        self.world.truth.happens(number, subject, level, self.now_ms)
        self.world.cause(subject)
        self.world.note("world", f"claim {number} comes true: {level.name} on {subject}")

    def sees(self, i: int, number: int) -> None:
        blob = cast.claim(number)
        fact = self.world.truth.facts[blob.claim.digest]
        self.world.sense(self[i], number, fact.level)

    def alarm(self, i: int = 0, number: int = 0, level: Level = Level.ISOLATE, subject: Subject = COIN) -> None:
        """It comes true and member i sees it."""
        self.true(number, level, subject)
        self.sees(i, number)

    def kill(self, *members: int) -> None:
        for i in members:
            self[i].die("is killed")

    def back(self, *members: int) -> None:
        for i in members:
            self.world.bring_up(self[i])

    def cut(self, *sides: tuple[int, ...]) -> Callable[[], None]:
        """No frame passes between the sides until what this returns is called."""
        pairs = [(f"m{a}", f"m{b}") for one in sides for other in sides if one is not other for a in one for b in other]
        self.world.network.cut(pairs)
        self.world.note("world", f"cut: {' | '.join(','.join(f'm{a}' for a in side) for side in sides)}")
        self.run(4_500)

        def heal() -> None:
            self.world.note("world", "the cut heals")
            self.world.network.heal(pairs)

        return heal

    # what people do
    def raises(
        self, i: int, level: Level, subject: Subject = COIN, threat: int = cast.THREAT, hours: float = 0
    ) -> None:
        self.world.cause(subject)
        asked = Raise(subject, threat, level, int(hours * HOUR_MS), "by hand")
        self.world.ask(self[i], asked, f"raise {level.name}")

    def withdraws(self, i: int, subject: Subject = COIN) -> None:
        self.world.ask(self[i], Withdraw(subject, cast.THREAT), "withdraw")

    def releases(self, *members: int, subject: Subject = COIN) -> None:
        for i in members:
            self.world.ask(self[i], ReleaseTopic(subject, cast.THREAT, 0), "release")

    # what is so
    def certificate(self, i: int, level: Level = Level.ISOLATE, subject: Subject = COIN) -> CheckedCertificate | None:
        """One that has not ended."""
        for held in self[i].state.certificates.values():
            told = held.certificate
            if (told.subject, told.level) == (subject, level) and held.ends_ms > self[i].clock().wall_ms:
                return held
        return None

    def certified(self, level: Level = Level.ISOLATE, subject: Subject = COIN) -> list[str]:
        return [one.name for one in self.all() if self.certificate(int(one.name[1:]), level, subject)]

    def certified_by(self, level: Level, subject: Subject = COIN) -> list[str]:
        """As `certified`, of every seat, whatever it is called."""
        return [
            one.name
            for one in self.all()
            if any(
                (held.certificate.subject, held.certificate.level) == (subject, level)
                for held in one.state.certificates.values()
            )
        ]

    def opinion(self, i: int, author: str, subject: Subject = COIN) -> Attestation | None:
        held = self[i].state.opinions.get((subject, cast.THREAT), {}).get(author)  # type: ignore[call-overload]
        return held.body if held is not None else None

    def phases(self, i: int, lever: str = "freeze") -> list[Phase]:
        actions = sorted(self[i].state.actions.values(), key=lambda one: one.opened_ms)
        return [one.phase for one in actions if one.lever == lever]

    def stands(self, i: int, lever: str = "freeze") -> bool:
        target = self.world.targets[f"m{i}"]
        return target.stands_until_ms(cast.INSTANCE[lever], self.now_ms) > 0

    def frozen(self) -> list[str]:
        return [one.name for one in self.all() if self.stands(int(one.name[1:]))]

    def frozen_by(self) -> list[str]:
        """As `frozen`, of every seat, whatever it is called."""
        slot = cast.INSTANCE["freeze"]
        return [one.name for one in self.all() if self.world.targets[one.name].stands_until_ms(slot, self.now_ms)]

    def applied(self, i: int, lever: str = "freeze") -> int:
        """How often this lever restricted a free target."""
        return sum(one.instance == cast.INSTANCE[lever] for one in self.world.targets[f"m{i}"].spells)

    def told(self, i: int, words: str) -> int:
        return sum(words in one for one in self.world.told[f"m{i}"])

    def check(self, what: str, so: object) -> None:
        if not so:
            raise Failed(what)

    def expect(self, what: str, found: object, wanted: object) -> None:
        if found != wanted:
            raise Failed(f"{what}: {found!r}, expected {wanted!r}")

    def close(self) -> None:
        """Everybody is well again some time later; what must hold then is asked."""
        for process in self.world.processes.values():
            process.tick_every(200)
        self.run(6_000)
        self.checker.ask("healed", self.world, None)
        if self.checker.violations:
            raise Failed("; ".join(map(str, self.checker.violations)))
