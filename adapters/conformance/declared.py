"""Whether a declaration of a lever hangs together."""

from __future__ import annotations

import re

from adapters.api import ExpiresBy, LeverDeclaration
from adapters.conformance.fact import Broken, check_sentence
from adapters.policy.table import NAME
from protocol.messages import Level

CALL = re.compile(r"[a-z0-9][a-z0-9_-]*(\.[a-z0-9][a-z0-9_-]*)+\Z")
CALL_CHARS_MAX = 64
SAYS_CHARS_MAX = 500
DAYS_MAX = 7
"""A restriction is an emergency: what lasts longer is a decision of people."""
DAY_MS = 86_400_000


def check_declared(declared: LeverDeclaration) -> None:
    """Broken with the first thing that does not fit."""
    for fits, why in _rules(declared):
        if not fits:
            raise Broken(f"declared of {declared.call!r}: {why}")
    check_sentence(f"declared.says of {declared.call}", declared.says, SAYS_CHARS_MAX)


def _rules(declared: LeverDeclaration) -> list[tuple[bool, str]]:
    call, closes = declared.call, declared.closes
    names = isinstance(closes, frozenset) and all(type(one) is str and NAME.match(one) for one in closes)
    return [
        (bool(CALL.match(call)) and len(call) <= CALL_CHARS_MAX, "a call is family.action in lower case"),
        (isinstance(declared.rung, Level) and declared.rung > Level.NONE, "it stands on a rung of the ladder"),
        (names, "closes is a frozenset of names that a policy can repeat: a-z, 0-9, - and _"),
        (bool(closes) or declared.rung <= Level.GUARD, "what closes nothing is GUARD at most"),
        (
            type(declared.max_ms) is int and 0 < declared.max_ms <= DAYS_MAX * DAY_MS,
            "max_ms is above 0 and a week at most",
        ),
        (type(declared.cooldown_ms) is int and declared.cooldown_ms >= 0, "cooldown_ms is 0 or more"),
        (isinstance(declared.expires_by, ExpiresBy), "expires_by is one of ExpiresBy"),
        (
            declared.reversible or declared.expires_by is ExpiresBy.HUMAN,
            "what cannot be undone ends by no machine: expires_by is HUMAN",
        ),
    ]
