"""Every bound of the wire, each with its reason. A number from a peer is clamped to these before use."""

from __future__ import annotations

ENTRY_BYTES_MAX = 16 * 1024
"""One sealed entry. An attestation with one claim is 370 to 390 bytes; the rest is room for statements."""
VALUE_BYTES_MAX = 15 * 1024
"""What a Propose carries: with its entry's head and seal it fits ENTRY_BYTES_MAX."""
STATEMENT_BYTES_MAX = 15 * 1024
"""A Proposal or Ballot: what carries it is an entry. A ballot is under 1 KiB; proposals of sources are long."""
BLOB_BYTES_MAX = 32 * 1024
"""A claim's canonical inputs. The types so far need under 300 bytes; KeySet chains and foreign types more."""
CERTIFICATE_BYTES_MAX = 192 * 1024
"""33 groups at 16 claims' worth of attestation (about 4 KiB each) and their KeySets, with room."""
EPOCH_CERTIFICATE_BYTES_MAX = 192 * 1024
"""Ballots, commits and their KeySets of 171 groups, the quorum of 256, at 850 bytes each, and the proposals."""
FRAME_BYTES_MAX = 256 * 1024
"""One frame on a member stream: the largest certificate and its header."""
CLAIMS_MAX = 8
SOURCES_MAX = 4
MANIFEST_SUBJECTS_MAX = 256
TRANSPORT_KEYS_MAX = 4
KEYSETS_PER_MEMBER_MAX = 16
"""Versions of one member in one epoch."""
OPINIONS_PER_AUTHOR_MAX = 64
"""Live ones; the highest (level, seq) stay."""
MEMBERS_MAX = 256
SUBJECT_BYTES_MAX = 256
NAME_CHARS_MAX = 32
LABEL_CHARS_MAX = 64
TEXT_CHARS_MAX = 1024
NOTICE_CHARS_MAX = 4096
DEPTH_MAX = 12
"""Nesting of any CBOR item; the deepest message of ours needs 6."""
ITEMS_MAX = 8192
"""Data items in one decoded message."""
U63_MAX = (1 << 63) - 1
"""Times, sequence numbers, versions: fits a signed column of any database."""
SKEW_AHEAD_MS_MAX = 60_000
"""An entry dated further ahead than this does not count yet."""
SKEW_MS_MAX = 30_000
"""A node this far from the median of its members' Heartbeats signs nothing."""
STALE_CERTIFICATE_MS = 60_000
"""A certificate whose newest word is older is acted on only after its signers' heads were asked for."""
STALE_WAIT_MS = 5_000
HEARTBEAT_MS = 60_000
LEASE_WATCH_MS_MAX = 12 * 3_600_000
LEASE_GUARD_MS_MAX = 12 * 3_600_000
LEASE_ISOLATE_MS_MAX = 6 * 3_600_000
LEASE_HALT_MS_MAX = 3_600_000
KEYSET_TERM_MS_MAX = 366 * 86_400_000
EPOCH_OVERLAP_MS = 600_000
"""Attestations of the epoch before count when issued up to this long after the new one began."""
SUBMIT_MS_MAX = 600_000
"""A word for a contract is taken there until this long after it was issued: kept back, it is worth nothing later."""
