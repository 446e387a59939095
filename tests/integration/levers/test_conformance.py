"""Every built-in lever passes the suite that is offered to the authors of others, on a real target for each fact."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import pytest

from adapters.conformance import LeverCase, lever_facts
from node.testnet.chain_evm import EmbeddedChain
from tests.integration.levers.aave_market import FUNDED
from tests.integration.levers.cases import EvmCase, Stage
from tests.integration.levers.forked import Copy, answering, copied
from tests.integration.levers.more_stages import PERP_OF, SUSPENDED, managed_stage, perp_stage, suspend_stage
from tests.integration.levers.others_stages import ROW_OF, aave_stage, pause_stage
from tests.integration.levers.own_stages import OWN, deploy
from tests.integration.levers.packages import AAVE, OPEN_ZEPPELIN, OPEN_ZEPPELIN_4, SAFE, SYNTHETIX, missing
from tests.integration.levers.pausable_token import GUARD, address
from tests.integration.levers.perp_v2_market import PACKAGES

FACTS = [fact.name for fact in lever_facts(LeverCase)]
WHOLE = {
    "lending.cap",
    "perp.reduce_only",
    "escrow.pause",
    "aave.ltv_zero",
    "aave.borrow_cap",
    "perp2.halt",
    "synthetix.market",
}
"""Rows of one kind share their code: these play every fact, one of each sort of slot."""
BY_ROW = [
    "what_is_declared_is_consistent",
    "read_back_is_the_targets_word",
    "a_later_end_is_a_renewal",
    "undo_puts_back_what_stood",
    "undo_leaves_what_a_person_set_since",
]
"""What depends on the row alone."""


def played(calls: Iterable[str]) -> list[tuple[str, str]]:
    return [(call, fact) for call in sorted(calls) for fact in FACTS if call in WHOLE or fact in BY_ROW]


@pytest.fixture(scope="session")
def deployed() -> tuple[EmbeddedChain, dict[str, bytes]]:
    chain = EmbeddedChain(1, {bytes.fromhex(address[2:]): wei for address, wei in FUNDED.items()})
    return chain, deploy("", answering(chain))


def check(fact: str, stage: Stage, copy: Copy) -> None:
    (found,) = [one for one in lever_facts(lambda: EvmCase(stage, copy)) if one.name == fact]
    found.check()


@pytest.fixture
def own(deployed: tuple[EmbeddedChain, dict[str, bytes]]) -> Iterator[Copy]:
    with copied(deployed[0]) as copy:
        yield copy


@pytest.mark.parametrize(("call", "fact"), played(OWN))
def test_a_lever_on_our_contracts(call: str, fact: str, own: Copy, deployed: tuple[EmbeddedChain, dict[str, bytes]]):
    check(fact, OWN[call](deployed[1]), own)


@pytest.mark.skipif(bool(missing(AAVE)), reason=missing(AAVE) or "there")
@pytest.mark.parametrize(("call", "fact"), played(ROW_OF))
def test_a_lever_on_aaves_contracts(call: str, fact: str, request: pytest.FixtureRequest):
    chain, market = request.getfixturevalue("built")
    with copied(chain) as copy:
        check(fact, aave_stage(ROW_OF[call], market), copy)


@pytest.mark.skipif(bool(missing(OPEN_ZEPPELIN_4)), reason=missing(OPEN_ZEPPELIN_4) or "there")
@pytest.mark.parametrize("fact", FACTS)
def test_the_pause_of_openzeppelins_token(fact: str, request: pytest.FixtureRequest):
    chain, token = request.getfixturevalue("minted")
    with copied(chain) as copy:
        check(fact, pause_stage(token), copy)


managed = missing(OPEN_ZEPPELIN) or missing(OPEN_ZEPPELIN_4)
safes = missing(SAFE) or missing(OPEN_ZEPPELIN_4)
perps = next(filter(None, map(missing, PACKAGES)), "")


@pytest.mark.skipif(bool(managed), reason=managed or "there")
@pytest.mark.parametrize("fact", FACTS)
def test_what_an_access_manager_closes(fact: str, ahead: object, request: pytest.FixtureRequest):
    chain, found = request.getfixturevalue("governed")
    with copied(chain) as copy:
        check(fact, managed_stage(found), copy)


@pytest.mark.skipif(bool(safes), reason=safes or "there")
@pytest.mark.parametrize("fact", FACTS)
def test_the_module_of_a_safe(fact: str, request: pytest.FixtureRequest):
    chain, found = request.getfixturevalue("signed_for")
    with copied(chain) as copy:
        here = replace(found, token=replace(found.token, url=copy.url, answer=None))
        here.executes(f"enableModule(address) 0x{address(GUARD).hex()}", safe=True)
        check(fact, pause_stage(found.token, found.safe), copy)


@pytest.mark.skipif(bool(perps), reason=perps or "there")
@pytest.mark.parametrize(("call", "fact"), played(PERP_OF))
def test_a_market_of_perpetual_protocol(call: str, fact: str, request: pytest.FixtureRequest):
    chain, found = request.getfixturevalue("listed")
    with copied(chain) as copy:
        check(fact, perp_stage(PERP_OF[call], found), copy)


@pytest.mark.skipif(bool(missing(SYNTHETIX)), reason=missing(SYNTHETIX) or "there")
@pytest.mark.parametrize(("call", "fact"), played(SUSPENDED))
def test_what_synthetix_suspends(call: str, fact: str, request: pytest.FixtureRequest):
    chain, found = request.getfixturevalue("founded")
    with copied(chain) as copy:
        check(fact, suspend_stage(call, found), copy)
