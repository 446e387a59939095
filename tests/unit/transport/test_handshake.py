"""How little may be said before a connection has a name, or a stream a protocol."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from libp2p.io.exceptions import ConnectionClosedError
from libp2p.protocol_muxer.exceptions import MultiselectError
from libp2p.protocol_muxer.multiselect_communicator import MultiselectCommunicator
from trio.testing import trio_test

from node.transport.handshake import ENDLESS_TALK, BriefMultiselect, EndlessTalkError, HandshakeStream
from node.transport.limits import HANDSHAKE_BYTES_MAX, HANDSHAKE_READ_BYTES, NEGOTIATION_LINES_MAX

HELLO = b"\x13/multistream/1.0.0\n"
UNKNOWN = b"\x02x\n"


@asynccontextmanager
async def pair() -> AsyncIterator[tuple[HandshakeStream, trio.SocketStream]]:
    ours, theirs = (trio.SocketStream(one) for one in trio.socket.socketpair())
    async with ours, theirs:
        yield HandshakeStream(ours), theirs


@trio_test
async def test_what_came_in_one_burst_is_read_byte_by_byte_without_waiting() -> None:
    async with pair() as (stream, peer):
        await peer.send_all(b"abcdef")
        assert await stream.read(1) == b"a"
        with trio.CancelScope() as scope:
            scope.cancel()
            assert [await stream.read(1), await stream.read(2)] == [b"b", b"cd"]
        assert bytes(stream.rest) == b"ef"


@trio_test
async def test_the_end_of_a_connection_is_said_at_once() -> None:
    async with pair() as (stream, peer):
        await peer.aclose()
        with pytest.raises(ConnectionClosedError, match="closed"):
            await stream.read(1)


@trio_test
async def test_more_than_a_handshake_takes_is_not_read() -> None:
    async with pair() as (stream, peer), trio.open_nursery() as nursery:
        nursery.start_soon(peer.send_all, bytes(2 * HANDSHAKE_BYTES_MAX))
        heard = 0
        with pytest.raises(ConnectionClosedError, match="more was said"):
            while True:
                heard += len(await stream.read(100))
        assert HANDSHAKE_BYTES_MAX - 100 <= heard <= HANDSHAKE_BYTES_MAX
        assert len(stream.rest) <= HANDSHAKE_READ_BYTES
        nursery.cancel_scope.cancel()


@trio_test
async def test_a_length_of_a_gigabyte_is_refused_before_anything_is_read() -> None:
    async with pair() as (stream, peer):
        await peer.send_all(b"x")
        with pytest.raises(ConnectionClosedError, match="more was said"):
            await stream.read(1 << 30)
        assert not stream.rest


async def negotiated(said: bytes, accused: list[str] | None = None) -> Any:
    async with pair() as (stream, peer):
        if accused is not None:
            stream.accuse = accused.append
        await peer.send_all(HELLO + said)
        with trio.fail_after(5):
            return await BriefMultiselect({"/known": None}).negotiate(MultiselectCommunicator(stream))


@trio_test
async def test_a_protocol_that_is_offered_is_found_behind_some_that_are_not() -> None:
    assert await negotiated(UNKNOWN * 10 + b"\x07/known\n") == ("/known", None)


@trio_test
async def test_who_names_one_protocol_after_another_is_left() -> None:
    with pytest.raises(EndlessTalkError):
        await negotiated(UNKNOWN * NEGOTIATION_LINES_MAX + b"\x07/known\n")


@trio_test
async def test_who_does_so_and_has_a_name_is_accused() -> None:
    accused: list[str] = []
    with pytest.raises(EndlessTalkError):
        await negotiated(UNKNOWN * 100, accused)
    assert accused == [ENDLESS_TALK]


@trio_test
async def test_a_name_that_is_no_text_ends_the_talk() -> None:
    with pytest.raises(MultiselectError):
        await negotiated(b"\x03\xff\xff\n")
