"""One process that has imported everything, and forks lives when asked: a start then costs what a start costs."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn

from tests.integration.kill9.child import Life, live

ROOT = Path(__file__).parents[3]


class Process:
    """One life. `exitcode` None while it runs; negative: the signal that ended it."""

    def __init__(self, server: Server, pid: int) -> None:
        self._server, self.pid = server, pid

    @property
    def exitcode(self) -> int | None:
        return self._server.ended.get(self.pid)

    def is_alive(self) -> bool:
        return self.join(0) is None

    def is_stopped(self) -> bool:
        """Whether SIGSTOP holds it."""
        stat = Path(f"/proc/{self.pid}/stat")
        return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "T"

    def join(self, most_s: float) -> int | None:
        until = time.monotonic() + most_s
        while self.exitcode is None:
            if not self._server.listen(max(0.0, until - time.monotonic())) and time.monotonic() >= until:
                break
        return self.exitcode


class Server:
    def __init__(self, folder: Path) -> None:
        self._errors = (folder / "forks.log").open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.kill9.forks"],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, bufsize=0,
        )  # fmt: skip
        self.ended: dict[int, int] = {}
        self._begun: list[int] = []
        assert self.listen(60)

    def start(self, life: Life) -> Process:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asdict(life)).encode() + b"\n")
        until = time.monotonic() + 10
        while not self._begun:
            assert time.monotonic() < until
            self.listen(1)
        return Process(self, self._begun.pop())

    def listen(self, most_s: float) -> bool:
        """Takes the next line of the server; False where none comes in time."""
        pipe = self._process.stdout
        assert pipe is not None
        ready, _, _ = select.select([pipe], [], [], most_s)
        word, _, rest = pipe.readline().decode().partition(" ") if ready else ("", "", "")
        if word == "began":
            self._begun.append(int(rest))
        elif word == "ended":
            pid, code = rest.split()
            self.ended[int(pid)] = int(code)
        return bool(word)

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()
        self._errors.close()


def serve() -> None:
    """As many lives as are asked for: the pid of each when it begins, its exit code when it is over."""
    _say("ready")
    running: set[int] = set()
    while True:
        asked, _, _ = select.select([sys.stdin], [], [], 0.005 if running else None)
        if asked:
            # one line at a time comes, each after the answer to the one before: nothing stays in Python's buffer
            line = sys.stdin.readline()
            if not line:
                return
            raw = json.loads(line)
            pid = fork(Life(**{**raw, "seen": tuple(raw["seen"])}))
            running.add(pid)
            _say(f"began {pid}")
        for pid in sorted(running):
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                running.remove(pid)
                _say(f"ended {pid} {os.waitstatus_to_exitcode(status)}")


def fork(life: Life) -> int:
    """The pid of a child that lives it; what it tells on standard error is in its folder."""
    pid = os.fork()
    if pid == 0:
        _live(life)
    return pid


def _live(life: Life) -> NoReturn:
    code = 1
    try:
        os.dup2(os.open(Path(life.folder) / "stderr.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 2)
        code = live(life)
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
    finally:
        sys.stderr.flush()
        os._exit(code)


def _say(text: str) -> None:
    os.write(1, text.encode() + b"\n")


if __name__ == "__main__":
    serve()
