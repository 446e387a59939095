"""`tocsin testnet --scenario governance`: members decide, join, leave, are robbed and lie, on nodes without chains."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import trio

from node.testnet.governed_deeds import CHECKS
from node.testnet.governed_scenes import Scenes
from node.testnet.governed_site import Site, Stuck, cast_of
from node.testnet.options import Options
from node.testnet.processes import Processes, pss_mb
from node.testnet.scenario import Check

NAME = "governance"
"""The one scenario that is no file: it plays on nodes without chains."""
Json = dict[str, Any]


def fault_of(options: Options) -> str:
    """ "" where the story can be played so."""
    if options.members % 3 != 1:
        return (
            f"{NAME} needs 3f + 1 members, so that one who joins makes the quorum larger; use --members 4, 7, 10, 13, "
            "16 or 19"
        )
    plain = options.kill is None and options.opinions is None and options.speed == 1
    if not plain or options.expect_blind or options.delay_ms:
        return (
            f"{NAME} plays on nodes without chains; leave out --opinions, --kill, --expect-blind, --delay and --speed"
        )
    return ""


def play(options: Options, run_dir: Path, human: bool) -> int:
    """0: every check holds."""
    from node.testnet.zygote import fork_zygote

    zygote, asks, answers = fork_zygote()
    processes = Processes(zygote, asks, answers, run_dir)
    run = Run(options, processes, run_dir, aloud=human and not options.check)
    try:
        trio.run(run.whole)
    except BaseExceptionGroup as group:
        if group.subgroup(KeyboardInterrupt) is not None:
            raise KeyboardInterrupt from None
        raise
    finally:
        processes.close()
    told = run.verdict()
    sys.stdout.write((_report(told) if human else json.dumps(told)) + "\n")
    sys.stdout.flush()
    return 0 if all(one["ok"] for one in told["checks"]) else 1


class Run:
    def __init__(self, options: Options, processes: Processes, run_dir: Path, aloud: bool) -> None:
        self.processes, self.seed, self._aloud = processes, options.seed, aloud
        self.cast = cast_of(options.members, options.seed)
        self.site = Site(processes, run_dir, self.cast, options.seed)
        self.scenes = Scenes(self.site, self.say)
        self._began = time.monotonic()
        self._resources: Json = {}

    def say(self, text: str) -> None:
        if self._aloud:
            sys.stdout.write(f"{time.monotonic() - self._began:7.1f} s  {text}\n")
            sys.stdout.flush()

    async def whole(self) -> None:
        async with trio.open_nursery() as listening:
            listening.start_soon(self.processes.listen)
            try:
                await self.site.found()
                await self.scenes.play()
                pids = [pid for name, pid in self.processes.pids.items() if self.processes.alive(name)]
                self._resources["pss_mb_total"] = round(pss_mb(pids))
            except* Stuck as stuck:
                self._missed("; ".join(map(str, stuck.exceptions)))
            finally:
                with trio.CancelScope(shield=True):
                    await self.site.aclose()
                    await self.processes.end_all()
                listening.cancel_scope.cancel()

    def _missed(self, why: str) -> None:
        """The first check that is missing says what the story waited for; those after it were not reached."""
        there = {one.name for one in self.scenes.checks}
        for name in CHECKS:
            if name not in there:
                self.scenes.checks.append(Check(name, False, "reached", why))
                why = "not reached"

    def verdict(self) -> Json:
        n = len(self.cast.founders)
        return {
            "scenario": NAME,
            "seed": self.seed,
            "members": [{"name": name, "exposed": True} for name in (*self.cast.founders, self.cast.joiner)],
            "quorum": {"n": n, "needed": n - (n - 1) // 3},
            "checks": [
                {"name": one.name, "ok": one.ok, "expected": one.expected, "got": one.got} for one in self.scenes.checks
            ],
            "timings_ms": self.scenes.timings_ms,
            "resources": {"took_s": round(time.monotonic() - self._began, 1), **self._resources},
        }


def _report(told: Json) -> str:
    timings = [f"  {name.replace('_', ' ')}: {took / 1000:.2f} s" for name, took in told["timings_ms"].items()]
    return "\n".join(report_lines(told["checks"], ["", *timings]))


def report_lines(checks: Sequence[Json], between: Sequence[str] = ()) -> list[str]:
    bad = [one for one in checks if not one["ok"]]
    last = "All facts are as they should be." if not bad else f"{len(bad)} fact(s) are NOT as they should be."
    return ["", *map(_line, checks), *between, "", last]


def _line(one: Json) -> str:
    wanted = "" if one["ok"] else f"   expected: {one['expected']}"
    return f"  {'ok ' if one['ok'] else 'NOT'} {one['name']:<34} {one['got']}{wanted}"
