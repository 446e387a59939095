"""Bugs where members decide: ballots, rounds, locks, epochs."""

from __future__ import annotations

from governance import epochs as certificates
from governance import rules, tally
from governance.heard import Heard
from governance.ledger import Ledger
from governance.lock import Lock
from governance.rounds import Rounds
from node.machine import deciding, epochs, governing
from node.machine.state import State
from protocol.membership import Epoch
from tests.sim.bugs.plant import Bug, edited, instead, together

VOTES = ("votes",)
SMALL = (4,)


def _forgets(state: State, raw: bytes) -> None:
    """Recovery passes over what was recorded before a vote."""


BUGS = (
    Bug(
        "lock-lost-with-a-restart",
        "a restart begins the rounds anew: neither the lock nor the votes that are stored bind it",
        lambda: together(
            instead(deciding, "lock_votes", _forgets),
            instead(Rounds, "bind", lambda self, body, own: None),
        ),
        SMALL,
        ("votes", "vote_crash"),
    ),
    Bug(
        "prepares-whatever-is-proposed",
        "a proposal is prepared unread: neither ballots, delay nor veto are looked at",
        lambda: instead(Ledger, "acceptable", lambda self, value, now_ms, restricted, prepared=False: ""),
        SMALL,
        VOTES,
    ),
    Bug(
        "ballots-of-who-came-later-count",
        "every seat's ballot counts, though it sat nowhere when the proposal was made",
        lambda: edited(
            rules,
            "counts",
            ("if seat is None or seat.since > parent_of(epoch, proposal.parent).number:", "if seat is None:"),
        ),
        SMALL,
        VOTES,
        unseen="who joins must vote on what was proposed before, and be the one that a quorum lacked",
    ),
    Bug(
        "smaller-quorum-of-the-two",
        "of the quorums of a proposal's epoch and of this one the smaller is enough",
        lambda: edited(rules, "needed", ("return max(", "return min(")),
        SMALL,
        VOTES,
        unseen="a proposal must wait while a joiner makes the quorum larger, and pass by just the smaller one",
    ),
    Bug(
        "passes-by-f-plus-one",
        "f + 1 groups of yes pass a change: one honest one and the liars",
        lambda: edited(
            rules, "needed", ("return max(parent_of(epoch, proposal.parent).q, epoch.q)", "return epoch.f + 1")
        ),
        SMALL,
        VOTES,
    ),
    Bug(
        "veto-ignored",
        "what has passed is ordered, however many say no while its delay runs",
        lambda: instead(tally, "is_vetoed", lambda epoch, against: False),
        SMALL,
        VOTES,
    ),
    Bug(
        "delay-from-the-proposers-clock",
        "the delay runs from when a proposal was opened, not from when this node held its quorum",
        lambda: edited(Ledger, "_due_ms", ("held.passed_ms + ", "held.proposal.opened_ms + ")),
        SMALL,
        VOTES,
    ),
    Bug(
        "no-delay",
        "what passes is ordered at once",
        lambda: edited(Ledger, "_due_ms", (" + rules.delay_ms(self.epoch, held.proposal)", "")),
        SMALL,
        VOTES,
    ),
    Bug(
        "suspended-leaves-the-count",
        "n counts those who may count: a suspension lowers every quorum",
        lambda: instead(
            Epoch, "groups", property(lambda self: tuple(sorted({m.group for m in self.members if not m.suspended})))
        ),
        SMALL,
        VOTES,
    ),
    Bug(
        "removed-member-stays-known",
        "who left keeps its KeySets, its words and its connections here",
        lambda: instead(epochs, "_forget_member", lambda state, name: None),
        SMALL,
        VOTES,
    ),
    Bug(
        "live-words-not-said-again",
        "what a node says and still holds is not said again in the new epoch",
        lambda: edited(epochs, "enter", ("state.reissue[topic] = own", "pass")),
        SMALL,
        VOTES,
    ),
    Bug(
        "epoch-without-a-quorum-of-commits",
        "a certificate's Commits are not counted",
        lambda: edited(certificates, "_committed", ("if len(groups) < epoch.q:", "if not groups:")),
        SMALL,
        VOTES,
        unseen="a liar must forge a certificate around real ballots: it lacks the value's own proposals",
    ),
    Bug(
        "catches-up-with-f",
        "f groups that speak of a later round are enough to go there: liars alone can",
        lambda: edited(Rounds, "_catch_up", ("self.epoch.f + 1", "max(1, self.epoch.f)")),
        SMALL,
        ("votes", "orders_falsely"),
        unseen="a far round is decided in like any other, since locks outlive the votes that they rest on",
    ),
    Bug(
        "rounds-never-end",
        "a round whose Commits differ is waited in for ever",
        lambda: edited(Rounds, "_commits_are_in", ("return self._first(47) and", "return False and")),
        SMALL,
        VOTES,
    ),
    Bug(
        "locks-wait-for-votes-that-are-gone",
        "a value locked by a quorum is prepared again only where that quorum's votes still count, whatever keys left",
        lambda: together(
            edited(Rounds, "_answer_to", ("True if free and self.ask.valid(said.value, False) else None", "None")),
            edited(Lock, "saw", ("return (round_, value) in", "return False and")),
            instead(Heard, "was_prepared", Heard.prepared),
        ),
        SMALL,
        ("votes", "orders_falsely", "vote_partition"),
    ),
    Bug(
        "votes-before-its-past-is-back",
        "under a fresh key beside a lost store a node votes at once, whatever it said under the key before",
        lambda: instead(governing, "_past_is_back", lambda step: True),
        SMALL,
        ("votes", "old_backup"),
        unseen="a store must go in the seconds of a round that stalls, and its owner then meet who was away first",
    ),
    Bug(
        "prepare-without-time-out",
        "a proposer that says nothing is waited for, for ever",
        lambda: edited(Rounds, "_time_out", ("self._prepare(NOTHING)", "pass")),
        SMALL,
        VOTES,
    ),
    Bug(
        "certificates-dropped-at-the-change",
        "an epoch's certificates and what they restrict are forgotten with it",
        lambda: edited(
            epochs,
            "enter",
            ("    state.resting.clear()\n", "    state.resting.clear()\n    state.certificates.clear()\n"),
        ),
        SMALL,
        VOTES,
    ),
    Bug(
        "epochs-never-asked-for",
        "who missed an epoch's certificate does not ask for it",
        lambda: instead(governing, "ask_epochs", lambda step, link: None),
        SMALL,
        VOTES,
    ),
    Bug(
        "brought-keysets-hold-whatever-the-key",
        "a KeySet beside the store is taken at a start as if its governance key were still in force",
        lambda: edited(governing, "learn_brought", ("is not Code.BAD_SIGNATURE", "is not None")),
        SMALL,
        VOTES,
    ),
    Bug(
        "speaks-on-after-its-key-moved",
        "a node whose governance key has moved goes on under the KeySet of the old one",
        lambda: edited(
            State,
            "may_sign",
            ("if own is None:", "if False:"),
            ("own.keyset.expires_ms <", "own is not None and own.keyset.expires_ms <"),
        ),
        SMALL,
        VOTES,
    ),
)
