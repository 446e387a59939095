"""The verdict: facts as checks, times beside history, and what it was worth."""

from __future__ import annotations

from typing import Any

from node.testnet.checks import checks_of
from node.testnet.options import Options
from node.testnet.real.pack import targets_of
from node.testnet.scenario import CONTROL, TOCSIN
from node.testnet.supervisor import Facts
from node.testnet.timings import timings_of
from node.testnet.world_measure import blocked_usd

Json = dict[str, Any]


def verdict_json(options: Options, facts: Facts) -> Json:
    """The object that `--check -o json` prints. Checks are facts, never timings."""
    epoch = facts.charter.epoch0()
    checks = checks_of(options, facts)
    control, tocsin = facts.outcomes[CONTROL], facts.outcomes[TOCSIN]
    false = next((one for one in checks if one.name == "false-isolations"), None)
    return {
        "scenario": facts.scenario.id,
        "seed": options.seed,
        "members": [{"name": role.name, "exposed": role.is_exposed} for role in facts.roles],
        "quorum": {"n": epoch.n, "needed": epoch.q},
        "checks": [{"name": one.name, "ok": one.ok, "expected": one.expected, "got": one.got} for one in checks],
        "targets": targets_of(facts.scenario),
        "timings_ms": timings_of(facts),
        "outcome": {
            "blocked_usd": round(blocked_usd(control, tocsin)),
            "control_usd": round(control.obtained_usd),
            "obtained_usd": round(tocsin.obtained_usd),
            "false_isolations": int(false.got) if false else 0,
        },
        "resources": {"startup_s": round(facts.startup_s, 2), "pss_mb_total": round(facts.pss_mb)},
    }


def report(options: Options, facts: Facts, result: Json) -> str:
    bad = [one for one in result["checks"] if not one["ok"]]
    parts = [_checks(result), _history(facts, result), _worth(facts, result), ["Next:", *_next(options, facts)]]
    last = "All facts are as they should be." if not bad else f"{len(bad)} fact(s) are NOT as they should be."
    return "\n".join(line for part in (*parts, [last]) if part for line in ("", *part))


def _next(options: Options, facts: Facts) -> list[str]:
    """Commands beside the one that was given."""
    other = "forged-bridge-release" if facts.scenario.id.startswith("oracle-push") else "oracle-push"
    told = [(f"testnet --scenario {other}", "another kind of incident, the same nodes")]
    if not options.expect_blind:
        members = "" if options.members == 7 else f"--members {options.members} "
        kill = (options.members - 1) // 3 + 1
        told.append((f"testnet {members}--kill {kill} --expect-blind", "too few are left: what nodes do then"))
    told.append(("policy check FILE", "what a policy of yours would do, in sentences"))
    width = max(len(command) for command, _ in told) + 2
    return [f"  tocsin {command:<{width}} {says}" for command, says in told]


def _checks(result: Json) -> list[str]:
    return [
        f"  {'ok ' if one['ok'] else 'NOT'} {one['name']:<34} {one['got']}"
        + ("" if one["ok"] else f"   expected: {one['expected']}")
        for one in result["checks"]
    ]


def _history(facts: Facts, result: Json) -> list[str]:
    """Measured seconds beside historical minutes; nothing is claimed for steps that were played compressed."""
    effects = result["timings_ms"]["drain_to_effect"]
    rows = [("issuer", "pause", "issuer"), ("lender-a", "freeze", "first lender"), ("hop2", "hop2", "second hop")]
    lines = ["Against history (measured seconds, not scaled | minutes then):"]
    for role, fact, words in rows:
        told = facts.scenario.facts.get(fact)
        if told is None or told.at_s is None or role not in {one.name for one in facts.roles}:
            continue
        got = f"{effects[role] / 1000:8.2f} s" if role in effects else "   no effect"
        note = "  (waits for utilisation, which was played: no claim)" if role == "hop2" else ""
        lines.append(f"  {words:<13} {got} | {told.at_s / 60:5.0f} min{note}")
    spread = result["timings_ms"]["first_attestation_to_certificate"]
    if spread["p50"] is not None:
        measured = f"p50 {spread['p50']:.0f} ms, max {spread['max']:.0f} ms"
        lines.append(f"  first attestation → certificate on the last node: {measured}")
    return lines if len(lines) > 1 else []


def _worth(facts: Facts, result: Json) -> list[str]:
    outcome = result["outcome"]
    lines = [
        f"The attacker obtained {outcome['obtained_usd']:,} USD; in the control run {outcome['control_usd']:,} USD.",
        f"Blocked: {outcome['blocked_usd']:,} USD. Levers moved without need: {outcome['false_isolations']}.",
    ]
    if any(one.of.endswith(".forged_refused") for one in facts.scenario.expects):
        lines.append("The second forged message was refused, as in history: no credit is taken for it.")
    return lines
