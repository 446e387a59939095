"""What preflight says, and the world as it asks for it."""

from __future__ import annotations

import ctypes
import http.client
import json
import os
import socket
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from governance.charter import Charter
from node.config import NodeConfig
from node.origin import Origin
from node.tracing.collector import Collector
from protocol.ids import PublicKey

RPC_TIMEOUT_S = 3.0
RPC_BYTES_MAX = 1024 * 1024
"""A block of a busy chain with the hashes of its transactions."""
SYNCS = 5
LEVERS_S_MAX = 30.0
TIME_ERROR = 5
"""adjtimex(2): nobody keeps the kernel's clock."""
TIMEX_BYTES = 512
"""More than `struct timex` has anywhere; zeroes ask and change nothing."""


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
    `status(socket)` → the running node's, None where none runs. `synchronised()` → whether somebody keeps this
    machine's clock; `free_bytes` and `sync_ms` of a directory; None where it cannot be told. `levers` tries those that
    a rule pulls, at their targets. `collector` → "" where it takes traces, else why not."""

    now_ms: int
    optimised: bool
    environ: Mapping[str, str]
    port: Callable[[str, int], str]
    rpc: Callable[[str, str, list[Any]], Any]
    status: Callable[[Path], dict[str, Any] | None]
    synchronised: Callable[[], bool | None]
    free_bytes: Callable[[Path], int | None]
    sync_ms: Callable[[Path], float | None]
    levers: Callable[[NodeConfig, Charter], Sequence[Moves]]
    collector: Callable[[Collector], str]


@dataclass(frozen=True)
class Moves:
    """One lever that a rule pulls: whether its target would take it now, and why not."""

    name: str
    ok: bool
    says: str


@dataclass
class Facts:
    """What earlier checks found, for later ones; None where it could not be had."""

    config: NodeConfig
    probes: Probes
    charter: Charter | None = None
    origin: Origin | None = None
    attestation: PublicKey | None = None
    own_peer_id: str = ""
    status: dict[str, Any] | None = field(default=None)
    adapters_whole: bool = True


def real_probes() -> Probes:
    return Probes(
        int(time.time() * 1000),
        sys.flags.optimize > 0,
        os.environ,
        try_port,
        ask_rpc,
        ask_status,
        clock_is_kept,
        free_bytes,
        sync_ms,
        try_levers,
        try_collector,
    )


def clock_is_kept() -> bool | None:
    try:
        return bool(ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(TIMEX_BYTES)) != TIME_ERROR)
    except (OSError, AttributeError):
        return None


def free_bytes(path: Path) -> int | None:
    try:
        found = os.statvfs(path)
    except OSError:
        return None
    return found.f_bavail * found.f_frsize


def sync_ms(path: Path) -> float | None:
    """The middle of some small writes that are durable, as a commit's are; nothing stays."""
    probe = path / f".doctor-{os.getpid()}"
    took: list[float] = []
    try:
        for _ in range(SYNCS):
            began = time.perf_counter()
            with probe.open("wb", buffering=0) as file:
                file.write(b"x" * 4096)
                os.fsync(file.fileno())
            took.append((time.perf_counter() - began) * 1000)
    except OSError:
        return None
    finally:
        probe.unlink(missing_ok=True)
    return statistics.median(took)


def try_levers(config: NodeConfig, charter: Charter) -> list[Moves]:
    """Imports the adapters (web3 takes two seconds). What cannot be built is told elsewhere."""
    import trio

    from node.check_policy import PolicyReport, instances_for, read_policy
    from node.plugins import CLOSE_S_MAX, close_all
    from node.preflight import seats, tested

    policy = read_policy(config.policy) if config.policy is not None else None
    built = instances_for(config, charter)
    if policy is None or isinstance(policy, PolicyReport) or isinstance(built, PolicyReport):
        return []

    async def run() -> list[Moves]:
        told: list[Moves] = []
        try:
            for seat in (one for one in seats(built, config.targets, policy) if one.rules):
                found = None
                with trio.move_on_after(LEVERS_S_MAX):
                    found = await tested(seat, time.time_ns() // 1_000_000)
                said = Moves(seat.name, False, f"no answer within {LEVERS_S_MAX:g} s")
                told.append(said if found is None else Moves(seat.name, found.ok, found.says))
        finally:
            await close_all(built.closers, CLOSE_S_MAX)
        return told

    return trio.run(run)


def try_collector(collector: Collector) -> str:
    """A request without spans."""
    return collector.post(b"", RPC_TIMEOUT_S).fault


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
