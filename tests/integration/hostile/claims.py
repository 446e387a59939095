"""Alarms on demand without any chain: a sensor that reports what a file says, a verifier whose verdict is in the blob.

Plugged in through the catalog like any adapter, in these processes only. Everything else is the node as it is.
"""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
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

CLAIM_TYPE = "test-immediate"
KIND = "test.immediate"
THREAT = Threat.BRIDGE_FORGERY
SUBJECTS = 128
"""Alarm number k is about subject k modulo this: every alarm is a claim of its own, and one manifest names all."""
PREFIX = b"tocsin test/"
LOOK_S = 0.05


def subject(number: int) -> Subject:
    return asset("eip155:1", (number % SUBJECTS + 1).to_bytes(20, "big"))


def claimed(number: int) -> ClaimBlob:
    blob = PREFIX + f"{number}/".encode() + str(subject(number)).encode()
    return ClaimBlob(Claim(CLAIM_TYPE, sha256(b"id" + blob), Digest(sha256(blob))), blob)


class ImmediateVerifier:
    claim_types = frozenset({CLAIM_TYPE})

    def __init__(self, source: SourceId) -> None:
        self._sources = (source,)

    async def verify(self, claim: Claim, blob: bytes) -> Judgement:
        number, _, about = blob.removeprefix(PREFIX).decode().partition("/")
        if claimed(int(number)).claim != claim:
            return refuted("the blob is not the claim's")
        about_it = from_text(about)
        return Judgement(Ruling.SUPPORTS, "as the test has it", about_it, THREAT, Level.ISOLATE, 0, self._sources)


class ImmediateSensor:
    """Reports each line `[at_ms, number]` that is appended to the file, at its time."""

    def __init__(self, name: str, plan: Path, source: SourceId) -> None:
        self.name = name
        self._plan, self._source = plan, source
        self._read = 0

    def health(self) -> str:
        return ""

    async def run(self, report: Callable[[Observation], Awaitable[None]]) -> None:
        while True:
            if self._plan.exists() and self._plan.stat().st_size > self._read:
                with self._plan.open("r", encoding="utf-8") as file:
                    file.seek(self._read)
                    lines = file.read()
                whole = lines[: lines.rfind("\n") + 1]
                self._read += len(whole.encode())
                for line in whole.splitlines():
                    at_ms, number = json.loads(line)
                    await trio.sleep(max(0.0, at_ms / 1000 - time.time()))
                    await report(self._observed(number))
            await trio.sleep(LOOK_S)

    def _observed(self, number: int) -> Observation:
        return Observation(
            subject=subject(number),
            threat=THREAT,
            level=Level.ISOLATE,
            basis=Basis.VERIFIED,
            claims=(claimed(number),),
            sources=(self._source,),
            detector=self.name,
            incident=f"test-{number}",
            detail="as the test has it",
        )


def sensor(name: str, keys: Section, shop: Shop) -> Instances:
    """`[sensor.NAME] kind = "test.immediate", plan = FILE, source = ID`."""
    keys.text("kind")
    plan, source = keys.text("plan") or "", SourceId(keys.text("source") or "")
    return Instances(sensors=(ImmediateSensor(name, Path(plan), source),), verifiers=(ImmediateVerifier(source),))


def plug_in() -> None:
    """Before any node is forked: the children then know the kind."""
    if all(one.kind != KIND for one in catalog.BUILT_INS):
        catalog.BUILT_INS += (catalog.BuiltIn("sensor", KIND, f"{__name__}:sensor"),)
