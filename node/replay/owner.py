"""An owner as the replay takes it: its policy and its list, or a policy drafted from the list alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from adapters.api import ExposureReading, LeverDeclaration
from adapters.policy import LeverUse, Own, Policy, PolicyFaults, parse
from adapters.policy.check import Declarations, declared_of
from node.replay.holdings import Holding
from node.replay.incident import Incident, IncidentFault
from node.replay.played import Owner
from protocol.errors import ProtocolError
from protocol.messages import Level
from protocol.subjects import from_text

HIT = "hit"
"""The asset's name in a drafted policy."""
NAME_CHARS_MAX = 32


@dataclass(frozen=True)
class Held:
    """`names`: what of the list is about the incident, as texts; `drafted`: there was no policy."""

    owner: Owner
    holdings: tuple[Holding, ...]
    names: frozenset[str]
    drafted: bool

    def is_hit(self, one: Holding) -> bool:
        return bool(_called(one.asset) & self.names)


def hold_against(
    incident: Incident,
    holdings: Sequence[Holding],
    policy: Policy | None,
    declared: Declarations | None,
    *,
    on: str = "",
    own: Own = Own.VERIFIED,
    groups: int,
) -> Held:
    """`on`: the owner's own asset that the incident is played on; "" for the one it was really about. `declared` None:
    levers are taken as the policy describes them. `groups`: the most that a floor may ask for. IncidentFault."""
    names = frozenset(_called(on)) if on else incident.names
    drafted = policy is None
    if policy is None:
        listed = [one for one in holdings if _called(one.asset) & names]
        if not listed:
            raise _nothing_hit(incident)
        policy = _draft(listed, incident, groups)
        names |= {HIT}
    hit_names = {name for name, subjects in policy.assets.items() if name in names or {*map(str, subjects)} & names}
    subjects = tuple(policy.assets[name][0] for name in sorted(hit_names))
    names |= hit_names | {str(one) for name in hit_names for one in policy.assets[name]}
    rows = {one.name: one for one in holdings}
    readings = {name: _reading(rows[name]) for name in policy.exposures if name in rows}
    levers = {name: _declared(policy, one, declared) for name, one in policy.levers.items()}
    known = {name: one for name, one in levers.items() if one is not None}
    held = Held(Owner(policy, known, readings, subjects, own), tuple(holdings), names, drafted)
    if not subjects and not any(held.is_hit(one) for one in holdings):
        raise _nothing_hit(incident)
    return held


def _nothing_hit(incident: Incident) -> IncidentFault:
    what = f"nothing of yours is what {incident.name} was about ({', '.join(sorted(incident.names)[:4])})"
    return IncidentFault(f"{what}; add --as with an asset of your list or policy to play it on that")


def _called(written: str) -> set[str]:
    """As it is written, and as everybody writes it."""
    return {written, _canonical(written)}


def _canonical(written: str) -> str:
    try:
        return str(from_text(written))
    except ProtocolError:
        return written.lower()


def _reading(one: Holding) -> ExposureReading:
    return ExposureReading(one.name, one.usd, one.unit_usd, one.utilisation, 0, "from your list")


def _declared(policy: Policy, lever: LeverUse, declared: Declarations | None) -> LeverDeclaration | None:
    """What the adapter says; without one what the policy says of it, on the lowest rung of a rule that pulls it, which
    is as high as `policy check` lets it be."""
    if declared is not None:
        return declared_of(policy, lever, declared)
    rungs = [max(rule.level, Level.GUARD) for rule in policy.rules if lever.name in rule.levers]
    return LeverDeclaration(
        call=lever.call,
        rung=min(rungs, default=Level.GUARD),
        closes=lever.closes,
        blocks_exit=lever.blocks_exit,
        reversible=True,
        expires_by=lever.expires_by,
        max_ms=lever.max_ms,
        cooldown_ms=lever.cooldown_ms,
        says="as the policy describes it",
    )


def _draft(rows: Sequence[Holding], incident: Incident, groups: int) -> Policy:
    """Each lever of the list at its own rung, at the floors of the README's examples; HALT is left to people."""
    by_rung: dict[Level, list[str]] = {}
    levers = {}
    for place, row in enumerate(rows, 1):
        for number, (call, rung) in enumerate(row.levers, 1):
            name = f"{place}-{number}-{row.name}"[:NAME_CHARS_MAX]
            levers[name] = _lever(row.name, call)
            by_rung.setdefault(rung, []).append(name)
    rules: dict[str, Mapping[str, object]] = {"other": {"asset": "any", "level": "any", "own": "any", "do": []}}
    for rung, floor, sources in ((Level.GUARD, 2, 1), (Level.ISOLATE, 3, 2)):
        if rung in by_rung:
            rules[rung.name.lower()] = _rule(rung, by_rung[rung], min(floor, groups), sources)
    subject = incident.recording.words[0].topic[0]
    exposures = {row.name: _exposure(row.ways_out) for row in rows}
    try:
        return parse(
            {
                "policy": 1,
                "mode": "act",
                "asset": {HIT: [str(subject)]},
                **({"exposure": exposures} if exposures else {}),
                **({"lever": levers} if levers else {}),
                "rule": rules,
            }
        )
    except PolicyFaults as error:
        raise IncidentFault(f"no policy can be drafted from this list: {error.faults[0]}") from None


def _lever(on: str, call: str) -> Mapping[str, object]:
    return {"on": on, "call": call, "closes": [], "expires_by": "target", "max": "6h", "cooldown": "1h"}


def _rule(rung: Level, do: list[str], groups: int, sources: int) -> Mapping[str, object]:
    floors = {"basis": "VERIFIED", "own": "verified", "groups": groups, "sources": sources}
    return {"asset": HIT, "level": rung.name, **floors, "do": do, "for": "6h"}


def _exposure(ways_out: Iterable[str]) -> Mapping[str, object]:
    return {"asset": HIT, "read": "list", "max_age": "1m", "ways_out": list(ways_out)}
