"""The facts of a verifier."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable

import trio

from adapters.api import Verifier
from adapters.conformance.fact import (
    Book,
    Broken,
    Fact,
    NotTried,
    Stand,
    answered,
    check_sentence,
    check_silent,
    listening,
)
from protocol.codec import encode
from protocol.crypto import sha256
from protocol.evidence import ClaimBlob, Judgement, Ruling
from protocol.ids import Digest
from protocol.limits import BLOB_BYTES_MAX
from protocol.messages import Claim

VERIFY_S_MAX = 10.0
"""As long as a node waits."""
STOP_S_MAX = 2.0
GARBAGE = (
    b"",
    b"\x00",
    b"\xff" * 32,
    b"not CBOR at all",
    b"\x9b" + b"\xff" * 8,
    b"\x81" * 900,
    b"\xa0",
    b"\x9f" * 64,
    bytes(range(256)),
    b"\x7b" + b"\x00" * (BLOB_BYTES_MAX - 1),
)
"""Empty, random, lengths that lie, deep nesting, and the longest that a node hands on."""


UNKNOWN = "conformance-unknown"


class VerifierCase(Stand):
    """One verifier on sources that answer, made anew for each fact (`async with`)."""

    def verifier(self) -> Verifier:
        raise NotTried("the case makes no verifier")

    async def true_claim(self) -> ClaimBlob:
        raise NotTried("the case knows no true claim")

    async def false_claim(self) -> ClaimBlob:
        """Well-formed, and what it says did not happen."""
        raise NotTried("the case knows no false claim")

    async def cut(self) -> None:
        raise NotTried("the case cannot cut the sources off")


class Bench:
    def __init__(self, case: VerifierCase) -> None:
        self.case, self.verifier = case, case.verifier()
        self.said: list[str] = []

    async def verify(self, claim: Claim, blob: bytes) -> Judgement:
        found = await answered("verify", self.verifier.verify(claim, blob), Judgement, VERIFY_S_MAX)
        self.said += [found.why, repr(found)]
        return found

    async def ruled(self, what: str, claim: ClaimBlob, *allowed: Ruling) -> Judgement:
        found = await self.verify(claim.claim, claim.blob)
        if found.ruling not in allowed:
            wanted = " or ".join(one.name for one in allowed)
            raise Broken(f"{what} is {found.ruling.name} and not {wanted}: {found.why}")
        check_sentence(f"the judgement of {what}", found.why)
        return found


BOOK: Book[Bench] = Book()


def verifier_facts(make: Callable[[], VerifierCase]) -> tuple[Fact, ...]:
    """`make` gives a case; it is called once for each fact, and mostly is the class itself."""

    @contextlib.asynccontextmanager
    async def opened() -> AsyncIterator[Bench]:
        async with make() as case:
            yield Bench(case)

    return BOOK.of(opened)


def garbage(type_: str, blob: bytes) -> ClaimBlob:
    """As anybody can send it: the digest fits, the inputs mean nothing."""
    return ClaimBlob(Claim(type_, sha256(type_.encode() + blob), Digest(sha256(blob))), blob)


@BOOK.fact
async def it_names_the_claims_that_it_knows(bench: Bench) -> None:
    """One or more."""
    if not bench.verifier.claim_types:
        raise Broken("claim_types is empty: no claim would ever reach it")


@BOOK.fact
async def garbage_is_answered_and_never_supported(bench: Bench) -> None:
    """UNDECIDED, or REFUTED where the inputs themselves are no claim; nothing raised, soon."""
    for type_ in sorted(bench.verifier.claim_types):
        for blob in GARBAGE:
            await bench.ruled(
                f"{len(blob)} bytes of garbage as {type_}", garbage(type_, blob), Ruling.UNDECIDED, Ruling.REFUTED
            )


@BOOK.fact
async def an_unknown_type_is_undecided(bench: Bench) -> None:
    """Whoever does not know a claim has not refuted it."""
    await bench.ruled("a claim of an unknown type", garbage(UNKNOWN, encode([UNKNOWN, {}])), Ruling.UNDECIDED)


@BOOK.fact
async def a_true_claim_is_supported(bench: Bench) -> None:
    """And names subject and sources."""
    found = await bench.ruled("a true claim", await bench.case.true_claim(), Ruling.SUPPORTS)
    if found.subject is None or not found.sources:
        raise Broken("the judgement of a true claim names no subject or no sources")


@BOOK.fact
async def a_false_claim_is_not_supported(bench: Bench) -> None:
    """REFUTED, or UNDECIDED where that cannot be seen."""
    await bench.ruled("a false claim", await bench.case.false_claim(), Ruling.REFUTED, Ruling.UNDECIDED)


@BOOK.fact
async def sources_that_are_away_leave_it_undecided(bench: Bench) -> None:
    """Never REFUTED: a refutation is kept as proof of a lie."""
    claim = await bench.case.true_claim()
    await bench.case.cut()
    await bench.ruled("a true claim without sources", claim, Ruling.UNDECIDED)


@BOOK.fact
async def it_stops_when_cancelled(bench: Bench) -> None:
    """At once."""
    claim = await bench.case.true_claim()
    begun = trio.current_time()
    with trio.move_on_after(0):
        await bench.verifier.verify(claim.claim, claim.blob)
    if trio.current_time() - begun > STOP_S_MAX:
        raise Broken(f"it did not end within {STOP_S_MAX:g} s of its cancellation")


@BOOK.fact
async def secrets_are_never_said(bench: Bench) -> None:
    """Not in a judgement, a log line or its own repr."""
    if not bench.case.secrets:
        raise NotTried("the case names no secret")
    async with listening(bench.said):
        claim = await bench.case.true_claim()
        await bench.verify(claim.claim, claim.blob)
        with contextlib.suppress(NotTried):
            await bench.case.cut()
            await bench.verify(claim.claim, claim.blob)
    check_silent(bench.case.secrets, [*bench.said, repr(bench.verifier), str(bench.verifier)])
