"""`tocsin restore`: a store from a backup and an attestation key that has signed nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from node import backup, keys, mark
from node.commands.common import CommandError
from node.commands.home import GOVERNANCE_NAME
from node.commands.rotating import governance_signer, origin_here, term_ms_of
from node.config import NodeConfig
from node.config_identity import peer_id_of
from node.keys import Purpose
from node.origin import Origin
from node.store_check import check_file
from node.store_engine import take_lock
from protocol.errors import ProtocolError
from protocol.ids import NetworkId
from protocol.messages import KeySet


@dataclass(frozen=True)
class Recovered:
    key_version: int
    aside: Path | None


def recover(
    config: NodeConfig, file: Path | None, governance_key: Path | None, term: str, *, move_aside: bool, now_ms: int
) -> Recovered:
    """Checks everything before it changes anything; CommandError, KeyFault, StoreError."""
    origin, term_ms = origin_here(config), term_ms_of(term)
    network = origin.epoch.network
    path = governance_key or config.path.parent / GOVERNANCE_NAME
    governance = governance_signer(path, origin.governance[0], config.member)
    transport = keys.load_secret(keys.key_path(config.data_dir, Purpose.TRANSPORT), Purpose.TRANSPORT)
    if file is not None:
        _check_backup(file, config, network)
    _check_stopped(config)
    newest = _newest(config, origin)
    aside = None if file is None else backup.restore(file, config.data_dir, move_aside=move_aside)
    version = max(newest.version if newest else 0, _marked(config)) + 1
    peer_id = peer_id_of(transport.reveal())
    evm = newest.evm if newest else None
    backup.fresh_attestation_key(
        config.data_dir, governance, network, config.member, version, [peer_id], now_ms + term_ms, evm=evm
    )
    return Recovered(version, aside)


def _check_backup(file: Path, config: NodeConfig, network: NetworkId) -> None:
    facts = check_file(file, every_row=True)
    if facts.network not in (None, bytes(network)):
        raise CommandError("is of another network", str(file), "name a backup of this one")
    if facts.member not in (None, config.member):
        raise CommandError(f"is {facts.member}'s and not {config.member}'s", str(file), "name your own backup")


def _check_stopped(config: NodeConfig) -> None:
    """StoreError where a node runs on this directory."""
    import os

    os.close(take_lock(config.store))


def _newest(config: NodeConfig, origin: Origin) -> KeySet | None:
    """The highest that was ever delegated, as far as this machine knows."""
    raws = [*origin.keysets, *(one.raw for one in origin.extra)]
    raws += [path.read_bytes() for path in sorted(config.data_dir.glob("keyset-*.cbor"))]
    found = []
    for raw in raws:
        try:
            keyset = origin.open_own(raw).keyset
        except ProtocolError:
            continue
        if keyset.member == config.member:
            found.append(keyset)
    return max(found, key=lambda one: one.version, default=None)


def _marked(config: NodeConfig) -> int:
    try:
        found = mark.read(config.mark)
    except mark.MarkError:
        return 0
    return found.key_version if found else 0
