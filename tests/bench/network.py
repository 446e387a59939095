"""The network alone: real node processes without chains, beside the two-delay bound, a floor of plain TCP on the same
ground in the same run, and js-libp2p's gossipsub where Node is installed."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.bench import namespaces
from tests.bench.floors import verification
from tests.bench.ground import Road
from tests.bench.network_figures import missed, percentiles, ratio, sustained
from tests.bench.network_table import table
from tests.bench.profile import hottest

JOB_S = 240
FLOOR_ROUNDS = 12
LOSSY_ROUNDS = 8
FLOOR_STORMS = 5
JS_ROUNDS = 10
JS_STORMS = 5
STORM_MEMBERS = 16
STORMS = 7
AWAY_CERTIFICATES = 240
MEMBERS_LEAST, MEMBERS_MOST = 4, 32
DELAY_MS_MOST = 2_000
LOSS_MOST = 30.0
HOTTEST = 8
WHY_ALARMS = 10


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--members", type=_between(int, MEMBERS_LEAST, MEMBERS_MOST), default=7)
    parser.add_argument("--alarms", type=_between(int, 3, 200), default=60, help="one by one, each answered by all")
    parser.add_argument("--delay", type=_between(float, 0, DELAY_MS_MOST), default=0.0, metavar="MS", help="one way")
    parser.add_argument("--jitter", type=_between(float, 0, 100), default=0.0, metavar="PERCENT", help="of the delay")
    parser.add_argument("--loss", type=_between(float, 0, LOSS_MOST), default=0.0, metavar="PERCENT", help="of packets")
    parser.add_argument("--twice", action="store_true", help="say all on a second connection too, as a replay would")
    parser.add_argument("--storm", action="store_true", help=f"also {STORM_MEMBERS} nodes that attest at once")
    parser.add_argument("--quick", action="store_true", help="alarms one by one, and no more")
    parser.add_argument(
        "--table", action="store_true", help="loopback with storm, then 50 ms, then 50 ms and 5 %% loss"
    )
    parser.add_argument("--profile", default="", metavar="FOLDER", help="leave the CPU profiles of two members there")


def _between(kind: Callable[[str], float], least: float, most: float) -> Callable[[str], float]:
    def number(text: str) -> float:
        got = kind(text)
        if not least <= got <= most:
            raise argparse.ArgumentTypeError(f"{text} is outside {least} to {most}")
        return got

    return number


def run(asked: argparse.Namespace) -> int:
    """0: every goal that was measured is met. 1: not so, or this machine cannot do what was asked (in one line)."""
    if asked.loss and (refusal := namespaces.refusal()):
        sys.stderr.write(f"bench: no loss here: {refusal}\n")
        return 1
    try:
        results = _results(asked)
    except RuntimeError as error:
        sys.stderr.write(f"bench: {error}\n")
        return 1
    shown = results if asked.table else results[0]
    sys.stdout.write((json.dumps(shown) if asked.output == "json" else table(results)) + "\n")
    return 1 if any(one["missed"] for one in results) else 0


def _progress(text: str) -> None:
    sys.stderr.write(text + "\n")


def _silent(text: str) -> None:
    """Whoever reads JSON waits for it."""


def _results(asked: argparse.Namespace) -> list[dict[str, Any]]:
    say = _progress if asked.output == "human" else _silent
    if not asked.table:
        road = Road(asked.delay, asked.jitter, asked.loss, asked.twice)
        return [measure(asked.members, asked.alarms, road, asked.storm, asked.quick, say, asked.profile)]
    results = [measure(asked.members, asked.alarms, Road(), True, False, say)]
    results.append(measure(asked.members, asked.alarms, Road(50), False, True, say))
    if refusal := namespaces.refusal():
        say(f"bench: no loss here: {refusal}")
    else:
        results.append(measure(asked.members, asked.alarms // 2, Road(50, 0, 5), False, True, say))
    return results


def measure(
    members: int, alarms: int, road: Road, storm: bool, quick: bool, say: Callable[[str], None], profile: str = ""
) -> dict[str, Any]:
    """Everything on one ground. The floor is measured before and after the nodes, as the machine changes under us."""
    said = f"{members} members, {road.delay_ms:g} ms, {road.loss_percent:g} % loss"
    load_before, before = round(os.getloadavg()[0], 2), _cpu_s()
    here = {"members": members, "road": asdict(road)}
    say(f"{said}: floor")
    verify_ms = verification()["p50"]
    rounds = LOSSY_ROUNDS if road.loss_percent else FLOOR_ROUNDS
    floor = _job("mesh_floor", mode="answer", count=rounds, **here)["span_ms"]
    say(f"{said}: {alarms} alarms")
    ran = _job("network_job", kind="alarms", count=alarms, quick=quick, **here)
    floor += _job("mesh_floor", mode="answer", count=rounds, **here)["span_ms"]
    say(f"{said}: js-libp2p")
    js = _gossipsub("answer", min(rounds, JS_ROUNDS), here)
    result = _alarm_figures(members, road, verify_ms, ran, floor, js) | {"load_before": load_before}
    parts: list[tuple[str, Callable[[], dict[str, Any]]]] = []
    if storm:
        parts.append((f"storm of {STORM_MEMBERS}", lambda: _storm(road)))
    if not quick:
        parts.append((f"{members} members: one is idle, away and back", lambda: _catch_up(members)))
    for name, part in parts:
        say(name)
        try:
            result |= part()
        except RuntimeError as error:  # what the others found is still true
            result["failed"][name] = str(error)
    result |= {"others_cpu_percent": _others_percent(before), "missed": missed(result), "profile": []}
    if result["missed"] and (profile or not quick):
        say("why: a profile")
        result["profile"] = _why(here, profile)
    return result


def _why(here: dict[str, Any], folder: str) -> list[str]:
    """Where two members' CPU went, in a network of its own: a profile slows what it looks at."""
    with tempfile.TemporaryDirectory() as place:
        kept = Path(folder) if folder else Path(place)
        try:
            _job("network_job", kind="alarms", count=WHY_ALARMS, quick=True, profile=str(kept.resolve()), **here)
            return hottest(str(kept), HOTTEST)
        except RuntimeError as error:
            return [f"no profile: {error}"]


def _cpu_s() -> tuple[float, float, float]:
    """(now, seconds of CPU that the machine was busy, of them ours: children that have ended)."""
    fields = [int(one) for one in Path("/proc/stat").read_text("utf-8").split("\n", 1)[0].split()[1:]]
    busy = sum(fields[:8]) - fields[3] - fields[4]
    used = os.times()
    ours = used.user + used.system + used.children_user + used.children_system
    return time.monotonic(), busy / os.sysconf("SC_CLK_TCK"), ours


def _others_percent(before: tuple[float, float, float]) -> float:
    """What else ran, in percent of the machine: it made these figures worse."""
    spent_s, busy_s, ours_s = (now - then for now, then in zip(_cpu_s(), before))
    return round(max(0.0, busy_s - ours_s) / spent_s / (os.cpu_count() or 1) * 100, 1)


def _alarm_figures(
    members: int, road: Road, verify_ms: float, ran: dict[str, Any], floor: list[float], js: dict[str, Any]
) -> dict[str, Any]:
    quorum = members - (members - 1) // 3
    got = percentiles(ran["alarm_ms"])
    bound_ms = round(2 * road.delay_ms + quorum * verify_ms, 2)
    lowest, js_ms = percentiles(floor), percentiles(js.get("quorum", ())).get("p50")
    floor_ms = lowest["p50"]
    burst_ms = ran.get("burst_cpu_ms_per_entry")
    sent = ran.get("bytes_per_entry")
    return {
        "members": members,
        "delay_ms": road.delay_ms,
        "jitter_percent": road.jitter_percent,
        "loss_percent": road.loss_percent,
        "twice": road.twice,
        "certificate_on_all_ms": got,
        "bound_ms": bound_ms,
        "ratio_to_bound": ratio(got["p50"], bound_ms),
        "floor_ms": floor_ms,
        "floor_p99_ms": lowest["p99"],
        "ratio_to_floor": ratio(got["p50"], floor_ms),
        "js_ms": js_ms,
        "js_reason": js.get("reason", ""),
        "ratio_to_js": ratio(got["p50"], js_ms),
        "verify_ms": verify_ms,
        "entries_per_s": sustained(ran.get("ramp", ())),
        "ramp": ran.get("ramp", []),
        "cpu_ms_per_entry": None if burst_ms is None else round(burst_ms, 3),
        "alarm_cpu_ms_per_entry": round(ran["alarm_cpu_ms_per_entry"], 3),
        "bytes_per_entry": None if sent is None else round(sent),
        "pss_mb_per_node": ran["pss_mb_per_node"],
        "catch_up_certificates_per_s": None,
        "idle_cpu_percent": None,
        "idle_pss_mb": None,
        "storm_ms": None,
        "failed": ran.get("failed", {}),
    }


def _storm(road: Road) -> dict[str, Any]:
    here = {"members": STORM_MEMBERS, "road": asdict(road)}
    floor_ms = percentiles(_job("mesh_floor", mode="storm", count=FLOOR_STORMS, **here)["span_ms"])["p50"]
    ran = _job("network_job", kind="storm", count=STORMS, **here)
    js = _gossipsub("storm", JS_STORMS, here)
    storm_ms, js_ms = percentiles(ran["storm_ms"])["p50"], percentiles(js.get("quorum", ())).get("p50")
    return {
        "storm_members": STORM_MEMBERS,
        "storm_ms": storm_ms,
        "storm_floor_ms": floor_ms,
        "storm_ratio_to_floor": ratio(storm_ms, floor_ms),
        "storm_js_ms": js_ms,
        "storm_js_all_ms": percentiles(js.get("all", ())).get("p50"),
        "storm_ratio_to_js": ratio(storm_ms, js_ms),
        "storm_js_reason": js.get("reason", ""),
        "storm_cpu_ms_per_entry": round(ran["storm_cpu_ms_per_entry"], 3),
    }


def _gossipsub(mode: str, count: int, here: dict[str, Any]) -> dict[str, Any]:
    """Its times, or {"reason": why there are none}: what is ours is worth showing without it."""
    try:
        return _job("js_mesh", mode=mode, count=count, **here)
    except RuntimeError as error:
        return {"reason": str(error)}


def _catch_up(members: int) -> dict[str, Any]:
    """On plain loopback, whatever the road: both are a matter of CPU."""
    ran = _job("network_job", kind="catch-up", count=AWAY_CERTIFICATES, members=members)
    back = ran["catch_up"]
    return {
        "catch_up_certificates_per_s": round(back["held"] / back["s"], 1) if back["s"] else 0.0,
        "catch_up": back | {"cpu_s": ran["catch_up_cpu_s"]},
        "idle_cpu_percent": ran["idle_cpu_percent"],
        "idle_pss_mb": ran["idle_pss_mb"],
    }


def _job(module: str, **job: Any) -> dict[str, Any]:
    """One job in an interpreter of its own. RuntimeError with the end of what it said where it fails."""
    command = [sys.executable, "-m", f"tests.bench.{module}", json.dumps(job)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=JOB_S, check=False)
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"{module} {job} took more than {JOB_S} s") from None
    if done.returncode != 0:
        raise RuntimeError(f"{module} {job} failed: {done.stderr.strip()[-1_500:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
