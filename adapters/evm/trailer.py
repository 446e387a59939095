"""What a transaction of ours says after its ABI arguments, where no contract looks: for targets that keep flags only,
no keys and no end times. With it a node knows its own doing again, and what stood before it.

Layout, 53 bytes at the end of the call data: magic 4, action key 32, end in seconds 8, by a human 1, number before 8;
big-endian. Anybody may write such bytes: they count only beside the sender's address."""

from __future__ import annotations

from dataclasses import dataclass

from protocol.ids import ActionKey

MAGIC = b"TcL1"
SIZE = 53
WORD = 32
SELECTOR = 4


@dataclass(frozen=True)
class Trailer:
    key: ActionKey
    until_s: int
    """When the restriction is to end; 0 in a transaction that lifts one."""
    by_human: bool
    before: int
    """The number that stood when this was sent: below 2^64."""

    def pack(self) -> bytes:
        """Raises OverflowError for a number that does not fit: a target's number that large is nonsense."""
        human = b"\x01" if self.by_human else b"\x00"
        return MAGIC + self.key + self.until_s.to_bytes(8, "big") + human + self.before.to_bytes(8, "big")


def trailer_of(data: bytes) -> Trailer | None:
    """The trailer of a transaction's call data, None where it has none."""
    tail = data[-SIZE:]
    whole_words = (len(data) - SELECTOR - SIZE) % WORD == 0
    if len(data) < SELECTOR + SIZE or not whole_words or tail[:4] != MAGIC or tail[44] > 1:
        return None
    until_s, before = int.from_bytes(tail[36:44], "big"), int.from_bytes(tail[45:], "big")
    return Trailer(ActionKey(tail[4:36]), until_s, tail[44] == 1, before)
