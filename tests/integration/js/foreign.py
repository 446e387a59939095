"""A network of four in which one member is the process in JavaScript, with keys that only it has."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import threading
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from governance.card import parse_card
from tests.integration.js.node import script
from tests.integration.network.forked import ForkedSite
from tests.integration.network.site import free_ports, wait_for

OURS = ("issuer", "lender-a", "lender-b")
THEIRS = "venue"
ISOLATE, GUARD = 3, 2


class Foreign:
    """One life of the foreign member: what it told so far, and commands for it."""

    def __init__(self, folder: Path, *words: object) -> None:
        self.told: list[dict[str, Any]] = []
        self._err = (folder / "foreign.err").open("a")
        self._process = subprocess.Popen(
            script("peer/main.mjs", "run", "--dir", folder, *words),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._err,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.told.append(json.loads(line))

    def events(self, word: str, **fields: object) -> list[dict[str, Any]]:
        return [
            one for one in list(self.told) if one["event"] == word and all(one.get(k) == v for k, v in fields.items())
        ]

    def until(self, word: str, within_s: float = 20, **fields: object) -> dict[str, Any]:
        found = wait_for(f"the foreign member says {word} {fields}", lambda: self.events(word, **fields), within_s)
        return dict(found[-1])

    def ask(self, what: str, answer: str, **fields: object) -> dict[str, Any]:
        """A command and the first event of that name after it."""
        at = len(self.told)
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": what, **fields}) + "\n")
        self._process.stdin.flush()

        def answered() -> list[dict[str, Any]]:
            return [one for one in self.told[at:] if one["event"] in (answer, "fault")]

        found = dict(wait_for(f"the answer to {what}", answered, 10)[0])
        assert found["event"] == answer, found
        return found

    def state(self) -> dict[str, Any]:
        return self.ask("state", "state")

    def opinion(self, hash_: str) -> dict[str, Any]:
        """One of its own, as it told of it when it said it."""
        return self.events("opinion", hash=hash_)[-1]

    def reaches(self, what: str, holds: Callable[[dict[str, Any]], Any], within_s: float = 20) -> dict[str, Any]:
        last: dict[str, Any] = {}

        def reached() -> bool:
            last.update(self.state())
            return bool(holds(last))

        try:
            wait_for(what, reached, within_s)
        except AssertionError as late:
            raise AssertionError(f"{late}; it says {last}") from None
        return last

    def kill(self) -> None:
        """As the kernel would: nothing is said or written any more."""
        self._process.kill()
        self._process.wait(10)
        self._reader.join(10)
        self._err.close()


@dataclass
class MixedSite(ForkedSite):
    """`OURS` are nodes of ours, `THEIRS` is the foreign member."""

    foreign: Foreign | None = field(default=None)

    def of_theirs(self, *words: object) -> str:
        done = subprocess.run(script("peer/main.mjs", *words), capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def found_together(self, *words: str) -> Path:
        """Cards, charter, every founder's signature: ours by `tocsin`, theirs from the specification."""
        from node.cli import main

        names = (*OURS, THEIRS)
        self.ports = dict(zip(names, free_ports(len(names))))
        charter = self.folder / "charter.toml"
        cards = [str(self.folder / name / "card.toml") for name in names]
        with redirect_stdout(io.StringIO()):
            for name in OURS:
                assert main(["init", name, "--dir", str(self.folder / name), "--addr", self.address(name)]) == 0
            self._init_theirs()
            assert main(["charter", "create", *cards, "--out", str(charter), *words]) == 0
            for name in OURS:
                assert main(["charter", "sign", str(charter), "--dir", str(self.folder / name)]) == 0
        self.of_theirs("sign", "--dir", self.folder / THEIRS, "--charter", charter)
        for name in names:
            shutil.copy(charter, self.folder / name / "charter.toml")
        return charter

    def address(self, name: str) -> str:
        return f"/ip4/127.0.0.1/tcp/{self.ports[name]}"

    def _init_theirs(self) -> None:
        """Between our first two by peer id: it leads one of them and follows the other, in every run."""
        ids = [parse_card((self.folder / name / "card.toml").read_text()).peer_id for name in OURS[:2]]
        words = ("--name", THEIRS, "--address", self.address(THEIRS), "--between", ",".join(ids))
        self.of_theirs("init", "--dir", self.folder / THEIRS, *words)

    def start_foreign(self, *words: object) -> Foreign:
        self.foreign = Foreign(self.folder / THEIRS, *words)
        self.foreign.until("running")
        return self.foreign

    def close(self) -> None:
        if self.foreign is not None:
            self.foreign.kill()
        super().close()
