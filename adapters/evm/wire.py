"""Questions to a chain and their answers as typed values. Every byte of an answer is hostile: parsed and bounded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from adapters.evm.abi import Abi, revert_reason
from protocol.ids import SourceId

T = TypeVar("T")
LOGS_MAX = 10_000
"""In one answer; a provider that sends more is not believed."""
DATA_BYTES_MAX = 1 << 20
LATEST = "latest"


@dataclass(frozen=True)
class Read(Generic[T]):
    """What was read, and the connections that all said so."""

    value: T
    sources: tuple[SourceId, ...]


@dataclass(frozen=True)
class Revert:
    """An answer too: the contract refused the call, or no contract is there."""

    reason: str


@dataclass(frozen=True)
class Block:
    number: int
    timestamp: int
    """Seconds since 1970, as the chain says."""
    hash: bytes
    base_fee: int | None


@dataclass(frozen=True)
class Log:
    address: bytes
    topics: tuple[bytes, ...]
    data: bytes
    block: int
    tx: bytes
    index: int
    """Within its block."""


@dataclass(frozen=True)
class Receipt:
    tx: bytes
    block: int
    block_hash: bytes
    ok: bool
    logs: tuple[Log, ...]


@dataclass(frozen=True)
class Transaction:
    """Who sent what to whom. `to` is None where it made a contract."""

    tx: bytes
    sender: bytes
    to: bytes | None
    data: bytes


@dataclass(frozen=True)
class Ask(Generic[T]):
    """One question. `parse` raises ValueError for nonsense. `height` is where in `params` the block stands, where it
    means the head: providers that are a block apart are then asked again of a block that all of them have."""

    method: str
    params: tuple[Any, ...]
    parse: Callable[[Any], T]
    height: int | None = None

    def pinned(self, block: int) -> Ask[T]:
        if self.height is None:
            return self
        params = [*self.params]
        params[self.height] = hex(block)
        return replace(self, params=tuple(params), height=None)


def number(raw: Any) -> int:
    """A JSON-RPC quantity of at most 256 bits."""
    if type(raw) is not str or not raw.startswith("0x") or not 3 <= len(raw) <= 66:
        raise ValueError("not a quantity")
    return int(raw, 16)


def octets(raw: Any, length: int | None = None) -> bytes:
    if type(raw) is not str or not raw.startswith("0x") or len(raw) > 2 * DATA_BYTES_MAX:
        raise ValueError("not hex data")
    data = bytes.fromhex(raw[2:])
    if length is not None and len(data) != length:
        raise ValueError(f"{len(data)} bytes instead of {length}")
    return data


def hexed(data: bytes) -> str:
    return "0x" + data.hex()


def _object(raw: Any) -> dict[str, Any]:
    if type(raw) is not dict:
        raise ValueError("not an object")
    return raw


def _log(raw: Any) -> Log:
    one = _object(raw)
    topics = one.get("topics")
    if type(topics) is not list or len(topics) > 4:
        raise ValueError("topics: not a list of at most four")
    return Log(
        octets(one.get("address"), 20),
        tuple(octets(topic, 32) for topic in topics),
        octets(one.get("data")),
        number(one.get("blockNumber")),
        octets(one.get("transactionHash"), 32),
        number(one.get("logIndex")),
    )


def _logs(raw: Any) -> tuple[Log, ...]:
    if type(raw) is not list or len(raw) > LOGS_MAX:
        raise ValueError(f"logs: not a list of at most {LOGS_MAX}")
    return tuple(sorted((_log(one) for one in raw), key=lambda log: (log.block, log.index)))


def _block(raw: Any) -> Block | None:
    if raw is None:
        return None
    one = _object(raw)
    fee = one.get("baseFeePerGas")
    return Block(
        number(one.get("number")),
        number(one.get("timestamp")),
        octets(one.get("hash"), 32),
        None if fee is None else number(fee),
    )


def _receipt(raw: Any) -> Receipt | None:
    if raw is None:
        return None
    one = _object(raw)
    return Receipt(
        octets(one.get("transactionHash"), 32),
        number(one.get("blockNumber")),
        octets(one.get("blockHash"), 32),
        number(one.get("status")) == 1,
        _logs(one.get("logs")),
    )


def _transaction(raw: Any) -> Transaction | None:
    if raw is None:
        return None
    one = _object(raw)
    to = one.get("to")
    return Transaction(
        octets(one.get("hash"), 32),
        octets(one.get("from"), 20),
        None if to is None else octets(to, 20),
        octets(one.get("input")),
    )


def ask_block(block: int | None = None) -> Ask[Block | None]:
    """Header of a block by number, None where the chain has not got there; the head without a number."""
    return Ask("eth_getBlockByNumber", (LATEST if block is None else hex(block), False), _block)


def ask_receipt(tx: bytes) -> Ask[Receipt | None]:
    return Ask("eth_getTransactionReceipt", (hexed(tx),), _receipt)


def ask_transaction(tx: bytes) -> Ask[Transaction | None]:
    return Ask("eth_getTransactionByHash", (hexed(tx),), _transaction)


def ask_transactions(block: int) -> Ask[tuple[Transaction, ...]]:
    """All of a block; () where the chain has not got there."""
    return Ask("eth_getBlockByNumber", (hex(block), True), _transactions)


def _transactions(raw: Any) -> tuple[Transaction, ...]:
    listed = () if raw is None else _object(raw).get("transactions")
    if raw is not None and (type(listed) is not list or len(listed) > LOGS_MAX):
        raise ValueError(f"transactions: not a list of at most {LOGS_MAX}")
    return tuple(one for one in map(_transaction, listed or ()) if one is not None)


def ask_balance(account: bytes) -> Ask[int]:
    return Ask("eth_getBalance", (hexed(account), LATEST), number, height=1)


def ask_code(address: bytes) -> Ask[bytes]:
    return Ask("eth_getCode", (hexed(address), LATEST), octets, height=1)


def ask_storage(address: bytes, slot: bytes) -> Ask[bytes]:
    """32 bytes."""
    return Ask("eth_getStorageAt", (hexed(address), hexed(slot), LATEST), _word, height=2)


def _word(raw: Any) -> bytes:
    return octets(raw).rjust(32, b"\0")[-32:]


def ask_nonce(account: bytes, tag: str = "pending") -> Ask[int]:
    return Ask("eth_getTransactionCount", (hexed(account), tag), number, height=1)


def ask_gas_price() -> Ask[int]:
    return Ask("eth_gasPrice", (), number)


def ask_estimate(sender: bytes, to: bytes | None, data: bytes) -> Ask[int | Revert]:
    return Ask("eth_estimateGas", (transaction(sender, to, data),), _int_or_revert)


def _int_or_revert(raw: Any) -> int | Revert:
    return raw if isinstance(raw, Revert) else number(raw)


def transaction(sender: bytes | None, to: bytes | None, data: bytes) -> dict[str, str]:
    found = {"data": hexed(data)}
    if to is not None:
        found["to"] = hexed(to)
    if sender is not None:
        found["from"] = hexed(sender)
    return found


def ask_call(
    contract: bytes,
    abi: Abi,
    name: str,
    args: Sequence[Any] = (),
    *,
    block: int | None = None,
    sender: bytes | None = None,
    trailer: bytes = b"",
) -> Ask[Any]:
    """The function's decoded result, or `Revert`. `trailer` follows the arguments, where no contract looks."""
    function = abi.function(name)

    def parse(raw: Any) -> Any:
        if isinstance(raw, Revert):
            return raw
        data = octets(raw)
        if not data and function.outputs:
            return Revert("no contract answers at this address and block")
        return function.decode(data)

    params = (transaction(sender, contract, function.encode(args) + trailer), LATEST if block is None else hex(block))
    return Ask("eth_call", params, parse, height=1 if block is None else None)


Topic = bytes | tuple[bytes, ...] | None
"""What a log must have in one place: a word, one of several, or anything."""


def ask_logs(address: bytes, topics: Sequence[Topic], first_block: int, last_block: int) -> Ask[tuple[Log, ...]]:
    """Logs of one contract from block to block, both included."""
    wanted = {
        "address": hexed(address),
        "topics": [_topic(topic) for topic in topics],
        "fromBlock": hex(first_block),
        "toBlock": hex(last_block),
    }
    return Ask("eth_getLogs", (wanted,), _logs)


def _topic(topic: Topic) -> str | list[str] | None:
    if topic is None:
        return None
    return hexed(topic) if isinstance(topic, bytes) else [hexed(one) for one in topic]


def revert_of(error: Any) -> Revert | None:
    """The `Revert` that a JSON-RPC error object stands for, or None: then the provider failed, not the contract."""
    if type(error) is not dict:
        return None
    message, data = error.get("message"), error.get("data")
    text = message if type(message) is str else ""
    if error.get("code") != 3 and "revert" not in text.lower():
        return None
    try:
        reason = revert_reason(octets(data))
    except ValueError:
        reason = ""
    return Revert(reason or text.removeprefix("execution reverted").strip(": ")[:120])
