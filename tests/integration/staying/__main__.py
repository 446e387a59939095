"""`python -m tests.integration.staying --tries 500`: real processes, cut and healed until so many tries were made.

Exit 1 where a certificate above GUARD formed among fewer than Q groups, or a heal took longer than --within.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.bench.namespaces import refusal
from tests.integration.staying.crowd import crowd, crowd_on_bridge
from tests.integration.staying.partitions import Cut, Tally, campaign


def quantile(heals: list[float], share: float) -> float | None:
    return round(heals[min(len(heals) - 1, int(share * len(heals)))], 1) if heals else None


def facts(tally: Tally, members: int, took_s: float, within_s: float) -> dict[str, Any]:
    heals = tally.all_heals()
    return {
        "members": members,
        "tries": tally.tries,
        "rounds": tally.rounds,
        "violations": tally.violations,
        "certificates_looked_at": tally.certificates,
        "heal_ms": {"p50": quantile(heals, 0.5), "p95": quantile(heals, 0.95), "p99": quantile(heals, 0.99),
                    "max": quantile(heals, 1.0)},
        "links_ms": {"p50": quantile(sorted(tally.links_ms), 0.5), "max": quantile(sorted(tally.links_ms), 1.0)},
        "heal_cpu_s": {"p50": quantile(sorted(tally.cpu_s), 0.5), "max": quantile(sorted(tally.cpu_s), 1.0)},
        "heal_ms_by_kind": {kind: [round(one, 1) for one in some] for kind, some in sorted(tally.heal_ms.items())},
        "slower_than_goal": sum(one > within_s * 1000 for one in heals),
        "took_s": round(took_s, 1),
        "load": [round(one, 1) for one in os.getloadavg()],
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.integration.staying", description=__doc__)
    parser.add_argument("--tries", type=int, default=500)
    parser.add_argument("--members", type=int, default=7)
    parser.add_argument("--subjects", type=int, default=24, help="of a round; at most 24, an author's words are capped")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--within", type=float, default=5.0, help="seconds that a heal may take")
    parser.add_argument("--keep", type=Path, help="an empty or new directory for what the nodes write")
    parser.add_argument("-o", choices=("human", "json"), default="human", dest="output")
    parser.add_argument("--namespaces", action="store_true", help="packets dropped by the kernel, not a proxy's bytes")
    words = parser.parse_args()
    if words.namespaces and (why := refusal()):
        sys.stderr.write(why + "\n")
        return 1
    begin = crowd_on_bridge if words.namespaces else crowd
    # whoever ends this ends what it started
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))
    began = time.monotonic()

    def told(cut: Cut, tally: Tally) -> None:
        took_ms, links_ms = tally.heal_ms[cut.kind][-1], tally.links_ms[-1]
        sys.stderr.write(
            f"{time.monotonic() - began:6.1f} s  {cut.kind}{' (reset)' if cut.refuse else ''}, words after "
            f"{cut.hold_s:g} s: {tally.tries} tries, {len(tally.violations)} violations, healed in {took_ms:.0f} ms, "
            f"links in {links_ms:.0f}, {tally.cpu_s[-1]:.1f} CPU s\n"
        )

    with ExitStack() as stack:
        folder = words.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="staying-")))
        folder.mkdir(parents=True, exist_ok=True)
        one = stack.enter_context(begin(folder, words.members))
        tally = campaign(one, words.tries, words.seed, min(words.subjects, 24), 60.0, told)
    found = facts(tally, words.members, time.monotonic() - began, words.within)
    sys.stdout.write(json.dumps(found, indent=2) + "\n" if words.output == "json" else human(found, words.within))
    return 1 if found["violations"] or found["slower_than_goal"] else 0


def human(found: dict[str, Any], within_s: float) -> str:
    heal = found["heal_ms"]
    lines = [
        f"{found['tries']} tries in {found['rounds']} partitions of {found['members']} members: "
        f"{len(found['violations'])} certificates above GUARD among fewer than a quorum",
        f"healed: p50 {heal['p50']} ms, p95 {heal['p95']} ms, p99 {heal['p99']} ms, at most {heal['max']} ms; "
        f"{found['slower_than_goal']} over {within_s:g} s; load {found['load']}",
        *found["violations"],
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
