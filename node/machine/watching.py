"""What stands is looked at again while its lease runs: others move targets too, and chains take blocks back.

Where it no longer stands it is asked for again under the same key. A lever never acts twice under one key, so that
brings back what a reorganisation took, and leaves alone what a person lifted: that is escalated, and people are told.
What cannot be undone is never asked for again: a person asked for it once.
"""

from __future__ import annotations

from adapters.api import Outcome
from node.effects import RunStep
from node.machine import leases
from node.machine.action import Action, Phase
from node.machine.step import Step

WATCH = "watch"
AFTER_MS = (15_000, 30_000, 60_000, 120_000, 300_000)
"""From one look to the next, the last again and again: a block is taken back soon or never."""
LOOKS = 2
"""In a row, before it is believed: a provider may lag for a moment."""
UNKNOWN = 3
"""Looks without an answer, until people are told."""


def due(step: Step, action: Action) -> None:
    """A look moves nothing, and nothing waits for it."""
    if action.phase is not Phase.EFFECTIVE or action.running or action.watch.running or leases.ended(step, action):
        return
    watch, now_ms = action.watch, step.at.mono_ms
    if watch.at_ms == 0:
        watch.at_ms = now_ms + AFTER_MS[0]
    elif now_ms >= watch.at_ms:
        watch.looks += 1
        watch.at_ms = now_ms + AFTER_MS[min(watch.looks, len(AFTER_MS) - 1)]
        watch.running = True
        step.do(RunStep(action.key, WATCH, action.instance, action.order()))


def drifted(step: Step, action: Action, outcome: Outcome) -> str:
    """Why it is to be asked for again, "" where it stands, or nobody knows, or it is to be looked at once more."""
    watch = action.watch
    asked, watch.running = watch.running, False
    if not asked or action.running or action.phase is not Phase.EFFECTIVE:
        return ""  # of what is over by now
    if outcome.ok:
        watch.missing = watch.unknown = 0
        return ""
    watch.at_ms = step.at.mono_ms + AFTER_MS[0]
    if not outcome.answered:
        watch.unknown += 1
        if watch.unknown == UNKNOWN:
            told = f"nobody knows whether {action.lever} still stands on {action.subject}: {outcome.says}"
            step.tell(action.subject, action.threat, told)
        return ""
    watch.missing += 1
    if watch.missing == LOOKS:
        told = f"{action.lever} on {action.subject} stood and does not stand any more: {outcome.says}"
        step.tell(action.subject, action.threat, told)
    if watch.missing < LOOKS or not step.state.setup.declarations[action.lever].reversible:
        return ""
    return f"it stood and does not any more ({outcome.says}): asked for again under the same key"
