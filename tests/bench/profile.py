"""Where a member's time goes: cProfile in each forked member, one file each in the folder that was named."""

from __future__ import annotations

import cProfile
import os
from collections.abc import Callable
from pathlib import Path

from node import app
from node.config import NodeConfig


def plug_in(folder: str) -> None:
    """Before the zygote forks. Read with `python -m pstats FOLDER/MEMBER.prof`."""
    plain = app.run

    def run(config: NodeConfig, ready: Callable[[], None] = lambda: None) -> int:
        profiler = cProfile.Profile()
        try:
            return profiler.runcall(plain, config, ready)
        finally:
            Path(folder).mkdir(parents=True, exist_ok=True)
            profiler.dump_stats(os.fspath(Path(folder) / f"{config.member}.prof"))

    app.run = run
