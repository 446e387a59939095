"""Networks of n groups with keys that are the same in every run, and the words of their governance."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from governance.ballots import Ballot, SealedBallot, Vote, cast
from governance.proposals import KIND_OF, Change, Consent, Proposal, SealedProposal, consent, seal_proposal
from governance.values import Value, value_hash
from protocol.crypto import Signer, sha256
from protocol.envelope import SealedKeySet, Verified, seal_entry, seal_keyset
from protocol.ids import ZERO_HASH, Digest, EpochHash, GroupName, MemberName, NetworkId, SourceId
from protocol.membership import DAY_MS, Epoch, Member, Source
from protocol.messages import Commit, Heartbeat, KeySet

NOW = 1_780_000_000_000
NETWORK = NetworkId(sha256(b"a network of tests"))
HASH0 = EpochHash(sha256(b"its epoch 0"))
NOTHING = Digest(bytes(32))


def name_of(at: int) -> MemberName:
    return MemberName(f"m{at}")


def names(count: int, start: int = 0) -> tuple[MemberName, ...]:
    return tuple(name_of(at) for at in range(start, start + count))


def cold(name: str, which: int = 0) -> Signer:
    return Signer(sha256(f"governance {name} {which}".encode()))


def hot(name: str, version: int = 1) -> Signer:
    return Signer(sha256(f"attestation {name} {version}".encode()))


def epoch(count: int, groups: dict[str, str] | None = None, **changes: Any) -> Epoch:
    """`count` seats, each a group of its own unless `groups` says else."""
    members = tuple(
        Member(name, GroupName((groups or {}).get(name, name)), cold(name).public, seated_ms=NOW - DAY_MS)
        for name in names(count)
    )
    sources = (Source(SourceId("home-a"), "a", "eip155:1"), Source(SourceId("home-b"), "b", "eip155:1"))
    made = Epoch(NETWORK, 0, HASH0, NOW - DAY_MS, members, sources=sources)
    return replace(made, **changes)


def proposal(of: Epoch, change: Change, author: str = "m0", **changes: Any) -> Proposal:
    made = Proposal(of.hash, MemberName(author), NOW, NOW + 10 * DAY_MS, KIND_OF[type(change)], change, "why not")
    return replace(made, **changes)


def agreed(of: Epoch, change: Change, *signers: Signer, **changes: Any) -> Proposal:
    """With the consents of these keys."""
    given: tuple[Consent, ...] = tuple(consent(of.network, one, of.hash, change) for one in signers)
    return proposal(of, change, consents=given, **changes)


def sealed(of: Epoch, made: Proposal) -> SealedProposal:
    return seal_proposal(of.network, cold(made.author), made)


def vote(of: Epoch, on: SealedProposal, name: str, yes: bool = True, **changes: Any) -> SealedBallot:
    made = Ballot(on.hash, MemberName(name), 0, Vote(int(yes)), NOW + 1, "")
    return cast(of.network, cold(name), replace(made, **changes))


def votes(of: Epoch, on: SealedProposal, who: Iterable[str], **changes: Any) -> list[SealedBallot]:
    return [vote(of, on, name, **changes) for name in who]


def value(of: Epoch, hashes: Iterable[Digest] = (), **changes: Any) -> Value:
    made = Value(of.hash, of.number + 1, tuple(sorted(hashes)), (), NOW + 20 * DAY_MS)
    return replace(made, **changes)


def keyset(name: str, version: int = 1, which: int = 0) -> SealedKeySet:
    """`which`: the generation of the governance key that seals it."""
    made = KeySet(MemberName(name), version, hot(name, version).public, None, (f"12D3KooW{name}",), NOW + 300 * DAY_MS)
    return seal_keyset(NETWORK, cold(name, which), made)


def lookup(name: MemberName, version: int) -> SealedKeySet:
    return keyset(name, version)


def says(name: str, body: Any, *, seq: int = 0, version: int = 1, issued_ms: int = NOW) -> Verified[Any]:
    return seal_entry(
        NETWORK,
        hot(name, version),
        author=MemberName(name),
        key_version=version,
        seq=seq,
        prev=ZERO_HASH,
        issued_ms=issued_ms,
        body=body,
    )


def commits(of: Epoch, made: Value, who: Iterable[str], round_: int = 0) -> list[Verified[Any]]:
    return [says(name, Commit(of.hash, round_, value_hash(made))) for name in who]


def fork(name: str, version: int = 1) -> tuple[Verified[Any], Verified[Any]]:
    """Two entries of one seq."""
    return (
        says(name, Heartbeat(HASH0), version=version),
        says(name, Heartbeat(HASH0), version=version, issued_ms=NOW + 1),
    )
