"""Chains as processes: the embedded one or anvil, behind one handle."""

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal

Kind = Literal["embedded", "anvil", "auto"]
# Runs its argument in a new process and returns that process's pid.
Fork = Callable[[Callable[[], None]], int]
READY_S = 30.0


@dataclass
class ChainProcess:
    """A running chain: JSON-RPC at `url`. `stop()` ends it; only ever this pid."""

    url: str
    chain_id: int
    pid: int
    kind: str
    _popen: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    def alive(self) -> bool:
        if self._popen is not None:
            return self._popen.poll() is None
        try:
            return os.waitpid(self.pid, os.WNOHANG) == (0, 0)
        except ChildProcessError:
            return False

    def stop(self, patience_s: float = 3.0) -> None:
        """SIGTERM, then SIGKILL after `patience_s`; reaped. Harmless when it is gone already."""
        for sign, wait_s in ((signal.SIGTERM, patience_s), (signal.SIGKILL, 5.0)):
            if not self.alive():
                return
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, sign)
            end = time.monotonic() + wait_s
            while time.monotonic() < end and self.alive():
                time.sleep(0.01)


class ChainStartError(RuntimeError):
    """A chain that did not come up; the text says which, why and what to do."""


def find_anvil() -> Path | None:
    """The anvil binary: TOCSIN_ANVIL if set (and executable), else the first on PATH, else None."""
    named = os.environ.get("TOCSIN_ANVIL")
    found = shutil.which(named if named else "anvil")
    return Path(found) if found else None


def start_chain(
    kind: Kind, chain_id: int, accounts: Mapping[str, int], fork: Fork | None = None, port: int = 0
) -> ChainProcess:
    """Start a chain on 127.0.0.1 with `accounts` (0x address to wei) funded; returns once it answers.

    "auto" is anvil where there is one, else embedded. With `fork` the embedded chain runs in a fork of a
    process that has imported it; without, in a new interpreter. Blocks up to 30 s: call it before trio.run or
    from a thread. An embedded chain ends when the process that started it ends; anvil is the caller's to stop.
    Raises ChainStartError.
    """
    anvil = find_anvil()
    if kind == "anvil" or (kind == "auto" and anvil):
        if anvil is None:
            raise ChainStartError("no anvil binary on PATH or in TOCSIN_ANVIL; install it, or use --chain embedded")
        return _start_anvil(anvil, chain_id, accounts, port)
    if kind not in ("embedded", "auto"):
        raise ChainStartError(f"unknown kind of chain {kind!r}; there are embedded, anvil and auto")
    return _start_embedded(chain_id, accounts, fork, port)


def _start_embedded(chain_id: int, accounts: Mapping[str, int], fork: Fork | None, port: int) -> ChainProcess:
    reader, writer = os.pipe()
    try:
        if fork is None:
            child, errors = _interpreter(chain_id, accounts, port, writer)
            pid = child.pid
        else:
            child, errors = None, None
            pid = fork(lambda: _in_fork(chain_id, accounts, port, reader, writer))
        os.close(writer)
        line = _ready_line(reader, child, errors)
    finally:
        os.close(reader)
    return ChainProcess(json.loads(line)["url"], chain_id, pid, "embedded", child)


def _interpreter(
    chain_id: int, accounts: Mapping[str, int], port: int, ready_fd: int
) -> tuple["subprocess.Popen[bytes]", IO[bytes]]:
    command = [sys.executable, "-m", "node.testnet.chain", "--chain-id", str(chain_id), "--port", str(port)]
    command += ["--parent", str(os.getpid()), "--ready-fd", str(ready_fd)]
    return _spawn([*command, "--accounts", json.dumps(dict(accounts))], pass_fds=(ready_fd,))


def _in_fork(chain_id: int, accounts: Mapping[str, int], port: int, reader: int, writer: int) -> None:
    from node.testnet.chain import serve_chain

    os.close(reader)
    with contextlib.suppress(OSError):
        os.setsid()
    serve_chain(chain_id, port, ready_fd=writer, genesis_accounts=accounts, parent_pid=os.getppid())


def _spawn(command: list[str], pass_fds: tuple[int, ...] = ()) -> tuple["subprocess.Popen[bytes]", IO[bytes]]:
    """A child in a session of its own: Ctrl-C is the starter's to handle, and the chain goes last.

    What it says on stderr goes to a nameless file: a pipe that nobody reads would fill and block it.
    """
    errors = tempfile.TemporaryFile()  # noqa: SIM115 — closed with the child, not with this frame
    child = subprocess.Popen(  # noqa: S603
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=errors,
        start_new_session=True,
        pass_fds=pass_fds,
    )
    return child, errors


def _ready_line(fd: int, child: "subprocess.Popen[bytes] | None", errors: IO[bytes] | None) -> bytes:
    seen = b""
    end = time.monotonic() + READY_S
    while not seen.endswith(b"\n"):
        ready, _, _ = select.select([fd], [], [], max(0.0, end - time.monotonic()))
        chunk = os.read(fd, 65_536) if ready else b""
        if not chunk:
            raise ChainStartError(_why(child, errors))
        seen += chunk
    return seen


def _why(child: "subprocess.Popen[bytes] | None", errors: IO[bytes] | None) -> str:
    if child is None or errors is None:
        return "the embedded chain did not come up; what it printed says why"
    if child.poll() is None:
        child.kill()
    child.wait(timeout=5)
    errors.seek(0)
    said = errors.read()[-600:].decode("utf-8", "replace").strip()
    return f"the chain did not come up within {READY_S:.0f} s: {said or 'it said nothing'}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _start_anvil(binary: Path, chain_id: int, accounts: Mapping[str, int], port: int) -> ChainProcess:
    """One block per transaction and, so that block time advances, one each second."""
    port = port or _free_port()
    command = [str(binary), "--chain-id", str(chain_id), "--host", "127.0.0.1", "--port", str(port)]
    command += [
        "--block-time",
        "1",
        "--mixed-mining",
        "--order",
        "fifo",
        "--accounts",
        "1",
        "--hardfork",
        "cancun",
        "--silent",
    ]
    child, errors = _spawn(command)
    chain = ChainProcess(f"http://127.0.0.1:{port}", chain_id, child.pid, "anvil", child)
    end = time.monotonic() + READY_S
    while True:
        try:
            _fund(chain.url, accounts)
            return chain
        except OSError as broken:
            if child.poll() is not None or time.monotonic() > end:
                raise ChainStartError(f"{_why(child, errors)} (at {chain.url}: {broken})") from broken
            time.sleep(0.02)


def _fund(url: str, accounts: Mapping[str, int]) -> None:
    calls: list[dict[str, Any]] = [{"jsonrpc": "2.0", "id": -1, "method": "eth_chainId", "params": []}]
    calls += [
        {"jsonrpc": "2.0", "id": i, "method": "anvil_setBalance", "params": [address, hex(wei)]}
        for i, (address, wei) in enumerate(accounts.items())
    ]
    request = urllib.request.Request(  # noqa: S310
        url, json.dumps(calls).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        failed = [one["error"] for one in json.load(answer) if "error" in one]
    if failed:
        raise OSError(f"anvil_setBalance refused: {failed[0]}")
