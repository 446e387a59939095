"""A chain as the world treats one: transactions that wait, blocks that are taken back, fees that rise, an account
without money, and a second provider that lags, lies or is away. The embedded chain in a process of its own."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import signal
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import trio

from node.testnet.chain_evm import ChainError, EmbeddedChain, _SameSecondVM
from node.testnet.chain_http import serve_http
from node.testnet.chain_json import octets, quantity, read_octets
from node.testnet.chain_rpc import Rpc
from tests.integration.evm.relay import PrivateRelay
from tests.integration.levers.rpc import People

HEAD = ("pending",)
TICK_S = 0.25


class Rough:
    """One chain behind two providers: `honest` is the first; the second is what `second` says."""

    def __init__(self, chain: EmbeddedChain) -> None:
        self.chain, self.floor = chain, len(chain.blocks)
        self.pool: list[Any] = []
        self.holding, self.dear, self.poor = False, False, b""
        self.least_wei = 0
        self.second, self.ahead_s = "honest", 0
        self.behind: Rpc | None = None
        self.rpc = Rpc(chain)
        self.relay = PrivateRelay(chain, self._send)
        known = dict(self.rpc._methods)
        self.rpc._methods |= {
            "eth_sendRawTransaction": self._send,
            "eth_getTransactionCount": lambda who, tag="latest": self._count(known, who, tag),
            "eth_getBalance": lambda who, tag="latest": self._balance(known, who, tag),
            "rough_hold": self._hold,
            "rough_drop": self._drop,
            "rough_price": self._price,
            "rough_reorganise": self._reorganise,
            "rough_set": self._set,
            "rough_final": self._final,
            "rough_pass": self._pass,
            "relay_behave": self.relay.behave,
            "relay_mine": lambda dearest: self.relay.mine(dearest=dearest),
            "relay_drop": self.relay.drop,
            "relay_shows": self.relay.shows,
            "relay_asked": lambda: self.relay.asked,
            "rough_shows": lambda: [octets(bytes(one.hash)) for one in self.pool],
        }

    # -- transactions

    def _send(self, raw: Any) -> str:
        sent = _SameSecondVM.get_transaction_builder().decode(read_octets(raw))
        if sent.hash in self.chain.place_of_tx or any(one.hash == sent.hash for one in self.pool):
            raise ChainError(-32000, "already known")
        if self.dear:
            raise ChainError(-32000, "max fee per gas less than block base fee")
        if bytes(sent.sender) == self.poor:
            raise ChainError(-32000, "insufficient funds for gas * price + value")
        if not self.holding and not self.pool and sent.max_fee_per_gas >= self.least_wei:
            return octets(self.chain.send_raw(read_octets(raw)))
        self._replace(sent)
        return octets(bytes(sent.hash))

    def _replace(self, sent: Any) -> None:
        """As pools do: of one account and nonce the one that pays a tenth more."""
        rival = next((one for one in self.pool if (one.sender, one.nonce) == (sent.sender, sent.nonce)), None)
        if rival is not None:
            if sent.max_fee_per_gas * 10 < rival.max_fee_per_gas * 11:
                raise ChainError(-32000, "replacement transaction underpriced")
            self.pool.remove(rival)
        elif sent.nonce != self._pending(bytes(sent.sender)):
            raise ChainError(
                -32000, "nonce too low" if sent.nonce < self._pending(bytes(sent.sender)) else "nonce too high"
            )
        self.pool.append(sent)

    def _pending(self, who: bytes) -> int:
        nonce = self.chain.nonce(who, len(self.chain.blocks) - 1)
        waiting = {one.nonce for one in self.pool if bytes(one.sender) == who}
        while nonce in waiting:
            nonce += 1
        return nonce

    def _count(self, known: dict[str, Callable[..., Any]], who: Any, tag: Any) -> str:
        return (
            quantity(self._pending(read_octets(who, 20))) if tag in HEAD else known["eth_getTransactionCount"](who, tag)
        )

    def _balance(self, known: dict[str, Callable[..., Any]], who: Any, tag: Any) -> str:
        return "0x0" if read_octets(who, 20) == self.poor else known["eth_getBalance"](who, tag)

    def tick(self) -> None:
        """What waits is mined in the order of nonces, and what no block takes any more is forgotten."""
        self.relay.tick()
        if not self.holding:
            waiting, self.pool = sorted(self.pool, key=lambda one: one.nonce), []
            for sent in waiting:
                if sent.max_fee_per_gas < self.least_wei:
                    self.pool.append(sent)
                    continue
                with contextlib.suppress(ChainError):
                    self.chain.send_raw(bytes(sent.encode()))
        self.chain.tick()

    # -- what happens to it

    def _hold(self, held: bool) -> bool:
        self.holding = held
        return True

    def _price(self, least_wei: int) -> int:
        """Blocks take nothing that offers less for a unit of gas; it waits in the pool."""
        self.least_wei = least_wei
        return len(self.pool)

    def _drop(self) -> int:
        """What waits is lost."""
        lost = len(self.pool)
        self.pool.clear()
        return lost

    def _set(self, dear: bool, poor: Any, second: str) -> bool:
        self.dear, self.poor, self.second = dear, read_octets(poor), second
        self.behind = self._snapshot() if second == "lags" else None
        return True

    def _pass(self, seconds: int) -> int:
        """The chain's clock goes ahead, and with it the next block."""
        self.ahead_s += seconds
        self.chain.clock = lambda: time.time() + self.ahead_s
        return int(self.chain.mine().header.timestamp)

    def _final(self) -> int:
        """No block so far is taken back any more."""
        self.floor = len(self.chain.blocks)
        return self.floor

    def _reorganise(self, depth: int, kept: bool) -> int:
        """The last blocks are others now; their transactions wait again, or are lost. How many there were."""
        chain = self.chain
        first = max(self.floor, len(chain.blocks) - depth)
        gone = chain.blocks[first:]
        del chain.blocks[first:]
        for block in gone:
            chain.number_of_hash.pop(block.header.hash, None)
            for sent in block.transactions:
                chain.place_of_tx.pop(sent.hash, None)
        chain._states.clear()
        chain._called.clear()
        del self.rpc._logs[first:]
        taken = [sent for block in gone for sent in block.transactions]
        for _ in range(len(gone)):
            chain.mine()
        self.pool += taken if kept else []
        return len(taken)

    # -- the second provider

    def _snapshot(self) -> Rpc:
        old = copy.copy(self.chain)
        old.blocks, old.number_of_hash = list(old.blocks), dict(old.number_of_hash)
        old.place_of_tx, old._states, old._called = dict(old.place_of_tx), OrderedDict(), {}
        rpc = Rpc(old)
        rpc._methods["eth_sendRawTransaction"] = self._send
        return rpc

    def answer_second(self, body: bytes) -> bytes | None:
        if self.second == "away":
            return b"no"
        if self.second == "lags" and self.behind is not None:
            return self.behind.answer(body)
        found = self.rpc.answer(body)
        return _lied(body, found) if self.second == "lies" and found else found


def _lied(body: bytes, found: bytes) -> bytes:
    """Flags are the other way round, nothing was ever told, nothing was ever mined."""
    asked, said = json.loads(body), json.loads(found)
    many = isinstance(asked, list)
    for question, answer in zip(asked if many else [asked], said if many else [said]):
        if "result" not in answer:
            continue
        method, result = question["method"], answer["result"]
        if method == "eth_getLogs":
            answer["result"] = []
        elif method in ("eth_getTransactionReceipt", "eth_getTransactionByHash"):
            answer["result"] = None
        elif method == "eth_call" and len(result) >= 66:
            answer["result"] = result[:-1] + format(int(result[-1], 16) ^ 1, "x")
    return json.dumps(said).encode()


@dataclass(frozen=True)
class Served:
    """Two providers of one rough chain."""

    url: str
    second_url: str
    pid: int
    relay_url: str

    @property
    def people(self) -> People:
        return People(self.url)

    def hold(self, held: bool) -> None:
        self.people.ask("rough_hold", held)

    def price(self, least_wei: int) -> None:
        self.people.ask("rough_price", least_wei)

    def drop(self) -> int:
        return int(self.people.ask("rough_drop"))

    def waits(self) -> list[str]:
        """What providers know to wait."""
        return list(self.people.ask("rough_shows"))

    def relay(self, habit: str) -> None:
        """Of `relay.HABITS`."""
        self.people.ask("relay_behave", habit)

    def relay_mines(self, *, dearest: bool = True) -> int:
        return int(self.people.ask("relay_mine", dearest))

    def relay_drops(self) -> int:
        return int(self.people.ask("relay_drop"))

    def at_relay(self) -> list[dict[str, Any]]:
        return list(self.people.ask("relay_shows"))

    def reorganise(self, depth: int, kept: bool) -> int:
        return int(self.people.ask("rough_reorganise", depth, kept))

    def pass_time(self, seconds: int) -> None:
        self.people.ask("rough_pass", seconds)

    def final(self) -> None:
        self.people.ask("rough_final")

    def set(self, dear: bool = False, poor: bytes = b"", second: str = "honest") -> None:
        self.people.ask("rough_set", dear, "0x" + poor.hex(), second)

    def stop(self) -> None:
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)


async def _serve(rough: Rough, ready_fd: int, parent: int) -> None:
    first, second, third = [await trio.open_tcp_listeners(0, host="127.0.0.1") for _ in range(3)]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_http, first, lambda body: rough.rpc.answer(body))
        nursery.start_soon(serve_http, second, rough.answer_second)
        nursery.start_soon(serve_http, third, rough.relay.answer)
        ports = [one[0].socket.getsockname()[1] for one in (first, second, third)]
        os.write(ready_fd, json.dumps(ports).encode())
        os.close(ready_fd)
        while os.getppid() == parent:
            rough.tick()
            await trio.sleep(TICK_S)
        nursery.cancel_scope.cancel()


def serve(chain: EmbeddedChain) -> Served:
    """A rough copy of the chain as it is now, until `stop` or this process's end."""
    reader, writer = os.pipe()
    parent, child = os.getpid(), os.fork()
    if not child:
        with contextlib.suppress(BaseException):
            os.close(reader)
            trio.run(_serve, Rough(chain), writer, parent)
        os._exit(0)
    os.close(writer)
    try:
        first, second, third = json.loads(os.read(reader, 64))
    finally:
        os.close(reader)
    return Served(f"http://127.0.0.1:{first}", f"http://127.0.0.1:{second}", child, f"http://127.0.0.1:{third}")


@contextlib.contextmanager
def serving(chain: EmbeddedChain) -> Iterator[Served]:
    served = serve(chain)
    try:
        yield served
    finally:
        served.stop()
