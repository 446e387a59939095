"""`python -m tests.bench api`: what a node's API serves, how late it tells, and what it costs an alarm."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from node.stream import STREAMS_MAX
from tests.bench.figures import beside
from tests.bench.network_figures import percentiles, ratio

GOALS = {"alarm_ratio_p50": 1.1}
RUN_S_MAX = 600


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--members", type=int, default=4)
    parser.add_argument("--alarms", type=int, default=15, help="in each round")
    parser.add_argument("--rounds", type=int, default=5, help="quiet and loaded, in turn")
    parser.add_argument("--streams", type=int, default=STREAMS_MAX, help="under load; a third of them never reads")
    parser.add_argument("--floods", type=int, default=6, help="connections that ask without a pause, under load")
    parser.add_argument("--only-load", action="store_true", help="alarms quiet and under load, and nothing else")


def run(asked: argparse.Namespace) -> int:
    """0: every goal is met. 1: not so, or the network did not come up (in one line)."""
    job = {name: getattr(asked, name) for name in ("members", "alarms", "rounds", "streams", "floods", "only_load")}
    load_before = round(os.getloadavg()[0], 1)
    command = [sys.executable, "-m", "tests.bench.api_job", json.dumps(job)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=RUN_S_MAX, check=False)
    if done.returncode:
        sys.stderr.write("bench: the network did not do what was asked; see above\n")
        return 1
    found = figures(json.loads(done.stdout.splitlines()[-1])) | {"load_before": load_before, **job}
    sys.stdout.write((json.dumps(found) if asked.output == "json" else table(found)) + "\n")
    return 0 if all(one["met"] for one in found["goals"].values()) else 1


def figures(raw: Mapping[str, Any]) -> dict[str, Any]:
    """From times to figures. The ratios are medians over rounds side by side, each loaded one by the quiet one before
    it: a machine that is busy with something else is so for both."""
    quiet, loaded = raw["alarms"]["quiet_ms"], raw["alarms"]["loaded_ms"]
    found = {
        "cores": raw["cores"],
        "requests": {path: _request(one) for path, one in raw.get("requests", {}).items()},
        "events": {rate: _event(one) for rate, one in raw.get("events", {}).items()},
        "quiet_ms": percentiles([one for part in quiet for one in part]),
        "loaded_ms": percentiles([one for part in loaded for one in part]),
        "alarm_ratio_p50": _ratio(quiet, loaded, "p50"),
        "alarm_ratio_p95": _ratio(quiet, loaded, "p95"),
        "cpu_percent": raw["cpu_percent"],
        "load_answers": raw.get("load_answers", {}),
        "load_heard": raw.get("load_heard", 0),
    }
    return found | {"goals": beside(GOALS, found)}


def _request(one: Mapping[str, Any]) -> dict[str, float]:
    return {"per_s": one["per_s"], **percentiles(one["took_ms"])}


def _event(one: Mapping[str, Any]) -> dict[str, float]:
    return {"per_s": one["per_s"], **percentiles(one["late_ms"])}


def _ratio(quiet: Sequence[Sequence[float]], loaded: Sequence[Sequence[float]], rank: str) -> float | None:
    pairs = [ratio(percentiles(there).get(rank), percentiles(here).get(rank)) for here, there in zip(quiet, loaded)]
    known = [one for one in pairs if one is not None]
    return round(statistics.median(known), 2) if known else None


def table(found: Mapping[str, Any]) -> str:
    lines = [f"{found['members']} members, {found['rounds']} rounds of {found['alarms']} alarms, quiet and loaded", ""]
    lines.append(f"{'requests':<28}{'a second':>10}{'p50 ms':>10}{'p99 ms':>10}")
    for path, one in found["requests"].items():
        lines.append(f"{path:<28}{one['per_s']:>10,}{one.get('p50', 0):>10.1f}{one.get('p99', 0):>10.1f}")
    lines += ["", f"{'durable to received, at':<28}{'a second':>10}{'p50 ms':>10}{'p99 ms':>10}"]
    for rate, one in found["events"].items():
        lines.append(f"{rate + ' wanted':<28}{one['per_s']:>10,}{one.get('p50', 0):>10.1f}{one.get('p99', 0):>10.1f}")
    lines += ["", f"{'certificate on all':<28}{'p50 ms':>10}{'p95 ms':>10}{'CPU %':>10}"]
    for name in ("quiet", "loaded"):
        got = found[f"{name}_ms"]
        lines.append(f"{name:<28}{got['p50']:>10.1f}{got['p95']:>10.1f}{found['cpu_percent'][name]:>10.1f}")
    goal = found["goals"]["alarm_ratio_p50"]
    verdict = "met" if goal["met"] else "MISSED"
    lines.append(f"loaded ÷ quiet: p50 {goal['got']} (goal {goal['goal']}, {verdict}), p95 {found['alarm_ratio_p95']}")
    answers = ", ".join(f"{status} {times:,}" for status, times in sorted(found["load_answers"].items()))
    lines += ["", f"the load heard {found['load_heard']:,} happenings and was answered {answers or 'nothing'}"]
    lines.append(f"load average before: {found['load_before']}")
    return "\n".join(lines)
