"""Where a member's time goes: cProfile by CPU time in two of the forked members, and what they imported that their
zygote had not; files in a folder."""

from __future__ import annotations

import cProfile
import os
import pstats
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from node import app
from node.config import NodeConfig

ROOT = Path(__file__).resolve().parents[2]
PROFILED = ("issuer", "exchange")
"""One that watches and one that only answers: profiling all seven would change what is measured."""


def plug_in(folder: str, members: Sequence[str] = PROFILED, from_start: bool = True) -> None:
    """Before the zygote forks. Read with `python -m pstats FOLDER/MEMBER.prof`. Not from the start: from SIGUSR1 on,
    so that starting does not drown what is looked for."""
    plain = app.run

    def run(config: NodeConfig, ready: Callable[[], None] = lambda: None) -> int:
        if config.member not in members:
            return plain(config, ready)
        profiler = cProfile.Profile(time.thread_time)
        shared = set(sys.modules)
        if from_start:
            profiler.enable()
        else:
            signal.signal(signal.SIGUSR1, lambda *_: profiler.enable())
        try:
            return plain(config, ready)
        finally:
            profiler.disable()
            Path(folder).mkdir(parents=True, exist_ok=True)
            late = sorted(set(sys.modules) - shared)
            (Path(folder) / f"{config.member}.imports").write_text("\n".join(late), "utf-8")
            profiler.dump_stats(os.fspath(Path(folder) / f"{config.member}.prof"))

    app.run = run


Rows = Mapping[tuple[str, int, str], tuple[int, int, float, float, object]]
"""(file, line, function) → (primitive calls, calls, own s, s with callees, callers), as pstats has it."""


def hottest(folder: str, most: int) -> list[str]:
    """Per profile in the folder: which packages and which functions the CPU time was spent in themselves, percent."""
    told = []
    for path in sorted(Path(folder).glob("*.prof")):
        rows: Rows = pstats.Stats(os.fspath(path)).stats  # type: ignore[attr-defined]
        whole_s = sum(row[2] for row in rows.values()) or 1.0
        packages: Counter[str] = Counter()
        for (file, _, _), row in rows.items():
            packages[package_of(file)] += row[2] / whole_s * 100
        told.append(f"{path.stem}: " + ", ".join(f"{name} {share:.0f} %" for name, share in packages.most_common(most)))
        ranked = sorted(rows.items(), key=lambda one: one[1][2], reverse=True)[:most]
        for (file, line, function), (_, calls, own_s, _, _) in ranked:
            place = f"{package_of(file)} {Path(file).name}:{line} " if line else ""
            told.append(f"    {own_s / whole_s * 100:5.1f} %  {calls:>9,} calls  {place}{function}")
    return told


def package_of(file: str) -> str:
    """Whose code it is: a library, a part of ours, the standard library, or what is built in."""
    parts = Path(file).parts
    if "site-packages" in parts:
        return parts[parts.index("site-packages") + 1].removesuffix(".py")
    if file.startswith(os.fspath(ROOT)):
        return ".".join(Path(file).relative_to(ROOT).parts[:2]).removesuffix(".py")
    return "python" if len(parts) > 1 else "built in"
