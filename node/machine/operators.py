"""What a person asks of the own node: said in the own feed or done to the own levers. Never to anybody else's."""

from __future__ import annotations

from node.effects import Reply
from node.events import ActionCommand, OperatorAsked, Raise, ReleaseTopic, Withdraw
from node.machine import actions, alarms
from node.machine.state import ENDED
from node.machine.step import Step
from node.records import OperatorDid
from protocol.limits import SOURCES_MAX
from protocol.messages import Attestation, Basis, Claim, Level, Release, Tlp


def operator_asked(step: Step, event: OperatorAsked) -> None:
    command = event.command
    if isinstance(command, Raise):
        fault = _raise(step, command)
    elif isinstance(command, Withdraw):
        fault = _withdraw(step, command)
    elif isinstance(command, ReleaseTopic):
        fault = _release(step, command)
    else:
        fault = _action(step, command, event.person)
    if fault:
        step.do(Reply(event.ticket, False, fault))
        return
    step.record(OperatorDid(event.person[:64], type(command).__name__, step.now_ms))
    step.do(Reply(event.ticket, True, "done"))


def _raise(step: Step, command: Raise) -> str:
    """A person's own observation: OBSERVED, marked `by_person`, through the node's own sources."""
    state = step.state
    fault = state.may_sign()
    if fault:
        return f"this node must not sign: {fault}"
    bound_ms = state.epoch.lease_bound_ms(command.level)
    if command.lease_ms > bound_ms:
        return f"a lease of {command.lease_ms} ms is above the charter's {bound_ms} ms for {command.level.name}"
    if not state.setup.own_sources:
        return "the register knows no source that this member operates; an opinion needs at least one"
    body = Attestation(
        epoch=state.epoch.hash,
        subject=command.subject,
        threat=command.threat,
        level=command.level,
        basis=Basis.OBSERVED,
        claims=(),
        sources=state.setup.own_sources[:SOURCES_MAX],
        detector="person",
        incident=command.incident[:64],
        since_ms=step.now_ms,
        expires_ms=step.now_ms + (command.lease_ms or bound_ms),
        by_person=True,
        tlp=Tlp.GREEN,
    )
    alarms.say_opinion(step, body)
    actions.decide_topics(step)
    return ""


def _withdraw(step: Step, command: Withdraw) -> str:
    state = step.state
    fault = state.may_sign()
    if fault:
        return f"this node must not sign: {fault}"
    held = state.opinions.get((command.subject, command.threat), {}).get(state.me)
    if held is None or held.body.level is Level.NONE:
        return "this member holds no opinion on it"
    body = held.body
    lease_ms = min(max(body.expires_ms - step.now_ms, 0) + 60_000, state.epoch.lease_bound_ms(Level.NONE))
    alarms.say_opinion(
        step,
        Attestation(
            state.epoch.hash,
            command.subject,
            command.threat,
            Level.NONE,
            Basis.OBSERVED,
            (),
            body.sources,
            "person",
            "",
            step.now_ms,
            step.now_ms + lease_ms,
            True,
            Tlp.GREEN,
        ),
    )
    actions.decide_topics(step)
    return ""


def _release(step: Step, command: ReleaseTopic) -> str:
    """Counts with Q of them; frees nobody's lever alone."""
    state = step.state
    topic = (command.subject, command.threat)
    fault = state.may_sign()
    if fault:
        return f"this node must not sign: {fault}"
    through_ms = command.through_ms or step.now_ms
    if through_ms > step.now_ms:
        return "a release dated in the future would blind the network to what comes until then"
    names: dict[tuple[str, bytes], Claim] = {}
    for held in state.opinions.get(topic, {}).values():
        for claim in held.body.claims:
            names.setdefault((claim.type, claim.id), claim)
    claims = tuple(names[name] for name in sorted(names))[:8]
    step.say(Release(state.epoch.hash, command.subject, command.threat, through_ms, claims))
    alarms.release_arrived(step, topic)
    return ""


def _action(step: Step, command: ActionCommand, person: str) -> str:
    action = step.state.actions.get(command.key)
    if action is None:
        return "no action of this key"
    if command.verb == "approve":
        return actions.approve(step, action, person)
    if command.verb == "refuse":
        return actions.refuse(step, action, person)
    if action.phase in ENDED:
        return f"it has ended already ({action.phase.value})"
    actions.lift(step, action, f"lifted by {person}, the owner's own word")
    return ""
