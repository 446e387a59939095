"""A running venue, a node's levers on it, and somebody who trades there."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio

from adapters.api import Instances, LeverOrder, Outcome
from adapters.catalog import build
from adapters.venue.lever import VenueLever
from node.preflight import NOTHING
from protocol.ids import ActionKey, EpochHash, NetworkId
from protocol.membership import Epoch
from protocol.messages import Level
from tests.integration.venue import document
from tests.integration.venue.engine import SECRET, SEED

EPOCH = Epoch(NetworkId(bytes(32)), 0, EpochHash(bytes(32)), 0, ())
KEY, OTHER_KEY = ActionKey(b"\x0a" * 32), ActionKey(b"\x0b" * 32)
ROOT = Path(__file__).resolve().parents[3]
STARTS_S = 20.0
SECRETS = {"hmac-sha256": SECRET, "rfc9421": SEED}
ATTACKS: dict[str, dict[str, Any]] = {
    "halt": {"orders": {"reduces": True, "margin_bps": 9_000}},
    "reduce_only": {"orders": {"reduces": False, "margin_bps": 9_000}},
    "margin": {"orders": {"reduces": False, "margin_bps": 1_000}},
    "lock_withdrawals": {"withdrawals": {}},
    "suspend_keys": {"orders": {"reduces": True, "margin_bps": 9_000}},
}
"""Action → what it must stop."""


@dataclass
class Site:
    folder: Path
    scheme: str = "hmac-sha256"
    certificate: Path | None = None
    port: int = 0
    process: subprocess.Popen[str] | None = field(default=None, repr=False)

    def start(self) -> None:
        words = [sys.executable, "-m", "tests.integration.venue.engine", str(self.folder), str(self.port), self.scheme]
        if self.certificate is not None:
            words.append(str(self.certificate))
        self.process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def stop(self) -> None:
        if self.process is not None:
            if self.process.poll() is None:
                os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait(STARTS_S)
            if self.process.stdout is not None:
                self.process.stdout.close()
            self.process = None

    def died(self) -> None:
        assert self.process is not None
        self.process.wait(STARTS_S)

    @property
    def url(self) -> str:
        return f"http{'s' if self.certificate else ''}://127.0.0.1:{self.port}"

    def mood(self, text: str) -> None:
        """Whole at once, for the engine takes it as soon as it is there."""
        (self.folder / "mood.new").write_text(text)
        (self.folder / "mood.new").rename(self.folder / "mood")

    def calm(self) -> None:
        (self.folder / "mood").unlink(missing_ok=True)

    def books(self, question: str, *words: Any) -> list[Any]:
        base = sqlite3.connect(self.folder / "books.sqlite", timeout=5)
        try:
            found = base.execute(question, words).fetchall()
            base.commit()
            return found
        finally:
            base.close()

    def effects(self) -> int:
        """How often anything was changed through the interface."""
        return int(self.books("select count(*) from effects")[0][0])

    def attack(self, action: str) -> None:
        """urllib.error.HTTPError where the venue refuses it."""
        ((kind, what),) = ATTACKS[action].items()
        request = urllib.request.Request(
            f"{self.url}/v1/{kind}", json.dumps(what).encode(), {"X-Trader": "mallory"}, method="POST"
        )
        with urllib.request.urlopen(request, timeout=5):
            pass

    def trades(self, action: str) -> bool:
        try:
            self.attack(action)
        except urllib.error.HTTPError:
            return False
        return True

    # --- the node's side

    def build(self, text: str = "", secret: bytes | None = None, files: dict[str, bytes] | None = None) -> Instances:
        held = {"venue.json": document.raw()} | (files or {})
        table = tomllib.loads(text or document.target(self.url, self.scheme))
        secret = secret or SECRETS[self.scheme]
        return build(table, lambda: EPOCH, lambda name: secret, lambda line: None, files=held.__getitem__)

    def tell(self, story: Callable[[Node], Awaitable[None]], text: str = "", **more: Any) -> None:
        async def run() -> None:
            built = self.build(text, **more)
            try:
                await story(Node(self, built))
            finally:
                for close in built.closers:
                    await close()

        trio.run(run)


@dataclass(frozen=True)
class Node:
    site: Site
    built: Instances

    def lever(self, action: str) -> VenueLever:
        found = self.built.levers[f"exch:venue.{action}"]
        assert isinstance(found, VenueLever)
        return found

    def order(self, action: str, seconds: float = 600, key: ActionKey = KEY) -> LeverOrder:
        until_ms = int((time.time() + seconds) * 1000)
        return LeverOrder(key, f"exch:venue.{action}", NOTHING, Level.HALT, until_ms, False)


async def pull(lever: VenueLever, given: LeverOrder) -> Outcome:
    plan = await lever.plan(given)
    simulated = await lever.simulate(plan)
    assert simulated.ok, simulated.says
    applied = await lever.apply(plan)
    assert applied.ok, applied.says
    shown = await lever.read_back(given)
    assert shown.ok and shown.until_ms >= given.until_ms, shown.says
    return applied
