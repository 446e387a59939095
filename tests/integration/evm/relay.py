"""A relay: it keeps what it is given from every provider, and gives it to the builder of blocks when it is told."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any

from node.testnet.chain_evm import ChainError, EmbeddedChain, _SameSecondVM
from node.testnet.chain_json import octets, read_octets

HABITS = ("keeps", "builds", "swallows", "refuses", "hides", "publishes", "renames")
"""builds: at the next moment; hides: says no and keeps it; publishes: says yes, and all the world has it; renames: says
yes to another transaction."""


class PrivateRelay:
    """`publish`: how anybody sends to the chain's providers."""

    def __init__(self, chain: EmbeddedChain, publish: Callable[[str], Any]) -> None:
        self.chain, self.publish, self.habit = chain, publish, "keeps"
        self.held: list[Any] = []
        self.asked: list[str] = []

    def answer(self, body: bytes) -> bytes | None:
        asked = json.loads(body)
        self.asked.append(asked["method"])
        try:
            if asked["method"] != "eth_sendRawTransaction":
                raise ChainError(-32601, f"the method {asked['method']} is not served by this relay")
            said: dict[str, Any] = {"result": self._take(asked["params"][0])}
        except ChainError as refused:
            said = {"error": {"code": refused.code, "message": str(refused)}}
        return json.dumps({"jsonrpc": "2.0", "id": asked["id"], **said}).encode()

    def _take(self, raw: str) -> str:
        sent = _SameSecondVM.get_transaction_builder().decode(read_octets(raw))
        if self.habit == "refuses":
            raise ChainError(-32000, "not today")
        if self.habit == "publishes":
            self.publish(raw)
        elif self.habit != "swallows" and sent.hash not in {one.hash for one in self.held}:
            self.held.append(sent)
        if self.habit == "hides":
            raise ChainError(-32000, "simulation failed")
        return octets(bytes(32) if self.habit == "renames" else bytes(sent.hash))

    def tick(self) -> None:
        if self.habit == "builds":
            self.mine()

    # -- what it is told

    def behave(self, habit: str) -> str:
        self.habit = habit
        return habit

    def mine(self, *, dearest: bool = True) -> int:
        """What it holds is in blocks now, of each nonce the dearest or the first; how many."""
        ordered = sorted(self.held, key=lambda one: (one.nonce, (-1 if dearest else 1) * one.max_fee_per_gas))
        self.held, mined = [], 0
        for sent in ordered:
            with contextlib.suppress(ChainError):
                self.chain.send_raw(bytes(sent.encode()))
                mined += 1
        return mined

    def drop(self) -> int:
        lost = len(self.held)
        self.held.clear()
        return lost

    def shows(self) -> list[dict[str, Any]]:
        return [{"hash": octets(bytes(one.hash)), "nonce": one.nonce, "wei": one.max_fee_per_gas} for one in self.held]
