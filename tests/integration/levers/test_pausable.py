"""The pause of a token that OpenZeppelin published: whom it stops, whose it is, and what is told to people."""

from dataclasses import replace

import pytest

from adapters.evm.abi import Abi
from adapters.evm.pausable_abi import PAUSABLE
from adapters.evm.survey.generic import beyond
from adapters.evm.survey.look import ADMIN_SLOT, Looker
from tests.integration.levers.aave_market import E18, KEYS
from tests.integration.levers.forked import served
from tests.integration.levers.packages import OPEN_ZEPPELIN, artifact, linked, missing
from tests.integration.levers.pausable_token import GUARD, PAUSER, PERSON, PauseScene, Token, address, tell
from tests.integration.levers.rpc import Refused
from tests.integration.levers.scene import OTHER_KEY, pull

PERSONS = f"0x{address(PERSON).hex()}"


def refused(token: Token) -> str:
    with pytest.raises(Refused) as seen:
        token.transfer("attacker")
    return str(seen.value)


def test_a_pause_stops_transfers_until_it_ends(token: Token):
    async def story(scene: PauseScene) -> None:
        token.transfer("attacker")
        lever, given = scene.lever(), scene.order()
        await pull(lever, given)
        assert refused(token) == "ERC20Pausable: token transfer while paused"
        assert (await lever.undo(given)).ok and not (await lever.read_back(given)).ok
        token.transfer("attacker")

    tell(token, story)


def test_a_plan_says_which_ways_it_closes_and_who_ends_it(token: Token):
    async def story(scene: PauseScene) -> None:
        plan = await scene.lever().plan(scene.order())
        assert "closes transfer, mint, burn" in plan.says and "lifted by this node" in plan.says and not plan.already

    tell(token, story)


def test_a_repeat_under_one_key_sends_nothing_and_names_our_transaction(token: Token):
    async def story(scene: PauseScene) -> None:
        lever, given = scene.lever(), scene.order()
        first, sent = await pull(lever, given), scene.sent_by()
        plan = await lever.plan(given)
        again = await scene.lever().apply(plan)
        assert plan.already and again.ok and again.reference == first.reference and "nothing sent" in again.says
        assert scene.sent_by() == sent

    tell(token, story)


def test_what_a_person_lifted_is_paused_again_under_another_key_only(token: Token):
    async def story(scene: PauseScene) -> None:
        lever, given = scene.lever(), scene.order()
        first = await pull(lever, given)
        token.do(PERSON, "unpause")
        again = await lever.apply(await lever.plan(given))
        assert again.reference == first.reference and "done before under this key" in again.says
        shown = await lever.read_back(given)
        assert not shown.ok and PERSONS in shown.says
        second = scene.order(key=OTHER_KEY)
        await pull(lever, second)
        assert (await lever.undo(second)).ok and not token.view("paused")

    tell(token, story)


def test_a_persons_pause_is_neither_sent_again_nor_lifted_and_told_by_whom(token: Token):
    async def story(scene: PauseScene) -> None:
        token.do(PERSON, "pause")
        lever, given, sent = scene.lever(), scene.order(), scene.sent_by()
        assert (await lever.plan(given)).already and (await pull(lever, given)).reference == ""
        undone = await lever.undo(given)
        assert undone.ok and "left alone" in undone.says and f"{PERSONS} " in undone.says
        assert token.view("paused") and scene.sent_by() == sent

    tell(token, story)


def test_a_person_who_lifts_and_pauses_again_has_made_it_theirs(token: Token):
    async def story(scene: PauseScene) -> None:
        lever, given = scene.lever(), scene.order()
        await pull(lever, given)
        token.do(PERSON, "unpause")
        token.do(PERSON, "pause")
        undone = await lever.undo(given)
        assert undone.ok and "left alone" in undone.says and token.view("paused")

    tell(token, story)


def test_our_account_pausing_without_a_trailer_is_a_person(token: Token):
    async def story(scene: PauseScene) -> None:
        token.do(GUARD, "pause")
        undone = await scene.lever().undo(scene.order())
        assert undone.ok and "left alone" in undone.says and token.view("paused")

    tell(token, story)


def test_somebody_who_writes_a_trailer_as_ours_is_still_somebody_else(token: Token):
    async def story(scene: PauseScene) -> None:
        given = scene.order()
        await pull(scene.lever(PERSON), given)
        undone = await scene.lever().undo(given)
        assert undone.ok and "left alone" in undone.says and token.view("paused")

    tell(token, story)


def test_an_undo_comes_once_and_of_nothing_sends_nothing(token: Token):
    async def story(scene: PauseScene) -> None:
        lever, given = scene.lever(), scene.order()
        assert "nothing of ours" in (await lever.undo(given)).says and not scene.sent_by()
        await pull(lever, given)
        assert (await lever.undo(given)).reference
        again = await lever.undo(given)
        assert again.ok and "lifted before" in again.says

    tell(token, story)


def test_a_key_without_the_role_is_told_which_one_is_missing(token: Token):
    async def story(scene: PauseScene) -> None:
        lever = scene.lever("attacker")
        outcome = await lever.simulate(await lever.plan(scene.order()))
        assert not outcome.ok and not outcome.retryable and "it takes PAUSER_ROLE" in outcome.says
        assert f"0x{address('attacker').hex()}" in outcome.says

    tell(token, story)


def test_a_lease_beyond_the_longest_is_not_sent(token: Token):
    async def story(scene: PauseScene) -> None:
        lever = scene.lever()
        outcome = await lever.simulate(await lever.plan(scene.order(seconds=2 * 3600)))
        assert not outcome.ok and "shorten it" in outcome.says and not scene.sent_by()

    tell(token, story)


def test_an_address_that_does_not_pause_is_said_in_the_plan_and_refused_by_simulate(token: Token):
    async def story(scene: PauseScene) -> None:
        scene.token = replace(token, at=b"\x77" * 20)
        plan = await scene.lever().plan(scene.order())
        assert "not read yet" in plan.says and not (await scene.lever().simulate(plan)).ok

    tell(token, story)


# --- what the key could do besides


@pytest.mark.parametrize(
    ("role", "may"), [(GUARD, ()), ("attacker", ()), ("owner", ("give anybody any of its roles", "mint"))]
)
def test_what_its_key_could_do_besides_is_tried_and_named(token: Token, role: str, may: tuple[str, ...]):
    async def story(scene: PauseScene) -> None:
        found = await scene.lever(role).beyond()
        assert found.tried == 5 and found.may == may

    tell(token, story)


def test_who_may_replace_the_code_behind_a_proxy_is_named(token: Token):
    why = missing(OPEN_ZEPPELIN)
    if why:
        pytest.skip(why)
    found = artifact(OPEN_ZEPPELIN, "TransparentUpgradeableProxy")
    made = (token.at, address("owner"), PAUSABLE.function("paused").encode(()))
    proxy = token.people.make(KEYS["owner"], linked(found, {}), Abi(found["abi"]), made)
    # a proxy obeys a contract that the owner moves: no key has its address, but a call may be tried as it
    admin = token.people.ask("eth_getStorageAt", f"0x{proxy.hex()}", f"0x{ADMIN_SLOT.hex()}", "latest")

    async def story(scene: PauseScene) -> None:
        look = Looker(scene.client, token.chain)
        assert (await beyond(look, proxy, bytes.fromhex(admin[-40:])))[1] == ("replace its code",)
        assert (await beyond(look, proxy, address("owner")))[1] == ()

    tell(token, story)


# --- providers


def test_a_provider_that_is_down_is_left_out(token: Token):
    async def story(scene: PauseScene) -> None:
        lever, given = scene.lever(), scene.order()
        await pull(lever, given)
        assert (await lever.undo(given)).ok and not token.view("paused")

    tell(token, story, second="http://127.0.0.1:9")


def test_providers_that_differ_on_the_pause_are_believed_by_nobody(token: Token, request: pytest.FixtureRequest):
    chain, _ = request.getfixturevalue("minted")
    with served(chain) as other:
        token.do(PERSON, "pause")
        replace(token, url=other).do("owner", "mint", address("honest"), E18)

        async def story(scene: PauseScene) -> None:
            shown = await scene.lever().read_back(scene.order())
            assert not shown.ok and not shown.answered and shown.retryable
            undone = await scene.lever().undo(scene.order())
            assert not undone.ok and undone.retryable and not scene.sent_by()

        tell(token, story, second=other)


def test_the_role_is_the_one_that_the_token_has(token: Token):
    assert token.view("PAUSER_ROLE") == PAUSER
