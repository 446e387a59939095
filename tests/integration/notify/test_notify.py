"""Notices through the real library to real servers of this machine: a mail server, and a service that answers HTTP."""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trio
from aiosmtpd.controller import Controller

from adapters.api import News
from adapters.conformance import SinkCase, sink_facts
from adapters.notify.carrier import carrier
from adapters.notify.letter import Letter
from adapters.notify.pager import Times
from adapters.notify.sink import Notify
from node.effects import Tell
from protocol.messages import Level, Tlp
from protocol.subjects import asset
from tests.integration.shell.process import free_port
from tests.integration.shell.stage import Node, comes, running, written

LETTER = Letter("Tocsin oncall: HALT: a lever waits", "a lever waits\nblind (3 times)", True, 4)
SECRET = "5ecre7-70ken"


class Mail:
    """A mail server, and what was delivered: (envelope's receivers, title, text)."""

    def __init__(self) -> None:
        self.letters: list[tuple[list[str], str, str]] = []
        self.port = free_port()
        self._server = Controller(self, hostname="127.0.0.1", port=self.port)
        self._server.start()
        self._closed = False

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        mail = message_from_bytes(envelope.content)
        parts = [part.get_payload(decode=True) for part in mail.walk() if part.get_content_type() == "text/plain"]
        text = b"".join(part for part in parts if isinstance(part, bytes)).decode()
        self.letters.append((envelope.rcpt_tos, str(mail["Subject"]), text.replace("\r\n", "\n")))
        return "250 OK"

    @property
    def address(self) -> bytes:
        return f"mailto://127.0.0.1:{self.port}?from=tocsin@a.example&to=oncall@a.example&name={SECRET}".encode()

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._server.stop()


@pytest.fixture
def mail() -> Iterator[Mail]:
    mail = Mail()
    yield mail
    mail.close()


class Service(ThreadingHTTPServer):
    """Answers every POST; keeps what came: (path, body)."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, Any]] = []
        heard = self.heard

        class Answering(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                heard.append((self.path, json.loads(body)))
                said = b'{"ok": true, "status": "success"}' if "services" not in self.path else b"ok"
                self.send_response(202 if "enqueue" in self.path else 200)
                self.send_header("content-length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *words: Any) -> None:
                """Says nothing."""

        super().__init__(("127.0.0.1", 0), Answering)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    yield service
    service.shutdown()
    service.server_close()


def test_a_mail_has_the_title_and_the_text(mail: Mail) -> None:
    assert carrier(mail.address).carry(LETTER)
    ((receivers, title, text),) = mail.letters
    assert (receivers, title) == (["oncall@a.example"], LETTER.title)
    assert "a lever waits\nblind (3 times)" in text


@pytest.mark.parametrize(
    ("address", "where", "path", "word"),
    [
        ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#alarms", "slack:NotifySlack.webhook_url", "", "text"),
        ("tgram://123456789:abcdefg_hijklmnop/12315544/", "telegram:NotifyTelegram.notify_url", "/bot", "text"),
    ],
)
def test_a_chat_gets_the_text_without_marks_of_its_own(
    address: str, where: str, path: str, word: str, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library's own code up to the wire, which is led to this machine."""
    module, _, name = where.partition(":")
    monkeypatch.setattr(f"apprise.plugins.{module}.{name}", service.url + (path or "/services"))
    assert carrier(address.encode()).carry(LETTER)
    ((_, body),) = service.heard
    assert "a lever waits" in json.dumps(body) and "<!" not in json.dumps(body)


def test_pagerduty_is_told_what_is_critical(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    from apprise.plugins import pagerduty

    monkeypatch.setattr(pagerduty, "PAGERDUTY_API_LOOKUP", dict.fromkeys(pagerduty.PagerDutyRegion.__dict__, "") | {
        "us": service.url + "/v2/enqueue"})  # fmt: skip
    address = b"pagerduty://" + b"A" * 32 + b"@" + b"b" * 20
    for urgent in (True, False):
        assert carrier(address).carry(Letter("t", "a lever waits", urgent, 1))
    assert [body["payload"]["severity"] for _, body in service.heard] == ["critical", "warning"]


def test_nothing_that_the_library_logs_is_seen(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"mailto://u:{SECRET}@127.0.0.1:{nobody.getsockname()[1]}?from=t@a.example&to=o@a.example"
        made = carrier(address.encode())
        assert not made.carry(LETTER)
    assert SECRET not in caplog.text + repr(made)


class Case(SinkCase):
    secrets = (SECRET,)

    async def __aenter__(self) -> Case:
        self.mail = await trio.to_thread.run_sync(Mail)
        self.address = self.mail.address
        self.deaf: socket.socket | None = None
        return self

    async def __aexit__(self, *gone: object) -> None:
        await trio.to_thread.run_sync(self.mail.close)
        if self.deaf is not None:
            self.deaf.close()

    def sink(self) -> Notify:
        logger = logging.getLogger("tocsin.sink")

        def carry(letter: Letter) -> bool:
            return carrier(self.address).carry(letter)

        return Notify("oncall", carry, Times(0.05, 0.5), Tlp.AMBER, logger.warning)

    async def heard(self) -> list[str]:
        return [text for _, _, text in self.mail.letters]

    async def cut(self) -> None:
        await trio.to_thread.run_sync(self.mail.close)

    async def hang(self) -> None:
        self.deaf = socket.create_server(("127.0.0.1", 0))
        port = self.deaf.getsockname()[1]
        self.address = self.address.replace(str(self.mail.port).encode(), str(port).encode())


@pytest.mark.parametrize("fact", sink_facts(Case), ids=str)
def test_the_facts_of_a_sink(fact: Any) -> None:
    fact.check()


TOPIC = (asset("eip155:1", bytes(20)), 1)


@pytest.mark.network
def test_a_node_tells_people_by_mail_and_the_next_one_where_nobody_acknowledged(tmp_path: Path, mail: Mail) -> None:
    folder = written(tmp_path)
    for name, to in (("oncall", b"oncall@"), ("lead", b"lead@")):
        secret = folder / "data" / f"{name}.url"
        secret.write_bytes(mail.address.replace(b"oncall@", to))
        secret.chmod(0o600)
    path = folder / "node.toml"
    more = '[sink.oncall]\nkind = "notify"\nurl_file = "oncall.url"\ngather_ms = 100\n'
    more += '[sink.lead]\nkind = "notify"\nurl_file = "lead.url"\ngather_ms = 100\nafter = "1s"\n'
    path.write_text(f"{path.read_text()}\n{more}")

    async def run() -> None:
        async with running(Node(folder)) as node:
            for _ in range(40):
                node.tell_sinks(Tell("a lever waits", topic=TOPIC, level=Level.ISOLATE))
            await comes(lambda: _true(lambda: len(mail.letters) >= 2))

    trio.run(run)
    told = {to: text for (to,), _, text in mail.letters}
    assert "a lever waits (40 times)" in told["oncall@a.example"]
    assert "Nobody acknowledged" in told["lead@a.example"] and len(mail.letters) == 2
    assert SECRET not in (folder / "node.log").read_text()


async def _true(holds: Callable[[], bool]) -> bool:
    return holds()


def test_news_of_a_topic_are_one_mail_while_its_window_lasts(mail: Mail) -> None:
    async def run() -> None:
        sink = Notify("oncall", carrier(mail.address).carry, Times(0.05, 300.0), Tlp.AMBER, lambda line: None)
        for number in range(3):
            await sink.tell(News(f"text {number}", about="coin", level=Level.HALT))

    trio.run(run)
    assert [title for _, title, _ in mail.letters] == ["Tocsin oncall: HALT: text 0"]
