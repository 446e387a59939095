"""A node's disk: the mark and the store, as far as they survive. What a fault does to them is said only here."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

from node.mark import Mark, nothing_signed
from node.records import EntryAccepted, Record, pack_record, unpack_record
from protocol.crypto import sha256
from protocol.envelope import parse_entry
from protocol.ids import MemberName, NetworkId, PublicKey
from protocol.limits import U63_MAX


class DiskError(Exception):
    """The disk said no; whatever it kept all the same, the node does not know of."""


@dataclass(frozen=True)
class OwnRow:
    author: str
    key_version: int
    seq: int
    hash: bytes


@dataclass
class Disk:
    """`fault` is what the next commit with own words meets: "" or one of the names in `options.FAULTS`."""

    network: NetworkId
    mark: Mark | None = None
    rows: list[Record] = field(default_factory=list)
    fault: str = ""
    full: bool = False
    newer: bool = False
    """It holds a record of a version that this program does not know."""
    met: list[str] = field(default_factory=list)
    """Faults that really happened."""
    _entries: dict[tuple[str, int], list[tuple[int, bytes, bytes]]] = field(default_factory=dict)
    """Feed → (seq, hash, entry) in order."""
    _blobs: dict[bytes, bytes] = field(default_factory=dict)

    def first_mark(self, attestation: PublicKey, key_version: int) -> None:
        self.mark = nothing_signed(attestation, key_version)

    def write_mark(self, mark: Mark) -> None:
        """The old one stands until the new one does (a rename): nothing in between can be found."""
        if self.full:
            self.met.append("disk_full")
            raise DiskError("no space for the mark")
        if self.fault == "torn_write":
            self._met("torn_write")
            raise DiskError("the machine died while the mark was written; the old one stands")
        self.mark = mark

    def commit(self, records: Sequence[Record]) -> None:
        """One transaction: all of it or nothing."""
        if self.full:
            self.met.append("disk_full")
            raise DiskError("no space for the transaction")
        fault = self.fault
        if fault in ("lost_write", "persisted_but_failed"):
            # a write that was acknowledged and is not there after the power went: the caller goes on, unknowing
            self._met(fault)
            if fault == "persisted_but_failed":
                return
            raise DiskError("the transaction was not written")
        self.rows.extend(records)
        if fault == "failed_but_persisted":
            self._met(fault)
            raise DiskError("it was written and said that it was not")

    def _met(self, fault: str) -> None:
        self.fault = ""
        self.met.append(fault)

    def roll_back(self, rows: int) -> None:
        """An older backup of the store; the mark is in no backup."""
        del self.rows[rows:]
        self.reopen()

    def reopen(self) -> list[Record]:
        """As a start reads it: every record packed and unpacked, so that what is kept is bytes."""
        self._entries, self._blobs = {}, {}
        self.rows = [unpack_record(*pack_record(row)) for row in self.rows]
        return self.rows

    def own_head(self, member: MemberName, key_version: int) -> OwnRow | None:
        for row in reversed(self.rows):
            if isinstance(row, EntryAccepted) and row.own:
                parsed = parse_entry(row.raw, self.network)
                if parsed.entry.key_version == key_version:
                    return OwnRow(member, key_version, parsed.entry.seq, bytes(parsed.hash))
        return None

    # what peers ask for
    def kept(self, record: Record) -> None:
        """Called for what was committed: kept where it is asked for by name."""
        if isinstance(record, EntryAccepted):
            parsed = parse_entry(record.raw, self.network)
            feed = self._entries.setdefault((parsed.entry.author, parsed.entry.key_version), [])
            name = (parsed.entry.seq, bytes(parsed.hash))
            at = bisect_left(feed, name, key=lambda held: held[:2])
            if at == len(feed) or feed[at][:2] != name:
                feed.insert(at, (*name, record.raw))
        elif type(record).__name__ == "BlobKept":
            self._blobs[sha256(record.raw)] = record.raw

    def entries(
        self, author: str, key_version: int, from_seq: int, most: int, bytes_max: int, to_seq: int = U63_MAX
    ) -> list[bytes]:
        """In order, twins both, at most so many and so many bytes in all."""
        feed = self._entries.get((author, key_version), [])
        found: list[bytes] = []
        first, after = bisect_left(feed, (from_seq,)), bisect_left(feed, (to_seq + 1,))
        for _, _, raw in feed[first : min(after, first + most)]:
            bytes_max -= len(raw)
            if bytes_max < 0:
                break
            found.append(raw)
        return found

    def blob(self, digest: bytes) -> bytes | None:
        return self._blobs.get(digest)
