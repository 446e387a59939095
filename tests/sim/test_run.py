"""The simulator itself: one number is one run, less is still the same run, and it can fail."""

from __future__ import annotations

from dataclasses import replace
from unittest import mock

import pytest

from protocol.membership import Epoch
from tests.sim import regressions
from tests.sim.cli import main
from tests.sim.many import run_many
from tests.sim.memo import shared_parsing
from tests.sim.run import Case, deed_numbers, options_of, play
from tests.sim.shrink import shrink

CASE = Case(3, 4)


def test_one_number_is_one_run() -> None:
    assert play(CASE).trace_hash == play(CASE).trace_hash


def test_shared_parsing_changes_nothing_but_the_time() -> None:
    with shared_parsing():
        shared = play(CASE)
    assert shared.trace_hash == play(CASE).trace_hash


def test_another_number_is_another_run() -> None:
    assert play(CASE).trace_hash != play(replace(CASE, seed=4)).trace_hash


def test_what_is_taken_away_does_not_happen() -> None:
    names = tuple(sorted(options_of(CASE).faults))
    left = play(replace(CASE, without=names)).coverage
    assert not set(names) & set(left)


def test_a_deed_that_is_left_out_leaves_the_others_where_they_were() -> None:
    numbers = deed_numbers(CASE)
    assert deed_numbers(replace(CASE, deeds=numbers[1:])) == numbers[1:]


def test_a_lowered_threshold_is_found_and_made_small() -> None:
    """What no build may ship, shipped for a moment: the search finds it, and shortens what it found."""
    lowered = property(lambda epoch: dict.fromkeys(epoch.formulas, 1))
    with mock.patch.object(Epoch, "thresholds", lowered):
        found = next(case for case in (Case(seed, 4) for seed in range(1, 40)) if play(case).violations)
        small = shrink(found)
        wanted = play(found).violations[0].invariant
        assert any(one.invariant == wanted for one in play(small).violations)
    assert len(options_of(small).faults) < max(1, len(options_of(found).faults))
    assert len(deed_numbers(small)) <= len(deed_numbers(found))


def test_what_leaves_a_machine_is_a_violation() -> None:
    with mock.patch("node.machine.core.heads.judge_readiness", side_effect=ZeroDivisionError("planted")):
        assert play(CASE).violations[0].invariant.startswith("X0")


def test_a_kept_case_is_read_as_it_was_written(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regressions, "KEPT", tmp_path)
    monkeypatch.setattr(regressions, "_shown", str)
    case = Case(5, 7, ("loss",), (0, 2))
    regressions.keep(case, "S1")
    assert [found for _, found in regressions.kept()] == [case]


def test_many_seeds_are_counted_and_some_are_run_again() -> None:
    tally = run_many([Case(seed, 4) for seed in (99, 100, 101)], workers=1)
    told = tally.as_json()
    assert (told["seeds"], told["violations"], told["run_again_with_equal_traces"]) == (3, [], 1)


def test_one_seed_is_told_as_a_story(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seed", "3", "--members", "4"]) == 0
    assert "comes true" in capsys.readouterr().out


def test_a_wrong_size_is_refused_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--members", "5"])
    assert "4, 7, 13, 31 or mix" in capsys.readouterr().err
