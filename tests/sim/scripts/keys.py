"""Keys stolen, lost, replaced; feeds forked; proofs and what they do not undo."""

from __future__ import annotations

from node.machine import views
from protocol.codec import decode, encode
from protocol.envelope import seal_entry, seal_keyset
from protocol.frames import Blobs, Entries, Hello
from protocol.ids import ZERO_HASH
from protocol.messages import Basis, KeySet, Level, Notice, Release, Tlp
from tests.sim import cast
from tests.sim.scripts.book import script
from tests.sim.scripts.stage import COIN, Scene

TOPIC = (COIN, cast.THREAT)


def _fork(s: Scene, i: int = -1) -> tuple[bytes, bytes]:
    """Two payloads at the next seq of the liar's feed; the lower hash first."""
    liar = s.liar(i)
    seq = liar.seq + 1
    made = [liar.seal(Notice(text, Tlp.GREEN), seq=seq) for text in ("one", "two")]
    low, high = sorted(made, key=lambda one: one.hash)
    return low.raw, high.raw


@script(2, "§5: no proof voids a certificate", "A1, L3", liars=1)
def the_quorums_last_signer_proves_itself_a_liar(s: Scene) -> None:
    """m2 is down, so the liar is the Q-th signer; then it publishes its own fork. Who has the proof and who has not
    hold the same certificate, and m2, coming later, takes it with the proof in hand."""
    s.kill(2)
    s.true(0)
    s.liar().lies(Level.ISOLATE, cast.claim(0))
    s.sees(0, 0)
    s.until("ISOLATE", lambda: len(s.certified()) == 2)
    low, high = _fork(s)
    s.liar().send(Entries((low,)), [0])
    s.liar().send(Entries((high,)), [1])
    s.until("proof", lambda: s[0].state.equivocations and s[1].state.equivocations, 5_000)
    s.expect("ISOLATE still", s.certified(), ["m0", "m1"])
    s.back(2)
    s.until("m2 too", lambda: s.certificate(2) and s[2].state.equivocations, 10_000)


@script(2, "§2: signed payloads, never the unprotected header", "A1", liars=1)
def an_altered_envelope_is_no_second_word(s: Scene) -> None:
    """A relay writes into the unprotected header of m0's entry: refused, and m0 is not proven."""
    raw = s[0].disk.entries("m0", 0, 0, 1, 1 << 20)[0]
    parts = decode(raw, bytes_max=1 << 20)
    for header in ({4: b"kid"}, {1: -8}):
        s.liar().send(Entries((encode([parts[0], header, *parts[2:]]),)))
    s.run(500)
    refused = s[1].state.refusals_by_peer.get(cast.peer_of(s.liar().name), {})
    s.check(f"refused: {refused}", sum(refused.values()) >= 2)
    s.check("nobody is proven", not any(one.state.equivocations for one in s.all()))


@script(2, "§5: a proof against a key already replaced suspends nobody", "A1", liars=1)
def a_retired_key_signs_an_old_seq_again(s: Scene) -> None:
    """The seat has a new key; its old one is found in a bin and forks the old feed. What the seat says now counts."""
    liar = s.liar()
    low, high = _fork(s)
    liar.send(Entries((low,)))
    s.run(100)
    liar.rekey()
    s.world.extra_keysets.append(cast.keyset(liar.name, 1))
    liar.send(Hello(cast.NETWORK, 1, (cast.keyset(liar.name, 1),)))
    s.run(100)
    liar.send(Entries((high,)))
    s.run(500)
    liar.lies(Level.GUARD)
    s.raises(0, Level.GUARD)
    s.until("GUARD with its word", lambda: len(s.certified(Level.GUARD)) == 3, 2_000)
    held = s.certificate(0, Level.GUARD)
    s.check("its word is in it", held is not None and any(one.entry.author == liar.name for one in held.opinions))


@script(3, "§1: a stolen hot key dies by its owner's word alone, at once", "S1, S2", n=7, liars=1)
def a_stolen_hot_key_is_silenced(s: Scene) -> None:
    """A thief speaks as m1 while m1 is down. The owner delegates a fresh key: the thief's word stops counting where
    the KeySet arrives, and nothing under the old key counts after."""
    s.kill(1)
    s.run(300)
    seq, prev = s[0].state.feeds[("m1", 0)].top, s[0].state.feeds[("m1", 0)].top_hash  # type: ignore[index]
    thief = s.liar()
    stolen = thief.seal(thief.opinion(Level.GUARD, sources=("m1.node",)), author="m1", seq=seq + 1, prev=prev)
    thief.send(Entries((stolen.raw,)))
    thief.lies(Level.GUARD)
    s.run(300)
    s.expect("the thief's word is held", s.opinion(0, "m1") is not None, True)
    s[1].rekey()
    s.world.extra_keysets.append(cast.keyset("m1", 1))
    s.back(1)
    s.run(2_000)
    again = thief.seal(thief.opinion(Level.GUARD, sources=("m1.node",)), author="m1", seq=seq + 2, prev=stolen.hash)
    thief.send(Entries((again.raw,)))
    s.raises(0, Level.GUARD)
    s.run(2_000)
    s.expect("GUARD of m0, the thief and the thief's loot", s.certified(Level.GUARD), [])
    s.expect("m1 speaks", s[1].state.may_sign(), "")


@script(3, "§1: lost keys rotate by the governance key alone", "S4, L3")
def a_lost_key_rotates_and_answers_again(s: Scene) -> None:
    """m2's machine burns: a fresh key, an empty disk. It looks again at what others claim and answers under the new
    key; what was certified is not stretched by that."""
    s.alarm(0)
    s.until("ISOLATE", lambda: len(s.certified()) == 4)
    before = s.opinion(0, "m2")
    s.kill(2)
    s.run(500)
    s[2].rekey()
    s[2].disk.rows.clear()
    s.world.extra_keysets.append(cast.keyset("m2", 1))
    s.back(2)
    s.until("its word is back under the new key", lambda: _version_of_m2s_word(s) == 1, 10_000)
    after = s.opinion(0, "m2")
    s.check("to no later end", after and before and after.expires_ms <= before.expires_ms + 1_000)


def _version_of_m2s_word(s: Scene) -> int:
    held = s[0].state.opinions.get(TOPIC, {}).get(s[2].name)
    return held.entry.key_version if held is not None else -1


@script(3, "§1: the owner re-issues its live opinions; what peers hold may be a thief's", "S2, L3")
def a_machine_that_burnt_repeats_no_person(s: Scene) -> None:
    """m2's person said GUARD; its machine burns. What peers hold of it may be a thief's: under its fresh key it says
    nothing of the kind before its person does."""
    s.raises(2, Level.GUARD)
    s.run(500)
    s.kill(2)
    s[2].rekey()
    s[2].disk.rows.clear()
    s.world.extra_keysets.append(cast.keyset("m2", 1))
    s.back(2)
    s.run(8_000)
    s.expect("m2 says", s.opinion(0, "m2"), None)
    s.raises(2, Level.GUARD)
    s.until("and then it does", lambda: _version_of_m2s_word(s) == 1, 1_000)


@script(0, "§7: a proof everywhere within two delays", "A1", n=7, liars=1)
def a_fork_shown_to_two_sides_is_a_proof_everywhere(s: Scene) -> None:
    """One half is shown one payload, the other half another."""
    low, high = _fork(s)
    s.liar().send(Entries((low,)), [0, 1, 2])
    s.liar().send(Entries((high,)), [3, 4, 5])
    s.until("proof everywhere", lambda: all(one.state.equivocations for one in s.all()), 6_000)


@script(0, "§7: what one can prove all can, after a heal too", "A1", n=4, liars=1)
def a_proof_reaches_who_was_away_and_holds_the_lower_twin(s: Scene) -> None:
    """m2 was shown the twin of the lower hash, which is the head that everybody shows, and was cut off while the
    others proved the fork: it must learn of it by sync."""
    low, high = _fork(s)
    s.liar().send(Entries((low,)), [2])
    s.run(200)
    heal = s.cut((2,), (0, 1))
    s.liar().send(Entries((low,)), [0])
    s.liar().send(Entries((high,)), [1])
    s.until("proof at m0 and m1", lambda: s[0].state.equivocations and s[1].state.equivocations, 5_000)
    s.run(1_000)
    heal()
    s.until("proof at m2", lambda: s[2].state.equivocations, 10_000)


@script(0, "§7: what one can prove all can, after a heal too", "A1", n=4, liars=1)
def a_proof_reaches_who_was_away_and_holds_the_higher_twin(s: Scene) -> None:
    """As before, with the higher twin at m2."""
    low, high = _fork(s)
    s.liar().send(Entries((high,)), [2])
    s.run(200)
    heal = s.cut((2,), (0, 1))
    s.liar().send(Entries((low,)), [0])
    s.liar().send(Entries((high,)), [1])
    s.until("proof at m0 and m1", lambda: s[0].state.equivocations and s[1].state.equivocations, 5_000)
    s.run(1_000)
    heal()
    s.until("proof at m2", lambda: s[2].state.equivocations, 10_000)


@script(23, "§2: a prev that is not the hash of the signed entry before is a fork", "A1", liars=1)
def a_broken_prev_between_signed_entries(s: Scene) -> None:
    """seq 1 names another seq 0 than the one that was signed and shown: proof."""
    liar = s.liar()
    first = liar.seal(Notice("first", Tlp.GREEN), seq=0)
    hidden = liar.seal(Notice("hidden", Tlp.GREEN), seq=0)
    second = liar.seal(Notice("second", Tlp.GREEN), seq=1, prev=hidden.hash)
    liar.send(Entries((first.raw,)))
    liar.send(Entries((second.raw,)))
    s.until("proof everywhere", lambda: all(one.state.equivocations for one in s.all()), 5_000)


@script(0, "§7: an equivocation is a proof everywhere", "A1", liars=1)
def a_flood_does_not_hide_a_fork(s: Scene) -> None:
    """The liar spends its own budget at m2 with a thousand words, and forks its feed before the other two: m2 learns of
    the fork though it takes nothing of that author for a while."""
    liar = s.liar()
    low, high = _fork(s)
    for number in range(1_000):
        liar.send(Entries((liar.seal(Notice(f"noise {number}", Tlp.GREEN), seq=1_000 + number).raw,)), [2])
    s.run(20)
    liar.send(Entries((low,)), [0])
    liar.send(Entries((high,)), [1])
    s.until("proof at m0 and m1", lambda: s[0].state.equivocations and s[1].state.equivocations, 2_000)
    s.until("proof at m2", lambda: s[2].state.equivocations, 20_000)


@script(11, "§3: the owner frees its own lever by a local act, never by a feed entry", "S5, S11", liars=1)
def a_stolen_key_unfreezes_nobody(s: Scene) -> None:
    """A thief releases as m1 and as itself: two of the three that a release needs, and m1's own lever stands."""
    s.alarm(0)
    s.until("all levers", lambda: len(s.frozen()) == 3)
    s.run(1_000)
    s.kill(1)
    feed = s[0].state.feeds[(s[1].name, 0)]
    for author, seq, prev in (("m1", feed.top + 1, feed.top_hash), ("", None, None)):
        body = Release(s.world.epoch.hash, COIN, cast.THREAT, s.now_ms, (cast.claim(0).claim,))
        s.liar().send(Entries((s.liar().seal(body, author=author, seq=seq, prev=prev).raw,)))
    s.run(500)
    s.back(1)
    s.run(5_000)
    s.expect("frozen", s.frozen(), ["m0", "m1", "m2"])
    s.kill(1)
    s[1].rekey()
    s.world.extra_keysets.append(cast.keyset("m1", 1))
    s.back(1)


def _twins(s: Scene, withdrawal_is_lower: bool) -> tuple[bytes, bytes]:
    """Two words at one seq: ISOLATE and NONE, the hashes in this order."""
    liar = s.liar()
    none = liar.seal(liar.opinion(Level.NONE, basis=Basis.OBSERVED), seq=liar.seq + 1)
    for number in range(64):
        body = liar.opinion(Level.ISOLATE, cast.claim(0), detector=f"try-{number}")
        isolate = liar.seal(body, seq=liar.seq + 1)
        if (none.hash < isolate.hash) is withdrawal_is_lower:
            return isolate.raw, none.raw
    raise RuntimeError("no hash came out as wanted")


def _two_tongued(s: Scene, withdrawal_is_lower: bool) -> None:
    s.kill(2)
    s.true(0)
    isolate, none = _twins(s, withdrawal_is_lower)
    s.sees(0, 0)
    s.run(500)
    s.liar().send(Blobs((cast.claim(0).blob,)))
    s.liar().send(Entries((isolate,)), [0])
    s.liar().send(Entries((none,)), [1])
    s.until("both hold the proof", lambda: all(s[i].state.equivocations for i in (0, 1)), 5_000)
    s.run(3_000)
    words = [s.opinion(i, s.liar().name) for i in (0, 1)]
    s.expect("both hold one word", words[0], words[1])
    wanted = Level.NONE if withdrawal_is_lower else Level.ISOLATE
    s.expect("the lower", words[0].level if words[0] else None, wanted)
    running = [[s[i].state.certificates[one].certificate.level for one in views.running(s[i].state, TOPIC, s.now_ms)]
               for i in (0, 1)]  # fmt: skip
    s.expect("both hold one level", running[0], running[1])
    s.back(2)


@script(0, "§3: of two words at one seq the lower hash holds: equal levels", "S1, A1, L3", liars=1)
def two_tongues_and_the_withdrawal_is_lower(s: Scene) -> None:
    """The pivotal liar says ISOLATE to m0 and withdraws to m1, at one seq: both end with the same word and level."""
    _two_tongued(s, withdrawal_is_lower=True)


@script(0, "§3: of two words at one seq the lower hash holds: equal levels", "S1, A1, L3", liars=1)
def two_tongues_and_the_alarm_is_lower(s: Scene) -> None:
    """As before, with the other hash lower."""
    _two_tongued(s, withdrawal_is_lower=False)


@script(2, "§1: two KeySets of one version are an equivocation, the lower hash holds", "S1, L3", liars=1)
def two_keysets_of_one_version(s: Scene) -> None:
    """The liar delegates two keys as version 1, one to each half, and speaks under each: in the end all hold the same
    KeySet and the same word."""
    liar = s.liar()
    made = [
        seal_keyset(
            cast.NETWORK,
            cast.cold(liar.name),
            KeySet(liar.name, 1, cast.hot(liar.name, version).public, None, (cast.peer_of(liar.name),), 2**42),
        )
        for version in (1, 2)
    ]
    for to, sealed, version in (([0], made[0], 1), ([1, 2], made[1], 2)):
        liar.send(Hello(cast.NETWORK, 1, (sealed.raw,)), to)
        word = seal_entry(
            cast.NETWORK, cast.hot(liar.name, version), author=liar.name, key_version=1, seq=0, prev=ZERO_HASH,
            issued_ms=s.now_ms, body=liar.opinion(Level.GUARD, detector=f"key-{version}"),
        )  # fmt: skip
        liar.send(Entries((word.raw,)), to)
    s.raises(0, Level.GUARD)
    s.run(1_000)
    for i in range(3):
        s.kill(i)
        s.back(i)
        s.run(2_000)
    s.run(12_000)
    held = {one.state.keysets[liar.name][1].hash for one in s.all()}
    s.expect("KeySets", len(held), 1)
    words = {said.detector if (said := s.opinion(i, liar.name)) else "" for i in range(3)}
    s.expect("words", len(words), 1)


@script(3, "§1: the owner re-issues its live opinions, not the thief's", "S1, S2", n=7, liars=1)
def a_thiefs_words_are_not_said_again_by_their_victim(s: Scene) -> None:
    """m1 is up when a thief speaks with its key: it hears its own voice and puts its pen down. Its owner delegates a
    fresh key. What m1 said itself is said again under it; what the thief said is not."""
    s.raises(1, Level.GUARD, cast.SUBJECTS[1])
    s.run(500)
    feed = s[0].state.feeds[(s[1].name, 0)]
    thief = s.liar()
    stolen = thief.seal(
        thief.opinion(Level.ISOLATE, sources=("m1.node",)), author="m1", seq=feed.top + 1, prev=feed.top_hash
    )
    over = thief.opinion(Level.WATCH, sources=("m1.node",), subject=cast.SUBJECTS[1])
    quieter = thief.seal(over, author="m1", seq=feed.top + 2, prev=stolen.hash)
    thief.send(Entries((stolen.raw, quieter.raw)))
    s.run(500)
    s.check("m1 puts its pen down", "our own entry" in s[1].state.may_sign())
    s.kill(1)
    s[1].rekey()
    s.world.extra_keysets.append(cast.keyset("m1", 1))
    s.back(1)
    s.run(5_000)
    s.expect("m1 speaks", s[1].state.may_sign(), "")
    s.expect("of the thief's subject", s.opinion(0, "m1"), None)
    own = s.opinion(0, "m1", cast.SUBJECTS[1])
    s.expect("of its own", own.level if own else None, Level.GUARD)
