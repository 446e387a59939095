"""A claim type whose verdict is immediate: what is left of an alarm when nothing has to be read from any chain.

Plugged in through the catalog like any adapter, in the bench's processes only. Everything else is the node as it is:
entries, blobs, the commit point, re-running by the others, their answers, the certificate.
"""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path

import trio

from adapters import catalog
from adapters.api import Instances, Observation
from adapters.catalog import Shop
from adapters.section import Section
from protocol.crypto import sha256
from protocol.evidence import ClaimBlob, Judgement, Ruling, refuted
from protocol.ids import Digest, SourceId
from protocol.messages import Basis, Claim, Level, Threat
from protocol.subjects import Subject, asset, from_text

CLAIM_TYPE = "bench-immediate"
KIND = "bench.immediate"
PREFIX = b"tocsin bench/"
LOOK_S = 0.1
"""Who writes a plan writes it so long before its first time. A shorter look would show in an idle member's CPU."""


def subject(number: int) -> Subject:
    """Each alarm has a subject of its own, so that each makes a certificate of its own."""
    return asset("eip155:1", number.to_bytes(20, "big"))


def claimed(about: Subject) -> ClaimBlob:
    blob = PREFIX + str(about).encode()
    return ClaimBlob(Claim(CLAIM_TYPE, sha256(b"id" + blob), Digest(sha256(blob))), blob)


class ImmediateVerifier:
    """The verdict is in the blob: no reading, no waiting."""

    claim_types = frozenset({CLAIM_TYPE})

    def __init__(self, sources: tuple[SourceId, ...]) -> None:
        self._sources = sources

    async def verify(self, claim: Claim, blob: bytes) -> Judgement:
        about = from_text(blob.removeprefix(PREFIX).decode())
        if claimed(about).claim != claim:
            return refuted("the blob is not the claim's")
        return Judgement(
            Ruling.SUPPORTS, "as the bench has it", about, Threat.BRIDGE_FORGERY, Level.ISOLATE, 0, self._sources
        )


class ImmediateSensor:
    """Waits for the file `plan` and reports what stands there for this member, each at its time; then for the next
    file put in its place."""

    def __init__(self, name: str, plan: Path, sources: tuple[SourceId, ...]) -> None:
        self.name = name
        self._plan, self._sources = plan, sources

    def health(self) -> str:
        return ""

    async def run(self, report: Callable[[Observation], Awaitable[None]]) -> None:
        played = 0
        while True:
            with suppress(FileNotFoundError):
                found = self._plan.stat().st_ino
                if found != played:
                    played = found
                    await self._play(report)
            await trio.sleep(LOOK_S)

    async def _play(self, report: Callable[[Observation], Awaitable[None]]) -> None:
        for at_ms, number in json.loads(self._plan.read_text("utf-8")):
            await trio.sleep(max(0.0, at_ms / 1000 - time.time()))
            await report(self._seen(number))

    def _seen(self, number: int) -> Observation:
        about = subject(number)
        return Observation(
            subject=about,
            threat=Threat.BRIDGE_FORGERY,
            level=Level.ISOLATE,
            basis=Basis.VERIFIED,
            claims=(claimed(about),),
            sources=self._sources,
            detector=self.name,
            incident=f"bench-{number}",
            detail="as the bench has it",
        )


def put_plan(path: Path, plan: Sequence[tuple[float, int]]) -> None:
    """[(wall clock ms, number of the subject)…] in order of time, whole at once; a file of its own each time."""
    fresh = path.with_name(f"{path.name}.{time.time_ns()}")
    fresh.write_text(json.dumps(list(plan)), "utf-8")
    old = path.with_suffix(".old")
    with suppress(FileNotFoundError):
        path.replace(old)  # kept, so that its inode is not given to the next
    fresh.rename(path)


def sensor(name: str, keys: Section, shop: Shop) -> Instances:
    """`[sensor.NAME] kind = "bench.immediate", plan = FILE, source = ID`; without it, all connections of the member."""
    keys.text("kind")
    plan = keys.text("plan") or ""
    own = keys.text("source", needed=False)
    sources = (SourceId(own),) if own else tuple(sorted(SourceId(source) for source, _, _ in shop.connections))
    return Instances(sensors=(ImmediateSensor(name, Path(plan), sources),), verifiers=(ImmediateVerifier(sources),))


def plug_in() -> None:
    """Before the zygote forks: its children then know the kind."""
    catalog.BUILT_INS += (catalog.BuiltIn("sensor", KIND, f"{__name__}:sensor"),)
