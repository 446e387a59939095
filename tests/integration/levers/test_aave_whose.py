"""Whose a restriction is: the target keeps no names, and the levers tell all the same what they may lift."""

import pytest

from adapters.evm.errors import NotMined
from tests.integration.levers.aave_market import BONUS, LTV, THRESHOLD, Market
from tests.integration.levers.scene import OTHER_KEY, SEATS, Scene, pull, tell

CALLS = ("aave.ltv_zero", "aave.freeze", "aave.pause", "aave.borrow_cap")
BY_HAND = {
    "aave.ltv_zero": ("configureReserveAsCollateral", (0, THRESHOLD, BONUS), (LTV, THRESHOLD, BONUS)),
    "aave.freeze": ("setReserveFreeze", (True,), (False,)),
    "aave.pause": ("setReservePause", (True,), (False,)),
    "aave.borrow_cap": ("setBorrowCap", (7,), (800_000,)),
}
"""How a person restricts, and how they free, by the configurator."""


def by_hand(scene: Scene, call: str, restrict: bool) -> None:
    fn, on, off = BY_HAND[call]
    scene.market.do("pool_admin", "configurator", fn, scene.target(call).asset, *(on if restrict else off))


def word(scene: Scene, call: str) -> int:
    return scene.market.view("pool", "getConfiguration", scene.target(call).asset)[0]


@pytest.mark.parametrize("call", CALLS)
def test_a_repeat_under_one_key_sends_nothing_and_names_our_transaction(market: Market, call: str):
    async def story(scene: Scene) -> None:
        lever, given = scene.lever(call), scene.order(call)
        first = await pull(lever, given)
        sent = scene.sent_by(SEATS[call])
        again = await scene.lever(call).apply(await lever.plan(given))
        assert again.ok and again.reference == first.reference and "nothing sent" in again.says
        assert scene.sent_by(SEATS[call]) == sent

    tell(market, story)


@pytest.mark.parametrize("call", CALLS)
def test_what_a_person_lifted_is_not_restricted_again_under_the_same_key(market: Market, call: str):
    async def story(scene: Scene) -> None:
        lever, given = scene.lever(call), scene.order(call)
        first = await pull(lever, given)
        by_hand(scene, call, restrict=False)
        again = await lever.apply(await lever.plan(given))
        assert again.reference == first.reference and "done before under this key" in again.says
        shown = await lever.read_back(given)
        assert not shown.ok and f"0x{market.address('pool_admin').hex()}" in shown.says

    tell(market, story)


@pytest.mark.parametrize("call", CALLS)
def test_another_key_restricts_anew_what_a_person_has_lifted(market: Market, call: str):
    async def story(scene: Scene) -> None:
        lever = scene.lever(call)
        await pull(lever, scene.order(call))
        by_hand(scene, call, restrict=False)
        second = scene.order(call, key=OTHER_KEY)
        freed = word(scene, call)
        await pull(lever, second)
        assert (await lever.undo(second)).ok and word(scene, call) == freed

    tell(market, story)


@pytest.mark.parametrize("call", CALLS)
def test_what_a_person_restricted_before_is_neither_sent_again_nor_lifted(market: Market, call: str):
    async def story(scene: Scene) -> None:
        by_hand(scene, call, restrict=True)
        stood = word(scene, call)
        lever, given = scene.lever(call), scene.order(call)
        assert (await lever.plan(given)).already
        assert (await pull(lever, given)).reference == ""
        undone = await lever.undo(given)
        assert undone.ok and "left alone" in undone.says and f"0x{market.address('pool_admin').hex()}" in undone.says
        assert word(scene, call) == stood

    tell(market, story)


@pytest.mark.parametrize("call", CALLS)
def test_what_a_person_restricted_after_us_stays_when_our_lease_ends(market: Market, call: str):
    async def story(scene: Scene) -> None:
        lever, given = scene.lever(call), scene.order(call)
        await pull(lever, given)
        by_hand(scene, call, restrict=True)
        stood = word(scene, call)
        undone = await lever.undo(given)
        assert undone.ok and "left alone" in undone.says and word(scene, call) == stood

    tell(market, story)


@pytest.mark.parametrize("call", CALLS)
def test_a_second_undo_sends_nothing(market: Market, call: str):
    async def story(scene: Scene) -> None:
        lever, given = scene.lever(call), scene.order(call)
        await pull(lever, given)
        assert (await lever.undo(given)).reference
        again = await lever.undo(given)
        assert again.ok and "lifted before" in again.says

    tell(market, story)


@pytest.mark.parametrize("call", CALLS)
def test_an_undo_of_what_was_never_done_sends_nothing(market: Market, call: str):
    async def story(scene: Scene) -> None:
        before = word(scene, call)
        undone = await scene.lever(call).undo(scene.order(call))
        assert undone.ok and "nothing sent" in undone.says and word(scene, call) == before

    tell(market, story)


def test_a_freeze_and_a_zero_ltv_are_lifted_each_by_itself(market: Market):
    async def story(scene: Scene) -> None:
        ltv, freeze = scene.lever("aave.ltv_zero"), scene.lever("aave.freeze")
        first, second = scene.order("aave.ltv_zero"), scene.order("aave.freeze", key=OTHER_KEY)
        before = word(scene, "aave.freeze")
        await pull(ltv, first)
        await pull(freeze, second)
        assert (await ltv.undo(first)).ok
        assert (await freeze.read_back(second)).ok and not (await ltv.read_back(first)).ok
        assert (await freeze.undo(second)).ok and word(scene, "aave.freeze") == before

    tell(market, story)


def test_somebody_who_copies_our_trailer_is_still_somebody_else(market: Market):
    async def story(scene: Scene) -> None:
        given = scene.order("aave.freeze")
        await pull(scene.lever("aave.freeze", "risk_admin"), given)
        undone = await scene.lever("aave.freeze", "pool_admin").undo(given)
        assert undone.ok and "left alone" in undone.says

    tell(market, story)


def test_a_node_that_died_after_sending_finds_its_own_doing(market: Market, monkeypatch):
    async def story(scene: Scene) -> None:
        lever, given = scene.lever("aave.ltv_zero"), scene.order("aave.ltv_zero")

        async def lost(tx: bytes, deadline_s: float = 60) -> None:
            raise NotMined("the process ended here")

        monkeypatch.setattr(lever._sender, "wait", lost)
        assert not (await lever.apply(await lever.plan(given))).ok
        fresh = scene.lever("aave.ltv_zero")
        found = await fresh.apply(await fresh.plan(given))
        assert found.ok and found.reference and "by our" in found.says
        assert (await fresh.undo(given)).ok
        assert market.view("data_provider", "getReserveConfigurationData", market.collateral)[1] == LTV

    tell(market, story)
