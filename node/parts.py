"""What a node reads from the disk before anything runs: charter, policy, keys, store, mark. All faults at once."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from adapters.policy import Policy, PolicyFaults, parse_text
from governance.charter import Charter, CharterFaults, check, parse
from node import keys, mark, rotation
from node.config import NodeConfig
from node.drill.mark import drill_of
from node.origin import Origin, OriginFault, origin_of
from node.replay.played import unleashed
from node.store import Store, StoreError
from node.store_engine import take_lock
from protocol.crypto import Signer
from protocol.envelope import SealedKeySet
from protocol.errors import ProtocolError
from protocol.membership import Epoch


class StartFault(Exception):
    """Why this node does not start: one line a fault, each with what to do."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


@dataclass
class Parts:
    """What was read from the disk before anything runs."""

    config: NodeConfig
    charter: Charter
    epoch: Epoch
    past: tuple[Epoch, ...]
    """Ahead of it, newest first."""
    signer: Signer
    keyset: SealedKeySet
    keysets: tuple[SealedKeySet, ...]
    """To be learnt at the start: founders' or those of a later epoch, and what was delegated here since."""
    transport_seed: bytes
    policy: Policy
    store: Store
    stopped_why: str
    fresh: bool
    adopted: tuple[bytes, ...]
    before: tuple[bytes, ...]
    """Epoch certificates ahead of the epoch that it starts from."""


def load_parts(config: NodeConfig) -> Parts:
    """All of it, or StartFault with every fault that could be seen."""
    faults: list[str] = []
    charter = _charter(config, faults)
    policy = _policy(config, faults)
    origin = _guarded(faults, lambda: origin_of(config, charter)) if charter is not None else None
    if origin is not None:
        _guarded(faults, lambda: _finish_rotation(config, origin))
    sealing, carrying = keys.Purpose.ATTESTATION, keys.Purpose.TRANSPORT
    signer = _guarded(faults, lambda: keys.load_signer(keys.key_path(config.data_dir, sealing), sealing))
    seed = _guarded(faults, lambda: keys.load_secret(keys.key_path(config.data_dir, carrying), carrying))
    if faults or charter is None or origin is None or policy is None or signer is None or seed is None:
        raise StartFault(faults)
    keyset, extra = _own_keyset(config, origin, signer)
    try:
        store = Store.open(config.store)
        store.bind_network(charter.network, config.member)
    except StoreError as error:
        raise StartFault([str(error)]) from None
    version = keyset.keyset.version
    try:
        found: mark.Mark | mark.MarkError | None = mark.read(config.mark)
    except mark.MarkError as error:
        found = error
    verdict = mark.check(
        found,
        store.own_head(config.member, version),
        store.is_empty(),
        network=charter.network,
        member=config.member,
        attestation=signer.public,
        key_version=version,
    )
    if drill_of(charter.parameters.name):
        policy = unleashed(policy)  # nothing can be pulled there, so what it would do is shown
    return Parts(
        config=config,
        charter=charter,
        epoch=origin.epoch,
        past=origin.past,
        signer=signer,
        keyset=keyset,
        transport_seed=seed.reveal(),
        policy=policy,
        store=store,
        stopped_why=verdict.reason if verdict.ruling is mark.Ruling.REFUSE else "",
        fresh=verdict.ruling is mark.Ruling.MAY_SIGN and isinstance(found, mark.Mark) and found.seq < 0,
        adopted=verdict.raws if verdict.ruling is mark.Ruling.ADOPT else (),
        before=origin.before,
        keysets=tuple(
            {one.raw: one for one in (*map(origin.opened, origin.keysets), *extra) if one is not None}.values()
        ),
    )


def _guarded(faults: list[str], load: Callable[[], Any]) -> Any:
    try:
        return load()
    except (keys.KeyFault, mark.MarkError, StoreError, OriginFault) as fault:
        faults.append(str(fault))
        return None


def _finish_rotation(config: NodeConfig, origin: Origin) -> None:
    """What a crash, or a delegation put here while no node ran, left to be done (node.rotation)."""
    held, extra = _own_keysets(config, origin)
    mine = [one.keyset for one in (*held, *extra)]
    newest = max(mine, key=lambda one: one.version, default=None)
    if newest is None or not rotation.unfinished(config.data_dir, newest):
        return
    lock = take_lock(config.store)
    try:
        rotation.put_in_force(config.data_dir, newest)
        rotation.move_transport(config.data_dir, newest)
    finally:
        os.close(lock)


def _charter(config: NodeConfig, faults: list[str]) -> Charter | None:
    try:
        charter = parse(config.charter.read_text(encoding="utf-8"))
    except OSError as error:
        faults.append(f"{config.charter}: cannot be read: {error.strerror}; name it in node.toml: charter = …")
        return None
    except CharterFaults as error:
        faults.extend(f"{config.charter}: {fault}" for fault in error.faults)
        return None
    judged = check(charter, time.time_ns() // 1_000_000)
    faults.extend(f"{config.charter}: {fault}" for fault in judged.faults)
    return charter


def _policy(config: NodeConfig, faults: list[str]) -> Policy | None:
    if config.policy is None:
        return Policy()
    try:
        return parse_text(config.policy.read_text(encoding="utf-8"))
    except OSError as error:
        faults.append(f"{config.policy}: cannot be read: {error.strerror}; name it in node.toml: policy = …")
    except PolicyFaults as error:
        faults.extend(f"{config.policy}: {fault}" for fault in error.faults)
    return None


def _own_keyset(config: NodeConfig, origin: Origin, signer: Signer) -> tuple[SealedKeySet, list[SealedKeySet]]:
    """The delegation of the key that lies here, the start's or a later one beside the store; and all of the latter."""
    held, extra = _own_keysets(config, origin)
    mine = [one for one in (*held, *extra) if one.keyset.attestation == signer.public]
    if not mine:
        raise StartFault(
            [
                f"{config.keys}: attestation.key is delegated by no KeySet of {config.member}; sign the charter with "
                "`tocsin charter sign`, or delegate it with `tocsin restore`"
            ]
        )
    return max(mine, key=lambda one: one.keyset.version), extra


def _own_keysets(config: NodeConfig, origin: Origin) -> tuple[list[SealedKeySet], list[SealedKeySet]]:
    """This member's: those of the start, and those that lie here."""
    extra = list(origin.extra)
    for path in sorted(config.data_dir.glob("keyset-*.cbor")):
        try:
            extra.append(origin.open_own(path.read_bytes()))
        except ProtocolError as error:
            raise StartFault([f"{path}: {error.detail}; it is not a KeySet of this member and network"]) from None
    known = [one for one in map(origin.opened, origin.keysets) if one is not None]
    return [one for one in known if one.keyset.member == config.member], extra
