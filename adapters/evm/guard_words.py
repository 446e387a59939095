"""Calls of a Guard: a lever as it is listed, and a certificate's evm signatures packed for `act`. Pure.

The words are those of a Registry (`registry.alarm_values`), signed for the contract that the guard's list names: the
network's registry, or the guard itself. A list's keys are as a registry's: address << 96 | number of the group.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from adapters.evm.eip712 import Domain
from adapters.evm.registry import NO_PARENT, Call, Row, Said, alarm_call
from protocol.messages import Level

ANY_THREAT = 0
VOTES_MAX, LEVERS_MAX = 64, 64
REMOVED, OFF = 2**34 - 1, 2**34 - 2
"""Instead of from when on a lever is live."""


@dataclass(frozen=True)
class Listing:
    """A lever as the contract's struct has it, field by field. `target`: 20 bytes; times in seconds."""

    target: bytes
    restrict: bytes
    lift: bytes
    probe: bytes
    """Calldata of a view; empty: the target shows nothing."""
    mask: int
    closed: int
    """The target stands restricted where the view's word & mask is this."""
    cooldown_s: int
    lease_s: int
    budget_s: int
    """In any seven days; half of it at once."""
    alone_lease_s: int
    """0: the operator may not."""
    alone_budget_s: int

    @property
    def values(self) -> Call:
        """For `add`; an address inside a struct is text."""
        target, *rest = (getattr(self, one.name) for one in fields(self))
        return ("0x" + target.hex(), *rest)


def listing_of(values: Sequence[Any]) -> Listing:
    """As `lever(id)` gives it."""
    target, *rest = values
    return Listing(bytes.fromhex(target.removeprefix("0x")), *rest)


def packed_vote(vote: Sequence[Any]) -> Call:
    """One vote of `registry.alarm_call` as the guard takes it: (author, bodyHash, told, r, s). ValueError where a
    number is none that the network knows."""
    author, seq, body_hash, level, issued_ms, _, expires_ms, (at, v, r, s) = vote
    told = 0
    for number, bits, place in (
        (at, 8, 0),
        (v - 27, 8, 8),
        (level, 8, 16),
        (seq, 64, 24),
        (issued_ms, 64, 88),
        (expires_ms, 64, 152),
    ):
        if not 0 <= number < 1 << bits:
            raise ValueError(f"{number} does not fit into {bits} bits of a vote")
        told |= number << place
    return author, body_hash, told, r, s


def pack_act(
    lever: int,
    roster: bytes,
    domain: Domain,
    words: Sequence[int],
    groups: int,
    level: Level,
    epoch: bytes,
    said: Iterable[Said],
) -> Call:
    """Arguments of `act`: of the words that suffice those that live longest, since the first to expire ends it.

    `roster`: the list's address; `domain`: of the contract that it names; `words`: its keys; `groups`, `level`: what
    the lever's reason asks for. ShortError where too few groups have signed words of this epoch; ValueError where they
    are of several subjects or threats, or more than a call takes."""
    row = Row(b"", 0, epoch, NO_PARENT, 0, groups, groups, groups, groups, 0, 0, 0)
    if groups > VOTES_MAX:
        raise ValueError(f"{groups} groups are more than the {VOTES_MAX} votes of one call")
    _, subject, threat, _, votes = alarm_call(domain, words, row, level, said)
    return lever, roster, epoch, subject, threat, [packed_vote(vote) for vote in votes]
