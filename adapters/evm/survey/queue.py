"""What waits in an OpenZeppelin TimelockController (v4 and v5), in words: from its events, as it confirms them now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from adapters.evm.abi import Event, keccak256
from adapters.evm.changes import WINDOW_BLOCKS, WINDOWS_MAX
from adapters.evm.client import ChainClient
from adapters.evm.survey.fragments import fragment, functions
from adapters.evm.wire import Log, Revert, ask_call

QUEUED_MAX = 64
CALLS_MAX = 16
"""Of one operation in words."""
WORD_CHARS_MAX = 100
LOCK = functions(
    "getTimestamp(bytes32) uint256",
    "hasRole(bytes32,address) bool",
    "cancel(bytes32)",
)
DONE = 1
"""What `getTimestamp` says of an operation that was executed; 0 where there is none."""
SCHEDULED = Event(
    "CallScheduled",
    keccak256(b"CallScheduled(bytes32,uint256,address,uint256,bytes,bytes32,uint256)"),
    (("id", "bytes32"), ("index", "uint256")),
    (("target", "address"), ("value", "uint256"), ("data", "bytes"), ("predecessor", "bytes32"), ("delay", "uint256")),
)
KNOWN = (
    "transferOwnership(address)", "renounceOwnership()", "grantRole(bytes32,address)", "revokeRole(bytes32,address)",
    "upgradeTo(address)", "upgradeToAndCall(address,bytes)", "upgrade(address,address)",
    "upgradeAndCall(address,address,bytes)", "updateDelay(uint256)", "pause()", "unpause()", "mint(address,uint256)",
    "transfer(address,uint256)", "approve(address,uint256)", "setAuthority(address)", "setTargetClosed(address,bool)",
    "grantRole(uint64,address,uint32)", "setAddress(bytes32,address)",
    "execTransactionFromModule(address,uint256,bytes,uint8)",
)  # fmt: skip
"""Functions that are told by name; of others, the selector."""
_BY_SELECTOR = {fragment(text)[0].function(fragment(text)[1]).selector: text for text in KNOWN}


@dataclass(frozen=True)
class Queued:
    """One call of an operation. `value` in wei."""

    target: bytes
    value: int
    data: bytes

    @property
    def says(self) -> str:
        value = f" with {self.value} wei" if self.value else ""
        return f"0x{self.target.hex()} {said_of(self.data)}{value}"


@dataclass(frozen=True)
class Operation:
    """`due_s`: from when it may be executed, chain's time."""

    id: bytes
    due_s: int
    block: int
    """In which it was scheduled, last where several times."""
    calls: tuple[Queued, ...]

    @property
    def says(self) -> str:
        calls = "; ".join(one.says for one in self.calls[:CALLS_MAX])
        more = f"; and {len(self.calls) - CALLS_MAX} calls more" if len(self.calls) > CALLS_MAX else ""
        return f"0x{self.id.hex()}, to be executed from {self.due_s} s on: {calls}{more}"


def said_of(data: bytes) -> str:
    """`upgradeTo(address) 0x…`, or its selector and size where nobody here knows it, or it is not what it seems."""
    text = _BY_SELECTOR.get(data[:4]) if len(data) >= 4 else None
    size = f"call of selector 0x{data[:4].hex()}, {len(data)} bytes" if data else "an empty call"
    if text is None:
        return size
    abi, name = fragment(text)
    try:
        args = fragment(f"{name}() {','.join(abi.function(name).inputs)}")[0].function(name).decode(data[4:])
    except ValueError:
        return size
    words = () if args is None else args if isinstance(args, tuple) else (args,)
    return " ".join([text, *(_word(one) for one in words)])


def _word(value: object) -> str:
    written = f"0x{value.hex()}" if isinstance(value, bytes) else str(value)
    return written if len(written) <= WORD_CHARS_MAX else f"{written[:WORD_CHARS_MAX]}…"


async def logs_back(client: ChainClient, chain: str, contract: bytes, topic: bytes) -> list[Log]:
    """All of one event, oldest first, as far back as a lever looks. ChainError."""
    logs: list[Log] = []
    last = (await client.block(chain)).value.number
    for _ in range(WINDOWS_MAX):
        first = max(0, last - WINDOW_BLOCKS + 1)
        logs = [*(await client.logs(chain, contract, [topic], first, last)).value, *logs]
        last = first - 1
        if last < 0:
            break
    return logs


async def pending(client: ChainClient, chain: str, logs: Iterable[Log]) -> tuple[Operation, ...]:
    """Those of `CallScheduled` that wait or are due, as the timelock says now; the newest, in the order of their
    execution. ChainError."""
    calls: dict[tuple[bytes, bytes], dict[int, Queued]] = {}
    blocks: dict[tuple[bytes, bytes], int] = {}
    for log in logs:
        told = SCHEDULED.decode(log.topics, log.data)
        if told is not None:
            # an id that was cancelled and scheduled again has the same calls
            at = calls.setdefault((log.address, told["id"]), {})
            at[told["index"]] = Queued(told["target"], told["value"], told["data"])
            blocks[log.address, told["id"]] = log.block
    newest = list(calls)[-QUEUED_MAX:]
    if not newest:
        return ()
    said = await client.read(chain, *(ask_call(lock, LOCK, "getTimestamp", (one,)) for lock, one in newest))
    found = []
    for (lock, one), due_s in zip(newest, said.value):
        if not isinstance(due_s, Revert) and due_s > DONE:
            inside = tuple(call for _, call in sorted(calls[lock, one].items()))
            found.append(Operation(one, due_s, blocks[lock, one], inside))
    return tuple(sorted(found, key=lambda operation: (operation.due_s, operation.id)))
