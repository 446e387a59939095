"""The high-water mark: what this node's attestation key signed last, beside the store and outside every backup.

Rule: the mark of a batch with own entries is written (`write`) BEFORE the store commits the batch, and nothing
leaves before both are durable. So a store that was rolled back, swapped or lost disagrees with its mark, and the
node signs nothing instead of signing one seq twice.
"""

from __future__ import annotations

import enum
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from protocol.codec import decode, encode
from protocol.crypto import KEY_BYTES, sha256
from protocol.envelope import MARK_TAG, parse_entry, verify_entry
from protocol.errors import ProtocolError
from protocol.ids import ZERO_HASH, MemberName, NetworkId, PublicKey
from protocol.limits import ENTRY_BYTES_MAX, U63_MAX
from protocol.schema import Field, Schema, many, raw_bytes, text, unsigned

NAME = "mark.cbor"
NOTHING_SIGNED = -1
OWN_BATCH_MAX = 256
"""Own entries in one batch; the loop takes 64 events at a time and few make more than one."""
_FILE_BYTES_MAX = OWN_BATCH_MAX * (ENTRY_BYTES_MAX + 8) + 1024


class MarkError(Exception):
    """The mark cannot be read or written: what, where and what to do."""


@dataclass(frozen=True)
class Mark:
    """`seq` is NOTHING_SIGNED or that of the last entry sealed by `attestation`; `hash` is its entry hash."""

    attestation: PublicKey
    key_version: int
    seq: int
    hash: bytes
    raws: tuple[bytes, ...]
    """The last batch's own entries, oldest first: what heals a crash between mark and store."""


@dataclass(frozen=True)
class _OnDisk:
    """`signed` counts: seq + 1, because the wire knows no negative numbers in this field."""

    tag: str
    attestation: bytes
    key_version: int
    signed: int
    hash: bytes
    raws: tuple[bytes, ...]


_SCHEMA = Schema(
    _OnDisk,
    Field(1, "tag", text(len(MARK_TAG), len(MARK_TAG))),
    Field(2, "attestation", raw_bytes(KEY_BYTES, KEY_BYTES)),
    Field(3, "key_version", unsigned()),
    Field(4, "signed", unsigned(U63_MAX)),
    Field(5, "hash", raw_bytes(32, 32)),
    Field(6, "raws", many(raw_bytes(1, ENTRY_BYTES_MAX), OWN_BATCH_MAX)),
)


def nothing_signed(attestation: PublicKey, key_version: int) -> Mark:
    return Mark(attestation, key_version, NOTHING_SIGNED, ZERO_HASH, ())


def read(path: Path) -> Mark | None:
    """None where no mark is; MarkError when what is there is torn or changed."""
    try:
        with path.open("rb") as file:
            raw = file.read(_FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise MarkError(f"the mark cannot be read ({path}): {error.strerror}. Mend its rights or the disk.") from None
    try:
        parts = decode(raw, bytes_max=_FILE_BYTES_MAX)
        if type(parts) is not list or len(parts) != 2 or parts[1] != sha256(encode(parts[0])):
            raise MarkError(
                f"the mark is torn or was changed ({path}). Delegate a fresh attestation key (`tocsin restore`)."
            )
        found = _SCHEMA.unpack(parts[0])
    except ProtocolError as error:
        message = (
            f"the mark is torn or was changed ({path}): {error}. Delegate a fresh attestation key (`tocsin restore`)."
        )
        raise MarkError(message) from None
    if found.tag != MARK_TAG:
        cure = "Run the version of tocsin that wrote it, or a later one."
        raise MarkError(f"the mark is of another version ({found.tag!r}, known {MARK_TAG!r}; {path}). {cure}")
    return Mark(PublicKey(found.attestation), found.key_version, found.signed - 1, found.hash, found.raws)


def write(path: Path, mark: Mark) -> None:
    """Durable under its name when it returns; the old mark stands until the new one does."""
    if len(mark.raws) > OWN_BATCH_MAX:
        raise MarkError(f"{len(mark.raws)} own entries in one batch, at most {OWN_BATCH_MAX}. Commit smaller batches.")
    fields = _SCHEMA.pack(
        _OnDisk(MARK_TAG, mark.attestation, mark.key_version, mark.seq + 1, bytes(mark.hash), mark.raws)
    )
    fresh = path.with_name(path.name + ".new")
    try:
        write_durably(fresh, encode([fields, sha256(encode(fields))]))
        fresh.replace(path)
        sync_directory(path.parent)
    except OSError as error:
        cure = "Nothing of this batch may leave; free space or mend the disk, then start again."
        raise MarkError(f"the mark cannot be written ({path}): {error.strerror}. {cure}") from None


def write_first(path: Path, attestation: PublicKey, key_version: int) -> None:
    """The mark of a key that was just made. MarkError where this very key has signed (that would be
    forgotten) or where an unreadable mark may be this key's."""
    found = read(path)
    if found is not None and found.attestation == attestation and found.seq != NOTHING_SIGNED:
        cure = "Keep the mark; a fresh start needs a fresh key."
        raise MarkError(f"this attestation key has signed up to seq {found.seq} ({path}). {cure}")
    write(path, nothing_signed(attestation, key_version))


def sync_directory(path: Path) -> None:
    """Makes a name that was just created, renamed or removed durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_durably(path: Path, content: bytes) -> None:
    """A file of 0600 with its content on the disk; its name is durable after `sync_directory`."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        left = memoryview(content)
        while left:
            left = left[os.write(descriptor, left) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Ruling(enum.Enum):
    """What the node may do with its attestation key."""

    MAY_SIGN = "may-sign"
    ADOPT = "adopt"
    """Commit `raws` as own entries first, then sign."""
    REFUSE = "refuse"
    """Observe only, until a fresh attestation key is delegated."""


@dataclass(frozen=True)
class Verdict:
    ruling: Ruling
    reason: str
    raws: tuple[bytes, ...] = ()


class OwnHead(Protocol):
    """The store's last own entry under the key: what node.store calls EntryRow."""

    @property
    def author(self) -> str: ...
    @property
    def key_version(self) -> int: ...
    @property
    def seq(self) -> int: ...
    @property
    def hash(self) -> bytes: ...


_CURE = (
    "The node observes and signs nothing; "
    "a fresh attestation key, delegated by the governance key (`tocsin restore`), cures it."
)


def _refuse(why: str) -> Verdict:
    return Verdict(Ruling.REFUSE, f"{why}. {_CURE}")


def check(
    mark: Mark | MarkError | None,
    own_head: OwnHead | None,
    store_is_empty: bool,
    *,
    network: NetworkId,
    member: MemberName,
    attestation: PublicKey,
    key_version: int,
) -> Verdict:
    """May the key sign on top of this store? Pure: `read` and `Store.own_head(member, key_version)` are the inputs.

    `attestation` and `key_version` are the loaded key's. Whoever reads the mark passes a MarkError on as it is.
    """
    if isinstance(mark, MarkError):
        return _refuse(str(mark).rstrip("."))
    if mark is None:
        beside = "an empty store" if store_is_empty else "a store that is not empty"
        return _refuse(f"no mark stands beside {beside}, so nobody knows what this key has signed")
    if (mark.attestation, mark.key_version) != (attestation, key_version):
        theirs = f"{mark.attestation.hex()[:16]}… version {mark.key_version}"
        return _refuse(f"the mark is of another key ({theirs}), not of {attestation.hex()[:16]}… version {key_version}")
    if own_head is not None and (own_head.author, own_head.key_version) != (member, key_version):
        return _refuse("the own head that was read is of another feed")
    head_seq, head_hash = (NOTHING_SIGNED, ZERO_HASH) if own_head is None else (own_head.seq, own_head.hash)
    if mark.seq == head_seq:
        if head_seq == NOTHING_SIGNED or mark.hash == head_hash:
            return Verdict(Ruling.MAY_SIGN, "mark and store agree")
        return _refuse(f"mark and store hold different entries of seq {head_seq}")
    if mark.seq < head_seq:
        return _refuse(f"the store (seq {head_seq}) is ahead of the mark (seq {mark.seq}): the mark was rolled back")
    return _adopt(mark, head_seq, bytes(head_hash), network, member)


def _adopt(mark: Mark, head_seq: int, head_hash: bytes, network: NetworkId, member: MemberName) -> Verdict:
    """The mark is ahead: by exactly what it carries, chained to the head and sealed by this key, or not at all."""
    entries = _parsed(mark, network)
    if isinstance(entries, str):
        return _refuse(f"the mark carries an entry that does not hold: {entries}")
    missing = [entry for entry in entries if entry[1].seq > head_seq]
    seq, hash_ = head_seq, head_hash
    for _, entry, entry_hash in missing:
        if (entry.author, entry.key_version) != (member, mark.key_version):
            return _refuse("the mark carries an entry of another feed")
        if entry.seq != seq + 1:
            return _behind(mark, head_seq)
        if entry.prev != hash_:
            return _refuse(f"the entry of seq {entry.seq} in the mark does not follow the store's seq {seq}")
        seq, hash_ = entry.seq, entry_hash
    if (seq, hash_) != (mark.seq, mark.hash):
        return _behind(mark, head_seq)
    return Verdict(
        Ruling.ADOPT, f"the store lacks the {len(missing)} entries of the last batch", tuple(e[0] for e in missing)
    )


def _behind(mark: Mark, head_seq: int) -> Verdict:
    store = "has nothing of this key" if head_seq == NOTHING_SIGNED else f"ends at seq {head_seq}"
    return _refuse(f"the key has signed up to seq {mark.seq}, the store {store}: it was rolled back or lost")


def _parsed(mark: Mark, network: NetworkId) -> list[tuple[bytes, Any, bytes]] | str:
    """(raw, entry, hash) of each carried entry after its seal was checked; else what is wrong."""
    found = []
    for raw in mark.raws:
        try:
            verified = verify_entry(parse_entry(raw, network), mark.attestation)
        except ProtocolError as error:
            return str(error)
        found.append((raw, verified.entry, bytes(verified.hash)))
    return found
