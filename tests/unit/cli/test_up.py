"""`up` and `testnet` hand over to modules that take seconds to import; here these are stand-ins."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from node.commands.running import TestnetOptions as Options
from node.keys import KeyFault
from tests.unit.cli.world import Ran, run

Capsys = pytest.CaptureFixture[str]


def stand_in(monkeypatch: pytest.MonkeyPatch, name: str, play: Callable[[Any], int]) -> None:
    module = ModuleType(name)
    module.run = play  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, name, module)


def up(tmp_path: Path, capsys: Capsys) -> Ran:
    config = tmp_path / "node.toml"
    config.write_text('node = 1\nmember = "a"\nlisten = "/ip4/127.0.0.1/tcp/4001"\n')
    return run(capsys, "up", "--config", config)


def raising(error: BaseException) -> Callable[[Any], int]:
    def play(_: Any) -> int:
        raise error

    return play


def test_up_hands_the_configuration_over_and_returns_its_code(
    tmp_path: Path, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, "node.app", lambda config: 7 if config.member == "a" else 0)
    assert up(tmp_path, capsys).code == 7


def test_a_known_fault_out_of_a_nursery_is_one_line(
    tmp_path: Path, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = KeyFault("no key is here", Path("x.key"), "Run `tocsin init`.")
    stand_in(monkeypatch, "node.app", raising(ExceptionGroup("nursery", [ExceptionGroup("inner", [fault])])))
    ran = up(tmp_path, capsys)
    assert (ran.code, ran.err) == (1, "tocsin: no key is here (x.key). Run `tocsin init`.\n")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), BaseExceptionGroup("nursery", [KeyboardInterrupt()])])
def test_ctrl_c_is_one_word(
    tmp_path: Path, capsys: Capsys, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    stand_in(monkeypatch, "node.app", raising(error))
    ran = up(tmp_path, capsys)
    assert (ran.code, ran.err) == (130, "tocsin: interrupted\n")


def test_a_fault_of_ours_names_its_place_and_shows_no_traceback(
    tmp_path: Path, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, "node.app", raising(ZeroDivisionError("odd")))
    ran = up(tmp_path, capsys)
    assert ran.code == 1
    assert "a fault of tocsin itself: ZeroDivisionError: odd (tests/unit/cli/test_up.py:" in ran.err


def test_the_local_network_gets_every_option(capsys: Capsys, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    got: list[Options] = []

    def play(options: Options) -> int:
        got.append(options)
        return 1

    stand_in(monkeypatch, "node.testnet.main", play)
    words = "testnet --members 13 --seed 5 --scenario x.toml --check -o json --kill 5 --expect-blind --delay 50"
    assert (
        run(
            capsys, *words.split(" "), "--speed", "2", "--chain", "anvil", "--keep", tmp_path, "--opinions", tmp_path
        ).code
        == 1
    )
    assert got == [Options(13, 5, "x.toml", True, "json", tmp_path, tmp_path, 5, True, 50, 2.0, "anvil")]


def test_who_expects_a_blind_network_need_not_know_how_many_that_takes(
    capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    got: list[int | None] = []

    def play(options: Options) -> int:
        got.append(options.kill)
        return 0

    stand_in(monkeypatch, "node.testnet.main", play)
    for members in ("4", "7", "20"):
        run(capsys, "testnet", "--members", members, "--expect-blind")
    run(capsys, "testnet")
    assert got == [2, 3, 7, None]
