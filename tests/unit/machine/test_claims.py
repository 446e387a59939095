"""What is answered, what is not, and what is kept of those who lie."""

from __future__ import annotations

from dataclasses import replace

import pytest

from node.events import PeerWentDown
from node.machine import Phase, evolve, views
from node.machine.claims import MISSING_PER_AUTHOR
from node.machine.evolve import RELEASE_NAMES_MAX
from node.machine.incoming import PUSHED_PER_PEER_MAX
from node.records import FalseStatement
from protocol.alarm import weigh
from protocol.crypto import sha256
from protocol.evidence import ClaimBlob, Ruling, undecided
from protocol.frames import Blobs, Entries, Heads
from protocol.ids import Digest, MemberName
from protocol.messages import Level, Release
from tests.unit.machine import world as machine_world
from tests.unit.machine.world import COIN, HOUR_MS, OTHER_COIN, THREAT, TOPIC, Liar, World, claim, opinion, peer_of


def liar(world: World) -> Liar:
    return world.liars["m6"]


def test_a_refuted_claim_is_not_answered_and_is_kept_as_a_false_statement() -> None:
    world = World(7, liars=1)
    liar(world).say(opinion(Level.ISOLATE, (claim(),)), claim())
    world.run(500)
    for node in world:
        assert node.opinion(node.name) is None
        assert node.count(FalseStatement) == 1
        assert not node.state.actions


def test_a_liar_who_repeats_itself_is_proven_each_time_up_to_a_bound() -> None:
    world = World(4, liars=1)
    for number in range(80):
        world.liars["m3"].say(opinion(Level.ISOLATE, (claim(),), now_ms=world.now_ms), claim())
        world.run(100)
    assert world[0].count(FalseStatement) == 64


def test_a_true_claim_on_a_subject_in_nobodys_manifest_is_not_answered() -> None:
    world = World(7, liars=1)
    junk = world.true(claim(), subject=OTHER_COIN)
    liar(world).say(opinion(Level.ISOLATE, (junk,), subject=OTHER_COIN), junk)
    world.run(500)
    assert all(node.opinion(node.name, OTHER_COIN) is None for node in world)


def test_a_true_claim_that_bears_on_something_else_moves_nothing() -> None:
    world = World(7, liars=1)
    other = world.true(claim(), subject=OTHER_COIN)
    liar(world).say(opinion(Level.ISOLATE, (other,)), other)
    world.run(500)
    assert all(node.opinion(node.name) is None and node.count(FalseStatement) == 1 for node in world)


def test_a_true_claim_of_no_weight_moves_no_lever() -> None:
    world = World(7, liars=1)
    dust = world.true(claim(), Level.WATCH)
    liar(world).say(opinion(Level.HALT, (dust,)), dust)
    world.run(500)
    for node in world:
        assert not node.state.certificates and not node.state.actions
        answered = node.opinion(node.name)
        assert answered is not None and answered.body.level is Level.WATCH


def test_a_blob_that_did_not_come_along_is_asked_for_and_answered() -> None:
    world = World(7)
    world.truth[world.true(claim()).claim.digest]
    blob_frames = []
    carry = world.carry

    def dropping(a: str, peer_id: str, raw: bytes, sync: bool) -> None:
        if not sync and claim().blob in raw:
            blob_frames.append(raw)
        else:
            carry(a, peer_id, raw, sync)

    world.carry = dropping  # type: ignore[method-assign]
    world[0].sense(claim())
    world.run(1_000)
    assert blob_frames and all(node.certificate() for node in world)


def test_a_blob_that_the_author_withholds_is_asked_of_another_peer() -> None:
    world = World(7, liars=1)
    true = world.true(claim())
    lonely = liar(world).seal(opinion(Level.ISOLATE, (true,)))
    liar(world).send(Entries((lonely.raw,)), to=[0])
    world.run(100)
    assert world[0].opinion("m0") is None
    world[1].sense(true)
    world.run(3_000)
    assert world[0].opinion("m0") is not None


def test_an_undecided_claim_is_tried_again() -> None:
    world = World(7)
    true = world.true(claim())
    world[3].verdicts[true.claim.digest] = [undecided("the chain lags")] * 3 + [world.truth[true.claim.digest]]
    world[0].sense(true)
    world.run(300)
    assert world[3].opinion("m3") is None
    world.run(3_000)
    assert world[3].opinion("m3") is not None


def test_words_on_what_cannot_be_read_yet_use_up_none_of_its_tries() -> None:
    """Each word had it re-run at once: a few members' answers, and the next try was eight seconds away."""
    world = World(7, liars=1)
    true = world.true(claim())
    slow = world[3]
    slow.verdicts[true.claim.digest] = undecided("no provider answers")
    world[0].sense(true)
    for _ in range(20):
        liar(world).say(opinion(Level.ISOLATE, (true,), now_ms=world.now_ms), true)
        world.run(20)
    asked = slow.verified.count(true.claim.digest)
    del slow.verdicts[true.claim.digest]
    world.run(1_500)
    assert asked <= 8 and slow.opinion("m3") is not None


def test_who_names_a_claim_before_it_is_so_keeps_nobody_waiting() -> None:
    world = World(7, liars=1)
    early = claim()
    world.truth[early.claim.digest] = undecided("no such block yet")
    for _ in range(60):
        liar(world).say(opinion(Level.ISOLATE, (early,), now_ms=world.now_ms), early)
        world.run(250)
    world[0].sense(world.true(early))
    world.run(300)
    assert all(node.certificate() for node in world)


def test_a_claim_named_minutes_before_it_is_so_is_not_asked_for_rarely_once_others_say_it() -> None:
    """Whoever is about to attack names the transaction ahead of it; a provider lags a moment when it has landed."""
    world = World(4, liars=1)
    early, slow = claim(), world[2]
    world.truth[early.claim.digest] = undecided("no such transaction yet")
    world.liars["m3"].say(opinion(Level.WATCH, (early,), now_ms=world.now_ms, expires_ms=world.now_ms + HOUR_MS), early)
    for _ in range(45):
        world.run(10_000)
    true = world.true(early)
    slow.verdicts[true.claim.digest] = [undecided("the provider lags")] * 3 + [world.truth[true.claim.digest]]
    world[0].sense(true)
    assert world.until(lambda: all(node.certificate() for node in world), 10_000) < 4_000


def test_a_claim_that_a_liar_names_too_is_tried_again_in_its_honest_tellers_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The liar's own line is full of claims that a slow provider is asked about, again and again."""
    monkeypatch.setattr(machine_world, "VERIFY_MS", 400)
    world = World(7, liars=1)
    subjects = [type(COIN)(COIN.raw[:-1] + bytes([number])) for number in range(61)]
    true, slow = world.true(claim()), world[3]
    liar(world).say(opinion(Level.ISOLATE, (true,), subject=subjects[0], now_ms=world.now_ms), true)
    for number, subject in enumerate(subjects[1:], start=1_000):
        eight = tuple(claim(number * 8 + i) for i in range(8))
        for one in eight:
            world.truth[one.claim.digest] = undecided("no such block yet")
        liar(world).say(opinion(Level.ISOLATE, eight, subject=subject, now_ms=world.now_ms), *eight)
        world.run(20)
    slow.verdicts[true.claim.digest] = [undecided("the provider lags")] * 2 + [world.truth[true.claim.digest]]
    del slow.state.ruled[true.claim]
    world[0].sense(true)
    assert world.until(lambda: slow.opinion("m3") is not None, 60_000) < 4_000


def test_what_our_own_sensor_saw_stays_seen_where_the_verifier_could_not_decide() -> None:
    world = World(4)
    true = world.true(claim())
    world[0].verdicts[true.claim.digest] = undecided("no provider answers")
    world[1].sense(true)
    world.until(lambda: true.claim in world[0].state.judging)
    world[0].sense(true)
    world.run(500)
    assert world[0].state.ruled[true.claim].judgement.ruling is Ruling.SUPPORTS


def test_a_provider_that_was_away_for_minutes_is_asked_again_while_the_claim_is_live() -> None:
    world = World(4)
    true = world.true(claim())
    world[3].verdicts[true.claim.digest] = undecided("no provider answers")
    world[0].sense(true)
    for _ in range(80):
        world.run(10_000)
    del world[3].verdicts[true.claim.digest]
    world.run(310_000)
    assert world[3].opinion("m3") is not None


def test_a_false_claim_beside_a_true_one_does_not_still_the_levers() -> None:
    world = World(7, liars=1)
    true, false = world.true(claim(1)), claim(2)
    world[3].verdicts[true.claim.digest] = undecided("no provider answers")
    liar(world).say(opinion(Level.ISOLATE, (true, false)), true, false)
    world.run(500)
    assert world[3].certificate() and world[3].action().phase is Phase.EFFECTIVE


def test_a_flood_of_claims_delays_nobody_elses_first() -> None:
    world = World(7, liars=1)
    for number in range(1_000, 1_064):
        eight = tuple(claim(number * 8 + i) for i in range(8))
        liar(world).say(opinion(Level.ISOLATE, eight, now_ms=world.now_ms), *eight)
    world.run(22)
    assert all(len(node.state.judging) == 4 for node in world)
    world[0].sense(world.true(claim()))
    assert world.until(lambda: all(node.certificate() for node in world)) <= 2 * 20 + 5 + 50


def test_opinions_of_one_author_are_capped() -> None:
    world = World(4, liars=1)
    for number in range(100):
        subject = type(COIN)(COIN.raw[:-1] + bytes([number]))
        body = opinion(Level.WATCH if number % 2 else Level.GUARD, subject=subject, now_ms=world.now_ms)
        world.liars["m3"].say(body)
    world.run(300)
    state = world[0].state
    held = [one for topic in state.opinions.values() for author, one in topic.items() if author == "m3"]
    assert len(held) == 64
    assert sum(1 for one in held if one.body.level is Level.GUARD) == 50
    assert len(state.keep_until_ms) == 64 == len(state.opinions)


def test_a_withdrawal_is_not_counted_and_is_kept() -> None:
    world = World(7, liars=2)
    for one in world.liars.values():
        one.say(opinion(Level.GUARD, sources=(f"{one.name}-node",)))
    world.run(100)
    assert not world[0].certificate(Level.GUARD)
    old = world.liars["m6"].seq
    world.liars["m6"].say(opinion(Level.NONE, now_ms=world.now_ms))
    world.run(100)
    state = world[0].state
    held = state.opinions[TOPIC]["m6"]
    assert held.body.level is Level.NONE and held.entry.seq == old + 1
    world.skip(2 * 3_600_000)
    assert state.opinions[TOPIC]["m6"] is held
    assert state.opinions[TOPIC].keys() == {"m5", "m6"} and TOPIC[1] == THREAT
    assert weigh(state.opinions[TOPIC].values(), state.epoch, world.now_ms, state.releases).level is Level.WATCH


def test_the_networks_level_falls_with_a_withdrawal_that_breaks_its_threshold() -> None:
    world = World(7, liars=3)
    for one in world.liars.values():
        one.say(opinion(Level.GUARD, sources=(f"{one.name}-node",)))
    world.run(100)
    assert views.running(world[0].state, TOPIC, world.now_ms)
    world.liars["m6"].say(opinion(Level.NONE, now_ms=world.now_ms))
    world.run(100)
    assert not views.running(world[0].state, TOPIC, world.now_ms)


def test_what_peers_can_fill_is_bounded() -> None:
    world = World(4, liars=1)
    liar, state = world.liars["m3"], world[0].state
    for number in range(300):
        name = Digest(sha256(b"%d" % number))
        liar.send(Blobs(tuple(b"%d-%d" % (number, i) for i in range(8))), to=[0])
        liar.send(Heads((), tuple(Digest(sha256(name + bytes([i]))) for i in range(64))), to=[0], sync=True)
        coin = type(COIN)(COIN.raw[:-2] + number.to_bytes(2, "big"))
        liar.say(Release(world.epoch.hash, coin, THREAT, world.now_ms, (claim(number).claim,)), to=[0])
        liar.say(opinion(Level.GUARD, (claim(number),), subject=coin, now_ms=world.now_ms), to=[0])
        world.run(100)
    link = state.links[peer_of("m3")]
    assert len(state.pushed_blobs) <= 64 >= len(link.pushed)
    assert len(link.shown) <= 1_024 + 256
    assert len(state.opinions) <= 64 and len(state.missing) <= 64 + 256
    assert state.release_topics["m3"] <= 1_024 and len(state.ruled) <= 64 and len(state.blobs) <= 64


def test_a_blob_padded_to_the_limit_is_passed_on_in_frames_that_fit() -> None:
    world = World(4)
    big = tuple(ClaimBlob(replace(claim(i).claim, digest=Digest(sha256(blob))), blob)
                for i in range(8) if (blob := bytes([i]) * 32_000))  # fmt: skip
    world.wiretap.clear()
    world[0].sense(*big)
    assert max(len(raw) for _, _, raw in world.wiretap) < 64 * 1024


def test_a_certificate_that_carries_a_withdrawn_word_is_not_accepted() -> None:
    world = World(7, liars=3)
    liars = list(world.liars.values())
    world.unplug("m3")
    for one in liars:
        one.say(opinion(Level.GUARD, sources=(f"{one.name}-node",)), to=[0, 1, 2])
    world.run(100)
    held = world[0].certificate(Level.GUARD)
    assert held is not None
    world.replug("m3")
    liars[0].say(opinion(Level.NONE, now_ms=world.now_ms), to=[3])
    world.run(30)
    carried = world[3].state.opinions.get(TOPIC, {})
    assert carried["m4"].body.level is Level.NONE
    world.run(3_000)
    assert not world[3].state.actions and world[3].certificate(Level.GUARD) is None


def test_what_a_peer_pushed_ahead_is_gone_with_it() -> None:
    world = World(4, liars=1)
    for number in range(100):
        world.liars["m3"].send(Blobs((claim(number).blob,)), [0])
    world.run(100)
    assert 0 < len(world[0].state.pushed_blobs) <= PUSHED_PER_PEER_MAX
    world[0].handle(PeerWentDown(peer_of("m3"), "gone"))
    assert not world[0].state.pushed_blobs


def test_of_claims_without_blobs_no_author_has_us_remember_more_than_it_can_mean() -> None:
    """Where the clock cannot be judged nothing is forgotten by time."""
    world = World(4, liars=3)
    for number in range(400):
        eight = tuple(claim(number * 8 + at) for at in range(8))
        world.liars["m3"].say(opinion(Level.ISOLATE, eight, now_ms=world.now_ms))
        world.run(60)
    assert len(world[0].state.missing) <= MISSING_PER_AUTHOR


def test_claims_that_one_author_releases_fill_only_its_own_share() -> None:
    world = World(4, liars=1)
    for number in range(RELEASE_NAMES_MAX // 8 + 200):
        subject = type(COIN)(COIN.raw[:-2] + (number % 1_000).to_bytes(2, "big"))
        eight = tuple(claim(number * 8 + at).claim for at in range(8))
        evolve._release(world[0].state, MemberName("m3"), Release(world.epoch.hash, subject, 34, 1, eight))
    state = world[0].state
    assert sum(len(told) for told in state.releases.claims.values()) <= RELEASE_NAMES_MAX
    evolve._release(state, MemberName("m1"), Release(world.epoch.hash, COIN, 34, 1, (claim(1 << 40).claim,)))
    assert "m1" in state.releases.claims[(COIN, 34)][(claim(1 << 40).claim.type, claim(1 << 40).claim.id)]
