"""What somebody else's code may answer, and what of it the machine gets to see."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from adapters.api import ExposureReading, Observation, Outcome
from node.events import SensorReported
from node.plugins import fault_of, judgement_of, masked, outcome_of, reading_of, told
from protocol.evidence import ClaimBlob, Judgement, Ruling
from protocol.ids import SourceId
from protocol.messages import Basis, Level
from tests.unit.machine.world import COIN, THREAT, World, claim

ONE = claim()
SEEN = Observation(COIN, THREAT, Level.ISOLATE, Basis.VERIFIED, (ONE,), (SourceId("m0-node"),), "sensor", "", "seen")


def with_claim(**changes: Any) -> Observation:
    return replace(SEEN, claims=(ClaimBlob(replace(ONE.claim, **changes), ONE.blob),))


ODD = {
    "no level": replace(SEEN, level=Level.NONE),
    "halt": replace(SEEN, level=Level.HALT),
    "hearsay": replace(SEEN, basis=Basis.HEARSAY),
    "no sources": replace(SEEN, sources=()),
    "sources twice and unknown": replace(SEEN, sources=(SourceId("z"), SourceId("\n"), SourceId("z"))),
    "control characters": replace(SEEN, detector="\x1b[0m\x00\n", incident="ü\u202e" * 64, detail="\x00" * 9_000),
    "nothing to say": replace(SEEN, detector=""),
    "nine claims": replace(SEEN, claims=tuple(claim(number) for number in range(9))),
    "twice the same": replace(SEEN, claims=(ONE, ONE)),
    "no claims": replace(SEEN, claims=()),
    "unknown threat": replace(SEEN, threat=2**63 - 1),
    "no inputs": replace(SEEN, claims=(ClaimBlob(ONE.claim, b""),)),
    "huge inputs": replace(SEEN, claims=(ClaimBlob(ONE.claim, bytes(100_000)),)),
    "other inputs": replace(SEEN, claims=(ClaimBlob(ONE.claim, b"other"),)),
    "type": with_claim(type="\n"),
    "long type": with_claim(type="x" * 500),
    "short id": with_claim(id=b"short"),
    "surrogate": replace(SEEN, detail="\ud800"),
    "amount": replace(SEEN, amount=2**300),
    "negative": replace(SEEN, amount=-1),
    "no subject": replace(SEEN, subject=None),  # type: ignore[arg-type]
    "text for level": replace(SEEN, level="ISOLATE"),  # type: ignore[arg-type]
    "list of claims": replace(SEEN, claims=[ONE]),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("name", sorted(ODD))
def test_whatever_a_sensor_reports_is_refused_or_borne(name: str) -> None:
    world = World(4)
    if fault_of(ODD[name]):
        return
    world[0].handle(SensorReported(ODD[name]))
    world.run(1_000)
    world[0].stop()
    world[0].restart()


def test_a_whole_observation_passes() -> None:
    assert fault_of(SEEN) == ""


@pytest.mark.parametrize(
    "answer",
    [None, "supports", Judgement("supports", "so"), Judgement(Ruling.SUPPORTS, "so"), Judgement(Ruling.REFUTED, None)],
)
def test_what_is_no_judgement_is_undecided(answer: Any) -> None:
    assert judgement_of(answer).ruling is Ruling.UNDECIDED


def test_a_judgement_passes_without_its_addresses() -> None:
    found = judgement_of(Judgement(Ruling.REFUTED, "as http://me:secret@host/secret says"))
    assert found.ruling is Ruling.REFUTED and found.why == "as http://host says"


@pytest.mark.parametrize("answer", [None, True, Outcome(True, None), Outcome(True, "x", until_ms="1")])
def test_what_is_no_outcome_is_a_failure(answer: Any) -> None:
    assert not outcome_of(answer).ok


@pytest.mark.parametrize("usd", [float("nan"), float("inf"), -1.0, "5", True])
def test_what_is_no_amount_is_unknown_and_never_zero(usd: Any) -> None:
    found = reading_of(ExposureReading("pool", usd, 1.0, 0.5, 7), "pool", 7)
    assert found.usd is None and found.unit_usd == 1.0
    assert reading_of(None, "pool", 7).usd is None


def test_an_error_is_told_in_one_line_without_what_a_url_holds() -> None:
    error = ExceptionGroup("tasks", [OSError("no route\nto wss://k3y@eth.example:8545/v3/k3y?apikey=k3y, gave up")])
    assert told(error) == "OSError: no route to wss://eth.example:8545 gave up"


def test_what_is_no_address_stays() -> None:
    assert masked("eip155:1/erc20:0xab at 12:30 a/b@c") == "eip155:1/erc20:0xab at 12:30 a/b@c"
