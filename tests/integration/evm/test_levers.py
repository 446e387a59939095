"""Levers on real contracts: the attacker before, during and after; an honest user all along; the target's own word."""

import time
from collections.abc import Awaitable, Callable

import pytest
import trio

from adapters.api import Lever, LeverOrder
from adapters.evm.abi import abi_of
from adapters.evm.client import Account
from adapters.evm.errors import Reverted
from adapters.evm.lever_rows import Target
from adapters.evm.levers import levers_for
from adapters.evm.sending import Sender
from protocol.ids import ActionKey
from protocol.messages import Level
from protocol.subjects import asset
from tests.integration.evm.world import E18, HOME, PEOPLE, POOR, World, world

KEY, OTHER_KEY = ActionKey(b"\x0a" * 32), ActionKey(b"\x0b" * 32)


def tell(chains, story: Callable[[World], Awaitable[None]]) -> None:
    async def run() -> None:
        async with world(chains) as scene:
            await story(scene)

    trio.run(run)


def lever_of(scene: World, thing: str, call: str, who: Account | str = "guardian") -> Lever:
    target = Target(thing, HOME, scene.at[thing], scene.at["rs"])
    kind = call.partition(".")[0]
    return levers_for(kind, target, scene.client, scene.sender(who))[call]


def order(scene: World, call: str, seconds: float = 60, human: bool = False, key: ActionKey = KEY) -> LeverOrder:
    until_ms = int((time.time() + seconds) * 1000)
    return LeverOrder(key, f"x:{call}", asset(HOME, scene.at["rs"]), Level.ISOLATE, until_ms, human)


async def pull(lever: Lever, given: LeverOrder) -> None:
    """The whole way of an action; each step must say yes."""
    plan = await lever.plan(given)
    for step in (lever.simulate(plan), lever.apply(plan), lever.read_back(given)):
        outcome = await step
        assert outcome.ok, outcome.says


async def refused(doing: Awaitable[object]) -> str:
    with pytest.raises(Reverted) as seen:
        await doing
    return seen.value.reason


async def restrictions(scene: World, thing: str, contract: str, event: str = "Restricted") -> int:
    head = (await scene.client.block(HOME)).value.number
    logs = await scene.client.logs(HOME, scene.at[thing], [abi_of(contract).event(event).topic], 0, head)
    return len(logs.value)


def test_ltv_zero_stops_new_loans_and_lets_an_honest_borrower_repay(chains):
    async def story(scene: World) -> None:
        await scene.open_lending()
        for who in ("attacker", "honest"):
            await scene.do(who, "lend", "borrow", E18)
        lever, given = lever_of(scene, "lend", "lending.ltv_zero"), order(scene, "lending.ltv_zero")
        begun = time.perf_counter()
        await pull(lever, given)
        print(f"lever plan to read back: {(time.perf_counter() - begun) * 1000:.0f} ms")
        assert await refused(scene.do("attacker", "lend", "borrow", E18)) == "ltv"
        await scene.do("honest", "lend", "repay", E18, PEOPLE["honest"].address)
        await scene.do("honest", "lend", "withdraw_collateral", scene.at["rs"], 100 * E18)
        assert (await lever.undo(given)).ok and not (await lever.read_back(given)).ok
        await scene.do("attacker", "lend", "borrow", E18)

    tell(chains, story)


def test_freeze_takes_no_more_of_the_asset_and_lets_it_leave(chains):
    async def story(scene: World) -> None:
        await scene.open_lending()
        await pull(lever_of(scene, "lend", "lending.freeze"), order(scene, "lending.freeze"))
        assert await refused(scene.do("attacker", "lend", "supply_collateral", scene.at["rs"], E18)) == "frozen"
        await scene.do("honest", "lend", "withdraw_collateral", scene.at["rs"], E18)

    tell(chains, story)


def test_cap_holds_borrowing_where_it_is_and_a_renewal_does_not_move_it(chains):
    async def story(scene: World) -> None:
        await scene.open_lending()
        await scene.do("attacker", "lend", "borrow", 5 * E18)
        lever = lever_of(scene, "lend", "lending.cap")
        await pull(lever, order(scene, "lending.cap"))
        assert await refused(scene.do("attacker", "lend", "borrow", E18)) == "cap"
        await scene.do("attacker", "lend", "repay", 2 * E18, PEOPLE["attacker"].address)
        await pull(lever, order(scene, "lending.cap", seconds=90))
        assert (await scene.view("lend", "borrow_cap_of", False))[0] == 5 * E18

    tell(chains, story)


def test_reduce_only_and_a_raised_margin_leave_closing_free(chains):
    async def story(scene: World) -> None:
        await scene.open_perp()
        for who in ("attacker", "honest"):
            await scene.do(who, "perp", "open", scene.at["rs"], 100 * E18)
        margin = lever_of(scene, "perp", "perp.margin")
        await pull(margin, order(scene, "perp.margin"))
        assert await scene.view("perp", "effective_margin_bps", scene.at["rs"]) == 2_000
        await pull(lever_of(scene, "perp", "perp.reduce_only"), order(scene, "perp.reduce_only"))
        assert await refused(scene.do("attacker", "perp", "open", scene.at["rs"], E18)) == "reduce only"
        await scene.do("honest", "perp", "close", scene.at["rs"], 100 * E18)

    tell(chains, story)


def test_halt_blocks_exits_as_it_declares(chains):
    async def story(scene: World) -> None:
        await scene.open_perp()
        await scene.do("honest", "perp", "open", scene.at["rs"], E18)
        lever = lever_of(scene, "perp", "perp.halt")
        await pull(lever, order(scene, "perp.halt"))
        assert lever.declared.blocks_exit and lever.declared.rung is Level.HALT
        assert await refused(scene.do("honest", "perp", "close", scene.at["rs"], E18)) == "halted"

    tell(chains, story)


def test_a_paused_escrow_releases_again_by_itself_when_the_lease_is_over(chains):
    async def story(scene: World) -> None:
        await scene.open_bridge()
        lever, given = lever_of(scene, "escrow", "escrow.pause"), order(scene, "escrow.pause", seconds=1.0)
        await pull(lever, given)
        assert await refused(scene.deliver(77, "attacker", 40_000 * E18)) == "paused"
        while not await _lapsed(scene, given):  # noqa: ASYNC110 another process's clock
            await trio.sleep(0.05)
        assert (await lever.read_back(given)).until_ms == 0
        await scene.deliver(await scene.burn(E18), "honest", E18)

    async def _lapsed(scene: World, given: LeverOrder) -> bool:
        return (await scene.client.block(HOME)).value.timestamp * 1000 >= given.until_ms

    tell(chains, story)


def test_the_same_key_twice_is_one_transaction_and_one_event(chains):
    async def story(scene: World) -> None:
        await scene.open_lending()
        lever, given = lever_of(scene, "lend", "lending.freeze"), order(scene, "lending.freeze")
        first = await lever.apply(await lever.plan(given))
        assert (await lever.read_back(given)).ok and (await lever.plan(given)).already
        again = await lever.apply(await lever.plan(given))
        assert again.ok and again.reference == first.reference and "nothing sent" in again.says
        assert await restrictions(scene, "lend", "Lending") == 1

    tell(chains, story)


def test_a_key_whose_restriction_was_lifted_does_not_act_again(chains):
    async def story(scene: World) -> None:
        await scene.open_lending()
        lever, given = lever_of(scene, "lend", "lending.freeze"), order(scene, "lending.freeze")
        await pull(lever, given)
        await lever.undo(given)
        again = await lever.apply(await lever.plan(given))
        assert again.ok and "done before" in again.says
        assert not (await lever.read_back(given)).ok and await restrictions(scene, "lend", "Lending") == 1

    tell(chains, story)


def test_the_automatic_undo_leaves_what_a_human_restricted(chains):
    async def story(scene: World) -> None:
        await scene.open_lending()
        lever = lever_of(scene, "lend", "lending.freeze")
        automatic = order(scene, "lending.freeze")
        human = order(scene, "lending.freeze", human=True, key=OTHER_KEY)
        await pull(lever, automatic)
        await pull(lever, human)
        assert (await lever.undo(automatic)).ok and (await lever.read_back(human)).ok
        assert await scene.view("lend", "is_frozen", scene.at["rs"])

    tell(chains, story)


def test_a_lever_without_gas_says_whose_account_and_how_much_it_has(chains):
    async def story(scene: World) -> None:
        await scene.open_lending()
        await scene.do("owner", "lend", "set_guardian", POOR.address, True)
        lever, given = lever_of(scene, "lend", "lending.freeze", POOR), order(scene, "lending.freeze")
        plan = await lever.plan(given)
        for outcome in (await lever.simulate(plan), await lever.apply(plan)):
            assert not outcome.ok and not outcome.retryable
            assert f"0x{POOR.address.hex()} has 0 wei" in outcome.says

    tell(chains, story)


def test_an_account_that_is_no_guardian_is_told_by_the_simulation(chains):
    async def story(scene: World) -> None:
        await scene.open_lending()
        lever, given = lever_of(scene, "lend", "lending.freeze", "attacker"), order(scene, "lending.freeze")
        outcome = await lever.simulate(await lever.plan(given))
        assert not outcome.ok and "not guardian" in outcome.says

    tell(chains, story)


def test_an_order_past_what_the_lever_declares_is_not_sent(chains):
    async def story(scene: World) -> None:
        await scene.open_lending()
        lever, given = lever_of(scene, "lend", "lending.freeze"), order(scene, "lending.freeze", seconds=7 * 3600)
        assert "shorten it" in (await lever.apply(await lever.plan(given))).says
        assert await restrictions(scene, "lend", "Lending") == 0

    tell(chains, story)


def test_an_undo_is_sent_after_what_is_still_on_its_way(chains, monkeypatch):
    async def flying(sender: Sender) -> bool:
        return True

    async def story(scene: World) -> None:
        await scene.open_lending()
        lever, given = lever_of(scene, "lend", "lending.freeze"), order(scene, "lending.freeze")
        assert (await lever.undo(given)).reference == ""
        monkeypatch.setattr(Sender, "in_flight", flying)
        assert (await lever.undo(given)).reference.startswith("0x")
        assert await restrictions(scene, "lend", "Lending", "Lifted") == 0

    tell(chains, story)
