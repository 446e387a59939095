"""What a transaction of ours says after its ABI arguments, where no contract looks: for targets that keep flags only,
no keys and no end times. With it a node knows its own doing again, and what stood before it.

Layout, 53 bytes at the end of the call data: magic 4, action key 32, end in seconds 8, by a human 1, number before 8;
big-endian. A number of 2^64 and more takes 32 bytes under another magic, 77 in all. Anybody may write such bytes: they
count only beside the sender's address."""

from __future__ import annotations

from dataclasses import dataclass

from protocol.ids import ActionKey

MAGIC, MAGIC_WIDE = b"TcL1", b"TcL2"
SIZE, SIZE_WIDE = 53, 77
WORD = 32
SELECTOR = 4


@dataclass(frozen=True)
class Trailer:
    key: ActionKey
    until_s: int
    """When the restriction is to end; 0 in a transaction that lifts one."""
    by_human: bool
    before: int
    """The number that stood when this was sent: below 2^256."""

    def pack(self) -> bytes:
        """Raises OverflowError for a number that no contract has."""
        human = b"\x01" if self.by_human else b"\x00"
        magic, width = (MAGIC, 8) if self.before < 1 << 64 else (MAGIC_WIDE, 32)
        return magic + self.key + self.until_s.to_bytes(8, "big") + human + self.before.to_bytes(width, "big")


def trailer_of(data: bytes) -> Trailer | None:
    """The trailer of a transaction's call data, None where it has none."""
    for magic, size in ((MAGIC, SIZE), (MAGIC_WIDE, SIZE_WIDE)):
        tail = data[-size:]
        # what follows the selector is whole words, so that no data has both
        whole_words = (len(data) - SELECTOR - size) % WORD == 0
        if len(data) >= SELECTOR + size and whole_words and tail[:4] == magic and tail[44] <= 1:
            until_s, before = int.from_bytes(tail[36:44], "big"), int.from_bytes(tail[45:], "big")
            return Trailer(ActionKey(tail[4:36]), until_s, tail[44] == 1, before)
    return None
