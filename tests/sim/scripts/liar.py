"""A liar that says what a script has it say, to whom: nothing by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from protocol.envelope import Verified, seal_entry
from protocol.evidence import ClaimBlob
from protocol.frames import Blobs, CertificateFrame, Entries, pack_frame
from protocol.ids import ZERO_HASH, MemberName, NetworkId, SourceId
from protocol.messages import Attestation, Basis, Body, Level, Tlp
from protocol.quorum import Certificate, pack_certificate
from tests.sim import cast

if TYPE_CHECKING:
    from tests.sim.world import World


class Directed:
    """`heard`: (sender, frame) in order of arrival."""

    script = "directed"

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, MemberName(name)
        self.seq, self.prev, self.version = -1, ZERO_HASH, 0
        self.heard: list[tuple[str, bytes]] = []

    def hears(self, sender: str, raw: bytes, sync: bool) -> None:
        self.heard.append((sender, raw))

    def linked(self, other: str, up: bool) -> None: ...

    def seal(
        self,
        body: Body,
        *,
        seq: int | None = None,
        prev: Any = None,
        version: int | None = None,
        issued_ms: int | None = None,
        author: str = "",
        network: NetworkId = cast.NETWORK,
    ) -> Verified[Any]:
        """`author`: whose stolen hot key it is; the next word of the own feed where no `seq` is given."""
        owner = MemberName(author or self.name)
        version = self.version if version is None else version
        made = seal_entry(
            network,
            cast.hot(owner, version),
            author=owner,
            key_version=version,
            seq=self.seq + 1 if seq is None else seq,
            prev=self.prev if prev is None else prev,
            issued_ms=self.world.time.now_ms if issued_ms is None else issued_ms,
            body=body,
        )
        if seq is None and not author:
            self.seq, self.prev = made.entry.seq, made.hash
        return made

    def rekey(self) -> None:
        """The next key of this seat: a new feed."""
        self.version, self.seq, self.prev = self.version + 1, -1, ZERO_HASH

    def send(self, frame: Any, to: Sequence[int] | None = None, sync: bool = False) -> None:
        raw = frame if isinstance(frame, bytes) else pack_frame(frame)
        names = list(self.world.processes) if to is None else [f"m{i}" for i in to]
        for name in names:
            self.world.network.carry(self.name, name, raw, sync)

    def opinion(self, level: Level, *claims: ClaimBlob, **changes: Any) -> Attestation:
        """VERIFIED through its own node, for as long as may be, unless changed."""
        now_ms, epoch = self.world.time.now_ms, self.world.epoch
        since_ms = changes.get("since_ms", now_ms)
        body = Attestation(
            epoch.hash,
            cast.SUBJECTS[0],
            cast.THREAT,
            level,
            Basis.VERIFIED,
            tuple(sorted(one.claim for one in claims)),
            (SourceId(f"{self.name}.node"),),
            "test",
            "",
            since_ms,
            now_ms + epoch.lease_bound_ms(level),
            False,
            Tlp.GREEN,
        )
        return replace(body, **changes)

    def say(self, body: Body, *blobs: ClaimBlob, to: Sequence[int] | None = None) -> Verified[Any]:
        made = self.seal(body)
        if blobs:
            self.send(Blobs(tuple(one.blob for one in blobs)), to)
        self.send(Entries((made.raw,)), to)
        self.world.note(self.name, f"lies: {_brief(body)} to {'all' if to is None else to}")
        return made

    def lies(self, level: Level, *claims: ClaimBlob, to: Sequence[int] | None = None, **changes: Any) -> Verified[Any]:
        return self.say(self.opinion(level, *claims, **changes), *claims, to=to)

    def pushes(self, level: Level, words: Sequence[Verified[Any]], to: Sequence[int] | None = None) -> Certificate:
        """A certificate of these words, with every signer's KeySet."""
        held = sorted(words, key=lambda one: one.entry.author)
        keysets = {cast.keyset(one.entry.author, one.entry.key_version) for one in held}
        body = held[0].body
        certificate = Certificate(
            self.world.epoch.hash,
            body.subject,
            body.threat,
            level,
            tuple(one.raw for one in held),
            tuple(sorted(keysets)),
        )
        self.send(CertificateFrame(pack_certificate(certificate)), to, sync=True)
        authors = ",".join(one.entry.author for one in held)
        self.world.note(self.name, f"pushes a {level.name} certificate of {authors}")
        return certificate


def _brief(body: Body) -> str:
    if isinstance(body, Attestation):
        return f"{body.level.name} ({body.basis.name}) on {body.subject}"
    return type(body).__name__
