"""The owner's policy: a language that only narrows, read whole or refused whole, and decided without I/O. README.md."""

from adapters.policy.check import check
from adapters.policy.decide import decide, within_limits
from adapters.policy.model import (
    Ending,
    Exposure,
    Fault,
    LeverUse,
    Limits,
    Mode,
    OwnWord,
    Policy,
    PolicyFaults,
    Rule,
    spell_ms,
)
from adapters.policy.parse import parse, parse_text
from adapters.policy.say import say
from adapters.policy.situation import AlarmView, Decision, Own, Situation, Verdict

__all__ = [
    "AlarmView",
    "Decision",
    "Ending",
    "Exposure",
    "Fault",
    "LeverUse",
    "Limits",
    "Mode",
    "Own",
    "OwnWord",
    "Policy",
    "PolicyFaults",
    "Rule",
    "Situation",
    "Verdict",
    "check",
    "decide",
    "parse",
    "parse_text",
    "say",
    "spell_ms",
    "within_limits",
]
