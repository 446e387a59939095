"""The live view's tasks: one follows the stream, one reads the state, one draws, one listens to the keyboard."""

from __future__ import annotations

import os
import signal
import sys
import termios
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import trio
from rich.console import Console
from rich.live import Live

from node.commands.watching_screen import Picture, drawn
from node.control import ControlError, NodeUnreachable
from node.control_stream import Link, Told, follow

LOOK_S = 2.0
"""Between two looks at the state where nothing happens."""
SOON_S = 0.25
"""After a happening: a burst is one look."""
SHARE = 4
"""A look costs the node at most one part in so many: who answers slowly is asked more rarely."""
RECENT = 500
"""Records before now that the view begins with."""
DRAW_S = 1.0
"""Lease clocks count seconds."""


class Viewer:
    def __init__(self, link: Link, console: Console) -> None:
        self.picture = Picture()
        self._link, self._console = link, console
        self._changed, self._happened = trio.Event(), trio.Event()

    async def heard(self, one: Told) -> None:
        # a hint bears no time of its own
        self.picture.heard({"at_ms": _now_ms(), **one.data})
        self._happened.set()
        self._changed.set()

    async def fares(self, why: str) -> None:
        self.picture.fares(why, _now_ms())
        self._happened.set()
        self._changed.set()

    async def look(self) -> None:
        """Never raises for what the node says: the screen says that it is old."""
        while True:
            began = trio.current_time()
            try:
                for name in ("status", "alerts", "actions", "ready"):
                    setattr(self.picture, name, await self._link.get(f"/{name}"))
                self.picture.looked_ms, self.picture.unread = _now_ms(), ""
            except (ControlError, NodeUnreachable) as error:
                self.picture.unread = getattr(error, "why", "") or str(error)
            self._changed.set()
            await trio.sleep(max(SOON_S, SHARE * (trio.current_time() - began)))
            with trio.move_on_after(LOOK_S):
                await self._happened.wait()
            self._happened = trio.Event()

    async def draw(self, live: Live) -> None:
        while True:
            with trio.move_on_after(DRAW_S):
                await self._changed.wait()
            self._changed = trio.Event()
            size = self._console.size
            live.update(drawn(self.picture, size.width, size.height, _now_ms()), refresh=True)
            await trio.sleep(0.05)

    def resized(self) -> None:
        self._changed.set()


async def live(link: Link, after: int | None) -> None:
    """Until q, Ctrl-C or SIGTERM. Leaves the terminal as it was."""
    console = Console(highlight=False, markup=False, emoji=False)
    viewer = Viewer(link, console)
    # a node that does not run is told before the screen is taken
    status = await link.get("/status")
    if after is None:
        after = max(0, int(status.get("position") or 0) - RECENT)
    with _raw(sys.stdin.fileno()), Live(console=console, screen=True, auto_refresh=False) as screen:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(follow, link, after, viewer.heard, viewer.fares)
            nursery.start_soon(viewer.look)
            nursery.start_soon(viewer.draw, screen)
            nursery.start_soon(_keys, sys.stdin.fileno(), nursery.cancel_scope)
            nursery.start_soon(_signals, viewer, nursery.cancel_scope)
    await link.aclose()


async def _keys(stdin: int, scope: trio.CancelScope) -> None:
    while True:
        await trio.lowlevel.wait_readable(stdin)
        typed = os.read(stdin, 64)
        if not typed or set(typed) & set(b"qQ\x03\x04"):
            scope.cancel()
            return


async def _signals(viewer: Viewer, scope: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGWINCH) as signals:
        async for number in signals:
            if number == signal.SIGWINCH:
                viewer.resized()
            else:
                scope.cancel()
                return


@contextmanager
def _raw(stdin: int) -> Iterator[None]:
    """Keys come one by one and are not echoed."""
    before: list[Any] = termios.tcgetattr(stdin)
    try:
        tty.setcbreak(stdin)
        yield
    finally:
        termios.tcsetattr(stdin, termios.TCSADRAIN, before)


def _now_ms() -> int:
    return int(time.time() * 1000)
