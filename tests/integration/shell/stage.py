"""The composition root in this process, on real files and a real control socket; the wires are in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import trio

from adapters.api import Instances, Observation, Sensor
from node import app
from node.config import load
from node.parts import load_parts
from node.plugins import KeptSensor
from node.transport.memory import MemoryNetwork
from tests.integration.kill9.scene import write_files

SECRET = "5ecre7-70ken"
URL = f"http://user:{SECRET}@127.0.0.1:9/v3/{SECRET}?key={SECRET}"


class Node(app.Node):
    """`sensors` and `closers` are the test's; the transport has nobody to talk to."""

    def __init__(self, folder: Path, sensors: tuple[Sensor, ...] = (), closers: tuple[Any, ...] = ()) -> None:
        super().__init__(load_parts(load(folder / "node.toml")))
        kept = tuple(KeptSensor(one) for one in sensors)
        self.instances: Instances = replace(self.instances, sensors=kept, closers=(*self.instances.closers, *closers))
        self.transport = MemoryNetwork().transport("me")  # type: ignore[assignment]

    @property
    def socket(self) -> Path:
        return self.parts.config.control

    async def get(self, path: str) -> Any:
        return (await self.ask("GET", path)).json()

    async def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        transport = httpx.AsyncHTTPTransport(uds=str(self.socket))
        async with httpx.AsyncClient(transport=transport, base_url="http://node/v1", timeout=10) as client:
            return await client.request(method, path, **more)


def written(folder: Path, url: str = URL, port: int = 4001) -> Path:
    (folder / "data").mkdir(mode=0o700, exist_ok=True)
    write_files(folder, url, (), b"", port)
    return folder


@asynccontextmanager
async def running(node: Node) -> AsyncIterator[Node]:
    up = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(node.run, up.set)
        with trio.fail_after(15):
            await up.wait()
            yield node
            node.stopping.set()


def story(told: Callable[..., Awaitable[None]], *args: Any) -> None:
    trio.run(told, *args)


async def comes(holds: Callable[[], Awaitable[Any]], within_s: float = 8) -> Any:
    with trio.fail_after(within_s):
        while not (found := await holds()):  # noqa: ASYNC110 (what is waited for is many things)
            await trio.sleep(0.02)
    return found


class Script:
    """A sensor that does what the test says at each of its lives."""

    name = "script"

    def __init__(self, *lives: Callable[[Callable[[Observation], Awaitable[None]]], Awaitable[None]]) -> None:
        self._lives = list(lives)
        self.begun = 0
        self.says: str | Exception = ""

    async def run(self, report: Callable[[Observation], Awaitable[None]]) -> None:
        self.begun += 1
        if self._lives:
            await self._lives.pop(0)(report)
        await trio.sleep_forever()

    def health(self) -> str:
        if isinstance(self.says, Exception):
            raise self.says
        return self.says
