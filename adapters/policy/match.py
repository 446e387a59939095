"""One rule, one lever, one alarm: does the rule speak, and if so, what keeps the lever from moving?

Every reason to hold is a sentence, and all of them are told. An empty tuple is the only way to a moved lever, so a
reason forgotten here is the danger: what `check` refuses in a policy is held here as well.
"""

from __future__ import annotations

from adapters.api import ExpiresBy, LeverDeclaration
from adapters.exposure import is_fresh, usd_at_risk, utilisation_of, why_unknown
from adapters.policy.model import ANY, Exposure, LeverUse, OwnWord, Policy, Rule, spell_ms
from adapters.policy.situation import AlarmView, Own, Situation
from protocol.membership import LEASE_MS_MOST
from protocol.messages import Basis, Level
from protocol.subjects import Subject

Reasons = tuple[str, ...]
SENSED = (Own.OBSERVED, Own.VERIFIED)


def covers(policy: Policy, rule: Rule, subject: Subject) -> bool:
    """Whether the alarm's subject is a name of what the rule is about."""
    about = policy.asset_of(rule)
    return about == ANY or subject in policy.assets[about]


def live_level(alarm: AlarmView, situation: Situation) -> Level:
    """The network's level as far as it may move levers: WATCH, an ended certificate and a blind node weigh nothing."""
    if alarm.ends_ms is not None and alarm.ends_ms <= situation.now_ms:
        return Level.NONE
    if alarm.network_level <= Level.WATCH:
        return Level.NONE
    return min(alarm.network_level, Level.GUARD) if situation.blind else alarm.network_level


def lease_ms(rule: Rule, lever: LeverUse, declared: LeverDeclaration, situation: Situation) -> int:
    """The least of every bound that anybody set."""
    most = LEASE_MS_MOST[declared.rung]
    bound = min(situation.epoch_lease_ms.get(declared.rung, most), most)
    return max(0, min(rule.for_ms, lever.max_ms, declared.max_ms, bound))


def reasons_to_hold(
    policy: Policy, rule: Rule, lever: LeverUse, alarm: AlarmView, situation: Situation
) -> Reasons | None:
    """None: the rule does not speak of this alarm. Empty: the lever may move. Else: why it does not."""
    exposure = policy.exposures[lever.on]
    if rule.by_utilisation or not covers(policy, rule, alarm.subject):
        return None
    if alarm.subject not in policy.assets[exposure.asset]:
        return None
    spoken = _trigger(rule, alarm, situation)
    if spoken is None:
        return None
    declared = situation.levers.get(lever.name)
    if declared is None:
        return (f"{lever.name} ({lever.call}) is not connected here",)
    return (
        *spoken,
        *_own_reasons(rule, alarm, declared.rung),
        *lever_reasons(rule, lever, declared, situation),
        *_floor_reasons(rule, alarm),
        *_loss_reasons(rule, exposure, alarm.amount, situation),
        *_hold_reasons(rule, lever, alarm, situation),
    )


def _trigger(rule: Rule, alarm: AlarmView, situation: Situation) -> Reasons | None:
    """None where the rule's level is not reached or another rule answers for this kind of own word."""
    if rule.own is OwnWord.CONTRADICTED or (rule.own is OwnWord.UNABLE and alarm.own is not Own.UNABLE):
        return None
    if rule.level is Level.NONE:
        sensed = alarm.own in (*SENSED, Own.CONTRADICTED) and alarm.own_level >= Level.GUARD
        return () if sensed else None
    if live_level(alarm, situation) >= rule.level:
        return ()
    if situation.blind and live_level(alarm, _sighted(situation)) >= rule.level:
        return ("this node is blind: fewer than Q groups are heard, so the network's word carries GUARD only",)
    return None


def _sighted(situation: Situation) -> Situation:
    return Situation(now_ms=situation.now_ms)


def _own_reasons(rule: Rule, alarm: AlarmView, rung: Level) -> Reasons:
    if alarm.own is Own.CONTRADICTED:
        return ("this node's own check contradicts it",)
    if rule.level is Level.NONE:
        return _alone_reasons(rule, alarm, rung)
    if rule.own is not OwnWord.VERIFIED:
        return ()
    if alarm.own is not Own.VERIFIED:
        told = "could not tell" if alarm.own is Own.UNABLE else "has not confirmed it"
        return (f"this node's own check {told}",)
    # No claim type supports HALT: the step from ISOLATE to HALT is the judgement of Q groups, not of a verifier.
    if alarm.own_level < min(rung, Level.ISOLATE):
        return (f"this node's own check supports {alarm.own_level.name} only",)
    return ()


def _alone_reasons(rule: Rule, alarm: AlarmView, rung: Level) -> Reasons:
    """Own evidence: a sensor's word reaches GUARD, and only a re-run claim goes further."""
    if rule.own is OwnWord.UNABLE:
        return ("without the network's word it needs this node's own",)
    if alarm.own is Own.OBSERVED and (rung > Level.GUARD or rule.basis is Basis.VERIFIED):
        return ("this node's sensor saw it and no claim was re-run",)
    if alarm.own_level < rung:
        return (f"this node's own word supports {alarm.own_level.name} only",)
    return ()


def lever_reasons(rule: Rule, lever: LeverUse, declared: LeverDeclaration, situation: Situation) -> Reasons:
    """What the lever itself forbids, whatever is claimed."""
    reasons: list[str] = []
    if not declared.reversible:
        reasons.append(f"{lever.name} cannot be undone: people only")
    if declared.rung > rule.level and rule.level is not Level.NONE:
        reasons.append(f"{lever.name} is {declared.rung.name}, above the rule's {rule.level.name}")
    if rule.by_utilisation and declared.rung > Level.GUARD:
        reasons.append(f"{lever.name} is {declared.rung.name}; a utilisation carries GUARD at most")
    if (lever.blocks_exit or declared.blocks_exit) and not rule.hold_ms:
        reasons.append(f"{lever.name} blocks exits and {rule.name} has no hold")
    if needs_somebody(lever.expires_by, declared.expires_by) and not lever.accept_overdue:
        reasons.append(f"{lever.name} may stay past its lease and overdue time is not accepted")
    if lease_ms(rule, lever, declared, situation) <= 0:
        reasons.append(f"no lease is left for {lever.name} within the bounds")
    return tuple(reasons)


def needs_somebody(*ends: ExpiresBy) -> bool:
    """Whether the end of a restriction waits for this node or for a person."""
    return any(end in (ExpiresBy.NODE, ExpiresBy.HUMAN) for end in ends)


def _floor_reasons(rule: Rule, alarm: AlarmView) -> Reasons:
    reasons: list[str] = []
    verified = rule.basis is Basis.VERIFIED and rule.level is not Level.NONE
    counted = min(alarm.groups, alarm.groups_verified) if verified else alarm.groups
    needed = max(rule.groups, 1 if verified else 0)
    if counted < needed:
        reasons.append(f"{counted} of {needed} groups{' that re-ran it' if verified else ''}")
    if alarm.operators < rule.sources:
        reasons.append(f"{alarm.operators} of {rule.sources} source operators")
    return tuple(reasons)


def _loss_reasons(rule: Rule, exposure: Exposure, amount: int, situation: Situation) -> Reasons:
    """An amount that is unknown is not 0 and not enough: it holds, and says so."""
    if rule.min_loss_usd is None:
        return ()
    reading = situation.exposures.get(exposure.name)
    if reading is None or not is_fresh(reading, situation.now_ms, exposure.max_age_ms):
        told = why_unknown(reading, situation.now_ms, exposure.max_age_ms)
        return (f"the amount at risk in {exposure.name} is unknown: it {told}",)
    loss = usd_at_risk(reading, amount)
    if loss is None:
        return (f"the amount at risk in {exposure.name} is unknown: it {why_unknown(reading, reading.at_ms, 0)}",)
    if loss < rule.min_loss_usd:
        return (f"{loss:,.0f} USD at risk in {exposure.name}, below {rule.min_loss_usd:,.0f}",)
    return ()


def _hold_reasons(rule: Rule, lever: LeverUse, alarm: AlarmView, situation: Situation) -> Reasons:
    """`silent` goes at once and stays beside `do`: else a `do` that fails would leave nothing shut."""
    waited_ms = situation.now_ms - alarm.since_ms
    if not rule.hold_ms or lever.name in rule.silent or waited_ms >= rule.hold_ms:
        return ()
    left_ms = min(rule.hold_ms, rule.hold_ms - waited_ms)
    return (f"{rule.name} waits {spell_ms(rule.hold_ms)} for people, {max(1, left_ms // 1000)} s are left",)


def utilisation_state(
    policy: Policy, rule: Rule, lever: LeverUse, situation: Situation
) -> tuple[Reasons, float | None] | None:
    """(reasons to hold, utilisation where known) of a utilisation rule; None below all its thresholds."""
    exposure = policy.exposures[lever.on]
    declared = situation.levers.get(lever.name)
    if declared is None:
        return (f"{lever.name} ({lever.call}) is not connected here",), None
    reading = situation.exposures.get(exposure.name)
    if reading is None or not is_fresh(reading, situation.now_ms, exposure.max_age_ms):
        told = why_unknown(reading, situation.now_ms, exposure.max_age_ms)
        return (f"the utilisation of {exposure.name} is unknown: it {told}",), None
    share = utilisation_of(reading)
    if share is None:
        return (f"the utilisation of {exposure.name} is unknown: it has no figure",), None
    least = min(limit for limit in (rule.arm_above, rule.utilisation_above) if limit is not None)
    if share <= least:
        return None
    loss = _loss_reasons(rule, exposure, 0, situation)
    return (*lever_reasons(rule, lever, declared, situation), *loss), share
