"""TOML → Policy, or every fault at once with its line. Well-formed is decided here, sane in `check`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import Any

from adapters.api import ExpiresBy
from adapters.policy.lines import find_deep_key, find_lines
from adapters.policy.model import (
    ANY,
    UNIT_MS,
    Ending,
    Exposure,
    Fault,
    LeverUse,
    Limits,
    Mode,
    OwnWord,
    Policy,
    PolicyFaults,
    Rule,
)
from adapters.policy.table import READ, Ledger, Table, shown
from protocol.errors import ProtocolError
from protocol.limits import ENTRY_BYTES_MAX, MANIFEST_SUBJECTS_MAX, MEMBERS_MAX
from protocol.messages import Basis, Level
from protocol.subjects import Subject, from_text

VERSION = 1
TEXT_CHARS_MAX = 256 * 1024
THINGS_MAX = 256
"""Assets, exposures, levers or rules of one policy: decide runs rules × alarms."""
USD_MAX = 1e15
PEOPLE_MOST = 2
WITHIN_MS = (UNIT_MS["m"], UNIT_MS["d"])
_SUBJECT_HEAD_BYTES = 3
_ENTRY_REST_BYTES = 512
"""Of a Manifest's entry: seal, author, hashes and heads."""
_MODES = {mode.name.lower(): mode for mode in Mode}
_LEVELS = {"none": Level.NONE, "GUARD": Level.GUARD, "ISOLATE": Level.ISOLATE, "HALT": Level.HALT}
_BASES = {"OBSERVED": Basis.OBSERVED, "VERIFIED": Basis.VERIFIED}
_OWN = {word.value: word for word in OwnWord}
_EXPIRES = {by.value: by for by in ExpiresBy}
_PERSON = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}\Z")
"""As a node names its people."""
_AT_LINE = re.compile(r"\(at line (\d+), column \d+\)")


def parse_text(toml_text: str) -> Policy:
    """From a file's text. PolicyFaults carries lines."""
    if len(toml_text) > TEXT_CHARS_MAX:
        raise PolicyFaults((Fault("policy", 0, f"is longer than {TEXT_CHARS_MAX} characters", "shorten it"),))
    deep = find_deep_key(toml_text)
    if deep:
        raise PolicyFaults((Fault("policy", deep, "has a key of too many parts", "no key of a policy is that deep"),))
    try:
        raw = tomllib.loads(toml_text)
    except (ValueError, RecursionError) as error:  # a plain ValueError: a number of thousands of digits
        at = _AT_LINE.search(str(error))
        what = f"is no TOML: {_AT_LINE.sub('', str(error)).strip()}"
        raise PolicyFaults((Fault("policy", int(at[1]) if at else 0, what, "correct this line first"),)) from None
    return parse(raw, find_lines(toml_text))


def parse(raw: Mapping[str, Any], lines: Mapping[str, int] | None = None) -> Policy:
    """From parsed TOML. `lines`: dotted path → line, where the text is known. PolicyFaults with all faults."""
    ledger = Ledger(lines or {})
    top = ledger.table(raw, "")
    if top.raw("policy") != VERSION or type(raw.get("policy")) is not int:
        top.fault("policy", "names no version that is understood here", f"write policy = {VERSION} as the first line")
    if top.raw("quiet_hours") not in (None, "never"):
        top.fault("quiet_hours", "is a condition on the clock", 'write quiet_hours = "never": attackers read clocks')
    mode = top.word("mode", _MODES, default=Mode.OBSERVE)
    policy = Policy(
        mode=mode,
        assets=_assets(top, ledger),
        exposures={name: _exposure(name, table) for name, table in top.tables("exposure")},
        levers={name: _lever(name, table) for name, table in top.tables("lever")},
        rules=tuple(_rule(name, table) for name, table in top.tables("rule")),
        limits=_limits(ledger.table(top.raw("limits") if top.has("limits") else {}, "limits")),
        ending=_ending(ledger.table(top.raw("release") if top.has("release") else {}, "release")),
        lines=dict(lines or {}),
    )
    top.done()
    _check_references(policy, ledger)
    if ledger.faults:
        raise PolicyFaults(tuple(sorted(set(ledger.faults), key=lambda fault: (fault.line, fault.path, fault.what))))
    return policy


def _assets(top: Table, ledger: Ledger) -> dict[str, tuple[Subject, ...]]:
    raw = top.raw("asset")
    if raw is None:
        return {}
    table = ledger.table(raw, "asset")
    assets: dict[str, tuple[Subject, ...]] = {}
    owner: dict[Subject, str] = {}
    for name in sorted(raw) if isinstance(raw, Mapping) else ():
        top.check_name("asset", name)
        assets[name] = tuple(_subjects(table, name, table.raw(name)))
        for subject in assets[name]:
            if owner.setdefault(subject, name) != name:
                table.fault(name, f"{subject} is also a name of {owner[subject]}", "one subject belongs to one risk")
    return assets


def _subjects(table: Table, name: str, written: Any) -> list[Subject]:
    if not isinstance(written, list) or not written or len(written) > THINGS_MAX:
        table.fault(name, "is no list of subjects", 'write it like ["eip155:1/erc20:0x…"], one or more')
        return []
    subjects: list[Subject] = []
    for one in written:
        try:
            subjects.append(from_text(one if isinstance(one, str) else ""))
        except ProtocolError as error:
            table.fault(name, error.detail, "correct this name; every name of the risk is one subject")
    return list(dict.fromkeys(subjects))


def _exposure(name: str, table: Table) -> Exposure:
    exposure = Exposure(
        name=name,
        asset=table.name("asset"),
        read=table.name("read", READ),
        max_age_ms=table.duration("max_age"),
        ways_out=table.names("ways_out"),
        target=table.text("target"),
        behind=table.name("behind", needed=False),
    )
    table.done()
    return exposure


def _lever(name: str, table: Table) -> LeverUse:
    lever = LeverUse(
        name=name,
        on=table.name("on"),
        call=table.name("call", READ),
        closes=frozenset(table.names("closes")),
        expires_by=table.word("expires_by", _EXPIRES),
        max_ms=table.duration("max"),
        cooldown_ms=table.duration("cooldown"),
        accept_overdue=table.flag("accept_overdue"),
        blocks_exit=table.flag("blocks_exit"),
        mode=table.word("mode", _MODES, default=Mode.ACT, otherwise=Mode.OBSERVE),
    )
    table.done()
    return lever


def _rule(name: str, table: Table) -> Rule:
    any_level = table.raw("level") == ANY
    do, silent = table.names("do"), table.names("silent", needed=False)
    rule = Rule(
        name=name,
        asset=table.name("asset", needed=False),
        exposure=table.name("exposure", needed=False),
        level=Level.NONE if any_level else table.word("level", _LEVELS),
        any_level=any_level,
        own=table.word("own", _OWN, otherwise=OwnWord.CONTRADICTED),
        do=do,
        for_ms=table.duration("for", needed=bool(do or silent)),
        basis=table.word("basis", _BASES) if table.has("basis") else None,
        groups=table.count("groups", MEMBERS_MAX) or 0,
        sources=table.count("sources", MEMBERS_MAX) or 0,
        min_loss_usd=table.number("min_loss_usd", 0, USD_MAX),
        hold_ms=table.duration("hold", needed=False),
        silent=silent,
        arm_above=table.number("arm_above", 0, 1),
        utilisation_above=table.number("utilisation_above", 0, 1),
        page=table.flag("page"),
    )
    _check_shape(rule, table)
    table.done()
    return rule


def _check_shape(rule: Rule, table: Table) -> None:
    if bool(rule.asset) == bool(rule.exposure):
        table.fault("asset", "a rule is about one asset or one exposure", "give asset = … or exposure = …, not both")
    if not rule.by_utilisation:
        return
    if not rule.exposure:
        table.fault("utilisation_above", "needs the exposure whose utilisation is read", "give exposure = …")
    if rule.level is not Level.NONE or rule.any_level or rule.own is not OwnWord.VERIFIED:
        table.fault("level", "utilisation is own evidence", 'write level = "none", own = "verified"')
    if rule.arm_above is not None and rule.utilisation_above is not None and rule.arm_above > rule.utilisation_above:
        table.fault("arm_above", "is above utilisation_above", "arm before you act")
    for key in ("basis", "groups", "sources", "hold", "silent"):
        if table.has(key):
            table.fault(key, "says nothing about a utilisation: no network, no start", "take it out of this rule")


def _limits(table: Table) -> Limits:
    limits = Limits(table.count("calls_per_hour", 1_000_000))
    table.word("beyond", {"hold": True}, default=True)
    table.done()
    return limits


def _ending(table: Table) -> Ending:
    need, usual = table.count("need", PEOPLE_MOST), Ending()
    within_ms = table.duration("within", needed=False) or usual.within_ms
    if not WITHIN_MS[0] <= within_ms <= WITHIN_MS[1]:
        table.fault("within", "is under a minute or over a day", 'write it like "30m"')
    socket = table.text("socket")
    if socket and not _PERSON.match(socket):
        table.fault("socket", f"{shown(socket)} is no person's name", "write it as `tocsin person list` shows it")
    table.done()
    return Ending(need or usual.need, within_ms, socket)


def _check_references(policy: Policy, ledger: Ledger) -> None:
    for kind, things in (("asset", policy.assets), ("exposure", policy.exposures), ("lever", policy.levers)):
        if len(things) > THINGS_MAX:
            ledger.add(kind, f"has {len(things)} entries", f"keep it at {THINGS_MAX}")
    if len(policy.rules) > THINGS_MAX:
        ledger.add("rule", f"has {len(policy.rules)} entries", f"keep it at {THINGS_MAX}")
    for exposure in policy.exposures.values():
        _known(ledger, f"exposure.{exposure.name}.asset", exposure.asset, policy.assets, "asset")
        _known(ledger, f"exposure.{exposure.name}.behind", exposure.behind, policy.exposures, "exposure")
    _check_manifest(policy, ledger)
    for lever in policy.levers.values():
        _known(ledger, f"lever.{lever.name}.on", lever.on, policy.exposures, "exposure")
    for rule in policy.rules:
        _check_rule_references(policy, rule, ledger)


def _check_manifest(policy: Policy, ledger: Ledger) -> None:
    """What we are exposed to is declared in one entry of our feed; one that does not fit would be sealed and read by
    nobody, ourselves included."""
    exposed = {one for exposure in policy.exposures.values() for one in policy.assets.get(exposure.asset, ())}
    size = sum(len(one.raw) + _SUBJECT_HEAD_BYTES for one in exposed)
    if len(exposed) > MANIFEST_SUBJECTS_MAX or size > ENTRY_BYTES_MAX - _ENTRY_REST_BYTES:
        what = f"exposures are to {len(exposed)} subjects in {size} bytes, more than one Manifest can declare"
        ledger.add("exposure", what, f"keep it at {MANIFEST_SUBJECTS_MAX} names, or split it among two seats")


def _known(ledger: Ledger, path: str, name: str, things: Mapping[str, Any], kind: str) -> bool:
    if name and name not in things:
        ledger.add(path, f"no {kind} is called {name!r}", f"known: {', '.join(sorted(things)) or 'none'}")
    return name in things


def _check_rule_references(policy: Policy, rule: Rule, ledger: Ledger) -> None:
    path = f"rule.{rule.name}"
    if rule.asset != ANY:
        _known(ledger, f"{path}.asset", rule.asset, policy.assets, "asset")
    if rule.exposure and not _known(ledger, f"{path}.exposure", rule.exposure, policy.exposures, "exposure"):
        return
    for name in rule.levers:
        key = "do" if name in rule.do else "silent"
        if not _known(ledger, f"{path}.{key}", name, policy.levers, "lever"):
            continue
        on = policy.levers[name].on
        if rule.exposure and on != rule.exposure:
            ledger.add(f"{path}.{key}", f"{name} is on {on}, not on {rule.exposure}", "use a lever of this exposure")
        elif rule.asset not in ("", ANY) and on in policy.exposures and policy.exposures[on].asset != rule.asset:
            ledger.add(f"{path}.{key}", f"{name} is on {on}, which is not about {rule.asset}", "use another lever")
