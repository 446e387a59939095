"""The answer, as values for programs and as sentences for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from adapters.policy import Policy, Verdict, spell_ms
from node.replay.holdings import Holding
from node.replay.incident import Incident
from node.replay.owner import Held
from node.replay.played import Answered, Played
from node.watch import threat_word
from protocol.membership import Epoch
from protocol.messages import Level

Json = dict[str, Any]
ACTS, ASKS, ARMS, HOLDS, NO_LEVER, UNTOUCHED = "acts", "asks", "arms", "holds", "no lever", "untouched"
_WORDS = {Verdict.ACT: ACTS, Verdict.ASK: ASKS, Verdict.ARM: ARMS}
_STRICTEST = (ACTS, ASKS, ARMS, HOLDS)
HISTORY_SHOWN = 12


def answer(incident: Incident, held: Held, played: Played, epoch: Epoch, block_ms: int) -> Json:
    """Times in ms since `counts_from`. `effect_ms`: one block of the owner's chain after that, which is assumed and not
    measured; None where a person or nobody acts."""
    exposures = [_exposure(one, held, played, block_ms) for one in held.holdings]
    exposures += [_unlisted(name, held, played, block_ms) for name in _unlisted_names(held)]
    acting = [one for one in exposures if one["does"] == ACTS]
    at_ms = min((one["at_ms"] for one in acting), default=None)
    effect_ms = min((one["effect_ms"] for one in acting), default=None)
    return {
        "incident": incident.name,
        "says": incident.says,
        "t0": incident.t0,
        "counts_from": "the first word" if incident.by_words else "the first malicious transaction",
        "words_of": incident.borrowed or incident.recording.pack,
        "borrowed": bool(incident.borrowed),
        "drafted_policy": held.drafted,
        "mode": held.owner.policy.mode.name.lower(),
        "network": {"groups": epoch.n, "may_lie": epoch.f, "needed": {k.name: v for k, v in epoch.thresholds.items()}},
        "assumed": {"block_ms": block_ms, "own_check": held.owner.own.value},
        "measured": {"reaction_ms": incident.after_ms},
        "first_word_ms": played.first_word_ms,
        "own_check_ms": played.own_ms,
        "formed": [
            {"threat": threat_word(one.topic[1]), "level": one.level.name, "at_ms": one.from_ms, "groups": one.groups}
            for one in played.formed
        ],
        "exposures": exposures,
        "acted_ms": at_ms,
        "effect_ms": effect_ms,
        "asked_ms": min((one["at_ms"] for one in exposures if one["does"] == ASKS), default=None),
        "no_lever": [one["name"] for one in exposures if one["does"] == NO_LEVER],
        "attacker": _attacker(incident, effect_ms),
        "history": [{"at_ms": int(one.at_s * 1000), "says": one.says} for one in incident.history],
        "notes": list(incident.notes),
    }


def _attacker(incident: Incident, effect_ms: int | None) -> Json:
    before = [at_s for at_s in incident.deeds_s if effect_ms is None or at_s * 1000 <= effect_ms]
    return {"deeds": len(incident.deeds_s), "before_effect": len(before)}


def _exposure(one: Holding, held: Held, played: Played, block_ms: int) -> Json:
    policy = held.owner.policy
    base: Json = {"name": one.name, "asset": one.asset, "usd": one.usd, "does": UNTOUCHED, "levers": []}
    if one.name in policy.exposures and (_answers(policy, one.name, played) or held.is_hit(one)):
        return base | _on(one.name, held, played, block_ms, one.ways_out)
    if not held.is_hit(one):
        return base | {"why": "this incident is about something else"}
    return base | {"does": NO_LEVER, "why": "the policy names no exposure of this name"}


def _unlisted_names(held: Held) -> list[str]:
    policy, listed = held.owner.policy, {one.name for one in held.holdings}
    return sorted(name for name, one in policy.exposures.items() if one.asset in held.names and name not in listed)


def _unlisted(name: str, held: Held, played: Played, block_ms: int) -> Json:
    asset = held.owner.policy.exposures[name].asset
    return {"name": name, "asset": asset, "usd": None} | _on(name, held, played, block_ms, ())


def _answers(policy: Policy, name: str, played: Played) -> list[Answered]:
    return [one for one in played.answers if one.decision.lever and policy.levers[one.decision.lever].on == name]


def _on(name: str, held: Held, played: Played, block_ms: int, ways_out: Sequence[str]) -> Json:
    policy = held.owner.policy
    pulled = {lever for rule in policy.rules for lever in rule.levers if policy.levers[lever].on == name}
    if not pulled:
        return {"does": NO_LEVER, "why": "no rule moves a lever on it", "levers": []}
    levers = [_lever(one, policy) for one in _answers(policy, name, played)]
    does = next((word for word in _STRICTEST if any(one["does"] == word for one in levers)), HOLDS)
    at_ms = min((one["at_ms"] for one in levers if one["does"] == does and one["at_ms"] is not None), default=None)
    moved = [policy.levers[one["lever"]] for one in levers if one["does"] in (ACTS, ASKS)]
    shut = {way for lever in moved for way in lever.closes}
    ways = ways_out or policy.exposures[name].ways_out
    return {
        "does": does,
        "at_ms": at_ms,
        "effect_ms": at_ms + block_ms if does == ACTS and at_ms is not None else None,
        "levers": levers,
        "open": [way for way in ways if way not in shut] if not held.drafted else [],
        "why": levers[0]["why"] if levers else "no rule speaks of it: the level it asks for was never reached",
    }


def _lever(one: Answered, policy: Policy) -> Json:
    decision = one.decision
    return {
        "lever": decision.lever,
        "call": policy.levers[decision.lever or ""].call,
        "does": _WORDS.get(decision.verdict, HOLDS) if one.at_ms is not None else HOLDS,
        "at_ms": one.at_ms,
        "rung": decision.rung.name if decision.rung is not Level.NONE else None,
        "lease_ms": decision.lease_ms,
        "why": decision.why,
    }


def sentences(told: Mapping[str, Any]) -> Iterator[str]:
    since = f", {told['counts_from'].removeprefix('the ')} {told['t0']}" if told["t0"] else ""
    yield f"{told['incident']}{since}: {told['says']}"
    yield from _stands_on(told)
    yield ""
    yield from (_row(one) for one in told["exposures"])
    yield ""
    yield _verdict(told)
    yield from _beside_history(told)


def _stands_on(told: Mapping[str, Any]) -> Iterator[str]:
    reaction_ms, block_ms = told["measured"]["reaction_ms"], told["assumed"]["block_ms"]
    reaction = f"{reaction_ms / 1000:.1f} s measured" if reaction_ms is not None else "not measured (0 s)"
    yield f"  counted     {told['network']['groups']} groups; ISOLATE needs {told['network']['needed']['ISOLATE']}"
    if told["first_word_ms"]:
        yield f"  assumed     a block of {spell_ms(block_ms)} until it is seen, another until a lever stands (--block)"
        yield f"  reaction    from its block to the first word {reaction}, on one machine"
    else:
        yield f"  assumed     a block of {spell_ms(block_ms)} until a lever stands (--block)"
    if told["borrowed"]:
        yield f"  borrowed    what members say is taken from {told['words_of']}: of this one nobody recorded it"
    if told["drafted_policy"]:
        yield "  policy      none: drafted from the levers of your list; --policy or --config play your own"
    if told["mode"] == "observe":
        yield "  policy      it only observes: played as if it acted"
    yield from (f"  note        {one}" for one in told["notes"])
    for one in told["formed"]:
        yield f"  {_at(one['at_ms']):<11} {one['level']} certificate, {one['threat']}: {one['groups']} groups"
    if not told["formed"]:
        yield "  nothing     no level forms: what was said does not reach a threshold"


def _row(one: Mapping[str, Any]) -> str:
    when = _at(one.get("at_ms")) if one["does"] in (ACTS, ASKS, ARMS) else "-"
    usd = f"{one['usd']:,.0f} USD" if one["usd"] is not None else "amount not in your list"
    head = f"  {when:<10} {one['name']:<16} {one['does'].upper():<9} {usd}"
    moved = [_moved(lever) for lever in one["levers"] if lever["does"] in (ACTS, ASKS, ARMS)]
    opened = f"; stays open: {', '.join(one['open'])}" if one.get("open") and moved else ""
    return f"{head}: {', '.join(moved) or one['why']}{opened}"


def _moved(lever: Mapping[str, Any]) -> str:
    when = f" at {_at(lever['at_ms'])}"
    return f"{lever['call']}{when} for {spell_ms(lever['lease_ms'])}"


def _verdict(told: Mapping[str, Any]) -> str:
    without = [one for one in told["exposures"] if one["does"] == NO_LEVER]
    if told["acted_ms"] is not None:
        acted = f"You would have acted at {_at(told['acted_ms'])}, in effect at {_at(told['effect_ms'])}"
    elif told["asked_ms"] is not None:
        acted = f"You would have been asked at {_at(told['asked_ms'])}: nothing moves until a person approves"
    else:
        acted = "Nothing of yours would have moved"
    if not without:
        return f"{acted}; every exposure that is hit has a lever."
    usd = sum(one["usd"] or 0 for one in without)
    names = ", ".join(one["name"] for one in without)
    verb = "has" if len(without) == 1 else "have"
    # of a list that names no lever no policy can be drafted that moves one
    bare = told["drafted_policy"] and len(without) == len(told["exposures"])
    add = " Name some in a column levers: lending.freeze=ISOLATE lending.ltv_zero=GUARD." if bare else ""
    return f"{acted}; {len(without)} {verb} no lever: {names} ({usd:,.0f} USD).{add}"


def _beside_history(told: Mapping[str, Any]) -> Iterator[str]:
    attacker = told["attacker"]
    if attacker["deeds"] and told["effect_ms"] is not None:
        after = attacker["deeds"] - attacker["before_effect"]
        yield f"Of the attacker's {attacker['deeds']} deeds {after} came after that."
    if told["history"]:
        yield "As it was:"
    for one in told["history"][:HISTORY_SHOWN]:
        yield f"  {_at(one['at_ms']):<10} {one['says']}"


def _at(at_ms: int | None) -> str:
    """`+12.4 s`, `+3 min 5 s`, `+46 min`."""
    if at_ms is None:
        return "-"
    seconds = at_ms / 1000
    if seconds < 120:
        return f"+{seconds:.1f} s"
    minutes, left = divmod(int(seconds), 60)
    return f"+{minutes} min" + (f" {left} s" if minutes < 10 and left else "")
