"""`python -m tests.fuzz [TARGET …] --minutes M --jobs J`: fuzzes, grows the corpus, judges what was put aside.

Exit 0: nothing found. 1: findings, written to tests/fuzz/found/. 2: it cannot run here.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.judge import CORPUS, FILE_BYTES_MOST, FOUND, Verdict, files_of, judge
from tests.fuzz.seeds import SEEDS
from tests.fuzz.targets import TARGETS

ROOT = Path(__file__).resolve().parents[2]
INPUT_SECONDS_MOST = 5
MEMORY_MB_MOST = 1024
FILES_MOST = 400
SIZE_MOST = 100_000
"""Of one target's corpus: it lies in the repository and is replayed by `make test`."""
JUDGING = threading.Lock()
"""Time and memory are measured of one input at a time."""
HOW = "atheris is not installed here: `make fuzz` makes .venv-fuzz from fuzz.lock and runs every target"


def digest(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()[:16]


@dataclass
class Report:
    target: str
    per_second: int
    files: int
    fresh: int
    findings: list[Verdict]

    def line(self) -> str:
        found = f"{len(self.findings)} findings" if self.findings else "no finding"
        return f"{self.target:<13}{self.per_second:>7}/s {self.files:>5} files {self.fresh:>4} new  {found}"


class Campaign:
    """One target: a scratch corpus that libFuzzer fills, its suspects, and what of both is kept."""

    def __init__(self, target: str, scratch: Path, minimise: bool) -> None:
        self.target, self.minimise = target, minimise
        self.seeds, self.grown, self.merged, self.suspects = (
            scratch / one for one in ("seeds", "grown", "merged", "odd")
        )
        for folder in (self.seeds, self.grown, self.merged, self.suspects):
            folder.mkdir(parents=True)
        # libFuzzer starts itself again to merge, and knows nothing but its own name
        self.again = scratch / "again"
        self.again.write_text(
            f'#!/bin/sh\nexec "{sys.executable}" -m tests.fuzz.child {target} "$0" "{self.suspects}" "$@"\n'
        )
        self.again.chmod(0o700)
        kept = [path.read_bytes() for path in files_of(target)]
        for raw in dict.fromkeys([*kept, *SEEDS[target]()]):
            if len(raw) <= FILE_BYTES_MOST:
                (self.seeds / digest(raw)).write_bytes(raw)

    def _child(self, *arguments: str) -> str:
        most = (f"-max_len={FILE_BYTES_MOST}", f"-timeout={INPUT_SECONDS_MOST}", f"-rss_limit_mb={MEMORY_MB_MOST}")
        aside = f"-artifact_prefix={self.suspects}/"
        command = (str(self.again), *most, aside, *arguments)
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
        if "Traceback" in done.stderr and "atheris" not in done.stderr.rpartition("Traceback")[2]:
            sys.stderr.write(done.stderr[-2000:])
        return done.stderr

    def run(self, seconds: int) -> Report:
        said = self._child(f"-max_total_time={seconds}", "-print_final_stats=1", str(self.grown), str(self.seeds))
        self._child("-merge=1", str(self.merged), str(CORPUS / self.target), str(self.grown), str(self.seeds))
        fresh = self._adopt()
        aside = sorted(self.suspects.iterdir())
        with JUDGING:
            paths = [*aside, *files_of(self.target)]
            findings = judge(TARGETS[self.target], [(path, path.read_bytes()) for path in paths])
        for verdict in findings:
            raw = verdict.path.read_bytes()
            (FOUND / f"{self.target}-{digest(raw)}").write_bytes(raw)
        rate = re.search(r"average_exec_per_sec:\s+(\d+)", said)
        return Report(self.target, int(rate[1]) if rate else 0, len(files_of(self.target)), fresh, findings)

    def _adopt(self) -> int:
        """What the merge found to reach something, the smallest first, within bounds. Minimising drops the rest."""
        home = CORPUS / self.target
        there = {path.name for path in home.iterdir()}
        raws = sorted((path.read_bytes() for path in self.merged.iterdir()), key=lambda raw: (len(raw), raw))
        if self.minimise:
            for name in there:
                (home / name).unlink()
        files, size = (0, 0) if self.minimise else (len(there), sum(path.stat().st_size for path in home.iterdir()))
        fresh = 0
        for raw in raws:
            name = digest(raw)
            if (not self.minimise and name in there) or files >= FILES_MOST or size + len(raw) > SIZE_MOST:
                continue
            (home / name).write_bytes(raw)
            files, size, fresh = files + 1, size + len(raw), fresh + (name not in there)
        return fresh


def campaign(target: str, seconds: int, minimise: bool) -> Report:
    (CORPUS / target).mkdir(parents=True, exist_ok=True)
    FOUND.mkdir(exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f"tocsin-fuzz-{target}-"))
    try:
        return Campaign(target, scratch, minimise).run(seconds)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _installed() -> bool:
    try:
        return importlib.util.find_spec("atheris") is not None
    except ValueError:  # known to be absent
        return False


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; all of them by default")
    parser.add_argument("--minutes", type=float, default=1.0, help="of each target")
    parser.add_argument("--jobs", type=int, default=1, help="targets at a time")
    parser.add_argument("--minimise", action="store_true", help="drop corpus files that reach nothing of their own")
    options = parser.parse_args()
    unknown = sorted(set(options.targets) - set(TARGETS))
    if unknown or options.jobs < 1 or not 0 < options.minutes <= 10_000:
        parser.error(f"no target {', '.join(unknown)}" if unknown else "minutes and jobs are above 0")
    if not _installed():
        sys.stderr.write(f"tocsin: {HOW}\n")
        return 2
    found = 0
    with ThreadPoolExecutor(options.jobs) as pool:
        names = options.targets or list(TARGETS)
        for report in pool.map(lambda name: campaign(name, int(options.minutes * 60) or 1, options.minimise), names):
            found += len(report.findings)
            sys.stdout.write(report.line() + "\n")
            for verdict in report.findings:
                sys.stdout.write(f"    {report.target}-{digest(verdict.path.read_bytes())}: {verdict.what[:300]}\n")
            sys.stdout.flush()
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
