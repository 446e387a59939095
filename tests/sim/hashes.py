"""`python -m tests.sim.hashes SEED:N …`: the trace hash of each, for a comparison between processes."""

from __future__ import annotations

import sys

from tests.sim.memo import shared_parsing
from tests.sim.run import Case, play


def main(wanted: list[str]) -> int:
    with shared_parsing():
        for name in wanted:
            seed, _, n = name.partition(":")
            print(name, play(Case(int(seed), int(n))).trace_hash)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
