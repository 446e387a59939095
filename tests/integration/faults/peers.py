"""What the other members of a scene's network say, sealed by their real keys."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from governance.charter import Charter, parse
from node.keys import FIRST_KEY_VERSION, Purpose
from protocol.crypto import Signer
from protocol.envelope import SealedKeySet, Verified, seal_entry
from protocol.evidence import ClaimBlob
from protocol.frames import Frame, Head, Heads
from protocol.ids import ZERO_HASH, GroupName, MemberName, SourceId
from protocol.messages import Attestation, Basis, Level, Threat, Tlp
from protocol.quorum import assemble, pack_certificate
from tests.integration.kill9.child import claim, subject
from tests.integration.kill9.scene import NAMES, secret

TOPIC = (subject(0), Threat.UNBACKED_SUPPLY)


class Peers:
    """m1, m2 and m3, by the charter of a scene's folder."""

    def __init__(self, folder: Path) -> None:
        self.charter: Charter = parse((folder / "charter.toml").read_text())
        self.epoch = self.charter.epoch0()
        self.said: dict[MemberName, list[Verified[Attestation]]] = {name: [] for name in NAMES}

    def peer(self, name: MemberName) -> str:
        return self._keyset(name, FIRST_KEY_VERSION).keyset.transport[0]

    def _keyset(self, name: MemberName, version: int) -> SealedKeySet:
        return next(one for one in self.charter.keysets if (one.keyset.member, one.keyset.version) == (name, version))

    def opines(
        self, name: MemberName, issued_ms: int, lease_ms: int, level: Level = Level.ISOLATE
    ) -> Verified[Attestation]:
        """Its next word on TOPIC; level NONE withdraws the one before."""
        feed = self.said[name]
        claims: tuple[ClaimBlob, ...] = () if level is Level.NONE else (claim(0),)
        body = Attestation(
            self.epoch.hash, *TOPIC, level, Basis.VERIFIED if claims else Basis.OBSERVED,
            tuple(one.claim for one in claims), (SourceId(f"{name}.eip155-1"),), "test", "", issued_ms,
            issued_ms + lease_ms, not claims, Tlp.GREEN,
        )  # fmt: skip
        feed.append(
            seal_entry(
                self.charter.network,
                Signer(secret(name, Purpose.ATTESTATION).reveal()),
                author=name,
                key_version=FIRST_KEY_VERSION,
                seq=len(feed),
                prev=feed[-1].hash if feed else ZERO_HASH,
                issued_ms=issued_ms,
                body=body,
            )
        )
        return feed[-1]

    def certificate(self, opinions: Sequence[Verified[Attestation]]) -> bytes:
        groups = {GroupName(f"g-{one.entry.author}"): [one] for one in opinions}
        return pack_certificate(assemble(self.epoch, TOPIC, Level.ISOLATE, groups, self._keyset))

    def heads(self, name: MemberName) -> Frame:
        """What it holds of its own feed."""
        last = self.said[name][-1]
        return Heads((Head(name, FIRST_KEY_VERSION, last.entry.seq + 1, last.entry.seq, last.hash),), ())


def wall_ms() -> int:
    return time.time_ns() // 1_000_000
