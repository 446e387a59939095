"""When something ends, as people read it at night."""

from __future__ import annotations

import time

LAST_S = 253_402_300_799
"""The last second of the year 9999: a target may say any number."""


def utc(at_s: int) -> str:
    """Seconds since 1970 → "2026-11-30 14:09:20 UTC"."""
    if at_s > LAST_S:
        return "for ever"
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(max(at_s, 0)))
