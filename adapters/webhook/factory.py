"""`[sink.NAME] kind = "webhook"`."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from adapters.api import Instances
from adapters.catalog import Shop
from adapters.section import Section
from adapters.webhook.notice import key_of
from adapters.webhook.sink import Webhook
from protocol.messages import Tlp

CEILINGS = {"AMBER": Tlp.AMBER, "AMBER+STRICT": Tlp.AMBER_STRICT, "RED": Tlp.RED}
"""What a node says of itself is its owner's own: AMBER at least."""
GATHER_MS, GATHER_MS_MAX = 2_000, 4_000


def sink(name: str, keys: Section, shop: Shop) -> Instances:
    url, file = keys.url("url"), keys.text("key_file")
    tlp = keys.text("tlp", needed=False, allowed=f"one of {', '.join(CEILINGS)}")
    gather_ms = keys.whole("gather_ms", GATHER_MS, 0, GATHER_MS_MAX)
    if tlp is not None and tlp not in CEILINGS:
        keys.fault("tlp", f"{tlp[:60]!r} must be one of {', '.join(CEILINGS)}")
    if url is not None and not _is_private(url):
        keys.fault("url", "must be https:// unless it is an address of this machine: notices name levers and members")
    key = _key(file, keys, shop) if file is not None else None
    if url is None or key is None or shop.faults:
        return Instances()
    made = Webhook(name, url, key, gather_ms / 1000, CEILINGS[tlp or "AMBER"], shop.log)
    return Instances(sinks=(made,), closers=(made.aclose,))


def _key(file: str, keys: Section, shop: Shop) -> bytes | None:
    try:
        return key_of(shop.outside(file))
    except ValueError as error:
        keys.fault("key_file", f"{file[:120]!r}: {error}")
        return None


def _is_private(url: str) -> bool:
    """Encrypted, or never on a wire."""
    parts = urlsplit(url)
    try:
        return parts.scheme == "https" or ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False
