"""What the simulator found, told again by hand: each fails on the code that it was found in."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapters.api import Outcome
from adapters.policy import OwnWord, Rule
from node.events import FrameArrived
from node.machine import Phase, views
from protocol.envelope import seal_entry, seal_keyset
from protocol.evidence import ClaimBlob
from protocol.frames import Blobs, Entries, KeySets, pack_frame
from protocol.ids import MemberName
from protocol.messages import Heartbeat, KeySet, Level
from tests.unit.machine.cast import governance
from tests.unit.machine.world import (
    COIN,
    HOUR_MS,
    NETWORK,
    TOPIC,
    World,
    claim,
    hot,
    keyset,
    opinion,
    peer_of,
    policy_of,
)

OWN = Rule("own", "coin", "", Level.NONE, OwnWord.VERIFIED, ("freeze",), HOUR_MS)
SHORT_MS = 60_000


def test_where_a_certificate_ends_what_came_after_it_still_carries_the_level() -> None:
    """A GUARD certificate holds the first f + 1 words; the later ones live longer."""
    world = World(7, liars=5)
    early = opinion(Level.GUARD, now_ms=world.now_ms, expires_ms=world.now_ms + 5_000)
    late = opinion(Level.GUARD, now_ms=world.now_ms, expires_ms=world.now_ms + 50_000)
    for at, name in enumerate(("m2", "m3", "m4", "m5", "m6")):
        body = replace(early if at < 3 else late, sources=(f"{name}-node",))
        world.liars[name].say(body)
    third = replace(late, sources=("m2-node",))
    world.run(3_000)
    world.liars["m2"].say(replace(third, since_ms=world.now_ms))
    world.run(4_000)
    held = world[0].certificate(Level.GUARD)
    assert held is not None and held.ends_ms > world.now_ms


def test_a_keyset_whose_frame_was_lost_is_asked_for() -> None:
    """A member that was given a fresh key stays mute for whoever missed its KeySet, unless the next heads bring it."""
    world = World(4)
    node = world[0]
    node.stop()
    world.extra_keysets.append(keyset("m0", 1))
    node.restart(key_version=1, signer=hot("m0", 1), fresh=True)
    world.loss = 1.0
    world.replug("m0")
    world.run(100)
    world.loss = 0.0
    world.run(8_000)
    assert all(1 in one.state.keysets["m0"] and ("m0", 1) in one.state.feeds for one in world)


def test_an_old_claim_that_somebody_names_again_is_no_fresh_evidence_of_ours() -> None:
    """Our verdict on it is a lease old: alone, a member that says it again moves no lever of ours."""
    world = World(7, liars=1, policy=replace(policy_of(), rules=(OWN,)))
    told = world.true(claim())
    world[0].sense(told)
    world.run(2_000)
    assert world[1].target.times("apply") == 1
    world.skip(6 * HOUR_MS)
    before = world[1].target.times("apply")
    world.liars["m6"].say(opinion(claims=(told,), now_ms=world.now_ms))
    world.run(3_000)
    assert world[1].target.times("apply") == before


def test_a_second_alarm_after_the_lease_opens_a_second_restriction() -> None:
    """The first one's end was not read back yet: renewed, its key would restrict a free target twice."""
    policy = policy_of()
    short = replace(policy, rules=tuple(replace(rule, for_ms=SHORT_MS) for rule in policy.rules))
    world = World(7, policy=short)
    node = world[2]
    node.target.script["expire"] = [Outcome(False, "no answer", retryable=True, answered=False) for _ in range(3)]
    world[0].sense(world.true(claim(1)))
    world.run(SHORT_MS + 3_000)
    (first,) = node.state.actions.values()
    assert first.phase is Phase.EFFECTIVE
    world[0].sense(world.true(claim(2)))
    world.run(2_000)
    assert len(node.state.actions) == 2
    assert world.epoch.n == 7 and COIN in node.state.policy_subjects


def test_a_later_word_that_has_expired_does_not_keep_the_older_one_counting() -> None:
    """Who said it again for five seconds has ended it himself, whatever longer word a certificate still carries."""
    world = World(7, liars=3)
    for name, one in world.liars.items():
        one.say(opinion(Level.GUARD, sources=(f"{name}-node",)))
    world.run(100)
    short = opinion(Level.GUARD, now_ms=world.now_ms, expires_ms=world.now_ms + 5_000)
    world.liars["m6"].say(replace(short, sources=("m6-node",)))
    world.run(1_000)
    assert views.running(world[0].state, TOPIC, world.now_ms)
    world.run(6_000)
    assert not views.running(world[0].state, TOPIC, world.now_ms)


def misnamed(one: ClaimBlob, letter: bytes = b"x") -> ClaimBlob:
    """The bytes of a claim under a name that they do not give."""
    return ClaimBlob(replace(one.claim, id=letter * 32), one.blob)


@pytest.mark.parametrize("ahead_ms", [0, 2, 22, 24, 500])
def test_a_true_claims_bytes_under_another_name_refute_nothing(ahead_ms: int) -> None:
    """Verdicts were kept by the digest alone: one liar who knew the claim first had the alarm refuted everywhere, and
    who told the truth named as a liar."""
    world = World(7, liars=1)
    told = world.true(claim())
    world.liars["m6"].say(opinion(claims=(misnamed(told),), now_ms=world.now_ms), told)
    world.run(ahead_ms)
    world[0].sense(told)
    world.run(300)
    for node in world:
        assert node.certificate() is not None
        assert set(node.state.false_statements) == {"m6"}


def test_a_blob_that_comes_late_is_looked_at_under_each_name_that_it_was_given() -> None:
    world = World(7, liars=2)
    told = world.true(claim())
    early = world.liars["m5"].seal(opinion(claims=(misnamed(told),), now_ms=world.now_ms))
    right = world.liars["m6"].seal(opinion(claims=(told,), now_ms=world.now_ms))
    world.liars["m5"].send(Entries((early.raw,)))
    world.liars["m6"].send(Entries((right.raw,)))
    world.run(100)
    world.liars["m6"].send(Blobs((told.blob,)))
    world.run(300)
    assert all(node.opinion(node.name) is not None for node in world)


def test_a_true_claim_told_again_under_new_names_is_no_new_reason() -> None:
    world = World(7, liars=1)
    told = world.true(claim())
    world[0].sense(told)
    world.run(2_000)
    for letter in b"abcd":
        body = opinion(claims=(misnamed(told, bytes([letter])),), now_ms=world.now_ms)
        world.liars["m6"].say(body, told)
        world.run(1_000)
    for node in world:
        held = node.certificate()
        assert held is not None
        names = views.reasons(node.state, node.state.epoch, TOPIC, Level.ISOLATE, held.opinions)
        assert names == {(told.claim.type, told.claim.id)}


def test_an_older_word_that_comes_after_the_later_one_has_ended_counts_for_nothing() -> None:
    """Who catches up gets the newest first: once that had expired and was forgotten, the older, longer one came and
    counted."""
    world = World(4, liars=1)
    liar = world.liars["m3"]
    long = liar.seal(replace(opinion(Level.ISOLATE), expires_ms=world.now_ms + 2 * HOUR_MS))
    short = liar.seal(replace(opinion(Level.HALT), expires_ms=world.now_ms + 10_000))
    liar.send(Entries((short.raw,)), to=[0])
    world.run(10_000 + 60_000 + 20_000)
    assert world[0].opinion("m3") is None
    world[0].state.topics_of.pop(MemberName("m3"), None)  # as where nothing of it was ever held
    liar.send(Entries((long.raw,)), to=[0])
    world.run(1_000)
    assert long.raw in {link.raw for link in world[0].state.feeds[("m3", 0)].links.values()}
    assert world[0].opinion("m3") is None


@pytest.mark.parametrize("heard_before", [True, False])
def test_heartbeats_that_waited_while_the_machine_slept_mute_nobody(heard_before: bool) -> None:
    """A minute's sleep: what lies in the inbox is a minute old, and says nothing of our clock."""
    world = World(4)
    world.run(7_000)
    node = world[0]
    if not heard_before:
        node.state.behind_ms.clear()
        node.state.clocks = None
    old = [world.liars.get(name) or world.nodes[name] for name in sorted(world.nodes) if name != node.name]
    said = [seal_entry(NETWORK, hot(one.name), author=one.name, key_version=0, seq=one.state.own_head()[0] + 1,
                       prev=one.state.own_head()[1], issued_ms=world.now_ms, body=Heartbeat(world.epoch.hash))
            for one in old]  # fmt: skip
    world.now_ms += 60_000
    for one, entry in zip(old, said):
        node.handle(FrameArrived(peer_of(one.name), True, False, pack_frame(Entries((entry.raw,)))))
    assert not node.state.may_sign()


def test_who_names_everybodys_peer_ids_in_its_keyset_blinds_nobody() -> None:
    """The first member that a peer id was found at took the connection: one liar stood for all of them, and no lever
    moved any more."""
    world = World(4, liars=1)
    for node in world:
        node.state.keysets = dict(reversed(node.state.keysets.items()))  # the liar is looked at first
    peers = tuple(peer_of(f"m{at}") for at in range(4))
    body = KeySet(MemberName("m3"), 1, hot("m3", 1).public, None, peers, world.now_ms + HOUR_MS)
    world.liars["m3"].send(KeySets((seal_keyset(NETWORK, governance("m3"), body).raw,)))
    world.run(70_000)
    assert all(node.state.heard_groups() == 4 and len(node.state.behind_ms) >= 2 for node in world)
    world[0].sense(world.true(claim()))
    world.run(2_000)
    assert all(node.target.times("apply") == 1 for node in world)


def test_a_word_that_came_while_the_clock_was_off_is_looked_into_when_it_is_right() -> None:
    """By a clock that is hours ahead it has expired; when the clock is right again it runs, and is answered."""
    world = World(4)
    world.run(7_000)
    node = world[0]
    node.ahead_ms = 13 * HOUR_MS
    world.run(500)
    world[1].sense(world.true(claim()))
    world.run(1_000)
    assert node.opinion("m0") is None
    node.ahead_ms = 0
    world.run(3_000)
    assert node.opinion("m0") is not None


def test_an_opinion_said_by_a_clock_that_was_ahead_is_said_again_within_its_bounds() -> None:
    """Under a fresh key, with the clock set right: first said now, not in the future, and no longer than its lease."""
    world = World(4)
    world.run(7_000)
    node = world[0]
    node.ahead_ms = 12_000
    node.sense(world.true(claim()))
    world.run(300)
    node.ahead_ms = 0
    world.extra_keysets.append(keyset("m0", 1))
    node.stop()
    node.restart(key_version=1, signer=hot("m0", 1), fresh=True)
    world.replug("m0")
    world.run(3_000)
    said = node.opinion("m0")
    assert said is not None and said.entry.key_version == 1
    assert said.body.since_ms <= said.entry.issued_ms
    assert said.body.expires_ms - said.entry.issued_ms <= world.epoch.lease_bound_ms(said.body.level)


def test_under_a_fresh_key_a_new_claim_is_said_beside_the_old_ones() -> None:
    """What waits to be said again under the new key is our word still: the next claim must not say less."""
    world = World(4)
    world.run(7_000)
    world[1].sense(world.true(claim(1), Level.HALT), level=Level.HALT)
    world.run(1_000)
    node = world[0]
    node.stop()
    world.extra_keysets.append(keyset("m0", 1))
    node.restart(key_version=1, signer=hot("m0", 1), fresh=True)
    assert node.state.reissue
    node.sense(world.true(claim(2)))
    said = node.opinion("m0")
    assert said is not None and said.body.level is Level.HALT and len(said.body.claims) == 2


def test_a_word_whose_verdict_a_crash_took_away_is_not_lowered_by_the_next_claim() -> None:
    """The mark carries what was signed, not why: seeds 2737, 3538 and 7213, n = 4."""
    world = World(4)
    world.run(1_000)
    node = world[0]
    node.sense(world.true(claim(1), Level.HALT), level=Level.HALT)
    node.state.ruled.clear()
    node.state.verdicts += 1
    world[1].sense(world.true(claim(2), Level.GUARD), level=Level.GUARD)
    world.run(1_000)
    said = node.opinion("m0")
    assert said is not None and said.body.level is Level.HALT and len(said.body.claims) == 2


def test_a_lasting_state_told_again_when_its_verdict_is_forgotten_moves_no_lever_again() -> None:
    """A claim at GUARD, found and forgotten since, came back beside one at ISOLATE that had moved the lever before:
    together they were taken for something new, hours after both had been found (seed 1002, n = 13)."""
    world = World(4, liars=1, policy=replace(policy_of(), rules=(OWN,)))
    liar, deep, shallow = world.liars["m3"], world.true(claim(1)), world.true(claim(2), Level.GUARD)

    def told(level: Level, *claims: ClaimBlob) -> None:
        body = opinion(level, claims, now_ms=world.now_ms, sources=("m3-node",))
        liar.say(body, *claims, to=[0])
        world.run(2_000)
        assert world[0].state.ruled
        for _ in range(8):
            world.skip(6 * HOUR_MS)
        assert not world[0].state.ruled

    told(Level.ISOLATE, deep)
    assert world[0].target.times("apply") == 1
    told(Level.GUARD, shallow)
    assert world[0].target.times("apply") == 1
    told(Level.ISOLATE, deep, shallow)
    assert world[0].target.times("apply") == 1
