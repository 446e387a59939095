"""`tocsin drill …` where no node runs: what is made, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from node.cli import main
from node.commands.founding import read_charter
from node.drill.mark import is_drill_of, name_for

NAMES = ("issuer", "lender", "venue", "oracle")


def run(*words: object) -> int:
    return main([str(one) for one in words])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four members of a signed network, each with a drill node beside its real one."""
    base = tmp_path_factory.mktemp("made")
    for name in NAMES:
        assert run("init", name, "--dir", base / name, "--addr", "none") == 0
    charter = base / "charter.toml"
    assert run("charter", "create", *(base / one / "card.toml" for one in NAMES), "--out", charter) == 0
    for name in NAMES:
        assert run("charter", "sign", charter, "--dir", base / name) == 0
    for name in NAMES:
        shutil.copy(charter, base / name / "charter.toml")
        config = base / name / "node.toml"
        assert run("drill", "init", "--addr", "/ip4/127.0.0.1/tcp/4101", "--config", config) == 0
    return base


@pytest.fixture
def base(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "base"))


def cards(base: Path, *names: str) -> list[Path]:
    return [base / name / "drill" / "card.toml" for name in names]


def found(base: Path, *names: str) -> int:
    out = base / "drill-charter.toml"
    return run("drill", "found", *cards(base, *names), "--charter", base / "charter.toml", "--out", out)


def test_a_drill_node_does_not_take_the_real_ones_address(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base, addr = tmp_path / "one", "/ip4/127.0.0.1/tcp/4102"
    run("init", "one", "--dir", base, "--addr", addr)
    run("charter", "create", base / "card.toml", "--out", base / "charter.toml")
    run("charter", "sign", base / "charter.toml", "--dir", base)
    assert run("drill", "init", "--addr", addr, "--config", base / "node.toml") == 2
    assert "is the real node's own address; name another port" in capsys.readouterr().err
    assert not (base / "drill").exists()
    assert run("drill", "init", "--addr", addr.replace("4102", "4202"), "--config", base / "node.toml") == 0


def test_a_drill_is_founded_and_signed_by_the_commands_of_any_network(base: Path) -> None:
    assert found(base, *NAMES) == 0
    for name in NAMES:
        assert run("charter", "sign", base / "drill-charter.toml", "--dir", base / name / "drill") == 0
    assert run("charter", "check", base / "drill-charter.toml") == 0
    real, drill = read_charter(base / "charter.toml"), read_charter(base / "drill-charter.toml")
    assert is_drill_of(drill.parameters.name, real.network)
    assert drill.network != real.network


def test_no_key_of_the_one_is_a_key_of_the_other(base: Path) -> None:
    keys = {path.read_bytes() for path in (base / "issuer" / "data").rglob("*.key")}
    drilled = {path.read_bytes() for path in (base / "issuer" / "drill").rglob("*.key")}
    assert keys and drilled and not keys & drilled


def test_a_drill_without_one_of_the_members_is_not_founded(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert found(base, "issuer", "lender", "venue") == 1
    assert "oracle has no seat there" in capsys.readouterr().err
    assert not (base / "drill-charter.toml").exists()


def test_the_real_networks_cards_make_no_drill(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    real = [base / name / "card.toml" for name in NAMES]
    assert run("drill", "found", *real, "--charter", base / "charter.toml", "--out", base / "x.toml") == 1
    assert "is a governance key of the real network" in capsys.readouterr().err


def test_a_second_drill_node_overwrites_nothing(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("drill", "init", "--addr", "/ip4/127.0.0.1/tcp/4102", "--config", base / "issuer" / "node.toml")
    assert run(*words) == 1
    assert "exists and is not overwritten" in capsys.readouterr().err


def test_a_drill_of_a_drill_is_refused(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found(base, *NAMES)
    for name in NAMES:
        run("charter", "sign", base / "drill-charter.toml", "--dir", base / name / "drill")
    shutil.copy(base / "drill-charter.toml", base / "issuer" / "drill" / "charter.toml")
    words = ("drill", "init", "--addr", "/ip4/127.0.0.1/tcp/4102", "--config", base / "issuer" / "drill.toml")
    capsys.readouterr()
    assert run(*words) == 1
    assert "is a drill node already" in capsys.readouterr().err


def test_no_real_network_is_founded_under_the_name_of_a_drill(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = name_for(read_charter(base / "charter.toml").network)
    card = base / "issuer" / "card.toml"
    assert run("charter", "create", card, "--out", base / "y.toml", "--name", name) == 2
    assert "is the name of a drill network" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["start", "ack", "score"])
def test_a_drill_needs_a_node_that_runs(verb: str, base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("eip155:1/erc20:0xa1290d69c65a6fe4df752f95823fae25cb99e5a7",) if verb == "start" else ()
    assert run("drill", verb, *words, "--config", base / "issuer" / "drill.toml") == 3
    assert "no node answers" in capsys.readouterr().err


def test_nobody_exercises_a_halt(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    subject = "eip155:1/erc20:0xa1290d69c65a6fe4df752f95823fae25cb99e5a7"
    config = ("--config", base / "issuer" / "drill.toml")
    assert run("drill", "start", subject, "bridge-forgery", "HALT", *config) == 2
    assert "people's judgement" in capsys.readouterr().err
