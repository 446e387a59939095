"""One OTLP collector over HTTP: a request, a bounded answer. No proxy of the environment, no redirect, no retry here.

The exporter that comes with the SDK takes addresses, headers and certificates from the environment besides, follows
redirects with its headers, sleeps between tries of its own, and reads an answer however long: spans go where node.toml
says and nowhere else, and a collector must not cost more than its spans.
"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

POST_S_MAX = 5.0
"""To connect, and again for each part of the answer."""
ANSWER_BYTES_MAX = 64 * 1024
COME_AGAIN = frozenset({408, 429, 502, 503, 504})
"""OTLP: what may be sent again. Others mean never."""


@dataclass(frozen=True)
class Answer:
    """`fault` "" where it was taken. `again`: another try may help."""

    fault: str
    again: bool = False
    body: bytes = b""


class Collector:
    """`post` blocks for some seconds at most while the other end is silent; for a thread."""

    def __init__(self, endpoint: str, headers: Mapping[str, str]) -> None:
        self._parts = urlsplit(endpoint)
        self._headers = {**headers, "content-type": "application/x-protobuf", "user-agent": "tocsin"}
        self._tls: ssl.SSLContext | None = None
        self.shown = f"{self._parts.scheme}://{self._parts.netloc}"
        """What may be said: a path may be an access token."""

    def __repr__(self) -> str:
        return f"Collector({self.shown!r})"

    def post(self, body: bytes, timeout_s: float = POST_S_MAX) -> Answer:
        connection = None
        try:
            connection = self._connection(timeout_s)
            connection.request("POST", self._parts.path or "/", body, self._headers)
            answer = connection.getresponse()
            said = answer.read(ANSWER_BYTES_MAX)
        except Exception as error:  # a wire, TLS, a liar: whatever it is, the alarm goes on without it
            return Answer(_named(error), True)
        finally:
            if connection is not None:
                connection.close()
        if answer.status == 200:
            return Answer("", body=said)
        return Answer(f"it answered {answer.status}", answer.status in COME_AGAIN)

    def _connection(self, timeout_s: float) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        if self._parts.scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=timeout_s)
        if self._tls is None:
            self._tls = ssl.create_default_context()
        return http.client.HTTPSConnection(host, port, timeout=timeout_s, context=self._tls)


def _named(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
