"""Which value follows this epoch: Algorithm 1 of Tendermint (arXiv:1807.04938), without I/O.

Propose, Prepare, Commit are its PROPOSAL, PREVOTE, PRECOMMIT; the numbers in comments are lines of its pseudo-code.
One instance orders one value, the successor of one epoch: the paper's height is the epoch here. Time is an input:
`now_ms` is a clock that never goes back. What is read otherwise than in the paper, and why that changes nothing, stands
in governance/README.md, "Ordering".
"""

from __future__ import annotations

from dataclasses import replace

from governance.heard import PAST_ROUNDS, Heard
from governance.lock import Lock
from governance.ordering import Ask, Decided, Output, Pace, Say, Step
from protocol.envelope import Verified
from protocol.ids import Digest, MemberName
from protocol.limits import VALUE_BYTES_MAX
from protocol.membership import Epoch
from protocol.messages import NOTHING, Commit, Prepare, Propose, Vote, value_hash

AGAIN_MS = 5_000
"""A word of ours that has not come back by then is said again: it was refused, lost or sealed under a replaced key."""


class Rounds:
    """The rounds of one epoch at one member. `me` None, or no voice of its group: listens for the decision, says
    nothing. At recovery: the last `lock`, every stored vote of the epoch through `heard`, then `start`."""

    def __init__(
        self, epoch: Epoch, me: MemberName | None, ask: Ask, lock: Lock | None = None, pace: Pace | None = None
    ) -> None:
        self.epoch, self.ask, self.pace = epoch, ask, pace or Pace()
        self.log = Heard(epoch)
        self.group = next((group for group, voice in self.log.voices.items() if voice == me), None)
        self.lock = lock if lock is not None and lock.epoch == epoch.hash else Lock(epoch.hash)
        self.log.advance(self.lock.round)
        self.decided: Decided | None = None
        self.started = False
        self.awake = False
        """False: nothing is waiting for an order, and this round's time-outs do not run."""
        self.due: dict[Step, int] = {}
        """Which time-outs of this round run, until when."""
        self.seen: set[int] = set()
        """Which of the lines 34, 36 and 47 have run in this round: each does so "for the first time" alone."""
        self.bound: tuple[int, Digest] | None = None
        """(round, value hash) of a Commit of ours that no lock tells of, whose value is not known."""
        self.muted = -1
        """Up to this round we may have said what no lock tells of."""
        self.again_ms = self.now_ms = 0
        self._out: list[Output] = []

    # ---- inputs

    def start(self, now_ms: int) -> list[Output]:
        """Once. Goes on in the round and step of the lock."""
        self.now_ms, self.started = now_ms, True
        self.awake = bool(self.lock.said) or self.lock.valid is not None
        if self.awake:
            self._run_round()
        self._say_again()
        return self._settled()

    def heard(self, entry: Verified[Vote], now_ms: int) -> list[Output]:
        """Anybody's vote, our own too; others of other epochs and voices are passed over."""
        self.now_ms = max(self.now_ms, now_ms)
        return self._settled() if self.log.take(entry) else []

    def tick(self, now_ms: int) -> list[Output]:
        """At `wake_ms`, and whenever the ledger may answer otherwise than before."""
        self.now_ms = max(self.now_ms, now_ms)
        if self.decided is not None:
            found = self.log.decided([self.decided.value])
            if found is None:
                self._go_on()
            else:  # a Commit that left with its key may have been said again under the next: that one certifies
                self.decided = Decided(found[0], found[1], value_hash(found[1]), found[2])
        if self.started and self.decided is None:
            self._settle()
            self._time_out()
            if self.now_ms >= self.again_ms:
                self._say_again()
        return self._settled()

    def rekeyed(self, member: MemberName, version: int, now_ms: int, afresh: bool = False) -> list[Output]:
        """A newer KeySet of this member is known (`afresh`: another one of the same version holds now). What was ours
        under the older key is said again under the new one: the same words."""
        self.now_ms = max(self.now_ms, now_ms)
        self.log.rekeyed(member, version, afresh)
        if self.started and self.group is not None and self.log.voices[self.group] == member:
            self._say_again()
        return self._settled()

    def bind(self, body: Vote, own: bool) -> None:
        """A vote of ours that the lock may not know of. `own`: sealed here, and a crash took the lock; it binds as if
        we remembered it, and is said again. Else peers brought it back: a store was lost, or a thief has an older key.
        Then nothing is said in rounds up to it, and a Commit is kept like a lock: so it is safe if it was ours, and
        where it was not, the thief has muted one group."""
        if body.epoch != self.epoch.hash or body in self.lock.said or body.round > self.round + PAST_ROUNDS:
            return
        if isinstance(body, Commit) and body.value_hash != NOTHING and body.round > self._locked()[0]:
            self.bound = body.round, body.value_hash
            self._bind_lock()
        if not own:
            if body.round > self.lock.round or not self.lock.said:
                self.muted = max(self.muted, body.round)
            return
        if body.round > self.round:
            self._begin(body.round)
            if self.awake:
                self._run_round()
        if body.round < self.round:
            return
        if isinstance(body, Propose) and self.lock.proposed is None:
            self.lock = replace(self.lock, proposed=body.value, proposed_from=body.valid_round)
        elif isinstance(body, Prepare) and self.lock.prepared is None:
            self.lock = replace(self.lock, prepared=body.value_hash)
        elif isinstance(body, Commit) and self.lock.committed is None:
            self.lock = replace(self.lock, committed=body.value_hash)

    def _bind_lock(self) -> bool:
        """38-39 and 42-43 of a Commit whose lock is lost, once its value is known: whoever says it, under any key."""
        if self.bound is None:
            return False
        round_, self.log.sought = self.bound
        value = self.log.value(self.log.sought)
        if value is None:
            return False
        self.bound = self.log.sought = None
        self.lock = replace(self.lock, locked=value, locked_round=round_)
        if self.lock.valid_round is None or self.lock.valid_round < round_:
            self.lock = replace(self.lock, valid=value, valid_round=round_)
        return True

    def _locked(self) -> tuple[int, Digest | None]:
        """(lockedRound or −1, hash of lockedValue)"""
        mine: tuple[int, Digest | None] = (-1, None)
        if self.lock.locked is not None and self.lock.locked_round is not None:
            mine = self.lock.locked_round, value_hash(self.lock.locked)
        return mine if self.bound is None or self.bound[0] <= mine[0] else self.bound

    @property
    def wake_ms(self) -> int | None:
        """When `tick` has something to do without anything new: None for never."""
        if not self.started or self.decided is not None or self.group is None:
            return None
        running = [*self.due.values()]
        if self._unheard():
            running.append(self.again_ms)
        return min(running, default=None)

    @property
    def round(self) -> int:
        return self.lock.round

    @property
    def step(self) -> Step:
        """Each step is left by saying something, so what was said tells it."""
        if self.lock.committed is not None:
            return Step.COMMIT
        return Step.PROPOSE if self.lock.prepared is None else Step.PREPARE

    # ---- the rules, until none applies

    def _settled(self) -> list[Output]:
        if self.started:
            self._settle()
        out, self._out = self._out, []
        return out

    def _settle(self) -> None:
        rules = (self._decide, self._bind_lock, self._catch_up, self._wake, self._vote)
        while self.decided is None and any(rule() for rule in rules):
            pass

    def _decide(self) -> bool:
        """49-54: Q Commits of one value, of whatever round."""
        known = [value for value in (self.lock.locked, self.lock.valid) if value is not None]
        found = self.log.decided(known)
        if found is None:
            return False
        round_, value, commits = found
        self.decided = Decided(round_, value, value_hash(value), commits)
        self._out.append(self.decided)
        self.due.clear()
        return True

    def _go_on(self) -> None:
        """Commits went with the keys that sealed them before they stood in a certificate: we are needed still."""
        self.decided = None
        self.seen.clear()
        self._run_round()

    def _catch_up(self) -> bool:
        """55-56: f + 1 groups are in a later round or beyond it, so an honest one is."""
        reached = self.log.later(self.epoch.f + 1)
        if reached <= self.round:
            return False
        self._start_round(reached, awake=True)
        return True

    def _wake(self) -> bool:
        """Rounds run only while something waits to be ordered, here or at f + 1 others."""
        if self.awake or self.group is None:
            return False
        if not (self._has_something() or self.log.later(self.epoch.f + 1) >= self.round or self._acceptable()):
            return False
        self.awake = True
        self._run_round()
        return True

    def _has_something(self) -> bool:
        """A value that Q groups prepared in any round may be somebody's lock: rounds go on until it is decided."""
        return self.lock.valid is not None or self.ask.value() is not None or self.log.prepared_something()

    def _vote(self) -> bool:
        if not self.awake or self.group is None:
            return False
        if self.round <= self.muted:
            return self._commits_are_in()
        steps = (self._propose, self._answer, self._prepares_are_in, self._lock, self._nothing, self._commits_are_in)
        return any(step() for step in steps)

    # ---- 11-21: a round begins

    def _begin(self, round_: int) -> None:
        self.lock = replace(self.lock, round=round_, proposed=None, proposed_from=None, prepared=None, committed=None)
        self.log.advance(round_)
        self.due.clear()
        self.seen.clear()

    def _start_round(self, round_: int, awake: bool) -> None:
        self._begin(round_)
        self.awake = awake and self.group is not None
        if self.awake:
            self._run_round()

    def _run_round(self) -> None:
        """21, for the proposer too: it may have nothing to propose as yet."""
        if self.step is Step.PROPOSE:
            self._schedule(Step.PROPOSE, self.pace.propose_ms)

    def _propose(self) -> bool:
        """14-19"""
        if (
            self.group != self.log.proposer(self.round)
            or self.step is not Step.PROPOSE
            or self.lock.proposed is not None
        ):
            return False
        value, from_ = self.lock.valid, self.lock.valid_round
        if value is None:
            value, from_ = self.ask.value(self.round // self.epoch.n), None
        if value is None or len(value) > VALUE_BYTES_MAX:
            return False
        self.lock = replace(self.lock, proposed=value, proposed_from=from_)
        self._say(Propose(self.epoch.hash, self.round, value, from_))
        return True

    # ---- 22-33: what the proposer said is answered

    def _answer(self) -> bool:
        if self.step is not Step.PROPOSE:
            return False
        answers = [self._answer_to(one) for one in self.log.proposals(self.round)]
        if True in answers:
            return self._prepare(value_hash(self.log.proposals(self.round)[answers.index(True)].value))
        return False in answers and self._prepare(NOTHING)

    def _answer_to(self, said: Propose) -> bool | None:
        """True: for its value; False: for nothing; None: not yet, which the time-out makes False."""
        locked_round, locked = self._locked()
        since, named = said.valid_round, value_hash(said.value)
        free = locked is None or locked == named
        if since is not None:  # 28-33, else 22-27
            if since >= self.round:
                return None
            saw = self.lock.saw(since, said.value) or self.bound == (since, named)
            if not saw and not self.log.was_prepared(since, named):  # as yet: till then it is one like any other
                return True if free and self.ask.valid(said.value, False) else None
            free = free or locked_round <= since
        if not free:
            return False
        return True if self.ask.valid(said.value, since is not None) else None

    def _acceptable(self) -> bool:
        return any(self._answer_to(one) for one in self.log.proposals(self.round))

    # ---- 34-48: the votes of this round

    def _prepares_are_in(self) -> bool:
        """34-35: Q Prepares, for whatever"""
        if self.step is not Step.PREPARE or self.log.prepares(self.round) < self.epoch.q:
            return False
        return self._first(34) and self._schedule(Step.PREPARE, self.pace.prepare_ms)

    def _lock(self) -> bool:
        """36-43"""
        if self.step is Step.PROPOSE:
            return False
        for said in self.log.proposals(self.round):
            named = value_hash(said.value)
            if self.log.prepared(self.round, named) and self._first(36):
                self.lock = replace(self.lock, valid=said.value, valid_round=self.round)  # 42-43
                if self.step is Step.PREPARE:
                    self.lock = replace(self.lock, locked=said.value, locked_round=self.round)  # 38-39
                    self._commit(named)
                return True
        return False

    def _nothing(self) -> bool:
        """44-46"""
        return self.step is Step.PREPARE and self.log.prepared(self.round, NOTHING) and self._commit(NOTHING)

    def _commits_are_in(self) -> bool:
        """47-48: Q Commits, for whatever"""
        if self.log.commits(self.round) < self.epoch.q:
            return False
        return self._first(47) and self._schedule(Step.COMMIT, self.pace.commit_ms)

    # ---- 57-67: time-outs

    def _time_out(self) -> None:
        for step in [one for one, at_ms in sorted(self.due.items()) if at_ms <= self.now_ms]:
            if self.due.pop(step, None) is None or (self.round <= self.muted and step is not Step.COMMIT):
                continue
            if step is Step.PROPOSE and self.step is Step.PROPOSE:  # 57-60
                self._prepare(NOTHING)
            elif step is Step.PREPARE and self.step is Step.PREPARE:  # 61-64
                self._commit(NOTHING)
            elif step is Step.COMMIT:  # 65-67
                self._start_round(self.round + 1, awake=self._has_something())

    def _schedule(self, step: Step, base_ms: int) -> bool:
        self.due[step] = self.now_ms + self.pace.after(base_ms, self.round)
        return True

    def _first(self, line: int) -> bool:
        before = len(self.seen)
        self.seen.add(line)
        return len(self.seen) > before

    # ---- what leaves

    def _prepare(self, named: Digest) -> bool:
        self.lock = replace(self.lock, prepared=named)
        return self._say(Prepare(self.epoch.hash, self.round, named))

    def _commit(self, named: Digest) -> bool:
        self.lock = replace(self.lock, committed=named)
        return self._say(Commit(self.epoch.hash, self.round, named))

    def _say(self, body: Vote) -> bool:
        self._out.append(Say(body, self.lock))
        self.again_ms = self.now_ms + AGAIN_MS
        return True

    def _unheard(self) -> list[Vote]:
        """What we said in this round that nobody can count now."""
        return [body for body in self.lock.said if self.group is not None and not self.log.holds(self.group, body)]

    def _say_again(self) -> None:
        for body in self._unheard():
            self._say(body)
