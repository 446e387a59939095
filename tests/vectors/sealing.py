"""Seals by hand, so that exactly one thing is wrong: every refused vector but one of a seal is properly sealed."""

from __future__ import annotations

from typing import Any

from protocol.codec import encode
from protocol.crypto import Signer
from protocol.envelope import KEYSET_TAG, PROTECTED, domain_tag
from protocol.messages import BODIES, KEYSET
from tests.tidy.make_vectors import EPOCH, NETWORK, NOW, cold, hot, keyset, opinion


class Raw(bytes):
    """Bytes that stand in a CBOR item as they are."""


def _head(major: int, count: int) -> bytes:
    raw = encode(count)
    return bytes([raw[0] | major << 5]) + raw[1:]


def cbor(value: Any) -> bytes:
    """As the codec writes it, but for Raw parts, and maps in the order given."""
    if isinstance(value, Raw):
        return bytes(value)
    if isinstance(value, dict):
        return _head(5, len(value)) + b"".join(cbor(key) + cbor(one) for key, one in value.items())
    if isinstance(value, list):
        return _head(4, len(value)) + b"".join(map(cbor, value))
    return encode(value)


HEARTBEAT: dict[Any, Any] = {1: "issuer", 2: 1, 3: 0, 4: bytes(32), 5: NOW, 6: 5, 7: {1: EPOCH}}
ATTESTATION: dict[Any, Any] = HEARTBEAT | {6: 1, 7: BODIES[1].pack(opinion("issuer"))}


def body(**changes: Any) -> dict[Any, Any]:
    """An attestation's fields with some of its body's replaced, by name; None leaves one out."""
    keys = {field.name: field.key for field in BODIES[1].fields}
    told = ATTESTATION[7] | {keys[name]: value for name, value in changes.items()}
    return ATTESTATION | {7: {key: told[key] for key in sorted(told) if told[key] is not None}}


def of_kind(kind: int, fields: Any, **changes: Any) -> dict[Any, Any]:
    return HEARTBEAT | {6: kind, 7: fields} | changes


def to_be_signed(tag: str, payload: bytes, network: bytes = NETWORK, protected: bytes = PROTECTED) -> bytes:
    return encode(["Signature1", protected, encode([tag, network]), payload])


def sealed(
    payload: bytes,
    tag: str,
    signer: Signer,
    *,
    network: bytes = NETWORK,
    protected: bytes = PROTECTED,
    unprotected: Any = None,
) -> bytes:
    signature = signer.sign(to_be_signed(tag, payload, network, protected))
    return cbor([protected, unprotected or {}, payload, signature])


def entry(fields: Any, name: str = "issuer", **how: Any) -> bytes:
    """`fields`: a map to write, or the payload's bytes. Sealed under the tag of its kind, unless `tag` says else."""
    payload = fields if isinstance(fields, bytes) else cbor(fields)
    kind = fields[6] if isinstance(fields, dict) and isinstance(fields.get(6), int) else 5
    tag = how.pop("tag", domain_tag(kind))
    return sealed(payload, tag, how.pop("signer", hot(name)), **how)


def keyset_fields(name: str = "issuer", **changes: Any) -> dict[Any, Any]:
    keys = {field.name: field.key for field in KEYSET.fields}
    told = KEYSET.pack(keyset(name)) | {keys[one]: value for one, value in changes.items()}
    return {key: told[key] for key in sorted(told) if told[key] is not None}


def sealed_keyset(fields: Any, name: str = "issuer", **how: Any) -> bytes:
    payload = fields if isinstance(fields, bytes) else cbor(fields)
    return sealed(payload, how.pop("tag", KEYSET_TAG), how.pop("signer", cold(name)), **how)
