"""Feeds: gaps never delay, forks are proofs, and nobody is proven who did not fork."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest

from protocol.codec import decode, encode
from protocol.envelope import PROTECTED, Verified, parse_entry, verify_entry
from protocol.feed import RIVALS_MAX, WINDOW, WINDOW_BYTES, Feed, Link, is_equivocation
from protocol.ids import ZERO_HASH, EntryHash, EpochHash, MemberName
from protocol.messages import NOTHING, Attestation, Commit, Level, Notice, Prepare, Propose, Tlp, Unknown, value_hash
from protocol.subjects import Subject
from tests.unit.protocol.world import EPOCH, NETWORK, attestation, sealed, signer

Word = Verified[Any]


def chain(count: int, who: str = "m00", version: int = 1, words: str = "") -> list[Word]:
    made: list[Word] = []
    prev = ZERO_HASH
    for seq in range(count):
        made.append(say(seq, prev, words or str(seq), who=who, version=version))
        prev = made[-1].hash
    return made


def say(seq: int, prev: EntryHash, words: str, who: str = "m00", version: int = 1) -> Word:
    return sealed(who, Notice(words, Tlp.GREEN), seq=seq, prev=prev, version=version)


def fed(*words: Word) -> Feed:
    feed = Feed(MemberName("m00"), 1)
    for word in words:
        feed.add(word)
    return feed


FIVE = chain(5)


def test_a_chain_in_order_is_whole() -> None:
    feed = fed(*FIVE)
    assert (feed.whole, feed.top, feed.top_hash) == (4, 4, FIVE[4].hash)


def test_the_order_of_arrival_leaves_no_trace() -> None:
    wanted = fed(*FIVE)
    for order in itertools.permutations(FIVE):
        assert fed(*order) == wanted


def test_a_gap_is_seen_and_delays_nothing() -> None:
    feed = fed(FIVE[0], FIVE[1], FIVE[4])
    assert feed.judge(FIVE[3]) == (Link.NEW, None)
    assert (feed.whole, feed.top) == (1, 4)


def test_what_came_before_is_known() -> None:
    assert fed(*FIVE).judge(FIVE[2]) == (Link.KNOWN, None)


def test_a_parsed_entry_is_judged_like_a_verified_one() -> None:
    assert fed(*FIVE).judge(parse_entry(FIVE[2].raw, NETWORK)) == (Link.KNOWN, None)


def test_another_payload_at_one_seq_is_a_fork() -> None:
    rival = say(2, FIVE[1].hash, "otherwise")
    assert fed(*FIVE).judge(rival) == (Link.FORK, 2)
    assert is_equivocation(FIVE[2], rival)


def test_a_link_to_another_past_is_a_fork_of_the_entry_before() -> None:
    stray = say(3, EntryHash(b"\x01" * 32), "3")
    assert fed(*FIVE[:3]).judge(stray) == (Link.FORK, 2)
    assert is_equivocation(FIVE[2], stray)
    assert is_equivocation(stray, FIVE[2])


def test_a_past_that_the_next_entry_does_not_name_is_a_fork() -> None:
    stray = say(2, FIVE[1].hash, "otherwise")
    assert fed(FIVE[3]).judge(stray) == (Link.FORK, 3)


def test_a_signature_changed_and_the_payload_kept_is_no_fork() -> None:
    """Signatures play no part: a replay under another valid signature proves nothing against its author."""
    again = verify_entry(parse_entry(FIVE[2].raw, NETWORK), signer("m00").public)
    assert not is_equivocation(FIVE[2], again)
    protected, unprotected, payload, _ = decode(FIVE[2].raw, bytes_max=9999)
    forged = parse_entry(encode([PROTECTED, unprotected, payload, bytes(64)]), NETWORK)
    assert protected == PROTECTED
    assert fed(*FIVE).judge(forged) == (Link.KNOWN, None)


def test_feeds_of_two_keys_or_two_authors_never_fork_each_other() -> None:
    assert not is_equivocation(FIVE[2], chain(3, version=2, words="x")[2])
    assert not is_equivocation(FIVE[2], chain(3, who="m01", words="x")[2])


def test_entries_that_are_not_neighbours_prove_nothing() -> None:
    assert not is_equivocation(FIVE[0], FIVE[2])
    assert not is_equivocation(FIVE[0], FIVE[1])


def test_both_sides_of_a_fork_are_known_afterwards() -> None:
    """A liar who sends them in turn costs one proof, not one for each time."""
    rival = say(2, FIVE[1].hash, "otherwise")
    feed = fed(*FIVE[:3], rival)
    assert feed.judge(rival) == (Link.KNOWN, None)
    assert feed.judge(FIVE[2]) == (Link.KNOWN, None)


def test_all_who_know_both_sides_have_one_head() -> None:
    rivals = [say(2, FIVE[1].hash, f"otherwise {at}") for at in range(3)]
    heads = {fed(*FIVE[:2], *order).top_hash for order in itertools.permutations([FIVE[2], *rivals])}
    assert heads == {min(word.hash for word in [FIVE[2], *rivals])}


def test_who_forks_without_end_takes_no_more_of_our_memory() -> None:
    feed = fed(*FIVE)
    taken = 0
    for at in range(3 * RIVALS_MAX):
        rival = say(2, FIVE[1].hash, f"otherwise {at}")
        if feed.judge(rival)[0] is Link.FORK:
            feed.add(rival)
            taken += 1
    assert taken == len(feed.rivals) == RIVALS_MAX


@pytest.fixture(scope="module")
def long() -> list[Word]:
    return chain(WINDOW + 10)


def test_the_window_is_bounded_and_what_left_it_is_for_the_store_to_tell(long: list[Word]) -> None:
    feed = fed(*long)
    assert len(feed.links) == WINDOW
    assert feed.forgotten == 9
    assert feed.judge(long[3]) == (Link.OLD, None)
    assert feed.whole == feed.top == WINDOW + 9


def fat(count: int) -> list[Word]:
    made: list[Word] = []
    for seq in range(count):
        prev = made[-1].hash if made else ZERO_HASH
        made.append(sealed("m00", Unknown(99, {1: bytes(16_000)}), seq=seq, prev=prev))
    return made


def test_a_window_of_the_largest_entries_is_shorter() -> None:
    words = fat(100)
    feed = fed(*words)
    assert feed.size == sum(len(one.raw) for one in feed.links.values()) <= WINDOW_BYTES
    assert 60 < len(feed.links) < 70 and (feed.whole, feed.top) == (99, 99)


def test_below_the_largest_entries_a_gap_is_open_for_several_windows_and_then_given_up() -> None:
    words = fat(280)
    feed = fed(words[0], *words[2:200])
    assert feed.whole == 0 and feed.judge(words[1])[0] is Link.NEW
    for one in words[200:]:
        feed.add(one)
    assert feed.size <= WINDOW_BYTES and feed.whole == feed.top == 279


def test_a_gap_is_still_open_after_a_window_of_newer_entries() -> None:
    words = chain(WINDOW + 10)
    feed = fed(words[0], *words[2:])
    assert (feed.whole, feed.top) == (0, WINDOW + 9)


def vote(seq: int, body: Any, who: str = "m00", version: int = 1) -> Word:
    return sealed(who, body, seq=seq, version=version)


def chained(*bodies: Any) -> list[Word]:
    made: list[Word] = []
    for body in bodies:
        prev = made[-1].hash if made else ZERO_HASH
        made.append(sealed("m00", body, seq=len(made), prev=prev))
    return made


ONE, TWO = value_hash(b"\x01"), value_hash(b"\x02")


@pytest.mark.parametrize(
    ("said", "otherwise"),
    [
        (Propose(EPOCH, 4, b"\x01"), Propose(EPOCH, 4, b"\x02")),
        (Prepare(EPOCH, 4, ONE), Prepare(EPOCH, 4, TWO)),
        (Prepare(EPOCH, 4, ONE), Prepare(EPOCH, 4, NOTHING)),
        (Commit(EPOCH, 4, ONE), Commit(EPOCH, 4, TWO)),
        (Commit(EPOCH, 4, NOTHING), Commit(EPOCH, 4, TWO)),
    ],
)
def test_two_votes_of_one_round_are_a_proof_wherever_they_stand_in_the_feed(said: Any, otherwise: Any) -> None:
    words = chained(said, Notice("between", Tlp.GREEN), otherwise)
    assert is_equivocation(words[0], words[2])
    assert is_equivocation(words[2], words[0])
    assert fed(*words[:2]).judge(words[2]) == (Link.FORK, 0)
    assert fed(*words[1:]).judge(words[0]) == (Link.FORK, 2)


def test_who_restarts_and_says_its_vote_again_is_not_proven() -> None:
    """Its own lock tells it what it said; the entry is another, the value is the same."""
    words = chained(
        Propose(EPOCH, 4, b"\x01"), Prepare(EPOCH, 4, ONE), Propose(EPOCH, 4, b"\x01", 2), Prepare(EPOCH, 4, ONE)
    )
    assert not any(is_equivocation(one, other) for one, other in itertools.combinations(words, 2))
    assert fed(*words[:3]).judge(words[3]) == (Link.NEW, None)


def test_another_round_another_epoch_and_another_kind_of_vote_prove_nothing() -> None:
    there = vote(0, Prepare(EPOCH, 4, ONE))
    for seq, body in enumerate((Prepare(EPOCH, 5, TWO), Prepare(EpochHash(bytes(32)), 4, TWO), Commit(EPOCH, 4, TWO))):
        assert not is_equivocation(there, vote(10 + 2 * seq, body))


def test_a_vote_under_a_key_since_replaced_contradicts_none_under_the_new_one() -> None:
    """A thief of the old key, or a member that lost its store with it: no proof against the owner of the new."""
    assert not is_equivocation(vote(3, Prepare(EPOCH, 4, ONE)), vote(7, Prepare(EPOCH, 4, TWO), version=2))
    assert not is_equivocation(vote(3, Prepare(EPOCH, 4, ONE)), vote(7, Prepare(EPOCH, 4, TWO), who="m01"))


def test_votes_leave_memory_with_their_window() -> None:
    feed = fed(*chained(*(Prepare(EPOCH, round_, ONE) for round_ in range(WINDOW + 10))))
    assert len(feed.votes) == len(feed.links) == WINDOW
    assert {feed.links[seq].body.round for seq in feed.votes.values()} == set(range(10, WINDOW + 10))


def opinions(*numbers: int) -> list[Word]:
    """A feed whose n-th word is an opinion on asset n of these."""
    return chained(*(opinion_on(number) for number in numbers))


def opinion_on(number: int) -> Attestation:
    return replace(attestation(), subject=Subject(attestation().subject.raw[:-1] + bytes([number])))


def test_a_later_word_on_the_same_asset_takes_an_earlier_ones_place_and_no_others() -> None:
    words = opinions(1, 2, 1)
    feed = fed(*words)
    assert [feed.supersedes(one) for one in words] == [True, False, False]


def test_what_comes_before_its_past_is_later_all_the_same() -> None:
    words = opinions(1, 2, 1)
    assert fed(words[2]).supersedes(words[0])


def test_of_a_fork_the_lower_hash_is_later() -> None:
    one = opinions(1)[0]
    rival = chained(replace(opinion_on(1), level=Level.WATCH))[0]
    low, high = sorted((one, rival), key=lambda word: word.hash)
    feed = fed(high, low)
    assert feed.supersedes(high) and not feed.supersedes(low)


def test_a_fork_that_speaks_of_something_else_takes_back_what_it_replaces() -> None:
    first, second = opinions(1, 1)
    others = [sealed("m00", opinion_on(number), seq=1, prev=first.hash) for number in range(2, 60)]
    rival = next(one for one in others if one.hash < second.hash)
    assert not fed(first, second, rival).supersedes(first)


def test_what_left_the_window_is_forgotten_by_asset_too() -> None:
    feed = fed(*opinions(*([1] + [2] * (WINDOW + 5))))
    assert len(feed.last_on) == 1
