"""What is shown and lacking is asked of one peer at a time; what comes by itself is not asked for."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

from node.machine.alarms import PUSH_GRACE_MS
from node.machine.asking import (
    ANSWER_MS,
    ANSWERING_MS_MAX,
    AT_ONE_PEER_MAX,
    FRESH_MS,
    GRACE_MS,
    PAID_MS,
    SHOWN_LACKING_MAX,
)
from node.machine.heads import peer_came_up
from protocol.crypto import sha256
from protocol.frames import (
    CertificateFrame,
    Entries,
    Frame,
    Head,
    Heads,
    Shown,
    WantCertificates,
    WantEntries,
    pack_frame,
    parse_frame,
)
from protocol.ids import ZERO_HASH, Digest
from protocol.messages import Level
from protocol.quorum import certificate_id
from protocol.subjects import Subject, from_text
from tests.unit.machine.world import COIN, THREAT, TICK_MS, World, claim, opinion, peer_of

A_MOMENT_MS = 2 * 20 + TICK_MS
"""There and back, and a tick."""


def sent(world: World, kind: type, by: str, since: int = 0) -> list[tuple[str, Any]]:
    """(to whom, frame)"""
    found = ((b, parse_frame(raw)) for a, b, raw in world.wiretap[since:] if a == by)
    return [(b, frame) for b, frame in found if isinstance(frame, kind)]


def isolate_id(world: World) -> Digest:
    return certificate_id(world.epoch.hash, (COIN, THREAT), Level.ISOLATE)


def settled(n: int = 7, liars: int = 0) -> World:
    """No connection is fresh any more."""
    world = World(n, liars=liars)
    world.run(FRESH_MS)
    return world


def test_each_range_is_asked_of_one_peer() -> None:
    world = World(4)
    world.unplug("m3")
    world[0].sense(world.true(claim()))
    world.run(1_000)
    since = len(world.wiretap)
    world.replug("m3")
    world.run(3_000)
    asked = Counter((want.author, want.from_seq) for _, want in sent(world, WantEntries, "m3", since))
    assert asked and set(asked.values()) == {1}
    assert world[3].state.feeds[("m0", 0)].whole == world[0].state.own_head()[0]


def test_ranges_of_many_feeds_are_shared_among_those_who_have_them() -> None:
    world = World(7)
    world.unplug("m6")
    world[0].sense(world.true(claim()))
    world.run(3_000)
    since = len(world.wiretap)
    for i in range(6):
        world.delay_ms[(f"m{i}", "m6")] = world.delay_ms[("m6", f"m{i}")] = 200 if i else 20
    world.replug("m6")
    world.run(3_000)
    asked = sent(world, WantEntries, "m6", since)
    assert len(asked) == len({want.author for _, want in asked})


def test_who_does_not_send_a_range_is_passed_over_after_one_deadline() -> None:
    world = World(4, liars=1)
    world.unplug("m2")
    world[0].sense(world.true(claim()))
    world.run(500)
    world.plug("m2", "m3")
    told = (Head(world[0].name, 0, world[0].state.own_head()[0] + 1, world[0].state.own_head()[0], ZERO_HASH),)
    world.liars["m3"].send(Heads(told, ()), to=[2], sync=True)
    world.run(30)
    assert [to for to, _ in sent(world, WantEntries, "m2") if to == "m3"]
    world.plug("m2", "m0")
    there = world[0].state.own_head()[0]
    took_ms = world.until(lambda: world[2].state.feeds[("m0", 0)].whole == there)
    assert took_ms <= ANSWER_MS[0] + A_MOMENT_MS


def test_who_goes_on_answering_is_waited_for_but_only_so_long() -> None:
    """m3 was asked first, and every 300 ms sends some other word: others are asked later, and yet in time. Nobody else
    says what m0 says, so that no certificate brings it."""
    world = World(4, liars=1)
    world.unplug("m2")
    world[0].sense(claim())
    world.run(500)
    feed = world[0].state.feeds[("m0", 0)]
    world.plug("m2", "m3")
    world.liars["m3"].send(Heads((Head(world[0].name, 0, feed.top + 1, feed.top, feed.top_hash),), ()), [2], sync=True)
    world.run(30)
    world.plug("m2", "m0")

    def is_whole_after_another_word() -> bool:
        if world.now_ms % 300 < TICK_MS:
            world.liars["m3"].send(Entries((feed.links[0].raw,)), [2], sync=True)
        return world[2].state.feeds[("m0", 0)].whole == feed.top

    took_ms = world.until(is_whole_after_another_word)
    assert ANSWER_MS[0] + A_MOMENT_MS < took_ms <= ANSWERING_MS_MAX + A_MOMENT_MS


def test_what_an_honest_peer_shows_does_not_wait_for_a_liar_who_showed_it_alone() -> None:
    world = settled(4, liars=1)
    liar = world.liars["m3"]
    for _ in range(8):
        liar.send(Heads((Head(world[0].name, 0, 0, 10**9, ZERO_HASH),), (isolate_id(world),)), to=[2], sync=True)
        world.run(1_000)
    world.unplug("m2", "m0", "m1")
    world[0].sense(world.true(claim()))
    world[1].sense(world.true(claim()))
    liar.say(opinion(Level.ISOLATE, now_ms=world.now_ms, sources=("m3-node",)), to=[0, 1])
    world.until(lambda: world[0].certificate() is not None)
    world.replug("m2")
    took_ms = world.until(lambda: world[2].certificate() is not None)
    assert took_ms <= ANSWER_MS[0] + A_MOMENT_MS


def test_what_everybody_counts_nobody_asks_for_and_nobody_pushes() -> None:
    world = settled()
    since = len(world.wiretap)
    world[0].sense(world.true(claim()))
    world.run(5_000)
    assert all(node.certificate() for node in world)
    for node in world:
        assert not sent(world, WantCertificates, node.name, since) + sent(world, CertificateFrame, node.name, since)


def deaf_to_words(world: World, deaf: int) -> None:
    """No entry of an alarm reaches it: only what is shown and what it asks for."""
    carry = world.carry

    def without(a: str, peer_id: str, raw: bytes, sync: bool) -> None:
        if peer_id == peer_of(f"m{deaf}") and raw[:2] == b"\x82\x02":
            return
        carry(a, peer_id, raw, sync)

    world.carry = without  # type: ignore[method-assign]


def test_a_certificate_that_was_shown_and_not_counted_is_asked_of_one_peer_after_a_grace() -> None:
    world = settled()
    deaf_to_words(world, 6)
    since = len(world.wiretap)
    world[0].sense(world.true(claim()))
    world.until(lambda: world[0].certificate() is not None)
    took_ms = world.until(lambda: world[6].certificate() is not None)
    assert GRACE_MS <= took_ms <= GRACE_MS + 2 * A_MOMENT_MS
    asked = Counter(id_ for _, want in sent(world, WantCertificates, "m6", since) for id_ in want.ids)
    assert asked[isolate_id(world)] == 1


def test_who_shows_a_certificate_and_does_not_give_it_costs_one_deadline() -> None:
    world = settled(4, liars=1)
    world.unplug("m3", "m0", "m1")
    deaf_to_words(world, 2)
    mute = {peer_of("m0"), peer_of("m1")}
    carry = world.carry

    def swallowed(a: str, peer_id: str, raw: bytes, sync: bool) -> None:
        """The first that is asked does not answer."""
        if a == "m2" and peer_id in mute and raw[:2] == b"\x82\x09":
            mute.clear()
            return
        carry(a, peer_id, raw, sync)

    world.carry = swallowed  # type: ignore[method-assign]
    world[0].sense(world.true(claim()))
    world[1].sense(world.true(claim()))
    world.plug("m3", "m0")
    world.plug("m3", "m1")
    world.liars["m3"].say(opinion(Level.ISOLATE, now_ms=world.now_ms, sources=("m3-node",)), to=[0, 1])
    world.until(lambda: world[0].certificate() is not None and world[1].certificate() is not None)
    took_ms = world.until(lambda: world[2].certificate() is not None)
    assert not mute and took_ms <= GRACE_MS + ANSWER_MS[0] + 2 * A_MOMENT_MS


def test_a_certificate_is_pushed_in_the_end_to_who_never_showed_it() -> None:
    world = settled()
    deaf_to_words(world, 6)
    carry = world.carry
    world.carry = (
        lambda a, peer_id, raw, sync: (  # type: ignore[method-assign]
            None if a == "m6" and raw[:2] == b"\x82\x09" else carry(a, peer_id, raw, sync)
        )
    )
    world[0].sense(world.true(claim()))
    world.until(lambda: world[0].certificate() is not None)
    took_ms = world.until(lambda: world[6].certificate() is not None)
    assert PUSH_GRACE_MS <= took_ms <= PUSH_GRACE_MS + 2 * A_MOMENT_MS


def coin(number: int) -> Subject:
    return from_text(f"eip155:1/erc20:0x{number:040x}")


def test_who_was_away_gets_many_certificates_at_once_and_refuses_none_of_them() -> None:
    world = World(4)
    world.unplug("m3")
    for number in range(1, 61):
        for i in range(3):
            world[i].sense(world.true(claim(number), subject=coin(number)), subject=coin(number))
        world.run(60)
    world.run(500)
    held = set(world[0].state.certificates)
    assert len(held) >= 120
    before = dict(world[3].state.refusals)
    world.replug("m3")
    took_ms = world.until(lambda: held <= set(world[3].state.certificates))
    assert took_ms < 500
    assert world[3].state.refusals == before


def test_no_more_are_under_way_from_one_peer_than_it_can_hold_up() -> None:
    world = settled(4, liars=1)
    ids = [Digest(sha256(number.to_bytes(4, "big"))) for number in range(256)]
    world.liars["m3"].send(Shown(tuple(ids)), to=[0])
    world.run(GRACE_MS + A_MOMENT_MS)
    asked = [id_ for to, want in sent(world, WantCertificates, "m0") for id_ in want.ids]
    assert len(asked) == AT_ONE_PEER_MAX


def test_what_a_liar_invents_takes_nobody_elses_place_and_is_forgotten() -> None:
    world = settled(4, liars=1)
    liar, state = world.liars["m3"], world[0].state
    for flood in range(20):
        ids = [Digest(sha256((flood * 256 + number).to_bytes(4, "big"))) for number in range(256)]
        liar.send(Shown(tuple(ids)), to=[0])
        world.run(30)
    assert len(state.lacking) <= SHOWN_LACKING_MAX
    deaf_to_words(world, 0)
    world[1].sense(world.true(claim()))
    world[2].sense(world.true(claim()))
    liar.say(opinion(Level.ISOLATE, now_ms=world.now_ms, sources=("m3-node",)), to=[1, 2])
    world.until(lambda: world[1].certificate() is not None)
    assert world.until(lambda: world[0].certificate() is not None) <= GRACE_MS + 2 * A_MOMENT_MS
    world.unplug("m3")
    world.run(30_000)
    assert not state.lacking


def test_an_answer_is_free_once_and_what_nobody_asked_for_is_not() -> None:
    world = settled(4, liars=1)
    world[0].sense(world.true(claim()))
    world.run(500)
    held = world[1].certificate()
    assert held is not None
    invented = Digest(sha256(b"nothing"))
    world.liars["m3"].send(Shown((invented,)), to=[0])
    world.run(GRACE_MS + A_MOMENT_MS)
    assert invented in world[0].state.links[peer_of("m3")].asked
    before = world[0].state.budgets.connections[peer_of("m3")].now(world[0].clock().mono_ms)
    world.liars["m3"].send(CertificateFrame(held.raw), to=[0], sync=True)
    world.run(21)
    after = world[0].state.budgets.connections[peer_of("m3")].left
    assert after is not None and after < before


def test_whoever_answers_with_what_is_none_is_not_owed_for_any_more() -> None:
    world = settled(4, liars=1)
    world.liars["m3"].send(Shown((Digest(sha256(b"nothing")),)), to=[0])
    world.run(GRACE_MS + A_MOMENT_MS)
    link = world[0].state.links[peer_of("m3")]
    assert link.asked
    world.liars["m3"].send(CertificateFrame(b"\x00"), to=[0], sync=True)
    world.run(30)
    assert not link.asked


def test_what_was_asked_for_in_vain_is_owed_for_a_while_only() -> None:
    world = settled(4, liars=1)
    world.liars["m3"].send(Shown((Digest(sha256(b"nothing")),)), to=[0])
    world.run(GRACE_MS + A_MOMENT_MS)
    link = world[0].state.links[peer_of("m3")]
    world[0].state.lacking.clear()
    world.run(PAID_MS + A_MOMENT_MS)
    assert not link.asked


def test_a_word_that_is_on_its_way_is_not_asked_for() -> None:
    world = settled()
    for i in range(1, 7):
        world.delay_ms[("m0", f"m{i}")] = GRACE_MS - 100
    since = len(world.wiretap)
    world[0].sense(world.true(claim()))
    for i in range(1, 6):
        world[i].state.heads_at_ms = 0
    world.run(GRACE_MS + 200)
    assert not [
        want for i in range(1, 7) for _, want in sent(world, WantEntries, f"m{i}", since) if want.author == "m0"
    ]


def test_who_comes_up_is_shown_every_certificate_that_runs() -> None:
    ids = [Digest(sha256(number.to_bytes(4, "big"))) for number in range(700)]
    frames: list[Frame] = []
    state: Any = SimpleNamespace(
        feeds={},
        keysets={},
        contradicted={},
        links={},
        certificates=dict.fromkeys(ids, SimpleNamespace(ends_ms=10**15)),
        members_of=lambda peer_id: frozenset({"m1"}),
        epoch=SimpleNamespace(network=sha256(b"network")),
    )
    step: Any = SimpleNamespace(
        state=state,
        now_ms=1_790_000_000_000,
        at=SimpleNamespace(mono_ms=0),
        send=lambda peer_id, frame, sync=False: frames.append(parse_frame(pack_frame(frame))),
    )
    peer_came_up(step, "peer")
    told = [
        id_
        for one in frames
        for id_ in (one.shown if isinstance(one, Heads) else one.ids if isinstance(one, Shown) else ())
    ]
    assert sorted(told) == sorted(ids)


def test_as_many_liars_as_may_lie_cost_a_few_deadlines_and_not_one_each() -> None:
    """13 groups, 4 of them show what they do not serve, and who said it is out of reach."""
    world = settled(13, liars=4)
    world.unplug("m0", "m1")
    world[1].sense(world.true(claim()))
    world.run(300)
    world.unplug("m1")
    for node in [world[i] for i in range(2, 9)]:
        node.world.unplug("m0", node.name)
    end = world[2].state.feeds[("m1", 0)].top
    told = Heads((Head(world[1].name, 0, end + 1, end, world[2].state.feeds[("m1", 0)].top_hash),), ())
    for liar in world.liars.values():
        liar.send(told, to=[0], sync=True)
    world.run(2 * TICK_MS + GRACE_MS)
    world.replug("m0")
    world.unplug("m0", "m1")
    took_ms = world.until(lambda: world[0].state.feeds[("m1", 0)].whole == end)
    assert took_ms <= 3 * ANSWER_MS[0] + A_MOMENT_MS


def test_who_said_it_is_asked_first() -> None:
    world = settled()
    world.unplug("m0", "m5")
    world[5].sense(world.true(claim()))
    world.run(200)
    since = len(world.wiretap)
    for peer in [f"m{i}" for i in range(1, 5)]:
        world.unplug("m0", peer)
    world.plug("m0", "m5")
    world.run(1_000)
    asked = [to for to, want in sent(world, WantEntries, "m0", since) if want.author == "m5"]
    assert asked == ["m5"]


def test_a_word_lost_in_a_cut_that_no_connection_noticed_is_there_within_two_seconds() -> None:
    world = settled(4)
    world.run(20_000)
    world.loss = 1.0
    world[1].machine.state.heartbeat_at_ms = 0
    world.run(2_000)
    world.loss = 0.0
    said = world[1].state.own_head()[0]
    took_ms = world.until(lambda: world[0].state.feeds[("m1", 0)].whole == said)
    assert took_ms < 2_000
