"""One call of any contract as a lever: whom it stops, whose it is, and what is left alone."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
import trio

from adapters.api import ExpiresBy
from adapters.evm.client import ChainClient
from adapters.evm.wire import Ask
from tests.integration.levers.aave_market import E18, LOAN_CAP, Market
from tests.integration.levers.call_targets import (
    Bridge,
    Sentinel,
    build_bridge,
    build_sentinel,
    capping,
    flagging,
    leasing,
    pausing,
    tell,
)
from tests.integration.levers.pausable_token import PERSON, Token, address
from tests.integration.levers.rpc import Refused
from tests.integration.levers.scene import OTHER_KEY, pull, scene_of

CAP = 20_000
"""Whole tokens: above what is lent out, below what was allowed."""


@pytest.fixture
def bridge(market: Market) -> Bridge:
    return build_bridge(market.people)


@pytest.fixture
def sentinel(market: Market) -> Sentinel:
    return build_sentinel(market)


# --- a flag whose contract tells of it


def test_a_pause_of_a_published_token_stops_transfers_and_ends(token: Token):
    written = pausing(token)

    async def story(client: ChainClient) -> None:
        lever, given = written.lever(client), written.order()
        token.transfer("attacker")
        await pull(lever, given)
        with pytest.raises(Refused):
            token.transfer("attacker")
        assert (await lever.undo(given)).ok
        token.transfer("attacker")

    tell(written, story)


def test_a_repeat_sends_nothing_and_a_persons_pause_is_left_alone(token: Token):
    written = pausing(token)

    async def story(client: ChainClient) -> None:
        lever, given = written.lever(client), written.order()
        first, sent = await pull(lever, given), written.sent()
        again = await lever.apply(await lever.plan(given))
        assert again.ok and again.reference == first.reference and written.sent() == sent
        token.do(PERSON, "unpause")
        done = await lever.apply(await lever.plan(given))
        assert done.ok and "done before under this key" in done.says and written.sent() == sent
        token.do(PERSON, "pause")
        undone = await lever.undo(given)
        assert undone.ok and "left alone" in undone.says and f"0x{address(PERSON).hex()}" in undone.says
        assert token.view("paused")

    tell(written, story)


def test_what_its_key_could_do_besides_is_tried(token: Token):
    written = pausing(token)

    async def story(client: ChainClient) -> None:
        assert (await written.lever(client).beyond()).may == ()
        wide = await written.lever(client, "owner").beyond()
        assert wide.tried == 5 and wide.may == ("give anybody any of its roles", "mint")

    tell(written, story)


def test_a_key_without_the_right_is_told_which_one_is_missing(token: Token):
    written = pausing(token)

    async def story(client: ChainClient) -> None:
        lever = written.lever(client, "attacker")
        found = await lever.simulate(await lever.plan(written.order()))
        assert not found.ok and not found.retryable and "it takes PAUSER_ROLE" in found.says

    tell(written, story)


def test_an_event_that_tells_of_something_else_is_refused_before_anything_is_sent(token: Token):
    written = pausing(token)
    text = written.text.replace("Unpaused", "Lifted")
    token.do(PERSON, "pause")
    token.do(PERSON, "unpause")

    async def story(client: ChainClient) -> None:
        lever = written.lever(client, text=text)
        found = await lever.simulate(await lever.plan(written.order()))
        assert not found.ok and "name the event" in found.says

    tell(written, story)


# --- a number: the same as the lever that knows Aave


def test_aaves_borrow_cap_by_a_call_leaves_the_market_as_aaves_own_lever_does(market: Market):
    async def by_aave() -> tuple[object, object]:
        async with scene_of(market) as scene:
            lever, given = scene.lever("aave.borrow_cap"), scene.order("aave.borrow_cap")
            await pull(lever, given)
            during = market.view("pool", "getConfiguration", market.loan)
            assert (await lever.undo(given)).ok
            return during, market.view("pool", "getConfiguration", market.loan)

    during, after = trio.run(by_aave)
    lent = market.view("data_provider", "getTotalDebt", market.loan) // E18
    written = capping(market, lent)

    async def story(client: ChainClient) -> None:
        lever, given = written.lever(client), written.order(key=OTHER_KEY)
        await pull(lever, given)
        assert market.view("pool", "getConfiguration", market.loan) == during
        with pytest.raises(Refused):
            market.borrow("attacker")
        assert (await lever.undo(given)).ok
        assert market.view("pool", "getConfiguration", market.loan) == after
        market.borrow("attacker")

    tell(written, story)


def test_a_lower_cap_of_a_person_is_neither_raised_nor_lifted(market: Market):
    written = capping(market, CAP)
    market.do("risk_admin", "configurator", "setBorrowCap", market.loan, CAP // 2)

    async def story(client: ChainClient) -> None:
        lever, given, sent = written.lever(client), written.order(), written.sent()
        assert (await lever.plan(given)).already and (await pull(lever, given)).reference == ""
        assert (await lever.undo(given)).ok and written.sent() == sent
        assert market.view("data_provider", "getReserveCaps", market.loan)[0] == CAP // 2

    tell(written, story)


def test_a_person_who_moves_the_cap_after_us_keeps_it(market: Market):
    written = capping(market, CAP)

    async def story(client: ChainClient) -> None:
        lever, given = written.lever(client), written.order()
        await pull(lever, given)
        market.do("pool_admin", "configurator", "setBorrowCap", market.loan, CAP + 1)
        undone = await lever.undo(given)
        assert undone.ok and "left alone" in undone.says
        assert market.view("data_provider", "getReserveCaps", market.loan)[0] == CAP + 1

    tell(written, story)


def test_a_lift_that_would_leave_another_number_than_stood_is_refused(market: Market):
    written = capping(market, CAP)
    text = f"lifted = {LOAN_CAP + 1}\n" + written.text.replace('"{before}"', str(LOAN_CAP + 1))

    async def story(client: ChainClient) -> None:
        lever, sent = written.lever(client, text=text), written.sent()
        plan = await lever.plan(written.order())
        for found in (await lever.simulate(plan), await lever.apply(plan)):
            assert not found.ok and "let the lift put back {before}" in found.says
        assert written.sent() == sent

    tell(written, story)


# --- a contract that keeps ends


def test_a_lease_ends_at_the_contract_with_nobody_awake(bridge: Bridge):
    written = leasing(bridge)

    async def story(client: ChainClient) -> None:
        lever = written.lever(client)
        given = written.order()
        assert lever.declared.expires_by is ExpiresBy.TARGET
        bridge.deliver()
        plan = await lever.plan(given)
        assert (await lever.simulate(plan)).ok and (await lever.apply(plan)).ok
        shown = await lever.read_back(given)
        assert shown.ok and shown.until_ms == -(-given.until_ms // 1000) * 1000
        with pytest.raises(Refused):
            bridge.deliver()
        assert (await lever.undo(given)).ok and bridge.until() == 0
        bridge.deliver()

    tell(written, story)


def test_a_longer_lease_prolongs_it_and_its_end_lifts_both(bridge: Bridge):
    written = leasing(bridge)

    async def story(client: ChainClient) -> None:
        lever, first, longer = written.lever(client), written.order(300), written.order(900)
        for given in (first, longer):
            assert (await lever.apply(await lever.plan(given))).ok and (await lever.read_back(given)).ok
        sent = written.sent()
        assert "nothing sent" in (await lever.apply(await lever.plan(first))).says and written.sent() == sent
        assert (await lever.undo(longer)).ok and bridge.until() == 0

    tell(written, story)


def test_a_persons_lease_in_the_same_slot_outlasts_ours(bridge: Bridge):
    written = leasing(bridge)
    theirs = int(time.time()) + 300

    async def story(client: ChainClient) -> None:
        bridge.do("owner", "pause_releases", theirs, False, b"\x09" * 32)
        lever, given = written.lever(client), written.order(900)
        assert (await lever.apply(await lever.plan(given))).ok
        undone = await lever.undo(given)
        assert undone.ok and "left alone" in undone.says and bridge.until() > theirs

    tell(written, story)


def test_a_lease_that_a_person_lifted_is_not_sent_again_under_its_key(bridge: Bridge):
    written = leasing(bridge)

    async def story(client: ChainClient) -> None:
        lever, given = written.lever(client), written.order()
        assert (await lever.apply(await lever.plan(given))).ok
        bridge.do("owner", "lift_pause", False, b"\x09" * 32)
        sent = written.sent()
        again = await lever.apply(await lever.plan(given))
        assert again.ok and "done before" in again.says and written.sent() == sent and bridge.until() == 0
        assert not (await lever.read_back(given)).ok

    tell(written, story)


# --- a contract that tells of nothing


def test_a_flag_that_no_event_tells_of_is_set_once_and_lifted(sentinel: Sentinel):
    written = flagging(sentinel)

    async def story(client: ChainClient) -> None:
        lever, given = written.lever(client), written.order()
        sentinel.market.borrow("attacker")
        first = await pull(lever, given)
        with pytest.raises(Refused):
            sentinel.market.borrow("attacker")
        sent = written.sent()
        again = await lever.apply(await lever.plan(given))
        assert again.reference == first.reference and written.sent() == sent
        assert (await lever.undo(given)).ok and sentinel.down() == 0
        assert "lifted before" in (await lever.undo(given)).says
        done = await lever.apply(await lever.plan(given))
        assert "done before under this key" in done.says and sentinel.down() == 0
        sentinel.market.borrow("attacker")

    tell(written, story)


def test_who_lifts_and_sets_it_again_is_seen_by_what_the_view_said_between(sentinel: Sentinel):
    """No event and the same number at the head: only the past shows that it is another's now."""
    written = flagging(sentinel)

    async def story(client: ChainClient) -> None:
        lever, given = written.lever(client), written.order()
        await pull(lever, given)
        sentinel.set(False)
        sentinel.set(True)
        undone = await lever.undo(given)
        assert undone.ok and "left alone: somebody moved it after us" in undone.says and sentinel.down() == 1

    tell(written, story)


def test_what_stood_before_us_without_an_event_is_not_lifted(sentinel: Sentinel):
    written = flagging(sentinel)
    sentinel.set(True)

    async def story(client: ChainClient) -> None:
        lever, given = written.lever(client), written.order()
        assert (await pull(lever, given)).reference == ""
        undone = await lever.undo(given)
        assert undone.ok and "nothing of ours" in undone.says and sentinel.down() == 1

    tell(written, story)


def test_without_past_state_nothing_is_sent(sentinel: Sentinel, monkeypatch: pytest.MonkeyPatch):
    """As a provider that has pruned it says."""
    written = flagging(sentinel)

    def pruned(ask: Ask[int], block: int) -> Ask[int]:
        return Ask("eth_pruned", (), ask.parse)

    monkeypatch.setattr(Ask, "pinned", pruned)

    async def story(client: ChainClient) -> None:
        lever, sent = written.lever(client), written.sent()
        found = await lever.apply(await lever.plan(written.order()))
        assert not found.ok and "archive node" in found.says and written.sent() == sent

    tell(written, story)


def test_an_address_that_takes_anything_or_nothing_is_refused(token: Token):
    written = replace(pausing(token), contract=address("honest"))
    text = written.text.replace("read = {", f'read = {{ at = "0x{token.at.hex()}",')

    async def story(client: ChainClient) -> None:
        lever = written.lever(client, text=text)
        found = await lever.simulate(await lever.plan(written.order()))
        assert not found.ok and "takes any call, or has no code" in found.says

    tell(written, story)
