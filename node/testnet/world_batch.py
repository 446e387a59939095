"""Many transactions to one chain in few round trips: signed ahead with known nonces and fixed gas, sent as batches.

For the setup of a world only: nothing is simulated, every receipt is looked at in the end.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import trio

from adapters.evm.abi import abi_of, created_address
from adapters.evm.artifacts import artifact
from adapters.evm.client import Account, ChainClient
from adapters.evm.errors import ChainError
from adapters.evm.wire import Ask, Receipt, Revert, ask_balance, ask_block, ask_nonce, ask_receipt, hexed, octets

GAS_DEPLOY = 6_000_000
GAS_CALL = 600_000
TIP_WEI = 10**9
AT_ONCE = 10
"""Transactions in one request: a busy machine needs up to 0.1 s each, and a request must end within 3 s."""
RECEIPTS_AT_ONCE = 50


class SetupFailed(RuntimeError):
    """The world did not come to stand; the text says which step on which chain, and why."""


@dataclass(frozen=True)
class Prepared:
    who: str
    raw: bytes
    tx: bytes
    says: str


class Batch:
    """One chain. Addresses and hashes are known before anything is sent."""

    def __init__(self, client: ChainClient, chain: str, signers: Mapping[str, Account]) -> None:
        self.client, self.chain, self._signers = client, chain, signers
        self._nonces: dict[str, int] = {}
        self._fee_wei = 0
        self._queue: list[Prepared] = []
        self.receipts: dict[bytes, Receipt] = {}

    async def open(self) -> None:
        """Reads nonces, balances and the fee. Raises SetupFailed naming accounts that nobody funded."""
        names = sorted(self._signers)
        asks: list[Ask[Any]] = [ask_block()]
        for name in names:
            asks += [ask_nonce(self._signers[name].address), ask_balance(self._signers[name].address)]
        head, *read = (await self.client.read(self.chain, *asks)).value
        poor = [name for name, balance in zip(names, read[1::2]) if balance == 0]
        if poor:
            raise SetupFailed(f"{self.chain}: nobody funded {', '.join(poor)}; start the chain with world.accounts(…)")
        self._nonces = dict(zip(names, read[0::2]))
        self._fee_wei = 2 * (head.base_fee if head is not None and head.base_fee else 0) + TIP_WEI

    def _sign(self, who: str, to: bytes | None, data: bytes, gas: int, says: str) -> Prepared:
        body: dict[str, Any] = {
            "chainId": int(self.chain.removeprefix("eip155:")),
            "nonce": self._nonces[who],
            "gas": gas,
            "value": 0,
        }
        body |= {"maxFeePerGas": self._fee_wei, "maxPriorityFeePerGas": TIP_WEI, "data": data}
        raw, tx = self._signers[who].sign(body | ({} if to is None else {"to": to}))
        self._nonces[who] += 1
        prepared = Prepared(who, raw, tx, says)
        self._queue.append(prepared)
        return prepared

    def deploy(self, who: str, contract: str, *args: Any) -> bytes:
        """The address that it will have."""
        data = artifact(contract).bytecode + abi_of(contract).construct(args)
        return self.create(who, data, f"deploy {contract}", GAS_DEPLOY)

    def create(self, who: str, data: bytes, says: str, gas: int) -> bytes:
        """Any contract, of creation bytecode and its arguments; the address that it will have."""
        address = created_address(self._signers[who].address, self._nonces[who])
        self._sign(who, None, data, gas, says)
        return address

    def send(self, who: str, to: bytes, contract: str, fn: str, *args: Any) -> bytes:
        """The transaction's hash."""
        data = abi_of(contract).function(fn).encode(args)
        return self.call(who, to, data, f"{who}: {contract}.{fn}", GAS_CALL)

    def call(self, who: str, to: bytes, data: bytes, says: str, gas: int) -> bytes:
        """Any call; the transaction's hash."""
        return self._sign(who, to, data, gas, says).tx

    async def flush(self) -> int:
        """Send all, in order, and look at every receipt. The height of the last. Raises SetupFailed, ChainError."""
        queue, self._queue = self._queue, []
        for part in _parts(queue):
            asks = [Ask("eth_sendRawTransaction", (hexed(one.raw),), _taken) for one in part]
            try:
                answers = (await self.client.read(self.chain, *asks)).value
            except ChainError as refused:
                says = f"{part[0].says} … {part[-1].says}"
                raise SetupFailed(f"{self.chain}: sending {says}: {refused}") from refused
            for one, answer in zip(part, answers):
                if isinstance(answer, Revert):
                    raise SetupFailed(f"{self.chain}: {one.says}: refused: {answer.reason}")
        for start in range(0, len(queue), RECEIPTS_AT_ONCE):
            await self._look(queue[start : start + RECEIPTS_AT_ONCE])
        return max((receipt.block for receipt in self.receipts.values()), default=0)

    async def _look(self, part: list[Prepared]) -> None:
        """Some chains answer before they mined: they are given a moment."""
        for wait_s in (0.0, 0.05, 0.2, 0.5, 1.0, 2.0):
            await trio.sleep(wait_s)
            found = (await self.client.read(self.chain, *(ask_receipt(one.tx) for one in part))).value
            if None not in found:
                break
        for one, receipt in zip(part, found):
            if receipt is None:
                raise SetupFailed(f"{self.chain}: {one.says}: not mined at once; the chain must mine on arrival")
            if not receipt.ok:
                raise SetupFailed(f"{self.chain}: {one.says}: mined and failed")
            self.receipts[one.tx] = receipt


def _parts(queue: list[Prepared]) -> Iterator[list[Prepared]]:
    """One sender's in one request: a chain may take what stands in a request in any order, but for its nonces."""
    for _, run in itertools.groupby(queue, key=lambda one: one.who):
        rest = list(run)
        for start in range(0, len(rest), AT_ONCE):
            yield rest[start : start + AT_ONCE]


def _taken(raw: Any) -> bytes | Revert:
    return raw if isinstance(raw, Revert) else octets(raw, 32)
