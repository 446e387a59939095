"""Answers of a chain as bytes of a stranger: typed, or ValueError, never anything else."""

import contextlib
import json
import random

import pytest

from adapters.evm.abi import abi_of, created_address, revert_reason
from adapters.evm.lever_rows import ROWS
from adapters.evm.wire import (
    Revert,
    Transaction,
    ask_block,
    ask_call,
    ask_logs,
    ask_receipt,
    ask_transaction,
    revert_of,
)

ESCROW = abi_of("Escrow")
RELEASED = ESCROW.event("Released")
TOPICS = (RELEASED.topic, (7).to_bytes(32, "big"), bytes(12) + b"\x0d" * 20)


def test_calls_and_events_follow_the_ethereum_abi():
    assert abi_of("Token").function("balanceOf").encode((b"\1" * 20,)).hex() == "70a08231" + "00" * 12 + "01" * 20
    assert RELEASED.decode(TOPICS, (5).to_bytes(32, "big")) == {"nonce": 7, "recipient": b"\x0d" * 20, "amount": 5}


@pytest.mark.parametrize(
    ("topics", "data"),
    [
        (TOPICS[:2], bytes(32)),
        ((b"\1" * 32, *TOPICS[1:]), bytes(32)),
        (TOPICS, bytes(31)),
        ((TOPICS[0], TOPICS[1], b"\xff" * 32), bytes(32)),
        ((), b""),
    ],
    ids=range(5),
)
def test_a_log_that_is_not_the_event_decodes_to_nothing(topics, data):
    assert RELEASED.decode(topics, data) is None


def test_a_created_contract_has_the_address_of_sender_and_nonce():
    # EIP-1014's predecessor, as in the yellow paper: the first contract of a well-known account
    sender = bytes.fromhex("6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0")
    assert created_address(sender, 0).hex() == "cd234a471b72ba2f1ccf0a70fcaba648a5eecd8d"
    assert created_address(sender, 1).hex() == "343c43a37d37dff08ae8c4a11544c718abb4fcf8"


def test_reasons_are_read_as_far_as_they_are_reasons():
    text = bytes.fromhex("08c379a0") + (32).to_bytes(32, "big") + (6).to_bytes(32, "big") + b"frozen".ljust(32, b"\0")
    assert revert_reason(text) == "frozen"
    assert revert_reason(text[:40]).startswith("0x08c379a0") and revert_reason(b"") == ""


def test_only_a_refusing_contract_counts_as_an_answer():
    assert revert_of({"code": 3, "message": "execution reverted", "data": "0x"}) == Revert("")
    assert revert_of({"code": -32005, "message": "slow down"}) is None
    assert revert_of("no") is None


def _mutated(rng: random.Random, value):
    """One answer with one place of it exchanged for something odd."""
    odd = [None, -1, "0x", "0x" + "f" * 70, "0xzz", [], {}, 1e9, True, "latest", "0x1" * 30]
    if isinstance(value, dict) and value and rng.random() < 0.8:
        key = rng.choice(sorted(value))
        return value | {key: _mutated(rng, value[key])}
    if isinstance(value, list) and value and rng.random() < 0.8:
        return [_mutated(rng, value[0]), *value[1:]]
    return rng.choice(odd)


def test_no_answer_makes_a_parser_raise_anything_but_value_error():
    word = "0x" + "11" * 32
    log = {"address": "0x" + "22" * 20, "topics": [word], "data": "0x", "blockNumber": "0x1", "logIndex": "0x0"}
    log |= {"transactionHash": word}
    receipt = {"transactionHash": word, "blockNumber": "0x1", "blockHash": word, "status": "0x1", "logs": [log]}
    block = {"number": "0x1", "timestamp": "0x1", "hash": word, "baseFeePerGas": "0x1"}
    call = ask_call(b"\1" * 20, ESCROW, "token")
    sent = {"hash": word, "from": "0x" + "22" * 20, "to": "0x" + "33" * 20, "input": "0x1234"}
    parsers = [(ask_receipt(bytes(32)), receipt), (ask_block(), block), (ask_logs(b"", [], 0, 1), [log]), (call, word)]
    parsers.append((ask_transaction(bytes(32)), sent))
    rng = random.Random(7)
    for _ in range(4_000):
        ask, good = rng.choice(parsers)
        answer = json.loads(json.dumps(_mutated(rng, good)))
        with contextlib.suppress(ValueError):
            ask.parse(answer)


def test_a_transaction_says_who_sent_what_to_whom():
    sent = {"hash": "0x" + "11" * 32, "from": "0x" + "22" * 20, "to": None, "input": "0x1234"}
    ask = ask_transaction(b"\x11" * 32)
    assert ask.parse(sent) == Transaction(b"\x11" * 32, b"\x22" * 20, None, b"\x12\x34")
    assert ask.parse(None) is None


def test_one_place_of_a_log_may_be_one_of_several_words():
    (asked,) = ask_logs(b"\1" * 20, [(b"\2" * 32, b"\3" * 32), None, b"\4" * 32], 5, 6).params
    assert asked["topics"] == [["0x" + "02" * 32, "0x" + "03" * 32], None, "0x" + "04" * 32]


def test_every_lever_names_functions_events_and_views_that_its_contract_has():
    for row in ROWS:
        abi = abi_of(row.contract)
        assert abi.function(row.set) and abi.function(row.lift) and abi.function(row.view) and abi.event("Restricted")
        assert row.declared.max_ms <= 12 * 3_600_000 and row.declared.says


def test_only_the_halt_blocks_exits():
    assert [row.declared.call for row in ROWS if row.declared.blocks_exit] == ["perp.halt"]
