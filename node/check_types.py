"""What preflight says, and the world as it asks for it."""

from __future__ import annotations

import http.client
import json
import os
import socket
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

RPC_TIMEOUT_S = 3.0
RPC_BYTES_MAX = 65_536


@dataclass(frozen=True)
class Finding:
    """`ok` None: worth knowing and no fault. `do` "" where `says` is all there is."""

    name: str
    ok: bool | None
    says: str
    do: str = ""


@dataclass(frozen=True)
class Probes:
    """`port(host, port)` → "" where free, else why not. `rpc(url, method, params)` → result, OSError or ValueError.
    `status(socket)` → the running node's, None where none runs."""

    now_ms: int
    optimised: bool
    environ: Mapping[str, str]
    port: Callable[[str, int], str]
    rpc: Callable[[str, str, list[Any]], Any]
    status: Callable[[Path], dict[str, Any] | None]


def real_probes() -> Probes:
    return Probes(int(time.time() * 1000), sys.flags.optimize > 0, os.environ, try_port, ask_rpc, ask_status)


def try_port(host: str, port: int) -> str:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as one:
        # as the node listens: a port in TIME_WAIT is no fault
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((host, port))
        except OSError as error:
            return f"cannot be listened on: {error.strerror or error}"
    return ""


def ask_rpc(url: str, method: str, params: list[Any]) -> Any:
    """One JSON-RPC call. No message holds the url: its path may be an access token."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=RPC_TIMEOUT_S)
    headers = {"content-type": "application/json"}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request("POST", path, body, headers)
        raw = connection.getresponse().read(RPC_BYTES_MAX)
        answer = json.loads(raw)
    except (http.client.HTTPException, RecursionError) as error:
        raise ValueError(f"no HTTP that can be read ({type(error).__name__})") from None
    except OSError as error:
        raise OSError(error.strerror or "no answer in time") from None
    except ValueError:
        raise ValueError("no JSON came back") from None
    finally:
        connection.close()
    if type(answer) is not dict or "result" not in answer:
        raise ValueError("no result came back")
    return answer["result"]


def ask_status(path: Path) -> dict[str, Any] | None:
    from node.control import Control, ControlError, NodeUnreachable

    try:
        with Control(path, timeout_s=3.0) as control:
            return control.status()
    except (ControlError, NodeUnreachable):
        return None
