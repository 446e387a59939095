"""Levers on Aave's own contracts: the attacker before, during and after; honest people all along."""

from collections.abc import Callable

import pytest

from tests.integration.levers.aave_market import E18, LOAN_CAP, LTV, Market
from tests.integration.levers.rpc import Refused
from tests.integration.levers.scene import Scene, pull, tell

FROZEN, PAUSED, LTV_FAILED, OVER_CAP = "28", "29", "57", "50"
"""Aave's words."""


def refused(doing: Callable[[], object]) -> str:
    with pytest.raises(Refused) as seen:
        doing()
    return str(seen.value)


def test_ltv_zero_stops_new_loans_and_its_end_allows_them_again(market: Market):
    async def story(scene: Scene) -> None:
        market.borrow("attacker")
        lever, given = scene.lever("aave.ltv_zero"), scene.order("aave.ltv_zero")
        await pull(lever, given)
        assert refused(lambda: market.borrow("attacker")) == LTV_FAILED
        assert (await lever.undo(given)).ok and not (await lever.read_back(given)).ok
        market.borrow("attacker")

    tell(market, story)


def test_ltv_zero_puts_back_the_ltv_that_stood_and_touches_no_other_term(market: Market):
    async def story(scene: Scene) -> None:
        before = market.view("data_provider", "getReserveConfigurationData", market.collateral)
        lever, given = scene.lever("aave.ltv_zero"), scene.order("aave.ltv_zero")
        await pull(lever, given)
        during = market.view("data_provider", "getReserveConfigurationData", market.collateral)
        assert (before[1], during[1]) == (LTV, 0) and during[2:] == before[2:]
        assert (await lever.undo(given)).ok
        assert market.view("data_provider", "getReserveConfigurationData", market.collateral) == before

    tell(market, story)


def test_a_freeze_takes_no_more_of_the_asset_until_it_ends(market: Market):
    async def story(scene: Scene) -> None:
        market.supply("attacker")
        lever, given = scene.lever("aave.freeze"), scene.order("aave.freeze")
        await pull(lever, given)
        assert refused(lambda: market.supply("attacker")) == FROZEN
        assert (await lever.undo(given)).ok
        market.supply("attacker")

    tell(market, story)


@pytest.mark.parametrize("call", ["aave.freeze", "aave.pause"])
def test_neither_a_frozen_nor_a_paused_collateral_stops_its_owner_from_borrowing(market: Market, call: str):
    """As the levers say of v3.0: who wants that closed zeroes the LTV."""

    async def story(scene: Scene) -> None:
        await pull(scene.lever(call), scene.order(call))
        market.borrow("attacker", 1_000 * E18)
        await pull(scene.lever("aave.ltv_zero"), scene.order("aave.ltv_zero"))
        assert refused(lambda: market.borrow("attacker")) == LTV_FAILED

    tell(market, story)


def test_a_pause_locks_everybody_in_until_it_ends(market: Market):
    async def story(scene: Scene) -> None:
        market.withdraw("attacker")
        lever, given = scene.lever("aave.pause"), scene.order("aave.pause")
        assert lever.declared.blocks_exit
        await pull(lever, given)
        assert refused(lambda: market.withdraw("attacker")) == PAUSED
        assert refused(lambda: market.supply("honest")) == PAUSED
        assert (await lever.undo(given)).ok
        market.withdraw("attacker")

    tell(market, story)


def test_a_borrow_cap_holds_lending_where_it_is_and_leaves_repaying_free(market: Market):
    async def story(scene: Scene) -> None:
        market.borrow("attacker")
        lever, given = scene.lever("aave.borrow_cap"), scene.order("aave.borrow_cap")
        await pull(lever, given)
        assert refused(lambda: market.borrow("attacker")) == OVER_CAP
        market.repay("honest", 5 * E18)
        assert (await lever.undo(given)).ok
        assert market.view("data_provider", "getReserveCaps", market.loan)[0] == LOAN_CAP
        market.borrow("attacker")

    tell(market, story)


def test_a_renewal_does_not_move_a_cap_although_repaying_has_made_room(market: Market):
    async def story(scene: Scene) -> None:
        lever = scene.lever("aave.borrow_cap")
        await pull(lever, scene.order("aave.borrow_cap"))
        market.repay("honest", 1_000 * E18)
        sent = scene.sent_by("risk_admin")
        later = scene.order("aave.borrow_cap", seconds=900)
        assert (await lever.plan(later)).already
        await pull(lever, later)
        assert scene.sent_by("risk_admin") == sent
        assert market.view("data_provider", "getReserveCaps", market.loan)[0] == 10_000

    tell(market, story)


@pytest.mark.parametrize("call", ["aave.ltv_zero", "aave.freeze", "aave.borrow_cap"])
def test_honest_people_repay_and_leave_while_a_narrow_lever_is_pulled(market: Market, call: str):
    async def story(scene: Scene) -> None:
        await pull(scene.lever(call), scene.order(call))
        market.repay("honest")
        market.withdraw("honest")

    tell(market, story)


@pytest.mark.parametrize(
    ("call", "role", "right"),
    [
        ("aave.freeze", "emergency_admin", "RISK_ADMIN or POOL_ADMIN"),
        ("aave.ltv_zero", "emergency_admin", "RISK_ADMIN or POOL_ADMIN"),
        ("aave.borrow_cap", "attacker", "RISK_ADMIN or POOL_ADMIN"),
        ("aave.pause", "risk_admin", "EMERGENCY_ADMIN or POOL_ADMIN"),
    ],
)
def test_a_missing_right_is_named_before_anything_is_sent(market: Market, call: str, role: str, right: str):
    async def story(scene: Scene) -> None:
        lever, sent = scene.lever(call, role), scene.sent_by(role)
        outcome = await lever.simulate(await lever.plan(scene.order(call)))
        assert not outcome.ok and not outcome.retryable and f"it takes {right}" in outcome.says
        assert f"0x{market.address(role).hex()}" in outcome.says and scene.sent_by(role) == sent

    tell(market, story)


@pytest.mark.parametrize("call", ["aave.ltv_zero", "aave.freeze", "aave.pause", "aave.borrow_cap"])
def test_the_pool_admin_may_pull_every_lever(market: Market, call: str):
    async def story(scene: Scene) -> None:
        lever, given = scene.lever(call, "pool_admin"), scene.order(call)
        await pull(lever, given)
        assert (await lever.undo(given)).ok and not (await lever.read_back(given)).ok

    tell(market, story)


def test_a_lease_beyond_the_longest_is_not_sent(market: Market):
    async def story(scene: Scene) -> None:
        lever = scene.lever("aave.pause")
        outcome = await lever.simulate(await lever.plan(scene.order("aave.pause", seconds=2 * 3600)))
        assert not outcome.ok and "shorten it" in outcome.says

    tell(market, story)


def test_an_address_that_is_no_pool_is_said_in_the_plan_and_refused_by_simulate(market: Market):
    async def story(scene: Scene) -> None:
        scene.market = Market(**{**vars(market), "pool": market.loan})
        lever = scene.lever("aave.freeze")
        plan = await lever.plan(scene.order("aave.freeze"))
        assert "not read yet" in plan.says and not (await lever.simulate(plan)).ok

    tell(market, story)
