"""Backups of the store, and the way back. Keys and mark are never part of one.

After a restore the mark still says what was signed since the backup: the node refuses to sign until its governance
key delegates a fresh attestation key, whose feed starts at nothing. `fresh_attestation_key` makes one.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from node import keys, mark
from node.keys import Purpose, Secret
from node.store_check import FileFacts, check_file, copy_file, free_name
from node.store_engine import take_lock
from node.store_errors import StoreError
from protocol.crypto import KEY_BYTES, Signer
from protocol.envelope import SealedKeySet, seal_keyset
from protocol.ids import MemberName, NetworkId, PublicKey
from protocol.messages import KeySet

STORE_NAME = "store.sqlite"
_SIDE_FILES = ("", "-wal", "-shm")


def backup(store_path: Path, dest: Path) -> FileFacts:
    """A checked copy, 0600, also of a store in use. StoreError leaves no `dest` behind; an existing one is kept."""
    if not store_path.exists():
        raise StoreError("there is no store", store_path, "Name the node's store.")
    copy_file(store_path, dest)
    try:
        return check_file(dest, every_row=True)
    except BaseException:
        dest.unlink(missing_ok=True)
        raise


def restore(backup_path: Path, data_dir: Path, *, move_aside: bool = False) -> Path | None:
    """Puts a checked copy in place; the mark stays. Returns where the store that stood there went, if one did.

    StoreError: the backup is damaged, a node runs, or a store stands there and `move_aside` was not said.
    """
    if not backup_path.exists():
        raise StoreError("there is no backup", backup_path, "Name the file that `tocsin backup` wrote.")
    check_file(backup_path, every_row=True)
    store = data_dir / STORE_NAME
    with _locked(store):
        stands = any(_beside(store, end).exists() for end in _SIDE_FILES)
        if stands and not move_aside:
            cure = "Say --move-aside to rename it; nothing is deleted."
            raise StoreError("a store stands here already", store, cure)
        fresh = _beside(store, ".restoring")
        # What an interrupted restore left is a copy of a backup and nothing else.
        fresh.unlink(missing_ok=True)
        copy_file(backup_path, fresh)
        aside = _move_aside(store) if stands else None
        fresh.rename(store)
        mark.sync_directory(data_dir)
    return aside


def fresh_attestation_key(
    data_dir: Path,
    governance: Signer,
    network: NetworkId,
    member: MemberName,
    next_version: int,
    transport: Sequence[str],
    expires_ms: int,
    *,
    evm: bytes | None = None,
) -> SealedKeySet:
    """A new key, its mark "nothing signed", and the sealed KeySet that delegates it, also in `keyset-VERSION.cbor`.

    The key before is renamed, not deleted. KeyFault when `next_version` is not above the version of the mark.
    """
    _refuse_old_version(data_dir, next_version)
    keys.make_directory(data_dir)
    _retire(keys.key_path(data_dir, Purpose.ATTESTATION))
    secret = Secret(secrets.token_bytes(KEY_BYTES))
    public = keys.write_key(data_dir, Purpose.ATTESTATION, secret, key_version=next_version)
    keyset = KeySet(member, next_version, PublicKey(public), evm, tuple(transport), expires_ms)
    sealed = seal_keyset(network, governance, keyset)
    path = data_dir / f"keyset-{next_version}.cbor"
    mark.write_durably(free_name(path), sealed.raw)
    mark.sync_directory(data_dir)
    return sealed


def _refuse_old_version(data_dir: Path, next_version: int) -> None:
    path = keys.mark_path(data_dir)
    try:
        found = mark.read(path)
    except mark.MarkError:
        # Unreadable: it goes aside with the key that it was of, and is kept for whoever looks into it.
        _retire(path)
        return
    if found is not None and next_version <= found.key_version:
        cure = f"Delegate version {found.key_version + 1} or higher: the highest version wins."
        raise keys.KeyFault(f"version {next_version} is not above the last ({found.key_version})", path, cure)


def _beside(path: Path, end: str) -> Path:
    return path.with_name(path.name + end)


def _retire(path: Path) -> None:
    if os.path.lexists(path):
        path.rename(free_name(_beside(path, ".retired")))
        mark.sync_directory(path.parent)


def _move_aside(store: Path) -> Path:
    """The log goes along under the matching name, so that what was moved still opens as a store."""
    aside = free_name(_beside(store, ".aside"))
    # Store first: should this stop half-way, no store stands here; without its log it would look whole and be older.
    for end in _SIDE_FILES:
        if (part := _beside(store, end)).exists():
            part.rename(_beside(aside, end))
    return aside


@contextmanager
def _locked(store: Path) -> Iterator[None]:
    descriptor = take_lock(store)
    try:
        yield
    finally:
        os.close(descriptor)
