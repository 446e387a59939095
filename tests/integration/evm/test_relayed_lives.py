"""Who dies with a transaction at a relay: no provider tells the next life of it, which sends no second all the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.evm.client import ChainClient
from adapters.evm.errors import ChainDown, NotSent
from adapters.evm.relays import Relay
from adapters.evm.waiting import Memory
from node.testnet.chain_evm import EmbeddedChain
from tests.integration.evm.relayed import CHAIN, OWNER, Told, begun, burn, flies, mined_of, sender, tell
from tests.integration.levers.kills.rough import Served, serving


@pytest.fixture
def chain() -> Iterator[Served]:
    with serving(EmbeddedChain(1, {OWNER.address: 10**21})) as one:
        yield one


def test_the_next_life_knows_what_relays_have_and_brings_it_to_its_end(chain: Served, tmp_path: Path):
    async def story(client: ChainClient) -> None:
        told, file = Told(), tmp_path / "relayed.json"
        first = sender(client, memory=Memory(file))
        await begun(first, 1)
        await begun(first, 2)
        assert file.stat().st_mode & 0o777 == 0o600
        next_ = sender(client, memory=Memory(file), log=told.append)
        assert await flies(next_) and len(chain.at_relay()) == 2 and "an earlier life left it at relays" in told
        await begun(next_, 3)
        assert [held["nonce"] for held in chain.at_relay()] == [0, 1, 2]
        chain.relay_mines()
        assert not await flies(next_) and mined_of(chain) == 3

    tell(chain, story)


def test_what_a_life_kept_and_did_not_send_is_sent_by_the_next(chain: Served, tmp_path: Path):
    async def story(client: ChainClient) -> None:
        memory = Memory(tmp_path / "relayed.json")
        await begun(sender(client, memory=memory))
        chain.relay_drops()  # as if it had died in between
        assert await flies(sender(client, memory=memory))
        assert len(chain.at_relay()) == 1

    tell(chain, story)


def test_what_the_relay_dropped_the_next_life_makes_public(chain: Served, tmp_path: Path):
    async def story(client: ChainClient) -> None:
        memory = Memory(tmp_path / "relayed.json")
        await begun(sender(client, memory=memory))
        chain.relay("swallows")
        chain.relay_drops()
        next_ = sender(client, memory=memory)
        assert not await next_.in_flight() and mined_of(chain) == 1

    tell(chain, story, after_s=1.5)


def test_a_life_without_memory_sends_under_the_same_nonce(chain: Served):
    async def story(client: ChainClient) -> None:
        await begun(sender(client), 1)
        next_ = sender(client)
        assert not await flies(next_)
        await begun(next_, 2)
        assert [held["nonce"] for held in chain.at_relay()] == [0, 0]
        chain.relay_mines()
        assert mined_of(chain) == 1 and not await flies(next_)

    tell(chain, story)


def test_a_memory_that_cannot_be_read_sends_nothing_and_names_the_cure(chain: Served, tmp_path: Path):
    async def story(client: ChainClient) -> None:
        (tmp_path / "relayed.json").write_text('[{"nonce": "many"}]')
        one = sender(client, memory=Memory(tmp_path / "relayed.json"))
        for deed in (one.in_flight, lambda: burn(one)):
            with pytest.raises(ChainDown, match=r"relayed.json cannot be read .* then remove that file"):
                await deed()

    tell(chain, story)


@pytest.mark.parametrize("never_public", [False, True])
def test_without_a_memory_that_can_be_written_no_relay_is_given_anything(
    chain: Served, tmp_path: Path, never_public: bool
):
    """The levers move all the same where they may go public: providers would tell the next life of them."""

    async def story(client: ChainClient) -> None:
        one = sender(client, memory=Memory(tmp_path / "gone" / "relayed.json"))
        if never_public:
            with pytest.raises(NotSent, match="cannot be written"):
                await burn(one)
        else:
            await burn(one)
        assert chain.at_relay() == [] and mined_of(chain) == (0 if never_public else 1)

    tell(chain, story, never_public=never_public)


def test_without_its_relays_in_the_configuration_what_they_have_goes_public(chain: Served, tmp_path: Path):
    file = tmp_path / "relayed.json"

    async def before(client: ChainClient) -> None:
        await begun(sender(client, memory=Memory(file)))

    async def after(client: ChainClient) -> None:
        assert not await sender(client, memory=Memory(file)).in_flight() and mined_of(chain) == 1

    tell(chain, before)
    away = replace(Relay(CHAIN, chain.relay_url), chain="eip155:5")
    tell(chain, after, away)
