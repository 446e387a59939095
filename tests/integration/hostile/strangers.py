"""Attacks of whom nobody knows: sockets, half handshakes, names that are on no list."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from contextlib import suppress

import trio

from node.transport.framing import WireFaultError
from tests.integration.hostile.wire import MULTISTREAM, Stage, Target, dialled, read_some, wires

HELD = 120
"""Sockets that one attacker holds open at each target."""
PARALLEL = 8
SYBILS_PER_TARGET = 4
NOISE = b"\x07/noise\n"

Deed = Callable[[trio.SocketStream], Awaitable[None]]


async def _on_and_on(on: Stage, deed: Deed) -> None:
    """The same deed on fresh sockets, round the targets, as fast as they are taken."""

    async def one(target: Target) -> None:
        while True:
            stream = await dialled(on, target)
            if stream is None:
                on.did("not taken")
                continue
            on.did("connections")
            with suppress(OSError, trio.BrokenResourceError, trio.ClosedResourceError, WireFaultError):
                await deed(stream)
            await trio.aclose_forcefully(stream)

    async with trio.open_nursery() as nursery:
        for target in on.targets:
            for _ in range(PARALLEL):
                nursery.start_soon(one, target)


async def _held(on: Stage, deed: Deed) -> None:
    """The same deed on many sockets at once, which are kept."""

    async def one(target: Target) -> None:
        while True:
            stream = await dialled(on, target)
            if stream is None:
                on.did("not taken")
                continue
            on.did("connections")
            with suppress(OSError, trio.BrokenResourceError, trio.ClosedResourceError):
                await deed(stream)
            await trio.aclose_forcefully(stream)
            await trio.sleep(0.05)

    async with trio.open_nursery() as nursery:
        for target in on.targets:
            for _ in range(HELD):
                nursery.start_soon(one, target)


async def idle_sockets(on: Stage) -> None:
    async def wait(stream: trio.SocketStream) -> None:
        while await stream.receive_some(4096):
            pass

    await _held(on, wait)


async def slow_writers(on: Stage) -> None:
    """A byte of the handshake each half second."""

    async def drip(stream: trio.SocketStream) -> None:
        for byte in MULTISTREAM + NOISE + bytes(34):
            await stream.send_all(bytes([byte]))
            await trio.sleep(0.5)

    await _held(on, drip)


async def random_handshakes(on: Stage) -> None:
    async def noise(stream: trio.SocketStream) -> None:
        await stream.send_all(os.urandom(on.chance.choice((1, 20, 200, 2_000))))
        await read_some(stream, 0.1)

    await _on_and_on(on, noise)


async def half_handshakes(on: Stage) -> None:
    """The first message of Noise, valid, made once; the target does its part of the mathematics, then silence."""
    first = (32).to_bytes(2, "big") + os.urandom(32)

    async def half(stream: trio.SocketStream) -> None:
        await stream.send_all(MULTISTREAM + NOISE + first)
        heard = 0
        while heard < 150 and (data := await read_some(stream, 2.0)):
            heard += len(data)
        on.did("handshakes begun", heard >= 150)

    await _on_and_on(on, half)


async def plaintext_offers(on: Stage) -> None:
    async def offer(stream: trio.SocketStream) -> None:
        await stream.send_all(MULTISTREAM)
        for name in (b"/plaintext/2.0.0\n", b"/secio/1.0.0\n", b"/tls/1.0.0\n", b"/http/1.1\n"):
            await stream.send_all(bytes([len(name)]) + name)
        heard = b""
        while heard.count(b"na\n") < 4 and (data := await read_some(stream, 0.5)):
            heard += data
        on.did("spoken", int(any(name in heard for name in (b"/plaintext", b"/secio", b"/tls"))))

    await _on_and_on(on, offer)


async def endless_talk(on: Stage) -> None:
    """Names of protocols that do not exist, as fast as they are refused, and all refusals read."""
    lines = b"\x02x\n" * 2_000

    async def talk(stream: trio.SocketStream) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, stream)
            while await read_some(stream, 1.0):
                pass
            nursery.cancel_scope.cancel()

    async def ask(stream: trio.SocketStream) -> None:
        with suppress(OSError, trio.BrokenResourceError, trio.ClosedResourceError):
            await stream.send_all(MULTISTREAM)
            while True:
                await stream.send_all(lines)
                on.did("lines", 2_000)

    await _held(on, talk)


async def varint_garbage(on: Stage) -> None:
    """Lengths without end, lengths of gigabytes, lines without an end."""
    shapes = (b"\xff" * 64, b"\xff\xff\xff\xff\x0f", MULTISTREAM + b"\xff\xff\xff\x7f" + bytes(60_000), b"\x80" * 4_000)

    async def shout(stream: trio.SocketStream) -> None:
        await stream.send_all(on.chance.choice(shapes))
        await read_some(stream, 0.1)

    await _on_and_on(on, shout)


async def sybils(on: Stage) -> None:
    """Four names for each honest node, each of which completes the handshake and is turned away, again and again."""

    async def one(identity: bytes) -> None:
        async with wires(on, identity) as mine, trio.open_nursery() as nursery:
            for wire in mine:
                nursery.start_soon(again, wire)

    async def again(wire: object) -> None:
        while True:
            await wire.connect()  # type: ignore[attr-defined]
            with trio.move_on_after(0.2):
                await wire.conn.muxed_conn.event_closed.wait()  # type: ignore[attr-defined]
            await wire.hang_up()  # type: ignore[attr-defined]

    async with trio.open_nursery() as nursery:
        for number in range(SYBILS_PER_TARGET * len(on.targets)):
            nursery.start_soon(one, number.to_bytes(32, "big"))
