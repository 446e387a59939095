"""TOML → Scenario, or every fault at once with its line."""

from __future__ import annotations

import datetime
import re
import tomllib
from collections.abc import Mapping
from typing import Any

from adapters.policy.lines import find_lines
from node.testnet.registry import KINDS, LENDING, PERPS
from node.testnet.scenario import (
    PACK_CHARS_MAX,
    Event,
    Fact,
    Fault,
    Role,
    Run,
    Scenario,
    ScenarioFaults,
    Thing,
)
from node.testnet.scenario_events import read_event, read_expect
from node.testnet.scenario_policy import check_policy
from node.testnet.scenario_section import Faults, Section
from node.testnet.scenario_values import Wrong, duration_s, number, subject_text, text, thing, word

FORMAT = 1
LEVELS = ("GUARD", "ISOLATE", "HALT")
MODES = ("observe", "ask", "act")
_AT_LINE = re.compile(r" ?\(at line (\d+), column \d+\)")
_ID = re.compile(r"[a-z0-9][a-z0-9.-]{0,63}\Z")
_DATE = re.compile(r"\d{4}-\d{2}(-\d{2})?\Z")


def parse_pack(pack_text: str, source: str) -> Scenario:
    """`source` names the pack in messages. Raises ScenarioFaults."""
    if len(pack_text) > PACK_CHARS_MAX:
        raise ScenarioFaults(source, [Fault("pack", 0, "is too long", f"at most {PACK_CHARS_MAX} characters")])
    try:
        raw = tomllib.loads(pack_text)
    except (ValueError, RecursionError) as error:
        at = _AT_LINE.search(str(error))
        what = f"is no TOML: {_AT_LINE.sub('', str(error))}"
        raise ScenarioFaults(
            source, [Fault("pack", int(at[1]) if at else 0, what, "correct this line first")]
        ) from None
    faults = Faults(find_lines(pack_text))
    scenario = _read(Section(faults, "", raw), pack_text)
    if faults.found:
        raise ScenarioFaults(source, faults.in_order())
    return scenario


def _read(top: Section, pack_text: str) -> Scenario:
    head = Section(top.faults, "pack", top.raw("pack") or {})
    if head.raw("format") != FORMAT:
        head.fault("format", "is not understood here", f"format = {FORMAT}")
    facts = {name: _fact(name, table) for name, table in top.tables("fact")}
    things = _things(top)
    kinds = {one.name: one.kind for one in things.values()}
    roles = _roles(top, things)
    names = frozenset(role.name for role in roles)
    events = tuple(read_event(name, table, kinds, names, facts) for name, table in top.tables("event"))
    expects = tuple(read_expect(name, table, kinds, names) for name, table in top.tables("expect"))
    scenario = Scenario(
        id=head.get("id", _id, "", "a neutral id like forged-bridge-release"),
        family=head.get("family", text, "", "a family like integrity.bridge"),
        twin=head.get("twin", _id, ""),
        says=head.get("says", text, "", "one sentence for people"),
        run=_run(Section(top.faults, "run", top.raw("run") or {})),
        facts=facts,
        things=things,
        roles=roles,
        events=events,
        expects=expects,
        text=pack_text,
    )
    head.done()
    top.done()
    _check_whole(scenario, top)
    return scenario


def _id(raw: Any) -> str:
    if not isinstance(raw, str) or not _ID.match(raw):
        raise Wrong(f"{raw!r} is no id", "1 to 64 of a-z 0-9 . -")
    return raw


def _moment(raw: Any) -> str:
    if isinstance(raw, datetime.datetime) and raw.tzinfo is not None:
        return raw.astimezone(datetime.UTC).isoformat().replace("+00:00", "Z")
    raise Wrong(f"{raw!s:.40} is no moment", "a moment with zone, unquoted, like 2026-04-18T17:35:35Z")


def _date(raw: Any) -> str:
    written = raw.isoformat() if isinstance(raw, datetime.date) else raw
    if not isinstance(written, str) or not _DATE.match(written):
        raise Wrong(f"{raw!s:.40} is no date", "a date like 2026-04-17")
    return written


def _run(table: Section) -> Run:
    lease = Section(table.faults, "run.lease", table.raw("lease") or {})
    run = Run(
        t0=table.get("t0", _moment, "", "the moment that all times count from"),
        known_until=table.get("known_until", _date, "", "the last day before anybody knew of the incident"),
        history_divided_by=table.get("history_divided_by", lambda raw: number(raw, 1, 100_000), 1.0, "a number ≥ 1"),
        lease_s={level: lease.get(level, duration_s, 60.0, 'real time like "65s"') for level in LEVELS},
        ends_s=table.get("ends", duration_s, 0.0, "time in history at which playing stops"),
    )
    lease.done()
    table.done()
    return run


def _fact(name: str, table: Section) -> Fact:
    fact = Fact(
        name=name,
        say=table.get("say", text, "", "what happened, in one sentence"),
        src=table.get("src", text, "", "where it is written"),
        err=table.get("err", text, "", "how far it may be off"),
        at_s=table.get("at", duration_s, 0.0) if table.has("at") else None,
        value=table.get("value", number, 0.0) if table.has("value") else None,
        subject=table.get("subject", subject_text, ""),
    )
    table.done()
    return fact


def _things(top: Section) -> dict[str, Thing]:
    """Two passes: things name each other in any order."""
    tables = top.tables("thing")
    kinds: dict[str, str] = {}
    for name, table in tables:
        kind = table.get("kind", lambda raw: word(raw, tuple(KINDS)), "", f"one of {', '.join(KINDS)}")
        if kind:
            kinds[name] = kind
    things = {}
    for name, table in tables:
        if name not in kinds:
            continue
        params = {key: table.param(key, param, kinds) for key, param in KINDS[kinds[name]].params.items()}
        table.done()
        things[name] = Thing(name, kinds[name], params)
    return things


def _roles(top: Section, things: Mapping[str, Thing]) -> tuple[Role, ...]:
    policies = dict(top.tables("policy"))
    roles = []
    for name, table in top.tables("member"):
        policy = policies.pop(name, None)
        rows = {key: policy.raw(key) or {} for key in ("exposure", "lever", "rule", "limits")} if policy else {}
        if policy:
            policy.done()
        roles.append(_role(name, table, things, {key: value for key, value in rows.items() if value}))
    for name in policies:
        top.fault(f"policy.{name}", "belongs to no member", f"one of {', '.join(role.name for role in roles)}")
    return tuple(roles)


def _role(name: str, table: Section, things: Mapping[str, Thing], policy: Mapping[str, Any]) -> Role:
    levers = {f"{one.name}.{lever}" for one in things.values() for lever in one.is_a.levers} | {"node.log"}
    sensors = {f"{one.name}.{sensor}" for one in things.values() for sensor in one.is_a.sensors}
    kinds = {one.name: one.kind for one in things.values()}
    role = Role(
        name=name,
        group=table.get("group", text, name),
        providers=table.get("providers", lambda raw: _words(raw, None), (name,)),
        exposed=table.get("exposed", lambda raw: tuple(thing(one, kinds, ()) for one in _listed(raw)), ()),
        levers=table.get("levers", lambda raw: _words(raw, levers), ()),
        sensors=table.get("sensors", lambda raw: _words(raw, sensors), ()),
        mode=table.get("mode", lambda raw: word(raw, MODES), "observe"),
        needed=table.get("needed", _flag, False),
        policy=policy,
        says=table.get("says", text, ""),
    )
    table.done()
    return role


def _listed(raw: Any) -> list[Any]:
    if not isinstance(raw, list):
        raise Wrong(f"{raw!r:.60} is no list", 'a list like ["one", "two"]')
    return raw


def _words(raw: Any, known: set[str] | None) -> tuple[str, ...]:
    for one in _listed(raw):
        if not isinstance(one, str) or (known is not None and one not in known):
            raise Wrong(f"{one!r} is unknown", f"one of {', '.join(sorted(known or ()))}" if known else "a text")
    return tuple(raw)


def _flag(raw: Any) -> bool:
    if type(raw) is not bool:
        raise Wrong(f"{raw!r} is neither", "true or false")
    return raw


def _check_whole(scenario: Scenario, top: Section) -> None:
    """What no single key can know."""
    needed = [role for role in scenario.roles if role.needed]
    if not needed:
        top.fault("member", "nobody is needed", "mark at least one member with needed = true")
    for role in scenario.roles:
        if role.levers and not role.policy:
            top.fault(f"member.{role.name}", "has levers and no policy", f"[policy.{role.name}] with its rules")
        check_policy(role, scenario.things, top)
        _check_sensors(role, scenario.things, top)
    _check_leases(scenario, top)
    _check_bridges(scenario.things, top)
    _check_markets(scenario.things, top)
    _check_venues(scenario.things, top)


def _check_sensors(role: Role, things: Mapping[str, Thing], top: Section) -> None:
    for written in role.sensors:
        name, _, sensor = written.partition(".")
        if sensor == "deviation" and not things[name].params["references"]:
            top.fault(
                f"thing.{name}.references", f"{role.name} compares {name} with nothing", "what it is to agree with"
            )


def _check_leases(scenario: Scenario, top: Section) -> None:
    """A lease that ends before the attacker does would let it simply wait."""
    last = max((one.at_s + one.over_s for one in _played_by_attacker(scenario)), default=0.0)
    for level, lease_s in scenario.run.lease_s.items():
        if lease_s < scenario.play_s(last):
            what = f"{lease_s:g} s end before the attacker's last deed, played at {scenario.play_s(last):g} s"
            top.fault(f"run.lease.{level}", what, "a longer lease, or divide history by more")


def _played_by_attacker(scenario: Scenario) -> list[Event]:
    return [one for one in scenario.events if one.who == "attacker" and one.at_s <= scenario.run.ends_s]


def _check_markets(things: Mapping[str, Thing], top: Section) -> None:
    for one in (market for market in things.values() if market.kind in LENDING):
        taken = one.params["collateral"] or {}
        named = [*(one.params["posted"] or {}), *([one.params["against"]] if one.params["against"] else [])]
        for asset in (asset for asset in named if asset not in taken):
            key = "against" if asset == one.params["against"] else "posted"
            top.fault(f"thing.{one.name}.{key}", f"{asset} is no collateral here", f"one of {', '.join(taken)}")
        if one.params["loan"] in taken:
            top.fault(f"thing.{one.name}.collateral", "is the loan asset itself", "other assets")
        if any(not 0 < ltv < 1 for ltv in taken.values()):
            top.fault(f"thing.{one.name}.collateral", "has an LTV that is none", "ratios above 0 and below 1")
        provided = one.params["provided"]
        if provided is not None and (one.params["borrowed"] or 0) > provided:
            top.fault(f"thing.{one.name}.borrowed", "is more than was provided", f"at most {provided:g}")


def _check_venues(things: Mapping[str, Thing], top: Section) -> None:
    for one in (venue for venue in things.values() if venue.kind in PERPS):
        if not 0 < one.params.get("initial_margin", 1) <= 1:
            top.fault(f"thing.{one.name}.initial_margin", "is no margin", "a ratio above 0 and at most 1")
        if not one.params["counted"] < 1:
            top.fault(f"thing.{one.name}.counted", "counts in full", "a ratio below 1")
        if one.params["margin"] and one.params["margin"] == one.params["counts"]:
            top.fault(f"thing.{one.name}.counts", "is the margin asset itself", "another asset")


def _check_bridges(things: Mapping[str, Thing], top: Section) -> None:
    bridges = [one for one in things.values() if one.kind == "bridge.escrow"]
    for one in bridges:
        if one.params["home"] == one.params["far"]:
            top.fault(f"thing.{one.name}.far", "is the home chain", "another chain")
        if (one.params["home"], one.params["far"]) != (bridges[0].params["home"], bridges[0].params["far"]):
            top.fault(f"thing.{one.name}.home", "needs a third chain", "the same two chains for every bridge of a pack")
