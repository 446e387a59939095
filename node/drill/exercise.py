"""What a drill claims, who says it first, and how every member runs it again.

The claim is true of nothing but itself: "exercise ID on this subject". Running it again means that this member's own
connections are asked, now; one that does not answer leaves the claim undecided here, as it would in an alarm.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio

from adapters.api import Observation
from protocol.codec import decode, encode
from protocol.crypto import sha256
from protocol.errors import ProtocolError
from protocol.evidence import ClaimBlob, Judgement, Ruling, refuted, undecided
from protocol.ids import Digest, NetworkId, SourceId
from protocol.limits import BLOB_BYTES_MAX
from protocol.messages import Basis, Claim, Level, threat_from_word
from protocol.subjects import Subject, from_text, parse_subject

CLAIM_TYPE = "drill-exercise"
ID_BYTES = 16
LEVELS = (Level.GUARD, Level.ISOLATE)
"""What a claim may support; the step to HALT is a quorum's judgement and no exercise's."""
ORDER_NAME, ORDER_BYTES_MAX = "exercise.json", 4_096
LOOK_S = 0.25


@dataclass(frozen=True)
class Exercise:
    id: bytes
    subject: Subject
    threat: int
    level: Level


def claim_for(network: NetworkId, one: Exercise) -> ClaimBlob:
    blob = encode([CLAIM_TYPE, [network, one.id, one.subject.raw, one.threat, int(one.level)]])
    return ClaimBlob(Claim(CLAIM_TYPE, sha256(encode([CLAIM_TYPE, one.id])), Digest(sha256(blob))), blob)


def open_exercise(network: NetworkId, claim: Claim, blob: bytes) -> Exercise:
    """ProtocolError, or ValueError with why: the blob is somebody else's."""
    parts = decode(blob, bytes_max=BLOB_BYTES_MAX)
    if type(parts) is not list or len(parts) != 2 or parts[0] != CLAIM_TYPE or type(parts[1]) is not list:
        raise ValueError("it is no exercise")
    if len(parts[1]) != 5:
        raise ValueError("an exercise has five parts")
    of, id_, subject, threat, level = parts[1]
    if of != network:
        raise ValueError("it is another network's")
    if type(id_) is not bytes or len(id_) != ID_BYTES or type(threat) is not int or level not in map(int, LEVELS):
        raise ValueError("its id, threat or level is none")
    one = Exercise(id_, parse_subject(subject), threat, Level(level))
    if claim != claim_for(network, one).claim:
        raise ValueError("the claim's id is not that of its inputs")
    return one


class ExerciseVerifier:
    """`probes`: connection → "" where it answers well. `services`: sources of this member's that need none."""

    claim_types = frozenset({CLAIM_TYPE})

    def __init__(
        self,
        network: NetworkId,
        probes: Mapping[str, Callable[[], Awaitable[str]]],
        services: Sequence[SourceId],
    ) -> None:
        self._network, self._probes, self._services = network, probes, tuple(services)

    async def verify(self, claim: Claim, blob: bytes) -> Judgement:
        try:
            one = open_exercise(self._network, claim, blob)
        except (ProtocolError, ValueError) as error:
            return refuted(f"no exercise: {error}")
        faults = {name: fault for name, probe in sorted(self._probes.items()) if (fault := await probe())}
        if faults:
            return undecided("; ".join(f"connection {name}: {fault}" for name, fault in faults.items()))
        sources = tuple(sorted({*map(SourceId, self._probes), *self._services}))
        return Judgement(Ruling.SUPPORTS, "an exercise", one.subject, one.threat, one.level, 0, sources)


class ExerciseSensor:
    """Begins an exercise that the owner wrote into the node's own directory (`tocsin drill start`), once."""

    name = "exercise"

    def __init__(self, network: NetworkId, folder: Path, verifier: ExerciseVerifier) -> None:
        self._network, self._order, self._verifier = network, folder / ORDER_NAME, verifier
        self._fault = ""

    async def run(self, report: Callable[[Observation], Awaitable[None]]) -> None:
        while True:
            order = take_order(self._order)
            if order is not None:
                await self._begin(order, report)
            await trio.sleep(LOOK_S)

    async def _begin(self, one: Exercise, report: Callable[[Observation], Awaitable[None]]) -> None:
        claimed = claim_for(self._network, one)
        judged = await self._verifier.verify(claimed.claim, claimed.blob)
        self._fault = "" if judged.ruling is Ruling.SUPPORTS else f"exercise {one.id.hex()} not begun: {judged.why}"
        if judged.ruling is not Ruling.SUPPORTS:
            return
        about = (one.subject, one.threat, one.level, Basis.VERIFIED, (claimed,), judged.sources)
        await report(Observation(*about, "exercise", f"exercise {one.id.hex()}", "an exercise, no alarm"))

    def health(self) -> str:
        return self._fault


def write_order(folder: Path, one: Exercise, threat_word: str) -> None:
    """Whole or not at all. OSError."""
    told = {"id": one.id.hex(), "subject": str(one.subject), "threat": threat_word, "level": one.level.name}
    fresh = folder / f".{ORDER_NAME}.new"
    fresh.write_text(json.dumps(told), "utf-8")
    fresh.replace(folder / ORDER_NAME)


def take_order(path: Path) -> Exercise | None:
    """Read and gone, so that nothing is begun twice. What cannot be read is none."""
    try:
        with path.open("rb") as file:
            raw = file.read(ORDER_BYTES_MAX)
        path.unlink()
        return parse_order(json.loads(raw))
    except (OSError, ValueError, ProtocolError, RecursionError):
        return None


def parse_order(told: Any) -> Exercise:
    """ValueError or ProtocolError."""
    if not isinstance(told, dict):
        raise ValueError("is no exercise")
    threat = threat_from_word(str(told.get("threat")))
    level = next((one for one in LEVELS if one.name == told.get("level")), None)
    id_ = bytes.fromhex(str(told.get("id")))
    if threat is None or level is None or len(id_) != ID_BYTES:
        raise ValueError("has no threat, level or id")
    return Exercise(id_, from_text(str(told.get("subject"))), int(threat), level)


def forget_order(folder: Path) -> None:
    """At the start: an exercise of before it is not begun after hours."""
    with suppress(OSError):
        (folder / ORDER_NAME).unlink()
