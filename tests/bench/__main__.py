"""`python -m tests.bench COMMAND [-o json]`: measure, print; exit 1 where a goal is missed, 2 on a wrong command."""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """`module` offers `arguments(parser)` and `run(args) -> exit code`; it is imported only when it is asked for: what
    it imports would make the start of the others look slower."""

    module: str
    about: str


COMMANDS = {
    "testnet": Command("tests.bench.testnet", "alarms over a network of real processes, chains included"),
    "network": Command("tests.bench.network", "the network alone, beside the bound, a floor and js-libp2p"),
    "levers": Command("tests.bench.levers", "from a certificate to a lever's transaction in the pool, per lever"),
    "hostile": Command("tests.bench.hostile", "the same network under attack"),
    "joining": Command("tests.bench.joining", "how soon who was voted in counts, in a network with a past"),
    "api": Command("tests.bench.api", "requests, event latency, and what API load costs an alarm"),
    "registry": Command("tests.bench.registry", "gas of the mirror on a chain, by the number of groups"),
    "guard": Command("tests.bench.guard", "gas of a guard's certificates, by the number of groups"),
}


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    commands = parser.add_subparsers(required=True, dest="command")
    asked_for = next((word for word in argv if not word.startswith("-")), "")
    for name, command in COMMANDS.items():
        own = commands.add_parser(name, help=command.about)
        own.add_argument("-o", "--output", choices=("human", "json"), default="human")
        if name == asked_for:
            try:
                module = importlib.import_module(command.module)
            except ModuleNotFoundError as error:
                if error.name != command.module:
                    raise
                parser.exit(2, f"bench: {name} is not in this checkout ({command.module} is missing)\n")
            module.arguments(own)
            own.set_defaults(run=module.run)
    asked = parser.parse_args(argv)
    # as Ctrl-C: what was started is ended on the way out
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return int(asked.run(asked))
    except KeyboardInterrupt:
        sys.stderr.write("bench: interrupted\n")
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
