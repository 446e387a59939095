"""One seed from its first word to its last: a safety phase, a heal, a liveness phase, and the end of all leases."""

from __future__ import annotations

import hashlib
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from node.effects import Broadcast, Send
from node.events import Event, Ticked
from node.machine import Decision
from protocol.messages import Level
from tests.sim import cast, options, plot, voting
from tests.sim.checks import Checker, Violation, ending
from tests.sim.options import Options
from tests.sim.plot import Deed
from tests.sim.scheduler import START_MS, Scheduler
from tests.sim.shell import Process
from tests.sim.voting import People
from tests.sim.world import Watcher, World

FRESH = 900_000
"""Number of the claim that comes true after the heal."""
SETTLE_MS = 1_200
TICKS_OF_HOURS = 8
"""How often a node looks up while hours pass in which little happens: what changes is found at most an eighth of
that time too late. Rarer, and words would follow each other that in a network that ticks are said together."""


@dataclass(frozen=True)
class Case:
    """What one line reproduces: a seed, and what was taken away from it."""

    seed: int
    n: int
    without: tuple[str, ...] = ()
    deeds: tuple[int, ...] | None = None
    """Indices of the deeds that are played; None: all."""

    def line(self) -> str:
        words = [f"python -m tests.sim --seed {self.seed} --members {self.n}"]
        if self.without:
            words.append(f"--without {','.join(self.without)}")
        if self.deeds is not None:
            words.append(f"--deeds {','.join(map(str, self.deeds)) or 'none'}")
        return " ".join(words)


@dataclass
class Result:
    case: Case
    options: Options
    deeds: tuple[Deed, ...]
    violations: list[Violation]
    events: int
    virtual_ms: int
    cpu_s: float
    trace_hash: str
    coverage: Counter[str]
    lines: list[str] = field(default_factory=list)


class Fingerprint(Watcher):
    """A hash over everything that every node was told and decided: two runs are equal where it is."""

    def __init__(self) -> None:
        self._sha = hashlib.sha256()
        self.events = 0

    def decided(self, world: World, process: Process, event: Event | None, decision: Decision) -> None:
        self.events += 1
        sizes = (len(decision.records), len(decision.effects))
        self._sha.update(f"{world.time.now_ms} {process.name} {type(event).__name__} {sizes}".encode())
        for effect in decision.effects:
            if isinstance(effect, Send | Broadcast):
                self._sha.update(effect.raw)

    def hexdigest(self) -> str:
        return self._sha.hexdigest()


class Ticks(Watcher):
    """Asks on ticks, which come to every node whatever happens."""

    def __init__(self, checker: Checker) -> None:
        self.checker = checker

    def decided(self, world: World, process: Process, event: Event | None, decision: Decision) -> None:
        if isinstance(event, Ticked):
            self.checker.ask("tick", world, process)


def _full(case: Case) -> Options:
    """Before anything is taken away."""
    luck = Scheduler(case.seed)
    return options.governed(luck.chance("governance"), options.draw(luck.chance("options"), case.n))


def options_of(case: Case) -> Options:
    return _full(case).without(*case.without)


def _deeds(case: Case) -> list[tuple[int, Deed]]:
    """Drawn by what the seed would have without anything taken away, so that a shorter case keeps the others' times."""
    full = _full(case)
    everything = plot.draw(Scheduler(case.seed).chance("plot"), full)
    everything += voting.draw(Scheduler(case.seed).chance("votes"), full)
    kinds = [*plot.kinds_of(options_of(case)), *voting.kinds_of(options_of(case))]
    left = [(at, deed) for at, deed in enumerate(everything) if deed.kind in kinds]
    return [(at, deed) for at, deed in left if case.deeds is None or at in case.deeds]


def deeds_of(case: Case) -> tuple[Deed, ...]:
    return tuple(deed for _, deed in _deeds(case))


def deed_numbers(case: Case) -> tuple[int, ...]:
    """By which `Case.deeds` names them."""
    return tuple(at for at, _ in _deeds(case))


def play(case: Case, watchers: Sequence[Watcher] = ()) -> Result:
    started = time.process_time()
    drawn = options_of(case)
    deeds = deeds_of(case)
    checker, fingerprint = Checker(), Fingerprint()
    world = World(case.seed, drawn, [fingerprint, checker, Ticks(checker), *watchers])
    try:
        _phases(world, checker, deeds)
    except Exception as error:  # whatever leaves a machine is a finding
        said = traceback.format_exc(limit=-4)
        checker.violations.append(
            Violation("X0 nothing leaves the machine", world.time.now_ms, "world", f"{error!r}\n{said}")
        )
    result = Result(
        case,
        drawn,
        deeds,
        checker.violations,
        fingerprint.events,
        world.time.now_ms - START_MS,
        0.0,
        fingerprint.hexdigest(),
        _coverage(world),
        world.history.lines,
    )
    if not watchers:
        world.fall_apart()
    result.cpu_s = time.process_time() - started
    return result


def _phases(world: World, checker: Checker, deeds: tuple[Deed, ...]) -> None:
    world.begin()
    world.run(SETTLE_MS)
    quiet = 0
    for deed in deeds:
        player = voting.play if deed.kind in voting.KINDS else plot.play
        world.time.at(START_MS + deed.at_ms, player, world, deed)
        quiet += deed.kind == "quiet"
    for name in world.rolled_back:
        world.time.at(START_MS + world.options.span_ms // 2, plot.old_backup, world, world.processes[name])
    world.time.run_until(START_MS + world.options.span_ms)
    if quiet:
        _pass_time(world, world.epoch.lease_ms[Level.ISOLATE] // 2)
    _heal(world)
    if world.people is not None:
        _let_votes_end(world, checker, world.people)
    delay_ms = int(world.network.most_ms() * (1 + world.options.jitter))
    world.run(1_000)
    _note_ends(world, checker)
    world.run(4_000 + 4 * delay_ms)
    while _owners_busy_ms(world) > 0:
        world.run(_owners_busy_ms(world))
    checker.ask("healed", world, None)
    _fresh(world, checker, delay_ms)
    _pass_time(world, 2 * world.lease_ms(Level.GUARD) + 12 * cast.HOUR_MS // world.options.lease_divisor)
    checker.ask("ended", world, None)


def _let_votes_end(world: World, checker: Checker, people: People) -> None:
    """Who voted looks whether its ballot is there; then rounds have the time that their time-outs need."""
    world.run(2_000)
    people.say_again()
    ends_ms = world.time.now_ms + ending.bound_ms(world)
    while world.time.now_ms < ends_ms and ending.waits_for(world):
        world.run(500)
    checker.ask("voted", world, None)


def _note_ends(world: World, checker: Checker) -> None:
    """Where the honest feeds end now: some seconds later they must be everywhere up to here."""
    for one in world.honest():
        for (author, version), feed in one.state.feeds.items():
            if author == one.name:
                checker.seen.margins[f"{author}/{version}"] = feed.top


def _heal(world: World) -> None:
    """Everybody that can be well is well: wires, disks, clocks, processes."""
    longest_ms = max(one.paused_until_ms for one in world.processes.values()) - world.time.now_ms
    if longest_ms > 0:
        _pass_time(world, longest_ms)
    world.note("world", "heals")
    world.network.heal_all()
    for process in world.processes.values():
        process.dies_at = process.disk.fault = ""
        process.disk.full = process.disk.newer = False
        target = world.targets[process.name]
        target.fails = target.unsure = 0.0
        if process.name not in world.skewed:
            most_ms = world.skew_most_ms()
            process.wall.ahead_ms = max(-most_ms, min(most_ms, process.wall.ahead_ms))
        world.bring_up(process)
    world.truth.blind_until_ms.clear()


def _fresh(world: World, checker: Checker, delay_ms: int) -> None:
    subject = cast.subject_of_claim(FRESH)
    world.truth.happens(FRESH, subject, Level.ISOLATE, world.time.now_ms)
    world.cause(subject)
    heard = [one for one in world.honest() if not world.epoch.by_name[one.state.me].suspended]
    world.sense((heard or world.honest())[0], FRESH, Level.ISOLATE)
    slowest_ms = max(one.sync_ms for one in world.processes.values())
    bound_ms = 2 * delay_ms + 6 * slowest_ms + 25 + 25
    before = _epochs(world)
    world.run(bound_ms)
    if _epochs(world) != before:
        # what was said in the epoch before is said again in the one that came into force meanwhile
        world.run(bound_ms)
    if _owners_busy_ms(world) <= 0:
        checker.ask("fresh", world, None, FRESH, bound_ms)


def _epochs(world: World) -> dict[str, bytes]:
    return {one.name: one.state.epoch.hash for one in world.honest()}


def _owners_busy_ms(world: World) -> int:
    """A late ballot of a liar may pass what moves a key, unawaited: its owner stops that node for a moment."""
    return world.people.owners_busy_until_ms - world.time.now_ms if world.people is not None else 0


def _pass_time(world: World, ms: int) -> None:
    """Hours in which little happens: ticks come rarely, and nothing depends on how often."""
    usual = world.options.tick_ms
    world.ticks_come_every(max(usual, ms // TICKS_OF_HOURS))
    world.run(ms + 2 * max(usual, ms // TICKS_OF_HOURS))
    world.ticks_come_every(usual)
    world.run(4 * usual)


def _coverage(world: World) -> Counter[str]:
    found = Counter(world.history.told)
    found.update(fault for process in world.processes.values() for fault in process.disk.met)
    network = world.network
    found.update({"loss": network.lost, "duplication": network.doubled, "reordering": network.reordered})
    found["outage"] += world.truth.unseen
    for target in world.targets.values():
        found.update({"lever_fails": target.failed, "lever_unsure": target.doubted})
    for name in ("twin_seat", "suspended_seat"):
        found[name] += name in world.options.faults
    return +found
