"""The survey's pure parts: fragments of strangers' contracts, sentences, the first policy."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapters.evm.aave_abi import terms_of
from adapters.evm.abi import keccak256
from adapters.evm.survey.aave import Market, Reserve, _rows, labelled
from adapters.evm.survey.draft import policy_text, rows_of
from adapters.evm.survey.facts import Asset, Control, Holder, Place, Right, Survey
from adapters.evm.survey.fragments import fragment
from adapters.evm.survey.say import lines_of
from adapters.policy import Mode, parse_text

AT = b"\x11" * 20
KEY = Holder(b"\x22" * 20, "account", "one key", 1)
SAFE = Holder(b"\x33" * 20, "safe", "a Safe: 3 of 5 owners", 3)
LATE = Holder(b"\x44" * 20, "timelock", "a timelock: 2 d", None, 2 * 86_400)
LTV0 = Control(
    "LTV → 0", "configure()", "TKN", ("RISK",), ("borrow",), ("supply",), False, "never", lever="aave.ltv_zero"
)
TOKEN = Asset("TKN", b"\x55" * 20, {"borrow": ("LTV → 0",), "withdraw": ()})


def surveyed(*holders: Holder, asset: Asset = TOKEN) -> Survey:
    control = replace(LTV0, asset=asset.symbol)
    return Survey("eip155:1", 7, ("one",), (Place(AT, "a market", (control,), (Right("RISK", holders),), (asset,)),))


def said(found: Survey) -> str:
    return "\n".join(lines_of(found))


@pytest.mark.parametrize(
    ("text", "signature", "outputs"),
    [
        ("owner() address", "owner()", ("address",)),
        ("f(bytes32,(uint256,address)) bool,uint32", "f(bytes32,(uint256,address))", ("bool", "uint32")),
        ("pause()", "pause()", ()),
        ("list(address) address[]", "list(address)", ("address[]",)),
    ],
)
def test_a_fragment_is_one_function(text: str, signature: str, outputs: tuple[str, ...]) -> None:
    abi, name = fragment(text)
    function = abi.function(name)
    assert function.selector == keccak256(signature.encode())[:4]
    assert function.outputs == outputs


@pytest.mark.parametrize(
    ("holders", "awake"),
    [
        ((KEY, SAFE), "one key"),
        ((SAFE,), "3 people awake"),
        ((LATE,), "only after 2 d"),
        ((SAFE, LATE), "3 people awake"),
    ],
)
def test_the_fewest_who_may_are_who_must_be_awake(holders: tuple[Holder, ...], awake: str) -> None:
    assert f"LTV → 0 ({awake})" in said(surveyed(*holders))


def test_a_way_that_nothing_closes_stands_out() -> None:
    assert "it is taken out: NO LEVER" in said(surveyed(KEY))


@pytest.mark.parametrize("symbol", ['a"]\nmode = "act"', "…", "[rule]", "x" * 300, "'''", "Ω"])
def test_a_strangers_symbol_writes_nothing_into_a_policy(symbol: str) -> None:
    printable = "".join(one for one in symbol if one.isprintable())
    policy = parse_text(policy_text([surveyed(KEY, asset=replace(TOKEN, symbol=printable))]))
    assert policy.mode is Mode.OBSERVE and len(policy.levers) == 1 and len(policy.exposures) == 1


def test_two_assets_of_one_symbol_have_two_names() -> None:
    one = surveyed(KEY)
    assert [row.name for row in rows_of([one, replace(one, chain="eip155:10")])] == ["tkn", "tkn_2"]


def test_two_reserves_of_one_symbol_are_told_apart_by_their_addresses() -> None:
    one, other, third = (Reserve(bytes([n]) * 20, name, terms_of(0)) for n, name in ((1, "T"), (2, "T"), (3, "U")))
    assert [each.symbol for each in labelled([one, other, third])] == [f"T 0x{'01' * 20}", f"T 0x{'02' * 20}", "U"]


@pytest.mark.parametrize(("later", "frozen", "asked"), [(False, True, True), (True, False, True), (True, True, False)])
def test_where_a_repeat_is_refused_a_right_shows_by_lifting_what_stands(later: bool, frozen: bool, asked: bool) -> None:
    market = Market(AT, AT, AT, AT, AT, later, "")
    word = 7_500 | 8_000 << 16 | 10_500 << 32 | 18 << 48 | 1 << 56 | frozen << 57
    rows = {control.name: call for control, call in _rows(market, Reserve(AT, "TKN", terms_of(word)))}
    assert rows["freeze"] == ("setReserveFreeze(address,bool)", (AT, asked))
