"""Budgets: token buckets by the virtual clock. Nothing unverified is charged to an author (PROTOCOL 6)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from protocol.errors import Code


@dataclass
class Bucket:
    """`most` tokens, refilled at `per_s`. Time is given, never read."""

    most: float
    per_s: float
    left: float | None = None
    """None: never used, so full."""
    at_ms: int = 0

    def take(self, count: float, mono_ms: int) -> bool:
        if not self.holds(count, mono_ms):
            return False
        self.left = (self.left or 0.0) - count
        return True

    def holds(self, count: float, mono_ms: int) -> bool:
        return count <= self.now(mono_ms)

    def now(self, mono_ms: int) -> float:
        """What is left; below nothing, where it was fined."""
        if self.left is None:
            self.left = self.most
        else:
            self.left = min(self.most, self.left + max(0, mono_ms - self.at_ms) * self.per_s / 1000)
        self.at_ms = mono_ms
        return self.left

    def fine(self, count: float, mono_ms: int, least: float) -> None:
        """Takes what need not be there, down to `least`."""
        self.left = max(least, self.now(mono_ms) - count)


CONNECTION_FRAMES = (400.0, 150.0)
"""Burst and steady rate of what one connection may make us look at, in units of one frame of 4 KiB or one entry's
signature: about a thirtieth of a core, and no more than some 40 ms of it at once, which is what another's first entry
may wait. An honest peer says 20 entries a second, ten heads, and what it passes on. Asked-for entries are bounded by
asking."""
CONNECTION_HELD_AT = 150.0
"""With less than this left a connection is not read until as much is there again: so much may be on its way from the
wire to us already, so that an honest peer whose words piled up while this machine stood still is held and not refused.
Refused is who fills all that at once, and who was fined."""
CONNECTION_DEBT_MAX = 150.0
FRAME_UNIT_BYTES = 4096
FINES: dict[Code, float] = {
    Code.OVERSIZED: 16.0,
    Code.NOT_CANONICAL: 16.0,
    Code.BAD_SHAPE: 16.0,
    Code.BAD_ENVELOPE: 16.0,
    Code.BAD_SIGNATURE: 16.0,
    Code.AUTHOR_OVER_BUDGET: 16.0,
    Code.OVER_BUDGET: 16.0,
    Code.UNKNOWN_AUTHOR: 4.0,
}
"""What a peer pays for its own words when they are refused for this, beyond the price of looking at them: who goes on
gets a second or more between a frame and the next, and what was looked at for it falls to a hundredth of a core. Least
pays who speaks for a member that an epoch has let in and we have not heard of."""
AUTHOR_ENTRIES = (256.0, 20.0)
"""Burst and steady rate of verified entries of one author: a storm of 64 opinions twice over, then 20 a second."""
ENTRY_UNIT_BYTES = 1024
"""An opinion is one of them. The largest entry is sixteen, for all that is accepted is kept on the disk."""
AUTHOR_SYNCED = (10_000.0, 25.0)
"""Entries of one author that we asked for, since peers say that they are there: a week of Heartbeats at once, and then
just more than it may say itself, else who was away would never catch up with who goes on saying all it may. Asking must
not be a way around the budget of who makes them up: each is kept in memory."""
SERVED = (256.0, 50.0)
"""Answers (blobs, certificates) that one connection may ask for."""
LOOK_UPS = (16.0, 1.0)
"""Burst and steady rate of old words of one connection that are compared with the store: an old fork is proven, and who
sends the past again and again has us read it seldom."""
RANGE_PRICE = 8.0
"""Of that, an answer with a range of entries: up to 192 KiB are read and sent, some milliseconds."""
ASKED = (128.0, 40.0)
"""Certificates that we ask of one connection: fewer than anybody always answers, for ranges and blobs are asked for
beside them."""


def _bucket(held: dict[str, Bucket], name: str, size: tuple[float, float]) -> Bucket:
    bucket = held.get(name)
    if bucket is None:
        bucket = held[name] = Bucket(*size)
    return bucket


@dataclass
class Budgets:
    """Bounded: one bucket per known connection and per author of the epoch."""

    connections: dict[str, Bucket] = field(default_factory=dict)
    authors: dict[str, Bucket] = field(default_factory=dict)
    synced: dict[str, Bucket] = field(default_factory=dict)

    def connection_may(self, peer_id: str, mono_ms: int, cost: float = 1) -> bool:
        return _bucket(self.connections, peer_id, CONNECTION_FRAMES).take(cost, mono_ms)

    def spoilt(self, peer_id: str, mono_ms: int, cost: float = 1) -> None:
        """What was asked for is free, but not where it was not worth asking for: it costs all that is left, at most."""
        bucket = self.connections.setdefault(peer_id, Bucket(*CONNECTION_FRAMES))
        bucket.take(min(cost, max(0.0, bucket.now(mono_ms))), mono_ms)

    def fined(self, peer_id: str, mono_ms: int, code: Code) -> None:
        """For words of its own; what it was asked for, or passes on, is not its own."""
        if code in FINES:
            bucket = _bucket(self.connections, peer_id, CONNECTION_FRAMES)
            bucket.fine(FINES[code], mono_ms, -CONNECTION_DEBT_MAX)

    def connection_has(self, peer_id: str, mono_ms: int) -> bool:
        return _bucket(self.connections, peer_id, CONNECTION_FRAMES).holds(1, mono_ms)

    def held_ms(self, peer_id: str, mono_ms: int) -> int:
        """How long to leave a connection unread that has spent its budget; 0: it has not."""
        bucket = self.connections.get(peer_id)
        if bucket is None or bucket.left is None:
            return 0
        return max(0, math.ceil(1000 * (CONNECTION_HELD_AT - bucket.now(mono_ms)) / bucket.per_s))

    def author_has(self, author: str, mono_ms: int, *, asked: bool) -> bool:
        """Whether there is anything left to charge: what could not be paid for in the end need not be verified first.
        Takes nothing, so that nobody's junk costs an author anything."""
        held, size = (self.synced, AUTHOR_SYNCED) if asked else (self.authors, AUTHOR_ENTRIES)
        return _bucket(held, author, size).holds(1, mono_ms)

    def sync_room(self, author: str, mono_ms: int) -> int:
        """How many entries of this author are worth asking for: more would be refused when they come."""
        return max(0, int(_bucket(self.synced, author, AUTHOR_SYNCED).now(mono_ms)))

    def author_pays(self, author: str, mono_ms: int, size: int, *, asked: bool) -> None:
        """For a verified entry of so many bytes; the last may cost more than is left, and is paid back in time."""
        held, bounds = (self.synced, AUTHOR_SYNCED) if asked else (self.authors, AUTHOR_ENTRIES)
        bucket = _bucket(held, author, bounds)
        bucket.fine(1 + size // ENTRY_UNIT_BYTES, mono_ms, -bucket.most)

    def forget(self, peer_id: str) -> None:
        """A bucket survives reconnects of a member: only those that were never drained are dropped."""
        bucket = self.connections.get(peer_id)
        if bucket is not None and (bucket.left is None or bucket.left >= bucket.most):
            del self.connections[peer_id]
