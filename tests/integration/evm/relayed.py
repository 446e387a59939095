"""One account on a chain with relays: what its tests do with it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from adapters.evm.abi import abi_of
from adapters.evm.client import Account, ChainClient, Connection
from adapters.evm.relays import Relay
from adapters.evm.sending import Sender
from protocol.ids import SourceId
from tests.integration.levers.kills.rough import Served

CHAIN, SOON_S = "eip155:1", 0.6
OWNER = Account(b"\x51" * 32)
NOBODY, TOKEN = b"\x07" * 20, abi_of("Token")
"""A call of an address without code does nothing, and is mined."""
Story = Callable[[ChainClient], Awaitable[None]]


def tell(chain: Served, story: Story, *relays: Relay, after_s: float = 60, **way: bool) -> None:
    """`relays`: those of the chain, else its own with `after_s`."""

    async def run() -> None:
        own = relays or (Relay(CHAIN, chain.relay_url, after_s, **way),)
        seen = tuple(Connection(SourceId(f"p{i}.home"), CHAIN, chain.url) for i in (1, 2))
        client = ChainClient(seen, 1.0, own)
        try:
            with trio.fail_after(30):
                await story(client)
        finally:
            await client.aclose()

    trio.run(run)


class Told(list[str]):
    def __contains__(self, words: object) -> bool:
        return any(str(words) in line for line in self)


def sender(client: ChainClient, *, patience_s: float = 60, given_up_s: float = 60, **more) -> Sender:
    return Sender(client, CHAIN, OWNER, patience_s, 0.3, given_up_s=given_up_s, **more)


async def burn(one: Sender, deadline_s: float = 10, what: int = 1):
    return await one.transact(NOBODY, TOKEN, "burn", (what,), deadline_s)


async def begun(one: Sender, what: int = 1) -> None:
    """A life, or a step, that ends while its transaction waits."""
    with trio.move_on_after(0.5):
        await burn(one, what=what)


def mined_of(chain: Served) -> int:
    return int(chain.people.ask("eth_getTransactionCount", f"0x{OWNER.address.hex()}", "latest"), 16)


async def flies(one: Sender) -> bool:
    """One look, without waiting."""
    return await one._pool.in_flight()
