"""Governance over random histories: whatever members propose, vote and prove, in whatever order it comes."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from governance import rules, tally
from governance.ballots import Ballot, SealedBallot, Vote, cast, parse_ballot
from governance.epochs import check, pack_epoch_certificate, parse_epoch_certificate
from governance.heard import voices
from governance.ledger import Ledger
from governance.proposals import KIND_OF as KINDS
from governance.proposals import (
    Admit,
    Change,
    Proposal,
    Regroup,
    Reinstate,
    Rekey,
    Remove,
    Retune,
    SealedProposal,
    Suspend,
    consent,
    parse_proposal,
    seal_proposal,
)
from governance.tally import Arrived
from governance.values import pack_value, parse_value, value_hash
from protocol.crypto import Signer, sha256
from protocol.envelope import SealedKeySet, seal_keyset
from protocol.ids import GroupName, MemberName
from protocol.membership import DAY_MS, Epoch, formula_faults
from protocol.messages import Commit, Heartbeat, KeySet
from tests.property.support_protocol import only_protocol_errors, runs
from tests.unit.governance.members import NETWORK, NOW, epoch, hot, name_of, says, sealed, value, votes
from tests.unit.governance.members import proposal as proposal_of
from tests.unit.governance.test_epochs import GOOD
from tests.unit.governance.test_statements import CHANGES

FOUR = epoch(4)
ON = sealed(FOUR, proposal_of(FOUR, Retune(halt="n")))
READERS: dict[str, tuple[Any, bytes]] = {
    "proposal": (lambda raw: parse_proposal(raw, NETWORK), sealed(FOUR, proposal_of(FOUR, CHANGES["sources"])).raw),
    "ballot": (lambda raw: parse_ballot(raw, NETWORK), votes(FOUR, ON, ["m1"])[0].raw),
    "value": (parse_value, pack_value(value(FOUR, [ON.hash]))),
    "certificate": (lambda raw: check(parse_epoch_certificate(raw), FOUR), pack_epoch_certificate(GOOD)),
    "ledger": (lambda raw: Ledger(FOUR).take(raw, NOW), ON.raw),
}


@given(st.sampled_from(sorted(READERS)), st.binary(max_size=200))
@runs(300)
def test_any_bytes_are_read_or_refused(name: str, raw: bytes) -> None:
    only_protocol_errors(lambda: READERS[name][0](raw))


@given(st.sampled_from(sorted(READERS)), st.integers(0, 1 << 20), st.binary(min_size=1, max_size=3))
@runs(600)
def test_damaged_bytes_are_read_or_refused(name: str, at: int, put: bytes) -> None:
    read, good = READERS[name]
    at %= len(good)
    only_protocol_errors(lambda: read(good[:at] + put + good[at + len(put) :]))


says_what = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 3), st.booleans(), st.integers(0, 6)), max_size=24)
"""(member, ballot_no, yes, cast after opening)"""


def ballots_of(of: Epoch, on: SealedProposal, told: list[tuple[int, int, bool, int]]) -> list[SealedBallot]:
    return [
        cast(NETWORK, cold(name_of(at)), Ballot(on.hash, name_of(at), number, Vote(int(yes)), NOW + after))
        for at, number, yes, after in told
    ]


def box_of(ballots: list[SealedBallot]) -> dict[MemberName, dict[int, Arrived]]:
    box: dict[MemberName, dict[int, Arrived]] = {}
    for one in sorted(ballots, key=lambda ballot: ballot.hash, reverse=True):
        box.setdefault(one.ballot.member, {})[one.ballot.ballot_no] = Arrived(one, NOW)
    return box


def cold(name: str, which: int = 0) -> Signer:
    return Signer(sha256(f"governance {name} {which}".encode()))


GROUPED = epoch(7, {"m6": "m5"})
VOTED = sealed(GROUPED, proposal_of(GROUPED, Retune(halt="n")))


@given(says_what, st.randoms(use_true_random=False))
@runs(200)
def test_what_passes_by_all_ballots_passed_in_whatever_order_they_came(told: Any, rng: random.Random) -> None:
    said = ballots_of(GROUPED, VOTED, told)
    whole = tally.passing(GROUPED, VOTED.proposal, box_of(said))
    rows = [one.raw for one in said] + [VOTED.raw]
    rng.shuffle(rows)
    books = Ledger(GROUPED)
    for raw in rows:
        books.take(raw, NOW)
    (standing,) = books.standings(NOW)
    if whole is not None:
        assert standing.passed_ms == NOW
    if standing.passed_ms is not None:
        assert tally.any_passing(GROUPED, VOTED.proposal, books.held[VOTED.hash].box) is not None


@given(says_what)
@runs(200)
def test_fewer_groups_than_a_quorum_pass_nothing_whatever_they_say(told: Any) -> None:
    few = [row for row in told if row[0] < GROUPED.q - 1]
    assert tally.passing(GROUPED, VOTED.proposal, box_of(ballots_of(GROUPED, VOTED, few))) is None


class History(RuleBasedStateMachine):
    """One ledger and a second one that hears everything later; time goes on; what is ready is ordered."""

    @initialize(count=st.integers(3, 7), together=st.booleans())
    def found(self, count: int, together: bool) -> None:
        of = epoch(count, {"m1": "m0"} if together else None, change_delay_ms=DAY_MS, loosen_delay_ms=2 * DAY_MS)
        self.one, self.other = Ledger(of), Ledger(of)
        self.now_ms = NOW
        self.generation: dict[str, int] = {}
        self.version: dict[str, int] = {}
        self.proposals: list[SealedProposal] = []
        self.backlog: list[tuple[str, Any]] = []
        self.newcomers = 0
        for seat in of.members:
            self.delegate(seat.name, 1)

    @property
    def epoch(self) -> Epoch:
        return self.one.epoch

    def cold(self, name: str, more: int = 0) -> Signer:
        return cold(name, self.generation.get(name, 0) + more)

    def keyset(self, name: str, version: int) -> SealedKeySet:
        made = KeySet(MemberName(name), version, hot(name, version).public, None, (), NOW + 9999 * DAY_MS)
        return seal_keyset(NETWORK, self.cold(name), made)

    def delegate(self, name: str, version: int) -> None:
        self.version[name] = version
        self.one.keyset_heard(self.keyset(name, version))
        self.other.keyset_heard(self.keyset(name, version))

    def tell(self, raw: bytes) -> bool:
        self.backlog.append(("statement", raw))
        return only_protocol_errors(lambda: self.one.take(raw, self.now_ms))

    def seat(self, at: int) -> MemberName:
        return self.epoch.members[at % len(self.epoch.members)].name

    def change(self, kind: int, at: int) -> Change:
        name, group = self.seat(at), self.epoch.groups[at % self.epoch.n]
        if kind == 0:
            self.newcomers += 1
            new = MemberName(f"n{self.newcomers}")
            return Admit(new, GroupName(new) if at % 3 else group, self.cold(new).public)
        return (
            Remove(name),
            Regroup((name,), GroupName(f"g{at % 3}")),
            Rekey(name, self.cold(name, 1).public),
            Suspend(name),
            Reinstate(name),
            Retune(halt=("n", "Q")[at % 2]),
            Retune(change_delay_ms=at % 3 * DAY_MS),
        )[(kind - 1) % 7]

    @rule(kind=st.integers(0, 7), at=st.integers(0, 20), own=st.booleans())
    def propose(self, kind: int, at: int, own: bool) -> None:
        change = self.change(kind, at)
        signers = [self.cold(change.member)] if isinstance(change, Admit) else []
        if isinstance(change, Rekey):
            signers = [self.cold(change.member, 1)] + [self.cold(change.member)] * own
        given = tuple(consent(NETWORK, one, self.epoch.hash, change) for one in signers)
        opened_ms = max(self.now_ms, self.epoch.activates_ms)
        author = self.seat(at + 1)
        made = Proposal(
            self.epoch.hash, author, opened_ms, opened_ms + 5 * DAY_MS, KINDS[type(change)], change, "", given
        )
        on = seal_proposal(NETWORK, self.cold(author), made)
        if self.tell(on.raw):
            self.proposals.append(on)

    @rule(which=st.integers(0, 30), who=st.sets(st.integers(0, 8), max_size=8), yes=st.booleans(), no=st.integers(0, 2))
    def vote(self, which: int, who: set[int], yes: bool, no: int) -> None:
        if self.proposals:
            on = self.proposals[which % len(self.proposals)]
            for at in sorted(who):
                name = self.seat(at)
                ballot = Ballot(on.hash, name, no, Vote(int(yes)), self.now_ms)
                self.tell(cast(NETWORK, self.cold(name), ballot).raw)

    @rule(which=st.integers(0, 30))
    def everybody_agrees(self, which: int) -> None:
        self.vote(which, set(range(len(self.epoch.members))), True, 0)

    @rule(at=st.integers(0, 8))
    def somebody_forks(self, at: int) -> None:
        name = self.seat(at)
        one, two = (
            says(name, Heartbeat(self.epoch.hash), version=self.version[name], issued_ms=NOW + add) for add in (0, 1)
        )
        self.backlog.append(("proof", (one, two)))
        only_protocol_errors(lambda: self.one.convict(one, two))

    @rule(at=st.integers(0, 8))
    def somebody_takes_a_fresh_key(self, at: int) -> None:
        self.delegate(self.seat(at), self.version[self.seat(at)] + 1)

    @rule(days=st.integers(0, 4))
    def time_goes_on(self, days: int) -> None:
        self.now_ms += days * DAY_MS + 1

    @rule(restricted=st.booleans())
    def order(self, restricted: bool) -> None:
        before = self.epoch
        made = self.one.ready(self.now_ms, restricted)
        if made is None:
            return
        assert self.one.acceptable(made, self.now_ms, restricted) == ""
        assert parse_value(pack_value(made)) == made
        if restricted:
            named = [self.one.held[hash_].proposal for hash_ in made.proposals]
            due = [self.one.held[hash_].passed_ms or 0 for hash_ in made.proposals]
            for one, passed_ms in zip(named, due, strict=True):
                waited = passed_ms + rules.delay_ms(before, one) + rules.INCIDENT_MS_MAX <= self.now_ms
                assert waited or not rules.loosens(before, one.change)
        commit = Commit(before.hash, 0, value_hash(made))
        said = [says(name, commit, version=self.version[name]) for name in voices(before).values()]
        certificate = self.one.certificate(made, said, lambda name, version: self.keyset(name, version))
        assert certificate is not None
        again = parse_epoch_certificate(pack_epoch_certificate(certificate))
        self._others_hear(before)
        enacted = self.one.enter(again, self.now_ms)
        assert self.other.enter(again, self.now_ms).epoch == enacted.epoch
        self._check(before, enacted.epoch)
        for seat in enacted.epoch.members:
            old = before.by_name.get(seat.name)
            if old is None:
                self.delegate(seat.name, 1)
            elif old.governance_key != seat.governance_key:
                self.generation[seat.name] = self.generation.get(seat.name, 0) + 1
                self.delegate(seat.name, self.version[seat.name] + 1)

    @rule(kind=st.integers(0, 7), at=st.integers(0, 20), own=st.booleans(), restricted=st.booleans())
    def carry(self, kind: int, at: int, own: bool, restricted: bool) -> None:
        """From the proposal to the epoch at one go: few random histories get so far by themselves."""
        self.propose(kind, at, own)
        self.everybody_agrees(len(self.proposals) - 1)
        self.time_goes_on(3)
        self.order(restricted)

    def _others_hear(self, before: Epoch) -> None:
        """The second node gets what the first has, at once and in another order."""
        for kind, one in reversed(self.backlog):
            if kind == "proof":
                only_protocol_errors(lambda one=one: self.other.convict(*one))
            else:
                only_protocol_errors(lambda one=one: self.other.take(one, self.now_ms))
        self.backlog.clear()

    def _check(self, before: Epoch, after: Epoch) -> None:
        assert (after.number, after.parent, after.past[0].hash) == (before.number + 1, before.hash, before.hash)
        keys = [seat.governance_key for seat in after.members]
        assert len(set(keys)) == len(keys)
        assert not set(after.left) & set(after.by_name)
        gone = set(before.groups) ^ set(after.groups)
        assert len(gone) <= 2 * max(1, before.f)
        if {seat.name: seat.group for seat in before.members} == {seat.name: seat.group for seat in after.members}:
            assert (after.n, after.q) == (before.n, before.q)
            if after.formulas == before.formulas:
                assert after.thresholds == before.thresholds

    @invariant()
    def the_charter_is_valid(self) -> None:
        if hasattr(self, "one"):
            faults = formula_faults(self.epoch.formulas, self.epoch.n)
            assert [fault for fault in faults if self.epoch.n >= 4 or not fault.endswith(": never")] == []

    @invariant()
    def every_proposal_is_told(self) -> None:
        if hasattr(self, "one"):
            for standing in self.one.standings(self.now_ms):
                assert standing.needed >= self.epoch.q or standing.needed == 0
                assert set(standing.count.yes).isdisjoint(standing.count.no)


TestHistory = History.TestCase
TestHistory.settings = runs(60)
