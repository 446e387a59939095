"""A transaction that waits for its block while its node is gone: the next life looks, and sends no other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import trio

from adapters.evm.sending import Sender
from tests.integration.levers.aave_market import KEYS, LTV, Market
from tests.integration.levers.kills.rough import Served, serving
from tests.integration.levers.packages import AAVE, OPEN_ZEPPELIN_4, missing
from tests.integration.levers.pausable_token import GUARD, PauseScene, Token
from tests.integration.levers.pausable_token import address as address_of
from tests.integration.levers.pausable_token import tell as tell_token
from tests.integration.levers.scene import Scene, tell

LTV_ZERO = "aave.ltv_zero"


@pytest.fixture
def rough_market(request: pytest.FixtureRequest) -> Iterator[tuple[Market, Served]]:
    if missing(AAVE):
        pytest.skip(missing(AAVE))
    chain, found = request.getfixturevalue("built")
    with serving(chain) as one:
        yield replace(found, url=one.url, answer=None), one


@pytest.fixture
def rough_token(request: pytest.FixtureRequest) -> Iterator[tuple[Token, Served]]:
    if missing(OPEN_ZEPPELIN_4):
        pytest.skip(missing(OPEN_ZEPPELIN_4))
    chain, found = request.getfixturevalue("minted")
    with serving(chain) as one:
        yield replace(found, url=one.url, answer=None), one


async def gone_while_it_waits(scene: Scene | PauseScene, lever, given) -> None:
    """A life that ends after it sent."""
    with trio.move_on_after(1.5) as scope:
        await lever.apply(await lever.plan(given))
    assert scope.cancelled_caught


async def mined(chain: Served) -> None:
    chain.hold(False)
    await trio.sleep(0.7)


def test_a_zeroed_ltv_is_set_once_and_put_back(rough_market: tuple[Market, Served]):
    market, chain = rough_market

    async def story(scene: Scene) -> None:
        given, before = scene.order(LTV_ZERO), scene.sent_by("risk_admin")
        chain.hold(True)
        await gone_while_it_waits(scene, scene.lever(LTV_ZERO), given)
        lever = scene.lever(LTV_ZERO)
        again = await _moved_on(lever, given)
        await mined(chain)
        assert scene.sent_by("risk_admin") == before + 1
        assert again is None or (not again.ok and again.retryable and "on its way" in again.says)
        assert (await lever.apply(await lever.plan(given))).ok
        assert (await lever.undo(given)).ok
        assert market.view("data_provider", "getReserveConfigurationData", market.collateral)[1] == LTV

    tell(market, story)


async def tried_until_done(lever, given) -> bool:
    for _ in range(100):
        if (await lever.apply(await lever.plan(given))).ok:
            return True
        await trio.sleep(0.1)
    return False


async def _moved_on(lever, given):
    with trio.move_on_after(1.5):
        return await lever.apply(await lever.plan(given))


def test_what_was_set_twice_all_the_same_is_put_back_to_what_stood_before_both(rough_market: tuple[Market, Served]):
    """A provider may have hidden what waits."""
    market, chain = rough_market

    async def nothing_waits() -> bool:
        return False

    async def story(scene: Scene) -> None:
        given, sent = scene.order(LTV_ZERO), scene.sent_by("risk_admin")
        chain.hold(True)
        for _ in range(2):
            blind = scene.lever(LTV_ZERO)
            blind._sender.in_flight = nothing_waits
            await gone_while_it_waits(scene, blind, given)
        await mined(chain)
        assert scene.sent_by("risk_admin") == sent + 2
        assert (await scene.lever(LTV_ZERO).undo(given)).ok
        assert market.view("data_provider", "getReserveConfigurationData", market.collateral)[1] == LTV

    tell(market, story)


def test_a_pause_is_set_once(rough_token: tuple[Token, Served]):
    token, chain = rough_token

    async def story(scene: PauseScene) -> None:
        given, before = scene.order(), scene.sent_by()
        chain.hold(True)
        await gone_while_it_waits(scene, scene.lever(), given)
        await _moved_on(scene.lever(), given)
        await mined(chain)
        assert scene.sent_by() == before + 1 and token.view("paused")

    tell_token(token, story)


def test_what_was_replaced_by_another_of_the_account_is_sent_again(rough_token: tuple[Token, Served]):
    token, chain = rough_token

    async def story(scene: PauseScene) -> None:
        given, lever = scene.order(), scene.lever()
        chain.hold(True)
        await gone_while_it_waits(scene, scene.lever(), given)
        assert chain.drop() == 1
        chain.hold(False)
        token.people.send(KEYS[GUARD], address_of(GUARD), b"")
        assert (await lever.apply(await lever.plan(given))).ok and token.view("paused")

    tell_token(token, story)


def test_a_pause_that_became_too_cheap_while_its_node_was_gone_is_set_once_all_the_same(
    rough_token: tuple[Token, Served],
):
    token, chain = rough_token

    async def story(scene: PauseScene) -> None:
        given, before = scene.order(), scene.sent_by()
        chain.price(4 * 10**9)
        await gone_while_it_waits(scene, scene.lever(), given)
        lever = scene.lever()
        lever._sender = Sender(scene.client, token.chain, lever._sender.account, patience_s=0.3, stuck_s=0.3)
        assert await tried_until_done(lever, given)
        assert scene.sent_by() == before + 1 and token.view("paused")

    tell_token(token, story)
