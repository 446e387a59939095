"""An alarm's way through real processes, timed by what the members themselves tell over their control sockets."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from node.testnet.chain_process import find_anvil
from tests.bench.figures import against_goals, percentiles, spans, table
from tests.bench.floors import floors

THREAT = "bridge-forgery"
NETWORK_S = 400


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--members", type=int, default=7)
    parser.add_argument("--alarms", type=int, default=30, help="of each kind")
    parser.add_argument("--drains", type=int, default=3, help="networks that act on one forged message each")
    parser.add_argument("--chain", choices=("embedded", "anvil", "both"), default="both")


def run(asked: argparse.Namespace) -> int:
    """0: every goal that was measured is met."""
    chains = ("embedded", "anvil") if asked.chain == "both" else (asked.chain,)
    result = measure(asked.members, asked.alarms, asked.drains, chains)
    sys.stdout.write((json.dumps(result) if asked.output == "json" else table(result)) + "\n")
    return 0 if all(one["met"] or one["got"] is None for one in result["goals"].values()) else 1


def network(**job: Any) -> dict[str, Any]:
    """One network in an interpreter of its own."""
    for last in (False, True):
        command = [sys.executable, "-m", "tests.bench.alarm_network", json.dumps({**job, "began": time.monotonic()})]
        done = subprocess.run(command, capture_output=True, text=True, timeout=NETWORK_S, check=False)
        if done.returncode == 0:
            break
        # a world that did not come to stand was not measured: once more, and only that
        if last or "SetupFailed" not in done.stderr:
            raise RuntimeError(f"the network {job} failed: {done.stderr.strip()[-2_000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(members: int, alarms: int, drains: int, chains: tuple[str, ...]) -> dict[str, Any]:
    """All figures. `chains`: which of embedded and anvil; anvil only where it is installed."""
    evidence: dict[str, Any] = {"embedded": None, "anvil": None}
    main: Mapping[str, Any] = {}
    for chain in chains:
        if chain == "anvil" and find_anvil() is None:
            continue
        ran = network(members=members, chain=chain, immediate=0 if main else alarms, forged=alarms)
        evidence[chain] = percentiles(spans(_of_threat(ran["told"]), ran["forged"]))
        main = main or ran
    effects = [network(members=members, chain=chains[0], drain=True)["drain"]["last_ms"] for _ in range(drains)]
    result = {
        "members": members,
        "alarms": alarms,
        "without_evidence_ms": percentiles(spans(_of_threat(main["told"]), main["immediate"])),
        "with_evidence_ms": evidence,
        "mined_to_last_effect_ms": percentiles(effects) or None,
        "mesh_up_s": main["mesh_up_s"],
        "pss_mb_total": main["pss_mb_total"],
        "idle_cpu_percent": main["idle_cpu_percent"],
        "load_average": [round(one, 1) for one in os.getloadavg()],
        "floors": floors(Path(tempfile.gettempdir())),
    }
    return result | {"goals": against_goals(result)}


def _of_threat(told: Mapping[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    return {name: [one for one in happenings if one.get("threat") == THREAT] for name, happenings in told.items()}
