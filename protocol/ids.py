"""Names for the byte strings and numbers that the protocol passes around."""

from __future__ import annotations

from typing import NewType

MemberName = NewType("MemberName", str)
"""One seat: 1..32 characters of [a-z0-9-], unique in an epoch."""
GroupName = NewType("GroupName", str)
"""Who really controls a seat; everything that is counted counts these."""
NetworkId = NewType("NetworkId", bytes)
"""32 bytes: SHA-256 of the charter's canonical CBOR."""
EpochHash = NewType("EpochHash", bytes)
"""32 bytes naming one epoch of one network."""
EntryHash = NewType("EntryHash", bytes)
"""32 bytes: SHA-256 of the entry's Sig_structure."""
PublicKey = NewType("PublicKey", bytes)
"""32 bytes, Ed25519."""
SourceId = NewType("SourceId", str)
"""One row of the epoch's source register: an operator's view of one chain or service."""
ActionKey = NewType("ActionKey", bytes)
"""32 bytes naming one restriction of one lever; a lever acts at most once per key."""
Digest = NewType("Digest", bytes)
"""32 bytes, SHA-256 of a blob."""

ZERO_HASH = EntryHash(bytes(32))
"""`prev` of the first entry of a feed."""
