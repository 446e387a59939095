"""What a member must remember of the rounds of one epoch: durable before the vote that comes with it leaves."""

from __future__ import annotations

from dataclasses import dataclass

from protocol.codec import decode, encode
from protocol.ids import Digest, EpochHash
from protocol.limits import VALUE_BYTES_MAX
from protocol.messages import HASH, Commit, Prepare, Propose, Vote
from protocol.schema import Field, Schema, raw_bytes, unsigned

LOCK_BYTES_MAX = 3 * VALUE_BYTES_MAX + 1024


@dataclass(frozen=True)
class Lock:
    """Algorithm 1's locked and valid values with their rounds (None: −1, nil), and what was said in `round`: who
    restarts goes on from here and says nothing else there. Values are canonical CBOR, opaque here."""

    epoch: EpochHash
    round: int = 0
    locked: bytes | None = None
    locked_round: int | None = None
    valid: bytes | None = None
    valid_round: int | None = None
    proposed: bytes | None = None
    proposed_from: int | None = None
    """The valid_round that was proposed with it."""
    prepared: Digest | None = None
    committed: Digest | None = None

    def saw(self, round_: int, value: bytes) -> bool:
        """Q groups prepared this there, as its holder saw. A lock outlives the votes that it rests on, which end with
        the keys that sealed them: who waited for those would wait for ever."""
        return (round_, value) in ((self.locked_round, self.locked), (self.valid_round, self.valid))

    @property
    def said(self) -> tuple[Vote, ...]:
        """The words of this round, to be said again where they were lost or their key was replaced."""
        words: list[Vote] = []
        if self.proposed is not None:
            words.append(Propose(self.epoch, self.round, self.proposed, self.proposed_from))
        if self.prepared is not None:
            words.append(Prepare(self.epoch, self.round, self.prepared))
        if self.committed is not None:
            words.append(Commit(self.epoch, self.round, self.committed))
        return tuple(words)


_VALUE = raw_bytes(1, VALUE_BYTES_MAX)
_LOCK = Schema(
    Lock,
    Field(1, "epoch", HASH),
    Field(2, "round", unsigned()),
    Field(3, "locked", _VALUE, optional=True),
    Field(4, "locked_round", unsigned(), optional=True),
    Field(5, "valid", _VALUE, optional=True),
    Field(6, "valid_round", unsigned(), optional=True),
    Field(7, "proposed", _VALUE, optional=True),
    Field(8, "proposed_from", unsigned(), optional=True),
    Field(9, "prepared", HASH, optional=True),
    Field(10, "committed", HASH, optional=True),
)


def pack_lock(lock: Lock) -> bytes:
    """At most LOCK_BYTES_MAX; never on the wire."""
    return encode(_LOCK.pack(lock))


def parse_lock(raw: bytes) -> Lock:
    return _LOCK.unpack(decode(raw, bytes_max=LOCK_BYTES_MAX), "lock")
