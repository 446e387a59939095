"""Members as real processes: the command line in interpreters of their own, nodes by `tocsin up`, ended by pid."""

from __future__ import annotations

import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from node.control import Control, ControlError, NodeUnreachable

ROOT = Path(__file__).parents[3]
TOCSIN = (sys.executable, "-m", "node.cli")
NAMES = ("issuer", "lender-a", "lender-b", "venue")
SUBJECT = "eip155:1/erc20:0xa1290d69c65a6fe4df752f95823fae25cb99e5a7"
STARTS_S = 30.0


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


def free_ports(count: int) -> list[int]:
    held = [socket.socket() for _ in range(count)]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()


def environment() -> dict[str, str]:
    """This checkout, without what would change a node's configuration."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TOCSIN", "PYTHON"))}
    return {**kept, "PYTHONPATH": str(ROOT)}


def wait_for(what: str, found: Callable[[], Any], within_s: float = STARTS_S) -> Any:
    deadline = time.monotonic() + within_s
    while True:
        value = found()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s:g} s: {what}")
        time.sleep(0.1)


@dataclass
class Site:
    """A folder with members below it. `close` ends every node that it started."""

    folder: Path
    nodes: dict[str, subprocess.Popen[str]] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)

    def config(self, member: str) -> Path:
        return self.folder / member / "node.toml"

    def run(self, *words: object, timeout_s: float = 60.0) -> Ran:
        """A command in an interpreter of its own."""
        done = subprocess.run(
            [*TOCSIN, *map(str, words)],
            cwd=self.folder,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )
        assert "Traceback" not in done.stdout + done.stderr, done.stderr
        return Ran(done.returncode, done.stdout, done.stderr)

    def at(self, member: str, *words: object) -> Ran:
        return self.run(*words, "--config", self.config(member))

    def shell(self, script: str, timeout_s: float = 120.0) -> Ran:
        """Lines for a terminal in which `tocsin` is on the path; stops at the first that fails."""
        folder = self.folder / ".bin"
        folder.mkdir(exist_ok=True)
        command = folder / "tocsin"
        command.write_text(f'#!/bin/sh\nexec {TOCSIN[0]} -m {TOCSIN[2]} "$@"\n')
        command.chmod(0o755)
        env = {**environment(), "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
        done = subprocess.run(
            ["sh", "-e", "-c", script], cwd=self.folder, env=env, capture_output=True, text=True, timeout=timeout_s
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def found(self, names: tuple[str, ...] = NAMES, *words: object) -> Path:
        """A signed charter of members at free ports, in each one's folder. In this process: fast."""
        from node.cli import main

        with redirect_stdout(io.StringIO()):
            return self._found(main, names, words)

    def _found(self, main: Callable[[list[str]], int], names: tuple[str, ...], words: tuple[str, ...]) -> Path:
        self.ports = dict(zip(names, free_ports(len(names))))
        charter = self.folder / "charter.toml"
        for name in names:
            address = f"/ip4/127.0.0.1/tcp/{self.ports[name]}"
            assert main(["init", name, "--dir", str(self.folder / name), "--addr", address]) == 0
        cards = [str(self.folder / name / "card.toml") for name in names]
        assert main(["charter", "create", *cards, "--out", str(charter), *map(str, words)]) == 0
        for name in names:
            assert main(["charter", "sign", str(charter), "--dir", str(self.folder / name)]) == 0
        for name in names:
            shutil.copy(charter, self.folder / name / "charter.toml")
        return charter

    def up(self, *members: str) -> None:
        for member in members:
            self.nodes[member] = subprocess.Popen(
                [*TOCSIN, "up", "--config", str(self.config(member))],
                cwd=self.folder,
                env=environment(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )

    def status(self, member: str) -> dict[str, Any] | None:
        """None while nobody answers."""
        with Control(self.folder / member / "data" / "control.sock", timeout_s=5.0) as control:
            try:
                return control.status()
            except (NodeUnreachable, ControlError):
                return None

    def alerts(self, member: str) -> list[dict[str, Any]]:
        with Control(self.folder / member / "data" / "control.sock", timeout_s=5.0) as control:
            return control.alerts()

    def level(self, member: str, threat: str) -> str:
        return next((one["level"] for one in self.alerts(member) if one["threat"] == threat), "NONE")

    def meshed(self, *members: str, hears: int) -> None:
        def whole(member: str) -> bool:
            told = self.status(member)
            return bool(told) and told["quorum"]["hears"] == hears and told["signing"]["may"]

        for member in members:
            wait_for(f"{member} hears {hears} groups and may sign", lambda one=member: whole(one))

    def end(self, member: str, number: signal.Signals = signal.SIGTERM) -> Ran:
        """The node's exit code and what it told its owner."""
        node = self.nodes.pop(member)
        node.send_signal(number)
        _, err = node.communicate(timeout=20)
        return Ran(node.returncode, "", err)

    def close(self) -> None:
        for node in self.nodes.values():
            node.kill()
        for node in self.nodes.values():
            node.communicate()
        self.nodes.clear()
