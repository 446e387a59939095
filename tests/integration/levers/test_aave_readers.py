"""Exposure to Aave's own contracts, at the price of its own oracle."""

from dataclasses import replace

import pytest
import trio

from adapters.api import ExposureReading
from adapters.evm.aave_abi import terms_of
from adapters.evm.aave_readers import aave_readers
from adapters.evm.aave_reserve import AaveTarget
from tests.integration.levers.aave_market import BONUS, LOAN_CAP, LTV, THRESHOLD, Market
from tests.integration.levers.scene import scene_of


def read(market: Market, what: str, token: bytes) -> ExposureReading:
    async def run() -> ExposureReading:
        async with scene_of(market) as scene:
            target = AaveTarget("market", market.chain, market.pool, token)
            return await aave_readers(target, scene.client)[what].read(f"market:{what}", 1_000)

    return trio.run(run)


def test_a_reserve_is_worth_what_is_supplied_at_the_oracles_price(market: Market):
    found = read(market, "aave.reserve", market.collateral)
    assert found.usd == pytest.approx(200 * 2_000) and found.unit_usd == 2_000.0 and found.utilisation == 0.0


def test_utilisation_is_what_is_lent_of_what_is_supplied(market: Market):
    found = read(market, "aave.utilisation", market.loan)
    assert found.utilisation == pytest.approx(0.01, rel=1e-3) and found.usd is None and found.unit_usd == 1.0


@pytest.mark.parametrize("what", ["aave.reserve", "aave.utilisation"])
def test_what_is_no_reserve_is_unknown_and_never_zero(market: Market, what: str):
    found = read(market, what, market.pool)
    assert (found.usd, found.unit_usd, found.utilisation) == (None, None, None) and "no active reserve" in found.detail


def test_what_is_no_pool_is_unknown_and_never_zero(market: Market):
    found = read(replace(market, pool=market.acl), "aave.reserve", market.collateral)
    assert found.usd is None and found.detail


def test_the_word_that_the_pool_keeps_is_read_as_aave_reads_it(market: Market):
    (word,) = market.view("pool", "getConfiguration", market.loan)
    terms = terms_of(word)
    assert (terms.ltv, terms.threshold, terms.bonus, terms.decimals) == (LTV, THRESHOLD, BONUS, 18)
    assert (terms.active, terms.frozen, terms.paused, terms.borrow_cap) == (True, False, False, LOAN_CAP)
