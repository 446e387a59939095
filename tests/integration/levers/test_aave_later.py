"""What the levers do where a freeze moves the LTV too (v3.1 and later), and how far back they look."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio

from adapters.api import Lever, LeverOrder
from adapters.evm.aave import aave_levers
from adapters.evm.aave_reserve import AaveTarget
from adapters.evm.abi import keccak256
from adapters.evm.client import ChainClient
from adapters.evm.trailer import Trailer
from protocol.messages import Level
from protocol.subjects import asset
from tests.integration.evm.fake import CHAIN, client_of
from tests.integration.levers.later_aave import (
    ASSET,
    BONUS,
    COUNCIL_AT,
    FREEZE_REFUSED,
    NODE,
    PERSON,
    POOL_AT,
    THRESHOLD,
    LaterAave,
    NodeSender,
)
from tests.integration.levers.scene import KEY, pull

Story = Callable[[Callable[[str], Lever], NodeSender], Awaitable[None]]


def tell(market: LaterAave, story: Story) -> None:
    async def run() -> None:
        async with client_of(market.fake) as client:
            sender = NodeSender(market)
            await story(lambda call: lever_of(client, sender, call), sender)

    trio.run(run)


def lever_of(client: ChainClient, sender: Any, call: str) -> Lever:
    return aave_levers(AaveTarget("market", CHAIN, POOL_AT, ASSET), client, sender)[call]


def order(market: LaterAave, call: str, seconds: int = 600) -> LeverOrder:
    until_ms = (market.fake.time_s + market.fake.head - 100 + seconds) * 1000
    return LeverOrder(KEY, call, asset(CHAIN, ASSET), Level.GUARD, until_ms, False)


def configure(market: LaterAave, ltv: int) -> bytes:
    return market.move(PERSON, "configureReserveAsCollateral", (ASSET, ltv, THRESHOLD, BONUS))


def freeze(market: LaterAave, on: bool, blocks: int = 1) -> bytes:
    return market.move(PERSON, "setReserveFreeze", (ASSET, on), blocks=blocks)


def test_a_frozen_reserve_gets_its_ltv_zeroed_for_when_it_is_freed():
    market = LaterAave()
    freeze(market, True)

    async def story(lever: Callable[[str], Lever], sender: NodeSender) -> None:
        given = order(market, "aave.ltv_zero")
        assert not (await lever("aave.ltv_zero").plan(given)).already
        await pull(lever("aave.ltv_zero"), given)
        freeze(market, False)
        assert market.ltv == 0 and (await lever("aave.ltv_zero").read_back(given)).ok
        assert (await lever("aave.ltv_zero").undo(given)).ok and market.ltv == 7_500

    tell(market, story)


def test_a_freeze_that_came_and_went_does_not_take_our_zero_ltv_from_us():
    market = LaterAave()

    async def story(lever: Callable[[str], Lever], sender: NodeSender) -> None:
        given = order(market, "aave.ltv_zero")
        await pull(lever("aave.ltv_zero"), given)
        freeze(market, True)
        freeze(market, False)
        assert market.ltv == 0
        assert (await lever("aave.ltv_zero").undo(given)).ok and market.ltv == 7_500

    tell(market, story)


def test_a_council_that_freezes_and_zeroes_the_ltv_at_once_has_decided_on_the_ltv():
    market = LaterAave()

    async def story(lever: Callable[[str], Lever], sender: NodeSender) -> None:
        given = order(market, "aave.ltv_zero")
        await pull(lever("aave.ltv_zero"), given)
        zeroed = ("configureReserveAsCollateral", (ASSET, 0, THRESHOLD, BONUS))
        market.batch(PERSON, zeroed, ("setReserveFreeze", (ASSET, True)))
        undone = await lever("aave.ltv_zero").undo(given)
        assert undone.ok and "left alone" in undone.says and f"through 0x{COUNCIL_AT.hex()}" in undone.says
        assert market.pending == 0

    tell(market, story)


def test_an_ltv_that_is_lifted_while_frozen_comes_back_with_the_end_of_the_freeze():
    market = LaterAave()

    async def story(lever: Callable[[str], Lever], sender: NodeSender) -> None:
        given = order(market, "aave.ltv_zero")
        await pull(lever("aave.ltv_zero"), given)
        freeze(market, True)
        assert (await lever("aave.ltv_zero").undo(given)).ok and (market.ltv, market.pending) == (0, 7_500)
        freeze(market, False)
        assert market.ltv == 7_500

    tell(market, story)


def test_our_own_freeze_gives_the_ltv_back_when_it_ends():
    market = LaterAave()

    async def story(lever: Callable[[str], Lever], sender: NodeSender) -> None:
        given = order(market, "aave.freeze")
        await pull(lever("aave.freeze"), given)
        assert market.ltv == 0
        assert (await lever("aave.freeze").undo(given)).ok and (market.frozen, market.ltv) == (False, 7_500)

    tell(market, story)


def test_what_is_frozen_already_is_not_frozen_again():
    """The contract would refuse it."""
    market = LaterAave()
    freeze(market, True)

    async def story(lever: Callable[[str], Lever], sender: NodeSender) -> None:
        await pull(lever("aave.freeze"), order(market, "aave.freeze"))
        assert sender.calls == []

    tell(market, story)


def test_a_freeze_in_the_very_moment_of_ours_is_looked_at_again():
    market = LaterAave(refuses=FREEZE_REFUSED)

    async def story(lever: Callable[[str], Lever], sender: NodeSender) -> None:
        given = order(market, "aave.freeze")
        outcome = await lever("aave.freeze").apply(await lever("aave.freeze").plan(given))
        assert not outcome.ok and outcome.retryable

    tell(market, story)


@pytest.mark.parametrize(
    ("word", "right"),
    [
        ("96", "RISK_ADMIN, EMERGENCY_ADMIN or POOL_ADMIN"),
        ("0x" + keccak256(b"CallerNotRiskOrPoolAdmin()")[:4].hex(), "RISK_ADMIN or POOL_ADMIN"),
        ("0x" + keccak256(b"CallerNotPoolOrEmergencyAdmin()")[:4].hex(), "EMERGENCY_ADMIN or POOL_ADMIN"),
    ],
)
def test_a_missing_right_is_named_in_the_words_of_later_versions_too(word: str, right: str):
    market = LaterAave(refuses=word)

    async def story(lever: Callable[[str], Lever], sender: NodeSender) -> None:
        outcome = await lever("aave.freeze").simulate(await lever("aave.freeze").plan(order(market, "aave.freeze")))
        assert not outcome.retryable and f"it takes {right} of" in outcome.says

    tell(market, story)


def test_what_is_ours_is_found_many_windows_back():
    market = LaterAave()

    async def story(lever: Callable[[str], Lever], sender: NodeSender) -> None:
        given = order(market, "aave.freeze")
        await pull(lever("aave.freeze"), given)
        market.fake.head += 40_000
        assert (await lever("aave.freeze").undo(given)).ok and not market.frozen

    tell(market, story)


def test_what_was_done_under_a_key_is_found_over_the_whole_of_the_longest_lease():
    market = LaterAave()

    async def story(lever: Callable[[str], Lever], sender: NodeSender) -> None:
        given = order(market, "aave.ltv_zero", seconds=42_000)
        first = await pull(lever("aave.ltv_zero"), given)
        configure(market, 7_500)
        market.fake.head += 30_000
        again = await lever("aave.ltv_zero").apply(await lever("aave.ltv_zero").plan(given))
        assert again.reference == first.reference and len(sender.calls) == 1

    tell(market, story)


def test_a_renewal_to_a_later_end_restricts_anew_what_a_person_had_lifted():
    market = LaterAave()

    async def story(lever: Callable[[str], Lever], sender: NodeSender) -> None:
        await pull(lever("aave.ltv_zero"), order(market, "aave.ltv_zero"))
        configure(market, 7_500)
        await pull(lever("aave.ltv_zero"), order(market, "aave.ltv_zero", seconds=1_200))
        assert market.ltv == 0 and len(sender.calls) == 2

    tell(market, story)


def test_nothing_is_sent_for_longer_than_the_lever_declares():
    market = LaterAave()

    async def story(lever: Callable[[str], Lever], sender: NodeSender) -> None:
        given = order(market, "aave.freeze", seconds=7 * 3_600)
        assert "shorten it" in (await lever("aave.freeze").apply(await lever("aave.freeze").plan(given))).says
        assert sender.calls == []

    tell(market, story)


def test_an_undo_waits_for_what_is_still_on_its_way():
    market = LaterAave()

    async def story(lever: Callable[[str], Lever], sender: NodeSender) -> None:
        sender.flying = True
        undone = await lever("aave.freeze").undo(order(market, "aave.freeze"))
        assert not undone.ok and undone.retryable and sender.calls == []

    tell(market, story)


def test_an_undo_waits_where_state_and_events_tell_of_different_moments():
    market = LaterAave()

    async def story(lever: Callable[[str], Lever], sender: NodeSender) -> None:
        given = order(market, "aave.ltv_zero")
        await pull(lever("aave.ltv_zero"), given)
        market.ltv = 7_500
        undone = await lever("aave.ltv_zero").undo(given)
        assert not undone.ok and undone.retryable and len(sender.calls) == 1

    tell(market, story)


def test_what_our_account_sent_through_another_contract_is_not_the_nodes_doing():
    market = LaterAave()

    async def story(lever: Callable[[str], Lever], sender: NodeSender) -> None:
        given = order(market, "aave.freeze")
        trailer = Trailer(KEY, given.until_ms // 1000, False, 0).pack()
        market.batch(NODE, ("setReserveFreeze", (ASSET, True)), trailer=bytes(61) + trailer)
        undone = await lever("aave.freeze").undo(given)
        assert undone.ok and "left alone" in undone.says and market.frozen

    tell(market, story)


def test_where_nothing_is_lent_the_cap_is_one_token_since_zero_would_be_none():
    market = LaterAave(lent=0)

    async def story(lever: Callable[[str], Lever], sender: NodeSender) -> None:
        await pull(lever("aave.borrow_cap"), order(market, "aave.borrow_cap"))
        assert market.cap == 1

    tell(market, story)


def test_what_lies_further_back_than_is_looked_is_left_to_people():
    market = LaterAave()

    async def story(lever: Callable[[str], Lever], sender: NodeSender) -> None:
        given = order(market, "aave.freeze")
        await pull(lever("aave.freeze"), given)
        market.fake.head += 300_000
        undone = await lever("aave.freeze").undo(given)
        assert not undone.ok and "lift it by hand" in undone.says and market.frozen

    tell(market, story)


def test_what_stands_for_more_than_a_week_is_none_of_ours():
    market = LaterAave()
    freeze(market, True)

    async def story(lever: Callable[[str], Lever], sender: NodeSender) -> None:
        market.fake.block_s = 12
        market.fake.head += 60_000
        undone = await lever("aave.freeze").undo(order(market, "aave.freeze"))
        assert undone.ok and "nothing of ours" in undone.says and market.frozen

    tell(market, story)


def test_a_number_that_a_person_moved_just_before_ours_is_not_put_back_by_us():
    market = LaterAave(cap=900)

    async def story(lever: Callable[[str], Lever], sender: NodeSender) -> None:
        given = order(market, "aave.borrow_cap")
        sender.move_first = lambda: market.move(PERSON, "setBorrowCap", (ASSET, 500))
        await lever("aave.borrow_cap").apply(await lever("aave.borrow_cap").plan(given))
        undone = await lever("aave.borrow_cap").undo(given)
        assert not undone.ok and "set 500 just before ours" in undone.says and market.cap == 100

    tell(market, story)


def test_the_borrow_cap_counts_whole_tokens_of_a_token_with_six_decimals():
    market = LaterAave()

    async def story(lever: Callable[[str], Lever], sender: NodeSender) -> None:
        await pull(lever("aave.borrow_cap"), order(market, "aave.borrow_cap"))
        assert sender.calls == [("setBorrowCap", (100,))]

    tell(market, story)


def test_two_providers_that_differ_confirm_no_effect():
    honest, liar = LaterAave(), LaterAave(frozen=True)

    async def run() -> None:
        async with client_of(honest.fake, liar.fake) as client:
            shown = await lever_of(client, NodeSender(honest), "aave.freeze").read_back(order(honest, "aave.freeze"))
            assert not shown.ok and "disagree" in shown.says

    trio.run(run)
