"""Suspensions of Synthetix, on its own contracts: whom they stop, whose they are, and what is refused beforehand."""

from dataclasses import replace

import pytest

from adapters.evm.synthetix_rows import MARKET as MARKET_ROW
from adapters.evm.synthetix_rows import REASON, STATUS, SYNTHETIX_ROWS, word32
from node.testnet.real.standin import says, stand_in
from tests.integration.levers.aave_market import KEYS
from tests.integration.levers.rpc import Refused
from tests.integration.levers.scene import OTHER_KEY, pull
from tests.integration.levers.synthetix_system import (
    GUARD,
    HALF,
    MARKET,
    PERSON,
    SYNTH,
    SuspendScene,
    System,
    abi,
    address,
    tell,
)

PERSONS = f"0x{address(PERSON).hex()}"


def standing(system: System) -> tuple[bool, int]:
    suspended, reason = system.view("futuresMarketSuspension", word32(MARKET))
    return suspended, reason


def test_a_suspended_market_opens_closes_and_pays_out_nothing_until_it_ends(system: System):
    async def story(scene: SuspendScene) -> None:
        system.trade("attacker")
        lever, given = scene.lever(), scene.order()
        await pull(lever, given)
        for way in (system.trade, system.close, system.withdraw):
            with pytest.raises(Refused, match="Market suspended"):
                way("attacker")
        system.transfer("attacker")
        assert (await lever.undo(given)).ok and not (await lever.read_back(given)).ok
        system.close("honest")
        system.withdraw("honest")

    tell(system, story)


def test_a_suspended_synth_is_held_where_it_lies_and_its_market_stands_still(system: System):
    async def story(scene: SuspendScene) -> None:
        lever, given = scene.lever("synthetix.synth"), scene.order("synthetix.synth")
        await pull(lever, given)
        for way in (system.transfer, system.exchange, system.trade):
            with pytest.raises(Refused, match="Synth is suspended"):
                way("attacker")
        assert (await lever.undo(given)).ok
        system.transfer("attacker")

    tell(system, story)


def test_a_synth_whose_exchange_is_suspended_is_still_transferred(system: System):
    async def story(scene: SuspendScene) -> None:
        lever, given = scene.lever("synthetix.synth_exchange"), scene.order("synthetix.synth_exchange")
        await pull(lever, given)
        with pytest.raises(Refused, match="Synth exchange suspended"):
            system.exchange("attacker")
        system.transfer("attacker")
        assert (await lever.undo(given)).ok
        system.exchange("attacker")

    tell(system, story)


def test_what_stands_bears_the_levers_own_reason(system: System):
    async def story(scene: SuspendScene) -> None:
        await pull(scene.lever(), scene.order())
        assert standing(system) == (True, REASON)

    tell(system, story)


def test_a_persons_suspension_keeps_its_reason_and_is_never_lifted(system: System):
    async def story(scene: SuspendScene) -> None:
        system.status(PERSON, "suspendFuturesMarket", word32(MARKET), 2)
        lever, given, sent = scene.lever(), scene.order(), scene.sent_by()
        assert (await lever.plan(given)).already and (await pull(lever, given)).reference == ""
        undone = await lever.undo(given)
        assert undone.ok and f"{PERSONS} " in undone.says and "suspended for reason 2" in undone.says
        assert standing(system) == (True, 2) and scene.sent_by() == sent

    tell(system, story)


def test_a_person_who_suspends_over_ours_has_made_it_theirs(system: System):
    async def story(scene: SuspendScene) -> None:
        lever, given = scene.lever(), scene.order()
        await pull(lever, given)
        system.status(PERSON, "suspendFuturesMarket", word32(MARKET), 99_999)
        undone = await lever.undo(given)
        assert undone.ok and "left alone" in undone.says and standing(system) == (True, 99_999)

    tell(system, story)


def test_our_reason_in_somebody_elses_hand_is_not_ours(system: System):
    async def story(scene: SuspendScene) -> None:
        system.status(PERSON, "suspendFuturesMarket", word32(MARKET), REASON)
        undone = await scene.lever().undo(scene.order())
        assert undone.ok and "left alone" in undone.says and standing(system) == (True, REASON)

    tell(system, story)


def test_a_reason_too_long_to_be_kept_is_read_as_it_is_kept(system: System):
    async def story(scene: SuspendScene) -> None:
        system.status(PERSON, "suspendFuturesMarket", word32(MARKET), 2**248 + 5)
        undone = await scene.lever().undo(scene.order())
        assert undone.ok and "suspended for reason 5;" in undone.says

    tell(system, story)


def test_what_a_person_resumed_is_suspended_again_under_another_key_only(system: System):
    async def story(scene: SuspendScene) -> None:
        lever, given = scene.lever(), scene.order()
        first = await pull(lever, given)
        system.status(PERSON, "resumeFuturesMarket", word32(MARKET))
        again = await lever.apply(await lever.plan(given))
        assert again.reference == first.reference and "done before under this key" in again.says
        second = scene.order(key=OTHER_KEY)
        await pull(lever, second)
        assert (await lever.undo(second)).ok and not standing(system)[0]

    tell(system, story)


def test_a_repeat_sends_nothing_and_an_undo_comes_once(system: System):
    async def story(scene: SuspendScene) -> None:
        lever, given = scene.lever(), scene.order()
        first, sent = await pull(lever, given), scene.sent_by()
        again = await scene.lever().apply(await lever.plan(given))
        assert again.ok and again.reference == first.reference and scene.sent_by() == sent
        assert (await lever.undo(given)).reference
        assert "lifted before" in (await lever.undo(given)).says

    tell(system, story)


def test_what_is_told_of_other_markets_is_nobodys_move_here(system: System):
    async def story(scene: SuspendScene) -> None:
        lever, given = scene.lever(), scene.order()
        await pull(lever, given)
        system.status(PERSON, "suspendFuturesMarket", word32("sBTCPERP"), 2)
        assert (await lever.undo(given)).reference and not standing(system)[0]

    tell(system, story)


# --- what is refused before anything is sent


def test_who_may_suspend_and_not_resume_is_refused_for_nobody_would_end_it(system: System):
    async def story(scene: SuspendScene) -> None:
        lever = scene.lever(role=HALF)
        found = await lever.simulate(await lever.plan(scene.order()))
        assert (
            not found.ok and "may suspend and not resume" in found.says and "canResume on section Futures" in found.says
        )

    tell(system, story)


def test_who_has_neither_right_is_told_which(system: System):
    async def story(scene: SuspendScene) -> None:
        lever = scene.lever("synthetix.synth", role="attacker")
        found = await lever.simulate(await lever.plan(scene.order("synthetix.synth")))
        assert (
            not found.ok and not found.retryable and "canSuspend, and canResume to lift, on section Synth" in found.says
        )

    tell(system, story)


@pytest.mark.parametrize(
    ("call", "keys", "why"),
    [
        ("synthetix.market", {"market": "sETHPERp"}, "nothing goes by the key sETHPERp"),
        ("synthetix.synth", {"synth": "sEth"}, "nothing goes by the key sEth"),
    ],
)
def test_a_key_that_nobody_uses_is_refused_though_it_could_be_suspended(system: System, call, keys, why):
    async def story(scene: SuspendScene) -> None:
        lever = scene.lever(call, **keys)
        found = await lever.simulate(await lever.plan(scene.order(call)))
        assert not found.ok and why in found.says and not scene.sent_by()
        system.status(GUARD, "suspendFuturesMarket", word32("sETHPERp"), 2)

    tell(system, story)


@pytest.mark.parametrize("wrong", ["SystemStatus", SYNTH])
def test_an_address_that_is_no_resolver_is_refused_with_words(system: System, wrong: str):
    async def story(scene: SuspendScene) -> None:
        scene.system = replace(system, at=system.at | {"AddressResolver": system.at[wrong]})
        plan = await scene.lever().plan(scene.order())
        found = await scene.lever().simulate(plan)
        assert "not read yet" in plan.says and not found.ok and "no AddressResolver" in found.says

    tell(system, story)


@pytest.mark.parametrize("other", ["FlexibleStorage", "Issuer", "Exchanger"])
def test_a_system_status_of_another_make_is_refused_with_words(system: System, other: str):
    names, places = [word32("SystemStatus")], [system.at[other]]
    resolver = system.at["AddressResolver"]
    system.people.do(KEYS["owner"], resolver, abi("AddressResolver"), "importAddresses", names, places)

    async def story(scene: SuspendScene) -> None:
        found = await scene.lever().simulate(await scene.lever().plan(scene.order()))
        assert not found.ok and "other than in release 2.102.1" in found.says and not scene.sent_by()

    tell(system, story)


def test_a_system_status_whose_gate_stays_open_is_refused_with_words(system: System):
    """Its flag says suspended, and it lets everybody through: what it would close is not known."""
    open_gate = [says("SECTION_FUTURES()", int.from_bytes(word32("Futures")))]
    open_gate.append(says("futuresMarketSuspension(bytes32)", 1, 5))
    names, places = (
        [word32("SystemStatus")],
        [system.people.send(KEYS["owner"], None, stand_in(dict(open_gate))).created],
    )
    resolver = system.at["AddressResolver"]
    system.people.do(KEYS["owner"], resolver, abi("AddressResolver"), "importAddresses", names, places)

    async def story(scene: SuspendScene) -> None:
        found = await scene.lever().simulate(await scene.lever().plan(scene.order()))
        assert not found.ok and "other than in release 2.102.1" in found.says

    tell(system, story)


# --- what the key could do besides


def test_what_the_right_reaches_besides_is_tried_and_named(system: System):
    async def story(scene: SuspendScene) -> None:
        futures = await scene.lever().beyond()
        assert futures.tried == 9
        assert futures.may == (
            "suspend all futures markets at once, and each of the others",
            "lift anybody's suspension of that kind",
            "suspend any other synth",
            "suspend the exchange of any other synth",
        )
        owner = await scene.lever(role="owner").beyond()
        assert owner.may == ("give anybody any of these rights", "give its ownership to anybody")
        assert (await scene.lever(role="attacker").beyond()).may == ()

    tell(system, story)


@pytest.mark.parametrize("row", SYNTHETIX_ROWS, ids=lambda row: row.suspend)
def test_what_is_asked_of_the_system_status_is_what_it_has(system: System, row):
    theirs = abi("SystemStatus")
    for name in (row.suspend, row.resume):
        assert theirs.function(name).selector == STATUS.function(name).selector
    for name in (row.says_suspended, row.says_resumed):
        assert theirs.event(name).topic == STATUS.event(name).topic and not theirs.event(name).indexed
    assert system.view(row.section_view) == word32(row.section)
    assert row is not MARKET_ROW or system.view(row.suspension, word32(MARKET)) == (False, 0)
