"""`python -m tests.bench hostile`: alarms over a network of real nodes, quiet and under each attack."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from node import watch
from node.machine import evolve
from node.testnet.zygote import import_everything
from protocol import feed
from tests.bench.hostile_figures import certificates, first_entries, missed, slope_mb_per_h, summary, table
from tests.integration.hostile.attacker import Attacker, begin
from tests.integration.hostile.lab import Alarm, Lab
from tests.integration.hostile.table import ATTACKS, MEMBER, STRANGER

EVERY_S = 0.35
QUIET_ALARMS, BETWEEN_ALARMS = 120, 5
WARM_S = 0.8
PATIENCE_S = 8.0
"""An alarm that is not certified everywhere that long after the last one's time is not certified."""
SOAK_S = 600.0
AT_ONCE = (
    "idle-sockets", "half-handshakes", "random-handshakes", "sybils",
    "bad-signatures", "member-flood", "endless-ranges", "gossip-flood",
)  # fmt: skip
"""As many of members as one seat has identities."""
EVERYTHING = "everything-at-once"
HANDSHAKES = ("half-handshakes", "plaintext-offers", "sybils")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--attacks", default="", help=f"comma-separated, of {', '.join(ATTACKS)}, {EVERYTHING}")
    parser.add_argument("--members", type=int, default=4, help="seats; f of them are the attackers'")
    parser.add_argument("--alarms", type=int, default=12, help="under each attack")
    parser.add_argument("--soak", type=float, default=SOAK_S, help="seconds of everything at once, for memory")


def run(asked: argparse.Namespace) -> int:
    """1 where a goal is missed."""
    wanted = [name for name in asked.attacks.split(",") if name] or [*ATTACKS, EVERYTHING]
    unknown = [name for name in wanted if name not in ATTACKS and name != EVERYTHING]
    if unknown or asked.members < 4:
        sys.stderr.write(f"bench: no attack {', '.join(unknown)}\n" if unknown else "bench: at least 4 members\n")
        return 2
    # before the forks: none of the children imports anything
    import_everything()
    small_tables()
    folder = Path(tempfile.mkdtemp(prefix="tocsin-hostile-"))
    bench = Bench(folder, asked.members, asked.alarms)
    try:
        result = bench.measure(wanted, asked.soak)
    finally:
        bench.close()
        if not os.environ.get("BENCH_KEEP"):
            shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(result) if asked.output == "json" else table(result))
    return 1 if result["missed"] else 0


def small_tables() -> None:
    """What is remembered of the past fills in seconds instead of an hour: what grows then is not bounded."""
    watch.RING, feed.WINDOW, evolve.SEEN_MAX = 256, 128, 1_024
    feed.WINDOW_BYTES, evolve.RELEASE_NAMES_MAX = 128 * 1024, 1_024


@dataclass
class Sample:
    """The honest nodes at one moment."""

    at_s: float
    cpu_s: dict[str, float]
    rss_mb: dict[str, float]
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(peer id or `strangers`, code) → how often, on all nodes together."""


class Bench:
    def __init__(self, folder: Path, members: int, alarms: int) -> None:
        cores = sorted(os.sched_getaffinity(0))
        self.honest_cores = cores[:1] if len(cores) > 1 else cores
        self.hostile_cores = cores[1:2] or cores
        self.lab = Lab(folder, members, (members - 1) // 3, self.honest_cores)
        self.alarms = alarms
        self.quiet: list[Alarm] = []
        self.attackers: list[Attacker] = []
        self.turn = 0

    def close(self) -> None:
        for one in self.attackers:
            one.child.kill()
        self.lab.close()

    def measure(self, wanted: Sequence[str], soak_s: float) -> dict[str, Any]:
        self.lab.up()
        self.lab.meshed()
        begun = self.sample()
        self.play_quiet(QUIET_ALARMS)
        idle = self.cpu_percent(begun, self.sample())
        found: dict[str, dict[str, Any]] = {}
        growth = None
        for name in wanted:
            if name == EVERYTHING:
                found[name], growth = self.everything(soak_s)
            else:
                found[name] = self.under([name], self.alarms)
            self.play_quiet(BETWEEN_ALARMS)
        self.lab.catch_up()
        quiet = {
            "alarms": len(self.quiet),
            "certificate_ms": summary(certificates(self.lab, self.quiet)),
            "first_entry_ms": summary(first_entries(self.lab, self.quiet)),
            "cpu_percent": idle,
        }
        for name, one in found.items():
            beside(name, one, quiet)
        result = {
            "members": len(self.lab.seats),
            "honest": len(self.lab.honest),
            "cores": {"honest": self.honest_cores, "attackers": self.hostile_cores},
            "quiet": quiet,
            "attacks": found,
            "rss_mb_per_h": growth,
            "handshake_cpu_ms": {one: found[one]["handshake_cpu_ms"] for one in HANDSHAKES if one in found},
            "host_rebuilds": self.rebuilds(),
            "load_average": [round(one, 1) for one in os.getloadavg()],
        }
        return result | {"missed": missed(result)}

    # --- playing

    def play_quiet(self, count: int) -> None:
        alarms = self.lab.alarms(count, EVERY_S)
        self.wait_for(alarms)
        self.quiet += alarms

    def wait_for(self, alarms: Sequence[Alarm]) -> None:
        """Until all are certified everywhere, or it has been long enough."""
        time.sleep(max(0.0, alarms[-1].at_ms / 1000 - time.time()))
        give_up_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < give_up_s:
            time.sleep(0.2)
            self.lab.catch_up()
            if len(self.lab.certified(alarms)) == len(alarms) or self.crashes():
                return

    def under(self, names: Sequence[str], count: int, while_soaking: Any = None) -> dict[str, Any]:
        before = self.sample()
        for name in names:
            self.attackers.append(begin(self.lab, name, self.identity(name), self.hostile_cores))
        time.sleep(WARM_S)
        begun = self.sample()
        alarms = self.lab.alarms(count, EVERY_S)
        if while_soaking is not None:
            while_soaking()
        self.wait_for(alarms)
        ended = self.sample()
        done: Counter[str] = Counter()
        for one in self.attackers:
            done.update(one.end())
        self.attackers.clear()
        took = certificates(self.lab, alarms)
        refused = ended.refused - before.refused
        honest = {seat.peer_id for seat in self.lab.honest}
        by_code: Counter[str] = Counter()
        of_honest: Counter[str] = Counter()
        for (peer, code), times in refused.items():
            by_code[code] += times
            if peer in honest:
                of_honest[code] += times
        return {
            "who": ATTACKS[names[0]].who if len(names) == 1 else "both",
            "flood": len(names) > 1 or ATTACKS[names[0]].flood,
            "certificate_ms": summary(took),
            "first_entry_ms": summary(first_entries(self.lab, alarms)),
            "uncertified": len(alarms) - len(took),
            "crashes": self.crashes(),
            "nodes": len(self.lab.nodes),
            "cpu_percent": self.cpu_percent(begun, ended),
            "rss_mb_more": round(max(ended.rss_mb[n] - before.rss_mb[n] for n in ended.rss_mb), 1),
            "refused": dict(sorted(by_code.items())),
            "refused_of_honest": dict(sorted(of_honest.items())),
            "dialled": done["dialled us"],
            "attacker_did": dict(sorted(done.items())),
            "_cost": (sum(ended.cpu_s.values()) - sum(begun.cpu_s.values()), ended.at_s - begun.at_s, refused),
        }

    def identity(self, name: str) -> int:
        """The next of the members' transport identities: those used last are still kept out for a while."""
        if ATTACKS[name].who == MEMBER:
            self.turn += 1
        return self.turn % (4 * len(self.lab.hostile))

    def everything(self, soak_s: float) -> tuple[dict[str, Any], float]:
        """All of AT_ONCE on one core. Memory is judged by the last part: buffers and tables fill in the first."""
        samples: list[Sample] = []

        def soak() -> None:
            ends_s = time.monotonic() + soak_s
            while time.monotonic() < ends_s:
                samples.append(self.sample(refusals=False))
                time.sleep(1.0)

        found = self.under(AT_ONCE, max(self.alarms, int(soak_s / EVERY_S)), soak)
        late = samples[len(samples) * 6 // 10 :]
        slopes = [slope_mb_per_h([(one.at_s, one.rss_mb[name]) for one in late]) for name in late[0].rss_mb]
        return found, max(slopes)

    # --- looking

    def sample(self, refusals: bool = True) -> Sample:
        found = Sample(time.monotonic(), {}, {})
        for name, child in self.lab.nodes.items():
            found.cpu_s[name], found.rss_mb[name] = _cpu_s(child.pid), _rss_mb(child.pid)
            if refusals:
                for row in self.lab.status(name).get("refusals", ()):
                    found.refused[(row["peer"], row["code"])] += row["count"]
        return found

    def cpu_percent(self, one: Sample, other: Sample) -> float:
        """Of a core, the mean of the honest nodes."""
        used = sum(other.cpu_s.values()) - sum(one.cpu_s.values())
        return round(100 * used / (other.at_s - one.at_s) / len(other.cpu_s), 1)

    def crashes(self) -> int:
        return sum(child.ended() for child in self.lab.nodes.values())

    def rebuilds(self) -> int:
        """How often the library's host died under a node and was built anew."""
        told = (one for log in self.lab.told.values() for one in log.happenings)
        return sum("being rebuilt" in str(one.get("says", "")) for one in told)


def beside(name: str, one: dict[str, Any], quiet: dict[str, Any]) -> None:
    """Adds what is told by comparison with the quiet network."""
    for rank in ("p50", "p99"):
        here, there = one["certificate_ms"].get(rank), quiet["certificate_ms"].get(rank)
        one[f"ratio_{rank}"] = round(here / there, 2) if here and there else None
    first, usual = one["first_entry_ms"], quiet["first_entry_ms"]
    one["later_ms"] = round(first["p95"] - usual["p95"], 1) if first and usual else None
    one["first_entry_later_ms"] = one["later_ms"] if one["flood"] else None
    cpu_s, span_s, refused = one.pop("_cost")
    if name in HANDSHAKES and one["who"] == STRANGER:
        begun = sum(times for (peer, code), times in refused.items() if code == "no-handshake")
        usual_s = span_s * quiet["cpu_percent"] / 100 * one["nodes"]
        one["handshake_cpu_ms"] = round(1000 * max(0.0, cpu_s - usual_s) / begun, 2) if begun else None


def _cpu_s(pid: int) -> float:
    try:
        parts = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


def _rss_mb(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text("utf-8").split()[1])
    except OSError:
        return 0.0
    return round(pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20), 2)
