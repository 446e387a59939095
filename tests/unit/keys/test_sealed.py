"""A sealed key opens with its passphrase alone, and nothing that stands beside it can be exchanged."""

from __future__ import annotations

import json
import os
import socket
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from node import keys, passphrase, sealed_key
from node.keys import KeyFault, Purpose
from node.passphrase import VARIABLE, PassphraseFault

PHRASE = b"correct horse battery staple"
SECRET, SALT, NONCE = b"s" * 32, b"t" * 16, b"n" * 24


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Guessing is cheap here, and nobody sits at a terminal."""
    monkeypatch.setattr(sealed_key, "PASSES", 1)
    monkeypatch.setattr(sealed_key, "KIB", 8)
    monkeypatch.setattr("sys.stdin", None)
    monkeypatch.delenv(VARIABLE, raising=False)


@pytest.fixture
def at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "phrase"
    path.write_bytes(PHRASE + b"\n")
    path.chmod(0o600)
    monkeypatch.setenv(VARIABLE, str(path))
    return path


def fields() -> dict[str, Any]:
    return sealed_key.sealed("lever", "ab", SECRET, PHRASE, SALT, NONCE)


def test_the_passphrase_opens_it_and_another_does_not() -> None:
    assert sealed_key.opened(fields(), PHRASE) == SECRET
    with pytest.raises(sealed_key.WrongPassphrase):
        sealed_key.opened(fields(), PHRASE + b"!")


def test_the_secret_is_not_in_the_file_in_any_spelling() -> None:
    assert SECRET.hex() not in json.dumps(fields())


@pytest.mark.parametrize(
    "change",
    [
        {"purpose": "attestation"},
        {"public": "cd"},
        {"more": 1},
        {"nonce": "00" * 24},
        {"argon2id": {"passes": 2, "kib": 8, "salt": SALT.hex()}},
        {"argon2id": {"passes": 1, "kib": 8, "salt": "00" * 16}},
        {"sealed": "00" * 48},
    ],
)
def test_nothing_beside_the_secret_can_be_exchanged(change: dict[str, Any]) -> None:
    with pytest.raises(sealed_key.WrongPassphrase):
        sealed_key.opened(fields() | change, PHRASE)


@pytest.mark.parametrize(
    "change",
    [
        {"argon2id": None},
        {"argon2id": {"passes": 99, "kib": 8, "salt": SALT.hex()}},
        {"argon2id": {"passes": 1, "kib": 1 << 30, "salt": SALT.hex()}},
        {"argon2id": {"passes": True, "kib": 8, "salt": SALT.hex()}},
        {"argon2id": {"passes": 1, "kib": 8, "salt": "00"}},
        {"nonce": 7},
        {"sealed": "zz"},
    ],
)
def test_a_file_cannot_ask_for_more_than_its_share_or_for_nonsense(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        sealed_key.opened(fields() | change, PHRASE)


def test_keys_made_with_a_passphrase_at_hand_are_sealed_and_load(tmp_path: Path, at_hand: Path) -> None:
    public = keys.new_keys(tmp_path)
    for purpose in Purpose:
        path = keys.key_path(tmp_path, purpose)
        assert json.loads(path.read_text())["tocsin_key"] == sealed_key.FORMAT
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert keys.load_signer(keys.key_path(tmp_path, Purpose.ATTESTATION), Purpose.ATTESTATION).public == public[
        Purpose.ATTESTATION
    ]  # fmt: skip


def test_a_sealed_key_without_its_passphrase_says_what_to_do(tmp_path: Path, at_hand: Path) -> None:
    keys.new_keys(tmp_path, purposes=[Purpose.LEVER])
    del os.environ[VARIABLE]
    with pytest.raises(KeyFault, match=f"is sealed.*{VARIABLE}=PATH"):
        keys.load_secret(keys.key_path(tmp_path, Purpose.LEVER), Purpose.LEVER)


def test_a_wrong_passphrase_is_told_from_nothing_else_and_not_shown(tmp_path: Path, at_hand: Path) -> None:
    keys.new_keys(tmp_path, purposes=[Purpose.LEVER])
    at_hand.write_bytes(b"another phrase altogether")
    with pytest.raises(KeyFault, match="does not open this key") as refused:
        keys.load_secret(keys.key_path(tmp_path, Purpose.LEVER), Purpose.LEVER)
    assert "another phrase" not in str(refused.value)


def test_sealing_keeps_the_key_and_opening_gives_it_back(tmp_path: Path, at_hand: Path) -> None:
    del os.environ[VARIABLE]
    keys.new_keys(tmp_path, purposes=[Purpose.LEVER])
    path = keys.key_path(tmp_path, Purpose.LEVER)
    before = keys.load_secret(path, Purpose.LEVER).reveal()
    assert keys.reseal(path, PHRASE) and before.hex() not in path.read_text()
    os.environ[VARIABLE] = str(at_hand)
    assert keys.opens(path, PHRASE) and keys.load_secret(path, Purpose.LEVER).reveal() == before
    assert keys.reseal(path, None) and not keys.reseal(path, None) and not keys.opens(path, PHRASE)
    assert keys.load_secret(path, Purpose.LEVER).reveal() == before
    assert [one.name for one in path.parent.iterdir()] == ["lever.key"]


def test_a_key_is_sealed_under_another_passphrase(tmp_path: Path, at_hand: Path) -> None:
    keys.new_keys(tmp_path, purposes=[Purpose.LEVER])
    path = keys.key_path(tmp_path, Purpose.LEVER)
    assert keys.reseal(path, b"a newer phrase of words") and keys.opens(path, b"a newer phrase of words")
    with pytest.raises(KeyFault):
        keys.opens(path, PHRASE)


def test_sealing_that_cannot_finish_leaves_the_key_as_it_was(
    tmp_path: Path, at_hand: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys.new_keys(tmp_path, purposes=[Purpose.LEVER])
    path = keys.key_path(tmp_path, Purpose.LEVER)
    before = path.read_bytes()
    monkeypatch.setattr(sealed_key, "opened", lambda fields, phrase: SECRET)
    with pytest.raises(KeyFault):
        keys.reseal(path, b"a newer phrase of words")
    assert path.read_bytes() == before and [one.name for one in path.parent.iterdir()] == ["lever.key"]


# --- where it comes from


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda path: path.chmod(0o640), "chmod 600"),
        (lambda path: path.write_bytes(b""), "1 to"),
        (lambda path: path.write_bytes(b"x" * 2_000), "1 to"),
        (lambda path: path.unlink(), "start the agent"),
        (lambda path: (path.unlink(), path.mkdir()), "neither a file nor a socket"),
    ],
)
def test_a_file_that_is_none_of_the_owners_alone_is_refused(spoil: Any, says: str, at_hand: Path) -> None:
    spoil(at_hand)
    with pytest.raises(PassphraseFault, match=says):
        passphrase.passphrase()


def test_a_short_passphrase_is_not_chosen(at_hand: Path) -> None:
    at_hand.write_bytes(b"short")
    with pytest.raises(PassphraseFault, match="several words"):
        passphrase.chosen()


@pytest.fixture
def agent(tmp_path: Path) -> Any:
    """In a thread of its own, until the test ends with the process."""
    path, ready = tmp_path / "agent.sock", threading.Event()
    thread = threading.Thread(target=passphrase.serve, args=(path, PHRASE, ready.set), daemon=True)
    thread.start()
    assert ready.wait(5)
    return path


def test_an_agent_gives_it_to_its_own_user(agent: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(agent))
    assert stat.S_IMODE(agent.stat().st_mode) == 0o600
    assert [passphrase.passphrase() for _ in range(3)] == [PHRASE] * 3


def test_an_agent_gives_nothing_to_another_user(agent: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passphrase, "_is_ours", lambda wire: False)
    monkeypatch.setenv(VARIABLE, str(agent))
    with pytest.raises(PassphraseFault):
        passphrase.passphrase()


def test_who_another_user_is_the_system_says(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert passphrase._is_ours(ours)
        me = os.getuid()
        monkeypatch.setattr(os, "getuid", lambda: me + 1)
        assert passphrase._is_ours(ours) == (me == 0)


def test_the_socket_of_a_dead_agent_is_replaced_and_of_a_live_one_is_not(agent: Path, tmp_path: Path) -> None:
    with pytest.raises(OSError):
        passphrase.serve(agent, PHRASE, lambda: None)
    dead = tmp_path / "dead.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(dead))
    ready = threading.Event()
    threading.Thread(target=passphrase.serve, args=(dead, PHRASE, ready.set), daemon=True).start()
    assert ready.wait(5)


def test_a_file_in_its_place_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes"
    path.write_text("mine")
    with pytest.raises(OSError):
        passphrase.serve(path, PHRASE, lambda: None)
    assert path.read_text() == "mine"
