"""Spans on their way: a collector that refuses, hangs or lies costs spans, and nobody waits for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from node.tracing import sender
from node.tracing.collector import Answer
from node.tracing.sender import AT_ONCE, WAITING_MAX, Sender
from node.tracing.spans import ROOT, Span

ONE = Span("alarm", bytes(16), bytes(8), ROOT, 1, 2, {})
WAIT_S = 5.0


class Desk:
    """Answers what the test says, the last again and again; `shut` holds every request back until it is set."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers) or [Answer("")]
        self.shut = threading.Event()
        self.shut.set()
        self.lines: list[str] = []
        self.sizes: list[int] = []
        self.sender = Sender(self.encode, self.post, lambda body: len(body), self.lines.append)

    def encode(self, spans: Sequence[Span]) -> bytes:
        return bytes(len(spans))

    def post(self, body: bytes, timeout_s: float) -> Answer:
        self.sizes.append(len(body))
        self.shut.wait(WAIT_S)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def counts(self) -> dict[str, int]:
        return {what: count for what, count in self.sender.counts.items() if count}


def until(holds: Callable[[], bool]) -> None:
    ends_s = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < ends_s
        time.sleep(0.002)


def test_what_is_handed_over_is_sent_in_portions_and_counted() -> None:
    desk = Desk()
    desk.sender.take([ONE] * (AT_ONCE + 1))
    desk.sender.start()
    until(lambda: desk.counts() == {"sent": AT_ONCE + 1})
    assert desk.sizes == [AT_ONCE, 1] and desk.lines == []
    desk.sender.stop()


def test_a_refusal_is_tried_again_and_told_once() -> None:
    desk = Desk(Answer("Connection refused", True), Answer("it answered 503", True), Answer(""))
    sender.BACKOFF_S, before = (0.001,), sender.BACKOFF_S
    try:
        desk.sender.start()
        desk.sender.take([ONE])
        until(lambda: desk.counts() == {"sent": 1})
    finally:
        sender.BACKOFF_S = before
    assert [line.split(";")[0] for line in desk.lines] == [
        "traces: the collector does not take them (Connection refused)",
        "traces: the collector takes them again",
    ]
    desk.sender.stop()


def test_what_is_refused_for_good_is_lost_and_the_next_is_tried() -> None:
    desk = Desk(Answer("it answered 400"), Answer(""))
    desk.sender.start()
    desk.sender.take([ONE])
    until(lambda: desk.counts() == {"failed": 1})
    assert desk.sender.fault == "it answered 400"
    desk.sender.take([ONE])
    until(lambda: desk.counts() == {"failed": 1, "sent": 1})
    assert desk.sender.fault == ""
    desk.sender.stop()


def test_what_a_collector_says_that_it_turned_down_counts_as_lost_and_no_more_than_was_sent() -> None:
    desk = Desk(Answer("", body=b"xx"), Answer("", body=b"x" * 100))
    desk.sender.take([ONE] * 3)
    desk.sender.start()
    until(lambda: desk.counts() == {"sent": 1, "failed": 2})
    desk.sender.take([ONE] * 3)
    until(lambda: desk.counts() == {"sent": 1, "failed": 5})
    desk.sender.stop()


def test_a_collector_that_hangs_fills_the_row_and_whoever_hands_over_never_waits() -> None:
    desk = Desk()
    desk.shut.clear()
    desk.sender.start()
    desk.sender.take([ONE])
    until(lambda: desk.sizes == [1])
    began_s = time.monotonic()
    for _ in range(10):
        desk.sender.take([ONE] * 1_000)
    assert time.monotonic() - began_s < 0.5
    assert desk.counts() == {"dropped": 10_000 - WAITING_MAX}
    desk.shut.set()
    desk.sender.stop()


def test_a_stop_waits_for_a_collector_that_hangs_no_longer_than_it_says() -> None:
    desk = Desk()
    desk.shut.clear()
    desk.sender.start()
    desk.sender.take([ONE])
    until(lambda: desk.sizes == [1])
    sender.STOP_S_MAX, before = 0.1, sender.STOP_S_MAX
    try:
        began_s = time.monotonic()
        desk.sender.stop()
        assert time.monotonic() - began_s < 1.0
    finally:
        sender.STOP_S_MAX = before
        desk.shut.set()


def test_a_stop_sends_what_still_waits() -> None:
    desk = Desk()
    desk.sender.start()
    desk.sender.take([ONE] * 5)
    desk.sender.stop()
    assert desk.counts() == {"sent": 5}
