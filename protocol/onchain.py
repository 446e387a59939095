"""What a contract sees of a member's word: digests and numbers, signed apart by the member's evm key.

The typed data and its signature belong to whoever speaks to chains; here is what both sides must derive alike.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from protocol.codec import decode, encode
from protocol.crypto import sha256
from protocol.ids import Digest, MemberName
from protocol.limits import ENTRY_BYTES_MAX, SUBMIT_MS_MAX
from protocol.messages import BODIES, Attestation, EntryKind, KeySet
from protocol.subjects import Subject

_BODY, _EVM_SIG = 7, 14
"""Map keys: of the body in an entry, of the signature in an attestation."""


def body_hash(body: Attestation) -> Digest:
    """SHA-256 of the body's canonical bytes without `evm_sig`, which signs this hash and so cannot be under it."""
    return Digest(sha256(encode(BODIES[EntryKind.ATTESTATION].pack(replace(body, evm_sig=None)))))


def sealed_body_hash(raw: bytes) -> Digest:
    """The same of a verified attestation's own bytes: fields of a later version, unread here, are under it too."""
    payload = decode(raw, bytes_max=ENTRY_BYTES_MAX)[2]
    fields = decode(payload, bytes_max=ENTRY_BYTES_MAX)[_BODY]
    return Digest(sha256(encode({key: value for key, value in fields.items() if key != _EVM_SIG})))


def subject_key(subject: Subject) -> Digest:
    """SHA-256 of the subject's bytes: contracts name subjects by 32 bytes."""
    return Digest(sha256(subject.raw))


def author_word(author: MemberName) -> bytes:
    """The name's ASCII, zeros behind it to 32 bytes: no name is longer."""
    return author.encode("ascii").ljust(32, b"\x00")


def submit_by_ms(issued_ms: int, expires_ms: int) -> int:
    """Until when a contract takes the word: not in the body, so every reader derives the same."""
    return min(issued_ms + SUBMIT_MS_MAX, expires_ms)


def evm_keys(keysets: Iterable[KeySet], now_ms: int) -> dict[MemberName, bytes]:
    """Member → address that its newest KeySet names. One that names none, or has expired, leaves its member without."""
    newest: dict[MemberName, KeySet] = {}
    for keyset in keysets:
        held = newest.get(keyset.member)
        if held is None or keyset.version > held.version:
            newest[keyset.member] = keyset
    return {
        member: keyset.evm for member, keyset in newest.items() if keyset.evm is not None and now_ms < keyset.expires_ms
    }
