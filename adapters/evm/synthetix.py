"""Suspensions of Synthetix v2x by its SystemStatus, as `flag_lever` does it: of one futures market, or of one synth.

The number that a lever moves is 0 where nothing is suspended, else the reason and one: whoever suspends says why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from adapters.api import Beyond, Outcome
from adapters.evm.changes import Past, Told
from adapters.evm.client import ChainClient
from adapters.evm.errors import Reverted
from adapters.evm.flag_lever import Call, FlagLever
from adapters.evm.sending import Sender
from adapters.evm.survey.look import STRANGER, Looker, as_address
from adapters.evm.synthetix_rows import DENIED, MARKET, REASON_BITS, STATUS, SYNTHETIX_ROWS, SynthetixRow, word32
from adapters.evm.wire import Log

KNOWN_RELEASE = "2.102.1"
ANOTHER_KEY = word32("tocsin-another")


@dataclass(frozen=True)
class SynthetixTarget:
    """`resolver` is Synthetix's AddressResolver or the ReadProxy before it; a key is its own name of a thing, "" for
    none."""

    name: str
    chain: str
    resolver: bytes
    market: str
    synth: str
    reason: int


@dataclass(frozen=True)
class Suspension:
    status: bytes
    """Where the SystemStatus is that the resolver names."""
    number: int
    head: int
    chain_s: int
    """The chain's own time, read before the rest."""


class SuspendLever(FlagLever[Suspension]):
    """One row on one key."""

    def __init__(self, row: SynthetixRow, target: SynthetixTarget, client: ChainClient, sender: Sender) -> None:
        super().__init__(row.declared, (target.name, target.chain, target.resolver), client, sender)
        self._row, self._target = row, target
        self._text = target.market if row is MARKET else target.synth
        self._key = word32(self._text)
        self.slot = f"{target.chain}/0x{target.resolver.hex()}/{row.suspend}/{self._text}"

    async def _read(self) -> Suspension:
        """Each part is looked at before it is believed: an unknown release, or a key that nothing goes by, is refused
        with words. Suspending a key that nobody uses would be taken, be read back, and close nothing."""
        head = (await self._client.block(self._target.chain)).value
        look = Looker(self._client, self._target.chain)
        status = await self._part(look, "SystemStatus")
        registry = await self._part(look, self._row.registry)
        section, stands = await look.views(
            status,
            f"{self._row.section_view}() bytes32",
            (f"{self._row.suspension}(bytes32) bool,uint248", (self._key,)),
        )
        known = await look.view(registry, f"{self._row.known}(bytes32) address", self._key)
        (shut,) = await look.tries(status, f"{self._row.gate}(bytes32)", (self._key,), STRANGER)
        # a market that is suspended in another place too stays shut: only a gate that is open tells anything
        if section != word32(self._row.section) or stands is None or (stands[0] and not shut):
            raise self._strange(f"the SystemStatus 0x{status.hex()}", f"other than in release {KNOWN_RELEASE}")
        if as_address(known) is None:
            raise self._strange(f"the {self._row.registry} 0x{registry.hex()}", f"nothing goes by the key {self._text}")
        suspended, reason = stands
        return Suspension(status, 1 + reason if suspended else 0, head.number, head.timestamp)

    async def _part(self, look: Looker, name: str) -> bytes:
        at = as_address(await look.view(self._target.resolver, "getAddress(bytes32) address", word32(name)))
        if at is None:
            raise self._strange(f"0x{self._target.resolver.hex()}", f"it resolves no {name}: no AddressResolver")
        return at

    def _strange(self, where: str, why: str) -> Reverted:
        return Reverted(why, f"{where} on {self._target.chain}")

    def _number(self, state: Suspension) -> int:
        return state.number

    def _wanted(self, state: Suspension) -> int:
        return 1 + self._target.reason

    def _closed(self, state: Suspension) -> bool:
        return state.number > 0

    def _word(self, number: int) -> str:
        return f"suspended for reason {number - 1}" if number else "not suspended"

    def _told(self, state: Suspension) -> Told:
        says = (STATUS.event(self._row.says_suspended).topic, STATUS.event(self._row.says_resumed).topic)
        return Told(state.status, [says], self._moves, state.head, state.chain_s)

    def _moves(self, logs: Sequence[Log]) -> list[tuple[Log, int | None]]:
        """Keys are no topics there: what is told of other keys comes along, and is left out."""
        found: list[tuple[Log, int | None]] = []
        for log in logs:
            for name, suspends in ((self._row.says_suspended, True), (self._row.says_resumed, False)):
                said = STATUS.event(name).decode(log.topics, log.data)
                if said is not None and said["key"] == self._key:
                    kept = said["reason"] % (1 << REASON_BITS)
                    found.append((log, 1 + kept if suspends else 0))
        return found

    def _call(self, state: Suspension, number: int) -> Call:
        args: tuple[Any, ...] = (self._key, number - 1) if number else (self._key,)
        return Call(state.status, STATUS, self._row.suspend if number else self._row.resume, args)

    async def _unending(self, state: Suspension) -> str:
        """Who may suspend may not always resume: two rights of one section. A resume of what runs is taken."""
        own, look = self._sender.account.address, Looker(self._client, self._target.chain)
        (why,) = await look.tries(state.status, f"{self._row.resume}(bytes32)", (self._key,), own)
        if not why:
            return ""
        takes = f"{self._row.resume} takes canResume on section {self._row.section} ({why})"
        return f"account 0x{own.hex()} may suspend and not resume: {takes}; have it granted"

    def _kept(self, state: Suspension, past: Past) -> Outcome | None:
        if state.number and not past.changes:
            ours = "bears" if state.number == self._wanted(state) else "does not bear"
            since = f"no event that is looked back at tells by whom; it {ours} this lever's reason"
            return Outcome(
                False, f"it is {self._word(state.number)}, and {since}: look, and lift it by hand if it is ours"
            )
        return super()._kept(state, past)

    def _refused(self, reason: str) -> Outcome | None:
        if reason != DENIED:
            return None
        own = self._sender.account.address.hex()
        takes = f"canSuspend, and canResume to lift, on section {self._row.section} of the SystemStatus"
        says = f"account 0x{own} may not move the suspension: it takes {takes}; have it granted"
        return Outcome(False, says, answered=False)

    async def beyond(self) -> Beyond:
        """One section is one right: it reaches every key of it. ChainError."""
        own, look = self._sender.account.address, Looker(self._client, self._target.chain)
        state, may = await self._read(), []
        rows = self._beyond_rows()
        for says, call, args in rows:
            (why,) = await look.tries(state.status, call, args, own)
            if not why:
                may.append(says)
        return Beyond(len(rows), tuple(may))

    def _beyond_rows(self) -> list[tuple[str, str, tuple[Any, ...]]]:
        row, reason = self._row, self._target.reason
        broad = (reason,) if row is MARKET else ([ANOTHER_KEY], reason)
        others = [one for one in SYNTHETIX_ROWS if one is not row]
        return [
            (row.broader_says, row.broader, broad),
            ("lift anybody's suspension of that kind", f"{row.resume}(bytes32)", (ANOTHER_KEY,)),
            *((one.broader_says, f"{one.suspend}(bytes32,uint256)", (ANOTHER_KEY, reason)) for one in others),
            ("suspend all of Synthetix", "suspendSystem(uint256)", (reason,)),
            ("suspend all exchanges", "suspendExchange(uint256)", (reason,)),
            ("suspend all issuance", "suspendIssuance(uint256)", (reason,)),
            (
                "give anybody any of these rights",
                "updateAccessControl(bytes32,address,bool,bool)",
                (word32(row.section), STRANGER, True, True),
            ),
            ("give its ownership to anybody", "nominateNewOwner(address)", (STRANGER,)),
        ]


def suspend_levers(target: SynthetixTarget, client: ChainClient, sender: Sender) -> dict[str, SuspendLever]:
    """Every row for which the target names a key, by call."""
    rows = [row for row in SYNTHETIX_ROWS if (target.market if row is MARKET else target.synth)]
    return {row.declared.call: SuspendLever(row, target, client, sender) for row in rows}
