"""A member may pad what it seals with fields of a later version, up to the bound of one entry. Nobody else's frames,
certificates or store may outgrow their own bounds for it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from node.effects import Broadcast, Send
from node.events import FrameArrived, PeerCameUp
from node.machine import Decision
from protocol import crypto
from protocol.codec import decode, encode
from protocol.envelope import (
    KEYSET_TAG,
    PROTECTED,
    SealedKeySet,
    Verified,
    _to_be_signed,
    open_keyset,
    parse_entry,
    verify_entry,
)
from protocol.frames import CertificateFrame, Entries, Hello, KeySets, pack_frame, parse_frame
from protocol.ids import GroupName, MemberName
from protocol.limits import CERTIFICATE_BYTES_MAX, ENTRY_BYTES_MAX, FRAME_BYTES_MAX
from protocol.messages import KEYSET, KeySet, Level
from protocol.quorum import assemble, pack_certificate
from tests.fuzz.seeds import word
from tests.unit.machine import cast
from tests.unit.machine.world import World

LEN_MOST = ENTRY_BYTES_MAX - 500
SEATS = 18
"""So many padded entries outgrow a frame."""


def sealed(tag: str, payload: bytes, signer: crypto.Signer) -> bytes:
    return encode([PROTECTED, {}, payload, signer.sign(_to_be_signed(tag, cast.NETWORK, payload))])


def padded_keyset(member: str, version: int) -> SealedKeySet:
    plain = KeySet(MemberName(member), version, cast.hot(member, version).public, None, (cast.peer_of(member),), 2**62)
    payload = encode(KEYSET.pack(plain) | {64: bytes(LEN_MOST - 200)})
    raw = sealed(KEYSET_TAG, payload, cast.governance(member))
    return open_keyset(raw, cast.NETWORK, cast.governance(member).public)


def padded(said: Verified[Any]) -> Verified[Any]:
    """The same words with a field that nobody here knows."""
    author = said.entry.author
    fields = decode(decode(said.raw, bytes_max=ENTRY_BYTES_MAX)[2], bytes_max=ENTRY_BYTES_MAX)
    payload = encode(fields | {64: bytes(LEN_MOST - len(said.raw))})
    raw = sealed("tocsin/1/attestation", payload, cast.hot(author))
    return verify_entry(parse_entry(raw, cast.NETWORK), cast.hot(author).public)


def bounded(decision: Decision) -> list[Any]:
    """Every frame of a decision, each within the bound that its receiver holds it to."""
    raws = [effect.raw for effect in decision.effects if isinstance(effect, Send | Broadcast)]
    assert all(len(raw) <= FRAME_BYTES_MAX for raw in raws)
    return [parse_frame(raw) for raw in raws]


def test_padded_keysets_leave_room_for_a_hello() -> None:
    world = World(4)
    told = [padded_keyset(member, version) for member in ("m2", "m3") for version in range(1, 16)]
    for one in told:
        event = FrameArrived(cast.peer_of(one.keyset.member), False, True, pack_frame(KeySets((one.raw,))))
        world[0].handle(event)
    assert {len(world[0].state.keysets[cast.member(at)]) for at in (2, 3)} == {16}
    hello, *rest = bounded(world[0].handle(PeerCameUp(cast.peer_of("m1"))))
    assert isinstance(hello, Hello)
    more = [raw for frame in rest if isinstance(frame, KeySets) for raw in frame.raws]
    assert {*hello.keysets, *more} >= {one.raw for one in told}


def crowd(seats: int) -> World:
    """One control group of many seats beside three of one each."""
    epoch = cast.epoch_of(seats + 3)
    members = [replace(one, group=GroupName("g-crowd")) if at >= 3 else one for at, one in enumerate(epoch.members)]
    world = World(seats + 3, liars=seats)
    world.epoch = replace(epoch, members=tuple(members))
    for node in world:
        node.setup = replace(node.setup, epoch=world.epoch)
        node.restart(fresh=True)
    return world


def opinions(world: World, authors: range, level: Level = Level.GUARD) -> list[Verified[Any]]:
    return [
        word(f"m{at}", cast.opinion(level, now_ms=world.now_ms, sources=(f"m{at}-node",)), 90, at_ms=world.now_ms)
        for at in authors
    ]


@pytest.fixture
def alarmed() -> World:
    """A node that was told by eighteen padded seats of one group and by two plain ones."""
    world = crowd(SEATS)
    node = world[0]
    for name in (cast.member(at) for at in range(1, 3 + SEATS)):
        node.handle(PeerCameUp(cast.peer_of(name)))
    for said in (*map(padded, opinions(world, range(3, 3 + SEATS))), *opinions(world, range(1, 3))):
        event = FrameArrived(cast.peer_of(said.entry.author), True, False, pack_frame(Entries((said.raw,))))
        bounded(node.handle(event))
    return world


def test_padded_opinions_keep_no_certificate_from_being_made_or_kept(alarmed: World) -> None:
    held = alarmed[0].certificate(Level.GUARD)
    assert held is not None
    assert len(held.raw) <= CERTIFICATE_BYTES_MAX
    alarmed[0].restart()
    assert alarmed[0].certificate(Level.GUARD) is not None


def test_later_words_are_answered_in_frames_that_fit(alarmed: World) -> None:
    """Two seats carry an old certificate of all; the node knows later words of all of them, each padded."""
    world, node = alarmed, alarmed[0]
    old = opinions(world, range(3, 3 + SEATS))
    by_group = {world.epoch.group_of(one.entry.author): [one] for one in opinions(world, range(1, 3))}
    by_group[GroupName("g-crowd")] = old
    made = assemble(world.epoch, cast.TOPIC, Level.GUARD, by_group, lambda author, version: None)
    none = cast.opinion(Level.NONE, now_ms=world.now_ms)
    for author in [f"m{at}" for at in range(1, 3 + SEATS)]:
        late = padded(word(author, none, 95, at_ms=world.now_ms))
        node.handle(FrameArrived(cast.peer_of(author), True, False, pack_frame(Entries((late.raw,)))))
    frame = pack_frame(CertificateFrame(pack_certificate(made)))
    answers = bounded(node.handle(FrameArrived(cast.peer_of("m1"), False, True, frame)))
    later = [raw for one in answers if isinstance(one, Entries) for raw in one.raws]
    assert len(later) == 2 + SEATS


def test_what_a_peer_lacks_is_told_in_frames_that_fit() -> None:
    world = World(4)
    told = [padded_keyset(member, version) for member in ("m2", "m3") for version in range(1, 16)]
    for one in told:
        event = FrameArrived(cast.peer_of(one.keyset.member), False, True, pack_frame(KeySets((one.raw,))))
        world[0].handle(event)
    asked = FrameArrived(cast.peer_of("m1"), False, True, pack_frame(Hello(cast.NETWORK, 1, ())))
    found = [raw for one in bounded(world[0].handle(asked)) if isinstance(one, KeySets) for raw in one.raws]
    assert set(found) >= {one.raw for one in told}
