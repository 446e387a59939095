"""How a fresh attestation key takes the old one's place on the disk, so that a crash at any moment signs nothing twice.

keys/attestation-next-XXXX.key   a fresh secret; it has no mark, so it signs nothing
keyset-VERSION.cbor              its delegation, there before anybody hears of it

Then, in this order: the mark "nothing signed" of the new key, the old key aside, the new one under its name. Between
any two of these, mark and key disagree and a start would sign nothing; it finishes what was begun instead.
"""

from __future__ import annotations

import os
from pathlib import Path

from node import keys, mark
from node.config_identity import peer_id_of
from node.keys import KeyFault, Purpose
from node.store_check import free_name
from protocol.crypto import Signer
from protocol.envelope import SealedKeySet
from protocol.messages import KeySet


def next_signer(data_dir: Path, keyset: KeySet) -> Signer:
    """The fresh key that a KeySet delegates; KeyFault where it does not lie here."""
    path = keys.next_path(data_dir, Purpose.ATTESTATION, keyset.attestation)
    if not path.exists():
        what = f"the key that version {keyset.version} delegates ({keyset.attestation.hex()[:16]}…) is not here"
        raise KeyFault(what, path, "Name the machine where it was asked for, or its file with --key.")
    return keys.load_signer(path, Purpose.ATTESTATION)


def bring(data_dir: Path, file: Path) -> bytes:
    """A fresh key that was made elsewhere, copied to where a node takes it from; the public half."""
    signer = keys.load_signer(file, Purpose.ATTESTATION)
    path = keys.next_path(data_dir, Purpose.ATTESTATION, signer.public)
    if not path.exists():
        keys.make_directory(data_dir)
        fresh = path.with_name(path.name + ".new")
        mark.write_durably(fresh, file.read_bytes())
        fresh.rename(path)
        mark.sync_directory(path.parent)
    return bytes(signer.public)


def keep_keyset(data_dir: Path, sealed: SealedKeySet) -> Path:
    """`keyset-VERSION.cbor`, durable and never torn. KeyFault where another of this version lies there."""
    path = data_dir / f"keyset-{sealed.keyset.version}.cbor"
    if path.exists():
        if path.read_bytes() == sealed.raw:
            return path
        what = f"another KeySet of version {sealed.keyset.version} lies here already"
        raise KeyFault(what, path, f"Seal version {sealed.keyset.version + 1}: two of one version are an equivocation.")
    fresh = path.with_name(path.name + ".new")
    mark.write_durably(fresh, sealed.raw)
    fresh.rename(path)
    mark.sync_directory(data_dir)
    return path


def unfinished(data_dir: Path, keyset: KeySet) -> bool:
    """Has this delegation still to take effect on the disk?"""
    return _next_attestation(data_dir, keyset) is not None or _next_transport(data_dir, keyset) is not None


def _next_attestation(data_dir: Path, keyset: KeySet) -> Path | None:
    fresh = keys.next_path(data_dir, Purpose.ATTESTATION, keyset.attestation)
    here = keys.key_path(data_dir, Purpose.ATTESTATION)
    if not fresh.exists():
        return None
    same = here.exists() and keys.load_signer(here, Purpose.ATTESTATION).public == keyset.attestation
    return None if same else fresh


def put_in_force(data_dir: Path, keyset: KeySet) -> None:
    """Every step may have been done before. KeyFault or MarkError leave the old key or none, never both."""
    fresh = _next_attestation(data_dir, keyset)
    if fresh is None:
        return
    signer = keys.load_signer(fresh, Purpose.ATTESTATION)
    if signer.public != keyset.attestation:
        raise KeyFault("is another key than its name says", fresh, "Make a fresh one: tocsin key rotate.")
    _replace_mark(data_dir, keyset)
    here = keys.key_path(data_dir, Purpose.ATTESTATION)
    _aside(here)
    fresh.rename(here)
    mark.sync_directory(here.parent)


def move_transport(data_dir: Path, keyset: KeySet) -> bool:
    """At a start: where the newest KeySet names a fresh libp2p identity first and its key lies here, it is ours."""
    fresh = _next_transport(data_dir, keyset)
    if fresh is None:
        return False
    here = keys.key_path(data_dir, Purpose.TRANSPORT)
    _aside(here)
    fresh.rename(here)
    mark.sync_directory(here.parent)
    return True


def _next_transport(data_dir: Path, keyset: KeySet) -> Path | None:
    for path in sorted((data_dir / keys.KEYS_DIRECTORY).glob(f"{Purpose.TRANSPORT.value}-next-*.key")):
        if keyset.transport and peer_id_of(keys.load_secret(path, Purpose.TRANSPORT).reveal()) == keyset.transport[0]:
            return path
    return None


def _replace_mark(data_dir: Path, keyset: KeySet) -> None:
    path = keys.mark_path(data_dir)
    try:
        found = mark.read(path)
    except mark.MarkError:
        # kept for whoever looks into it, like the key that it was of
        _aside(path)
        found = None
    if found is not None and found.key_version >= keyset.version:
        if (found.attestation, found.key_version, found.seq) == (keyset.attestation, keyset.version, -1):
            return
        what = f"version {keyset.version} is not above the last ({found.key_version})"
        raise KeyFault(what, path, f"Delegate version {found.key_version + 1} or higher: the highest version wins.")
    mark.write(path, mark.nothing_signed(keyset.attestation, keyset.version))


def _aside(path: Path) -> None:
    if os.path.lexists(path):
        path.rename(free_name(path.with_name(path.name + ".retired")))
        mark.sync_directory(path.parent)
