"""A fresh key takes the old one's place: whatever step a crash cuts, no key signs twice and a start finishes it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from node import keys, mark, rotation
from node.config_identity import peer_id_of
from node.keys import KeyFault, Purpose
from protocol.crypto import Signer
from protocol.envelope import SealedKeySet, seal_keyset
from protocol.ids import MemberName, NetworkId, PublicKey
from protocol.messages import KeySet

NETWORK = NetworkId(bytes(32))
COLD = Signer(b"c" * 32)


def delegated(public: bytes, version: int = 2, *transport: str) -> SealedKeySet:
    return seal_keyset(NETWORK, COLD, KeySet(MemberName("m"), version, PublicKey(public), None, transport, 2**42))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    keys.new_keys(tmp_path, purposes=(Purpose.ATTESTATION, Purpose.TRANSPORT))
    return tmp_path


def in_use(data: Path) -> bytes:
    return bytes(keys.load_signer(keys.key_path(data, Purpose.ATTESTATION), Purpose.ATTESTATION).public)


def marked(data: Path) -> tuple[bytes, int, int]:
    found = mark.read(keys.mark_path(data))
    assert found is not None
    return bytes(found.attestation), found.key_version, found.seq


def test_the_fresh_key_takes_the_name_and_the_mark_and_the_old_one_is_kept(data: Path) -> None:
    old, fresh = in_use(data), keys.write_next(data, Purpose.ATTESTATION)
    rotation.put_in_force(data, delegated(fresh).keyset)
    assert in_use(data) == fresh and marked(data) == (fresh, 2, mark.NOTHING_SIGNED)
    kept = keys.load_signer(data / "keys" / "attestation.key.retired", Purpose.ATTESTATION)
    assert bytes(kept.public) == old
    assert not rotation.unfinished(data, delegated(fresh).keyset)
    assert keys.key_path(data, Purpose.ATTESTATION).stat().st_mode & 0o77 == 0


@pytest.mark.parametrize("cut", range(1, 6))
def test_a_crash_after_any_step_leaves_nothing_that_could_sign_and_is_finished_later(data: Path, cut: int) -> None:
    """A step is a replaced, renamed or synced name; the cut is after the one of that number."""
    old, fresh = in_use(data), keys.write_next(data, Purpose.ATTESTATION)
    keyset, steps = delegated(fresh).keyset, 0

    def counted(real: Any) -> Any:
        def step(*args: Any) -> Any:
            nonlocal steps
            if steps >= cut:
                raise InterruptedError("the power went")
            steps += 1
            return real(*args)

        return step

    with (
        mock.patch.object(Path, "rename", counted(Path.rename)),
        mock.patch.object(Path, "replace", counted(Path.replace)),
        mock.patch.object(mark, "sync_directory", counted(mark.sync_directory)),
        suppress(InterruptedError, mark.MarkError),
    ):
        rotation.put_in_force(data, keyset)
    path = keys.key_path(data, Purpose.ATTESTATION)
    if path.exists():
        pair = (in_use(data), *marked(data)[:2])
        assert pair in ((old, old, 1), (old, fresh, 2), (fresh, fresh, 2)), "never a mark that is not its own"
    if rotation.unfinished(data, keyset):
        rotation.put_in_force(data, keyset)
    assert in_use(data) == fresh and marked(data) == (fresh, 2, mark.NOTHING_SIGNED)


def test_a_version_that_is_not_above_the_marks_is_refused_and_changes_nothing(data: Path) -> None:
    old, fresh = in_use(data), keys.write_next(data, Purpose.ATTESTATION)
    with pytest.raises(KeyFault, match="version 1 is not above the last"):
        rotation.put_in_force(data, delegated(fresh, 1).keyset)
    assert in_use(data) == old and marked(data)[0] == old


def test_a_key_that_has_signed_is_never_put_in_force_again(data: Path) -> None:
    fresh = keys.write_next(data, Purpose.ATTESTATION)
    copy = (data / "keys" / f"attestation-next-{fresh.hex()[:16]}.key").read_bytes()
    keyset = delegated(fresh).keyset
    rotation.put_in_force(data, keyset)
    mark.write(keys.mark_path(data), mark.Mark(PublicKey(fresh), 2, 4, bytes(32), ()))
    path = keys.next_path(data, Purpose.ATTESTATION, fresh)
    path.write_bytes(copy)
    path.chmod(0o600)
    assert not rotation.unfinished(data, keyset)
    rotation.put_in_force(data, keyset)
    assert marked(data) == (fresh, 2, 4)


def test_a_mark_that_cannot_be_read_goes_aside_with_its_key(data: Path) -> None:
    keys.mark_path(data).write_bytes(b"torn")
    fresh = keys.write_next(data, Purpose.ATTESTATION)
    rotation.put_in_force(data, delegated(fresh).keyset)
    assert (data / "mark.cbor.retired").read_bytes() == b"torn"
    assert marked(data) == (fresh, 2, mark.NOTHING_SIGNED)


def test_two_keysets_of_one_version_do_not_lie_side_by_side(data: Path) -> None:
    one, other = delegated(b"a" * 32), delegated(b"b" * 32)
    path = rotation.keep_keyset(data, one)
    assert rotation.keep_keyset(data, one) == path and path.read_bytes() == one.raw
    with pytest.raises(KeyFault, match="another KeySet of version 2"):
        rotation.keep_keyset(data, other)


def test_a_transport_key_moves_when_its_keyset_names_it_first(data: Path) -> None:
    public = keys.write_next(data, Purpose.TRANSPORT)
    seed = keys.load_secret(keys.next_path(data, Purpose.TRANSPORT, public), Purpose.TRANSPORT).reveal()
    assert not rotation.move_transport(data, delegated(b"a" * 32, 2, "12D3KooWother").keyset)
    assert rotation.move_transport(data, delegated(b"a" * 32, 2, peer_id_of(seed), "12D3KooWother").keyset)
    assert keys.load_secret(keys.key_path(data, Purpose.TRANSPORT), Purpose.TRANSPORT).reveal() == seed


def test_a_delegation_of_a_key_that_is_not_here_is_told(data: Path) -> None:
    with pytest.raises(KeyFault, match="is not here"):
        rotation.next_signer(data, delegated(b"z" * 32).keyset)
