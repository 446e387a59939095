"""Clients of one node's API, in a process of their own: who asks, who reads, and who means no good.

Run as `python -m tests.bench.api_clients JOB-JSON`. Says `ready`, then works for `s` seconds or until SIGTERM, and
prints one JSON line. HTTP is written by hand: a client library would cost more than what it asks.
"""

from __future__ import annotations

import json
import math
import signal
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import trio

SLOW_BUFFER = 4_096
PAUSE_S = 0.2
"""Before a connection that was closed is made again."""


@dataclass
class Job:
    """`socket`: the control socket; else `port` and `tokens`. `asking`: connections that ask for `path` without a
    pause; `plain` and `slow`: streams that are read, and that never are; `floods`: connections that ask without a pause
    with tokens, with wrong ones and with bytes that are no HTTP, in turn."""

    s: float = math.inf
    socket: str = ""
    path: str = "/v1/status"
    port: int = 0
    tokens: list[str] = field(default_factory=list)
    asking: int = 0
    plain: int = 0
    slow: int = 0
    floods: int = 0


class Clients:
    def __init__(self, job: Job) -> None:
        self.job = job
        self.took_ms: list[float] = []
        self.late_ms: list[float] = []
        self.statuses: Counter[str] = Counter()
        self._open = 0

    def result(self) -> dict[str, Any]:
        return {"took_ms": self.took_ms, "late_ms": self.late_ms, "statuses": dict(self.statuses)}

    async def run(self) -> None:
        job = self.job
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._until_told, nursery.cancel_scope)
            for _ in range(job.asking):
                nursery.start_soon(self._again, self._asks, "")
            for number in range(job.plain + job.slow):
                token = job.tokens[number % len(job.tokens)]
                nursery.start_soon(self._again, self._reads if number < job.plain else self._never_reads, token)
            with trio.move_on_after(20):
                while self._open < job.plain + job.slow:  # noqa: ASYNC110 (of many connections)
                    await trio.sleep(0.05)
            for number in range(job.floods):
                kind = (self._asks, self._asks_wrongly, self._babbles)[number % 3]
                nursery.start_soon(self._again, kind, job.tokens[number % len(job.tokens)])
            sys.stdout.write("ready\n")
            sys.stdout.flush()
            await trio.sleep(job.s if job.s < math.inf else 3_600)
            nursery.cancel_scope.cancel()

    async def _until_told(self, scope: trio.CancelScope) -> None:
        with trio.open_signal_receiver(signal.SIGTERM) as signals:
            async for _ in signals:
                scope.cancel()

    async def _again(self, deed: Callable[[trio.SocketStream, str], Awaitable[None]], token: str) -> None:
        while True:
            try:
                async with await self._connected() as stream:
                    await deed(stream, token)
            except (OSError, trio.BrokenResourceError, ValueError):
                self.statuses["closed"] += 1
            await trio.sleep(PAUSE_S)

    async def _connected(self) -> trio.SocketStream:
        if self.job.socket:
            return await trio.open_unix_socket(self.job.socket)
        return await trio.open_tcp_stream("127.0.0.1", self.job.port)

    def _request(self, path: str, token: str, accept: str = "*/*") -> bytes:
        host = f"127.0.0.1:{self.job.port}" if self.job.port else "node"
        credential = f"Authorization: Bearer {token}\r\n" if token else ""
        return f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: {accept}\r\n{credential}\r\n".encode()

    # --- who asks

    async def _asks(self, stream: trio.SocketStream, token: str) -> None:
        asked, rest = self._request(self.job.path, token), b""
        while True:
            began = time.perf_counter()
            await stream.send_all(asked)
            status, rest = await _answer(stream, rest)
            self.took_ms.append((time.perf_counter() - began) * 1000)
            self.statuses[status] += 1

    async def _asks_wrongly(self, stream: trio.SocketStream, token: str) -> None:
        await self._asks(stream, f"{token[:-4]}xxxx")

    async def _babbles(self, stream: trio.SocketStream, token: str) -> None:
        await stream.send_all(bytes(range(256)) * 16)
        status, _ = await _answer(stream, b"")
        self.statuses[status] += 1

    # --- who reads

    async def _opened(self, stream: trio.SocketStream, token: str) -> None:
        await stream.send_all(self._request("/v1/events", token, "text/event-stream"))

    async def _reads(self, stream: trio.SocketStream, token: str) -> None:
        await self._opened(stream, token)
        rest, counted = b"", False
        try:
            while part := await stream.receive_some(65_536):
                now_ms = time.time() * 1000
                if not counted:
                    self.statuses[f"stream {part[9:12].decode('latin-1')}"] += 1
                    counted, self._open = True, self._open + 1
                *lines, rest = (rest + part).split(b"\n")
                for line in lines:
                    if line.startswith(b'data: {"at_ms":'):
                        self.late_ms.append(now_ms - float(line[15 : line.index(b",", 15)]))
        finally:
            self._open -= counted

    async def _never_reads(self, stream: trio.SocketStream, token: str) -> None:
        stream.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_RCVBUF, SLOW_BUFFER)
        await self._opened(stream, token)
        self._open += 1
        try:
            await trio.sleep(30)
        finally:
            self._open -= 1


async def _answer(stream: trio.SocketStream, rest: bytes) -> tuple[str, bytes]:
    """(status, what came behind it)."""
    while b"\r\n\r\n" not in rest:
        part = await stream.receive_some(65_536)
        if not part:
            raise ValueError("closed")
        rest += part
    head, _, rest = rest.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
    while len(rest) < length:
        part = await stream.receive_some(65_536)
        if not part:
            raise ValueError("closed")
        rest += part
    return lines[0].split(b" ")[1].decode(), rest[length:]


if __name__ == "__main__":
    clients = Clients(Job(**json.loads(sys.argv[1])))
    trio.run(clients.run)
    sys.stdout.write(json.dumps(clients.result()) + "\n")
