# pragma version 0.4.3
"""
@title A network's mirror on one chain: its epoch, the keys of its groups, and what their quorum has said
@notice Contracts that cannot run a node ask here whether a network restricts a subject. Everything is
        moved by the members' EIP-712 signatures, whoever sends them: there is no owner, no fee, no upgrade.
        - It only restricts, and every restriction ends by itself at the latest after its level's lease.
        - It counts control groups, against the network's n: two keys of one group are one vote, and a
          group without a key here is still one of the n.
        - It cannot see sources. The network itself asks that the groups of an ISOLATE or HALT were not all
          fed by one operator; of that nothing is on the chain. Whoever acts on this contract alone acts on
          the number of groups alone.
        - It cannot see the feed either: it may lag behind the network, and then refuses what the network
          says in a later epoch. Nodes compare both and tell people; nobody follows a difference.
        Times of signed values are milliseconds, ends that are read here are seconds of the block's clock.
"""

struct Epoch:
    network: bytes32
    number: uint256
    hash: bytes32
    parent: bytes32
    activates: uint256
    n: uint256
    guard: uint256  # groups needed, as numbers for this n
    isolate: uint256
    halt: uint256
    guardLease: uint256
    isolateLease: uint256
    haltLease: uint256

struct Signature:
    at: uint256  # index of the signer's key
    v: uint256
    r: uint256
    s: uint256

struct AlarmVote:
    author: bytes32
    seq: uint256
    bodyHash: bytes32
    level: uint256
    issued: uint256
    submitBy: uint256
    expires: uint256
    signature: Signature

struct LiftVote:
    author: bytes32
    through: uint256
    signature: Signature

event EpochEntered:
    number: indexed(uint256)
    hash: indexed(bytes32)
    parent: bytes32

event KeysChanged:
    epoch: indexed(bytes32)
    version: uint256

event Restricted:
    subject: indexed(bytes32)
    threat: indexed(uint256)
    level: indexed(uint256)
    until: uint256

event Lifted:
    subject: indexed(bytes32)
    threat: indexed(uint256)
    through: uint256

GUARD: constant(uint256) = 2
ISOLATE: constant(uint256) = 3
HALT: constant(uint256) = 4
SUBMIT_MS: constant(uint256) = 600_000
AHEAD_MS: constant(uint256) = 60_000
HOUR_MS: constant(uint256) = 3_600_000
SUSPENDED: constant(uint256) = 256  # bit 8 of a key's word; its group is the eight bits below
KEYS_MAX: constant(uint256) = 256
UNTIL: constant(uint256) = 2**64 - 1  # of what stands: its end; above it the oldest counted word's time
HALF_ORDER: constant(uint256) = (
    57896044618658097711785492504343953926418782139537452191302581570759080747168  # of secp256k1, halved
)

DOMAIN_TYPE: constant(bytes32) = keccak256(
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
EPOCH_TYPE: constant(bytes32) = keccak256(
    "Epoch(bytes32 network,uint256 number,bytes32 hash,bytes32 parent,uint256 activates,uint256 n,uint256 guard,uint256 isolate,uint256 halt,uint256 guardLease,uint256 isolateLease,uint256 haltLease,uint256[] keys)"
)
KEYS_TYPE: constant(bytes32) = keccak256("Keys(bytes32 network,bytes32 epoch,uint256 version,uint256[] keys)")
ALARM_TYPE: constant(bytes32) = keccak256(
    "Alarm(bytes32 network,bytes32 epoch,bytes32 author,uint256 seq,bytes32 bodyHash,bytes32 subject,uint256 threat,uint256 level,uint256 issued,uint256 submitBy,uint256 expires)"
)
LIFT_TYPE: constant(bytes32) = keccak256(
    "Lift(bytes32 network,bytes32 epoch,bytes32 author,bytes32 subject,uint256 threat,uint256 through)"
)
NAME: constant(bytes32) = keccak256("Tocsin Registry")
VERSION: constant(bytes32) = keccak256("1")

network: public(immutable(bytes32))
epoch: public(Epoch)
keys_version: public(uint256)
released_through: public(HashMap[bytes32, HashMap[uint256, uint256]])
key_count: uint256
key_at: HashMap[uint256, uint256]
standing: HashMap[bytes32, HashMap[uint256, HashMap[uint256, uint256]]]  # issued (ms) << 64 | until (s)


@deploy
def __init__(first: Epoch, keys: DynArray[uint256, KEYS_MAX]):
    """
    @notice Whoever deploys chooses the network, so nobody believes a registry that they have not compared
            with their own network's epoch and keys.
    """
    network = first.network
    self._enter(first, keys)


@external
def advance(next: Epoch, keys: DynArray[uint256, KEYS_MAX], signatures: DynArray[Signature, KEYS_MAX]):
    """@notice To the epoch after this one, with signatures of this one's quorum; once it is active."""
    assert next.network == network, "other network"
    assert next.number == self.epoch.number + 1, "not the next epoch"
    assert next.parent == self.epoch.hash, "other parent"
    assert next.activates <= block.timestamp * 1000, "not active yet"
    self._quorum(keccak256(abi_encode(EPOCH_TYPE, next, self._hash_of(keys))), signatures)
    self._enter(next, keys)


@external
def change_keys(version: uint256, keys: DynArray[uint256, KEYS_MAX], signatures: DynArray[Signature, KEYS_MAX]):
    """@notice Other keys within the epoch, after a KeySet replaced one: the owner asks, the quorum signs."""
    assert version == self.keys_version + 1, "not the next keys"
    self._quorum(
        keccak256(abi_encode(KEYS_TYPE, network, self.epoch.hash, version, self._hash_of(keys))), signatures
    )
    self._set_keys(keys)
    self.keys_version = version
    log KeysChanged(epoch=self.epoch.hash, version=version)


@external
def alarm(
    epoch: bytes32, subject: bytes32, threat: uint256, level: uint256, votes: DynArray[AlarmVote, KEYS_MAX]
):
    """
    @notice The groups' opinions of at least `level` restrict the subject until the first of them expires.
            Certificates of one matter merge to the latest end; one that changes nothing succeeds silently.
    """
    assert epoch == self.epoch.hash, "not this epoch"
    assert self.epoch.n >= 4, "only informs"
    assert level >= GUARD and level <= HALT, "level"
    now_ms: uint256 = block.timestamp * 1000
    released: uint256 = self.released_through[subject][threat]
    domain: bytes32 = self._domain()
    ends: uint256 = max_value(uint256)
    since: uint256 = max_value(uint256)
    last: uint256 = 0
    seen: uint256 = 0
    found: uint256 = 0
    for vote: AlarmVote in votes:
        assert vote.level >= level and vote.level <= HALT, "level of a vote"
        assert vote.issued <= now_ms + AHEAD_MS, "dated ahead"
        assert vote.issued > released, "released"
        assert vote.submitBy <= vote.issued + SUBMIT_MS, "submitted by too late a time"
        assert now_ms <= vote.submitBy, "late"
        assert vote.expires > vote.issued and vote.expires - vote.issued <= self._lease(vote.level), "lease"
        hashed: bytes32 = keccak256(
            abi_encode(
                ALARM_TYPE,
                network,
                epoch,
                vote.author,
                vote.seq,
                vote.bodyHash,
                subject,
                threat,
                vote.level,
                vote.issued,
                vote.submitBy,
                vote.expires,
            )
        )
        last = self._signer(domain, hashed, vote.signature, last)
        assert last & SUSPENDED == 0, "suspended"
        ends = min(ends, vote.expires)
        since = min(since, vote.issued)
        bit: uint256 = 1 << (last & 255)
        found += convert(seen & bit == 0, uint256)
        seen |= bit
    assert found >= self._needed(level), "short of threshold"
    # rounded up: a lease is kept at least; and whatever was signed, not beyond a lease from now
    until: uint256 = min((ends + 999) // 1000, block.timestamp + self._lease(level) // 1000)
    assert until > block.timestamp, "expired"
    stands: uint256 = self.standing[subject][threat][level]
    if stands >> 64 <= released:
        stands = 0
    joined: uint256 = max(stands >> 64, since) << 64 | max(stands & UNTIL, until)
    if joined != stands:
        self.standing[subject][threat][level] = joined
        log Restricted(subject=subject, threat=threat, level=level, until=joined & UNTIL)


@external
def lift(epoch: bytes32, subject: bytes32, threat: uint256, votes: DynArray[LiftVote, KEYS_MAX]):
    """
    @notice Q groups release what was said through the earliest of their times: what stands on it ends, and
            nothing issued until then restricts again. Never falls; one that changes nothing succeeds silently.
    """
    assert epoch == self.epoch.hash, "not this epoch"
    domain: bytes32 = self._domain()
    through: uint256 = block.timestamp * 1000
    last: uint256 = 0
    seen: uint256 = 0
    found: uint256 = 0
    for vote: LiftVote in votes:
        assert vote.through <= block.timestamp * 1000, "through the future"
        hashed: bytes32 = keccak256(
            abi_encode(LIFT_TYPE, network, epoch, vote.author, subject, threat, vote.through)
        )
        last = self._signer(domain, hashed, vote.signature, last)
        assert last & SUSPENDED == 0, "suspended"
        through = min(through, vote.through)
        bit: uint256 = 1 << (last & 255)
        found += convert(seen & bit == 0, uint256)
        seen |= bit
    assert found >= self._q(), "short of quorum"
    if through > self.released_through[subject][threat]:
        self.released_through[subject][threat] = through
        log Lifted(subject=subject, threat=threat, through=through)


@external
@view
def restricted_until(subject: bytes32, threat: uint256) -> uint256:
    """@notice When the network's word on it ends, at any level above WATCH; 0 where there is none or it was lifted."""
    return self._until(subject, threat, GUARD)


@external
@view
def level_until(subject: bytes32, threat: uint256, level: uint256) -> uint256:
    """@notice The same at `level` (2 GUARD, 3 ISOLATE, 4 HALT) or above: f + 1 groups are enough for a GUARD."""
    return self._until(subject, threat, level)


@external
@view
def keys() -> DynArray[uint256, KEYS_MAX]:
    """@notice Ascending words: address << 96 | 256 where suspended | number of its group in the epoch's order."""
    found: DynArray[uint256, KEYS_MAX] = []
    for i: uint256 in range(self.key_count, bound=KEYS_MAX):
        found.append(self.key_at[i])
    return found


@external
@view
def quorum() -> uint256:
    return self._q()


@external
@view
def domain_separator() -> bytes32:
    return self._domain()


@internal
@view
def _until(subject: bytes32, threat: uint256, level: uint256) -> uint256:
    released: uint256 = self.released_through[subject][threat]
    latest: uint256 = 0
    for i: uint256 in range(3):
        stands: uint256 = self.standing[subject][threat][GUARD + i]
        if GUARD + i >= level and stands >> 64 > released:
            latest = max(latest, stands & UNTIL)
    return latest


@internal
@view
def _q() -> uint256:
    return self.epoch.n - (self.epoch.n - 1) // 3


@internal
@view
def _needed(level: uint256) -> uint256:
    if level == GUARD:
        return self.epoch.guard
    return self.epoch.isolate if level == ISOLATE else self.epoch.halt


@internal
@view
def _lease(level: uint256) -> uint256:
    if level == GUARD:
        return self.epoch.guardLease
    return self.epoch.isolateLease if level == ISOLATE else self.epoch.haltLease


@internal
@view
def _domain() -> bytes32:
    """@dev With the chain's id of now: a fork of the chain is another chain."""
    return keccak256(abi_encode(DOMAIN_TYPE, NAME, VERSION, chain.id, self))


@internal
@pure
def _hash_of(keys: DynArray[uint256, KEYS_MAX]) -> bytes32:
    """@dev EIP-712 of uint256[]: the words one after the other; the encoding has two words in front."""
    return keccak256(slice(abi_encode(keys), 64, 32 * len(keys)))


@internal
@view
def _signer(domain: bytes32, hashed: bytes32, signature: Signature, last: uint256) -> uint256:
    """@dev The word of the key that signed. Words ascend as their addresses do, so nobody signs twice."""
    assert signature.v == 27 or signature.v == 28, "v"
    assert signature.s <= HALF_ORDER, "high s"
    assert signature.at < self.key_count, "no such key"
    word: uint256 = self.key_at[signature.at]
    assert word > last, "signer order"
    digest: bytes32 = keccak256(concat(b"\x19\x01", domain, hashed))
    signer: address = ecrecover(digest, signature.v, signature.r, signature.s)
    assert signer != empty(address), "no signer"
    assert convert(signer, uint256) == word >> 96, "other signer"
    return word


@internal
@view
def _quorum(hashed: bytes32, signatures: DynArray[Signature, KEYS_MAX]):
    """@dev A suspended seat signs here as well: it stays in n, and without it nobody could be reinstated."""
    domain: bytes32 = self._domain()
    last: uint256 = 0
    seen: uint256 = 0
    found: uint256 = 0
    for signature: Signature in signatures:
        last = self._signer(domain, hashed, signature, last)
        bit: uint256 = 1 << (last & 255)
        found += convert(seen & bit == 0, uint256)
        seen |= bit
    assert found >= self._q(), "short of quorum"


@internal
def _enter(next: Epoch, keys: DynArray[uint256, KEYS_MAX]):
    """@dev The floors are the protocol's own, so that no quorum, fooled once, makes two keys enough for ever."""
    assert next.n >= 2 and next.n <= KEYS_MAX, "groups"
    f: uint256 = (next.n - 1) // 3
    assert next.guard >= max(2, f + 1) and next.guard <= next.n, "guard"
    assert next.isolate >= next.n - f, "isolate"
    assert next.halt >= next.isolate and next.halt <= next.n, "halt"
    assert next.guardLease >= 1000 and next.guardLease <= 12 * HOUR_MS, "guard lease"
    assert next.isolateLease >= 1000 and next.isolateLease <= 6 * HOUR_MS, "isolate lease"
    assert next.haltLease >= 1000 and next.haltLease <= HOUR_MS, "halt lease"
    assert next.hash != empty(bytes32), "no hash"
    self.epoch = next
    self.keys_version = 0
    self._set_keys(keys)
    log EpochEntered(number=next.number, hash=next.hash, parent=next.parent)


@internal
def _set_keys(keys: DynArray[uint256, KEYS_MAX]):
    """@dev Refuses keys that could never sign the next epoch: of fewer groups than its quorum."""
    last: uint256 = 0
    seen: uint256 = 0
    found: uint256 = 0
    for i: uint256 in range(len(keys), bound=KEYS_MAX):
        word: uint256 = keys[i]
        assert word >> 96 > last, "key order"
        assert (word & (2**96 - 1)) >> 9 == 0, "key word"
        assert word & 255 < self.epoch.n, "no such group"
        last = word >> 96
        bit: uint256 = 1 << (word & 255)
        found += convert(seen & bit == 0, uint256)
        seen |= bit
        self.key_at[i] = word
    assert found >= self._q(), "too few groups have keys"
    self.key_count = len(keys)
