"""What `tocsin key …` does: knows versions, makes keys, seals, and puts in force, with a running node or its files."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from governance.durations import parse_duration
from governance.keyset_request import KeySetRequest, faults_of
from node import keys, rotation
from node.commands.common import CommandError, usage
from node.commands.founding import read_charter
from node.commands.joining import read_network
from node.commands.sealing import a_hash
from node.config import NodeConfig
from node.config_identity import peer_id_of
from node.control import Control, NodeUnreachable
from node.keys import Purpose
from node.known_keysets import FromFiles, from_files
from node.origin import Origin, OriginFault, opened_in, origin_of
from node.present_keys import rows_of
from node.store_engine import take_lock
from protocol.crypto import Signer
from protocol.envelope import SealedKeySet, seal_keyset
from protocol.ids import MemberName, NetworkId, PublicKey
from protocol.limits import ENTRY_BYTES_MAX, KEYSET_TERM_MS_MAX
from protocol.membership import Epoch
from protocol.messages import KeySet


@dataclass(frozen=True)
class Known:
    """Of one member. `facts`: what `tocsin key show` prints; `runs`: a node answered."""

    origin: Origin
    member: MemberName
    keysets: tuple[KeySet, ...]
    marked: int
    runs: bool
    facts: dict[str, Any]

    @property
    def newest(self) -> KeySet | None:
        return max(self.keysets, key=lambda one: one.version, default=None)

    @property
    def next_version(self) -> int:
        return max(self.newest.version if self.newest else 0, self.marked) + 1

    @property
    def network(self) -> NetworkId:
        return self.origin.epoch.network

    @property
    def governance(self) -> PublicKey:
        """The member's key of now."""
        return self.origin.governance[0]


def origin_here(config: NodeConfig) -> Origin:
    """CommandError where what this directory starts from proves nothing, or the member has no seat by it."""
    try:
        return origin_of(config, read_charter(config.charter))
    except OriginFault as fault:
        raise CommandError(str(fault)) from None


def known_here(config: NodeConfig) -> Known:
    """Of the running node where one answers, else of its files."""
    origin = origin_here(config)
    files = from_files(config, origin)
    try:
        with Control(config.control) as control:
            facts, runs = control.keys(), True
    except NodeUnreachable:
        facts, runs = _facts_of(config, origin, files), False
    held = list(files.held)
    for row in facts["keysets"]:
        one = origin.opened(bytes.fromhex(row["sealed"]))
        held += [one] if one is not None else []
    return Known(origin, config.member, _of(config.member, held), files.marked, runs, facts)


def _facts_of(config: NodeConfig, origin: Origin, files: FromFiles) -> dict[str, Any]:
    return {
        "member": config.member,
        "network": origin.epoch.network.hex(),
        "in_use": files.marked or None,
        "signs": "no node runs",
        "warning": "",
        "keysets": rows_of(files.held, files.forked),
    }


def _of(member: MemberName, held: Iterable[SealedKeySet]) -> tuple[KeySet, ...]:
    found: dict[int, SealedKeySet] = {}
    for one in held:
        version = one.keyset.version
        if one.keyset.member == member and (version not in found or one.hash < found[version].hash):
            found[version] = one
    return tuple(one.keyset for _, one in sorted(found.items()))


@dataclass(frozen=True)
class Ground:
    """What a machine without a node knows of the network: an epoch of it, and KeySets. `where`: of which file."""

    epoch: Epoch
    keysets: tuple[bytes, ...]
    where: Path

    def key_of(self, member: str) -> PublicKey:
        seat = self.epoch.by_name.get(MemberName(member))
        if seat is None:
            do = "use the network's own charter, or, of who joined later, --network FILE --trust HASH"
            raise CommandError(f"{member} has no seat in epoch {self.epoch.number} of it", str(self.where), do)
        return seat.governance_key


def ground_of(charter: Path, network: Path | None, trust: str) -> Ground:
    """The charter's epoch 0, or the last one of a chain that passes through the epoch that is trusted."""
    if network is None:
        founding = read_charter(charter)
        return Ground(founding.epoch0(), tuple(founding.sealed), charter)
    if not trust:
        raise usage("a chain is trusted from an epoch's hash", "add --trust HASH, got another way than the file")
    read = read_network(network, a_hash(trust, "--trust"))
    return Ground(read.epoch, read.chain.keysets, network)


def term_ms_of(term: str) -> int:
    try:
        term_ms = parse_duration(term)
    except ValueError as error:
        raise usage(f"--term: {error}", 'write it like "365d"') from None
    if not 0 < term_ms <= KEYSET_TERM_MS_MAX:
        raise usage(f"--term {term} is out of bounds", "at most a year")
    return term_ms


def governance_signer(path: Path, key: PublicKey, member: str) -> Signer:
    signer = keys.load_signer(path, Purpose.GOVERNANCE)
    if signer.public != key:
        raise CommandError(f"is not the governance key of {member}", str(path), "name the right one")
    return signer


def new_request(config: NodeConfig, known: Known, expires_ms: int, now_ms: int, *, transport: bool) -> KeySetRequest:
    """With fresh keys, which lie beside those in use; checked before any of them is made."""
    newest = known.newest
    old = peer_id_of(keys.load_secret(keys.key_path(config.data_dir, Purpose.TRANSPORT), Purpose.TRANSPORT).reveal())
    probe = PublicKey(Signer(bytes(32)).public)
    peers = [old]
    if newest is not None and newest.transport and newest.transport[0] != old:
        peers.insert(0, newest.transport[0])  # named before, and taken at the next start
    keyset = KeySet(known.member, known.next_version, probe, newest.evm if newest else None, tuple(peers), expires_ms)
    held = tuple(one.version for one in known.keysets)
    refuse(KeySetRequest(known.network, known.governance, held, keyset), now_ms)
    if transport:
        public = keys.write_next(config.data_dir, Purpose.TRANSPORT)
        fresh = keys.load_secret(keys.next_path(config.data_dir, Purpose.TRANSPORT, public), Purpose.TRANSPORT)
        peers = [peer_id_of(fresh.reveal()), old]
    attestation = PublicKey(keys.write_next(config.data_dir, Purpose.ATTESTATION))
    keyset = KeySet(known.member, keyset.version, attestation, keyset.evm, tuple(peers), expires_ms)
    return KeySetRequest(known.network, known.governance, held, keyset)


def refuse(request: KeySetRequest, now_ms: int) -> None:
    """CommandError with every fault: nothing was sealed."""
    faults = faults_of(request, now_ms)
    if faults:
        raise CommandError("\n  ".join(["nothing was sealed:", *map(str, faults)]))


def seal(request: KeySetRequest, governance: Signer, now_ms: int) -> SealedKeySet:
    refuse(request, now_ms)
    return seal_keyset(request.network, governance, request.keyset)


def read_sealed(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(ENTRY_BYTES_MAX + 1)
    except OSError as error:
        raise CommandError(f"cannot be read: {error.strerror}", str(path), "check path and rights") from None
    if not 1 <= len(raw) <= ENTRY_BYTES_MAX:
        raise CommandError("is no sealed KeySet", str(path), "name what `tocsin key sign` or `key revoke` wrote")
    return raw


def write_sealed(path: Path, raw: bytes) -> None:
    try:
        with path.open("xb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise CommandError("exists and is not overwritten", str(path), "name another file") from None
    except OSError as error:
        raise CommandError(f"cannot be written: {error.strerror}", str(path), "check path and rights") from None


def put_in_force(config: NodeConfig, raw: bytes, person: str) -> tuple[KeySet, bool]:
    """Through the running node, which goes on under it at once, else on the disk for the next start: (KeySet, live).

    CommandError, KeyFault, ControlError: what keeps it from being taken."""
    origin = origin_here(config)
    sealed = origin.opened(raw)
    if sealed is None or sealed.keyset.member != config.member:
        what = f"no KeySet of {config.member}, sealed by its governance key"
        raise CommandError(what, do="name what `tocsin key sign` wrote, and this member's node.toml")
    here = keys.key_path(config.data_dir, Purpose.ATTESTATION)
    if here.exists() and keys.load_signer(here, Purpose.ATTESTATION).public == sealed.keyset.attestation:
        raise CommandError(
            f"version {sealed.keyset.version} is in use here already",
            str(here),
            "nothing is left to do: `tocsin key show`",
        )
    rotation.next_signer(config.data_dir, sealed.keyset)
    try:
        with Control(config.control) as control:
            control.take_key(raw, person)
        return sealed.keyset, True
    except NodeUnreachable as error:
        if error.broke or error.why == "did not answer in time":
            raise
    lock = take_lock(config.store)
    try:
        known = from_files(config, origin)
        newest = max((one.version for one in _of(sealed.keyset.member, known.held)), default=0)
        if sealed.keyset.version < newest:
            what = f"version {newest} of {config.member} is in force; version {sealed.keyset.version} changes nothing"
            raise CommandError(what, do=f"seal version {newest + 1}: tocsin key rotate")
        rotation.keep_keyset(config.data_dir, sealed)
        rotation.put_in_force(config.data_dir, sealed.keyset)
    finally:
        os.close(lock)
    return sealed.keyset, False


def revocation(
    ground: Ground, member: MemberName, known: Iterable[bytes], above: int, expires_ms: int, key_out: Path | None,
    *, drop_transport: bool, now_ms: int,
) -> KeySetRequest:  # fmt: skip
    """The next version under a fresh key: one made here, or one that nobody holds and so nobody can steal."""
    governance, network = ground.key_of(member), ground.epoch.network
    raws = (*ground.keysets, *known)
    held = _of(member, [one for raw in raws if (one := opened_in(ground.epoch, raw)) is not None])
    newest = max(held, key=lambda one: one.version, default=None)
    version = max(newest.version if newest else 0, above) + 1
    transport = () if drop_transport or newest is None else newest.transport

    def request(attestation: bytes) -> KeySetRequest:
        # the evm key lay where the stolen one did: contracts must not count it on
        keyset = KeySet(member, version, PublicKey(attestation), None, transport, expires_ms)
        return KeySetRequest(network, governance, tuple(one.version for one in held), keyset)

    refuse(request(Signer(bytes(32)).public), now_ms)
    if key_out is not None:
        return request(keys.write_apart(key_out, Purpose.ATTESTATION))
    return request(Signer(os.urandom(32)).public)
