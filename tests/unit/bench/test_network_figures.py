"""The pure half of the network bench: what becomes of times, and when a goal counts as missed."""

from __future__ import annotations

from typing import Any

import pytest

from node.testnet.follow import Happening
from tests.bench.network_figures import acceptances, kept_up, lags, missed, percentiles, ratio, spans, sustained
from tests.bench.network_table import table


def said(at_ms: float, subject: str, own: bool) -> Happening:
    return {"kind": "attestation", "at_ms": at_ms, "subject": subject, "own": own}


def certified(at_ms: float, subject: str, level: str = "ISOLATE") -> Happening:
    return {"kind": "certificate", "at_ms": at_ms, "subject": subject, "level": level}


def result(**changes: Any) -> dict[str, Any]:
    """A run on loopback that met everything, unless changed."""
    met: dict[str, Any] = {
        "members": 7,
        "delay_ms": 0.0,
        "jitter_percent": 0.0,
        "loss_percent": 0.0,
        "load_before": 0.1,
        "certificate_on_all_ms": {"p50": 15.0, "p95": 30.0, "p99": 50.0},
        "bound_ms": 0.4,
        "ratio_to_bound": 37.5,
        "floor_ms": 6.0,
        "floor_p99_ms": 9.0,
        "ratio_to_floor": 2.5,
        "js_ms": None,
        "js_reason": "node is not installed",
        "ratio_to_js": None,
        "cpu_ms_per_entry": 0.3,
        "catch_up_certificates_per_s": 1200.0,
        "idle_cpu_percent": 0.5,
        "idle_pss_mb": 110.0,
        "storm_ms": None,
    }
    return met | changes


def test_percentiles_are_by_nearest_rank() -> None:
    assert percentiles(list(range(1, 101))) == {"p50": 50, "p95": 95, "p99": 99}
    assert percentiles([7.0]) == {"p50": 7.0, "p95": 7.0, "p99": 7.0}
    assert percentiles([]) == {}


def test_a_ratio_to_nothing_is_unknown() -> None:
    assert ratio(3, 2) == 1.5
    assert ratio(3, None) is None
    assert ratio(3, 0) is None


def test_an_alarm_lasts_from_its_first_word_to_the_last_members_certificate() -> None:
    told = {
        "a": [said(10, "x", True), certified(14, "x", "GUARD"), certified(18, "x")],
        "b": [said(12, "x", False), said(13, "x", True), certified(25, "x"), certified(90, "x")],
    }
    assert spans(told, ["x"]) == [15]


def test_an_alarm_that_is_not_certified_everywhere_is_an_error() -> None:
    told = {"a": [said(10, "x", True), certified(18, "x")], "b": [certified(20, "x", "GUARD")]}
    with pytest.raises(RuntimeError, match="1 of 1 alarms did not reach everybody: x is on 1"):
        spans(told, ["x"])


def test_an_acceptance_is_one_entry_on_one_member() -> None:
    told = {"a": [said(1, "x", True), said(2, "x", False)], "b": [said(3, "x", True), certified(4, "x")]}
    assert acceptances(told) == 3


def test_a_lag_ends_with_the_last_entry_on_the_last_member_and_is_none_where_one_is_missing() -> None:
    everywhere = [said(5, "x", True), said(9, "x", False)]
    told = {"a": [*everywhere, said(30, "y", True)], "b": [*everywhere, said(31, "y", False), said(32, "y", True)]}
    assert lags(told, {"y": 20.0, "x": 1.0}) == [8.0, None]


def test_a_step_that_falls_behind_by_more_than_a_tenth_was_too_fast() -> None:
    steady = [40.0, 60.0, 45.0, 55.0, 50.0, 70.0]
    assert kept_up(steady, 2500)
    assert kept_up([*steady[:4], 180.0, 190.0], 2500)
    assert not kept_up([100.0, 200.0, 300.0, 400.0, 500.0, 600.0], 2500)
    assert not kept_up([*steady, None], 2500)
    assert not kept_up([], 2500)


def test_sustained_is_the_best_rate_below_the_lowest_that_was_too_fast() -> None:
    def ramp(*steps: tuple[int, bool]) -> list[dict[str, Any]]:
        return [{"entries_per_s": rate, "kept_up": kept} for rate, kept in steps]

    assert sustained(ramp((28, True), (56, True), (112, False), (84, True))) == 84
    assert sustained(ramp((28, True), (56, True), (112, False), (84, False))) == 56
    assert sustained(ramp((28, False), (56, True))) is None


def test_on_loopback_the_machine_is_the_measure() -> None:
    assert missed(result()) == []
    slow = {"p50": 30.0, "p95": 40.0, "p99": 50.0}
    assert missed(result(certificate_on_all_ms=slow)) == [
        {"figure": "certificate on all, p50 ms", "goal": 20.0, "got": 30.0, "by": 1.5}
    ]


def test_far_apart_the_bound_is_the_measure() -> None:
    far = result(delay_ms=50.0, bound_ms=100.0, certificate_on_all_ms={"p50": 128.0, "p95": 150.0, "p99": 250.0})
    assert [(one["figure"], one["by"]) for one in missed(far)] == [("p99 ÷ bound", 1.25)]


def test_where_packets_are_lost_only_the_last_percent_is_asked_for() -> None:
    spread = {"p50": 180.0, "p95": 260.0, "p99": 290.0}
    lossy = result(delay_ms=50.0, loss_percent=5.0, bound_ms=100.0, certificate_on_all_ms=spread)
    assert missed(lossy) == []
    assert missed(lossy | {"loss_percent": 20.0}) == []


def test_a_rate_below_its_goal_is_missed_by_the_part_that_it_reached() -> None:
    assert [one["by"] for one in missed(result(catch_up_certificates_per_s=250.0))] == [0.25]


def test_what_was_not_measured_is_not_missed() -> None:
    assert missed(result(idle_cpu_percent=None, catch_up_certificates_per_s=None)) == []


def test_a_part_that_failed_is_missed_and_says_why() -> None:
    broken = result(failed={"storm of 16": "no mesh"})
    assert [(one["figure"], one["why"]) for one in missed(broken)] == [("storm of 16", "no mesh")]
    assert "storm of 16: FAILED: no mesh" in table([broken])


def test_the_table_says_by_how_much_a_goal_is_missed_and_why_a_peer_is_absent() -> None:
    shown = table([result(cpu_ms_per_entry=0.7)])
    assert "MISSED by 0.35: 2.00 of it" in shown
    assert "node is not installed" in shown
