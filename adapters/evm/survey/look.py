"""The surveyor's eyes: views of contracts that may be anything, and calls tried as somebody else. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapters.evm.abi import keccak256
from adapters.evm.client import ChainClient
from adapters.evm.errors import ChainDown, NotSeen
from adapters.evm.survey.fragments import fragment
from adapters.evm.wire import Ask, Log, Revert, ask_call, ask_code, ask_logs, ask_storage

NOBODY = bytes(20)
STRANGER = keccak256(b"tocsin survey: a stranger")[12:]
"""Has no right anywhere: what is taken from it needs none."""
SPAN_BLOCKS = 1 << 20
SPAN_BLOCKS_MIN = 256
LOGS_ASKED_MAX = 512
"""Questions for one history: a provider that answers for few blocks at a time is not asked for ever."""
TEXT_CHARS_MAX = 32
IMPLEMENTATION_SLOT = (int.from_bytes(keccak256(b"eip1967.proxy.implementation")) - 1).to_bytes(32)
ADMIN_SLOT = (int.from_bytes(keccak256(b"eip1967.proxy.admin")) - 1).to_bytes(32)
"""ERC-1967."""


class Looker:
    """On one chain, by all connections to it, which must agree. Raises ChainError where they do not answer."""

    def __init__(self, client: ChainClient, chain: str, extra: Sequence[bytes] = (), since_block: int = 0) -> None:
        self.client, self.chain = client, chain
        self.extra = tuple(extra)
        """Addresses to be tried as holders too, whatever events say."""
        self.since_block = since_block
        self.sources: tuple[str, ...] = ()
        self.head = 0

    async def begin(self) -> None:
        read = await self.client.block(self.chain)
        self.head, self.sources = read.value.number, tuple(map(str, read.sources))

    async def _read(self, *asks: Ask[Any]) -> tuple[Any, ...]:
        read = await self.client.read(self.chain, *asks)
        return read.value

    async def views(self, address: bytes, *calls: str | tuple[str, Sequence[Any]]) -> list[Any]:
        """What each says; None where the contract has no such function, refuses, or answers something else."""
        asked = [(one, ()) if isinstance(one, str) else one for one in calls]
        return [None if isinstance(one, Revert) else one for one in await self._tolerant(address, asked)]

    async def _tolerant(self, address: bytes, asked: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """A contract that is something else answers with bytes of another shape: that is no fault of the provider."""
        asks = [_view(address, text, args) for text, args in asked]
        return list(await self._read(*asks))

    async def view(self, address: bytes, call: str, *args: Any) -> Any:
        (found,) = await self.views(address, (call, args))
        return found

    async def code(self, *addresses: bytes) -> list[bytes]:
        return list(await self._read(*(ask_code(one) for one in addresses)))

    async def slot(self, address: bytes, slot: bytes) -> bytes:
        (found,) = await self._read(ask_storage(address, slot))
        return bytes(found)

    async def tries(self, to: bytes, text: str, args: Sequence[Any], *senders: bytes) -> list[str]:
        """The very call as an eth_call of each: "" where it was taken, else why not."""
        abi, name = fragment(text)
        answers = await self._read(*(ask_call(to, abi, name, args, sender=one) for one in senders))
        return [(one.reason or "refused") if isinstance(one, Revert) else "" for one in answers]

    async def text(self, address: bytes, call: str) -> str:
        """A name or symbol, as text of printable characters; "" for none. Some tokens give it as bytes32."""
        found = await self.view(address, f"{call}() string")
        if found is None:
            raw = await self.view(address, f"{call}() bytes32")
            found = raw.rstrip(b"\0").decode("utf-8", "replace") if isinstance(raw, bytes) else ""
        return "".join(one for one in str(found) if one.isprintable())[:TEXT_CHARS_MAX]

    async def logs(self, address: bytes, topic: bytes) -> tuple[Log, ...] | None:
        """All of one event since `since_block`; None where the providers do not give so much of the past."""
        found: list[Log] = []
        first, span = self.since_block, SPAN_BLOCKS
        for _ in range(LOGS_ASKED_MAX):
            if first > self.head:
                return tuple(found)
            last = min(self.head, first + span - 1)
            try:
                (part,) = await self._read(ask_logs(address, [topic], first, last))
            except (ChainDown, NotSeen):
                if span <= SPAN_BLOCKS_MIN:
                    return None
                span //= 8
                continue
            found += part
            first = last + 1
        return None


def _view(address: bytes, text: str, args: Sequence[Any]) -> Ask[Any]:
    abi, name = fragment(text)
    asked = ask_call(address, abi, name, args)

    def parse(raw: Any) -> Any:
        try:
            return asked.parse(raw)
        except ValueError:
            return Revert("an answer of another shape")

    return Ask(asked.method, asked.params, parse, asked.height)


def as_address(raw: Any) -> bytes | None:
    """None for what is no address, and for the zero address."""
    return raw if isinstance(raw, bytes) and len(raw) == 20 and raw != NOBODY else None
