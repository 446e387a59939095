"""Who is up, who was away, who comes back, and what is carried to whom."""

from __future__ import annotations

import pytest

from node.events import FrameArrived, PeerCameUp
from node.ingress import CONNECTION_FRAMES
from node.machine import Phase
from node.records import EquivocationProven, SigningStopped
from protocol.envelope import seal_keyset
from protocol.feed import Feed
from protocol.frames import Entries, Head, Heads, Hello, KeySets, Shown, WantEntries, pack_frame, parse_frame
from protocol.ids import ZERO_HASH, Digest, EntryHash, MemberName, NetworkId
from protocol.limits import KEYSETS_PER_MEMBER_MAX, SKEW_AHEAD_MS_MAX
from protocol.messages import Heartbeat, KeySet, Level, Notice, Prepare, Tlp, value_hash
from tests.unit.machine.world import (
    HOUR_MS,
    NETWORK,
    TOPIC,
    World,
    claim,
    governance,
    hot,
    keyset,
    opinion,
    peer_of,
)


@pytest.mark.parametrize(("down", "isolates"), [(2, True), (3, False)])
def test_n_minus_f_suffice_and_one_fewer_is_blind(down: int, isolates: bool) -> None:
    world = World(7)
    for i in range(7 - down, 7):
        world[i].stop()
    world[0].sense(world.true(claim()))
    world.run(6_000)
    assert (world[0].certificate() is not None) is isolates
    assert world[0].state.blind() is not isolates
    assert any(told.startswith("blind" if not isolates else "thin") for told in world[0].told)
    assert world[0].certificate(Level.GUARD) is not None
    assert bool(world[0].state.actions) is isolates


def test_who_was_away_catches_up_and_acts_on_a_certificate_still_running() -> None:
    world = World(7)
    world.unplug("m6")
    world[0].sense(world.true(claim()))
    world.skip(2 * HOUR_MS)
    world.run(2_000)
    assert not world[6].state.actions
    world.replug("m6")
    took_ms = world.until(lambda: bool(world[6].state.actions))
    assert took_ms <= 5_000 + 4 * 20 + 200
    world.run(3_000)
    assert world[6].action().phase is Phase.EFFECTIVE
    tops = {node.name: {key: feed.top for key, feed in node.state.feeds.items()} for node in world}
    assert tops["m6"] == tops["m0"]


def test_long_ranges_follow_each_other_without_waiting_for_heads() -> None:
    world = World(4, liars=1)
    world.unplug("m2")
    quiet = world.liars["m3"]
    for _ in range(900):
        quiet.say(Notice("again", Tlp.GREEN), to=[0])
        world.run(60)
    world.plug("m2", "m0")
    took_ms = world.until(lambda: world[2].state.feeds.get(("m3", 0), Feed("m3", 0)).whole == 899)
    assert took_ms < 1_000


def test_an_old_certificate_waits_for_what_its_signers_said_since() -> None:
    world = World(7)
    world.unplug("m6")
    world[0].sense(world.true(claim()))
    world.run(200)
    world.skip(60_000 + HOUR_MS)
    world.plug("m6", "m0")
    for silent in ("m1", "m2", "m3", "m4"):
        world[6].handle(PeerCameUp(peer_of(silent)))
    world.run(1_000)
    assert world[6].certificate() and not world[6].state.actions
    world.run(5_000)
    assert world[6].state.actions


def test_a_gap_that_nobody_can_fill_is_asked_for_ever_more_rarely() -> None:
    """The author withholds the word before: everybody lacks it for good."""
    world = World(4, liars=1)
    liar = world.liars["m3"]

    def asked() -> int:
        return sum(isinstance(parse_frame(raw), WantEntries) for _, _, raw in world.wiretap)

    liar.send(Entries((liar.seal(Notice("later", Tlp.GREEN), seq=1, prev=EntryHash(bytes(32))).raw,)))
    world.run(10_000)
    early = asked()
    world.run(50_000)
    assert 0 < early <= 6 * 8 and asked() - early <= 6 * 16


def test_loss_costs_retries_and_nothing_else() -> None:
    world = World(7, seed=5)
    world.loss = 0.15
    world[0].sense(world.true(claim()))
    assert world.until(lambda: all(node.certificate() for node in world), 8_000)


def test_a_strangers_frames_are_ignored() -> None:
    world = World(4)
    before = world[0].machine.state.feeds[("m1", 0)].top
    made = pack_frame(Entries((b"\x00",)))
    world[0].handle(FrameArrived("peer-of-nobody", True, False, made))
    world[0].handle(PeerCameUp("peer-of-nobody"))
    world[0].handle(FrameArrived("peer-of-nobody", True, False, pack_frame(Shown((Digest(bytes(32)),)))))
    sent = world[0].handle(FrameArrived("peer-of-nobody", False, True, pack_frame(Heads((), ()))))
    assert not sent.effects and not sent.records
    assert world[0].state.refusals_by_peer["peer-of-nobody"] == {"unknown-author": 2}
    assert world[0].state.feeds[("m1", 0)].top == before


def test_refusals_are_counted_by_code_and_peer() -> None:
    world = World(4, liars=1)
    liar = world.liars["m3"]
    good = liar.seal(Notice("hello", Tlp.GREEN))
    stranger = type(liar)(world, "m9")
    late = opinion(Level.ISOLATE, now_ms=world.now_ms, expires_ms=world.now_ms + 7 * HOUR_MS)
    ahead = liar.seal(opinion(Level.GUARD), issued_ms=world.now_ms + SKEW_AHEAD_MS_MAX + 100_000)
    wrong = {
        "not-canonical": b"\xff",
        "bad-shape": b"\x01",
        "unknown-critical": b"\x82\x18\x63\xa0",
        "foreign-network": pack_frame(Hello(NetworkId(bytes(32)), 1, ())),
        "bad-signature": pack_frame(Entries((good.raw[:-1] + bytes([good.raw[-1] ^ 1]),))),
        "unknown-author": pack_frame(Entries((stranger.seal(Notice("x", Tlp.GREEN)).raw,))),
        "unknown-key": pack_frame(Entries((liar.seal(Notice("x", Tlp.GREEN), seq=0, version=9).raw,))),
        "lease-too-long": pack_frame(Entries((liar.seal(late).raw,))),
        "from-the-future": pack_frame(Entries((ahead.raw,))),
    }
    for code, frame in wrong.items():
        liar.send(frame, to=[0])
        world.run(30)
        assert world[0].state.refusals_by_peer[peer_of("m3")].get(code) == 1, code
    assert not world[0].state.certificates


def test_a_flooding_author_is_budgeted_and_delays_nobody() -> None:
    world = World(7, liars=1)
    flood = world.liars["m6"]
    for _ in range(600):
        flood.say(Notice("noise", Tlp.GREEN))
    world[0].sense(world.true(claim()))
    assert world.until(lambda: all(node.certificate() for node in world)) <= 2 * 20 + 5 + 50
    assert over_budget(world, "m6") >= 300
    assert peer_of("m1") not in world[0].state.refusals_by_peer


def test_the_flood_of_an_author_over_the_answers_stream_is_budgeted_all_the_same() -> None:
    world = World(4, liars=1)
    flood = world.liars["m3"]
    for _ in range(600):
        flood.send(Entries((flood.seal(Notice("noise", Tlp.GREEN)).raw,)), sync=True)
    world.run(100)
    assert over_budget(world, "m3") >= 300
    for _ in range(20):
        for _ in range(80):
            flood.send(Entries((flood.seal(Notice("noise", Tlp.GREEN)).raw,)), sync=True)
        world.run(1_000)
    assert world[0].state.refusals_by_peer[peer_of("m3")]["author-over-budget"] >= 100


def over_budget(world: World, name: str) -> int:
    """What its connection or its author could not pay for."""
    refused = world[0].state.refusals_by_peer[peer_of(name)]
    return refused.get("over-budget", 0) + refused.get("author-over-budget", 0)


def test_what_a_connection_cannot_pay_for_is_not_even_read() -> None:
    world = World(4, liars=1)
    liar = world.liars["m3"]
    good = liar.seal(Notice("x", Tlp.GREEN)).raw
    bad = [good[:-2] + number.to_bytes(2, "big") for number in range(1 << 10)]
    for at in range(0, len(bad), 64):
        liar.send(Entries(tuple(bad[at : at + 64])), to=[0])
    world.run(30)
    refused = world[0].state.refusals_by_peer[peer_of("m3")]
    assert refused["bad-signature"] <= CONNECTION_FRAMES[0]
    assert refused["over-budget"] <= len(bad) // 64
    assert world[0].state.budgets.held_ms(peer_of("m3"), 0) > 0


def test_who_goes_on_being_refused_is_looked_at_ever_less() -> None:
    world = World(4, liars=1)
    liar = world.liars["m3"]
    peer = peer_of("m3")
    good = liar.seal(Notice("x", Tlp.GREEN)).raw
    for second in range(10):
        for number in range(500):
            liar.send(Entries((good[:-3] + bytes([second]) + number.to_bytes(2, "big"),)), to=[0])
        world.run(1_000)
    most, per_s = CONNECTION_FRAMES
    assert world[0].state.refusals_by_peer[peer]["bad-signature"] <= (most + 10 * per_s) / 16


def test_what_a_peer_spoilt_itself_is_told_from_what_it_passes_on() -> None:
    world = World(4, liars=1)
    liar = world.liars["m3"]
    good = liar.seal(Notice("x", Tlp.GREEN)).raw
    spoilt = Entries((good[:-1] + bytes([good[-1] ^ 1]),))
    liar.send(spoilt, to=[0], sync=True)
    world.run(30)
    assert not world[0].state.offences
    liar.send(spoilt, to=[0])
    liar.send(b"\xff", to=[0], sync=True)
    world.run(30)
    assert world[0].state.offences == {peer_of("m3"): 2}


def test_an_equivocation_is_proven_everywhere_and_kept() -> None:
    world = World(7, liars=1)
    liar = world.liars["m6"]
    one, other = liar.seal(Notice("one", Tlp.GREEN), seq=0), liar.seal(Notice("two", Tlp.GREEN), seq=0)
    liar.send(Entries((one.raw,)), to=[0, 1, 2])
    liar.send(Entries((other.raw,)), to=[3, 4, 5])
    world.run(3_000)
    assert all(node.count(EquivocationProven) == 1 for node in world)
    heads = {node.state.feeds[("m6", 0)].top_hash for node in world}
    assert len(heads) == 1
    liar.send(Entries((liar.seal(Notice("three", Tlp.GREEN), seq=0).raw,)))
    world.run(35_000)
    assert all(node.count(EquivocationProven) == 1 for node in world)
    world.wiretap.clear()
    world.run(10_000)
    assert not [raw for _, _, raw in world.wiretap if one.raw in raw or other.raw in raw]


def test_a_proof_that_was_lost_on_its_way_is_told_again() -> None:
    """No head shows who lacks one: of two entries of one number everybody shows the same."""
    world = World(4, liars=1)
    liar = world.liars["m3"]
    one, other = liar.seal(Notice("one", Tlp.GREEN), seq=0), liar.seal(Notice("two", Tlp.GREEN), seq=0)
    world.run(1_000)
    world.loss = 1.0
    for raw in (one.raw, other.raw):
        world[0].handle(FrameArrived(peer_of("m3"), True, False, pack_frame(Entries((raw,)))))
    world.run(500)
    world.loss = 0.0
    world.run(5_000)
    assert all(node.count(EquivocationProven) == 1 for node in world)


def test_a_proof_that_a_peer_cannot_check_costs_who_tells_it_nothing() -> None:
    """Told as a word of one's own it was an offence each time: one liar with two KeySets had honest peers cut off."""
    world = World(4, liars=1)
    liar = world.liars["m3"]
    for at, number in ((0, 1), (1, 2)):
        body = KeySet(MemberName("m3"), 1, hot("m3", number).public, None, (peer_of("m3"),), world.now_ms + HOUR_MS)
        liar.send(KeySets((seal_keyset(NETWORK, governance("m3"), body).raw,)), to=[at])
    first = EntryHash(bytes(32))
    for words in ("one", "two"):
        made = liar.seal(Notice(words, Tlp.GREEN), seq=0, prev=first, version=1)
        liar.send(Entries((made.raw,)), to=[0])
    world.run(40_000)
    assert world[0].count(EquivocationProven) == 1
    assert not any(node.state.offences.get(peer_of("m0"), 0) for node in world)


def test_what_was_said_under_a_keyset_that_loses_is_taken_again_where_its_key_is_the_same() -> None:
    """Its feed is dropped with the KeySet; what was known of it by its bytes alone was never looked at again, and the
    proof of a fork in it never held."""
    world = World(4, liars=1)
    liar = world.liars["m3"]
    bodies = [
        KeySet(MemberName("m3"), 1, hot("m3", 1).public, None, (peer_of("m3"),), world.now_ms + HOUR_MS + at)
        for at in (0, 1)
    ]
    wins, loses = sorted((seal_keyset(NETWORK, governance("m3"), body) for body in bodies), key=lambda one: one.hash)
    said = liar.seal(Notice("once", Tlp.GREEN), seq=0, prev=EntryHash(bytes(32)), version=1)
    for frame in (KeySets((loses.raw,)), Entries((said.raw,)), KeySets((wins.raw,)), Entries((said.raw,))):
        liar.send(frame, to=[0])
        world.run(100)
    assert world[0].state.feeds[("m3", 1)].top == 0


def test_two_keysets_of_one_version_come_to_everybody_and_count_like_a_fork() -> None:
    """Who got the one with the higher hash may be locked by a vote that the others cannot open."""
    world = World(4, liars=1)
    liar, epoch = world.liars["m3"], world[0].state.epoch
    bodies = [
        KeySet(MemberName("m3"), 1, hot("m3", number).public, None, (peer_of("m3"),), world.now_ms + HOUR_MS)
        for number in (1, 2)
    ]
    sealed = [(seal_keyset(NETWORK, governance("m3"), body), hot("m3", at)) for at, body in enumerate(bodies, 1)]
    wins, loses = sorted(sealed, key=lambda one: one[0].hash)
    for at, (keyset_, key) in enumerate((wins, loses, wins)):
        liar.send(KeySets((keyset_.raw,)), to=[at])
        vote = Prepare(epoch.hash, 0, value_hash(keyset_.raw))
        said = liar.seal(vote, seq=0, prev=EntryHash(bytes(32)), version=1, key=key)
        liar.send(Entries((said.raw,)), to=[at])
    world.run(5_000)
    assert [node.state.rounds.log.liars for node in world] == [{epoch.group_of(MemberName("m3"))}] * 3
    world[0].restart()
    assert world[0].state.rounds.log.liars


def test_more_keysets_than_an_epoch_takes_come_to_everybody_and_count_like_a_fork() -> None:
    """Given out in another order to each, a vote under one of them opens at some members only."""
    world = World(4, liars=1)
    liar, epoch = world.liars["m3"], world[0].state.epoch
    many = [keyset("m3", version) for version in range(1, KEYSETS_PER_MEMBER_MAX + 2)]
    liar.send(KeySets(tuple(many[:-1])), to=[0, 2])
    liar.send(KeySets(tuple(many[1:])), to=[1])
    vote = Prepare(epoch.hash, 0, value_hash(b"one"))
    said = liar.seal(vote, seq=0, prev=EntryHash(bytes(32)), version=KEYSETS_PER_MEMBER_MAX + 1)
    liar.send(Entries((said.raw,)), to=[1])
    world.run(5_000)
    assert [node.state.rounds.log.liars for node in world] == [{epoch.group_of(MemberName("m3"))}] * 3


def test_a_keyset_that_a_peer_does_not_take_is_shown_with_no_more_heads() -> None:
    """Of a key that moved, heads name feeds that nobody can open any more: each asked for KeySets, each answer brought
    heads again, and a network of 31 did nothing else."""
    world = World(4, liars=1)
    liar, node = world.liars["m3"], world[0]
    world.run(1_000)
    node.state.keysets[MemberName("m3")][7] = node.state.keysets[MemberName("m3")][0]
    hello = Hello(NETWORK, 1, tuple(raw for raw in world.keysets() if raw != keyset("m3")))
    world.wiretap.clear()
    for _ in range(5):
        liar.send(hello, to=[0])
    world.run(100)
    sent = [parse_frame(raw) for sender, to, raw in world.wiretap if (sender, to) == ("m0", "m3")]
    assert sum(isinstance(one, KeySets) for one in sent) == 5
    assert sum(isinstance(one, Heads) for one in sent) <= 2


def test_a_newer_keyset_silences_the_older_at_once() -> None:
    world = World(7, liars=3)
    for one in world.liars.values():
        one.say(opinion(Level.GUARD, sources=(f"{one.name}-node",)))
    world.run(50)
    assert world[0].certificate(Level.GUARD)
    newer = keyset("m6", 1)
    world.liars["m6"].send(Hello(NETWORK, 1, (newer,)))
    world.run(50)
    for node in world:
        assert node.state.opinions[TOPIC].keys() == {"m4", "m5"}
    world.liars["m6"].say(opinion(Level.HALT, now_ms=world.now_ms))
    world.run(50)
    assert all(node.state.opinions[TOPIC].keys() == {"m4", "m5"} for node in world)


def test_a_new_key_says_the_live_opinions_again_to_the_same_end() -> None:
    world = World(7)
    world[0].sense(world.true(claim()))
    world.run(1_000)
    before = world[3].opinion("m3")
    assert before is not None
    world[3].stop()
    world.extra_keysets.append(keyset("m3", 1))
    world.run(500)
    world[3].restart(signer=hot("m3", 1), key_version=1, fresh=True)
    world.replug("m3")
    world.run(1_000)
    again = world[0].opinion("m3")
    assert again is not None and again.entry.key_version == 1
    assert (again.body.expires_ms, again.body.since_ms) == (before.body.expires_ms, before.body.since_ms)


def test_a_clock_far_from_the_members_says_so_and_signs_nothing() -> None:
    world = World(4)
    node = world[0]
    world.run(7_000)
    node.ahead_ms = 45_000
    world.run(200)
    assert "the clock is 45" in node.state.may_sign()


def test_a_clock_that_was_set_right_speaks_at_once() -> None:
    world = World(4)
    world.run(7_000)
    world[0].ahead_ms = 7 * HOUR_MS
    world.run(5_000)
    world[0].ahead_ms = 0
    world.run(200)
    assert not world[0].state.may_sign()


def test_a_clock_that_jumps_ahead_for_a_moment_forgets_no_live_word() -> None:
    world = World(4)
    world.run(7_000)
    world[1].sense(world.true(claim()))
    world.run(1_000)
    world[0].ahead_ms = 7 * HOUR_MS
    world.run(15_000)
    world[0].ahead_ms = 0
    world.run(200)
    assert world[0].certificate() and world[0].opinion("m1")


def test_an_opinion_dated_ahead_counts_when_its_time_comes() -> None:
    world = World(7, liars=3)
    for one in world.liars.values():
        body = opinion(Level.GUARD, now_ms=world.now_ms + 70_000, sources=(f"{one.name}-node",))
        one.send(Entries((one.seal(body, issued_ms=world.now_ms + 70_000).raw,)))
    world.run(200)
    assert world[0].certificate(Level.GUARD) is None
    world.skip(10_000)
    world.run(300)
    assert world[0].certificate(Level.GUARD)


def test_a_heads_claim_of_a_billion_mutes_nobody() -> None:
    world = World(7, liars=1)
    world[0].stop()
    world[0].restart()
    lie = Head(world[0].name, 0, 0, 10**9, ZERO_HASH)
    world.plug("m0", "m6")
    world.liars["m6"].send(Heads((lie,), ()), to=[0], sync=True)
    world.run(100)
    assert world[0].state.may_sign()
    world.replug("m0")
    world.run(1_500)
    assert not world[0].state.may_sign() and world[0].count(SigningStopped) == 0


def test_heartbeats_tell_the_skew() -> None:
    world = World(4, liars=1)
    world.liars["m3"].say(Heartbeat(world.epoch.hash))
    world.run(50)
    assert world[0].state.ahead_ms + world[0].state.behind_ms["m3"] == 20


def test_members_know_each_others_clocks_soon_after_they_meet() -> None:
    world = World(4)
    world.run(7_000)
    assert all(len(node.state.behind_ms) == 3 for node in world)


def test_a_peer_that_flaps_does_not_make_us_say_more_than_a_heartbeat_in_five_seconds() -> None:
    world = World(4)
    world.run(2_000)
    before = world[0].state.own_head()[0]
    for _ in range(20):
        world[0].handle(PeerCameUp(peer_of(world[1].state.me)))
        world.run(500)
    assert world[0].state.own_head()[0] - before <= 3


def test_junk_in_answer_to_what_was_asked_for_is_paid_for_by_who_sends_it() -> None:
    world = World(4, liars=1)
    liar = world.liars["m3"]
    far = Heads((Head(liar.name, 0, 0, 5_000, ZERO_HASH),), ())
    liar.send(far, to=[0], sync=True)
    world.run(30)
    assert world[0].state.links[peer_of("m3")].wanted
    junk = [liar.seal(Notice("x", Tlp.GREEN), seq=seq, prev=ZERO_HASH).raw for seq in range(200)]
    for _ in range(20):
        liar.send(Entries(tuple(raw[:-1] + bytes([raw[-1] ^ 1]) for raw in junk[:64])), to=[0], sync=True)
    world.run(30)
    assert world[0].state.refusals_by_peer[peer_of("m3")]["bad-signature"] <= CONNECTION_FRAMES[0]
