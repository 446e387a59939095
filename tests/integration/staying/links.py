"""The wires between members, each direction to be cut for itself: a TCP proxy in a thread of the test.

A cut direction carries nothing and says nothing, as a network that loses everything: whoever dials gets a connection on
which nobody speaks, whoever is connected waits. What was under way comes after the heal, as TCP would bring it.
`refuse` is the other kind of partition: connections are reset and new ones refused.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import trio

CHUNK = 64 * 1024
Way = tuple[str, str]
"""(sender, receiver)"""


@dataclass(frozen=True)
class Route:
    """Where `dialler` reaches `listener`: it dials `port`, and is led to `target`."""

    dialler: str
    listener: str
    port: int
    target: int


class Switchboard:
    """A context manager. `cut`, `refuse` and `heal` are called from the test's thread and hold when they return."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = list(routes)
        self._cut: frozenset[Way] = frozenset()
        self._refusing = False
        self._thread = threading.Thread(target=self._live, name="switchboard", daemon=True)
        self._ready = threading.Event()
        self._token: trio.lowlevel.TrioToken | None = None
        self._changed = trio.Event()
        self._over = trio.Event()
        self._open: dict[int, tuple[frozenset[Way], trio.CancelScope]] = {}

    def __enter__(self) -> Switchboard:
        self._thread.start()
        if not self._ready.wait(20):
            raise RuntimeError("the switchboard does not listen: its ports are in use")
        return self

    def __exit__(self, *error: object) -> None:
        self._call(self._over.set)
        self._thread.join(10)

    def cut(self, *ways: Way) -> None:
        """These directions, and no others, carry nothing from now on."""
        self._call(self._set, frozenset(ways), False)

    def refuse(self, *ways: Way) -> None:
        """Connections between these are reset, new ones refused."""
        self._call(self._set, frozenset(ways), True)

    def heal(self) -> None:
        self.cut()

    def _call(self, deed: object, *words: object) -> None:
        assert self._token is not None
        trio.from_thread.run_sync(deed, *words, trio_token=self._token)  # type: ignore[arg-type]

    def _set(self, ways: frozenset[Way], refusing: bool) -> None:
        self._cut, self._refusing = ways, refusing
        if refusing:
            for between, scope in list(self._open.values()):
                if between & ways:
                    scope.cancel()
        self._changed.set()
        self._changed = trio.Event()

    def _live(self) -> None:
        trio.run(self._serve)

    async def _serve(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        async with trio.open_nursery() as nursery:
            for route in self.routes:
                listeners = await trio.open_tcp_listeners(route.port, host="127.0.0.1")
                nursery.start_soon(trio.serve_listeners, self._handler(route), listeners)
            self._ready.set()
            await self._over.wait()
            nursery.cancel_scope.cancel()

    def _handler(self, route: Route) -> object:
        there, back = (route.dialler, route.listener), (route.listener, route.dialler)

        async def handle(near: trio.SocketStream) -> None:
            if self._refusing and self._cut & {there, back}:
                return
            try:
                far = await trio.open_tcp_stream("127.0.0.1", route.target)
            except OSError:
                return
            async with far:
                with trio.CancelScope() as scope:
                    self._open[id(scope)] = (frozenset({there, back}), scope)
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(self._carry, there, near, far, scope)
                        nursery.start_soon(self._carry, back, far, near, scope)
                self._open.pop(id(scope), None)

        return handle

    async def _carry(
        self, way: Way, source: trio.SocketStream, sink: trio.SocketStream, scope: trio.CancelScope
    ) -> None:
        try:
            while data := await source.receive_some(CHUNK):
                await self._until_open(way)
                await sink.send_all(data)
            await self._until_open(way)
            await sink.send_eof()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            await self._until_open(way)
            scope.cancel()

    async def _until_open(self, way: Way) -> None:
        while way in self._cut:
            await self._changed.wait()


def between(sides: Iterable[Iterable[str]]) -> list[Way]:
    """Every direction between members of different sides."""
    parts = [tuple(side) for side in sides]
    return [(a, b) for one in parts for other in parts if one is not other for a in one for b in other]


def routes_of(ports: Mapping[str, int], free: Iterable[int]) -> list[Route]:
    """A route of its own for each ordered pair; `ports`: where members listen."""
    spare = iter(free)
    return [Route(a, b, next(spare), ports[b]) for a in ports for b in ports if a != b]
