"""A reserve of Aave v3.1 and later, played by rule: what changed there is that a freeze zeroes the LTV, keeps it as
pending, and is refused where it changes nothing. No published package holds those contracts, so these rules are written
down from their source and stand in for them; v3.0 is tried on its own contracts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from adapters.evm.aave_abi import CONFIGURATOR, DATA, POOL, PROVIDER
from adapters.evm.abi import Abi, keccak256
from adapters.evm.account import Account
from adapters.evm.errors import Reverted
from adapters.evm.wire import Receipt
from tests.integration.evm.fake import Fake

POOL_AT, PROVIDER_AT, CONFIGURATOR_AT, DATA_AT, ASSET, COUNCIL_AT = (bytes([0x10 + n]) * 20 for n in range(6))
NODE, PERSON = Account(b"\x21" * 32), Account(b"\x22" * 32)
THRESHOLD, BONUS, DECIMALS = 8_000, 10_500, 6
FREEZE_REFUSED = "99"


@dataclass
class LaterAave:
    """State, log and transactions; `fake` serves them as JSON-RPC."""

    ltv: int = 7_500
    pending: int = 0
    frozen: bool = False
    cap: int = 0
    lent: int = 100
    """Whole tokens."""
    refuses: str = ""
    """A word with which the configurator refuses everything."""
    fake: Fake = field(default_factory=Fake)
    logs: list[dict[str, Any]] = field(default_factory=list)
    sent: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.fake.answers |= {
            "eth_call": self._view,
            "eth_getLogs": self._logs_in,
            "eth_getTransactionByHash": lambda params: self.sent.get(params[0]),
        }

    def _view(self, params: Any) -> Any:
        flags = 1 << 56 | int(self.frozen) << 57 | self.cap << 80
        word = self.ltv | THRESHOLD << 16 | BONUS << 32 | DECIMALS << 48 | flags
        known: dict[bytes, int] = {
            POOL.function("ADDRESSES_PROVIDER").selector: int.from_bytes(PROVIDER_AT),
            POOL.function("getConfiguration").selector: word,
            PROVIDER.function("getPoolConfigurator").selector: int.from_bytes(CONFIGURATOR_AT),
            PROVIDER.function("getPoolDataProvider").selector: int.from_bytes(DATA_AT),
            CONFIGURATOR.function("getPendingLtv").selector: self.pending,
            DATA.function("getATokenTotalSupply").selector: 500 * 10**DECIMALS,
            DATA.function("getTotalDebt").selector: self.lent * 10**DECIMALS,
        }
        return "0x" + known[bytes.fromhex(params[0]["data"][2:10])].to_bytes(32).hex()

    def _logs_in(self, params: Any) -> list[dict[str, Any]]:
        first, last, wanted = int(params[0]["fromBlock"], 16), int(params[0]["toBlock"], 16), params[0]["topics"][0]
        return [log for log in self.logs if first <= int(log["blockNumber"], 16) <= last and log["topics"][0] in wanted]

    def move(self, who: Account, fn: str, args: Sequence[Any], trailer: bytes = b"", blocks: int = 1) -> bytes:
        """One transaction to the configurator, `blocks` later than the one before; its hash."""
        said = self._obey(fn, args)
        return self._mined(who, CONFIGURATOR_AT, CONFIGURATOR.function(fn).encode(args) + trailer, said, blocks)

    def batch(self, who: Account, *calls: tuple[str, Sequence[Any]], trailer: bytes = b"") -> bytes:
        """Several calls in one transaction through a contract in between, as a council sends them."""
        said = [event for fn, args in calls for event in self._obey(fn, args)]
        return self._mined(who, COUNCIL_AT, b"several" + trailer, said, 1)

    def _mined(self, who: Account, to: bytes, data: bytes, said: Sequence[tuple[Any, ...]], blocks: int) -> bytes:
        self.fake.head += blocks
        tx = keccak256(data + who.address + self.fake.head.to_bytes(8))
        self.sent[_hex(tx)] = {"hash": _hex(tx), "from": _hex(who.address), "to": _hex(to), "input": _hex(data)}
        for name, *numbers in said:
            self.logs.append(
                {
                    "address": _hex(CONFIGURATOR_AT),
                    "topics": [_hex(CONFIGURATOR.event(name).topic), _hex(bytes(12) + ASSET)],
                    "data": "0x" + "".join(number.to_bytes(32).hex() for number in numbers),
                    "blockNumber": hex(self.fake.head),
                    "transactionHash": _hex(tx),
                    "logIndex": hex(len(self.logs)),
                }
            )
        return tx

    def _obey(self, fn: str, args: Sequence[Any]) -> list[tuple[Any, ...]]:
        """The events, each with its numbers. Reverted as the configurator refuses."""
        if self.refuses:
            raise Reverted(self.refuses, fn)
        if fn == "setBorrowCap":
            before, self.cap = self.cap, args[1]
            return [("BorrowCapChanged", before, self.cap)]
        if fn == "configureReserveAsCollateral":
            if self.frozen:
                self.pending = args[1]
            else:
                self.ltv = args[1]
            return [("CollateralConfigurationChanged", self.ltv, THRESHOLD, BONUS)]
        if args[1] == self.frozen:
            raise Reverted(FREEZE_REFUSED, fn)
        self.frozen = args[1]
        if self.frozen:
            self.ltv, self.pending = 0, self.ltv
        else:
            self.ltv, self.pending = self.pending, 0
        freed = ("CollateralConfigurationChanged", self.ltv, THRESHOLD, BONUS)
        return [freed, ("ReserveFrozen", int(self.frozen))]


@dataclass
class NodeSender:
    """A sender whose transactions move the reserve at once."""

    market: LaterAave
    account: Account = NODE
    calls: list[tuple[str, tuple[Any, ...]]] = field(default_factory=list)
    flying: bool = False
    way: str = ""
    """Whether a transaction of the account is in no block yet."""
    move_first: Callable[[], object] = lambda: None
    """What somebody else does between our look and our transaction."""

    async def in_flight(self) -> bool:
        return self.flying

    async def simulate(self, contract: bytes, abi: Abi, fn: str, args: Sequence[Any], trailer: bytes = b"") -> None:
        if self.market.refuses:
            raise Reverted(self.market.refuses, fn)

    async def transact(
        self, contract: bytes, abi: Abi, fn: str, args: Sequence[Any], deadline_s: float = 60, trailer: bytes = b""
    ) -> Receipt:
        self.move_first()
        tx = self.market.move(self.account, fn, args, trailer)
        self.calls.append((fn, tuple(args[1:])))
        return Receipt(tx, self.market.fake.head, bytes(32), True, ())


def _hex(data: bytes) -> str:
    return "0x" + data.hex()
