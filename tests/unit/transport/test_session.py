"""A peer may end its connection at any moment, also while its streams are being opened: nothing but it ends."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any

import pytest
import trio
import trio.testing

from node.transport import session as session_module
from node.transport.api import Channel
from node.transport.limits import Timing
from node.transport.session import PROTOCOLS, Session


def test_a_connection_that_breaks_while_its_streams_are_opened_ends_the_session_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    closed = trio.Event()

    async def broken_stream(host: Any, conn: Any, protocol: str) -> None:
        if protocol == PROTOCOLS[Channel.SYNC]:
            await trio.sleep_forever()
        await closed.wait()
        raise ConnectionError("handshake read failed")

    monkeypatch.setattr(session_module, "open_stream", broken_stream)
    link: Any = SimpleNamespace(peer_id="peer", timing=Timing(), rng=random.Random(1), outboxes={})

    async def body() -> None:
        session = Session(link, None, SimpleNamespace(event_closed=closed))
        said: list[str] = []

        async def run() -> None:
            said.append(await session.run())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(run)
            await trio.testing.wait_all_tasks_blocked()
            closed.set()
        assert said

    # which of the two is told first is the scheduler's choice
    for _ in range(20):
        closed = trio.Event()
        trio.run(body)
