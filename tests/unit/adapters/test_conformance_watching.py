"""The suite for authors of sensors, verifiers and sinks can fail too."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
import trio

from adapters.api import News, Observation
from adapters.conformance import (
    SensorCase,
    SinkCase,
    VerifierCase,
    fact,
    faults,
    sensor,
    sensor_facts,
    sink,
    sink_facts,
    verifier_facts,
)
from protocol.crypto import sha256
from protocol.evidence import ClaimBlob, Judgement, Ruling, undecided
from protocol.ids import Digest, SourceId
from protocol.messages import Basis, Claim, Level, Threat, Tlp
from protocol.subjects import asset

CANARY = "canary-77aa"
SUBJECT = asset("eip155:1", bytes(20))
BLOB = b"something happened"
CLAIM = ClaimBlob(Claim("acme-seen", sha256(b"id"), Digest(sha256(BLOB))), BLOB)
SEEN = Observation(
    SUBJECT, Threat.BRIDGE_FORGERY, Level.GUARD, Basis.VERIFIED, (CLAIM,), (SourceId("a.b"),), "acme", "i1", "it is so"
)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"WELL_S_MAX": 0.3, "QUIET_S": 0.15, "STOP_S_MAX": 0.1}.items():
        monkeypatch.setattr(sensor, name, value)
    monkeypatch.setattr(sink, "TELL_S_MAX", 0.3)
    monkeypatch.setattr(fact, "FACT_S_MAX", 2.0)
    monkeypatch.setattr(fact, "ABANDON_S", 0.2)


class World:
    def __init__(self) -> None:
        self.away, self.happened, self.heard, self.hangs = False, False, list[str](), False


# --- sensors


class RightSensor:
    name = "acme"

    def __init__(self, world: World) -> None:
        self.world, self.fault, self.told = world, "", False

    async def run(self, report):
        while True:
            self.fault = "the source does not answer" if self.world.away else ""
            if self.world.happened and not self.told:
                self.told = True
                await report(self.seen())
            await trio.sleep(0.01)

    def seen(self) -> Observation:
        return SEEN

    def health(self) -> str:
        return self.fault


class EndsByItself(RightSensor):
    async def run(self, report):
        await trio.sleep(0.01)


class RaisesWhenAway(RightSensor):
    async def run(self, report):
        while not self.world.away:  # noqa: ASYNC110
            await trio.sleep(0.01)
        raise OSError("gone")


class NeverStops(RightSensor):
    async def run(self, report):
        while True:
            try:
                await trio.sleep(0.01)
            except trio.Cancelled:
                with trio.CancelScope(shield=True):
                    await trio.sleep(0.4)
                raise


class SwallowsItsCancellation(RightSensor):
    async def run(self, report):
        for _ in range(400):
            with trio.CancelScope(shield=True):
                await trio.sleep(0.01)


class AlwaysWell(RightSensor):
    def health(self) -> str:
        return ""


class NeverWell(RightSensor):
    def health(self) -> str:
        return "not yet"


class HealthInLines(RightSensor):
    def health(self) -> str:
        return "a\nb" if self.fault else ""


class TellsTwice(RightSensor):
    async def run(self, report):
        while True:
            if self.world.happened:
                await report(SEEN)
            await trio.sleep(0.05)


class CriesWolf(RightSensor):
    async def run(self, report):
        await report(SEEN)
        await super().run(report)


class WrongDigest(RightSensor):
    def seen(self) -> Observation:
        return replace(SEEN, claims=(ClaimBlob(CLAIM.claim, b"else"),))


class SensorLeaks(RightSensor):
    def health(self) -> str:
        return f"https://x:{CANARY}@a.invalid" if self.fault else ""


class Nameless(RightSensor):
    name = ""


class OfSensor(SensorCase):
    secrets = (CANARY,)
    kind = RightSensor

    def __init__(self) -> None:
        self.world = World()

    def sensor(self):
        return self.kind(self.world)

    async def happens(self) -> None:
        self.world.happened = True

    async def cut(self) -> None:
        self.world.away = True

    async def mend(self) -> None:
        self.world.away = False


def wrong(case: type, facts, kind: type, name: str) -> str:
    class Wrong(case):
        pass

    Wrong.kind = kind
    return faults(one for one in facts(Wrong) if one.name == name)[name]


def test_a_right_sensor_passes():
    assert faults(sensor_facts(OfSensor)) == {}


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (Nameless, "it_has_a_name"),
        (EndsByItself, "it_stops_when_cancelled"),
        (NeverStops, "it_stops_when_cancelled"),
        (SwallowsItsCancellation, "it_stops_when_cancelled"),
        (RaisesWhenAway, "a_source_that_is_away_is_told_by_health"),
        (AlwaysWell, "a_source_that_is_away_is_told_by_health"),
        (HealthInLines, "a_source_that_is_away_is_told_by_health"),
        (NeverWell, "where_nothing_is_wrong_it_is_quiet_and_well"),
        (CriesWolf, "where_nothing_is_wrong_it_is_quiet_and_well"),
        (TellsTwice, "what_happens_is_reported_once"),
        (WrongDigest, "what_happens_is_reported_once"),
        (EndsByItself, "it_stops_while_its_report_waits"),
        (SensorLeaks, "secrets_are_never_said"),
    ],
)
def test_a_wrong_sensor_is_caught(kind: type, name: str):
    assert CANARY not in wrong(OfSensor, sensor_facts, kind, name)


# --- verifiers


class RightVerifier:
    claim_types = frozenset({"acme-seen"})

    def __init__(self, world: World) -> None:
        self.world = world

    async def verify(self, claim: Claim, blob: bytes) -> Judgement:
        await trio.lowlevel.checkpoint()
        if self.world.away or claim.type not in self.claim_types:
            return undecided("nobody answers")
        return self.judged(blob)

    def judged(self, blob: bytes) -> Judgement:
        if blob != BLOB:
            return Judgement(Ruling.REFUTED, "it did not happen")
        return Judgement(Ruling.SUPPORTS, "so", SUBJECT, Threat.BRIDGE_FORGERY, Level.GUARD, 1, (SourceId("a.b"),))


class BelievesAnything(RightVerifier):
    def judged(self, blob: bytes) -> Judgement:
        return super().judged(BLOB)


class RaisesOnGarbage(RightVerifier):
    def judged(self, blob: bytes) -> Judgement:
        blob.decode("ascii")
        return super().judged(blob)


class RefutesWhatItCannotSee(RightVerifier):
    async def verify(self, claim: Claim, blob: bytes) -> Judgement:
        if self.world.away or claim.type not in self.claim_types:
            return Judgement(Ruling.REFUTED, "not seen")
        return await super().verify(claim, blob)


class KnowsNothing(RightVerifier):
    claim_types = frozenset()


class NeverConvinced(RightVerifier):
    def judged(self, blob: bytes) -> Judgement:
        return undecided("maybe")


class CannotBeStopped(RightVerifier):
    async def verify(self, claim: Claim, blob: bytes) -> Judgement:
        with trio.CancelScope(shield=True):
            await trio.sleep(2.1)
        return await super().verify(claim, blob)


class VerifierLeaks(RightVerifier):
    def __repr__(self) -> str:
        return CANARY


class OfVerifier(VerifierCase):
    secrets = (CANARY,)
    kind = RightVerifier

    def __init__(self) -> None:
        self.world = World()

    def verifier(self):
        return self.kind(self.world)

    async def true_claim(self) -> ClaimBlob:
        return CLAIM

    async def false_claim(self) -> ClaimBlob:
        blob = b"nothing happened"
        return ClaimBlob(Claim("acme-seen", sha256(blob), Digest(sha256(blob))), blob)

    async def cut(self) -> None:
        self.world.away = True


def test_a_right_verifier_passes():
    assert faults(verifier_facts(OfVerifier)) == {}


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (KnowsNothing, "it_names_the_claims_that_it_knows"),
        (BelievesAnything, "garbage_is_answered_and_never_supported"),
        (RaisesOnGarbage, "garbage_is_answered_and_never_supported"),
        (BelievesAnything, "a_false_claim_is_not_supported"),
        (RefutesWhatItCannotSee, "an_unknown_type_is_undecided"),
        (RefutesWhatItCannotSee, "sources_that_are_away_leave_it_undecided"),
        (NeverConvinced, "a_true_claim_is_supported"),
        (VerifierLeaks, "secrets_are_never_said"),
    ],
)
def test_a_wrong_verifier_is_caught(kind: type, name: str):
    assert CANARY not in wrong(OfVerifier, verifier_facts, kind, name)


def test_a_verifier_that_cannot_be_stopped_is_caught(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(fact, "FACT_S_MAX", 5.0)
    assert "did not end" in wrong(OfVerifier, verifier_facts, CannotBeStopped, "it_stops_when_cancelled")


# --- sinks


class RightSink:
    name, ceiling = "right", Tlp.AMBER

    def __init__(self, world: World) -> None:
        self.world, self.counts = world, Counter[str]()

    async def tell(self, news: News) -> None:
        with trio.move_on_after(0.1):
            if self.world.hangs:
                await trio.sleep_forever()
        if not self.world.away:
            self.world.heard.append(news.text)


class Nameless(RightSink):
    name = None


class LosesIt(RightSink):
    async def tell(self, news: News) -> None:
        return


class SaysItTwice(RightSink):
    async def tell(self, news: News) -> None:
        await super().tell(news)
        await super().tell(news)


class PlainTextOnly(RightSink):
    async def tell(self, news: News) -> None:
        news.text.encode("ascii")
        await super().tell(news)


class Insists(RightSink):
    async def tell(self, news: News) -> None:
        if self.world.away:
            raise ConnectionError("nobody there")
        await super().tell(news)


class Waits(RightSink):
    async def tell(self, news: News) -> None:
        if self.world.hangs:
            await trio.sleep_forever()
        await super().tell(news)


class SinkLeaks(RightSink):
    def __repr__(self) -> str:
        return CANARY


class OfSink(SinkCase):
    secrets = (CANARY,)
    kind = RightSink

    def __init__(self) -> None:
        self.world = World()

    def sink(self):
        return self.kind(self.world)

    async def heard(self) -> list[str]:
        return self.world.heard

    async def cut(self) -> None:
        self.world.away = True

    async def hang(self) -> None:
        self.world.hangs = True


def test_a_right_sink_passes():
    assert faults(sink_facts(OfSink)) == {}


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (Nameless, "it_says_who_it_is_and_what_it_may_be_told"),
        (LosesIt, "what_is_told_arrives"),
        (SaysItTwice, "what_is_told_arrives"),
        (PlainTextOnly, "any_text_is_taken"),
        (Insists, "a_receiver_that_is_away_costs_no_alarm"),
        (Waits, "a_receiver_that_hangs_costs_no_time"),
        (SinkLeaks, "secrets_are_never_said"),
    ],
)
def test_a_wrong_sink_is_caught(kind: type, name: str):
    assert CANARY not in wrong(OfSink, sink_facts, kind, name)


@pytest.mark.parametrize(
    ("case", "facts", "table"),
    [
        (OfSensor, sensor_facts, test_a_wrong_sensor_is_caught),
        (OfVerifier, verifier_facts, test_a_wrong_verifier_is_caught),
        (OfSink, sink_facts, test_a_wrong_sink_is_caught),
    ],
)
def test_every_fact_can_fail(case, facts, table):
    caught = {name for _, name in table.pytestmark[0].args[1]}
    assert {one.name for one in facts(case)} - caught <= {"it_stops_when_cancelled"}
