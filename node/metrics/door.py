"""GET /v1/metrics, /v1/health and /v1/ready: in front of whatever else answers, and alone on a port of its own.

Nothing here changes anything, so a port may show it to whoever watches the machine. Who asks often gets the answer of
half a second ago.
"""

from __future__ import annotations

import ipaddress
import json
import logging
from typing import TYPE_CHECKING, Any

import trio

from node import inside
from node.loop import now
from node.metrics.disk import Looks
from node.metrics.gather import text_of
from node.metrics.health import health_json, ready_json
from node.metrics.text import CONTENT_TYPE
from node.plugins import told
from node.serving import Receive, Scope, Send

if TYPE_CHECKING:
    from node.app import Node

log = logging.getLogger("tocsin.metrics")
KEPT_S = 0.5
METRICS, HEALTH, READY = "/v1/metrics", "/v1/health", "/v1/ready"
Answer = tuple[int, str, bytes]
"""(status, content type, body)."""


def is_plain_host(host: str) -> bool:
    """An address or localhost. A name could be one that a web page had pointed here (DNS rebinding)."""
    name = host.rpartition(":")[0] if host.count(":") == 1 or "]:" in host else host
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return name == "localhost"
    return True


class Meters:
    """ASGI. `behind` None: nothing else is here, and only requests for a plain host are answered."""

    def __init__(self, node: Node, looks: Looks, behind: Any = None, any_host: bool = True) -> None:
        self._node, self._looks, self._behind, self._any_host = node, looks, behind, any_host
        self._kept: dict[str, tuple[float, Answer]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        http = scope["type"] == "http"
        if self._behind is not None and not (http and scope["path"] in (METRICS, HEALTH, READY)):
            await self._behind(scope, receive, send)
        elif http:
            status, kind, body = await self._answer(scope)
            headers = [(b"content-type", kind.encode()), (b"cache-control", b"no-store")]
            headers.append((b"content-length", str(len(body)).encode()))
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
        elif scope["type"] == "lifespan":
            await _live(receive, send)

    async def _answer(self, scope: Scope) -> Answer:
        host = next((value.decode("latin-1") for key, value in scope["headers"] if key == b"host"), "")
        if scope["path"] not in (METRICS, HEALTH, READY):
            return _fault(404, "not-found", f"only {METRICS}, {HEALTH} and {READY} are here")
        if scope["method"] not in ("GET", "HEAD"):
            return _fault(405, "read-only", "only GET is answered here")
        if not self._any_host and not is_plain_host(host):
            return _fault(421, "strange-host", "ask for it by its address")
        if scope["path"] == METRICS:
            self._node.insiders.knew(inside.scraper(scope, self._behind is None), [inside.METRICS], now().wall_ms)
        kept_at, kept = self._kept.get(scope["path"], (-KEPT_S, None))
        if kept is not None and trio.current_time() - kept_at < KEPT_S:
            return kept
        try:
            answer = await self._made(scope["path"])
        except Exception as error:  # a sensor's or a sink's own words are asked for here
            log.error("%s could not be told: %s", scope["path"], told(error))
            return _fault(500, "fault", "the node could not say; see its log")
        self._kept[scope["path"]] = (trio.current_time(), answer)
        return answer

    async def _made(self, path: str) -> Answer:
        if path == HEALTH:
            health = health_json(self._node)
            return _json(200 if health["alive"] else 503, health)
        disk = await self._looks.now()
        if path == METRICS:
            return 200, CONTENT_TYPE, text_of(self._node, disk).encode()
        ready = ready_json(self._node, disk)
        return _json(200 if ready["ready"] else 503, ready)


def _json(status: int, body: object) -> Answer:
    return status, "application/json", json.dumps(body).encode()


def _fault(status: int, code: str, what: str) -> Answer:
    return _json(status, {"error": {"code": code, "what": what, "do": ""}})


async def _live(receive: Receive, send: Send) -> None:
    while (message := await receive())["type"] != "lifespan.shutdown":
        await send({"type": message["type"] + ".complete"})
    await send({"type": "lifespan.shutdown.complete"})
