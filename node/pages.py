"""The console's files: a fixed list, read once at the start, so that no address reaches anything else.

What the page is made of lies under a name that changes with it: a browser keeps it for good, ten tabs ask for nothing
twice, and no tab mixes two versions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import Any

Send = Callable[[dict[str, Any]], Awaitable[None]]
BYTES_MAX = 1024 * 1024
KINDS = {
    ".html": b"text/html; charset=utf-8",
    ".css": b"text/css; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".svg": b"image/svg+xml",
}


LATER = ("cytoscape.js",)
"""Fetched by the page that draws with it, and not before."""
_HERE, _MODULES = "/@/", "<!-- modules -->"
_FOR_GOOD = b"public, max-age=31536000, immutable"


def console_files() -> dict[str, tuple[bytes, bytes]]:
    """Path → (content, kind)."""
    held = {
        file.name: (file.read_bytes(), kind)
        for file in sorted(files("node.console").iterdir(), key=lambda one: one.name)
        if (kind := KINDS.get("." + file.name.rpartition(".")[2])) is not None
    }
    if sum(len(content) for content, _ in held.values()) > BYTES_MAX:
        raise ValueError(f"the console's files have over {BYTES_MAX} bytes")
    version = hashlib.sha256(b"".join(name.encode() + content for name, (content, _) in held.items())).hexdigest()[:16]
    page = held.pop("index.html")[0].decode()
    links = [
        f'<link rel="modulepreload" href="{_HERE}{one}">' for one in held if one.endswith(".js") and one not in LATER
    ]
    page = page.replace(_MODULES, "\n".join(links)).replace(_HERE, f"/{version}/")
    found = {(f"/{name}" if name.endswith(".svg") else f"/{version}/{name}"): one for name, one in held.items()}
    return {**found, "/": (page.encode(), KINDS[".html"]), "/index.html": (page.encode(), KINDS[".html"])}


class Pages:
    """ASGI."""

    def __init__(self, held: dict[str, tuple[bytes, bytes]]) -> None:
        self._held = {
            path: (content, kind, b'"' + hashlib.sha256(content).hexdigest()[:32].encode() + b'"')
            for path, (content, kind) in held.items()
        }

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Send) -> None:
        found = self._held.get(scope["path"])
        if found is None or scope["method"] not in ("GET", "HEAD"):
            await _answer(send, 404 if found is None else 405, b"nothing here\n", b"text/plain; charset=utf-8", [])
            return
        content, kind, tag = found
        for_good = scope["path"].count("/") > 1
        headers = [(b"etag", tag), (b"cache-control", _FOR_GOOD if for_good else b"no-cache")]
        if any(name.lower() == b"if-none-match" and value == tag for name, value in scope["headers"]):
            await _answer(send, 304, b"", kind, headers)
        else:
            await _answer(send, 200, b"" if scope["method"] == "HEAD" else content, kind, headers)


async def _answer(send: Send, status: int, body: bytes, kind: bytes, more: list[tuple[bytes, bytes]]) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", kind), *more]})
    await send({"type": "http.response.body", "body": body})
