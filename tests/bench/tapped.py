"""A network whose chains are reached through taps: bytes pass as they are, and it is noted when a transaction was
taken."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import trio

from node.testnet.processes import Processes
from node.testnet.scenario import Role, Scenario
from node.testnet.supervisor import Facts, Supervisor
from tests.bench.levers import PLAYED_S, Options

SENDS, TAKEN = b"eth_sendRawTransaction", re.compile(rb'"result": ?"(0x[0-9a-f]{64})"')
CHUNK = 65_536


class Tapped(Supervisor):
    """`taken_ms`: transaction → wall clock at which its sender had the chain's word for it."""

    def __init__(self, options: Options, scenario: Scenario, processes: Processes, run_dir: Path) -> None:
        super().__init__(
            options, scenario, processes, run_dir, lambda member, told: None, lambda text: None, lambda deed: None
        )
        self.taken_ms: dict[str, float] = {}

    async def run(self) -> Facts:
        async with trio.open_nursery() as self._taps:
            facts = await super().run()
            self._taps.cancel_scope.cancel()
        return facts

    async def _chains(self, roles: Sequence[Role]) -> tuple[list[tuple[str, str]], str]:
        urls, kind = await super()._chains(roles)
        return [(chain, await self._tap(url)) for chain, url in urls], kind

    async def _tap(self, url: str) -> str:
        to = urlsplit(url)
        listeners: list[Any] = await self._taps.start(
            partial(trio.serve_tcp, partial(self._pass, to.hostname or "", to.port or 0), 0, host="127.0.0.1")
        )
        return f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"

    async def _pass(self, host: str, port: int, near: trio.SocketStream) -> None:
        far = await trio.open_tcp_stream(host, port)
        sending = [False]
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._asked, near, far, sending)
                await self._answered(far, near, sending)
                nursery.cancel_scope.cancel()
        except* (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # one side hung up: so does this
        finally:
            await trio.aclose_forcefully(far)
            await trio.aclose_forcefully(near)

    async def _asked(self, near: trio.SocketStream, far: trio.SocketStream, sending: list[bool]) -> None:
        while data := await near.receive_some(CHUNK):
            sending[0] = sending[0] or SENDS in data
            await far.send_all(data)
        await far.send_eof()

    async def _answered(self, far: trio.SocketStream, near: trio.SocketStream, sending: list[bool]) -> None:
        """A connection asks one thing at a time, so that an answer is that of the last question."""
        while data := await far.receive_some(CHUNK):
            if sending[0] and (found := TAKEN.search(data)):
                sending[0] = False
                self.taken_ms.setdefault(found[1].decode(), time.time() * 1000)
            await near.send_all(data)

    async def _collect(self, facts: Facts) -> None:
        """What members told: nothing here is a verdict on the run."""
        facts.told.update({name: followed.happenings for name, followed in self.follower.members.items()})

    async def _until_over(self, facts: Facts) -> None:
        await trio.sleep(max(0.0, facts.start_ms / 1000 + PLAYED_S - time.time()))
