"""A listening TCP port whose connections are few, and whose slow ends cost a place for seconds and no more.

The server behind it waits for whole requests as long as they take and writes as long as the other end lets it. Here a
connection that brings no request, or takes no answer, within its time is closed: time starts anew with each answer.
"""

from __future__ import annotations

import ssl
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import trio

CONNECTIONS_MAX = 192
OF_ONE_ADDRESS_MAX = 128
"""Loopback is one address, and so is a proxy."""
REQUEST_S = 20.0
WRITE_S = 10.0
GONE_S = 1.0


class Guarded(trio.abc.HalfCloseableStream):
    """`socket` is what the server looks at."""

    def __init__(self, inner: trio.SocketStream) -> None:
        self._inner = inner
        self.socket = inner.socket
        self.gone = trio.Event()
        self._until_s = trio.current_time() + REQUEST_S

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        while (now_s := trio.current_time()) < self._until_s:
            with trio.move_on_after(self._until_s - now_s):
                received = bytes(await self._inner.receive_some(max_bytes))
                if not received:
                    self.gone.set()
                return received
        self.gone.set()
        return b""

    async def send_all(self, data: Any) -> None:
        with trio.move_on_after(WRITE_S) as late:
            await self._inner.send_all(data)
        if late.cancelled_caught:
            await trio.aclose_forcefully(self._inner)
            raise trio.BrokenResourceError(f"the other end took nothing for {WRITE_S:g} s")
        self._until_s = trio.current_time() + REQUEST_S

    async def wait_send_all_might_not_block(self) -> None:
        await self._inner.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        await self._inner.send_eof()

    async def aclose(self) -> None:
        await self._inner.aclose()


async def _end(guarded: Guarded, scope: trio.CancelScope) -> None:
    """The server keeps a place for a while for an end that has gone."""
    await guarded.gone.wait()
    await trio.sleep(GONE_S)
    scope.cancel()


async def serve_guarded(
    listeners: list[trio.SocketListener],
    tls: ssl.SSLContext | None,
    handle: Callable[[Any], Awaitable[None]],
    nursery: trio.Nursery,
) -> None:
    """For ever. `handle` gets each connection that there is room for; whatever it raises ends that connection alone."""
    held: Counter[str] = Counter()

    async def one(stream: trio.SocketStream) -> None:
        try:
            address = str(stream.socket.getpeername()[0])
        except OSError:
            await trio.aclose_forcefully(stream)
            return
        if held.total() >= CONNECTIONS_MAX or held[address] >= OF_ONE_ADDRESS_MAX:
            await trio.aclose_forcefully(stream)
            return
        held[address] += 1
        guarded = Guarded(stream)
        try:
            async with trio.open_nursery() as both:
                both.start_soon(_end, guarded, both.cancel_scope)
                await handle(trio.SSLStream(guarded, tls, server_side=True, https_compatible=True) if tls else guarded)
                both.cancel_scope.cancel()
        finally:
            held[address] -= 1
            if not held[address]:
                del held[address]
            with trio.CancelScope(shield=True):
                await trio.aclose_forcefully(guarded)

    await trio.serve_listeners(one, listeners, handler_nursery=nursery)
