"""Words to the service manager that started this node (sd_notify): ready, alive, stopping. Without one, nothing.

Alive means that the loop takes ticks and makes them durable: a scheduler that turns while a commit hangs is no node.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, MutableMapping

import trio

log = logging.getLogger("tocsin.service")
STATUS_CHARS_MAX = 240
ALONE_S = 5.0
"""Between two words of how it stands, where no watchdog waits."""
PARTS = 3
"""Words in one period of the watchdog: one that is late costs no life."""


class Service:
    """Reads NOTIFY_SOCKET and the watchdog's period, and takes them out of the environment: programs that a node starts
    have no word here."""

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        self._where = _address(environ.pop("NOTIFY_SOCKET", ""))
        period_s = _seconds(environ.pop("WATCHDOG_USEC", ""))
        ours = environ.pop("WATCHDOG_PID", "") in ("", str(os.getpid()))
        self.period_s = period_s if ours and self._where is not None else 0.0

    def say(self, *lines: str) -> None:
        """Never raises, never waits: a manager that does not listen stops nothing."""
        if self._where is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
                out.setblocking(False)
                out.sendto("\n".join(lines).encode("utf-8", "replace"), self._where)
        except OSError as error:
            log.warning("the service manager was not told %s: %s", lines[0], error.strerror)

    async def keep(self, silent_s: Callable[[], float], says: Callable[[], str]) -> None:
        """Until cancelled. `silent_s`: since the loop last turned; `says`: how it stands, one line."""
        if self._where is None:
            return
        pause_s = self.period_s / PARTS or ALONE_S
        while True:
            lines = [f"STATUS={' '.join(says().split())[:STATUS_CHARS_MAX]}"]
            if self.period_s and silent_s() < max(pause_s, 1.0):
                lines.insert(0, "WATCHDOG=1")
            self.say(*lines)
            await trio.sleep(pause_s)


def _address(text: str) -> str | None:
    """Of a socket in the file system, or, with @, in the kernel's own space of names; None for anything else."""
    if text.startswith("@") and len(text) > 1:
        return "\0" + text[1:]
    return text if text.startswith("/") and "\0" not in text else None


def _seconds(microseconds: str) -> float:
    return int(microseconds) / 1e6 if microseconds.isascii() and microseconds.isdigit() else 0.0
