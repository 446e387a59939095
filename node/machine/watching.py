"""What stands is looked at again while its lease runs, and what was lifted until that is final: others move targets
too, and chains take blocks back.

Where it no longer stands it is asked for again under the same key. A lever never acts twice under one key, so that
brings back what a reorganisation took, and leaves alone what a person lifted: that is escalated, and people are told.
What cannot be undone is never asked for again: a person asked for it once.

What this node lifted and stands again is undone again under its key, which lifts nothing of anybody else: what a chain
took back comes down, and what a person put there since stays.
"""

from __future__ import annotations

from adapters.api import ExpiresBy, Outcome
from node.effects import RunStep
from node.machine import leases
from node.machine.action import Action, Phase
from node.machine.step import Step

WATCH = "watch"
AFTER_MS = (15_000, 30_000, 60_000, 120_000, 300_000)
"""From one look to the next, the last again and again: a block is taken back soon or never."""
LOOKS = 2
"""In a row, before it is believed: a provider may lag for a moment."""
AFTER_END_MS = (15_000, 30_000, 60_000, 120_000, 300_000, 300_000, 300_000)
"""Looks at what was lifted, the first so long after its end. They are counted, not timed: a node that stood still or
was down while a chain took its lift back looks when it is awake again."""
LOOKED_BACK_MS = 24 * 3_600_000
"""What a node that starts lifted longer ago is not looked at again."""
ENDED_HERE = "ended here; "
"""How the journal begins to say that a target was not asked, for another action of ours holds it."""
LIFTS_MOST = 3
"""Of one action. What then stands again is for people: it may be somebody else's."""
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
        watch.until_ms = outcome.until_ms
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


def due_again(step: Step, action: Action) -> None:
    """A look at what this node lifted; another action of ours on the same target looks for itself."""
    watch, now_ms = action.watch, step.at.mono_ms
    if watch.running or watch.looks >= len(AFTER_END_MS) or step.now_ms - action.ended_ms > LOOKED_BACK_MS:
        return
    if not _lifted_here(action):
        return
    if watch.at_ms == 0:
        watch.at_ms = now_ms + AFTER_END_MS[0]
    elif now_ms >= watch.at_ms and not _held_by_another(step, action):
        watch.looks += 1
        watch.at_ms = now_ms + AFTER_END_MS[min(watch.looks, len(AFTER_END_MS) - 1)]
        watch.running = True
        step.do(RunStep(action.key, WATCH, action.instance, action.order()))


def returned(step: Step, action: Action, outcome: Outcome) -> str:
    """Why it is to be undone again, "" where it stands free, or nobody knows, or it is to be looked at once more."""
    watch = action.watch
    asked, watch.running = watch.running, False
    if not asked or _held_by_another(step, action):
        return ""
    if not outcome.ok:
        watch.missing = 0
        return ""
    watch.at_ms = step.at.mono_ms + AFTER_MS[0]
    watch.missing += 1
    if watch.missing != LOOKS:
        return ""
    told = f"{action.lever} on {action.subject} was lifted and stands again: {outcome.says}"
    declared = step.state.setup.declarations.get(action.lever)  # None: the policy has no such lever any more
    by_people = declared is None or declared.expires_by is ExpiresBy.HUMAN
    if by_people or _lifts(action) >= LIFTS_MOST:
        step.tell(action.subject, action.threat, f"{told}; whoever may lift it has to")
        return ""
    step.tell(action.subject, action.threat, f"{told}; what of it is this node's is lifted again")
    return f"it was lifted and stands again ({outcome.says}): undone again under the same key"


def _lifts(action: Action) -> int:
    return sum(1 for _, phase, _, _ in action.steps if phase == Phase.LIFTED.value)


def _lifted_here(action: Action) -> bool:
    """By an undo of this node: what another action of ours held on to was left to that one."""
    if action.phase is not Phase.LIFTED:
        return False
    last = action.steps[-1]
    return last[1] == Phase.LIFTED.value and not last[2].startswith(ENDED_HERE) and action.sent_ms() is not None


def _held_by_another(step: Step, action: Action) -> bool:
    return leases.holder(step, action) is not None or leases.being_freed(step.state, action)
