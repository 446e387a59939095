"""RESULT.md: the words around the tables. Every figure in it comes from a run; none is written by hand."""

from __future__ import annotations

import json
from typing import Any

from tests.sim.scale import costs as costs_module
from tests.sim.scale import earth, engine, gossip, patterns, report
from tests.sim.scale.costs import Costs
from tests.sim.scale.report import beside, carried, cpu, crossing, headline, ratio, table


def text(results: dict[str, Any], costs: Costs) -> str:
    measured = json.loads(costs_module.FILE.read_text("utf-8"))
    parts = [
        "# Scale: certificate on all ÷ the two-delay bound, n = 5 … 1000",
        "Written by `python -m tests.sim.scale --write`; what the words mean is in [README.md](README.md). The plot: "
        "[scale.svg](scale.svg).",
        "## All-to-all, as shipped, beside goal P1",
        headline(results),
        missed(results),
        "p99 is by nearest rank over alarms: of fewer than a hundred it is the worst. \"A node's\" is each node's "
        "certificate ÷ its own bound, over all nodes and alarms: near the origin the bound itself is only a few ms.",
        "## Where all-to-all stops paying",
        "With what the shipped code costs today:",
        "\n".join(crossing(results["plain"], name) for name in report.RIVALS),
        crossing(results["plain"], "committee") + " It is the only one that weakens safety: see below.",
        "Certificate on all ÷ bound, p50 / p99:",
        beside(results, ratio),
        "CPU ms a node and alarm, mean / busiest node:",
        beside(results, cpu),
        "Sent by a node for one alarm, and frames:",
        beside(results, carried),
        *what_if(results, costs),
        "## In bad weather",
        report.weather(results),
        weather_words(costs),
        "## What a committee gives away",
        "P(more than a third of the committee lie) / P(the liars alone are its quorum), the committee drawn by lot, "
        "hypergeometric. The first: it can be silenced, and two of its quorums need not share an honest member. The "
        "second: they certify what no honest member saw. f = ⌊(n−1)/3⌋.",
        report.risks(),
        "Against the f liars that all-to-all withstands for certain, a committee drawn by lot fails about as often as "
        "a coin. It holds only where far fewer lie than are allowed to, and the lot must not be guessable beforehand.",
        "## The costs",
        f"CPU: {measured['measured_on']['cpu']}, {measured['measured_on']['machine']}, Python "
        f"{measured['measured_on']['python']}; the shipped code, one thread's CPU time, medians. "
        "`x + y · k`: k words held of the topic (for `tick`: k members, for `check`: k signers).",
        report.costs_table(costs),
        f"Beside them, not used: one ChaCha20-Poly1305 over the frame {measured['floors']['aead']:.4f} ms, one Ed25519 "
        f"signature made {measured['floors']['sign']:.3f} and checked {measured['floors']['verify']:.3f} ms, a claim "
        f"opened and judged {measured['floors']['claim']:.3f} ms. A real machine among n members:",
        report.certificates(measured),
        "## What the model leaves out",
        left_out(costs),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def missed(results: dict[str, Any]) -> str:
    judged = [(n, report.verdict(n, row)) for n, row in report.cells(results["plain"], "all-to-all")]
    lines = [f"n = {n} ({word.removeprefix('MISSED: ')})" for n, word in judged if word != "met"]
    if not lines:
        return "Goal P1 is met at every n."
    return f"**Goal P1 is missed at {', '.join(lines)}**; everywhere else it is met."


def what_if(results: dict[str, Any], costs: Costs) -> list[str]:
    at_1000 = {key: results[key]["all-to-all"]["1000"] for key in ("counting", "leaner")}
    shipped = results["plain"]["all-to-all"]["1000"]
    return [
        "## What would move it",
        f"A word costs {costs.below[0]:.2f} ms to parse and check, and then up to {costs.beyond[1] * 1000:.1f} µs for "
        "each word already held: the machine weighs the whole topic anew at each word, n² in all. If a word were "
        f"counted in constant time, all-to-all at n = 1000 would stand at {at_1000['counting']['p50']:.2f} instead of "
        f"{shipped['p50']:.2f}; if besides a frame cost a quarter of what the library and its tasks cost, at "
        f"{at_1000['leaner']['p50']:.2f}.",
        "Counted in constant time, p50 / p99:",
        beside(results, ratio, "counting"),
        "\n".join(crossing(results["counting"], name) for name in ("collectors", "one-signature")),
        "And a frame at a quarter of its cost:",
        beside(results, ratio, "leaner"),
        "\n".join(crossing(results["leaner"], name) for name in ("collectors", "one-signature")),
    ]


def weather_words(costs: Costs) -> str:
    return (
        f"Loss costs what TCP costs: a retransmission after two round trips, never under {engine.RTO_MIN_MS:.0f} ms. "
        f"Garbage: as the first word is spoken each of f members has {engine.BURST_BUNDLES} frames of "
        f"{engine.BUNDLE_WORDS} words with false seals before every node, all that a connection's burst of 2000 "
        f"allows, and goes on at what it is given back. Each such word costs {costs.garbage:.3f} ms, a liar's burst "
        f"{engine.BURST_BUNDLES * engine.BUNDLE_WORDS * costs.garbage:.0f} ms of a core, before anything that came "
        "later: the machine has one line for all. "
        "16 alarms at once: 16 members see 16 different things in the same instant (n = 7: seven)."
    )


def left_out(costs: Costs) -> str:
    lines = [
        "Reading evidence: every node's providers answer at once, in the bound and in the patterns. Where they take "
        "time, both grow by it and every ratio falls towards 1.",
        f"n above 256 exists in the model only: the wire format holds 256 members, and a certificate of 667 signers "
        f"({costs.certificate_per_signer * 667 / 1024:.0f} KiB, KeySets by hash) is above CERTIFICATE_BYTES_MAX. Costs "
        "there are the measured lines drawn on; beyond the connections that one host holds nothing was tried.",
        "Jitter, routes that change, slow machines: a link's delay is fixed for an alarm, every core is the one "
        "measured here.",
        "The machine's second core, on which the disk's thread runs: the core waits while a commit is written.",
        "A whole node is dearer than its parts: on the testnet of seven a member spends 15 to 20 ms of CPU on an alarm "
        "(tests/bench), the model charges half of it. Telling people, deciding, threads and what else runs are the "
        "rest; the line with doubled costs says what that would mean.",
        "What a node does beside the alarm: heads every second, ticks but the one that shows a certificate, levers.",
        "In the rivals' favour: a collector's certificate costs a receiver only `check_certificate`, where the shipped "
        "machine also stores and counts each word in it (table above); silent collectors are in one line of the "
        "weather only, lying ones nowhere; a tree's relays are all alive; GossipSub waits for no relay's CPU and "
        f"each delivery costs {gossip.DELIVERY_MS} ms, the lowest figure known, not measured here.",
        "One signature for all is nobody's shipped code. Assumed, in the order of published BLS12-381 figures: "
        f"{patterns.Scheme.sign_ms} ms to sign, {patterns.Scheme.pairing_ms} ms to check, "
        f"{patterns.Scheme.add_key_ms * 1000:.0f} µs to add a key, {patterns.Scheme.add_signature_ms * 1000:.0f} µs "
        f"to add a signature, {patterns.Scheme.signature_bytes} bytes. All must sign the same bytes, so sources and "
        "claims of one's own would have to be told apart from it, and one bad share makes a collector search.",
        f"Regions: {', '.join(earth.REGIONS)}; half of typical round trips between public cloud regions as latency "
        f"monitors publish them, rounded by us; {earth.LAST_MILE_MS[0]} to {earth.LAST_MILE_MS[1]} ms from a node to "
        f"its region; how many nodes stand where is our choice. Uplink 1 Gbit/s, {engine.HEADERS_BYTES} bytes of "
        "headers a frame.",
    ]
    return "\n".join(f"- {line}" for line in lines)


def first_table(written: str) -> dict[int, list[str]]:
    """n → cells of the headline as RESULT.md holds it, for the test that it is not stale."""
    part = written.split("## All-to-all, as shipped, beside goal P1")[1].split("\n\n")[1]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines()[2:]]
    return {int(row[0]): row for row in rows}


__all__ = ["first_table", "table", "text"]
