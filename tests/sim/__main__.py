"""`python -m tests.sim`: seeds, one seed's story, planted bugs, replay. See README.md."""

import sys

from tests.sim.cli import main

if __name__ == "__main__":
    sys.exit(main())
