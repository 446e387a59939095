"""What a run started, on disk: so that the next start can end what a killed supervisor left, and nothing else."""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
from pathlib import Path

PREFIX = "tocsin-"
NAME = "run.json"


def make_run_dir(keep: Path | None) -> Path:
    """Short, because the path of a Unix socket has 107 bytes at most."""
    if keep is None:
        return Path(tempfile.mkdtemp(prefix=PREFIX))
    keep.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix="run-", dir=keep))


def _started(pid: int) -> str:
    """When a process started, in ticks since boot: a pid alone may be somebody else's by now. "" where it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


class RunFile:
    """`pids` that this run started. Rewritten whole at each change: small, and never half-written."""

    def __init__(self, run_dir: Path) -> None:
        self._path = run_dir / NAME
        self._pids: dict[int, str] = {}
        self.add(os.getpid())

    def add(self, pid: int) -> None:
        self._pids[pid] = _started(pid)
        self._write()

    def remove(self, pid: int) -> None:
        self._pids.pop(pid, None)
        self._write()

    def _write(self) -> None:
        body = {"owner": os.getpid(), "pids": {str(pid): started for pid, started in self._pids.items()}}
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps(body), "utf-8")
        fresh.rename(self._path)


def clean_up_after_the_dead() -> list[str]:
    """Ends processes and removes folders of runs whose supervisor is gone. Says what it did."""
    told = []
    for path in sorted(Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{NAME}")):
        try:
            body = json.loads(path.read_text("utf-8"))
            owner, pids = int(body["owner"]), {int(pid): str(one) for pid, one in body["pids"].items()}
            mine = path.stat().st_uid == os.getuid()
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if not mine or (pids.get(owner) and _started(owner) == pids[owner]):
            continue
        ended = [pid for pid, started in pids.items() if started and _started(pid) == started]
        for pid in ended:
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(path.parent, ignore_errors=True)
        told.append(f"cleaned up after a run that was killed: {len(ended)} process(es), {path.parent}")
    return told
