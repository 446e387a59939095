"""Steps of levers: what an action is asked for next, what each answer leads to. Legal moves are the table `LANDS`;
nothing else moves an action."""

from __future__ import annotations

import itertools
from dataclasses import replace

from adapters.api import ExpiresBy, Outcome
from node.effects import RunStep
from node.events import LeverStepped
from node.machine import leases, watching
from node.machine.action import ENDED, Action, Phase, Watch
from node.machine.leases import MAY_STAND
from node.machine.step import Step, cut
from node.records import ActionStepped
from protocol.limits import U63_MAX
from protocol.messages import ActionReport

NEXT_STEP = {
    Phase.ORDERED: "plan",
    Phase.PLANNED: "simulate",
    Phase.SENDING: "apply",
    Phase.SENT: "read_back",
    Phase.LIFTING: "undo",
}
"""What the shell is asked for in a phase; phases that are not here wait."""
LANDS = {
    (Phase.ORDERED, "plan"): Phase.PLANNED,
    (Phase.PLANNED, "simulate"): Phase.SIMULATED,
    (Phase.SENDING, "apply"): Phase.SENT,
    (Phase.SENT, "read_back"): Phase.EFFECTIVE,
    (Phase.LIFTING, "undo"): Phase.LIFTED,
    (Phase.SENDING, "expire"): Phase.LAPSED,
    (Phase.SENT, "expire"): Phase.LAPSED,
    (Phase.EFFECTIVE, "expire"): Phase.LAPSED,
    (Phase.ESCALATED, "expire"): Phase.LAPSED,
}
"""(phase, step that succeeded) → phase."""
RETRY_MS = (200, 400, 800, 1_600, 3_000, 5_000)
TRIES_MAX = 8
LOST_AFTER = 4
"""Looks again, over three seconds, that find nothing of what was sent: then it is lost, once; then people come."""
EXPIRY_GRACE_MS = 1_500
"""Targets count in whole seconds: read back only then whether a lapsed restriction is really gone."""
ESCALATED_MS = 60_000
"""Then a restriction that this node must end is tried again: people were called and need not come."""
ESCALATED_TIMES = 5
"""A restriction that fails again and again is tried ever more rarely, to every five minutes; a lift is not."""
OVERDUE_MS = 30_000
"""A chain's own time lags behind by a block or two: only then is it late, and people are called."""


def run_next(step: Step, action: Action) -> None:
    """Asks the shell for the next step of an action, once at a time."""
    name = NEXT_STEP.get(action.phase)
    if name is None or action.running or action.retry_at_ms > step.at.mono_ms:
        return
    if action.phase is Phase.LIFTING:
        holder = leases.holder(step, action)
        if holder is not None:
            land(step, action, Phase.LIFTED, f"{watching.ENDED_HERE}{_still(holder)}")
            return
    elif leases.ended(step, action):
        if action.phase in (Phase.ORDERED, Phase.PLANNED):
            land(step, action, Phase.LAPSED, "its lease ended before it was sent")
        return
    if name == "apply" and leases.being_freed(step.state, action):
        return
    action.running = name
    step.do(RunStep(action.key, name, action.instance, action.order(), action.ends_mono_ms))


def _still(holder: Action) -> str:
    return f"the target stays restricted for action {holder.key.hex()[:12]}"


def land(
    step: Step, action: Action, phase: Phase, says: str, reference: str = "", until_ms: int = 0, fires: bool = False
) -> None:
    told = ActionStepped(action.key, phase.value, cut(says), reference[:256], until_ms, step.now_ms, fires or None)
    step.record(told)
    action.watch = Watch()
    if phase in (Phase.EFFECTIVE, Phase.LAPSED, Phase.LIFTED) and action.reported != phase.value:
        action.reported = phase.value
        step.say(ActionReport(action.key, phase.value, cut(says)))


def lever_stepped(step: Step, event: LeverStepped) -> None:
    action = step.state.actions.get(event.key)
    if action is not None and event.step == watching.WATCH:
        _watched(step, action, event.outcome)
        return
    if action is None or action.phase in ENDED or event.step != action.running:
        return
    action.running = ""
    outcome = replace(event.outcome, until_ms=min(max(event.outcome.until_ms, 0), U63_MAX))
    event = replace(event, outcome=outcome)
    if outcome.ok:
        action.retry_at_ms = 0
        _succeeded(step, action, event)
    elif (action.phase, event.step) in LANDS:
        _failed(step, action, event)
    run_next(step, action)


def _watched(step: Step, action: Action, outcome: Outcome) -> None:
    over = action.phase in ENDED
    why = watching.returned(step, action, outcome) if over else watching.drifted(step, action, outcome)
    if why:
        land(step, action, Phase.LIFTING if over else Phase.SENDING, why)
        run_next(step, action)


def _succeeded(step: Step, action: Action, event: LeverStepped) -> None:
    outcome = event.outcome
    phase = LANDS.get((action.phase, event.step))
    if phase is None:
        return
    land(step, action, phase, outcome.says, outcome.reference, outcome.until_ms)
    if phase is Phase.SIMULATED:
        after = Phase.ARMED if action.armed_only else Phase.SENDING
        land(step, action, after, "planned and simulated, not sent" if action.armed_only else "to be sent")


def _failed(step: Step, action: Action, event: LeverStepped) -> None:
    """Tried again with backoff; after that people are called and the truth stands in the journal."""
    outcome = event.outcome
    if event.step not in ("undo", "expire") and leases.ended(step, action):
        # no reason to call anybody: a target refuses what has ended, and it is read back whether something stands
        land(step, action, action.phase, outcome.says, outcome.reference)
        return
    if event.step == "expire":
        action.retry_at_ms = step.at.mono_ms + RETRY_MS[-1]
        if action.phase is not Phase.ESCALATED and leases.ended(step, action, OVERDUE_MS):
            land(step, action, Phase.ESCALATED, outcome.says, outcome.reference)
            told = f"{action.lever} should have ended: {outcome.says}"
            step.tell(action.subject, action.threat, told)
        return
    if event.step == "read_back" and outcome.answered and action.attempts >= LOST_AFTER and _sent_once(action):
        # what was mined and is gone lies in no block any more: a lever looks for it before it sends, and sends once
        land(step, action, Phase.SENDING, f"sent, and the target shows nothing of it ({outcome.says}): asked for again")
        return
    if outcome.retryable and action.attempts < TRIES_MAX:
        land(step, action, action.phase, outcome.says, outcome.reference)
        action.retry_at_ms = step.at.mono_ms + RETRY_MS[min(action.attempts - 1, len(RETRY_MS) - 1)]
        return
    before = sum(1 for _, phase, _, _ in action.steps if phase == Phase.ESCALATED.value)
    times = 1 if event.step == "undo" else min(2**before, ESCALATED_TIMES)
    action.retry_at_ms = step.at.mono_ms + ESCALATED_MS * times
    land(step, action, Phase.ESCALATED, f"{event.step}: {outcome.says}", outcome.reference)
    if not before:
        told = f"{action.lever} on {action.subject} failed at {event.step}: {outcome.says}"
        step.tell(action.subject, action.threat, told)


def _sent_once(action: Action) -> bool:
    """Since it last stood: what is not found again after that is for people."""
    runs = [phase for phase, _ in itertools.groupby(phase for _, phase, _, _ in action.steps)]
    stood = next((at for at, phase in enumerate(reversed(runs)) if phase == Phase.EFFECTIVE.value), len(runs))
    return runs[len(runs) - stood :].count(Phase.SENT.value) == 1


TRIED_AGAIN_FROM = {
    Phase.ORDERED.value: Phase.ORDERED,
    Phase.PLANNED.value: Phase.ORDERED,
    Phase.SENDING.value: Phase.SENDING,
    Phase.SENT.value: Phase.SENDING,
}
"""Where an escalated action was → where it is taken up again. A failed lift is not here: it must not restrict anew."""


def _try_again(step: Step, action: Action) -> None:
    """People were called; meanwhile an outage may end or an account be funded, and the alarm still runs."""
    if action.running or action.retry_at_ms > step.at.mono_ms:
        return
    before = next((phase for _, phase, _, _ in reversed(action.steps) if phase != Phase.ESCALATED.value), "")
    after = TRIED_AGAIN_FROM.get(before)
    if after is not None:
        land(step, action, after, "tried again")
        run_next(step, action)


def actions_due(step: Step) -> None:
    """On a tick: retries that are due, leases that ended."""
    for action in sorted(step.state.actions.values(), key=lambda one: one.key):
        if action.phase in ENDED:
            watching.due_again(step, action)
            continue
        if action.phase in (Phase.ASKED, Phase.ARMED) and leases.ended(step, action):
            land(step, action, Phase.LAPSED, "its lease ended unsent")
        elif action.phase in MAY_STAND and leases.ended(step, action):
            _expire(step, action)
        elif action.phase is Phase.ESCALATED:
            _try_again(step, action)
        else:
            run_next(step, action)
        watching.due(step, action)


def _expire(step: Step, action: Action) -> None:
    """Where the word expires by itself, read back from the target that the restriction is gone; where somebody must
    end it, this node does, on time or at once after a restart. What only a person can end is paged."""
    if action.running or action.retry_at_ms > step.at.mono_ms:
        return
    holder = leases.holder(step, action)
    if holder is not None:
        land(step, action, Phase.LAPSED, f"its lease ended; {_still(holder)}")
        return
    ends = step.state.setup.declarations[action.lever].expires_by
    ours = ends in (ExpiresBy.NODE, ExpiresBy.GUARD) or leases.inherited(step.state, action)
    if ours:
        land(step, action, Phase.LIFTING, "its lease ended: this node ends it")
        run_next(step, action)
    elif leases.ended(step, action, EXPIRY_GRACE_MS):
        action.running = "expire"
        step.do(RunStep(action.key, "expire", action.instance, action.order()))
