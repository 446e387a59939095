"""Requests that say who sends them: HMAC-SHA256 as exchanges have it, or HTTP Message Signatures (RFC 9421, Ed25519)
over a Content-Digest (RFC 9530). Pure: time and nonces are given."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

from protocol.crypto import Signer

CONTENT_TYPE = "application/json"
EXPIRES_S = 60
TAG = "tocsin"
OVER = ("timestamp", "nonce", "method", "path", "body_sha256", "body", "idempotency_key")
"""What an HMAC may be made over, in any order."""


@dataclass(frozen=True)
class Request:
    """One request, whole. Its URL holds no secret."""

    method: str
    url: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Lower-case names; what the signature adds is not among them."""


class Signature(Protocol):
    def headers(self, request: Request, now_ms: int, nonce: str) -> dict[str, str]:
        """What the request is sent with besides its own headers, lower-case names."""

    def mark(self, text: str) -> str:
        """16 hex digits that only who holds the key can write under a text."""


def _mark(secret: bytes, text: str) -> str:
    key = hmac.digest(secret, b"tocsin venue note", "sha256")
    return hmac.digest(key, text.encode(), "sha256")[:8].hex()


@dataclass(frozen=True)
class HmacHeaders:
    """Names that the venue gave. "" for one that it does not have."""

    key: str
    timestamp: str
    nonce: str
    signature: str


class Hmac:
    """HMAC-SHA256 over the words of `over`, joined. The secret is in no repr, log or error."""

    def __init__(
        self, key_id: str, secret: bytes, names: HmacHeaders, over: tuple[str, ...], join: str, base_64: bool
    ) -> None:
        self._key_id, self._names, self._over, self._join, self._base_64 = key_id, names, over, join, base_64
        self._secret = secret

    def __repr__(self) -> str:
        return f"Hmac({self._key_id})"

    def headers(self, request: Request, now_ms: int, nonce: str) -> dict[str, str]:
        words = {
            "timestamp": str(now_ms),
            "nonce": nonce,
            "method": request.method,
            "path": _path_and_query(request.url),
            "body_sha256": hashlib.sha256(request.body).hexdigest(),
            "body": request.body.decode("utf-8", "replace"),
            "idempotency_key": request.headers.get("idempotency-key", ""),
        }
        digest = hmac.digest(self._secret, self._join.join(words[one] for one in self._over).encode(), "sha256")
        signed = base64.b64encode(digest).decode() if self._base_64 else digest.hex()
        names = self._names
        said = {names.key: self._key_id, names.timestamp: str(now_ms), names.nonce: nonce, names.signature: signed}
        return {name.lower(): value for name, value in said.items() if name}

    def mark(self, text: str) -> str:
        return _mark(self._secret, text)


class MessageSignature:
    """RFC 9421 with ed25519. The seed is in no repr, log or error."""

    def __init__(self, key_id: str, seed: bytes) -> None:
        self._key_id, self._signer, self._seed = key_id, Signer(seed), seed

    def __repr__(self) -> str:
        return f"MessageSignature({self._key_id})"

    def headers(self, request: Request, now_ms: int, nonce: str) -> dict[str, str]:
        fields = dict(request.headers)
        covered = ["@method", "@authority", "@path", "@query"]
        added = {}
        if request.body:
            added["content-digest"] = content_digest(request.body)
        covered += sorted((fields | added).keys() & {"content-digest", "content-type", "idempotency-key"})
        created_s = now_ms // 1000
        parameters = (
            f"({' '.join(map(_quoted, covered))});created={created_s};expires={created_s + EXPIRES_S}"
            f';nonce={_quoted(nonce)};keyid={_quoted(self._key_id)};alg="ed25519";tag="{TAG}"'
        )
        base = signature_base(request.method, request.url, fields | added, covered, parameters)
        signed = base64.b64encode(self._signer.sign(base)).decode()
        return added | {"signature-input": f"sig1={parameters}", "signature": f"sig1=:{signed}:"}

    def mark(self, text: str) -> str:
        return _mark(self._seed, text)


def content_digest(body: bytes) -> str:
    """RFC 9530, SHA-256."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def signature_base(method: str, url: str, fields: Mapping[str, str], covered: list[str], parameters: str) -> bytes:
    """RFC 9421, section 2.5: one line for each covered component, then the parameters, no newline at the end."""
    parts = urlsplit(url)
    derived = {
        "@method": method,
        "@authority": authority_of(url),
        "@path": parts.path or "/",
        "@query": f"?{parts.query}",
    }
    lines = [f"{_quoted(one)}: {(derived | dict(fields))[one].strip()}" for one in covered]
    return "\n".join([*lines, f'"@signature-params": {parameters}']).encode("ascii")


def authority_of(url: str) -> str:
    """Lower case, without the scheme's own port: RFC 9421, section 2.2.3."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    host = f"[{host}]" if ":" in host else host
    own = {"https": 443, "http": 80}.get(parts.scheme)
    return host if parts.port in (None, own) else f"{host}:{parts.port}"


def _path_and_query(url: str) -> str:
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _quoted(text: str) -> str:
    """A string of a structured field (RFC 8941)."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
