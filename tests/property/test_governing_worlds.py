"""Whole machines decide while wires are cut, nodes restart in the middle of rounds, and f members lie in them: one
chain of epochs (S8), who is removed counts nowhere (S9), no threshold falls by a suspension (S14), nobody honest is
proven, and a vote ends (L5)."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest

from governance.proposals import Change, Remove, Retune, Suspend
from governance.values import pack_value
from protocol.frames import Entries
from protocol.messages import NOTHING, Commit, Prepare, Propose, value_hash
from tests.unit.machine.test_governing import propose, vote, world_of
from tests.unit.machine.world import Liar, Node, World, member

TROUBLE_MS = 12_000
CALM_MS = 120_000


class Worlds:
    def __init__(self, seed: int, n: int) -> None:
        self.random = random.Random(seed)
        self.f = (n - 1) // 3
        self.world: World = world_of(n, liars=self.f)
        self.honest = n - self.f
        self.last = member(n - 1)
        self.before = dict(self.world[0].state.epoch.thresholds)

    def chains_agree(self) -> None:
        """At every moment, and not only in the end."""
        chains = sorted(([*one.state.chain, (one.state.epoch.hash, b"")] for one in self.world), key=len)
        for short, long in itertools.pairwise(chains):
            assert [parent for parent, _ in short] == [parent for parent, _ in long[: len(short)]]

    def trouble(self) -> None:
        for _ in range(TROUBLE_MS // 100):
            self.world.run(100)
            self.chains_agree()
            for liar in self.world.liars.values():
                if self.random.random() < 0.5:
                    self.lie(liar)
            if self.random.random() < 0.06:
                self.cut()
            if self.random.random() < 0.05:
                node = self.world[self.random.randrange(self.honest)]
                node.stop()
                node.restart()
                self.world.replug(node.name)

    def cut(self) -> None:
        names = [*self.world.nodes]
        self.random.shuffle(names)
        side = self.random.randrange(1, len(names))
        for one in names[:side]:
            self.world.unplug(one, *names[side:])
        self.world.after(self.random.randrange(500, 4_000), self.heal)

    def heal(self) -> None:
        names = [*self.world.nodes]
        for at, one in enumerate(names):
            for other in names[at + 1 :]:
                if other not in self.world.wires[one]:
                    self.world.plug(one, other)

    def lie(self, liar: Liar) -> None:
        """To each member its own vote back, another to the next, or a value of its own to some."""
        node = self.world[self.random.randrange(self.honest)]
        rounds, epoch = node.state.rounds, node.state.epoch.hash
        named = self.random.choice((NOTHING, rounds.lock.prepared or NOTHING, value_hash(b"\x01")))
        bodies: list[Any] = [Prepare(epoch, rounds.round, named), Commit(epoch, rounds.round, named)]
        ready = node.state.ledger.ready(self.world.now_ms, False)
        if ready is not None:
            bodies.append(Propose(epoch, rounds.round + self.random.randrange(2), pack_value(ready)))
        bodies.append(Propose(epoch, rounds.round, self.random.choice((b"\xa0", b"\x01")), 0))
        fork = self.random.random() < 0.2
        made = liar.seal(self.random.choice(bodies), seq=max(0, liar.seq) if fork else None)
        to = [at for at in range(self.honest) if self.random.random() < 0.6]
        liar.send(Entries((made.raw,)), to=to)

    def decide(self, change: Change) -> None:
        by = self.random.randrange(self.honest)
        made = propose(self.world, change, by=by)
        vote(self.world, made, *range(self.honest))

    def play(self, change: Change) -> None:
        self.decide(change)
        self.trouble()
        self.heal()
        for _ in range(CALM_MS // 1_000):
            self.world.run(1_000)
            self.chains_agree()
            if all(one.state.epoch.number and not one.state.ledger.held for one in self.world):
                break
        self.ended(change)

    def ended(self, change: Change) -> None:
        nodes: list[Node] = list(self.world)
        assert len({one.state.epoch.hash for one in nodes}) == 1
        epoch = nodes[0].state.epoch
        assert epoch.number >= 1
        assert not {name for one in nodes for name, _ in one.state.equivocations} & set(self.world.nodes)
        if isinstance(change, Remove):
            assert all(self.last not in one.state.epoch.by_name for one in nodes)
            assert not any(self.last in held for one in nodes for held in one.state.opinions.values())
        elif isinstance(change, Suspend):
            assert epoch.thresholds == self.before


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("n", [4, 7])
def test_one_chain_and_an_end(n: int, seed: int) -> None:
    worlds = Worlds(seed, n)
    changes: list[Change] = [Suspend(worlds.last), Remove(worlds.last), Retune(halt="n")]
    worlds.play(changes[seed])
