"""A node with its console switched on, and people with tokens, as httpx meets it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from node import people
from tests.integration.shell.process import Process, free_port
from tests.integration.shell.stage import written


class House:
    """One real node process, its TCP door, and a client of it."""

    def __init__(self, folder: Path, more: str = "") -> None:
        self.folder, self.port = folder, free_port()
        written(folder, port=free_port())
        with (folder / "node.toml").open("a") as file:
            file.write(f'\n[console]\nlisten = "127.0.0.1:{self.port}"\n{more}\n')
        self.people = folder / "data" / "people.json"
        self.tokens = {role: people.add(self.people, f"{role}-1", role) for role in people.ROLES}
        self.url = f"http://127.0.0.1:{self.port}"
        self.before()
        self.node = Process(folder).up()

    def before(self) -> None:
        """What is to be there when it starts."""

    def __enter__(self) -> House:
        return self

    def __exit__(self, *gone: object) -> None:
        self.node.term()
        assert self.node.ends() == 0, self.node.said

    def ask(self, method: str, path: str, role: str = "viewer", **more: Any) -> httpx.Response:
        return self.bare(method, path, self.tokens[role], **more)

    def bare(self, method: str, path: str, token: str = "", **more: Any) -> httpx.Response:
        headers = {**({"authorization": f"Bearer {token}"} if token else {}), **more.pop("headers", {})}
        return httpx.request(method, self.url + path, headers=headers, timeout=10, trust_env=False, **more)

    def do(self, path: str, role: str, key: str = "", **body: Any) -> httpx.Response:
        headers = {"idempotency-key": key or f"key-{path}-{role}"}
        return self.ask("POST", path, role, json=body, headers=headers)
