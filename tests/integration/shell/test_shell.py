"""The shell under faults: plug-ins that raise, a server that dies, clients that send too much, secrets, rights."""

from __future__ import annotations

import os
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from unittest import mock

import pytest
import trio

from adapters.api import Observation
from node import serving
from node.parts import StartFault
from protocol.errors import ImpossibleError
from protocol.evidence import ClaimBlob
from protocol.ids import Digest
from protocol.limits import ENTRY_BYTES_MAX
from protocol.messages import Basis, Claim, Level, Threat
from tests.integration.kill9.child import SOURCE, claim, subject
from tests.integration.shell.stage import SECRET, Node, Script, comes, running, story, written

Report = Callable[[Observation], Awaitable[None]]
WELL = Observation(
    subject(1), Threat.UNBACKED_SUPPLY, Level.ISOLATE, Basis.VERIFIED, (claim(1),), (SOURCE,), "script", "", "seen"
)


async def breaks(report: Report) -> None:
    raise RuntimeError(f"no route to https://user:{SECRET}@node.example/{SECRET}")


async def lies(report: Report) -> None:
    bad = ClaimBlob(Claim("no type\n", b"short", Digest(bytes(32))), b"")
    for observation in ("nothing", Observation(*[None] * 9), Observation(**{**WELL.__dict__, "claims": (bad,)})):  # type: ignore[arg-type]
        await report(observation)  # type: ignore[arg-type]
    await report(WELL)


def test_a_sensor_that_raises_takes_nothing_down_is_said_and_runs_again(tmp_path: Path) -> None:
    async def told() -> None:
        sensor = Script(breaks)
        with mock.patch("node.plugins.AGAIN_S", (0.3,)):
            async with running(Node(written(tmp_path), (sensor,))) as node:
                (line,) = (await node.get("/status"))["sensors"]
                assert "BLIND" in line["says"] and "RuntimeError" in line["says"] and SECRET not in line["says"]
                await comes(lambda: _begun(sensor, 2))
                (line,) = (await node.get("/status"))["sensors"]
                assert "BLIND" not in line["says"]

    story(told)


async def _begun(sensor: Script, lives: int) -> bool:
    return sensor.begun >= lives


def test_what_a_sensor_makes_up_is_refused_and_what_it_sees_arrives(tmp_path: Path) -> None:
    async def told() -> None:
        sensor = Script(lies)
        async with running(Node(written(tmp_path), (sensor,))) as node:
            await comes(lambda: node.get("/alerts"))
            (line,) = (await node.get("/status"))["sensors"]
            assert "3 of its reports refused" in line["says"]

    story(told)


def test_a_sensor_that_cannot_say_how_it_is_spoils_no_status(tmp_path: Path) -> None:
    async def told() -> None:
        sensor = Script()
        sensor.says = ValueError("nothing to say")
        async with running(Node(written(tmp_path), (sensor,))) as node:
            (line,) = (await node.get("/status"))["sensors"]
            assert "cannot say how it is" in line["says"]

    story(told)


def test_a_closer_that_hangs_or_raises_keeps_no_node_from_stopping(tmp_path: Path) -> None:
    async def broken() -> None:
        raise OSError("already gone")

    async def told() -> None:
        with mock.patch("node.app.CLOSE_S_MAX", 0.2):
            async with running(Node(written(tmp_path), (), (trio.sleep_forever, broken))):
                pass

    story(told)


def test_the_control_socket_is_its_owners_from_the_moment_it_is_there(tmp_path: Path) -> None:
    async def told() -> None:
        seen: set[int] = set()
        node = Node(written(tmp_path))

        async def watch() -> None:
            while True:
                if node.socket.exists():
                    seen.add(stat.S_IMODE(node.socket.stat().st_mode))
                await trio.lowlevel.checkpoint()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch)
            async with running(node):
                await trio.sleep(0.1)
            nursery.cancel_scope.cancel()
        assert seen == {0o600}

    before = os.umask(0)
    try:
        story(told)
    finally:
        os.umask(before)


def test_what_is_no_socket_is_never_taken_away(tmp_path: Path) -> None:
    node = Node(written(tmp_path))
    node.socket.write_text("the owner's")
    with pytest.raises(ExceptionGroup) as seen:
        trio.run(node.run)
    assert seen.group_contains(StartFault, match="control", depth=None)
    assert node.socket.read_text() == "the owner's"


def test_a_socket_that_cannot_be_made_is_a_fault_of_the_start(tmp_path: Path) -> None:
    node = Node(written(tmp_path))
    object.__setattr__(node.parts.config, "control", tmp_path / "nowhere" / "c.sock")
    with pytest.raises(ExceptionGroup) as seen:
        trio.run(node.run)
    assert seen.group_contains(StartFault, match="control socket", depth=None)


def test_a_server_that_dies_is_started_again_and_the_log_says_so(tmp_path: Path) -> None:
    async def told() -> None:
        lives = 0
        real = serving.serve

        async def dying(*args: object, **more: object) -> None:
            nonlocal lives
            lives += 1
            if lives > 1:
                await real(*args, **more)  # type: ignore[arg-type]
                return
            with trio.move_on_after(1):
                await real(*args, **more)  # type: ignore[arg-type]
            raise OSError("accept failed")

        with mock.patch("node.serving.serve", dying), mock.patch("node.serving.AGAIN_S", 0.05):
            async with running(Node(written(tmp_path))) as node:
                await comes(lambda: _begun_again())
                assert await comes(lambda: node.get("/status"))
        assert "accept failed" in (tmp_path / "node.log").read_text()

    async def _begun_again() -> bool:
        await trio.sleep(1.5)
        return True

    story(told)


def test_huge_and_endless_bodies_are_refused(tmp_path: Path) -> None:
    async def drip() -> object:
        yield b"{"
        await trio.sleep(5)
        yield b"}"

    async def told() -> None:
        async with running(Node(written(tmp_path))) as node:
            with mock.patch("node.serving.BODY_S_MAX", 0.3):
                assert (await node.ask("POST", "/alerts", content=b"x" * 200_000)).status_code == 413
                assert (await node.ask("POST", "/alerts", content=drip())).status_code == 408
            assert (await node.ask("POST", "/alerts", json={"subject": "x" * 500})).status_code == 422
            assert (await node.get("/status"))["member"] == "m0"

    story(told)


def test_a_copy_that_failed_is_never_called_a_copy(tmp_path: Path) -> None:
    async def told() -> None:
        async with running(Node(written(tmp_path))) as node:
            for path, code in ((str(tmp_path / "no" / "x"), 409), ("x.sqlite", 422), ("/tmp/\0x", 422)):
                said = await node.ask("POST", "/backup", json={"path": path})
                assert said.status_code == code and said.json()["error"]["what"]
            taken = tmp_path / "data" / "mine"
            taken.write_bytes(b"somebody's")
            assert (await node.ask("POST", "/backup", json={"path": str(taken)})).status_code == 409
            assert taken.read_bytes() == b"somebody's"
            assert (await node.ask("POST", "/backup", json={"path": str(tmp_path / "copy")})).json()["ok"]

    story(told)


def test_a_statement_that_is_none_is_refused_in_words_and_one_too_long_is_not_read(tmp_path: Path) -> None:
    async def told() -> None:
        async with running(Node(written(tmp_path))) as node:
            for sealed, code in (("00", 409), ("xyz", 422), ("0", 422), ("00" * (ENTRY_BYTES_MAX + 1), 422)):
                said = await node.ask("POST", "/statements", json={"sealed": sealed})
                assert said.status_code == code and said.json()["error"]["what"]

    story(told)


def test_neither_log_nor_status_ever_holds_what_a_url_holds(tmp_path: Path) -> None:
    async def told() -> None:
        async with running(Node(written(tmp_path), (Script(breaks),))) as node:
            await comes(lambda: _chain_asked(node))
            shown = str(await node.get("/status"))
            assert "127.0.0.1" in shown and SECRET not in shown
        assert SECRET not in (tmp_path / "node.log").read_text()

    story(told)


async def _chain_asked(node: Node) -> bool:
    (chain,) = (await node.get("/status"))["chains"]
    return chain["says"] != "not asked yet"


def test_a_persons_name_is_one_line_of_the_log_whatever_is_in_it(tmp_path: Path) -> None:
    async def told() -> None:
        async with running(Node(written(tmp_path))) as node:
            body = {
                "subject": str(subject(1)),
                "threat": "bridge-forgery",
                "level": "WATCH",
                "person": 'x"}\n{"a":1\x1b[',
            }
            assert (await node.ask("POST", "/alerts", json=body)).status_code in (200, 409)
        for line in (tmp_path / "node.log").read_text().splitlines():
            assert line.startswith("{") and line.endswith("}") and "\x1b" not in line

    story(told)


def test_a_node_whose_transport_ends_does_not_seem_to_run(tmp_path: Path) -> None:
    async def told() -> None:
        node = Node(written(tmp_path))
        with pytest.raises(ExceptionGroup) as seen:
            async with running(node):
                await node.transport._send_event.aclose()  # type: ignore[attr-defined]
                await trio.sleep(5)
        assert seen.group_contains(ImpossibleError, match="transport ended", depth=None)

    story(told)
