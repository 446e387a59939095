"""However a local network ends, no process and no file of it is left; two of them do not meet."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from node.control import Control, ControlError, NodeUnreachable
from tests.integration.network.site import TOCSIN, environment, wait_for

pytestmark = pytest.mark.network
MEMBERS = 4


@dataclass
class Run:
    """A `tocsin testnet` of its own, with a place for temporary files of its own."""

    process: subprocess.Popen[str]
    tmp: Path

    @property
    def folders(self) -> list[Path]:
        return sorted(self.tmp.glob("tocsin-*"))

    def pids(self) -> list[int]:
        return [int(pid) for one in self.folders for pid in json.loads((one / "run.json").read_text())["pids"]]

    def statuses(self) -> list[dict[str, Any]]:
        found = []
        for socket in self.tmp.glob("tocsin-*/members/*/data/c.sock"):
            with Control(socket, timeout_s=5.0) as control:
                try:
                    found.append(control.status())
                except (NodeUnreachable, ControlError):
                    continue
        return found

    def meshed(self) -> list[dict[str, Any]]:
        def whole() -> list[dict[str, Any]]:
            told = self.statuses()
            heard = [one for one in told if one["quorum"]["hears"] == MEMBERS]
            return told if len(heard) == MEMBERS else []

        found: list[dict[str, Any]] = wait_for("the members hear each other", whole, 60)
        return found

    def end(self, number: signal.Signals) -> tuple[int, str]:
        self.process.send_signal(number)
        _, err = self.process.communicate(timeout=30)
        return self.process.returncode, err


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def start(tmp: Path, *words: object) -> Run:
    process = subprocess.Popen(
        [*TOCSIN, "testnet", "--members", str(MEMBERS), *map(str, words)],
        env={**environment(), "TMPDIR": str(tmp)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    return Run(process, tmp)


@pytest.fixture
def places() -> Iterator[list[Path]]:
    """Short: the path of a Unix socket has 107 bytes at most."""
    made = [Path(tempfile.mkdtemp(prefix="it-")) for _ in range(2)]
    yield made
    for one in made:
        shutil.rmtree(one, ignore_errors=True)


def test_two_networks_of_one_seed_do_not_meet_and_leave_nothing(places: list[Path]) -> None:
    one, other = (start(place) for place in places)
    try:
        both = [one.meshed(), other.meshed()]
        networks = [{status["network"] for status in statuses} for statuses in both]
        assert [len(found) for found in networks] == [1, 1]
        assert networks[0] != networks[1]
        assert all(len(status["peers"]) == MEMBERS - 1 for statuses in both for status in statuses)
        pids = [*one.pids(), *other.pids()]
        assert len(pids) >= 2 * (MEMBERS + 4)
        for run, number in ((one, signal.SIGINT), (other, signal.SIGTERM)):
            code, err = run.end(number)
            assert (code, err) == (1, "tocsin: interrupted; every process of the run was ended\n")
            assert run.folders == []
        wait_for("every process has ended", lambda: not any(map(alive, pids)), 5)
    finally:
        for run in (one, other):
            run.process.kill()


def test_a_killed_supervisor_takes_its_processes_along_and_the_next_start_its_folder(places: list[Path]) -> None:
    run = start(places[0])
    run.meshed()
    pids, folder = run.pids(), run.folders[0]
    run.end(signal.SIGKILL)
    wait_for("every process has ended", lambda: not any(map(alive, pids)), 10)
    assert folder.is_dir()
    after = start(places[0], "--scenario", "nowhere")
    out, _ = after.process.communicate(timeout=30)
    assert "cleaned up after a run that was killed" in out
    assert str(folder) in out
    assert after.folders == []


def test_a_foreign_folder_is_left_alone(places: list[Path]) -> None:
    theirs = places[0] / "tocsin-notes"
    theirs.mkdir()
    (theirs / "run.json").write_text(json.dumps({"owner": os.getpid(), "pids": {str(os.getpid()): "1"}, "x": 1}))
    (places[0] / "tocsin-other").mkdir()
    (places[0] / "tocsin-other" / "mine.txt").write_text("kept")
    start(places[0], "--scenario", "nowhere").process.communicate(timeout=30)
    assert (places[0] / "tocsin-other" / "mine.txt").read_text() == "kept"


def test_a_member_that_does_not_start_is_named_and_everything_ends(places: list[Path]) -> None:
    # no Unix socket fits into a path this long
    run = start(places[0], "--keep", places[0] / ("x" * 90))
    out, err = run.process.communicate(timeout=60)
    assert run.process.returncode == 1
    assert "did not start" in err
    assert "the socket's path has" in err
    kept = next((places[0] / ("x" * 90)).iterdir())
    pids = [int(pid) for pid in json.loads((kept / "run.json").read_text())["pids"]]
    assert not any(alive(pid) for pid in pids)
    assert out.count("\n") < 10
