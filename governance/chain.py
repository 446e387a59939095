"""A whole chain of epochs as one file: who changed what by whose ballots, proven without a network.

Trust starts from an epoch hash that the verifier got elsewhere, never from the file: keys of members long gone could
otherwise sign another history. Everything before that epoch is bound by its hash, everything after by quorums.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from governance import charter_toml
from governance.ballots import Ballot
from governance.epochs import check, parse_epoch_certificate
from governance.faults import CharterFaults
from governance.proposals import Proposal
from governance.values import Suspect
from protocol.codec import decode, encode
from protocol.envelope import SealedKeySet, keyset_owner, open_keyset, parse_entry, verify_entry
from protocol.errors import Code, ProtocolError
from protocol.ids import EpochHash, GroupName, MemberName
from protocol.limits import ENTRY_BYTES_MAX, EPOCH_CERTIFICATE_BYTES_MAX, MEMBERS_MAX, SKEW_AHEAD_MS_MAX
from protocol.membership import DAY_MS, Epoch
from protocol.messages import Heartbeat
from protocol.schema import Field, Schema, many, raw_bytes, text

CHAIN_BYTES_MAX = 64 * 1024 * 1024
EPOCHS_MAX = 4096
CURRENT_MS = DAY_MS
"""A chain is current while Heartbeats of Q groups that name its head are no older."""
TRUST_MS = 30 * DAY_MS
"""An epoch that was succeeded longer ago is no ground to trust from: its keys may be anybody's by now."""


@dataclass(frozen=True)
class Chain:
    """`charter` as its file says it; sealed epoch certificates from epoch 1 on; sealed Heartbeats and the KeySets that
    open them."""

    charter: str
    certificates: tuple[bytes, ...]
    heartbeats: tuple[bytes, ...] = ()
    keysets: tuple[bytes, ...] = ()


_SEALED = raw_bytes(1, ENTRY_BYTES_MAX)
CHAIN = Schema(
    Chain,
    Field(1, "charter", text(charter_toml.CHARTER_CHARS_MAX, 1)),
    Field(2, "certificates", many(raw_bytes(1, EPOCH_CERTIFICATE_BYTES_MAX), EPOCHS_MAX)),
    Field(3, "heartbeats", many(_SEALED, 2 * MEMBERS_MAX)),
    Field(4, "keysets", many(_SEALED, 2 * MEMBERS_MAX)),
)


@dataclass(frozen=True)
class Made:
    """One proposal of an epoch, and the ballots that passed it, conflicts of interest too."""

    proposal: Proposal
    ballots: tuple[Ballot, ...]


@dataclass(frozen=True)
class Link:
    """One epoch: what it changed, and who ordered it. Of epoch 0 nothing but the epoch."""

    epoch: Epoch
    made: tuple[Made, ...] = ()
    suspended: tuple[Suspect, ...] = ()
    committed: tuple[GroupName, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """`doubts` empty: whole and current. `heard` and `elsewhere`: groups whose fresh Heartbeats name the head, or an
    epoch that the file does not have."""

    links: tuple[Link, ...]
    heard: tuple[GroupName, ...]
    elsewhere: tuple[GroupName, ...]
    doubts: tuple[str, ...]

    @property
    def head(self) -> Epoch:
        return self.links[-1].epoch


def pack_chain(chain: Chain) -> bytes:
    return encode(CHAIN.pack(chain))


def parse_chain(raw: bytes) -> Chain:
    """Shape only; `verify` proves it."""
    return CHAIN.unpack(decode(raw, bytes_max=CHAIN_BYTES_MAX))


def verify(chain: Chain, trusted: EpochHash, now_ms: int) -> Verdict:
    """ProtocolError where anything in it is false, or where it does not pass through `trusted`. A true chain that may
    have been cut short, or that is trusted from too long ago, is told by its doubts."""
    links = replay(chain)
    at = next((number for number, link in enumerate(links) if link.epoch.hash == trusted), None)
    if at is None:
        raise ProtocolError(Code.WRONG_EPOCH, "the chain does not pass through the epoch that you trust")
    heard, elsewhere = _fresh(chain, links, now_ms)
    doubts: list[str] = []
    head = links[-1].epoch
    if len(heard) < head.q:
        doubts.append(
            f"not-current: fresh Heartbeats of {len(heard)} groups name epoch {head.number}, {head.q} are needed"
        )
    if elsewhere:
        doubts.append(f"not-current: {', '.join(elsewhere)} are in an epoch that is not of this file")
    if at + 1 < len(links) and links[at + 1].epoch.activates_ms < now_ms - TRUST_MS:
        doubts.append(f"stale-trust: epoch {at} ended over 30 days ago; get the hash of a later one from a member")
    return Verdict(tuple(links), heard, elsewhere, tuple(doubts))


def replay(chain: Chain) -> list[Link]:
    """Every epoch, each proven from the one before; the first from the charter. ProtocolError names the epoch."""
    try:
        charter = charter_toml.parse(chain.charter)
    except CharterFaults as error:
        raise ProtocolError(Code.BAD_CHARTER, str(error)) from None
    if not charter.members:
        raise ProtocolError(Code.BAD_CHARTER, "the charter has no member")
    links = [Link(charter.epoch0())]
    for raw in chain.certificates:
        before = links[-1].epoch
        try:
            links.append(_link(raw, before))
        except ProtocolError as error:
            raise ProtocolError(error.code, f"epoch {before.number + 1}: {error.detail}") from error
    return links


def _link(raw: bytes, before: Epoch) -> Link:
    enacted = check(parse_epoch_certificate(raw), before)
    made = tuple(
        Made(enacted.proposals[hash_], tuple(one.ballot for one in enacted.ballots[hash_]))
        for hash_ in enacted.value.proposals
    )
    return Link(enacted.epoch, made, enacted.value.proofs, enacted.committed)


def _fresh(chain: Chain, links: list[Link], now_ms: int) -> tuple[tuple[GroupName, ...], tuple[GroupName, ...]]:
    """Groups with a fresh Heartbeat that names the head, and those with a newer one that names no epoch of these."""
    head = links[-1].epoch
    hashes = {link.epoch.hash for link in links}
    keysets = _keysets(chain.keysets, head)
    heard: set[GroupName] = set()
    elsewhere: set[GroupName] = set()
    for raw in chain.heartbeats:
        parsed = parse_entry(raw, head.network)
        keyset = keysets.get((parsed.entry.author, parsed.entry.key_version))
        if keyset is None:
            raise ProtocolError(Code.UNKNOWN_KEY, f"no KeySet of {parsed.entry.author} opens its Heartbeat")
        entry = verify_entry(parsed, keyset.keyset.attestation).entry
        if not isinstance(entry.body, Heartbeat):
            raise ProtocolError(Code.MIXED_CERTIFICATE, f"an entry of {entry.author} is no Heartbeat")
        if not now_ms - CURRENT_MS <= entry.issued_ms <= now_ms + SKEW_AHEAD_MS_MAX:
            continue
        if entry.issued_ms > keyset.keyset.expires_ms:
            continue
        if entry.body.epoch == head.hash:
            heard.add(head.group_of(entry.author))
        elif entry.body.epoch not in hashes:
            elsewhere.add(head.group_of(entry.author))
    return tuple(sorted(heard)), tuple(sorted(elsewhere))


def _keysets(raws: Iterable[bytes], head: Epoch) -> dict[tuple[MemberName, int], SealedKeySet]:
    """The newest of each member alone: what a replaced key says of the head proves nothing."""
    newest: dict[MemberName, SealedKeySet] = {}
    for raw in raws:
        member = head.by_name.get(keyset_owner(raw))
        if member is None:
            raise ProtocolError(Code.UNKNOWN_AUTHOR, f"a KeySet of {keyset_owner(raw)}, who has no seat in the head")
        sealed = open_keyset(raw, head.network, member.governance_key)
        known = newest.get(member.name)
        if known is None or (sealed.keyset.version, known.hash) > (known.keyset.version, sealed.hash):
            newest[member.name] = sealed
    return {(one.keyset.member, one.keyset.version): one for one in newest.values()}
