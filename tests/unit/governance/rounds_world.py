"""One member of a small network in its rounds, and the others' words put in its ears."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from governance.lock import Lock, pack_lock, parse_lock
from governance.ordering import Decided, Output, Pace, Say
from governance.rounds import Rounds
from protocol.envelope import Verified
from protocol.ids import Digest
from protocol.membership import Epoch
from protocol.messages import Commit, Prepare, Propose, Vote, value_hash
from tests.unit.protocol import world

EPOCH = world.EPOCH
ONE, TWO, JUNK = b"\x01", b"\x02", b"\x09"
H1, H2 = value_hash(ONE), value_hash(TWO)
PACE = Pace(propose_ms=1_000, prepare_ms=500, commit_ms=500, more_ms=100)


@dataclass
class Ledger:
    """What waits here, and what may be prepared."""

    waits: bytes | None = ONE
    fine: set[bytes] = field(default_factory=lambda: {ONE, TWO})
    known: set[bytes] = field(default_factory=lambda: {ONE, TWO})
    """May be prepared where a quorum did before."""

    def value(self, turn: int = 0) -> bytes | None:
        return self.waits

    def valid(self, value: bytes, prepared: bool) -> bool:
        return value in (self.known if prepared else self.fine)


def propose(round_: int, value: bytes = ONE, valid_round: int | None = None) -> Propose:
    return Propose(EPOCH, round_, value, valid_round)


def prepare(round_: int, named: Digest = H1) -> Prepare:
    return Prepare(EPOCH, round_, named)


def commit(round_: int, named: Digest = H1) -> Commit:
    return Commit(EPOCH, round_, named)


class Member:
    """`me` in an epoch of n groups. Its own words come back to it at once, as they do in a node."""

    def __init__(
        self, me: int | None = 1, n: int = 4, ledger: Ledger | None = None, epoch: Epoch | None = None
    ) -> None:
        self.epoch = epoch or world.epoch(n)
        self.me = None if me is None else world.name(me)
        self.ledger = ledger or Ledger()
        self.now_ms = 1_000_000
        self.version = 1
        self.said: list[Vote] = []
        self.decided: list[Decided] = []
        self.store: list[Verified[Any]] = []
        self.kept: bytes | None = None
        self.rounds = Rounds(self.epoch, self.me, self.ledger, None, PACE)

    def start(self) -> list[Vote]:
        return self._done(self.rounds.start(self.now_ms))

    def hear(self, who: int, body: Any, version: int = 1) -> list[Vote]:
        """What we say to it."""
        return self._take(world.sealed(world.name(who), body, seq=len(self.store), version=version))

    def hear_all(self, whos: Iterable[int], body: Any) -> list[Vote]:
        return [said for who in whos for said in self.hear(who, body)]

    def after(self, ms: int) -> list[Vote]:
        self.now_ms += ms
        return self._done(self.rounds.tick(self.now_ms))

    def restart(self, lock: bool = True, words: bool = True) -> list[Vote]:
        """From what was durable: the lock of the last vote, and every entry."""
        held: Lock | None = parse_lock(self.kept) if lock and self.kept is not None else None
        self.rounds = Rounds(self.epoch, self.me, self.ledger, held, PACE)
        for entry in self.store if words else []:
            assert self.rounds.heard(entry, self.now_ms) == []
        return self.start()

    def new_key(self) -> list[Vote]:
        self.version += 1
        assert self.me is not None
        return self._done(self.rounds.rekeyed(self.me, self.version, self.now_ms))

    def _take(self, entry: Verified[Any]) -> list[Vote]:
        self.store.append(entry)
        return self._done(self.rounds.heard(entry, self.now_ms))

    def _done(self, outputs: list[Output]) -> list[Vote]:
        said: list[Vote] = []
        for one in outputs:
            if isinstance(one, Say):
                self.kept = pack_lock(one.lock)
                said.append(one.body)
                assert self.me is not None
                entry = world.sealed(self.me, one.body, seq=len(self.store), version=self.version)
                self.said.append(one.body)
                said += self._take(entry)
            else:
                self.decided.append(one)
        return said
