"""Between plug-ins and the node: what they raise, hang in or make up stays theirs, and is said.

The machine takes what its own sensors, verifiers, readers and levers report for well-formed; here that is made true.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import Any

import trio

from adapters.api import ExposureReading, Observation, Outcome, Sensor
from protocol.crypto import sha256
from protocol.evidence import ClaimBlob, Judgement, Ruling, undecided
from protocol.limits import BLOB_BYTES_MAX, U63_MAX
from protocol.messages import Basis, Claim, Level
from protocol.subjects import Subject

log = logging.getLogger("tocsin.plugins")
AGAIN_S = (1.0, 5.0, 30.0)
"""Between the lives of a sensor that raises."""
SAYS_CHARS_MAX = 1_000
SOURCES_READ_MAX = 64
AMOUNT_MAX = 1 << 256
_CLAIM_TYPE = re.compile(r"[a-z0-9-]{1,64}\Z")
_URL = re.compile(r"(\w{2,10}://)([^\s/?#\"'<>]*@)?([^\s/?#\"'<>]*)[^\s\"'<>)]*")


def masked(text: str) -> str:
    """Without what may be an access token: of an address only scheme and host are left. And text that can be written:
    a lone surrogate out of somebody's JSON would break the record that quotes it."""
    return _URL.sub(lambda found: f"{found[1]}{found[3]}", text).encode("utf-8", "replace").decode()


def told(error: BaseException) -> str:
    """An error of somebody else's code in one line that may be shown."""
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    return masked(f"{type(error).__name__}: {' '.join(str(error).split())}")[:SAYS_CHARS_MAX]


class KeptSensor:
    """A sensor that is started again when it raises or returns, and whose health is always an answer."""

    def __init__(self, sensor: Sensor) -> None:
        self._sensor = sensor
        self.name = str(sensor.name)
        self._fault = ""
        self._refused = 0
        self._refusal = ""

    async def run(self, report: Callable[[Observation], Awaitable[None]]) -> None:
        async def checked(observation: Observation) -> None:
            fault = fault_of(observation)
            if fault:
                self._refused, self._refusal = self._refused + 1, fault
                return
            await report(observation)

        ends = 0
        while True:
            began_s = trio.current_time()
            try:
                await self._sensor.run(checked)
                why = "it ended by itself"
            except Exception as error:
                why = told(error)
            ends = ends + 1 if trio.current_time() - began_s < AGAIN_S[-1] else 1
            wait_s = AGAIN_S[min(ends, len(AGAIN_S)) - 1]
            self._fault = f"BLIND: stopped with {why}; started again every {wait_s:g} s"
            log.error("sensor %s: %s", self.name, self._fault)
            await trio.sleep(wait_s)
            self._fault = f"was started again after {why}"

    def health(self) -> str:
        try:
            says = masked(str(self._sensor.health()))[:SAYS_CHARS_MAX]
        except Exception as error:
            says = f"cannot say how it is: {told(error)}"
        refused = f"{self._refused} of its reports refused, the last: {self._refusal}" if self._refused else ""
        return "; ".join(one for one in (self._fault, says, refused) if one)


def fault_of(seen: Any) -> str:
    """Why the machine must not get this observation, "" where it may."""
    if not isinstance(seen, Observation):
        return f"a {type(seen).__name__} is no Observation"
    if not isinstance(seen.subject, Subject) or not _whole(seen.threat):
        return "it names no subject or no threat"
    if not isinstance(seen.level, Level) or not isinstance(seen.basis, Basis):
        return "level or basis is none of the protocol's"
    if not isinstance(seen.claims, tuple) or not all(_is_claim(one) for one in seen.claims):
        return "a claim has a type of a-z, 0-9 and -, 32 bytes of id and the SHA-256 of its inputs"
    if not _texts(seen.detector, seen.incident, seen.detail) or not _sources(seen.sources):
        return "detector, incident, detail and sources are texts"
    return "" if _amount(seen.amount) else "its amount is no amount"


def _is_claim(value: Any) -> bool:
    """Such that it can be recorded and said: the name of its type, 32 bytes of id, and the digest of its inputs."""
    if not isinstance(value, ClaimBlob) or not isinstance(value.claim, Claim) or not isinstance(value.blob, bytes):
        return False
    type_, id_, digest = value.claim.type, value.claim.id, value.claim.digest
    named = isinstance(type_, str) and _CLAIM_TYPE.match(type_) and isinstance(id_, bytes) and len(id_) == 32
    return bool(named) and 0 < len(value.blob) <= BLOB_BYTES_MAX and digest == sha256(value.blob)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and 0 <= value <= U63_MAX


def _texts(*values: Any) -> bool:
    """Surrogates cannot be encoded, and what cannot be encoded cannot be signed."""
    return all(isinstance(one, str) and not any("\ud800" <= char <= "\udfff" for char in one) for one in values)


def _sources(values: Any) -> bool:
    return isinstance(values, tuple) and len(values) <= SOURCES_READ_MAX and _texts(*values)


def _amount(value: Any) -> bool:
    return isinstance(value, int) and 0 <= value < AMOUNT_MAX


def judgement_of(found: Any) -> Judgement:
    """A verifier's answer, or undecided where it is none."""
    if not isinstance(found, Judgement) or not isinstance(found.ruling, Ruling):
        return undecided(f"the verifier answered with a {type(found).__name__}, which is no judgement")
    whole = isinstance(found.level, Level) and _whole(found.threat) and _amount(found.amount)
    named = isinstance(found.subject, Subject) or (found.subject is None and found.ruling is not Ruling.SUPPORTS)
    if not (whole and named and _texts(found.why) and _sources(found.sources)):
        return undecided("the verifier's judgement is malformed")
    return replace(found, why=masked(found.why)[:SAYS_CHARS_MAX])


def outcome_of(found: Any) -> Outcome:
    """A lever's answer; what is none is a failure that people must look at."""
    if not isinstance(found, Outcome) or not isinstance(found.says, str) or not isinstance(found.reference, str):
        return Outcome(False, f"the adapter answered with a {type(found).__name__}, which is no outcome")
    if type(found.until_ms) is not int:
        return Outcome(False, "the adapter's outcome has no time in ms")
    reference = found.reference.encode("utf-8", "replace").decode()
    return replace(found, says=masked(found.says)[:SAYS_CHARS_MAX], reference=reference, ok=found.ok is True)


def reading_of(found: Any, name: str, at_ms: int) -> ExposureReading:
    """A reader's answer. What is no finite number is unknown, and unknown is never 0."""
    if not isinstance(found, ExposureReading) or not isinstance(found.at_ms, int):
        return ExposureReading(name, None, None, None, at_ms, f"the reader answered with a {type(found).__name__}")
    usd, unit_usd, utilisation = (_number(one) for one in (found.usd, found.unit_usd, found.utilisation))
    return ExposureReading(name, usd, unit_usd, utilisation, found.at_ms, masked(str(found.detail))[:SAYS_CHARS_MAX])


def _number(value: Any) -> float | None:
    real = isinstance(value, int | float) and not isinstance(value, bool)
    return value if real and 0 <= value < float("inf") else None


async def kept(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """A sink's own task, begun again when it raises or returns."""
    while True:
        try:
            await run()
            why = "it ended by itself"
        except Exception as error:
            why = told(error)
        log.error("sink %s: stopped with %s; started again", name, why)
        await trio.sleep(AGAIN_S[-1])


CLOSE_S_MAX = 2.0


async def close_all(closers: Iterable[Callable[[], Awaitable[None]]], most_s: float) -> None:
    """Connections and the like: one that hangs or raises keeps no node from stopping."""
    for close in closers:
        try:
            with trio.move_on_after(most_s) as scope:
                await close()
            if scope.cancelled_caught:
                log.warning("an adapter did not close within %g s", most_s)
        except Exception as error:
            log.warning("an adapter failed to close: %s", told(error))
