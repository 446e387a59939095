"""One process that has imported everything, and forks a life when asked: a start then costs what a start costs."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from tests.integration.kill9.child import Life, live

ROOT = Path(__file__).parents[3]


class Process:
    """The life of now. `exitcode` None while it runs; negative: the signal that ended it."""

    def __init__(self, server: Server, pid: int) -> None:
        self._server, self.pid = server, pid
        self.exitcode: int | None = None

    def is_alive(self) -> bool:
        return self.join(0) is None

    def join(self, most_s: float) -> int | None:
        if self.exitcode is None and (line := self._server.line(most_s)):
            self.exitcode = int(line)
        return self.exitcode


class Server:
    def __init__(self, folder: Path) -> None:
        self._errors = (folder / "stderr.log").open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.kill9.forks"],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, bufsize=0,
        )  # fmt: skip
        self.line(60)

    def start(self, life: Life) -> Process:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asdict(life)).encode() + b"\n")
        return Process(self, int(self.line(10)))

    def line(self, most_s: float) -> bytes:
        """The next line of the server, b"" where none comes in time."""
        pipe = self._process.stdout
        assert pipe is not None
        ready, _, _ = select.select([pipe], [], [], most_s)
        return pipe.readline() if ready else b""

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()
        self._errors.close()


def serve() -> None:
    """A life at a time: its pid when it begins, its exit code when it is over."""
    _say("ready")
    while line := sys.stdin.readline():
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                raw = json.loads(line)
                live(Life(**{**raw, "seen": tuple(raw["seen"])}))
                code = 0
            except BaseException as error:
                sys.excepthook(type(error), error, error.__traceback__)
            finally:
                sys.stderr.flush()
                os._exit(code)
        _say(str(pid))
        _, status = os.waitpid(pid, 0)
        _say(str(os.waitstatus_to_exitcode(status)))


def _say(text: str) -> None:
    os.write(1, text.encode() + b"\n")


if __name__ == "__main__":
    serve()
