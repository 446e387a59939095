"""A guard on what others published: a token of OpenZeppelin's, by a role of its own and as a module of a Safe."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio

from adapters.evm.abi import Abi
from tests.integration.evm.guard_scene import GuardScene, pull
from tests.integration.levers.aave_market import KEYS
from tests.integration.levers.guarded import guard_scene_of
from tests.integration.levers.packages import SAFE, artifact, linked, missing
from tests.integration.levers.pausable_token import PAUSER, Token, address
from tests.integration.levers.rpc import Refused

NOBODY = bytes(20)


def a_safe(token: Token) -> bytes:
    """One owner, who owns the token too."""
    why = missing(SAFE)
    if why:
        pytest.skip(why)
    owner, people = KEYS["owner"], token.people
    parts = {name: artifact(SAFE, name) for name in ("Safe", "SafeProxyFactory")}
    abis = {name: Abi(one["abi"]) for name, one in parts.items()}
    at = {name: people.make(owner, linked(one, {}), abis[name], ()) for name, one in parts.items()}
    setup = abis["Safe"].function("setup").encode(([address("owner")], 1, NOBODY, b"", NOBODY, NOBODY, 0, NOBODY))
    call = (at["SafeProxyFactory"], abis["SafeProxyFactory"], "createProxyWithNonce", at["Safe"], setup, 0)
    found: bytes = people.view(*call)
    people.do(owner, *call)
    return found


def enable(token: Token, safe: bytes, module: bytes) -> None:
    """As its owner, who signs by being the sender."""
    abi = Abi(artifact(SAFE, "Safe")["abi"])
    signed = address("owner").rjust(32, b"\0") + bytes(32) + b"\x01"
    data = abi.function("enableModule").encode((module,))
    token.people.do(KEYS["owner"], safe, abi, "execTransaction", safe, 0, data, 0, 0, 0, 0, NOBODY, NOBODY, signed)


def tell(token: Token, story: Callable[[GuardScene], Awaitable[None]], through: bytes = NOBODY) -> None:
    async def run() -> None:
        async with guard_scene_of(token.url, token.chain) as scene:
            scene.gate = token.at
            await scene.begin(through)
            await story(scene)

    trio.run(run)


def test_a_missing_role_is_named_as_the_guards_to_have(token: Token):
    async def story(scene: GuardScene) -> None:
        lever = scene.lever()
        said = await lever.simulate(await lever.plan(scene.order()))
        assert not said.ok and f"it takes PAUSER_ROLE of 0x{token.at.hex()}" in said.says
        assert f"have 0x{scene.guard.hex()} get it" in said.says

    tell(token, story)


def test_a_quorum_pauses_the_token_and_a_stranger_ends_it(token: Token):
    async def story(scene: GuardScene) -> None:
        token.do("owner", "grantRole", PAUSER, scene.guard)
        await scene.do("attacker", "act", *await scene.certificate())
        with pytest.raises(Refused):
            token.transfer("attacker")
        await scene.do("owner", "release", 0)
        token.transfer("honest")

    tell(token, story)


def test_as_a_module_it_pauses_by_the_right_of_the_safe_and_of_nobody_else(token: Token):
    safe = a_safe(token)
    token.do("owner", "grantRole", PAUSER, safe)

    async def story(scene: GuardScene) -> None:
        lever, given = scene.lever(), scene.order()
        refused = await lever.simulate(await lever.plan(given))
        assert not refused.ok and "target refused" in refused.says
        enable(token, safe, scene.guard)
        await pull(lever, given)
        with pytest.raises(Refused):
            token.transfer("attacker")
        assert (await lever.undo(given)).ok
        token.transfer("attacker")

    tell(token, story, safe)


def test_a_safe_whose_right_was_taken_refuses_and_the_owner_still_releases(token: Token):
    safe = a_safe(token)
    token.do("owner", "grantRole", PAUSER, safe)

    async def story(scene: GuardScene) -> None:
        enable(token, safe, scene.guard)
        lever, given = scene.lever(), scene.order()
        await pull(lever, given)
        token.do("owner", "revokeRole", PAUSER, safe)
        await scene.do("owner", "release", 0)
        state = await scene.standing()
        assert state.ours and not state.stands and token.view("paused")
        undone = await lever.undo(given)
        assert not undone.ok and f"have 0x{safe.hex()} get it" in undone.says
        token.do("owner", "grantRole", PAUSER, safe)
        await scene.do("attacker", "lapse", 0)
        assert not token.view("paused")

    tell(token, story, safe)
