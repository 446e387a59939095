"""The JSON-RPC 2.0 methods that the embedded chain answers, and the errors it answers with."""

import json
from collections.abc import Callable
from typing import Any

from node.testnet.chain_evm import ChainError, EmbeddedChain
from node.testnet.chain_json import (
    HEAD_TAGS,
    block_json,
    logs_json,
    octets,
    quantity,
    read_call,
    read_height,
    read_octets,
    read_quantity,
    receipt_json,
    transaction_json,
)

PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS = -32700, -32600, -32601, -32602
INTERNAL = -32603
TOO_MANY = -32005
MAX_BATCH = 500
MAX_LOGS = 10_000
TIP = 10**9


class Rpc:
    """Answers request bodies: `answer(bytes) -> bytes | None`, None when only notifications came."""

    def __init__(self, chain: EmbeddedChain) -> None:
        self._chain = chain
        self._logs: list[list[dict[str, Any]]] = []
        self._methods: dict[str, Callable[..., Any]] = {
            "web3_clientVersion": lambda: "tocsin-embedded/py-evm",
            "eth_chainId": lambda: quantity(chain.chain_id),
            "net_version": lambda: str(chain.chain_id),
            "eth_syncing": lambda: False,
            "eth_accounts": list,
            "eth_blockNumber": lambda: quantity(len(chain.blocks) - 1),
            "eth_getBlockByNumber": self._block_by_number,
            "eth_getBlockByHash": self._block_by_hash,
            "eth_getBalance": self._balance,
            "eth_getCode": self._code,
            "eth_getStorageAt": self._storage,
            "eth_getTransactionCount": self._nonce,
            "eth_gasPrice": lambda: quantity(2 * chain.head.header.base_fee_per_gas + TIP),
            "eth_maxPriorityFeePerGas": lambda: quantity(TIP),
            "eth_feeHistory": self._fee_history,
            "eth_estimateGas": self._estimate,
            "eth_call": self._call,
            "eth_sendRawTransaction": self._send_raw,
            "eth_getTransactionReceipt": self._receipt,
            "eth_getTransactionByHash": self._transaction,
            "eth_getLogs": self._get_logs,
            "evm_mine": self._mine,
        }

    def answer(self, body: bytes) -> bytes | None:
        try:
            request = json.loads(body)
        except (ValueError, RecursionError):
            return _encode(_failure(None, PARSE_ERROR, "parse error: the body is not JSON"))
        if not isinstance(request, list):
            found = self._one(request)
            return None if found is None else _encode(found)
        if not 1 <= len(request) <= MAX_BATCH:
            return _encode(_failure(None, INVALID_REQUEST, f"a batch holds 1 to {MAX_BATCH} requests"))
        answers = [answer for answer in map(self._one, request) if answer is not None]
        return _encode(answers) if answers else None

    def _one(self, request: Any) -> dict[str, Any] | None:
        if not isinstance(request, dict) or not isinstance(request.get("method"), str):
            return _failure(None, INVALID_REQUEST, "invalid request: an object with a method expected")
        ident, name, params = request.get("id"), request["method"], request.get("params", [])
        method = self._methods.get(name)
        if method is None:
            found = _failure(ident, METHOD_NOT_FOUND, f"the method {name[:60]} does not exist on this chain")
        elif not isinstance(params, list):
            found = _failure(ident, INVALID_PARAMS, "invalid params: a list expected")
        else:
            found = _run(ident, method, params)
        return found if "id" in request else None

    def _block_by_number(self, tag: Any, full: bool = False) -> Any:
        try:
            number = read_height(self._chain, tag)
        except ChainError as missing:
            if missing.code == -32001:
                return None
            raise
        return block_json(self._chain.blocks[number], full is True)

    def _block_by_hash(self, own: Any, full: bool = False) -> Any:
        number = self._chain.number_of_hash.get(read_octets(own, 32))
        return None if number is None else block_json(self._chain.blocks[number], full is True)

    def _balance(self, address: Any, tag: Any = "latest") -> str:
        return quantity(self._chain.balance(read_octets(address, 20), read_height(self._chain, tag)))

    def _code(self, address: Any, tag: Any = "latest") -> str:
        return octets(self._chain.code(read_octets(address, 20), read_height(self._chain, tag)))

    def _storage(self, address: Any, slot: Any, tag: Any = "latest") -> str:
        wanted = int.from_bytes(read_octets(slot, 32))
        return octets(self._chain.storage(read_octets(address, 20), wanted, read_height(self._chain, tag)))

    def _nonce(self, address: Any, tag: Any = "latest") -> str:
        return quantity(self._chain.nonce(read_octets(address, 20), read_height(self._chain, tag)))

    def _fee_history(self, count: Any, newest: Any, percentiles: Any = None) -> dict[str, Any]:
        wanted = count if isinstance(count, int) else read_quantity(count)
        last = read_height(self._chain, newest)
        first = max(0, last + 1 - max(1, min(1024, wanted)))
        headers = [block.header for block in self._chain.blocks[first : last + 1]]
        fees = [quantity(header.base_fee_per_gas) for header in headers]
        rewards = len(percentiles) if isinstance(percentiles, list) else 0
        return {
            "oldestBlock": quantity(first),
            "baseFeePerGas": [*fees, fees[-1]],
            "gasUsedRatio": [header.gas_used / header.gas_limit for header in headers],
            "reward": [[quantity(TIP)] * min(rewards, 100)] * len(headers),
        }

    def _estimate(self, call: Any, tag: Any = "latest", _overrides: Any = None) -> str:
        return quantity(self._chain.estimate(read_call(call), read_height(self._chain, tag)))

    def _call(self, call: Any, tag: Any = "latest", overrides: Any = None) -> str:
        if overrides:
            raise ChainError(INVALID_PARAMS, "invalid params: state overrides are not supported here")
        return octets(self._chain.call(read_call(call), read_height(self._chain, tag)))

    def _send_raw(self, raw: Any) -> str:
        return octets(self._chain.send_raw(read_octets(raw)))

    def _place(self, own: Any) -> tuple[int, int] | None:
        return self._chain.place_of_tx.get(read_octets(own, 32))

    def _receipt(self, own: Any) -> Any:
        place = self._place(own)
        return None if place is None else receipt_json(self._chain.blocks[place[0]], place[1])

    def _transaction(self, own: Any) -> Any:
        place = self._place(own)
        return None if place is None else transaction_json(self._chain.blocks[place[0]], place[1])

    def _mine(self, *_ignored: Any) -> str:
        self._chain.mine()
        return "0x0"

    def _get_logs(self, wanted: Any) -> list[dict[str, Any]]:
        if not isinstance(wanted, dict):
            raise ChainError(INVALID_PARAMS, "invalid params: a filter object expected")
        first, last = self._log_range(wanted)
        addresses = _alternatives(wanted.get("address"), 20)
        topics = wanted.get("topics") or []
        if not isinstance(topics, list) or len(topics) > 4:
            raise ChainError(INVALID_PARAMS, "invalid params: topics is a list of at most four")
        patterns = [_alternatives(topic, 32) for topic in topics]
        for block in self._chain.blocks[len(self._logs) :]:
            self._logs.append(logs_json(block))
        found: list[dict[str, Any]] = []
        for logs in self._logs[first : last + 1]:
            found += [log for log in logs if _matches(log, addresses, patterns)]
            if len(found) > MAX_LOGS:
                raise ChainError(TOO_MANY, f"more than {MAX_LOGS} logs match: ask for fewer blocks")
        return found

    def _log_range(self, wanted: dict[str, Any]) -> tuple[int, int]:
        if wanted.get("blockHash") is not None:
            number = read_height(self._chain, {"blockHash": wanted["blockHash"]})
            return number, number
        head = len(self._chain.blocks) - 1
        ends: list[int] = []
        for tag in (wanted.get("fromBlock"), wanted.get("toBlock")):
            known = tag is None or tag == "earliest" or tag in HEAD_TAGS
            ends.append(read_height(self._chain, tag) if known else min(read_quantity(tag), head + 1))
        return ends[0], ends[1]


def _run(ident: Any, method: Callable[..., Any], params: list[Any]) -> dict[str, Any]:
    try:
        return {"jsonrpc": "2.0", "id": ident, "result": method(*params)}
    except ChainError as refused:
        return _failure(ident, refused.code, str(refused), refused.data)
    except TypeError as wrong:
        return _failure(ident, INVALID_PARAMS, f"invalid params: {wrong}")
    except Exception as broken:  # one request must not end the chain that everybody stands on
        return _failure(ident, INTERNAL, f"internal error of the embedded chain: {type(broken).__name__}")


def _failure(ident: Any, code: int, message: str, data: bytes | None = None) -> dict[str, Any]:
    error: dict[str, Any] = {"code": code, "message": message}
    if data is not None:
        error["data"] = octets(data)
    return {"jsonrpc": "2.0", "id": ident, "error": error}


def _encode(answer: Any) -> bytes:
    return json.dumps(answer, separators=(",", ":")).encode()


def _alternatives(value: Any, length: int) -> frozenset[str] | None:
    """One value or a list of them as lower-case hex; None for anything."""
    if value is None or value == []:
        return None
    many = value if isinstance(value, list) else [value]
    if len(many) > 1000:
        raise ChainError(INVALID_PARAMS, "invalid params: more than 1000 alternatives")
    return frozenset(octets(read_octets(one, length)) for one in many)


def _matches(log: dict[str, Any], addresses: frozenset[str] | None, patterns: list[frozenset[str] | None]) -> bool:
    if addresses is not None and log["address"] not in addresses:
        return False
    if len(patterns) > len(log["topics"]):
        return False
    return all(wanted is None or topic in wanted for wanted, topic in zip(patterns, log["topics"]))
