"""Records over a socket: in order, whole, in bounded turns, and unharmed by whoever is cancelled."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import trio
import trio.testing
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from libp2p.io.exceptions import ConnectionClosedError

from node.transport.limits import RECEIVE_WINDOW, RECORD_MAX, RECORDS_AT_ONCE
from node.transport.noise import RecordSession

ONE, OTHER = bytes(32), b"1" * 32


def state_of(key: bytes) -> Any:
    return SimpleNamespace(cipher=SimpleNamespace(cipher=ChaCha20Poly1305(key)), n=0)


def session_over(sock: Any, sealing: bytes, opening: bytes, rest: bytes = b"") -> RecordSession:
    async def close() -> None:
        sock.close()

    protocol = SimpleNamespace(cipher_state_encrypt=state_of(sealing), cipher_state_decrypt=state_of(opening))
    raw = SimpleNamespace(stream=SimpleNamespace(stream=SimpleNamespace(socket=sock), rest=rest))
    conn = SimpleNamespace(
        noise_state=SimpleNamespace(noise_protocol=protocol),
        read_writer=SimpleNamespace(read_write_closer=raw),
        close=close,
    )
    return RecordSession(
        SimpleNamespace(
            local_peer=None, local_private_key=None, remote_peer=None, remote_permanent_pubkey=None,
            is_initiator=True, conn=conn,
        )
    )  # fmt: skip


@asynccontextmanager
async def pair() -> AsyncIterator[tuple[RecordSession, RecordSession, Any]]:
    """Two ends, and the first end's bare socket."""
    a, b = trio.socket.socketpair()
    with trio.fail_after(10):
        yield session_over(a, ONE, OTHER), session_over(b, OTHER, ONE), a
    a.close()
    b.close()


def test_what_is_written_arrives_whole_across_records() -> None:
    async def body() -> None:
        async with pair() as (one, other, _), trio.open_nursery() as nursery:
            sent = bytes(range(256)) * 1200
            nursery.start_soon(one.write, sent)
            got = b"".join([await other.read(n) for n in (1, 70_000, len(sent) - 70_001)])
            assert got == sent

    trio.run(body)


def test_reading_without_a_number_takes_what_there_is() -> None:
    async def body() -> None:
        async with pair() as (one, other, _):
            await one.write(b"some")
            assert await other.read() == b"some"

    trio.run(body)


def test_a_burst_of_tiny_records_leaves_others_their_turn() -> None:
    async def body() -> None:
        async with pair() as (one, other, _), trio.open_nursery() as nursery:
            for _ in range(20 * RECORDS_AT_ONCE):
                one.push(b"x")
            nursery.start_soon(one.flushed)
            turns = 0

            async def others() -> None:
                nonlocal turns
                while True:
                    turns += 1
                    await trio.lowlevel.checkpoint()

            nursery.start_soon(others)
            assert len(await other.read(20 * RECORDS_AT_ONCE)) == 20 * RECORDS_AT_ONCE
            assert turns >= 20
            nursery.cancel_scope.cancel()

    trio.run(body)


def test_empty_records_are_no_end_and_hold_nothing_up() -> None:
    async def body() -> None:
        async with pair() as (_, other, socket):
            nonce = [number.to_bytes(8, "little") for number in range(3 * RECORDS_AT_ONCE + 1)]
            cipher = ChaCha20Poly1305(ONE)
            for number in nonce[:-1]:
                await socket.send(b"\0\x10" + cipher.encrypt(b"\0\0\0\0" + number, b"", b""))
            await socket.send(b"\0\x12" + cipher.encrypt(b"\0\0\0\0" + nonce[-1], b"ok", b""))
            assert await other.read(2) == b"ok"

    trio.run(body)


def test_a_writer_that_is_cancelled_amid_a_write_spoils_nothing() -> None:
    async def body() -> None:
        async with pair() as (one, other, _), trio.open_nursery() as nursery:
            sent = bytes(range(256)) * 40_000
            with trio.move_on_after(0.05) as scope:
                await one.write(sent)
            assert scope.cancelled_caught
            assert one.blocked
            nursery.start_soon(one.write, b"the end")
            part = len(sent) // 100
            assert b"".join([await other.read(part) for _ in range(100)]) == sent
            assert await other.read() == b"the end"

    trio.run(body)


def test_a_forged_record_is_no_data() -> None:
    async def body() -> None:
        async with pair() as (_, other, socket):
            await socket.send(b"\0\x20" + bytes(32))
            with pytest.raises(InvalidTag):
                await other.read(1)

    trio.run(body)


def test_the_end_of_the_connection_is_said_so_on_both_halves() -> None:
    async def body() -> None:
        async with pair() as (one, other, _):
            await one.close()
            with pytest.raises(ConnectionClosedError):
                await other.read(1)
            with pytest.raises(ConnectionClosedError):
                one.push(b"into a closed socket")

    trio.run(body)


def test_closing_wakes_everybody_who_waits_for_a_peer_that_does_not_read() -> None:
    async def body() -> None:
        async with pair() as (one, _, socket), trio.open_nursery() as nursery:

            async def write() -> None:
                with pytest.raises(ConnectionClosedError):
                    await one.write(bytes(40 * RECORD_MAX))

            async def read() -> None:
                with pytest.raises(ConnectionClosedError):
                    await one.read(1)

            for work in (write, write, write, read):
                nursery.start_soon(work)
            await trio.testing.wait_all_tasks_blocked(0.01)
            socket.close()

    trio.run(body)


def test_a_socket_that_was_closed_before_is_said_so_too() -> None:
    async def body() -> None:
        async with pair() as (one, _, socket):
            with trio.move_on_after(0.01):
                await one.write(bytes(40 * RECORD_MAX))
            assert one.blocked
            socket.close()
            for work in (one.flushed, one.more):
                with pytest.raises(ConnectionClosedError):
                    await work()

    trio.run(body)


def test_what_came_with_the_last_word_of_the_handshake_is_the_first_record() -> None:
    async def body() -> None:
        async with pair() as (one, other, _):
            await one.write(b"early")
            early = os.read(other._socket.fileno(), 100)
            assert await session_over(other._socket, OTHER, ONE, early).read(5) == b"early"

    trio.run(body)


def test_nobody_is_waited_for_who_announces_more_than_a_window() -> None:
    async def body() -> None:
        async with pair() as (_, other, _):
            accused: list[str] = []
            other.accuse = accused.append
            with pytest.raises(ConnectionClosedError, match="announced"):
                await other.read(RECEIVE_WINDOW + 1)
            assert len(accused) == 1

    trio.run(body)
