"""The servers: the console on TCP, and the control socket: 0600 from the moment it is there, never silently gone."""

from __future__ import annotations

import json
import logging
import ssl
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.trio import serve
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext

from node.config_model import ConsoleConfig
from node.guarded import serve_guarded
from node.parts import StartFault
from node.plugins import told

log = logging.getLogger("tocsin.control")
BODY_BYTES_MAX = 64 * 1024
BODY_S_MAX = 10.0
"""For a body to arrive: who sends it slowly holds one connection, and not for ever."""
STARTS_S_MAX = 10.0
AGAIN_S = 1.0
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class BoundedBodies:
    """ASGI: reads a body to its end or its bound before the application sees anything of it."""

    def __init__(self, app: Any, most: int = BODY_BYTES_MAX) -> None:
        self._app, self._most = app, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body: bytes | None = b""
        with trio.move_on_after(BODY_S_MAX) as late:
            body = await self._read(receive)
        if late.cancelled_caught:
            await _refuse(send, 408, f"the body did not arrive within {BODY_S_MAX:g} s")
        elif body is None:
            await _refuse(send, 413, f"a body has at most {self._most} bytes")
        else:
            await self._app(scope, _replay(body, receive), send)

    async def _read(self, receive: Receive) -> bytes | None:
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return bytes(body)
            body += message.get("body", b"")
            if len(body) > self._most:
                return None
            if not message.get("more_body", False):
                return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    first = True

    async def again() -> dict[str, Any]:
        nonlocal first
        if first:
            first = False
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return again


async def _refuse(send: Send, status: int, what: str) -> None:
    body = json.dumps({"error": {"code": "bad-request", "what": what, "do": ""}}).encode()
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def make_room(path: Path) -> None:
    """Takes away what a dead node left, which is a socket and nothing else. StartFault for anything else."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise StartFault([f"{path}: the control socket cannot be made: {error.strerror}"]) from None
    if not stat.S_ISSOCK(found.st_mode):
        raise StartFault([f"{path}: no socket stands there; name another path in node.toml: control = …"])
    path.unlink(missing_ok=True)


async def serve_control(
    app: Any, path: Path, stopping: trio.Event, *, task_status: Any = trio.TASK_STATUS_IGNORED
) -> None:
    """Until `stopping`. A server that dies is started again, and the log says so: without it the node is deaf to its
    owner and acts all the same. StartFault where it cannot even begin."""
    announced = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_announce, path, announced, task_status)
        while not stopping.is_set():
            try:
                make_room(path)
                await serve(BoundedBodies(app), _config(path), mode="asgi", shutdown_trigger=stopping.wait)
                why = "ended by itself"
            except StartFault:
                raise
            except Exception as error:
                why = told(error)
                if not announced.is_set():
                    raise StartFault([f"{path}: the control socket cannot be made: {why}"]) from None
            if not stopping.is_set():
                log.error("the control socket's server stopped (%s); started again", why)
                await trio.sleep(AGAIN_S)


async def _announce(path: Path, announced: trio.Event, task_status: Any) -> None:
    """The server tells nobody when it has bound."""
    with trio.move_on_after(STARTS_S_MAX):
        while not await trio.Path(path).exists():  # noqa: ASYNC110
            await trio.sleep(0.01)
        announced.set()
        task_status.started()
        return
    raise StartFault([f"{path}: the control socket did not open within {STARTS_S_MAX:g} s"])


def _config(path: Path) -> Config:
    config = Config()
    config.bind = [f"unix:{path}"]
    config.umask = 0o177
    config.graceful_timeout = 0.3
    config.keep_alive_max_requests = 1_000_000
    config.loglevel = "WARNING"
    config.accesslog = None
    config.errorlog = None
    return config


def names_of(console: ConsoleConfig) -> tuple[frozenset[str], frozenset[str]]:
    """What Host and Origin may say: the address, the names in `hosts`, and localhost where it is this machine."""
    address, port = console.endpoint
    scheme, usual = ("https", 443) if console.cert else ("http", 80)
    bare = [*console.hosts]
    if not console.anywhere:
        bare.append(f"[{address}]" if ":" in address else address)
    if console.loopback:
        bare.append("localhost")
    hosts = {f"{one}:{port}" for one in bare} | ({*bare} if port == usual else set())
    # what stands ahead of it may be at another port
    hosts |= {*console.hosts}
    origins = {f"{scheme}://{one}" for one in hosts} | {f"https://{one}" for one in console.hosts}
    return frozenset(hosts), frozenset(origins)


def _tls(console: ConsoleConfig) -> ssl.SSLContext | None:
    if console.cert is None or console.key is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(console.cert, console.key)
    except (OSError, ssl.SSLError) as error:
        raise StartFault([f"{console.cert}, {console.key}: no certificate and its key: {error}"]) from None
    return context


async def serve_console(app: Any, console: ConsoleConfig, *, task_status: Any = trio.TASK_STATUS_IGNORED) -> None:
    """Until cancelled. StartFault where it cannot even begin; a connection that breaks takes nothing else with it."""
    address, port = console.endpoint
    tls = _tls(console)
    try:
        listeners = await trio.open_tcp_listeners(port, host=address, backlog=128)
    except OSError as error:
        why = error.strerror or str(error)
        raise StartFault([f"the console cannot listen on {console.listen}: {why}; name another port"]) from None
    config = _config(Path())
    config.bind = []
    config.ssl_handshake_timeout = 10.0
    config.keep_alive_timeout = 20.0
    config.h11_max_incomplete_size = 16 * 1024
    context = WorkerContext(None)
    wrapped = ASGIWrapper(app)

    async def handle(stream: Any) -> None:
        try:
            await TCPServer(wrapped, config, context, {}, stream)
        except Exception as error:
            log.warning("a connection of the console broke: %s", told(error))

    async with trio.open_nursery() as nursery:
        task_status.started()
        await serve_guarded(list(listeners), tls, handle, nursery)
