"""How what was said ends: releases, withdrawals, leases; and what never comes back by itself."""

from __future__ import annotations

from node.events import ReleaseTopic
from node.machine import Phase, views
from protocol.errors import ProtocolError
from protocol.frames import Entries
from protocol.ids import MemberName
from protocol.messages import Basis, Heartbeat, Level, Release
from tests.sim import cast
from tests.sim.scripts.book import script
from tests.sim.scripts.stage import COIN, HOUR_MS, Scene

TOPIC = (COIN, cast.THREAT)


def _alarmed(s: Scene, number: int = 0) -> None:
    s.alarm(0, number)
    s.until("all levers", lambda: len(s.frozen()) == len(s.all()))
    s.run(1_000)


@script(10, "§3: what is said again on certified claims ends with the first certificate", "S5")
def no_halt_sustains_itself(s: Scene) -> None:
    """The same state is seen again and again, by one after the other: it ends all the same."""
    _alarmed(s)
    for hours in (0.5, 0.5, 1, 2, 2, 3, 4):
        s.pass_hours(hours)
        turn = int(2 * hours)
        s.sees(turn % 4, 0)
    s.expect("ISOLATE", s.certified(), [])
    s.expect("GUARD", s.certified(Level.GUARD), [])
    s.expect("frozen", s.frozen(), [])
    s.expect("frozen how often", [s.applied(i) for i in range(4)], [1, 1, 1, 1])


@script(10, "§3: the bound is the first certificate's newest word and the lease", "S5", n=7, liars=2)
def liars_fill_in_between_staggered_words(s: Scene) -> None:
    """Five honest see it one after the other, eleven hours apart, two liars renew all the while: GUARD would hold for
    sixty hours. It ends with the first certificate's newest word and a lease."""
    s.true(0)
    first_ms = s.now_ms
    for turn in range(5):
        for i in (5, 6):
            s.liar(i).lies(Level.GUARD, cast.claim(0))
        if turn < 3:
            s.sees(turn, 0)
        s.pass_hours(11)
    s.expect("GUARD", s.certified(Level.GUARD), [])
    ends = [one.body.expires_ms for i in range(5) for one in s[i].state.opinions.get(TOPIC, {}).values()
            if one.entry.author in s.world.processes]  # fmt: skip
    s.check("no honest word outlives it", max(ends, default=0) <= first_ms + 13 * HOUR_MS + 60_000)


@script(11, "§3: the release point is a time, not a certificate", "S11", liars=1)
def a_sibling_certificate_after_the_release(s: Scene) -> None:
    """Four words make siblings of three; all is released; the liar pushes each sibling: none is taken."""
    s.true(0)
    word = s.liar().lies(Level.ISOLATE, cast.claim(0))
    s.sees(0, 0)
    s.until("all levers", lambda: len(s.frozen()) == 3)
    s.run(1_000)
    words = [s[0].state.opinions[TOPIC][one.name] for one in s.all()]
    s.releases(0, 1, 2)
    s.until("all free", lambda: not s.frozen())
    for left_out in range(3):
        s.liar().pushes(Level.ISOLATE, [word, *(one for at, one in enumerate(words) if at != left_out)])
        s.liar().pushes(Level.GUARD, [word, words[left_out]])
    s.run(3_000)
    s.expect("frozen", s.frozen(), [])
    s.expect("frozen how often", [s.applied(i) for i in range(3)], [1, 1, 1])
    s.check("nothing runs", not any(views.running(one.state, TOPIC, s.now_ms) for one in s.all()))


@script(11, "§3: a released claim is known by (type, id), a new one is new", "S11, L1")
def a_release_does_not_blind_to_the_second_attack(s: Scene) -> None:
    """After the release the same claim moves nothing, and another claim on the same subject freezes again."""
    _alarmed(s)
    s.releases(0, 1, 2)
    s.until("all free", lambda: not s.frozen())
    s.sees(3, 0)
    s.run(2_000)
    s.expect("frozen by the same claim", s.frozen(), [])
    s.alarm(1, 3)
    s.until("frozen by the new one", lambda: len(s.frozen()) == 4, 2_000)


@script(11, "§3: through_ms <= issued_ms", "S11", liars=1)
def a_release_dated_in_the_future(s: Scene) -> None:
    """It would blind the network to what comes: no person's own node says it, no liar can seal it for others, and what
    comes true a moment later is an alarm."""
    s.world.ask(s[0], ReleaseTopic(COIN, cast.THREAT, s.now_ms + HOUR_MS), "release through the next hour")
    s.run(100)
    s.expect("released by m0", s[0].state.releases.latest.get(TOPIC), None)
    try:
        made = s.liar().seal(Release(s.world.epoch.hash, COIN, cast.THREAT, s.now_ms + HOUR_MS, ()))
        s.liar().send(Entries((made.raw,)))
    except ProtocolError:
        s.world.note("m3", "cannot even seal it")
    s.releases(1, 2)
    s.run(200)
    s.alarm(0)
    s.until("frozen", lambda: len(s.frozen()) == 3, 2_000)


@script(11, "§3: point by Q of n, so what is left is fewer than GUARD", "S11, S2", n=7, liars=2)
def laggards_and_liars_raise_nothing_again(s: Scene) -> None:
    """All but one honest member release; the laggard and f liars, with old words and new words on the old claim, are
    no GUARD that an honest node acts on anew."""
    s.true(0)
    for i in (5, 6):
        s.liar(i).lies(Level.ISOLATE, cast.claim(0))
    s.sees(0, 0)
    s.until("all levers", lambda: len(s.frozen()) == 5)
    s.run(1_000)
    s.releases(0, 1, 2, 3)
    s.run(1_000)
    s.expect("frozen while one fewer than Q released", len(s.frozen()), 5)
    s.liar(5).say(Release(s.world.epoch.hash, COIN, cast.THREAT, s.now_ms, (cast.claim(0).claim,)))
    s.until("all free", lambda: not s.frozen())
    for i in (5, 6):
        s.liar(i).lies(Level.GUARD, cast.claim(0))
    s.sees(4, 0)
    s.run(3_000)
    s.expect("frozen", s.frozen(), [])
    s.check("no GUARD runs", not any(views.running(one.state, TOPIC, s.now_ms) for one in s.all()))


@script(11, "§3: a release names a time and claims, whichever word comes first", "S11, L3")
def a_release_races_a_raise(s: Scene) -> None:
    """While operators release, one after the other, a new claim comes true and is seen: the old restriction lifts, the
    new claim's is there in the end, whichever word came first where."""
    _alarmed(s)
    s.releases(0)
    s.run(20)
    s.alarm(2, 3)
    s.releases(1)
    s.run(10)
    s.releases(3)
    s.run(5_000)
    s.check("the old claim is released everywhere", all(
        one.state.releases.covers_claims(TOPIC, [(c.type, c.id) for c in (cast.claim(0).claim,)], one.state.epoch)
        for one in s.all()))  # fmt: skip
    s.alarm(1, 6)
    s.until("frozen by what is new", lambda: len(s.frozen()) == 4, 3_000)


@script(12, "§3: a node holding the later word does not count the older", "S1, L3", n=7, liars=2)
def a_withdrawn_word_is_not_revived(s: Scene) -> None:
    """m0 said GUARD and withdrew it; the liars carry the old word, with two of their own, in a certificate: nobody who
    heard the withdrawal takes it, and who did not is answered with the withdrawal."""
    s.raises(0, Level.GUARD)
    s.run(500)
    old = s[1].state.opinions[TOPIC][s[0].name]
    heal = s.cut((4,), (0, 1, 2, 3))
    s.withdraws(0)
    s.run(500)
    words = [s.liar(i).seal(s.liar(i).opinion(Level.GUARD)) for i in (5, 6)]
    s.liar().pushes(Level.GUARD, [old, *words])
    s.run(1_000)
    s.expect(
        "taken by those who know",
        [one.name for one in s.all()[:4] if s.certificate(int(one.name[1:]), Level.GUARD)],
        [],
    )
    heal()
    s.until("m4 knows", lambda: (said := s.opinion(4, "m0")) is not None and said.level is Level.NONE, 6_000)
    s.check("it does not run at m4", not views.running(s[4].state, TOPIC, s.now_ms))


@script(12, "§3: it is kept until the older one's expiry + skew", "S1", n=7, liars=2)
def nor_after_the_withdrawal_expired_from_memory(s: Scene) -> None:
    """The withdrawal is forgotten only when the older word has expired too: then nothing carries it any more."""
    for i in (5, 6):
        s.liar(i).say(Heartbeat(s.world.epoch.hash))
    s.raises(0, Level.GUARD, hours=12)
    s.run(500)
    old = s[1].state.opinions[TOPIC][s[0].name]
    s.withdraws(0)
    for hours in (1, 5, 5, 0.9, 0.3):
        s.pass_hours(hours)
        words = [s.liar(i).seal(s.liar(i).opinion(Level.GUARD)) for i in (5, 6)]
        s.liar().pushes(Level.GUARD, [old, *words])
        s.run(500)
        s.expect("GUARD", s.certified(Level.GUARD), [])
    s.check("forgotten in the end", s.opinion(1, "m0") is None)


@script(12, "§4: a restriction once applied keeps its lease: levers do not follow the level", "S5, S7", n=4, liars=1)
def a_pivotal_liar_flaps(s: Scene) -> None:
    """One honest member is down, so the liar's word is the Q-th: it raises, withdraws, raises, twenty times. The levers
    move once."""
    s.kill(2)
    s.true(0)
    s.sees(0, 0)
    for _ in range(20):
        s.liar().lies(Level.ISOLATE, cast.claim(0))
        s.run(300)
        s.liar().lies(Level.NONE, basis=Basis.OBSERVED)
        s.run(300)
    s.expect("frozen", [s.stands(0), s.stands(1)], [True, True])
    s.expect("frozen how often", [s.applied(0), s.applied(1)], [1, 1])
    s.back(2)
    s.run(2_000)


@script(12, "§4: it falls by release, owner or expiry, not by withdrawal", "S5")
def everybody_withdraws_and_the_lease_stands(s: Scene) -> None:
    """All four withdraw: no new lever moves, and what is applied stands to its end."""
    _alarmed(s)
    for i in range(4):
        s.withdraws(i)
    s.run(3_000)
    s.expect("frozen", len(s.frozen()), 4)
    s.pass_hours(1)
    s.expect("frozen after the lease", s.frozen(), [])


@script(0, "§3: one over 60 s old is acted on after its signers' heads were asked", "S11, L3", n=7, liars=1)
def a_stale_certificate_waits_for_heads(s: Scene) -> None:
    """m5 was away while all was certified and released. When it is back the liar, nearest to it, pushes the old
    certificate ahead of the others' heads: m5 holds it, moves nothing, and hears of the release."""
    s.world.gossip = lambda name, raw: None  # type: ignore[method-assign]
    heal = s.cut((5,), (0, 1, 2, 3, 4))
    s.alarm(0)
    s.until("levers of the others", lambda: len(s.frozen()) == 5)
    words = [s[0].state.opinions[TOPIC][s[i].name] for i in range(5)]
    s.run(70_000)
    s.releases(0, 1, 2, 3, 4)
    s.run(500)
    for i in range(5):
        s.world.network.slow[f"m{i}"] = 200
    heal()
    s.until("m5 hears all", lambda: s[5].state.heard_groups() == 7)
    s.liar().pushes(Level.ISOLATE, words, to=[5])
    s.until("m5 holds it", lambda: s.certificate(5), 100)
    s.expect("m5 knows of the release", s[5].state.releases.point_ms(TOPIC), 0)
    s.until("m5 knows of the release", lambda: s[5].state.releases.point_ms(TOPIC) > 0, 3_000)
    s.run(6_000)
    s.expect("how often m5 was frozen", s.applied(5), 0)


@script(0, "§3: one over 60 s old is acted on after its signers' heads were asked", "S11, L3", n=7, liars=1)
def who_was_blind_asks_before_it_acts(s: Scene) -> None:
    """The certificate reached m5 by gossip, fresh, while it was cut off and blind. A minute later all is released and
    the cut heals: m5 hears a quorum again, and the release before it has moved anything."""
    heal = s.cut((5,), (0, 1, 2, 3, 4))
    s.alarm(0)
    s.until("m5 holds it", lambda: s.certificate(5))
    s.run(70_000)
    s.releases(0, 1, 2, 3, 4)
    s.run(500)
    for i in range(5):
        s.world.network.slow[f"m{i}"] = 400
    heal()
    s.until("m5 hears all", lambda: s[5].state.heard_groups() == 7)
    s.until("m5 knows of the release", lambda: s[5].state.releases.point_ms(TOPIC) > 0, 5_000)
    s.run(6_000)
    s.expect("how often m5 was frozen", s.applied(5), 0)


@script(0, "§3: a stale certificate waits for heads, or 5 s", "L1", n=7, liars=2)
def a_stale_certificate_is_acted_on_when_nobody_answers(s: Scene) -> None:
    """m4 comes back after an hour and reaches m0, m1 and two who say nothing: fewer than f + 1 show their heads, so it
    acts after five seconds and not before."""
    s.kill(4)
    s.true(0)
    for i in (5, 6):
        s.liar(i).lies(Level.ISOLATE, cast.claim(0))
    s.sees(0, 0)
    s.until("levers of the others", lambda: len(s.frozen()) == 4)
    s.run(70_000)
    heal = s.cut((4,), (2, 3))
    s.back(4)
    s.until("m4 holds it", lambda: s.certificate(4), 5_000)
    s.run(2_000)
    early = s.phases(4)
    s.until("m4 acts", lambda: s.stands(4), 8_000)
    s.expect("before its five seconds", early, [])
    heal()


@script(0, "§3: the owner can always release its own lever", "S5")
def the_owner_lifts_alone(s: Scene) -> None:
    """A local act frees the own lever; nobody else's moves, and the standing certificate does not freeze it again."""
    from node.events import ActionCommand

    _alarmed(s)
    for action in list(s[2].state.actions.values()):
        s.world.ask(s[2], ActionCommand(action.key, "lift"), "lift")
    s.run(5_000)
    s.expect("frozen", s.frozen(), ["m0", "m1", "m3"])
    s.expect("phase", s.phases(2), [Phase.LIFTED])


@script(21, "§3: a group's point is the least of its members'", "S11", twin=True)
def half_a_group_releases_nothing(s: Scene) -> None:
    """m0 releases and its twin seat m0b does not: with m1 and m2 that is one group too few; m0b's word ends it."""
    s.alarm(0)
    s.until("all levers", lambda: len(s.frozen_by()) == 5)
    s.run(1_000)
    s.releases(0, 1, 2)
    s.run(2_000)
    s.expect("frozen", len(s.frozen_by()), 5)
    twin = s.world.processes[MemberName("m0b")]
    s.world.ask(twin, ReleaseTopic(COIN, cast.THREAT, 0), "release")
    s.until("all free", lambda: not s.frozen_by())


@script(0, "§7: state is bounded, and what ended is forgotten", "B1", liars=1)
def what_ended_is_forgotten_while_one_is_silent(s: Scene) -> None:
    """The liar has said nothing since the beginning, not even a Heartbeat: the others forget an alarm of yesterday all
    the same."""
    _alarmed(s)
    s.pass_hours(14)
    for one in s.all():
        state = one.state
        kept = (len(state.opinions), len(state.certificates), len(state.blobs), len(state.ruled))
        s.expect(f"opinions, certificates, blobs and verdicts of {one.name}", kept, (0, 0, 0, 0))


@script(0, "§3: only a person takes a word back, and a restriction falls by release, owner or lease", "S5, A3")
def a_second_look_lowers_nothing(s: Scene) -> None:
    """m2's providers are down when its people have the evidence re-run: they are told, and m2 neither takes its word
    back nor lets go. When they are up again it is as it was."""
    from node.events import Rerun

    _alarmed(s)
    word = s.opinion(2, "m2")
    for seconds, ruling in ((60, "undecided"), (0, "supports")):
        for eye in s.world.eyes["m2"]:
            s.world.truth.blind_until_ms[eye] = s.now_ms + seconds * 1_000
        s.world.ask(s[2], Rerun(*TOPIC), "have it re-run")
        s.until(f"it came out {ruling}", lambda ruling=ruling: _came_out(s) == [ruling])
        s.run(11_000)
    s.check("m2 holds its word", s.opinion(2, "m2") is word)
    s.expect("frozen", s.frozen(), ["m0", "m1", "m2", "m3"])
    s.expect("told", s.told(2, "and now it could not be told"), 1)


def _came_out(s: Scene) -> list[str]:
    return [one.ruling for one in s[2].state.reruns.kept.get(TOPIC, {}).values()]
