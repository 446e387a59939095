"""What a well-formed policy may still not say. All faults at once, each with its line and its cure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from adapters.api import LeverDeclaration
from adapters.policy.match import needs_somebody
from adapters.policy.model import ANY, Fault, LeverUse, OwnWord, Policy, Rule, spell_ms
from protocol.membership import LEASE_MS_MOST
from protocol.messages import Level

Declarations = Mapping[str, LeverDeclaration]
CELL_LEVELS = (Level.NONE, Level.GUARD, Level.ISOLATE, Level.HALT)
CELL_OWN = (OwnWord.VERIFIED, OwnWord.UNABLE, OwnWord.CONTRADICTED)


def check(
    policy: Policy, declarations: Declarations, epoch_lease_ms: Mapping[Level, int], n_groups: int, f: int
) -> tuple[Fault, ...]:
    """`declarations`: call, or target:call where targets differ → what its adapter declares. `f`: how many of
    `n_groups` may lie. () means sane."""
    found: set[Fault] = set(_cells(policy))
    for lever in policy.levers.values():
        found.update(_lever(policy, lever, declarations))
    for rule in policy.rules:
        found.update(_members(policy, rule, n_groups, f))
        if rule.levers:
            found.update(_rule(policy, rule))
            found.update(_hold(policy, rule, declarations))
        for name in rule.levers:
            found.update(_use(policy, rule, policy.levers[name], declarations, epoch_lease_ms))
    return tuple(sorted(found, key=lambda fault: (fault.line, fault.path, fault.what)))


def declared_of(policy: Policy, lever: LeverUse, declarations: Declarations) -> LeverDeclaration | None:
    """Of the target that is meant; one call may close other ways at another target."""
    return declarations.get(policy.instance_of(lever)) or declarations.get(lever.call)


def _cells(policy: Policy) -> Iterator[Fault]:
    """Every level × own cell of every asset has an answer, even if it is "nothing"."""
    for asset in sorted(policy.assets):
        rules = [rule for rule in policy.rules if not rule.by_utilisation and policy.asset_of(rule) in (asset, ANY)]
        for own in CELL_OWN:
            words = (own, OwnWord.ANY)
            open_levels = [
                level.name
                for level in CELL_LEVELS
                if not any(rule.own in words and rule.level <= level for rule in rules)
            ]
            if open_levels:
                what = f"no rule answers own = {own.value} at {', '.join(open_levels)}"
                cure = 'add a rule for it; own = "any", level = "any", do = [] answers with nothing'
                yield policy.fault(f"asset.{asset}", what, cure)


def _lever(policy: Policy, lever: LeverUse, declarations: Declarations) -> Iterator[Fault]:
    path = f"lever.{lever.name}"
    declared = declared_of(policy, lever, declarations)
    if declared is None:
        known = ", ".join(sorted(one for one in declarations if ":" not in one)) or "none"
        yield policy.fault(f"{path}.call", f"no adapter here has a call {lever.call!r}", f"known calls: {known}")
    if needs_somebody(lever.expires_by) and not lever.accept_overdue:
        what = f'expires_by = "{lever.expires_by.value}" can stay past its lease'
        yield policy.fault(f"{path}.expires_by", what, "write accept_overdue = true, or use another lever")
    if declared is not None:
        yield from _narrows(policy, lever, declared)


def _narrows(policy: Policy, lever: LeverUse, declared: LeverDeclaration) -> Iterator[Fault]:
    """A policy only narrows what the adapter declares, and hides none of it."""
    path = f"lever.{lever.name}"
    if lever.expires_by is not declared.expires_by:
        cure = f'write expires_by = "{declared.expires_by.value}"'
        yield policy.fault(f"{path}.expires_by", f"{lever.call} ends by {declared.expires_by.value}", cure)
    if lever.closes != declared.closes:
        cure = "write closes = [" + ", ".join(f'"{way}"' for way in sorted(declared.closes)) + "]"
        yield policy.fault(f"{path}.closes", f"{lever.call} closes other ways than is said", cure)
    if declared.blocks_exit and not lever.blocks_exit:
        yield policy.fault(f"{path}.blocks_exit", f"{lever.call} blocks exits", "write blocks_exit = true")
    if lever.max_ms > declared.max_ms:
        most = spell_ms(declared.max_ms)
        yield policy.fault(f"{path}.max", f"is above the {most} that {lever.call} allows", f"write at most {most}")
    if lever.cooldown_ms < declared.cooldown_ms:
        least = spell_ms(declared.cooldown_ms)
        yield policy.fault(f"{path}.cooldown", f"is below the {least} of {lever.call}", f"write at least {least}")


def _members(policy: Policy, rule: Rule, n_groups: int, f: int) -> Iterator[Fault]:
    """Groups beyond n − f are there only if every liar helps: such a rule is a promise that nobody keeps."""
    sure = n_groups - f
    if rule.groups > sure:
        what = f"needs {rule.groups} groups; of {n_groups}, only {sure} are sure to speak"
        yield policy.fault(f"rule.{rule.name}.groups", what, f"write groups = {sure} or less")


def _rule(policy: Policy, rule: Rule) -> Iterator[Fault]:
    path = f"rule.{rule.name}"
    if rule.own is OwnWord.CONTRADICTED:
        cure = "write do = []; whoever found otherwise touches nothing"
        yield policy.fault(f"{path}.own", 'own = "contradicted" may never carry a lever', cure)
    if rule.any_level:
        yield policy.fault(f"{path}.level", 'level = "any" may carry no lever', "name the least level, or none")
    elif rule.level is Level.NONE and rule.own is not OwnWord.VERIFIED:
        what = 'without the network\'s word a lever needs own = "verified"'
        yield policy.fault(f"{path}.own", what, 'write own = "verified", or give a level')


def _hold(policy: Policy, rule: Rule, declarations: Declarations) -> Iterator[Fault]:
    path = f"rule.{rule.name}"
    if rule.hold_ms and not rule.silent:
        cure = 'write silent = ["…"]: the weaker levers that go at once'
        yield policy.fault(f"{path}.hold", "a hold without silent leaves the gate open meanwhile", cure)
    if rule.silent and not rule.hold_ms:
        yield policy.fault(f"{path}.silent", "has no hold to be silent in", 'write hold = "4m", or move it to do')
    if rule.silent and _strength(policy, rule.silent, declarations) > _strength(policy, rule.do, declarations):
        yield policy.fault(f"{path}.silent", "is stronger than do", "the levers that wait are the stronger ones")
    for name in rule.levers:
        lever = policy.levers[name]
        declared = declared_of(policy, lever, declarations)
        if not lever.blocks_exit and not (declared and declared.blocks_exit):
            continue
        if not rule.hold_ms:
            cure = "write hold and silent, so that people can object"
            yield policy.fault(f"{path}.do", f"{name} blocks exits and the rule has no hold", cure)
        elif name in rule.silent:
            yield policy.fault(f"{path}.silent", f"{name} blocks exits and may not go at once", "move it to do")


def _strength(policy: Policy, names: tuple[str, ...], declarations: Declarations) -> tuple[Level, bool]:
    """Highest rung, and whether any blocks an exit."""
    levers = [policy.levers[name] for name in names]
    told = [declared_of(policy, lever, declarations) for lever in levers]
    declared = [one for one in told if one is not None]
    rung = max((one.rung for one in declared), default=Level.NONE)
    return rung, any(one.blocks_exit for one in levers) or any(one.blocks_exit for one in declared)


def _use(
    policy: Policy, rule: Rule, lever: LeverUse, declarations: Declarations, epoch_lease_ms: Mapping[Level, int]
) -> Iterator[Fault]:
    path = f"rule.{rule.name}"
    if rule.for_ms > lever.max_ms:
        most = spell_ms(lever.max_ms)
        yield policy.fault(f"{path}.for", f"is above lever {lever.name}'s max of {most}", f"write at most {most}")
    declared = declared_of(policy, lever, declarations)
    if declared is None:
        return
    bound = min(epoch_lease_ms.get(declared.rung, LEASE_MS_MOST[declared.rung]), LEASE_MS_MOST[declared.rung])
    if rule.for_ms > bound:
        what = f"is above the charter's {spell_ms(bound)} at {declared.rung.name} ({lever.name})"
        yield policy.fault(f"{path}.for", what, f"write at most {spell_ms(bound)}")
    if not declared.reversible:
        yield policy.fault(f"{path}.do", f"{lever.name} cannot be undone", "take it out: people only, in no rule")
    yield from _rung(policy, rule, lever, declared.rung)


def _rung(policy: Policy, rule: Rule, lever: LeverUse, rung: Level) -> Iterator[Fault]:
    path = f"rule.{rule.name}"
    if rule.level is not Level.NONE and rung > rule.level:
        cure = f'write level = "{rung.name}", or a lesser lever'
        yield policy.fault(f"{path}.do", f"{lever.name} is {rung.name}, above the rule's {rule.level.name}", cure)
    if rule.by_utilisation and rung > Level.GUARD:
        what = f"{lever.name} is {rung.name}; a utilisation carries GUARD at most"
        yield policy.fault(f"{path}.do", what, "use a lever of rung GUARD")
