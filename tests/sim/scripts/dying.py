"""Processes die at every step, disks go back in time, and nothing is said twice."""

from __future__ import annotations

from adapters.api import ExpiresBy
from node.machine import Phase
from node.records import EntryAccepted
from protocol.frames import Entries, Head, Heads
from protocol.ids import ZERO_HASH
from protocol.messages import Level
from tests.sim import cast
from tests.sim.scripts.book import script
from tests.sim.scripts.stage import Scene

EVERYBODY = ["m0", "m1", "m2", "m3"]


@script(0, "§2: durable before a byte leaves; sync", "S4, L3")
def dies_between_commit_and_send(s: Scene) -> None:
    """Its word is on its disk and nobody heard it; after the restart everybody has it, the same bytes."""
    s[0].dies_at = "after_store"
    s.alarm(0)
    s.run(1_000)
    s.expect("alive", s[0].up, False)
    s.expect("heard by m1", s.opinion(1, "m0"), None)
    s.back(0)
    s.until("everybody has the word", lambda: all(s.opinion(i, "m0") for i in range(4)), 5_000)
    s.until("everybody is certified", lambda: s.certified() == EVERYBODY)


@script(0, "§2: the mark carries what the store lacks", "S4, L3")
def dies_between_mark_and_store(s: Scene) -> None:
    """The mark carries the word: adopted byte for byte, served to whoever asks, and the feed goes on after it."""
    s[0].dies_at = "after_mark"
    s.alarm(0)
    s.run(1_000)
    mark, head = s[0].disk.mark, s[0].disk.own_head(s[0].name, 0)
    s.check("the mark is one word ahead", mark is not None and head is not None and mark.seq == head.seq + 1)
    s.back(0)
    s.until("everybody has the word", lambda: all(s.opinion(i, "m0") for i in range(4)), 5_000)
    link = s[1].state.feeds[(s[0].name, 0)].links[mark.seq]  # type: ignore[union-attr]
    s.check("byte for byte", mark is not None and link.raw == mark.raws[-1])


@script(0, "§2: nothing said, so said anew", "S4")
def dies_before_the_mark(s: Scene) -> None:
    """Nothing was said: what it says then has the same seq, and nobody holds another."""
    s[0].dies_at = "before_mark"
    top = s[0].state.own_head()[0]
    s.alarm(0)
    s.run(500)
    s.expect("mark", s[0].disk.mark.seq, top)  # type: ignore[union-attr]
    s.back(0)
    s.run(2_000)
    s.sees(0, 0)
    s.until("everybody is certified", lambda: s.certified() == EVERYBODY)
    s.check("no fork anywhere", not any(one.state.equivocations for one in s.all()))


@script(0, "§4: an applied lease expires without anybody", "S6, S5")
def a_lease_ends_with_everybody_dead(s: Scene) -> None:
    """All act, all die, the lease runs out: the targets are free with nobody there; the dead wake and apply nothing."""
    s.alarm(0)
    s.until("all levers", lambda: s.frozen() == EVERYBODY)
    s.run(1_000)
    s.kill(0, 1, 2, 3)
    s.run(s.setting.lease_ms + 60_000)
    s.expect("frozen", s.frozen(), [])
    s.back(0, 1, 2, 3)
    s.run(6_000)
    s.expect("applied once each", [s.applied(i) for i in range(4)], [1, 1, 1, 1])
    s.expect("phase", s.phases(0), [Phase.LAPSED])


@script(0, "§4: expires_by node", "S5", ends=ExpiresBy.NODE)
def what_the_node_must_end_ends_at_its_restart(s: Scene) -> None:
    """Dead at the end of the lease, it undoes at once when it is back."""
    s.alarm(0)
    s.until("all levers", lambda: s.frozen() == EVERYBODY)
    s.run(1_000)
    s.kill(2)
    s.pass_hours(1.1)
    s.expect("m2 stands, the others are free", s.frozen(), ["m2"])
    s.back(2)
    s.until("m2 is free", lambda: not s.frozen(), 2_000)


@script(15, "§2: where mark and store disagree nothing is signed", "S4, A1", liars=1)
def a_word_that_only_the_liar_heard(s: Scene) -> None:
    """m0's last word reached only the liar; the disk goes back; no honest peer knows of it. The mark does: m0 is
    silent, so the liar's publication proves nothing; a fresh key speaks again."""
    heal = s.cut((0,), (1, 2))
    kept = len(s[0].disk.rows)
    s.alarm(0)
    s.run(500)
    s.raises(0, Level.GUARD, cast.SUBJECTS[1])
    s.run(500)
    forgotten = s[0].disk.rows[kept:]
    s.kill(0)
    s[0].disk.roll_back(kept)
    heal()
    s.back(0)
    s.run(3_000)
    s.check("silent by its mark", "rolled back or lost" in s[0].state.may_sign())
    own = [record.raw for record in forgotten if isinstance(record, EntryAccepted) and record.own]
    s.expect("words that only the liar holds", len(own), 2)
    s.liar().send(Entries(tuple(own)), sync=True)
    s.run(1_000)
    s.check("nobody is proven", not any(one.state.equivocations for one in s.all()))
    s.kill(0)
    s[0].rekey()
    s.world.extra_keysets.append(cast.keyset("m0", 1))
    s.back(0)
    s.run(3_000)
    s.expect("it speaks under its fresh key", s[0].state.may_sign(), "")


@script(15, "§2: believes only an entry that bears its own valid signature", "L3", liars=1)
def a_head_of_a_billion(s: Scene) -> None:
    """The reverse: one liar says that m0's head is 10^9. Nobody is muted by a number."""
    s.kill(0)
    s.back(0)
    for _ in range(20):
        s.liar().send(Heads((Head(s[0].name, 0, 0, 10**9, ZERO_HASH),), ()), [0], sync=True)
        s.run(100)
    s.expect("m0 speaks", s[0].state.may_sign(), "")


@script(0, "§2: a valid own entry at a peer above the own head is a rollback", "S4, A1", liars=1)
def a_disk_without_a_mark_would_have_been_caught_by_peers(s: Scene) -> None:
    """Store and mark both go back (a machine's image): the peers hold more of m0 than m0, and it puts its pen down."""
    rows, mark = len(s[0].disk.rows), s[0].disk.mark
    s.alarm(0)
    s.until("certified", lambda: s.certified() == EVERYBODY[:3])
    s.kill(0)
    s[0].disk.roll_back(rows)
    s[0].disk.mark = mark
    s.back(0)
    s.run(4_000)
    s.check("silent", "our own entry" in s[0].state.may_sign())
    s.check("nobody is proven", not any(one.state.equivocations for one in s.all()))
    s.kill(0)
    s[0].rekey()
    s.world.extra_keysets.append(cast.keyset("m0", 1))
    s.back(0)
    s.run(3_000)
    s.expect("it speaks under its fresh key", s[0].state.may_sign(), "")


@script(0, "§4: one action key, one restriction", "S7")
def dies_at_every_step_of_a_lever(s: Scene) -> None:
    """Killed again and again while its lever is on its way, it restricts the target once."""
    s.alarm(0)
    for pause_ms in (30, 45, 60, 75, 90):
        s.run(pause_ms)
        s.kill(2)
        s.run(50)
        s.back(2)
    s.run(8_000)
    s.expect("applied", s.applied(2), 1)
    s.expect("phase", s.phases(2), [Phase.EFFECTIVE])
    s.check("ISOLATE stands", s.certificate(2, Level.ISOLATE))


@script(0, "§2: what the mark carries is taken over; a claim's blob is asked of whoever told of it", "L1, L3")
def the_blob_died_with_the_batch(s: Scene) -> None:
    """m0 died between mark and store: its word is adopted, the claim's blob is not on its disk and on nobody's. Its
    sensor sees the same again after the restart: everybody gets the blob, looks, answers."""
    s[0].dies_at = "after_mark"
    s.alarm(0)
    s.run(1_000)
    s.expect("alive", s[0].up, False)
    s.back(0)
    s.until("everybody has the word", lambda: all(s.opinion(i, "m0") for i in range(4)), 5_000)
    s.run(2_000)
    s.sees(0, 0)
    s.until("everybody is certified", lambda: s.certified() == EVERYBODY, 12_000)
    s.until("all levers", lambda: s.frozen() == EVERYBODY)


@script(0, "§2: nothing is said twice, nothing is lost", "S4, L3")
def everybody_dies_at_the_mark(s: Scene) -> None:
    """All four die between mark and store with their word on the same alarm; all come back, adopt, and certify."""
    s.true(0)
    for i in range(4):
        s[i].dies_at = "after_mark"
        s.sees(i, 0)
    s.run(2_000)
    s.expect("alive", [one.up for one in s.all()], [False] * 4)
    s.back(0, 1, 2, 3)
    s.until("everybody is certified", lambda: s.certified() == EVERYBODY, 8_000)
