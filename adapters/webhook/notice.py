"""One notice: texts of one moment together, and its signature. Pure.

The signature is that of Standard Webhooks: HMAC-SHA256 over `id.timestamp.body`, in `webhook-signature: v1,BASE64`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass

from protocol.messages import Tlp

TEXT_CHARS_MAX = 1_000
TEXTS_SHOWN_MAX = 20
KEY_BYTES_LEAST = 16
KEY_PREFIX = b"whsec_"


@dataclass(frozen=True)
class Notice:
    """The same id and body at each try, so that a receiver can tell a repetition."""

    id: str
    body: bytes
    count: int


def made(sink: str, texts: Sequence[str], dropped: int, ceiling: Tlp, now_ms: int) -> Notice:
    """`texts`: one or more. What was said several times stands once, with how often; `dropped` were never kept."""
    times: dict[str, int] = {}
    for text in texts:
        cut = text.encode("utf-8", "replace").decode()[:TEXT_CHARS_MAX]
        times[cut] = times.get(cut, 0) + 1
    lines = [text if count == 1 else f"{text} ({count} times)" for text, count in times.items()]
    more = sum(list(times.values())[TEXTS_SHOWN_MAX:]) + dropped
    shown = lines[:TEXTS_SHOWN_MAX] + ([f"and {more} more: tocsin status, tocsin action list"] if more else [])
    value = {
        "tocsin": 1,
        "sink": sink,
        "at_ms": now_ms,
        "count": len(texts) + dropped,
        "tlp_at_most": ceiling.name,
        "text": "\n".join(shown),
    }
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return Notice("tocsin_" + hashlib.sha256(body).hexdigest()[:32], body, len(texts) + dropped)


def key_of(raw: bytes) -> bytes:
    """As it stands in its file, or what `whsec_` and Base64 say. ValueError where it is none."""
    key = raw.strip()
    if key.startswith(KEY_PREFIX):
        try:
            key = base64.b64decode(key[len(KEY_PREFIX) :], validate=True)
        except binascii.Error:
            raise ValueError("what follows whsec_ is no Base64") from None
    if len(key) < KEY_BYTES_LEAST:
        raise ValueError(f"a key has at least {KEY_BYTES_LEAST} bytes")
    return key


def headers(notice: Notice, key: bytes, now_s: int) -> dict[str, str]:
    signed = f"{notice.id}.{now_s}.".encode() + notice.body
    mac = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return {
        "content-type": "application/json",
        "user-agent": "tocsin",
        "webhook-id": notice.id,
        "webhook-timestamp": str(now_s),
        "webhook-signature": f"v1,{mac}",
    }
