"""Notices by webhook, against a real server process: signed, together, tried again, and never to anybody else."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from adapters.api import News
from adapters.catalog import CatalogFaults, build
from adapters.conformance import SinkCase, sink_facts
from adapters.webhook.sink import Webhook
from node.effects import Tell
from node.perform import Performer
from protocol.ids import EpochHash, NetworkId
from protocol.membership import Epoch
from protocol.messages import Tlp
from tests.integration.certificate import self_signed
from tests.integration.kill9.forks import ROOT
from tests.integration.shell.process import free_port
from tests.integration.shell.stage import Node, comes, running, written

KEY = b"a key of thirty-two bytes, no less"
PATH = "/hook/5ecre7-70ken"


class Receiver:
    def __init__(self, folder: Path, *tls: str) -> None:
        self.folder, self.port = folder, free_port()
        folder.mkdir(exist_ok=True)
        command = [sys.executable, "-m", "tests.integration.webhook.receiver", str(self.port), str(folder), *tls]
        self._child = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL)
        until = time.monotonic() + 10
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise AssertionError("the receiver does not listen")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{PATH}"

    def answer(self, *how: object) -> None:
        (self.folder / "answers").write_text("\n".join(map(str, how)))

    def heard(self) -> list[dict[str, Any]]:
        path = self.folder / "heard"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def close(self) -> None:
        self._child.kill()
        self._child.wait(5)


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    found = Receiver(tmp_path / "receiver")
    yield found
    found.close()


async def comes_true(holds: Any, within_s: float = 8) -> None:
    with trio.fail_after(within_s):
        while not holds():  # noqa: ASYNC110 (another process is waited for)
            await trio.sleep(0.02)


def told(url: str, *texts: str, until: Any, gather_s: float = 0.1) -> tuple[Webhook, list[str]]:
    """All at once, with the sink's own task beside; `until(sink)` ends it."""
    said: list[str] = []

    async def run() -> Webhook:
        sink = Webhook("pager", url, KEY, gather_s, Tlp.AMBER, said.append)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(sink.run)
            for text in texts:
                nursery.start_soon(sink.tell, News(text))
            await comes_true(lambda: until(sink))
            nursery.cancel_scope.cancel()
        await sink.aclose()
        return sink

    return trio.run(run), said


def test_a_notice_arrives_whole_and_signed_as_standard_webhooks_say(receiver: Receiver) -> None:
    told(receiver.url, "freeze on rsETH waits for a person", until=lambda sink: sink.counts["sent"])
    (heard,) = receiver.heard()
    headers, body = heard["headers"], heard["body"]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{body}".encode()
    mac = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{mac}"
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 30
    value = json.loads(body)
    assert value["text"] == "freeze on rsETH waits for a person" and (value["sink"], value["count"]) == ("pager", 1)
    assert heard["path"] == PATH


def test_a_burst_is_one_notice_with_a_count(receiver: Receiver) -> None:
    texts = [f"lever {one} failed" for one in range(30)] + ["blind"] * 10
    sink, _ = told(receiver.url, *texts, until=lambda sink: sink.counts["sent"])
    (heard,) = receiver.heard()
    value = json.loads(heard["body"])
    assert value["count"] == 40 and sink.counts["joined"] == 39
    assert len(value["text"].splitlines()) == 21 and "more: tocsin status" in value["text"]


def test_what_is_not_taken_is_tried_again_under_the_same_id(receiver: Receiver) -> None:
    receiver.answer(500, 429, 204)
    sink, said = told(receiver.url, "blind", until=lambda sink: sink.counts["sent"])
    heard = receiver.heard()
    assert len(heard) == 3 and len({one["headers"]["webhook-id"] for one in heard}) == 1
    assert len({one["body"] for one in heard}) == 1
    assert said == ["sink pager: it answered 500; tried again", "sink pager: is heard again"]
    assert sink.counts["failed"] == 0


@pytest.mark.parametrize("status", [301, 307, 308, 400, 401, 404, 410])
def test_a_no_is_a_no_and_nobody_is_led_elsewhere(receiver: Receiver, status: int) -> None:
    receiver.answer(status, 204)
    _, said = told(receiver.url, "blind", until=lambda sink: sink.counts["failed"])
    assert [one["path"] for one in receiver.heard()] == [PATH]
    assert said == [f"sink pager: a notice of 1 was given up: it answered {status}"]


def test_a_receiver_that_is_away_keeps_what_was_said_and_hears_it_when_it_is_back(tmp_path: Path) -> None:
    gone = Receiver(tmp_path / "first")
    gone.close()
    said: list[str] = []

    async def run() -> None:
        sink = Webhook("pager", gone.url, KEY, 0.05, Tlp.AMBER, said.append)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(sink.run)
            await sink.tell(News("first"))
            await sink.tell(News("second"))
            again = await trio.to_thread.run_sync(_again, gone)
            await comes_true(lambda: sink.counts["sent"] == 2)
            nursery.cancel_scope.cancel()
        await sink.aclose()
        again.close()

    trio.run(run)
    assert [json.loads(one["body"])["text"] for one in gone.heard()] == ["first", "second"]
    assert not any(PATH in line or str(gone.port) in line for line in said)


def _again(gone: Receiver) -> Receiver:
    again = Receiver.__new__(Receiver)
    again.folder, again.port = gone.folder, gone.port
    command = [sys.executable, "-m", "tests.integration.webhook.receiver", str(gone.port), str(gone.folder)]
    again._child = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL)
    return again


def test_what_is_told_to_nobody_fills_no_memory(tmp_path: Path) -> None:
    async def run() -> None:
        sink = Webhook("pager", "http://127.0.0.1:9/", KEY, 0.05, Tlp.AMBER, lambda line: None)
        await sink.tell(News("one"))
        for number in range(1_000):
            await sink.tell(News(f"text {number}"))
        assert sink.counts["dropped"] == 1_000 - 256 and len(sink._waiting) == 256
        await sink.aclose()

    trio.run(run)


def test_a_certificate_that_nobody_vouches_for_is_spoken_to_by_nobody(tmp_path: Path) -> None:
    cert, key = self_signed(tmp_path)
    receiver = Receiver(tmp_path / "receiver", cert, key)
    try:
        _, said = told(receiver.url.replace("http:", "https:"), "blind", until=lambda sink: sink._tries)
        assert said == ["sink pager: ConnectError; tried again"] and receiver.heard() == []
    finally:
        receiver.close()


def test_nothing_above_a_sinks_ceiling_leaves(receiver: Receiver) -> None:
    async def run() -> None:
        sink = Webhook("pager", receiver.url, KEY, 0.05, Tlp.AMBER, lambda line: None)
        async with trio.open_nursery() as nursery:
            performer = Performer(None, None, (), None, (sink,), nursery, None)  # type: ignore[arg-type]
            performer(Tell("for members' eyes alone", Tlp.RED))
            performer(Tell("for our own people"))
        assert sink.counts["withheld"] == 1
        await sink.aclose()

    trio.run(run)
    assert [json.loads(one["body"])["text"] for one in receiver.heard()] == ["for our own people"]


def test_a_node_tells_its_owners_system_and_counts_it(tmp_path: Path, receiver: Receiver) -> None:
    folder = written(tmp_path)
    secret = folder / "data" / "hook.key"
    secret.write_bytes(KEY)
    secret.chmod(0o600)
    path = folder / "node.toml"
    sink = f'[sink.pager]\nkind = "webhook"\nurl = "{receiver.url}"\nkey_file = "hook.key"\ngather_ms = 100\n'
    path.write_text(f"{path.read_text()}\n{sink}")

    async def run() -> None:
        async with running(Node(folder)) as node:
            node.tell_sinks(Tell("a lever waits"))
            await comes_true(lambda: any("a lever waits" in one["body"] for one in receiver.heard()))
            await comes(lambda: _counted(node))

    trio.run(run)
    assert PATH not in (folder / "node.log").read_text()


async def _counted(node: Node) -> bool:
    text = (await node.ask("GET", "/metrics")).text
    return 'tocsin_notices_total{sink="pager",what="sent"} 0' not in text and 'what="sent"' in text


class Case(SinkCase):
    secrets = (KEY.decode(), "5ecre7-70ken")

    async def __aenter__(self) -> Case:
        folder = Path(f"/tmp/tocsin-webhook-{os.getpid()}-{time.monotonic_ns()}")
        self.receiver = await trio.to_thread.run_sync(Receiver, folder)
        return self

    async def __aexit__(self, *args: Any) -> None:
        self.receiver.close()
        for one in self.receiver.folder.iterdir():
            one.unlink()
        self.receiver.folder.rmdir()

    def sink(self) -> Webhook:
        return Webhook("pager", self.receiver.url, KEY, 0.02, Tlp.AMBER, lambda line: None)

    async def heard(self) -> list[str]:
        return [json.loads(one["body"])["text"] for one in self.receiver.heard()]

    async def cut(self) -> None:
        self.receiver.close()

    async def hang(self) -> None:
        self.receiver.answer("hang")


@pytest.mark.parametrize("fact", sink_facts(Case), ids=lambda fact: fact.name)
def test_the_facts_of_a_sink(fact: Any) -> None:
    fact.check()


EPOCH = Epoch(NetworkId(bytes(32)), 0, EpochHash(bytes(32)), 0, (), sources=())


def faults(text: str, secret: bytes = KEY) -> list[str]:
    with pytest.raises(CatalogFaults) as seen:
        build(tomllib.loads(f'[sink.pager]\nkind = "webhook"\n{text}'), lambda: EPOCH, lambda name: secret, print)
    return seen.value.faults


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('key_file = "k"', "sink.pager.url: is missing"),
        ('url = "http://example.org/x"\nkey_file = "k"', "sink.pager.url: must be https:// unless"),
        ('url = "https://example.org/x"', "sink.pager.key_file: is missing"),
        (
            'url = "https://example.org/x"\nkey_file = "k"\ntlp = "GREEN"',
            "sink.pager.tlp: 'GREEN' must be one of",
        ),
        ('url = "https://example.org/x"\nkey_file = "k"\ngather_ms = 60000', "sink.pager.gather_ms: must be a whole"),
        ('url = "https://example.org/x"\nkey_file = "k"\ntoken = "x"', "sink.pager.token: is no key here"),
    ],
)
def test_a_section_that_cannot_be_meant_is_refused_in_words(text: str, says: str) -> None:
    (fault,) = faults(text)
    assert fault.startswith(says)


def test_a_key_that_is_too_short_is_refused_and_not_shown() -> None:
    (fault,) = faults('url = "https://example.org/x"\nkey_file = "k"', b"short")
    assert fault == "sink.pager.key_file: 'k': a key has at least 16 bytes"
