"""Honest bridge messages, on their way all the time and both ways: what makes a missing burn the only clue."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

import trio

from adapters.evm.errors import ChainError
from adapters.evm.wire import Receipt
from node.testnet.actors_deeds import arrive_far, arrive_home, leave_far, leave_home
from node.testnet.actors_stage import Deed, Refused, Stage
from node.testnet.scenario import Thing
from node.testnet.world import CROWD, UNIT, units

EVERY_S_MIN = 0.4
"""Real time between messages, however much history is compressed: chains and sensors run in real time."""
RETRY_S = 1.0
Leave = Callable[[Stage, str, str, int], Awaitable[int]]
Arrive = Callable[[Stage, str, str, int, int], Awaitable[Receipt]]
WAYS: tuple[tuple[str, Leave, Arrive], ...] = (
    ("send_out", leave_home, arrive_far),
    ("send_home", leave_far, arrive_home),
)


class Traffic:
    """Of one bridge. Starts at once, also before t0; starts no message after `ends_s` of play."""

    def __init__(self, stage: Stage, thing: Thing, ends_s: float) -> None:
        self.stage, self.thing, self.ends_s = stage, thing, ends_s
        self._seed = f"{stage.world.seed}/{thing.name}"

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            for way in WAYS:
                nursery.start_soon(self._way, *way)

    async def _way(self, verb: str, leave: Leave, arrive: Arrive) -> None:
        chance = random.Random(f"{self._seed}/{verb}")  # noqa: S311 (traffic, no secret)
        every_s = max(EVERY_S_MIN, self.stage.play_s(self.thing.params["every"]))
        number = 0
        async with trio.open_nursery() as nursery:
            while True:
                await trio.sleep(chance.expovariate(1 / every_s))
                if self.stage.elapsed_s >= self.ends_s:
                    return
                amount = units(self.thing.params["message"] * chance.uniform(0.2, 1.8))
                delay_s = min(4.0, chance.expovariate(1 / max(0.05, self.stage.play_s(self.thing.params["delay"]))))
                nursery.start_soon(self._message, verb, leave, arrive, number, amount, delay_s)
                number += 1

    async def _message(self, verb: str, leave: Leave, arrive: Arrive, number: int, amount: int, delay_s: float) -> None:
        """A paused escrow makes a message late, not lost: it is tried again until the end."""
        try:
            nonce = await leave(self.stage, self.thing.name, CROWD, amount)
        except (Refused, ChainError) as stopped:
            return self._note(verb, number, amount, str(stopped))
        await trio.sleep(delay_s)
        why = ""
        while True:
            try:
                receipt = await arrive(self.stage, self.thing.name, CROWD, nonce, amount)
                return self._note(verb, number, amount, why, receipt)
            except (Refused, ChainError) as stopped:
                why = str(stopped)
            if self.stage.elapsed_s >= self.ends_s:
                return self._note(verb, number, amount, why)
            await trio.sleep(RETRY_S)

    def _note(self, verb: str, number: int, amount: int, why: str, receipt: Receipt | None = None) -> None:
        """`why` with `ok`: it was late for that reason."""
        played_s = self.stage.elapsed_s
        history_s = played_s * self.stage.scenario.run.history_divided_by * self.stage.spec.speed
        tx = "0x" + receipt.tx.hex() if receipt is not None else ""
        at_ms = self.stage.spec.start_ms + int(played_s * 1000)
        do = f"{self.thing.name}.{verb}"
        amounts = amount / UNIT
        self.stage.note(
            Deed(at_ms, history_s, played_s, CROWD, "in-flight", do, number, receipt is not None, why, amounts, tx)
        )
