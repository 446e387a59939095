"""A policy held against this node's own targets and its network: all faults, and what would happen in sentences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from governance.charter import Charter
from node import keys, people
from node.check_types import Finding
from node.config import NodeConfig
from node.keys import KeyFault, Purpose

if TYPE_CHECKING:
    from adapters.api import Instances, LeverDeclaration
    from adapters.policy import Ending, Policy

POLICY_BYTES_MAX = 1024 * 1024


@dataclass(frozen=True)
class PolicyReport:
    """`faults` empty: it may be run. `sentences` say what it would do."""

    faults: tuple[str, ...]
    sentences: tuple[str, ...] = ()


def read_policy(path: Path) -> Policy | PolicyReport:
    """The policy, or a report of why it cannot be read."""
    from adapters.policy import PolicyFaults, parse_text

    try:
        with path.open("rb") as file:
            return parse_text(file.read(POLICY_BYTES_MAX).decode("utf-8"))
    except OSError as error:
        return PolicyReport((f"{path} cannot be read: {error.strerror}; name it in node.toml, or leave `policy` out",))
    except UnicodeDecodeError:
        return PolicyReport((f"{path} is not UTF-8; save it as UTF-8",))
    except PolicyFaults as error:
        return PolicyReport(tuple(map(str, error.faults)))


def judge_policy(path: Path, config: NodeConfig, charter: Charter) -> PolicyReport:
    """Imports the adapters that the configuration names (web3 takes two seconds)."""
    from adapters.policy import check, say

    policy = read_policy(path)
    if isinstance(policy, PolicyReport):
        return policy
    declared = declarations(config, charter)
    if isinstance(declared, PolicyReport):
        return declared
    epoch = charter.epoch0()
    world = (policy, declared, epoch.lease_ms, epoch.n, epoch.f)
    return PolicyReport(tuple(map(str, check(*world))), tuple(say(*world)))


def declarations(config: NodeConfig, charter: Charter) -> dict[str, LeverDeclaration] | PolicyReport:
    """Lever call, and target:call → what its adapter declares, of the targets that node.toml names."""
    built = instances_for(config, charter)
    if isinstance(built, PolicyReport):
        return built
    by_target = {name: lever.declared for name, lever in built.levers.items()}
    return {one.call: one for one in by_target.values()} | by_target


def instances_for(config: NodeConfig, charter: Charter) -> Instances | PolicyReport:
    """What node.toml names, built beside a node that may be running: nothing of it is started."""
    from adapters.catalog import CatalogFaults, build

    tables = {
        "connection": [{"id": one.id, "chain": one.chain, "url": one.url} for one in config.connections],
        "relay": [one.model_dump() for one in config.relays],
        "target": {name: dict(table) for name, table in config.targets.items()},
        "sensor": {name: dict(table) for name, table in config.sensors.items()},
        "sink": {name: dict(table) for name, table in config.sinks.items()},
    }
    try:
        return build(
            tables,
            charter.epoch0,
            lambda file: _secret(config, file, Purpose.LEVER),
            lambda line: None,
            evm_secrets=lambda file: _secret(config, file, Purpose.EVM),
            data_dir=config.data_dir,
            outside=lambda file: _outside(config, file),
            files=config.read_beside,
        )
    except CatalogFaults as error:
        return PolicyReport(tuple(f"{config.path}: {fault}" for fault in error.faults))


def _secret(config: NodeConfig, file: str, purpose: Purpose) -> bytes:
    try:
        return keys.load_secret(config.keys / Path(file).name, purpose).reveal()
    except KeyFault as fault:
        raise ValueError(str(fault)) from None


def _outside(config: NodeConfig, file: str) -> bytes:
    try:
        return keys.load_outside(config.keys / Path(file).name)
    except KeyFault as fault:
        raise ValueError(str(fault)) from None


def policy_findings(config: NodeConfig, charter: Charter | None) -> Iterator[Finding]:
    """`charter` None: only its form can be judged."""
    if config.policy is None:
        yield Finding("policy", None, "no policy: the node observes, answers claims, and touches nothing", "")
        return
    read = read_policy(config.policy)
    if isinstance(read, PolicyReport):
        faults = read.faults
    elif charter is None or not charter.members:
        faults = ()
    else:
        faults = judge_policy(config.policy, config, charter).faults
    yield from (Finding("policy", False, fault, "") for fault in faults)
    if isinstance(read, PolicyReport) or faults:
        return
    yield Finding("policy", True, f"{config.policy} is sane")
    if read.mode.name == "OBSERVE":
        cure = 'once it has watched for a while: mode = "ask" (a person approves) or "act" in it'
        yield Finding("policy", None, "mode observe: every decision is told, no lever moves", cure)
    yield from _two_people(read.ending, config)


def _two_people(ending: Ending, config: NodeConfig) -> Iterator[Finding]:
    """Whether there are two who could end a restriction, where the policy wants two."""
    if ending.need < 2:
        return
    try:
        listed = people.read(config.people) if config.console is not None else ()
    except people.PeopleFault as error:
        yield Finding("two people", False, str(error), "")
        return
    names = {one.name.casefold() for one in listed if one.role == "releaser"} | {ending.socket.casefold()} - {""}
    named = ", ".join(sorted(names)) or "nobody"
    if len(names) >= ending.need:
        yield Finding("two people", True, f"a restriction is ended by two of {named}")
        return
    says = f"the policy wants two people to end a restriction, and only {named} can: it will stand until its lease"
    do = "[console] in node.toml and `tocsin person add NAME --role releaser`; release.socket names one at the socket"
    yield Finding("two people", False, says, do)
