"""The allow-list follows what the node knows."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import trio
from trio.testing import MockClock

from node.allowed import FOLLOW_S, allowed_now, follow_members
from node.transport.api import PeerAddress
from protocol.envelope import seal_keyset
from protocol.ids import MemberName
from protocol.messages import KeySet
from tests.unit.machine.world import NETWORK, START_MS, World, governance, hot, peer_of


def parts() -> Any:
    """Of m0, under a charter whose KeySets name one identity each."""
    sealed = [seal_keyset(NETWORK, governance(f"m{n}"), named(f"m{n}", 0, peer_of(f"m{n}"))) for n in range(4)]
    contacts = [SimpleNamespace(member=MemberName("m1"), addresses=("/ip4/10.0.0.1/tcp/1",))]
    config = SimpleNamespace(member=MemberName("m0"), peers=(), observers=())
    return SimpleNamespace(charter=SimpleNamespace(keysets=sealed, contacts=contacts), config=config)


def named(member: str, version: int, *transport: str) -> KeySet:
    return KeySet(MemberName(member), version, hot(member, version).public, None, transport, START_MS + 10**9)


def test_a_newer_keyset_takes_the_place_of_the_charters() -> None:
    world = World(4)
    assert sorted(allowed_now(parts(), world[0].state)) == [peer_of(f"m{n}") for n in (1, 2, 3)]
    world.extra_keysets.append(seal_keyset(NETWORK, governance("m1"), named("m1", 1, "peer-that-moved")).raw)
    world[0].perform(world[0].machine.start(world[0].clock(), world.keysets()))
    allowed = allowed_now(parts(), world[0].state)
    assert sorted(allowed) == [peer_of("m2"), peer_of("m3"), "peer-that-moved"]
    assert allowed["peer-that-moved"] == PeerAddress("peer-that-moved", ("/ip4/10.0.0.1/tcp/1",))


def test_the_transport_is_told_when_the_set_changes_and_only_then() -> None:
    first, second = {"a": PeerAddress("a", ())}, {"b": PeerAddress("b", ())}
    now = first
    told: list[Mapping[str, PeerAddress]] = []

    async def body() -> None:
        nonlocal now
        async with trio.open_nursery() as nursery:
            nursery.start_soon(follow_members, lambda: now, told.append)
            await trio.sleep(10 * FOLLOW_S)
            assert told == []
            now = second
            await trio.sleep(10 * FOLLOW_S)
            nursery.cancel_scope.cancel()

    trio.run(body, clock=MockClock(autojump_threshold=0))
    assert told == [second]
