"""A k-of-n Safe as it is now, read as all connections say: owners, nonce, what it would take, what it has done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from adapters.evm.abi import keccak256
from adapters.evm.changes import WINDOW_BLOCKS, Changes, Told
from adapters.evm.client import ChainClient
from adapters.evm.errors import Reverted
from adapters.evm.pausable_abi import right_missing
from adapters.evm.safe_tx import MULTI_SEND_CODE, Listed, SafeTx
from adapters.evm.survey.fragments import functions
from adapters.evm.wire import Ask, Log, Revert, ask_call, ask_code

OWNERS_MAX = 64
SAFE = functions(
    "getThreshold() uint256",
    "getOwners() address[]",
    "nonce() uint256",
    "approvedHashes(address,bytes32) uint256",
    "getTransactionHash(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,uint256) bytes32",
    "execTransaction(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,bytes) bool",
    "execTransactionFromModule(address,uint256,bytes,uint8) bool",
)
DELEGATED = b"\xef\x01\x00"
"""How the code of an account begins that has delegated it."""
EXECUTED = keccak256(b"ExecutionSuccess(bytes32,uint256)")


@dataclass(frozen=True)
class Shows:
    """A view of the contract, and what it says while it is restricted."""

    view: Listed
    value: int


@dataclass(frozen=True)
class SafeTarget:
    """`contract` is the Safe. `multi_send`: needed where a list has more than one call."""

    name: str
    chain: str
    contract: bytes
    restrict: tuple[Listed, ...]
    lift: tuple[Listed, ...]
    shows: Shows
    multi_send: bytes = b""

    def tx(self, does: str, nonce: int) -> SafeTx:
        """`does`: restrict or lift."""
        calls = self.restrict if does == "restrict" else self.lift
        return SafeTx(self.chain, self.contract, calls, nonce, self.multi_send if len(calls) > 1 else b"")


@dataclass(frozen=True)
class Council:
    """The Safe, and whether the restriction stands."""

    threshold: int
    owners: tuple[bytes, ...]
    nonce: int
    stands: bool
    head: int
    chain_s: int
    """The chain's own time, read before the rest."""


class SafeReader:
    """Every method raises ChainError."""

    def __init__(self, target: SafeTarget, client: ChainClient, own: bytes) -> None:
        """`own`: whose trailers count."""
        self._target, self._client = target, client
        self._changes = Changes(client, target.chain, own)

    async def council(self) -> Council:
        target, view = self._target, self._target.shows.view
        head = (await self._client.block(target.chain)).value
        threshold, owners, nonce, shows = await self._answers(
            ask_call(target.contract, SAFE, "getThreshold"),
            ask_call(target.contract, SAFE, "getOwners"),
            ask_call(target.contract, SAFE, "nonce"),
            ask_call(view.to, view.abi, view.fn, view.args),
        )
        if not 0 < threshold <= len(owners) <= OWNERS_MAX:
            of = f"{threshold} of {len(owners)} owners; up to {OWNERS_MAX} are taken"
            raise Reverted(of, f"0x{target.contract.hex()}")
        known = tuple(bytes.fromhex(one[2:]) for one in owners)
        return Council(threshold, known, nonce, int(shows) == target.shows.value, head.number, head.timestamp)

    async def _answers(self, *asks: Ask[Any]) -> tuple[Any, ...]:
        found = (await self._client.read(self._target.chain, *asks)).value
        for one in found:
            if isinstance(one, Revert):
                raise Reverted(one.reason, f"a question to the Safe 0x{self._target.contract.hex()} or its contract")
        return found

    async def contracts(self, owners: Sequence[bytes]) -> tuple[bytes, ...]:
        """Owners that are contracts; an account that has delegated its code (EIP-7702) signs as ever."""
        codes = (await self._client.read(self._target.chain, *map(ask_code, owners))).value
        return tuple(owner for owner, code in zip(owners, codes) if code and not code.startswith(DELEGATED))

    async def check_hash(self, tx: SafeTx) -> None:
        """The Safe's own word for what owners are asked to sign: one that hashes otherwise is found out here."""
        (said,) = await self._answers(ask_call(tx.safe, SAFE, "getTransactionHash", list(tx.values.values())))
        if said != tx.hash:
            how = "it hashes a transaction in another way: Safes of 1.3.0 and later are known here"
            raise Reverted(how, f"Safe 0x{tx.safe.hex()}")

    async def approvals(self, tx: SafeTx, owners: Sequence[bytes]) -> dict[bytes, bytes]:
        """Owner → what the Safe takes as its word, of those who approved this hash on the chain."""
        if not owners:
            return {}
        asks = [ask_call(tx.safe, SAFE, "approvedHashes", (owner, tx.hash)) for owner in owners]
        approved = await self._answers(*asks)
        return {owner: owner.rjust(32, b"\0") + bytes(32) + b"\x01" for owner, yes in zip(owners, approved) if yes}

    async def comes_to_nothing(self, own: bytes) -> str:
        """Why the listed calls would, or nobody send them; "" where all is well."""
        target = self._target
        if target.multi_send:
            (code,) = (await self._client.read(target.chain, ask_code(target.multi_send))).value
            if keccak256(code) not in MULTI_SEND_CODE:
                return f"0x{target.multi_send.hex()} has not the code of a MultiSendCallOnly that Safe published"
        calls = [*target.restrict, *target.lift]
        asks = [ask_call(one.to, one.abi, one.fn, one.args, sender=target.contract) for one in calls]
        said = (await self._client.read(target.chain, *asks)).value
        for at, (one, answer) in enumerate(zip(calls, said)):
            why = answer.reason or "no reason given" if isinstance(answer, Revert) else ""
            who = right_missing(why)
            if who:
                return f"the Safe may not make the call {one.text}: it takes {who}; have it granted"
            if why and at < len(target.restrict):  # a lift may be refused while there is nothing to lift
                return f"the call {one.text} of the Safe is refused: {why}"
        balance = (await self._client.balance(target.chain, own)).value
        return "" if balance else f"account 0x{own.hex()} has no gas to send what owners sign; put some on it"

    async def ours(self, state: Council, key: bytes, since_s: int) -> str:
        """The transaction by which this node's account had the Safe restrict under this key, "" where none did."""
        told = Told(self._target.contract, [EXECUTED], _all, state.head, state.chain_s)
        for change in await self._changes.since(told, since_s):
            said = change.trailer
            if said is not None and said.key == key and said.until_s:
                return f"0x{change.tx.hex()}"
        return ""

    async def executed(self, state: Council) -> dict[bytes, bytes]:
        """Hash of what the Safe executed → the transaction, whoever sent it; not further back than one window."""
        first = max(0, state.head - WINDOW_BLOCKS + 1)
        logs = await self._client.logs(self._target.chain, self._target.contract, [EXECUTED], first, state.head)
        # indexed since 1.4.0
        return {(log.topics[1] if len(log.topics) > 1 else log.data[:32]): log.tx for log in logs.value}


def _all(logs: Sequence[Log]) -> list[tuple[Log, int | None]]:
    return [(log, 1) for log in logs]
