"""What waits in OpenZeppelin's TimelockController: told in words, and cancelled for good, by people alone."""

from __future__ import annotations

import pytest

from adapters.evm.abi import keccak256
from adapters.evm.survey.queue import said_of
from adapters.policy import parse_text
from adapters.policy.check import check
from protocol.membership import LEASE_MS_MOST
from tests.integration.levers.aave_market import E18
from tests.integration.levers.locked_token import PROPOSER, THIEF, LockedToken, LockScene, tell
from tests.integration.levers.pausable_token import GUARD, address
from tests.integration.levers.rpc import Refused
from tests.integration.levers.scene import OTHER_KEY


def test_what_a_thief_scheduled_is_cancelled_before_it_is_executed(locked: LockedToken):
    async def story(scene: LockScene) -> None:
        locked.schedules(locked.mint())
        locked.do(THIEF, "execute", *locked.mint())
        locked.schedules(locked.mint(2 * E18))
        lever, given = scene.lever(), scene.order()
        plan = await lever.plan(given)
        assert f"mint(address,uint256) 0x{address(THIEF).hex()} {2 * E18}" in plan.says
        before = await lever.read_back(given)
        assert not before.ok and "still waits" in before.says
        assert (await lever.simulate(plan)).ok and (await lever.apply(plan)).ok
        with pytest.raises(Refused):
            locked.do(THIEF, "execute", *locked.mint(2 * E18))
        shown = await lever.read_back(given)
        assert shown.ok and shown.until_ms == 0, "nothing stands that would have to end"

    tell(locked, story)


def test_what_was_cancelled_and_scheduled_again_is_cancelled_under_another_key_only(locked: LockedToken):
    async def story(scene: LockScene) -> None:
        lever, given = scene.lever(), scene.order()
        locked.schedules(locked.mint())
        first = await lever.apply(await lever.plan(given))
        locked.schedules(locked.mint())
        sent = scene.sent_by()
        again = await lever.apply(await lever.plan(given))
        assert again.ok and again.reference == first.reference and scene.sent_by() == sent
        assert (await lever.read_back(given)).ok
        second = scene.order(OTHER_KEY)
        assert (await lever.apply(await lever.plan(second))).ok and scene.sent_by() == sent + 1

    tell(locked, story)


def test_what_was_scheduled_after_the_plan_is_left_to_another_order(locked: LockedToken):
    async def story(scene: LockScene) -> None:
        lever, given = scene.lever(), scene.order()
        empty = await lever.plan(given)
        locked.schedules(locked.mint())
        assert (await lever.plan(given)).already, "planned again under one key, it means no more than at first"
        outcome, sent = await lever.apply(empty), scene.sent_by()
        assert outcome.ok and "nothing sent" in outcome.says and not sent
        shown = await lever.read_back(given)
        assert shown.ok and "left to another order" in shown.says, "or the node would cancel it by itself"
        second = scene.order(OTHER_KEY)
        await lever.apply(await lever.plan(second))
        locked.schedules(locked.mint(3 * E18))
        again = scene.lever()
        assert (await again.read_back(second)).ok, "also for a node that was started anew"
        assert "nothing sent" in (await again.apply(await again.plan(second))).says

    tell(locked, story)


def test_only_operations_with_a_listed_call_are_cancelled_and_all_are_told(locked: LockedToken):
    async def story(scene: LockScene) -> None:
        pause = (locked.token.at, 0, keccak256(b"pause()")[:4], bytes(32), bytes(32))
        kept, gone = locked.schedules(pause), locked.schedules(locked.mint())
        lever, given = scene.lever(), scene.order()
        said = await lever.outstanding()
        assert len(said) == 2 and all("waits in the timelock" in one for one in said)
        outcome = await lever.apply(await lever.plan(given))
        assert f"0x{gone.hex()}" in outcome.says and f"0x{kept.hex()}" not in outcome.says
        (left,) = await lever.outstanding()
        assert f"0x{kept.hex()}" in left and "pause()" in left

    tell(locked, story)


def test_a_batch_is_cancelled_for_one_listed_call_in_it(locked: LockedToken):
    async def story(scene: LockScene) -> None:
        at, _, mint, *_ = locked.mint()
        batch = ([at, at], [0, 0], [keccak256(b"pause()")[:4], mint], bytes(32), bytes(32))
        locked.do(THIEF, "scheduleBatch", *batch, 0)
        lever, given = scene.lever(), scene.order()
        assert "pause(); 0x" in (await lever.plan(given)).says
        assert (await lever.apply(await lever.plan(given))).ok
        with pytest.raises(Refused):
            locked.do(THIEF, "executeBatch", *batch)

    tell(locked, story)


def test_a_key_without_the_role_is_told_so_before_anything_waits(locked: LockedToken):
    async def story(scene: LockScene) -> None:
        lever = scene.lever("honest")
        outcome = await lever.simulate(await lever.plan(scene.order()))
        assert not outcome.ok and "takes CANCELLER_ROLE" in outcome.says

    tell(locked, story)


def test_a_canceller_alone_is_narrow_and_a_proposer_is_named(locked: LockedToken):
    async def story(scene: LockScene) -> None:
        found = await scene.lever().beyond()
        assert (found.tried, found.may) == (3, ())
        locked.do("owner", "grantRole", PROPOSER, address(GUARD))
        locked.do("owner", "grantRole", bytes(32), address(GUARD))
        assert (await scene.lever().beyond()).may == ("schedule anything", "give anybody any of its roles")

    tell(locked, story)


def test_an_undo_says_that_it_cannot_and_sends_nothing(locked: LockedToken):
    async def story(scene: LockScene) -> None:
        locked.schedules(locked.mint())
        lever, given = scene.lever(), scene.order()
        await lever.apply(await lever.plan(given))
        sent, undone = scene.sent_by(), await lever.undo(given)
        assert undone.ok and "stays so" in undone.says and scene.sent_by() == sent

    tell(locked, story)


POLICY = """
policy = 1
mode = "act"
asset.rseth = ["eip155:1/erc20:0x1111111111111111111111111111111111111111"]
[exposure]
lock = { asset = "rseth", read = "aave.reserve", max_age = "5m", ways_out = ["withdraw"] }
[lever]
stop = { on = "lock", call = "timelock.cancel", closes = ["mint"], expires_by = "human", accept_overdue = true, max = "1h", cooldown = "1h" }
[rule]
go = { asset = "rseth", level = "HALT", own = "any", do = ["stop"], for = "10m" }
rest = { asset = "any", level = "any", own = "any", do = [] }
"""  # noqa: E501


def test_no_policy_may_pull_it(locked: LockedToken):
    async def story(scene: LockScene) -> None:
        declared = {"timelock.cancel": scene.lever().declared}
        said = check(parse_text(POLICY), declared, LEASE_MS_MOST, n_groups=7, f=2)
        assert [(one.path, one.what) for one in said] == [("rule.go.do", "stop cannot be undone")]

    tell(locked, story)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "an empty call"),
        (b"\x12\x34\x56\x78" + bytes(32), "call of selector 0x12345678, 36 bytes"),
        (keccak256(b"pause()")[:4], "pause()"),
        (keccak256(b"upgradeTo(address)")[:4] + b"\x11" * 20, "call of selector 0x3659cfe6, 24 bytes"),
        (keccak256(b"updateDelay(uint256)")[:4] + bytes(32), "updateDelay(uint256) 0"),
    ],
)
def test_a_call_is_told_by_name_where_it_is_what_it_seems(data: bytes, says: str):
    assert said_of(data) == says
