"""What was kept of a release, and a node of today in the seats of then."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from node.events import Clock, FrameArrived, PeerCameUp, Ticked
from node.machine import Machine, Setup
from node.records import Record, unpack_record
from protocol.codec import decode
from protocol.crypto import Signer
from protocol.ids import EpochHash, GroupName, MemberName, NetworkId, PublicKey, SourceId
from protocol.membership import Epoch, Member, Source
from protocol.subjects import from_text
from tests.unit.machine.world import FREEZE, peer_of, policy_of

HERE = Path(__file__).parent
RELEASES = sorted(path for path in HERE.iterdir() if (path / "manifest.sha256").is_file())
BYTES_MAX = 1 << 20
TICK_MS = 100


@dataclass(frozen=True)
class Release:
    folder: Path

    @cached_property
    def told(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "told.json").read_text()))

    def read(self, name: str) -> Any:
        return decode((self.folder / name).read_bytes(), bytes_max=BYTES_MAX)

    def records(self) -> list[Record]:
        return [unpack_record(*row) for row in self.read("records.cbor")]

    @cached_property
    def epoch(self) -> Epoch:
        told = self.told
        return Epoch(
            NetworkId(bytes.fromhex(told["network"])),
            0,
            EpochHash(bytes.fromhex(told["epoch"])),
            told["activates_ms"],
            tuple(Member(MemberName(n), GroupName(g), PublicKey(bytes.fromhex(k))) for n, g, k in told["members"]),
            sources=tuple(Source(SourceId(one), who, scope) for one, who, scope in told["sources"]),
        )

    def keysets(self) -> list[bytes]:
        return [bytes.fromhex(raw) for raw in self.told["keysets"]]

    def machine(self, name: str) -> Machine:
        """A node of today with the keys of then."""
        seed = bytes.fromhex(self.told["hot_seeds"][name])
        setup = Setup(
            member=MemberName(name), epoch=self.epoch, signer=Signer(seed), key_version=0, policy=policy_of(),
            instances={"freeze": "pool:log.freeze"}, declarations={"freeze": FREEZE},
            own_sources=(SourceId(f"{name}-node"),), manifest=(from_text(self.told["subject"]),), fresh=False,
        )  # fmt: skip
        return Machine(setup)

    def heard_again(self, name: str) -> tuple[Machine, list[str]]:
        """A machine that heard every frame at its time, and what it refused."""
        machine, wire = self.machine(name), self.read("wire.cbor")
        refused: list[str] = []
        now_ms = start_ms = wire[0][0]

        def at(ms: int) -> Clock:
            return Clock(ms, ms - start_ms + 1_000_000)

        machine.start(at(now_ms), self.keysets())
        for peer in sorted({row[1] for row in wire}):
            machine.handle(PeerCameUp(peer_of(peer)), at(now_ms))
        for ms, peer, sync, raw in wire:
            while now_ms + TICK_MS < ms:
                now_ms += TICK_MS
                machine.handle(Ticked(), at(now_ms))
            machine.handle(FrameArrived(peer_of(peer), not sync, sync, raw), at(ms))
        refused += [f"{code} {count}" for code, count in sorted(machine.state.refusals.items())]
        return machine, refused
