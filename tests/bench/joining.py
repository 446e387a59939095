"""`python -m tests.bench joining`: how soon who was voted in counts, in a network with a past.

The members, their commands, cold keys and votes are the governance story's; the past is what their people say.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import trio

from node.testnet.follow import Operator
from node.testnet.governed_scenes import Scenes
from node.testnet.governed_site import Site, cast_of
from node.testnet.processes import Processes
from node.testnet.zygote import fork_zygote
from tests.bench.figures import beside

PAUSE_S = 0.05
"""Between two words of one member: its author's budget is twenty a second."""
WHOLE_S = 120.0
GOALS = {"epoch_in_force_to_joiner_counts_s": 5.0}


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--members", type=int, default=7)
    parser.add_argument("--entries", type=int, default=10_000)


def run(asked: argparse.Namespace) -> int:
    """0: who joined counts in time."""
    found = measure(asked.members, asked.entries)
    sys.stdout.write((json.dumps(found) if asked.output == "json" else _table(found)) + "\n")
    return 0 if all(one["met"] for one in found["goals"].values()) else 1


def measure(members: int, entries: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="tocsin-joining-") as folder:
        processes = Processes(*fork_zygote(), Path(folder))
        joining = Joining(Site(processes, Path(folder), cast_of(members, 1), 1), _quiet)
        try:
            trio.run(joining.whole, entries)
        finally:
            processes.close()
    figures = {"members": members, **joining.figures}
    return {**figures, "goals": beside(GOALS, figures)}


def _quiet(text: str) -> None:
    """The story's sentences are not wanted here."""


class Joining(Scenes):
    def __init__(self, site: Site, say: Callable[[str], None]) -> None:
        super().__init__(site, say)
        self.figures: dict[str, float] = {}

    async def whole(self, entries: int) -> None:
        async with trio.open_nursery() as listening:
            listening.start_soon(self.site.processes.listen)
            try:
                await self.site.found()
                await self.founded()
                await self._past(entries)
                self.figures["entries"] = sum(one["seq"] + 1 for one in await self._feeds(self.seated[0]))
                await self.admitted()
                counted = time.monotonic()
                counts_s = self.timings_ms["epoch_in_force_to_joiner_counts"] / 1000
                self.figures["epoch_in_force_to_joiner_counts_s"] = round(counts_s, 2)
                await self.site.at_all("the whole past", (self.cast.joiner,), self._has_all, WHOLE_S)
                took_s = counts_s + time.monotonic() - counted
                self.figures["epoch_in_force_to_whole_past_s"] = round(took_s, 2)
            finally:
                with trio.CancelScope(shield=True):
                    await self.site.aclose()
                    await self.site.processes.end_all()
                listening.cancel_scope.cancel()

    async def _past(self, entries: int) -> None:
        """Words of persons below anything that counts, as fast as one author may speak; and all of them everywhere."""
        each = -(-entries // len(self.seated))
        async with trio.open_nursery() as speaking:
            for name in self.seated:
                speaking.start_soon(self._says, name, each)
        await self.site.at_all("everybody's words", self.seated, self._has_all, WHOLE_S)

    async def _says(self, name: str, count: int) -> None:
        operator = Operator(self.site.home(name) / "data" / "control.sock")
        word = {"subject": f"eip155:1/erc20:0x{name[-1] * 40}", "threat": "bridge-forgery", "level": "WATCH"}
        try:
            id_ = ""
            for number in range(count):
                if number % 2:
                    await operator.post(f"/alerts/{id_}/withdraw", person="bench")
                else:
                    id_ = (await operator.post("/alerts", **word, person="bench", lease_s=3600))["id"]
                await trio.sleep(PAUSE_S)
        finally:
            await operator.aclose()

    async def _has_all(self, name: str) -> bool:
        """Of every feed as much as any member has, without a gap."""
        most: dict[str, int] = {}
        for other in self.seated:
            for one in await self._feeds(other):
                most[one["author"]] = max(most.get(one["author"], -1), one["seq"])
        have = {one["author"]: one["whole"] for one in await self._feeds(name)}
        # Heartbeats and votes go on
        return all(have.get(author, -1) >= seq - 8 for author, seq in most.items())

    async def _feeds(self, name: str) -> list[dict[str, Any]]:
        found = await self.site.ask(name, "/feeds", links="false")
        if found is None:
            raise httpx.ReadError(f"{name} does not answer")
        return list(found)


def _table(found: dict[str, Any]) -> str:
    lines = [f"{found['members']} members, {found['entries']} entries", ""]
    for name in ("epoch_in_force_to_joiner_counts_s", "epoch_in_force_to_whole_past_s"):
        goal = found["goals"].get(name)
        shown = f"   goal {goal['goal']:g} s, {'met' if goal['met'] else 'MISSED'}" if goal else ""
        lines.append(f"{name.removesuffix('_s').replace('_', ' '):<40} {found[name]:6.2f} s{shown}")
    return "\n".join(lines)
