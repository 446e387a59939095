"""Plays every lever on contracts that others published, a venue, a database and programs, and says what it stopped:
exit 0 where each did its work."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from tests.integration.levers.check import run


def _mark(good: bool) -> str:
    return "yes" if good else "NO"


def human(found: dict[str, Any]) -> str:
    lines = [f"not played: {one}" for one in found["without"]]
    for target in found["targets"]:
        lines.append(f"{target['name']}: attack before, during, after; read back, undone; gas, ms")
        for one in target["actions"]:
            attacks = " ".join("works" if one[f"attack_{when}"] else "fails" for when in ("before", "during", "after"))
            done = f"{_mark(one['read_back'])} {_mark(one['undone'])}"
            lines.append(f"  {one['name']:<24} {one['rung']:<8} {attacks}; {done}; {one['gas']:>7,} {one['ms']:>5}")
    return "\n".join([*lines, "ok" if found["ok"] else "NOT ok"]) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.integration.levers", description=__doc__)
    parser.add_argument("--check", action="store_true", help="play all of it; without it nothing is done")
    parser.add_argument("-o", choices=("human", "json"), default="human", dest="output")
    words = parser.parse_args()
    if not words.check:
        parser.print_usage()
        return 2
    found = run()
    sys.stdout.write(json.dumps(found, indent=2) + "\n" if words.output == "json" else human(found))
    return 0 if found["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
