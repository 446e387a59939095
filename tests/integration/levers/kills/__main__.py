"""`python -m tests.integration.levers.kills --runs 1000 [--seed 1] [--minutes 10]`: a real node is killed at random
steps of levers on contracts of others, while their chain is rough; one line of JSON. Exit 1 where anything happened
twice or was lost. `--private`: its transactions go by a relay, which brings some of them late or never. The embedded
chain stands in for a forked one; needs `make levers`."""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.integration.kill9.forks import Server
from tests.integration.kill9.points import LIFTING, POINTS, TIMED
from tests.integration.levers.kills.base import Base, build_base
from tests.integration.levers.kills.scene import LeverScene, open_scene
from tests.integration.levers.kills.story import BEFORE_RECORD, HAPPENINGS, PRIVATE, WAITING, Ended, Run, play
from tests.integration.levers.packages import AAVE, OPEN_ZEPPELIN_4, missing

AT_ONCE = 40
"""Runs on one store and one chain: each has a lever of its own."""


def draw(chance: random.Random, number: int) -> Run:
    happening = chance.choice(HAPPENINGS) if chance.random() < 0.75 else "nothing"
    if happening == "lost":
        point = chance.choice(BEFORE_RECORD)
    elif happening in ("stuck", "replaced"):
        point = chance.choice(
            (*WAITING, *(f"lift+{one}" for one in WAITING if TIMED in one), "chain.pool#2", "chain.after#2")
        )
    elif chance.random() < 0.35:
        point = f"{chance.choice(('', 'lift+'))}{TIMED}{chance.uniform(0, 0.5):.3f}"
    else:
        point = chance.choice(POINTS if chance.random() < 0.6 else LIFTING)
    return Run(number, point, happening, chance.random())


def privately(run: Run) -> Run:
    """The same draw with a relay: where nothing happened, something happens at it."""
    happening = PRIVATE[int(run.share * len(PRIVATE))] if run.happening == "nothing" else run.happening
    return replace(run, happening=happening)


def batch(base: Base, forks: Server, runs: list[Run], until_s: float, ended: list[Ended], private: bool) -> None:
    with tempfile.TemporaryDirectory(prefix="lever-kills-") as folder:
        scene = open_scene(Path(folder) / "node", base, forks, private=private)
        try:
            for run in runs:
                if time.monotonic() > until_s:
                    return
                ended.append(_played(scene, privately(run) if private else run))
        finally:
            scene.close()


def _played(scene: LeverScene, run: Run) -> Ended:
    try:
        one = play(scene, run)
    except AssertionError as fault:
        scene.kill()
        scene.served.hold(False)
        scene.served.set()
        one = Ended(run, False, 0, f"the node: {str(fault)[-2400:]}", 0)
    if one.doubles or one.lost:
        print(f"{run}: {one.doubles} double, {one.lost or 'nothing lost'}", file=sys.stderr)
    return one


def result(ended: list[Ended], began_s: float) -> dict[str, Any]:
    """{"runs", "double_actions", "lost", "by_step", "by_happening", "where_meant", "seconds"}: a run counts as lost
    where a restriction or its end did not come, or journal and target disagree."""
    return {
        "runs": len(ended),
        "double_actions": sum(one.doubles for one in ended),
        "lost": sum(bool(one.lost) for one in ended),
        "by_step": dict(sorted(Counter(one.run.step for one in ended).items())),
        "by_happening": dict(sorted(Counter(one.run.happening for one in ended).items())),
        "where_meant": sum(one.reached for one in ended),
        "seconds": round(time.monotonic() - began_s, 1),
    }


def play_all(count: int, seed: int, minutes: float, private: bool) -> dict[str, Any]:
    chance, ended, began_s = random.Random(seed), list[Ended](), time.monotonic()
    base = build_base(min(AT_ONCE, count))
    with tempfile.TemporaryDirectory(prefix="lever-kills-") as folder:
        forks = Server(Path(folder))
        try:
            while len(ended) < count and time.monotonic() - began_s < minutes * 60:
                runs = [draw(chance, number) for number in range(min(len(base.spots), count - len(ended)))]
                batch(base, forks, runs, began_s + minutes * 60, ended, private)
        finally:
            forks.close()
    return result(ended, began_s) | {"seed": seed, "private": private}


def main() -> int:
    asked = argparse.ArgumentParser(prog="python -m tests.integration.levers.kills", description=__doc__)
    asked.add_argument("--runs", type=int, default=1000)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--minutes", type=float, default=600.0, help="no run is begun after that")
    asked.add_argument("--private", action="store_true", help="by a relay; else to the providers")
    told = asked.parse_args()
    why = missing(AAVE) or missing(OPEN_ZEPPELIN_4)
    if why:
        print(why, file=sys.stderr)
        return 2
    found = play_all(told.runs, told.seed, told.minutes, told.private)
    print(json.dumps(found))
    return 1 if found["double_actions"] or found["lost"] else 0


if __name__ == "__main__":
    sys.exit(main())
