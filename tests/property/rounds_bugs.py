"""Mistakes planted in the rounds, each of which the networks of rounds_network.py must show."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from governance import heard
from governance.heard import Heard
from governance.rounds import Rounds
from protocol.membership import Epoch
from tests.sim.bugs.plant import Bug, edited, instead, together
from tests.unit.governance import test_rounds as stories


def _only_keys_of_now() -> AbstractContextManager[Any]:
    return together(
        edited(Heard, "prepares", (" | here.former.prepares.keys()", "")),
        edited(Heard, "commits", (" | here.former.commits.keys()", "")),
    )


KEPT = "self.lock = replace(self.lock, locked=said.value, locked_round=self.round)"
BUGS = [
    Bug(
        "lock-not-kept",
        "a quorum of Prepares commits, and the next round has forgotten it",
        partial(edited, Rounds, "_lock", (KEPT, "pass")),
        (4, 7),
    ),
    Bug(
        "lock-yields-to-any-quorum",
        "an earlier quorum of Prepares opens a later lock",
        partial(edited, Rounds, "_answer_to", ("free or locked_round <= since", "True")),
        (4, 7),
    ),
    Bug(
        "f-groups-are-enough-to-move",
        "f groups of a later round move a member there: liars drive it ahead for ever",
        partial(edited, Rounds, "_catch_up", ("self.epoch.f + 1", "self.epoch.f")),
        (4, 7),
    ),
    Bug(
        "quorum-is-two-f-plus-one",
        "2f + 1 groups are a quorum: two of them need no honest group in common where n is not 3f + 1",
        partial(edited, Epoch, "q", ("self.n - self.f", "2 * self.f + 1")),
        (5, 6),
    ),
    Bug(
        "prepares-what-it-may-not",
        "nobody is asked whether a value may be prepared",
        partial(edited, Rounds, "_answer_to", ("self.ask.valid(said.value, since is not None)", "True")),
        (4, 7),
    ),
    Bug(
        "valid-round-unchecked",
        "a proposer's word for an earlier quorum of Prepares is taken",
        partial(
            edited,
            Rounds,
            "_answer_to",
            ("not saw and not self.log.was_prepared(since, named)", "False"),
        ),
        (4, 7),
    ),
    Bug(
        "votes-again-after-a-restart",
        "the lock does not say what was said in its round",
        partial(
            edited,
            Rounds,
            "__init__",
            (
                "self.log.advance(self.lock.round)",
                "self.lock = replace(self.lock, proposed=None, prepared=None, committed=None)",
            ),
        ),
        (4, 7),
    ),
    Bug(
        "lock-lost-by-a-restart",
        "what was locked is not durable",
        partial(
            edited,
            Rounds,
            "__init__",
            (
                "self.log.advance(self.lock.round)",
                "self.lock = replace(self.lock, locked=None, locked_round=None, valid=None, valid_round=None)",
            ),
        ),
        (4, 7),
    ),
    Bug(
        "proposer-forgets-what-is-valid",
        "a proposer asks for what it likes although a quorum prepared another value: the locked refuse it for ever",
        partial(edited, Rounds, "_propose", ("if value is None:", "if True:")),
        (4, 7),
    ),
    Bug(
        "round-does-not-end",
        "Commits of a quorum that agrees on nothing start no time-out",
        partial(edited, Rounds, "_commits_are_in", ("if self.log.commits(self.round) < self.epoch.q:", "if True:")),
        (4, 7),
    ),
    Bug(
        "rounds-ahead-unheard",
        "what others say in rounds ahead is dropped, and is not said again",
        partial(instead, Heard, "_has_room", lambda self, group, round_: round_ <= self.round),
        (4, 7),
    ),
    Bug(
        "liar-counts-where-it-was-heard",
        "who votes two ways counts for the two that this member holds, so that members count it differently",
        partial(edited, heard, "_for", (" or len(words) >= WORDS_KEPT", "")),
        (4, 7),
    ),
    Bug(
        "any-member-is-a-voice",
        "each member of a group votes for it",
        partial(edited, Heard, "take", ("self.voices[group] != author", "False")),
        (4,),
    ),
    Bug(
        "past-prepares-leave-with-their-key",
        "a quorum of Prepares of a past round is gone for who hears of it once one of it has replaced its key",
        partial(instead, Heard, "was_prepared", lambda self, round_, named: self.prepared(round_, named)),
        (4, 7),
    ),
    Bug(
        "forked-voice-does-not-count",
        "a Prepare of a forked feed that does not reach everybody is waited for",
        partial(instead, Heard, "convicted", lambda self, member, version: None),
        (4, 7),
    ),
    Bug(
        "decided-for-good",
        "who decided says nothing more, though the Commits left with their keys before a certificate stood",
        partial(instead, Rounds, "_go_on", lambda self: None),
        (4, 7),
    ),
    Bug(
        "key-that-left-ends-no-round",
        "votes of a round end it in time under keys of now alone: who went on says nothing there under its new one",
        _only_keys_of_now,
        (4, 7),
    ),
]

STORIES = {
    "lock-not-kept": stories.test_who_is_locked_answers_a_fresh_proposal_of_another_value_with_nothing,
    "lock-yields-to-any-quorum": stories.test_a_lock_does_not_yield_to_an_earlier_quorum,
    "f-groups-are-enough-to-move": stories.test_f_liars_move_nobody_however_far_ahead_they_speak,
    "quorum-is-two-f-plus-one": stories.test_of_five_groups_four_are_a_quorum,
    "prepares-what-it-may-not": stories.test_a_proposal_that_may_not_be_prepared_is_answered_with_nothing_in_time,
    "valid-round-unchecked": stories.test_a_valid_round_without_its_quorum_of_prepares_is_not_believed,
    "votes-again-after-a-restart": stories.test_who_restarts_says_nothing_twice,
    "lock-lost-by-a-restart": stories.test_who_restarts_is_still_locked,
    "proposer-forgets-what-is-valid": stories.test_a_proposer_that_has_a_valid_value_proposes_it_and_says_since_when,
    "round-does-not-end": stories.test_commits_of_a_quorum_that_agrees_on_nothing_end_the_round_in_time,
    "rounds-ahead-unheard": stories.test_f_plus_one_groups_of_a_later_round_move_us_there,
    "liar-counts-where-it-was-heard": stories.test_who_votes_two_ways_in_a_round_counts_for_every_value_there,
    "any-member-is-a-voice": stories.test_a_group_has_one_voice_however_many_members_speak,
    "past-prepares-leave-with-their-key": stories.test_prepares_of_a_past_round_count_whatever_keys_left_since,
    "forked-voice-does-not-count": stories.test_who_forked_its_feed_counts_as_having_prepared_anything_in_the_past,
    "decided-for-good": (
        stories.test_a_decision_whose_commits_left_with_their_key_before_a_certificate_stood_is_voted_on
    ),
    "key-that-left-ends-no-round": partial(stories.test_votes_under_a_key_that_has_left_end_a_round_in_time, False),
}
"""Bug → the story that it breaks."""

FOUND = {
    "lock-not-kept": (4, 1092),
    "f-groups-are-enough-to-move": (4, 12),
    "quorum-is-two-f-plus-one": (5, 0),
    "prepares-what-it-may-not": (4, 38),
    "valid-round-unchecked": (4, 706),
    "votes-again-after-a-restart": (4, 4),
    "round-does-not-end": (4, 0),
    "past-prepares-leave-with-their-key": (4, 487),
    "forked-voice-does-not-count": (4, 487),
    "decided-for-good": (4, 261),
    "key-that-left-ends-no-round": (4, 117),
}
"""Bug → (members, seed) of a network that shows it. The others were met too rarely: their stories show them."""
