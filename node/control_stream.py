"""A node's control socket on trio: its answers, and what happens as it happens, resumed by id over its restarts.

What comes is JSON of our own node; its texts may quote other members, so whoever prints them cleans them first.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import trio

from node.api_exercise import HEADER
from node.control import ANSWER_BYTES_MAX, ControlError, NodeUnreachable, answer_of

EVENT_BYTES_MAX = 256 * 1024
"""No happening comes near it: whoever sends more is no node."""
ANSWER_S = 5.0
SILENCE_S = 25.0
"""Three heartbeats of a stream: a node that is stopped keeps its connections and says nothing."""
AGAIN_S = 1.0
BUSY_S = 10.0
PLUMBING = frozenset({"hello", "resume"})
"""Events about the stream itself."""


@dataclass(frozen=True)
class Told:
    """One event. `position`: of its record in the node's store, 0 for a hint that no record holds."""

    kind: str
    position: int
    data: dict[str, Any]


@dataclass
class Parser:
    """Bytes of a stream to events. `position`: the last id that was given, to resume after."""

    position: int | None = None
    _rest: bytearray = field(default_factory=bytearray)

    def feed(self, part: bytes) -> list[Told]:
        """ValueError where this is no event stream of a node's."""
        self._rest += part
        *blocks, rest = bytes(self._rest).split(b"\n\n")
        if len(rest) > EVENT_BYTES_MAX:
            raise ValueError(f"an event of over {EVENT_BYTES_MAX} bytes")
        self._rest = bytearray(rest)
        return [one for one in map(self._event, blocks) if one is not None]

    def _event(self, block: bytes) -> Told | None:
        """None for a heartbeat, and for an id that only moves the reader on."""
        position, data = 0, b""
        for line in block.split(b"\n"):
            name, _, value = line.partition(b": ")
            if name == b"id":
                position = int(value)
            elif name == b"data":
                data = value
        if position:
            self.position = position
        if not data:
            return None
        told = json.loads(data)
        if type(told) is not dict:
            raise ValueError("an event that is no object")
        return Told(str(told.get("kind", "")), position, told)


class Link:
    """One client. Every method raises ControlError or NodeUnreachable and nothing else."""

    def __init__(self, socket: Path, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.socket = socket
        self.exercise = False
        """As the last answer said: whether the node is of a drill network."""
        transport = transport or httpx.AsyncHTTPTransport(uds=str(socket))
        # trust_env: a proxy named in the environment has no business with a local socket
        self._http = httpx.AsyncClient(
            transport=transport, base_url="http://node/v1", timeout=ANSWER_S, trust_env=False
        )

    async def aclose(self) -> None:
        with trio.CancelScope(shield=True):
            await self._http.aclose()

    async def get(self, path: str) -> Any:
        async with self._asked("GET", path) as answer:
            return answer_of(self.socket, answer.status_code, await self._body(answer))

    @asynccontextmanager
    async def _asked(self, method: str, path: str, **options: Any) -> AsyncIterator[httpx.Response]:
        try:
            async with self._http.stream(method, path, **options) as answer:
                self.exercise = HEADER in answer.headers
                yield answer
        except httpx.TimeoutException:
            raise NodeUnreachable(self.socket, "did not answer in time") from None
        except httpx.ConnectError:
            why = "nobody listens there" if self.socket.exists() else "there is no such socket"
            raise NodeUnreachable(self.socket, why) from None
        except (httpx.HTTPError, OSError) as error:
            why = f"the connection broke ({type(error).__name__})"
            raise NodeUnreachable(self.socket, why, broke=True) from None

    async def _body(self, answer: httpx.Response) -> bytes:
        body = bytearray()
        async for part in answer.aiter_bytes():
            body += part
            if len(body) > ANSWER_BYTES_MAX:
                raise NodeUnreachable(self.socket, f"answered over {ANSWER_BYTES_MAX} bytes")
        return bytes(body)

    async def stream(
        self, parser: Parser, told: Callable[[Told], Awaitable[None]], opened: Callable[[], Awaitable[None]]
    ) -> None:
        """What happens after `parser.position`, to `told`, until the node ends the stream."""
        headers = {"accept": "text/event-stream"}
        if parser.position is not None:
            headers["last-event-id"] = str(parser.position)
        patience = httpx.Timeout(ANSWER_S, read=SILENCE_S)
        async with self._asked("GET", "/events", headers=headers, timeout=patience) as answer:
            if answer.status_code >= 400:
                answer_of(self.socket, answer.status_code, await self._body(answer))
            await opened()
            async for part in answer.aiter_bytes():
                try:
                    found = parser.feed(part)
                except (ValueError, RecursionError):
                    raise NodeUnreachable(self.socket, "what answers there is no tocsin node") from None
                for one in found:
                    await told(one)


async def follow(
    link: Link,
    after: int | None,
    told: Callable[[Told], Awaitable[None]],
    fares: Callable[[str], Awaitable[None]],
) -> None:
    """For ever, once the node was reached; before that its faults are raised. `fares`: "" when the stream runs, else
    why it does not. A stream that was dropped is opened again after the last id."""
    position, ever = after, False

    async def opened() -> None:
        nonlocal ever
        ever = True
        await fares("")

    while True:
        parser, wait_s, why = Parser(position), AGAIN_S, "the node ended the stream"
        try:
            await link.stream(parser, told, opened)
        except NodeUnreachable as error:
            why = error.why
            if not ever:
                raise
        except ControlError as error:
            wait_s, why = BUSY_S, error.what
            if not ever:
                raise
        position = parser.position
        await fares(why)
        await trio.sleep(wait_s)
