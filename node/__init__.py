"""The node: its own process beside a protocol, and the command line of those who run it."""

import sys

# httpx's own command line, which nothing here calls, would bring rich, pygments and click into every node: 4 MB of 120.
# It takes their absence for an installation without them.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
