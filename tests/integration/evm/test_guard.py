"""A guard on a real chain, pulled by a node and by a quorum; what each of them leaves when nobody is there any more."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import trio

from adapters.evm.eip712 import domain_of
from adapters.evm.errors import Reverted
from adapters.evm.guard_state import NoReasonError, act_call
from adapters.evm.guard_words import ANY_THREAT
from adapters.evm.registry import Said, ShortError, alarm_values, countersigned
from protocol.crypto import Signer, sha256
from protocol.envelope import seal_entry
from protocol.ids import ZERO_HASH, EpochHash, MemberName
from protocol.messages import Attestation, Basis, Level, Threat, Tlp
from protocol.subjects import asset
from tests.integration.evm.guard_scene import EPOCH, GUARD, NETWORK, OTHER_KEY, SEVEN, GuardScene, Q, key_of, pull, tell
from tests.integration.evm.world import FAR, HOME, POOR

LAPSE = (GUARD, "lapse", (0,))


@pytest.fixture
def url(chains) -> str:
    return str(chains[0].url)


async def refused(scene: GuardScene, who: str = "attacker") -> str:
    with pytest.raises(Reverted) as seen:
        await scene.gate_do(who, "go_through")
    return seen.value.reason


# -- by the node alone


def test_the_node_stops_an_attacker_until_it_lets_go(url: str) -> None:
    async def story(scene: GuardScene) -> None:
        await scene.gate_do("attacker", "go_through")
        lever, given = scene.lever(), scene.order()
        await pull(lever, given)
        assert await refused(scene) == "paused"
        undone = await lever.undo(given)
        assert undone.ok and undone.reference, undone.says
        await scene.gate_do("attacker", "go_through")

    tell(url, story)


def test_the_same_key_twice_is_one_transaction(url: str) -> None:
    async def story(scene: GuardScene) -> None:
        lever, given = scene.lever(), scene.order()
        first = await pull(lever, given)
        assert (await lever.plan(given)).already
        again = await scene.lever().apply(await lever.plan(given))
        assert again.ok and again.reference == first.reference and "nothing sent" in again.says
        assert await scene.restricted_events() == 1

    tell(url, story)


def test_a_renewal_reaches_further_under_the_same_key(url: str) -> None:
    async def story(scene: GuardScene) -> None:
        lever = scene.lever()
        await pull(lever, scene.order(60))
        await pull(lever, scene.order(120))
        assert await scene.restricted_events() == 2

    tell(url, story)


def test_what_the_owner_released_is_not_restricted_again_by_its_key_or_by_another(url: str) -> None:
    async def story(scene: GuardScene) -> None:
        lever, given = scene.lever(), scene.order()
        await pull(lever, given)
        await scene.do("owner", "release", 0)
        again = await lever.apply(await lever.plan(given))
        assert again.ok and "done before under this key" in again.says
        assert not (await lever.read_back(given)).ok
        other = await lever.apply(await lever.plan(scene.order(key=OTHER_KEY)))
        assert not other.ok and "cools down" in other.says
        assert not await scene.paused() and await scene.restricted_events() == 1

    tell(url, story)


def test_a_persons_pause_is_neither_sent_again_nor_lifted(url: str) -> None:
    async def story(scene: GuardScene) -> None:
        await scene.gate_do("honest", "pause")
        lever, given = scene.lever(), scene.order()
        assert (await lever.plan(given)).already
        assert (await pull(lever, given)).reference == ""
        undone = await lever.undo(given)
        assert undone.ok and "somebody else's restriction stays" in undone.says
        assert await scene.paused() and await scene.restricted_events() == 0

    tell(url, story)


def test_what_a_person_lifted_stays_lifted_and_is_told(url: str) -> None:
    async def story(scene: GuardScene) -> None:
        lever, given = scene.lever(), scene.order()
        await pull(lever, given)
        await scene.gate_do("honest", "unpause")
        shown = await lever.read_back(given)
        assert not shown.ok and shown.until_ms == 0 and "shows open" in shown.says
        again = await lever.apply(await lever.plan(given))
        assert again.ok and "done before" in again.says and not await scene.paused()

    tell(url, story)


def test_an_undo_leaves_what_a_quorum_holds(url: str) -> None:
    async def story(scene: GuardScene) -> None:
        lever, given = scene.lever(), scene.order()
        await pull(lever, given)
        await scene.do("attacker", "act", *await scene.certificate())
        undone = await lever.undo(given)
        assert undone.ok and "a quorum's word holds it" in undone.says and await scene.paused()
        again = await lever.undo(given)
        assert again.ok and "nothing sent" in again.says and await scene.paused()

    tell(url, story)


def test_what_a_quorum_holds_longer_needs_no_transaction_of_the_node(url: str) -> None:
    async def story(scene: GuardScene) -> None:
        await scene.do("attacker", "act", *await scene.certificate())
        applied = await pull(scene.lever(), scene.order())
        assert applied.reference == "" and await scene.restricted_events() == 1

    tell(url, story)


def test_an_undo_of_nothing_sends_nothing(url: str) -> None:
    async def story(scene: GuardScene) -> None:
        undone = await scene.lever().undo(scene.order())
        assert undone.ok and undone.reference == "" and "nothing of this node's" in undone.says

    tell(url, story)


def test_a_target_that_refuses_to_be_lifted_is_told_and_asked_again(url: str) -> None:
    async def story(scene: GuardScene) -> None:
        lever, given = scene.lever(), scene.order()
        await pull(lever, given)
        await scene.gate_do("owner", "set_pauser", scene.guard, False)
        undone = await lever.undo(given)
        assert not undone.ok and undone.retryable and "refuses to be lifted: not pauser" in undone.says
        await scene.gate_do("owner", "set_pauser", scene.guard, True)
        assert (await lever.undo(given)).ok and not await scene.paused()

    tell(url, story)


# -- what is wrong is said before it is needed


async def fault(scene: GuardScene, who: str = "guardian", seconds: float = 60, max_s: int = 300) -> str:
    lever = scene.lever(POOR if who == "poor" else who, max_s)
    plan = await lever.plan(scene.order(seconds))
    simulated, applied = await lever.simulate(plan), await lever.apply(plan)
    assert not simulated.ok and not applied.ok and not simulated.retryable and await scene.restricted_events() == 0
    return simulated.says


def test_an_account_that_is_not_the_operator_is_told_who_is(url: str) -> None:
    async def story(scene: GuardScene) -> None:
        assert f"is not the guard's operator, 0x{scene.people['guardian'].address.hex()} is" in await fault(
            scene, "attacker"
        )

    tell(url, story)


def test_a_guard_without_its_right_is_told_in_the_targets_words(url: str) -> None:
    async def story(scene: GuardScene) -> None:
        await scene.gate_do("owner", "set_pauser", scene.guard, False)
        assert "the target refuses the guard: not pauser" in await fault(scene)

    tell(url, story)


def test_a_lever_that_is_off_or_removed_is_told(url: str) -> None:
    async def story(scene: GuardScene) -> None:
        await scene.do("owner", "switch_off")
        assert "switched off" in await fault(scene)
        await scene.do("owner", "remove", 0)
        assert "removed" in await fault(scene)

    tell(url, story)


def test_an_end_that_the_guard_would_cut_is_not_sent(url: str) -> None:
    async def story(scene: GuardScene) -> None:
        assert "write 480 s or less" in await fault(scene, max_s=481)
        assert "go no further than" in await fault(scene, seconds=900, max_s=480)

    tell(url, story)


def test_a_lever_for_a_quorum_alone_is_told(url: str) -> None:
    async def story(scene: GuardScene) -> None:
        assert "for a quorum alone" in await fault(scene)

    tell(url, story, alone_lease_s=0, alone_budget_s=0)


def test_an_operator_without_gas_is_told(url: str) -> None:
    async def story(scene: GuardScene) -> None:
        await scene.do("owner", "set_operator", POOR.address)
        assert f"0x{POOR.address.hex()} has 0 wei" in await fault(scene, "poor")

    tell(url, story)


def test_an_address_that_is_no_guard_is_said_in_the_plan_and_refused(url: str) -> None:
    async def story(scene: GuardScene) -> None:
        scene.guard = scene.gate
        lever = scene.lever()
        plan = await lever.plan(scene.order())
        assert "not read yet" in plan.says and not (await lever.simulate(plan)).ok
        assert not (await lever.undo(scene.order())).ok

    tell(url, story)


def test_what_its_key_could_do_besides_is_tried_and_named(url: str) -> None:
    async def story(scene: GuardScene) -> None:
        assert (await scene.lever().beyond()).may == ()
        owners = await scene.lever("owner").beyond()
        assert owners.tried == 10 and "give the guard to anybody" in owners.may
        assert "open what a quorum closed" in owners.may

    tell(url, story)


# -- when nobody is there


async def until_it_may_lapse(scene: GuardScene) -> None:
    while True:
        try:
            return await scene.sender("attacker").simulate(scene.guard, *LAPSE)
        except Reverted:
            await trio.sleep(0.1)


def test_with_every_node_dead_anybody_opens_what_a_quorum_closed(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    async def story(scene: GuardScene) -> None:
        await scene.do("attacker", "act", *await scene.certificate(lease_s=2))
        assert await refused(scene) == "paused"
        until = (await scene.standing()).quorum_s
        with trio.fail_after(10):
            await until_it_may_lapse(scene)
        assert (await scene.standing()).chain_s >= until
        costs = await scene.sender("attacker").price_of(scene.guard, *LAPSE)
        begun = trio.current_time()
        receipt = await scene.do("attacker", "lapse", 0)
        with capsys.disabled():
            print(f"lapse by a stranger: at most {costs.gas} gas, {(trio.current_time() - begun) * 1000:.0f} ms")
        assert receipt.ok and not await scene.paused()
        await scene.gate_do("honest", "go_through")

    tell(url, story)


def test_a_node_that_was_away_ends_what_is_over(url: str) -> None:
    async def story(scene: GuardScene) -> None:
        lever, given = scene.lever(), scene.order(2)
        await pull(lever, given)
        with trio.fail_after(10):
            while (await scene.standing()).stands:  # noqa: ASYNC110 another process's clock
                await trio.sleep(0.1)
        assert await scene.paused() and not (await lever.read_back(given)).ok
        assert (await scene.lever().undo(given)).ok and not await scene.paused()

    tell(url, story)


def test_a_replay_is_nothing_and_too_few_are_refused(url: str) -> None:
    async def story(scene: GuardScene) -> None:
        call = await scene.certificate()
        await scene.do("attacker", "act", *call)
        await scene.do("honest", "act", *call)
        assert await scene.restricted_events() == 1
        with pytest.raises(Reverted) as seen:
            await scene.do("attacker", "act", *call[:-1], call[-1][:4])
        assert seen.value.reason == "short of threshold"

    tell(url, story)


@pytest.mark.parametrize(("own", "other"), [(HOME, FAR), (FAR, HOME)])
def test_words_for_one_chain_are_none_on_another(chains, own: str, other: str) -> None:
    async def story(scene: GuardScene) -> None:
        with pytest.raises(Reverted) as seen:
            await scene.do("attacker", "act", *await scene.certificate(chain=other))
        assert seen.value.reason == "other signer"
        await scene.do("attacker", "act", *await scene.certificate())
        assert await scene.paused()

    tell(str(chains[0 if own == HOME else 1].url), story, own)


# -- a certificate of the network


async def opinions(scene: GuardScene, members: tuple[str, ...]) -> list[Said]:
    """Attestations as nodes seal them, countersigned for this guard."""
    now_ms = (await scene.client.block(HOME)).value.timestamp * 1000
    said = []
    for name in members:
        body = Attestation(
            epoch=EpochHash(EPOCH),
            subject=asset(HOME, scene.gate),
            threat=int(Threat.BRIDGE_FORGERY),
            level=Level.ISOLATE,
            basis=Basis.OBSERVED,
            claims=(),
            sources=(),
            detector="",
            incident="",
            since_ms=now_ms,
            expires_ms=now_ms + 300_000,
            by_person=True,
            tlp=Tlp.GREEN,
        )
        bare = sealed(name, body, now_ms)
        signature = countersigned(domain_of(HOME, scene.guard), key_of(name), NETWORK, bare.entry)
        whole = sealed(name, replace(body, evm_sig=signature), now_ms)
        said.append((alarm_values(NETWORK, whole.entry, whole.raw), signature))
    return said


def sealed(author: str, body: Attestation, now_ms: int) -> Any:
    signer = Signer(sha256(author.encode()))
    place = {"key_version": 1, "seq": 3, "prev": ZERO_HASH, "issued_ms": now_ms}
    return seal_entry(NETWORK, signer, author=MemberName(author), body=body, **place)


def test_what_nodes_sealed_and_countersigned_moves_the_guard_by_whoever_sends_it(url: str) -> None:
    async def story(scene: GuardScene) -> None:
        said = await opinions(scene, SEVEN)
        with pytest.raises(NoReasonError):
            await act_call(scene.client, scene.target, scene.list, said)
        await scene.do("owner", "reason", 0, scene.list, said[0][0]["subject"], ANY_THREAT, 3, len(Q))
        with pytest.raises(ShortError):
            await act_call(scene.client, scene.target, scene.list, said[: len(Q) - 1])
        call = await act_call(scene.client, scene.target, scene.list, said)
        assert len(call[-1]) == len(Q)
        await scene.do("attacker", "act", *call)
        assert await refused(scene) == "paused"

    tell(url, story)


def test_words_that_nobody_signed_for_contracts_and_lists_that_are_none_are_told(url: str) -> None:
    async def story(scene: GuardScene) -> None:
        with pytest.raises(NoReasonError):
            await act_call(scene.client, scene.target, scene.list, [])
        with pytest.raises(Reverted) as seen:
            await act_call(scene.client, scene.target, scene.gate, await opinions(scene, SEVEN))
        assert seen.value.reason == "no list"

    tell(url, story)
