"""Preflight of what a node reaches out with: its adapters, its providers against each other, its levers' rights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from adapters.catalog import relays_say
from node.check_policy import PolicyReport, instances_for
from node.check_types import Facts, Finding
from node.config import relays_by_chain
from node.config_model import ConnectionConfig, RelayConfig
from node.tracing.settings import TracingFault, settings_of

BEHIND_MOST = 50
"""Blocks; two providers are some apart at any moment."""
SETTLED = 8
"""Blocks below the lowest head: what is younger may still be reorganised."""


def adapters(facts: Facts) -> Iterator[Finding]:
    """What node.toml names can be built; and what it does not name, which is no fault and often forgotten."""
    config = facts.config
    named = bool(config.targets or config.sensors or config.sinks)
    if named and facts.charter is not None and facts.charter.members:
        built = instances_for(config, facts.charter)
        if isinstance(built, PolicyReport):
            facts.adapters_whole = False
            yield from (Finding("adapter", False, fault) for fault in built.faults)
    if not config.sensors:
        what = "no sensor: this node sees nothing by itself, it answers what others claim"
        yield Finding("sensor", None, what, "add a [sensor.NAME] to node.toml: adapters/README.md has the kinds")
    if not config.sinks:
        what = "no sink: nobody is told when a lever moves, fails or waits for a person"
        yield Finding("sink", None, what, 'add [sink.NAME] kind = "webhook" to node.toml')


def tracing(facts: Facts) -> Iterator[Finding]:
    """A node runs without its collector; what it cannot even be told of keeps it from starting."""
    try:
        settings = settings_of(facts.config)
    except TracingFault as fault:
        yield Finding("tracing", False, fault.what, fault.do)
        return
    if settings is None:
        return
    shown = settings.collector.shown
    if why := facts.probes.collector(settings.collector):
        cure = "start it, or mend endpoint and headers_file of [tracing]; the node runs without it, and traces are lost"
        yield Finding("tracing", None, f"the collector at {shown} takes no traces: {why}", cure)
    else:
        yield Finding("tracing", True, f"the collector at {shown} takes traces")


def agreement(facts: Facts) -> Iterator[Finding]:
    """Connections of one chain, held against each other some blocks back."""
    chains: dict[str, list[ConnectionConfig]] = {}
    for one in facts.config.connections:
        if one.chain.startswith("eip155:") and one.url.startswith("http"):
            chains.setdefault(one.chain, []).append(one)
    for chain, found in sorted(chains.items()):
        if len(found) == 1:
            what = f"one connection to {chain}: whoever runs {found[0].id} decides what this node sees there"
            yield Finding("chain", None, what, "add a [[connection]] of another operator")
        else:
            yield from _compared(facts, chain, found)


def _compared(facts: Facts, chain: str, found: list[ConnectionConfig]) -> Iterator[Finding]:
    heads: dict[str, int] = {}
    for one in found:
        try:
            heads[one.id] = int(str(facts.probes.rpc(one.url, "eth_blockNumber", [])), 16)
        except (OSError, ValueError):
            # that it does not answer is told already
            continue
    if len(heads) < 2:
        return
    top = max(heads.values())
    late = {name: top - at for name, at in heads.items() if top - at > BEHIND_MOST}
    for name, blocks in sorted(late.items()):
        what = f"{name} is {blocks} blocks of {chain} behind the others"
        yield Finding("chain", None, what, "see whether it still synchronises; what it says counts late")
    at = max(0, min(heads.values()) - SETTLED)
    hashes = {one.id: _hash_at(facts, one.url, at) for one in found if one.id in heads}
    said = {name: hash_ for name, hash_ in hashes.items() if hash_}
    if len(set(said.values())) > 1:
        told = ", ".join(f"{name} {hash_[:18]}…" for name, hash_ in sorted(said.items()))
        cure = "one of them follows a fork or lies: compare with a third, and take it out of node.toml"
        yield Finding("chain", False, f"the connections to {chain} disagree on block {at}: {told}", cure)
    elif len(said) > 1 and not late:
        yield Finding("chain", True, f"{len(said)} connections to {chain} agree on block {at}")


def _hash_at(facts: Facts, url: str, at: int) -> str:
    try:
        block: Any = facts.probes.rpc(url, "eth_getBlockByNumber", [hex(at), False])
    except (OSError, ValueError):
        return ""
    found = block.get("hash") if type(block) is dict else None
    return found if type(found) is str else ""


def relays(facts: Facts) -> Iterator[Finding]:
    """How transactions leave on each chain that has relays; which of them answers. Nothing is sent."""
    for chain, found in relays_by_chain(facts.config).items():
        hosts = ", ".join(one.shown_url for one in found)
        says = relays_say(len(found), found[0].public_after_s, found[0].never_public)
        yield Finding("relay", True, f"transactions on {chain} are {says} ({hosts})")
        for one in found:
            yield from _relay(facts, one)


def _relay(facts: Facts, relay: RelayConfig) -> Iterator[Finding]:
    where = f"the relay at {relay.shown_url}"
    try:
        told = int(str(facts.probes.rpc(relay.url, "eth_chainId", [])), 16)
    except OSError as error:
        meanwhile = "nothing is sent" if relay.never_public else "transactions go public at once"
        cure = f"mend its url; where none of a chain answers {meanwhile}"
        yield Finding("relay", None, f"{where} does not answer: {error}", cure)
    except ValueError:
        yield Finding("relay", None, f"{where} answers, and does not say which chain it serves", "")
    else:
        if f"eip155:{told}" != relay.chain:
            what = f"{where} is for eip155:{told}, not {relay.chain}"
            yield Finding("relay", False, what, "mend `url` or `chain` of that [[relay]]")


def levers(facts: Facts) -> Iterator[Finding]:
    """Each lever that a rule pulls, tried at its target; nothing is sent."""
    charter = facts.charter
    if charter is None or not charter.members or not facts.config.targets or not facts.adapters_whole:
        return
    for one in facts.probes.levers(facts.config, charter):
        if one.ok:
            yield Finding("lever", True, f"{one.name} would move")
        else:
            cure = f"give its key that right, or mend its target; then: tocsin lever test {one.name}"
            yield Finding("lever", False, f"{one.name} would not move: {one.says}", cure)
