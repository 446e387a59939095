"""The event stream as one HTTP answer that lasts, and who asked for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import trio
from fastapi.responses import JSONResponse, Response

from node.stream import Full, Streams


@dataclass(frozen=True)
class Asker:
    """Whoever a door let in; `person` "": the owner, who names a person in each command."""

    person: str = ""
    role: str = "owner"
    welcome: Callable[[], bool] = lambda: True
    """False once the person is listed no more."""
    sign_in: Callable[[], Awaitable[str | None]] | None = None
    """Of a token that is good for one sign-in: spends it for one that lasts."""


OWNER = Asker()


def last_event_id(said: str) -> int | None:
    """None where nothing was said, -1 where it is no id of ours."""
    if not said:
        return None
    return int(said) if said.isascii() and said.isdigit() and len(said) <= 16 else -1


class EventStream(Response):
    """One reader's stream, until it goes."""

    def __init__(self, streams: Streams, after: int | None, reads: Callable[[], None]) -> None:
        """`reads` is called again and again, for as long as somebody does."""
        super().__init__()
        self._streams, self._after, self._reads = streams, after, reads

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        asker: Asker = scope.get("asker", OWNER)
        try:
            with self._streams.seat(asker.person):
                await self._told(asker, receive, send)
        except Full as error:
            do = "close one" if error.whose == "yours" else "try again in a while"
            body = {"error": {"code": "busy", "what": f"too many streams are open ({error.whose})", "do": do}}
            await JSONResponse(body, status_code=503, headers={"retry-after": "10"})(scope, receive, send)

    async def _told(self, asker: Asker, receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})

        async def gone(scope: trio.CancelScope) -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            scope.cancel()

        async def write(part: bytes) -> None:
            await send({"type": "http.response.body", "body": part, "more_body": True})

        def welcome() -> bool:
            self._reads()
            return asker.welcome()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(gone, nursery.cancel_scope)
            await self._streams.tell(self._after, write, welcome)
            nursery.cancel_scope.cancel()
        await send({"type": "http.response.body", "body": b"", "more_body": False})
