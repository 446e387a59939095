"""From a node's durable certificate to its lever's transaction in a chain's pool, per lever, on contracts of others.

The story `--targets real` is played until its levers have acted; a tap before each chain notes when it took which
transaction. What a person has to approve or owners to sign is counted nowhere here."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from node.testnet.timings import moves_by_itself, opened_on

GOAL_MS = 1_000
PLAYED_S = 20.0
"""By then every lever that a certificate moves has been sent."""


@dataclass(frozen=True)
class Options:
    """What `node.testnet.options` asks for."""

    members: int
    seed: int
    chain: str
    scenario: str = "forged-bridge-release"
    check: bool = True
    output: str = "json"
    keep: None = None
    opinions: None = None
    kill: int | None = 0
    expect_blind: bool = False
    delay_ms: int = 0
    speed: float = 1.0
    console: bool = False
    targets: str = "real"
    packages: Path | None = None


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--members", type=int, default=7)
    parser.add_argument("--runs", type=int, default=10, help="networks, each with another seed; about 50 s each")
    parser.add_argument("--chain", choices=("embedded", "anvil"), default="embedded")
    parser.add_argument("--targets", choices=("own", "real"), default="real")


def run(asked: argparse.Namespace) -> int:
    """0: the goal is met by all levers together."""
    import subprocess

    found: dict[str, list[float]] = {}
    for seed in range(1, asked.runs + 1):
        job = json.dumps([asked.members, seed, asked.chain, asked.targets])
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.levers", job], capture_output=True, text=True, timeout=200, check=False
        )
        if done.returncode:
            sys.stderr.write(f"bench: seed {seed}: {done.stderr.strip()[-500:]}\n")
            continue
        for lever, spent_ms in json.loads(done.stdout.splitlines()[-1]):
            found.setdefault(lever, []).append(spent_ms)
    result = result_of(found, asked)
    sys.stdout.write((json.dumps(result) if asked.output == "json" else table(result)) + "\n")
    return 0 if result["met"] else 1


def result_of(found: dict[str, list[float]], asked: argparse.Namespace) -> dict[str, Any]:
    everything = [one for spent in found.values() for one in spent]
    whole = ranks(everything)
    return {
        "members": asked.members,
        "chain": asked.chain,
        "certificate_to_pool_ms": {name: ranks(spent) for name, spent in sorted(found.items())},
        "all": whole,
        "goal_ms": GOAL_MS,
        "met": bool(whole) and whole["p99"] <= GOAL_MS,
        "load_average": [round(one, 1) for one in os.getloadavg()],
    }


def ranks(values: Sequence[float]) -> dict[str, float]:
    """Nearest rank, ms; {} of nothing."""
    ordered, count = sorted(values), len(values)
    if not count:
        return {}
    at = {"p50": -(-count * 50 // 100), "p99": -(-count * 99 // 100), "max": count}
    return {name: round(ordered[max(0, rank - 1)], 1) for name, rank in at.items()} | {"count": count}


def table(result: dict[str, Any]) -> str:
    if not result["all"]:
        return "no network came to stand: nothing was measured"
    lines = [f"{'lever':34} {'p50':>7} {'p99':>7} {'max':>7}  times"]
    for name, one in [*result["certificate_to_pool_ms"].items(), ("all", result["all"])]:
        lines.append(f"{name:34} {one['p50']:7.0f} {one['p99']:7.0f} {one['max']:7.0f}  {one['count']}")
    met = "met" if result["met"] else "MISSED"
    return "\n".join([*lines, f"p99 ≤ {result['goal_ms']} ms: {met}; load {result['load_average']}"])


def spans(facts: Any, taken_ms: dict[str, float]) -> list[tuple[str, float]]:
    """(call, ms) of each lever that a certificate moved by itself: not asked about, and not held for objections."""
    found = []
    for role in facts.roles:
        told = facts.told[role.name]
        for one in (one for one in told if one["kind"] == "action" and moves_by_itself(role, one["rule"])):
            if one["phase"] == "sent" and one.get("reference") in taken_ms:
                since_ms = opened_on(told, one["key"])
                if since_ms is not None:
                    found.append((one["instance"].partition(":")[2], taken_ms[one["reference"]] - since_ms))
    return found


def _measured(members: int, seed: int, chain: str, targets: str) -> Sequence[tuple[str, float]]:
    """One network, in this process and its children."""
    import trio

    from node.testnet.zygote import fork_zygote

    zygote, asks, answers = fork_zygote()
    from node.testnet.processes import Processes
    from node.testnet.real.pack import realised
    from node.testnet.scenario import load
    from tests.bench.tapped import Tapped

    options = Options(members, seed, chain, targets=targets)
    scenario = load(options.scenario)
    with tempfile.TemporaryDirectory(prefix="b-") as folder:
        processes = Processes(zygote, asks, answers, Path(folder))
        supervisor = Tapped(options, realised(scenario) if targets == "real" else scenario, processes, Path(folder))
        try:
            facts = trio.run(supervisor.run)
        except BaseException:
            processes.close()
            raise
        return spans(facts, supervisor.taken_ms)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_measured(*json.loads(sys.argv[1]))) + "\n")
