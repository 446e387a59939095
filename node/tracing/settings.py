"""What `[tracing]` of node.toml names, read and judged: for a node that starts, and for `tocsin doctor`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from node import keys
from node.config import NodeConfig
from node.config_model import TracingConfig
from node.tracing.collector import Collector
from protocol.messages import Tlp

HEADERS_MAX = 16
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}\Z")
_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e]{0,2046}[\x21-\x7e])?\Z")
_OURS = frozenset({"content-type", "content-length", "content-encoding", "transfer-encoding", "host", "connection"})


class TracingFault(Exception):
    """Why there can be no traces, and what to do; nothing of what is secret is in it."""

    def __init__(self, what: str, do: str) -> None:
        super().__init__(f"{what}; {do}")
        self.what, self.do = what, do


@dataclass(frozen=True)
class Settings:
    collector: Collector
    ceiling: Tlp


def settings_of(config: NodeConfig) -> Settings | None:
    """None where node.toml has no [tracing]. TracingFault. Asks whether the SDK is there, and does not wait for the
    collector."""
    tracing = config.tracing
    if tracing is None:
        return None
    from node.tracing import otel

    otel.check()
    return Settings(Collector(tracing.endpoint, _headers(config, tracing)), tracing.ceiling)


def _headers(config: NodeConfig, tracing: TracingConfig) -> dict[str, str]:
    if tracing.headers_file is None:
        return {}
    path = config.data_dir / tracing.headers_file
    try:
        return headers_of(keys.load_outside(path))
    except keys.KeyFault as fault:
        raise TracingFault(f"tracing.headers_file: {fault.what} ({path})", fault.cure) from None
    except ValueError as error:
        raise TracingFault(f"tracing.headers_file: {error} ({path})", "write `name: value`, a header a line") from None


def headers_of(raw: bytes) -> dict[str, str]:
    """Of a file of `name: value` lines; empty ones and those that begin with # are passed over. ValueError, which never
    quotes them."""
    found: dict[str, str] = {}
    for number, line in enumerate(raw.decode("ascii", "replace").splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, _, value = line.partition(":")
        name, value = name.strip().lower(), value.strip()
        if not _NAME.match(name) or not _VALUE.match(value):
            raise ValueError(f"line {number} is no header")
        if name in _OURS or name in found:
            raise ValueError(f"line {number} names a header that is set already")
        found[name] = value
    if not 0 < len(found) <= HEADERS_MAX:
        raise ValueError(f"1 to {HEADERS_MAX} headers are expected")
    return found
