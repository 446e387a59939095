"""What a person asks of the own node: said in the own feed or done to the own levers. Never to anybody else's."""

from __future__ import annotations

from node.effects import Reply
from node.events import (
    Acknowledge,
    ActionCommand,
    Extend,
    OperatorAsked,
    Publish,
    Raise,
    ReleaseTopic,
    Rerun,
    TakeKey,
    Withdraw,
)
from node.machine import actions, alarms, persons, views
from node.machine.ending import PERSON_CHARS_MAX, ending_asked
from node.machine.extending import extend_asked
from node.machine.rerunning import rerun_asked
from node.machine.statements import publish, take_key
from node.machine.step import Step
from node.records import AlertSeen, OperatorDid
from protocol.alarm import is_live, weigh
from protocol.limits import SOURCES_MAX
from protocol.messages import Attestation, Basis, Level, Tlp


def operator_asked(step: Step, event: OperatorAsked) -> None:
    command = event.command
    if isinstance(command, ReleaseTopic) or (isinstance(command, ActionCommand) and command.verb == "lift"):
        ending_asked(step, event, command)
        return
    if isinstance(command, Extend):
        extend_asked(step, event, command)
        return
    if isinstance(command, Rerun):
        rerun_asked(step, event, command)
        return
    if isinstance(command, Raise):
        fault = _raise(step, command)
    elif isinstance(command, Withdraw):
        fault = _withdraw(step, command)
    elif isinstance(command, Acknowledge):
        fault = _acknowledge(step, command, event.person)
    elif isinstance(command, Publish):
        fault = publish(step, command.sealed)
    elif isinstance(command, TakeKey):
        fault = take_key(step, command)
    else:
        fault = _action(step, command, event.person)
    if fault:
        step.do(Reply(event.ticket, False, fault))
        return
    if not isinstance(command, Acknowledge):
        step.record(OperatorDid(event.person[:64], type(command).__name__, step.now_ms))
    step.do(Reply(event.ticket, True, "done"))


def _raise(step: Step, command: Raise) -> str:
    """A person's own observation: OBSERVED, marked `by_person`, through the node's own sources. It raises what this
    member says already and never lowers it: for that there is withdraw."""
    state = step.state
    fault = state.may_sign()
    if fault:
        return f"this node must not sign: {fault}"
    held = state.opinions.get((command.subject, command.threat), {}).get(state.me)
    live = held.body if held is not None and is_live(held, state.epoch, step.now_ms) else None
    level = max(command.level, live.level) if live is not None else command.level
    bound_ms = state.epoch.lease_bound_ms(level)
    if command.lease_ms > bound_ms:
        return f"a lease of {command.lease_ms} ms is above the charter's {bound_ms} ms for {level.name}"
    if not state.own_sources():
        return "the register knows no source that this member operates; an opinion needs at least one"
    verified = live is not None and live.basis is Basis.VERIFIED and live.level >= level
    body = Attestation(
        epoch=state.epoch.hash,
        subject=command.subject,
        threat=command.threat,
        level=level,
        basis=Basis.VERIFIED if verified else Basis.OBSERVED,
        claims=live.claims if live is not None else (),
        sources=(live.sources if live is not None else ()) or state.own_sources()[:SOURCES_MAX],
        detector="person",
        incident=command.incident[:64],
        since_ms=step.now_ms,
        expires_ms=step.now_ms + (command.lease_ms or bound_ms),
        by_person=True,
        tlp=Tlp.GREEN,
    )
    alarms.say_opinion(step, body)
    actions.decide_topics(step, command.subject)
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
    actions.decide_topics(step, command.subject)
    return ""


def _acknowledge(step: Step, command: Acknowledge, person: str) -> str:
    """Each person once for each level: who looks again writes nothing anew."""
    state, topic = step.state, (command.subject, command.threat)
    running = views.running(state, topic, step.now_ms)
    if topic not in state.opinions and not running:
        return "no alert on it"
    certified = state.certificates[running[0]].certificate.level if running else Level.NONE
    weighed = weigh(state.opinions.get(topic, {}).values(), state.epoch, step.now_ms, state.releases)
    level, person = max(weighed.level, certified), person[:PERSON_CHARS_MAX]
    if not any(one.person == person and one.level >= level for one in persons.who_saw(state, topic, step.now_ms)):
        step.record(AlertSeen(*topic, level, person, step.now_ms))
    return ""


def _action(step: Step, command: ActionCommand, person: str) -> str:
    action = step.state.actions.get(command.key)
    if action is None:
        return "no action of this key"
    if command.verb == "approve":
        return actions.approve(step, action, person)
    return actions.refuse(step, action, person)
