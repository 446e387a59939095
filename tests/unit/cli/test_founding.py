from __future__ import annotations

from pathlib import Path

import pytest

from node import keys, mark
from node.config import load
from node.config_identity import evm_address_of
from tests.unit.cli.world import Ran, run

NAMES = ("issuer", "lender-a", "lender-b", "venue")
Capsys = pytest.CaptureFixture[str]


def init(capsys: Capsys, base: Path, *names: str) -> None:
    for name in names:
        assert run(capsys, "init", name, "--dir", base / name, "--addr", "/ip4/127.0.0.1/tcp/4001").code == 0


def create(capsys: Capsys, base: Path, *words: object) -> Ran:
    cards = [base / name / "card.toml" for name in NAMES if (base / name).exists()]
    return run(capsys, "charter", "create", *cards, "--out", base / "charter.toml", *words)


def found(capsys: Capsys, base: Path) -> Path:
    init(capsys, base, *NAMES)
    assert create(capsys, base, "--source", "a-home=lender-a=eip155:1").code == 0
    for name in NAMES:
        assert run(capsys, "charter", "sign", base / "charter.toml", "--dir", base / name).code == 0
    return base / "charter.toml"


def test_four_members_found_a_network_by_hand(tmp_path: Path, capsys: Capsys) -> None:
    charter = found(capsys, tmp_path)
    checked = run(capsys, "charter", "check", charter, "-o", "json")
    assert (checked.code, checked.json["ok"], checked.json["faults"]) == (0, True, [])
    shown = run(capsys, "charter", "show", charter)
    assert checked.json["network"] in shown.out
    assert "4 control groups, 1 may lie; groups needed: GUARD 2, ISOLATE 3, HALT 3" in shown.out


def test_a_founded_member_passes_the_doctor(tmp_path: Path, capsys: Capsys) -> None:
    charter = found(capsys, tmp_path)
    (tmp_path / "venue" / "charter.toml").write_text(charter.read_text())
    config = tmp_path / "venue" / "node.toml"
    config.write_text(config.read_text().replace("tcp/4001", "tcp/0"))
    seen = run(capsys, "doctor", "--config", config)
    assert seen.code == 0, seen.out
    assert "seat     venue, KeySet 1" in seen.out


def test_init_writes_private_keys_a_mark_and_a_configuration_that_loads(tmp_path: Path, capsys: Capsys) -> None:
    init(capsys, tmp_path, "venue")
    home = tmp_path / "venue"
    config = load(home / "node.toml", {})
    for path in (home / "governance.key", *(config.keys / f"{name}.key" for name in ("attestation", "transport"))):
        assert path.stat().st_mode & 0o777 == 0o600
    for path in (home, config.data_dir, config.keys):
        assert path.stat().st_mode & 0o777 == 0o700
    found_mark = mark.read(config.mark)
    attestation = keys.load_signer(config.keys / "attestation.key", keys.Purpose.ATTESTATION)
    assert found_mark == mark.nothing_signed(attestation.public, 1)
    assert not (config.keys / "governance.key").exists()


def test_init_never_writes_into_a_directory_in_use(tmp_path: Path, capsys: Capsys) -> None:
    init(capsys, tmp_path, "venue")
    before = (tmp_path / "venue" / "governance.key").read_bytes()
    again = run(capsys, "init", "venue", "--dir", tmp_path / "venue")
    assert again.code == 1
    assert "no key is overwritten" in again.err
    assert (tmp_path / "venue" / "governance.key").read_bytes() == before


def test_init_says_every_bad_word_at_once(tmp_path: Path, capsys: Capsys) -> None:
    ran = run(capsys, "init", "Venue One", "--dir", tmp_path / "x", "--addr", "nowhere", "--evm", "0x12")
    assert ran.code == 1
    for says in ("'Venue One' is no name", "'nowhere' is no TCP multiaddr", "'0x12' is no address"):
        assert says in ran.err
    assert not (tmp_path / "x").exists()


def test_create_says_every_bad_word_at_once_and_writes_nothing(tmp_path: Path, capsys: Capsys) -> None:
    init(capsys, tmp_path, *NAMES)
    ran = create(capsys, tmp_path, "--source", "x=y", "--lease", "isolat=2h", "--lease", "halt=soon")
    assert ran.code == 1
    for says in ("has 2 parts between =", "did you mean 'isolate'?", "'soon' is no duration"):
        assert says in ran.err
    assert not (tmp_path / "charter.toml").exists()


def test_delays_and_terms_are_written_as_words_of_the_command(tmp_path: Path, capsys: Capsys) -> None:
    init(capsys, tmp_path, *NAMES)
    ran = create(capsys, tmp_path, "--delay", "chnge=1d", "--seat", "term=long")
    assert ran.code == 1
    assert "'chnge' is none of change, loosen" in ran.err and "'long' is no duration" in ran.err
    words = ("--delay", "change=2d", "--delay", "loosen=9d", "--seat", "silence=12h")
    assert create(capsys, tmp_path, *words).code == 0
    text = (tmp_path / "charter.toml").read_text()
    for line in ('change = "2d"', 'loosen = "9d"', 'silence = "12h"', 'term = "365d"'):
        assert line in text


def test_a_charter_too_loose_is_never_written(tmp_path: Path, capsys: Capsys) -> None:
    init(capsys, tmp_path, *NAMES)
    ran = create(capsys, tmp_path, "--threshold", "isolate=Q - 1", "--lease", "isolate=7h")
    assert ran.code == 1
    assert "ISOLATE needs 2 of 4 groups" in ran.err
    assert "lease.isolate: 7h is out of bounds" in ran.err
    assert not (tmp_path / "charter.toml").exists()


def test_a_charter_is_not_overwritten(tmp_path: Path, capsys: Capsys) -> None:
    init(capsys, tmp_path, *NAMES)
    assert create(capsys, tmp_path).code == 0
    before = (tmp_path / "charter.toml").read_text()
    assert create(capsys, tmp_path).code == 1
    assert (tmp_path / "charter.toml").read_text() == before


def test_an_unsigned_charter_fails_the_check_and_names_who_is_missing(tmp_path: Path, capsys: Capsys) -> None:
    init(capsys, tmp_path, *NAMES)
    create(capsys, tmp_path)
    ran = run(capsys, "charter", "check", tmp_path / "charter.toml")
    assert ran.code == 1
    assert "4 faults" in ran.err
    assert "founder venue: has not signed; venue runs `tocsin charter sign" in ran.err


def test_a_stranger_cannot_sign(tmp_path: Path, capsys: Capsys) -> None:
    init(capsys, tmp_path, *NAMES, "stranger")
    create(capsys, tmp_path)
    ran = run(capsys, "charter", "sign", tmp_path / "charter.toml", "--dir", tmp_path / "stranger")
    assert ran.code == 1
    assert "stranger has no seat" in ran.err


def test_a_governance_key_that_others_can_read_does_not_sign(tmp_path: Path, capsys: Capsys) -> None:
    init(capsys, tmp_path, *NAMES)
    create(capsys, tmp_path)
    (tmp_path / "venue" / "governance.key").chmod(0o644)
    ran = run(capsys, "charter", "sign", tmp_path / "charter.toml", "--dir", tmp_path / "venue")
    assert ran.code == 1
    assert "chmod 600" in ran.err


@pytest.mark.parametrize("verb", ["check", "show", "sign"])
@pytest.mark.parametrize("raw", [b"", b"\xff", b"= = =", b"charter = 1\n[[member]]\nname = 3\n"])
def test_a_file_that_is_no_charter_is_told_in_words(tmp_path: Path, capsys: Capsys, verb: str, raw: bytes) -> None:
    init(capsys, tmp_path, "venue")
    path = tmp_path / "charter.toml"
    path.write_bytes(raw)
    words = ["--dir", tmp_path / "venue"] if verb == "sign" else []
    ran = run(capsys, "charter", verb, path, *words)
    assert ran.code == 1
    assert str(path) in ran.err
    assert path.read_bytes() == raw


def test_a_fresh_key_is_delegated_and_the_old_one_kept_aside(tmp_path: Path, capsys: Capsys) -> None:
    charter = found(capsys, tmp_path)
    home = tmp_path / "venue"
    (home / "charter.toml").write_text(charter.read_text())
    ran = run(capsys, "restore", "--fresh-key", "--config", home / "node.toml", "-o", "json")
    assert ran.json == {"key_version": 2, "moved_aside": None}
    found_mark = mark.read(home / "data" / "mark.cbor")
    assert found_mark is not None
    assert (found_mark.key_version, found_mark.seq) == (2, mark.NOTHING_SIGNED)
    assert list((home / "data" / "keys").glob("attestation.key.retired*"))
    assert "KeySet 2" in run(capsys, "doctor", "--config", home / "node.toml").out


def test_another_members_governance_key_restores_nothing(tmp_path: Path, capsys: Capsys) -> None:
    charter = found(capsys, tmp_path)
    home = tmp_path / "venue"
    (home / "charter.toml").write_text(charter.read_text())
    before = (home / "data" / "keys" / "attestation.key").read_bytes()
    theirs = tmp_path / "issuer" / "governance.key"
    ran = run(capsys, "restore", "--fresh-key", "--governance-key", theirs, "--config", home / "node.toml")
    assert ran.code == 1
    assert "is not the governance key of venue" in ran.err
    assert (home / "data" / "keys" / "attestation.key").read_bytes() == before


def test_backup_and_restore_go_round_without_a_node(tmp_path: Path, capsys: Capsys) -> None:
    from node.store import Store

    charter = found(capsys, tmp_path)
    home = tmp_path / "venue"
    (home / "charter.toml").write_text(charter.read_text())
    Store.open(home / "data" / "store.sqlite").close()
    config = ("--config", home / "node.toml")
    assert run(capsys, "backup", tmp_path / "b.sqlite", *config).code == 0
    assert run(capsys, "backup", tmp_path / "b.sqlite", *config).code == 1
    refused = run(capsys, "restore", tmp_path / "b.sqlite", *config)
    assert refused.code == 1
    assert "--move-aside" in refused.err
    assert run(capsys, "restore", tmp_path / "b.sqlite", "--move-aside", *config).code == 0


def test_a_member_that_nobody_can_dial_has_no_address_and_a_charter_that_says_so(
    tmp_path: Path, capsys: Capsys
) -> None:
    init(capsys, tmp_path, *NAMES[1:])
    assert run(capsys, "init", NAMES[0], "--dir", tmp_path / NAMES[0], "--addr", "none").code == 0
    assert load(tmp_path / NAMES[0] / "node.toml", {}).listen is None
    assert create(capsys, tmp_path, "--source", "a-home=lender-a=eip155:1").code == 0
    for name in NAMES:
        assert run(capsys, "charter", "sign", tmp_path / "charter.toml", "--dir", tmp_path / name).code == 0
    checked = run(capsys, "charter", "check", tmp_path / "charter.toml", "-o", "json")
    assert checked.json["ok"]
    assert any("no address of issuer: they must be the ones that dial" in note for note in checked.json["notes"])


def test_an_evm_key_made_here_stands_on_the_card(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run(capsys, "init", "venue", "--dir", tmp_path / "venue", "--evm", "new").code == 0
    path = tmp_path / "venue" / "data" / "keys" / "evm.key"
    address = evm_address_of(keys.load_secret(path, keys.Purpose.EVM).reveal())
    assert f'evm = "{address}"' in (tmp_path / "venue" / "card.toml").read_text()
    assert keys.key_path(tmp_path / "venue" / "data", keys.Purpose.LEVER).exists()  # which pays, and is another
