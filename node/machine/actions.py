"""Alert ≠ decision ≠ action ≠ effect: the policy decides, an action is opened, renewed, lifted. How its lever is
stepped and its effect read back is `stepping`."""

from __future__ import annotations

from dataclasses import replace

from adapters.policy import Decision as PolicyDecision
from adapters.policy import Verdict, decide, within_limits
from node.machine import leases, stepping, views
from node.machine.action import ENDED, ON_TARGET, Action, Phase
from node.machine.state import State
from node.machine.step import Step, cut
from node.records import ActionOpened, ActionRenewed, DecisionMade
from protocol.codec import encode
from protocol.crypto import sha256
from protocol.ids import ActionKey, Digest
from protocol.messages import Claim
from protocol.release import ClaimName, Topic
from protocol.subjects import Subject

RENEWABLE = (Phase.ASKED, Phase.ARMED, Phase.ORDERED, Phase.PLANNED, Phase.EFFECTIVE, Phase.ESCALATED)
"""What is between sending and reading back is finished first, to the lease that was sent."""
UTILISATION = "utilisation"


def decide_topics(step: Step, *subjects: Subject) -> None:
    """The policy's answer to what is known now: of these subjects where only they changed, of all on ticks."""
    situation = views.situation(step, subjects)
    for asked in decide(step.state.setup.policy, situation):
        decision = _within_limits(step, asked)
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
        step.tell(decision.subject, decision.threat, f"{decision.verdict.value}: {decision.why}")


def _standing(step: Step, decision: PolicyDecision) -> Action | None:
    """What stands for this lever, subject and rung already: everything later for them renews it. One whose lease has
    run out no longer stands, though its end was not read back yet: renewed, one key would restrict twice."""
    wanted = (decision.lever, decision.subject, decision.rung)
    found = (one for one in step.state.actions.values() if (one.lever, one.subject, one.rung) == wanted)
    return next((one for one in found if one.phase not in ENDED and not leases.ended(step, one)), None)


def _within_limits(step: Step, decision: PolicyDecision) -> PolicyDecision:
    """A restriction that would be a new one, beyond what the policy allows an hour, is held."""
    state = step.state
    if decision.verdict not in (Verdict.ACT, Verdict.ASK, Verdict.ARM) or _standing(step, decision) is not None:
        return decision
    if within_limits(state.setup.policy, _sent_ms(state), step.now_ms):
        return decision
    return replace(decision, verdict=Verdict.HOLD, why="beyond limits.calls_per_hour of this policy")


def _act(step: Step, decision: PolicyDecision) -> None:
    state = step.state
    lever, subject = decision.lever, decision.subject
    if lever is None or subject is None:
        return
    standing = _standing(step, decision)
    if standing is not None:
        _advance(step, standing, decision)
        return
    claims = _rests_on(state, lever, decision)
    key = action_key(state, lever, decision, claims)
    if key in state.actions or not _is_new(state, lever, decision, claims) or _cooling(step, lever):
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
        says = f"{lever} on {subject} waits for a person: tocsin action approve {key.hex()[:12]}"
        step.tell(subject, state.actions[key].threat, says)
    stepping.run_next(step, state.actions[key])


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
        after = Phase.SENDING if action.phase is Phase.ARMED else Phase.ORDERED
        stepping.land(step, action, after, decision.why, fires=True)
        stepping.run_next(step, action)
        return
    if action.phase not in RENEWABLE or action.running:
        return
    new = frozenset(decision.claims) - action.claims
    until_ms = _until_ms(step, decision, new) if new else 0
    if until_ms <= action.until_ms:
        return
    step.record(ActionRenewed(action.key, until_ms, _as_claims(tuple(new)), cut(decision.why), step.now_ms))
    if action.phase in (Phase.EFFECTIVE, Phase.ESCALATED):
        stepping.land(step, action, Phase.SENDING, "renewed: the target is asked for the longer lease")
    stepping.run_next(step, action)


def lift_released(step: Step, topic: Topic) -> None:
    """A quorum released: automatic restrictions that rest on nothing else lift."""
    state = step.state
    asked = decide(state.setup.policy, views.situation(step, (topic[0],)))
    demanded = {(one.lever, one.subject, one.rung): one for one in asked if one.verdict is Verdict.ACT}
    for action in sorted(state.actions.values(), key=lambda one: one.key):
        if (action.subject, action.threat) != topic or action.phase in ENDED:
            continue
        other = demanded.get((action.lever, action.subject, action.rung))
        if other is not None and other.threat != action.threat:
            why = f"released for one threat; it stands on: {other.why}"
            claims = _as_claims(other.claims)
            step.record(ActionRenewed(action.key, action.until_ms, claims, cut(why), step.now_ms, other.threat))
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
    stepping.land(step, action, Phase.LIFTING if action.phase in ON_TARGET else Phase.LIFTED, why)
    stepping.run_next(step, action)


def approve(step: Step, action: Action, person: str) -> str:
    if action.phase is not Phase.ASKED:
        return f"it is {action.phase.value}, not waiting for a person"
    person = person[:64]
    says = f"approved by {person}: lease from now"
    step.record(ActionRenewed(action.key, step.now_ms + action.lease_ms, (), says, step.now_ms))
    stepping.land(step, action, Phase.ORDERED, f"approved by {person}")
    stepping.run_next(step, action)
    return ""


def refuse(step: Step, action: Action, person: str) -> str:
    if action.phase not in (Phase.ASKED, Phase.ARMED):
        return f"it is {action.phase.value}; what stands on the target is ended by: tocsin action lift"
    stepping.land(step, action, Phase.REFUSED, f"refused by {person[:64]}")
    return ""
