"""Between JSON-RPC's words and the embedded chain's values: parameters in, blocks, receipts and logs out."""

from typing import Any

from node.testnet.chain_evm import GAS_LIMIT, CallRequest, ChainError, EmbeddedChain, Mined

INVALID_PARAMS = -32602
MAX_QUANTITY = 2**256 - 1
# Finality is the chain's own business; a chain of one process has no reorganisation, so all of these are one.
HEAD_TAGS = ("latest", "pending", "safe", "finalized")


def quantity(number: int) -> str:
    return hex(number)


def octets(data: bytes) -> str:
    return "0x" + data.hex()


def _invalid(what: str, got: Any) -> ChainError:
    return ChainError(INVALID_PARAMS, f"invalid params: {what}, got {repr(got)[:80]}")


def read_octets(value: Any, length: int | None = None) -> bytes:
    """Hex with 0x, of exactly `length` bytes if given."""
    if not isinstance(value, str) or not value.startswith("0x"):
        raise _invalid("hex with 0x expected", value)
    try:
        data = bytes.fromhex(value[2:])
    except ValueError:
        raise _invalid("hex with 0x expected", value) from None
    if length is not None and len(data) != length:
        raise _invalid(f"{length} bytes expected", value)
    return data


def read_quantity(value: Any) -> int:
    if not isinstance(value, str) or not value.startswith("0x") or len(value) > 66:
        raise _invalid("a quantity as 0x… expected", value)
    try:
        number = int(value, 16)
    except ValueError:
        raise _invalid("a quantity as 0x… expected", value) from None
    if not 0 <= number <= MAX_QUANTITY:
        raise _invalid("a quantity below 2^256 expected", value)
    return number


def read_height(chain: EmbeddedChain, value: Any) -> int:
    """A block tag, number, or EIP-1898 object, as the number of a block that exists."""
    if isinstance(value, dict):
        if "blockHash" in value:
            number = chain.number_of_hash.get(read_octets(value["blockHash"], 32))
            if number is None:
                raise ChainError(-32001, "block not found: no block has this hash")
            return number
        value = value.get("blockNumber")
    if value is None or value in HEAD_TAGS:
        return len(chain.blocks) - 1
    number = 0 if value == "earliest" else read_quantity(value)
    if number >= len(chain.blocks):
        raise ChainError(-32001, f"block not found: {number} is above the head {len(chain.blocks) - 1}")
    return number


def read_call(value: Any) -> CallRequest:
    if not isinstance(value, dict):
        raise _invalid("a call object expected", value)
    data = value.get("input", value.get("data"))
    to = value.get("to")
    sender = value.get("from")
    gas = value.get("gas")
    return CallRequest(
        to=None if to in (None, "", "0x") else read_octets(to, 20),
        data=b"" if data is None else read_octets(data),
        sender=b"\0" * 20 if sender is None else read_octets(sender, 20),
        value=0 if value.get("value") is None else read_quantity(value["value"]),
        gas=GAS_LIMIT if gas is None else min(GAS_LIMIT, read_quantity(gas)),
    )


def block_json(block: Mined, full: bool) -> dict[str, Any]:
    header = block.header
    number, own = quantity(header.block_number), octets(header.hash)
    transactions: list[Any] = [octets(t.hash) for t in block.transactions]
    if full:
        transactions = [transaction_json(block, index) for index in range(len(block.transactions))]
    return {
        "number": number,
        "hash": own,
        "parentHash": octets(header.parent_hash),
        "nonce": octets(header.nonce),
        "sha3Uncles": octets(header.uncles_hash),
        "logsBloom": octets(header.bloom.to_bytes(256, "big")),
        "transactionsRoot": octets(header.transaction_root),
        "stateRoot": octets(header.state_root),
        "receiptsRoot": octets(header.receipt_root),
        "miner": octets(header.coinbase),
        "difficulty": "0x0",
        "totalDifficulty": "0x0",
        "extraData": octets(header.extra_data),
        "mixHash": octets(header.mix_hash),
        "size": quantity(block.size),
        "gasLimit": quantity(header.gas_limit),
        "gasUsed": quantity(header.gas_used),
        "timestamp": quantity(header.timestamp),
        "baseFeePerGas": quantity(header.base_fee_per_gas),
        "blobGasUsed": quantity(header.blob_gas_used),
        "excessBlobGas": quantity(header.excess_blob_gas),
        "parentBeaconBlockRoot": octets(header.parent_beacon_block_root),
        "withdrawalsRoot": octets(header.withdrawals_root),
        "withdrawals": [],
        "uncles": [],
        "transactions": transactions,
    }


def _price(block: Mined, transaction: Any) -> int:
    base = block.header.base_fee_per_gas
    tip = min(transaction.max_priority_fee_per_gas, transaction.max_fee_per_gas - base)
    return int(base + tip)


def transaction_json(block: Mined, index: int) -> dict[str, Any]:
    transaction = block.transactions[index]
    kind = transaction.type_id or 0
    found: dict[str, Any] = {
        "hash": octets(transaction.hash),
        "type": quantity(kind),
        "nonce": quantity(transaction.nonce),
        "blockHash": octets(block.header.hash),
        "blockNumber": quantity(block.header.block_number),
        "transactionIndex": quantity(index),
        "from": octets(transaction.sender),
        "to": octets(transaction.to) if transaction.to else None,
        "value": quantity(transaction.value),
        "gas": quantity(transaction.gas),
        "gasPrice": quantity(_price(block, transaction)),
        "input": octets(transaction.data),
        "v": quantity(transaction.y_parity if kind else transaction.v),
        "r": octets(transaction.r.to_bytes(32, "big")),
        "s": octets(transaction.s.to_bytes(32, "big")),
    }
    if kind:
        found["chainId"] = quantity(transaction.chain_id)
        found["yParity"] = found["v"]
        found["accessList"] = [
            {"address": octets(address), "storageKeys": [octets(slot.to_bytes(32, "big")) for slot in slots]}
            for address, slots in transaction.access_list
        ]
    if kind >= 2:
        found["maxFeePerGas"] = quantity(transaction.max_fee_per_gas)
        found["maxPriorityFeePerGas"] = quantity(transaction.max_priority_fee_per_gas)
    return found


def receipt_json(block: Mined, index: int) -> dict[str, Any]:
    receipt, transaction = block.receipts[index], block.transactions[index]
    before = block.receipts[index - 1].gas_used if index else 0
    created = block.created[index]
    return {
        "transactionHash": octets(transaction.hash),
        "transactionIndex": quantity(index),
        "blockHash": octets(block.header.hash),
        "blockNumber": quantity(block.header.block_number),
        "from": octets(transaction.sender),
        "to": octets(transaction.to) if transaction.to else None,
        "contractAddress": None if created is None else octets(created),
        "cumulativeGasUsed": quantity(receipt.gas_used),
        "gasUsed": quantity(receipt.gas_used - before),
        "effectiveGasPrice": quantity(_price(block, transaction)),
        "logs": [log for log in logs_json(block) if log["transactionIndex"] == quantity(index)],
        "logsBloom": octets(receipt.bloom.to_bytes(256, "big")),
        "status": "0x1" if receipt.state_root == b"\x01" else "0x0",
        "type": quantity(transaction.type_id or 0),
    }


def logs_json(block: Mined) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for index, receipt in enumerate(block.receipts):
        for log in receipt.logs:
            found.append(
                {
                    "address": octets(log.address),
                    "topics": [octets(topic.to_bytes(32, "big")) for topic in log.topics],
                    "data": octets(log.data),
                    "blockNumber": quantity(block.header.block_number),
                    "blockHash": octets(block.header.hash),
                    "blockTimestamp": quantity(block.header.timestamp),
                    "transactionHash": octets(block.transactions[index].hash),
                    "transactionIndex": quantity(index),
                    "logIndex": quantity(len(found)),
                    "removed": False,
                }
            )
    return found
