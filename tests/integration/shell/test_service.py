"""A node under a service manager: a real process, and a real socket that it tells how it is."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from node.control import Control, NodeUnreachable
from node.service import Service
from tests.integration.kill9.child import subject
from tests.integration.shell.process import SLOW_COMMITS, Process, free_port
from tests.integration.shell.stage import written


class Manager:
    """Who started the node, and hears it."""

    def __init__(self, where: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(where)

    def close(self) -> None:
        self._socket.close()

    def listen(self, for_s: float, until: str = "\0") -> list[str]:
        """What came meanwhile, line by line; returns early at the word."""
        ends, came = time.monotonic() + for_s, list[str]()
        while (left := ends - time.monotonic()) > 0 and until not in came:
            self._socket.settimeout(left)
            with suppress(TimeoutError):
                came += self._socket.recv(4_096).decode().splitlines()
        return came


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Manager]:
    where = str(tmp_path / "notify.sock")
    monkeypatch.setenv("NOTIFY_SOCKET", where)
    monkeypatch.setenv("WATCHDOG_USEC", "1500000")
    found = Manager(where)
    yield found
    found.close()


@pytest.mark.network
def test_a_node_says_that_it_is_ready_then_that_it_lives_then_that_it_stops(tmp_path: Path, manager: Manager) -> None:
    node = Process(written(tmp_path, port=free_port()))
    assert "READY=1" in manager.listen(30, "READY=1"), node.said
    node.up(5)
    alive = manager.listen(2)
    assert 3 <= alive.count("WATCHDOG=1") <= 5
    assert any(line.startswith("STATUS=blind: hears 1 of 4, needs 3; m1, m2, m3 silent since") for line in alive)
    node.term()
    assert "STOPPING=1" in manager.listen(10, "STOPPING=1")
    assert node.ends() == 0 and "Traceback" not in node.said


@pytest.mark.network
def test_a_commit_that_hangs_silences_the_watchdog_though_the_scheduler_turns(tmp_path: Path, manager: Manager) -> None:
    node = Process(written(tmp_path, port=free_port()), SLOW_COMMITS, "2.5").up(60)
    manager.listen(30, "WATCHDOG=1")
    with suppress(NodeUnreachable), Control(tmp_path / "data" / "c.sock", 0.2) as control:
        control.raise_alert(str(subject(1)), "bridge-forgery", "WATCH", "ann")
    time.sleep(1.2)
    manager.listen(0.01)
    silent = manager.listen(1.1)
    assert any(line.startswith("STATUS=") for line in silent) and "WATCHDOG=1" not in silent
    assert "WATCHDOG=1" in manager.listen(10, "WATCHDOG=1")
    node.term()
    assert node.ends() == 0


@pytest.mark.network
def test_a_process_that_is_held_says_nothing(tmp_path: Path, manager: Manager) -> None:
    node = Process(written(tmp_path, port=free_port())).up()
    manager.listen(10, "WATCHDOG=1")
    node._child.send_signal(signal.SIGSTOP)
    manager.listen(0.3)
    assert manager.listen(1.6) == []
    node._child.send_signal(signal.SIGCONT)
    node.term()
    assert node.ends() == 0


def test_without_a_manager_or_with_one_that_is_gone_nothing_is_said_and_nothing_breaks(tmp_path: Path) -> None:
    Service({}).say("READY=1")
    Service({"NOTIFY_SOCKET": "vsock:2:1"}).say("READY=1")
    Service({"NOTIFY_SOCKET": str(tmp_path / "gone")}).say("READY=1")


def test_the_kernels_own_names_are_heard_too() -> None:
    name = f"tocsin-test-{os.getpid()}"
    manager = Manager("\0" + name)
    Service({"NOTIFY_SOCKET": "@" + name}).say("READY=1", "STATUS=ü")
    assert manager.listen(5, "READY=1") == ["READY=1", "STATUS=ü"]
    manager.close()


def test_a_watchdog_of_another_process_is_not_ours_and_the_environment_is_left_clean() -> None:
    environ = {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1", "HOME": "/"}
    assert Service(environ).period_s == 0 and environ == {"HOME": "/"}
    assert Service({"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "1000000"}).period_s == 1
    assert Service({"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "soon"}).period_s == 0
