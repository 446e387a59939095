"""Events and expectations of a pack: who does what to which thing, and what must come out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from node.testnet.registry import ASSETS, KINDS, LENDING, NODE, STORY_METRICS, WORLD_METRICS, Kind, Verb
from node.testnet.scenario import ARMS, BOTH, TOCSIN, Do, Event, Expect, Fact
from node.testnet.scenario_section import Section
from node.testnet.scenario_values import Kinds, Wrong, duration_s, number, text, word

ACTORS = ("attacker", "crowd", "people", "liar")
STEPS_MAX = 500
_NO_VERB = Do("", "", {})


def read_event(name: str, table: Section, kinds: Kinds, roles: frozenset[str], facts: Mapping[str, Fact]) -> Event:
    who = table.get("who", lambda raw: word(raw, (*ACTORS, *sorted(roles))), "people", "who does it")
    do = _do(table, kinds, who, roles)
    event = Event(
        name=name,
        at_s=table.get("at", duration_s, 0.0, 'time in history like "46m"'),
        who=who,
        do=do,
        arm=table.get("arm", lambda raw: word(raw, (*ARMS, BOTH)), BOTH),
        fallbacks=table.get("else", lambda raw: _fallbacks(raw, do, kinds, who), ()),
        steps=table.get("steps", _steps, 1),
        over_s=table.get("over", duration_s, 0.0),
        until=table.get("until", lambda raw: word(raw, ("done", "refused")), "done"),
        fact=table.get("fact", lambda raw: word(raw, tuple(facts)), ""),
        assumed=table.get("assumed", text, ""),
    )
    if event.at_s < 0:
        table.fault("at", "is before t0", "a time from t0 on; earlier things are facts")
    if do.thing == "node" and event.arm != TOCSIN:
        table.fault("arm", "nodes only observe in the control arm", f'arm = "{TOCSIN}"')
    if (event.steps > 1) != (event.over_s > 0):
        table.fault("over", "steps and over belong together", 'both, like steps = 20, over = "40m"')
    table.done()
    return event


def _steps(raw: Any) -> int:
    if type(raw) is not int or not 1 <= raw <= STEPS_MAX:
        raise Wrong(f"{raw!r} is no count", f"a whole number from 1 to {STEPS_MAX}")
    return raw


def _find(written: Any, kinds: Kinds, who: str) -> tuple[str, str, Verb]:
    """(thing, verb, its declaration) of "thing.verb", or Wrong."""
    thing, _, verb = written.partition(".") if isinstance(written, str) else ("", "", "")
    kind: Kind | None = NODE if thing == "node" else KINDS[kinds[thing]] if thing in kinds else None
    if kind is None:
        raise Wrong(f"{written!r}: no thing {thing!r}", f"thing.verb with one of {', '.join([*sorted(kinds), 'node'])}")
    if verb not in kind.verbs:
        what = f"{written!r}: nobody can {verb!r} a {kinds.get(thing, 'node')}"
        raise Wrong(what, f"one of {', '.join(sorted(kind.verbs)) or 'nothing'}")
    by = kind.verbs[verb].by
    if who not in by and not ("people" in by and who not in ACTORS):
        raise Wrong(f"{who} cannot {written}", f"done by {' or '.join(by)}" + (" or a role" * ("people" in by)))
    return thing, verb, kind.verbs[verb]


def _do(table: Section, kinds: Kinds, who: str, roles: frozenset[str]) -> Do:
    found = table.get("do", lambda raw: _find(raw, kinds, who), None, "what is done, like lend.withdraw")
    if found is None:
        # which keys belong to an unknown verb cannot be said: take them all, so that one slip is one fault
        for key in list(table._raw):
            table.raw(key)
        return _NO_VERB
    thing, verb, declared = found
    params = {key: table.param(key, param, kinds) for key, param in declared.params.items()}
    _check_collateral(table, params)
    return Do(thing, verb, params)


def _check_collateral(table: Section, params: Mapping[str, Any]) -> None:
    if "borrow" in params and "amount" in params and not (params["borrow"] or 0) > 0:
        table.fault("borrow", "is nothing", "how much is borrowed in all")


def _fallbacks(raw: Any, first: Do, kinds: Kinds, who: str) -> tuple[Do, ...]:
    """Each takes the first one's amounts where it has parameters of those names, and defaults for the rest."""
    if not isinstance(raw, list):
        raise Wrong(f"{raw!r:.60} is no list", 'a list like ["lend-b.post_and_borrow"]')
    found = []
    for written in raw:
        thing, verb, declared = _find(written, kinds, who)
        params = {key: first.params.get(key, param.default) for key, param in declared.params.items()}
        missing = [
            key for key, param in declared.params.items() if key not in first.params and _required(param.default)
        ]
        if missing:
            raise Wrong(f"{written!r} needs {', '.join(missing)}", f"a verb that does with what {first} has")
        found.append(Do(thing, verb, params))
    return tuple(found)


def _required(default: Any) -> bool:
    return repr(default) == "required"


def _patterns(kinds: Kinds, roles: frozenset[str]) -> dict[str, str]:
    def names(*of: str) -> str:
        return "(?:" + ("|".join(re.escape(name) for name, kind in kinds.items() if kind in of) or "(?!)") + ")"

    role = "(?:" + ("|".join(map(re.escape, sorted(roles))) or "(?!)") + ")"
    return {"asset": names(*ASSETS), "lending": names(*LENDING), "bridge": names("bridge.escrow"), "role": role}


def read_expect(name: str, table: Section, kinds: Kinds, roles: frozenset[str]) -> Expect:
    expect = Expect(
        name=name,
        arm=table.get("arm", lambda raw: word(raw, (*ARMS, BOTH)), BOTH),
        of=table.get("of", lambda raw: _metric(raw, kinds, roles), "", "what is measured, like obtained_usd"),
        is_=table.get("is", number, 0.0) if table.has("is") else None,
        tolerance=table.get("tolerance", lambda raw: number(raw, 0, 1), 0.0),
        at_least=table.get("at_least", number, 0.0) if table.has("at_least") else None,
        at_most=table.get("at_most", number, 0.0) if table.has("at_most") else None,
        goal=table.get("goal", text, ""),
        report=table.get("report", text, ""),
        needs=table.get("needs", lambda raw: _roles(raw, roles), ()),
    )
    if not (expect.is_check or expect.goal or expect.report):
        table.fault("", "expects nothing", "is, at_least or at_most for a check; goal or report to be told")
    table.done()
    return expect


def _roles(raw: Any, roles: frozenset[str]) -> tuple[str, ...]:
    if not isinstance(raw, list):
        raise Wrong(f"{raw!r:.60} is no list", 'a list of members like ["issuer"]')
    return tuple(word(one, tuple(sorted(roles))) for one in raw)


def _metric(raw: Any, kinds: Kinds, roles: frozenset[str]) -> str:
    fill = _patterns(kinds, roles)
    for template in (*WORLD_METRICS, *STORY_METRICS):
        pattern = template
        for key, value in fill.items():
            pattern = pattern.replace("{" + key + "}", value)
        if isinstance(raw, str) and re.fullmatch(pattern, raw):
            return raw
    known = ", ".join(one.replace("\\", "") for one in (*WORLD_METRICS, *STORY_METRICS))
    raise Wrong(f"{raw!r} is not measured", f"one of {known}")
