"""Several reads of one verification, and which connections stand behind all of them."""

from __future__ import annotations

from typing import Any

from adapters.evm.client import ChainClient
from adapters.evm.errors import ChainDown
from adapters.evm.wire import Ask, Block, Revert
from protocol.ids import SourceId


class Trail:
    """Reads through the client; a source counts only where it agreed on every read of its chain."""

    def __init__(self, client: ChainClient) -> None:
        self._client = client
        self._agreed: dict[str, tuple[SourceId, ...]] = {}

    async def read(self, chain: str, *asks: Ask[Any]) -> tuple[Any, ...]:
        read = await self._client.read(chain, *asks)
        self._keep(chain, read.sources)
        return read.value

    async def block(self, chain: str, wanted: int | None = None) -> Block:
        read = await self._client.block(chain, wanted)
        self._keep(chain, read.sources)
        return read.value

    def _keep(self, chain: str, sources: tuple[SourceId, ...]) -> None:
        known = self._agreed.get(chain, sources)
        self._agreed[chain] = tuple(source for source in known if source in sources)
        if not self._agreed[chain]:
            raise ChainDown(f"no one connection to {chain} answered every question of this verification; ask again")

    @property
    def sources(self) -> tuple[SourceId, ...]:
        return tuple(source for chain in sorted(self._agreed) for source in self._agreed[chain])


def held(value: Any) -> int:
    """A number that a view gave; 0 where the contract refused or was not there yet: it held nothing then."""
    return 0 if isinstance(value, Revert) else int(value)
