"""The perpetuals venue: a moved index pays the attacker, each lever stops its part, closing stays open."""

from types import SimpleNamespace

from tests.unit.contracts.scenes import venue
from tests.unit.contracts.world import ATTACKER, E18, GUARDIAN, HONEST, KEY_A, KEY_B, MOST, OWNER, START

UNTIL = START + 60


def with_margin(amount: int = 100) -> SimpleNamespace:
    scene = venue()
    for who in (ATTACKER, HONEST):
        scene.perp("deposit_margin", amount * E18, by=who)
    return scene


def test_a_moved_oracle_pays_the_attacker_from_the_pool() -> None:
    scene = with_margin()
    rs = scene.rs.address
    scene.perp("open", rs, 1_000 * E18, by=ATTACKER)
    scene.oracle("push", 2 * E18)
    scene.perp("close", rs, MOST, by=ATTACKER)
    scene.perp("withdraw_margin", 1_100 * E18, by=ATTACKER)
    assert scene.weth("balanceOf", ATTACKER) == 2_000 * E18
    assert scene.perp("pool") == 4_000 * E18


def test_a_loss_goes_to_the_pool_and_a_debt_is_healed_by_the_next_deposit() -> None:
    scene = with_margin()
    rs = scene.rs.address
    scene.perp("open", rs, -1_000 * E18, by=ATTACKER)
    scene.oracle("push", E18 * 12 // 10)
    scene.perp("close", rs, 1_000 * E18, by=ATTACKER)
    assert (scene.perp("margin_of", ATTACKER), scene.perp("pool")) == (-100 * E18, 5_100 * E18)
    scene.perp("deposit_margin", 150 * E18, by=ATTACKER)
    assert (scene.perp("margin_of", ATTACKER), scene.perp("pool")) == (50 * E18, 5_200 * E18)


def test_the_venue_never_owes_more_than_it_holds() -> None:
    scene = with_margin()
    rs = scene.rs.address
    scene.perp("open", rs, 1_000 * E18, by=ATTACKER)
    scene.perp("open", rs, -1_000 * E18, by=HONEST)
    scene.oracle("push", 90 * E18)
    for who in (ATTACKER, HONEST):
        scene.perp("close", rs, MOST, by=who)
    owed = sum(max(0, scene.perp("margin_of", who)) for who in (ATTACKER, HONEST)) + scene.perp("pool")
    assert owed == scene.weth("balanceOf", scene.perp.address)


def test_contaminated_collateral_counts_as_margin_at_the_index_price() -> None:
    scene = venue()
    scene.perp("deposit_collateral_margin", 1_000 * E18, by=ATTACKER)
    assert scene.perp("free_margin", ATTACKER) == 800 * E18
    assert scene.perp.refusal("open", scene.rs.address, 8_001 * E18, by=ATTACKER) == "margin"
    assert scene.perp.refusal("open", scene.rs.address, 8_000 * E18, by=ATTACKER) is None
    assert scene.perp.refusal("withdraw_collateral_margin", 1 * E18, by=ATTACKER) == "margin"


def test_reduce_only_stops_opening_and_leaves_closing_and_withdrawing_open() -> None:
    scene = with_margin()
    rs = scene.rs.address
    scene.perp("open", rs, 100 * E18, by=HONEST)
    scene.perp("set_reduce_only", rs, UNTIL, False, KEY_A, by=GUARDIAN)
    assert scene.perp("is_reduce_only", rs)
    assert scene.perp.refusal("open", rs, E18, by=ATTACKER) == "reduce only"
    assert scene.perp.refusal("close", rs, 100 * E18, by=HONEST) is None
    assert scene.perp.refusal("withdraw_margin", 100 * E18, by=HONEST) is None
    scene.world.now = UNTIL
    assert scene.perp.refusal("open", rs, E18, by=ATTACKER) is None


def test_a_raised_margin_asks_more_of_opening_until_it_ends() -> None:
    scene = with_margin()
    rs = scene.rs.address
    scene.perp("set_initial_margin_bps", rs, 5_000, UNTIL, False, KEY_A, by=GUARDIAN)
    assert scene.perp("effective_margin_bps", rs) == 5_000
    assert scene.perp.refusal("open", rs, 201 * E18, by=ATTACKER) == "margin"
    scene.world.now = UNTIL
    assert scene.perp("effective_margin_bps", rs) == 1_000
    assert scene.perp.refusal("open", rs, 201 * E18, by=ATTACKER) is None


def test_a_raised_margin_never_blocks_closing() -> None:
    scene = with_margin()
    rs = scene.rs.address
    scene.perp("open", rs, 1_000 * E18, by=HONEST)
    scene.perp("set_initial_margin_bps", rs, 10_000, UNTIL, False, KEY_A, by=GUARDIAN)
    assert scene.perp.refusal("withdraw_margin", E18, by=HONEST) == "margin"
    assert scene.perp.refusal("close", rs, MOST, by=HONEST) is None
    assert scene.perp.refusal("withdraw_margin", 100 * E18, by=HONEST) is None


def test_margin_moves_only_upward() -> None:
    scene = venue()
    rs = scene.rs.address
    assert scene.perp.refusal("set_initial_margin_bps", rs, 999, UNTIL, False, KEY_A, by=GUARDIAN) == "only upward"
    scene.perp("set_initial_margin_bps", rs, 5_000, UNTIL, False, KEY_A, by=GUARDIAN)
    scene.perp("set_initial_margin_bps", rs, 2_000, UNTIL, False, KEY_B, by=GUARDIAN)
    assert (scene.perp("effective_margin_bps", rs), scene.perp.events) == (5_000, [])


def test_a_halt_blocks_both_ways_until_it_ends() -> None:
    scene = with_margin()
    rs = scene.rs.address
    scene.perp("open", rs, 1_000 * E18, by=ATTACKER)
    scene.oracle("push", 2 * E18)
    scene.perp("halt", rs, UNTIL, False, KEY_A, by=GUARDIAN)
    assert scene.perp("is_halted", rs)
    assert scene.perp.refusal("close", rs, MOST, by=ATTACKER) == "halted"
    assert scene.perp.refusal("open", rs, E18, by=ATTACKER) == "halted"
    scene.oracle("push", E18)
    scene.world.now = UNTIL
    assert scene.perp.refusal("close", rs, MOST, by=ATTACKER) is None
    assert scene.perp("pool") == 5_000 * E18


def test_open_interest_counts_both_sides() -> None:
    scene = with_margin()
    rs = scene.rs.address
    scene.perp("open", rs, 300 * E18, by=ATTACKER)
    scene.perp("open", rs, -200 * E18, by=HONEST)
    assert scene.perp("open_interest", rs) == 500 * E18
    scene.perp("close", rs, 100 * E18, by=ATTACKER)
    assert scene.perp("open_interest", rs) == 400 * E18
    assert scene.perp("position_of", ATTACKER, rs) == (200 * E18, E18)


def test_a_position_is_turned_round_only_through_close() -> None:
    scene = with_margin()
    rs = scene.rs.address
    scene.perp("open", rs, 300 * E18, by=ATTACKER)
    assert scene.perp.refusal("open", rs, -1, by=ATTACKER) == "use close"
    assert scene.perp.refusal("open", rs, -(2**255), by=HONEST) == "bad amount"
    assert scene.perp.refusal("close", rs, 1, by=HONEST) == "no position"


def test_an_unknown_market_is_refused() -> None:
    scene = with_margin()
    assert scene.perp.refusal("open", HONEST, E18, by=HONEST) == "unknown market"
    assert scene.perp.refusal("add_market", HONEST, scene.oracle.address, 1, by=ATTACKER) == "not owner"


def test_a_swap_moves_the_spot_price_that_a_venue_may_read() -> None:
    scene = venue()
    scene.rs("mint", OWNER, 1_000 * E18)
    pool = scene.world.deploy("SpotPool", scene.rs.address, scene.weth.address)
    for token in (scene.rs, scene.weth):
        for who in (OWNER, ATTACKER):
            token("approve", pool.address, MOST, by=who)
    pool("add_liquidity", 1_000 * E18, 1_000 * E18)
    assert pool("price") == E18
    pool("swap", scene.weth.address, 1_000 * E18, 0, by=ATTACKER)
    assert pool("price") == pool("spot_price_e18") > 39 * E18 // 10
    assert pool.refusal("swap", scene.rs.address, E18, MOST, by=ATTACKER) == "slippage"


def test_a_venue_that_reads_a_spot_pool_is_robbed_for_the_price_of_a_swap() -> None:
    scene = venue()
    scene.rs("mint", OWNER, 100 * E18)
    pool = scene.world.deploy("SpotPool", scene.rs.address, scene.weth.address)
    for token in (scene.rs, scene.weth):
        for who in (OWNER, ATTACKER):
            token("approve", pool.address, MOST, by=who)
    pool("add_liquidity", 100 * E18, 100 * E18)
    scene.perp("add_market", pool.address, pool.address, 1_000)
    scene.perp("deposit_margin", 500 * E18, by=ATTACKER)
    scene.perp("open", pool.address, 4_000 * E18, by=ATTACKER)
    bought = pool("swap", scene.weth.address, 40 * E18, 0, by=ATTACKER)
    scene.perp("close", pool.address, MOST, by=ATTACKER)
    pool("swap", scene.rs.address, bought, 0, by=ATTACKER)
    gained = scene.perp("margin_of", ATTACKER) + scene.weth("balanceOf", ATTACKER) - 1_000 * E18
    assert gained > 3_000 * E18


def test_only_the_feeder_pushes_and_rounds_count_up() -> None:
    scene = venue()
    assert scene.oracle.refusal("push", 1, by=ATTACKER) == "not feeder"
    assert scene.oracle.refusal("push", 0) == "zero price"
    scene.world.now = START + 5
    scene.oracle("push", 3 * E18)
    [event] = scene.oracle.events
    assert event.fields == {"round": 2, "price": 3 * E18, "at": START + 5}
    assert (scene.oracle("round"), scene.oracle("updated_at"), scene.oracle("price")) == (2, START + 5, 3 * E18)
