"""`tocsin up`, `down`, `status`, `testnet`: starting and watching."""

from __future__ import annotations

import time
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from node.commands.common import (
    NODE_TOML,
    OK,
    CommandError,
    ConfigFile,
    Output,
    connect,
    counted,
    load_config,
    say,
    say_json,
    say_table,
    span,
    until,
    usage,
)


def up(*, config: ConfigFile = NODE_TOML) -> int:
    """Run this member's node until SIGTERM or Ctrl-C. Stopping lifts nothing.

    Example: `tocsin up --config lender-a/node.toml`
    """
    loaded = load_config(config)
    # libp2p and web3 take seconds to import: nothing else may pay for them
    return int(import_module("node.app").run(loaded))


def down(*, config: ConfigFile = NODE_TOML, wait: float = 15.0, output: Output = "human") -> int:
    """Stop the node in order: finish the commit, undo nothing, say what stands.

    Example: `tocsin down --config lender-a/node.toml`

    Parameters
    ----------
    wait
        Seconds to wait until it is gone; exit 1 where it is not.
    """
    from node.control import NodeUnreachable

    with connect(config) as control:
        said: dict[str, Any] = {}
        try:
            said = control.stop()
        except NodeUnreachable as error:
            # it may be gone before its answer is
            if not error.broke:
                raise
        deadline = time.monotonic() + wait
        while True:
            try:
                control.status()
            except NodeUnreachable:
                break
            if time.monotonic() >= deadline:
                raise CommandError(f"still runs after {wait:g} s", str(control.socket), "look at its log")
            time.sleep(0.1)
    if output == "json":
        say_json(said)
    else:
        say("Stopped. Restrictions that stand stay until their lease, a release or the owner's lift.")
        say(*(f"  {line}" for line in said.get("stands") or ()))
    return OK


def status(*, config: ConfigFile = NODE_TOML, output: Output = "human") -> int:
    """What this node hears, whether it may sign, what it refuses.

    Example: `tocsin status`
    """
    with connect(config) as control:
        facts = control.status()
    if output == "json":
        say_json(facts)
        return OK
    say(*_status_lines(facts))
    peers = [_peer(peer) for peer in facts.get("peers") or ()]
    if peers:
        say_table(("peer", "state", "since", "round trip", "last word", "clock", "queued", "not queued"), peers)
    names = {
        one.get("peer_id"): f"{one['observer']} (observer)" for one in facts.get("peers") or () if one.get("observer")
    }
    refused = [_refusal(row, names) for row in facts.get("refusals") or ()]
    if refused:
        say_table(("refused", "why", "times", "last"), refused)
    chains = [(one.get("id"), one.get("chain"), _well(one), one.get("says") or "") for one in facts.get("chains") or ()]
    if chains:
        say_table(("connection", "chain", "", "says"), chains)
    relays = [(one.get("chain"), one.get("says")) for one in facts.get("relays") or ()]
    if relays:
        say_table(("relays of", "says"), relays)
    sensors = [(one.get("name"), one.get("says") or "well") for one in facts.get("sensors") or ()]
    if sensors:
        say_table(("sensor", "says"), sensors)
    return OK


def _well(chain: dict[str, Any]) -> str:
    return "ok" if chain.get("ok") else "DOWN"


def _status_lines(facts: dict[str, Any]) -> list[str]:
    epoch, signing, quorum = facts.get("epoch") or {}, facts.get("signing") or {}, facts.get("quorum") or {}
    lines = [
        f"{facts.get('member')} of network {str(facts.get('network'))[:16]}…, epoch {epoch.get('number')}, "
        f"up {span(facts.get('uptime_s') or 0)}, tocsin {facts.get('version')}",
        "  signs" if signing.get("may") else f"  SIGNS NOTHING: {signing.get('why')}",
        f"  {quorum.get('says')}; margin {quorum.get('margin')}",
    ]
    if facts.get("drill_of"):
        of = str(facts["drill_of"])[:16]
        lines.insert(
            1, f"  EXERCISE: a drill network of {of}…: levers are planned and simulated here, and never pulled"
        )
    if signing.get("warning") and signing.get("may"):
        lines.insert(2, f"  NOTE: {signing['warning']}")
    if quorum.get("blind"):
        lines.append("  BLIND: no ISOLATE or HALT can form; own evidence, and GUARD where its groups are heard")
    skew = facts.get("skew_ms")
    lines.append("  clock " + ("not held against" if skew is None else f"{skew} ms from") + " the members' median")
    lines += [f"  CLOCK: {one['clock_warning']}" for one in facts.get("peers") or () if one.get("clock_warning")]
    kinds = ("alert", "action", "proposal")
    lines.append("  " + ", ".join(counted(facts.get(f"{kind}s") or 0, kind) for kind in kinds))
    lines += [f"  SUSPENDED: {name}, {why or 'by ballots'}" for name, why in (facts.get("suspended") or {}).items()]
    lines += [f"  SEAT: {one}" for one in facts.get("flagged") or ()]
    for one in facts.get("escalated") or ():
        lines.append(f"  NEEDS A PERSON: {one.get('lever')} on {one.get('subject')}: {one.get('says')}")
    for one in facts.get("asked") or ():
        what = f"{one.get('what')} {str(one.get('id'))[:12]} on {one.get('subject')}"
        lines.append(f"  NEEDS A SECOND PERSON: {one.get('person')} asks: {what}; {until(one.get('until_ms'))}")
    lines += canary_lines(facts.get("canary") or {}, time.time() * 1000)
    refusals = facts.get("refusals_total") or {}
    if refusals:
        lines.append("  refused: " + ", ".join(f"{code} {count}" for code, count in sorted(refusals.items())))
    return lines


def canary_lines(told: dict[str, Any], now_ms: float) -> list[str]:
    """One line where all is well, else one for each part that is not."""
    parts, at_ms = told.get("parts") or (), told.get("at_ms")
    if not told.get("every_s"):
        return ["  canary never looks ([canary] every_s = 0)"]
    if at_ms is None:
        return ["  canary has not looked yet"]
    ill = [one for one in parts if not one["ok"] or one["doubted"]]
    well = ", ".join(one["part"] for one in parts if one not in ill)
    lines = [f"  canary looked {span((now_ms - at_ms) / 1000)} ago; well: {well or 'nothing'}"]
    for one in ill:
        since = (
            f"SILENT since {span((now_ms - one['since_ms']) / 1000)}" if not one["ok"] else "silent at its last look"
        )
        lines.append(f"  CANARY: {one['part']} {since}: {one['says']}")
    return lines


def _peer(peer: dict[str, Any]) -> tuple[object, ...]:
    state = "up" if peer.get("up") else "dialling" if peer.get("dialling") else "down"
    rtt, ahead, word = peer.get("rtt_ms"), peer.get("clock_ahead_ms"), peer.get("last_word_ms")
    observer = peer.get("observer")
    return (
        f"{observer} (observer)" if observer else peer.get("member") or peer.get("peer_id"),
        state,
        span(peer.get("since_s") or 0),
        f"{rtt:.1f} ms" if isinstance(rtt, int | float) else "-",
        _ago(word) if word else "-",
        f"{ahead:+d} ms" if isinstance(ahead, int) else "-",
        peer.get("queued"),
        peer.get("refused"),
    )


def _ago(at_ms: float) -> str:
    return f"{span(time.time() - at_ms / 1000)} ago"


def _refusal(row: dict[str, Any], observers: dict[object, str]) -> tuple[object, ...]:
    last_ms, peer = row.get("last_ms"), row.get("peer")
    who = row.get("member") or observers.get(peer) or peer
    return who, row.get("code"), row.get("count"), _ago(last_ms) if last_ms else "-"


@dataclass(frozen=True)
class TestnetOptions:
    """What `node.testnet.main.run` is given. `delay_ms` one-way, `kill` None: min(2, f)."""

    members: int
    seed: int
    scenario: str
    check: bool
    output: Literal["human", "json"]
    keep: Path | None
    opinions: Path | None
    kill: int | None
    expect_blind: bool
    delay_ms: int
    speed: float
    chain: Literal["embedded", "anvil", "auto"]
    console: bool = False
    targets: Literal["own", "real"] = "own"
    packages: Path | None = None


MEMBERS_LEAST, MEMBERS_MOST = 4, 20


def _check_bounds(options: TestnetOptions) -> None:
    if not MEMBERS_LEAST <= options.members <= MEMBERS_MOST:
        raise usage(f"--members {options.members} is out of bounds", f"use {MEMBERS_LEAST} to {MEMBERS_MOST}")
    f = (options.members - 1) // 3
    if options.kill is not None and not 0 <= options.kill < options.members:
        raise usage(f"--kill {options.kill} is out of bounds", f"use 0 to {options.members - 1}")
    if options.kill is not None and options.kill > f and not options.expect_blind:
        raise usage(f"--kill {options.kill} is more than f = {f}", "add --expect-blind: no ISOLATE can form then")
    if options.kill is not None and options.kill <= f and options.expect_blind:
        raise usage(f"--kill {options.kill} leaves a quorum, and nobody is blind then", f"use {f + 1} or more, or none")
    if not 0 <= options.delay_ms <= 5_000:
        raise usage(f"--delay {options.delay_ms} is out of bounds", "use 0 to 5000 milliseconds")
    if options.console and options.scenario in ("governance", "drill"):
        raise usage(f"--console shows an incident, and {options.scenario} is a story without one", "leave one out")
    if not 0.01 <= options.speed <= 100:
        raise usage(f"--speed {options.speed:g} is out of bounds", "use 0.01 to 100")


def testnet(
    *,
    members: int = 7,
    seed: int = 1,
    scenario: str = "forged-bridge-release",
    check: bool = False,
    output: Output = "human",
    keep: Path | None = None,
    opinions: Path | None = None,
    kill: int | None = None,
    expect_blind: Annotated[bool, Parameter(negative=())] = False,
    delay: int = 0,
    speed: float = 1.0,
    chain: Literal["embedded", "anvil", "auto"] = "embedded",
    console: Annotated[bool, Parameter(negative=())] = False,
    targets: Literal["own", "real"] = "own",
    packages: Annotated[Path | None, Parameter(env_var="TOCSIN_PACKAGES")] = None,
) -> int:
    """Play an incident on a real network of nodes on this machine, and count what it saved.

    Example: `tocsin testnet --members 7 --seed 3`

    Example: `tocsin testnet --check -o json --keep /tmp/run`

    Parameters
    ----------
    members
        4 to 20 nodes, each a process.
    seed
        Keys, who lies, who dies and when, the attacker's choices.
    scenario
        A name of deploy/scenarios, a file of your own, or "governance": members vote, join, leave, are robbed and
        lie, or "drill": an exercise and what it must not do.
    check
        Print only the verdict; exit 1 when a fact is not as it should be.
    keep
        Keep every node's directory there.
    opinions
        Write there what every member said: what `tocsin vote show` counts again is such a recording.
    kill
        How many nodes die while a certificate forms: 0 to f, and without it 2 at most; more only with --expect-blind.
    expect_blind
        Too many are killed before it begins (f + 1 unless --kill says more): nothing above GUARD may form.
    delay
        Milliseconds that every link adds, one way.
    speed
        Divides the scenario's times once more.
    chain
        What stands in for the chains.
    console
        Print the address of one member's page, good for one sign-in of a viewer: the story live.
    targets
        What levers move: this package's own contracts, or those that Aave, Safe and Perpetual Protocol published.
    packages
        Folder of the packages that `make levers` fetches; without it `.levers` of the source tree.
    """
    if kill is None and expect_blind:
        kill = (members - 1) // 3 + 1
    options = TestnetOptions(
        members, seed, scenario, check, output, keep, opinions, kill, expect_blind, delay, speed, chain, console,
        targets, packages,
    )  # fmt: skip
    _check_bounds(options)
    return int(import_module("node.testnet.main").run(options))
