"""A token behind OpenZeppelin's AccessManager: what closing it there stops, whose that is, what a delay does to it."""

from collections.abc import Callable
from typing import Any

import pytest

from adapters.evm.access_manager import CLOSE, PAUSE
from tests.integration.levers.managed_token import (
    ADMIN,
    DAY_S,
    LIFTS,
    MINTS,
    NODE,
    PAUSES,
    PERSON,
    SLOW,
    ManagedScene,
    ManagedToken,
    address,
    manager_abi,
    tell,
    token_abi,
)
from tests.integration.levers.rpc import Refused
from tests.integration.levers.scene import OTHER_KEY, pull

Ahead = Callable[[float], None]
PERSONS = f"0x{address(PERSON).hex()}"


def test_closing_stops_who_stole_a_minters_key_until_it_ends(managed: ManagedToken):
    async def story(scene: ManagedScene) -> None:
        managed.mint()
        lever, given = scene.lever(), scene.order()
        await pull(lever, given)
        with pytest.raises(Refused):
            managed.mint()
        assert (await lever.undo(given)).ok and not managed.shut
        managed.mint()

    tell(managed, story)


def test_a_repeat_under_one_key_sends_nothing_and_names_our_transaction(managed: ManagedToken):
    async def story(scene: ManagedScene) -> None:
        lever, given = scene.lever(), scene.order()
        first, sent = await pull(lever, given), scene.sent_by()
        again = await scene.lever().apply(await lever.plan(given))
        assert again.ok and again.reference == first.reference and scene.sent_by() == sent

    tell(managed, story)


def test_what_a_person_opened_is_closed_again_under_another_key_only(managed: ManagedToken):
    async def story(scene: ManagedScene) -> None:
        lever, given = scene.lever(), scene.order()
        await pull(lever, given)
        managed.do(PERSON, "setTargetClosed", managed.token.at, False)
        again = await lever.apply(await lever.plan(given))
        assert "done before under this key" in again.says and not managed.shut
        second = scene.order(key=OTHER_KEY)
        await pull(lever, second)
        assert (await lever.undo(second)).ok and not managed.shut

    tell(managed, story)


def test_what_a_person_closed_is_not_opened(managed: ManagedToken):
    async def story(scene: ManagedScene) -> None:
        managed.do(PERSON, "setTargetClosed", managed.token.at, True)
        lever, given, sent = scene.lever(), scene.order(), scene.sent_by()
        await pull(lever, given)
        undone = await lever.undo(given)
        assert undone.ok and "left alone" in undone.says and PERSONS in undone.says
        assert managed.shut and scene.sent_by() == sent

    tell(managed, story)


def test_who_closed_another_contract_of_the_manager_says_nothing_of_this_one(managed: ManagedToken):
    async def story(scene: ManagedScene) -> None:
        lever, given = scene.lever(), scene.order()
        await pull(lever, given)
        managed.do(PERSON, "setTargetClosed", b"\x55" * 20, True)
        assert (await lever.undo(given)).ok and not managed.shut

    tell(managed, story)


def test_a_key_without_the_role_is_told_which_one_is_missing(managed: ManagedToken):
    async def story(scene: ManagedScene) -> None:
        for call, role in ((CLOSE, "takes ADMIN_ROLE"), (PAUSE, f"takes role {PAUSES}")):
            lever = scene.lever(call, "attacker")
            outcome = await lever.simulate(await lever.plan(scene.order(call)))
            assert not outcome.ok and not outcome.retryable and role in outcome.says, outcome.says
            assert f"0x{address('attacker').hex()}" in outcome.says

    tell(managed, story)


# --- delays


@pytest.mark.parametrize("whose", ["the account's", "the contract's"])
def test_an_admin_who_must_wait_is_no_lever_and_is_told_for_how_long(managed: ManagedToken, whose: str):
    if whose == "the account's":
        managed.grants(ADMIN, NODE, DAY_S)

    async def story(scene: ManagedScene) -> None:
        lever, given = scene.lever(contract=b"" if whose == "the account's" else SLOW), scene.order()
        plan, sent = await lever.plan(given), scene.sent_by()
        for outcome in (await lever.simulate(plan), await lever.apply(plan)):
            assert not outcome.ok and not outcome.retryable and f"closing it takes {DAY_S} s" in outcome.says
        assert scene.sent_by() == sent

    tell(managed, story)


def test_a_delay_that_came_meanwhile_is_announced_and_waited_for(managed: ManagedToken, ahead: Ahead):
    async def story(scene: ManagedScene) -> None:
        lever, given = scene.lever(), scene.order()
        await pull(lever, given)
        managed.grants(ADMIN, NODE, DAY_S)
        waits = await lever.undo(given)
        assert not waits.ok and waits.retryable and "takes 86400 s at the manager, and is scheduled" in waits.says
        sent = scene.sent_by()
        again = await lever.undo(given)
        assert not again.ok and again.retryable and scene.sent_by() == sent, "it is scheduled once"
        assert managed.shut
        ahead(DAY_S + 3)
        managed.mines()
        assert (await lever.undo(given)).ok and not managed.shut

    tell(managed, story)


def test_a_pause_at_once_whose_lift_takes_time_is_lifted_when_its_lease_ends(managed: ManagedToken, ahead: Ahead):
    managed.grants(PAUSES, NODE)
    managed.grants(LIFTS, NODE, 300)

    async def story(scene: ManagedScene) -> None:
        lever, given = scene.lever(PAUSE), scene.order(PAUSE, seconds=320)
        applied = await pull(lever, given)
        assert "scheduled: unpause(), from " in applied.says and managed.paused
        early = await lever.undo(given)
        assert not early.ok and early.retryable and managed.paused
        ahead(320)
        managed.mines()
        undone = await lever.undo(given)
        assert undone.ok and not managed.paused, undone.says

    tell(managed, story)


def test_a_lease_shorter_than_its_lift_is_refused_with_the_number(managed: ManagedToken):
    managed.grants(PAUSES, NODE)
    managed.grants(LIFTS, NODE, 3_000)

    async def story(scene: ManagedScene) -> None:
        lever, given = scene.lever(PAUSE), scene.order(PAUSE, seconds=600)
        plan, sent = await lever.plan(given), scene.sent_by()
        for outcome in (await lever.simulate(plan), await lever.apply(plan)):
            assert not outcome.ok and "unpause() takes 3000 s" in outcome.says and "too long" in outcome.says
        assert not managed.paused and scene.sent_by() == sent
        assert (await lever.simulate(await lever.plan(scene.order(PAUSE, seconds=3_100)))).ok

    tell(managed, story)


def test_a_node_that_died_after_the_pause_schedules_the_lift_when_it_is_back(managed: ManagedToken):
    managed.grants(PAUSES, NODE)
    managed.grants(LIFTS, NODE, 60)

    async def story(scene: ManagedScene) -> None:
        lever, given = scene.lever(PAUSE), scene.order(PAUSE)
        await lever.apply(await lever.plan(given))
        data = token_abi().function("unpause").encode(())
        managed.do(NODE, "cancel", address(NODE), managed.token.at, data)  # as if it had never come to it
        again = await scene.lever(PAUSE).apply(await lever.plan(given))
        assert again.ok and "stands so already" in again.says and "scheduled: unpause()" in again.says

    tell(managed, story)


def test_a_lift_that_was_left_scheduled_and_runs_out_within_the_lease_is_scheduled_anew(ahead: Ahead, request: Any):
    ahead(-7 * DAY_S + 300)
    managed: ManagedToken = request.getfixturevalue("managed")
    managed.grants(PAUSES, NODE)
    managed.grants(LIFTS, NODE, 60)
    managed.do(NODE, "schedule", managed.token.at, token_abi().function("unpause").encode(()), 0)
    ahead(0)
    managed.mines()

    async def story(scene: ManagedScene) -> None:
        lever, given = scene.lever(PAUSE), scene.order(PAUSE, seconds=600)
        await pull(lever, given)
        ahead(600)
        managed.mines()
        assert (await lever.undo(given)).ok and not managed.paused

    tell(managed, story)


def test_a_persons_pause_through_the_manager_is_left_alone_and_nothing_is_scheduled(managed: ManagedToken):
    managed.grants(PAUSES, NODE)
    managed.grants(LIFTS, NODE, 60)

    async def story(scene: ManagedScene) -> None:
        managed.through(PERSON, "pause")
        lever, given, sent = scene.lever(PAUSE), scene.order(PAUSE), scene.sent_by()
        await pull(lever, given)
        undone = await lever.undo(given)
        assert undone.ok and "left alone" in undone.says and managed.paused and scene.sent_by() == sent

    tell(managed, story)


def test_who_may_pause_and_not_lift_is_refused_for_nobody_would_end_it(managed: ManagedToken):
    managed.grants(PAUSES, NODE)

    async def story(scene: ManagedScene) -> None:
        lever = scene.lever(PAUSE)
        outcome = await lever.simulate(await lever.plan(scene.order(PAUSE)))
        assert not outcome.ok and f"may pause and not lift: unpause() takes role {LIFTS}" in outcome.says

    tell(managed, story)


def test_no_pause_goes_through_a_manager_that_closed_the_contract(managed: ManagedToken):
    managed.grants(PAUSES, NODE)
    managed.do(PERSON, "setTargetClosed", managed.token.at, True)

    async def story(scene: ManagedScene) -> None:
        lever = scene.lever(PAUSE)
        outcome = await lever.simulate(await lever.plan(scene.order(PAUSE)))
        assert not outcome.ok and "is closed at the manager" in outcome.says

    tell(managed, story)


def test_what_anybody_has_scheduled_at_the_manager_is_told_until_it_is_cancelled(managed: ManagedToken):
    managed.grants(ADMIN, PERSON, DAY_S)
    opens = manager_abi().function("setTargetClosed").encode((managed.token.at, False))
    managed.do(PERSON, "schedule", managed.at, opens, 0)

    async def story(scene: ManagedScene) -> None:
        (said,) = await scene.lever().outstanding()
        assert f"by {PERSONS}" in said and f"setTargetClosed(address,bool) 0x{managed.token.at.hex()} False" in said
        managed.do("owner", "cancel", address(PERSON), managed.at, opens)
        assert await scene.lever().outstanding() == ()

    tell(managed, story)


# --- what the key could do besides


def test_an_admins_key_is_wide_and_each_thing_that_it_could_do_is_named(managed: ManagedToken):
    async def story(scene: ManagedScene) -> None:
        found = await scene.lever().beyond()
        assert found.tried == 14
        for one in (
            "give anybody any of the manager's roles",
            "let anybody call restricted functions",
            "change delays",
        ):
            assert one in found.may
        assert "hand the contract to another authority" not in found.may, "this token has no authority to hand on"

    tell(managed, story)


def test_a_key_that_may_pause_alone_is_narrow(managed: ManagedToken):
    managed.grants(PAUSES, NODE)
    managed.do("owner", "revokeRole", ADMIN, address(NODE))

    async def story(scene: ManagedScene) -> None:
        assert (await scene.lever(PAUSE).beyond()).may == ()

    tell(managed, story)


def test_what_a_key_could_do_after_a_delay_is_named_as_such(managed: ManagedToken):
    managed.grants(MINTS, NODE)
    managed.grants(ADMIN, NODE, DAY_S)

    async def story(scene: ManagedScene) -> None:
        may = (await scene.lever(PAUSE).beyond()).may
        assert "mint" in may and "give anybody any of the manager's roles (after a delay)" in may
        assert "close the contract (after a delay)" in may

    tell(managed, story)
