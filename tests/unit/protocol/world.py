"""A small network with keys that are the same in every run, and short ways to say things in it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from protocol.crypto import Signer, sha256
from protocol.envelope import SealedKeySet, Verified, seal_entry, seal_keyset
from protocol.ids import ZERO_HASH, Digest, EntryHash, EpochHash, GroupName, MemberName, NetworkId, SourceId
from protocol.membership import Bridge, Epoch, Member, OracleFeed, Source
from protocol.messages import Attestation, Basis, Claim, KeySet, Level, Release, Threat, Tlp
from protocol.release import Releases
from protocol.subjects import asset, oracle

NOW = 1_780_000_000_000
HOUR = 3_600_000
HOME, FAR = "eip155:1", "eip155:130"
NETWORK = NetworkId(sha256(b"test network"))
OTHER_NETWORK = NetworkId(sha256(b"another network"))
EPOCH = EpochHash(sha256(b"epoch 0"))
TOKEN = asset(HOME, b"\x11" * 20)
OTHER_TOKEN = asset(HOME, b"\x12" * 20)
THREAT = Threat.BRIDGE_FORGERY
TOPIC = (TOKEN, int(THREAT))
BRIDGE = Bridge(TOKEN, HOME, b"\x22" * 20, FAR, b"\x33" * 20)
ORACLE = OracleFeed(oracle(HOME, b"\x44" * 20), HOME, b"\x44" * 20, (b"\x55" * 20, b"\x56" * 20))
CLAIM = Claim("evm-release-without-burn", b"\xaa" * 32, Digest(b"\xbb" * 32))
OTHER_CLAIM = Claim("evm-supply-above-backing", b"\xcc" * 32, Digest(b"\xdd" * 32))

_signers: dict[tuple[str, str], Signer] = {}


def name(at: int) -> MemberName:
    return MemberName(f"m{at:02d}")


def signer(who: str, purpose: str = "hot") -> Signer:
    """Member `who`'s attestation ("hot") or governance ("cold") key."""
    key = (who, purpose)
    if key not in _signers:
        _signers[key] = Signer(sha256(f"{purpose} key of {who}".encode()))
    return _signers[key]


def epoch(n: int = 4, **changes: Any) -> Epoch:
    """n members, each a group of its own, each with an own source for both chains, and two vendors."""
    members = tuple(Member(name(at), GroupName(f"g{at:02d}"), signer(name(at), "cold").public) for at in range(n))
    sources = [Source(SourceId(f"{one.name}-{chain}"), one.name, chain) for one in members for chain in (HOME, FAR)]
    sources += [Source(SourceId(f"v{v}-{chain}"), f"vendor-{v}", chain) for v in (1, 2) for chain in (HOME, FAR)]
    made = Epoch(NETWORK, 0, EPOCH, NOW - HOUR, members, sources=tuple(sources), bridges=(BRIDGE,), oracles=(ORACLE,))
    return replace(made, **changes)


def regrouped(base: Epoch, groups: dict[str, str]) -> Epoch:
    members = tuple(replace(one, group=GroupName(groups.get(one.name, one.group))) for one in base.members)
    return replace(base, members=members)


def suspending(base: Epoch, *names: str) -> Epoch:
    return replace(base, members=tuple(replace(one, suspended=one.name in names) for one in base.members))


def own_sources(who: str) -> tuple[SourceId, ...]:
    return SourceId(f"{who}-{HOME}"), SourceId(f"{who}-{FAR}")


def vendor(number: int) -> tuple[SourceId, ...]:
    return SourceId(f"v{number}-{HOME}"), SourceId(f"v{number}-{FAR}")


def attestation(who: str = "m00", level: Level = Level.ISOLATE, **changes: Any) -> Attestation:
    body = Attestation(
        epoch=EPOCH,
        subject=TOKEN,
        threat=int(THREAT),
        level=level,
        basis=Basis.VERIFIED,
        claims=(CLAIM,),
        sources=own_sources(who),
        detector="bridge-watch",
        incident="",
        since_ms=NOW,
        expires_ms=NOW + HOUR,
        by_person=False,
        tlp=Tlp.GREEN,
    )
    return replace(body, **changes)


def sealed(
    who: str,
    body: Any,
    *,
    seq: int = 0,
    prev: EntryHash = ZERO_HASH,
    at_ms: int = NOW,
    version: int = 1,
    network: NetworkId = NETWORK,
    key: Signer | None = None,
) -> Verified[Any]:
    return seal_entry(
        network,
        key or signer(who),
        author=MemberName(who),
        key_version=version,
        seq=seq,
        prev=prev,
        issued_ms=at_ms,
        body=body,
    )


def says(who: str, level: Level = Level.ISOLATE, *, at_ms: int = NOW, seq: int = 0, **changes: Any) -> Verified[Any]:
    """`who`'s opinion on TOPIC."""
    return sealed(who, attestation(who, level, **changes), at_ms=at_ms, seq=seq)


def all_say(whos: Iterable[str], level: Level = Level.ISOLATE, **changes: Any) -> list[Verified[Any]]:
    return [says(who, level, **changes) for who in whos]


def names(count: int, start: int = 0) -> list[MemberName]:
    return [name(at) for at in range(start, start + count)]


def keyset(who: str, version: int = 1, **changes: Any) -> KeySet:
    plain = KeySet(MemberName(who), version, signer(who).public, None, (f"12D3KooW{who}",), NOW + 300 * 24 * HOUR)
    return replace(plain, **changes)


def delegated(who: str, version: int = 1, **changes: Any) -> SealedKeySet:
    return seal_keyset(NETWORK, signer(who, "cold"), keyset(who, version, **changes))


def keysets_of(base: Epoch) -> Any:
    """A KeySetLookup that knows version 1 of every member."""
    known = {(one.name, 1): delegated(one.name) for one in base.members}
    return lambda who, version: known.get((who, version))


def released(through_ms: int = NOW, **changes: Any) -> Release:
    return replace(Release(EPOCH, TOKEN, int(THREAT), through_ms, ()), **changes)


def releases(base: Epoch, **through_ms: int) -> Releases:
    """Releases of TOPIC by member name."""
    made = Releases()
    for who, through in through_ms.items():
        made.add(MemberName(who), released(through), base)
    return made


NO_RELEASES = Releases()


def real_data(path: str) -> Path:
    """A file of foreign test vectors; skips where the data set is not beside this checkout."""
    root = os.environ.get("TOCSIN_DATA")
    if not root or not (Path(root) / path).exists():
        pytest.skip(f"TOCSIN_DATA does not name a directory with {path}")
    return Path(root) / path
