"""Safe 1.5.0, as its package has it: proposed, signed and carried out like 1.4.1; and an owner that is a contract."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.evm.abi import Abi, keccak256
from adapters.evm.evm_key import EvmKey
from adapters.evm.safe_tx import MULTI_SEND_CODE, SafeTx, listed
from node.testnet.chain_evm import EmbeddedChain
from tests.integration.levers.aave_market import KEYS
from tests.integration.levers.conftest import ACCOUNTS, on_copy
from tests.integration.levers.forked import answering, served
from tests.integration.levers.packages import OPEN_ZEPPELIN_4, SAFE_LATER, artifact, linked, missing
from tests.integration.levers.rpc import People
from tests.integration.levers.safe_token import GUARD, OWNERS, SafeScene, SafeToken, address, build_safe, safe_abi, tell

why = missing(SAFE_LATER) or missing(OPEN_ZEPPELIN_4)
pytestmark = pytest.mark.skipif(bool(why), reason=why or "there")
ONE, TWO, THREE = OWNERS
BOTH = {"restrict": ("pause()", "name()"), "lift": ("unpause()", "name()")}
"""Two calls each, so that they go through MultiSendCallOnly."""


def made(people: People, contract: str, *args: Any) -> bytes:
    found = artifact(SAFE_LATER, contract)
    return people.make(KEYS[ONE], linked(found, {}), Abi(found["abi"]), args)


def with_a_contract(people: People) -> list[bytes]:
    """The second owner is a Safe of one owner."""
    nobody, nested = bytes(20), made(people, "SafeProxy", made(people, "Safe"))
    setup = ([address(TWO)], 1, nobody, b"", nobody, nobody, 0, nobody)
    people.do(KEYS[ONE], nested, safe_abi(), "setup", *setup)
    return [address(ONE), nested, address(THREE)]


@pytest.fixture(params=["accounts", "contract"])
def later(request: pytest.FixtureRequest) -> Iterator[SafeToken]:
    chain = EmbeddedChain(1, ACCOUNTS)
    more = {"owners": with_a_contract} if request.param == "contract" else {}
    found = build_safe("", answering(chain), SAFE_LATER, **more)
    with served(chain) as url:
        yield on_copy(found, url)


accounts = pytest.mark.parametrize("later", ["accounts"], indirect=True)
contract = pytest.mark.parametrize("later", ["contract"], indirect=True)


async def proposed(scene: SafeScene, **other: Any) -> Any:
    lever = scene.lever(**other)
    return await lever.apply(await lever.plan(scene.order()))


@accounts
def test_two_owners_words_restrict_and_lift_through_its_own_batch(later: SafeToken, tmp_path: Path) -> None:
    async def story(scene: SafeScene) -> None:
        lever, given = scene.lever(**BOTH), scene.order()
        assert (await lever.simulate(await lever.plan(given))).ok
        assert not (await proposed(scene, **BOTH)).ok and not later.paused
        scene.sign(ONE, TWO)
        assert (await proposed(scene, **BOTH)).ok and later.paused
        assert (await lever.read_back(given)).ok
        assert not (await lever.undo(given)).ok
        scene.sign(ONE, THREE)
        assert (await lever.undo(given)).ok and not later.paused

    tell(later, tmp_path, story)


@accounts
def test_a_module_of_it_pauses_at_once(later: SafeToken, tmp_path: Path) -> None:
    async def story(scene: SafeScene) -> None:
        later.executes(f"enableModule(address) 0x{address(GUARD).hex()}", safe=True)
        lever, given = scene.module(), scene.order()
        assert (await lever.apply(await lever.plan(given))).ok and later.paused
        assert (await lever.undo(given)).ok and not later.paused

    tell(later, tmp_path, story)


@contract
def test_an_owner_that_is_a_contract_counts_once_it_approved_and_by_no_file(later: SafeToken, tmp_path: Path) -> None:
    async def story(scene: SafeScene) -> None:
        nested = bytes.fromhex(later.view("getOwners")[1].removeprefix("0x"))
        lever, given = scene.lever(), scene.order()
        said = (await lever.simulate(await lever.plan(given))).says
        assert f"the owner 0x{nested.hex()} is a contract" in said and "approveHash" in said
        await proposed(scene)
        scene.sign(ONE, TWO)  # the key behind the contract is no owner
        waits = await proposed(scene)
        assert not waits.ok and "1 of 2 owners have signed" in waits.says and "approveHash" in waits.says
        (one,) = scene.proposals()
        approve = listed(f"0x{later.safe.hex()} approveHash(bytes32) 0x{one.tx.hash.hex()}")
        tx = SafeTx(later.token.chain, nested, (approve,), 0)
        word = EvmKey(KEYS[TWO]).sign(tx.hash)
        later.people.do(KEYS[TWO], nested, safe_abi(), "execTransaction", *list(tx.values.values())[:-1], word)
        assert (await proposed(scene)).ok and later.paused

    tell(later, tmp_path, story)


def test_its_batch_is_known_by_its_code_and_calls_no_zero_address() -> None:
    """To which 1.5.0 calls the Safe itself."""
    code = bytes.fromhex(artifact(SAFE_LATER, "MultiSendCallOnly")["deployedBytecode"][2:])
    assert MULTI_SEND_CODE[keccak256(code)] == "1.5.0"
    with pytest.raises(ValueError, match="the Safe itself"):
        listed("0x" + "00" * 20 + " pause()")
