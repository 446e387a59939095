"""What is done to a node at a named point of its life, besides killing it."""

from __future__ import annotations

import os
import signal


def pause() -> None:
    """The whole process, with all its threads, until somebody sends SIGCONT."""
    os.kill(os.getpid(), signal.SIGSTOP)
