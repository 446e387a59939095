"""Levers on perpetuals of others: what their configuration may say, and what a log of theirs tells."""

from dataclasses import replace

import pytest

from adapters.api import ExpiresBy
from adapters.evm.account import Account
from adapters.evm.client import ChainClient
from adapters.evm.perp_v2 import PerpLever
from adapters.evm.perp_v2_rows import HALT, PERP_ROWS, SETTERS, SPREAD, PerpMarket, PerpTarget
from adapters.evm.sending import Sender
from adapters.evm.synthetix_rows import KEY, SYNTHETIX_ROWS, word32
from adapters.evm.wire import Log
from tests.unit.adapters.test_catalog import ADDRESS, GOOD, faults, made

ANYBODY = ChainClient(())
CONNECTION = GOOD.partition("[target.lend]")[0]
SYNTHETIX = f"""{CONNECTION}[target.eth]
kind = "evm.synthetix"
chain = "eip155:1"
contract = "{ADDRESS}"
market = "sETHPERP"
synth = "sETH"
reason = 7001
key_file = "keys/lever.key"
"""
PERP = f"""{CONNECTION}[target.eth]
kind = "evm.perp_v2"
chain = "eip155:1"
contract = "{ADDRESS}"
asset = "{ADDRESS}"
spread_ppm = 5000
key_file = "keys/lever.key"
"""


def test_a_market_and_a_synth_of_synthetix_give_their_levers():
    every = made(SYNTHETIX)
    assert sorted(every.levers) == ["eth:synthetix.market", "eth:synthetix.synth", "eth:synthetix.synth_exchange"]
    assert not every.readers
    assert sorted(made(SYNTHETIX.replace('synth = "sETH"\n', "")).levers) == ["eth:synthetix.market"]
    assert not made(SYNTHETIX.replace('key_file = "keys/lever.key"\n', "")).levers


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('market = "sETHPERP"\nsynth = "sETH"\n', "", "market: is missing, and so is synth"),
        ('"sETHPERP"', '"s ETH"', "market: 's ETH' must be a key like sETHPERP"),
        ('"sETHPERP"', f'"{"s" * 33}"', "must be a key like sETHPERP: at most 32"),
        ("7001", "2", "reason: must be a whole number from 100 to 4294967295"),
        ("7001", "4294967296", "reason: must be a whole number from 100 to 4294967295"),
        ('eip155:1"\ncontract', 'eip155:5"\ncontract', "no [[connection]] sees eip155:5"),
    ],
)
def test_what_is_wrong_with_a_target_of_synthetix_is_said_once(old: str, new: str, says: str):
    (fault,) = faults(SYNTHETIX.replace(old, new))
    assert says in fault


def test_keys_are_words_to_the_left():
    assert word32("sETH") == b"sETH" + bytes(28) and len(word32("s" * 32)) == 32
    assert KEY.match("s1INCH") and not KEY.match("") and not KEY.match("sETH\n") and not KEY.match("sÉTH")


def test_every_suspension_locks_somebody_in_and_is_this_nodes_to_end():
    said = [row.declared for row in SYNTHETIX_ROWS]
    assert all(one.blocks_exit and one.reversible and one.expires_by is ExpiresBy.NODE for one in said)


def test_a_market_of_perp_v2_gives_its_levers_and_no_reading():
    found = made(PERP)
    assert sorted(found.levers) == ["eth:perp2.halt", "eth:perp2.spread"] and not found.readers
    assert not made(PERP.replace('key_file = "keys/lever.key"\n', "")).levers


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("5000", "0", "spread_ppm: must be a whole number from 1 to 100000"),
        ("5000", "100001", "spread_ppm: must be a whole number from 1 to 100000"),
        (f'asset = "{ADDRESS}"\n', "", "asset: is missing"),
        ('key_file = "keys/lever.key"', 'synth = "sETH"', "synth: is no key here"),
    ],
)
def test_what_is_wrong_with_a_market_of_perp_v2_is_said_once(old: str, new: str, says: str):
    (fault,) = faults(PERP.replace(old, new))
    assert says in fault


def test_a_number_that_was_unset_is_the_default_in_what_is_told_and_a_halt_is_zero():
    target = PerpTarget("eth", "eip155:1", bytes(20), b"\x01" * 20, 5_000)
    for row, unset in ((HALT, 0), (SPREAD, 100_000)):
        lever = PerpLever(row, target, ANYBODY, Sender(ANYBODY, "eip155:1", Account(b"\x21" * 32)))
        topics = (SETTERS.event(row.event).topic, bytes(12) + target.base)
        logs = [Log(bytes(20), topics, data, 1, bytes(32), 0) for data in (bytes(32), (7).to_bytes(32), b"short")]
        assert [number for _, number in lever._moves(logs)] == [unset, 7, None]


def test_the_spread_is_never_made_wider_than_it_stands():
    target = PerpTarget("eth", "eip155:1", bytes(20), bytes(20), 5_000)
    market = PerpMarket(b"", b"", 1, 1, 1_000, 100_000, True, False)
    assert SPREAD.wanted(market, target) == 5_000 and not SPREAD.closed(market, target)
    narrow = replace(market, spread=3_000)
    assert SPREAD.wanted(narrow, target) == 3_000 and SPREAD.closed(narrow, target)


def test_what_nobody_may_lean_on_is_declared_to_block_exits():
    assert all(row.declared.blocks_exit and row.declared.reversible for row in PERP_ROWS)
    assert {row.declared.expires_by for row in PERP_ROWS} == {ExpiresBy.NODE}
