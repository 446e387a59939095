"""Who is heard from is asked now and then; who is silent, or owes an answer, at every turn, and lost after three."""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from node.transport.api import Channel
from node.transport.framing import PING, PONG, Control, FrameReader, WireFaultError
from node.transport.limits import PINGS_BURST, PINGS_PER_S, Timing
from node.transport.outbox import Outbox
from node.transport.session import PROTOCOLS, Session
from node.transport.streams import StreamEndedError

TIMING = Timing()


class Asked:
    """A session that asks, and the nonces that it sent."""

    def __init__(self) -> None:
        self.outboxes = {channel: Outbox() for channel in PROTOCOLS}
        self.rtts: list[float] = []
        link = SimpleNamespace(
            timing=TIMING, rng=random.Random(1), outboxes=self.outboxes, measured=self.rtts.append,
            post=SimpleNamespace(due=lambda session, urgent=False: None),
        )  # fmt: skip
        self.session = Session(link, None, None)  # type: ignore[arg-type]

    def asked(self) -> list[bytes]:
        frames = FrameReader(100).feed(self.outboxes[Channel.ENTRIES].cut(10_000))
        return [one.nonce for one in frames if isinstance(one, Control) and one.kind == PING]

    def answer(self) -> int:
        nonces = self.asked()
        for nonce in nonces:
            self.session._hear()
            self.session._heed(Control(PONG, nonce))
        return len(nonces)


def virtually(body: Callable[[Asked, trio.Nursery], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        async with trio.open_nursery() as nursery:
            await body(Asked(), nursery)
            nursery.cancel_scope.cancel()

    trio.run(main, clock=MockClock(autojump_threshold=0))


def test_who_pings_without_an_end_or_answers_what_nobody_asked_is_at_fault() -> None:
    async def body(one: Asked, nursery: trio.Nursery) -> None:
        for kind in (PING, PONG):
            await trio.sleep(PINGS_BURST / PINGS_PER_S)
            for _ in range(int(PINGS_BURST)):
                one.session._heed(Control(kind, b"unasked."))
            with pytest.raises(WireFaultError, match="pinged more often"):
                one.session._heed(Control(kind, b"unasked."))

    virtually(body)


def test_an_answer_that_was_asked_for_is_taken_however_much_was_pinged() -> None:
    async def body(one: Asked, nursery: trio.Nursery) -> None:
        one.session._ping()
        (nonce,) = one.asked()
        for _ in range(int(PINGS_BURST)):
            one.session._heed(Control(PING, b"unasked."))
        one.session._heed(Control(PONG, nonce))
        assert len(one.rtts) == 1

    virtually(body)


def test_a_silent_peer_is_lost_after_three_misses() -> None:
    async def body(one: Asked, nursery: trio.Nursery) -> None:
        with pytest.raises(StreamEndedError, match="no answer to 3 pings"):
            await one.session._keep_asking()
        assert trio.current_time() <= (TIMING.ping_misses + 1) * TIMING.ping_every_s

    virtually(body)


def test_a_peer_that_is_heard_is_asked_only_now_and_then() -> None:
    async def body(one: Asked, nursery: trio.Nursery) -> None:
        nursery.start_soon(one.session._keep_asking)
        asked = 0
        for _ in range(500):
            await trio.sleep(0.2)
            asked += one.answer()
            one.session._hear()
        expected = 100 / (TIMING.ping_every_s * TIMING.ping_when_heard)
        assert expected <= asked <= expected + 3
        assert len(one.rtts) == asked

    virtually(body)


def test_a_quiet_peer_that_answers_is_asked_at_every_other_turn_and_kept() -> None:
    async def body(one: Asked, nursery: trio.Nursery) -> None:
        nursery.start_soon(one.session._keep_asking)
        asked = 0
        for _ in range(500):
            await trio.sleep(0.2)
            asked += one.answer()
        assert 100 / TIMING.ping_every_s / 2 <= asked <= 100 / TIMING.ping_every_s / 2 + 3

    virtually(body)


def test_talking_is_no_way_around_an_answer() -> None:
    async def body(one: Asked, nursery: trio.Nursery) -> None:
        async def talk() -> None:
            while True:
                await trio.sleep(0.1)
                one.session._hear()

        nursery.start_soon(talk)
        with pytest.raises(StreamEndedError, match="no answer to 3 pings"):
            await one.session._keep_asking()
        assert trio.current_time() <= (TIMING.ping_misses + 1) * TIMING.ping_every_s

    virtually(body)
