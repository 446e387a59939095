"""Whatever is golden is golden in one form only: every other form of every item is refused, by the code and by the
checker alike. Entries and KeySets are sealed anew over the other form, so that nothing but the form is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from protocol import codec
from protocol.crypto import Signer, sha256
from protocol.envelope import open_keyset, parse_entry, verify_entry
from protocol.errors import ProtocolError
from protocol.evidence import open_claim
from protocol.frames import parse_frame
from protocol.ids import Digest, NetworkId
from protocol.messages import BODIES, VOTES, Claim
from protocol.quorum import parse_certificate
from protocol.subjects import parse_subject
from tests.tidy.make_vectors import NETWORK, VECTORS, cold, hot
from tests.vectors import mangle
from tests.vectors.sealing import sealed
from tests.vectors.test_checker import READER

Form = Callable[[bytes], Iterator[bytes]]
ISSUER, GOVERNANCE = hot("issuer"), cold("issuer")


def golden(start: str) -> list[Any]:
    return [json.loads(path.read_text("utf-8")) for path in sorted(VECTORS.glob(f"{start}*json"))]


def raw(written: str) -> bytes:
    return bytes.fromhex(written)


def code_of(action: Callable[..., Any], *given: Any) -> str:
    try:
        action(*given)
    except ProtocolError as error:
        return error.code.word
    return ""


def resealed(form: Form, payload: bytes, tag: str, signer: Signer) -> Iterator[bytes]:
    for other in form(payload):
        yield sealed(other, tag, signer)


def entries(form: Form) -> Iterator[bytes]:
    for one in golden("entry-"):
        yield from form(raw(one["sealed"]))
        yield from resealed(form, raw(one["payload"]), one["domain_tag"], ISSUER)


def keysets(form: Form) -> Iterator[bytes]:
    for one in golden("keyset"):
        yield from form(raw(one["sealed"]))
        yield from resealed(form, raw(one["payload"]), one["domain_tag"], GOVERNANCE)


def subjects(form: Form) -> Iterator[bytes]:
    for one in golden("subjects")[0]["subjects"]:
        yield from form(raw(one["raw"]))


def subjects_within(form: Form) -> Iterator[bytes]:
    """An opinion on a subject in another form, sealed."""
    (one,) = golden("entry-attestation.")
    payload = raw(one["payload"])
    for item in mangle.read(payload).everything():
        if item.within == (7, 2) and item.major == mangle.BYTES and not item.is_key:
            for other in form(payload[item.body : item.end]):
                yield sealed(item.replaced(codec.encode(other)), one["domain_tag"], ISSUER)


def blobs(form: Form) -> Iterator[tuple[Claim, bytes]]:
    for one in golden("claim-"):
        for other in form(raw(one["blob"])):
            yield Claim(one["claim"]["type"], raw(one["claim"]["id"]), Digest(sha256(other))), other


def frames(form: Form) -> Iterator[bytes]:
    for one in golden("frame-"):
        yield from form(raw(one["raw"]))


def certificates(form: Form) -> Iterator[bytes]:
    for one in golden("certificate-"):
        yield from form(raw(one["raw"]))


def entry_by_code(other: bytes) -> None:
    verify_entry(parse_entry(other, NETWORK), ISSUER.public)


def shown(claim: Claim) -> dict[str, str]:
    return {"type": claim.type, "id": claim.id.hex(), "digest": claim.digest.hex()}


DOORS: dict[str, tuple[Callable[[Form], Iterator[Any]], Callable[[Any], Any], Callable[[Any], Any]]] = {
    "entry": (entries, entry_by_code, lambda other: READER.Entry(other, NETWORK).open(ISSUER.public)),
    "subject in an entry": (
        subjects_within,
        entry_by_code,
        lambda other: READER.Entry(other, NETWORK).open(ISSUER.public),
    ),
    "KeySet": (
        keysets,
        lambda other: open_keyset(other, NetworkId(NETWORK), GOVERNANCE.public),
        lambda other: READER.KeySet(other, NETWORK, {"issuer": GOVERNANCE.public}),
    ),
    "certificate": (
        certificates,
        parse_certificate,
        lambda other: READER.table("Certificate", READER.loads(other, READER.CERTIFICATE_BYTES)),
    ),
    "claim": (blobs, lambda one: open_claim(*one), lambda one: READER.opened(shown(one[0]), one[1])),
    "frame": (frames, parse_frame, READER.frame),
    "subject": (subjects, parse_subject, READER.subject),
}
"""Door → (golden bytes in another form, the code's verdict, the checker's)."""


def verdicts(door: str, form: Form) -> tuple[int, list[Any]]:
    """How many were tried, and (bytes, code, checker) where either is not `not-canonical`."""
    made, ours, theirs = DOORS[door]
    tried, odd = 0, []
    for other in made(form):
        tried += 1
        found = code_of(ours, other), READER.code_of(theirs, other)
        if found != ("not-canonical", "not-canonical"):
            odd.append((other, *found))
    return tried, odd


@pytest.mark.parametrize("name", mangle.STRANGE)
@pytest.mark.parametrize("door", DOORS)
def test_another_form_of_any_item_is_refused(door: str, name: str) -> None:
    tried, odd = verdicts(door, lambda golden: mangle.mangled(golden, name))
    assert odd == []
    assert tried or (door, name) in NONE_OF_THESE


NO_MAPS = [name for name in mangle.STRANGE if name.startswith("a key") or name == "two neighbours of a map swapped"]
NONE_OF_THESE = {(door, name) for door in ("subject", "subject in an entry") for name in NO_MAPS}
"""A subject holds no map."""


@pytest.mark.parametrize("door", DOORS)
def test_less_and_more_is_refused(door: str) -> None:
    """Every beginning of it, and bytes behind it: truncated or trailing, never another value."""
    tried, odd = verdicts(door, mangle.cut_and_lengthened)
    assert odd == []
    assert tried > 40


NEGATIVE = {"bad-shape", "unknown-critical", "bad-envelope"}
"""An integer below zero is in the dialect and in no table: refused by its shape, a frame's type as unknown."""


def carried(item: mangle.Item, kind: int) -> bool:
    """Bodies of kinds without a table, and votes, are carried as they are, whatever is in them."""
    return (kind not in BODIES or BODIES[kind].kind in VOTES) and item.within[:1] == (7,) and len(item.within) > 1


def negative_entries() -> Iterator[bytes]:
    for one in golden("entry-"):
        for item in mangle.read(raw(one["payload"])).everything():
            if item.major == mangle.UINT and not item.is_key and not carried(item, one["entry"]["kind"]):
                yield sealed(item.replaced(mangle.below_zero(item)[0]), one["domain_tag"], ISSUER)


def negatives(golden: bytes) -> Iterator[bytes]:
    for item in mangle.read(golden).everything():
        if item.major == mangle.UINT and not item.is_key:
            yield item.replaced(mangle.below_zero(item)[0])


@pytest.mark.parametrize("door", DOORS)
def test_a_number_below_zero_is_refused_where_a_table_says_unsigned(door: str) -> None:
    made, ours, theirs = DOORS[door]
    others = negative_entries() if door == "entry" else made(negatives)
    found = [(code_of(ours, other), READER.code_of(theirs, other)) for other in others]
    assert {code for pair in found for code in pair} <= NEGATIVE
    assert all(one == other for one, other in found)
    assert found
