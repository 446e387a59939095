"""Transactions that relays alone are given: no provider knows of one before its block, and whatever the relays do it is
mined once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import trio

from adapters.evm.client import ChainClient, Connection
from adapters.evm.errors import NotMined, NotSent
from adapters.evm.relays import Relay
from adapters.evm.sending import Sender
from node.testnet.chain_evm import EmbeddedChain
from protocol.ids import SourceId
from tests.integration.evm.fake import Fake, client_of, dead_url
from tests.integration.evm.relayed import (
    CHAIN,
    NOBODY,
    OWNER,
    SOON_S,
    TOKEN,
    Told,
    begun,
    burn,
    flies,
    mined_of,
    sender,
    tell,
)
from tests.integration.levers.kills.rough import Served, serving


@pytest.fixture
def chain() -> Iterator[Served]:
    with serving(EmbeddedChain(1, {OWNER.address: 10**21})) as one:
        yield one


def test_no_provider_knows_of_it_before_its_block(chain: Served):
    async def story(client: ChainClient) -> None:
        chain.hold(True)  # what providers were given would stay in sight
        async with trio.open_nursery() as nursery:
            nursery.start_soon(burn, sender(client))
            await trio.sleep(0.5)
            (held,) = chain.at_relay()
            assert chain.waits() == [] and chain.people.ask("eth_getTransactionByHash", held["hash"]) is None
            assert chain.relay_mines() == 1
        assert mined_of(chain) == 1 and chain.waits() == []

    tell(chain, story)


def test_a_relay_is_asked_for_nothing_else(chain: Served):
    async def story(client: ChainClient) -> None:
        chain.relay("builds")
        await burn(sender(client))
        assert set(chain.people.ask("relay_asked")) == {"eth_sendRawTransaction"}

    tell(chain, story)


def test_what_is_not_mined_in_time_goes_public_and_that_is_told(chain: Served):
    async def story(client: ChainClient) -> None:
        told = Told()
        receipt = await burn(sender(client, log=told.append))
        (held,) = chain.at_relay()
        assert held["hash"] == f"0x{receipt.tx.hex()}", "the same bytes"
        assert mined_of(chain) == 1 and "public now, 1 s after it was sent" in told

    tell(chain, story, after_s=SOON_S)


@pytest.mark.parametrize("habit", ["swallows", "publishes"])
def test_a_relay_that_says_yes_and_does_something_else_holds_nothing_up(chain: Served, habit: str):
    async def story(client: ChainClient) -> None:
        chain.relay(habit)
        await burn(sender(client))
        assert mined_of(chain) == 1

    tell(chain, story, after_s=SOON_S)


@pytest.mark.parametrize("habit", ["refuses", "hides", "renames"])
def test_where_no_relay_takes_it_it_goes_public_at_once(chain: Served, habit: str):
    async def story(client: ChainClient) -> None:
        told = Told()
        chain.relay(habit)
        await burn(sender(client, log=told.append), 2)
        chain.relay_mines()
        assert mined_of(chain) == 1 and "no relay has taken it, so it goes public at once: relay 127.0.0.1: " in told

    tell(chain, story)


@pytest.mark.parametrize("fault", ["down", "garbage", "hangs", "500", "a list"])
def test_a_relay_that_gives_no_answer_costs_its_time_limit_and_no_more(chain: Served, fault: str):
    fakes = {
        "garbage": Fake(raw=b"<html>"),
        "hangs": Fake(delay_s=9),
        "500": Fake(status=500),
        "a list": Fake(raw=b"[1]"),
    }

    async def run() -> None:
        async with client_of(fakes.get(fault, await dead_url())) as other:
            (link,) = other.links(CHAIN)
            relay = Relay(CHAIN, link.connection.url, 60)
            client = ChainClient((Connection(SourceId("p1.home"), CHAIN, chain.url),), 1.0, (relay,))
            with trio.fail_after(4):
                await burn(sender(client))
            await client.aclose()
        assert mined_of(chain) == 1

    trio.run(run)


def test_one_relay_that_takes_it_is_enough(chain: Served):
    async def story(client: ChainClient) -> None:
        chain.hold(True)
        await begun(sender(client))
        assert len(chain.at_relay()) == 1 and chain.waits() == []

    dead = trio.run(dead_url)
    tell(chain, story, Relay(CHAIN, dead, 60), Relay(CHAIN, chain.relay_url, 60))


def test_never_public_says_whose_fault_it_is_and_sends_nothing(chain: Served):
    async def story(client: ChainClient) -> None:
        chain.relay("refuses")
        with pytest.raises(
            NotSent, match=r"no relay of eip155:1 takes it.*never go public: relay 127.0.0.1: not today"
        ):
            await burn(sender(client))
        assert not await flies(sender(client)) and mined_of(chain) == 0

    tell(chain, story, after_s=SOON_S, never_public=True)


def test_what_never_goes_public_is_given_up_and_its_nonce_used_again(chain: Served):
    async def story(client: ChainClient) -> None:
        told, chain_sees = Told(), mined_of(chain)
        chain.relay("swallows")
        one = sender(client, given_up_s=1.2, log=told.append)
        with pytest.raises(NotMined, match="relays alone have it so far"):
            await burn(one, 0.6)
        assert await flies(one) and chain.waits() == []
        await trio.sleep(0.8)
        assert not await flies(one) and "its nonce is used again" in told
        chain.relay("builds")
        await burn(one)
        assert mined_of(chain) == chain_sees + 1

    tell(chain, story, after_s=SOON_S, never_public=True)


def test_two_at_once_have_two_nonces(chain: Served):
    async def story(client: ChainClient) -> None:
        one = sender(client)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(burn, one, 10, 1)
            nursery.start_soon(burn, one, 10, 2)
            await trio.sleep(0.6)
            assert [held["nonce"] for held in chain.at_relay()] == [0, 1]
            chain.relay_mines()
        assert mined_of(chain) == 2

    tell(chain, story)


def test_a_later_one_that_goes_public_takes_those_before_it_along(chain: Served):
    """Behind a gap nothing is mined."""

    async def story(client: ChainClient) -> None:
        one = sender(client)
        await begun(one)
        chain.relay("refuses")
        await burn(one, what=2)
        assert mined_of(chain) == 2

    tell(chain, story)


def test_what_was_given_up_leaves_no_gap(chain: Served):
    async def story(client: ChainClient) -> None:
        one = sender(client, given_up_s=0.9)
        chain.relay("swallows")
        await begun(one, 1)
        chain.relay("keeps")
        await begun(one, 2)
        await trio.sleep(0.2)
        assert [left["nonce"] for left in chain.at_relay()] == [1]
        await begun(one, 3)
        assert chain.relay_mines() == 2 and mined_of(chain) == 2

    tell(chain, story)


def test_a_dearer_one_goes_the_same_way_and_an_old_price_may_be_mined(chain: Served):
    async def story(client: ChainClient) -> None:
        one, receipts = sender(client, patience_s=0.3), []
        async with trio.open_nursery() as nursery:

            async def go() -> None:
                receipts.append(await burn(one))

            nursery.start_soon(go)
            await trio.sleep(1)
            prices = [held["wei"] for held in chain.at_relay()]
            assert len(prices) > 1 and prices == sorted(set(prices)) and chain.waits() == []
            first = chain.at_relay()[0]["hash"]
            chain.relay_mines(dearest=False)
        assert f"0x{receipts[0].tx.hex()}" == first and mined_of(chain) == 1

    tell(chain, story)


def test_what_waits_at_a_relay_is_on_its_way_though_no_provider_knows(chain: Served):
    async def story(client: ChainClient) -> None:
        one = sender(client)
        await begun(one)
        assert await flies(one)
        chain.relay_mines()
        assert not await flies(one)

    tell(chain, story)


def test_the_very_same_call_is_waited_for_and_not_sent_again(chain: Served):
    async def story(client: ChainClient) -> None:
        one = sender(client)
        await begun(one)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: one.transact(NOBODY, TOKEN, "burn", (1,), 10, once=True))
            await trio.sleep(0.5)
            assert len(chain.at_relay()) == 1
            chain.relay_mines()
        await burn_once_more(one)
        assert mined_of(chain) == 2

    async def burn_once_more(one: Sender) -> None:
        chain.relay("builds")
        await one.transact(NOBODY, TOKEN, "burn", (1,), 10, once=True)

    tell(chain, story)


def test_a_url_with_a_token_is_in_no_word(chain: Served):
    async def story(client: ChainClient) -> None:
        told = Told()
        one = sender(client, log=told.append)
        assert one.way == "; sent through 1 relay, never public"
        with pytest.raises(NotSent) as refused:
            await burn(one)
        assert "s3cret" not in f"{refused.value}{told}{client.relays(CHAIN)!r}"

    relay = Relay(CHAIN, trio.run(dead_url) + "/s3cret", never_public=True)
    assert "s3cret" not in repr(relay)
    tell(chain, story, relay)
