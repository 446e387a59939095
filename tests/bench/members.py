"""A network of members that look at no chain: keys, charter, configuration and policy as their operators would write
them, and a service of the bench's as the source of each."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from governance.card import Card
from governance.charter import Charter, Parameters, found, signed, write
from node import keys
from node.config_identity import peer_id_of
from protocol.crypto import Signer
from protocol.ids import GroupName, MemberName, PublicKey, SourceId
from protocol.membership import LEASE_MS_MOST, Source
from protocol.messages import KeySet, Level
from tests.bench import immediate
from tests.bench.ground import Ground

SERVICE = "bench"
DAY_MS = 86_400_000
PURPOSES = (keys.Purpose.GOVERNANCE, keys.Purpose.ATTESTATION, keys.Purpose.TRANSPORT)


@dataclass(frozen=True)
class Seat:
    """One member's files."""

    name: str
    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "node.toml"

    @property
    def control(self) -> Path:
        return self.folder / "data" / "c.sock"

    @property
    def log(self) -> Path:
        return self.folder / "node.log"

    @property
    def plan(self) -> Path:
        return self.folder / "plan.json"


def names_of(members: int) -> tuple[str, ...]:
    return tuple(f"member-{number + 1}" for number in range(members))


def compose(stands: Ground, run_dir: Path, lease_ms: int, subjects: int) -> list[Seat]:
    """Each is a group of its own. `lease_ms` bounds every level that counts; the first member's Manifest names the
    first `subjects` of the bench's: members answer by themselves only on what some Manifest names."""
    secrets = {
        (name, purpose): keys.derive(purpose, hashlib.sha256(f"tocsin bench/{name}/{purpose.value}".encode()).digest())
        for name in stands.names
        for purpose in PURPOSES
    }
    charter = write(_charter(stands, secrets, lease_ms))
    seats = []
    for name in stands.names:
        seat = Seat(name, run_dir / name)
        data = seat.folder / "data"
        data.mkdir(parents=True, mode=0o700)
        keys.make_directory(data)
        for purpose in PURPOSES[1:]:
            keys.write_key(data, purpose, secrets[(name, purpose)])
        (seat.folder / "charter.toml").write_text(charter, "utf-8")
        (seat.folder / "policy.toml").write_text(_policy(subjects if name == stands.names[0] else 0), "utf-8")
        seat.config.write_text(node_toml(stands, seat, sensing=True), "utf-8")
        seats.append(seat)
    return seats


def _charter(stands: Ground, secrets: Mapping[tuple[str, keys.Purpose], keys.Secret], lease_ms: int) -> Charter:
    now_ms = time.time_ns() // 1_000_000
    parameters = Parameters(
        name="bench",
        created_ms=now_ms,
        lease_ms={level: min(lease_ms, LEASE_MS_MOST[level]) for level in (Level.GUARD, Level.ISOLATE, Level.HALT)},
        sources=tuple(Source(source_of(name), name, SERVICE) for name in stands.names),
        bridges=(),
        oracles=(),
    )
    cards = [_card(stands, secrets, name) for name in stands.names]
    charter = found(cards, parameters)
    for card in cards:
        governance = Signer(secrets[(card.name, keys.Purpose.GOVERNANCE)].reveal())
        keyset = KeySet(
            member=card.name,
            version=keys.FIRST_KEY_VERSION,
            attestation=PublicKey(card.attestation),
            evm=None,
            transport=(card.peer_id,),
            expires_ms=now_ms + 30 * DAY_MS,
        )
        charter = signed(charter, card.name, governance, keyset)
    return charter


def _card(stands: Ground, secrets: Mapping[tuple[str, keys.Purpose], keys.Secret], name: str) -> Card:
    host, port = stands.listen[name]
    return Card(
        name=MemberName(name),
        group=GroupName(name),
        governance=Signer(secrets[(name, keys.Purpose.GOVERNANCE)].reveal()).public,
        attestation=Signer(secrets[(name, keys.Purpose.ATTESTATION)].reveal()).public,
        peer_id=peer_id_of(secrets[(name, keys.Purpose.TRANSPORT)].reveal()),
        addresses=(f"/ip4/{host}/tcp/{port}",),
    )


def source_of(name: str) -> SourceId:
    return SourceId(f"{name}.{SERVICE}")


def node_toml(stands: Ground, seat: Seat, sensing: bool) -> str:
    """`sensing`: with the bench's sensor and verifier, which only processes that plugged them in know."""
    host, port = stands.listen[seat.name]
    text = (
        f'node = 1\nmember = "{seat.name}"\ncharter = "charter.toml"\ndata_dir = "data"\npolicy = "policy.toml"\n'
        f'listen = "/ip4/{host}/tcp/{port}"\ncontrol = "c.sock"\nlog = "node.log"\n'
    )
    for other in stands.names:
        if other != seat.name:
            host, port = stands.dial[(seat.name, other)]
            text += f'\n[[peer]]\nmember = "{other}"\naddrs = ["/ip4/{host}/tcp/{port}"]\n'
    if sensing:
        own = f'source = "{source_of(seat.name)}"'
        text += f'\n[sensor.immediate]\nkind = "{immediate.KIND}"\nplan = "{seat.plan}"\n{own}\n'
    return text


def _policy(subjects: int) -> str:
    text = 'policy = 1\nmode = "observe"\n'
    if subjects:
        names: Sequence[str] = [f'"{immediate.subject(number)}"' for number in range(1, subjects + 1)]
        text += f"\n[asset]\nbench = [{', '.join(names)}]\n"
        text += '\n[exposure.bench]\nasset = "bench"\nread = "bench.none"\nmax_age = "1m"\nways_out = ["none"]\n'
    return text
