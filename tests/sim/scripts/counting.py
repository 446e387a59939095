"""What counts, for how much, and what does not: groups, thresholds, sources, subjects, threats, margins."""

from __future__ import annotations

from node.events import OperatorAsked, Raise
from node.machine import Phase
from protocol.ids import EpochHash, MemberName, SourceId
from protocol.messages import Basis, Level
from tests.sim import cast
from tests.sim.scripts.book import script
from tests.sim.scripts.stage import COIN, HOUR_MS, Scene

ONE_VENDOR = (SourceId("vendor0"),)


@script(1, "§3: an attestation names its epoch", "S1, S7", liars=1)
def words_of_another_epoch(s: Scene) -> None:
    """A liar's word names another epoch; packed with honest ones of this epoch it makes no GUARD."""
    other = EpochHash(bytes(32))
    word = s.liar().lies(Level.GUARD, epoch=other)
    s.raises(0, Level.GUARD)
    s.run(1_000)
    honest = s[0].state.opinions[(COIN, cast.THREAT)][s[0].name]
    s.liar().pushes(Level.GUARD, [honest, word])
    s.run(1_000)
    s.expect("GUARD", s.certified(Level.GUARD), [])


@script(7, "§3: OBSERVED through one operator counts once at GUARD", "S1", n=7, vendors=2,
        eyes=tuple((i, ONE_VENDOR) for i in (0, 1, 2)))  # fmt: skip
def one_operators_view_counts_once(s: Scene) -> None:
    """Three of seven see through one vendor only: f + 1 groups, one view, no GUARD; two with own nodes make three."""
    for i in (0, 1, 2):
        s.raises(i, Level.GUARD)
    s.run(1_000)
    s.expect("GUARD by one vendor's view", s.certified(Level.GUARD), [])
    s.raises(3, Level.GUARD)
    s.run(1_000)
    s.expect("GUARD by two views", s.certified(Level.GUARD), [])
    s.raises(6, Level.GUARD)
    s.until("GUARD by three views", lambda: len(s.certified(Level.GUARD)) == 7)


@script(7, "§3: source rule", "S3", vendors=2, eyes=tuple((i, ONE_VENDOR) for i in range(4)))
def a_poisoned_vendor_cannot_isolate(s: Scene) -> None:
    """Everybody reads through one vendor, and it shows what is not so: all say ISOLATE, no ISOLATE forms."""
    s.world.truth.happens(3, COIN, Level.ISOLATE, s.now_ms, true=False, shown_by=["operator0"])
    s.world.cause(COIN)
    s.sees(0, 3)
    s.until("all four say ISOLATE", lambda: all(s.opinion(0, f"m{i}") for i in range(4)))
    s.run(2_000)
    s.expect("ISOLATE", s.certified(), [])
    s.expect("frozen", s.frozen(), [])


@script(7, "§3: source rule, f + 1 independent of every operator", "S3", liars=1, vendors=2,
        eyes=tuple((i, ONE_VENDOR) for i in range(3)))  # fmt: skip
def a_liar_that_writes_another_vendors_name(s: Scene) -> None:
    """All honest on one poisoned vendor, the liar names another: one name more than one is not f + 1 groups."""
    s.world.truth.happens(3, COIN, Level.ISOLATE, s.now_ms, true=False, shown_by=["operator0"])
    s.world.cause(COIN)
    s.liar().lies(Level.ISOLATE, cast.claim(3), sources=(SourceId("m3.node"), SourceId("vendor1")))
    s.sees(0, 3)
    s.run(2_000)
    s.expect("words", sorted(s[0].state.opinions[(COIN, cast.THREAT)]), ["m0", "m1", "m2", "m3"])
    s.expect("ISOLATE", s.certified(), [])


@script(7, "§3: live with two vendors listed by everybody", "L1", vendors=2,
        eyes=tuple((i, (SourceId("vendor0"), SourceId("vendor1"))) for i in range(4)))  # fmt: skip
def two_vendors_listed_by_everybody_suffice(s: Scene) -> None:
    """The rule costs no liveness: each of four lists both vendors, and ISOLATE forms."""
    s.alarm(0)
    s.until("ISOLATE", lambda: len(s.certified()) == 4, 1_000)


@script(8, "§3: a claim's type fixes the highest level it supports", "S2, A3", liars=1)
def a_true_but_irrelevant_proof(s: Scene) -> None:
    """VERIFIED, HALT, resting on what truly is, of no weight: honest nodes say WATCH at most; the liar is named."""
    s.true(0, Level.WATCH)
    s.liar().lies(Level.HALT, cast.claim(0))
    s.run(2_000)
    said = s.opinion(0, "m0")
    s.expect("m0 says", said.level if said else None, Level.WATCH)
    s.expect("certificates", [s.certified(level) for level in (Level.GUARD, Level.ISOLATE, Level.HALT)], [[], [], []])
    s.check("named by all", all(one.state.false_statements.get(s.liar().name) for one in s.all()))


@script(8, "§3: evidence is bound to (subject, threat)", "S2, A3", liars=1)
def a_true_claim_about_something_else(s: Scene) -> None:
    """What it proves is true of another subject: nobody corroborates it on this one; the liar is named."""
    s.true(1, Level.ISOLATE, cast.SUBJECTS[1])
    s.liar().lies(Level.ISOLATE, cast.claim(1))
    s.run(2_000)
    s.expect("m0 says of it", s.opinion(0, "m0"), None)
    s.expect("frozen", s.frozen(), [])
    s.check("named by all", all(one.state.false_statements.get(s.liar().name) for one in s.all()))


@script(9, "§3: never corroborates by itself what is in nobody's Manifest", "S2", n=7, liars=2)
def junk_subjects(s: Scene) -> None:
    """Two liars deploy tokens that are truly unbacked, a hundred of them: nobody corroborates, and the real alarm
    beside them is as fast as ever."""
    for number in range(100, 150):
        junk = type(COIN)(cast.JUNK.raw[:-1] + bytes([number]))
        s.world.truth.happens(number, junk, Level.ISOLATE, s.now_ms)
        s.liar(5 + number % 2).lies(Level.ISOLATE, cast.claim(number), subject=junk)
    s.run(100)
    s.alarm(0)
    s.until("ISOLATE on what is real", lambda: len(s.certified()) == 5, 200)
    s.run(1_000)
    own = [topic for topic, held in s[0].state.opinions.items() if s[0].name in held]
    s.expect("what m0 speaks of", own, [(COIN, cast.THREAT)])


@script(13, "§3: an opinion's key is (author, subject, threat)", "S1")
def unrelated_mild_causes_do_not_add_up(s: Scene) -> None:
    """Three members hold GUARD on one subject for three threats: no threat reaches its threshold."""
    for i, threat in enumerate((cast.THREAT, cast.OTHER_THREAT, 36)):
        s.raises(i, Level.GUARD, threat=threat)
    s.run(1_500)
    s.expect("GUARD", s.certified(Level.GUARD), [])


@script(13, "§3: an opinion's key is (author, subject, threat)", "L3")
def a_watch_on_another_threat_replaces_nothing(s: Scene) -> None:
    """An automatic WATCH on volatility does not overwrite the same member's ISOLATE on theft."""
    s.alarm(0)
    s.until("ISOLATE", lambda: len(s.certified()) == 4)
    for i in range(4):
        s.raises(i, Level.WATCH, threat=36)
    s.run(2_000)
    s.expect("ISOLATE", len(s.certified()), 4)
    said = s.opinion(1, "m0")
    s.expect("m0 still says", said.level if said else None, Level.ISOLATE)


@script(19, "§3: below n = 4 the network only informs", "S10", n=3)
def a_trio_only_informs(s: Scene) -> None:
    """Three members agree on what is so; levers hold, for one stolen key would be everybody's."""
    s.alarm(0)
    s.run(2_000)
    s.expect("certified", len(s.certified()), 3)
    s.expect("frozen", s.frozen(), [])


@script(21, "§1: everything counts control groups", "S1", twin=True)
def two_seats_of_one_group_count_once(s: Scene) -> None:
    """m0 and m0b are one group: their two words are one of the two that GUARD needs."""
    s.raises(0, Level.GUARD)
    twin = s.world.processes[MemberName("m0b")]
    s.world.ask(twin, Raise(COIN, cast.THREAT, Level.GUARD, 0, "by hand"), "raise GUARD")
    s.run(1_500)
    s.expect("GUARD", s.certified_by(Level.GUARD), [])
    s.raises(2, Level.GUARD)
    s.until("GUARD", lambda: len(s.certified_by(Level.GUARD)) == 5)


@script(23, "§2: unknown kinds and threats never count", "S12", liars=1)
def what_a_later_version_says(s: Scene) -> None:
    """A kind and a threat of tomorrow: stored, chained, relayed, counted by nobody."""
    from protocol.messages import Unknown

    s.liar().say(Unknown(77, {1: b"tomorrow"}), to=[0])
    for i in range(3):
        s.world.ask(s[i], Raise(COIN, 60, Level.GUARD, 0, "by hand"), "raise GUARD on threat 60")
    s.run(7_000)
    s.expect("GUARD", s.certified(Level.GUARD), [])
    s.expect("stored by all", [one.state.feeds[(s.liar().name, 0)].top for one in s.all()], [0, 0, 0])


@script(24, "§0: Q = n - f, not 2f + 1", "S1, S2", n=6)
def halves_form_no_isolate(s: Scene) -> None:
    """n = 6, f = 1: 2f + 1 would be three, and both halves of a cut would isolate alone. Q is five: neither does;
    GUARD forms in each; after the heal everybody holds ISOLATE."""
    heal = s.cut((0, 1, 2), (3, 4, 5))
    s.true(0)
    s.sees(0, 0)
    s.sees(3, 0)
    s.run(2_000)
    s.expect("ISOLATE", s.certified(), [])
    s.expect("GUARD", len(s.certified(Level.GUARD)), 6)
    s.expect("frozen", s.frozen(), [])
    s.check("all are blind", all(one.state.blind() for one in s.all()))
    heal()
    s.until("ISOLATE after the heal", lambda: len(s.certified()) == 6, 5_000)


@script(0, "§7: says when it is thin, and when blind", "L7", n=7, own_rule=True)
def the_margin_falls_to_one_then_to_blind(s: Scene) -> None:
    """Groups die one by one: thin is said at a margin of one, blind below zero; own evidence still moves the own
    lever, GUARD still forms; well again is said when they are back."""
    s.kill(6)
    s.run(2_000)
    s.expect("thin", s.told(0, "thin: hears 6 of 7"), 1)
    s.kill(5)
    s.run(2_000)
    s.expect("blind", s.told(0, "blind"), 0)
    s.kill(4)
    s.run(2_000)
    s.expect("blind", s.told(0, "blind: hears 4 of 7"), 1)
    s.alarm(0)
    s.until("GUARD", lambda: s.certificate(0, Level.GUARD))
    s.until("own lever", lambda: s.phases(0) == [Phase.EFFECTIVE])
    s.expect("ISOLATE", s.certificate(0), None)
    s.back(4, 5, 6)
    s.until("well again", lambda: s.told(0, "well again"), 5_000)
    s.until("ISOLATE", lambda: len(s.certified()) == 7, 5_000)


@script(0, "§3: HEARSAY never counts above WATCH", "S1", n=7, liars=2)
def hearsay_is_no_eye(s: Scene) -> None:
    """Two liars' hearsay and one honest word are one word."""
    for i in (5, 6):
        s.liar(i).lies(Level.ISOLATE, basis=Basis.HEARSAY)
    s.raises(0, Level.GUARD)
    s.run(1_500)
    s.expect("GUARD", s.certified(Level.GUARD), [])


@script(0, "§3: leases have bounds", "S1, S5", n=7, liars=2)
def a_lease_beyond_the_bound_counts_for_nothing(s: Scene) -> None:
    """Two liars say GUARD for a year, and from before they said it; with one honest word that is one of three."""
    year_ms = 365 * 24 * HOUR_MS
    s.liar(5).lies(Level.GUARD, expires_ms=s.now_ms + year_ms)
    s.liar(6).lies(Level.GUARD, since_ms=s.now_ms + 30_000)
    s.raises(0, Level.GUARD)
    s.run(1_500)
    s.expect("GUARD", s.certified(Level.GUARD), [])


@script(0, "§3: every member answers, in every policy mode", "L1", n=7, liars=2)
def two_silent_liars_cost_nothing(s: Scene) -> None:
    """f say nothing: the alarm is certified in two delays and processing all the same."""
    s.alarm(0)
    took_ms = s.until("ISOLATE", lambda: len(s.certified()) == 5)
    s.check(f"in two delays and processing, took {took_ms} ms", took_ms <= 2 * s.world.network.most_ms() + 12 + 50)


@script(0, "§3: a person's word is OBSERVED and by_person", "S5")
def a_quorum_of_persons_moves_levers(s: Scene) -> None:
    """No claim at all: Q persons say ISOLATE, and levers move; one fewer and they do not."""
    for i in (0, 1):
        s.world.cause(COIN)
        s[i].push(OperatorAsked(0, "ann", Raise(COIN, cast.THREAT, Level.ISOLATE, 0, "by hand")))
    s.run(1_500)
    s.expect("frozen by two", s.frozen(), [])
    s.raises(2, Level.ISOLATE)
    s.until("frozen by three", lambda: len(s.frozen()) == 4)


@script(2, "§5: suspended, it stays in n and weighs 0", "S1, S14", n=7, liars=2, suspended=True)
def a_suspended_seat_weighs_nothing_and_lowers_no_threshold(s: Scene) -> None:
    """m5 is suspended. Its word with m6's and m0's is no GUARD, and neither are m6's and m0's: counted over six, f
    would be one and two would do."""
    for i in (5, 6):
        s.liar(i).lies(Level.GUARD)
    s.raises(0, Level.GUARD)
    s.run(1_500)
    s.expect("GUARD", s.certified(Level.GUARD), [])
    s.raises(1, Level.GUARD)
    s.until("GUARD by three that count", lambda: len(s.certified(Level.GUARD)) == 5)
    held = s.certificate(0, Level.GUARD)
    authors = [one.entry.author for one in held.opinions] if held is not None else []
    s.expect("who is in it", authors, ["m0", "m1", "m6"])


@script(22, "§3: HALT needs a quorum and ends within its hour", "S1, S5")
def halt_is_the_top_of_the_ladder(s: Scene) -> None:
    """HALT by all is ISOLATE and GUARD as well; its own hour ends first, and the ladder goes down a rung."""
    s.alarm(0, 0, Level.HALT)
    s.until("HALT", lambda: len(s.certified(Level.HALT)) == 4)
    s.until("levers of ISOLATE act on it", lambda: len(s.frozen()) == 4)
    s.pass_hours(1.2)
    s.expect("HALT after its hour", s.certified(Level.HALT), [])


@script(8, "§3: counting takes basis as said: a pure function of what is held", "S1, L3")
def who_cannot_look_counts_all_the_same(s: Scene) -> None:
    """m2's provider is down: it cannot say VERIFIED itself, and holds the level that all others hold; it answers when
    its provider is back."""
    for eye in s.world.eyes[s[2].name]:
        s.world.truth.blind_until_ms[eye] = s.now_ms + 6_000
    s.alarm(0)
    s.until("ISOLATE by three", lambda: len(s.certified()) == 4, 500)
    s.expect("m2 says", s.opinion(0, "m2"), None)
    s.until("it answers at last", lambda: s.opinion(0, "m2") is not None, 20_000)
