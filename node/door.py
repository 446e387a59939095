"""The door on TCP, ahead of every route: which host was meant, which page asks, who, how often, and whether they may.

Nothing but the static files is answered to strangers, and a route that is not in ROUTES does not exist here. A token
comes in a header that no foreign page can set, never in an address, so it is in no log and no history.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

import trio

from node.api_stream import Asker
from node.buckets import Buckets
from node.known_people import KnownPeople, Slow
from node.once import Once
from node.pages import Pages, console_files
from node.people import Person, allows
from node.serving import BoundedBodies

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

AT_ONCE = 64
"""Requests that are being answered, streams aside."""
ASKS, ASKS_A_SECOND = 60, 20
FILES, FILES_A_SECOND = 360, 60
"""Of an address, which a whole house may share. A page never seen before is three dozen small files."""
REFUSED_S = 1.0
"""What is refused for coming too often waits for its answer as long as it was to wait anyway."""
HEADERS_BYTES_MAX = 8 * 1024
TAXII = "/taxii2/"
_ID = "[0-9a-fA-Fx]{6,66}"
ROUTES: tuple[tuple[str, re.Pattern[str], str], ...] = tuple(
    (method, re.compile(path + r"\Z"), role)
    for method, path, role in (
        ("GET", "/v1/(me|status|feeds|events|alerts|actions|exposures|keys)", "viewer"),
        ("GET", "/v1/(now|levers|history|policy|policy/try)", "viewer"),
        ("GET", r"/v1/(network|network/export|proposals|openapi\.json)", "viewer"),
        ("GET", f"/v1/(alerts|actions|explain|certificates|proposals)/{_ID}", "viewer"),
        ("GET", r"/taxii2/(alarms/(collections/([0-9a-z-]{4,36}/(manifest/)?)?)?)?", "viewer"),
        ("GET", r"/taxii2/alarms/collections/[0-9a-z-]{4,36}/objects/([0-9a-z-]{10,100}/(versions/)?)?", "viewer"),
        ("POST", "/v1/sign-in", "viewer"),
        ("POST", "/v1/alerts", "operator"),
        ("POST", f"/v1/alerts/{_ID}/(withdraw|acknowledge|rerun)", "operator"),
        ("POST", f"/v1/actions/{_ID}/(approve|refuse|extend)", "operator"),
        ("POST", f"/v1/alerts/{_ID}/release", "releaser"),
        ("POST", f"/v1/actions/{_ID}/lift", "releaser"),
    )
)
"""Method, path, the least role. What is the owner's alone (stop, backup, keys, statements) has the control socket."""
SECURITY: Headers = [
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
        b"trusted-types 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=(), payment=(), usb=()"),
]


class Refusal(Exception):
    def __init__(self, status: int, code: str, what: str, do: str = "", headers: Iterable[tuple[bytes, bytes]] = ()):
        super().__init__(what)
        self.status, self.code, self.what, self.do, self.headers = status, code, what, do, tuple(headers)


def role_of(method: str, path: str) -> str | None:
    """The least role that a route wants; None where there is no such route for people."""
    method = "GET" if method == "HEAD" else method
    return next((role for one, pattern, role in ROUTES if one == method and pattern.match(path)), None)


class Door:
    """ASGI. `hosts`: what a Host header may say; `origins`: what an Origin header may."""

    def __init__(
        self, app: Any, pages: Any, known: KnownPeople, hosts: frozenset[str], origins: frozenset[str]
    ) -> None:
        self._app, self._pages, self._known = app, pages, known
        self._hosts, self._origins = hosts, origins
        self._asks = Buckets(ASKS, ASKS_A_SECOND)
        self._strangers = Buckets(FILES, FILES_A_SECOND)
        self._inside = 0

    @classmethod
    def of(cls, app: Any, people: Path, hosts: frozenset[str], origins: frozenset[str]) -> Door:
        """With everything that stands between it and the routes."""
        return cls(BoundedBodies(Once(app)), Pages(console_files()), KnownPeople(people), hosts, origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return

        async def guarded(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                given = list(message.get("headers", ()))
                message = {**message, "headers": [*given, *SECURITY, *_unstored(given)]}
            await send(message)

        try:
            await self._let(scope, receive, guarded)
        except Refusal as refusal:
            if refusal.status == 429:
                # who is told to come again later, and does not listen, comes only so often
                await trio.sleep(REFUSED_S)
            await _refuse(guarded, refusal)

    async def _let(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = _headers(scope)
        self._right_place(scope, headers)
        if not scope["path"].startswith(("/v1/", TAXII)):
            if not self._strangers.take(_address(scope)):
                raise Refusal(429, "slow-down", "too many requests", headers=[(b"retry-after", b"1")])
            await self._pages(scope, receive, send)
            return
        self._right_page(scope, headers)
        scope = {**scope, "asker": await self._asker(scope, headers)}
        if scope["path"] == "/v1/events":
            # streams last, and are counted by themselves
            await self._app(scope, receive, send)
            return
        if self._inside >= AT_ONCE:
            raise Refusal(503, "busy", "too many requests at once", headers=[(b"retry-after", b"1")])
        self._inside += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._inside -= 1

    def _right_place(self, scope: Scope, headers: dict[str, str]) -> None:
        """Against a name of somebody else's that was made to point here, and pages of somebody else's."""
        if headers.get("host", "").lower() not in self._hosts:
            do = "use the address in [console] listen, or name this one in [console] hosts"
            raise Refusal(421, "wrong-host", "this node does not go by that host name", do)
        origin = headers.get("origin")
        if origin is not None and origin.lower() not in self._origins:
            raise Refusal(403, "wrong-origin", "a page of another origin may ask nothing here")

    def _right_page(self, scope: Scope, headers: dict[str, str]) -> None:
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            raise Refusal(403, "wrong-origin", "a page of another origin may ask nothing here")
        if scope["method"] == "POST":
            kind = headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind != "application/json":
                raise Refusal(415, "bad-request", "a command is application/json")

    async def _asker(self, scope: Scope, headers: dict[str, str]) -> Asker:
        token = _token(headers.get("authorization", ""), basic=scope["path"].startswith(TAXII))
        if not token:
            do = "send Authorization: Bearer TOKEN; the owner makes one: tocsin person add"
            raise Refusal(401, "no-token", "a token is needed", do, [(b"www-authenticate", b"Bearer")])
        try:
            person = await self._known.person_of(token, _address(scope))
        except Slow as slow:
            after = str(int(slow.retry_s + 0.999)).encode()
            raise Refusal(429, "slow-down", f"too many tries; {slow}", headers=[(b"retry-after", after)]) from None
        if person is None:
            do = "look at its letters, or have another made"
            raise Refusal(401, "bad-token", "nobody has this token", do, [(b"www-authenticate", b"Bearer")])
        if not self._asks.take(person.name):
            raise Refusal(429, "slow-down", "too many requests", headers=[(b"retry-after", b"1")])
        return self._admitted(scope, person)

    def _admitted(self, scope: Scope, person: Person) -> Asker:
        wanted = role_of(scope["method"], scope["path"])
        if wanted is None:
            do = "what is the owner's alone is asked on the control socket"
            raise Refusal(404, "unknown-route", "there is no such thing here", do)
        if person.once and scope["path"] != "/v1/sign-in":
            raise Refusal(403, "sign-in-first", "this token is good for one sign-in", "POST /v1/sign-in")
        if not allows(person.role, wanted):
            raise Refusal(403, "role", f"this needs the role {wanted}; {person.name} has {person.role}")

        async def sign_in() -> str | None:
            return await self._known.sign_in(person)

        return Asker(person.name, person.role, lambda: self._known.still(person), sign_in if person.once else None)


def _token(said: str, *, basic: bool) -> str:
    """ "" where none was sent. `basic`: the password of Basic, which is all that most readers of TAXII can send; nobody
    is asked for it, so no browser keeps one to send by itself."""
    scheme, _, sent = said.partition(" ")
    if scheme.lower() == "bearer":
        return sent.strip()
    if scheme.lower() != "basic" or not basic:
        return ""
    try:
        return base64.b64decode(sent.strip(), validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


def _headers(scope: Scope) -> dict[str, str]:
    """By name in small letters. Two of one name that decides something are a trick."""
    found: dict[str, str] = {}
    size = 0
    for raw_name, raw_value in scope["headers"]:
        name = raw_name.decode("latin-1").lower()
        size += len(raw_name) + len(raw_value)
        if name in found and name in ("host", "origin", "authorization", "content-type", "idempotency-key"):
            raise Refusal(400, "bad-request", f"two headers {name}")
        found[name] = raw_value.decode("latin-1")
    if size > HEADERS_BYTES_MAX:
        raise Refusal(431, "bad-request", f"the headers have over {HEADERS_BYTES_MAX} bytes")
    return found


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _unstored(given: Headers) -> Headers:
    return [] if any(name.lower() == b"cache-control" for name, _ in given) else [(b"cache-control", b"no-store")]


async def _refuse(send: Send, refusal: Refusal) -> None:
    body = json.dumps({"error": {"code": refusal.code, "what": refusal.what, "do": refusal.do}}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *refusal.headers]
    with trio.move_on_after(5):
        await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
