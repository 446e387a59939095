"""What goes over a member stream: small CBOR arrays `[type, …]`. Transport proves nothing; entries prove themselves."""

from __future__ import annotations

from dataclasses import dataclass

from protocol.codec import decode, encode_ordered
from protocol.errors import Code, ProtocolError
from protocol.ids import Digest, EntryHash, EpochHash, MemberName, NetworkId
from protocol.limits import (
    BLOB_BYTES_MAX,
    CERTIFICATE_BYTES_MAX,
    ENTRY_BYTES_MAX,
    EPOCH_CERTIFICATE_BYTES_MAX,
    FRAME_BYTES_MAX,
    MEMBERS_MAX,
)
from protocol.messages import HASH, NAME
from protocol.schema import Codec, Field, Schema, many, raw_bytes, unsigned

ENTRIES_PER_FRAME_MAX = 64
WANTS_MAX = 64
CERTIFICATES_SHOWN_MAX = 256
EPOCHS_PER_FRAME_MAX = 16
HEADS_MAX = 2 * MEMBERS_MAX
"""Eleven data items each: what a peer may send must stay under the bound of items that a decoder takes."""


@dataclass(frozen=True)
class Hello:
    """First on every connection: whose network this is, and the KeySets the sender knows."""

    network: NetworkId
    version: int
    keysets: tuple[bytes, ...]


@dataclass(frozen=True)
class Entries:
    raws: tuple[bytes, ...]


@dataclass(frozen=True)
class Blobs:
    """Canonical inputs of claims: asked for, or sent just ahead of the entry that names them."""

    raws: tuple[bytes, ...]


@dataclass(frozen=True)
class CertificateFrame:
    raw: bytes


@dataclass(frozen=True)
class KeySets:
    raws: tuple[bytes, ...]


@dataclass(frozen=True)
class Head:
    """Last seq and its hash of one feed; `whole` says up to where nothing is missing before it (seq + 1, 0 none)."""

    author: MemberName
    key_version: int
    whole: int
    seq: int
    hash: EntryHash


@dataclass(frozen=True)
class Heads:
    heads: tuple[Head, ...]
    shown: tuple[Digest, ...]
    """`certificate_id` of the running certificates that the sender holds."""


@dataclass(frozen=True)
class WantEntries:
    author: MemberName
    key_version: int
    from_seq: int
    to_seq: int


@dataclass(frozen=True)
class WantBlobs:
    digests: tuple[Digest, ...]


@dataclass(frozen=True)
class WantCertificates:
    ids: tuple[Digest, ...]


@dataclass(frozen=True)
class Shown:
    """ "I hold the certificate of this id": so that nobody pushes it to me."""

    ids: tuple[Digest, ...]


@dataclass(frozen=True)
class WantEpochs:
    """Every epoch certificate that follows this epoch, oldest first: who was away, or joins, asks one peer for them."""

    after: EpochHash


@dataclass(frozen=True)
class EpochCertificates:
    """Each proves itself against the epoch before it, oldest first."""

    raws: tuple[bytes, ...]


Frame = (
    Hello
    | Entries
    | Blobs
    | CertificateFrame
    | KeySets
    | Heads
    | WantEntries
    | WantBlobs
    | WantCertificates
    | Shown
    | WantEpochs
    | EpochCertificates
)

_HEAD = Schema(
    Head,
    Field(1, "author", NAME),
    Field(2, "key_version", unsigned()),
    Field(3, "whole", unsigned()),
    Field(4, "seq", unsigned()),
    Field(5, "hash", HASH),
)
_SEALED = raw_bytes(1, ENTRY_BYTES_MAX)
_FRAMES: dict[int, Schema[Frame]] = {
    1: Schema(
        Hello,
        Field(1, "network", HASH),
        Field(2, "version", unsigned(1000)),
        Field(3, "keysets", many(_SEALED, MEMBERS_MAX)),
    ),
    2: Schema(Entries, Field(1, "raws", many(_SEALED, ENTRIES_PER_FRAME_MAX, 1))),
    3: Schema(Blobs, Field(1, "raws", many(raw_bytes(1, BLOB_BYTES_MAX), ENTRIES_PER_FRAME_MAX, 1))),
    4: Schema(CertificateFrame, Field(1, "raw", raw_bytes(1, CERTIFICATE_BYTES_MAX))),
    5: Schema(KeySets, Field(1, "raws", many(_SEALED, MEMBERS_MAX, 1))),
    6: Schema(
        Heads,
        Field(1, "heads", many(_HEAD.codec(), HEADS_MAX)),
        Field(2, "shown", many(HASH, CERTIFICATES_SHOWN_MAX)),
    ),
    7: Schema(
        WantEntries,
        Field(1, "author", NAME),
        Field(2, "key_version", unsigned()),
        Field(3, "from_seq", unsigned()),
        Field(4, "to_seq", unsigned()),
    ),
    8: Schema(WantBlobs, Field(1, "digests", many(HASH, WANTS_MAX, 1))),
    9: Schema(WantCertificates, Field(1, "ids", many(HASH, WANTS_MAX, 1))),
    10: Schema(Shown, Field(1, "ids", many(HASH, CERTIFICATES_SHOWN_MAX, 1))),
    # 11 to 15 were published as types that are refused
    16: Schema(WantEpochs, Field(1, "after", HASH)),
    17: Schema(
        EpochCertificates,
        Field(1, "raws", many(raw_bytes(1, EPOCH_CERTIFICATE_BYTES_MAX), EPOCHS_PER_FRAME_MAX, 1)),
    ),
}
_TYPE_OF: dict[type, int] = {schema.kind: number for number, schema in _FRAMES.items()}
FRAME: Codec[Frame] = Codec(lambda frame: pack_frame(frame), lambda raw, where: parse_frame(raw))


def pack_frame(frame: Frame) -> bytes:
    number = _TYPE_OF[type(frame)]
    return encode_ordered([number, _FRAMES[number].pack(frame)])


def parse_frame(raw: bytes) -> Frame:
    """ProtocolError for anything else; an unknown type is refused by number and costs the sender nothing more."""
    parts = decode(raw, bytes_max=FRAME_BYTES_MAX)
    if type(parts) is not list or len(parts) != 2 or type(parts[0]) is not int:
        raise ProtocolError(Code.BAD_SHAPE, "a frame is [type, fields]")
    schema = _FRAMES.get(parts[0])
    if schema is None:
        raise ProtocolError(Code.UNKNOWN_CRITICAL, f"no frame of type {parts[0]}")
    return schema.unpack(parts[1])
