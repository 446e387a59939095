"""What an operator meets at three in the morning: a full disk, a stop that finds the node busy, two nodes on one
directory."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

from node.control import Control, ControlError, NodeUnreachable
from node.store import Store
from tests.integration.kill9.child import subject
from tests.integration.shell.process import LIMIT_AT, SLOW_COMMITS, STOP_S, Process, free_port
from tests.integration.shell.stage import written

pytestmark = pytest.mark.network


def up(folder: Path, *options: str) -> Process:
    return Process(written(folder, port=free_port()), *options).up()


def raise_alert(folder: Path, number: int = 1) -> None:
    with Control(folder / "data" / "c.sock") as control:
        control.raise_alert(str(subject(number)), "bridge-forgery", "WATCH", "ann")


def test_a_full_disk_stops_the_node_loudly_and_what_was_signed_is_there_after(tmp_path: Path) -> None:
    node = up(tmp_path, LIMIT_AT, "8192")
    for number in range(30):
        try:
            raise_alert(tmp_path, number)
        except (ControlError, NodeUnreachable):
            break
    assert node.ends() == 1
    last = node.said.strip().splitlines()[-1]
    assert last.startswith("tocsin: ") and "Traceback" not in node.said, node.said
    again = Process(tmp_path).up()
    assert "SIGNS NOTHING" not in again.said
    again.term()
    assert again.ends() == 0


def test_a_stop_waits_for_the_commit_under_way(tmp_path: Path) -> None:
    node = up(tmp_path, SLOW_COMMITS, "0.5")
    with pytest.raises(NodeUnreachable), Control(tmp_path / "data" / "c.sock", 0.2) as control:
        control.raise_alert(str(subject(1)), "bridge-forgery", "WATCH", "ann")
    node.term()
    assert node.ends() == 0, node.said
    store = Store.open(tmp_path / "data" / "store.sqlite")
    said = len(store.entries("m0", 1, 0, 100, 1 << 20))
    store.close()
    again = Process(tmp_path).up()
    assert "SIGNS NOTHING" not in again.said and said >= 1
    again.term()
    assert again.ends() == 0


def test_a_client_that_reads_no_answer_keeps_no_node_from_stopping(tmp_path: Path) -> None:
    node = up(tmp_path, STOP_S, "2")
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(tmp_path / "data" / "c.sock"))
        client.setblocking(False)
        asked = b"GET /v1/openapi.json HTTP/1.1\r\nhost: node\r\n\r\n" * 200
        client.send(asked)
        time.sleep(1.0)
        node.term()
        began = time.monotonic()
        code = node.ends(15)
        assert time.monotonic() - began < 8
    assert code in (0, 1) and "Traceback" not in node.said
    assert code == 0 or "did not stop in order within 2 s" in node.said


def test_the_second_node_on_one_directory_says_so_and_leaves_the_first_alone(tmp_path: Path) -> None:
    first = up(tmp_path)
    second = Process(tmp_path)
    assert second.ends() == 1
    (line,) = second.said.strip().splitlines()
    assert line.startswith("tocsin: another process has this store open")
    with Control(tmp_path / "data" / "c.sock") as control:
        assert control.status()["member"] == "m0"
    first.term()
    assert first.ends() == 0
