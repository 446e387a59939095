"""The messages that Algorithm 1 counts, of one epoch, in bounded memory whatever liars invent.

One voice for each control group. A voice that contradicts itself in a round is a proven liar: two of its words are
kept, and from then on it counts for every value there, as if it had said them all. Whoever holds any two then counts
the same, in whatever order they came; it can do no more than f liars may do anyway.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from protocol.envelope import Verified
from protocol.ids import Digest, GroupName, MemberName
from protocol.membership import Epoch
from protocol.messages import NOTHING, VOTES, Commit, Prepare, Propose, value_hash

AHEAD_ROUNDS = 8
"""Rounds ahead of ours of which everything is kept."""
FAR_ROUNDS = 4
"""Rounds further ahead that are kept of each group: its latest."""
PAST_ROUNDS = 512
"""Rounds behind ours whose votes are kept: a later Propose may name one of them. Days, as time-outs grow."""
PAST_VALUES = 8
"""Rounds behind ours of which every proposed value is kept; of older ones those that enough groups voted for."""
WORDS_KEPT = 2
"""Of one voice in one place: two are a proof."""


Words = dict[Digest, "Verified[Commit] | None"]
"""Of one voice in one place: what it voted for; the entry where it may prove a decision."""


@dataclass
class Said:
    """value hash → what says it: proposals of the round's proposer, votes by group."""

    proposals: dict[Digest, Verified[Propose]] = field(default_factory=dict)
    prepares: dict[GroupName, Words] = field(default_factory=dict)
    commits: dict[GroupName, Words] = field(default_factory=dict)

    def of(self, body: Prepare | Commit) -> dict[GroupName, Words]:
        return self.prepares if isinstance(body, Prepare) else self.commits

    def spoke(self, group: GroupName) -> bool:
        return group in self.prepares or group in self.commits


@dataclass
class Round(Said):
    """What counts; `former`: what was sealed under keys that have left. Of that Prepares count of rounds that are over,
    votes for time-outs, and a proposal names the value of a vote."""

    former: Said = field(default_factory=Said)


def voices(epoch: Epoch) -> dict[GroupName, MemberName]:
    """Who speaks for each group: its first member by name, and nobody in its stead."""
    found: dict[GroupName, MemberName] = {}
    for member in sorted(epoch.members, key=lambda one: one.name):
        found.setdefault(member.group, member.name)
    return found


class Heard:
    def __init__(self, epoch: Epoch) -> None:
        self.epoch = epoch
        self.voices = voices(epoch)
        self.rounds: dict[int, Round] = {}
        self.versions: dict[MemberName, int] = {}
        """The newest key of each voice heard of: of what is sealed under an older one, Prepares of past rounds
        count (`was_prepared`), and votes for time-outs."""
        self.liars: set[GroupName] = set()
        """Whose voice forked its feed in this epoch: not all of what it said can reach everybody."""
        self.latest: dict[GroupName, int] = {}
        """The furthest round in which a group said anything."""
        self.sought: Digest | None = None
        """The hash of a value that we are bound to and do not know: its proposal finds room."""
        self.round = 0

    def proposer(self, round_: int) -> GroupName:
        groups = self.epoch.groups
        return groups[round_ % len(groups)]

    def take(self, entry: Verified[Any]) -> bool:
        """Does it change what counts?"""
        body, author = entry.body, entry.entry.author
        if not isinstance(body, VOTES) or body.epoch != self.epoch.hash or author not in self.epoch.by_name:
            return False
        group = self.epoch.group_of(author)
        if self.voices[group] != author:
            return False
        if isinstance(body, Propose) and self.proposer(body.round) != group:
            return False
        if entry.entry.key_version < self.versions.get(author, 0):
            if not self.round - PAST_ROUNDS <= body.round <= self.round + AHEAD_ROUNDS:
                return False  # of rounds far ahead there is room for what its owner says now, and for no thief
            here = self.rounds.setdefault(body.round, Round())
            return self._keep(here, here.former, group, entry)
        self.rekeyed(author, entry.entry.key_version)
        if not self._has_room(group, body.round):
            return False
        self.latest[group] = max(body.round, self.latest.get(group, -1))
        here = self.rounds.setdefault(body.round, Round())
        return self._keep(here, here, group, entry)

    def _keep(self, here: Round, said: Said, group: GroupName, entry: Verified[Any]) -> bool:
        body = entry.body
        if isinstance(body, Propose):
            return self._keep_proposal(here, said, entry)
        words = said.of(body).setdefault(group, {})
        if body.value_hash in words or len(words) >= WORDS_KEPT:
            return False
        words[body.value_hash] = entry if isinstance(body, Commit) and body.value_hash != NOTHING else None
        return True

    def convicted(self, member: MemberName, version: int) -> None:
        """Two entries fork its feed under this key. One from before its seat was given back is over and done with."""
        seat = self.epoch.by_name.get(member)
        if seat is not None and version > seat.proven and self.voices[seat.group] == member:
            self.liars.add(seat.group)

    def _keep_proposal(self, here: Round, said: Said, entry: Verified[Propose]) -> bool:
        """Two of a round, and those that an honest group voted for: a liar may propose without end."""
        named = value_hash(entry.body.value)
        if named in said.proposals:
            return False
        old = entry.body.round < self.round - PAST_VALUES
        if (old or len(said.proposals) >= WORDS_KEPT) and not self._is_wanted(here, named):
            return False
        said.proposals[named] = entry
        return True

    def _is_wanted(self, here: Round, named: Digest) -> bool:
        if named == self.sought:
            return True
        votes = (here.prepares, here.commits, here.former.prepares, here.former.commits)
        return any(len(_for(one, named)) > self.epoch.f for one in votes)

    def _has_room(self, group: GroupName, round_: int) -> bool:
        """Of rounds far ahead each group has a few: its latest, so that no liar fills the room of others."""
        if round_ < self.round - PAST_ROUNDS:
            return False
        if round_ <= self.round + AHEAD_ROUNDS:
            return True
        far = sorted(one for one in self._rounds_of(group) if one > self.round + AHEAD_ROUNDS)
        if round_ in far or len(far) < FAR_ROUNDS:
            return True
        if round_ < far[0]:
            return False
        self._forget(far[0], group)
        return True

    def _rounds_of(self, group: GroupName) -> Iterator[int]:
        for round_, here in self.rounds.items():
            if here.spoke(group) or (here.proposals and self.proposer(round_) == group):
                yield round_

    def _forget(self, round_: int, group: GroupName) -> None:
        here = self.rounds[round_]
        for said in (here, here.former):
            said.prepares.pop(group, None)
            said.commits.pop(group, None)
            if self.proposer(round_) == group:
                said.proposals.clear()
        if here == Round():
            del self.rounds[round_]

    def rekeyed(self, member: MemberName, version: int, afresh: bool = False) -> None:
        """Nothing that this member sealed under an older key counts any more; `afresh`: nor under this version, of
        which another KeySet holds now. Who is no group's voice has said nothing here."""
        if member not in self.voices.values():
            return
        known = self.versions.get(member)
        self.versions[member] = max(version, known or 0)
        if known is None or version < known or (version == known and not afresh):
            return
        group = self.epoch.group_of(member)
        for round_ in [*self._rounds_of(group)]:
            if round_ > self.round + AHEAD_ROUNDS:
                self._forget(round_, group)
            else:
                self._leave(self.rounds[round_], group, self.proposer(round_) == group)
        self.latest[group] = -1

    def _leave(self, here: Round, group: GroupName, proposed: bool) -> None:
        """What this group said here was sealed under a key that has left."""
        for now, former in ((here.prepares, here.former.prepares), (here.commits, here.former.commits)):
            kept = former.get(group, {}) | now.pop(group, {})
            if kept:
                former[group] = dict([*kept.items()][:WORDS_KEPT])
        for entry in [*here.proposals.values()] if proposed else ():
            self._keep_proposal(here, here.former, entry)
        if proposed:
            here.proposals.clear()

    def advance(self, round_: int) -> None:
        """Ours from now on; what lies too far behind is forgotten."""
        self.round = round_
        for number in [one for one in self.rounds if one < round_ - PAST_ROUNDS]:
            del self.rounds[number]
        for number, here in self.rounds.items():
            for said in (here, here.former) if number < round_ - PAST_VALUES else ():
                for named in [one for one in said.proposals if not self._is_wanted(here, one)]:
                    del said.proposals[named]

    def value(self, named: Digest) -> bytes | None:
        """What has this hash, whoever proposed it in whatever round and under whatever key."""
        for here in self.rounds.values():
            entry = here.proposals.get(named) or here.former.proposals.get(named)
            if entry is not None:
                return entry.body.value
        return None

    def proposals(self, round_: int) -> list[Propose]:
        here = self.rounds.get(round_)
        return [entry.body for entry in here.proposals.values()] if here else []

    def prepared(self, round_: int, named: Digest) -> bool:
        """Did Q groups prepare this in that round?"""
        here = self.rounds.get(round_)
        return here is not None and len(_for(here.prepares, named)) >= self.epoch.q

    def was_prepared(self, round_: int, named: Digest) -> bool:
        """The same of a round that is over, whatever keys were replaced since: a quorum that locked some must not be
        gone for others because one of it left its key, or forked its feed so that its word does not come through."""
        here = self.rounds.get(round_, Round())
        told = _for(here.prepares, named) | _for(here.former.prepares, named) | self.liars
        return len(told) >= self.epoch.q

    def prepared_something(self) -> bool:
        """Did Q groups ever prepare a value, known here or not?"""
        for here in self.rounds.values():
            if len(here.prepares) >= self.epoch.q:
                named = {one for words in here.prepares.values() for one in words} - {NOTHING}
                if any(len(_for(here.prepares, one)) >= self.epoch.q for one in named):
                    return True
        return False

    def prepares(self, round_: int) -> int:
        """How many groups said any, under any key: it starts a time-out and decides nothing. Who went on to a later
        round says nothing here again when its key is replaced, and may have gone on by a forked word that we lack."""
        here = self.rounds.get(round_, Round())
        return len(here.prepares.keys() | here.former.prepares.keys() | self.liars)

    def commits(self, round_: int) -> int:
        here = self.rounds.get(round_, Round())
        return len(here.commits.keys() | here.former.commits.keys() | self.liars)

    def decided(self, known: Iterable[bytes]) -> tuple[int, bytes, tuple[Verified[Commit], ...]] | None:
        """(round, value, Q Commits) of a value that was proposed there or is `known`. Real entries alone: they are
        what proves it to others."""
        values = {value_hash(value): value for value in known}
        for round_, here in sorted(self.rounds.items()):
            if len(here.commits) < self.epoch.q:
                continue
            proposed = (here.former.proposals | here.proposals).items()
            for named, value in (values | {one: entry.body.value for one, entry in proposed}).items():
                words = [here.commits[group].get(named) for group in sorted(here.commits)]
                held = [entry for entry in words if entry is not None]
                if len(held) >= self.epoch.q:
                    return round_, value, tuple(held)
        return None

    def later(self, count: int) -> int:
        """The furthest round that `count` groups have reached, each by its own word; −1 where fewer spoke."""
        reached = sorted(self.latest.values(), reverse=True)
        return reached[count - 1] if len(reached) >= count else -1

    def holds(self, group: GroupName, body: Propose | Prepare | Commit) -> bool:
        """Was this said by that group, under the key that counts?"""
        here = self.rounds.get(body.round, Round())
        if isinstance(body, Propose):
            return value_hash(body.value) in here.proposals
        return body.value_hash in here.of(body).get(group, {})


def _for(votes: dict[GroupName, Words], named: Digest) -> set[GroupName]:
    """Which groups said this, or contradicted themselves."""
    return {group for group, words in votes.items() if named in words or len(words) >= WORDS_KEPT}
