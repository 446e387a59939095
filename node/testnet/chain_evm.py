"""The embedded chain itself: py-evm with one block per transaction, seen as Python values.

Time rule. Mainnet wants each block's timestamp above its parent's, so more than one block a second would push
block time ahead of the wall clock, and a lease is compared with block time. This chain therefore accepts equal
timestamps: block time = max(parent's, floor(wall clock)). It is monotonic, never ahead of the clock, and, since
the front mines an empty block as each second begins, behind it by less than one second plus one block's work.
"""

import sys
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from eth.abc import BlockHeaderAPI, ComputationAPI, SignedTransactionAPI, StateAPI, VirtualMachineAPI
from eth.chains.base import MiningChain
from eth.consensus import ConsensusApplier, NoProofConsensus
from eth.db.atomic import AtomicDB
from eth.exceptions import Revert, VMError
from eth.vm.forks.cancun import CancunVM
from eth.vm.message import Message
from eth_utils import ValidationError

# Importing py-evm raises Python's recursion limit to 100,000, for every module of the process: a request of
# nested brackets then ends it by a stack overflow instead of a RecursionError. Back to Python's own: contracts
# may call about 60 deep, and ours call 3 deep.
sys.setrecursionlimit(1000)

GAS_LIMIT = 30_000_000
NO_HASH = b"\0" * 32
WEI = 10**18
# States of old blocks kept warm: verifiers ask several times at one height, then move on.
WARM_STATES = 24
CALLS_KEPT = 4_096


class ChainError(Exception):
    """A request that the chain refuses; `code` is the JSON-RPC error code, `data` revert data if any."""

    def __init__(self, code: int, message: str, data: bytes | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.data = data


@dataclass(frozen=True)
class Mined:
    """One block with what happened in it; logs carry (address, topics, data)."""

    header: Any
    transactions: tuple[Any, ...]
    receipts: tuple[Any, ...]
    created: tuple[bytes | None, ...]
    size: int


@dataclass(frozen=True)
class CallRequest:
    """An eth_call: addresses are 20 bytes, `to` None creates, `value` in wei."""

    to: bytes | None
    data: bytes
    sender: bytes = b"\0" * 20
    value: int = 0
    gas: int = GAS_LIMIT


class _SameSecondVM(CancunVM):  # type: ignore[misc]
    """Cancun, except that a block may share its parent's second."""

    @classmethod
    def validate_header(cls, header: BlockHeaderAPI, parent_header: BlockHeaderAPI) -> None:
        if header.timestamp < parent_header.timestamp:
            raise ValidationError("block time ran backwards")
        # the rest is checked as if a second had passed: gas, number, the merge's constants, the base fee
        super().validate_header(header.copy(timestamp=parent_header.timestamp + 1), parent_header)


def _chain_class(number: int) -> type[Any]:
    vms = ConsensusApplier(NoProofConsensus).amend_vm_configuration(((0, _SameSecondVM),))

    class _Chain(MiningChain):  # type: ignore[misc]
        chain_id = number
        vm_configuration = vms

        def create_header_from_parent(self, parent_header: BlockHeaderAPI, **fields: Any) -> BlockHeaderAPI:
            return super().create_header_from_parent(parent_header, **{**fields, "gas_limit": GAS_LIMIT})

    return _Chain


def _genesis(timestamp: int) -> dict[str, Any]:
    return {
        "coinbase": b"\0" * 20,
        "difficulty": 0,
        "extra_data": b"",
        "gas_limit": GAS_LIMIT,
        "mix_hash": NO_HASH,
        "nonce": b"\0" * 8,
        "timestamp": timestamp,
    }


@dataclass
class EmbeddedChain:
    """One chain with its whole history in memory; not safe for threads, every call is short and synchronous."""

    chain_id: int
    accounts: Mapping[bytes, int]  # address (20 bytes) to wei
    clock: Callable[[], float] = time.time
    blocks: list[Mined] = field(default_factory=list)
    number_of_hash: dict[bytes, int] = field(default_factory=dict)
    place_of_tx: dict[bytes, tuple[int, int]] = field(default_factory=dict)  # hash to (block, index)
    _states: "OrderedDict[int, Any]" = field(default_factory=OrderedDict)
    _called: dict[tuple[CallRequest, int], bytes | ChainError] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        state = {
            address: {"balance": wei, "nonce": 0, "code": b"", "storage": {}} for address, wei in self.accounts.items()
        }
        self._chain = _chain_class(self.chain_id).from_genesis(AtomicDB(), _genesis(int(self.clock())), state)
        genesis = self._chain.get_canonical_block_by_number(0)
        self._record(Mined(genesis.header, (), (), (), 512))

    @property
    def head(self) -> Mined:
        return self.blocks[-1]

    def _record(self, block: Mined) -> Mined:
        number = len(self.blocks)
        self.blocks.append(block)
        self.number_of_hash[block.header.hash] = number
        for index, transaction in enumerate(block.transactions):
            self.place_of_tx[transaction.hash] = (number, index)
        return block

    def _open(self) -> VirtualMachineAPI:
        """A machine for the next block, at the time that the rule above gives."""
        now = max(self.head.header.timestamp, int(self.clock()))
        self._chain.header = self._chain.create_header_from_parent(self.head.header, timestamp=now)
        return self._chain.get_vm(self._chain.header)

    def mine(self, transactions: tuple[SignedTransactionAPI, ...] = ()) -> Mined:
        """One block of these transactions; raises ChainError and changes nothing if one is not valid."""
        vm = self._open()
        header, receipts, computations = self._chain.header, [], []
        try:
            header, receipts, computations = vm.apply_all_transactions(transactions, header)
        except ValidationError as refused:
            raise ChainError(-32000, f"transaction refused: {refused}") from refused
        filled = vm.set_block_transactions_and_withdrawals(vm.get_block(), header, transactions, receipts)
        block = vm.mine_block(filled).block
        vm.validate_header(block.header, self.head.header)
        self._chain.chaindb.persist_block(block)
        created = tuple(c.msg.storage_address if c.msg.is_create and c.is_success else None for c in computations)
        return self._record(Mined(block.header, transactions, tuple(receipts), created, 512))

    def tick(self) -> bool:
        """Mine an empty block unless the head already carries the current second; True if one was mined."""
        if self.head.header.timestamp >= int(self.clock()):
            return False
        self.mine()
        return True

    def send_raw(self, raw: bytes) -> bytes:
        """Decode, check and mine one signed transaction; its hash. ChainError -32000 if it cannot be mined."""
        try:
            transaction = _SameSecondVM.get_transaction_builder().decode(raw)
            sender = transaction.sender
        except Exception as broken:  # py-evm raises a dozen kinds on hostile bytes; each means the same here
            raise ChainError(-32000, "transaction refused: not a signed transaction") from broken
        if transaction.hash in self.place_of_tx:
            raise ChainError(-32000, "already known")
        nonce = self.nonce(sender, len(self.blocks) - 1)
        if transaction.nonce != nonce:
            word = "low" if transaction.nonce < nonce else "high"
            raise ChainError(-32000, f"nonce too {word}: the transaction has {transaction.nonce}, the account {nonce}")
        if transaction.chain_id not in (None, self.chain_id):
            raise ChainError(-32000, f"wrong chain: signed for {transaction.chain_id}, this is {self.chain_id}")
        self.mine((transaction,))
        return bytes(transaction.hash)

    def state_at(self, number: int) -> StateAPI:
        """The state after block `number`, executing as inside that block; the last few stay warm."""
        state = self._states.pop(number, None)
        if state is None:
            state = self._chain.get_vm(self.blocks[number].header).state
            state.lock_changes()
        self._states[number] = state
        while len(self._states) > WARM_STATES:
            self._states.popitem(last=False)
        return state

    def nonce(self, address: bytes, number: int) -> int:
        return int(self.state_at(number).get_nonce(address))

    def balance(self, address: bytes, number: int) -> int:
        return int(self.state_at(number).get_balance(address))

    def code(self, address: bytes, number: int) -> bytes:
        return bytes(self.state_at(number).get_code(address))

    def storage(self, address: bytes, slot: int, number: int) -> bytes:
        return int(self.state_at(number).get_storage(address, slot)).to_bytes(32, "big")

    def call(self, request: CallRequest, number: int) -> bytes:
        """The return data; ChainError 3 with the revert data, or -32000 when the machine failed otherwise.

        Remembered: blocks never change here, and every member asks the same of the same block."""
        found = self._called.get((request, number))
        if found is None:
            try:
                found = bytes(self._run(request, number).output)
            except ChainError as failed:
                found = failed
            if len(self._called) >= CALLS_KEPT:
                self._called.clear()
            self._called[(request, number)] = found
        if isinstance(found, ChainError):
            raise ChainError(found.code, str(found), found.data)
        return found

    def estimate(self, request: CallRequest, number: int) -> int:
        """Gas that suffices: what was used before refunds, the intrinsic part, and 1/64th rules covered."""
        computation = self._run(request, number)
        intrinsic = 21_000 + 16 * len(request.data)
        if request.to is None:
            intrinsic += 32_000 + 2 * (len(request.data) // 32 + 1)
        return min(GAS_LIMIT, (intrinsic + int(computation.get_gas_used())) * 5 // 4 + 5_000)

    def _run(self, request: CallRequest, number: int) -> ComputationAPI:
        state = self.state_at(number)
        snapshot = state.snapshot()
        try:
            computation = execute(state, request)
        finally:
            state.revert(snapshot)
        if computation.is_error:
            raise _call_failed(computation.error)
        return computation


def execute(state: StateAPI, request: CallRequest) -> ComputationAPI:
    """Run one message on a state without gas price, nonce or fees; the caller snapshots and reverts."""
    create = request.to is None
    context = state.get_transaction_context_class()(gas_price=0, origin=request.sender)
    target = b"" if request.to is None else request.to
    message = Message(
        gas=request.gas,
        to=target,
        sender=request.sender,
        value=request.value,
        data=b"" if create else request.data,
        code=request.data if create else state.get_code(target),
        create_address=_create_address(state, request.sender) if create else None,
    )
    run = state.computation_class.apply_create_message if create else state.computation_class.apply_message
    return run(state, message, context)


def _create_address(state: StateAPI, sender: bytes) -> bytes:
    from eth._utils.address import generate_contract_address

    return bytes(generate_contract_address(sender, state.get_nonce(sender)))


def _call_failed(error: VMError) -> ChainError:
    if isinstance(error, Revert):
        data = bytes(error.args[0]) if error.args else b""
        reason = revert_reason(data)
        return ChainError(3, "execution reverted" + (f": {reason}" if reason else ""), data)
    return ChainError(-32000, f"execution failed: {error}")


def revert_reason(data: bytes) -> str:
    """The text of Error(string), or "" when the data is something else."""
    if data[:4] != b"\x08\xc3\x79\xa0" or len(data) < 68:
        return ""
    length = int.from_bytes(data[36:68], "big")
    return data[68 : 68 + min(length, 1024)].decode("utf-8", "replace")
