"""One run: a lever is pulled, something happens to the chain, the node is killed, lives again, and the target and the
journal are asked for what became of it; both directions each time."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from tests.integration.kill9.child import POOL
from tests.integration.kill9.points import LIFTING, TIMED
from tests.integration.levers.kills.base import OWN
from tests.integration.levers.kills.scene import LeverScene

SETTLED_S = 150.0
"""A lever that was given up is tried again after a minute, and after two where that was in vain."""
QUIET_S = 0.4
REACHED_S = 1.5
HAPPENINGS = (
    "nothing",
    "stuck",
    "replaced",
    "nonce",
    "reorganised",
    "lost",
    "lags",
    "lies",
    "away",
    "dear",
    "poor",
)
PRIVATE = ("late", "dropped", "swallowed")
"""What a relay does with what it was given, where the node has one: brings it into a block once the next life is there,
never, or never keeps it."""
WAITING = ("chain.before", "chain.pool", "chain.after", f"{TIMED}0.2", f"{TIMED}0.6")
LIFT_WAITING = ("chain.before#2", "chain.pool#2", "chain.after#2", f"lift+{TIMED}0.2", f"lift+{TIMED}0.6")
"""Where a transaction is on its way, and not in a block."""
BEFORE_RECORD = ("chain.after", "apply.after", "store.before#4", "chain.after#2", "undo.after")
"""Where a transaction is in a block and the journal does not know it yet."""


@dataclass(frozen=True)
class Run:
    number: int
    """Which spot, and which alarm."""
    point: str
    """Of `kill9.points`, or "after:" and seconds."""
    happening: str
    share: float = 0.5
    """From 0 to 1: drawn for all else that varies."""

    @property
    def lifting(self) -> bool:
        return self.point in LIFTING or self.point.startswith("lift+")

    @property
    def step(self) -> str:
        return "a moment" if TIMED in self.point else self.point


@dataclass(frozen=True)
class Ended:
    run: Run
    reached: bool
    doubles: int
    lost: str
    """"" or what is not as it should be."""
    seconds: float


def play(scene: LeverScene, run: Run) -> Ended:
    """The scene's node is down before and after."""
    began = time.monotonic()
    free = scene.shows(run.number)
    scene.served.final()  # what earlier runs ended stays ended: no lever looks at its lift again
    reached = _until_it_dies(scene, run)
    _while_it_is_dead(scene, run)
    scene.seen = (*scene.seen, run.number)  # a sensor looks back: what a death kept from the journal is seen again
    scene.begin(-1, "")
    scene.wait(scene.signing, 30, "it never signs")
    time.sleep(QUIET_S * run.share)
    _over(scene, run)
    lost = _settles(scene, run, free)
    told = scene.told(run.number)
    doubles = 0
    if told is not None:
        done = scene.done(run.number, bytes.fromhex(told["key"]), free)
        doubles = max(0, done.sets - 1) + max(0, done.lifts - 1)
        if not lost and (done.stands or done.sets != 1 or done.lifts != 1):
            lost = f"in the end {done}"
    scene.kill()
    return Ended(run, reached, doubles, lost, time.monotonic() - began)


def _until_it_dies(scene: LeverScene, run: Run) -> bool:
    """Whether it died where it was meant to."""
    point = run.point.removeprefix("lift+")
    scene.begin(run.number, "" if point.startswith(TIMED) else point)
    scene.wait(scene.signing, 30, "it never signs")
    if run.lifting:
        scene.go()
        scene.patiently(lambda: scene.phase(run.number) == "effective" or not _alive(scene), 20)
        scene.served.final()
        _begins(scene, run)
        _lift(scene, run.number)
    else:
        _begins(scene, run)
        scene.go()
    if point.startswith(TIMED):
        reached = not scene.died(float(point.removeprefix(TIMED)))
    else:
        # some of what happens lets it get no further: it is killed where it waits
        reached = scene.died(REACHED_S)
    scene.kill()
    return reached


def _alive(scene: LeverScene) -> bool:
    return scene.process is not None and scene.process.is_alive()


def _lift(scene: LeverScene, number: int) -> None:
    told = scene.told(number)
    if told is not None:
        scene.control(lambda c: c.decide(told["key"], "lift", "ann"))


def _begins(scene: LeverScene, run: Run) -> None:
    what: dict[str, Callable[[], object]] = {
        "stuck": lambda: scene.served.hold(True),
        "replaced": lambda: scene.served.hold(True),
        "nonce": scene.spend_a_nonce,
        "lags": lambda: scene.served.set(second="lags"),
        "lies": lambda: scene.served.set(second="lies"),
        "away": lambda: scene.served.set(second="away"),
        "dear": lambda: scene.served.set(dear=True),
        "poor": lambda: scene.served.set(poor=OWN),
        "late": lambda: scene.served.relay("keeps"),
        "dropped": lambda: scene.served.relay("keeps"),
        "swallowed": lambda: scene.served.relay("swallows"),
    }
    what.get(run.happening, lambda: None)()


def _while_it_is_dead(scene: LeverScene, run: Run) -> None:
    if run.happening == "replaced" and scene.served.drop():
        scene.served.hold(False)
        scene.spend_a_nonce()
    elif run.happening == "dropped":
        scene.served.relay_drops()
        scene.served.relay("swallows")
    elif run.happening == "nonce":
        scene.spend_a_nonce()
    elif run.happening in ("reorganised", "lost"):
        scene.served.reorganise(1 + int(run.share * 4), run.happening == "reorganised")
        if run.happening == "lost":
            (scene.folder / POOL).unlink(missing_ok=True)


def _over(scene: LeverScene, run: Run) -> None:
    """What happened ends while the node lives again."""
    scene.served.hold(False)
    scene.served.set()
    scene.served.relay("builds")
    if run.happening == "poor":
        # it was told to people and is tried again minutes later, or where the node is started: so who paid does
        scene.kill()
        scene.begin(-1, "")
        scene.wait(scene.signing, 30, "it never signs")


def _settles(scene: LeverScene, run: Run, free: object) -> str:
    """ "" once it stood as the journal says and was lifted; else what it is instead."""
    number = run.number
    wanted = ("effective", "escalated", "lifting", "lifted") if run.lifting else ("effective",)
    if not scene.patiently(lambda: scene.phase(number) in wanted, SETTLED_S):
        return f"never {wanted[0]}: {scene.phase(number) or 'unknown'}; {_last(scene, number)}"
    if scene.phase(number) == "effective" and not _came(lambda: scene.shows(number) != free):
        return "effective in the journal, and the target stands free"
    if not scene.patiently(lambda: _lifted(scene, number), SETTLED_S):
        return f"never lifted: {scene.phase(number)}; {_last(scene, number)}"
    if not _came(lambda: scene.shows(number) == free):
        return f"lifted in the journal, and the target stands restricted; {_last(scene, number)}"
    return ""


def _lifted(scene: LeverScene, number: int) -> bool:
    """People who were told that a lift failed give it again: the node tries its own end again, and not theirs."""
    phase = scene.phase(number)
    if phase in ("effective", "escalated"):
        _lift(scene, number)
        time.sleep(0.2)
    return phase == "lifted"


def _came(holds: Callable[[], bool]) -> bool:
    """A block that was taken back is mined again within a moment."""
    until = time.monotonic() + 2
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def _last(scene: LeverScene, number: int) -> str:
    told = scene.told(number)
    with suppress(IndexError, KeyError, TypeError):
        return " | ".join(f"{one['phase']}: {one['says']}" for one in (told or {})["steps"][-3:])
    return "no step"
