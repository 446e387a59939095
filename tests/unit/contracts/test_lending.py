"""The lending market: each lever stops what it says, and the exits stay open."""

from types import SimpleNamespace

from tests.unit.contracts.scenes import lending
from tests.unit.contracts.world import ATTACKER, E18, GUARDIAN, HONEST, KEY_A, KEY_B, MOST, OWNER, START

UNTIL = START + 60


def with_debts() -> SimpleNamespace:
    """Both people hold 1,000 rs in the market and owe 300."""
    scene = lending()
    for who in (ATTACKER, HONEST):
        scene.market("supply_collateral", scene.rs.address, 1_000 * E18, by=who)
        scene.market("borrow", 300 * E18, by=who)
    return scene


def test_borrowing_stops_at_the_power_of_the_collateral() -> None:
    scene = lending()
    scene.market("supply_collateral", scene.rs.address, 1_000 * E18, by=ATTACKER)
    assert scene.market("borrow_power", ATTACKER) == 750 * E18
    assert scene.market.refusal("borrow", 750 * E18 + 1, by=ATTACKER) == "ltv"
    assert scene.market.refusal("borrow", 750 * E18, by=ATTACKER) is None
    assert scene.market("debt_of", ATTACKER) == 750 * E18


def test_ltv_zero_stops_new_borrowing_and_ends_by_itself() -> None:
    scene = with_debts()
    scene.market("set_ltv_zero", scene.rs.address, UNTIL, False, KEY_A, by=GUARDIAN)
    assert scene.market("effective_ltv_bps", scene.rs.address) == 0
    assert scene.market.refusal("borrow", 1, by=ATTACKER) == "ltv"
    scene.world.now = UNTIL
    assert scene.market("effective_ltv_bps", scene.rs.address) == 7_500
    assert scene.market.refusal("borrow", 1, by=ATTACKER) is None


def test_under_every_lever_but_a_pause_one_repays_and_leaves() -> None:
    scene = with_debts()
    rs = scene.rs.address
    scene.market("set_ltv_zero", rs, UNTIL, False, KEY_A, by=GUARDIAN)
    scene.market("freeze", rs, UNTIL, False, KEY_A, by=GUARDIAN)
    scene.market("freeze", scene.weth.address, UNTIL, False, KEY_A, by=GUARDIAN)
    scene.market("set_borrow_cap", 0, UNTIL, False, KEY_A, by=GUARDIAN)
    assert scene.market.refusal("withdraw_collateral", rs, 600 * E18, by=HONEST) is None
    assert scene.market.refusal("repay", MOST, HONEST, by=HONEST) is None
    assert scene.market.refusal("withdraw_collateral", rs, 400 * E18, by=HONEST) is None
    assert scene.market.refusal("withdraw", 9_000 * E18, by=OWNER) is None


def test_repaying_is_open_even_under_a_pause() -> None:
    scene = with_debts()
    scene.market("pause", scene.weth.address, UNTIL, False, KEY_A, by=GUARDIAN)
    scene.market("pause", scene.rs.address, UNTIL, False, KEY_A, by=GUARDIAN)
    assert scene.market.refusal("repay", 300 * E18, HONEST, by=HONEST) is None


def test_under_ltv_zero_clean_collateral_cannot_be_swapped_out_for_it() -> None:
    scene = with_debts()
    scene.market("supply_collateral", scene.st.address, 1_000 * E18, by=ATTACKER)
    scene.market("set_ltv_zero", scene.rs.address, UNTIL, False, KEY_A, by=GUARDIAN)
    assert scene.market.refusal("withdraw_collateral", scene.st.address, 601 * E18, by=ATTACKER) == "ltv"
    assert scene.market.refusal("withdraw_collateral", scene.st.address, 600 * E18, by=ATTACKER) is None
    assert scene.market.refusal("withdraw_collateral", scene.rs.address, 1_000 * E18, by=ATTACKER) is None


def test_a_withdrawal_never_leaves_a_debt_uncovered() -> None:
    scene = with_debts()
    assert scene.market.refusal("withdraw_collateral", scene.rs.address, 601 * E18, by=HONEST) == "ltv"
    assert scene.market.refusal("withdraw_collateral", scene.rs.address, 600 * E18, by=HONEST) is None
    assert scene.market.refusal("withdraw_collateral", scene.rs.address, 401 * E18, by=HONEST) == "balance"


def test_freeze_stops_new_supply_and_nothing_else_as_in_aave_v3_0() -> None:
    scene = lending()
    rs = scene.rs.address
    scene.market("supply_collateral", rs, 500 * E18, by=ATTACKER)
    scene.market("freeze", rs, UNTIL, False, KEY_A, by=GUARDIAN)
    assert scene.market("is_frozen", rs)
    assert scene.market.refusal("supply_collateral", rs, E18, by=ATTACKER) == "frozen"
    assert scene.market.refusal("borrow", 100 * E18, by=ATTACKER) is None
    scene.world.now = UNTIL
    assert not scene.market("is_frozen", rs)
    assert scene.market.refusal("supply_collateral", rs, E18, by=ATTACKER) is None


def test_a_paused_collateral_stays_where_it_is_and_still_backs_borrowing() -> None:
    scene = with_debts()
    rs = scene.rs.address
    scene.market("pause", rs, UNTIL, False, KEY_A, by=GUARDIAN)
    assert scene.market("is_paused", rs)
    assert scene.market.refusal("withdraw_collateral", rs, 1, by=HONEST) == "paused"
    assert scene.market.refusal("supply_collateral", rs, 1, by=HONEST) == "paused"
    assert scene.market.refusal("borrow", 1, by=HONEST) is None
    scene.world.now = UNTIL
    assert scene.market.refusal("withdraw_collateral", rs, 1, by=HONEST) is None


def test_a_paused_loan_asset_is_neither_lent_nor_withdrawn() -> None:
    scene = with_debts()
    scene.market("pause", scene.weth.address, UNTIL, False, KEY_A, by=GUARDIAN)
    assert scene.market.refusal("borrow", 1, by=ATTACKER) == "paused"
    assert scene.market.refusal("withdraw", 1, by=OWNER) == "paused"
    scene.world.now = UNTIL
    assert scene.market.refusal("borrow", 1, by=ATTACKER) is None


def test_a_frozen_loan_asset_is_not_lent() -> None:
    scene = with_debts()
    scene.market("freeze", scene.weth.address, UNTIL, False, KEY_A, by=GUARDIAN)
    assert scene.market.refusal("borrow", 1, by=ATTACKER) == "frozen"
    assert scene.market.refusal("provide", 1, by=HONEST) == "frozen"
    assert scene.market.refusal("withdraw", 1, by=OWNER) is None


def test_a_cap_holds_the_total_until_it_ends() -> None:
    scene = with_debts()
    scene.market("set_borrow_cap", 610 * E18, UNTIL, False, KEY_A, by=GUARDIAN)
    assert scene.market("borrow_cap") == (610 * E18, UNTIL)
    assert scene.market.refusal("borrow", 11 * E18, by=ATTACKER) == "cap"
    assert scene.market.refusal("borrow", 10 * E18, by=ATTACKER) is None
    scene.world.now = UNTIL
    assert scene.market("borrow_cap") == (MOST, 0)
    assert scene.market.refusal("borrow", 11 * E18, by=ATTACKER) is None


def test_a_later_cap_tightens_and_never_loosens() -> None:
    scene = lending()
    scene.market("set_borrow_cap", 500, UNTIL, False, KEY_A, by=GUARDIAN)
    scene.market("set_borrow_cap", 900, UNTIL + 60, False, KEY_B, by=GUARDIAN)
    assert scene.market("borrow_cap") == (500, UNTIL + 60)
    scene.market("set_borrow_cap", 200, UNTIL, False, KEY_B, by=GUARDIAN)
    assert scene.market("borrow_cap") == (200, UNTIL + 60)
    assert [event.name for event in scene.market.events] == ["Restricted"]


def test_the_tighter_of_an_automatic_and_a_human_cap_binds() -> None:
    scene = lending()
    scene.market("set_borrow_cap", 500, UNTIL, False, KEY_A, by=GUARDIAN)
    scene.market("set_borrow_cap", 300, UNTIL + 9, True, KEY_A, by=GUARDIAN)
    assert scene.market("borrow_cap") == (300, UNTIL + 9)
    scene.market("lift_borrow_cap", True, KEY_A, by=GUARDIAN)
    assert scene.market("borrow_cap") == (500, UNTIL)


def test_an_automatic_lift_under_a_human_freeze_frees_nothing() -> None:
    scene = lending()
    rs = scene.rs.address
    scene.market("freeze", rs, UNTIL, True, KEY_A, by=GUARDIAN)
    scene.market("freeze", rs, UNTIL, False, KEY_A, by=GUARDIAN)
    scene.market("lift_freeze", rs, False, KEY_A, by=GUARDIAN)
    assert scene.market.refusal("supply_collateral", rs, 1, by=ATTACKER) == "frozen"


def test_levers_name_one_asset_and_leave_the_others() -> None:
    scene = lending()
    scene.market("set_ltv_zero", scene.rs.address, UNTIL, False, KEY_A, by=GUARDIAN)
    scene.market("freeze", scene.rs.address, UNTIL, False, KEY_A, by=GUARDIAN)
    scene.market("supply_collateral", scene.st.address, 100 * E18, by=HONEST)
    assert scene.market.refusal("borrow", 75 * E18, by=HONEST) is None


def test_utilisation_and_what_is_left() -> None:
    scene = with_debts()
    assert scene.market("utilisation_bps") == 600
    assert scene.market("available") == 9_400 * E18
    assert scene.market.refusal("withdraw", 9_401 * E18, by=OWNER) == "no liquidity"
    assert scene.market("total_borrowed") == 600 * E18
    assert scene.market("total_collateral", scene.rs.address) == 2_000 * E18


def test_repaying_for_another_takes_no_more_than_the_debt() -> None:
    scene = with_debts()
    before = scene.weth("balanceOf", HONEST)
    scene.market("repay", MOST, ATTACKER, by=HONEST)
    assert (scene.market("debt_of", ATTACKER), before - scene.weth("balanceOf", HONEST)) == (0, 300 * E18)
    assert scene.market.refusal("repay", 1, ATTACKER, by=HONEST) == "no debt"


def test_only_the_oracle_role_sets_a_price() -> None:
    scene = with_debts()
    assert scene.market.refusal("set_price", scene.rs.address, 2 * E18, by=ATTACKER) == "not oracle"
    scene.market("set_price", scene.rs.address, E18 // 2)
    assert scene.market("borrow_power", HONEST) == 375 * E18


def test_an_unknown_asset_is_no_collateral() -> None:
    scene = lending()
    assert scene.market.refusal("supply_collateral", scene.weth.address, 1, by=HONEST) == "bad collateral"
    assert scene.market.refusal("add_collateral", scene.rs.address, E18, 5_000) == "bad collateral"
