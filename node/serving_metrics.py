"""Metrics, health and readiness on a port of their own: read-only, and never a reason for a node not to run."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import trio
from hypercorn.config import Config
from hypercorn.trio import serve

from node.config_model import split_endpoint
from node.metrics.door import Meters
from node.plugins import told
from node.serving import BoundedBodies

if TYPE_CHECKING:
    from node.app import Node

log = logging.getLogger("tocsin.metrics")
AGAIN_S = 5.0
BODY_BYTES_MAX = 1_024
CONNECTIONS_MAX = 16
"""Answered at once; who comes while so many are, is told to come again."""


class Few:
    """ASGI: refuses above a number of requests at once."""

    def __init__(self, app: Any, most: int) -> None:
        self._app, self._most, self._running = app, most, 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and self._running >= self._most:
            await send({"type": "http.response.start", "status": 503, "headers": [(b"retry-after", b"1")]})
            await send({"type": "http.response.body", "body": b""})
            return
        self._running += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._running -= 1


async def show_metrics(node: Node, where: str) -> None:
    """Until the node stops. A port that is taken is said and tried again: the levers do not wait for it."""
    any_host = node.parts.config.metrics.beyond_this_machine
    app = Few(BoundedBodies(Meters(node, node.looks, any_host=any_host), BODY_BYTES_MAX), CONNECTIONS_MAX)
    while not node.stopping.is_set():
        try:
            await serve(app, _config(where), mode="asgi", shutdown_trigger=node.stopping.wait)
            why = "ended by itself"
        except (Exception, SystemExit) as error:  # the server raises the latter where a start-up failed
            why = told(error)
        if not node.stopping.is_set():
            log.error("metrics on %s are not shown (%s); tried again every %g s", where, why, AGAIN_S)
            await trio.sleep(AGAIN_S)


def _config(where: str) -> Config:
    host, port = split_endpoint(where)
    config = Config()
    config.bind = [f"[{host}]:{port}" if ":" in host else f"{host}:{port}"]
    config.graceful_timeout = 0.3
    config.read_timeout = 10
    config.keep_alive_timeout = 30
    config.h11_max_incomplete_size = 8 * 1024
    config.alpn_protocols = ["http/1.1"]
    config.loglevel = "CRITICAL"
    config.accesslog = None
    config.errorlog = None
    return config
