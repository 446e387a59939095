"""A person has a restriction that stands last longer, before it ends: by the journaled steps of a renewal.

Never beyond what anybody bounds (lever, policy, charter), counted from when it was first sent: many small words make no
longer one. It rests on what it rested on: a release lifts it all the same.
"""

from __future__ import annotations

from governance.durations import format_duration
from node.effects import Reply
from node.events import Extend, OperatorAsked
from node.machine import leases, stepping
from node.machine.action import ENDED, Action, Phase
from node.machine.ending import PERSON_CHARS_MAX, clock
from node.machine.state import State
from node.machine.step import Step, cut
from node.records import ActionRenewed, OperatorDid

BY_LEAST_MS = 60_000
ROUNDED_MS = 60_000
"""Targets count in whole seconds, some in minutes: only an end that differs by more is another's."""
_NOT_NOW = {
    Phase.ASKED: "it waits for a person's yes and stands nowhere yet: tocsin action approve",
    Phase.ARMED: "it is planned and not sent: there is no lease to extend",
    Phase.ESCALATED: "it needs a person first: tocsin action show says what failed",
    Phase.LIFTING: "it is being lifted",
}


def latest_ms(state: State, action: Action) -> int:
    """The latest end that a person may give it; 0 where the policy has no such lever any more."""
    declared = state.setup.declarations.get(action.lever)
    use = state.setup.policy.levers.get(action.lever)
    if declared is None or use is None:
        return 0
    most_ms = min(use.max_ms, declared.max_ms, state.epoch.lease_bound_ms(declared.rung))
    return (action.sent_ms() or action.opened_ms) + most_ms


def fault(step: Step, action: Action) -> str:
    """Why nobody can extend it now, "" where somebody can."""
    state = step.state
    if action.phase in ENDED:
        return f"it has ended already ({action.phase.value})"
    if action.phase is not Phase.EFFECTIVE:
        return _NOT_NOW.get(action.phase, f"it is on its way to its target ({action.phase.value}); ask when it stands")
    declared = state.setup.declarations.get(action.lever)
    if declared is None or not latest_ms(state, action):
        return "the policy has no such lever any more"
    if not declared.reversible:
        return "what this lever does cannot be undone, and has no end that could be moved"
    if action.watch.missing:
        return "the last look at the target did not find it; see tocsin action show"
    return _another_end(step, action)


def _another_end(step: Step, action: Action) -> str:
    """The target itself names an end that this node never asked for: somebody else holds it too, or moved it."""
    named_ms = action.watch.until_ms or action.read_until_ms
    if abs(named_ms - action.until_ms) <= ROUNDED_MS or not named_ms:
        return ""
    holder = leases.holder(step, action)
    if (holder is not None and holder.until_ms + ROUNDED_MS >= named_ms) or leases.inherited(step.state, action):
        return ""
    return f"the target stands until {clock(named_ms)} by its own word, and not until {clock(action.until_ms)}"


def extend_asked(step: Step, event: OperatorAsked, command: Extend) -> None:
    state, person = step.state, event.person[:PERSON_CHARS_MAX]
    action = state.actions.get(command.key)
    why = "no action of this key" if action is None else fault(step, action) or _fault_now(step, action, command.by_ms)
    if action is None or why:
        step.do(Reply(event.ticket, False, why))
        return
    until_ms = action.until_ms + command.by_ms
    says = f"extended by {person}, by {format_duration(command.by_ms)}: until {clock(until_ms)}"
    step.record(ActionRenewed(action.key, until_ms, (), cut(says), step.now_ms))
    stepping.land(step, action, Phase.SENDING, f"extended by {person}: the target is asked for the longer lease")
    stepping.run_next(step, action)
    step.record(OperatorDid(person, type(command).__name__, step.now_ms))
    asked = f"the target is asked to stand until {clock(until_ms)}"
    step.do(Reply(event.ticket, True, f"{asked}; tocsin action show says when that was read back"))


def _fault_now(step: Step, action: Action, by_ms: int) -> str:
    """By the clock that nobody sets. Where the wall's was set since, an end named by it would not be what was meant:
    one long past, or far beyond every bound."""
    if leases.ended(step, action) or action.running:
        return "its lease has run out"
    left_ms, by_wall_ms = action.ends_mono_ms - step.at.mono_ms, action.until_ms - step.now_ms
    if abs(left_ms - by_wall_ms) > ROUNDED_MS:
        return "this machine's clock was set since, and would name a wrong end; see tocsin status, and lift it or wait"
    return _too_long(step.state, action, by_ms)


def _too_long(state: State, action: Action, by_ms: int) -> str:
    if by_ms < BY_LEAST_MS:
        return f"by {format_duration(BY_LEAST_MS)} at least"
    latest = latest_ms(state, action)
    left_ms = latest - action.until_ms
    if by_ms <= left_ms:
        return ""
    bound = f"it may stand until {clock(latest)} at most, by the least of lever, policy and charter since it was sent"
    if left_ms < BY_LEAST_MS:
        return f"{bound}: there is nothing left to extend it by"
    return f"{bound}: by {format_duration(left_ms // 60_000 * 60_000)} at most"
