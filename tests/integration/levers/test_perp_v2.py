"""Levers on a market of Perpetual Protocol v2, on its own contracts: whom they stop, whose they are, what is left."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from adapters.evm.abi import created_address, keccak256
from adapters.evm.perp_v2_rows import PERP_ROWS, SETTERS, SPREAD_DEFAULT
from node.testnet.real.standin import says, stand_in
from tests.integration.levers.aave_market import E18, KEYS
from tests.integration.levers.perp_v2_market import (
    MAKER,
    OWNER,
    TICKS,
    Perp,
    PerpScene,
    abi,
    address,
    tell,
)
from tests.integration.levers.rpc import Refused
from tests.integration.levers.scene import OTHER_KEY, pull

CLOSE_AT_A_PRICE = keccak256(b"close(uint256)")[:4] + (2_000 * E18).to_bytes(32)


def ticks(perp: Perp) -> int:
    return int(perp.view("Exchange", "getMaxTickCrossedWithinBlock", perp.base))


def spread(perp: Perp) -> int:
    return int(perp.view("MarketRegistry", "getMarketMaxPriceSpreadRatio", perp.base))


def set_ticks(perp: Perp, number: int) -> None:
    perp.do(OWNER, "Exchange", "setMaxTickCrossedWithinBlock", perp.base, number)


def refused(way: Callable[..., Any], *args: Any) -> str:
    with pytest.raises(Refused) as seen:
        way(*args)
    return str(seen.value)


# --- the halt


def test_a_halted_market_opens_and_closes_nothing_until_it_ends(perp: Perp):
    async def story(scene: PerpScene) -> None:
        perp.open("attacker", 100)
        lever, given = scene.lever(), scene.order()
        await pull(lever, given)
        assert refused(perp.open, "attacker", 100) == "EX_MIP"
        assert refused(perp.close, "attacker") == refused(perp.close, "honest") == "EX_MIP"
        assert (await lever.undo(given)).ok and not (await lever.read_back(given)).ok
        assert ticks(perp) == TICKS
        perp.close("attacker")
        perp.close("honest")

    tell(perp, story)


def test_free_collateral_and_liquidity_still_move_in_a_halted_market(perp: Perp):
    async def story(scene: PerpScene) -> None:
        await pull(scene.lever(), scene.order())
        perp.withdraw("attacker")
        perp.add(MAKER, E18)

    tell(perp, story)


def test_a_plan_says_that_everybody_is_locked_in_and_who_ends_it(perp: Perp):
    async def story(scene: PerpScene) -> None:
        plan = await scene.lever().plan(scene.order())
        assert "positions are locked in until this node ends it" in plan.says and not plan.already
        simulated = await scene.lever().simulate(plan)
        assert simulated.ok and f"{TICKS} ticks to 0 ticks" in simulated.says

    tell(perp, story)


def test_a_persons_halt_is_neither_sent_again_nor_lifted(perp: Perp):
    async def story(scene: PerpScene) -> None:
        set_ticks(perp, 0)
        lever, given, sent = scene.lever(), scene.order(), scene.sent_by()
        assert (await lever.plan(given)).already and (await pull(lever, given)).reference == ""
        undone = await lever.undo(given)
        assert undone.ok and "left alone" in undone.says and ticks(perp) == 0 and scene.sent_by() == sent

    tell(perp, story)


def test_a_limit_that_a_person_set_since_is_left_alone(perp: Perp):
    async def story(scene: PerpScene) -> None:
        lever, given = scene.lever(), scene.order()
        await pull(lever, given)
        set_ticks(perp, 50)
        undone = await lever.undo(given)
        assert undone.ok and "set 50 ticks" in undone.says and ticks(perp) == 50

    tell(perp, story)


def test_what_a_person_lifted_is_halted_again_under_another_key_only(perp: Perp):
    async def story(scene: PerpScene) -> None:
        lever, given = scene.lever(), scene.order()
        first = await pull(lever, given)
        set_ticks(perp, 500)
        again = await lever.apply(await lever.plan(given))
        assert again.reference == first.reference and "done before under this key" in again.says
        second = scene.order(key=OTHER_KEY)
        await pull(lever, second)
        assert (await lever.undo(second)).ok and ticks(perp) == 500

    tell(perp, story)


def test_a_repeat_sends_nothing_and_an_undo_comes_once(perp: Perp):
    async def story(scene: PerpScene) -> None:
        lever, given = scene.lever(), scene.order()
        first, sent = await pull(lever, given), scene.sent_by()
        again = await scene.lever().apply(await lever.plan(given))
        assert again.ok and again.reference == first.reference and scene.sent_by() == sent
        assert (await lever.undo(given)).reference
        assert "lifted before" in (await lever.undo(given)).says

    tell(perp, story)


def test_the_end_of_a_market_is_no_restriction_of_ours_and_takes_nothing_back(perp: Perp):
    """Its base token was paused: what follows is only that it is closed for good."""

    async def story(scene: PerpScene) -> None:
        lever, given = scene.lever(), scene.order()
        perp.do(OWNER, "BaseToken", "pause")
        assert (await lever.plan(given)).already and refused(perp.close, "honest") == "CH_MNO"
        sent, undone = scene.sent_by(), await lever.undo(given)
        assert undone.ok and "left alone" in undone.says and scene.sent_by() == sent

    tell(perp, story)


def test_a_paused_base_token_can_never_be_opened_again(perp: Perp):
    perp.do(OWNER, "BaseToken", "pause")
    assert refused(perp.do, OWNER, "BaseToken", "pause") == "BT_NO"
    assert not [fn for fn in abi("BaseToken").functions if fn in ("unpause", "open", "reopen", "resume")]
    assert {fn for fn in abi("BaseToken").functions if "ause" in fn} == {
        "pause",
        "isPaused",
        "getPausedTimestamp",
        "getPausedIndexPrice",
    }
    perp.people.send(KEYS[OWNER], perp.base, CLOSE_AT_A_PRICE)
    assert perp.view("BaseToken", "isClosed")
    assert refused(perp.do, OWNER, "BaseToken", "pause") == "BT_NO"


# --- the spread


def test_a_trade_may_not_bring_the_market_off_the_index_beyond_the_spread(perp: Perp):
    async def story(scene: PerpScene) -> None:
        perp.push("attacker")
        lever, given = scene.lever("perp2.spread"), scene.order("perp2.spread")
        await pull(lever, given)
        assert refused(perp.push, "attacker") == "EX_OPB"
        perp.open("attacker", 10)
        perp.close("attacker")
        assert (await lever.undo(given)).ok and spread(perp) == SPREAD_DEFAULT
        perp.push("attacker")

    tell(perp, story)


def test_who_would_close_away_from_the_index_is_locked_in_by_the_spread(perp: Perp):
    """That is why it is declared to block exits."""

    async def story(scene: PerpScene) -> None:
        perp.open("attacker", 60_000, short=True)
        assert perp.spread_ppm() < -10_000
        lever, given = scene.lever("perp2.spread"), scene.order("perp2.spread")
        await pull(lever, given)
        assert refused(perp.close, "honest") == "EX_OPB"
        perp.close("attacker")
        perp.close("honest")

    tell(perp, story)


def test_a_spread_that_is_narrower_already_stands(perp: Perp):
    async def story(scene: PerpScene) -> None:
        perp.do(OWNER, "MarketRegistry", "setMarketMaxPriceSpreadRatio", perp.base, 7_000)
        lever, given, sent = scene.lever("perp2.spread"), scene.order("perp2.spread"), scene.sent_by()
        assert (await pull(lever, given)).reference == "" and scene.sent_by() == sent
        assert "left alone" in (await lever.undo(given)).says and spread(perp) == 7_000

    tell(perp, story)


def test_a_person_who_unset_the_spread_is_read_as_the_default(perp: Perp):
    async def story(scene: PerpScene) -> None:
        lever, given = scene.lever("perp2.spread"), scene.order("perp2.spread")
        await pull(lever, given)
        perp.do(OWNER, "MarketRegistry", "setMarketMaxPriceSpreadRatio", perp.base, 0)
        undone = await lever.undo(given)
        assert undone.ok and f"set {SPREAD_DEFAULT} millionths" in undone.says

    tell(perp, story)


def test_what_is_told_of_another_market_is_nobodys_move_here(perp: Perp):
    async def story(scene: PerpScene) -> None:
        lever, given = scene.lever("perp2.spread"), scene.order("perp2.spread")
        await pull(lever, given)
        perp.do(OWNER, "MarketRegistry", "setMarketMaxPriceSpreadRatio", perp.at["QuoteToken"], 1)
        assert (await lever.undo(given)).reference and spread(perp) == SPREAD_DEFAULT

    tell(perp, story)


def test_the_halt_and_the_spread_are_told_apart(perp: Perp):
    async def story(scene: PerpScene) -> None:
        for call in ("perp2.halt", "perp2.spread"):
            await pull(scene.lever(call), scene.order(call))
        assert (await scene.lever().undo(scene.order())).ok
        assert (ticks(perp), spread(perp)) == (TICKS, 10_000)

    tell(perp, story)


# --- what is refused before anything is sent


@pytest.mark.parametrize("call", ["perp2.halt", "perp2.spread"])
def test_an_account_that_does_not_own_it_is_told_so(perp: Perp, call: str):
    async def story(scene: PerpScene) -> None:
        lever = scene.lever(call, role="attacker")
        found = await lever.simulate(await lever.plan(scene.order(call)))
        assert not found.ok and not found.retryable and "it takes the ownership" in found.says
        assert f"0x{address('attacker').hex()}" in found.says

    tell(perp, story)


def test_a_base_token_without_a_market_is_refused_with_words(perp: Perp):
    async def story(scene: PerpScene) -> None:
        scene.perp = replace(perp, at=perp.at | {"BaseToken": perp.at["QuoteToken"]})
        found = await scene.lever().simulate(await scene.lever().plan(scene.order()))
        assert not found.ok and "has no market of the base token" in found.says

    tell(perp, story)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [("Vault", "is other than in release"), ("OrderBook", "is other than"), ("index", "names no Exchange")],
)
def test_an_address_that_is_no_clearing_house_is_refused_with_words(perp: Perp, wrong: str, why: str):
    async def story(scene: PerpScene) -> None:
        scene.perp = replace(perp, at=perp.at | {"ClearingHouse": perp.at[wrong]})
        found = await scene.lever().simulate(await scene.lever().plan(scene.order()))
        assert not found.ok and why in found.says

    tell(perp, story)


def older(perp: Perp) -> Perp:
    """An Exchange of a release that is not known, played by rule: its ClearingHouse names it."""
    house = created_next(perp, 1)
    answers = [says("getMaxTickCrossedWithinBlock(address)", 0), says("getClearingHouse()", int.from_bytes(house))]
    answers.append(says("getMarketRegistry()", int.from_bytes(perp.at["MarketRegistry"])))
    exchange = perp.people.send(KEYS[OWNER], None, stand_in(dict(answers))).created
    named = says("getExchange()", int.from_bytes(exchange))
    assert perp.people.send(KEYS[OWNER], None, stand_in(dict([named]))).created == house
    return replace(perp, at=perp.at | {"ClearingHouse": house, "Exchange": exchange})


def created_next(perp: Perp, ahead: int) -> bytes:
    nonce = int(perp.people.ask("eth_getTransactionCount", f"0x{address(OWNER).hex()}", "latest"), 16)
    return created_address(address(OWNER), nonce + ahead)


def test_a_release_in_which_no_ticks_are_no_halt_is_not_taken_for_halted(perp: Perp):
    async def story(scene: PerpScene) -> None:
        scene.perp = older(perp)
        lever, given = scene.lever(), scene.order()
        plan = await lever.plan(given)
        found = await lever.simulate(plan)
        assert not plan.already and not found.ok and "halts nothing here" in found.says
        assert not (await lever.read_back(given)).ok

    tell(perp, story)


def test_what_could_not_be_put_back_is_not_taken_away(perp: Perp):
    """A limit from an earlier release, above what the Exchange of today takes."""

    async def story(scene: PerpScene) -> None:
        lever = scene.lever()
        market = await lever._read()
        unending = await lever._unending(replace(market, ticks=5_000))
        assert "5000 ticks could not be put back" in unending and "EX_MTCLOOR" in unending

    tell(perp, story)


# --- what the key could do besides


def test_what_an_owner_could_do_besides_is_tried_and_named(perp: Perp):
    async def story(scene: PerpScene) -> None:
        found = await scene.lever().beyond()
        assert found.tried == 12
        assert found.may == (
            "give the Exchange to anybody",
            "let the Exchange obey anybody",
            "give the MarketRegistry to anybody",
            "take all of a trade as its fee",
            "pause every market",
            "end the market for good",
            "set the market's price feed",
        )
        assert (await scene.lever(role="attacker").beyond()).may == ()

    tell(perp, story)


@pytest.mark.parametrize("row", PERP_ROWS, ids=lambda row: row.fn)
def test_what_is_asked_of_the_contracts_is_what_they_have(perp: Perp, row):
    theirs = abi("Exchange" if row.unit == "ticks" else "MarketRegistry")
    assert theirs.function(row.fn).selector == SETTERS.function(row.fn).selector
    assert theirs.event(row.event).topic == SETTERS.event(row.event).topic
    assert [kind for _, kind in theirs.event(row.event).indexed] == ["address"]
