"""The market that the levers are tried on is a market: people lend, borrow, repay and leave."""

import pytest

from tests.integration.levers.aave_market import BONUS, E18, LOAN_CAP, LTV, THRESHOLD, Market
from tests.integration.levers.rpc import Refused


def test_people_supply_borrow_repay_and_withdraw(market: Market):
    market.supply("attacker")
    market.borrow("attacker")
    market.repay("honest")
    market.withdraw("honest")


def test_nobody_borrows_beyond_what_the_collateral_allows(market: Market):
    with pytest.raises(Refused, match=r"^36$"):
        market.borrow("attacker", 150_001 * E18)


def test_its_terms_are_those_that_were_set(market: Market):
    terms = market.view("data_provider", "getReserveConfigurationData", market.collateral)
    assert terms[1:4] == (LTV, THRESHOLD, BONUS)
    assert market.view("data_provider", "getReserveCaps", market.loan)[0] == LOAN_CAP


@pytest.mark.parametrize("role", ["emergency_admin", "attacker", "owner"])
def test_each_admin_has_its_own_rights_and_no_other(market: Market, role: str):
    with pytest.raises(Refused, match=r"^4$"):
        market.do(role, "configurator", "setReserveFreeze", market.collateral, True)
