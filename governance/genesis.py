"""The charter: what founders sign, what names the network, and epoch 0, which it makes.

The id covers everything that counting depends on (`identity`); founders' signatures, their first KeySets and the
addresses stand in the same file outside the id, because they come after it or may change without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from governance.card import Card
from protocol.codec import encode
from protocol.crypto import Signer, sha256
from protocol.envelope import SealedKeySet, keyset_owner, open_keyset, seal_keyset, sign_charter
from protocol.errors import Code, ProtocolError
from protocol.ids import EpochHash, MemberName, NetworkId
from protocol.membership import (
    COUNTED,
    DAY_MS,
    DEFAULT_FORMULAS,
    LEASE_MS_MOST,
    Bridge,
    Epoch,
    Member,
    OracleFeed,
    Source,
)
from protocol.messages import KeySet, Level

CHARTER_VERSION = 1
EPOCH_TAG = "tocsin/1/epoch"


@dataclass(frozen=True)
class Parameters:
    """What founders agree on beside who they are. Durations in ms, `created_ms` since 1970 UTC."""

    name: str
    created_ms: int
    formulas: Mapping[Level, str] = field(default_factory=lambda: dict(DEFAULT_FORMULAS))
    lease_ms: Mapping[Level, int] = field(default_factory=lambda: {level: LEASE_MS_MOST[level] for level in COUNTED})
    change_delay_ms: int = 3 * DAY_MS
    """Between a passed proposal and its ordering; vetoes count meanwhile."""
    loosen_delay_ms: int = 7 * DAY_MS
    """The same where a change loosens."""
    seat_term_ms: int = 365 * DAY_MS
    silence_ms: int = 3 * DAY_MS
    """Without a Heartbeat for that long, a seat may be proposed for suspension."""
    sources: tuple[Source, ...] = ()
    bridges: tuple[Bridge, ...] = ()
    oracles: tuple[OracleFeed, ...] = ()


@dataclass(frozen=True)
class Contact:
    """Where a founder listens: multiaddrs without the peer id, which its KeySet delegates."""

    member: MemberName
    addresses: tuple[str, ...]


@dataclass(frozen=True)
class Charter:
    """`members` are sorted by name; `founders` holds the detached signatures, `sealed` the sealed KeySets."""

    parameters: Parameters
    members: tuple[Member, ...]
    founders: Mapping[MemberName, bytes] = field(default_factory=dict)
    sealed: tuple[bytes, ...] = ()
    contacts: tuple[Contact, ...] = ()

    @cached_property
    def network(self) -> NetworkId:
        return NetworkId(sha256(encode(identity(self.parameters, self.members))))

    @cached_property
    def by_name(self) -> dict[MemberName, Member]:
        return {member.name: member for member in self.members}

    @cached_property
    def keysets(self) -> tuple[SealedKeySet, ...]:
        """Opened under the governance keys; ProtocolError where one does not (`governance.checking` says which)."""
        return tuple(self._open(raw) for raw in self.sealed)

    def _open(self, raw: bytes) -> SealedKeySet:
        member = self.by_name.get(keyset_owner(raw))
        if member is None:
            raise ProtocolError(Code.UNKNOWN_AUTHOR, f"KeySet of {keyset_owner(raw)}, who is no member")
        return open_keyset(raw, self.network, member.governance_key)

    def epoch0(self) -> Epoch:
        parameters = self.parameters
        return Epoch(
            network=self.network,
            number=0,
            hash=epoch0_hash(self.network),
            activates_ms=parameters.created_ms,
            members=tuple(replace(member, seated_ms=parameters.created_ms) for member in self.members),
            formulas=dict(parameters.formulas),
            lease_ms={**LEASE_MS_MOST, **parameters.lease_ms},
            sources=parameters.sources,
            bridges=parameters.bridges,
            oracles=parameters.oracles,
            change_delay_ms=parameters.change_delay_ms,
            loosen_delay_ms=parameters.loosen_delay_ms,
            seat_term_ms=parameters.seat_term_ms,
            silence_ms=parameters.silence_ms,
        )


def epoch0_hash(network: NetworkId) -> EpochHash:
    return EpochHash(sha256(encode([EPOCH_TAG, network, 0])))


def identity(parameters: Parameters, members: Iterable[Member]) -> dict[int, Any]:
    """The map whose canonical CBOR is hashed into the network id (README.md, "The id"). Rows are sorted, so the
    order of a file means nothing."""
    return {
        1: CHARTER_VERSION,
        2: parameters.name,
        3: parameters.created_ms,
        4: sorted([member.name, member.group, member.governance_key] for member in members),
        5: {int(level): parameters.formulas[level] for level in COUNTED},
        6: {int(level): parameters.lease_ms[level] for level in COUNTED},
        7: {1: parameters.change_delay_ms, 2: parameters.loosen_delay_ms},
        8: {1: parameters.seat_term_ms, 2: parameters.silence_ms},
        9: sorted([source.id, source.operator, source.scope] for source in parameters.sources),
        10: sorted([one.asset.raw, one.home, one.escrow, one.far, one.twin] for one in parameters.bridges),
        11: sorted([one.subject.raw, one.chain, one.feed, sorted(one.references)] for one in parameters.oracles),
    }


def found(cards: Iterable[Card], parameters: Parameters) -> Charter:
    """An unsigned charter of these members; `governance.checking.check` says what is wrong with it."""
    rows = sorted(cards, key=lambda card: card.name)
    return Charter(
        parameters=parameters,
        members=tuple(Member(card.name, card.group, card.governance) for card in rows),
        contacts=tuple(Contact(card.name, card.addresses) for card in rows if card.addresses),
    )


def signed(charter: Charter, member: MemberName, governance: Signer, keyset: KeySet) -> Charter:
    """With the founder's consent and its KeySet in the place of earlier ones.

    ProtocolError when the key is not the one that the charter names, or the KeySet is another member's.
    """
    seat = charter.by_name.get(member)
    if seat is None or keyset.member != member:
        raise ProtocolError(Code.UNKNOWN_AUTHOR, f"{member} has no seat in this charter")
    if governance.public != seat.governance_key:
        raise ProtocolError(Code.BAD_KEY, f"the charter names another governance key for {member}")
    sealed = seal_keyset(charter.network, governance, keyset).raw
    others = tuple(raw for raw in charter.sealed if keyset_owner(raw) != member)
    founders = {**charter.founders, member: sign_charter(charter.network, governance)}
    return replace(charter, founders=founders, sealed=(*others, sealed))
