"""`tocsin restore`: a store from a backup and an attestation key that has signed nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from governance.charter import Charter
from governance.durations import parse_duration
from node import backup, keys, mark
from node.commands.common import CommandError, usage
from node.commands.founding import read_charter
from node.commands.home import GOVERNANCE_NAME
from node.config import NodeConfig
from node.config_identity import peer_id_of
from node.keys import Purpose
from node.store_check import check_file
from node.store_engine import take_lock
from protocol.envelope import open_keyset
from protocol.errors import ProtocolError
from protocol.limits import KEYSET_TERM_MS_MAX
from protocol.messages import KeySet


@dataclass(frozen=True)
class Recovered:
    key_version: int
    aside: Path | None


def recover(
    config: NodeConfig, file: Path | None, governance_key: Path | None, term: str, *, move_aside: bool, now_ms: int
) -> Recovered:
    """Checks everything before it changes anything; CommandError, KeyFault, StoreError."""
    charter = read_charter(config.charter)
    term_ms = _term_ms(term)
    seat = charter.by_name.get(config.member)
    if seat is None:
        raise CommandError(f"{config.member} has no seat in it", str(config.charter), "use the network's own charter")
    path = governance_key or config.path.parent / GOVERNANCE_NAME
    governance = keys.load_signer(path, Purpose.GOVERNANCE)
    if governance.public != seat.governance_key:
        raise CommandError(f"is not the governance key of {config.member}", str(path), "name the right one")
    transport = keys.load_secret(keys.key_path(config.data_dir, Purpose.TRANSPORT), Purpose.TRANSPORT)
    if file is not None:
        _check_backup(file, config, charter)
    _check_stopped(config)
    newest = _newest(config, charter)
    aside = None if file is None else backup.restore(file, config.data_dir, move_aside=move_aside)
    version = max(newest.version if newest else 0, _marked(config)) + 1
    peer_id = peer_id_of(transport.reveal())
    evm = newest.evm if newest else None
    backup.fresh_attestation_key(
        config.data_dir, governance, charter.network, config.member, version, [peer_id], now_ms + term_ms, evm=evm
    )
    return Recovered(version, aside)


def _term_ms(term: str) -> int:
    try:
        term_ms = parse_duration(term)
    except ValueError as error:
        raise usage(f"--term: {error}", 'write it like "365d"') from None
    if not 0 < term_ms <= KEYSET_TERM_MS_MAX:
        raise usage(f"--term {term} is out of bounds", "at most a year")
    return term_ms


def _check_backup(file: Path, config: NodeConfig, charter: Charter) -> None:
    facts = check_file(file, every_row=True)
    if facts.network not in (None, bytes(charter.network)):
        raise CommandError("is of another network", str(file), "name a backup of this one")
    if facts.member not in (None, config.member):
        raise CommandError(f"is {facts.member}'s and not {config.member}'s", str(file), "name your own backup")


def _check_stopped(config: NodeConfig) -> None:
    """StoreError where a node runs on this directory."""
    import os

    os.close(take_lock(config.store))


def _newest(config: NodeConfig, charter: Charter) -> KeySet | None:
    """The highest that was ever delegated, as far as this machine knows."""
    seat = charter.by_name[config.member]
    found = []
    for raw in (*charter.sealed, *(path.read_bytes() for path in config.data_dir.glob("keyset-*.cbor"))):
        try:
            keyset = open_keyset(raw, charter.network, seat.governance_key).keyset
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
