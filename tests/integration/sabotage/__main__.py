"""`python -m tests.integration.sabotage NAME [testnet options]`: spoil one shipped part, then run the local network.

It must end with 1 and name the check that caught it. The parts are spoilt in this process, before the zygote forks,
so that every member of the network has them.
"""

from __future__ import annotations

import sys

from node.cli import main
from tests.integration.sabotage.acts import ACTS

if __name__ == "__main__":
    name, *options = sys.argv[1:] or [""]
    if name not in ACTS:
        sys.exit(f"name one of {', '.join(ACTS)}")
    ACTS[name].spoil()
    sys.exit(main(["testnet", "--check", "-o", "json", *options]))
