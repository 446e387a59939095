"""The alarm for any set of opinions: order means nothing, few move nothing, more never lowers."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from protocol.alarm import reaches, weigh
from protocol.envelope import Verified
from protocol.errors import ProtocolError
from protocol.feed import Feed
from protocol.ids import ZERO_HASH, MemberName
from protocol.membership import COUNTED, Epoch, evaluate
from protocol.messages import Basis, Level, Notice, Tlp
from protocol.quorum import assemble, check_certificate, pack_certificate, parse_certificate
from protocol.release import Releases
from tests.property.support_protocol import runs
from tests.unit.protocol.world import (
    CLAIM,
    HOUR,
    NOW,
    OTHER_CLAIM,
    TOPIC,
    attestation,
    epoch,
    keysets_of,
    name,
    own_sources,
    regrouped,
    released,
    sealed,
    suspending,
    vendor,
)

N_MAX = 31
EPOCHS = {n: epoch(n) for n in range(1, N_MAX + 1)}
LOOKUPS = {n: keysets_of(of) for n, of in EPOCHS.items() if n <= 13}
SOURCES = [
    own_sources,
    lambda who: vendor(1),
    lambda who: vendor(2),
    lambda who: (),
    lambda who: own_sources(who)[:1],
]
_said: dict[Any, Verified[Any]] = {}


def opinion(who: str, level: Level, basis: Basis, eyes: int, since: int, lease: int, claims: int) -> Verified[Any]:
    """Sealed once and kept: signing is what takes time here."""
    key = (who, level, basis, eyes, since, lease, claims)
    if key not in _said:
        _said[key] = sealed(
            who,
            attestation(
                who,
                level,
                basis=basis,
                sources=SOURCES[eyes](who),
                since_ms=NOW - since * 1000,
                expires_ms=NOW + lease * HOUR // 2,
                claims=(CLAIM, OTHER_CLAIM)[:claims],
            ),
        )
    return _said[key]


words = st.tuples(
    st.sampled_from(list(Level)),
    st.sampled_from([Basis.VERIFIED, Basis.VERIFIED, Basis.OBSERVED, Basis.HEARSAY]),
    st.integers(0, len(SOURCES) - 1),
    st.integers(0, 2),
    st.integers(-1, 3),
    st.integers(0, 2),
)


@st.composite
def situations(draw: st.DrawFn, n_max: int = 10) -> tuple[Epoch, list[Verified[Any]], Releases]:
    """An epoch with groups and suspensions, at most one opinion of each member, and some Releases. Most members say
    the same: independent draws would hardly ever agree enough to reach a level."""
    n = draw(st.integers(1, n_max))
    of = EPOCHS[n]
    if draw(st.booleans()):
        of = regrouped(of, {name(at): f"g{draw(st.integers(0, n - 1)):02d}" for at in range(draw(st.integers(0, n)))})
    if draw(st.booleans()):
        of = suspending(of, *[name(at) for at in draw(st.sets(st.integers(0, n - 1), max_size=2))])
    crowd = (draw(st.sampled_from(COUNTED)), Basis.VERIFIED, draw(st.sampled_from([0, 0, 1])), 0, 1, 2)
    silent = draw(st.sets(st.integers(0, n - 1), max_size=3))
    opinions = [
        opinion(name(at), *(draw(words) if draw(st.integers(0, 3)) == 0 else crowd))
        for at in range(n)
        if at not in silent
    ]
    done = Releases()
    if draw(st.booleans()):
        for at in draw(st.sets(st.integers(0, n - 1))):
            done.add(
                name(at), released(NOW - draw(st.integers(0, 2)) * 1000, claims=(CLAIM,)[: draw(st.integers(0, 1))]), of
            )
    return of, opinions, done


def test_the_situations_drawn_here_reach_every_level() -> None:
    """Else these proofs would prove little."""
    reached: set[Level] = set()

    @given(situations())
    @runs(300)
    def look(case: tuple[Epoch, list[Any], Releases]) -> None:
        of, opinions, done = case
        reached.add(weigh(opinions, of, NOW, done).level)

    look()
    assert reached == set(Level)


@given(situations(), st.data())
@runs(300)
def test_the_order_of_arrival_cannot_matter(case: tuple[Epoch, list[Any], Releases], data: st.DataObject) -> None:
    of, opinions, done = case
    shuffled = data.draw(st.permutations(opinions))
    assert weigh(shuffled, of, NOW, done) == weigh(opinions, of, NOW, done)


@given(st.integers(1, N_MAX), st.data())
@runs(200)
def test_f_groups_alone_never_move_anything(n: int, data: st.DataObject) -> None:
    of = EPOCHS[n]
    liars = [opinion(name(at), *data.draw(words)) for at in range(of.f)]
    assert weigh(liars, of, NOW, Releases()).level <= Level.WATCH


@given(situations())
@runs(300)
def test_every_level_above_watch_has_its_threshold_in_groups(case: tuple[Epoch, list[Any], Releases]) -> None:
    of, opinions, done = case
    weighing = weigh(opinions, of, NOW, done)
    if weighing.level in COUNTED:
        assert len(weighing.groups) >= of.thresholds[weighing.level] > of.f
        assert set(weighing.groups) == {
            of.group_of(one.entry.author) for held in weighing.groups.values() for one in held
        }


@given(situations(), st.data())
@runs(300)
def test_one_more_opinion_never_lowers_the_level(case: tuple[Epoch, list[Any], Releases], data: st.DataObject) -> None:
    of, opinions, done = case
    if opinions:
        out = data.draw(st.integers(0, len(opinions) - 1))
        fewer = [*opinions[:out], *opinions[out + 1 :]]
        assert weigh(fewer, of, NOW, done).level <= weigh(opinions, of, NOW, done).level


@given(situations(), st.data())
@runs(200)
def test_a_stronger_word_never_lowers_the_level(case: tuple[Epoch, list[Any], Releases], data: st.DataObject) -> None:
    of, opinions, done = case
    if not opinions:
        return
    at = data.draw(st.integers(0, len(opinions) - 1))
    body = opinions[at].body
    if body.level is Level.HALT:
        return
    lease = (body.expires_ms - NOW) * 2 // HOUR
    who, eyes = opinions[at].entry.author, [source(opinions[at].entry.author) for source in SOURCES].index(body.sources)
    since = (NOW - body.since_ms) // 1000
    stronger = opinion(who, Level(body.level + 1), body.basis, eyes, since, min(lease, 2), len(body.claims))
    same_lease = opinion(who, body.level, body.basis, eyes, since, min(lease, 2), len(body.claims))
    before = [*opinions[:at], same_lease, *opinions[at + 1 :]]
    after = [*opinions[:at], stronger, *opinions[at + 1 :]]
    assert weigh(before, of, NOW, done).level <= weigh(after, of, NOW, done).level


@given(situations())
@runs(200)
def test_time_alone_only_lowers(case: tuple[Epoch, list[Any], Releases]) -> None:
    of, opinions, done = case
    levels = [weigh(opinions, of, NOW + hours * HOUR // 2, done).level for hours in range(4)]
    assert levels == sorted(levels, reverse=True)


@given(situations(), st.data())
@runs(200)
def test_a_release_only_lowers(case: tuple[Epoch, list[Any], Releases], data: st.DataObject) -> None:
    of, opinions, done = case
    before = weigh(opinions, of, NOW, done).level
    for at in data.draw(st.sets(st.integers(0, len(of.members) - 1))):
        done.add(name(at), released(NOW, claims=(CLAIM,)), of)
        after = weigh(opinions, of, NOW, done).level
        assert after <= before
        before = after


@given(situations())
@runs(150)
def test_what_is_counted_is_provable_and_what_is_proven_ends(case: tuple[Epoch, list[Any], Releases]) -> None:
    of, opinions, done = case
    weighing = weigh(opinions, of, NOW, done)
    if weighing.level not in COUNTED:
        return
    made = assemble(of, TOPIC, weighing.level, weighing.groups, LOOKUPS[len(of.members)])
    raw = pack_certificate(made)
    checked = check_certificate(parse_certificate(raw), raw, of, lambda who, version: None)
    assert checked.groups == tuple(sorted(weighing.groups))
    assert NOW < checked.ends_ms <= NOW + of.lease_bound_ms(weighing.level)
    assert weigh(checked.opinions, of, checked.ends_ms - 1, done).level >= Level.WATCH
    still = [one for one in checked.opinions if one.body.expires_ms > checked.ends_ms]
    groups = reaches(still, of, weighing.level)
    assert groups is None or len(groups) < of.thresholds[weighing.level]


@given(situations(), st.data())
@runs(150)
def test_a_certificate_with_one_voice_taken_out_holds_only_if_the_rest_reach(
    case: tuple[Epoch, list[Any], Releases], data: st.DataObject
) -> None:
    of, opinions, done = case
    weighing = weigh(opinions, of, NOW, done)
    if weighing.level not in COUNTED:
        return
    made = assemble(of, TOPIC, weighing.level, weighing.groups, LOOKUPS[len(of.members)])
    out = data.draw(st.integers(0, len(made.entries) - 1))
    fewer = type(made)(
        made.epoch, made.subject, made.threat, made.level, made.entries[:out] + made.entries[out + 1 :], made.keysets
    )
    rest = [one for held in weighing.groups.values() for one in held if one.raw != made.entries[out]]
    if not rest:
        return
    try:
        check_certificate(fewer, pack_certificate(fewer), of, lambda who, version: None)
        held = True
    except ProtocolError:
        held = False
    assert held is (reaches(rest, of, weighing.level) is not None)


@given(st.integers(1, 64))
@runs(64)
def test_two_quorums_meet_in_an_honest_group_for_every_size(n: int) -> None:
    f, q = (n - 1) // 3, evaluate("Q", n)
    assert 2 * q - n > f
    assert evaluate("max(2, f + 1)", n) > f


def _feed_words() -> list[Verified[Any]]:
    """Two entries at each of four seqs; the chain goes on from the second of each."""
    made: list[Verified[Any]] = []
    prev = ZERO_HASH
    for seq in range(4):
        pair = [sealed("m00", Notice(word, Tlp.GREEN), seq=seq, prev=prev) for word in ("a", "b")]
        prev = pair[1].hash
        made += pair
    return made


FORKED = _feed_words()


@given(st.permutations(FORKED))
@runs(200)
def test_a_feeds_head_depends_on_what_is_known_and_not_on_how_it_came(order: list[Verified[Any]]) -> None:
    feed, wanted = Feed(MemberName("m00"), 1), Feed(MemberName("m00"), 1)
    for word in order:
        feed.add(word)
    for word in FORKED:
        wanted.add(word)
    assert (feed.whole, feed.top, feed.top_hash, feed.links) == (
        wanted.whole,
        wanted.top,
        wanted.top_hash,
        wanted.links,
    )
