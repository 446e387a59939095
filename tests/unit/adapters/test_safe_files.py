"""What owners of a Safe are asked to sign, as a file: read back as it was written, and never as anything else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct, encode_typed_data

from adapters.evm.evm_key import EvmKey
from adapters.evm.safe_files import (
    FileFault,
    Proposal,
    Signature,
    parse_proposal,
    parse_signature,
    proposal_text,
    sign_proposal,
    signature_text,
)
from adapters.evm.safe_tx import SafeTx, listed, shown_by

AT, OTHER = "0x" + "11" * 20, "0x" + "22" * 20
KEY = EvmKey(b"\x07" * 32)
ONE = (listed(f"{AT} pause()"),)
TWO = (*ONE, listed(f"{OTHER} setTargetClosed(address,bool) {AT} true"))


def proposal(calls: tuple[Any, ...] = ONE) -> Proposal:
    tx = SafeTx("eip155:1", b"\x33" * 20, calls, 5, b"\x44" * 20 if len(calls) > 1 else b"")
    return Proposal(tx, b"\x0a" * 32, "council:safe.propose", "restrict", 1_800_000_000)


@pytest.mark.parametrize("calls", [ONE, TWO])
def test_a_proposal_is_read_as_it_was_written(calls: tuple[Any, ...]):
    assert parse_proposal(proposal_text(proposal(calls))) == proposal(calls)


@pytest.mark.parametrize("calls", [ONE, TWO])
def test_a_wallet_signs_the_same_hash(calls: tuple[Any, ...]):
    one = proposal(calls)
    shown = json.loads(proposal_text(one))["typed_data"]
    by_wallet = Account.sign_message(encode_typed_data(full_message=shown), b"\x07" * 32)
    assert bytes(by_wallet.message_hash) == one.tx.hash
    assert parse_signature(signature_text(Signature(one.tx.hash, KEY.address, bytes(by_wallet.signature)))).owner


def test_a_signature_on_the_hash_as_a_message_is_an_owners_too():
    digest = proposal().tx.hash
    raw = bytes(Account.sign_message(encode_defunct(digest), b"\x07" * 32).signature)
    text = signature_text(Signature(digest, KEY.address, raw[:64] + bytes([raw[64] + 4])))
    assert parse_signature(text).raw[64] in (31, 32)
    with pytest.raises(FileFault, match="no signature of"):
        parse_signature(signature_text(Signature(digest, KEY.address, raw)))


def edited(text: str, **changes: Any) -> str:
    told = json.loads(text)
    for path, value in changes.items():
        *outer, last = path.split("__")
        at = told
        for name in outer:
            at = at[name]
        at[last] = value
    return json.dumps(told)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"calls": [f"{OTHER} pause()"]}, "shows another transaction"),
        ({"nonce": "6"}, "shows another transaction"),
        ({"safe": OTHER}, "shows another transaction"),
        ({"chain": "eip155:5"}, "shows another transaction"),
        ({"transaction__gasPrice": "1"}, "shows another transaction"),
        ({"transaction__operation": "1"}, "shows another transaction"),
        ({"transaction__refundReceiver": OTHER}, "shows another transaction"),
        ({"hash": "0x" + "00" * 32}, "shows another transaction"),
        ({"typed_data__message__to": OTHER}, "would have wallets sign something else"),
        ({"typed_data__domain__chainId": 5}, "would have wallets sign something else"),
        ({"calls": []}, "lists no calls"),
        ({"calls": [f"{AT} pause()"] * 9}, "lists no calls"),
        ({"calls": [f"{AT} pause() 1"]}, "takes 0 arguments, not 1"),
        ({"does": "sweep"}, "does not say what it does"),
        ({"of_no_use_after": -1}, "after which second"),
        ({"nonce": str(2**256)}, "above 2"),
        ({"chain": "eip155:" + "9" * 40}, "names no chain"),
        ({"safe_proposal": 2}, "is no safe proposal"),
    ],
)
def test_a_proposal_that_says_one_thing_and_is_another_is_refused(changes: dict[str, Any], says: str):
    with pytest.raises(FileFault, match=says):
        parse_proposal(edited(proposal_text(proposal()), **changes))


@pytest.mark.parametrize("text", ["", "[]", "null", "[" * 100_000, '{"safe_signature": 1}', "\x00"])
def test_rubbish_is_refused_in_words(text: str):
    for read in (parse_proposal, parse_signature):
        with pytest.raises(FileFault):
            read(text)


def test_anothers_signature_is_not_an_owners():
    text = sign_proposal(proposal(), KEY)
    with pytest.raises(FileFault, match="no signature of"):
        parse_signature(edited(text, owner=OTHER))
    with pytest.raises(FileFault, match="no signature of"):
        parse_signature(edited(text, hash="0x" + "01" * 32))


@pytest.mark.parametrize(
    ("text", "args"),
    [
        (f"{AT} f(uint256) 7", (7,)),
        (f"{AT} f(int8) -128", (-128,)),
        (f"{AT} f(bytes32) 0x{'ab' * 32}", (b"\xab" * 32,)),
        (f"{AT} f(bytes) 0x", (b"",)),
        (f"{AT} f(address,bool) {OTHER} false", (OTHER, False)),
    ],
)
def test_a_listed_call_has_its_arguments(text: str, args: tuple[Any, ...]):
    one = listed(text)
    assert one.args == args and len(one.data) >= 36


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("pause()", "must be an address"),
        (f"{AT} pause", "must be an address"),
        (f"{AT} f(uint8) 256", "is no uint8"),
        (f"{AT} f(uint8) -1", "is no uint8"),
        (f"{AT} f(int8) 128", "is no int8"),
        (f"{AT} f(bool) 1", "is no bool"),
        (f"{AT} f(address) 0x11", "is no address"),
        (f"{AT} f(bytes4) 0x112233", "is no bytes4"),
        (f"{AT} f(string) a", "cannot be listed"),
        (f"{AT} f(uint7) 1", "cannot be listed"),
        (f"{AT} f(uint256) {'9' * 500}", "is no uint256"),
        (f"{AT} f(bool) " + "x" * 2_000, "must be an address"),
    ],
)
def test_what_cannot_be_listed_is_said(text: str, says: str):
    with pytest.raises(ValueError, match=says):
        listed(text)


def test_what_a_view_shows_is_true_false_or_a_number():
    assert shown_by(f"{AT} paused() = true")[1] == 1
    assert shown_by(f"{AT} isTargetClosed(address) {OTHER} = false")[1] == 0
    assert shown_by(f"{AT} cap() = 700")[1] == 700
    for wrong in (f"{AT} paused()", f"{AT} paused() = yes", f"{AT} paused() = -1"):
        with pytest.raises(ValueError, match="must be a view"):
            shown_by(wrong)
