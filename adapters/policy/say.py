"""A policy in sentences: what would shut, what stays open, how it ends, what has no lever, what liars could do.

No figure is invented: amounts are told only as the policy's floors, and what liars could do is decided, not argued."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

from adapters.api import ExpiresBy, ExposureReading
from adapters.policy.check import Declarations, declared_of
from adapters.policy.decide import decide
from adapters.policy.model import Ending, Exposure, LeverUse, Mode, OwnWord, Policy, Rule, spell_ms
from adapters.policy.situation import AlarmView, Own, Situation, Verdict
from protocol.membership import LEASE_MS_MOST
from protocol.messages import Basis, Level, Threat

_MODE_SAYS = {
    Mode.OBSERVE: "mode observe: decisions are told, no lever moves.",
    Mode.ASK: "mode ask: a person approves each action.",
    Mode.ACT: "mode act: levers move by themselves, within what follows.",
}
_ENDS = {
    ExpiresBy.TARGET: "ends by itself at the target",
    ExpiresBy.GUARD: "ends once anyone calls lapse() after its time",
    ExpiresBy.NODE: "ends when this node undoes it: overdue while the node is down",
    ExpiresBy.HUMAN: "ends only by a person",
}
_OWN_SAYS = {
    OwnWord.VERIFIED: "own check agrees",
    OwnWord.UNABLE: "own providers cannot tell",
    OwnWord.CONTRADICTED: "own check says otherwise",
    OwnWord.ANY: "whatever the own check says, unless it contradicts",
}
_MUCH_USD = 1e15
_MUCH = 10**40


def say(
    policy: Policy, declarations: Declarations, epoch_lease_ms: Mapping[Level, int], n_groups: int, f: int
) -> list[str]:
    """Sentences for a person who is to sign this policy. Needs no sane policy: `check` may have refused it."""
    sentences = [_MODE_SAYS[policy.mode], *_ending(policy.ending)]
    if n_groups < 4:
        sentences.append(f"{n_groups} control groups: the network only informs, every decision is held.")
    if not policy.exposures:
        sentences.append("no exposure is declared: every alarm is answered, none touches a lever.")
    for exposure in policy.exposures.values():
        sentences.extend(_exposure(policy, exposure, declarations, epoch_lease_ms))
    sentences.extend(_idle(policy))
    sentences.extend(_liars(policy, declarations, epoch_lease_ms, n_groups, f))
    return sentences


def _ending(ending: Ending) -> Iterator[str]:
    if ending.need > 1:
        whose = f"is {ending.socket}'s" if ending.socket else "is nobody's and does not count"
        yield (
            f"a lift and a release need {ending.need} people within {spell_ms(ending.within_ms)}; "
            f"the control socket {whose}."
        )


def _exposure(
    policy: Policy, exposure: Exposure, declarations: Declarations, epoch_lease_ms: Mapping[Level, int]
) -> Iterator[str]:
    behind = f", behind {exposure.behind}" if exposure.behind else ""
    age = spell_ms(exposure.max_age_ms)
    yield f"{exposure.name} ({exposure.asset}{behind}): read by {exposure.read}, unknown once older than {age}."
    shut: set[str] = set()
    for rule in policy.rules:
        for name in rule.levers:
            lever = policy.levers[name]
            if lever.on == exposure.name:
                shut |= lever.closes
                yield f"{exposure.name}: {_answer(policy, rule, lever, declarations, epoch_lease_ms)}"
    for way in exposure.ways_out:
        if way not in shut:
            yield f"{exposure.name}/{way}: NO LEVER."


def _answer(
    policy: Policy, rule: Rule, lever: LeverUse, declarations: Declarations, epoch_lease_ms: Mapping[Level, int]
) -> str:
    ways = policy.exposures[lever.on].ways_out
    closes = ", ".join(sorted(lever.closes)) or "nothing outright"
    stays = ", ".join(way for way in ways if way not in lever.closes) or "nothing that is listed"
    declared = declared_of(policy, lever, declarations)
    lease_ms = min(rule.for_ms, lever.max_ms)
    if declared is not None:
        most = LEASE_MS_MOST[declared.rung]
        lease_ms = max(0, min(lease_ms, declared.max_ms, epoch_lease_ms.get(declared.rung, most), most))
    rung = declared.rung.name if declared else "rung unknown: no adapter here has this call"
    return (
        f"{_when(rule)}, {lever.name} ({lever.call}, {rung}) {_how(policy, rule, lever)}: {closes} shut, "
        f"{stays} open, for {spell_ms(lease_ms)} at most; {_ENDS[lever.expires_by]}."
    )


def _how(policy: Policy, rule: Rule, lever: LeverUse) -> str:
    mode = min(policy.mode, lever.mode)
    verb = {Mode.OBSERVE: "would move", Mode.ASK: "is put before a person", Mode.ACT: "moves"}[mode]
    if rule.hold_ms and lever.name not in rule.silent:
        return f"{verb} after {spell_ms(rule.hold_ms)} without a person's refusal"
    return f"{verb} at once"


def _when(rule: Rule) -> str:
    """The rule's conditions, as people read them."""
    if rule.by_utilisation:
        return f"{rule.name}: {_fullness(rule)}"
    parts = ["on own evidence alone" if rule.level is Level.NONE else f"at {rule.level.name} or above"]
    parts.append(_OWN_SAYS[rule.own])
    if rule.groups:
        parts.append(f"{rule.groups} groups{' that re-ran it' if rule.basis is Basis.VERIFIED else ''}")
    elif rule.basis is Basis.VERIFIED:
        parts.append("the claim was re-run")
    if rule.sources:
        parts.append(f"{rule.sources} source operators")
    if rule.min_loss_usd is not None:
        parts.append(f"at least {rule.min_loss_usd:,.0f} USD at risk, as read")
    return f"{rule.name}: " + ", ".join(parts)


def _fullness(rule: Rule) -> str:
    if rule.utilisation_above is None:
        return f"own sensor above {rule.arm_above or 0:.0%} utilisation: armed, never sent"
    armed = "" if rule.arm_above is None else f", armed above {rule.arm_above:.0%}"
    return f"own sensor above {rule.utilisation_above:.0%} utilisation{armed}"


def _idle(policy: Policy) -> Iterator[str]:
    used = {name for rule in policy.rules for name in rule.levers}
    for name in policy.levers:
        if name not in used:
            yield f"{name}: no rule moves it."


def _liars(
    policy: Policy, declarations: Declarations, epoch_lease_ms: Mapping[Level, int], n_groups: int, f: int
) -> Iterator[str]:
    """Played, with every amount as large as can be: the sentence is what `decide` did."""
    if not policy.assets:
        return
    told = _moved(policy, declarations, epoch_lease_ms, Level.NONE, f, Own.NONE)
    yield f"{f} liars, on anything they say: {told}."
    enough = n_groups - f
    for own, word in (
        (Own.CONTRADICTED, "while this node's own check says otherwise"),
        (Own.NONE, "before this node's own check is done"),
        (Own.UNABLE, "while this node's own providers cannot tell"),
    ):
        told = _moved(policy, declarations, epoch_lease_ms, Level.HALT, enough, own)
        yield f"{enough} of {n_groups} groups wrong at once, {word}: {told}."


def _moved(
    policy: Policy,
    declarations: Declarations,
    epoch_lease_ms: Mapping[Level, int],
    level: Level,
    groups: int,
    own: Own,
) -> str:
    now_ms = 4 * max((rule.hold_ms for rule in policy.rules), default=0) + 1
    alarms = tuple(
        AlarmView(
            names[0], Threat.BRIDGE_FORGERY, level, groups, groups, groups, own, amount=_MUCH, claims=(), since_ms=0
        )
        for names in policy.assets.values()
        if names
    )
    readings = {name: ExposureReading(name, _MUCH_USD, _MUCH_USD, None, now_ms) for name in policy.exposures}
    declared = {name: declarations[lever.call] for name, lever in policy.levers.items() if lever.call in declarations}
    situation = Situation(now_ms, epoch_lease_ms, alarms, readings, levers=declared)
    unleashed = dataclasses.replace(policy, mode=Mode.ACT)
    moved = sorted(
        {
            f"{one.lever} for {spell_ms(one.lease_ms)}"
            for one in decide(unleashed, situation)
            if one.verdict in (Verdict.ACT, Verdict.ASK) and one.lever is not None
        }
    )
    return ", ".join(moved) or "nothing"
