"""Durations as people write them (`6h`, `1h30m`, `500ms`) and as the rules count them (milliseconds)."""

from __future__ import annotations

import re

UNITS_MS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
_PART = re.compile(r"(\d{1,12})(ms|d|h|m|s)")
DURATION_MS_MAX = 100 * 366 * 86_400_000
"""A century: whatever is longer is a slip of the pen."""


def parse_duration(written: str) -> int:
    """Milliseconds of `1h30m`; ValueError with a sentence for anything else."""
    parts = _PART.findall(written)
    if not parts or "".join(number + unit for number, unit in parts) != written:
        raise ValueError(f"{written!r} is no duration")
    total = sum(int(number) * UNITS_MS[unit] for number, unit in parts)
    if total > DURATION_MS_MAX:
        raise ValueError(f"{written!r} is longer than a century")
    return total


def format_duration(duration_ms: int) -> str:
    """The shortest text that `parse_duration` reads back to the same number."""
    left, out = duration_ms, ""
    for unit, size in UNITS_MS.items():
        count, left = divmod(left, size)
        out += f"{count}{unit}" if count else ""
    return out or "0s"
