"""What a registry shows, as all our connections say, and how it differs from what this node holds. Decides nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

from adapters.evm.abi import abi_of
from adapters.evm.client import ChainClient
from adapters.evm.errors import NotSeen, Reverted
from adapters.evm.registry import SUSPENDED, Row, address_in, group_in, key_words, row_of
from adapters.evm.wire import Revert, ask_call
from protocol.ids import EpochHash, MemberName, SourceId
from protocol.membership import Epoch
from protocol.messages import Level

REGISTRY = abi_of("Registry")
_LEVELS = (Level.GUARD, Level.ISOLATE, Level.HALT)


@dataclass(frozen=True)
class Mirror:
    """One registry at one block."""

    chain: str
    contract: bytes
    row: Row
    keys_version: int
    words: tuple[int, ...]
    block: int
    sources: tuple[SourceId, ...]


@dataclass(frozen=True)
class Standing:
    """What a registry has on one subject and threat. Ends in seconds of the chain's clock, 0 where nothing stands."""

    until_s: dict[Level, int]
    """At this level or above."""
    released_through_ms: int
    chain_s: int


@dataclass(frozen=True)
class Difference:
    says: str
    urgent: bool
    """No honest delay explains it: members who sign late, or a node that is behind, make the others."""


async def read_mirror(client: ChainClient, chain: str, contract: bytes) -> Mirror:
    """All of one block, which all connections must agree on. ChainError; Reverted where no registry is there."""
    head = (await client.block(chain)).value
    names = ("epoch", "keys_version", "keys")
    asks = [ask_call(contract, REGISTRY, name, block=head.number) for name in names]
    read = await client.read(chain, *asks)
    for name, value in zip(names, read.value):
        if isinstance(value, Revert):
            raise Reverted(value.reason, f"{name} of 0x{contract.hex()} on {chain}")
    values, version, words = read.value
    if values[2] == bytes(32):  # a deployed registry always has an epoch; a proxy of something else may answer zeros
        raise NotSeen(f"0x{contract.hex()} on {chain} has no epoch: it is no registry of ours")
    return Mirror(chain, contract, Row(*values), int(version), tuple(words), head.number, read.sources)


async def read_standing(client: ChainClient, chain: str, contract: bytes, subject: bytes, threat: int) -> Standing:
    """`subject`: `protocol.onchain.subject_key`."""
    head = (await client.block(chain)).value
    asks = [
        ask_call(contract, REGISTRY, "level_until", (subject, threat, int(level)), block=head.number)
        for level in _LEVELS
    ]
    asks.append(ask_call(contract, REGISTRY, "released_through", (subject, threat), block=head.number))
    values = (await client.read(chain, *asks)).value
    for value in values:
        if isinstance(value, Revert):
            raise Reverted(value.reason, f"level_until of 0x{contract.hex()} on {chain}")
    return Standing(dict(zip(_LEVELS, values)), values[-1], head.timestamp)


def differences(mirror: Mirror, epoch: Epoch, evm: Mapping[MemberName, bytes]) -> list[Difference]:
    """Of the registry from this node's epoch and the evm keys of its members' newest KeySets."""
    row = mirror.row
    if row.network != bytes(epoch.network):
        return [Difference(f"it is of another network, {row.network.hex()[:16]}", True)]
    if row.number != epoch.number:
        return [_other_epoch(row, epoch)]
    if row.hash != bytes(epoch.hash):
        says = (
            f"its epoch {row.number} is {row.hash.hex()[:16]}, this node's {epoch.hash.hex()[:16]}: two of one number"
        )
        return [Difference(says, True)]
    return [*_numbers(row, row_of(epoch)), *_keys(mirror, epoch, evm)]


def _other_epoch(row: Row, epoch: Epoch) -> Difference:
    if row.number > epoch.number:
        says = (
            f"it is at epoch {row.number} ({row.hash.hex()[:16]}), this node at {epoch.number}: the node is behind, or "
            "a quorum of evm keys is in wrong hands"
        )
        return Difference(says, True)
    forked = epoch.number == row.number + 1 and epoch.parent not in (None, EpochHash(row.hash))
    if forked:
        return Difference(f"its epoch {row.number} ({row.hash.hex()[:16]}) is not the one that ours follows", True)
    return Difference(
        f"it is still at epoch {row.number}, the network at {epoch.number}: nobody has advanced it", False
    )


def _numbers(there: Row, here: Row) -> Iterator[Difference]:
    """The hash names the epoch; the numbers beside it were signed apart."""
    for one in fields(Row)[5:]:  # n and what follows; how it came to this epoch is another matter
        got, wanted = getattr(there, one.name), getattr(here, one.name)
        if got != wanted:
            yield Difference(f"{one.name} is {got} there and {wanted} in the epoch", True)


def _keys(mirror: Mirror, epoch: Epoch, evm: Mapping[MemberName, bytes]) -> Iterator[Difference]:
    names = {address: member for member, address in evm.items()}
    here = {address_in(word): word for word in key_words(epoch, evm)}
    there = {address_in(word): word for word in mirror.words}
    for address in sorted(here.keys() | there.keys()):
        key, member = f"evm key 0x{address.hex()}", names.get(address, "")
        if address not in there:
            yield Difference(f"{key} of {member} is not in it", False)
        elif address not in here:
            group = epoch.groups[group_in(there[address])]
            yield Difference(f"{key} stands there for {group}, and no newest KeySet names it", False)
        elif group_in(here[address]) != group_in(there[address]):
            yield Difference(f"{key} of {member} counts there for {epoch.groups[group_in(there[address])]}", True)
        elif here[address] != there[address]:
            word = "is" if there[address] & SUSPENDED else "is not"
            yield Difference(f"{key} of {member} {word} suspended there", True)
