"""The guard against a model in Python: a quorum, an operator, an owner, a person at the target and anybody, in any
order, right and wrong. The chain must agree on what is taken, on what stands and on whose it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from adapters.evm.guard_words import packed_vote
from adapters.evm.registry import signed
from tests.unit.contracts.guard_stage import ANYBODY, EPOCH, KEY, OPERATOR, WEEK, GuardStage, words_of
from tests.unit.contracts.registry_stage import HOUR_MS, ISOLATE, OTHER_SUBJECT, SUBJECT, THREAT, key_of
from tests.unit.contracts.world import OWNER, RevertedError

GROUP = {"m00": 0, "m01": 0, "m02": 1, "m03": 2, "m04": 3}
NEEDED, COOLDOWN = 3, 900
LEASE = {False: 3_600, True: 1_200}
BUDGET = {False: 4 * 3_600, True: 2 * 1_200}
"""By whether the operator alone; small, so that they are met."""
ROUNDED_S = 2
"""By how much seconds in whole numbers may fall behind the model's."""

GOOD = (["m00", "m02", "m03"], ["m01", "m02", "m04"], ["m00", "m01", "m02", "m03"])
signers = (
    st.sampled_from(GOOD)
    | st.sampled_from(GOOD)
    | st.lists(st.sampled_from([*sorted(GROUP), "stranger"]), max_size=6, unique=True)
)
ages_ms = (
    st.sampled_from((0, 0, 0, 5_000)) | st.integers(0, 20_000) | st.sampled_from((-60_001, -60_000, 600_000, 600_001))
)
leases_ms = st.integers(1, 4 * HOUR_MS) | st.sampled_from((0, 1, 60_000, HOUR_MS, 12 * HOUR_MS))


@dataclass
class Lane:
    """What one hand was granted, kept as it was: no packing, no rounding."""

    alone: bool
    began: int | None = None
    until: int = 0
    pieces: list[list[int]] = field(default_factory=list)
    """[from, until] of every second that it held."""
    purse: Fraction = Fraction(0)
    filled: int = 0

    def __post_init__(self) -> None:
        self.lease, self.budget = LEASE[self.alone], BUDGET[self.alone]
        self.purse = Fraction(self.budget, 2)

    def fill(self, now: int) -> None:
        flowed = Fraction(self.budget, 2) * (now - self.filled) / WEEK
        self.purse, self.filled = min(Fraction(self.budget, 2), self.purse + flowed), now

    def cools(self, now: int) -> bool:
        return self.began is not None and self.began + self.lease <= now < self.began + self.lease + COOLDOWN

    def term(self, now: int) -> int:
        """When the term that a word would fall into began."""
        return now if self.began is None or now >= self.began + self.lease else self.began

    def end(self, now: int) -> None:
        """Its term is over, and what was not used flows back."""
        self.fill(now)
        if self.until > now:
            self.purse += self.until - now
            self.until = now
            self.pieces[-1][1] = now
        self.began = now - self.lease

    def held_within(self, first: int, last: int) -> int:
        return sum(max(0, min(last, until) - max(first, from_)) for from_, until in self.pieces)


class GuardMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        terms = {"cooldown_s": COOLDOWN, "lease_s": LEASE[False], "budget_s": BUDGET[False]}
        terms |= {"alone_lease_s": LEASE[True], "alone_budget_s": BUDGET[True]}
        self.stage = GuardStage(tuple(sorted(GROUP)), NEEDED, terms=terms)
        self.stage.words = words_of(GROUP, list(GROUP.values()))
        self.stage.list = self.stage.listed(self.stage.words)
        self.stage.do("reason", 0, self.stage.list, SUBJECT, THREAT, ISOLATE, NEEDED)
        self.stage.gate_do("set_pauser", OWNER, True)
        self.quorum, self.operator = Lane(False, filled=self.now), Lane(True, filled=self.now)
        self.closed = self.ours = False
        self.right, self.off = True, False
        self.calls: list[tuple[Any, ...]] = []

    @property
    def now(self) -> int:
        return self.stage.world.now

    @property
    def stands(self) -> bool:
        return max(self.quorum.until, self.operator.until) > self.now

    # -- what the model expects

    def _restricts(self, lane: Lane, wanted: int, name: str, call: tuple[Any, ...], by: str, sound: bool) -> None:
        lane.fill(self.now)
        began, stood = lane.term(self.now), max(lane.until, self.now)
        most = min(Fraction(wanted), Fraction(began + lane.lease), stood + lane.purse)
        calls = not self.stands and not self.closed
        fit = sound and not self.off and wanted > self.now and not lane.cools(self.now)
        nearly = stood < most < stood + ROUNDED_S and most < min(wanted, began + lane.lease)
        taken = self.stage.refusal(name, *call, by=by) is None
        found = self.stage.standing()[1 if lane.alone else 0]
        if not fit or (most <= self.now and stood <= self.now) or (calls and not self.right):
            assert not taken, (name, "was taken")
            return
        assert taken or (nearly and stood == self.now), (name, "was refused")
        if found <= stood:  # nothing changed: it stood so long already, or less than a second was left
            assert most <= stood or nearly, (found, most)
            return
        assert most - ROUNDED_S <= found <= most, (found, most)
        if lane.pieces and lane.until > self.now:
            lane.pieces[-1][1] = found
        else:
            lane.pieces.append([self.now, found])
        lane.purse -= found - stood
        lane.began, lane.until = began, found
        if calls:
            self.closed = self.ours = True

    def _opens(self) -> None:
        if self.ours and not self.closed:
            self.ours = False
        elif self.ours and self.right:
            self.ours = self.closed = False

    def _told(self, name: str, *args: Any, by: str, expected: bool) -> None:
        refused = self.stage.refusal(name, *args, by=by)
        assert (refused is None) == expected, (name, refused, expected)

    # -- who does what

    @rule(seconds=st.integers(1, 30) | st.integers(1, 1_500) | st.integers(1, 100_000))
    def time_passes(self, seconds: int) -> None:
        self.stage.world.now += seconds

    @rule(
        names=signers, age=ages_ms, lease=leases_ms, subject=st.sampled_from((SUBJECT, SUBJECT, SUBJECT, OTHER_SUBJECT))
    )
    def a_quorum_speaks(self, names: list[str], age: int, lease: int, subject: bytes) -> None:
        issued = self.now * 1000 - age
        words = {"issued": issued, "expires": issued + lease, "subject": subject}
        votes = []
        for name in sorted(names, key=lambda one: key_of(one).address):
            told = self.stage.values(name, **words)
            signature = signed(self.stage.domain, "Alarm", told, key_of(name))
            parts = (signature[64], int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big"))
            fields = ("author", "seq", "bodyHash", "level", "issued", "submitBy", "expires")
            votes.append(packed_vote((*(told[one] for one in fields), (self._at(name), *parts))))
        sound = (
            subject == SUBJECT
            and "stranger" not in names
            and len({GROUP[name] for name in names}) >= NEEDED
            and -60_000 <= age <= 600_000
        )
        call = (0, self.stage.list, EPOCH, subject, THREAT, votes)
        self._restricts(self.quorum, -(-words["expires"] // 1000), "act", call, ANYBODY, sound)
        if sound:
            self.calls.append((call, issued, words["expires"]))

    def _at(self, name: str) -> int:
        address = int.from_bytes(key_of(name).address, "big")
        return next((at for at, word in enumerate(self.stage.words) if word >> 96 == address), 4)

    @precondition(lambda self: self.calls)
    @rule(at=st.integers(0, 1_000))
    def words_are_said_again(self, at: int) -> None:
        call, issued, expires = self.calls[at % len(self.calls)]
        sound = issued - 60_000 <= self.now * 1000 <= issued + 600_000
        self._restricts(self.quorum, -(-expires // 1000), "act", call, ANYBODY, sound)

    @rule(seconds=st.integers(-5, 5_000), by=st.sampled_from((OPERATOR, OPERATOR, OPERATOR, ANYBODY, OWNER)))
    def the_operator_acts(self, seconds: int, by: str) -> None:
        until = self.now + seconds
        self._restricts(self.operator, until, "act_alone", (0, until, KEY), by, by == OPERATOR)

    @rule(by=st.sampled_from((OPERATOR, OPERATOR, OWNER, ANYBODY)))
    def the_operator_releases(self, by: str) -> None:
        self._told("release_alone", 0, by=by, expected=by == OPERATOR)
        if by == OPERATOR:
            self.operator.end(self.now)
            if not self.stands:
                self._opens()

    @rule(by=st.sampled_from((OWNER, OPERATOR, ANYBODY)), forget=st.sampled_from((False, False, True)))
    def the_owner_releases(self, by: str, forget: bool) -> None:
        self._told("forget" if forget else "release", 0, by=by, expected=by == OWNER)
        if by == OWNER:
            self.ours = self.ours and not forget
            self._all_end()
            self._opens()

    def _all_end(self) -> None:
        self.quorum.end(self.now)
        self.operator.end(self.now)

    @rule()
    def anybody_lapses(self) -> None:
        may = self.ours and (self.off or not self.stands or not self.closed)
        self._told("lapse", 0, by=ANYBODY, expected=may)
        if may:
            if self.off:
                self._all_end()
            self._opens()

    @rule()
    def the_owner_switches(self) -> None:
        self.stage.do("switch_on" if self.off else "switch_off")
        self.off = not self.off

    @rule()
    def a_person_moves_the_gate(self) -> None:
        self.stage.gate_do("unpause" if self.closed else "pause")
        self.closed = not self.closed

    @rule()
    def the_targets_owner_moves_the_right(self) -> None:
        self.right = not self.right
        self.stage.gate_do("set_pauser", self.stage.at, self.right)

    # -- what must hold

    @invariant()
    def chain_and_model_agree(self) -> None:
        quorum, operator, ours, shows = self.stage.standing()
        assert (quorum, operator, ours) == (self.quorum.until, self.operator.until, self.ours)
        assert bool(shows) == self.stage.paused == self.closed

    @invariant()
    def no_hand_holds_more_than_its_budget_in_any_seven_days_nor_longer_than_its_lease(self) -> None:
        for lane in (self.quorum, self.operator):
            for _, last in lane.pieces:
                assert lane.held_within(last - WEEK, last) <= lane.budget
            assert lane.until <= self.now + lane.lease

    @invariant()
    def between_two_terms_lies_the_cooldown(self) -> None:
        for lane in (self.quorum, self.operator):
            for (_, before), (after, _) in zip(lane.pieces, lane.pieces[1:]):
                assert before <= after

    def teardown(self) -> None:
        """Whatever happened: once its right is back and time has passed, anybody opens what the guard closed."""
        if not self.right:
            self.the_targets_owner_moves_the_right()
        self.stage.world.now += max(LEASE.values())
        if self.ours:
            self.anybody_lapses()
            assert not self.stage.paused
        try:
            self.stage.do("lapse", 0, by=ANYBODY)
        except RevertedError as refused:
            assert str(refused) == "nothing to lift"


TestGuard = GuardMachine.TestCase
TestGuard.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
