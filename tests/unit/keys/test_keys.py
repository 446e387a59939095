"""A key file serves one purpose, is read by one user, and never shows its secret."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import pytest

from node import keys, mark
from node.keys import KeyFault, Purpose, Secret
from protocol.crypto import Signer, verify

SEED = b"s" * 32


def test_new_keys_load_for_their_purpose(tmp_path: Path) -> None:
    public = keys.new_keys(tmp_path)
    for purpose in (Purpose.GOVERNANCE, Purpose.ATTESTATION):
        signer = keys.load_signer(keys.key_path(tmp_path, purpose), purpose)
        assert signer.public == public[purpose]
        assert verify(signer.public, b"word", signer.sign(b"word"))
    for purpose in (Purpose.TRANSPORT, Purpose.LEVER, Purpose.EVM):
        secret = keys.load_secret(keys.key_path(tmp_path, purpose), purpose)
        assert keys.public_of(purpose, secret) == public[purpose]
    assert len(set(public.values())) == 5
    assert len(public[Purpose.LEVER]) == len(public[Purpose.EVM]) == 33


def test_a_key_file_holds_the_fields_that_are_promised(tmp_path: Path) -> None:
    public = keys.new_keys(tmp_path, purposes=[Purpose.TRANSPORT])
    fields = json.loads(keys.key_path(tmp_path, Purpose.TRANSPORT).read_text())
    assert list(fields) == ["tocsin_key", "purpose", "secret", "public"]
    assert (fields["tocsin_key"], fields["purpose"]) == (1, "transport")
    assert fields["public"] == public[Purpose.TRANSPORT].hex()


def test_only_the_owner_can_read_what_was_written_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        keys.new_keys(tmp_path)
    finally:
        os.umask(before)
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in (tmp_path / "keys").iterdir()} == {0o600}


def test_an_attestation_key_comes_with_its_mark(tmp_path: Path) -> None:
    public = keys.new_keys(tmp_path, key_version=3)
    assert mark.read(keys.mark_path(tmp_path)) == mark.Mark(public[Purpose.ATTESTATION], 3, -1, bytes(32), ())


def test_other_keys_write_no_mark(tmp_path: Path) -> None:
    keys.new_keys(tmp_path, purposes=[Purpose.GOVERNANCE, Purpose.TRANSPORT, Purpose.LEVER])
    assert not keys.mark_path(tmp_path).exists()


def test_the_same_seed_makes_the_same_keys_and_another_makes_others(tmp_path: Path) -> None:
    first, again, other = (
        keys.new_keys(tmp_path / name, seed=seed)
        for name, seed in (("first", SEED), ("again", SEED), ("other", b"t" * 32))
    )
    assert first == again
    assert not set(first.values()) & set(other.values())
    assert keys.new_keys(tmp_path / "random") != keys.new_keys(tmp_path / "random too")


def test_an_existing_key_is_never_overwritten_and_nothing_else_is_written(tmp_path: Path) -> None:
    keys.new_keys(tmp_path, purposes=[Purpose.LEVER])
    before = keys.key_path(tmp_path, Purpose.LEVER).read_bytes()
    with pytest.raises(KeyFault, match="exists already"):
        keys.new_keys(tmp_path)
    assert [file.name for file in (tmp_path / "keys").iterdir()] == ["lever.key"]
    assert keys.key_path(tmp_path, Purpose.LEVER).read_bytes() == before


def test_a_refused_attestation_key_leaves_the_mark_alone(tmp_path: Path) -> None:
    keys.new_keys(tmp_path)
    before = keys.mark_path(tmp_path).read_bytes()
    with pytest.raises(KeyFault, match="exists already"):
        keys.write_key(tmp_path, Purpose.ATTESTATION, Secret(SEED), key_version=9)
    assert keys.mark_path(tmp_path).read_bytes() == before


def test_the_same_key_made_again_from_its_seed_keeps_what_it_signed(tmp_path: Path) -> None:
    public = keys.new_keys(tmp_path, seed=SEED)[Purpose.ATTESTATION]
    signed = mark.Mark(public, 1, 4, b"h" * 32, ())
    mark.write(keys.mark_path(tmp_path), signed)
    keys.key_path(tmp_path, Purpose.ATTESTATION).unlink()
    with pytest.raises(mark.MarkError, match="has signed"):
        keys.new_keys(tmp_path, seed=SEED, purposes=[Purpose.ATTESTATION])
    assert mark.read(keys.mark_path(tmp_path)) == signed
    assert not keys.key_path(tmp_path, Purpose.ATTESTATION).exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o644])
def test_a_key_that_others_can_reach_is_refused_with_its_cure(tmp_path: Path, mode: int) -> None:
    keys.new_keys(tmp_path)
    path = keys.key_path(tmp_path, Purpose.ATTESTATION)
    path.chmod(mode)
    with pytest.raises(KeyFault) as refused:
        keys.load_signer(path, Purpose.ATTESTATION)
    assert f"chmod 600 {path}" in refused.value.cure


def test_a_key_serves_no_other_purpose(tmp_path: Path) -> None:
    keys.new_keys(tmp_path)
    with pytest.raises(KeyFault, match="a governance key and not"):
        keys.load_signer(keys.key_path(tmp_path, Purpose.GOVERNANCE), Purpose.ATTESTATION)
    with pytest.raises(KeyFault, match="never leaves its Signer"):
        keys.load_secret(keys.key_path(tmp_path, Purpose.ATTESTATION), Purpose.ATTESTATION)
    with pytest.raises(KeyFault, match="no signing key"):
        keys.load_signer(keys.key_path(tmp_path, Purpose.LEVER), Purpose.LEVER)


FAULTS = {
    "no JSON": ("nonsense", "no tocsin key"),
    "another format": ('{"tocsin_key": 3}', "no tocsin key"),
    "a list": ("[]", "no tocsin key"),
    "too long": (" " * 5_000, "no tocsin key"),
    "not text": (b"\xff\xfe", "no tocsin key"),
    "deep": ("[" * 4_000, "no tocsin key"),
    "a field missing": ('{"tocsin_key": 1, "purpose": "attestation", "secret": "00"}', "lacks a field"),
    "a field of another type": ('{"tocsin_key": 1, "purpose": "attestation", "secret": 1, "public": ""}', "lacks a f"),
    "a short secret": ('{"tocsin_key": 1, "purpose": "attestation", "secret": "00", "public": ""}', "not 32 bytes"),
    "no hex": ('{"tocsin_key": 1, "purpose": "attestation", "secret": "zz", "public": ""}', "not 32 bytes"),
    "another public half": (
        json.dumps({"tocsin_key": 1, "purpose": "attestation", "secret": "11" * 32, "public": "22" * 32}),
        "does not belong",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_damaged_key_file_is_refused_without_showing_it(tmp_path: Path, name: str) -> None:
    content, why = FAULTS[name]
    path = tmp_path / "attestation.key"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(0o600)
    with pytest.raises(KeyFault, match=why) as refused:
        keys.load_signer(path, Purpose.ATTESTATION)
    assert "1111" not in str(refused.value)


def test_a_missing_key_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(KeyFault, match="tocsin init"):
        keys.load_signer(tmp_path / "none.key", Purpose.ATTESTATION)


def test_a_pipe_in_place_of_a_key_does_not_hang_the_start(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(KeyFault, match="no regular file"):
        keys.load_signer(tmp_path / "pipe", Purpose.ATTESTATION)


def test_a_scalar_that_is_no_secp256k1_key_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\S"):
        keys.public_of(Purpose.LEVER, Secret(bytes(32)))


def test_a_secret_shows_itself_to_nobody() -> None:
    secret = Secret(SEED)
    assert repr(secret) == str(secret) == f"{secret}" == "<secret>"
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(ValueError, match="32 bytes"):
        Secret(b"short")
    assert Signer(secret.reveal()).public == Signer(SEED).public


def test_a_secret_that_others_made_is_read_as_it_stands_where_it_is_as_private(tmp_path: Path) -> None:
    file = tmp_path / "venue.key"
    file.write_bytes(b"as the venue gave it\n")
    file.chmod(0o600)
    assert keys.load_outside(file) == b"as the venue gave it\n"
    file.chmod(0o640)
    with pytest.raises(KeyFault, match="others than its owner"):
        keys.load_outside(file)


@pytest.mark.parametrize("content", [b"", b"x" * 5_000], ids=("empty", "long"))
def test_what_is_no_secret_of_others_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "venue.key"
    file.write_bytes(content)
    file.chmod(0o600)
    with pytest.raises(KeyFault, match="1 to 4096 bytes"):
        keys.load_outside(file)


def test_a_key_of_the_nodes_own_is_not_given_to_others(tmp_path: Path) -> None:
    keys.new_keys(tmp_path)
    with pytest.raises(KeyFault, match="of this node's own"):
        keys.load_outside(keys.key_path(tmp_path, Purpose.ATTESTATION))
