"""Levers on perpetuals of others: what their configuration may say, and what a log of theirs tells."""

import pytest

from adapters.api import ExpiresBy
from adapters.evm.synthetix_rows import KEY, SYNTHETIX_ROWS, word32
from tests.unit.adapters.test_catalog import ADDRESS, GOOD, faults, made

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
