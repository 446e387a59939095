"""Real processes without two seconds of imports each: forked from this one, which has imported everything once."""

from __future__ import annotations

import os
import signal
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.integration.network.site import Ran, Site


@dataclass
class Child:
    """A forked process; what it writes goes to files."""

    pid: int
    out: Path
    err: Path
    code: int | None = None

    def ended(self) -> bool:
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.code = os.waitstatus_to_exitcode(status) if pid else None
        return self.code is not None

    def wait(self, within_s: float) -> Ran:
        deadline = time.monotonic() + within_s
        while not self.ended():
            if time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"did not end within {within_s:g} s: {self.err.read_text()}")
            time.sleep(0.02)
        return Ran(self.code or 0, self.out.read_text(), self.err.read_text())

    def kill(self) -> None:
        if not self.ended():
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.code = -signal.SIGKILL


def fork(folder: Path, life: Callable[[], int]) -> Child:
    """`life` in a child; its return value is the exit code."""
    import node.app  # noqa: F401 (before the fork: so that the child need not)

    number = len(list(folder.glob("fork-*.err")))
    out, err = folder / f"fork-{number}.out", folder / f"fork-{number}.err"
    err.touch()
    pid = os.fork()
    if pid:
        return Child(pid, out, err)
    code = 99
    try:
        for path, descriptor in ((out, 1), (err, 2)):
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(file, descriptor)
        import sys

        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        code = life()
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def tocsin(*words: object) -> Callable[[], int]:
    from node.cli import main

    return lambda: main([str(word) for word in words])


@dataclass
class ForkedSite(Site):
    """Members of a founded network, each a forked process."""

    children: dict[str, Child] = field(default_factory=dict)

    def run(self, *words: object, timeout_s: float = 30.0) -> Ran:
        ran = fork(self.folder, tocsin(*words)).wait(timeout_s)
        assert "Traceback" not in ran.out + ran.err, ran.err
        return ran

    def up(self, *members: str) -> None:
        for member in members:
            self.up_as(member, lambda: None)

    def up_as(self, member: str, before: Callable[[], None]) -> None:
        """`before` runs in the member's process: another clock, for example."""
        life = tocsin("up", "--config", self.config(member))

        def whole() -> int:
            before()
            return life()

        self.children[member] = fork(self.folder, whole)

    def end(self, member: str, number: signal.Signals = signal.SIGTERM) -> Ran:
        child = self.children.pop(member)
        os.kill(child.pid, number)
        return child.wait(10)

    def close(self) -> None:
        for child in self.children.values():
            child.kill()
        self.children.clear()
