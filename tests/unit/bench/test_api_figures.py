"""The pure half of the API bench: what becomes of times."""

from __future__ import annotations

from typing import Any

from tests.bench.api import figures, table


def raw(quiet: list[list[float]], loaded: list[list[float]]) -> dict[str, Any]:
    return {
        "cores": [[0], [1]],
        "requests": {"/v1/status": {"per_s": 700, "took_ms": [1.0, 2.0, 9.0]}},
        "events": {"10": {"per_s": 11.0, "late_ms": [1.0, 3.0]}},
        "alarms": {"quiet_ms": quiet, "loaded_ms": loaded},
        "cpu_percent": {"quiet": 3.5, "loaded": 12.0},
        "load_answers": {"200": 5, "429": 7},
        "load_heard": 40,
    }


def test_a_loaded_round_is_held_against_the_quiet_one_beside_it() -> None:
    found = figures(raw([[10.0], [100.0], [10.0]], [[11.0], [105.0], [30.0]]))
    assert found["alarm_ratio_p50"] == 1.1
    assert found["goals"]["alarm_ratio_p50"]["met"]


def test_a_missed_goal_is_told() -> None:
    found = figures(raw([[10.0]], [[15.0]]))
    assert not found["goals"]["alarm_ratio_p50"]["met"]
    shown = table(found | {"members": 4, "rounds": 1, "alarms": 1, "load_before": 0.1})
    assert "p50 1.5 (goal 1.1, MISSED)" in shown and "200 5, 429 7" in shown


def test_what_was_not_measured_is_not_shown_as_a_number() -> None:
    bare = {name: one for name, one in raw([[10.0]], [[10.0]]).items() if name not in ("requests", "events")}
    assert figures(bare)["requests"] == {} and figures(bare)["events"] == {}
