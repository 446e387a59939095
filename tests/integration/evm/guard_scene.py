"""A guard and its gate on a real chain, the owner's node as its operator, and members who sign for it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import trio

from adapters.api import LeverOrder, Outcome
from adapters.declared import Owned
from adapters.evm.abi import Abi, abi_of
from adapters.evm.account import Account
from adapters.evm.artifacts import artifact
from adapters.evm.client import ChainClient, Connection
from adapters.evm.eip712 import domain_of
from adapters.evm.guard import CALL, GuardLever, declared
from adapters.evm.guard_state import GuardTarget, Standing, read_standing
from adapters.evm.guard_words import Listing, pack_act
from adapters.evm.registry import Call, signed
from adapters.evm.sending import Sender
from adapters.evm.wire import Receipt
from protocol.crypto import sha256
from protocol.ids import ActionKey, SourceId
from protocol.messages import Level
from protocol.subjects import asset
from tests.integration.evm.world import HOME, PEOPLE
from tests.unit.contracts.guard_stage import EPOCH, words_of
from tests.unit.contracts.registry_stage import NETWORK, SUBJECT, THREAT, key_of, names_of

KEY, OTHER_KEY = ActionKey(b"\x0a" * 32), ActionKey(b"\x0b" * 32)
SEVEN, Q = names_of(7), names_of(7)[:5]
GUARD, GATE = abi_of("Guard"), abi_of("Gate")
NOBODY = bytes(20)
MAX_S, LEASE_S = 300, 600


@dataclass
class GuardScene:
    client: ChainClient
    chain: str = HOME
    people: dict[str, Account] = field(default_factory=lambda: PEOPLE)
    """owner, guardian (the operator), honest, attacker."""
    guard: bytes = b""
    gate: bytes = b""
    list: bytes = b""

    def sender(self, who: str) -> Sender:
        return Sender(self.client, self.chain, self.people[who])

    async def send(self, who: str, to: bytes, abi: Abi, fn: str, *args: Any) -> Receipt:
        return await self.sender(who).transact(to, abi, fn, args, 10)

    async def do(self, who: str, fn: str, *args: Any) -> Receipt:
        return await self.send(who, self.guard, GUARD, fn, *args)

    async def gate_do(self, who: str, fn: str, *args: Any) -> Receipt:
        return await self.send(who, self.gate, GATE, fn, *args)

    async def paused(self) -> bool:
        return bool((await self.client.call(self.chain, self.gate, GATE, "paused")).value)

    async def standing(self) -> Standing:
        return await read_standing(self.client, self.target)

    @property
    def target(self) -> GuardTarget:
        return GuardTarget("gate", self.chain, self.guard, 0)

    def listing(self, **changed: Any) -> Listing:
        calls = [GATE.function(name).encode(()) for name in ("pause", "unpause", "paused")]
        told = Listing(self.gate, calls[0], calls[1], calls[2], 1, 1, 720, 3_600, 86_400, LEASE_S, 7_200)
        return replace(told, **changed)

    async def begin(self, through: bytes = NOBODY, **changed: Any) -> None:
        """The gate and its guard, whose lever 0 closes it; the guard may pause, and so may a person."""
        owner = self.sender("owner")
        if not self.gate:
            self.gate = await owner.deploy(artifact("Gate"), (), 10)
        self.guard = await owner.deploy(artifact("Guard"), (self.people["owner"].address, through), 10)
        await self.do("owner", "set_operator", self.people["guardian"].address)
        await self.do("owner", "make_list", NETWORK, NOBODY, words_of(SEVEN))
        head = (await self.client.block(self.chain)).value.number
        logs = await self.client.logs(self.chain, self.guard, [GUARD.event("ListMade").topic], 0, head)
        self.list = logs.value[-1].topics[1][12:]
        await self.do("owner", "add", self.listing(**changed).values)
        await self.do("owner", "reason", 0, self.list, SUBJECT, THREAT, 3, len(Q))

    async def begin_at_gate(self, **changed: Any) -> None:
        await self.begin(**changed)
        await self.gate_do("owner", "set_pauser", self.guard, True)
        await self.gate_do("owner", "set_pauser", self.people["honest"].address, True)

    # -- the node

    def lever(self, who: str | Account = "guardian", max_s: int = MAX_S) -> GuardLever:
        said = declared(Owned(Level.HALT, ("go",), True, max_s * 1000, 1))
        account = self.people[who] if isinstance(who, str) else who
        return GuardLever(self.target, said, self.client, Sender(self.client, self.chain, account))

    def order(self, seconds: float = 60, key: ActionKey = KEY) -> LeverOrder:
        until_ms = int((time.time() + seconds) * 1000)
        return LeverOrder(key, f"gate:{CALL}", asset(self.chain, self.gate), Level.HALT, until_ms, False)

    async def restricted_events(self) -> int:
        head = (await self.client.block(self.chain)).value.number
        return len((await self.client.logs(self.chain, self.guard, [GUARD.event("Restricted").topic], 0, head)).value)

    # -- the members

    async def certificate(self, members: Iterable[str] = Q, lease_s: int = 600, chain: str = "") -> Call:
        """Arguments of `act`, of words that live so long from the chain's time on; signed for another chain if told."""
        issued = (await self.client.block(self.chain)).value.timestamp * 1000
        said = []
        domain = domain_of(chain or self.chain, self.guard)
        for name in members:
            values = {
                "network": bytes(NETWORK),
                "epoch": EPOCH,
                "author": name.encode().ljust(32, b"\0"),
                "seq": 7,
                "bodyHash": sha256(name.encode()),
                "subject": SUBJECT,
                "threat": THREAT,
                "level": 3,
                "issued": issued,
                "submitBy": issued + min(600, lease_s) * 1000,
                "expires": issued + lease_s * 1000,
            }
            said.append((values, signed(domain, "Alarm", values, key_of(name))))
        return pack_act(0, self.list, domain, words_of(SEVEN), len(Q), Level.ISOLATE, EPOCH, said)


async def pull(lever: GuardLever, given: LeverOrder) -> Outcome:
    """The whole way of an action; each step must say yes. What apply said."""
    plan = await lever.plan(given)
    simulated = await lever.simulate(plan)
    assert simulated.ok, simulated.says
    applied = await lever.apply(plan)
    assert applied.ok, applied.says
    read_back = await lever.read_back(given)
    assert read_back.ok, read_back.says
    return applied


def tell(url: str, story: Callable[[GuardScene], Awaitable[None]], chain: str = HOME, **changed: Any) -> None:
    async def run() -> None:
        client = ChainClient(tuple(Connection(SourceId(f"{who}.here"), chain, url) for who in ("p1", "p2")))
        try:
            scene = GuardScene(client, chain)
            await scene.begin_at_gate(**changed)
            await story(scene)
        finally:
            await client.aclose()

    trio.run(run)
