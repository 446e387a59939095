"""Observers read certificates up to their ceiling, at their own small rate, and nothing that they send counts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from node.events import FrameArrived, Observer, ObserversListed, PeerCameUp, PeerWentDown
from node.machine.observers import ASKING, READING, SHOW_EVERY_MS
from protocol.frames import (
    Blobs,
    CertificateFrame,
    Entries,
    Heads,
    Hello,
    KeySets,
    Shown,
    WantBlobs,
    WantCertificates,
    WantEntries,
    pack_frame,
    parse_frame,
)
from protocol.ids import Digest, MemberName, NetworkId
from protocol.messages import Level, Notice, Tlp
from protocol.quorum import certificate_id, parse_certificate
from tests.unit.machine.world import COIN, NETWORK, THREAT, Node, World, claim, keyset, member, opinion, peer_of

EYE = "peer-of-exchange"


def watched(ceiling: Tlp = Tlp.GREEN, tlp: Tlp = Tlp.GREEN, **kwargs: Any) -> tuple[World, Node]:
    """Four members, a certificate on the coin in words of `tlp`, and a node that lists the exchange."""
    world = World(4, liars=3, observers={EYE: Observer("exchange", ceiling)}, **kwargs)
    node = world[0]
    node.sense(world.true(claim()))
    for liar in world.liars.values():
        source = (f"{liar.name}-node",)
        liar.say(replace(opinion(claims=(claim(),), now_ms=world.now_ms, sources=source), tlp=tlp), claim())
    world.until(lambda: node.certificate() is not None)
    node.handle(PeerCameUp(EYE))
    return world, node


def pushed(world: World) -> list[Level]:
    return [parse_certificate(one.raw).level for one in told(world, CertificateFrame)]


def told(world: World, *kinds: type) -> list[Any]:
    frames = [parse_frame(raw) for _, to, raw in world.wiretap if to == "exchange"]
    return [one for one in frames if not kinds or isinstance(one, kinds)]


def says(node: Node, frame: Any) -> Any:
    raw = frame if isinstance(frame, bytes) else pack_frame(frame)
    return node.handle(FrameArrived(EYE, False, True, raw))


def refused(node: Node) -> dict[str, int]:
    return node.state.refusals_by_peer.get(EYE, {})


def coin_id(node: Node) -> Digest:
    return certificate_id(node.state.epoch.hash, (COIN, THREAT), Level.ISOLATE)


def test_it_is_told_the_keysets_at_once_and_each_certificate_at_the_next_tick() -> None:
    world, _ = watched()
    assert [len(one.keysets) for one in told(world, Hello)] == [4]
    world.run(150)
    assert pushed(world) == [Level.ISOLATE, Level.GUARD]
    world.run(3_000)
    assert pushed(world) == [Level.ISOLATE, Level.GUARD]


def test_where_a_push_was_lost_it_learns_what_runs_and_may_ask() -> None:
    world, node = watched()
    world.run(SHOW_EVERY_MS + 300)
    assert coin_id(node) in told(world, Shown)[-1].ids
    says(node, WantCertificates((coin_id(node), Digest(bytes(32)))))
    assert pushed(world) == [Level.ISOLATE, Level.GUARD, Level.ISOLATE]
    assert refused(node) == {}


def test_on_a_new_connection_it_is_told_again() -> None:
    world, node = watched()
    world.run(150)
    node.handle(PeerWentDown(EYE, "gone"))
    node.handle(PeerCameUp(EYE))
    world.run(150)
    assert pushed(world) == [Level.ISOLATE, Level.GUARD] * 2


@pytest.mark.parametrize(
    ("ceiling", "tlp", "leaves"),
    [
        (Tlp.GREEN, Tlp.CLEAR, True),
        (Tlp.GREEN, Tlp.GREEN, True),
        (Tlp.CLEAR, Tlp.GREEN, False),
        (Tlp.GREEN, Tlp.AMBER, False),
        (Tlp.GREEN, Tlp.RED, False),
    ],
)
def test_tlp_decides_what_leaves(ceiling: Tlp, tlp: Tlp, leaves: bool) -> None:
    """A certificate is as strict as its strictest word; what is above the ceiling is not even named. The node's own
    word, one of the four, is GREEN."""
    world, node = watched(ceiling, tlp)
    world.run(SHOW_EVERY_MS + 300)
    says(node, WantCertificates((coin_id(node),)))
    assert (Level.ISOLATE in pushed(world)) is leaves
    assert any(coin_id(node) in one.ids for one in told(world, Shown)) is leaves
    assert told(world, Entries, Blobs, Heads) == []


READ_ONLY = {
    "entries": lambda world: Entries((world.liars["m1"].seal(Notice("x", Tlp.GREEN)).raw,)),
    "blobs": lambda world: Blobs((claim(7).blob,)),
    "heads": lambda world: Heads((), ()),
    "shown": lambda world: Shown((Digest(bytes(32)),)),
    "keysets": lambda world: KeySets((keyset("m1", 1),)),
    "a want of entries": lambda world: WantEntries(MemberName("m1"), 0, 0, 5),
    "a want of blobs": lambda world: WantBlobs((claim().claim.digest,)),
    "a certificate": lambda world: CertificateFrame(world[0].certificate().raw),
}


@pytest.mark.parametrize("name", READ_ONLY)
def test_whatever_is_no_want_of_certificates_is_refused_and_counted(name: str) -> None:
    world, node = watched()
    held = len(node.state.keysets["m1"])
    decision = says(node, READ_ONLY[name](world))
    assert (decision.records, decision.effects) == ((), ())
    assert refused(node) == {"unknown-author": 1}
    assert len(node.state.keysets["m1"]) == held


def test_bytes_that_are_no_frame_and_other_networks_are_refused_by_name() -> None:
    _, node = watched()
    says(node, b"\xff")
    says(node, Hello(NetworkId(bytes(32)), 1, ()))
    assert refused(node) == {"not-canonical": 1, "foreign-network": 1}
    assert node.state.offences == {EYE: 1}
    assert says(node, Hello(NETWORK, 1, (keyset("m1", 1),))).records == ()


def test_who_asks_too_often_is_refused_and_a_new_connection_is_no_new_budget() -> None:
    world, node = watched()
    want = WantCertificates((Digest(bytes(32)),))
    for _ in range(int(ASKING[0])):
        says(node, want)
    node.handle(PeerWentDown(EYE, "gone"))
    node.handle(PeerCameUp(EYE))
    before = refused(node)["over-budget"]
    says(node, want)
    assert refused(node)["over-budget"] == before + 1 > 10
    assert peer_of("m1") not in node.state.refusals_by_peer
    world.run(2_000)
    assert says(node, want).records == () and refused(node)["over-budget"] == before + 1


def test_bytes_that_leave_are_bounded_and_what_did_not_leave_comes_later() -> None:
    world, node = watched()
    node.state.desks[EYE].reading.take(READING[0], node.clock().mono_ms)
    says(node, WantCertificates((coin_id(node),)))
    assert (told(world, CertificateFrame), refused(node)) == ([], {"over-budget": 1})
    world.run(2_000)
    assert pushed(world) == [Level.ISOLATE, Level.GUARD]


def test_an_observer_whom_a_keyset_names_is_a_member() -> None:
    world = World(4, observers={peer_of("m1"): Observer("m1-again", Tlp.CLEAR)})
    world[1].sense(world.true(claim()))
    world.until(lambda: world[0].certificate() is not None)
    assert world[0].state.links[peer_of("m1")].member == member(1)
    assert world[0].state.refusals_by_peer.get(peer_of("m1")) is None
    assert world[0].state.desks == {}


def lists(node: Node, **observers: Observer) -> Any:
    return node.handle(ObserversListed({EYE: one for one in observers.values()}))


def test_a_list_that_was_read_anew_is_followed_at_once_and_recorded_nowhere() -> None:
    world, node = watched(Tlp.CLEAR)
    world.run(200)
    assert not pushed(world)
    decision = lists(node, exchange=Observer("exchange", Tlp.GREEN))
    assert decision.records == () and decision.effects == ()
    world.run(200)
    assert pushed(world)


def test_who_is_on_the_list_no_more_is_a_stranger() -> None:
    world, node = watched()
    world.run(200)
    before = len(told(world))
    lists(node)
    assert not node.state.desks
    says(node, WantCertificates(tuple(node.state.certificates)))
    world.run(2 * SHOW_EVERY_MS)
    assert len(told(world)) == before
    assert refused(node)["unknown-author"] == 1


def test_who_stays_on_the_list_gets_no_new_budget_by_it() -> None:
    world, node = watched()
    world.run(200)
    kept = node.state.desks[EYE]
    lists(node, exchange=Observer("exchange", Tlp.CLEAR))
    assert node.state.desks[EYE] is kept
    world.run(200)
    assert not kept.sent
