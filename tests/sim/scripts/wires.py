"""Clocks, budgets, cuts, catching up: what the network does, and what strangers and liars do over it."""

from __future__ import annotations

from adapters.api import ExpiresBy
from node.machine import Phase
from protocol.frames import Entries, Head, Heads, parse_frame
from protocol.ids import ZERO_HASH, EntryHash
from protocol.messages import Level, Notice, Tlp
from protocol.quorum import parse_certificate
from tests.sim import cast
from tests.sim.scripts.book import script
from tests.sim.scripts.stage import HOUR_MS, Scene


@script(18, "§6: an applied lease runs on the monotonic clock", "S5, S6", ends=ExpiresBy.NODE)
def a_clock_pushed_seven_hours_ahead(s: Scene) -> None:
    """The victim's own leases end by its own clock? They do not: its lever, which it must end itself, stands to the
    end of its hour; meanwhile it says that its clock is off and signs nothing."""
    s.alarm(0)
    s.until("all levers", lambda: len(s.frozen()) == 4)
    s.run(1_000)
    s[2].wall.ahead_ms = 7 * HOUR_MS
    s.run(70_000)
    s.check("it stands", s.stands(2))
    s.check("it is silent", "clock" in s[2].state.may_sign())
    s[2].wall.ahead_ms = 0
    s.run(70_000)
    s.expect("it speaks", s[2].state.may_sign(), "")
    s.pass_hours(1)
    s.expect("frozen", s.frozen(), [])
    s.expect("phase", s.phases(2), [Phase.LIFTED])


@script(18, "§6: time decides counting, never storing or syncing", "L3", liars=1)
def entries_dated_in_the_future(s: Scene) -> None:
    """A clock jumped ahead and back left a word of next week in a feed: the feed syncs whole, to who was away too, and
    what was said after it counts."""
    liar = s.liar()
    s.kill(2)
    liar.say(Notice("of next week", Tlp.GREEN))
    ahead = liar.seal(liar.opinion(Level.GUARD), issued_ms=s.now_ms + 7 * 24 * HOUR_MS)
    liar.send(Entries((ahead.raw,)))
    s.run(200)
    s.expect("GUARD by it and m0", _guard_with_m0(s), [])
    liar.lies(Level.GUARD)
    s.until("GUARD by what is said now", lambda: len(s.certified(Level.GUARD)) == 2, 2_000)
    s.back(2)
    s.until("m2 has the feed whole", lambda: _whole(s, 2) == liar.seq, 5_000)


def _guard_with_m0(s: Scene) -> list[str]:
    s.raises(0, Level.GUARD)
    s.run(500)
    return s.certified(Level.GUARD)


def _whole(s: Scene, i: int) -> int:
    feed = s[i].state.feeds.get((s.liar().name, 0))
    return feed.whole if feed is not None else -1


@script(20, "§6: budget of the connection before the signature, the author's after", "L6", liars=1)
def junk_in_an_honest_name(s: Scene) -> None:
    """The liar sends a thousand entries that name m1 and are not m1's: m1's own first word is as fast as ever."""
    top = s[0].state.feeds[("m1", 0)].top  # type: ignore[index]
    for number in range(1_000):
        raw = s.liar().seal(Notice("junk", Tlp.GREEN), author="m1", seq=top + 1 + number).raw
        s.liar().send(Entries((raw[:-1] + bytes([raw[-1] ^ 1]),)), [0])
    s.run(100)
    s.alarm(1)
    took_ms = s.until("m0 has m1's word", lambda: s.opinion(0, "m1") is not None)
    s.check(f"within 50 ms beyond a delay, took {took_ms}", took_ms <= s.world.network.most_ms() + 4 + 50)
    refused = s[0].state.refusals_by_peer[cast.peer_of(s.liar().name)]
    s.check(f"it was refused: {refused}", sum(refused.values()) >= 900)
    s.expect("m1's peer is refused nothing", s[0].state.refusals_by_peer.get(cast.peer_of("m1"), {}), {})


@script(20, "§6: deduplication is recorded after verification", "L3", liars=1)
def junk_does_not_shadow_the_real_entry(s: Scene) -> None:
    """Ahead of m1's next entry comes one of the same author and seq with a broken signature: the real one is taken."""
    top = s[0].state.feeds[("m1", 0)].top  # type: ignore[index]
    fake = s.liar().seal(Notice("fake", Tlp.GREEN), author="m1", seq=top + 1)
    broken = fake.raw[:-1] + bytes([fake.raw[-1] ^ 1])
    s.liar().send(Entries((broken,)))
    s.run(50)
    s.alarm(1)
    s.until("all have m1's word", lambda: all(s.opinion(i, "m1") for i in range(3)), 500)
    s.check("nobody is proven", not any(one.state.equivocations for one in s.all()))


@script(20, "§6: nothing unverified is charged to an author", "L6, B1", n=4, liars=1)
def a_flooding_author_delays_nobody(s: Scene) -> None:
    """A thousand valid words of the liar's: cut by its connection's and its author's budget;
    the alarm beside them takes two delays."""
    liar = s.liar()
    for number in range(1_000):
        liar.send(Entries((liar.seal(Notice(f"noise {number}", Tlp.GREEN)).raw,)))
    s.alarm(0)
    took_ms = s.until("ISOLATE", lambda: len(s.certified()) == 3)
    s.check(f"two delays, 50 ms and processing, took {took_ms}", took_ms <= 2 * s.world.network.most_ms() + 12 + 75)
    refused = s[0].state.refusals_by_peer[cast.peer_of(liar.name)]
    cut = refused.get("author-over-budget", 0) + refused.get("over-budget", 0)
    s.check(f"its own budgets cut it: {refused}", cut >= 300 and len(refused) <= 2)


@script(0, "§7: no liar stalls catching up", "L3, L4", liars=1)
def heads_that_are_never_delivered(s: Scene) -> None:
    """m2 was away. The liar, connected first, promises all feeds to seq 10^6 and delivers nothing: m2 has everything
    from the others within five seconds and four delays."""
    heal = s.cut((2,), (0, 1))
    s.alarm(0)
    s.raises(1, Level.GUARD, cast.SUBJECTS[1])
    s.run(3_000)
    lies = tuple(Head(s[i].name, 0, 0, 10**6, EntryHash(b"\x01" * 32)) for i in (0, 1))
    for _ in range(5):
        s.liar().send(Heads(lies, ()), [2], sync=True)
        s.run(300)
    heal()
    started = s.now_ms
    tops = {i: s[i].state.own_head()[0] for i in (0, 1)}
    s.until("m2 has all", lambda: all(s[2].state.feeds[(f"m{i}", 0)].whole >= tops[i] for i in (0, 1)), 6_000)  # type: ignore[index]
    s.check("in time", s.now_ms - started <= 5_000 + 4 * s.world.network.most_ms())
    s.until("m2 acts", lambda: s.stands(2), 10_000)


@script(0, "§3: a quorum, and no fewer", "S1, L3")
def halves_of_four(s: Scene) -> None:
    """Two against two: each half says GUARD, neither ISOLATE; both say that they are blind; after the heal all act."""
    heal = s.cut((0, 1), (2, 3))
    s.true(0)
    s.sees(0, 0)
    s.sees(2, 0)
    s.run(3_000)
    s.expect("ISOLATE", s.certified(), [])
    s.expect("GUARD", len(s.certified(Level.GUARD)), 4)
    s.check("all say so", all(s.told(i, "blind") for i in range(4)))
    heal()
    s.until("all act", lambda: len(s.frozen()) == 4, 6_000)


@script(0, "§6: heads and ranges, from whoever has them", "L1, L3")
def one_hears_and_is_not_heard(s: Scene) -> None:
    """Nothing passes from m3 to the others: they certify without it, and it acts with them."""
    s.world.network.cut([("m3", f"m{i}") for i in range(3)])
    s.alarm(0)
    s.until("m3 acts too", lambda: s.stands(3), 3_000)
    s.expect("m3's word at m0", s.opinion(0, "m3"), None)
    s.world.network.heal([("m3", f"m{i}") for i in range(3)])
    s.until("it is heard at last", lambda: s.opinion(0, "m3") is not None, 10_000)


@script(0, "§7: nothing is valid in another network", "S7", liars=1)
def words_of_another_network(s: Scene) -> None:
    """The same seats exist in a drill's network: what was sealed there is refused here, and proves nothing."""
    liar = s.liar()
    drill = liar.seal(liar.opinion(Level.HALT), seq=0, prev=ZERO_HASH, network=cast.FOREIGN)
    liar.send(Entries((drill.raw,)))
    stolen = liar.seal(Notice("drill", Tlp.GREEN), author="m1", seq=0, prev=ZERO_HASH, network=cast.FOREIGN)
    liar.send(Entries((stolen.raw,)))
    s.run(1_000)
    s.expect("held of the liar", s.opinion(0, liar.name), None)
    s.check("nobody is proven", not any(one.state.equivocations for one in s.all()))


@script(23, "§6: above TLP:GREEN nothing goes by GossipSub", "S12", n=7, liars=1)
def an_amber_word_keeps_its_certificate_off_the_gossip(s: Scene) -> None:
    """m5 is out of m0's reach, so certificates go by gossip too: not one that holds the liar's AMBER word."""
    gossiped: list[bytes] = []
    s.world.gossip = lambda name, raw: gossiped.append(raw)  # type: ignore[method-assign]
    heal = s.cut((5,), (0, 1))
    for subject, tlp in ((cast.SUBJECTS[0], Tlp.AMBER), (cast.SUBJECTS[1], Tlp.GREEN)):
        s.liar().lies(Level.GUARD, subject=subject, tlp=tlp)
        s.raises(0, Level.GUARD, subject)
        s.raises(1, Level.GUARD, subject)
    s.run(3_000)
    s.expect("GUARD on both", [len(s.certified(Level.GUARD, one)) for one in cast.SUBJECTS[:2]], [6, 6])
    subjects = [parse_certificate(parse_frame(raw).raw).subject for raw in gossiped]  # type: ignore[union-attr]
    s.check("something was gossiped", gossiped)
    s.expect("on what", set(subjects), {cast.SUBJECTS[1]})
    heal()


@script(0, "§6: sync carries what a link does not", "L3")
def a_member_out_of_reach_is_told_through_others(s: Scene) -> None:
    """m0 and m3 cannot reach each other: m0's word reaches m3 through the others, and both act."""
    heal = s.cut((0,), (3,))
    s.alarm(0)
    s.until("all act", lambda: len(s.frozen()) == 4, 6_000)
    s.until("m3 has m0's word", lambda: s.opinion(3, "m0") is not None, 6_000)
    heal()


@script(0, "§2: a gap never delays an alarm", "L1, L3", liars=1)
def a_word_beyond_a_gap_counts_at_once(s: Scene) -> None:
    """m0 and m1 are given the liar's seq 5 alone: with m0's word it is GUARD at once; what was withheld comes later
    from m2, which has it."""
    liar = s.liar()
    for number in range(5):
        liar.say(Notice(f"word {number}", Tlp.GREEN), to=[2])
    liar.lies(Level.GUARD, to=[0, 1])
    s.raises(0, Level.GUARD)
    s.until("GUARD", lambda: len(s.certified(Level.GUARD)) >= 2, 100)
    s.until("all have the feed whole", lambda: all(_whole(s, i) == 5 for i in range(3)), 12_000)


@script(0, "§4: what stands is looked at again", "S7, S5")
def a_block_is_taken_back(s: Scene) -> None:
    """The chain of m1 loses the block with its restriction: m1 sees it within a minute and asks again, once."""
    s.alarm(0)
    s.until("all levers", lambda: s.frozen() == ["m0", "m1", "m2", "m3"])
    s.run(1_000)
    s.world.targets["m1"].frees(cast.INSTANCE["freeze"], s.now_ms, by_person=False)
    s.until("m1 stands again", lambda: s.stands(1), 60_000)
    s.run(60_000)
    s.expect("restricted how often", [s.applied(i) for i in range(4)], [1, 2, 1, 1])
    s.expect("m1's phase", s.phases(1), [Phase.EFFECTIVE])


@script(0, "§4: what was lifted is looked at until it is final", "S5, S7")
def a_block_with_a_lift_is_taken_back(s: Scene) -> None:
    """All release; the chain of m1 loses the block with its lift, and m1 dies before it looks: it lifts again, and
    nobody's lever acts a second time."""
    s.alarm(0)
    s.until("all levers", lambda: s.frozen() == ["m0", "m1", "m2", "m3"])
    s.run(1_000)
    s.releases(0, 1, 2)
    s.until("all free", lambda: not s.frozen())
    s.run(1_000)
    s.world.take_back("m1", cast.INSTANCE["freeze"])
    s.expect("frozen", s.frozen(), ["m1"])
    s.kill(1)
    s.run(2_000)
    s.world.bring_up(s[1])
    s.until("m1 is free again", lambda: not s.frozen(), 90_000)
    s.run(60_000)
    s.expect("restricted how often", [s.applied(i) for i in range(4)], [1, 1, 1, 1])
    s.expect("m1's phase", s.phases(1), [Phase.LIFTED])
    s.check("m1's people know", s.told(1, "was lifted and stands again"))


@script(0, "§4: a key never acts twice", "S7")
def a_person_lifts_what_a_node_restricted(s: Scene) -> None:
    """It stays lifted whatever m1 asks for, and m1's people are told."""
    s.alarm(0)
    s.until("all levers", lambda: len(s.frozen()) == 4)
    s.run(1_000)
    s.world.targets["m1"].frees(cast.INSTANCE["freeze"], s.now_ms, by_person=True)
    s.run(120_000)
    s.expect("frozen", s.frozen(), ["m0", "m2", "m3"])
    s.check("m1's people know", s.told(1, "does not stand any more"))
    s.expect("m1's phase", s.phases(1), [Phase.ESCALATED])
