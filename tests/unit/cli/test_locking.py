"""`tocsin key lock | unlock | agent` as a person at a shell meets them."""

from __future__ import annotations

from pathlib import Path

import pytest

from node import keys, passphrase, sealed_key
from node.keys import Purpose
from tests.unit.cli.world import run

Capsys = pytest.CaptureFixture[str]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sealed_key, "PASSES", 1)
    monkeypatch.setattr(sealed_key, "KIB", 8)
    monkeypatch.setattr("sys.stdin", None)
    monkeypatch.delenv(passphrase.VARIABLE, raising=False)
    (tmp_path / "node.toml").write_text('node = 1\nmember = "a"\nlisten = "/ip4/127.0.0.1/tcp/4001"\n')
    keys.new_keys(tmp_path / "data", purposes=[Purpose.ATTESTATION, Purpose.LEVER])
    phrase = tmp_path / "phrase"
    phrase.write_text("correct horse battery staple")
    phrase.chmod(0o600)
    return tmp_path


def ask(capsys: Capsys, home: Path, *words: object) -> tuple[int, str, str]:
    ran = run(capsys, "key", *words, "--config", home / "node.toml")
    return ran.code, ran.out, ran.err


def test_all_keys_are_locked_and_unlocked_again(home: Path, capsys: Capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path.name: path.read_text() for path in (home / "data" / "keys").iterdir()}
    monkeypatch.setenv(passphrase.VARIABLE, str(home / "phrase"))
    code, out, _ = ask(capsys, home, "lock")
    assert code == 0 and out.count("Sealed:") == 2 and "keep it apart" in out
    assert not any('"secret"' in path.read_text() for path in (home / "data" / "keys").iterdir())
    assert ask(capsys, home, "unlock")[1].count("Opened:") == 2
    assert {path.name: path.read_text() for path in (home / "data" / "keys").iterdir()} == before
    assert ask(capsys, home, "unlock")[1].count("Was open:") == 2


def test_without_a_passphrase_nothing_is_locked_and_it_says_how(home: Path, capsys: Capsys) -> None:
    code, _, err = ask(capsys, home, "lock")
    assert code == 1 and "TOCSIN_PASSPHRASE_FILE=PATH" in err


def test_one_key_is_locked_under_a_passphrase_that_is_named(home: Path, capsys: Capsys) -> None:
    lever = home / "data" / "keys" / "lever.key"
    assert ask(capsys, home, "lock", "--file", lever, "--under", home / "phrase")[0] == 0
    assert keys.opens(lever, b"correct horse battery staple")
    assert not keys.opens(lever.with_name("attestation.key"), b"")
    code, _, err = ask(capsys, home, "unlock", "--file", lever)
    assert code == 1 and "is sealed" in err and "TOCSIN_PASSPHRASE_FILE=PATH" in err


def test_an_agent_that_could_open_nothing_is_not_started(
    home: Path, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resource.setrlimit", lambda *what: None)
    monkeypatch.setenv(passphrase.VARIABLE, str(home / "phrase"))
    code, _, err = ask(capsys, home, "agent", home / "agent.sock")
    assert code == 1 and "tocsin key lock" in err
    ask(capsys, home, "lock")
    (home / "phrase").write_text("another phrase altogether")
    code, _, err = ask(capsys, home, "agent", home / "agent.sock")
    assert code == 1 and "does not open this key" in err and not (home / "agent.sock").exists()
