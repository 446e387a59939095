"""A case played once and written down step by step; a state is found by playing it again up to there."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterable
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any
from unittest import mock

from node.events import Event
from node.machine import Decision
from tests.sim import options, run
from tests.sim import replay_words as words
from tests.sim.checks import Checker, Violation
from tests.sim.memo import shared_parsing
from tests.sim.replay_state import Fact, dump
from tests.sim.run import Case, Result
from tests.sim.shell import Process
from tests.sim.world import Watcher, World

MEMBERS_MOST = 64
STATES_KEPT = 64
BROKE = "broke"
"""In a kept case: what it broke then. It changes nothing in the run."""


class ReplayError(Exception):
    """What was asked cannot be done: what, why, and what to do instead."""


class _Stopped(BaseException):
    """No Exception: `run.play` takes those for findings, and this one is to leave it."""


# the file
def load(path: Path | str) -> Case:
    """ReplayError where no case stands in the file."""
    return _case_of(_read(path), str(path))


def kept_for(path: Path | str) -> str:
    """What the case broke when it was kept, "" where the file does not say."""
    told = _read(path)
    return str(told.get(BROKE) or "") if isinstance(told, dict) else ""


def _read(path: Path | str) -> Any:
    try:
        return json.loads(Path(path).read_text("utf-8"))
    except OSError as error:
        raise ReplayError(f"{path} cannot be read: {error.strerror}. Name a file that a failing seed wrote.") from None
    except (ValueError, RecursionError) as error:
        raise ReplayError(f"{path} holds no JSON ({error}). {_SHAPE}") from None


def save(case: Case, path: Path | str) -> None:
    """In the order of the fields, one line: what is left at its default stands there too."""
    try:
        Path(path).write_text(json.dumps(asdict(case)) + "\n", "utf-8")
    except OSError as error:
        raise ReplayError(f"{path} cannot be written: {error.strerror}. Name another place.") from None


_SHAPE = 'It must hold {"seed": 1, "n": 7, "without": ["loss"], "deeds": [0, 2]}; without "deeds" all are played.'


def _case_of(told: Any, path: str) -> Case:
    known = [one.name for one in fields(Case)]
    if not isinstance(told, dict):
        raise ReplayError(f"{path} holds no case. {_SHAPE}")
    if strange := sorted({*told} - {*known, BROKE}):
        raise ReplayError(f"{path}: {', '.join(strange)} is unknown here; a case has {', '.join(known)}. {_SHAPE}")
    for name in ("seed", "n"):
        if type(told.get(name)) is not int:
            raise ReplayError(f"{path}: {name} must be a whole number. {_SHAPE}")
    if not 4 <= told["n"] <= MEMBERS_MOST:
        raise ReplayError(f"{path}: n is {told['n']}; 4 to {MEMBERS_MOST} members can be played.")
    without, deeds = told.get("without", []), told.get("deeds")
    if not isinstance(without, list) or not all(type(one) is str for one in without):
        raise ReplayError(f"{path}: without must be a list of names of options. {_SHAPE}")
    if strange := sorted(set(without) - set(options.EVERYTHING)):
        raise ReplayError(
            f"{path}: without names {', '.join(strange)}; no fault or script of the simulator is called so."
        )
    if deeds is not None and not (isinstance(deeds, list) and all(type(one) is int for one in deeds)):
        raise ReplayError(f"{path}: deeds must be a list of numbers, or null for all. {_SHAPE}")
    more = {name: told[name] for name in known[4:] if name in told}
    for name, value in more.items():
        if not isinstance(value, str | None):
            raise ReplayError(f"{path}: {name} must be a word or null. {_SHAPE}")
    return Case(told["seed"], told["n"], tuple(without), None if deeds is None else tuple(deeds), **more)


# the run
@dataclass(frozen=True)
class Step:
    """The `number`-th decision of the run. `lines`: how many lines the trace had then."""

    number: int
    at_ms: int
    node: str
    event: Event | None
    decision: Decision
    lines: int
    kinds: frozenset[str]

    def same(self, at_ms: int, node: str, event: Event | None) -> bool:
        return (self.at_ms, self.node, self.event) == (at_ms, node, event)

    def told(self) -> str:
        """Number, time, node and event in one line, what was decided in those under it."""
        first = f"#{self.number:<6} {words.seconds(self.at_ms):>10}  {self.node:<4} {words.event_words(self.event)}"
        return "\n".join([first, *(f"{'':24}{line}" for line in words.decision_words(self.decision))])


_decide = Process._decide


class _Writer(Watcher):
    """Writes every step down, and to which of them a violation belongs: the one after which it was found."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.found_at: list[int] = []
        """One for each violation, in the checker's order."""
        self.world: World | None = None
        self.deciding = ""
        """Who is told what, while it has decided nothing yet: what broke the machine, where it broke."""

    def telling(self, process: Process, event: Event | None) -> Decision:
        self.deciding = f"{process.name} was told: {words.event_words(event)}"
        return _decide(process, event)

    def decided(self, world: World, process: Process, event: Event | None, decision: Decision) -> None:
        self.deciding = ""
        self.world, number, now_ms = world, len(self.steps) + 1, world.time.now_ms
        kinds = frozenset(words.kinds_of(event, decision))
        for one in _checker(world).violations[len(self.found_at) :]:
            before = one.at_ms < now_ms or one.who == "world"
            self.found_at.append(number - before)
        self.steps.append(Step(number, now_ms, process.name, event, decision, len(world.history.lines), kinds))

    def released(self, world: World, process: Process, own: Any, records: Any) -> None:
        self._look(world)

    def stepped(self, world: World, process: Process, effect: Any) -> None:
        self._look(world)

    def _look(self, world: World) -> None:
        missing = len(_checker(world).violations) - len(self.found_at)
        self.found_at += [len(self.steps)] * missing


class _Stopper(Watcher):
    """Takes the dumps of all nodes after the steps of `numbers`, and ends the run at the last of them."""

    def __init__(self, steps: list[Step], numbers: Iterable[int]) -> None:
        self.steps, self.numbers = steps, set(numbers)
        self.states: dict[int, States] = {}
        self.count = 0

    def decided(self, world: World, process: Process, event: Event | None, decision: Decision) -> None:
        self.count += 1
        if self.count not in self.numbers:
            return
        is_there = self.count <= len(self.steps)
        if not is_there or not self.steps[self.count - 1].same(world.time.now_ms, process.name, event):
            raise _Stopped
        self.states[self.count] = {
            name: (one.clock().wall_ms, dump(world, one)) for name, one in world.processes.items()
        }
        if self.count == max(self.numbers):
            raise _Stopped


def _checker(world: World) -> Checker:
    return next(one for one in world.watchers if isinstance(one, Checker))


States = dict[str, tuple[int, list[Fact]]]
"""Node → (its clock in ms, its state)."""


@dataclass
class Story:
    """One case, played: `nodes` have a state, `liars` (name → script) have none."""

    case: Case
    result: Result
    steps: list[Step]
    found: list[tuple[int, Violation]]
    """(the step after which it was found, what)"""
    nodes: tuple[str, ...]
    liars: dict[str, str]
    broke: str = ""
    """Who was told what when the machine broke; "" where it did not."""
    _states: dict[int, States] = field(default_factory=dict)

    @property
    def last(self) -> int:
        return len(self.steps)

    def states(self, *numbers: int) -> list[States]:
        """Of all nodes after each of these steps: one more run, up to the last of those not known yet."""
        unknown = [number for number in numbers if number not in self._states]
        if unknown:
            stopper = _Stopper(self.steps, unknown)
            with suppress(_Stopped):
                _play(self.case, stopper)
            if missing := sorted(set(unknown) - set(stopper.states)):
                said = f"played again, the case is another at step {missing[0]}: something in it is not determined"
                raise ReplayError(f"{said} by its seed. Look for a set, an id or a real clock that decides something.")
            if len(self._states) > STATES_KEPT:
                self._states = {number: self._states[number] for number in numbers if number in self._states}
            self._states.update(stopper.states)
        return [self._states[number] for number in numbers]

    def after(self, number: int) -> list[Violation]:
        """What was found after this step and before the next."""
        first = bisect_left(self.found, number, key=lambda one: one[0])
        return [one for at, one in self.found[first:] if at == number]


def tell(case: Case) -> Story:
    """Plays it to its end. ReplayError where it cannot even begin."""
    writer = _Writer()
    with mock.patch.object(Process, "_decide", lambda process, event: writer.telling(process, event)):
        result = _play(case, writer)
    if writer.world is None:
        raise ReplayError(f"nothing happens in this case: {'; '.join(map(str, result.violations)) or 'no step'}")
    found_at = writer.found_at + [len(writer.steps)] * (len(result.violations) - len(writer.found_at))
    found = sorted(zip(found_at, result.violations), key=lambda one: one[0])
    world = writer.world
    liars = dict(zip(world.liar_names, world.options.scripts))
    return Story(case, result, writer.steps, found, tuple(world.processes), liars, writer.deciding)


def _play(case: Case, watcher: Watcher) -> Result:
    """A planted bug replaces what is bound by name: parsing is not shared around it."""
    with nullcontext() if getattr(case, "bug", None) else shared_parsing():
        return run.play(case, [watcher])
