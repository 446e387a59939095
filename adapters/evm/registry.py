"""Words for a Registry: what members sign of an epoch, of keys, of alarms and releases, and how a call is packed.

A key's word is address << 96 | 256 where its seat is suspended | number of its group in the epoch's order; words
ascend, so addresses do. A group without an evm key stays one of the n, and says nothing on the chain.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from adapters.evm.eip712 import Domain, digest
from adapters.evm.evm_key import EvmKey, parts_of, signer_of
from protocol.envelope import Entry
from protocol.ids import EpochHash, MemberName, NetworkId
from protocol.membership import Epoch
from protocol.messages import Attestation, Level, Release
from protocol.onchain import author_word, body_hash, sealed_body_hash, subject_key, submit_by_ms

SUSPENDED = 256
NO_PARENT = EpochHash(bytes(32))
"""Of epoch 0."""
Call = tuple[Any, ...]
Ballot = tuple[int, int, int, int]
"""(index of the key, v, r, s)."""


class ShortError(ValueError):
    """Too few groups among what is to be submitted: a contract would refuse it."""


@dataclass(frozen=True)
class Row:
    """An epoch as the contract holds it; fields and order are those of its struct. Leases in ms."""

    network: bytes
    number: int
    hash: bytes
    parent: bytes
    activates_ms: int
    n: int
    guard: int
    isolate: int
    halt: int
    guard_lease_ms: int
    isolate_lease_ms: int
    halt_lease_ms: int

    @property
    def values(self) -> Call:
        return tuple(getattr(self, one.name) for one in fields(self))

    @property
    def q(self) -> int:
        return self.n - (self.n - 1) // 3

    def needed(self, level: Level) -> int:
        return {Level.GUARD: self.guard, Level.ISOLATE: self.isolate, Level.HALT: self.halt}[level]


def row_of(epoch: Epoch) -> Row:
    needed, lease = epoch.thresholds, epoch.lease_bound_ms
    return Row(
        bytes(epoch.network),
        epoch.number,
        bytes(epoch.hash),
        bytes(epoch.parent or NO_PARENT),
        epoch.activates_ms,
        epoch.n,
        needed[Level.GUARD],
        needed[Level.ISOLATE],
        needed[Level.HALT],
        lease(Level.GUARD),
        lease(Level.ISOLATE),
        lease(Level.HALT),
    )


def key_words(epoch: Epoch, evm: Mapping[MemberName, bytes]) -> tuple[int, ...]:
    """Of the members that have an evm key. ValueError where two have the same: it would be one vote for two."""
    numbers = {group: number for number, group in enumerate(epoch.groups)}
    words: dict[bytes, tuple[int, MemberName]] = {}
    for member in epoch.members:
        key = evm.get(member.name)
        if key is None:
            continue
        if key in words:
            raise ValueError(f"{words[key][1]} and {member.name} have one evm key, 0x{key.hex()}: one needs another")
        flag = SUSPENDED if member.suspended else 0
        words[key] = (int.from_bytes(key, "big") << 96 | flag | numbers[member.group], member.name)
    return tuple(sorted(word for word, _ in words.values()))


def address_in(word: int) -> bytes:
    return (word >> 96).to_bytes(20, "big")


def group_in(word: int) -> int:
    return word & 255


def epoch_values(row: Row, words: Sequence[int]) -> dict[str, Any]:
    """For `eip712.digest(domain, "Epoch", …)`."""
    names = ("network", "number", "hash", "parent", "activates", "n", "guard", "isolate", "halt")
    return dict(zip((*names, "guardLease", "isolateLease", "haltLease"), row.values)) | {"keys": list(words)}


def keys_values(network: bytes, epoch: bytes, version: int, words: Sequence[int]) -> dict[str, Any]:
    return {"network": network, "epoch": epoch, "version": version, "keys": list(words)}


def alarm_values(network: NetworkId, entry: Entry[Attestation], raw: bytes = b"") -> dict[str, Any]:
    """Of an attestation about to be sealed, or, with its bytes, of one that is."""
    body = entry.body
    return {
        "network": bytes(network),
        "epoch": bytes(body.epoch),
        "author": author_word(entry.author),
        "seq": entry.seq,
        "bodyHash": bytes(sealed_body_hash(raw) if raw else body_hash(body)),
        "subject": bytes(subject_key(body.subject)),
        "threat": body.threat,
        "level": int(body.level),
        "issued": entry.issued_ms,
        "submitBy": submit_by_ms(entry.issued_ms, body.expires_ms),
        "expires": body.expires_ms,
    }


def lift_values(network: NetworkId, entry: Entry[Release]) -> dict[str, Any]:
    body = entry.body
    return {
        "network": bytes(network),
        "epoch": bytes(body.epoch),
        "author": author_word(entry.author),
        "subject": bytes(subject_key(body.subject)),
        "threat": body.threat,
        "through": body.through_ms,
    }


def signed(domain: Domain, name: str, values: Mapping[str, Any], key: EvmKey) -> bytes:
    """65 bytes: of an Alarm, what travels as its entry's `evm_sig`."""
    return key.sign(digest(domain, name, values))


def countersigned(domain: Domain, key: EvmKey, network: NetworkId, entry: Entry[Attestation]) -> bytes:
    """An own attestation's `evm_sig` for this registry."""
    return signed(domain, "Alarm", alarm_values(network, entry), key)


def signer(domain: Domain, name: str, values: Mapping[str, Any], signature: bytes) -> bytes | None:
    """The address that signed, None where the signature has no form of ours. Whether it is the author's is the
    caller's to see: its KeySet names one."""
    return signer_of(digest(domain, name, values), signature)


def ballots(
    domain: Domain, name: str, values: Mapping[str, Any], words: Sequence[int], signatures: Iterable[bytes]
) -> list[Ballot]:
    """The last argument of `advance` and `change_keys`: one of each key that is there, in order."""
    at = {address_in(word): index for index, word in enumerate(words)}
    found: dict[int, Ballot] = {}
    for signature in signatures:
        who = signer(domain, name, values, signature)
        if who in at:
            found[at[who]] = (at[who], *parts_of(signature))
    return [found[index] for index in sorted(found)]


@dataclass(frozen=True)
class _Vote:
    at: int
    group: int
    signature: bytes
    values: Mapping[str, Any]

    @property
    def ballot(self) -> Ballot:
        return (self.at, *parts_of(self.signature))


Said = tuple[Mapping[str, Any], bytes]
"""Typed values and their signature."""


def alarm_call(domain: Domain, words: Sequence[int], row: Row, level: Level, said: Iterable[Said]) -> Call:
    """Arguments of `alarm`: of those that suffice the words that live longest, since the first to expire ends it.

    All must be of one subject and threat. ShortError where too few groups of this epoch are among them."""
    fit = [
        vote
        for vote in _votes(domain, "Alarm", words, said)
        if vote.values["epoch"] == row.hash and vote.values["level"] >= level
    ]
    chosen = _enough(sorted(fit, key=lambda vote: -vote.values["expires"]), row.needed(level), f"for {level.name}")
    names = ("author", "seq", "bodyHash", "level", "issued", "submitBy", "expires")
    votes = [(*(vote.values[name] for name in names), vote.ballot) for vote in chosen]
    return (row.hash, *_topic(chosen), int(level), votes)


def lift_call(domain: Domain, words: Sequence[int], row: Row, said: Iterable[Said]) -> Call:
    """Arguments of `lift`: the Q groups that release furthest, since the earliest of their times holds."""
    fit = [vote for vote in _votes(domain, "Lift", words, said) if vote.values["epoch"] == row.hash]
    chosen = _enough(sorted(fit, key=lambda vote: -vote.values["through"]), row.q, "to lift")
    votes = [(vote.values["author"], vote.values["through"], vote.ballot) for vote in chosen]
    return (row.hash, *_topic(chosen), votes)


def _votes(domain: Domain, name: str, words: Sequence[int], said: Iterable[Said]) -> list[_Vote]:
    at = {address_in(word): index for index, word in enumerate(words) if not word & SUSPENDED}
    found = []
    for values, signature in said:
        who = signer(domain, name, values, signature)
        if who in at:
            found.append(_Vote(at[who], group_in(words[at[who]]), signature, values))
    return found


def _enough(best_first: Sequence[_Vote], needed: int, what: str) -> list[_Vote]:
    """One of each group, in the order of the keys."""
    by_group: dict[int, _Vote] = {}
    for vote in best_first:
        if len(by_group) < needed:
            by_group.setdefault(vote.group, vote)
    if len(by_group) < needed:
        raise ShortError(f"{len(by_group)} groups with keys in the registry have signed, {needed} are needed {what}")
    return sorted(by_group.values(), key=lambda vote: vote.at)


def _topic(votes: Sequence[_Vote]) -> tuple[bytes, int]:
    topics = {(vote.values["subject"], vote.values["threat"]) for vote in votes}
    if len(topics) != 1:
        raise ValueError("words on several subjects or threats do not make one call")
    return topics.pop()
