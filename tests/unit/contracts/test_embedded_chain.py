"""The embedded chain in one process: block time, transactions, calls, history, errors."""

import json
from typing import Any

import eth_abi
import pytest
from eth_account import Account
from eth_utils import keccak, to_checksum_address

from adapters.evm.artifacts import artifact
from node.testnet.chain_evm import CallRequest, ChainError, EmbeddedChain
from node.testnet.chain_rpc import MAX_BATCH, Rpc

START = 1_800_000_000
ACCOUNT = Account.from_key(keccak(text="one account of the tests"))
ADDRESS = bytes.fromhex(ACCOUNT.address[2:])


class Clock:
    def __init__(self) -> None:
        self.now = float(START)

    def __call__(self) -> float:
        return self.now


def selector(signature: str) -> bytes:
    return keccak(text=signature)[:4]


class Bench:
    def __init__(self) -> None:
        self.clock = Clock()
        self.chain = EmbeddedChain(7, {ADDRESS: 10**24}, self.clock)
        self.rpc = Rpc(self.chain)
        self.nonce = 0

    def signed(self, to: bytes | None, data: bytes, **changed: Any) -> bytes:
        fields = {"chainId": 7, "nonce": self.nonce, "gas": 3_000_000, "value": 0, "data": data}
        fields |= {"maxFeePerGas": 3 * 10**9, "maxPriorityFeePerGas": 1}
        if to is not None:
            fields["to"] = to_checksum_address(to)
        return bytes(ACCOUNT.sign_transaction({**fields, **changed}).raw_transaction)

    def send(self, to: bytes | None, data: bytes, **changed: Any) -> bytes:
        own = self.chain.send_raw(self.signed(to, data, **changed))
        self.nonce += 1
        return own

    def token(self) -> bytes:
        self.send(None, artifact("Token").bytecode + eth_abi.encode(["string", "string"], ["rs", "rs"]))
        [created] = self.chain.head.created
        assert created is not None
        return created

    def mint(self, token: bytes, amount: int) -> bytes:
        return self.send(
            token, selector("mint(address,uint256)") + eth_abi.encode(["address", "uint256"], [ADDRESS, amount])
        )

    def ask(self, method: str, *params: Any) -> Any:
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        answer = json.loads(self.rpc.answer(json.dumps(request).encode()) or b"")
        return answer.get("result", answer.get("error"))


def balance_call(token: bytes) -> dict[str, str]:
    data = selector("balanceOf(address)") + eth_abi.encode(["address"], [ADDRESS])
    return {"to": "0x" + token.hex(), "data": "0x" + data.hex()}


def test_many_blocks_in_one_second_share_its_timestamp() -> None:
    bench = Bench()
    for _ in range(20):
        bench.chain.mine()
    assert bench.chain.head.header.timestamp == START


def test_block_time_follows_the_clock_and_never_runs_back() -> None:
    bench = Bench()
    times = []
    for now in (0.9, 1.2, 7.8, 3.0, 8.1):
        bench.clock.now = START + now
        times.append(bench.chain.mine().header.timestamp - START)
    assert times == [0, 1, 7, 7, 8]


def test_a_tick_mines_only_when_the_second_is_new() -> None:
    bench = Bench()
    assert not bench.chain.tick()
    bench.clock.now += 1
    assert bench.chain.tick()
    assert not bench.chain.tick()


def test_a_transaction_is_mined_at_once_with_its_receipt_and_log() -> None:
    bench = Bench()
    token = bench.token()
    own = bench.mint(token, 5)
    receipt = bench.ask("eth_getTransactionReceipt", "0x" + own.hex())
    assert (receipt["status"], receipt["blockNumber"], len(receipt["logs"])) == ("0x1", "0x2", 1)
    assert bench.ask("eth_getTransactionByHash", "0x" + own.hex())["from"] == "0x" + ADDRESS.hex()


def test_a_transaction_that_reverts_is_mined_with_status_0() -> None:
    bench = Bench()
    token = bench.token()
    own = bench.send(token, selector("burn(uint256)") + eth_abi.encode(["uint256"], [1]))
    assert bench.ask("eth_getTransactionReceipt", "0x" + own.hex())["status"] == "0x0"


def test_a_call_that_reverts_says_why_with_its_data() -> None:
    bench = Bench()
    token = bench.token()
    data = selector("burn(uint256)") + eth_abi.encode(["uint256"], [1])
    error = bench.ask("eth_call", {"to": "0x" + token.hex(), "data": "0x" + data.hex()}, "latest")
    assert (error["code"], error["message"]) == (3, "execution reverted: balance")
    assert error["data"].startswith("0x08c379a0")


def test_calls_leave_nothing_behind() -> None:
    bench = Bench()
    token = bench.token()
    data = selector("mint(address,uint256)") + eth_abi.encode(["address", "uint256"], [ADDRESS, 9])
    bench.chain.call(CallRequest(token, data, ADDRESS), 1)
    assert int(bench.ask("eth_call", balance_call(token), "latest"), 16) == 0


def test_a_call_at_an_old_block_sees_the_old_state() -> None:
    bench = Bench()
    token = bench.token()
    for amount in (5, 6):
        bench.mint(token, amount)
    at_hash = {"blockHash": bench.ask("eth_getBlockByNumber", "0x2", False)["hash"]}
    seen = [int(bench.ask("eth_call", balance_call(token), tag), 16) for tag in ("0x1", "0x2", at_hash, "latest")]
    assert seen == [0, 5, 5, 11]


def test_logs_are_found_by_address_topic_and_range() -> None:
    bench = Bench()
    token, other = bench.token(), bench.token()
    bench.mint(token, 5)
    bench.mint(other, 6)
    topic = "0x" + keccak(text="Transfer(address,address,uint256)").hex()
    everything = {"fromBlock": "0x0", "toBlock": "latest"}
    assert len(bench.ask("eth_getLogs", everything)) == 2
    assert len(bench.ask("eth_getLogs", {**everything, "address": "0x" + token.hex()})) == 1
    assert len(bench.ask("eth_getLogs", {**everything, "topics": [topic]})) == 2
    assert bench.ask("eth_getLogs", {**everything, "topics": [None, [topic]]}) == []
    assert bench.ask("eth_getLogs", {"fromBlock": "0x4", "toBlock": "0x99"})[0]["address"] == "0x" + other.hex()


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"nonce": 5}, "nonce too high"),
        ({"chainId": 8}, "wrong chain"),
        ({"value": 10**25}, "transaction refused"),
        ({"maxFeePerGas": 1, "maxPriorityFeePerGas": 1}, "transaction refused"),
        ({"gas": 40_000_000}, "transaction refused"),
    ],
)
def test_a_bad_transaction_is_refused_and_the_chain_goes_on(changed: dict[str, Any], why: str) -> None:
    bench = Bench()
    with pytest.raises(ChainError, match=why):
        bench.chain.send_raw(bench.signed(ADDRESS, b"", **changed))
    assert len(bench.chain.blocks) == 1
    bench.send(ADDRESS, b"")
    assert len(bench.chain.blocks) == 2


def test_a_known_transaction_and_noise_are_refused() -> None:
    bench = Bench()
    raw = bench.signed(ADDRESS, b"")
    bench.chain.send_raw(raw)
    with pytest.raises(ChainError, match="already known"):
        bench.chain.send_raw(raw)
    for noise in (b"", b"\x02", raw[:-3], b"\xff" * 40, b"\xc0"):
        with pytest.raises(ChainError, match="not a signed transaction"):
            bench.chain.send_raw(noise)


def test_an_estimate_suffices() -> None:
    bench = Bench()
    token = bench.token()
    data = selector("mint(address,uint256)") + eth_abi.encode(["address", "uint256"], [ADDRESS, 9])
    call = {"from": "0x" + ADDRESS.hex(), "to": "0x" + token.hex(), "data": "0x" + data.hex()}
    gas = int(bench.ask("eth_estimateGas", call), 16)
    own = bench.send(token, data, gas=gas)
    assert bench.ask("eth_getTransactionReceipt", "0x" + own.hex())["status"] == "0x1"
    create = {"from": "0x" + ADDRESS.hex(), "data": "0x" + artifact("Perp").bytecode.hex() + "00" * 128}
    assert bench.ask("eth_estimateGas", create)["code"] == 3


def test_deployments_fit_their_estimate() -> None:
    bench = Bench()
    code = artifact("Lending").bytecode + eth_abi.encode(["address"] * 3, [ADDRESS] * 3)
    gas = int(bench.ask("eth_estimateGas", {"from": "0x" + ADDRESS.hex(), "data": "0x" + code.hex()}), 16)
    own = bench.send(None, code, gas=gas)
    receipt = bench.ask("eth_getTransactionReceipt", "0x" + own.hex())
    assert receipt["status"] == "0x1"
    assert len(bench.ask("eth_getCode", receipt["contractAddress"], "latest")) <= 2 + 2 * 24_576


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", -32700),
        (b"\xff\xfe", -32700),
        (b"[" * 100_000, -32700),
        (b"[]", -32600),
        (b"7", -32600),
        (json.dumps([1] * (MAX_BATCH + 1)).encode(), -32600),
        (b'{"id":1,"method":"eth_nonsense"}', -32601),
        (b'{"id":1,"method":"eth_call","params":{}}', -32602),
        (b'{"id":1,"method":"eth_getBalance","params":["0x12"]}', -32602),
        (b'{"id":1,"method":"eth_getBalance","params":[]}', -32602),
        (b'{"id":1,"method":"eth_getBlockByNumber","params":["0xzz"]}', -32602),
        (b'{"id":1,"method":"eth_getBlockByNumber","params":["-0x1"]}', -32602),
        (b'{"id":1,"method":"eth_getLogs","params":[{"topics":["0x12"]}]}', -32602),
        (b'{"id":1,"method":"eth_call","params":[{"to":"0x12"},"latest"]}', -32602),
    ],
)
def test_a_bad_request_gets_its_code(body: bytes, code: int) -> None:
    answer = json.loads(Bench().rpc.answer(body) or b"")
    assert answer["error"]["code"] == code


def test_a_batch_keeps_its_order_and_a_notification_gets_no_answer() -> None:
    bench = Bench()
    batch = [{"id": 1, "method": "eth_chainId"}, {"method": "eth_chainId"}, {"id": 2, "method": "eth_no"}]
    answers = json.loads(bench.rpc.answer(json.dumps(batch).encode()) or b"")
    assert [answer["id"] for answer in answers] == [1, 2]
    assert bench.rpc.answer(b'{"method":"eth_chainId"}') is None


def test_a_missing_block_or_transaction_is_null() -> None:
    bench = Bench()
    assert bench.ask("eth_getBlockByNumber", "0x99", False) is None
    assert bench.ask("eth_getBlockByHash", "0x" + "11" * 32, False) is None
    assert bench.ask("eth_getTransactionReceipt", "0x" + "11" * 32) is None


def test_a_call_at_a_missing_block_is_an_error() -> None:
    bench = Bench()
    assert bench.ask("eth_call", {"to": "0x" + "00" * 20}, "0x99")["code"] == -32001
