"""One lever of a Guard as all connections show it, what its target says to a call that the guard would make, and a
certificate's call of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from adapters.evm.abi import abi_of
from adapters.evm.client import ChainClient
from adapters.evm.eip712 import domain_of
from adapters.evm.errors import Reverted
from adapters.evm.guard_words import ANY_THREAT, OFF, REMOVED, Listing, listing_of, pack_act
from adapters.evm.registry import Call, Said
from adapters.evm.wire import LATEST, Ask, Revert, ask_call, octets, transaction
from protocol.messages import Level

ABI = abi_of("Guard")
OPEN, CLOSED, UNKNOWN = 0, 1, 2
SHOWN = {OPEN: "open", CLOSED: "restricted", UNKNOWN: "nothing that can be read"}


@dataclass(frozen=True)
class GuardTarget:
    """Lever number `lever` of the guard at `contract` (20 bytes)."""

    name: str
    chain: str
    contract: bytes
    lever: int


@dataclass(frozen=True)
class Standing:
    """Ends in seconds of the chain's clock, past or 0 where nobody's word holds it."""

    chain_s: int
    quorum_s: int
    alone_s: int
    ours: bool
    """The guard restricted the target and has to lift it."""
    shows: int
    """What the target itself says, by the listed probe."""
    listing: Listing
    live_s: int
    from_s: int
    """From when on the operator may restrict, and how far at most."""
    most_s: int
    operator: bytes
    operator_from_s: int
    caller: bytes
    """Whom the target sees: the guard, or the Safe that it acts through."""

    @property
    def held_s(self) -> int:
        """The later end of both hands."""
        return max(self.quorum_s, self.alone_s)

    @property
    def stands(self) -> bool:
        return self.chain_s < self.held_s

    def fault(self, account: bytes) -> str:
        """Why this account may not restrict by it now, "" where it may."""
        own = f"account 0x{account.hex()}"
        if self.live_s >= OFF:
            return "the lever was removed from the guard" if self.live_s == REMOVED else "the guard is switched off"
        if self.chain_s < self.live_s:
            return f"the lever is live from {self.live_s} s on"
        if self.operator != account:
            return f"{own} is not the guard's operator, 0x{self.operator.hex()} is: have it set"
        if self.chain_s < self.operator_from_s:
            return f"{own} is the guard's operator from {self.operator_from_s} s on"
        if not self.listing.alone_lease_s:
            return "the lever is for a quorum alone: its aloneLease is 0"
        if self.chain_s < self.from_s:
            return f"the guard cools down: nobody acts alone before {self.from_s} s"
        return ""


async def read_standing(client: ChainClient, target: GuardTarget) -> Standing:
    """The chain's time comes first: what is read later ends no earlier than it shows. ChainError."""
    head = await client.block(target.chain)
    calls: tuple[tuple[str, tuple[Any, ...]], ...] = (
        ("standing", (target.lever,)),
        ("lever", (target.lever,)),
        ("grant", (target.lever, True)),
        ("operator", ()),
        ("safe", ()),
    )
    read = await client.read(target.chain, *(ask_call(target.contract, ABI, name, args) for name, args in calls))
    for (name, _), value in zip(calls, read.value):
        if isinstance(value, Revert):
            raise Reverted(value.reason, f"{name} of 0x{target.contract.hex()} on {target.chain}")
    (quorum, alone, ours, shows), (listed, live), (start, most), (operator, since), safe = read.value
    caller = safe if any(safe) else target.contract
    listing = listing_of(listed)
    return Standing(
        head.value.timestamp, quorum, alone, ours, shows, listing, live, start, most, operator, since, caller
    )


async def refusals(client: ChainClient, chain: str, state: Standing) -> tuple[str, str]:
    """(of the restricting call, of the lifting one), each tried as the guard would make it; "" where it was taken."""
    asks = [_raw(state.caller, state.listing.target, data) for data in (state.listing.restrict, state.listing.lift)]
    restrict, lift = (await client.read(chain, *asks)).value
    return restrict, lift


def _raw(sender: bytes, to: bytes, data: bytes) -> Ask[str]:
    def parse(raw: Any) -> str:
        if isinstance(raw, Revert):
            return raw.reason or "no reason given"
        octets(raw)
        return ""

    return Ask("eth_call", (transaction(sender, to, data), LATEST), parse, height=1)


class NoReasonError(ValueError):
    """The guard's owner did not list that such words move the lever."""


async def act_call(client: ChainClient, target: GuardTarget, roster: bytes, said: Sequence[Said]) -> Call:
    """Arguments of `act` for the words of a certificate: (`registry.alarm_values`, its entry's `evm_sig`) of each.

    Anybody may send it. `roster`: the address of one of the guard's lists; who is in it, whom their words are for and
    how many are needed is read from the guard. NoReasonError; ShortError where too few are in the list; ChainError."""
    if not said:
        raise NoReasonError("no word of the certificate is signed for contracts")
    topic = (said[0][0]["subject"], said[0][0]["threat"])
    asks = [
        ask_call(target.contract, ABI, "reason_of", (target.lever, roster, topic[0], threat))
        for threat in (topic[1], ANY_THREAT)
    ]
    read = await client.read(target.chain, ask_call(target.contract, ABI, "list_of", (roster,)), *asks)
    for value in read.value:
        if isinstance(value, Revert):
            raise Reverted(value.reason, f"0x{target.contract.hex()} on {target.chain}")
    (_, voice, words), *reasons = read.value
    level, groups, _ = next((one for one in reasons if one[0]), (0, 0, 0))
    if not level:
        raise NoReasonError(f"lever {target.lever} has no reason for this subject and threat by this list")
    domain, epoch = domain_of(target.chain, voice), said[0][0]["epoch"]
    return pack_act(target.lever, roster, domain, words, groups, Level(level), epoch, said)
