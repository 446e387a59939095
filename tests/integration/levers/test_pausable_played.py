"""Contracts that pause otherwise than the published token does, played by rule at a provider."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
import trio

from adapters.api import Beyond, LeverOrder, Outcome
from adapters.declared import Owned
from adapters.evm.abi import keccak256
from adapters.evm.account import Account
from adapters.evm.pausable import CALL, PausableTarget, PauseLever, declared
from adapters.evm.pausable_abi import PAUSABLE
from adapters.evm.sending import Sender
from protocol.messages import Level
from protocol.subjects import asset
from tests.integration.evm.fake import CHAIN, Fake, client_of, word
from tests.integration.levers.scene import KEY

T = TypeVar("T")
AT, NODE = b"\x31" * 20, Account(b"\x21" * 32)
PERSON, TX = b"\x32" * 20, keccak256(b"a transaction")


def refuses(error: str, *words: bytes) -> dict[str, Any]:
    data = keccak256(error.encode())[:4] + b"".join(words)
    return {"code": 3, "message": "execution reverted", "data": "0x" + data.hex()}


@dataclass
class Contract:
    """`pause` and `unpause` are what a call of each is answered with; `tells` the topic of its last event, if any."""

    paused: bool = False
    pause: Any = "0x"
    unpause: Any = field(default_factory=lambda: refuses("ExpectedPause()"))
    tells: bytes = b""
    fake: Fake = field(default_factory=Fake)

    def __post_init__(self) -> None:
        self.fake.answers |= {
            "eth_call": self._call,
            "eth_estimateGas": "0x7530",
            "eth_getTransactionCount": "0x0",
            "eth_getStorageAt": word(0),
            "eth_getBalance": hex(10**20),
            "eth_gasPrice": "0x7",
            "eth_getLogs": lambda params: [self._log()] if self._wanted(params) else [],
            "eth_getTransactionByHash": {
                "hash": f"0x{TX.hex()}",
                "from": f"0x{PERSON.hex()}",
                "to": f"0x{AT.hex()}",
                "input": "0x8456cb59",
            },
        }

    def _call(self, params: Any) -> Any:
        selector = bytes.fromhex(params[0]["data"][2:10])
        if selector == PAUSABLE.function("paused").selector:
            return word(int(self.paused))
        return self.pause if selector == PAUSABLE.function("pause").selector else self.unpause

    def _wanted(self, params: Any) -> bool:
        return f"0x{self.tells.hex()}" in params[0]["topics"][0]

    def _log(self) -> dict[str, Any]:
        found = {"address": f"0x{AT.hex()}", "topics": [f"0x{self.tells.hex()}"], "data": "0x"}
        return found | {"blockNumber": "0x40", "transactionHash": f"0x{TX.hex()}", "logIndex": "0x0"}


def outcome(contract: Contract, step: Callable[[PauseLever, LeverOrder], Awaitable[T]]) -> T:
    async def run() -> T:
        async with client_of(contract.fake) as client:
            said = declared(Owned(Level.ISOLATE, ("transfer",), False, 3_600_000, 1))
            lever = PauseLever(PausableTarget("t", CHAIN, AT, AT), said, client, Sender(client, CHAIN, NODE))
            until_ms = (contract.fake.time_s + 600) * 1000
            return await step(lever, LeverOrder(KEY, CALL, asset(CHAIN, AT), Level.ISOLATE, until_ms, False))

    return trio.run(run)


async def simulated(lever: PauseLever, given: LeverOrder) -> Outcome:
    return await lever.simulate(await lever.plan(given))


async def undone(lever: PauseLever, given: LeverOrder) -> Outcome:
    return await lever.undo(given)


def test_a_contract_of_version_5_would_be_paused():
    found = outcome(Contract(), simulated)
    assert found.ok and "not paused to paused" in found.says


def test_a_right_that_version_5_misses_is_named():
    role = keccak256(b"GUARDIAN_ROLE")
    no = refuses("AccessControlUnauthorizedAccount(address,bytes32)", bytes(12) + NODE.address, role)
    found = outcome(Contract(pause=no), simulated)
    assert not found.ok and not found.retryable and "it takes GUARDIAN_ROLE" in found.says


def test_who_may_pause_and_not_lift_is_refused_for_nobody_would_end_it():
    no = refuses("OwnableUnauthorizedAccount(address)", bytes(12) + NODE.address)
    found = outcome(Contract(unpause=no), simulated)
    assert not found.ok and "may pause and not lift: unpause() takes the ownership" in found.says


def test_a_pause_that_came_in_between_is_looked_at_again():
    found = outcome(Contract(pause=refuses("EnforcedPause()")), simulated)
    assert not found.ok and found.retryable and "looked at again" in found.says


def test_a_pause_that_no_event_tells_of_is_put_before_people():
    found = outcome(Contract(paused=True), undone)
    assert not found.ok and not found.retryable and "lift it by hand if it is ours" in found.says


@pytest.mark.parametrize("event", ["Paused(address)", "Pause()"])
def test_a_person_is_named_by_the_event_of_any_version(event: str):
    found = outcome(Contract(paused=True, tells=keccak256(event.encode())), undone)
    assert found.ok and "left alone" in found.says and f"0x{PERSON.hex()}" in found.says


def test_a_contract_that_takes_anything_from_anybody_says_nothing_of_a_right():
    async def beyond(lever: PauseLever, given: LeverOrder) -> Beyond:
        return await lever.beyond()

    assert outcome(Contract(unpause="0x"), beyond) == Beyond(5, ())
