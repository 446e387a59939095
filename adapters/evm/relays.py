"""Private ways to who builds a chain's blocks: a relay is given a signed transaction and nobody else sees it before its
block. It is believed in nothing: what it says of a transaction moves nothing but to whom that is given next."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx
import trio

from adapters.catalog import RELAY_PUBLIC_AFTER_S, relays_say
from adapters.evm.abi import keccak256
from adapters.evm.errors import ChainDown, NotReached, NotSent, Unsure
from adapters.evm.link import TrioProvider

SAID_CHARS_MAX = 200
KNOWN = ("already known", "already imported")


@dataclass(frozen=True)
class Relay:
    """One relay of one chain (CAIP-2). All of a chain agree on when what they have goes public, in seconds."""

    chain: str
    url: str = field(repr=False)
    """May hold a token: never shown; errors name the host."""
    public_after_s: float = RELAY_PUBLIC_AFTER_S
    never_public: bool = False

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""


class Relays:
    """Those of one chain: what is sent goes to all of them."""

    def __init__(self, relays: tuple[Relay, ...], http: httpx.AsyncClient, timeout_s: float) -> None:
        self._relays = tuple((one, TrioProvider(http, one.url, timeout_s)) for one in relays)
        self.public_after_s = min(one.public_after_s for one in relays)
        self.never_public = any(one.never_public for one in relays)

    @property
    def says(self) -> str:
        return relays_say(len(self._relays), self.public_after_s, self.never_public)

    async def submit(self, raw: bytes) -> None:
        """To every relay. NotSent where none took it, with whose fault it is; Unsure where one may have all the
        same."""
        refused: list[str] = []
        silent: list[str] = []

        async def one(relay: Relay, provider: TrioProvider) -> None:
            try:
                said = await _said(provider, raw)
                if said:
                    refused.append(f"relay {relay.host}: {said}")
            except NotReached as away:
                refused.append(f"relay {relay.host}: {away}")
            except ChainDown as broken:
                silent.append(f"relay {relay.host}: {broken}")

        async with trio.open_nursery() as nursery:
            for relay, provider in self._relays:
                nursery.start_soon(one, relay, provider)
        if len(refused) + len(silent) == len(self._relays):
            raise (Unsure if silent else NotSent)("; ".join(sorted(refused + silent)))


async def _said(provider: TrioProvider, raw: bytes) -> str:
    """ "" where it took the transaction or had it already, else its own reason. ChainDown where nobody can tell."""
    call = {"jsonrpc": "2.0", "id": 1, "method": "eth_sendRawTransaction", "params": ["0x" + raw.hex()]}
    answer: Any = await provider.post(json.dumps(call).encode())
    if type(answer) is not dict:
        raise ChainDown("an answer that is no JSON-RPC answer")
    error = answer.get("error")
    if error is not None:
        text = str(error.get("message") or "" if type(error) is dict else error)[:SAID_CHARS_MAX]
        return "" if any(known in text.lower() for known in KNOWN) else text or "refused without a reason"
    if str(answer.get("result")).lower() != "0x" + keccak256(raw).hex():
        raise ChainDown("it names another transaction than the one it was given")
    return ""
