"""A command is done once for each Idempotency-Key: who got no answer asks again and is told the first one.

Kept in memory, a bounded number of a person's and for a day; after a restart the key is a new one, and what the machine
itself knows still holds (an action is approved, refused or lifted once).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import trio

from node.api_stream import OWNER, Asker

KEPT_OF_ONE = 128
PEOPLE_MAX = 128
KEPT_S = 86_400.0
BODY_BYTES_MAX = 64 * 1024
_KEY = re.compile(r"[\x21-\x7e]{8,128}\Z")
Send = Callable[[dict[str, Any]], Awaitable[None]]


@dataclass
class _Deed:
    """`asked`: a digest of what the key was first used for; `status` 0: under way."""

    asked: bytes
    until_s: float
    status: int = 0
    body: bytearray = field(default_factory=bytearray)


class Once:
    """ASGI, behind the door: bodies are whole and small."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._deeds: OrderedDict[str, OrderedDict[str, _Deed]] = OrderedDict()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Send) -> None:
        asker: Asker = scope.get("asker", OWNER)
        if scope["method"] != "POST" or scope["path"] == "/v1/sign-in":
            await self._app(scope, receive, send)
            return
        key = next((v.decode("latin-1") for n, v in scope["headers"] if n.lower() == b"idempotency-key"), "")
        if _KEY.match(key) is None:
            await _say(send, 400, "no-idempotency-key", "a command needs an Idempotency-Key of 8 to 128 characters")
            return
        body = (await receive()).get("body", b"")
        asked = hashlib.sha256(json.dumps([scope["method"], scope["path"]]).encode() + b"\0" + body).digest()
        of_person = self._of(asker.person)
        held = of_person.get(key)
        if held is not None and held.until_s > trio.current_time():
            await self._again(held, asked, send)
            return
        await self._first(of_person, key, _Deed(asked, trio.current_time() + KEPT_S), (scope, body, receive, send))

    def _of(self, person: str) -> OrderedDict[str, _Deed]:
        deeds = self._deeds.setdefault(person, OrderedDict())
        self._deeds.move_to_end(person)
        while len(self._deeds) > PEOPLE_MAX:
            self._deeds.popitem(last=False)
        while len(deeds) >= KEPT_OF_ONE:
            deeds.popitem(last=False)
        return deeds

    async def _again(self, held: _Deed, asked: bytes, send: Send) -> None:
        if held.asked != asked:
            await _say(send, 422, "other-command", "this Idempotency-Key was used for another command")
        elif not held.status:
            await _say(send, 409, "under-way", "this command is under way; ask again in a moment")
        else:
            headers = [(b"content-type", b"application/json"), (b"idempotent-replayed", b"true")]
            await send({"type": "http.response.start", "status": held.status, "headers": headers})
            await send({"type": "http.response.body", "body": bytes(held.body)})

    async def _first(self, deeds: OrderedDict[str, _Deed], key: str, deed: _Deed, ask: tuple[Any, ...]) -> None:
        scope, body, receive, send = ask
        deeds[key] = deed
        status = 0
        first = True

        async def replay() -> Any:
            nonlocal first
            if first:
                first = False
                return {"type": "http.request", "body": body, "more_body": False}
            return await receive()

        async def noted(message: dict[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
            elif len(deed.body) < BODY_BYTES_MAX:
                deed.body += message.get("body", b"")
            await send(message)

        try:
            await self._app(scope, replay, noted)
        finally:
            # a fault of ours, or no answer at all: the same key may try again
            if 0 < status < 500:
                deed.status = status
            elif deeds.get(key) is deed:
                del deeds[key]


async def _say(send: Send, status: int, code: str, what: str) -> None:
    body = json.dumps({"error": {"code": code, "what": what, "do": ""}}).encode()
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": body})
