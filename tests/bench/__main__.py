"""`python -m tests.bench testnet [-o json]`: measure, print, exit 1 where a goal is missed."""

from __future__ import annotations

import argparse
import json
import sys

from tests.bench.figures import table
from tests.bench.testnet import measure


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    commands = parser.add_subparsers(required=True)
    testnet = commands.add_parser("testnet", help="alarms over a network of real processes on loopback")
    testnet.add_argument("-o", "--output", choices=("human", "json"), default="human")
    testnet.add_argument("--members", type=int, default=7)
    testnet.add_argument("--alarms", type=int, default=30, help="of each kind")
    testnet.add_argument("--drains", type=int, default=3, help="networks that act on one forged message each")
    testnet.add_argument("--chain", choices=("embedded", "anvil", "both"), default="both")
    asked = parser.parse_args(argv)
    chains = ("embedded", "anvil") if asked.chain == "both" else (asked.chain,)
    result = measure(asked.members, asked.alarms, asked.drains, chains)
    print(json.dumps(result) if asked.output == "json" else table(result))
    return 0 if all(one["met"] or one["got"] is None for one in result["goals"].values()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
