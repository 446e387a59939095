"""Alert ≠ decision ≠ action ≠ effect: the policy decides, an action is opened, its lever is stepped, its effect is
read back. Legal moves are the table `LANDS`; nothing else moves an action."""

from __future__ import annotations

from dataclasses import replace

from adapters.api import ExpiresBy
from adapters.policy import Decision as PolicyDecision
from adapters.policy import Verdict, decide, within_limits
from node.effects import RunStep, Tell
from node.events import LeverStepped
from node.machine import leases, views
from node.machine.leases import MAY_STAND
from node.machine.state import ENDED, ON_TARGET, Action, Phase, State
from node.machine.step import Step, cut
from node.records import ActionOpened, ActionRenewed, ActionStepped, DecisionMade
from protocol.codec import encode
from protocol.crypto import sha256
from protocol.ids import ActionKey, Digest
from protocol.limits import U63_MAX
from protocol.messages import ActionReport, Claim
from protocol.release import ClaimName, Topic
from protocol.subjects import Subject

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
EXPIRY_GRACE_MS = 1_500
"""Targets count in whole seconds: read back only then whether a lapsed restriction is really gone."""
ESCALATED_MS = 60_000
"""Then a restriction that this node must end is tried again: people were called and need not come."""
OVERDUE_MS = 30_000
"""A chain's own time lags behind by a block or two: only then is it late, and people are called."""
RENEWABLE = (Phase.ASKED, Phase.ARMED, Phase.ORDERED, Phase.PLANNED, Phase.EFFECTIVE, Phase.ESCALATED)
"""What is between sending and reading back is finished first, to the lease that was sent."""
UTILISATION = "utilisation"


def decide_topics(step: Step, *subjects: Subject) -> None:
    """The policy's answer to what is known now: of these subjects where only they changed, of all on ticks."""
    situation = views.situation(step, subjects)
    for decision in decide(step.state.setup.policy, situation):
        _note(step, decision)
        if decision.lever is None or decision.subject is None:
            continue
        if decision.verdict in (Verdict.ACT, Verdict.ASK, Verdict.ARM):
            _act(step, decision)


def _note(step: Step, decision: PolicyDecision) -> None:
    """Each answer once; a tick that changes nothing writes nothing."""
    subject_raw = decision.subject.raw if decision.subject else b""
    key = (decision.rule, decision.lever or "", subject_raw)
    if decision.verdict is Verdict.IGNORE and key not in step.state.last_decisions:
        return
    if step.state.last_decisions.get(key) == decision.verdict.value:
        return
    step.record(
        DecisionMade(
            decision.verdict.value,
            decision.rule,
            decision.lever or "",
            decision.subject,
            decision.threat,
            cut(decision.why),
            step.now_ms,
        )
    )
    if decision.page:
        step.do(Tell(f"{decision.verdict.value}: {decision.why}"))


def _act(step: Step, decision: PolicyDecision) -> None:
    state = step.state
    lever, subject = decision.lever, decision.subject
    if lever is None or subject is None:
        return
    standing = next(
        (
            one
            for one in state.actions.values()
            if (one.lever, one.subject, one.rung) == (lever, subject, decision.rung) and one.phase not in ENDED
        ),
        None,
    )
    if standing is not None:
        _advance(step, standing, decision)
        return
    claims = _rests_on(state, lever, decision)
    key = action_key(state, lever, decision, claims)
    if key in state.actions or not _is_new(state, lever, decision, claims) or _cooling(step, lever):
        return
    if not within_limits(state.setup.policy, _sent_ms(state), step.now_ms):
        _note(step, replace(decision, verdict=Verdict.HOLD, why="beyond limits.calls_per_hour of this policy"))
        return
    _open(step, key, claims, decision, lever, subject)


def _open(
    step: Step, key: ActionKey, claims: tuple[ClaimName, ...], decision: PolicyDecision, lever: str, subject: Subject
) -> None:
    state = step.state
    phase = {Verdict.ASK: Phase.ASKED, Verdict.ARM: Phase.ARMED}.get(decision.verdict, Phase.ORDERED)
    certificate = views.top_certificate(step, (subject, decision.threat))
    step.record(
        ActionOpened(
            key=key,
            lever=lever,
            instance=state.setup.instances[lever],
            subject=subject,
            threat=decision.threat,
            rung=decision.rung,
            lease_ms=decision.lease_ms,
            until_ms=_until_ms(step, decision, frozenset()),
            rule=decision.rule,
            why=cut(decision.why),
            claims=_as_claims(claims),
            certificate=certificate.digest if certificate else b"",
            phase=phase.value,
            at_ms=step.now_ms,
        )
    )
    if phase is Phase.ASKED:
        step.do(Tell(f"{lever} on {subject} waits for a person: tocsin action approve {key.hex()[:12]}"))
    run_next(step, state.actions[key])


def _rests_on(state: State, lever: str, decision: PolicyDecision) -> tuple[ClaimName, ...]:
    """A full pool is a reading and no claim: each time counts for itself, after the one before has ended."""
    rule = next((one for one in state.setup.policy.rules if one.name == decision.rule), None)
    if decision.claims or rule is None or not rule.by_utilisation:
        return decision.claims
    before = sum(1 for one in state.actions.values() if (one.lever, one.subject) == (lever, decision.subject))
    return ((UTILISATION, before.to_bytes(32, "big")),)


def _is_new(state: State, lever: str, decision: PolicyDecision, claims: tuple[ClaimName, ...]) -> bool:
    """What an earlier restriction rested on opens no second one, in whatever company it comes back."""
    spent: set[ClaimName] = set()
    for one in state.actions.values():
        if (one.lever, one.subject, one.rung) == (lever, decision.subject, decision.rung):
            spent |= one.claims
    return not claims or not spent.issuperset(claims)


def _sent_ms(state: State) -> list[int]:
    return [at_ms for one in state.actions.values() if (at_ms := one.sent_ms()) is not None]


def _until_ms(step: Step, decision: PolicyDecision, names: frozenset[ClaimName]) -> int:
    """A lease runs from when this node could first act on what it rests on, not from when it last looked: an alarm
    that outlives another on the same lever does not start it anew."""
    if decision.subject is None:
        return step.now_ms + decision.lease_ms
    return views.known_since_ms(step, (decision.subject, decision.threat), names) + decision.lease_ms


def _as_claims(names: tuple[ClaimName, ...]) -> tuple[Claim, ...]:
    return tuple(Claim(type_, id_, Digest(bytes(32))) for type_, id_ in sorted(names)[:64])


def action_key(
    state: State, lever: str, decision: PolicyDecision, claims: tuple[ClaimName, ...] | None = None
) -> ActionKey:
    """PROTOCOL 4: network, member, lever, subject, rung, epoch and the sorted claims of what opened it."""
    subject_raw = decision.subject.raw if decision.subject else b""
    parts = [
        "tocsin/1/action",
        state.epoch.network,
        state.me,
        lever,
        subject_raw,
        int(decision.rung),
        state.epoch.hash,
        [[type_, id_] for type_, id_ in sorted(decision.claims if claims is None else claims)],
    ]
    return ActionKey(sha256(encode(parts)))


def _cooling(step: Step, lever: str) -> bool:
    """The cooldown belongs to the target: what ended a moment ago is not pulled again at once."""
    cooldown_ms = step.state.setup.policy.levers[lever].cooldown_ms
    return any(
        one.lever == lever and one.phase in (Phase.LAPSED, Phase.LIFTED) and step.now_ms - one.ended_ms < cooldown_ms
        for one in step.state.actions.values()
    )


def _advance(step: Step, action: Action, decision: PolicyDecision) -> None:
    """While it stands, what comes later for its lever, subject and rung renews it and opens none; new is what
    rests on a claim that it did not rest on."""
    if action.armed_only and decision.verdict is Verdict.ACT:
        _land(step, action, Phase.SENDING if action.phase is Phase.ARMED else Phase.ORDERED, decision.why)
        run_next(step, action)
        return
    if action.phase not in RENEWABLE or action.running:
        return
    new = frozenset(decision.claims) - action.claims
    until_ms = _until_ms(step, decision, new) if new else 0
    if until_ms <= action.until_ms:
        return
    step.record(ActionRenewed(action.key, until_ms, _as_claims(tuple(new)), cut(decision.why), step.now_ms))
    if action.phase in (Phase.EFFECTIVE, Phase.ESCALATED):
        _land(step, action, Phase.SENDING, "renewed: the target is asked for the longer lease")
    run_next(step, action)


def run_next(step: Step, action: Action) -> None:
    """Asks the shell for the next step of an action, once at a time."""
    name = NEXT_STEP.get(action.phase)
    if name is None or action.running or action.retry_at_ms > step.at.mono_ms:
        return
    if action.phase is Phase.LIFTING:
        holder = leases.holder(step, action)
        if holder is not None:
            _land(step, action, Phase.LIFTED, f"ended here; {_still(holder)}")
            return
    elif leases.ended(step, action):
        if action.phase in (Phase.ORDERED, Phase.PLANNED):
            _land(step, action, Phase.LAPSED, "its lease ended before it was sent")
        return
    if name == "apply" and leases.being_freed(step.state, action):
        return
    action.running = name
    step.do(RunStep(action.key, name, action.instance, action.order()))


def _still(holder: Action) -> str:
    return f"the target stays restricted for action {holder.key.hex()[:12]}"


def _land(step: Step, action: Action, phase: Phase, says: str, reference: str = "", until_ms: int = 0) -> None:
    step.record(ActionStepped(action.key, phase.value, cut(says), reference[:256], until_ms, step.now_ms))
    if phase in (Phase.EFFECTIVE, Phase.LAPSED, Phase.LIFTED) and action.reported != phase.value:
        action.reported = phase.value
        step.say(ActionReport(action.key, phase.value, cut(says)))


def lever_stepped(step: Step, event: LeverStepped) -> None:
    action = step.state.actions.get(event.key)
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


def _succeeded(step: Step, action: Action, event: LeverStepped) -> None:
    outcome = event.outcome
    phase = LANDS.get((action.phase, event.step))
    if phase is None:
        return
    _land(step, action, phase, outcome.says, outcome.reference, outcome.until_ms)
    if phase is Phase.SIMULATED:
        after = Phase.ARMED if action.armed_only else Phase.SENDING
        _land(step, action, after, "planned and simulated, not sent" if action.armed_only else "to be sent")


def _failed(step: Step, action: Action, event: LeverStepped) -> None:
    """Tried again with backoff; after that people are called and the truth stands in the journal."""
    outcome = event.outcome
    if event.step == "expire":
        action.retry_at_ms = step.at.mono_ms + RETRY_MS[-1]
        if action.phase is not Phase.ESCALATED and leases.ended(step, action, OVERDUE_MS):
            _land(step, action, Phase.ESCALATED, outcome.says, outcome.reference)
            step.do(Tell(f"{action.lever} should have ended: {outcome.says}"))
        return
    if outcome.retryable and action.attempts < TRIES_MAX:
        _land(step, action, action.phase, outcome.says, outcome.reference)
        action.retry_at_ms = step.at.mono_ms + RETRY_MS[min(action.attempts - 1, len(RETRY_MS) - 1)]
        return
    action.retry_at_ms = step.at.mono_ms + ESCALATED_MS
    _land(step, action, Phase.ESCALATED, f"{event.step}: {outcome.says}", outcome.reference)
    step.do(Tell(f"{action.lever} on {action.subject} failed at {event.step}: {outcome.says}"))


def actions_due(step: Step) -> None:
    """On a tick: retries that are due, leases that ended."""
    for action in sorted(step.state.actions.values(), key=lambda one: one.key):
        if action.phase in ENDED:
            continue
        if action.phase in (Phase.ASKED, Phase.ARMED) and leases.ended(step, action):
            _land(step, action, Phase.LAPSED, "its lease ended unsent")
        elif action.phase in MAY_STAND and leases.ended(step, action):
            _expire(step, action)
        else:
            run_next(step, action)


def _expire(step: Step, action: Action) -> None:
    """Where the word expires by itself, read back from the target that the restriction is gone; where somebody must
    end it, this node does, on time or at once after a restart. What only a person can end is paged."""
    if action.running or action.retry_at_ms > step.at.mono_ms:
        return
    holder = leases.holder(step, action)
    if holder is not None:
        _land(step, action, Phase.LAPSED, f"its lease ended; {_still(holder)}")
        return
    ends = step.state.setup.declarations[action.lever].expires_by
    ours = ends in (ExpiresBy.NODE, ExpiresBy.GUARD) or leases.inherited(step.state, action)
    if ours:
        _land(step, action, Phase.LIFTING, "its lease ended: this node ends it")
        run_next(step, action)
    elif leases.ended(step, action, EXPIRY_GRACE_MS):
        action.running = "expire"
        step.do(RunStep(action.key, "expire", action.instance, action.order()))


def lift_released(step: Step, topic: Topic) -> None:
    """A quorum released: automatic restrictions that rest on nothing else lift."""
    state = step.state
    for action in sorted(state.actions.values(), key=lambda one: one.key):
        if (action.subject, action.threat) != topic or action.phase in ENDED:
            continue
        if state.releases.covers_claims(topic, action.claims, state.epoch) or (
            action.rests_ms <= state.releases.point_ms(topic)
        ):
            lift(step, action, "released by a quorum")


def lift(step: Step, action: Action, why: str) -> None:
    """Undo on the target where it may stand; else it simply ends. A step that is under way is waited for: were it
    overtaken, it would restrict after the undo."""
    if action.phase in ENDED or action.phase is Phase.LIFTING:
        return
    action.retry_at_ms = 0
    _land(step, action, Phase.LIFTING if action.phase in ON_TARGET else Phase.LIFTED, why)
    run_next(step, action)


def approve(step: Step, action: Action, person: str) -> str:
    if action.phase is not Phase.ASKED:
        return f"it is {action.phase.value}, not waiting for a person"
    person = person[:64]
    says = f"approved by {person}: lease from now"
    step.record(ActionRenewed(action.key, step.now_ms + action.lease_ms, (), says, step.now_ms))
    _land(step, action, Phase.ORDERED, f"approved by {person}")
    run_next(step, action)
    return ""


def refuse(step: Step, action: Action, person: str) -> str:
    if action.phase not in (Phase.ASKED, Phase.ARMED):
        return f"it is {action.phase.value}; what stands on the target is ended by: tocsin action lift"
    _land(step, action, Phase.REFUSED, f"refused by {person[:64]}")
    return ""
