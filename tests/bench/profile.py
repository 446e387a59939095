"""Where a member's time goes: cProfile by CPU time in two of the forked members, and what they imported that their
zygote had not; files in a folder."""

from __future__ import annotations

import cProfile
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from node import app
from node.config import NodeConfig

PROFILED = ("issuer", "exchange")
"""One that watches and one that only answers: profiling all seven would change what is measured."""


def plug_in(folder: str, members: Sequence[str] = PROFILED) -> None:
    """Before the zygote forks. Read with `python -m pstats FOLDER/MEMBER.prof`."""
    plain = app.run

    def run(config: NodeConfig, ready: Callable[[], None] = lambda: None) -> int:
        if config.member not in members:
            return plain(config, ready)
        profiler = cProfile.Profile(time.thread_time)
        shared = set(sys.modules)
        try:
            return profiler.runcall(plain, config, ready)
        finally:
            Path(folder).mkdir(parents=True, exist_ok=True)
            late = sorted(set(sys.modules) - shared)
            (Path(folder) / f"{config.member}.imports").write_text("\n".join(late), "utf-8")
            profiler.dump_stats(os.fspath(Path(folder) / f"{config.member}.prof"))

    app.run = run
