"""The command that plays every lever on published contracts, and what is declared of them."""

import pytest

from adapters.api import ExpiresBy
from adapters.evm import aave_abi
from adapters.evm.aave_rows import AAVE_ROWS
from adapters.evm.access_manager import CLOSE
from adapters.evm.call_config import CALL
from adapters.evm.guard import CALL as PULL
from adapters.evm.pausable import CALL as PAUSE
from adapters.evm.perp_v2_rows import PERP_ROWS
from adapters.evm.safe import CALL as PROPOSE
from adapters.evm.safe_module import CALL as MODULE_PAUSE
from adapters.evm.synthetix_rows import SYNTHETIX_ROWS
from adapters.postgres.levers import LEVERS
from adapters.program.lever import CALL as PROGRAM
from adapters.venue.config import ACTIONS
from tests.integration.levers import played_off_chain
from tests.integration.levers.aave_market import abi
from tests.integration.levers.acting import Played, Target
from tests.integration.levers.check import lacking, run
from tests.integration.levers.packages import AAVE, missing
from tests.integration.levers.postgres import server
from tests.integration.levers.program import shop
from tests.integration.levers.program.shop import APPS

PLAYED = {
    "aave-v3.0": [row.declared.call for row in AAVE_ROWS],
    "openzeppelin-pausable": [PAUSE],
    **{f"call-{one}": [CALL] for one in ("flag", "number", "end", "untold")},
    **{f"venue-{one}": [f"venue.{action}" for action in ACTIONS] for one in ("hmac-sha256", "rfc9421")},
    "openzeppelin-access-manager": [CLOSE],
    "safe": [PROPOSE, MODULE_PAUSE],
    "synthetix-2.102": [row.declared.call for row in SYNTHETIX_ROWS],
    "our-guard": [PULL],
    "perp-v2.8.4": [row.declared.call for row in PERP_ROWS],
}
HERE = {} if server.missing() else {"postgresql": [f"postgres.{call}" for call in LEVERS]}
HERE |= {f"program {name}": [PROGRAM] for name in APPS if not shop.missing(name)}
"""What is played off the chain, where this machine has what it takes."""
every = lacking()
published = pytest.mark.skipif(bool(missing(AAVE)), reason=missing(AAVE) or "there")
ASKED = {
    "Pool": aave_abi.POOL,
    "PoolAddressesProvider": aave_abi.PROVIDER,
    "AaveProtocolDataProvider": aave_abi.DATA,
    "AaveOracle": aave_abi.ORACLE,
    "PoolConfigurator": aave_abi.CONFIGURATOR,
}
SINCE_3_1 = {"getPendingLtv"}


@pytest.mark.skipif(bool(every), reason=every or "there")
def test_every_lever_stops_its_attack_and_lets_it_go_again():
    found = run()
    assert found["ok"], found
    played = {target["name"]: [one["name"] for one in target["actions"]] for target in found["targets"]}
    assert {name: sorted(actions) for name, actions in played.items()} == {
        name: sorted(actions) for name, actions in {**PLAYED, **HERE}.items()
    }


@published
@pytest.mark.parametrize("contract", sorted(ASKED))
def test_what_is_asked_of_aave_is_what_aave_has(contract: str):
    theirs, ours = abi(contract), ASKED[contract]
    for name in ours.functions.keys() - SINCE_3_1:
        assert theirs.function(name).selector == ours.function(name).selector
    for name, event in ours.events.items():
        assert theirs.event(name).topic == event.topic
        assert [kind for _, kind in theirs.event(name).indexed] == [kind for _, kind in event.indexed]


def test_an_attack_that_was_not_stopped_or_never_worked_fails_the_check():
    good = Played("x", "GUARD", True, False, True, True, True)
    assert Target("t", [good]).ok and not Target("t", []).ok
    for spoilt in ({"attack_before": False}, {"attack_during": True}, {"attack_after": False}, {"undone": False}):
        assert not Target("t", [good, Played(**{**vars(good), **spoilt})]).ok


def test_only_the_pause_blocks_exits_and_every_lever_is_this_nodes_to_end():
    assert [row.declared.call for row in AAVE_ROWS if row.declared.blocks_exit] == ["aave.pause"]
    assert {row.declared.expires_by for row in AAVE_ROWS} == {ExpiresBy.NODE}


def test_levers_off_the_chain_are_played_where_their_targets_are():
    targets, without = played_off_chain.targets()
    assert {one.name for one in targets if one.ok} == set(HERE) and len(targets) + len(without) == 3
