"""A feed of real entries, and the mark that a node would have written beside it."""

from __future__ import annotations

from pathlib import Path

from node import mark
from node.mark import Mark, Verdict
from node.store import Batch, EntryRow, RecordRow, Store
from protocol.crypto import Signer
from protocol.envelope import Verified, seal_entry
from protocol.ids import ZERO_HASH, EpochHash, MemberName, NetworkId
from protocol.messages import Heartbeat

NETWORK = NetworkId(b"n" * 32)
ALPHA = MemberName("alpha")
KEY = Signer(b"k" * 32)
OTHER_KEY = Signer(b"o" * 32)
VERSION = 1


def feed(count: int, *, signer: Signer = KEY, network: NetworkId = NETWORK) -> list[Verified[Heartbeat]]:
    """Entries 0 .. count - 1, chained."""
    entries: list[Verified[Heartbeat]] = []
    for seq in range(count):
        prev = entries[-1].hash if entries else ZERO_HASH
        body = Heartbeat(EpochHash(bytes([seq]) * 32))
        issued_ms = 1_000 + seq
        sealed = seal_entry(
            network, signer, author=ALPHA, key_version=VERSION, seq=seq, prev=prev, issued_ms=issued_ms, body=body
        )
        entries.append(sealed)
    return entries


def row(entry: Verified[Heartbeat]) -> EntryRow:
    e = entry.entry
    return EntryRow(e.author, e.key_version, e.seq, entry.hash, entry.raw, True, e.issued_ms)


def mark_after(entries: list[Verified[Heartbeat]], carried: int, signer: Signer = KEY) -> Mark:
    """The mark of a node whose last batch held the last `carried` of these."""
    last = entries[-1]
    return Mark(signer.public, VERSION, last.entry.seq, last.hash, tuple(e.raw for e in entries[-carried:]))


def check(found: Mark | mark.MarkError | None, head: Verified[Heartbeat] | None, *, empty: bool = False) -> Verdict:
    own = row(head) if head else None
    return mark.check(found, own, empty, network=NETWORK, member=ALPHA, attestation=KEY.public, key_version=VERSION)


def sign_batch(store: Store, path: Path, entries: list[Verified[Heartbeat]], *, die: bool = False) -> None:
    """What the loop does with own entries: the mark, then the store. `die`: the power fails in between."""
    mark.write(path, mark_after(entries, len(entries)))
    if not die:
        records = tuple(RecordRow(1, 1, entry.raw) for entry in entries)
        store.commit(Batch(records=records, entries=tuple(row(entry) for entry in entries)))


def start(store: Store, path: Path, *, key: Signer = KEY, version: int = VERSION) -> Verdict:
    """What the node does when it starts."""
    found: Mark | mark.MarkError | None
    try:
        found = mark.read(path)
    except mark.MarkError as error:
        found = error
    own, empty = store.own_head(ALPHA, version), store.is_empty()
    return mark.check(found, own, empty, network=NETWORK, member=ALPHA, attestation=key.public, key_version=version)
