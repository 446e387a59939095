"""The wire to a collector: one that sends elsewhere, says without end or is not there costs what it takes, no more."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.tracing.collector import ANSWER_BYTES_MAX, Collector
from tests.integration.shell.process import free_port
from tests.integration.tracing.receiver import Collecting, collecting

SECRET = "5ecre7-70ken"


@pytest.fixture
def heard(tmp_path: Path) -> Iterator[Collecting]:
    with collecting(tmp_path / "heard", free_port()) as collector:
        yield collector


def test_a_request_carries_the_headers_of_the_file_and_says_what_it_is(heard: Collecting) -> None:
    collector = Collector(heard.url, {"authorization": SECRET})
    assert collector.post(b"").fault == ""
    (headers,) = heard.headers()
    assert (headers["authorization"], headers["content-type"]) == (SECRET, "application/x-protobuf")
    assert headers["path"] == "/v1/traces" and SECRET not in repr(collector)


def test_what_it_is_sent_to_elsewhere_stays_here(heard: Collecting) -> None:
    heard.does("elsewhere")
    answer = Collector(heard.url, {"authorization": SECRET}).post(b"")
    assert (answer.fault, answer.again) == ("it answered 307", False)
    assert [one["path"] for one in heard.headers()] == ["/v1/traces"]


def test_a_proxy_of_the_environment_is_not_asked(heard: Collecting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert Collector(heard.url, {}).post(b"").fault == ""


def test_an_answer_without_end_is_read_for_a_piece(heard: Collecting) -> None:
    heard.does("endless")
    assert len(Collector(heard.url, {}).post(b"").body) == ANSWER_BYTES_MAX


def test_one_that_is_overloaded_silent_or_away_may_be_asked_again(heard: Collecting) -> None:
    heard.does("refuse")
    answer = Collector(heard.url, {}).post(b"")
    assert (answer.fault, answer.again) == ("it answered 503", True)
    heard.does("hang")
    began_s = time.monotonic()
    answer = Collector(heard.url, {}).post(b"", 0.2)
    assert (answer.fault, answer.again) == ("no answer in time", True) and time.monotonic() - began_s < 2
    answer = Collector(f"http://127.0.0.1:{free_port()}/", {}).post(b"")
    assert (answer.fault, answer.again) == ("Connection refused", True)
