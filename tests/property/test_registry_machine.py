"""The registry against a model in Python: drawn calls in any order, right and wrong; the chain must agree with the
model on what is taken and on what stands."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.unit.contracts.registry_stage import (
    GUARD,
    HALT,
    HOUR_MS,
    ISOLATE,
    OTHER_SUBJECT,
    SUBJECT,
    THREAT,
    Stage,
    epoch_of,
)

GROUP = {"m00": "a", "m01": "a", "m02": "b", "m03": "c", "m04": "d"}
NEEDED = {GUARD: 2, ISOLATE: 3, HALT: 3}
LEASE_MS = {GUARD: 12 * HOUR_MS, ISOLATE: 6 * HOUR_MS, HALT: HOUR_MS}
SUSPENDED = "m04"
Q = 3

members = st.lists(st.sampled_from(sorted(GROUP)), max_size=6)
signers = members | st.just(["m00", "m02", "m03"]) | st.just(["m01", "m02", "m03"])
levels = st.sampled_from((GUARD, ISOLATE, HALT))
subjects = st.sampled_from((SUBJECT, OTHER_SUBJECT))
ago_ms = st.integers(-61_000, 700_000) | st.integers(0, 20_000)


class Model:
    """What PROTOCOL says of alarms and releases, kept as lists of what was ever taken: no merging, no erasing."""

    def __init__(self) -> None:
        self.taken: list[tuple[bytes, int, int, int]] = []
        """(subject, level, oldest issued ms, until s)."""
        self.released: dict[bytes, int] = {}

    def until(self, subject: bytes, level: int) -> int:
        """The latest end of those at this level or above, of each level: while its newest word outlives the release,
        the level stands to the latest end that was joined to it."""
        latest = 0
        for one in range(level, HALT + 1):
            rows = [row for row in self.taken if row[:2] == (subject, one)]
            if rows and max(row[2] for row in rows) > self.released.get(subject, 0):
                latest = max(latest, *(row[3] for row in rows))
        return latest

    def alarm(self, subject: bytes, level: int, since_ms: int, until_s: int) -> None:
        """What a release has ended is gone before anything joins it."""
        point = self.released.get(subject, 0)
        rows = [row for row in self.taken if row[:2] == (subject, level)]
        if rows and max(row[2] for row in rows) <= point:
            self.taken = [row for row in self.taken if row[:2] != (subject, level)]
        self.taken.append((subject, level, since_ms, until_s))


class RegistryMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.epochs = 0
        self.stage = Stage(self._epoch(), tuple(GROUP))
        self.model = Model()
        self.calls: list[tuple[str, tuple[Any, ...]]] = []

    def _epoch(self) -> Any:
        return epoch_of(sorted(GROUP.items()), self.epochs, suspended=(SUSPENDED,))

    @property
    def now_ms(self) -> int:
        return self.stage.world.now * 1000

    def _sound(self, names: list[str], needed: int, suspended_may: bool = False) -> bool:
        distinct = len(set(names)) == len(names)
        return distinct and (suspended_may or SUSPENDED not in names) and len({GROUP[name] for name in names}) >= needed

    def _told(self, name: str, call: tuple[Any, ...], expected: bool) -> bool:
        refused = self.stage.refusal(name, *call)
        assert (refused is None) == expected, (name, refused, expected)
        self.calls.append((name, call))
        return expected

    @rule(seconds=st.integers(1, 700) | st.integers(1, 30_000))
    def time_passes(self, seconds: int) -> None:
        self.stage.world.now += seconds

    @rule(
        names=signers,
        level=levels,
        subject=subjects,
        ago=ago_ms,
        lease=st.integers(-1, LEASE_MS[GUARD] + 1) | st.integers(1_000, HOUR_MS),
        submit=st.integers(-1_000, 601_000) | st.just(600_000),
        old=st.integers(0, 9),
    )
    def an_alarm(
        self, names: list[str], level: int, subject: bytes, ago: int, lease: int, submit: int, old: int
    ) -> None:
        issued = self.now_ms - ago
        other = {"epoch": bytes(32)} if old == 0 else {}
        words = {"subject": subject, "issued": issued, "expires": issued + lease, "submitBy": issued + submit}
        call = self._alarm_call(names, level, words | other)
        until = min(-(-(issued + lease) // 1000), self.stage.world.now + LEASE_MS[level] // 1000)
        expected = (
            not other
            and self._sound(names, NEEDED[level])
            and ago >= -60_000
            and issued > self.model.released.get(subject, 0)
            and submit <= 600_000
            and self.now_ms <= issued + submit
            and 0 < lease <= LEASE_MS[level]
            and until > self.stage.world.now
        )
        if self._told("alarm", call, expected):
            self.model.alarm(subject, level, issued, until)

    def _alarm_call(self, names: list[str], level: int, words: dict[str, Any]) -> tuple[Any, ...]:
        *front, _ = self.stage.alarm(["m00"], level, **words)
        votes = [vote for name in self.stage.in_order(names) for vote in self.stage.alarm([name], level, **words)[-1]]
        return *front, votes

    @rule(names=signers, subject=subjects, ago=st.integers(-1_000, 100_000), old=st.integers(0, 9))
    def a_lift(self, names: list[str], subject: bytes, ago: int, old: int) -> None:
        through = self.now_ms - ago
        other = {"epoch": bytes(32)} if old == 0 else {}
        *front, _ = self.stage.lift(["m00"], through, subject=subject, **other)
        votes = [
            vote
            for name in self.stage.in_order(names)
            for vote in self.stage.lift([name], through, subject=subject, **other)[-1]
        ]
        if self._told("lift", (*front, votes), not other and ago >= 0 and self._sound(names, Q)):
            self.model.released[subject] = max(self.model.released.get(subject, 0), through)

    @rule(names=signers, skipped=st.integers(0, 5))
    def an_advance(self, names: list[str], skipped: int) -> None:
        self.epochs += 1
        row = self.stage.next_row(self._epoch())
        words = self.stage.words_of(self._epoch())
        ballots = [one for name in self.stage.in_order(names) for one in self.stage.advance(row, words, [name])[-1]]
        if self._told("advance", (row.values, list(words), ballots), self._sound(names, Q, suspended_may=True)):
            self.stage.entered(row, words)
        else:
            self.epochs -= 1

    @rule(at=st.integers(0, 1_000))
    def a_replay(self, at: int) -> None:
        """Whatever it does, it lifts nothing and makes nothing last longer than the words in it say: by the model."""
        if not self.calls:
            return
        name, call = self.calls[at % len(self.calls)]
        taken = self.stage.refusal(name, *call) is None
        if name == "advance":
            assert not taken
        elif taken and name == "alarm":
            _, subject, _, level, votes = call
            issued, expires = votes[0][4], votes[0][6]
            assert self.now_ms <= votes[0][5] and issued > self.model.released.get(subject, 0)
            until = min(-(-expires // 1000), self.stage.world.now + LEASE_MS[level] // 1000)
            self.model.alarm(subject, level, issued, until)
        elif taken:
            self.model.released[call[1]] = max(self.model.released.get(call[1], 0), call[3][0][1])

    @invariant()
    def chain_and_model_agree(self) -> None:
        for subject in (SUBJECT, OTHER_SUBJECT):
            assert self.stage.do("released_through", subject, THREAT) == self.model.released.get(subject, 0)
            for level in (GUARD, ISOLATE, HALT):
                assert self.stage.do("level_until", subject, THREAT, level) == self.model.until(subject, level)

    @invariant()
    def nothing_outlives_a_lease_from_now(self) -> None:
        for subject in (SUBJECT, OTHER_SUBJECT):
            for level in (GUARD, ISOLATE, HALT):
                until_s = self.stage.do("level_until", subject, THREAT, level)
                assert until_s <= self.stage.world.now + LEASE_MS[level] // 1000


TestRegistry = RegistryMachine.TestCase
TestRegistry.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
