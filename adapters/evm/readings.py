"""What `protocol.evidence` judges, read from the chains: the fields of its Reading types, nothing decided here."""

from __future__ import annotations

from typing import Any

import trio

from adapters.evm.abi import abi_of
from adapters.evm.errors import ChainDown, NotSeen
from adapters.evm.trail import Trail, held
from adapters.evm.wire import Ask, Block, Log, Receipt, Revert, ask_block, ask_call, ask_receipt
from protocol.crypto import sha256
from protocol.evidence import (
    BackingReading,
    DeviationReading,
    LogReading,
    LogSeen,
    OracleDeviation,
    ReleaseReading,
    ReleaseWithoutBurn,
    SupplyAboveBacking,
)
from protocol.membership import Bridge, OracleFeed

ESCROW, TOKEN, TWIN, PRICED = abi_of("Escrow"), abi_of("Token"), abi_of("Twin"), abi_of("Oracle")
RELEASED = ESCROW.event("Released")
NEAR_BLOCKS = 16
"""Headers asked for at once when looking back for a time: two chains of the same pace differ by less."""
NO_ADDRESS = bytes(20)


async def _receipt(trail: Trail, chain: str, tx: bytes, *more: Ask[Any]) -> tuple[Receipt, tuple[Any, ...]]:
    """NotSeen where no connection knows the transaction: it may be on its way, so that refutes nothing."""
    receipt, *rest = await trail.read(chain, ask_receipt(tx), *more)
    if receipt is None:
        raise NotSeen(f"{chain} as seen from here knows no transaction 0x{tx.hex()}")
    return receipt, tuple(rest)


def _log_at(receipt: Receipt, index: int) -> Log | None:
    return next((log for log in receipt.logs if log.index == index), None)


def released(log: Log | None) -> tuple[bytes, int, bytes, int] | None:
    """(emitting address, nonce, recipient, amount) where the log is a Released event."""
    fields = None if log is None else RELEASED.decode(log.topics, log.data)
    if log is None or fields is None:
        return None
    return log.address, fields["nonce"], fields["recipient"], fields["amount"]


async def read_release(trail: Trail, inputs: ReleaseWithoutBurn, bridge: Bridge) -> ReleaseReading:
    """Both chains at once, two round trips each. NotSeen, ChainDown, ProvidersDisagree."""
    home: list[tuple[Log | None, Block, int]] = []
    far: list[tuple[int, bytes, int]] = []

    async def read_home() -> None:
        receipt, (token,) = await _receipt(trail, inputs.home, inputs.tx, ask_call(inputs.escrow, ESCROW, "token"))
        asset = _own_token(token, bridge)
        before = max(0, receipt.block - 1)
        balance = ask_call(asset, TOKEN, "balanceOf", (inputs.escrow,), block=before)
        block, lay = await trail.read(inputs.home, ask_block(receipt.block), balance)
        if block is None or block.hash != receipt.block_hash:
            raise NotSeen(f"{inputs.home} is reorganising around block {receipt.block}")
        home.append((_log_at(receipt, inputs.log_index), block, held(lay)))

    async def read_far() -> None:
        head = await trail.block(inputs.far)
        far.append((*await read_burn(trail, inputs, head.number), head.timestamp))

    await _both(read_home, read_far)
    log, block, before = home[0]
    burned, burned_to, far_head_s = far[0]
    return ReleaseReading(released(log), block.timestamp, before, burned, burned_to, far_head_s)


async def read_burn(trail: Trail, inputs: ReleaseWithoutBurn, block: int) -> tuple[int, bytes]:
    """(amount, recipient) burned on far under the message's nonce, as of a block."""
    asks = [ask_call(inputs.twin, TWIN, name, (inputs.nonce,), block=block) for name in ("burned", "burned_to")]
    amount, recipient = await trail.read(inputs.far, *asks)
    if isinstance(amount, Revert) or isinstance(recipient, Revert):
        raise NotSeen(f"no twin contract answers at 0x{inputs.twin.hex()} on {inputs.far}")
    return amount, recipient


async def _both(first: Any, second: Any) -> None:
    """Two readings at once; the first fault of either is raised as itself, not as a group."""
    faults: list[Exception] = []

    async def guarded(reading: Any) -> None:
        try:
            await reading()
        except Exception as broken:
            faults.append(broken)
            nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(guarded, first)
        nursery.start_soon(guarded, second)
    if faults:
        raise faults[0]


def _own_token(token: Any, bridge: Bridge) -> bytes:
    """The escrow's token; it must be the registered asset, else the register and the chain tell two stories."""
    asset: bytes = bridge.asset.parts[4]
    if isinstance(token, Revert) or token != asset:
        raise NotSeen(f"the escrow 0x{bridge.escrow.hex()} does not hold the registered asset; mend the register")
    return asset


async def block_at(trail: Trail, chain: str, time_s: int, head: Block) -> Block | None:
    """The last block whose timestamp is not after `time_s`; None where the chain is younger. Bounded: at most one
    batch of near headers and a bisection of what is left."""
    if head.timestamp <= time_s:
        return head
    low = max(0, head.number - NEAR_BLOCKS)
    found = await trail.read(chain, *(ask_block(number) for number in range(low, head.number)))
    fitting: list[Block] = [block for block in found if block is not None and block.timestamp <= time_s]
    if fitting:
        return fitting[-1]
    best: Block | None = None
    high = low - 1
    low = 0
    while low <= high:
        middle = (low + high) // 2
        block = await trail.block(chain, middle)
        if block.timestamp <= time_s:
            best, low = block, middle + 1
        else:
            high = middle - 1
    return best


async def read_backing(trail: Trail, inputs: SupplyAboveBacking, bridge: Bridge) -> BackingReading:
    """Compared at ends of seconds: a home block counts as the last of its second, and "before" is the last block of
    an earlier one. Within a second the order between two chains is not known, and an honest message that goes over in
    it would look like a loss. NotSeen where home has no such block, or it is not the last of its second."""
    asks: list[Ask[Any]] = [ask_block(inputs.home_block), ask_block(inputs.home_block + 1)]
    block, after, token = await trail.read(inputs.home, *asks, ask_call(inputs.escrow, ESCROW, "token"))
    if block is None:
        raise NotSeen(f"{inputs.home} as seen from here has no block {inputs.home_block} yet")
    if after is not None and after.timestamp == block.timestamp:
        raise NotSeen(f"block {inputs.home_block} of {inputs.home} is not the last of its second: not comparable")
    _own_token(token, bridge)
    before = await block_at(trail, inputs.home, block.timestamp - 1, block)
    head = await trail.block(inputs.far)
    backing, supply = await compared(trail, bridge, block, head)
    backing_before, supply_before = (0, 0) if before is None else await compared(trail, bridge, before, head)
    return BackingReading(backing, supply, backing_before, supply_before, block.timestamp, head.timestamp)


async def compared(trail: Trail, bridge: Bridge, block: Block, far_head: Block) -> tuple[int, int]:
    """(backing, supply) as of a home block and of the far chain at its time."""
    asset: bytes = bridge.asset.parts[4]
    asked = ask_call(asset, TOKEN, "balanceOf", (bridge.escrow,), block=block.number)
    (lies,) = await trail.read(bridge.home, asked)
    far = await block_at(trail, bridge.far, block.timestamp, far_head)
    return held(lies), await supply_at(trail, bridge.far, bridge.twin, far)


async def supply_at(trail: Trail, chain: str, twin: bytes, block: Block | None) -> int:
    if block is None:
        return 0
    (supply,) = await trail.read(chain, ask_call(twin, TWIN, "totalSupply", block=block.number))
    return held(supply)


async def read_log(trail: Trail, inputs: LogSeen) -> LogReading:
    receipt, _ = await _receipt(trail, inputs.chain, inputs.tx)
    log = _log_at(receipt, inputs.log_index)
    return LogReading(None if log is None else (log.address, log.topics, sha256(log.data)))


def ask_prices(feed: OracleFeed, block: int) -> list[Ask[Any]]:
    """The feed first, then its references, all at one block."""
    return [ask_call(address, PRICED, "price", block=block) for address in (feed.feed, *feed.references)]


async def read_deviation(trail: Trail, inputs: OracleDeviation, feed: OracleFeed) -> DeviationReading:
    """A reference that refuses counts as none; a feed that refuses now cannot be judged, one that was not there the
    block before deviated from nothing."""
    await trail.block(inputs.chain, inputs.block)
    before = max(0, inputs.block - 1)
    count = 1 + len(feed.references)
    prices = await trail.read(inputs.chain, *ask_prices(feed, inputs.block), *ask_prices(feed, before))
    if isinstance(prices[0], Revert):
        raise ChainDown(f"the feed 0x{feed.feed.hex()} on {inputs.chain} gives no price at block {inputs.block}")
    now, then = prices[:count], prices[count:]
    references_before = () if isinstance(then[0], Revert) else tuple(map(held, then[1:]))
    return DeviationReading(held(now[0]), tuple(map(held, now[1:])), held(then[0]), references_before)
