"""GET /v1/events of a real node process: told once durable, resumed over a SIGKILL, bounded in number."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from node.control import Control
from node.stream import OF_ONE_MAX
from tests.integration.kill9.child import subject
from tests.integration.shell.process import Process, free_port
from tests.integration.shell.stage import written

pytestmark = pytest.mark.network
SSE = {"accept": "text/event-stream"}


@contextmanager
def stream(folder: Path, last_id: int | None = None) -> Iterator[httpx.Response]:
    transport = httpx.HTTPTransport(uds=str(folder / "data" / "c.sock"))
    headers = SSE if last_id is None else {**SSE, "last-event-id": str(last_id)}
    client = httpx.Client(transport=transport, base_url="http://node/v1", timeout=10)
    with client, client.stream("GET", "/events", headers=headers) as answer:
        yield answer


def told(lines: Iterator[str]) -> dict[str, Any]:
    """The next event's data."""
    for line in lines:
        if line.startswith("data: "):
            return dict(json.loads(line[6:]))
    raise AssertionError("the stream ended")


def until(lines: Iterator[str], kind: str) -> dict[str, Any]:
    while (found := told(lines))["kind"] != kind:
        pass
    return found


def raise_alert(folder: Path, person: str) -> None:
    with Control(folder / "data" / "c.sock") as control:
        control.raise_alert(str(subject(1)), "bridge-forgery", "WATCH", person)


def test_what_was_missed_over_a_death_comes_with_the_next_life(tmp_path: Path) -> None:
    node = Process(written(tmp_path, port=free_port())).up()
    with stream(tmp_path) as live:
        lines = live.iter_lines()
        assert live.headers["content-type"] == "text/event-stream"
        seen = told(lines)
        assert seen["kind"] == "hello"
        raise_alert(tmp_path, "ann")
        assert until(lines, "operator")["person"] == "ann"
    raise_alert(tmp_path, "bert")
    node.kill()
    again = Process(tmp_path).up()
    with stream(tmp_path, seen["position"]) as live:
        lines = live.iter_lines()
        assert [until(lines, "operator")["person"] for _ in range(2)] == ["ann", "bert"]
    again.term()
    assert again.ends() == 0


def test_one_stream_too_many_is_refused_and_the_node_answers_on(tmp_path: Path) -> None:
    node = Process(written(tmp_path, port=free_port())).up()
    with ExitStack() as held:
        for _ in range(OF_ONE_MAX):
            assert held.enter_context(stream(tmp_path)).status_code == 200
        with stream(tmp_path) as refused:
            assert refused.status_code == 503 and refused.headers["retry-after"]
        with stream(tmp_path, 1 << 60) as refused:
            assert refused.status_code in (422, 503)
        raise_alert(tmp_path, "ann")
    with stream(tmp_path) as again:
        assert told(again.iter_lines())["kind"] == "hello"
    node.term()
    assert node.ends() == 0
