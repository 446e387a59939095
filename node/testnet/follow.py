"""Members as their operators see them: over the control socket, and by nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import trio

Happening = dict[str, Any]
POLL_S = 20.0


class Operator:
    """One member's control socket on trio."""

    def __init__(self, socket: Path) -> None:
        transport = httpx.AsyncHTTPTransport(uds=str(socket), retries=0)
        self._http = httpx.AsyncClient(transport=transport, base_url="http://node/v1", timeout=POLL_S + 10)

    async def get(self, path: str, **params: Any) -> Any:
        answer = await self._http.get(path, params=params)
        answer.raise_for_status()
        return answer.json()

    async def post(self, path: str, **body: Any) -> Any:
        answer = await self._http.post(path, json=body)
        answer.raise_for_status()
        return answer.json()

    async def aclose(self) -> None:
        await self._http.aclose()


@dataclass
class Followed:
    """What one member told, over all of its lives."""

    name: str
    operator: Operator
    happenings: list[Happening] = field(default_factory=list)


class Follower:
    """Long-polls each member's events; `news` is called for each, with the member's name."""

    def __init__(self, news: Callable[[str, Happening], None]) -> None:
        self._news = news
        self.members: dict[str, Followed] = {}
        self._changed = trio.Event()

    def add(self, name: str, socket: Path) -> Followed:
        return self.members.setdefault(name, Followed(name, Operator(socket)))

    async def follow(self, name: str) -> None:
        """For ever: a member that is down is asked again until it is back, and then from its beginning."""
        one = self.members[name]
        number = 0
        while True:
            try:
                told = await one.operator.get("/events", after=number, wait_s=POLL_S)
            except (httpx.HTTPError, ValueError):
                number = 0  # a new life counts from one again, and repeats nothing of the last
                await trio.sleep(0.1)
                continue
            number = told["next"]
            for happening in told["events"]:
                one.happenings.append(happening)
                self._news(name, happening)
            if told["events"]:
                changed, self._changed = self._changed, trio.Event()
                changed.set()

    async def until(self, true: Callable[[], bool], within_s: float) -> bool:
        """Waits for what the members tell to make it true."""
        with trio.move_on_after(within_s):
            while not true():
                await self._changed.wait()
            return True
        return true()

    async def aclose(self) -> None:
        for one in self.members.values():
            with trio.CancelScope(shield=True):
                await one.operator.aclose()
