"""What is fuzzed: each target takes any bytes, and only what it declares may come out of it.

A target raises `Finding` itself where the bytes were taken and mean something else when written again.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from adapters.policy import PolicyFaults
from governance.faults import FileFaults
from node.transport.framing import Control, FrameReader, WireFaultError, encode_control, encode_frame
from node.transport.limits import FRAME_MAX
from protocol import evidence
from protocol.codec import decode, encode
from protocol.crypto import sha256
from protocol.envelope import Verified, keyset_owner, open_keyset, parse_entry, seal_entry, seal_keyset, verify_entry
from protocol.errors import Code, ProtocolError
from protocol.feed import Feed, Link, is_equivocation
from protocol.frames import Frame, Hello, KeySets, pack_frame, parse_frame
from protocol.ids import Digest
from protocol.limits import FRAME_BYTES_MAX
from protocol.messages import Claim
from protocol.quorum import certificate_id, check_certificate, pack_certificate, parse_certificate
from protocol.subjects import Kind, from_text, parse_subject
from tests.fuzz import exchange, stage, targets_governance, targets_machine, targets_text
from tests.fuzz.finding import Finding, expect

READINGS = tuple(itertools.product((True, False), (0, 9), (0, 10**20), (0, 1)))


@dataclass(frozen=True)
class Target:
    """`allowed`: the exceptions that this room declares for bad input. `text`: what it reads is UTF-8."""

    name: str
    run: Callable[[bytes], None]
    allowed: tuple[type[Exception], ...] = (ProtocolError,)
    text: bool = False


def _has_optional_key(value: Any) -> bool:
    """Whether any map in it carries a key of a later version, which a reader ignores."""
    if type(value) is dict:
        return any(key >= 64 or _has_optional_key(one) for key, one in value.items())
    return type(value) is list and any(map(_has_optional_key, value))


def _same_bytes(raw: bytes, again: bytes, parse: Callable[[bytes], Any], value: Any) -> None:
    """Repacked it is the same; where optional keys of a later version were left out, it means the same."""
    if again != raw:
        expect(_has_optional_key(decode(raw, bytes_max=FRAME_BYTES_MAX)), "repacked, it has other bytes")
        expect(parse(again) == value, "repacked without unknown keys, it means something else")


def codec(raw: bytes) -> None:
    value = decode(raw, bytes_max=FRAME_BYTES_MAX)
    expect(encode(value) == raw, "two byte strings stand for one value")


def envelope(raw: bytes) -> None:
    """As an entry and as a KeySet, under the keys of whoever it names."""
    with contextlib.suppress(ProtocolError):
        _keyset(raw)
    _entry(raw)


def _entry(raw: bytes) -> Verified[Any]:
    network = stage.NETWORKS[0]
    author = parse_entry(raw, network).entry.author
    parsed = parse_entry(raw, stage.network_of(author))
    if author not in stage.known_names() or parsed.entry.key_version not in stage.VERSIONS:
        raise ProtocolError(Code.UNKNOWN_AUTHOR, "nobody here")
    version = parsed.entry.key_version
    verified = verify_entry(parsed, stage.public_hot(author, version))
    entry = verified.entry
    again = seal_entry(
        stage.network_of(author),
        stage.hot_key(author, version),
        author=author,
        key_version=version,
        seq=entry.seq,
        prev=entry.prev,
        issued_ms=entry.issued_ms,
        body=entry.body,
    )
    if again.raw != raw:
        payload = decode(decode(raw, bytes_max=FRAME_BYTES_MAX)[2], bytes_max=FRAME_BYTES_MAX)
        expect(_has_optional_key(payload), "sealed again, a verified entry has other bytes")
        expect(again.body == entry.body, "sealed again, a verified entry says something else")
    return verified


def _keyset(raw: bytes) -> None:
    owner = keyset_owner(raw)
    if owner not in stage.known_names():
        raise ProtocolError(Code.UNKNOWN_AUTHOR, "nobody here")
    network = stage.network_of(owner)
    opened = open_keyset(raw, network, stage.public_cold(owner))
    again = seal_keyset(network, stage.cold_key(owner), opened.keyset)
    payload = decode(decode(raw, bytes_max=FRAME_BYTES_MAX)[2], bytes_max=FRAME_BYTES_MAX)
    expect(again.raw == raw or _has_optional_key(payload), "sealed again, a KeySet has other bytes")


def certificate(raw: bytes) -> None:
    parsed = parse_certificate(raw)
    _same_bytes(raw, pack_certificate(parsed), parse_certificate, parsed)
    epoch = stage.epochs().get(parsed.epoch)
    if epoch is None:
        raise ProtocolError(Code.WRONG_EPOCH, "no epoch of this hash")
    checked = check_certificate(parsed, raw, epoch, stage.known_keyset)
    expect(len(checked.groups) >= epoch.thresholds[parsed.level], "proven with too few groups")
    expect(len(set(checked.groups)) == len(checked.groups), "one group counts twice")
    expect(checked.ends_ms <= max(one.body.expires_ms for one in checked.opinions), "it outlives its opinions")
    certificate_id(parsed.epoch, parsed.topic, parsed.level)


def equivocation(raw: bytes) -> None:
    """Entries in any order make the same feed, and only two payloads make a proof."""
    parts = decode(raw, bytes_max=FRAME_BYTES_MAX)
    if type(parts) is not list or not 2 <= len(parts) <= 8 or not all(type(one) is bytes for one in parts):
        raise ProtocolError(Code.BAD_SHAPE, "not a few sealed entries")
    told = [_entry(one) for one in parts]
    feeds = [_fed(told), _fed(told[::-1])]
    heads = [[(one.top, one.top_hash, one.whole) for _, one in sorted(feed.items())] for feed in feeds]
    expect(heads[0] == heads[1], "a feed's head depends on the order of arrival")
    for one, other in itertools.pairwise(told):
        proof = is_equivocation(one, other)
        expect(proof == is_equivocation(other, one), "a proof holds one way only")
        expect(not (proof and one.hash == other.hash), "one payload is a proof against itself")


def _fed(told: list[Verified[Any]]) -> dict[tuple[str, int], Feed]:
    feeds: dict[tuple[str, int], Feed] = {}
    for one in told:
        key = (one.entry.author, one.entry.key_version)
        feed = feeds.setdefault(key, Feed(*key))
        kind, against = feed.judge(one)
        if kind is Link.FORK:
            expect(against is not None, "a fork against nothing")
            expect(is_equivocation(one, feed.links[against or 0]), "a fork that is no proof")
        feed.add(one)
    return feeds


def _frame(raw: bytes) -> Frame:
    frame = parse_frame(raw)
    _same_bytes(raw, pack_frame(frame), parse_frame, frame)
    return frame


def sync(raw: bytes) -> None:
    """One frame by which nodes catch up, with whatever it carries."""
    found = _frame(raw)
    if isinstance(found, Hello | KeySets):
        for sealed in found.keysets if isinstance(found, Hello) else found.raws:
            try:
                _keyset(sealed)
            except ProtocolError:
                continue


def frame(raw: bytes) -> None:
    """A stream of length-prefixed frames, whole and byte by byte."""
    frame_max = max(FRAME_MAX.values())
    whole, cut = FrameReader(frame_max), FrameReader(frame_max)
    found = whole.feed(raw)
    in_pieces = [one for at in range(0, len(raw), 7) for one in cut.feed(raw[at : at + 7])]
    expect(found == in_pieces, "the same stream in pieces gives other frames")
    again = [
        encode_control(one.kind, one.nonce) if isinstance(one, Control) else encode_frame(one, frame_max)
        for one in found
    ]
    expect(raw.startswith(b"".join(again)), "framed again, the stream has other bytes")
    for one in found:
        if isinstance(one, bytes):
            _frame(one)


def claims(raw: bytes) -> None:
    """A blob under the claim that its own inputs make, then every judge over every reading."""
    for digest in (bytes(32), sha256(raw)):
        with contextlib.suppress(ProtocolError):
            evidence.open_claim(Claim("evm-log", bytes(32), Digest(digest)), raw)
    parts = decode(raw, bytes_max=evidence.BLOB_BYTES_MAX)
    if type(parts) is not list or len(parts) != 2 or type(parts[0]) is not str:
        raise ProtocolError(Code.BAD_CLAIM, "not [type, inputs]")
    wrong = Claim(parts[0], bytes(32), Digest(sha256(raw)))
    try:
        evidence.open_claim(wrong, raw)
    except ProtocolError as refused:
        if refused.code is not Code.BAD_CLAIM:
            raise
    inputs = evidence._INPUTS[parts[0]].unpack(parts[1])
    made = evidence.claim_of(inputs)
    expect(made.blob == raw or _has_optional_key(parts), "packed again, a claim has other bytes")
    expect(evidence.open_claim(made.claim, made.blob) == inputs, "a claim does not open as itself")
    _judged(inputs)


def _judged(inputs: Any) -> None:
    epoch = next(iter(stage.epochs().values()))
    for log, at_s, before, burned in READINGS:
        if isinstance(inputs, evidence.ReleaseWithoutBurn):
            seen = (inputs.escrow, inputs.nonce, inputs.recipient, inputs.amount) if log else None
            release = evidence.ReleaseReading(seen, at_s, before, inputs.amount * burned, inputs.recipient, 5)
            bridge = epoch.bridges[0] if at_s else evidence.bridge_for(epoch, inputs)
            other = replace(release, log=(inputs.escrow, inputs.nonce, inputs.recipient, inputs.amount + 1))
            expect(not evidence.judge_release(inputs, other, bridge).level, "another release proves this one")
            ruled = evidence.judge_release(inputs, release, bridge)
        elif isinstance(inputs, evidence.SupplyAboveBacking):
            backing = evidence.BackingReading(
                before, before + at_s * 10**18 * log, before, before * (1 + burned), 5, at_s
            )
            ruled = evidence.judge_backing(inputs, backing, evidence.bridge_for(epoch, inputs))
        elif isinstance(inputs, evidence.LogSeen):
            read = evidence.LogReading((inputs.address, inputs.topics, inputs.data_hash) if log else None)
            ruled = evidence.judge_log(inputs, read)
        else:
            prices = evidence.DeviationReading(at_s * 10**18, (before,) * log, before, (before, burned))
            ruled = evidence.judge_deviation(inputs, prices, evidence.oracle_for(epoch, inputs))
        expect(ruled.level.value <= 3, "a claim supports HALT")


def subjects(raw: bytes) -> None:
    """As bytes of the wire, and as what a person types."""
    try:
        subject = parse_subject(raw)
        expect(subject.raw == raw, "parsed, a subject has other bytes")
        expect(from_text(str(subject)) == subject, "a subject's text names another one")
        expect(bool(subject.chain) == (subject.kind <= Kind.ORACLE), "a subject lives on no chain of its own")
    except ProtocolError:
        pass
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise ProtocolError(Code.BAD_SHAPE, "no text") from None
    named = from_text(text)
    expect(parse_subject(named.raw) == named, "what was typed cannot be sent")
    expect(from_text(str(named)) == named, "a subject's text names another one")


TARGETS = {
    one.name: one
    for one in (
        Target("codec", codec),
        Target("envelope", envelope),
        Target("certificate", certificate),
        Target("equivocation", equivocation),
        Target("sync", sync),
        Target("frame", frame, (ProtocolError, WireFaultError)),
        Target("evidence", claims),
        Target("subjects", subjects),
        Target("governance", targets_governance.governance),
        Target("charter", targets_text.charter, (FileFaults,), text=True),
        Target("policy", targets_text.policy, (PolicyFaults,), text=True),
        Target("api", targets_text.api, targets_text.API_REFUSALS, text=True),
        Target("intel", exchange.intel, (ValueError,), text=True),
        Target("machine", targets_machine.machine, ()),
    )
}

__all__ = ["TARGETS", "Finding", "Target"]
