"""Who is known to the fuzzed readers: two small networks, their keys, and the cloned node that frames are thrown at."""

from __future__ import annotations

import copy
import functools
from collections import deque
from dataclasses import fields, is_dataclass, replace
from typing import Any

from node.machine.state import Setup, State
from protocol.crypto import Signer, sha256
from protocol.envelope import SealedKeySet, open_keyset
from protocol.ids import EpochHash, GroupName, MemberName, NetworkId, PublicKey
from protocol.membership import Bridge, Epoch, OracleFeed
from protocol.messages import Level
from protocol.subjects import oracle
from tests.tidy import make_vectors as vectors
from tests.unit.machine import cast
from tests.unit.machine.world import World

MEMBERS = 4
VERSIONS = (0, 1)
NETWORKS = (cast.NETWORK, vectors.NETWORK)
ESCROW, TWIN, FEED = b"e" * 20, b"t" * 20, b"\x44" * 20


def network_of(author: str) -> NetworkId:
    """The network that a name belongs to; the names of the two never meet."""
    return vectors.NETWORK if author in vectors.NAMES else cast.NETWORK


def hot_key(author: str, version: int) -> Signer:
    return vectors.hot(author) if author in vectors.NAMES else cast.hot(author, version)


def cold_key(member: str) -> Signer:
    return vectors.cold(member) if member in vectors.NAMES else cast.governance(member)


@functools.cache
def public_hot(author: str, version: int) -> PublicKey:
    return hot_key(author, version).public


@functools.cache
def public_cold(member: str) -> PublicKey:
    return cold_key(member).public


@functools.cache
def known_names() -> frozenset[str]:
    return frozenset({*vectors.NAMES, *(cast.member(at) for at in range(MEMBERS + 2))})


def _register(epoch: Epoch) -> Epoch:
    bridge = Bridge(cast.COIN, cast.CHAIN, ESCROW, "eip155:10", TWIN)
    feed = OracleFeed(oracle(cast.CHAIN, FEED), cast.CHAIN, FEED, (b"\x55" * 20,))
    return replace(epoch, bridges=(bridge,), oracles=(feed,))


@functools.cache
def epochs() -> dict[EpochHash, Epoch]:
    """By hash: four plain members; six of whom two share a group and one is suspended; the golden files' four."""
    plain = _register(cast.epoch_of(MEMBERS))
    mixed = cast.epoch_of(6, hash=EpochHash(sha256(b"epoch 1")))
    members = [replace(one, suspended=one.name == "m5") for one in mixed.members]
    members[1] = replace(members[1], group=GroupName("g-m0"))
    mixed = _register(replace(mixed, members=tuple(members), lease_ms={Level.GUARD: 60_000}))
    return {one.hash: one for one in (plain, mixed, vectors.epoch())}


@functools.cache
def _opened(author: str) -> SealedKeySet | None:
    if author not in known_names() or author in vectors.NAMES:
        return None
    return open_keyset(cast.keyset(author), cast.NETWORK, public_cold(author))


def known_keyset(author: MemberName, version: int) -> SealedKeySet | None:
    """What the receiver of a certificate holds already: version 0 of everybody in the first network."""
    return _opened(author) if version == 0 else None


@functools.cache
def _world(alarmed: bool) -> World:
    world = World(MEMBERS)
    if alarmed:
        one = world.true(cast.claim(1))
        for node in list(world)[:3]:
            node.sense(one)
        world.run(1_000)
    world.run(1_000)
    return world


def node_before(alarmed: bool) -> tuple[State, int]:
    """A node of the first network with peers and feeds, calm or in the midst of an ISOLATE; and its time."""
    world = _world(alarmed)
    return clone(world[0].state), world.now_ms


def wiretap() -> list[bytes]:
    """Every frame that the two scenes sent, each once."""
    return list(dict.fromkeys(raw for alarmed in (False, True) for _, _, raw in _world(alarmed).wiretap))


def clone(value: Any) -> Any:
    """A copy that shares what cannot change: a deep copy would rebuild every verified entry."""
    if isinstance(value, dict):
        return {key: clone(one) for key, one in value.items()}
    if isinstance(value, list | set | deque):
        return type(value)(clone(one) for one in value)
    if isinstance(value, Setup) or not is_dataclass(value) or value.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        return value
    copied = copy.copy(value)
    for field in fields(value):
        setattr(copied, field.name, clone(getattr(value, field.name)))
    return copied
