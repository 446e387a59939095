"""When a delegation ends, in words: 30, 7 and 1 days before, and once it has. Pure."""

from __future__ import annotations

DAY_MS = 86_400_000
WARN_DAYS = (30, 7, 1)
CURE = "tocsin key rotate --governance-key FILE"


def days_of(expires_ms: int, now_ms: int) -> int | None:
    """The least of `WARN_DAYS` that is left of it, 0 once it is over, None while there is time."""
    if expires_ms <= now_ms:
        return 0
    return min((days for days in WARN_DAYS if expires_ms - now_ms <= days * DAY_MS), default=None)


def warning(expires_ms: int, now_ms: int) -> str:
    """ "" while there is time."""
    days = days_of(expires_ms, now_ms)
    if days is None:
        return ""
    if not days:
        return f"the KeySet of this node has expired: it signs nothing until it has a new one ({CURE})"
    left_h = (expires_ms - now_ms) // 3_600_000
    left = f"{left_h // 24} days" if left_h >= 48 else f"{left_h} hours"
    return f"the KeySet of this node expires in {left}, and then it signs nothing; {CURE}"
