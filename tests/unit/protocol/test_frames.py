"""Frames: what a member stream carries; a stranger's frame is read in bounds or not at all."""

from __future__ import annotations

from typing import Any

import pytest

from protocol.codec import encode
from protocol.errors import Code, ProtocolError
from protocol.frames import (
    CERTIFICATES_SHOWN_MAX,
    ENTRIES_PER_FRAME_MAX,
    FRAME,
    HEADS_MAX,
    WANTS_MAX,
    Blobs,
    CertificateFrame,
    Entries,
    Frame,
    Head,
    Heads,
    Hello,
    KeySets,
    Shown,
    WantBlobs,
    WantCertificates,
    WantEntries,
    pack_frame,
    parse_frame,
)
from protocol.ids import Digest, EntryHash, MemberName
from protocol.limits import BLOB_BYTES_MAX, CERTIFICATE_BYTES_MAX, ENTRY_BYTES_MAX, FRAME_BYTES_MAX, U63_MAX
from tests.unit.protocol.world import NETWORK

D = Digest(b"\xdd" * 32)
HEAD = Head(MemberName("m" * 32), U63_MAX, U63_MAX, U63_MAX, EntryHash(b"\xee" * 32))
FRAMES: list[Frame] = [
    Hello(NETWORK, 1, (b"keyset",)),
    Hello(NETWORK, 1, ()),
    Entries((b"entry", b"other")),
    Blobs((b"blob",)),
    CertificateFrame(b"certificate"),
    KeySets((b"keyset",)),
    Heads((HEAD,), (D,)),
    Heads((), ()),
    WantEntries(MemberName("m00"), 1, 0, 255),
    WantBlobs((D,)),
    WantCertificates((D,)),
    Shown((D,)),
]


@pytest.mark.parametrize("frame", FRAMES, ids=lambda one: type(one).__name__)
def test_a_frame_comes_back_as_it_went(frame: Frame) -> None:
    assert parse_frame(pack_frame(frame)) == frame
    assert FRAME.unpack(FRAME.pack(frame), "") == frame


FULLEST: list[Frame] = [
    Heads((HEAD,) * HEADS_MAX, (D,) * CERTIFICATES_SHOWN_MAX),
    CertificateFrame(bytes(CERTIFICATE_BYTES_MAX)),
    WantBlobs((D,) * WANTS_MAX),
    Shown((D,) * CERTIFICATES_SHOWN_MAX),
    Entries((bytes(ENTRY_BYTES_MAX // 8),) * ENTRIES_PER_FRAME_MAX),
]


@pytest.mark.parametrize("frame", FULLEST, ids=lambda one: type(one).__name__)
def test_the_fullest_frame_fits_what_a_reader_takes(frame: Frame) -> None:
    raw = pack_frame(frame)
    assert len(raw) <= FRAME_BYTES_MAX
    assert parse_frame(raw) == frame


TOO_MUCH: list[Frame] = [
    Heads((HEAD,) * (HEADS_MAX + 1), ()),
    Heads((), (D,) * (CERTIFICATES_SHOWN_MAX + 1)),
    Entries(()),
    Entries((b"x",) * (ENTRIES_PER_FRAME_MAX + 1)),
    Entries((b"",)),
    Entries((bytes(ENTRY_BYTES_MAX + 1),)),
    Blobs((bytes(BLOB_BYTES_MAX + 1),)),
    CertificateFrame(bytes(CERTIFICATE_BYTES_MAX + 1)),
    WantBlobs(()),
    WantBlobs((Digest(bytes(31)),)),
    WantCertificates((D,) * (WANTS_MAX + 1)),
    Shown(()),
    KeySets(()),
    Hello(NETWORK, 1001, ()),
    WantEntries(MemberName("M00"), 1, 0, 1),
    WantEntries(MemberName(""), 1, 0, 1),
    WantEntries(MemberName("m"), 1, -1, 1),
    WantEntries(MemberName("m"), 1, 0, U63_MAX + 1),
]


@pytest.mark.parametrize("frame", TOO_MUCH, ids=range(len(TOO_MUCH)))
def test_a_frame_out_of_its_bounds_is_refused(frame: Frame) -> None:
    with pytest.raises(ProtocolError) as caught:
        parse_frame(pack_frame(frame))
    assert caught.value.code is Code.BAD_SHAPE


def test_a_frame_over_its_bound_is_refused_unread() -> None:
    with pytest.raises(ProtocolError) as caught:
        parse_frame(bytes(FRAME_BYTES_MAX + 1))
    assert caught.value.code is Code.OVERSIZED


@pytest.mark.parametrize("number", [0, 11, 1000])
def test_an_unknown_type_is_refused_by_its_number(number: int) -> None:
    with pytest.raises(ProtocolError) as caught:
        parse_frame(encode([number, {}]))
    assert caught.value.code is Code.UNKNOWN_CRITICAL
    assert str(number) in caught.value.detail


@pytest.mark.parametrize("value", [None, {}, [], [1], [1, {}, 0], ["1", {}], [True, {}], [2, [b"x"]]])
def test_what_is_no_type_with_fields_is_refused(value: Any) -> None:
    with pytest.raises(ProtocolError) as caught:
        parse_frame(encode(value))
    assert caught.value.code is Code.BAD_SHAPE


def test_a_later_version_may_add_optional_fields() -> None:
    assert parse_frame(encode([10, {1: [bytes(D)], 64: "later"}])) == Shown((D,))
