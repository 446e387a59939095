"""Running a command in this process, and a node that answers from a table."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from node.cli import main

Answer = tuple[int, Any]


@dataclass
class Ran:
    """What a command left: exit code, standard output, standard error."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def run(capsys: pytest.CaptureFixture[str], *words: object) -> Ran:
    capsys.readouterr()
    code = main([str(word) for word in words])
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return Ran(code, out, err)


@dataclass
class FakeNode:
    """Answers (method, path) from `answers`; whatever else is asked is a 404 in the agreed form."""

    config: Path
    answers: dict[tuple[str, str], Answer | Callable[[Any], Answer]] = field(default_factory=dict)
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    """Of every answer that it has."""

    def answer(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content) if request.content else None
        path = request.url.path.removeprefix("/v1")
        self.asked.append((request.method, path, body))
        found = self.answers.get((request.method, path))
        if found is None:
            error = {"code": "not-found", "what": f"no {path}", "do": "list them"}
            return httpx.Response(404, json={"error": error})
        status, content = found(body) if callable(found) else found
        return httpx.Response(status, json=content, headers=self.headers)


def fake_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeNode:
    config = tmp_path / "node.toml"
    config.write_text('node = 1\nmember = "a"\nlisten = "/ip4/127.0.0.1/tcp/4001"\n')
    node = FakeNode(config)
    monkeypatch.setattr(httpx, "HTTPTransport", lambda uds: httpx.MockTransport(node.answer))
    return node
