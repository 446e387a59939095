"""Writes what each member's operator would have written: keys, charter, configuration, policy. A node reads nothing
else, so a member of the local network starts just like any other."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from governance.card import Card
from governance.charter import Charter, Parameters, found, signed, write
from node import keys
from node.config_identity import evm_address_of, peer_id_of
from node.testnet import scenario_toml
from node.testnet.scenario import Role, Scenario
from node.testnet.world import World
from protocol.crypto import Signer
from protocol.ids import GroupName, MemberName, PublicKey, SourceId
from protocol.membership import COUNTED, LEASE_MS_MOST, Source
from protocol.messages import KeySet

DAY_MS = 86_400_000
LEVER_FILE = "keys/lever.key"


@dataclass(frozen=True)
class Seat:
    """One member as the supervisor sees it."""

    role: Role
    folder: Path
    port: int

    @property
    def name(self) -> str:
        return self.role.name

    @property
    def config(self) -> Path:
        return self.folder / "node.toml"

    @property
    def control(self) -> Path:
        return self.folder / "data" / "c.sock"

    @property
    def lies(self) -> Path:
        return self.folder / "lies.json"


def _seed(scenario: Scenario, seed: int, name: str, purpose: keys.Purpose) -> bytes:
    return hashlib.sha256(f"tocsin testnet/{scenario.id}/{seed}/{name}/{purpose.value}".encode()).digest()


def source_id(member: str, chain: str) -> str:
    return f"{member}.{chain.replace(':', '-')}"


def compose(
    scenario: Scenario,
    world: World,
    roles: Sequence[Role],
    run_dir: Path,
    ports: Mapping[str, int],
    routes: Mapping[tuple[str, str], int],
    seed: int,
) -> tuple[list[Seat], Charter]:
    """`ports`: member → where it listens; `routes`: (from, to) → the port at which `from` reaches `to`, where a
    proxy stands between them."""
    seats = [Seat(role, run_dir / "members" / role.name, ports[role.name]) for role in roles]
    secrets = {
        (seat.name, purpose): keys.derive(purpose, _seed(scenario, seed, seat.name, purpose))
        for seat in seats
        for purpose in (keys.Purpose.GOVERNANCE, keys.Purpose.ATTESTATION, keys.Purpose.TRANSPORT)
    }
    charter = _charter(scenario, world, seats, secrets)
    text = write(charter)
    for seat in seats:
        data = seat.folder / "data"
        data.mkdir(parents=True, mode=0o700)
        keys.make_directory(data)
        keys.write_key(data, keys.Purpose.ATTESTATION, secrets[(seat.name, keys.Purpose.ATTESTATION)])
        keys.write_key(data, keys.Purpose.TRANSPORT, secrets[(seat.name, keys.Purpose.TRANSPORT)])
        if any(not one.startswith("node.") for one in seat.role.levers):
            keys.write_key(data, keys.Purpose.LEVER, keys.Secret(world.lever_key(seat.name)))
        (seat.folder / "charter.toml").write_text(text, "utf-8")
        (seat.folder / "policy.toml").write_text(world.policy_for(seat.name), "utf-8")
        seat.config.write_text(_node_toml(world, seat, seats, routes), "utf-8")
    return seats, charter


def _charter(
    scenario: Scenario, world: World, seats: Sequence[Seat], secrets: Mapping[tuple[str, keys.Purpose], keys.Secret]
) -> Charter:
    bridges, oracles = world.register()
    sources = [
        Source(SourceId(source_id(seat.name, chain)), seat.name, chain)
        for seat in seats
        for chain in (world.home, world.far)
    ]
    lease_ms = {
        level: min(int(scenario.run.lease_s.get(level.name, LEASE_MS_MOST[level] / 1000) * 1000), LEASE_MS_MOST[level])
        for level in COUNTED
    }
    now_ms = time.time_ns() // 1_000_000
    parameters = Parameters(
        name=f"testnet-{scenario.id}",
        created_ms=now_ms,
        lease_ms=lease_ms,
        sources=tuple(sources),
        bridges=bridges,
        oracles=oracles,
    )
    charter = found([_card(seat, secrets) for seat in seats], parameters)
    for seat in seats:
        governance = Signer(secrets[(seat.name, keys.Purpose.GOVERNANCE)].reveal())
        charter = signed(charter, MemberName(seat.name), governance, _keyset(seat, secrets, now_ms))
    return charter


def _card(seat: Seat, secrets: Mapping[tuple[str, keys.Purpose], keys.Secret]) -> Card:
    return Card(
        name=MemberName(seat.name),
        group=GroupName(seat.role.group.lower()),
        governance=Signer(secrets[(seat.name, keys.Purpose.GOVERNANCE)].reveal()).public,
        attestation=Signer(secrets[(seat.name, keys.Purpose.ATTESTATION)].reveal()).public,
        peer_id=peer_id_of(secrets[(seat.name, keys.Purpose.TRANSPORT)].reveal()),
        addresses=(f"/ip4/127.0.0.1/tcp/{seat.port}",),
    )


def _keyset(seat: Seat, secrets: Mapping[tuple[str, keys.Purpose], keys.Secret], now_ms: int) -> KeySet:
    card = _card(seat, secrets)
    return KeySet(
        member=card.name,
        version=keys.FIRST_KEY_VERSION,
        attestation=PublicKey(card.attestation),
        evm=None,
        transport=(card.peer_id,),
        expires_ms=now_ms + 30 * DAY_MS,
    )


def _node_toml(world: World, seat: Seat, seats: Sequence[Seat], routes: Mapping[tuple[str, str], int]) -> str:
    head = {
        "node": 1,
        "member": seat.name,
        "charter": "charter.toml",
        "data_dir": "data",
        "policy": "policy.toml",
        "listen": f"/ip4/127.0.0.1/tcp/{seat.port}",
        "control": "c.sock",
        "log": "node.log",
    }
    text = "".join(f"{name} = {scenario_toml.value(one)}\n" for name, one in head.items())
    for other in seats:
        route = routes.get((seat.name, other.name))
        if route is not None:
            text += f'\n[[peer]]\nmember = "{other.name}"\naddrs = ["/ip4/127.0.0.1/tcp/{route}"]\n'
    for chain in (world.home, world.far):
        row = {"id": source_id(seat.name, chain), "chain": chain, "url": world.urls[chain]}
        text += "\n[[connection]]\n" + "".join(f"{name} = {json.dumps(one)}\n" for name, one in row.items())
    for name, target in world.targets_for(seat.name, LEVER_FILE).items():
        text += scenario_toml.table(f"target.{scenario_toml.key(name)}", target)
    for name, sensor in world.sensors_for(seat.name).items():
        text += scenario_toml.table(f"sensor.{scenario_toml.key(name)}", sensor)
    return text


def lever_account(world: World, role: str) -> str:
    return evm_address_of(world.lever_key(role))
