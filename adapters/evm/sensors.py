"""Sensors of the EVM family: poll a chain, judge with the same pure functions as everybody, report what holds.

Progress is in memory only. A sensor starts `LOOKBACK` blocks behind the head, so a restarted node sees what happened
while it was away; the node drops what it knows by claim id. One poll asks for the head only, shared by all sensors of
a client; the rest follows when the head moved.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from functools import partial

import trio

from adapters.api import Observation
from adapters.evm.client import ChainClient
from adapters.evm.errors import ChainError
from adapters.evm.readings import RELEASED, TWIN, released
from adapters.evm.verifiers import EvmVerifier
from adapters.evm.wire import Block, Log, ask_call, ask_logs
from protocol.evidence import Inputs, Judgement, ReleaseWithoutBurn, Ruling, claim_of
from protocol.membership import Bridge, Epoch
from protocol.messages import Basis

LOOKBACK = 64
POLL_MS = 250
POLL_MS_MIN, POLL_MS_MAX = 20, 60_000
LOG_BLOCKS_MAX = 500
"""In one question: what the stricter of the public providers still answer."""
PENDING_MAX = 256
"""Releases that cannot be judged yet (the far chain lags or providers disagree); the oldest go first."""

Report = Callable[[Observation], Awaitable[None]]


class EvmSensor(ABC):
    """The poll loop. A chain that fails is told by `health`, and the loop goes on."""

    def __init__(self, name: str, client: ChainClient, epoch: Callable[[], Epoch], poll_ms: int = POLL_MS) -> None:
        self.name = name
        self.client, self.epoch = client, epoch
        self.verifier = EvmVerifier(client, epoch)
        self.poll_s = min(max(poll_ms, POLL_MS_MIN), POLL_MS_MAX) / 1000
        self._faults: dict[str, tuple[str, float]] = {}

    async def run(self, report: Report) -> None:
        while True:
            await self.poll(report)
            # jitter, so that many nodes do not ask one provider at the same moment; nothing secret in it
            await trio.sleep(self.poll_s * random.uniform(0.8, 1.2))  # noqa: S311

    async def poll(self, report: Report) -> None:
        """One round over everything watched."""
        for what, look in self.rounds():
            try:
                fault = await look(report)
            except ChainError as broken:
                fault = str(broken)
            if fault:
                _, since_s = self._faults.get(what, ("", trio.current_time()))
                self._faults[what] = (fault, since_s)
            else:
                self._faults.pop(what, None)

    def health(self) -> str:
        now_s = trio.current_time()
        said = [f"{what}: {fault}, for {now_s - since_s:.0f} s" for what, (fault, since_s) in self._faults.items()]
        return "; ".join(said)

    @abstractmethod
    def rounds(self) -> list[tuple[str, Callable[[Report], Awaitable[str]]]]:
        """(what is watched, its look): a look returns "" or what keeps it from seeing, or raises ChainError."""

    async def head(self, chain: str) -> Block:
        return (await self.client.head(chain, self.poll_s / 2)).value

    def watched_bridges(self) -> list[Bridge]:
        seen = self.client.chains
        return [bridge for bridge in self.epoch().bridges if bridge.home in seen and bridge.far in seen]

    async def tell(self, report: Report, inputs: Inputs, judgement: Judgement) -> None:
        if judgement.ruling is not Ruling.SUPPORTS or judgement.subject is None:
            return
        blob = claim_of(inputs)
        await report(
            Observation(
                subject=judgement.subject,
                threat=judgement.threat,
                level=judgement.level,
                basis=Basis.VERIFIED,
                claims=(blob,),
                sources=judgement.sources,
                detector=self.name,
                incident=blob.claim.id[:4].hex(),
                detail=judgement.why,
                amount=judgement.amount,
            )
        )


class BridgeSensor(EvmSensor):
    """Every release at home, in order, against the burns on the far chain."""

    def __init__(self, name: str, client: ChainClient, epoch: Callable[[], Epoch], poll_ms: int = POLL_MS) -> None:
        super().__init__(name, client, epoch, poll_ms)
        self._next_block: dict[Bridge, int] = {}
        self._open: dict[Bridge, list[ReleaseWithoutBurn]] = {}

    def rounds(self) -> list[tuple[str, Callable[[Report], Awaitable[str]]]]:
        return [(str(bridge.asset), partial(self._look, bridge)) for bridge in self.watched_bridges()]

    async def _look(self, bridge: Bridge, report: Report) -> str:
        head = await self.head(bridge.home)
        waiting = self._open.setdefault(bridge, [])
        start = self._next_block.setdefault(bridge, max(0, head.number - LOOKBACK))
        if start <= head.number:
            last = min(head.number, start + LOG_BLOCKS_MAX - 1)
            asked = ask_logs(bridge.escrow, [RELEASED.topic], start, last)
            (logs,) = (await self.client.read(bridge.home, asked)).value
            waiting += [one for log in logs if (one := _claimed(bridge, log)) is not None]
            self._next_block[bridge] = last + 1
        lost = max(0, len(waiting) - PENDING_MAX)
        del waiting[:lost]
        if not waiting:
            return ""
        suspects = await self._unmatched(bridge, waiting)
        self._open[bridge] = list(suspects)
        why = f"{lost} releases left unjudged: too many at once" if lost else ""
        for inputs in suspects:
            judgement = await self.verifier.judge(inputs)
            if judgement.ruling is Ruling.UNDECIDED:
                why = judgement.why
                continue
            await self.tell(report, inputs, judgement)
            self._open[bridge].remove(inputs)
        return why

    async def _unmatched(self, bridge: Bridge, waiting: list[ReleaseWithoutBurn]) -> list[ReleaseWithoutBurn]:
        """Honest messages are many and cheap to clear: one question for all of them at the far chain's head."""
        asks = [ask_call(bridge.twin, TWIN, name, (one.nonce,)) for one in waiting for name in ("burned", "burned_to")]
        values = (await self.client.read(bridge.far, *asks)).value
        burns = zip(values[::2], values[1::2])
        return [one for one, burn in zip(waiting, burns) if burn != (one.amount, one.recipient)]


def _claimed(bridge: Bridge, log: Log) -> ReleaseWithoutBurn | None:
    found = released(log)
    if found is None or found[0] != bridge.escrow:
        return None
    _, nonce, recipient, amount = found
    return ReleaseWithoutBurn(
        bridge.home, bridge.escrow, log.tx, log.index, bridge.far, bridge.twin, nonce, recipient, amount
    )
