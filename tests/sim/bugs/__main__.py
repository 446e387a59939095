"""python -m tests.sim.bugs [--only NAME] [--seeds-max 2000] [--from 1] [--record]"""

import sys

from tests.sim.bugs.cli import main

if __name__ == "__main__":
    sys.exit(main())
