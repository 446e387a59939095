"""Providers that are down, slow, wrong, behind or lying: what is believed, and what is said."""

import json
import subprocess
import sys

import pytest
import trio

from adapters.api import LeverOrder
from adapters.evm.abi import abi_of
from adapters.evm.client import Account, Connection
from adapters.evm.errors import ChainDown, ChainError, NoGas, NotMined, NotSeen, ProvidersDisagree, Reverted
from adapters.evm.lever_rows import Target
from adapters.evm.levers import levers_for
from adapters.evm.pool import FEE_WEI_MAX, fees_of
from adapters.evm.sending import Sender
from adapters.evm.verifiers import EvmVerifier
from protocol.evidence import ReleaseWithoutBurn, Ruling, claim_of
from protocol.ids import ActionKey, SourceId
from protocol.membership import Bridge
from protocol.messages import Level
from protocol.subjects import asset
from tests.integration.evm.fake import CHAIN, Fake, client_of, dead_url, word
from tests.integration.evm.world import epoch_with

THING = b"\x07" * 20
TOKEN = abi_of("Token")


def supply(number: int) -> dict[str, object]:
    return {"eth_call": word(number)}


async def total(client) -> object:
    return await client.call(CHAIN, THING, TOKEN, "totalSupply")


def fails(kind: type[ChainError], *fakes: Fake, **more) -> str:
    async def run() -> str:
        async with client_of(*fakes, **more) as client:
            with pytest.raises(kind) as seen:
                await total(client)
            return str(seen.value)

    return trio.run(run)


def test_two_that_agree_are_both_named():
    async def run() -> None:
        async with client_of(Fake(answers=supply(5)), Fake(answers=supply(5))) as client:
            read = await total(client)
            assert (read.value, read.sources) == (5, ("p0", "p1"))
            assert client.health() == ""

    trio.run(run)


def test_two_that_disagree_give_no_result():
    assert "p0 and p1 disagree" in fails(ProvidersDisagree, Fake(answers=supply(5)), Fake(answers=supply(6)))


def test_one_that_is_down_is_left_out_and_told():
    async def run() -> None:
        async with client_of(Fake(answers=supply(5)), await dead_url()) as client:
            assert (await total(client)).sources == ("p0",)
            assert "p1 (127.0.0.1, eip155:1): cannot connect" in client.health()

    trio.run(run)


def test_one_that_is_slow_costs_its_time_once():
    async def run() -> None:
        async with client_of(Fake(answers=supply(5)), Fake(answers=supply(5), delay_s=3), timeout_s=0.3) as client:
            assert (await total(client)).sources == ("p0",)
            (link,) = client.links(CHAIN)
            assert link.connection.source_id == "p0" and "no answer within 0.3 s" in client.health()

    trio.run(run)


def test_one_of_another_chain_is_never_believed():
    async def run() -> None:
        async with client_of(Fake(answers=supply(5)), Fake(chain_id=5, answers=supply(5))) as client:
            assert (await total(client)).sources == ("p0",)
            assert "serves chain 5" in client.health() and "provider of eip155:1" in client.health()

    trio.run(run)
    assert "serves chain 5" in fails(ChainDown, Fake(chain_id=5, answers=supply(5)))


@pytest.mark.parametrize(
    "fake",
    [
        Fake(raw=b"<html>"),
        Fake(raw=b"[]"),
        Fake(raw=b"7"),
        Fake(raw=b"[" * 50_000),
        Fake(raw=b'[{"jsonrpc":"2.0","id":0,"result":"0x1"}]'),
        Fake(raw=b" " * (16 * 1024 * 1024 + 1)),
        Fake(status=500),
        Fake(answers={"eth_call": 5}),
        Fake(answers={"eth_call": "0xzz"}),
        Fake(answers={"eth_call": "0x01"}),
        Fake(answers={"eth_call": {"code": -32005, "message": "slow down"}}),
        Fake(answers={"eth_call": {"code": "x"}}),
        Fake(answers={"eth_chainId": "0x" + "f" * 65}),
    ],
    ids=range(13),
)
def test_nonsense_is_a_provider_that_is_down(fake):
    fails(ChainDown, fake, timeout_s=3)


def test_a_contract_that_refuses_is_an_answer():
    refusal = {"code": 3, "message": "execution reverted", "data": "0x08c379a0" + word(32)[2:] + word(6)[2:]}
    refusal["data"] += b"frozen".ljust(32, b"\0").hex()
    both = [Fake(answers={"eth_call": refusal}) for _ in range(2)]
    assert "refused: frozen" in fails(Reverted, *both)


def test_no_contract_at_the_address_is_told_apart_from_zero():
    assert "no contract answers" in fails(Reverted, Fake(answers={"eth_call": "0x"}))


def test_one_that_is_a_block_ahead_is_asked_again_of_the_common_block():
    def at(blocks: dict[str, int]):
        return {"eth_call": lambda params: word(blocks[params[1]])}

    async def run() -> None:
        ahead = Fake(head=101, answers=at({"latest": 6, hex(100): 5}))
        behind = Fake(head=100, answers=at({"latest": 5, hex(100): 5}))
        async with client_of(ahead, behind) as client:
            read = await total(client)
            assert (read.value, read.sources) == (5, ("p0", "p1"))
            assert (await client.block(CHAIN)).value.number == 100

    trio.run(run)


def test_two_that_name_different_blocks_at_one_height_disagree():
    async def run() -> None:
        fork = Fake(answers={"eth_getBlockByNumber": lambda _: Fake().block(100) | {"hash": word(9)}})
        async with client_of(Fake(), fork) as client:
            with pytest.raises(ProvidersDisagree):
                await client.head(CHAIN, 60)

    trio.run(run)


def test_a_provider_without_batches_is_asked_one_by_one():
    async def run() -> None:
        async with client_of(Fake(answers=supply(5), batches=False)) as client:
            assert (await total(client)).value == 5

    trio.run(run)


def test_a_provider_that_restarts_is_tried_again_within_the_question():
    async def run() -> None:
        url, fake = await dead_url(), Fake(answers=supply(5))
        async with client_of(url, timeout_s=2) as client, trio.open_nursery() as nursery:

            async def come_back() -> None:
                await trio.sleep(0.1)
                await trio.serve_tcp(fake.serve, int(url.rpartition(":")[2]), host="127.0.0.1")

            nursery.start_soon(come_back)
            assert (await total(client)).value == 5
            nursery.cancel_scope.cancel()

    trio.run(run)


def test_a_chain_without_a_connection_is_said_with_what_to_do():
    async def run() -> None:
        async with client_of(Fake()) as client:
            with pytest.raises(ChainDown, match=r"no connection of ours sees eip155:5; add a \[\[connection\]\]"):
                await client.block("eip155:5")
            with pytest.raises(NotSeen, match="no block 101 yet"):
                await client.block(CHAIN, 101)

    trio.run(run)


def test_keys_and_addresses_with_keys_are_in_no_repr():
    secret = bytes(range(1, 33))
    assert secret.hex() not in repr(Account(secret)) and "apikey" not in repr(
        Connection(SourceId("a"), CHAIN, "https://x.example/apikey")
    )
    with pytest.raises(ValueError) as seen:
        Account(b"\xff" * 32)
    assert "ff" * 8 not in str(seen.value) and seen.value.__cause__ is None


def test_a_provider_cannot_make_an_account_burn_its_gas():
    assert fees_of([10**20], [0])["maxFeePerGas"] == FEE_WEI_MAX
    assert fees_of([None], [10**20]) == {"gasPrice": FEE_WEI_MAX}


def test_a_provider_cannot_end_the_process_by_an_answer_that_is_nested_without_end():
    """A process of its own: where this fails, the interpreter dies. The library that signs raises the limit of
    recursion when it is imported, which a node does after its start."""
    story = """
import sys, trio
import adapters.evm.client
from tests.integration.evm.fake import Fake, client_of
from tests.integration.evm.test_providers import CHAIN

async def run():
    async with client_of(Fake(raw=b"[" * 200_000)) as client:
        try:
            await client.head(CHAIN, 60)
        except adapters.evm.client.ChainDown:
            print("down")

trio.run(run)
"""
    done = subprocess.run([sys.executable, "-c", story], capture_output=True, text=True, timeout=60)
    assert done.stdout == "down\n", done.stderr[-400:]


# -- levers and claims on lying providers


def lever_on(client):
    target = Target("lend", CHAIN, THING, b"\x08" * 20)
    sender = Sender(client, CHAIN, Account(b"\x01" * 32))
    return levers_for("lending", target, client, sender)["lending.freeze"]


def test_a_lying_provider_cannot_make_an_effect_look_done():
    async def run() -> None:
        order = LeverOrder(ActionKey(bytes(32)), "x", asset(CHAIN, THING), Level.ISOLATE, 1_700_000_060_000, False)
        async with client_of(Fake(answers=supply(1_700_000_060)), Fake(answers=supply(0))) as client:
            outcome = await lever_on(client).read_back(order)
            assert not outcome.ok and outcome.retryable and "disagree" in outcome.says
        async with client_of(Fake(answers=supply(1_700_000_060))) as client:
            assert (await lever_on(client).read_back(order)).ok

    trio.run(run)


def test_a_swallowed_transaction_is_not_called_done():
    sent = {"eth_estimateGas": "0x5208", "eth_getTransactionCount": "0x0", "eth_getBalance": hex(10**20)}
    sent |= {"eth_gasPrice": "0x1", "eth_sendRawTransaction": word(1), "eth_getTransactionReceipt": None}

    async def run() -> None:
        async with client_of(Fake(answers=sent)) as client:
            sender = Sender(client, CHAIN, Account(b"\x01" * 32))
            with pytest.raises(NotMined, match="may still be"):
                await sender.transact(THING, TOKEN, "burn", (1,), deadline_s=0.2)

    trio.run(run)


def test_a_provider_that_refuses_for_want_of_funds_is_no_gas():
    sent = {"eth_estimateGas": "0x5208", "eth_getTransactionCount": "0x0", "eth_getBalance": hex(10**20)}
    sent |= {"eth_gasPrice": "0x1"}
    sent["eth_sendRawTransaction"] = {"code": -32000, "message": "insufficient funds for gas * price + value"}

    async def run() -> None:
        async with client_of(Fake(answers=sent)) as client:
            with pytest.raises(NoGas, match="put gas on it"):
                await Sender(client, CHAIN, Account(b"\x01" * 32)).send(THING, TOKEN, "burn", (1,))

    trio.run(run)


ESCROW, TWIN, TX = b"\x0a" * 20, b"\x0b" * 20, b"\x0c" * 32
BRIDGE = Bridge(asset(CHAIN, THING), CHAIN, ESCROW, CHAIN, TWIN)
CLAIM = ReleaseWithoutBurn(CHAIN, ESCROW, TX, 0, CHAIN, TWIN, 77, b"\x0d" * 20, 1_000)


def bridge_fake(**more) -> Fake:
    """One fake chain that is both ends: a release of 1,000 in block 90, nothing burned."""
    event = abi_of("Escrow").event("Released")
    log = {"address": "0x" + ESCROW.hex(), "blockNumber": "0x5a", "transactionHash": "0x" + TX.hex(), "logIndex": "0x0"}
    log |= {
        "topics": ["0x" + event.topic.hex(), word(77), "0x" + (bytes(12) + b"\x0d" * 20).hex()],
        "data": word(1_000),
    }
    receipt = {"transactionHash": "0x" + TX.hex(), "blockNumber": "0x5a", "blockHash": word(90), "status": "0x1"}
    by_selector = {
        abi_of("Escrow").function("token").selector: "0x" + (bytes(12) + THING).hex(),
        TOKEN.function("balanceOf").selector: word(10_000),
    }

    def call(params):
        return by_selector.get(bytes.fromhex(params[0]["data"][2:10]), word(0))

    return Fake(answers={"eth_call": call, "eth_getTransactionReceipt": receipt | {"logs": [log]}}, **more)


def verdict(*fakes: Fake):
    async def run():
        async with client_of(*fakes) as client:
            blob = claim_of(CLAIM)
            return await EvmVerifier(client, lambda: epoch_with((BRIDGE,))).verify(blob.claim, blob.blob)

    return trio.run(run)


def test_a_claim_through_agreeing_providers_is_supported():
    got = verdict(bridge_fake(), bridge_fake())
    assert (got.ruling, got.level, got.sources) == (Ruling.SUPPORTS, Level.ISOLATE, ("p0", "p1"))


def test_a_claim_on_a_chain_that_lags_behind_the_release_is_undecided():
    lagging = bridge_fake()
    lagging.head = 80
    lagging.answers["eth_getBlockByNumber"] = lambda params: lagging.block(80 if params[0] == "latest" else 90)
    got = verdict(lagging)
    assert got.ruling is Ruling.UNDECIDED and "has not reached the time" in got.why


def test_a_claim_that_one_provider_denies_is_undecided():
    denying = bridge_fake()
    denying.answers["eth_getTransactionReceipt"] = None
    got = verdict(bridge_fake(), denying)
    assert got.ruling is Ruling.UNDECIDED and "disagree" in got.why


def test_a_claim_with_every_provider_down_is_undecided():
    assert verdict(Fake(status=503)).ruling is Ruling.UNDECIDED


def test_what_is_asked_is_plain_json_rpc():
    fake = Fake(answers=supply(5))

    async def run() -> None:
        async with client_of(fake) as client:
            await total(client)

    trio.run(run)
    assert json.loads(json.dumps(fake.asked)) == [
        ["eth_chainId", []],
        ["eth_call", [{"data": "0x18160ddd", "to": "0x" + THING.hex()}, "latest"]],
    ]
