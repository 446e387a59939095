"""What the rounds ask of the ledger, what they say and decide, and how long they wait."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Protocol

from governance.lock import Lock
from protocol.envelope import Verified
from protocol.ids import Digest
from protocol.messages import Commit, Vote


class Ask(Protocol):
    """What the ledger answers. Values are canonical CBOR of at most VALUE_BYTES_MAX."""

    def value(self, turn: int = 0) -> bytes | None:
        """What this node would propose; None while no passed proposal waits. `turn`: how often this group was the
        proposer before and nothing came of it."""

    def valid(self, value: bytes, prepared: bool) -> bool:
        """May this node Prepare it, as far as it knows now? `prepared`: Q groups did in an earlier round; then only
        what becomes true everywhere may be asked."""


class Step(enum.IntEnum):
    PROPOSE = 0
    PREPARE = 1
    COMMIT = 2


@dataclass(frozen=True)
class Say:
    """Record `lock`; seal and release `body` when it is durable; hand the sealed entry to `heard`."""

    body: Vote
    lock: Lock


@dataclass(frozen=True)
class Decided:
    """Q groups committed `value`: the next epoch, once its certificate is whole. Said once."""

    round: int
    value: bytes
    value_hash: Digest
    commits: tuple[Verified[Commit], ...]


Output = Say | Decided


@dataclass(frozen=True)
class Pace:
    """Linear time-outs, milliseconds: the base of each step, and what each round adds."""

    propose_ms: int = 6_000
    """Longer than a proposal, its ballots and proofs need to get everywhere."""
    prepare_ms: int = 2_000
    commit_ms: int = 2_000
    more_ms: int = 1_000
    most_ms: int = 3_600_000

    def after(self, base_ms: int, round_: int) -> int:
        return min(base_ms + self.more_ms * round_, self.most_ms)
