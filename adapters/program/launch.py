"""Run as a script of its own between the node and a program: sets limits on itself, then becomes the program.

A process of many threads must not run code of its own between fork and exec, so that is done on this side of exec."""

import json
import os
import resource
import sys


def main() -> None:
    limits, command = json.loads(sys.argv[1]), sys.argv[2:]
    for name, most in limits.items():
        kind = getattr(resource, name)
        _, hard = resource.getrlimit(kind)
        if hard != resource.RLIM_INFINITY:
            most = min(most, hard)
        # what ends a program is the soft limit's signal where it has one; one second later nothing survives
        beyond = most + 1 if name == "RLIMIT_CPU" and hard == resource.RLIM_INFINITY else most
        resource.setrlimit(kind, (most, beyond))
    os.umask(0o077)
    try:
        os.execv(command[0], command)  # noqa: S606
    except OSError as broken:
        sys.stderr.write(f"{command[0]} cannot be run: {broken.strerror}\n")
        sys.exit(126)


if __name__ == "__main__":
    main()
