"""What passes through the loop, as facts of an alarm. Nothing is asked of the machine that it does not hold anyway."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from adapters.policy import Verdict
from node.effects import RunStep, VerifyClaim
from node.events import ClaimJudged, Event, LeverStepped
from node.machine import Action, Decision, State
from node.machine.watching import WATCH
from node.records import ActionOpened, ActionStepped, CertificateAccepted, DecisionMade, EntryAccepted, Record
from node.tracing.spans import Value, Word, word_of
from node.tracing.story import Story
from protocol.ids import ActionKey
from protocol.messages import Attestation, Level
from protocol.quorum import certificate_id, parse_certificate
from protocol.release import Topic

MOVES = frozenset({Verdict.ACT.value, Verdict.ASK.value, Verdict.ARM.value})


@dataclass(frozen=True)
class Heard:
    """One event, what the machine decided, and when (ns): it came in (of a tick, that it was looked at), the machine
    began with it, and was through. `event` None: the node's start."""

    event: Event | None
    decision: Decision
    arrived_ns: int
    began_ns: int
    decided_ns: int


def words_held(state: State, topic: Topic) -> list[Word]:
    """Those that count or may come to count, of every member."""
    held = state.opinions.get(topic, {}).values()
    return [word_of(one.entry.author, one.entry.author == state.me, one.body) for one in held]


def tell(story: Story, state: State, heard: Heard, durable_ns: int) -> None:
    """In the order in which it happened: the event, what was written down for it, what was asked for then."""
    if isinstance(heard.event, ClaimJudged):
        claim, judgement = heard.event.claim, heard.event.judgement
        for alarm in story.naming((claim.type, claim.id)):
            alarm.judged((claim.type, claim.id), judgement.ruling.value, judgement.why, heard.arrived_ns)
    elif isinstance(heard.event, LeverStepped):
        _step_ended(story, state, heard.event, heard.arrived_ns)
    for record in heard.decision.records:
        _written(story, state, record, heard, durable_ns)
    for effect in heard.decision.effects:
        if isinstance(effect, VerifyClaim):
            named = (effect.claim.type, effect.claim.id)
            for alarm in story.naming(named):
                alarm.asked(named, heard.decided_ns)
        elif isinstance(effect, RunStep) and effect.step != WATCH:
            action = state.actions.get(effect.key)
            if action is not None:
                alarm = story.at(_topic(action), durable_ns)
                alarm.step_begun(effect.key, effect.step, _of(action), durable_ns)


def _written(story: Story, state: State, record: Record, heard: Heard, durable_ns: int) -> None:
    if isinstance(record, EntryAccepted):
        known = heard.decision.known.get(record.raw)
        if known is not None and isinstance(known.body, Attestation):
            _word(story, known, record.own, heard.arrived_ns, durable_ns)
    elif isinstance(record, CertificateAccepted):
        _certificate(story, state, record, heard.arrived_ns, durable_ns)
    elif isinstance(record, DecisionMade):
        _decided(story, record, heard.began_ns, durable_ns)
    elif isinstance(record, ActionOpened):
        action = state.actions.get(ActionKey(record.key))
        if action is not None:
            alarm = story.at(_topic(action), heard.began_ns)
            alarm.moved(record.key, record.phase, record.why, _of(action), heard.began_ns, durable_ns)
    elif isinstance(record, ActionStepped):
        action = state.actions.get(ActionKey(record.key))
        if action is not None:
            alarm = story.at(_topic(action), heard.arrived_ns)
            alarm.moved(record.key, record.phase, record.says, _of(action), heard.arrived_ns, durable_ns)


def _word(story: Story, known: Any, own: bool, arrived_ns: int, durable_ns: int) -> None:
    body = known.body
    topic = (body.subject, body.threat)
    # who takes back what nobody speaks of any more begins no alarm
    alarm = story.known(topic) if body.level is Level.NONE else story.at(topic, arrived_ns)
    if alarm is not None:
        alarm.word(word_of(known.entry.author, own, body), arrived_ns, durable_ns)


def _certificate(story: Story, state: State, record: CertificateAccepted, arrived_ns: int, durable_ns: int) -> None:
    certificate = parse_certificate(record.raw)
    held = state.certificates.get(certificate_id(certificate.epoch, certificate.topic, certificate.level))
    if held is None or held.raw != record.raw:  # one that came later in the same commit took its place
        return
    signers = tuple(one.entry.author for one in held.opinions)
    alarm = story.at(certificate.topic, arrived_ns)
    alarm.certificate(certificate.level, held.tlp, signers, record.assembled_here, arrived_ns, durable_ns)


def _decided(story: Story, record: DecisionMade, began_ns: int, durable_ns: int) -> None:
    if record.subject is None:
        return
    topic = (record.subject, record.threat)
    alarm = story.at(topic, began_ns) if record.verdict in MOVES else story.known(topic)
    if alarm is not None:
        alarm.decided(record.verdict, record.rule, record.lever, record.why, began_ns, durable_ns)


def _step_ended(story: Story, state: State, event: LeverStepped, at_ns: int) -> None:
    action = state.actions.get(event.key)
    alarm = story.known(_topic(action)) if action is not None else None
    if alarm is not None:
        outcome = event.outcome
        fault = "" if outcome.ok else "failed" if outcome.answered else "no answer"
        alarm.step_ended(event.key, event.step, fault, outcome.says, outcome.reference, at_ns)


def _topic(action: Action) -> Topic:
    return action.subject, action.threat


def _of(action: Action) -> dict[str, Value]:
    return {
        "tocsin.lever": action.lever,
        "tocsin.instance": action.instance,
        "tocsin.rule": action.rule,
        "tocsin.rung": action.rung.name,
    }
