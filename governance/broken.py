"""The rules by name, and the refusal that says which one a change breaks."""

from __future__ import annotations

import enum

from protocol.errors import Code, ProtocolError


class Rule(enum.Enum):
    """Stable words, like error codes; README.md says each in a sentence."""

    CLOSES = "closes-within-30-days"
    SEAT = "seat-exists"
    NAME = "name-is-free"
    KEY = "key-is-free"
    CONSENTS = "consents-of-new-keys"
    CHANGES = "changes-something"
    THRESHOLDS = "thresholds-stay-valid"
    LEASES = "leases-within-bounds"
    DURATIONS = "durations-within-bounds"
    SOURCES = "every-chain-has-a-source"
    ROOM = "room-for-one-more"
    SOMEBODY = "somebody-stays"
    BOUND = "at-most-max-1-f-groups-change"
    OTHERS = "others-can-reach-a-quorum"
    KEY_RESTS = "key-rests-between-moves"
    ONCE = "decided-once"
    TIME = "ordered-in-its-time"


class RuleError(ProtocolError):
    """`rule` is broken; `detail` begins with its name."""

    def __init__(self, rule: Rule, detail: str) -> None:
        super().__init__(Code.BREAKS_RULE, f"{rule.value}: {detail}")
        self.rule = rule
