"""One decision in the making: records are applied as they are written, effects wait for them to be durable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from node.effects import Broadcast, Effect, Send, Tell
from node.events import Clock
from node.machine.evolve import evolve
from node.machine.state import State
from node.records import EntryAccepted, Record, short
from protocol.envelope import Entry, Verified, seal_entry
from protocol.errors import Code
from protocol.frames import ENTRIES_PER_FRAME_MAX, WANTS_MAX, Blobs, Entries, WantBlobs, pack_frame
from protocol.ids import Digest, EntryHash
from protocol.messages import Attestation, Body, EntryKind, Level, Tlp
from protocol.subjects import Subject

OWN_PER_STEP_MAX = 64
"""Own words of one decision: the mark holds a commit's. What is left is said on the next tick."""
BUNDLE_BYTES_MAX = 48 * 1024
PEERS_REFUSED_MAX = 1_024
OFFENCES = frozenset({Code.OVERSIZED, Code.NOT_CANONICAL, Code.BAD_SHAPE, Code.BAD_ENVELOPE, Code.BAD_SIGNATURE})
"""What no honest peer sends in its own words, whatever it knows or lacks."""


@dataclass(frozen=True)
class Decision:
    """`own`: entries sealed here; the mark names them before the records are durable. `known`: bytes of the entries in
    `records` → the entry, so that nobody parses them again."""

    records: tuple[Record, ...]
    effects: tuple[Effect, ...]
    own: tuple[Verified[Any], ...]
    known: Mapping[bytes, Verified[Any]] = field(default_factory=dict)


@dataclass
class Step:
    state: State
    at: Clock
    records: list[Record] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    own: list[Verified[Any]] = field(default_factory=list)
    known: dict[bytes, Verified[Any]] = field(default_factory=dict)
    blobs_wanted: dict[str, dict[Digest, None]] = field(default_factory=dict)
    """Peer → digests: asked for in one frame when all of this step is decided."""

    def __post_init__(self) -> None:
        self.state.now_ms = self.at.wall_ms
        self.state.ahead_ms = self.at.wall_ms - self.at.mono_ms

    @property
    def now_ms(self) -> int:
        return self.at.wall_ms

    def record(self, record: Record, known: Any = None) -> None:
        evolve(self.state, record, known)
        self.records.append(record)
        if isinstance(record, EntryAccepted) and known is not None:
            self.known[record.raw] = known

    def do(self, effect: Effect) -> None:
        self.effects.append(effect)

    def tell(self, subject: Subject | None, threat: int, says: str) -> None:
        """People, of a topic: as strict as the strictest word on it that is held here, and AMBER at least."""
        words = self.state.opinions.get((subject, threat), {}).values() if subject is not None else ()
        topic = (subject, threat) if subject is not None else None
        tlp = max((Tlp.AMBER, *(one.body.tlp for one in words)))
        self.do(Tell(says, tlp, topic, max((one.body.level for one in words), default=Level.NONE)))

    def refuse(self, peer_id: str, code: Code, *, spoilt: bool = False) -> None:
        """Counted by code and by peer; the peers are bounded by the allow-list, the codes by their enumeration.
        `spoilt`: the peer itself made these bytes; what it passes on may have been sound where it was proven."""
        self.state.refusals[code.word] = self.state.refusals.get(code.word, 0) + 1
        if peer_id not in self.state.refusals_by_peer and len(self.state.refusals_by_peer) >= PEERS_REFUSED_MAX:
            return
        by_code = self.state.refusals_by_peer.setdefault(peer_id, {})
        by_code[code.word] = by_code.get(code.word, 0) + 1
        if spoilt and code in OFFENCES:
            self.state.offences[peer_id] = self.state.offences.get(peer_id, 0) + 1

    def say(self, body: Body, blobs: tuple[bytes, ...] = ()) -> Verified[Any] | None:
        """Our own word, to every member, with the blobs it names just ahead of it. None while we must not sign."""
        state = self.state
        if state.may_sign() or len(self.own) >= OWN_PER_STEP_MAX:
            return None
        seq, head = state.own_head()
        if isinstance(body, Attestation):
            body = self._countersigned(body, seq + 1, head)
        sealed = seal_entry(
            state.epoch.network,
            state.setup.signer,
            author=state.me,
            key_version=state.setup.key_version,
            seq=seq + 1,
            prev=head,
            issued_ms=self.now_ms,
            body=body,
        )
        self.record(EntryAccepted(sealed.raw, own=True, at_ms=self.now_ms), sealed)
        self.own.append(sealed)
        state.spoke_mono_ms = self.at.mono_ms
        for together in bundled(blobs):
            self.do(Broadcast(pack_frame(Blobs(together))))
        self.do(Broadcast(pack_frame(Entries((sealed.raw,)))))
        return sealed

    def _countersigned(self, body: Attestation, seq: int, prev: EntryHash) -> Attestation:
        """For contracts, over number and time of the very entry that carries it: what a word said again still bore is
        of another."""
        state, evm_sig = self.state, None
        if state.setup.countersign is not None and body.level >= Level.GUARD:
            kind, version = EntryKind.ATTESTATION, state.setup.key_version
            entry = Entry(state.me, version, seq, prev, self.now_ms, int(kind), body)
            evm_sig = state.setup.countersign(state.epoch.network, entry)
        return body if evm_sig == body.evm_sig else replace(body, evm_sig=evm_sig)

    def send(self, peer_id: str, frame: Any, sync: bool = False) -> None:
        self.do(Send(peer_id, pack_frame(frame), sync))

    def want_blob(self, peer_id: str, digest: Digest) -> None:
        self.blobs_wanted.setdefault(peer_id, {})[digest] = None

    def done(self) -> Decision:
        for peer_id, wanted in sorted(self.blobs_wanted.items()):
            digests = tuple(wanted)
            for first in range(0, len(digests), WANTS_MAX):
                self.send(peer_id, WantBlobs(digests[first : first + WANTS_MAX]), sync=True)
        return Decision(tuple(self.records), tuple(self.effects), tuple(self.own), self.known)


def bundled(raws: Iterable[bytes], count_most: int = ENTRIES_PER_FRAME_MAX) -> list[tuple[bytes, ...]]:
    """In order, as many in one frame as fit it: their authors may have padded each to its limit."""
    bundles: list[list[bytes]] = []
    size = 0
    for raw in raws:
        if not bundles or len(bundles[-1]) >= count_most or size + len(raw) > BUNDLE_BYTES_MAX:
            bundles.append([])
            size = 0
        bundles[-1].append(raw)
        size += len(raw)
    return [tuple(bundle) for bundle in bundles]


def cut(words: str) -> str:
    return short(words, 1000)
