"""The networks of rounds_network.py, and in every second one of them keys are replaced and feeds forked.

A liar replaces its key when it likes, also right after a vote; honest members now and then. Each member hears of it
after a delay of its own, and votes under the older key go on arriving. A liar that forks its feed has words that reach
only some, for ever, and is proven at each member in the end.
"""

from __future__ import annotations

import random
import sys
from functools import partial

from governance.ordering import Decided, Output
from governance.rounds import Rounds
from protocol.feed import ballot_of, value_of
from protocol.ids import MemberName
from protocol.limits import KEYSETS_PER_MEMBER_MAX
from protocol.messages import NOTHING, Prepare, Vote
from tests.property.rounds_network import Broken, Honest, Network
from tests.unit.protocol import world

CERTIFIED_MS = 2_000


def _rekeyed(member: MemberName, version: int, rounds: Rounds, now_ms: int) -> list[Output]:
    return [*rounds.rekeyed(member, version, now_ms), *(rounds.tick(now_ms) if rounds.started else ())]


def _convicted(member: MemberName, version: int, rounds: Rounds, now_ms: int) -> list[Output]:
    rounds.log.convicted(member, version)
    return rounds.tick(now_ms)


class Keyed(Network):
    """Its keys have a chance of their own, so that the network around them is that of its seed."""

    def __init__(self, seed: int, n: int) -> None:
        super().__init__(seed, n)
        self.chance = random.Random(f"keys {seed}")
        self.versions = {member.name: 1 for member in self.epoch.members}
        self.replaced_share = self.chance.choice((0.05, 0.2, 0.5))
        self.forked_share = self.chance.choice((0.0, 0.0, 0.2, 0.5))
        self.forked: set[tuple[MemberName, int]] = set()
        self.lures = self.chance.random() < 0.4
        if self.lures:
            self.lies = self.chance.randrange(1, 2 + 3 * self.epoch.f)
        for one in self.members.values():
            for _ in range(self.chance.choice((0, 0, 1, 3))):
                self.at(self.chance.randrange(1, self.calm_ms + 20_000), partial(self.replace_own, one))

    # ---- keys

    def replace(self, name: MemberName) -> int:
        self.versions[name] += 1
        told = partial(_rekeyed, name, self.versions[name])
        for one in self.members.values():
            if one.name != name:
                self.at(self.now_ms + self.delay_ms(name, one.name), partial(one.learn, told))
        return self.versions[name]

    def replace_own(self, one: Honest) -> None:
        """Its node seals under the new key from here on: what it said in this round first."""
        if one.up and self.versions[one.name] < KEYSETS_PER_MEMBER_MAX:
            one.version = self.replace(one.name)
            one.learn(partial(_rekeyed, one.name, one.version))

    def provoke(self, body: Vote) -> None:
        """Who lures has one member locked, by a vote that the others hear of late, and is then silent for good: so it
        takes few words, and those where they hurt."""
        if not self.lures:
            super().provoke(body)
            return
        if not isinstance(body, Prepare) or body.value_hash == NOTHING or not self.liars:
            return
        needed = self.epoch.q - len(self.liars)
        near = [one for one in self.members.values() if one.up and self._counts(one, body) == needed]
        if near and self.lies > 0 and self.chance.random() < 0.7:
            self.lies -= 1
            one = self.chance.choice(near)
            for liar in self.liars:
                if self.ways[liar] != "forgets":
                    self.lie(liar, body, to=[one])

    def _counts(self, one: Honest, body: Prepare) -> int:
        here = one.rounds.log.rounds.get(body.round)
        return sum(1 for words in here.prepares.values() if body.value_hash in words) if here else 0

    def lie(self, liar: MemberName, body: Vote, *, to: list[Honest]) -> None:
        version = self.versions[liar]
        key = (liar, version)
        entry = self.sealed.setdefault(
            (liar, version, body), world.sealed(liar, body, seq=len(self.sealed), version=version)
        )
        place = self.told.setdefault((*key, *(ballot_of(entry) or ())), set())
        place.add(value_of(entry))
        alone = self.chance.random() < self.forked_share
        for one in self.members.values():
            if one in to:
                self.at(self.now_ms + self.chance.randrange(1, 100), partial(one.hear, entry))
            elif not alone:
                wait_ms = self.chance.randrange(100, 5_000) + max(0, self.calm_ms - self.now_ms)
                self.at(self.now_ms + wait_ms, partial(one.hear, entry))
        if (alone or len(place) > 1) and key not in self.forked:
            self.forked.add(key)
            for one in self.members.values():
                late_ms = self.chance.choice((self.now_ms, self.now_ms, max(self.now_ms, self.calm_ms)))
                self.at(late_ms + self.delay_ms(liar, one.name), partial(one.learn, partial(_convicted, liar, version)))
        if version < KEYSETS_PER_MEMBER_MAX and self.chance.random() < self.replaced_share:
            self.at(self.now_ms + self.chance.choice((0, 0, 50, 1_000)), partial(self._leave, liar, version))

    def _leave(self, liar: MemberName, version: int) -> None:
        if self.versions[liar] == version:
            self.replace(liar)

    # ---- what must hold

    def was_decided(self, by: Honest, one: Decided) -> None:
        """Its certificate stands a little later, where its Commits still count by then."""
        self.is_sound(by, one)
        self.at(self.now_ms + self.chance.randrange(CERTIFIED_MS), partial(self._certify, by, by.rounds))

    def _certify(self, by: Honest, rounds: Rounds) -> None:
        if not by.up or by.rounds is not rounds or by.decided is not None:
            return
        by.tick()
        one = rounds.decided
        if one is None:
            return
        if all(entry.entry.key_version >= rounds.log.versions[entry.entry.author] for entry in one.commits):
            self.certified(by, one)
        else:
            self.at(self.now_ms + CERTIFIED_MS, partial(self._certify, by, rounds))


def play(seed: int, n: int) -> int:
    return (Keyed if seed % 2 else Network)(seed, n).play()


def main() -> None:
    """`python -m tests.property.rounds_keys FIRST LAST N…`"""
    first, last, *sizes = map(int, sys.argv[1:])
    for n in sizes:
        rounds, wrong = [], 0
        for seed in range(first, last):
            try:
                rounds.append(play(seed, n))
            except Broken as broken:
                wrong += 1
                print(f"n {n}, seed {seed}: {broken}", flush=True)
        print(f"n {n}: {last - first} seeds, {wrong} broken, {max(rounds, default=-1)} rounds at most", flush=True)
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
