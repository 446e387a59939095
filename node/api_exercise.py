"""Every answer of a node of a drill network says so in its head, whatever was asked and whoever reads it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

HEADER = "tocsin-exercise"
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Exercise:
    """ASGI."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Send) -> None:
        async def marked(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), (HEADER.encode(), b"1")]}
            await send(message)

        await self._app(scope, receive, marked)
