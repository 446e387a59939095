"""Many seeds on all cores: what was found, what was met, how fast."""

from __future__ import annotations

import gc
import multiprocessing
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.sim.memo import shared_parsing
from tests.sim.options import EVERYTHING
from tests.sim.run import Case, Result, play

TWICE_EVERY = 100
"""Every so many seeds one is run again, in a process with another PYTHONHASHSEED: equal, or it is a finding."""
OTHER_HASH_SEED = "4242"
COLLECT_EVERY = 256


@dataclass
class Tally:
    """What many runs add up to. `cpu_s` is processor time: other work on the machine does not change it much."""

    seeds: int = 0
    events: int = 0
    virtual_ms: int = 0
    cpu_s: float = 0.0
    violations: list[tuple[Case, str]] = field(default_factory=list)
    coverage: Counter[str] = field(default_factory=Counter)
    hashes: dict[Case, str] = field(default_factory=dict)
    repeated: int = 0

    def add(self, result: Result) -> None:
        self.seeds += 1
        self.events += result.events
        self.virtual_ms += result.virtual_ms
        self.cpu_s += result.cpu_s
        self.coverage.update(result.coverage)
        if result.violations:
            self.violations.append((result.case, str(result.violations[0])))
        if result.case.seed % TWICE_EVERY == 0:
            self.hashes[result.case] = result.trace_hash

    def uncovered(self) -> list[str]:
        """Faults and scripts that never really happened."""
        return [name for name in EVERYTHING if not self.coverage[name]]

    def as_json(self) -> dict[str, Any]:
        return {
            "seeds": self.seeds,
            "violations": [{"reproduce": case.line(), "what": what} for case, what in self.violations],
            "seeds_per_core_hour": round(3600 * self.seeds / self.cpu_s) if self.cpu_s else 0,
            "virtual_over_real": round(self.virtual_ms / 1000 / self.cpu_s) if self.cpu_s else 0,
            "events": self.events,
            "coverage": {name: self.coverage[name] for name in EVERYTHING},
            "signer": "ed25519",
            "run_again_with_equal_traces": self.repeated,
        }


def run_many(
    cases: Iterable[Case], workers: int = 0, minutes: float = 0, told: Callable[[Result], None] = lambda result: None
) -> Tally:
    """Every case once; those of `TWICE_EVERY` again. `minutes`: no new ones after that."""
    tally, ends = Tally(), time.monotonic() + 60 * minutes
    with shared_parsing():
        for result in _played(cases, workers or os.cpu_count() or 1):
            tally.add(result)
            told(result)
            if minutes and time.monotonic() > ends:
                break
    _again(tally)
    return tally


def _played(cases: Iterable[Case], workers: int) -> Iterator[Result]:
    if workers == 1:
        yield from map(play, cases)
        return
    with multiprocessing.get_context("fork").Pool(workers, initializer=_settle) as pool:
        yield from pool.imap_unordered(_play_quietly, cases)


def _settle() -> None:
    """What is there before the first seed stays: no collection looks at it again."""
    gc.freeze()
    gc.disable()


def _play_quietly(case: Case) -> Result:
    """Between processes only what is counted travels. A world takes itself apart: little is left to collect."""
    result = play(case)
    result.lines = []
    if case.seed % COLLECT_EVERY == 0:
        gc.collect()
    return result


def _again(tally: Tally) -> None:
    """In one process with another order of hashes."""
    if not tally.hashes:
        return
    wanted = [f"{case.seed}:{case.n}" for case in tally.hashes]
    env = {**os.environ, "PYTHONHASHSEED": OTHER_HASH_SEED}
    command = [sys.executable, "-m", "tests.sim.hashes", *wanted]
    told = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    found = dict(line.split() for line in told.stdout.splitlines())
    for case, before in tally.hashes.items():
        after = found.get(f"{case.seed}:{case.n}", told.stderr[-300:] or "nothing")
        tally.repeated += after == before
        if after != before:
            tally.violations.append((case, f"R3 equal seeds, equal traces: {before[:16]} became {after[:300]}"))
