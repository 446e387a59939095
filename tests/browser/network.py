"""A running local network (`tocsin testnet --console`), its one page, and people with tokens, as an operator has."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from node import keys, people
from node.control import Control

ROOT = Path(__file__).resolve().parents[2]
PACK = ROOT / "deploy" / "scenarios" / "forged-bridge-release.toml"
UP_S, TURN_S = 90.0, 0.02
SPEED = "0.05"
"""The story lasts sixteen minutes, so that what is tried after it still has a network."""
_ADDRESS = re.compile(r"(http://127\.0\.0\.1:(\d+))/#once=(\S+)")


class Network:
    """Everybody asks before a lever moves, and the story kills nobody: the tests do."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        pack = folder / "asking.toml"
        pack.write_text(PACK.read_text("utf-8").replace('mode = "act"', 'mode = "ask"'), "utf-8")
        twin = PACK.with_name("forged-bridge-release.benign.toml")
        shutil.copy(twin, folder)
        self.said: list[tuple[float, str]] = []
        command = [sys.executable, "-m", "node.cli", "testnet", "--console", "--speed", SPEED, "--kill", "0"]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN")}
        self._process = subprocess.Popen(
            [*command, "--members", "7", "--scenario", str(pack), "--keep", str(folder / "kept")],
            cwd=ROOT,
            env={**kept, "TMPDIR": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        threading.Thread(target=self._listen, daemon=True).start()
        found = self.until("the address of the page", lambda: _ADDRESS.search(self.text), UP_S)
        self.url, self.port, self.once = found[1], int(found[2]), found[3]
        self.home = next(
            path.parent for path in folder.rglob("node.toml") if f'"127.0.0.1:{self.port}"' in path.read_text("utf-8")
        )
        self.member = self.home.name
        self.killed: set[str] = set()

    @property
    def text(self) -> str:
        return "".join(line for _, line in self.said)

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.said.append((time.monotonic(), line))

    def until(self, what: str, holds: Callable[[], Any], within_s: float = 20.0) -> Any:
        ends = time.monotonic() + within_s
        while not (found := holds()):
            assert self._process.poll() is None, f"the network ended: {self.text[-2000:]}"
            assert time.monotonic() < ends, f"not within {within_s:g} s: {what}: {self.logs()}"
            time.sleep(TURN_S)
        return found

    def logs(self) -> str:
        """The ends of what everybody said, for who has to find out why."""
        logs = sorted(self.folder.rglob("*.log")) + sorted(self.folder.rglob("*.err"))
        ends = [f"--- {one.parent.name}/{one.name}\n{one.read_text('utf-8', 'replace')[-600:]}" for one in logs]
        return "\n".join([self.text[-600:], *ends])

    def token(self, name: str, role: str) -> str:
        """A new person's."""
        return people.add(self.home / "data" / "people.json", name, role)

    @property
    def others(self) -> list[str]:
        """Who else lives, in order."""
        names = sorted(path.name for path in self.home.parent.iterdir() if path.is_dir())
        return [one for one in names if one != self.member and one not in self.killed]

    @contextmanager
    def at(self, member: str = "") -> Iterator[Control]:
        with Control(self.home.parent / (member or self.member) / "data" / "c.sock", 20) as control:
            yield control

    def govern(self, member: str, *words: str) -> str:
        """A command of a member's owner, with the cold key, which the local network draws from its seed."""
        cold = self.folder / "cold" / member
        if not cold.exists():
            cold.mkdir(parents=True)
            keys.make_directory(cold)
            seed = hashlib.sha256(f"tocsin testnet/{PACK.stem}/1/{member}/{keys.Purpose.GOVERNANCE.value}".encode())
            keys.write_key(cold, keys.Purpose.GOVERNANCE, keys.derive(keys.Purpose.GOVERNANCE, seed.digest()))
        where = ["--governance-key", str(keys.key_path(cold, keys.Purpose.GOVERNANCE))]
        where += ["--config", str(self.home.parent / member / "node.toml"), "-o", "json"]
        done = subprocess.run(
            [sys.executable, "-m", "node.cli", *words, *where], cwd=ROOT, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def kill(self, member: str) -> float:
        """SIGKILL to the process that listens on its control socket; when that was."""
        pid = self.until(f"{member} listens", lambda: self._listener(member), 5)
        self.killed.add(member)
        os.kill(pid, signal.SIGKILL)
        return time.monotonic()

    def _listener(self, member: str) -> int:
        """0 where nobody listens."""
        with socket.socket(socket.AF_UNIX) as wire:
            try:
                wire.connect(str(self.home.parent / member / "data" / "c.sock"))
            except ConnectionRefusedError:
                return 0
            return int(struct.unpack("3i", wire.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0])

    def close(self) -> None:
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)
