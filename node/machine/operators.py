"""What a person asks of the own node: said in the own feed or done to the own levers. Never to anybody else's."""

from __future__ import annotations

from node.effects import Reply
from node.events import ActionCommand, OperatorAsked, Publish, Raise, ReleaseTopic, TakeKey, Withdraw
from node.machine import actions, alarms
from node.machine.action import ENDED
from node.machine.state import State
from node.machine.statements import publish, take_key
from node.machine.step import Step
from node.records import OperatorDid
from protocol.alarm import is_live
from protocol.limits import CLAIMS_MAX, SOURCES_MAX
from protocol.messages import Attestation, Basis, Claim, Level, Release, Tlp
from protocol.release import ClaimName, Topic


def operator_asked(step: Step, event: OperatorAsked) -> None:
    command = event.command
    if isinstance(command, Raise):
        fault = _raise(step, command)
    elif isinstance(command, Withdraw):
        fault = _withdraw(step, command)
    elif isinstance(command, ReleaseTopic):
        fault = _release(step, command)
    elif isinstance(command, Publish):
        fault = publish(step, command.sealed)
    elif isinstance(command, TakeKey):
        fault = take_key(step, command)
    else:
        fault = _action(step, command, event.person)
    if fault:
        step.do(Reply(event.ticket, False, fault))
        return
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
    claims = _claims_to_release(state, topic)
    step.say(Release(state.epoch.hash, command.subject, command.threat, through_ms, claims))
    alarms.release_arrived(step, topic)
    return ""


def _claims_to_release(state: State, topic: Topic) -> tuple[Claim, ...]:
    """What our own check supports first, then what most say: a liar's claims crowd none of these out."""
    names: dict[ClaimName, Claim] = {}
    told: dict[ClaimName, int] = {}
    supported: set[ClaimName] = set()
    for _, held in sorted(state.opinions.get(topic, {}).items()):
        for claim in held.body.claims:
            name = (claim.type, claim.id)
            names.setdefault(name, claim)
            told[name] = told.get(name, 0) + 1
            ruled = state.ruled.get(claim)
            if ruled is not None and ruled.judgement.supports(*topic):
                supported.add(name)
    ranked = sorted(names, key=lambda name: (name not in supported, -told[name], name))
    return tuple(sorted(names[name] for name in ranked[:CLAIMS_MAX]))


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
