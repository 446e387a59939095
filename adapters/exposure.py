"""Pure helpers over exposure readings: how old, how much is at risk, how full. Unknown is None, which is never 0.

A reading comes from an adapter and, behind it, from somebody else's contract: every number is checked before use.
"""

from __future__ import annotations

import math

from adapters.api import ExposureReading

BASE_UNITS_PER_UNIT = 10**18
AMOUNT_MAX = 2**256 - 1


def is_fresh(reading: ExposureReading | None, now_ms: int, max_age_ms: int) -> bool:
    """A reading from the future is as little worth as an old one: a clock has moved."""
    return reading is not None and abs(now_ms - reading.at_ms) <= max_age_ms


def _known(number: float | None) -> float | None:
    """Not a number, infinite or negative is unknown."""
    if number is None or not math.isfinite(number) or number < 0:
        return None
    return float(number)


def usd_at_risk(reading: ExposureReading, amount: int) -> float | None:
    """USD that can be lost: what we hold, or what the claim says is missing where that is less.

    `amount` in base units, 0 where no claim gives one: then all that we hold may be lost. An amount that cannot be
    weighed (no price) makes the result unknown: taking the whole holding instead would let dust move a lever."""
    held = _known(reading.usd)
    if held is None or amount <= 0:
        return held
    price = _known(reading.unit_usd)
    if price is None:
        return None
    return min(held, min(amount, AMOUNT_MAX) / BASE_UNITS_PER_UNIT * price)


def utilisation_of(reading: ExposureReading) -> float | None:
    """0..1; a pool that reports more than all (accrued interest) is full."""
    share = _known(reading.utilisation)
    return None if share is None else min(share, 1.0)


def why_unknown(reading: ExposureReading | None, now_ms: int, max_age_ms: int) -> str:
    """Why nothing can be said about it: for people, without a figure that nobody read."""
    if reading is None:
        return "was never read"
    if not is_fresh(reading, now_ms, max_age_ms):
        return f"was read {abs(now_ms - reading.at_ms) // 1000} s from now, older than its max_age"
    return f"has no figure ({reading.detail})" if reading.detail else "has no figure"
