"""A node's account as a Safe's module: at once and without the owners, and so wide that it is said everywhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.evm.safe_module import WIDE
from tests.integration.levers.rpc import Refused
from tests.integration.levers.safe_token import GUARD, PERSON, SafeScene, SafeToken, address, tell
from tests.integration.levers.scene import pull


def enabled(safe: SafeToken) -> None:
    safe.executes(f"enableModule(address) 0x{address(GUARD).hex()}", safe=True)


def test_a_module_pauses_at_once_and_lifts_when_its_lease_ends(safe: SafeToken, tmp_path: Path):
    enabled(safe)

    async def story(scene: SafeScene) -> None:
        safe.token.transfer("attacker")
        lever, given = scene.module(), scene.order()
        first = await pull(lever, given)
        with pytest.raises(Refused):
            safe.token.transfer("attacker")
        again = await scene.module().apply(await lever.plan(given))
        assert again.ok and again.reference == first.reference, "the trailer is found behind the Safe's call"
        assert (await lever.undo(given)).ok and not safe.paused

    tell(safe, tmp_path, story)


def test_what_a_person_paused_is_left_alone(safe: SafeToken, tmp_path: Path):
    enabled(safe)

    async def story(scene: SafeScene) -> None:
        lever, given = scene.module(), scene.order()
        await pull(lever, given)
        safe.token.do(PERSON, "unpause")
        safe.token.do(PERSON, "pause")
        undone = await lever.undo(given)
        assert undone.ok and "left alone" in undone.says and safe.paused

    tell(safe, tmp_path, story)


def test_a_lift_that_the_contract_refused_its_safe_is_not_taken_for_one(safe: SafeToken, tmp_path: Path):
    enabled(safe)

    async def story(scene: SafeScene) -> None:
        lever, given = scene.module(), scene.order()
        await pull(lever, given)
        safe.token.do("owner", "revokeRole", safe.token.view("PAUSER_ROLE"), safe.safe)
        undone = await lever.undo(given)
        assert not undone.ok and undone.retryable and "came to nothing" in undone.says and safe.paused

    tell(safe, tmp_path, story)


def test_it_says_that_its_key_could_do_anything(safe: SafeToken, tmp_path: Path):
    enabled(safe)
    safe.token.do("owner", "grantRole", bytes(32), safe.safe)

    async def story(scene: SafeScene) -> None:
        assert (await scene.module().beyond()).may == (WIDE, "so give anybody any of its roles")

    tell(safe, tmp_path, story)


def test_an_account_that_is_no_module_is_told_so(safe: SafeToken, tmp_path: Path):
    async def story(scene: SafeScene) -> None:
        lever = scene.module()
        outcome = await lever.simulate(await lever.plan(scene.order()))
        assert not outcome.ok and "is no module of Safe" in outcome.says and (await lever.beyond()).may == ()

    tell(safe, tmp_path, story)


def test_a_safe_that_swallows_a_refusal_does_not_hide_it(safe: SafeToken, tmp_path: Path):
    enabled(safe)
    safe.token.do("owner", "revokeRole", safe.token.view("PAUSER_ROLE"), safe.safe)

    async def story(scene: SafeScene) -> None:
        lever = scene.module()
        outcome = await lever.simulate(await lever.plan(scene.order()))
        assert not outcome.ok and "the Safe may not pause()" in outcome.says

    tell(safe, tmp_path, story)
