"""Hypothesis settings of this suite: the same examples in every run, so that a red build is red for everybody."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings

from protocol.errors import ProtocolError


def runs(examples: int) -> settings:
    """Derandomized; no deadline, because another process on the machine must not fail a proof."""
    return settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )


def only_protocol_errors(action: Callable[[], Any]) -> bool:
    """True where `action` went through; False where it refused as it may. Anything else escapes and fails."""
    try:
        action()
    except ProtocolError:
        return False
    return True
