"""`tocsin up` as a process of its own, with a fault from outside built in."""

from __future__ import annotations

import resource
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.integration.kill9.forks import ROOT

LIMIT_AT, SLOW_COMMITS, STOP_S = "--file-bytes", "--slow-commits", "--stop-s"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Process:
    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self._said = folder / f"said-{time.monotonic_ns()}"
        with self._said.open("wb") as out:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "tests.integration.shell.process", str(folder / "node.toml"), *options],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )

    @property
    def said(self) -> str:
        return self._said.read_text()

    def up(self, within_s: float = 30) -> Process:
        until = time.monotonic() + within_s
        while " is up on " not in self.said:
            assert self._child.poll() is None and time.monotonic() < until, self.said
            time.sleep(0.02)
        return self

    def term(self) -> None:
        self._child.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self._child.kill()
        self._child.wait(5)

    def ends(self, within_s: float = 30) -> int:
        try:
            return self._child.wait(within_s)
        finally:
            self._child.kill()
            self._child.wait(5)


def main(config: str, *options: str) -> int:
    from node import app, owner
    from node.config import load
    from node.store import Store

    told = dict(zip(options[::2], options[1::2]))
    if STOP_S in told:
        owner.STOP_S_MAX = float(told[STOP_S])
    if SLOW_COMMITS in told:
        real = Store.commit

        def commit(self: Store, batch: object) -> None:
            time.sleep(float(told[SLOW_COMMITS]))
            real(self, batch)  # type: ignore[arg-type]

        Store.commit = commit  # type: ignore[method-assign, assignment]

    def ready() -> None:
        if LIMIT_AT in told:
            size = int(told[LIMIT_AT])
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return app.run(load(Path(config)), ready)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
