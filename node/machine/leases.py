"""When a lease ends here, and whom it is shared with: pure questions that `actions` asks."""

from __future__ import annotations

from node.machine.action import ENDED, Action, Phase
from node.machine.state import State
from node.machine.step import Step

MAY_STAND = (Phase.SENDING, Phase.SENT, Phase.EFFECTIVE, Phase.ESCALATED)


def ended(step: Step, action: Action, grace_ms: int = 0) -> bool:
    """By the clock that nobody sets and that runs on while the machine sleeps: a wall clock that jumps neither ends a
    lease nor stretches it. Where `until_ms` is new here (opened, renewed, recovered) the wall says how far it is."""
    if action.counted_until_ms != action.until_ms:
        action.counted_until_ms = action.until_ms
        action.ends_mono_ms = step.at.mono_ms + action.until_ms - step.now_ms
    return action.ends_mono_ms + grace_ms <= step.at.mono_ms


def _shares(state: State, one: Action, other: Action) -> bool:
    slots = state.setup.slots
    return slots.get(one.instance, one.instance) == slots.get(other.instance, other.instance)


def holder(step: Step, action: Action) -> Action | None:
    """Another action of ours that holds the same lever of the same target now. The target knows one restriction for
    both: what ends one must not free it while the other stands."""
    for _, other in sorted(step.state.actions.items()):
        shares = other is not action and _shares(step.state, action, other)
        never_sent = other.phase is Phase.ESCALATED and other.sent_ms() is None
        if shares and other.phase in MAY_STAND and not never_sent and not ended(step, other):
            return other
    return None


def being_freed(state: State, action: Action) -> bool:
    """Another action's undo may be on its way to this target: what is sent now could land before it and be undone."""
    return any(
        other is not action and _shares(state, action, other) and other.phase is Phase.LIFTING
        for other in state.actions.values()
    )


def inherited(state: State, action: Action) -> bool:
    """Whether one that was lifted beside this one had the longer lease: the target then holds on past ours, and
    nobody else is left to end it."""
    return any(
        _shares(state, action, other)
        and other.phase in ENDED
        and other.until_ms > action.until_ms
        and other.ended_ms >= action.opened_ms
        for other in state.actions.values()
    )
