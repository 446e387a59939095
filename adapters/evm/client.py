"""The door to EVM chains: several connections to one chain that must agree, and the relays that are spoken to alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import httpx
import trio

from adapters.evm.abi import Abi
from adapters.evm.account import Account as Account  # the door shows these
from adapters.evm.errors import ChainDown, ChainError, NotSeen, NotSent, ProvidersDisagree, Reverted
from adapters.evm.link import TIMEOUT_S as TIMEOUT_S
from adapters.evm.link import Connection as Connection
from adapters.evm.link import Link
from adapters.evm.link import TrioProvider as TrioProvider
from adapters.evm.relays import Relay, Relays
from adapters.evm.wire import (
    Ask,
    Block,
    Log,
    Read,
    Receipt,
    Revert,
    ask_balance,
    ask_block,
    ask_call,
    ask_logs,
    ask_receipt,
)
from protocol.ids import SourceId


class ChainClient:
    """Reads that all connections to a chain must agree on. Use on trio; close with `aclose`."""

    def __init__(
        self, connections: tuple[Connection, ...], timeout_s: float = TIMEOUT_S, relays: tuple[Relay, ...] = ()
    ) -> None:
        urls = [one.url for one in connections] + [one.url for one in relays]
        tls = any(url.startswith("https:") for url in urls)
        limits = httpx.Limits(max_connections=64, max_keepalive_connections=32, keepalive_expiry=30)
        # loading the system's certificates takes 30 ms and is of no use on plain HTTP
        self._http = httpx.AsyncClient(timeout=timeout_s, trust_env=False, limits=limits, verify=tls)
        self._links: dict[str, list[Link]] = {}
        self._heads: dict[str, tuple[float, Read[Block]]] = {}
        for connection in connections:
            self._links.setdefault(connection.chain, []).append(Link(connection, self._http, timeout_s))
        self._relays = {
            chain: Relays(tuple(one for one in relays if one.chain == chain), self._http, timeout_s)
            for chain in {one.chain for one in relays}
        }

    async def aclose(self) -> None:
        await self._http.aclose()

    @property
    def chains(self) -> frozenset[str]:
        return frozenset(self._links)

    def links(self, chain: str) -> list[Link]:
        """Those to ask now: the ones that failed a moment ago rest while another one is well."""
        known = self._links.get(chain)
        if not known:
            raise ChainDown(f"no connection of ours sees {chain}; add a [[connection]] for it")
        now_s = trio.current_time()
        return [link for link in known if now_s >= link.rests_until] or known

    def relays(self, chain: str) -> Relays | None:
        """Whom alone a transaction is given at first; None: the connections."""
        return self._relays.get(chain)

    def health(self) -> str:
        """ "" where every connection is well, else each that is not and why."""
        said = [link.health() for links in self._links.values() for link in links]
        return "; ".join(one for one in said if one)

    def probes(self) -> dict[str, Callable[[], Awaitable[str]]]:
        """Connection id → its probe."""
        return {str(link.connection.source_id): link.probe for links in self._links.values() for link in links}

    async def every(
        self, chain: str, asks: Sequence[Ask[Any]]
    ) -> tuple[dict[SourceId, tuple[Any, ...]], list[ChainError]]:
        """What each connection answers by itself, and the faults of those that did not."""
        found: dict[SourceId, tuple[Any, ...]] = {}
        faults: list[ChainError] = []

        async def one(link: Link) -> None:
            try:
                found[link.connection.source_id] = await link.ask(asks)
            except ChainError as broken:
                faults.append(broken)

        links = self.links(chain)
        if len(links) == 1:
            await one(links[0])
        else:
            async with trio.open_nursery() as nursery:
                for link in links:
                    nursery.start_soon(one, link)
        # the configured order, so that equal knowledge gives equal source lists
        return {
            link.connection.source_id: found[link.connection.source_id]
            for link in links
            if link.connection.source_id in found
        }, faults

    async def read(self, chain: str, *asks: Ask[Any]) -> Read[tuple[Any, ...]]:
        """One batch to every connection; all that answer must say the same. ChainDown, ProvidersDisagree, NotSeen."""
        answers, faults = await self.every(chain, asks)
        if not answers:
            raise _worst(chain, faults)
        if _agree(answers):
            return Read(next(iter(answers.values())), tuple(answers))
        if any(ask.height is not None for ask in asks):
            # heads may be a block apart: ask again of one that all of them have
            common = (await self.block(chain)).value.number
            return await self.read(chain, *(ask.pinned(common) for ask in asks))
        raise ProvidersDisagree(
            f"{' and '.join(answers)} disagree on {', '.join(sorted({ask.method for ask in asks}))} of {chain}; "
            "one of them is wrong: compare them with a third"
        )

    async def block(self, chain: str, wanted: int | None = None) -> Read[Block]:
        """A block by number (NotSeen where the chain has not got there), or the highest that all have got to."""
        if wanted is not None:
            read = await self.read(chain, ask_block(wanted))
            if read.value[0] is None:
                raise NotSeen(f"{chain} as seen from here has no block {wanted} yet")
            return Read(read.value[0], read.sources)
        answers, faults = await self.every(chain, [ask_block()])
        heads = {source: block for source, (block,) in answers.items() if block is not None}
        if not heads:
            raise _worst(chain, faults)
        if _agree(heads):
            head = Read(next(iter(heads.values())), tuple(heads))
        else:
            head = await self.block(chain, min(block.number for block in heads.values()))
        self._heads[chain] = (trio.current_time(), head)
        return head

    async def head(self, chain: str, max_age_s: float) -> Read[Block]:
        """The head as read not longer ago than that: several sensors share one poll."""
        read_s, head = self._heads.get(chain, (float("-inf"), None))
        if head is not None and trio.current_time() - read_s <= max_age_s:
            return head
        return await self.block(chain)

    async def call(
        self, chain: str, contract: bytes, abi: Abi, fn: str, args: Sequence[Any] = (), block: int | None = None
    ) -> Read[Any]:
        """A view's decoded result. Reverted where the contract refuses or is not there."""
        read = await self.read(chain, ask_call(contract, abi, fn, args, block=block))
        if isinstance(read.value[0], Revert):
            raise Reverted(read.value[0].reason, f"{fn} of 0x{contract.hex()} on {chain}")
        return Read(read.value[0], read.sources)

    async def logs(
        self, chain: str, address: bytes, topics: Sequence[bytes | None], first_block: int, last_block: int
    ) -> Read[tuple[Log, ...]]:
        read = await self.read(chain, ask_logs(address, topics, first_block, last_block))
        return Read(read.value[0], read.sources)

    async def receipt(self, chain: str, tx: bytes) -> Read[Receipt | None]:
        read = await self.read(chain, ask_receipt(tx))
        return Read(read.value[0], read.sources)

    async def balance(self, chain: str, account: bytes) -> Read[int]:
        read = await self.read(chain, ask_balance(account))
        return Read(read.value[0], read.sources)

    async def submit(self, chain: str, raw: bytes) -> None:
        """To every connection, so that one that swallows it cannot hold it back. NotSent where none took it."""
        said: dict[SourceId, str] = {}

        async def one(link: Link) -> None:
            said[link.connection.source_id] = await link.submit(raw)

        async with trio.open_nursery() as nursery:
            for link in self.links(chain):
                nursery.start_soon(one, link)
        if all(said.values()):
            raise NotSent("; ".join(f"{source}: {text}" for source, text in sorted(said.items())))


def _agree(answers: dict[SourceId, Any]) -> bool:
    first, *others = answers.values()
    return all(other == first for other in others)


def _worst(chain: str, faults: list[ChainError]) -> ChainError:
    said = "; ".join(str(fault) for fault in faults) or "no connection has a block"
    if faults and all(isinstance(fault, NotSeen) for fault in faults):
        return NotSeen(said)
    return ChainDown(f"{chain} gives no answer: {said}")
