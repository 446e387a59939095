"""What the command line says to people: whole sentences, and commands that can be pasted as they stand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.test_commands import ALERT, ID, STATUS, Capsys
from tests.unit.cli.world import FakeNode, run
from tests.unit.governance.world import founded


def test_a_fresh_nodes_status_is_told_in_words(node: FakeNode, capsys: Capsys) -> None:
    fresh = {**STATUS, "skew_ms": None, "alerts": 1, "actions": 0, "proposals": 2}
    node.answers["GET", "/status"] = (200, fresh)
    ran = run(capsys, "status", "--config", node.config)
    assert "  clock not held against the members' median\n" in ran.out
    assert "  1 alert, 0 actions, 2 proposals\n" in ran.out
    node.answers["GET", "/status"] = (200, STATUS)
    assert "  clock 3 ms from the members' median\n" in run(capsys, "status", "--config", node.config).out


def test_what_nobody_has_seen_comes_with_the_command_to_paste(node: FakeNode, capsys: Capsys) -> None:
    node.answers["GET", f"/alerts/{ID[:8]}"] = (200, ALERT)
    ran = run(capsys, "alert", "show", ID[:8], "--config", node.config)
    assert f"  seen by nobody yet: tocsin alert ack {ID[:12]}\n" in ran.out


def test_who_released_is_shown_and_what_was_released_has_no_time_left(node: FakeNode, capsys: Capsys) -> None:
    (word,) = ALERT["opinions"]
    over = [{"member": "a", "through_ms": 1_796_062_125_000}]
    told = {**ALERT, "opinions": [{**word, "released": True}], "releases": over, "release_needed": 3}
    node.answers["GET", f"/alerts/{ID[:8]}"] = (200, told)
    ran = run(capsys, "alert", "show", ID[:8], "--config", node.config)
    assert "  said to be over by a 30 Nov 18:08:45 (3 groups end it)\n" in ran.out
    (row,) = [line for line in ran.out.splitlines() if "VERIFIED" in line]
    assert " released " in row and " more" not in row


def test_a_missing_file_is_named_with_what_makes_it(
    tmp_path: Path, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for words, file, maker in (
        (("status",), "node.toml", "tocsin init"),
        (("drill", "score"), "drill.toml", "tocsin drill init"),
    ):
        ran = run(capsys, *words)
        assert ran.code == 1 and ran.err.count("\n") == 1
        assert f"{tmp_path / file}: cannot be read: No such file" in ran.err and f"make one with `{maker}`" in ran.err
    told = run(capsys, "doctor").out
    assert told.startswith(f"FAULT  config   {tmp_path / 'node.toml'}: cannot be read: No such file")


def test_one_fault_is_one_fault(tmp_path: Path, capsys: Capsys) -> None:
    (tmp_path / "mine.csv").write_text("nme,asset,usd\nlend,rs,1\n")
    ran = run(capsys, "replay", "forged-bridge-release", "--exposure", tmp_path / "mine.csv")
    assert f"{tmp_path / 'mine.csv'}: 1 fault:\n  line 1: " in ran.err


def test_who_holds_a_chain_against_a_charter_is_told_what_it_takes(
    tmp_path: Path, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "network.cbor").write_bytes(b"\xa0")
    assert (
        "name it with --charter; a chain of epochs is checked with --from HASH"
        in run(capsys, "verify", "network.cbor").err
    )
    (tmp_path / "charter.toml").write_text(founded())
    assert "A chain of epochs is checked with --from HASH" in run(capsys, "verify", "network.cbor").err


def test_a_proposal_shows_the_whole_id_that_a_machine_without_a_network_takes(
    node: FakeNode, capsys: Capsys, tmp_path: Path
) -> None:
    node.answers["GET", f"/proposals/{ID[:8]}"] = (200, {"id": ID, "sentences": ["suspend c."], "ballots": []})
    assert f"without a network: {ID}\n" in run(capsys, "vote", "show", ID[:8], "--config", node.config).out
    (tmp_path / "charter.toml").write_text(founded())
    run(capsys, "init", "a", "--dir", tmp_path / "a", "--addr", "/ip4/127.0.0.1/tcp/4001")
    key = tmp_path / "a" / "governance.key"
    words = ("--member", "a", "--governance-key", key, "--charter", tmp_path / "charter.toml")
    ran = run(capsys, "vote", "sign", ID[:8], "yes", *words, "--out", "ballot.cbor")
    assert ran.code == 2 and "copy it whole, as `tocsin vote show` prints it" in ran.err


def test_who_is_heard_is_a_word(node: FakeNode, capsys: Capsys) -> None:
    seats = [{"name": name, "group": name, "heard": name == "a", "stands": "sits", "key_version": 1} for name in "ab"]
    node.answers["GET", "/network"] = (200, {"members": seats})
    heard = [line.split()[2] for line in run(capsys, "member", "list", "--config", node.config).out.splitlines()[-2:]]
    assert heard == ["yes", "no"]
