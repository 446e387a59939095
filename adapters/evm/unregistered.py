"""Connections without a configuration: endpoints that somebody names on the command line."""

from __future__ import annotations

from collections.abc import Sequence

import httpx

from adapters.evm.client import TIMEOUT_S, Connection, TrioProvider
from adapters.evm.errors import ChainDown
from adapters.evm.wire import number
from protocol.ids import SourceId


async def connections_of(urls: Sequence[str]) -> tuple[Connection, ...]:
    """All of one chain, which they are asked for. ChainDown where they serve none, or several."""
    served = [await _chain_of(place, url) for place, url in enumerate(urls, start=1)]
    if len(set(served)) != 1:
        raise ChainDown(f"the endpoints serve several chains ({', '.join(sorted(set(served)))}); name one chain's")
    return tuple(Connection(SourceId(f"rpc-{place}"), served[0], url) for place, url in enumerate(urls, start=1))


async def _chain_of(place: int, url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise ChainDown(f"--rpc number {place} is no http:// or https:// address")
    async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False) as http:
        try:
            answer = await TrioProvider(http, url, TIMEOUT_S).make_request("eth_chainId", [])
            return f"eip155:{number(answer['result'])}"
        except ChainDown as broken:
            raise ChainDown(f"--rpc number {place}: {broken}") from None
        except (KeyError, TypeError, ValueError):
            raise ChainDown(f"--rpc number {place} does not say which chain it serves") from None
