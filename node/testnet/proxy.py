"""A TCP proxy that adds distance: every byte leaves it `delay_ms` after it came in, in order, both ways.

With jitter the bytes of different connections overtake each other; those of one never do. What a network would do
twice it may do too: connect a second time and say the same again, as somebody on the way could.

It runs in a process of its own, so that its work is not charged to the nodes it stands between.
"""

from __future__ import annotations

import json
import random
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from trio_typing import TaskStatus

_CHUNK = 64 * 1024
# What may be on its way in one direction. A sender that is faster waits, as it would for a full pipe.
_IN_FLIGHT_MAX = 4 * 1024 * 1024
_DELAY_MAX_MS = 60_000
_ECHO_S_MAX = 0.1


@dataclass(frozen=True, slots=True)
class Route:
    """Listen here, connect there. `delay_ms` is one way; port 0 of `listen_port` takes any free port. `jitter_ms`:
    up to so much later, by chance. `twice`: all that goes there is also said on a second connection, whose answers
    nobody hears."""

    listen_host: str
    listen_port: int
    target_host: str
    target_port: int
    delay_ms: float
    jitter_ms: float = 0.0
    twice: bool = False


class _Pipe:
    """One direction of one connection: bytes with the time at which they may leave."""

    def __init__(self, route: Route) -> None:
        self._delay_s = route.delay_ms / 1000
        self._jitter_s = route.jitter_ms / 1000
        self._last_s = 0.0
        self._chunks: deque[tuple[float, bytes]] = deque()
        self._bytes = 0
        self._changed = trio.Event()

    async def fill(self, source: trio.SocketStream) -> None:
        """Read until the source says that it has finished; an empty chunk stands for that."""
        while True:
            while self._bytes >= _IN_FLIGHT_MAX:
                await self._change()
            data = await source.receive_some(_CHUNK)
            later_s = self._delay_s + self._jitter_s * random.random()  # noqa: S311 (weather, no secret)
            self._last_s = max(self._last_s, trio.current_time() + later_s)
            self._chunks.append((self._last_s, bytes(data)))
            self._bytes += len(data)
            self._tell()
            if not data:
                return

    async def empty(self, sink: trio.SocketStream, echo: trio.SocketStream | None = None) -> None:
        """Write everything when its time comes, then pass the end of the stream on."""
        while True:
            while not self._chunks:
                await self._change()
            due_s, data = self._chunks.popleft()
            await trio.sleep_until(due_s)
            if not data:
                await sink.send_eof()
                return
            await sink.send_all(data)
            if echo is not None:
                echo = await _said_again(echo, data)
            self._bytes -= len(data)
            self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    async def _change(self) -> None:
        await self._changed.wait()


async def run_proxy(routes: list[Route], *, task_status: TaskStatus[list[int]] = trio.TASK_STATUS_IGNORED) -> None:
    """Serve all routes until cancelled; `started` carries the ports listened on, in the order of the routes.

    Raises ValueError for a delay outside 0 to 60 000 ms, OSError when a port cannot be listened on.
    """
    for route in routes:
        for delay_ms in (route.delay_ms, route.jitter_ms):
            if not 0 <= delay_ms <= _DELAY_MAX_MS:
                raise ValueError(f"a delay of {delay_ms} ms is outside 0 to {_DELAY_MAX_MS}")
    async with trio.open_nursery() as nursery:
        ports = []
        for route in routes:
            listeners = await trio.open_tcp_listeners(route.listen_port, host=route.listen_host)
            ports.append(int(listeners[0].socket.getsockname()[1]))
            nursery.start_soon(trio.serve_listeners, _handler(route), listeners)
        task_status.started(ports)


def _handler(route: Route) -> _Handler:
    return _Handler(route)


class _Handler:
    def __init__(self, route: Route) -> None:
        self._route = route

    async def __call__(self, near: trio.SocketStream) -> None:
        try:
            far = await self._connect()
        except OSError:
            return
        async with far:
            if not self._route.twice:
                await self._join(near, far, None)
                return
            try:
                echo = await self._connect()
            except OSError:
                return
            async with echo:
                await self._join(near, far, echo)

    async def _connect(self) -> trio.SocketStream:
        return await trio.open_tcp_stream(self._route.target_host, self._route.target_port)

    async def _join(self, near: trio.SocketStream, far: trio.SocketStream, echo: trio.SocketStream | None) -> None:
        there, back = (_Pipe(self._route) for _ in range(2))
        for stream in (near, far):
            stream.setsockopt(trio.socket.IPPROTO_TCP, trio.socket.TCP_NODELAY, 1)
        async with trio.open_nursery() as nursery:

            async def carry(pipe: _Pipe, source: trio.SocketStream, sink: trio.SocketStream) -> None:
                try:
                    async with trio.open_nursery() as pair:
                        pair.start_soon(pipe.fill, source)
                        pair.start_soon(pipe.empty, sink, echo if sink is far else None)
                except* (trio.BrokenResourceError, trio.ClosedResourceError):
                    # One end is gone: so is the connection, for the other end as well.
                    nursery.cancel_scope.cancel()

            if echo is not None:
                nursery.start_soon(_swallow, echo)
            async with trio.open_nursery() as carrying:
                carrying.start_soon(carry, there, near, far)
                carrying.start_soon(carry, back, far, near)
            nursery.cancel_scope.cancel()


async def _said_again(echo: trio.SocketStream, data: bytes) -> trio.SocketStream | None:
    """None from when the other side hung up on it or no longer reads: what it does with it holds up nobody else."""
    try:
        with trio.move_on_after(_ECHO_S_MAX) as scope:
            await echo.send_all(data)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        return None
    return None if scope.cancelled_caught else echo


async def _swallow(echo: trio.SocketStream) -> None:
    """An answer that nobody reads would hold its sender up."""
    try:
        async for _ in echo:
            pass
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        return


def main(routes_json: str) -> None:
    """Run until the process ends. `routes_json`: a list of objects with the fields of `Route`."""
    trio.run(run_proxy, [Route(**fields) for fields in json.loads(routes_json)])
