"""A chain in a process of its own: HTTP by hand, web3 once, both ways of starting, both kinds."""

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from eth_account import Account
from eth_utils import keccak

from adapters.evm.artifacts import artifact
from node.testnet.chain_process import ChainProcess, ChainStartError, find_anvil, start_chain

ACCOUNT = Account.from_key(keccak(text="the account of the chain tests"))
CHAIN_ID = 31


@pytest.fixture(scope="module", params=["embedded", "anvil"])
def chain(request: pytest.FixtureRequest) -> Iterator[ChainProcess]:
    if request.param == "anvil" and find_anvil() is None:
        pytest.skip("no anvil on this machine")
    started = start_chain(request.param, CHAIN_ID, {ACCOUNT.address: 10**24})
    yield started
    started.stop()
    assert not started.alive()


@pytest.fixture(scope="module")
def embedded() -> Iterator[ChainProcess]:
    started = start_chain("embedded", CHAIN_ID, {ACCOUNT.address: 10**24})
    yield started
    started.stop()


def ask(url: str, method: str, *params: object) -> object:
    answer = httpx.post(url, json={"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).json()
    return answer.get("result", answer.get("error"))


def head_time(url: str) -> int:
    block = ask(url, "eth_getBlockByNumber", "latest", False)
    assert isinstance(block, dict)
    return int(block["timestamp"], 16)


def talk(chain: ChainProcess, sent: bytes) -> bytes:
    """What comes back for raw bytes until the other side closes or has answered once."""
    with socket.create_connection(("127.0.0.1", int(chain.url.rsplit(":", 1)[1])), timeout=5) as connection:
        connection.sendall(sent)
        return connection.recv(65_536)


def test_it_answers_with_its_chain_id_and_the_funded_account(chain: ChainProcess) -> None:
    assert ask(chain.url, "eth_chainId") == hex(CHAIN_ID)
    assert ask(chain.url, "eth_getBalance", ACCOUNT.address, "latest") == hex(10**24)


def test_a_burst_of_blocks_does_not_run_ahead_of_the_clock(chain: ChainProcess) -> None:
    for _ in range(15):
        ask(chain.url, "evm_mine")
    assert -2.5 <= head_time(chain.url) - time.time() <= 0.5


def test_block_time_goes_on_without_transactions(chain: ChainProcess) -> None:
    first = head_time(chain.url)
    end = time.monotonic() + 4
    while head_time(chain.url) == first and time.monotonic() < end:
        time.sleep(0.1)
    assert head_time(chain.url) > first


def test_web3_deploys_calls_reads_logs_and_understands_a_revert(chain: ChainProcess) -> None:
    from web3 import Web3
    from web3.exceptions import ContractLogicError

    w3 = Web3(Web3.HTTPProvider(chain.url))
    token = artifact("Token")

    def send(call: object) -> object:
        fields = call.build_transaction(  # type: ignore[attr-defined]
            {"from": ACCOUNT.address, "nonce": w3.eth.get_transaction_count(ACCOUNT.address, "pending")}
        )
        own = w3.eth.send_raw_transaction(ACCOUNT.sign_transaction(fields).raw_transaction)
        receipt = w3.eth.wait_for_transaction_receipt(own, poll_latency=0.02)
        assert receipt["status"] == 1
        return receipt

    deployed = send(w3.eth.contract(abi=token.abi, bytecode=token.bytecode).constructor("rs", "rs"))
    contract = w3.eth.contract(address=deployed["contractAddress"], abi=token.abi)  # type: ignore[index]
    minted = send(contract.functions.mint(ACCOUNT.address, 5))
    assert contract.functions.balanceOf(ACCOUNT.address).call() == 5
    [event] = contract.events.Transfer().get_logs(from_block=0)
    assert event["transactionHash"] == minted["transactionHash"]  # type: ignore[index]
    with pytest.raises(ContractLogicError, match="balance"):
        contract.functions.burn(6).call({"from": ACCOUNT.address})
    assert w3.eth.get_block("latest", full_transactions=True)["number"] >= 2
    assert w3.eth.fee_history(3, "latest", [50.0])["oldestBlock"] >= 0


def test_one_connection_carries_many_requests(embedded: ChainProcess) -> None:
    body = b'{"id":1,"method":"eth_chainId"}'
    one = b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)
    with socket.create_connection(("127.0.0.1", int(embedded.url.rsplit(":", 1)[1])), timeout=5) as connection:
        for _ in range(3):
            connection.sendall(one)
            assert b'"result":"0x1f"' in connection.recv(65_536)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"POST / HTTP/1.1\r\nhost: evil.example\r\ncontent-length: 0\r\n\r\n", b"403"),
        (b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n", b"405"),
        (b"POST /x HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 0\r\n\r\n", b"405"),
        (b"POST / HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 2000000\r\n\r\n", b"413"),
        (b"\x00\x01\x02 nonsense\r\n\r\n", b""),
    ],
)
def test_what_is_not_a_request_is_refused_and_the_chain_goes_on(
    embedded: ChainProcess, sent: bytes, status: bytes
) -> None:
    assert talk(embedded, sent)[9:12] == status
    assert ask(embedded.url, "eth_chainId") == hex(CHAIN_ID)


def test_a_body_without_a_length_is_cut_at_the_limit(embedded: ChainProcess) -> None:
    chunk = b"10000\r\n" + b" " * 65_536 + b"\r\n"
    start = b"POST / HTTP/1.1\r\nhost: 127.0.0.1\r\ntransfer-encoding: chunked\r\n\r\n"
    assert talk(embedded, start + chunk * 17)[9:12] == b"413"


def in_a_fork(run: Callable[[], None]) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            run()
        finally:
            os._exit(0)
    return pid


def test_a_fork_serves_as_well() -> None:
    import node.testnet.chain  # noqa: F401 — imported before the fork, as a zygote has it

    chain = start_chain("embedded", 9, {}, fork=in_a_fork)
    try:
        assert ask(chain.url, "eth_chainId") == "0x9"
    finally:
        chain.stop()
    assert not chain.alive()


def test_a_chain_ends_with_the_process_that_started_it() -> None:
    reader, writer = os.pipe()
    starter = os.fork()
    if starter == 0:
        os.write(writer, str(start_chain("embedded", 9, {}).pid).encode())
        signal.pause()
    pid = int(os.read(reader, 32))
    os.kill(starter, signal.SIGKILL)
    os.waitpid(starter, 0)
    end = time.monotonic() + 5
    while Path(f"/proc/{pid}").exists() and time.monotonic() < end:
        time.sleep(0.1)
    assert not Path(f"/proc/{pid}").exists()


def test_a_port_in_use_is_said_with_the_port(embedded: ChainProcess) -> None:
    port = int(embedded.url.rsplit(":", 1)[1])
    with pytest.raises(ChainStartError, match=f"port {port}.*choose another"):
        start_chain("embedded", 9, {}, port=port)


def test_a_bad_account_is_said() -> None:
    with pytest.raises(ChainStartError, match="40 hex digits"):
        start_chain("embedded", 9, {"0x12": 1})


def test_anvil_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_ANVIL", "/nowhere/anvil")
    with pytest.raises(ChainStartError, match="TOCSIN_ANVIL"):
        start_chain("anvil", 9, {})
    assert find_anvil() is None
