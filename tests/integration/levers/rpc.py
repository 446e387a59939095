"""Transactions of people in a test, one after another over JSON-RPC: plain and synchronous, so that any test can call
it, with or without a loop of its own. Levers never go this way."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from adapters.evm.abi import Abi, created_address, revert_reason
from adapters.evm.account import Account

GAS = 12_000_000
"""For every transaction: no estimate, so that one that must fail is mined as failed and says so."""
MINED_S = 20.0


class Refused(Exception):
    """A transaction that was mined and failed, or a call that reverted; the text is the contract's own word."""


@dataclass(frozen=True)
class Done:
    tx: bytes
    gas: int
    created: bytes
    """The address of a contract that this transaction would have made (sender and nonce); of no meaning else."""


@dataclass
class People:
    """Whoever holds a key, at one endpoint. Not for two threads: it counts nonces by asking."""

    url: str
    answer: Callable[[bytes], bytes | None] | None = None
    """Instead of the endpoint: a chain in this process."""
    chain_id: int = field(init=False)

    def __post_init__(self) -> None:
        self.chain_id = int(self.ask("eth_chainId"), 16)

    def ask(self, method: str, *params: Any) -> Any:
        """The result. Refused with the contract's word where a call reverts; RuntimeError for any other error."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        said = json.loads(self._post(body))
        if "error" not in said:
            return said["result"]
        data = said["error"].get("data")
        if isinstance(data, str) and data.startswith("0x"):
            raise Refused(revert_reason(bytes.fromhex(data[2:])))
        raise RuntimeError(f"{method}: {said['error']}")

    def _post(self, body: bytes) -> bytes:
        if self.answer is not None:
            return self.answer(body) or b""
        request = urllib.request.Request(self.url, body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return bytes(answer.read())

    def view(self, contract: bytes, abi: Abi, fn: str, *args: Any) -> Any:
        function = abi.function(fn)
        data = "0x" + function.encode(args).hex()
        return function.decode(bytes.fromhex(self.ask("eth_call", {"to": _hex(contract), "data": data}, "latest")[2:]))

    def do(self, who: bytes, contract: bytes, abi: Abi, fn: str, *args: Any) -> Done:
        """`who` is a private key. Refused with the contract's word where it was mined and failed."""
        return self.send(who, contract, abi.function(fn).encode(args))

    def make(self, who: bytes, bytecode: bytes, abi: Abi, args: Sequence[Any] = ()) -> bytes:
        """Deploys; the new contract's address."""
        return self.send(who, None, bytecode + abi.construct(args)).created

    def send(self, who: bytes, to: bytes | None, data: bytes) -> Done:
        account = Account(who)
        nonce = int(self.ask("eth_getTransactionCount", _hex(account.address), "latest"), 16)
        fields: dict[str, Any] = {"chainId": self.chain_id, "nonce": nonce, "gas": GAS, "value": 0, "data": data}
        fields["gasPrice"] = int(self.ask("eth_gasPrice"), 16)
        raw, tx = account.sign(fields if to is None else fields | {"to": to})
        self.ask("eth_sendRawTransaction", _hex(raw))
        receipt = self._receipt(tx)
        if int(receipt["status"], 16) != 1:
            call = {"from": _hex(account.address), "data": _hex(data)} | ({} if to is None else {"to": _hex(to)})
            self.ask("eth_call", call, "latest")  # raises with the reason
            raise Refused("it was mined and failed, and would not fail now")
        return Done(tx, int(receipt["gasUsed"], 16), created_address(account.address, nonce))

    def _receipt(self, tx: bytes) -> dict[str, Any]:
        give_up = time.monotonic() + MINED_S
        while time.monotonic() < give_up:
            receipt: dict[str, Any] | None = self.ask("eth_getTransactionReceipt", _hex(tx))
            if receipt is not None:
                return receipt
            time.sleep(0.02)  # a chain that mines by the second; the embedded one has it at once
        raise RuntimeError(f"transaction {_hex(tx)} is in no block after {MINED_S:g} s")


def _hex(data: bytes) -> str:
    return "0x" + data.hex()
