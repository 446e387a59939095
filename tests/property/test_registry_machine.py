"""The registry against a model in Python: drawn calls in any order, right and wrong; the chain must agree with the
model on what is taken and on what stands."""

from __future__ import annotations

from dataclasses import dataclass
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
    key_of,
)

GROUP = {"m00": "a", "m01": "a", "m02": "b", "m03": "c", "m04": "d"}
NEEDED = {GUARD: 2, ISOLATE: 3, HALT: 3}
LEASE_MS = {GUARD: 12 * HOUR_MS, ISOLATE: 6 * HOUR_MS, HALT: HOUR_MS}
SUSPENDED = "m04"
Q = 3

GOOD = (["m00", "m02", "m03"], ["m01", "m02", "m03"], ["m00", "m01", "m02", "m03"])
signers = st.sampled_from(GOOD) | st.sampled_from(GOOD) | st.lists(st.sampled_from(sorted(GROUP)), max_size=6)
levels = st.sampled_from((ISOLATE, ISOLATE, GUARD, HALT))
subjects = st.sampled_from((SUBJECT, SUBJECT, SUBJECT, OTHER_SUBJECT))
"""Mostly one matter: what was said, lifted and said again of it is where a contract may go wrong."""
EDGES_MS = (-60_001, -60_000, -1, 600_000, 600_001)
LEASES_MS = sorted({0, -1, 1, *(edge for most in LEASE_MS.values() for edge in (most, most + 1))})
ago_ms = st.sampled_from((0, 0, 1)) | st.just(0) | st.integers(0, 20_000) | st.sampled_from(EDGES_MS)
lease_ms = st.integers(60_000, HOUR_MS) | st.integers(60_000, HOUR_MS) | st.sampled_from(LEASES_MS)
submit_ms = st.just(600_000) | st.just(600_000) | st.sampled_from((600_001, 0, -1)) | st.integers(0, 600_000)


@dataclass(frozen=True)
class Said:
    """One vote of an alarm: its level above the alarm's, its age, lease and time to submit in ms."""

    name: str
    above: int
    ago: int
    lease: int
    submit: int


@st.composite
def votes_of(draw: st.DrawFn) -> list[Said]:
    """Mostly alike and sound; now and then one of them is not."""
    names = draw(signers)
    ago, lease = draw(st.integers(0, 5_000)), draw(st.integers(60_000, HOUR_MS - 20_000))
    odd = draw(st.integers(0, 12))
    votes = []
    for i, name in enumerate(names):
        jitter = draw(st.integers(0, 9_000))
        vote = Said(name, draw(st.sampled_from((0, 0, 0, 1, 2))), ago + jitter // 3, lease + jitter, 600_000)
        if i == odd:
            vote = Said(name, draw(st.integers(-1, 3)), draw(ago_ms), draw(lease_ms), draw(submit_ms))
        votes.append(vote)
    return votes


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

    @rule(seconds=st.integers(1, 20) | st.integers(1, 700) | st.integers(1, 30_000))
    def time_passes(self, seconds: int) -> None:
        self.stage.world.now += seconds

    @rule(votes=votes_of(), level=levels, subject=subjects, old=st.integers(0, 9))
    def an_alarm(self, votes: list[Said], level: int, subject: bytes, old: int) -> None:
        epoch = bytes(32) if old == 0 else self.stage.row.hash
        self._alarm(votes, level, subject, epoch)

    @rule(names=st.sampled_from(GOOD), level=levels, subject=subjects, ago=ago_ms, lease=lease_ms, submit=submit_ms)
    def an_alarm_of_one_voice(
        self, names: list[str], level: int, subject: bytes, ago: int, lease: int, submit: int
    ) -> None:
        votes = [Said(name, 0, ago, lease, submit) for name in names]
        self._alarm(votes, level, subject, self.stage.row.hash)

    def _alarm(self, votes: list[Said], level: int, subject: bytes, epoch: bytes) -> None:
        call = self._alarm_call(votes, level, subject, epoch)
        expected = (
            epoch == self.stage.row.hash
            and self._sound([one.name for one in votes], NEEDED[level])
            and all(self._taken(one, level, subject) for one in votes)
        )
        if expected:
            ends, issued = min(self._expires(one) for one in votes), self.now_ms - max(one.ago for one in votes)
            until = min(-(-ends // 1000), self.stage.world.now + LEASE_MS[level] // 1000)
            expected = until > self.stage.world.now
        if self._told("alarm", call, expected):
            self.model.alarm(subject, level, issued, until)

    def _expires(self, one: Said) -> int:
        return self.now_ms - one.ago + one.lease

    def _taken(self, one: Said, level: int, subject: bytes) -> bool:
        said = level + one.above
        return (
            level <= said <= HALT
            and -60_000 <= one.ago <= one.submit <= 600_000
            and self.now_ms - one.ago > self.model.released.get(subject, 0)
            and 0 < one.lease <= LEASE_MS[said]
        )

    def _alarm_call(self, votes: list[Said], level: int, subject: bytes, epoch: bytes) -> tuple[Any, ...]:
        told = []
        for one in sorted(votes, key=lambda one: key_of(one.name).address):
            issued = self.now_ms - one.ago
            words = {"subject": subject, "epoch": epoch, "issued": issued, "submitBy": issued + one.submit}
            words |= {"expires": issued + one.lease, "level": level + one.above}
            told += self.stage.alarm_of({one.name: self.stage.alarm_values(one.name, **words)}, level)[-1]
        return epoch, subject, THREAT, level, told

    @rule(
        names=signers,
        subject=subjects,
        agos=st.just([0] * 6) | st.lists(st.sampled_from((0, 1, 5)) | st.integers(-1, 9_000), min_size=6, max_size=6),
        old=st.integers(0, 19),
    )
    def a_lift(self, names: list[str], subject: bytes, agos: list[int], old: int) -> None:
        epoch = bytes(32) if old == 0 else self.stage.row.hash
        ordered = self.stage.in_order(names)
        self._lift({name: self.now_ms - ago for name, ago in zip(ordered, agos)}, subject, epoch, ordered)

    def _lift(self, through: dict[str, int], subject: bytes, epoch: bytes, names: list[str] | None = None) -> None:
        """`names` where one of them signs twice."""
        ordered = self.stage.in_order(through) if names is None else names
        votes = [
            vote
            for name in ordered
            for vote in self.stage.lift([name], through[name], subject=subject, epoch=epoch)[-1]
        ]
        expected = epoch != bytes(32) and self._sound(ordered, Q) and max(through.values(), default=0) <= self.now_ms
        if self._told("lift", (epoch, subject, THREAT, votes), expected):
            earliest = min(through.values())
            self.model.released[subject] = max(self.model.released.get(subject, 0), earliest)

    @rule(
        level=levels,
        ahead=st.sampled_from((0, 0, 60_000)),
        leases=st.tuples(st.integers(30_000, HOUR_MS) | st.just(None), st.integers(30_000, HOUR_MS)),
        short=st.sampled_from((0, 0, 0, 1)),
        seconds=st.integers(1, 20),
        after=st.sampled_from((0, 1, 1_000)),
    )
    def said_lifted_and_said_again(
        self, level: int, ahead: int, leases: tuple[int | None, int], short: int, seconds: int, after: int
    ) -> None:
        """`short`: by how much the lift falls short of the first word; `after`: how long after it the second came."""
        first = LEASE_MS[level] if leases[0] is None else leases[0]
        said_ms = self.now_ms + ahead
        self._alarm([Said(n, 0, -ahead, first, 600_000) for n in GOOD[0]], level, SUBJECT, self.stage.row.hash)
        self.stage.world.now += seconds + ahead // 1000
        through = said_ms - short
        self._lift(dict.fromkeys(GOOD[1], through), SUBJECT, self.stage.row.hash)
        ago = self.now_ms - (through + after)
        self._alarm([Said(n, 0, ago, leases[1], 600_000) for n in GOOD[1]], level, SUBJECT, self.stage.row.hash)

    @rule(names=signers, skipped=st.integers(0, 5))
    def an_advance(self, names: list[str], skipped: int) -> None:
        if skipped:  # an epoch lasts
            return
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
            issued, ends = min(vote[4] for vote in votes), min(vote[6] for vote in votes)
            assert issued > self.model.released.get(subject, 0)
            assert self.now_ms <= min(vote[5] for vote in votes)
            until = min(-(-ends // 1000), self.stage.world.now + LEASE_MS[level] // 1000)
            self.model.alarm(subject, level, issued, until)
        elif taken:
            through = min(vote[1] for vote in call[3])
            self.model.released[call[1]] = max(self.model.released.get(call[1], 0), through)

    @invariant()
    def chain_and_model_agree_and_nothing_outlives_a_lease_from_now(self) -> None:
        for subject in (SUBJECT, OTHER_SUBJECT):
            assert self.stage.do("released_through", subject, THREAT) == self.model.released.get(subject, 0)
            for level in (GUARD, ISOLATE, HALT):
                until_s = self.stage.do("level_until", subject, THREAT, level)
                assert until_s == self.model.until(subject, level)
                assert until_s <= self.stage.world.now + LEASE_MS[level] // 1000


TestRegistry = RegistryMachine.TestCase
TestRegistry.settings = settings(
    max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
