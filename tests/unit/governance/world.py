"""Four founders with keys that are the same in every run."""

from __future__ import annotations

from governance.card import Card
from governance.charter import Parameters, create, sign
from protocol.crypto import Signer
from protocol.ids import GroupName, MemberName, SourceId
from protocol.membership import Bridge, OracleFeed, Source
from protocol.messages import KeySet
from protocol.subjects import asset, oracle

NOW_MS = 1_780_000_000_000
YEAR_MS = 365 * 86_400_000
NAMES = ("issuer", "lender-a", "lender-b", "venue")
HOME, FAR = "eip155:1", "eip155:130"


def governance(name: str) -> Signer:
    return Signer(name.encode().ljust(32, b"g"))


def attestation(name: str) -> Signer:
    return Signer(name.encode().ljust(32, b"a"))


def card(name: str, group: str = "") -> Card:
    return Card(
        name=MemberName(name),
        group=GroupName(group or name),
        governance=governance(name).public,
        attestation=attestation(name).public,
        peer_id=f"12D3KooW{name}",
        addresses=("/ip4/127.0.0.1/tcp/4001",),
    )


def keyset(name: str, expires_ms: int = NOW_MS + YEAR_MS, version: int = 1) -> KeySet:
    return KeySet(MemberName(name), version, attestation(name).public, None, (f"12D3KooW{name}",), expires_ms)


def parameters() -> Parameters:
    return Parameters(
        name="test-net",
        created_ms=NOW_MS,
        sources=(Source(SourceId("node-a"), "lender-a", HOME), Source(SourceId("node-b"), "lender-b", FAR)),
        bridges=(Bridge(asset(HOME, b"\x11" * 20), HOME, b"\x22" * 20, FAR, b"\x33" * 20),),
        oracles=(OracleFeed(oracle(HOME, b"\x44" * 20), HOME, b"\x44" * 20, (b"\x55" * 20,)),),
    )


def unsigned(names: tuple[str, ...] = NAMES) -> str:
    return create([card(name) for name in names], parameters())


def founded(names: tuple[str, ...] = NAMES) -> str:
    text = unsigned(names)
    for name in names:
        text = sign(text, MemberName(name), governance(name), keyset(name))
    return text
