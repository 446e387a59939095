"""A token whose pauser is a 2-of-3 Safe: the node proposes, owners sign, and who is late signs for nothing."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from adapters.evm.abi import keccak256
from adapters.evm.evm_key import EvmKey
from adapters.evm.safe_council import SAFE as ASKED
from adapters.evm.safe_files import Signature, sign_proposal, signature_text
from adapters.evm.safe_tx import MULTI_SEND_CODE, SafeTx, listed
from tests.integration.levers.aave_market import KEYS
from tests.integration.levers.packages import SAFE, artifact
from tests.integration.levers.rpc import Refused
from tests.integration.levers.safe_token import GUARD, OWNERS, PERSON, SafeScene, SafeToken, address, safe_abi, tell
from tests.integration.levers.scene import OTHER_KEY

ONE, TWO, THREE = OWNERS


async def propose(scene: SafeScene, **order: object) -> None:
    lever, given = scene.lever(), scene.order(**order)  # type: ignore[arg-type]
    outcome = await lever.apply(await lever.plan(given))
    assert not outcome.ok and outcome.retryable and "0 of 2 owners have signed" in outcome.says, outcome.says


def test_two_of_three_owners_stop_the_attacker_and_two_let_go_again(safe: SafeToken, tmp_path: Path):
    async def story(scene: SafeScene) -> None:
        lever, given = scene.lever(), scene.order()
        safe.token.transfer("attacker")
        plan = await lever.plan(given)
        assert (await lever.simulate(plan)).ok
        assert not (await lever.apply(plan)).ok
        scene.sign(ONE)
        alone = await lever.apply(plan)
        assert not alone.ok and alone.retryable and "1 of 2 owners have signed" in alone.says
        safe.token.transfer("attacker")
        scene.sign(THREE)
        applied = await lever.apply(plan)
        assert applied.ok and (await lever.read_back(given)).until_ms == given.until_ms
        with pytest.raises(Refused):
            safe.token.transfer("attacker")
        waits = await lever.undo(given)
        assert not waits.ok and waits.retryable and safe.paused
        scene.sign(TWO, THREE)
        assert (await lever.undo(given)).ok and not safe.paused
        safe.token.transfer("attacker")
        assert scene.files() == []

    tell(safe, tmp_path, story)


def test_signatures_that_come_while_it_waits_are_sent_at_once(safe: SafeToken, tmp_path: Path):
    async def story(scene: SafeScene) -> None:
        await propose(scene)
        lever, given = scene.lever(watch_s=8), scene.order()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(later)
            outcome = await lever.apply(await lever.plan(given))
        assert outcome.ok and safe.paused

    async def later() -> None:
        await trio.sleep(0.3)
        SafeScene(safe, None, tmp_path).sign(ONE, TWO)  # type: ignore[arg-type]

    tell(safe, tmp_path, story)


def test_what_is_signed_is_what_the_safe_itself_calls_it(safe: SafeToken, tmp_path: Path):
    async def story(scene: SafeScene) -> None:
        await propose(scene)
        (one,) = scene.proposals()
        assert one.tx.hash == safe.view("getTransactionHash", *one.tx.values.values())

    tell(safe, tmp_path, story)


def test_owners_read_what_will_be_called_and_that_nothing_else_is_in_it(safe: SafeToken, tmp_path: Path):
    async def story(scene: SafeScene) -> None:
        await propose(scene)
        (path,) = scene.inbox.path.iterdir()
        told = json.loads(path.read_text())
        said = "\n".join(told["says"])
        assert f"calls 0x{safe.token.at.hex()} pause(), without value" in said
        assert (
            "no delegatecall" in said and "no refund of gas" in said and "until the Safe's nonce moves beyond 0" in said
        )
        assert (told["transaction"]["gasPrice"], told["transaction"]["operation"]) == ("0", "0")
        assert path.stat().st_mode & 0o777 == 0o600 and path.parent.stat().st_mode & 0o777 == 0o700

    tell(safe, tmp_path, story)


# --- whose words count


def test_only_owners_words_on_this_very_transaction_count(safe: SafeToken, tmp_path: Path):
    async def story(scene: SafeScene) -> None:
        await propose(scene)
        (one,) = scene.proposals()
        scene.sign(ONE, "attacker", "honest")
        other = replace(one, tx=SafeTx(one.tx.chain, one.tx.safe, one.tx.calls, one.tx.nonce + 1))
        scene.inbox.write("two.json", (scene.inbox.path / f"{ONE}-restrict.json").read_text())
        forged = Signature(one.tx.hash, address(TWO), b"\x11" * 64 + b"\x1b")
        scene.inbox.write("forged.json", signature_text(forged))
        scene.inbox.write("next.json", sign_proposal(other, EvmKey(KEYS[TWO])))
        lever, given = scene.lever(), scene.order()
        outcome = await lever.apply(await lever.plan(given))
        assert not outcome.ok and "1 of 2 owners have signed" in outcome.says
        assert "forged.json is no signature of" in outcome.says and not safe.paused

    tell(safe, tmp_path, story)


def test_an_approval_on_the_chain_is_an_owners_word_too(safe: SafeToken, tmp_path: Path):
    async def story(scene: SafeScene) -> None:
        await propose(scene)
        (one,) = scene.proposals()
        safe.do(TWO, "approveHash", one.tx.hash)
        scene.sign(ONE)
        lever, given = scene.lever(), scene.order()
        assert (await lever.apply(await lever.plan(given))).ok and safe.paused

    tell(safe, tmp_path, story)


def test_who_is_an_owner_no_more_has_no_word(safe: SafeToken, tmp_path: Path):
    async def story(scene: SafeScene) -> None:
        first = address(OWNERS[2])
        before = safe.view("getOwners")
        at = before.index(f"0x{first.hex()}")
        previous = "0x" + (1).to_bytes(20, "big").hex() if at == 0 else before[at - 1]
        safe.executes(f"removeOwner(address,address,uint256) {previous} 0x{first.hex()} 2", safe=True)
        await propose(scene)
        scene.sign(ONE, THREE)
        lever, given = scene.lever(), scene.order()
        assert "1 of 2 owners have signed" in (await lever.apply(await lever.plan(given))).says

    tell(safe, tmp_path, story)


# --- once, and whose


def test_a_repeat_under_one_key_proposes_nothing_and_names_our_transaction(safe: SafeToken, tmp_path: Path):
    async def story(scene: SafeScene) -> None:
        await propose(scene)
        scene.sign(ONE, TWO)
        lever, given = scene.lever(), scene.order()
        first, sent = await lever.apply(await lever.plan(given)), scene.sent_by()
        again = await scene.lever().apply(await lever.plan(given))
        assert first.ok and again.ok and again.reference == first.reference
        assert scene.sent_by() == sent and scene.files() == []

    tell(safe, tmp_path, story)


def test_what_a_person_lifted_is_proposed_again_under_another_key_only(safe: SafeToken, tmp_path: Path):
    async def story(scene: SafeScene) -> None:
        await propose(scene)
        scene.sign(ONE, TWO)
        lever, given = scene.lever(), scene.order()
        first = await lever.apply(await lever.plan(given))
        safe.token.do(PERSON, "unpause")
        again = await lever.apply(await lever.plan(given))
        assert again.ok and again.reference == first.reference and "done before under this key" in again.says
        await propose(scene, key=OTHER_KEY)

    tell(safe, tmp_path, story)


@pytest.mark.parametrize("key", [None, OTHER_KEY])
def test_what_an_owner_sent_is_done_under_the_key_that_proposed_it(safe: SafeToken, tmp_path: Path, key: object):
    async def story(scene: SafeScene) -> None:
        await propose(scene)
        sent = safe.sends(scene.proposals()[0].tx)
        safe.token.do(PERSON, "unpause")
        lever = scene.lever()
        given = scene.order() if key is None else scene.order(key=OTHER_KEY)
        outcome = await lever.apply(await lever.plan(given))
        if key is None:
            assert outcome.ok and outcome.reference == f"0x{sent.tx.hex()}"
        else:
            assert not outcome.ok and "0 of 2 owners have signed" in outcome.says

    tell(safe, tmp_path, story)


def test_a_persons_pause_is_neither_proposed_again_nor_lifted(safe: SafeToken, tmp_path: Path):
    async def story(scene: SafeScene) -> None:
        safe.token.do(PERSON, "pause")
        lever, given = scene.lever(), scene.order()
        assert (await lever.apply(await lever.plan(given))).ok
        undone = await lever.undo(given)
        assert undone.ok and "left alone" in undone.says and safe.paused and scene.files() == []

    tell(safe, tmp_path, story)


# --- late, and void


def test_a_safe_that_did_something_else_meanwhile_is_asked_anew(safe: SafeToken, tmp_path: Path):
    async def story(scene: SafeScene) -> None:
        await propose(scene)
        scene.sign(ONE, TWO)
        safe.executes("approve(address,uint256) 0x" + "11" * 20 + " 1")
        lever, given = scene.lever(), scene.order()
        outcome = await lever.apply(await lever.plan(given))
        assert not outcome.ok and "0 of 2 owners have signed" in outcome.says and not safe.paused
        assert [one.tx.nonce for one in scene.proposals()] == [1] and scene.told == []

    tell(safe, tmp_path, story)


def test_a_late_proposal_is_discarded_and_people_are_told_what_a_copy_could_still_do(safe: SafeToken, tmp_path: Path):
    async def story(scene: SafeScene) -> None:
        await propose(scene, seconds=1)
        scene.sign(ONE, TWO)
        held = scene.proposals()[0]
        await trio.sleep(3.2)
        lever = scene.lever()
        shown = await lever.read_back(scene.order())
        assert not shown.ok and shown.until_ms == 0
        (said,) = scene.told
        assert "discarded with 2 of 2 signatures" in said and f"0x{address(ONE).hex()}" in said
        assert "until its nonce moves beyond 0" in said and "make it void" in said
        assert await lever.outstanding() == (said,)
        assert not list(scene.inbox.path.glob("*.proposal.json")) and not list(scene.inbox.path.glob(f"{ONE}*"))
        # it is so: a copy still works, and an empty call of the Safe ends that
        safe.executes("nonce()", safe=True)
        with pytest.raises(Refused, match="GS026"):
            safe.sends(held.tx)
        assert await lever.outstanding() == ()
        await lever.read_back(scene.order())
        assert scene.files() == []

    tell(safe, tmp_path, story)


def test_a_copy_of_a_discarded_proposal_does_work_until_the_nonce_moves(safe: SafeToken, tmp_path: Path):
    async def story(scene: SafeScene) -> None:
        await propose(scene)
        scene.sign(ONE, TWO)
        held = scene.proposals()[0]
        undone = await scene.lever().undo(scene.order())
        assert undone.ok and "nothing proposed" in undone.says and len(scene.told) == 1
        safe.sends(held.tx)
        assert safe.paused

    tell(safe, tmp_path, story)


def test_a_signature_that_comes_after_the_discard_is_not_kept_and_is_told_of(safe: SafeToken, tmp_path: Path):
    async def story(scene: SafeScene) -> None:
        await propose(scene)
        scene.sign(ONE)
        held = scene.proposals()[0]
        lever = scene.lever()
        await lever.undo(scene.order())
        scene.inbox.write("late.json", sign_proposal(held, EvmKey(KEYS[TWO])))
        await lever.read_back(scene.order())
        (said,) = await lever.outstanding()
        assert "discarded with 2 of 2 signatures" in said and scene.told[-1] == said
        assert [one for one in scene.files() if not one.endswith(".discarded.json")] == []

    tell(safe, tmp_path, story)


def test_a_proposal_that_waits_is_listed_as_outstanding(safe: SafeToken, tmp_path: Path):
    async def story(scene: SafeScene) -> None:
        await propose(scene)
        scene.sign(ONE)
        (said,) = await scene.lever().outstanding()
        assert "waits: 1 of 2 owners have signed" in said and "nonce moves beyond 0" in said

    tell(safe, tmp_path, story)


# --- several calls in one


def test_several_calls_go_through_multi_send_which_can_only_call(safe: SafeToken, tmp_path: Path):
    calls = ("pause()", "approve(address,uint256) 0x" + "11" * 20 + " 7")

    async def story(scene: SafeScene) -> None:
        lever, given = scene.lever(restrict=calls), scene.order()
        plan = await lever.plan(given)
        assert (await lever.simulate(plan)).ok
        await lever.apply(plan)
        (one,) = scene.proposals()
        assert "one delegatecall, to MultiSendCallOnly" in "\n".join(one.tx.lines()) and one.tx.operation == 1
        scene.sign(ONE, TWO)
        assert (await lever.apply(plan)).ok and safe.paused
        assert safe.token.view("allowance", safe.safe, b"\x11" * 20) == 7

    tell(safe, tmp_path, story)


def test_a_delegatecall_to_any_other_code_is_not_proposed(safe: SafeToken, tmp_path: Path):
    async def story(scene: SafeScene) -> None:
        calls = ("pause()", "approve(address,uint256) 0x" + "11" * 20 + " 7")
        lever = scene.lever(restrict=calls, multi_send=safe.token.at)
        outcome = await lever.simulate(await lever.plan(scene.order()))
        assert not outcome.ok and "not the code of a MultiSendCallOnly" in outcome.says

    tell(safe, tmp_path, story)


# --- before it is needed


def test_a_safe_without_the_right_is_told_which_one_is_missing(safe: SafeToken, tmp_path: Path):
    async def story(scene: SafeScene) -> None:
        safe.token.do("owner", "revokeRole", safe.token.view("PAUSER_ROLE"), safe.safe)
        lever = scene.lever()
        outcome = await lever.simulate(await lever.plan(scene.order()))
        assert not outcome.ok and "the Safe may not make the call" in outcome.says and "PAUSER_ROLE" in outcome.says

    tell(safe, tmp_path, story)


def test_an_inbox_that_others_may_enter_is_refused(safe: SafeToken, tmp_path: Path):
    async def story(scene: SafeScene) -> None:
        scene.inbox.path.mkdir(mode=0o755)
        scene.inbox.path.chmod(0o755)
        lever = scene.lever()
        plan = await lever.plan(scene.order())
        for outcome in (await lever.simulate(plan), await lever.apply(plan)):
            assert not outcome.ok and "must be a directory of this user alone" in outcome.says

    tell(safe, tmp_path, story)


def test_rubbish_in_the_inbox_stops_nothing_and_is_named(safe: SafeToken, tmp_path: Path):
    async def story(scene: SafeScene) -> None:
        await propose(scene)
        (scene.inbox.path / "deep.json").write_text("[" * 50_000)
        (scene.inbox.path / "big.json").write_bytes(b" " * 70_000)
        (scene.inbox.path / "link.json").symlink_to("/etc/hostname")
        os.mkfifo(scene.inbox.path / "pipe.json")
        lever, given = scene.lever(), scene.order()
        waits = await lever.apply(await lever.plan(given))
        assert "not taken: " in waits.says and "big.json is above" in waits.says
        assert "link.json cannot be read" in str(scene.inbox.read().faults)
        scene.sign(ONE, TWO)
        assert (await lever.apply(await lever.plan(given))).ok

    tell(safe, tmp_path, story)


def test_the_nodes_account_has_no_right_at_the_safe_and_an_owners_is_named(safe: SafeToken, tmp_path: Path):
    async def story(scene: SafeScene) -> None:
        assert (await scene.lever().beyond()).may == ()
        assert (await scene.lever(ONE).beyond()).may == ("sign anything for the Safe, as one of the 2 who must",)
        safe.executes(f"enableModule(address) 0x{address(GUARD).hex()}", safe=True)
        assert (await scene.lever().beyond()).may == ("make the Safe do anything, as its module",)

    tell(safe, tmp_path, story)


def test_what_is_asked_of_a_safe_is_what_a_safe_has(safe: SafeToken):
    theirs = safe_abi()
    for name, ours in ASKED.functions.items():
        assert theirs.function(name).selector == ours.selector
    code = bytes.fromhex(artifact(SAFE, "MultiSendCallOnly")["deployedBytecode"][2:])
    assert MULTI_SEND_CODE[keccak256(code)] == "1.4.1"
    assert listed("0x" + "11" * 20 + " pause()").data == bytes.fromhex("8456cb59")
