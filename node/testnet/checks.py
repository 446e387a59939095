"""The facts that a run must leave behind, each a small function with a name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from node.testnet.follow import Happening
from node.testnet.options import Options
from node.testnet.real.checks import ON_OTHERS
from node.testnet.scenario import CONTROL, TOCSIN, Check
from node.testnet.supervisor import Facts

ABOVE_GUARD = ("ISOLATE", "HALT")
Rule = Callable[[Options, Facts], Check]


def checks_of(options: Options, facts: Facts) -> list[Check]:
    """Those that apply to this run; a check on an absent role is left out."""
    rules: Iterable[Rule] = _BLIND if options.expect_blind else _quiet(facts) if _benign(facts) else _STORY
    found = [check for rule in rules if (check := rule(options, facts)) is not None]
    if not options.expect_blind:
        found += _expectations(facts)
    return found


def _benign(facts: Facts) -> bool:
    return facts.scenario.id.endswith(".benign")


def happenings(facts: Facts, kind: str) -> list[tuple[str, Happening]]:
    return [(name, one) for name, told in facts.told.items() for one in told if one["kind"] == kind]


def topics_of(facts: Facts) -> list[str]:
    """Threats that true claims of this scenario are about."""
    kinds = {thing.kind for thing in facts.scenario.things.values()}
    return ["bridge-forgery", "unbacked-supply"] if "bridge.escrow" in kinds else ["oracle-manipulation"]


def _exposed_acting(facts: Facts) -> list[str]:
    return [role.name for role in facts.roles if role.is_exposed and role.levers and not _second_hop(facts, role.name)]


def _second_hop(facts: Facts, name: str) -> bool:
    """Acts on utilisation, not on an alarm."""
    role = next(one for one in facts.roles if one.name == name)
    return any("utilisation_above" in rule for rule in role.policy.get("rule", {}).values())


def certificates_everywhere(options: Options, facts: Facts) -> Check:
    missing = [
        f"{name}/{topic}"
        for topic in topics_of(facts)
        for name in facts.told
        if not any(
            one["kind"] == "certificate" and one["level"] == "ISOLATE" and one["threat"] == topic
            for one in facts.told[name]
        )
    ]
    return Check("certificate-on-every-node", not missing, "ISOLATE on every node", ", ".join(missing) or "all")


def gates_shut(options: Options, facts: Facts) -> Check:
    """Every exposed member's levers were read back from the target before anything was called done."""
    effective = {name for name, one in happenings(facts, "action") if one["phase"] == "effective"}
    missing = [name for name in _exposed_acting(facts) if name not in effective]
    return Check("exposed-members-acted", not missing, "an effect read back at each", ", ".join(missing) or "all")


def effects_on_the_chain(options: Options, facts: Facts) -> Check:
    """What a lever calls done is on the chain: a lever's own word for it is not enough. Under its action key, or, where
    the target stood so already to the second, under another key of the same member for the same lever."""
    there = {one.key for one in facts.chain.restricted}
    told = {
        (name, one["key"], one["lever"]) for name, one in happenings(facts, "action") if one["phase"] == "effective"
    }
    moved = {(name, lever) for name, key, lever in told if key in there}
    empty = sorted(f"{name}.{lever}" for name, key, lever in told if key not in there and (name, lever) not in moved)
    got = ", ".join(empty) or f"{len(told)} effects, all there"
    return Check("effects-are-on-the-chain", not empty, "every effect that was told", got)


def unexposed_still(options: Options, facts: Facts) -> Check:
    unexposed = {role.name for role in facts.roles if not role.is_exposed}
    moved = sorted({name for name, _ in happenings(facts, "action") if name in unexposed})
    return Check("unexposed-members-did-nothing", not moved, "none acts", ", ".join(moved) or "none acted")


def false_isolations(options: Options, facts: Facts) -> Check:
    """Levers at ISOLATE or above moved by an unexposed member, or on a subject without fault."""
    faulty = {str(subject) for subject in _faulty_subjects(facts)}
    unexposed = {role.name for role in facts.roles if not role.is_exposed}
    count = sum(
        1
        for name, one in happenings(facts, "action")
        if one["phase"] == "effective"
        and one["rung"] in ABOVE_GUARD
        and (name in unexposed or one["subject"] not in faulty or _benign(facts))
    )
    return Check("false-isolations", count == 0, "0", str(count))


def _faulty_subjects(facts: Facts) -> list[Any]:
    bridges, oracles = facts.world.register()
    return [one.asset for one in bridges] + [one.subject for one in oracles]


def ask_waited(options: Options, facts: Facts) -> Check | None:
    """A member on `ask` did nothing before its person said so."""
    asking = [role.name for role in facts.roles if role.mode == "ask" and role.levers]
    if not asking:
        return None
    bad = []
    for name in asking:
        phases = [one["phase"] for one in facts.told[name] if one["kind"] == "action"]
        if "asked" not in phases or ("sending" in phases and phases.index("sending") < phases.index("asked")):
            bad.append(name)
    approved = all((name, "approve") in facts.by_hand for name in asking)
    return Check("ask-waits-for-a-person", not bad and approved, "asked, then approved", ", ".join(bad) or "so")


def second_hop_armed(options: Options, facts: Facts) -> Check | None:
    """Own evidence, no certificate: planned and simulated first; sent only where the reading passed its bound."""
    hops = [role.name for role in facts.roles if role.is_exposed and _second_hop(facts, role.name)]
    if not hops:
        return None
    bad = []
    for name in hops:
        told = [one for one in facts.told[name] if one["kind"] == "action"]
        phases = [one["phase"] for one in told]
        if "armed" not in phases or any(one["certificate"] for one in told):
            bad.append(f"{name}: {', '.join(phases) or 'nothing'}")
        elif "effective" in phases and phases.index("armed") > phases.index("effective"):
            bad.append(f"{name} was sent before it was armed")
    return Check("second-hop-armed-then-sent", not bad, "armed, by own evidence", "; ".join(bad) or "so")


def lies_refused(options: Options, facts: Facts) -> Check | None:
    """Nobody else attests what a liar said, and every honest node keeps the proof."""
    if not facts.lies or not facts.liars:
        return None
    claims = {one["claim_id"][:12] for one in facts.lies}
    believed = sorted(
        {
            name
            for name, one in happenings(facts, "attestation")
            if one["own"] and name not in facts.liars and claims & set(one["claims"])
        }
    )
    altered = {one["claim_id"][:12] for one in facts.lies if one["which"] == "altered"}
    seen = {
        one["claim"]
        for name, one in happenings(facts, "verdict")
        if name not in facts.liars and one["ruling"] == "refuted"
    }
    ok = not believed and altered <= seen
    got = ", ".join(believed) or ("refused by all" if altered <= seen else "some lie was never looked at")
    return Check("lies-refused", ok, "re-run and refuted, repeated by nobody", got)


def killed_came_back(options: Options, facts: Facts) -> Check | None:
    if not facts.victims:
        return None
    bad = []
    whole = _longest_feeds(facts)
    for name in facts.victims:
        if name not in facts.statuses:
            bad.append(f"{name} is not up")
            continue
        if not facts.statuses[name]["signing"]["may"]:
            bad.append(f"{name} must not sign: {facts.statuses[name]['signing']['why']}")
        have = {(feed["author"], feed["key_version"]): feed["whole"] for feed in facts.feeds[name]}
        behind = [author for (author, version), seq in whole.items() if have.get((author, version), -1) < seq - 1]
        if behind:
            bad.append(f"{name} lacks entries of {', '.join(sorted(behind))}")
    return Check(
        "killed-members-came-back", not bad, "up, caught up, signing", "; ".join(bad) or ", ".join(facts.victims)
    )


def _longest_feeds(facts: Facts) -> dict[tuple[str, int], int]:
    longest: dict[tuple[str, int], int] = {}
    for feeds in facts.feeds.values():
        for feed in feeds:
            key = (feed["author"], feed["key_version"])
            longest[key] = max(longest.get(key, -1), feed["whole"])
    return longest


def nobody_signed_twice(options: Options, facts: Facts) -> Check:
    """All members' copies of each feed compared: one payload per sequence number."""
    hashes: dict[tuple[str, int, str], set[str]] = {}
    for feeds in facts.feeds.values():
        for feed in feeds:
            for seq, hash_ in feed["links"].items():
                hashes.setdefault((feed["author"], feed["key_version"], seq), set()).add(hash_)
    forked = sorted({author for (author, _, _), found in hashes.items() if len(found) > 1})
    proven = sorted({one for status in facts.statuses.values() for one in status["equivocations"]})
    bad = sorted({*forked, *proven})
    return Check(
        "nobody-signed-twice", not bad, "one payload a number", ", ".join(bad) or f"{len(hashes)} entries, all one"
    )


def nobody_acted_twice(options: Options, facts: Facts) -> Check:
    """From the chain: one event per thing, restriction, action key and end; no transaction without one."""
    restricted = facts.chain.restricted
    ours = {action["key"]: name for name, held in facts.actions.items() for action in held}
    seen: dict[tuple[str, str, str, int], int] = {}
    for one in restricted:
        if one.key in ours:
            key = (one.thing, one.what, one.key, one.until_s)
            seen[key] = seen.get(key, 0) + 1
    twice = sorted({f"{thing}.{what}" for (thing, what, _, _), count in seen.items() if count > 1})
    by_role: dict[str, int] = {}
    for _, _, action_key, _ in seen:
        by_role[ours[action_key]] = by_role.get(ours[action_key], 0) + 1
    # where a target keeps no leases, what a node put there it also takes away: one transaction more
    for lift in (one for one in facts.chain.others.changes if one.key in ours and not one.until_s):
        by_role[ours[lift.key]] = by_role.get(ours[lift.key], 0) + 1
    extra = sorted(
        f"{name}: {count} sent, {by_role.get(name, 0)} effects"
        for name, count in facts.chain.sent
        if count > by_role.get(name, 0)
    )
    got = "; ".join(twice + extra) or f"{len(seen)} effects, each once"
    return Check("nobody-acted-twice", not twice and not extra, "one effect per action key", got)


def leases_ended(options: Options, facts: Facts) -> Check:
    """The contracts stand as before: nothing automatic is restricted any more."""
    standing = sorted({f"{one.thing}.{one.what}" for one in facts.chain.standing if not one.by_human})
    open_actions = sorted(
        f"{name}.{one['lever']} ({one['phase']})"
        for name, held in facts.actions.items()
        for one in held
        if one["phase"] not in ("lapsed", "lifted", "refused")
    )
    bad = standing + open_actions
    return Check("restrictions-ended-by-themselves", not bad, "none stands", ", ".join(bad) or "none stands")


def thresholds_held(options: Options, facts: Facts) -> Check:
    """No certificate with fewer groups than its row of the table, counted by us."""
    epoch = facts.charter.epoch0()
    group = {str(member.name): str(member.group) for member in epoch.members}
    needed = {"GUARD": max(2, epoch.f + 1), "ISOLATE": epoch.q, "HALT": epoch.q}
    short = sorted(
        {
            f"{one['level']} at {name} on {len(one['signers'])}"
            for name, one in happenings(facts, "certificate")
            if len({group[signer] for signer in one["signers"]}) < needed[one["level"]]
        }
    )
    return Check("thresholds-held", not short, f"ISOLATE needs {epoch.q} groups", ", ".join(short) or "all hold")


def restrictions_within_lease(options: Options, facts: Facts) -> Check:
    """No restriction on the chain outlives the lease that the charter and the policy allow."""
    longest_s = max(facts.scenario.run.lease_s.values(), default=0.0)
    ours = {action["key"] for held in facts.actions.values() for action in held}
    opened = {one["key"]: one["at_ms"] / 1000 for _, one in reversed(happenings(facts, "action"))}
    bad = sorted(
        {
            f"{one.thing}.{one.what}"
            for one in facts.chain.restricted
            if one.key in ours and one.until_s > _last_word_s(facts, one.key, opened) + longest_s + 2
        }
    )
    return Check("no-restriction-beyond-its-lease", not bad, f"at most {longest_s:g} s", ", ".join(bad) or "none")


def _last_word_s(facts: Facts, key: str, opened: dict[str, float]) -> float:
    renewals = [float(one["at_ms"]) / 1000 for _, one in happenings(facts, "renewal") if one["key"] == key]
    return max([opened.get(key, 0.0), *renewals])


def quiet(options: Options, facts: Facts) -> Check:
    """Nothing was wrong: no lever moved, no transaction of a lever account."""
    moved = sorted(
        {
            f"{name}.{one['lever']}"
            for name, one in happenings(facts, "action")
            if one["phase"] in ("sending", "sent", "effective")
        }
    )
    sent = sorted(f"{name} sent {count}" for name, count in facts.chain.sent if count)
    return Check("no-lever-moved", not moved and not sent, "none", ", ".join(moved + sent) or "none")


def no_false_certificate(options: Options, facts: Facts) -> Check:
    found = sorted({f"{one['level']} {one['threat']}" for _, one in happenings(facts, "certificate")})
    return Check("no-certificate", not found, "none", ", ".join(found) or "none")


def blind_no_certificate(options: Options, facts: Facts) -> Check:
    found = sorted({one["level"] for _, one in happenings(facts, "certificate") if one["level"] in ABOVE_GUARD})
    return Check("nothing-above-guard", not found, "no ISOLATE or HALT certificate", ", ".join(found) or "none")


def blind_said(options: Options, facts: Facts) -> Check:
    up = [name for name in facts.statuses if name not in facts.victims]
    mute = sorted(name for name in up if not facts.statuses[name]["quorum"]["blind"])
    return Check("every-node-says-blind", not mute and bool(up), "all that are up", ", ".join(mute) or f"all {len(up)}")


def _expectations(facts: Facts) -> list[Check]:
    """The pack's own: what the chain measured, and what only the members know."""
    present = [role.name for role in facts.roles]
    found: list[Check] = []
    for arm in (CONTROL, TOCSIN):
        metrics = facts.outcomes[arm].metrics()
        if arm == TOCSIN:
            metrics |= _ours(facts)
        found += facts.scenario.checks(arm, metrics, present)
    return found


def _ours(facts: Facts) -> dict[str, float]:
    options: Any = None
    refused = lies_refused(options, facts)
    return {
        "lies_believed": 0.0 if refused is None or refused.ok else 1.0,
        "false_isolations": float(false_isolations(options, facts).got),
        "levers_moved": float(len([1 for _, one in happenings(facts, "action") if one["phase"] == "effective"])),
    }


def _quiet(facts: Facts) -> list[Any]:
    return [quiet, no_false_certificate, false_isolations, nobody_signed_twice, thresholds_held]


_STORY: list[Any] = [
    certificates_everywhere,
    thresholds_held,
    gates_shut,
    effects_on_the_chain,
    ask_waited,
    second_hop_armed,
    unexposed_still,
    false_isolations,
    lies_refused,
    killed_came_back,
    nobody_signed_twice,
    nobody_acted_twice,
    restrictions_within_lease,
    leases_ended,
    *ON_OTHERS,
]
_BLIND: list[Any] = [blind_no_certificate, blind_said, nobody_signed_twice]
