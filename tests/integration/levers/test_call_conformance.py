"""`evm.call` passes the suite that is offered to the authors of levers: an end that its contract keeps, a flag and a
number that it does not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from adapters.evm.abi import Abi
from adapters.evm.artifacts import artifact
from adapters.evm.call_config import CALL
from node.testnet.chain_evm import EmbeddedChain
from tests.integration.levers.aave_market import FUNDED, KEYS
from tests.integration.levers.call_targets import Bridge, Written, build_bridge, capping, leasing, pausing
from tests.integration.levers.cases import Stage
from tests.integration.levers.forked import Copy, answering, copied
from tests.integration.levers.others_stages import ROW_OF, aave_stage, pause_stage
from tests.integration.levers.packages import AAVE, OPEN_ZEPPELIN_4, missing
from tests.integration.levers.rpc import People
from tests.integration.levers.test_conformance import BY_ROW, FACTS, check

THEIRS = b"\x70" * 32
CAP = 9_500
"""Whole tokens: above the cap that a person of the stage sets, which is the tighter one."""


def of(written: Written, like: Stage) -> Stage:
    """The same target and the same people as another lever's; the lever is what `node.toml` writes."""
    return Stage(
        CALL, written.chain, written.asset, KEYS[written.seat], lambda client, sender: written.lever(client),
        like.shows, like.restricts, like.lifts, like.persons,
    )  # fmt: skip


def lease_stage(bridge: Bridge) -> Stage:
    """People have a slot of their own there, and another account."""
    abi, at = Abi(artifact("Escrow").abi), bridge.escrow

    def until_s(people: People, by_human: bool) -> int:
        return int(people.view(at, abi, "paused_until", by_human))

    def restricts(people: People) -> None:
        now_s = int(people.ask("eth_getBlockByNumber", "latest", False)["timestamp"], 16)
        people.do(KEYS["owner"], at, abi, "pause_releases", now_s + 900, True, THEIRS)

    written = leasing(bridge)
    return Stage(
        CALL,
        written.chain,
        written.asset,
        KEYS[written.seat],
        lambda client, sender: written.lever(client),
        lambda people: until_s(people, False),
        restricts,
        lambda people: people.do(KEYS["owner"], at, abi, "lift_pause", False, THEIRS),
        lambda people: until_s(people, True) > 0,
    )


@pytest.fixture(scope="module")
def leased() -> tuple[EmbeddedChain, Bridge]:
    chain = EmbeddedChain(1, {bytes.fromhex(address[2:]): wei for address, wei in FUNDED.items()})
    return chain, build_bridge(People("", answering(chain)))


@pytest.fixture
def copy(leased: tuple[EmbeddedChain, Bridge]) -> Iterator[Copy]:
    with copied(leased[0]) as one:
        yield one


@pytest.mark.parametrize("fact", FACTS)
def test_an_end_that_the_contract_keeps(fact: str, copy: Copy, leased: tuple[EmbeddedChain, Bridge]) -> None:
    check(fact, lease_stage(leased[1]), copy)


@pytest.mark.skipif(bool(missing(OPEN_ZEPPELIN_4)), reason=missing(OPEN_ZEPPELIN_4) or "there")
@pytest.mark.parametrize("fact", BY_ROW)
def test_a_flag(fact: str, request: pytest.FixtureRequest) -> None:
    chain, token = request.getfixturevalue("minted")
    with copied(chain) as one:
        check(fact, of(pausing(token), pause_stage(token)), one)


@pytest.mark.skipif(bool(missing(AAVE)), reason=missing(AAVE) or "there")
@pytest.mark.parametrize("fact", BY_ROW)
def test_a_number(fact: str, request: pytest.FixtureRequest) -> None:
    chain, market = request.getfixturevalue("built")
    with copied(chain) as one:
        check(fact, of(capping(market, CAP), aave_stage(ROW_OF["aave.borrow_cap"], market)), one)
