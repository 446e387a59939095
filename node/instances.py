"""The adapters that node.toml names, built for one node, and what they may ask of it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from adapters.api import Instances
from adapters.catalog import CatalogFaults, build
from node import keys
from node.drill.harmless import harmless
from node.drill.mark import drill_of
from node.effects import Tell
from node.loop import now
from node.machine.persons import is_taken_up
from node.parts import StartFault
from node.plugins import KeptSensor, masked
from protocol.ids import MemberName
from protocol.membership import Epoch
from protocol.onchain import evm_keys

if TYPE_CHECKING:
    from node.app import Node

log = logging.getLogger("tocsin.node")


def instances_of(node: Node) -> Instances:
    """StartFault with every fault at once."""
    config = node.parts.config
    drill = drill_of(node.parts.charter.parameters.name)
    document: Mapping[str, Any] = {
        "connection": [{"id": one.id, "chain": one.chain, "url": one.url} for one in config.connections],
        "relay": [one.model_dump() for one in config.relays],
        "target": config.targets,
        "sensor": {} if drill else config.sensors,
        "sink": config.sinks,
    }

    def epoch() -> Epoch:
        """The one in force; while this is built no machine has read the store."""
        return node.machine.state.epoch if "machine" in vars(node) else node.parts.epoch

    def secret(name: str) -> bytes:
        return keys.load_secret(config.data_dir / name, keys.Purpose.LEVER).reveal()

    def evm_secret(name: str) -> bytes:
        return keys.load_secret(config.data_dir / name, keys.Purpose.EVM).reveal()

    def members_evm_keys() -> dict[MemberName, bytes]:
        held = node.machine.state.keysets.values()
        return evm_keys((one.keyset for versions in held for one in versions.values()), now().wall_ms)

    def tell(text: str) -> None:
        log.warning(text)
        node.tell_sinks(Tell(masked(text)))

    def acknowledged(about: str, since_ms: int) -> bool:
        return is_taken_up(node.machine.state, about, since_ms)

    try:
        built = build(
            document,
            epoch,
            secret,
            log.info,
            evm_keys=members_evm_keys,
            evm_secrets=evm_secret,
            tell=tell,
            data_dir=config.data_dir,
            outside=lambda name: keys.load_outside(config.data_dir / name),
            files=config.read_beside,
            acknowledged=acknowledged,
        )
        if drill:
            built = harmless(built, node.parts.epoch, config.member, config.data_dir)
        return replace(built, sensors=tuple(KeptSensor(one) for one in built.sensors))
    except CatalogFaults as error:
        raise StartFault([f"{config.path}: {fault}" for fault in error.args[0]]) from None
    except keys.KeyFault as error:
        raise StartFault([str(error)]) from None
