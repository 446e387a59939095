"""`tocsin watch` as a process beside a real node: over its death, on a terminal and into a pipe."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from node.control import Control
from tests.integration.kill9.child import subject
from tests.integration.shell.process import Process, free_port
from tests.integration.shell.stage import written

pytestmark = pytest.mark.network
ALTERNATE, BACK = b"\x1b[?1049h", b"\x1b[?1049l"


@contextmanager
def watching(folder: Path, *options: str, terminal: int | None = None) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "node.cli", "watch", "--config", str(folder / "node.toml"), *options]
    ends: Any = subprocess.PIPE if terminal is None else terminal
    environ = {**os.environ, "TERM": "xterm-256color"}
    entry = subprocess.DEVNULL if terminal is None else terminal
    with subprocess.Popen(command, stdin=entry, stdout=ends, stderr=ends, env=environ) as one:
        try:
            yield one
        finally:
            one.kill()


def raise_alert(folder: Path, person: str) -> None:
    with Control(folder / "data" / "c.sock") as control:
        control.raise_alert(str(subject(1)), "bridge-forgery", "WATCH", person)


def until(holds: Callable[[], Any], within_s: float = 20) -> None:
    end = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end


def test_a_pipe_gets_each_happening_once_over_a_death_of_the_node(tmp_path: Path) -> None:
    node = Process(written(tmp_path, port=free_port())).up()
    raise_alert(tmp_path, "ann")
    with watching(tmp_path, "-o", "jsonl", "--after", "0") as watch:
        assert watch.stdout is not None and watch.stderr is not None
        told = map(json.loads, iter(watch.stdout.readline, b""))
        assert next(one["person"] for one in told if one["kind"] == "operator") == "ann"
        watch.send_signal(signal.SIGSTOP)
        raise_alert(tmp_path, "bert")
        node.kill()
        again = Process(tmp_path).up()
        watch.send_signal(signal.SIGCONT)
        assert b"the node does not answer" in watch.stderr.readline()
        assert b"the node answers again" in watch.stderr.readline()
        again.term()
        assert again.ends() == 0
        watch.send_signal(signal.SIGINT)
        assert [one["person"] for one in told if one["kind"] == "operator"] == ["bert"]
        assert watch.wait(5) == 0


class Screen:
    """A terminal of 100 columns and 30 lines, and what was written to it."""

    def __init__(self) -> None:
        self.ours, self.theirs = pty.openpty()
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        os.set_blocking(self.ours, False)
        self.text = b""

    def shows(self, words: bytes) -> bool:
        try:
            self.text += os.read(self.ours, 65_536)
        except BlockingIOError:
            time.sleep(0.02)
        return words in self.text


def test_a_terminal_shows_it_live_says_that_the_node_is_gone_and_is_left_as_it_was(tmp_path: Path) -> None:
    node = Process(written(tmp_path, port=free_port())).up()
    screen = Screen()
    before = termios.tcgetattr(screen.theirs)
    with watching(tmp_path, terminal=screen.theirs) as watch:
        until(lambda: screen.shows(b"HAPPENED"))
        assert ALTERNATE in screen.text
        raise_alert(tmp_path, "ann")
        until(lambda: screen.shows(b"ann asked this node"))
        node.kill()
        until(lambda: screen.shows(b"THE NODE DOES NOT ANSWER"))
        os.write(screen.ours, b"q")
        until(lambda: screen.shows(BACK))
        assert watch.wait(5) == 0
    assert termios.tcgetattr(screen.theirs) == before
