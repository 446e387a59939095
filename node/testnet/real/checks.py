"""The facts that a run on contracts of others must leave behind, beside those of every run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from node.testnet.registry import OF_OTHERS
from node.testnet.scenario import TOCSIN, Check, Role

if TYPE_CHECKING:
    from node.testnet.options import Options
    from node.testnet.supervisor import Facts

UNDER_WAY_MS = 1_000
"""A deed that was sent before a restriction may be noted after it."""
WAYS_IN = ("post_and_borrow", "borrow", "post_and_open", "open")


@dataclass(frozen=True)
class Shut:
    """A restriction of the run: on which thing, by which lever, from its effect until its end was begun. Wall clock."""

    member: str
    thing: str
    lever: str
    key: str
    from_ms: int
    until_ms: int

    def is_at(self, deed: dict[str, Any]) -> bool:
        return str(deed["do"]).partition(".")[0] == self.thing

    def covers(self, deed: dict[str, Any]) -> bool:
        return self.from_ms + UNDER_WAY_MS < int(deed["at_ms"]) < self.until_ms


def _of_others(facts: Facts) -> bool:
    return any(thing.kind in OF_OTHERS for thing in facts.scenario.things.values())


def _thing_of(facts: Facts, role: Role, lever: str) -> str:
    """What a lever of a policy is on: of a Safe, what it guards; of a part, its venue."""
    row = role.policy.get("lever", {}).get(lever, {})
    exposure = role.policy.get("exposure", {}).get(row.get("on", ""), {})
    name = str(exposure.get("target", ""))
    thing = facts.scenario.things.get(name)
    return str(thing.params.get("guards", thing.params.get("at", name))) if thing is not None else name


def shut_of(facts: Facts) -> Iterator[Shut]:
    for role in facts.roles:
        told = [one for one in facts.told[role.name] if one["kind"] == "action"]
        for key in dict.fromkeys(one["key"] for one in told if one["phase"] == "effective"):
            mine = [one for one in told if one["key"] == key]
            start = next(int(one["at_ms"]) for one in mine if one["phase"] == "effective")
            ends = [int(one["at_ms"]) for one in mine if one["phase"] in ("lifting", "lifted", "lapsed")]
            lever = str(mine[0]["lever"])
            yield Shut(role.name, _thing_of(facts, role, lever), lever, key, start, min(ends, default=2**53))


def markets_as_before(options: Options, facts: Facts) -> Check | None:
    """Terms of every reserve, venue and Safe: read when the world stood, and in the end."""
    if not _of_others(facts):
        return None
    seen = facts.chain.others
    got = ", ".join(seen.moved) or f"{len(seen.terms)} read at both ends, all alike"
    return Check("markets-stand-as-before", not seen.moved and bool(seen.terms), "every market's terms", got)


def only_named_changes(options: Options, facts: Facts) -> Check | None:
    """Each change bears the key of an action that a member's journal has, and is on that action's own market; a Safe
    did nothing but that."""
    if not _of_others(facts):
        return None
    roles = {role.name: role for role in facts.roles}
    ours = {
        action["key"]: _thing_of(facts, roles[name], action["lever"])
        for name, held in facts.actions.items()
        for action in held
    }
    changes = facts.chain.others.changes
    bad = sorted({f"{one.thing} (key {one.key[:8] or 'none'})" for one in changes if ours.get(one.key) != one.thing})
    for safe, count in facts.chain.others.executed:
        guarded = facts.scenario.things[safe].params["guards"]
        named = sum(one.thing == guarded for one in changes)
        bad += [f"{safe} executed {count}, {named} of them named"] if count != named else []
    got = ", ".join(bad) or f"{len(changes)} changes, each with its action"
    return Check("nothing-else-was-touched", not bad and bool(changes), "only what the journals name", got)


def attacker_refused(options: Options, facts: Facts) -> Check | None:
    """While a market is restricted the attacker gets nothing in there, and it tried."""
    if not _of_others(facts):
        return None
    tried = [one for one in facts.deeds[TOCSIN] if one["who"] == "attacker"]
    shut = [one for one in shut_of(facts) if facts.scenario.things[one.thing].kind in OF_OTHERS]
    got_in: dict[str, int] = {}
    refused: dict[str, int] = {}
    for deed in tried:
        thing, _, verb = str(deed["do"]).partition(".")
        if verb in WAYS_IN and any(one.thing == thing and one.covers(deed) for one in shut):
            counted = got_in if deed["ok"] else refused
            counted[thing] = counted.get(thing, 0) + 1
    wanted = {thing for one in tried if (thing := str(one["do"]).partition(".")[0]) in {each.thing for each in shut}}
    bad = [f"{thing}: {count} got in" for thing, count in sorted(got_in.items())]
    bad += [f"{thing} was never tried" for thing in sorted(wanted - set(refused))]
    got = "; ".join(bad) or ", ".join(f"{thing} {count} times" for thing, count in sorted(refused.items()))
    return Check("attacker-was-refused", not bad and bool(refused), "nothing got in where levers stood", got)


def honest_repaid(options: Options, facts: Facts) -> Check | None:
    """Debt was paid back in the middle of a restriction of that market."""
    markets = {name for name, thing in facts.scenario.things.items() if thing.kind == "lending.aave"}
    repaid = [one for one in facts.deeds[TOCSIN] if str(one["do"]).partition(".")[2] == "repay"]
    if not markets or not repaid:
        return None
    shut = list(shut_of(facts))
    meanwhile = [one for one in repaid if any(each.is_at(one) and each.covers(one) for each in shut)]
    bad = [f"{one['do']}: {one['why']}" for one in meanwhile if not one["ok"]]
    got = "; ".join(bad) or f"{len(meanwhile)} repaid while frozen"
    return Check("honest-users-repaid-meanwhile", bool(meanwhile) and not bad, "repaid while frozen", got)


def owners_signed(options: Options, facts: Facts) -> Check | None:
    """A Safe moved once as many owners as it needs had signed, and not before; for the lift too."""
    if not facts.owners:
        return None
    bad, count = [], 0
    for name, signed in facts.owners.items():
        for key in sorted({one.key for one in signed}):
            for does, phase in (("restrict", "effective"), ("lift", "lifted")):
                words = [one for one in signed if (one.key, one.does) == (key, does)]
                moved = [int(one["at_ms"]) for one in _told(facts, name, key) if one["phase"] == phase]
                enough = [one.at_ms for one in words if one.number == one.needed]
                count += len(words)
                if not enough or not moved or min(moved) < min(enough):
                    bad.append(f"{name}: {does} by {len(words)} words")
    got = "; ".join(bad) or f"{count} signatures, nothing moved before the last one needed"
    return Check("safe-waited-for-its-owners", not bad and count > 0, "k of n signed, to restrict and to lift", got)


def _told(facts: Facts, name: str, key: str) -> Sequence[dict[str, Any]]:
    return [one for one in facts.told[name] if one["kind"] == "action" and str(one["key"]) == key]


ON_OTHERS = (attacker_refused, honest_repaid, owners_signed, markets_as_before, only_named_changes)
"""A check that has nothing to look at is left out."""
