"""(policy, situation) → decisions. A pure function of two sets: no clock, no order, no memory.

Rules are tried against alarms in every combination; per (lever, subject) the strictest answer that is allowed wins.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from adapters.api import LeverDeclaration
from adapters.policy.match import Reasons, covers, lease_ms, live_level, reasons_to_hold, utilisation_state
from adapters.policy.model import LeverUse, Mode, Policy, Rule, spell_ms
from adapters.policy.situation import VERDICTS, AlarmView, Decision, Own, Situation, Verdict
from protocol.messages import Level, Threat
from protocol.subjects import Subject

HOUR_MS = 3_600_000
About = tuple[Subject, int, tuple[tuple[str, bytes], ...]]
"""(subject, threat, claims in order)"""


@dataclass(frozen=True)
class _Candidate:
    """A decision and how much kept it from acting; `since_ms` breaks ties for the older alarm."""

    decision: Decision
    lacking: int
    since_ms: int

    @property
    def rank(self) -> tuple[object, ...]:
        """Least wins: strictest verdict, nearest to acting, longest lease; the rest only makes it one answer."""
        one = self.decision
        return (
            VERDICTS.index(one.verdict),
            self.lacking,
            -one.lease_ms,
            self.since_ms,
            one.threat,
            one.rule,
            one.claims,
            one.why,
        )


def decide(policy: Policy, situation: Situation) -> tuple[Decision, ...]:
    """Strictest first; at most one decision per (lever, subject). A decision without a lever stands only where no
    lever was spoken of, so that every alarm is answered by something."""
    best: dict[tuple[str, bytes], _Candidate] = {}
    for found in (*_by_alarm(policy, situation), *_by_utilisation(policy, situation)):
        _keep(best, found)
    spoken = {subject for _, subject in best}
    for alarm in situation.alarms:
        if alarm.subject.raw not in spoken:
            _keep(best, _ignored(policy, alarm, situation))
    return tuple(sorted((found.decision for found in best.values()), key=_order))


def _keep(best: dict[tuple[str, bytes], _Candidate], found: _Candidate) -> None:
    one = found.decision
    key = (one.lever or "", one.subject.raw if one.subject else b"")
    if key not in best or found.rank < best[key].rank:
        best[key] = found


def _order(one: Decision) -> tuple[object, ...]:
    return (VERDICTS.index(one.verdict), one.subject.raw if one.subject else b"", one.lever or "")


def within_limits(policy: Policy, sent_ms: Iterable[int], now_ms: int) -> bool:
    """Whether one more new restriction fits `limits.calls_per_hour`; `sent_ms` are those sent before. Renewals are
    not counted: a limit that lets a standing restriction lapse would be a way to lift it."""
    most = policy.limits.calls_per_hour
    return most is None or sum(1 for at_ms in sent_ms if now_ms - HOUR_MS < at_ms) < most


def _by_alarm(policy: Policy, situation: Situation) -> Iterator[_Candidate]:
    for alarm in situation.alarms:
        for rule in policy.rules:
            for name in rule.levers:
                lever = policy.levers[name]
                reasons = reasons_to_hold(policy, rule, lever, alarm, situation)
                if reasons is not None:
                    yield _alarm_candidate(policy, rule, lever, alarm, situation, reasons)


def _alarm_candidate(
    policy: Policy, rule: Rule, lever: LeverUse, alarm: AlarmView, situation: Situation, reasons: Reasons
) -> _Candidate:
    declared = situation.levers.get(lever.name)
    claimed = _claimed(alarm, situation)
    about = (alarm.subject, alarm.threat, tuple(sorted(alarm.claims)))
    decision = _decision(policy, rule, lever, declared, situation, reasons, Verdict.ACT, claimed, about)
    return _Candidate(decision, len(reasons), alarm.since_ms)


def _by_utilisation(policy: Policy, situation: Situation) -> Iterator[_Candidate]:
    """Own sensor, own pool, own lever: a full pool is reason enough up to GUARD, whatever the network says.

    No live alarm is asked for behind the exposure. It would make a second-hop member's only defence wait for others'
    word, and a blind node would have none; the cap shuts no exit, is bounded by its lease, and its owner chose the
    threshold. An alarm that is live behind it is named in the reason."""
    for rule in policy.rules:
        if not rule.by_utilisation:
            continue
        for name in rule.do:
            lever = policy.levers[name]
            state = utilisation_state(policy, rule, lever, situation)
            if state is not None:
                yield _utilisation_candidate(policy, rule, lever, situation, *state)


def _utilisation_candidate(
    policy: Policy, rule: Rule, lever: LeverUse, situation: Situation, reasons: Reasons, share: float | None
) -> _Candidate:
    passed = rule.utilisation_above is not None and share is not None and share > rule.utilisation_above
    claimed = "utilisation unknown" if share is None else _how_full(policy, rule, lever, situation, share, passed)
    verdict = Verdict.ACT if passed else Verdict.ARM
    declared = situation.levers.get(lever.name)
    subject = policy.assets[policy.exposures[lever.on].asset][0]
    about: About = (subject, int(Threat.LIQUIDITY_RUN), ())
    decision = _decision(policy, rule, lever, declared, situation, reasons, verdict, claimed, about)
    return _Candidate(decision, len(reasons), 0)


def _how_full(policy: Policy, rule: Rule, lever: LeverUse, situation: Situation, share: float, passed: bool) -> str:
    limit = rule.utilisation_above if passed else rule.arm_above
    told = f"own sensor reads {share:.0%} utilisation of {lever.on}, above {limit or 0:.0%}"
    behind = policy.exposures[lever.on].behind
    if not behind:
        return told
    names = policy.assets[policy.exposures[behind].asset]
    live = any(alarm.subject in names and _is_live(alarm, situation) for alarm in situation.alarms)
    return f"{told}, behind {behind} ({'an alarm is live there' if live else 'no alarm there'})"


def _is_live(alarm: AlarmView, situation: Situation) -> bool:
    own = alarm.own in (Own.OBSERVED, Own.VERIFIED) and alarm.own_level >= Level.GUARD
    return own or live_level(alarm, situation) >= Level.GUARD


def _claimed(alarm: AlarmView, situation: Situation) -> str:
    level = live_level(alarm, situation)
    if level is Level.NONE:
        return f"own evidence, {alarm.own.value} at {alarm.own_level.name}"
    heard = f"network says {level.name} ({alarm.groups} groups, {alarm.groups_verified} re-ran it)"
    return f"{heard}, own check {alarm.own.value}"


def _decision(
    policy: Policy,
    rule: Rule,
    lever: LeverUse,
    declared: LeverDeclaration | None,
    situation: Situation,
    reasons: Reasons,
    wanted: Verdict,
    claimed: str,
    about: About,
) -> Decision:
    """What is common to alarms and utilisation."""
    subject, threat, claims = about
    verdict, governed = _governed(policy, lever, situation, wanted)
    rung = declared.rung if declared else Level.NONE
    if reasons or verdict is Verdict.HOLD:
        why = "; ".join((f"{rule.name}: {claimed}", *reasons, *((governed,) if verdict is Verdict.HOLD else ())))
        return Decision(Verdict.HOLD, rule.name, lever.on, lever.name, rung, subject, threat, claims, 0, why, rule.page)
    lease = lease_ms(rule, lever, declared, situation) if declared else 0
    closes = ", ".join(sorted(lever.closes)) or "nothing"
    why = f"{rule.name}: {claimed}; {lever.name} closes {closes} for {spell_ms(lease)}{governed}"
    return Decision(verdict, rule.name, lever.on, lever.name, rung, subject, threat, claims, lease, why, rule.page)


def _governed(policy: Policy, lever: LeverUse, situation: Situation, wanted: Verdict) -> tuple[Verdict, str]:
    """What mode and membership make of a wanted verdict, and how to say it."""
    would = "acted" if wanted is Verdict.ACT else "armed"
    if situation.only_informs:
        return Verdict.HOLD, f"this network only informs (fewer than four groups): would have {would}"
    mode = min(policy.mode, lever.mode)
    if mode is Mode.OBSERVE:
        return Verdict.HOLD, f"observe: would have {would}"
    if mode is Mode.ASK and wanted is Verdict.ACT:
        return Verdict.ASK, ", once a person approves"
    return wanted, "" if wanted is Verdict.ACT else ", armed and not sent"


def _ignored(policy: Policy, alarm: AlarmView, situation: Situation) -> _Candidate:
    """Answered, without a lever: by the rule that says so, else by the policy's silence."""
    rules = [rule for rule in policy.rules if _answers(policy, rule, alarm, situation)]
    named = min((rule.name for rule in rules), default="")
    if not any(alarm.subject in names for names in policy.assets.values()):
        why = f"{alarm.subject} is no name of any asset of this policy"
    elif max(live_level(alarm, situation), alarm.own_level) <= Level.WATCH:
        why = "nothing above WATCH is said, and WATCH never moves a lever"
    else:
        why = f"{named or 'no rule'} carries no lever for it: {_claimed(alarm, situation)}"
    page = any(rule.page for rule in rules)
    decision = Decision(
        Verdict.IGNORE,
        named,
        "",
        None,
        Level.NONE,
        alarm.subject,
        alarm.threat,
        tuple(sorted(alarm.claims)),
        0,
        why,
        page,
    )
    return _Candidate(decision, 0, alarm.since_ms)


def _answers(policy: Policy, rule: Rule, alarm: AlarmView, situation: Situation) -> bool:
    return (
        not rule.by_utilisation
        and not rule.levers
        and covers(policy, rule, alarm.subject)
        and live_level(alarm, situation) >= rule.level
        and rule.own.value in ("any", alarm.own.value)
    )
