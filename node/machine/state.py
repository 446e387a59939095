"""Everything a node knows, owned by one task. Changed only by `evolve`, record by record, plus what is not worth a
record (who is connected, what was asked for): that part is in `Link` and `Session` and starts empty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

from adapters.api import Countersign, ExposureReading, LeverDeclaration, Observation
from adapters.policy import Policy
from governance.ledger import Ledger
from governance.rounds import Rounds
from node.events import Observer
from node.ingress import Budgets
from node.machine.action import Action
from node.machine.asked import Asked
from node.machine.links import Lack, Link
from node.machine.verdicts import Missing, Reruns, Ruled
from node.records import AlertSeen, EndingAsked, Wish
from protocol.alarm import Opinion
from protocol.crypto import Signer, sha256
from protocol.envelope import SealedKeySet, Verified
from protocol.feed import Feed
from protocol.frames import Heads
from protocol.ids import ZERO_HASH, ActionKey, Digest, EntryHash, EpochHash, GroupName, MemberName, SourceId
from protocol.membership import Epoch
from protocol.messages import Attestation, Claim, Heartbeat
from protocol.quorum import CheckedCertificate
from protocol.release import ClaimName, Releases, Topic
from protocol.subjects import Subject

NO_VERSION = -1
"""In `telling`, beside a member: what contradicts its KeySet, and no fork under one."""


@dataclass(frozen=True)
class Setup:
    """What a node is told at its start and keeps, but for its observers: inputs, not state."""

    member: MemberName
    epoch: Epoch
    signer: Signer
    key_version: int
    policy: Policy
    instances: Mapping[str, str]
    """A policy's lever → the adapter's instance `<target>:<call>`."""
    declarations: Mapping[str, LeverDeclaration]
    """A policy's lever → what its adapter declares."""
    own_sources: tuple[SourceId, ...]
    manifest: tuple[Subject, ...]
    fresh: bool
    """The store was empty beside a mark that says "nothing signed": may sign at once."""
    slots: Mapping[str, str] = field(default_factory=dict)
    """Instance → what it moves on its target, where several instances move the same; else each moves its own."""
    stopped_why: str = ""
    """Why this node must not sign at all (mark and store disagree), or ""."""
    skew_max_ms: int = 30_000
    observers: Mapping[str, Observer] = field(default_factory=dict)
    """Peer id → who it is."""
    past: tuple[Epoch, ...] = ()
    """Those before `epoch` that this node knows, newest first: their certificates may still run."""
    countersign: Countersign | None = None
    """Gives an own attestation of GUARD and above its `evm_sig`, where there is a registry to say it to."""


@dataclass
class State:
    setup: Setup
    epochs: tuple[Epoch, ...] = ()
    """The one in force first, then those before it whose certificates may still run."""
    chain: list[tuple[EpochHash, bytes]] = field(default_factory=list)
    """(parent, epoch certificate) of each that followed the one this node starts from."""
    brought: tuple[bytes, ...] = ()
    """KeySets that this node was started with; a joiner's own counts from its epoch on."""
    certified: bytes | None = None
    """Of the epoch that begins next."""
    applicants: dict[MemberName, SealedKeySet] = field(default_factory=dict)
    """First KeySets of who is proposed for a seat, or for a new governance key."""
    keysets: dict[MemberName, dict[int, SealedKeySet]] = field(default_factory=dict)
    feeds: dict[tuple[MemberName, int], Feed] = field(default_factory=dict)
    opinions: dict[Topic, dict[MemberName, Opinion]] = field(default_factory=dict)
    topics_of: dict[MemberName, dict[Topic, tuple[int, int, Topic]]] = field(default_factory=dict)
    """Where each author has an opinion here, and what goes first where it has too many."""
    cited: dict[Digest, set[tuple[Topic, MemberName]]] = field(default_factory=dict)
    """Digest of a claim's blob → the opinions here that name it."""
    threats: set[int] = field(default_factory=set)
    """Of whatever was said, certified or found here."""
    keep_until_ms: dict[tuple[Topic, MemberName], int] = field(default_factory=dict)
    releases: Releases = field(default_factory=Releases)
    manifests: dict[MemberName, frozenset[Subject]] = field(default_factory=dict)
    manifest_versions: dict[MemberName, int] = field(default_factory=dict)
    """Under which key version the latest one was said."""
    last_word_ms: dict[MemberName, int] = field(default_factory=dict)
    heartbeats: dict[MemberName, Verified[Heartbeat]] = field(default_factory=dict)
    """Each member's latest, for whoever wants to see that a chain of epochs is current."""
    behind_ms: dict[MemberName, int] = field(default_factory=dict)
    """Our monotonic clock minus a member's wall clock, by its last Heartbeat: a wall clock of ours that is set wrong,
    or right again, shows at once and not at the next Heartbeat."""
    clocks: list[int] | None = None
    """The middle of `behind_ms` of each other group, in order; None: to be counted anew."""
    clock_was_sound: bool = False
    handled_mono_ms: int = 0
    woke_mono_ms: int = 0
    """0: it never stood still."""
    now_ms: int = 0
    """By our wall clock, as of the step under way."""
    ahead_ms: int = 0
    """Our wall clock minus our monotonic one, as of the step under way."""
    blobs: dict[Digest, bytes] = field(default_factory=dict)
    reruns: Reruns = field(default_factory=Reruns)
    """What persons had re-run, and what came out."""
    ruled: dict[Claim, Ruled] = field(default_factory=dict)
    """By the whole claim: the bytes of a true one under another name are another claim, and not so."""
    found_ms: dict[ClaimName, int] = field(default_factory=dict)
    """When our own check first supported a claim. Told again when its verdict is forgotten, it is no younger for that:
    it moves our levers for one lease. Oldest first."""
    said: dict[tuple[Topic, str, bytes], None] = field(default_factory=dict)
    """(topic, claim type, claim id) that our own attestations named: never a reason to speak twice. Oldest first."""
    sealed_here: dict[Topic, Opinion] = field(default_factory=dict)
    """The last word that this node itself sealed on a topic. What peers hold of ours may be a thief's."""
    reissue: dict[Topic, Opinion] = field(default_factory=dict)
    """Our own live opinions under a key that was replaced: said again under the new one, to the same end."""
    unsaid: dict[Observation, int] = field(default_factory=dict)
    """What own sensors saw while this node might not speak → when. Not recorded: they see it again after a restart."""
    release_topics: dict[MemberName, int] = field(default_factory=dict)
    release_names: dict[MemberName, int] = field(default_factory=dict)
    """How many topics an author has released something on, and claims."""
    certificates: dict[Digest, CheckedCertificate] = field(default_factory=dict)
    """`certificate_id` → the one held of it."""
    accepted_ms: dict[Digest, int] = field(default_factory=dict)
    """When the one held was accepted."""
    held_since_ms: dict[Digest, int] = field(default_factory=dict)
    """Since when one of this id has run without a gap: a hold counts from here."""
    first_newest_ms: dict[Topic, dict[ClaimName, int]] = field(default_factory=dict)
    """Newest issued_ms of the first certificate accepted on a claim: nothing said on it outlives that + a lease."""
    equivocations: dict[tuple[MemberName, int], tuple[bytes, bytes]] = field(default_factory=dict)
    early_votes: list[tuple[Verified[Any], bool]] = field(default_factory=list)
    """Of ours, in epochs that are not known here; and whether this node sealed them."""
    telling: dict[tuple[MemberName, int], tuple[int, int]] = field(default_factory=dict)
    """Proofs that are told again: when next, and how often. NO_VERSION: what contradicts a KeySet."""
    false_statements: dict[MemberName, list[str]] = field(default_factory=dict)
    actions: dict[ActionKey, Action] = field(default_factory=dict)
    asked: dict[Wish, EndingAsked] = field(default_factory=dict)
    """What one person asked for where the policy wants two."""
    seen_by: dict[Topic, dict[str, AlertSeen]] = field(default_factory=dict)
    """Who acknowledged an alert, by name: the last of each."""
    last_decisions: dict[tuple[str, str, bytes], str] = field(default_factory=dict)
    contradicted: dict[MemberName, SealedKeySet] = field(default_factory=dict)
    """A KeySet of who sealed two of one version, or more than an epoch takes: the first that did not hold. What was
    sealed under it opens at some members only."""
    keysets_replaced: dict[tuple[MemberName, int], int] = field(default_factory=dict)
    """How often the lower of two KeySets of one version took the other's place in this life."""
    stopped: dict[int, str] = field(default_factory=dict)
    """Own key version → why it never signs again."""
    exposures: dict[str, ExposureReading] = field(default_factory=dict)
    # what is not recorded
    restricted: bool = False
    """A live ISOLATE or HALT stands on what f + 1 groups run, as of the last step of the rounds."""
    links: dict[str, Link] = field(default_factory=dict)
    budgets: Budgets = field(default_factory=Budgets)
    desks: dict[str, Any] = field(default_factory=dict)
    """Peer id of an observer → `observers.Desk`."""
    refusals: dict[str, int] = field(default_factory=dict)
    refusals_by_peer: dict[str, dict[str, int]] = field(default_factory=dict)
    offences: dict[str, int] = field(default_factory=dict)
    """Of those, how many no honest peer commits."""
    seen: dict[bytes, tuple[Feed, int]] = field(default_factory=dict)
    """SHA-256 of the bytes of entries that were verified → where they stand, if they still do: the same bytes again
    cost one hash. Oldest first."""
    pushed_blobs: dict[Digest, bytes] = field(default_factory=dict)
    missing: dict[Digest, Missing] = field(default_factory=dict)
    judging: dict[Claim, MemberName] = field(default_factory=dict)
    """Being re-run now → on whose word."""
    lacking: dict[Digest, Lack] = field(default_factory=dict)
    """`certificate_id`s that peers show."""
    word_mono_ms: int = 0
    """When the last new word came."""
    gaps: dict[tuple[MemberName, int], Lack] = field(default_factory=dict)
    """Feeds of which peers have more."""
    to_judge: dict[MemberName, dict[Claim, None]] = field(default_factory=dict)
    """Waiting for their author's turn: nobody's claims wait behind another's."""
    review_at_ms: dict[Topic, int] = field(default_factory=dict)
    """Topics and when they are to be counted again: a word dated ahead of us begins to count, a certificate ends."""
    words: int = 0
    """Counts what can change how opinions count: words, releases, KeySets, forgetting."""
    standing: dict[Digest, tuple[int, int, int, bool]] = field(default_factory=dict)
    """Certificate digest → (`words` then, from, until, whether it stands)."""
    live: dict[Topic, tuple[int, int, int, tuple[Opinion, ...]]] = field(default_factory=dict)
    """Topic → (`words` then, from, until, its opinions that count)."""
    verdicts: int = 0
    """Counts what can change what our own checks support."""
    resting: dict[Digest, tuple[int, frozenset[ClaimName]]] = field(default_factory=dict)
    """Certificate digest → (`verdicts` then, what it rests on)."""
    supported: tuple[int, Mapping[Topic, Sequence[Ruled]]] = (-1, MappingProxyType({}))
    """(`verdicts` then, what our own checks support by topic)."""
    said_heads: tuple[bytes, Heads] | None = None
    """The last Heads that we sent, while nothing changed since and no feed has a gap."""
    forget_at_ms: int = 0
    observing_said: bool = False
    push_at_ms: dict[Digest, int] = field(default_factory=dict)
    to_show: dict[Digest, None] = field(default_factory=dict)
    """`certificate_id`s that peers are told of at the next tick, in order."""
    started_mono_ms: int = 0
    heads_at_ms: int = 0
    spoke_mono_ms: int = -1_000_000
    decide_at_ms: int = 0
    heartbeat_at_ms: int = 0
    heartbeat_said_ms: int = 0
    said_manifest: bool = False
    margin_said: str = ""
    expiry_said: tuple[int, int | None] = (-1, None)
    """(own key version, days that were left of it when people were last told)"""
    signing_ready: bool = False
    past_back: bool = False
    """Since the start a quorum has shown nothing of ours under keys before this one that is not here."""

    def __post_init__(self) -> None:
        self.epochs = self.epochs or (self.setup.epoch, *self.setup.past)
        self.ledger = Ledger(self.epoch)
        self.rounds = Rounds(self.epoch, self.me if self.seated() else None, Asked(self))

    @property
    def epoch(self) -> Epoch:
        """The one in force."""
        return self.epochs[0]

    def epoch_of(self, hash_: EpochHash) -> Epoch | None:
        """Where its certificates may still run; else None."""
        return next((one for one in self.epochs if one.hash == hash_), None)

    def is_later_epoch(self, hash_: EpochHash, than: Epoch) -> bool:
        later = self.epoch_of(hash_)
        return later is not None and later.number > than.number

    def seated(self) -> bool:
        """Whether this member sits in the epoch in force: a joiner not yet, who was removed no more."""
        return self.me in self.epoch.by_name

    @cached_property
    def policy_subjects(self) -> frozenset[Subject]:
        return frozenset(one for subjects in self.setup.policy.assets.values() for one in subjects)

    @property
    def me(self) -> MemberName:
        return self.setup.member

    def is_superseded(self, opinion: Opinion) -> bool:
        """By a later word of its author on the same topic, under the same key."""
        feed = self.feeds.get((opinion.entry.author, opinion.entry.key_version))
        return feed is not None and feed.supersedes(opinion)

    def own_feed(self) -> Feed:
        key = (self.me, self.setup.key_version)
        return self.feeds.setdefault(key, Feed(*key))

    def own_head(self) -> tuple[int, EntryHash]:
        feed = self.own_feed()
        return feed.top, feed.top_hash if feed.top >= 0 else ZERO_HASH

    def current_version(self, member: MemberName) -> int:
        return max(self.keysets.get(member, {0: None}))

    def keyset(self, member: MemberName, version: int) -> SealedKeySet | None:
        return self.keysets.get(member, {}).get(version)

    def known_opinion(self, raw: bytes) -> Opinion | None:
        """One that was verified with exactly these bytes under a KeySet that still holds."""
        place = self.seen.get(sha256(raw))
        there = place[0].links.get(place[1]) if place is not None else None
        if place is None or there is None or there.raw != raw or not isinstance(there.body, Attestation):
            return None
        feed = place[0]
        return there if self.feeds.get((feed.author, feed.key_version)) is feed else None

    def members_of(self, peer_id: str) -> frozenset[MemberName]:
        """By the newest KeySets only: a replaced transport identity is a stranger's."""
        newest = ((member, versions[max(versions)].keyset) for member, versions in self.keysets.items())
        return frozenset(member for member, keyset in newest if peer_id in keyset.transport)

    def member_of(self, peer_id: str) -> MemberName | None:
        return min(self.members_of(peer_id), default=None)

    def may_sign(self) -> str:
        """ "" where this node may speak, else why it does not."""
        if self.setup.stopped_why:
            return self.setup.stopped_why
        if self.setup.key_version in self.stopped:
            return self.stopped[self.setup.key_version]
        if not self.seated():
            return f"{self.me} has no seat in epoch {self.epoch.number}, so nothing that it says is heard"
        if self.current_version(self.me) != self.setup.key_version:
            return "the KeySet of this node was replaced by a newer one; its old key is silent"
        own = self.keyset(self.me, self.setup.key_version)
        if own is None:
            return "no KeySet of this node holds: its governance key moved; tocsin key rotate gives it a new one"
        if own.keyset.expires_ms < self.now_ms:
            return "the KeySet of this node has expired; tocsin key rotate gives it a new one"
        if self.equivocations.get((self.me, self.setup.key_version)):
            return "two payloads under one of our sequence numbers were seen: the key is used elsewhere"
        skew_ms = self.skew_ms()
        if skew_ms is not None and abs(skew_ms) > self.setup.skew_max_ms:
            return f"the clock is {skew_ms} ms from the median of the members' Heartbeats"
        if not self.signing_ready:
            return "a store stands here and too few peers have shown our own head yet"
        return ""

    def skew_ms(self) -> int | None:
        """Own clock minus the median of the groups', our own among them, where Q of them were heard: with fewer, f
        liars could be the median; without our own, f silent ones would keep a wrong clock unseen."""
        heard = sorted([0, *self._skews_ms()])
        return heard[len(heard) // 2] if len(heard) >= self.epoch.q else None

    def _skews_ms(self) -> list[int]:
        """Own clock minus each other group's that was heard, in order; a group with many seats is one clock."""
        if self.clocks is None:
            by_group: dict[GroupName, list[int]] = {}
            for member, behind_ms in sorted(self.behind_ms.items()):
                by_group.setdefault(self.epoch.group_of(member), []).append(behind_ms)
            by_group.pop(self.own_group(), None)
            self.clocks = sorted(sorted(told)[len(told) // 2] for told in by_group.values())
        return [self.ahead_ms + behind_ms for behind_ms in self.clocks]

    def clock_is_sound(self) -> bool:
        """Within the bound of the median of Q groups; where fewer are heard, within that of each of f + 1, for one of
        them is honest: members that are silent for weeks do not keep everything in memory."""
        skew_ms = self.skew_ms()
        if skew_ms is not None:
            return abs(skew_ms) <= self.setup.skew_max_ms
        heard = self._skews_ms()
        return len(heard) > self.epoch.f and all(abs(one) <= self.setup.skew_max_ms for one in heard)

    def up_members(self) -> frozenset[MemberName]:
        return frozenset(member for link in self.links.values() for member in link.members)

    def own_group(self) -> GroupName:
        """ "" where this member has no seat."""
        return self.epoch.group_of(self.me) if self.seated() else GroupName("")

    def own_sources(self) -> tuple[SourceId, ...]:
        """Of those that this node can vouch for, what the epoch in force registers. A service of its own needs no
        connection, so one that a later epoch registers, of who joined for example, counts from then on."""
        register = self.epoch.source_by_id
        services = {one.id for one in register.values() if one.operator == self.me and ":" not in one.scope}
        return tuple(one for one in sorted({*self.setup.own_sources, *services}) if one in register)

    def drop_opinion(self, topic: Topic, author: MemberName) -> None:
        self.words += 1
        self.keep_until_ms.pop((topic, author), None)
        held = self.opinions.get(topic, {})
        gone = held.pop(author, None)
        if gone is not None:
            self._forget_place(topic, gone)
            self.topics_of[author].pop(topic, None)
        if not held:
            self.opinions.pop(topic, None)

    def hold_opinion(self, topic: Topic, opinion: Opinion) -> None:
        """In place of the author's last one on this topic."""
        author = opinion.entry.author
        held = self.opinions.setdefault(topic, {})
        if author in held:
            self._forget_place(topic, held[author])
        held[author] = opinion
        self.threats.add(topic[1])
        self.topics_of.setdefault(author, {})[topic] = (opinion.body.level, opinion.entry.seq, topic)
        for claim in opinion.body.claims:
            self.cited.setdefault(claim.digest, set()).add((topic, author))

    def _forget_place(self, topic: Topic, opinion: Opinion) -> None:
        for claim in opinion.body.claims:
            places = self.cited.get(claim.digest, set())
            places.discard((topic, opinion.entry.author))
            if not places:
                self.cited.pop(claim.digest, None)

    def heard_groups(self) -> int:
        here = {self.me} if self.seated() else frozenset()
        return len({self.epoch.group_of(member) for member in self.up_members() | here})

    def heard_since_mono_ms(self) -> int:
        """Since when Q groups are heard without a gap, by the links that are up; while they are not: as of the last
        that came up."""
        first: dict[GroupName, int] = {}
        for link in self.links.values():
            for member in link.members:
                group = self.epoch.group_of(member)
                first[group] = min(link.up_mono_ms, first.get(group, link.up_mono_ms))
        first.pop(self.own_group(), None)
        return max(sorted(first.values())[: self.epoch.q - 1], default=0)

    def margin(self) -> int:
        return self.heard_groups() - self.epoch.q

    def blind(self) -> bool:
        return self.margin() < 0
