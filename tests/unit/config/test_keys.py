from __future__ import annotations

from pathlib import Path

import pytest

from node.config_keys import (
    KeyFileError,
    evm_address_of,
    peer_id_of,
    read_secret,
    read_signer,
    write_secret,
)


def test_a_key_reads_back_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "attestation.key"
    write_secret(path, b"\x07" * 32)
    assert read_secret(path) == b"\x07" * 32
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "attestation.key"
    write_secret(path, b"\x07" * 32)
    with pytest.raises(KeyFileError, match="never overwritten"):
        write_secret(path, b"\x08" * 32)


def test_a_key_that_others_can_read_is_refused_with_the_command_that_cures_it(tmp_path: Path) -> None:
    path = tmp_path / "attestation.key"
    write_secret(path, b"\x07" * 32)
    path.chmod(0o640)
    with pytest.raises(KeyFileError, match=f"mode 0640.*chmod 600 {path}"):
        read_signer(path)


def test_a_link_in_the_place_of_a_key_is_refused(tmp_path: Path) -> None:
    write_secret(tmp_path / "real.key", b"\x07" * 32)
    (tmp_path / "attestation.key").symlink_to(tmp_path / "real.key")
    with pytest.raises(KeyFileError, match="no regular file"):
        read_secret(tmp_path / "attestation.key")


@pytest.mark.parametrize("content", ["", "zz", "07" * 31, "07" * 33, "ключ"])
def test_a_malformed_key_is_refused_and_not_shown(tmp_path: Path, content: str) -> None:
    path = tmp_path / "attestation.key"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(KeyFileError) as caught:
        read_secret(path)
    assert content == "" or content not in str(caught.value)


def test_a_missing_key_says_who_makes_keys(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="tocsin init"):
        read_secret(tmp_path / "attestation.key")


def test_the_peer_id_is_the_one_that_libp2p_derives() -> None:
    # computed once with libp2p 0.8.1, which takes two seconds to import
    assert peer_id_of(b"\x01" * 32) == "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5"


def test_the_lever_account_is_the_one_that_ethereum_derives() -> None:
    assert evm_address_of(b"\x01" * 32) == "0x1a642f0e3c3af545e7acbd38b07251b3990914f1"
