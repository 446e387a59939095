"""What left a feed's window lies in the store: an old fork is proven all the same, and the past costs little."""

from __future__ import annotations

from typing import Any

import pytest

from node.effects import LookUp
from node.events import FrameArrived, LookedUp
from node.ingress import LOOK_UPS
from node.records import EntryAccepted, EquivocationProven
from protocol import feed
from protocol.envelope import parse_entry
from protocol.frames import Entries, pack_frame
from protocol.ids import EntryHash
from protocol.messages import Notice, Tlp
from tests.unit.machine.world import NETWORK, Liar, Node, World, peer_of

WINDOW = 8
SAID = 40


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "WINDOW", WINDOW)


def word(text: str) -> Notice:
    return Notice(text, Tlp.GREEN)


def long_ago(to: list[int] | None = None) -> tuple[World, Liar, list[bytes]]:
    """A member said so much that only the last of it is in anybody's memory."""
    world = World(4, liars=1)
    liar = world.liars["m3"]
    said = [liar.seal(word(str(number))).raw for number in range(SAID)]
    for raw in said:
        liar.send(Entries((raw,)), to=to)
    world.run(500)
    return world, liar, said


def rival(liar: Liar, seq: int, prev: EntryHash) -> bytes:
    return liar.seal(word("otherwise"), seq=seq, prev=prev).raw


def tells(node: Node, *raws: bytes) -> Any:
    return node.handle(FrameArrived(peer_of("m3"), True, False, pack_frame(Entries(raws))))


def test_a_fork_of_what_left_memory_is_proven_everywhere() -> None:
    world, liar, said = long_ago()
    liar.send(Entries((rival(liar, 5, parse_entry(said[4], NETWORK).hash),)), to=[0])
    world.run(200)
    for node in world:
        assert node.count(EquivocationProven) == 1
        (pair,) = node.state.equivocations.values()
        assert said[5] in pair
        assert len(node.state.feeds[(liar.name, 0)].links) == WINDOW


def test_the_proof_is_there_after_a_restart() -> None:
    world, liar, _ = long_ago()
    liar.send(Entries((rival(liar, 5, EntryHash(bytes(32))),)), to=[0])
    world.run(200)
    kept = world[0].state.equivocations
    world[0].stop()
    world[0].restart()
    assert world[0].state.equivocations == kept
    assert world[0].state.feeds[(liar.name, 0)].forgotten == SAID - WINDOW - 1


def test_the_past_said_again_proves_nothing_and_costs_its_author_nothing() -> None:
    world, liar, said = long_ago()
    node = world[0]
    node.state.seen.clear()
    before = node.state.budgets.authors[liar.name].left
    records = len(node.records())
    for raw in said[:20]:
        tells(node, raw)
    world.run(50)
    assert not node.state.equivocations and node.state.budgets.authors[liar.name].left == before
    assert not any(isinstance(one, EntryAccepted) and one.raw in said for one in node.records()[records:])


def test_who_sends_the_past_without_end_has_us_read_it_seldom() -> None:
    world, _, said = long_ago()
    node = world[0]
    node.state.seen.clear()
    looked = 0
    for number in range(300):
        decision = tells(node, said[number % 20])
        looked += sum(isinstance(one, LookUp) for one in decision.effects)
    assert looked <= LOOK_UPS[0]


def test_a_spoilt_word_of_the_past_is_refused_for_its_seal() -> None:
    world, _, said = long_ago()
    node = world[0]
    decision = tells(node, said[5][:-1] + bytes([said[5][-1] ^ 1]))
    assert not decision.effects and node.state.refusals == {"bad-signature": 1}


def test_a_word_below_a_gap_that_was_given_up_is_taken_late() -> None:
    world = World(4, liars=1)
    liar = world.liars["m3"]
    said = [liar.seal(word(str(number))).raw for number in range(SAID)]
    for raw in (*said[:2], *said[3:]):
        tells(world[0], raw)
    assert world[0].state.feeds[(liar.name, 0)].forgotten > 2
    tells(world[0], said[2])
    world.run(50)
    assert any(isinstance(one, EntryAccepted) and one.raw == said[2] for one in world[0].records())
    assert not world[0].state.equivocations


def test_a_word_that_does_not_follow_what_the_store_has_before_it_is_a_proof() -> None:
    world = World(4, liars=1)
    liar = world.liars["m3"]
    said = [liar.seal(word(str(number))).raw for number in range(SAID)]
    for raw in (*said[:2], *said[3:]):
        tells(world[0], raw)
    stray = rival(liar, 2, EntryHash(bytes(32)))
    tells(world[0], stray)
    world.run(50)
    (pair,) = world[0].state.equivocations.values()
    assert stray in pair and (said[1] in pair or said[3] in pair)


def test_what_the_store_tells_is_looked_at_anew() -> None:
    """It comes a moment later: junk, words of others, or of a key that is not known any more prove nothing."""
    world, liar, said = long_ago()
    node = world[0]
    twin = rival(liar, 5, EntryHash(bytes(32)))
    for found in ((b"junk",), (said[7], twin), (twin,)):
        decision = node.handle(LookedUp(peer_of("m3"), twin, found))
        assert decision.records == () and decision.effects == ()
    assert node.handle(LookedUp(peer_of("m3"), b"junk", ())).records == ()
    assert node.handle(LookedUp("nobody", twin, (said[5],))).records != ()
