"""The delay proxy: bytes arrive later, whole and in order, and ends of streams pass through."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from node.testnet.proxy import Route, run_proxy
from tests.integration.transport.support import story


async def echo(stream: trio.SocketStream) -> None:
    """Answer only when the other side has finished: that needs a half-close."""
    heard = bytearray()
    async for data in stream:
        heard += data
    await stream.send_all(bytes(reversed(heard)))


@asynccontextmanager
async def through_proxy(
    delay_ms: float, jitter_ms: float = 0.0, twice: bool = False
) -> AsyncIterator[trio.SocketStream]:
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, echo, 0)
        port = listeners[0].socket.getsockname()[1]
        [entrance] = await nursery.start(
            run_proxy, [Route("127.0.0.1", 0, "127.0.0.1", port, delay_ms, jitter_ms, twice)]
        )
        stream = await trio.open_tcp_stream("127.0.0.1", entrance)
        async with stream:
            yield stream
        nursery.cancel_scope.cancel()


async def ask(stream: trio.SocketStream, question: bytes) -> bytes:
    await stream.send_all(question)
    await stream.send_eof()
    answer = bytearray()
    async for data in stream:
        answer += data
    return bytes(answer)


def test_a_question_and_its_answer_take_one_delay_each() -> None:
    async def body() -> None:
        spent_s = []
        for _ in range(3):
            async with through_proxy(100) as stream:
                asked_s = trio.current_time()
                assert await ask(stream, b"abc") == b"cba"
                spent_s.append(trio.current_time() - asked_s)
        assert 0.2 <= min(spent_s) < 0.35

    story(body)


def test_ten_megabytes_pass_whole_and_delay_is_not_throughput() -> None:
    async def body() -> None:
        question = bytes(range(256)) * 40_000
        async with through_proxy(30) as stream:
            asked_s = trio.current_time()
            assert await ask(stream, question) == question[::-1]
            assert trio.current_time() - asked_s < 3

    story(body)


def test_a_target_that_is_not_there_closes_the_connection() -> None:
    async def body() -> None:
        async with trio.open_nursery() as nursery:
            [entrance] = await nursery.start(run_proxy, [Route("127.0.0.1", 0, "127.0.0.1", 1, 5)])
            stream = await trio.open_tcp_stream("127.0.0.1", entrance)
            async with stream:
                assert await stream.receive_some() == b""
            nursery.cancel_scope.cancel()

    story(body)


def test_an_impossible_delay_is_refused() -> None:
    with pytest.raises(ValueError, match="outside 0 to 60000"):
        trio.run(run_proxy, [Route("127.0.0.1", 0, "127.0.0.1", 1, -1)])


def test_jitter_changes_the_order_of_nothing_on_one_connection() -> None:
    async def body() -> None:
        question = bytes(range(256)) * 4_000
        async with through_proxy(1, jitter_ms=20) as stream:
            assert await ask(stream, question) == question[::-1]

    story(body)


def test_what_is_said_twice_arrives_on_two_connections_and_is_answered_on_one() -> None:
    heard: list[bytes] = []
    both = trio.Event()

    async def listen(stream: trio.SocketStream) -> None:
        said = b"".join([bytes(data) async for data in stream])
        heard.append(said)
        if len(heard) == 2:
            both.set()
        await stream.send_all(b"heard " + said)

    async def body() -> None:
        async with trio.open_nursery() as nursery:
            listeners = await nursery.start(trio.serve_tcp, listen, 0)
            port = listeners[0].socket.getsockname()[1]
            [entrance] = await nursery.start(run_proxy, [Route("127.0.0.1", 0, "127.0.0.1", port, 1, twice=True)])
            async with await trio.open_tcp_stream("127.0.0.1", entrance) as stream:
                assert await ask(stream, b"once") == b"heard once"
            await both.wait()
            nursery.cancel_scope.cancel()
        assert heard == [b"once", b"once"]

    story(body)
