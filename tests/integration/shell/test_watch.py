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
from dataclasses import dataclass
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


class Screen:
    """A terminal of 100 columns and 30 lines, and what was written to it."""

    def __init__(self) -> None:
        self.ours, self.theirs = pty.openpty()
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        os.set_blocking(self.ours, False)
        self.before = termios.tcgetattr(self.theirs)
        self.text = b""

    def shows(self, words: bytes) -> bool:
        try:
            self.text += os.read(self.ours, 65_536)
        except BlockingIOError:
            time.sleep(0.02)
        return words in self.text


@dataclass
class Played:
    """A node that dies and comes back, under the eyes of a pipe and of a terminal."""

    told: list[dict[str, Any]]
    said: str
    screen: Screen
    codes: tuple[int, int]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    folder, screen = tmp_path_factory.mktemp("watched"), Screen()
    node = Process(written(folder, port=free_port())).up()
    raise_alert(folder, "ann")
    with watching(folder, "-o", "jsonl", "--after", "0") as pipe, watching(folder, terminal=screen.theirs) as live:
        assert pipe.stdout is not None and pipe.stderr is not None
        lines = map(json.loads, iter(pipe.stdout.readline, b""))
        told = [next(one for one in lines if one["kind"] == "operator")]
        until(lambda: screen.shows(b"ann asked this node"))
        pipe.send_signal(signal.SIGSTOP)
        raise_alert(folder, "bert")
        node.kill()
        until(lambda: screen.shows(b"THE NODE DOES NOT ANSWER"))
        again = Process(folder).up()
        pipe.send_signal(signal.SIGCONT)
        said = pipe.stderr.readline() + pipe.stderr.readline()
        until(lambda: screen.shows(b"the node answers again"))
        again.term()
        assert again.ends() == 0
        os.write(screen.ours, b"q")
        until(lambda: screen.shows(BACK))
        pipe.send_signal(signal.SIGINT)
        told += lines
        return Played(told, said.decode(), screen, (pipe.wait(5), live.wait(5)))


def test_a_pipe_gets_each_happening_once_over_a_death_of_the_node(played: Played) -> None:
    assert [one["person"] for one in played.told if one["kind"] == "operator"] == ["ann", "bert"]


def test_a_pipe_is_told_that_the_node_was_gone_and_is_back(played: Played) -> None:
    gone, back = played.said.splitlines()
    assert "the node does not answer" in gone and "the node answers again" in back


def test_a_terminal_shows_it_live(played: Played) -> None:
    text = played.screen.text
    order = [
        ALTERNATE,
        b"HAPPENED",
        b"ann asked this node",
        b"THE NODE DOES NOT ANSWER",
        b"the node answers again",
        BACK,
    ]
    assert sorted(order, key=text.index) == order


def test_a_terminal_is_left_as_it_was(played: Played) -> None:
    assert played.codes == (0, 0)
    assert termios.tcgetattr(played.screen.theirs) == played.screen.before
