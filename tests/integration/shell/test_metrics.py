"""What a node is measured by: everything that METRICS.md names, and nothing that a stranger could have named."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from adapters.api import Outcome
from node.dispatch import Dispatch
from node.effects import RunStep
from node.events import Event
from node.metrics.counted import Counted
from node.metrics.table import FAMILIES
from protocol.errors import Code
from tests.integration.kill9.child import subject
from tests.integration.shell.process import free_port
from tests.integration.shell.stage import SECRET, Node, Script, comes, running, story, written
from tests.unit.node.test_dispatch import KEY, ORDER, Answers

parser = pytest.importorskip("prometheus_client.parser")
TABLE = Path(__file__).resolve().parents[3] / "node" / "METRICS.md"
ROW = re.compile(r"\| `(\w+)` \| (\w+) \| ([\w, –]+) \| (.+) \|\Z")


def documented() -> dict[str, tuple[str, tuple[str, ...], str]]:
    rows = [found.groups() for line in TABLE.read_text("utf-8").splitlines() if (found := ROW.match(line))]
    return {name: (kind, () if labels == "–" else tuple(labels.split(", ")), says) for name, kind, labels, says in rows}


def families(text: str) -> dict[str, Any]:
    """By the name under which they stand in the text: the reader takes `_total` off."""
    found = parser.text_string_to_metric_families(text)
    return {one.name + ("_total" if one.type == "counter" else ""): one for one in found}


def values(text: str, name: str) -> dict[tuple[str, ...], float]:
    return {tuple(one.labels.values()): one.value for one in families(text)[name].samples}


def with_port(folder: Path, *lines: str) -> int:
    port = free_port()
    path = written(folder) / "node.toml"
    path.write_text("\n".join([path.read_text(), "[metrics]", f'listen = "127.0.0.1:{port}"', *lines, ""]))
    return port


async def shown(port: int, path: str = "/v1/metrics", method: str = "GET", **more: Any) -> httpx.Response:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=10) as client:
        return await client.request(method, path, **more)


async def opened(port: int) -> None:
    async def answers() -> bool:
        try:
            return (await shown(port)).status_code == 200
        except httpx.TransportError:
            return False

    await comes(answers)


def test_a_node_exposes_what_the_table_says_and_nothing_else(tmp_path: Path) -> None:
    async def told() -> None:
        async with running(Node(written(tmp_path), (Script(),))) as node:
            said = await node.ask("GET", "/metrics")
            assert said.headers["content-type"].startswith("text/plain; version=0.0.4")
            found = families(said.text)
            names = documented()
            assert found.keys() == names.keys() == {one.name for one in FAMILIES}
            for name, one in found.items():
                kind, labels, says = names[name]
                assert (one.type, one.documentation) == (kind, says), name
                for sample in one.samples:
                    assert tuple(sorted(sample.labels.keys() - {"le"})) == tuple(sorted(labels)), name

    story(told)


def test_what_a_node_does_shows_in_its_numbers(tmp_path: Path) -> None:
    async def told() -> None:
        async with running(Node(written(tmp_path), (Script(),))) as node:
            before = (await node.ask("GET", "/metrics")).text
            assert values(before, "tocsin_alerts") == {(): 0}
            assert values(before, "tocsin_quorum_margin_groups") == {(): -2}
            assert values(before, "tocsin_signing") == {(): 1}
            body = {"subject": str(subject(1)), "threat": "bridge-forgery", "level": "WATCH", "person": "ann"}
            assert (await node.ask("POST", "/alerts", json=body)).status_code == 200
            await trio.sleep(0.6)
            after = (await node.ask("GET", "/metrics")).text
            assert values(after, "tocsin_alerts") == {(): 1}
            grown = {
                name: _sum(after, f"tocsin_{name}") - _sum(before, f"tocsin_{name}")
                for name in ("store_commit_seconds", "entries_accepted_total")
            }
            assert grown["store_commit_seconds"] >= 1 and grown["entries_accepted_total"] >= 1
            assert values(after, "tocsin_loop_silent_seconds")[()] < 5
            assert values(after, "tocsin_resident_memory_bytes")[()] > 1e7
            assert values(after, "tocsin_member_up") == {(f"m{one}",): 0 for one in (1, 2, 3)}
            assert set(values(after, "tocsin_entries_refused_total")) == {(code.word,) for code in Code}

    story(told)


def _sum(text: str, name: str) -> float:
    samples = families(text)[name].samples
    return sum(one.value for one in samples if one.name.endswith(("_count", "_total")))


def test_no_secret_and_no_strangers_word_is_in_the_numbers(tmp_path: Path) -> None:
    async def told() -> None:
        node = Node(written(tmp_path))
        async with running(node):
            node.machine.state.refusals["mallory\n} 1"] = 7
            node.misbehaved["mallory says so"] = 3
            text = (await node.ask("GET", "/metrics")).text
            assert SECRET not in text and "mallory" not in text
            assert values(text, "tocsin_wire_refusals_total") == {("wire",): 3}

    story(told)


def test_steps_of_levers_are_timed_and_their_failures_counted() -> None:
    counted = Counted()

    async def heard(event: Event) -> None:
        return None

    async def told() -> None:
        dispatch = Dispatch({"t:freeze": Answers(Outcome(True, "stands"))}, heard, counted.stepped)
        for step in ("plan", "apply", "apply", "read_back"):
            await dispatch.run(RunStep(KEY, step, "t:freeze", ORDER))

    trio.run(told)
    assert counted.failures == {("freeze", "plan"): 0, ("freeze", "apply"): 2, ("freeze", "read_back"): 0}
    assert counted.steps[("freeze", "apply")].spread().count == 2


def test_the_port_shows_the_same_is_read_only_and_hears_no_names(tmp_path: Path) -> None:
    async def told() -> None:
        port = with_port(tmp_path)
        async with running(Node(tmp_path)) as node:
            await opened(port)
            assert families((await shown(port)).text).keys() == {one.name for one in FAMILIES}
            assert (await shown(port, "/v1/status")).status_code == 404
            assert (await shown(port, "/v1/stop", "POST")).status_code == 404
            assert (await shown(port, method="POST")).status_code == 405
            assert (await shown(port, headers={"host": "evil.example"})).status_code == 421
            assert (await shown(port, headers={"host": f"localhost:{port}"})).status_code == 200
            assert (await shown(port, method="POST", content=b"x" * 5_000)).status_code == 413
            assert (await node.get("/status"))["member"] == "m0"

    story(told)


def test_a_port_that_is_taken_is_said_and_keeps_no_node_from_running(tmp_path: Path) -> None:
    async def told() -> None:
        port = with_port(tmp_path)
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", port))
            taken.listen()
            async with running(Node(tmp_path)) as node:
                await comes(lambda: _said(tmp_path, "are not shown"))
                assert (await node.get("/status"))["member"] == "m0"

    story(told)


async def _said(folder: Path, what: str) -> bool:
    return what in (folder / "node.log").read_text()


def test_a_node_without_a_quorum_is_alive_and_says_why_it_is_not_ready(tmp_path: Path) -> None:
    async def told() -> None:
        async with running(Node(written(tmp_path))) as node:
            health = await node.ask("GET", "/health")
            assert health.status_code == 200 and health.json()["alive"]
            ready = await node.ask("GET", "/ready")
            assert ready.status_code == 503
            (reason,) = ready.json()["reasons"]
            assert reason.startswith("blind: hears 1 of 4, needs 3; m1, m2, m3 silent since")
            assert values((await node.ask("GET", "/metrics")).text, "tocsin_ready") == {(): 0}

    story(told)


def test_a_loop_that_stands_still_is_not_alive(tmp_path: Path) -> None:
    async def told() -> None:
        async with running(Node(written(tmp_path))) as node:
            node.loop._tick_taken_s -= 60
            health = await node.ask("GET", "/health")
            assert health.status_code == 503 and "no tick for 60 s" in health.json()["says"]

    story(told)


def test_levers_that_nobody_tried_are_named_until_somebody_did(tmp_path: Path) -> None:
    async def told() -> None:
        async with running(Node(written(tmp_path))) as node:
            node.machine.state.setup.policy.levers["freeze"] = None  # type: ignore[index]
            notes = (await node.ask("GET", "/ready")).json()["notes"]
            assert "lever freeze was never tested from here: tocsin lever test freeze" in notes
            (tmp_path / "data" / "levers-tested.json").write_text(json.dumps({"freeze": 1_700_000_000_000}))
            await trio.sleep(0.6)
            ready = (await node.ask("GET", "/ready")).json()
            assert any("lever freeze was last tested" in one for one in ready["notes"])
            assert ready["levers_tested_ms"] == {"freeze": 1_700_000_000_000}

    story(told)
