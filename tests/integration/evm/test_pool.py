"""Gas becomes dear while a transaction is on its way: it is pushed under its own nonce, and what another life of the
node left stuck is replaced; each time one transaction is mined, once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator

import pytest
import trio

from adapters.evm.abi import abi_of
from adapters.evm.client import Account, ChainClient, Connection
from adapters.evm.errors import NotMined, NotSent
from adapters.evm.sending import Sender
from node.testnet.chain_evm import EmbeddedChain
from protocol.ids import SourceId
from tests.integration.levers.kills.rough import Served, serving

OWNER = Account(b"\x51" * 32)
NOBODY, TOKEN = b"\x07" * 20, abi_of("Token")
"""A call of an address without code does nothing, and is mined."""
GWEI = 10**9
DEAR = 4 * GWEI
SPOILT = 5_000 * GWEI
"""More than any price that is paid."""


@pytest.fixture
def chain() -> Iterator[Served]:
    with serving(EmbeddedChain(1, {OWNER.address: 10**21})) as one:
        yield one


def tell(chain: Served, story: Callable[[ChainClient], Awaitable[None]], second: str = "") -> None:
    async def run() -> None:
        urls = {"p1": chain.url, "p2": second or chain.url}
        client = ChainClient(tuple(Connection(SourceId(f"{who}.home"), "eip155:1", url) for who, url in urls.items()))
        try:
            with trio.fail_after(30):
                await story(client)
        finally:
            await client.aclose()

    trio.run(run)


def sender(client: ChainClient, patience_s: float = 0.3, stuck_s: float = 0.3) -> Sender:
    return Sender(client, "eip155:1", OWNER, patience_s, stuck_s)


async def burn(one: Sender, deadline_s: float = 10):
    return await one.transact(NOBODY, TOKEN, "burn", (1,), deadline_s)


def mined_of(chain: Served) -> int:
    return int(chain.people.ask("eth_getTransactionCount", f"0x{OWNER.address.hex()}", "latest"), 16)


def test_what_became_too_cheap_is_pushed_until_a_block_takes_it(chain: Served):
    async def story(client: ChainClient) -> None:
        chain.price(DEAR)
        receipt = await burn(sender(client))
        found = chain.people.ask("eth_getTransactionByHash", f"0x{receipt.tx.hex()}")
        assert int(found["maxFeePerGas"], 16) >= DEAR and mined_of(chain) == 1

    tell(chain, story)


def test_what_one_step_could_not_wait_for_the_next_look_pushes(chain: Served):
    async def story(client: ChainClient) -> None:
        chain.price(DEAR)
        one = sender(client)
        with trio.move_on_after(0.2) as given_up:
            await burn(one)
        assert given_up.cancelled_caught
        assert await until_clear(one)
        assert mined_of(chain) == 1

    tell(chain, story)


def test_there_is_an_end_to_what_is_paid(chain: Served):
    async def story(client: ChainClient) -> None:
        chain.price(SPOILT)
        with pytest.raises(NotMined, match="may still be"):
            await burn(sender(client, patience_s=0.02), deadline_s=1.5)
        assert mined_of(chain) == 0

    tell(chain, story)


async def left_stuck(client: ChainClient, times: int = 1) -> None:
    """By a life that has ended."""
    for _ in range(times):
        with trio.move_on_after(0.2):
            await burn(sender(client, patience_s=60))


async def until_clear(one: Sender) -> bool:
    """Whether anything was in the way at first."""
    waited = False
    while await one.in_flight():
        waited = True
        await trio.sleep(0.05)
    return waited


def test_what_an_earlier_life_left_stuck_is_replaced_by_what_is_sent_next(chain: Served):
    async def story(client: ChainClient) -> None:
        chain.price(DEAR)
        await left_stuck(client)
        one = sender(client)
        assert await until_clear(one)
        await burn(one)
        assert mined_of(chain) == 1

    tell(chain, story)


def test_of_several_that_were_left_none_is_replaced(chain: Served):
    """Nobody knows which of them is whose: to replace one would let what is sent now stand there twice."""

    async def story(client: ChainClient) -> None:
        chain.price(SPOILT)
        await left_stuck(client, 2)
        with trio.move_on_after(1) as scope:
            await until_clear(sender(client))
        assert scope.cancelled_caught

    tell(chain, story)


def test_what_is_mined_meanwhile_is_not_replaced(chain: Served):
    async def story(client: ChainClient) -> None:
        chain.hold(True)
        await left_stuck(client)
        one = sender(client)
        assert await until_clear(one)
        chain.hold(False)
        await trio.sleep(0.6)
        assert not await one.in_flight()
        await burn(one)
        assert mined_of(chain) == 2

    tell(chain, story)


def test_what_a_provider_that_lags_has_not_seen_of_ours_is_waited_for(chain: Served):
    """All agree on what stood before it: by that it would be sent once more."""

    async def story(client: ChainClient) -> None:
        chain.set(second="lags")
        with trio.move_on_after(0.3):
            await burn(sender(client, patience_s=60))
        assert mined_of(chain) == 1
        assert await sender(client, patience_s=60).in_flight()
        chain.set()
        assert not await sender(client, patience_s=60).in_flight()

    tell(chain, story, chain.second_url)


def test_a_provider_that_lags_for_good_holds_nothing_up(chain: Served):
    async def story(client: ChainClient) -> None:
        chain.set(second="lags")
        with trio.move_on_after(0.3):
            await burn(sender(client, patience_s=60))
        assert await until_clear(sender(client))

    tell(chain, story, chain.second_url)


def test_a_place_that_is_gone_meanwhile_holds_up_nobody_who_sends_without_a_look(chain: Served):
    async def story(client: ChainClient) -> None:
        chain.price(DEAR)
        await left_stuck(client)
        one = sender(client)
        assert await until_clear(one)
        chain.price(0)
        await trio.sleep(0.6)  # it is mined after all
        with pytest.raises(NotSent):
            await burn(one)
        await burn(one)
        assert mined_of(chain) == 2

    tell(chain, story)
