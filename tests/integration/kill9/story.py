"""Kill, start again, and look: one alarm and one pool for each kill, all on one store."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from tests.integration.kill9.points import LIFTING, TIMED
from tests.integration.kill9.scene import Action, Scene


@dataclass(frozen=True)
class Died:
    """`reached` False: the life went by without passing the point."""

    number: int
    point: str
    reached: bool
    again_s: float


def kill_at_each(scene: Scene, points: Sequence[str]) -> list[Died]:
    """Each life recovers from the one before, is found whole, and is then killed at its own point. How long each took
    to serve again is for the caller to judge."""
    deaths: list[Died] = []
    for number, point in enumerate([*points, ""]):
        scene.slowest_s = 0.0
        scene.begin(number if point else -1, point)
        if deaths:
            last = deaths.pop()
            deaths.append(Died(last.number, last.point, last.reached, scene.slowest_s))
            check_whole(scene, last)
        scene.wait(scene.signing, 20, "it never signs")
        if not point:
            break
        scene.go()
        deaths.append(Died(number, point, _meet_end(scene, number, point), 0.0))
        scene.seen = (*scene.seen, number)
    scene.stop()
    return deaths


def _meet_end(scene: Scene, number: int, point: str) -> bool:
    """True where it died at its point; else the action was through first, and it is killed then."""
    if point.startswith(TIMED):
        reached = not scene.died(float(point.removeprefix(TIMED)))
        scene.kill()
        return reached
    to_lift = point in LIFTING
    until = time.monotonic() + 8
    while not scene.died(0.01) and time.monotonic() < until:
        told = scene.told(number)
        if told is not None and told["phase"] == "effective":
            if not to_lift:
                break
            scene.control(lambda c: c.decide(told["key"], "lift", "ann"))
            to_lift = False
    reached = scene.died(0.5)
    scene.kill()
    return reached


def check_whole(scene: Scene, died: Died) -> None:
    wanted = ("lifted",) if died.point in LIFTING else ("effective",)

    def settled() -> bool:
        told = scene.told(died.number)
        if told is not None and died.point in LIFTING and told["phase"] == "effective":
            # the command died with the node, before it was durable: its answer never came, so it is given again
            scene.control(lambda c: c.decide(told["key"], "lift", "ann"))
        return told is not None and told["phase"] in wanted

    scene.wait(settled, 15, f"after {died.point} action {died.number} never became {wanted}")
    told_truly(scene.action(died.number), died)


def told_truly(action: Action, died: Died) -> None:
    """The journal against the chain."""
    where = f"after {died.point}: {action}"
    assert action.restricted == 1, where
    phases = [step["phase"] for step in action.told["steps"]]
    assert phases.count("effective") == 1, where
    sent = [step for step in action.told["steps"] if step["phase"] == "sent"]
    assert sent and all(step["reference"].startswith("0x") for step in sent), where
    if action.phase == "effective":
        assert action.lifted == 0 and action.until_s * 1000 >= action.told["until_ms"], where
    else:
        assert action.lifted == 1 and action.until_s == 0, where
