# pragma version 0.4.3
"""
@title A protocol's own policy on a chain: it holds narrow rights, and uses them as its owner wrote down beforehand
@notice Its owner grants it a right at a target (a pauser's role, or, through a Safe, a module's) and lists levers:
        one target, one calldata that restricts, one that lifts, and for how long. Nothing else is ever called.
        - A quorum's word restricts: k groups' `Alarm` votes on a listed subject, or what a Registry shows.
        - The owner's own node, by its operator key, restricts alone, for less.
        - Every restriction ends: anybody may call `lapse` once it is over. The owner releases at any time.
        - Adding waits for `delay`; removing, releasing and switching off do not.
        It cannot see sources, nor whose a flag of the target is beyond what its probe shows.
        Times of signed values are milliseconds, all others seconds of the block's clock.
"""

interface Registry:
    def level_until(subject: bytes32, threat: uint256, level: uint256) -> uint256: view

struct Lever:
    target: address
    restrict: Bytes[132]  # calldata as it is sent
    lift: Bytes[132]
    probe: Bytes[68]  # calldata of a view of the target, empty where it has none
    mask: uint256  # restricted where the view's word & mask == closed
    closed: uint256
    cooldown: uint256  # after a term, before the next one
    lease: uint256  # of a term of the quorum's: from its beginning, however often it is said again
    budget: uint256  # in any WINDOW; half of it at once
    aloneLease: uint256  # the same of the operator's own; 0 where it may not
    aloneBudget: uint256

struct Vote:
    author: bytes32
    bodyHash: bytes32
    told: uint256  # at | v - 27 << 8 | level << 16 | seq << 24 | issued << 88 | expires << 152
    r: uint256
    s: uint256

event Listed:
    lever: indexed(uint256)
    live: uint256

event Removed:
    lever: indexed(uint256)

event Reasoned:
    lever: indexed(uint256)
    subject: indexed(bytes32)
    source: indexed(address)
    threat: uint256
    level: uint256
    groups: uint256
    live: uint256

event Restricted:
    lever: indexed(uint256)
    alone: indexed(bool)
    about: indexed(bytes32)  # the subject; alone: the operator's action key
    until: uint256

event Stood:
    lever: indexed(uint256)  # beside Restricted: the target stood so already, by somebody else or by us

event Released:
    lever: indexed(uint256)
    alone: bool

event Lifted:
    lever: indexed(uint256)
    called: bool  # False where the target showed that somebody had lifted it

event LiftRefused:
    lever: indexed(uint256)

event ListMade:
    list: indexed(address)

event Operated:
    operator: indexed(address)
    live: uint256

event Switched:
    live: uint256

event Delayed:
    delay: uint256

event Offered:
    owner: indexed(address)

event Owned:
    owner: indexed(address)

WINDOW: public(constant(uint256)) = 7 * 86400
DELAY_MAX: constant(uint256) = 30 * 86400
COOLDOWN_MIN: constant(uint256) = 720  # above SUBMIT + AHEAD: no word said before a term's end is taken after it
SUBMIT_MS: constant(uint256) = 600_000
AHEAD_MS: constant(uint256) = 60_000
HALT: constant(uint256) = 4
LEVERS_MAX: constant(uint256) = 64
KEYS_MAX: constant(uint256) = 64
ANY: constant(uint256) = 0  # among threats, which begin at 1
TIME: constant(uint256) = 2**34 - 1
REMOVED: constant(uint256) = TIME  # instead of from when a lever is live; no clock shows either
OFF: constant(uint256) = TIME - 1
ADDRESS: constant(uint256) = 2**160 - 1
HALF_ORDER: constant(uint256) = (
    57896044618658097711785492504343953926418782139537452191302581570759080747168  # of secp256k1, halved
)

# A lever's state: two lanes of began, until << 34, owed << 68, of the quorum and of the operator; from when on it is
# live; two flags
LANE: constant(uint256) = 102
LANE_BITS: constant(uint256) = 2**102 - 1
UNTIL: constant(uint256) = 34
OWED: constant(uint256) = 68
LIVE: constant(uint256) = 204
OURS: constant(uint256) = 1 << 238  # we restricted the target and did not lift it since
MADE: constant(uint256) = 1 << 239  # so that a first restriction costs no more than a later one

OPEN: constant(uint256) = 0
CLOSED: constant(uint256) = 1
UNKNOWN: constant(uint256) = 2

# Creation code that deploys what follows it, and a STOP so that nobody can run that
AS_CODE: constant(Bytes[12]) = x"600b380380600b5f395ff300"
LIST_BYTES: constant(uint256) = 64 + 32 * KEYS_MAX  # network, voice, keys, zeros
LEVER_BYTES: constant(uint256) = 896  # the most that a record takes in the ABI; shorter ones have zeros behind

DOMAIN_TYPE: constant(bytes32) = keccak256(
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
ALARM_TYPE: constant(bytes32) = keccak256(
    "Alarm(bytes32 network,bytes32 epoch,bytes32 author,uint256 seq,bytes32 bodyHash,bytes32 subject,uint256 threat,uint256 level,uint256 issued,uint256 submitBy,uint256 expires)"
)
NAME: constant(bytes32) = keccak256("Tocsin Registry")
VERSION: constant(bytes32) = keccak256("1")

safe: public(immutable(address))
owner: public(address)
offered: public(address)
delay: public(uint256)
lever_count: public(uint256)
lists: public(HashMap[address, bool])  # made by `make_list`
operating: uint256  # operator | from when << 160
records: HashMap[uint256, address]  # of levers
listed: HashMap[bytes32, uint256]  # what lifts -> the lever that lists it, counted from 1
reasons: HashMap[bytes32, uint256]  # the lever's record | level << 160 | groups << 168 | from when << 176
states: HashMap[uint256, uint256]


@deploy
def __init__(owner: address, through: address):
    """
    @notice `through`: the Safe whose module this is, or nobody, where the right is the guard's own. It begins without
            levers and without delay: set up, then `raise_delay`.
    """
    assert owner != empty(address), "no owner"
    safe = through
    self.owner = owner
    log Owned(owner=owner)


# -- who restricts


@external
@nonreentrant
def act(
    id: uint256, list: address, epoch: bytes32, subject: bytes32, threat: uint256, votes: DynArray[Vote, KEYS_MAX]
):
    """
    @notice Votes of enough groups of a list, of one epoch, restrict until the first of them expires, within the
            lever's lease and budget. One that changes nothing succeeds silently.
    """
    self._check_live(id)
    at: address = empty(address)
    level: uint256 = 0
    needed: uint256 = 0
    at, level, needed = self._reason(id, list, subject, threat)
    assert needed > 0, "no list"
    keys: Bytes[LIST_BYTES] = slice(list.code, 1, LIST_BYTES)
    network: bytes32 = extract32(keys, 0)
    domain: bytes32 = keccak256(
        abi_encode(DOMAIN_TYPE, NAME, VERSION, chain.id, extract32(keys, 32, output_type=address))
    )
    latest: uint256 = block.timestamp * 1000 + AHEAD_MS
    earliest: uint256 = block.timestamp * 1000 - SUBMIT_MS
    ends: uint256 = max_value(uint256)
    last: uint256 = 0
    seen: uint256 = 0
    found: uint256 = 0
    for vote: Vote in votes:
        # of 64 bits at most: below, nothing overflows
        issued: uint256 = vote.told >> 88 & (2**64 - 1)
        expires: uint256 = vote.told >> 152 & (2**64 - 1)
        said: uint256 = vote.told >> 16 & 255
        v: uint256 = vote.told >> 8 & 255
        assert unsafe_sub(said, level) <= unsafe_sub(HALT, level), "level of a vote"
        assert issued <= latest, "dated ahead"
        assert issued >= earliest, "late"
        assert v <= 1, "v"
        assert vote.s <= HALF_ORDER, "high s"
        # beyond the list it reverts, and a place without a key holds 0
        word: uint256 = extract32(keys, unsafe_add(64, unsafe_mul(32, vote.told & 255)), output_type=uint256)
        assert word > last, "signer order"
        last = word
        hashed: bytes32 = keccak256(
            abi_encode(
                ALARM_TYPE,
                network,
                epoch,
                vote.author,
                vote.told >> 24 & (2**64 - 1),
                vote.bodyHash,
                subject,
                threat,
                said,
                issued,
                min(unsafe_add(issued, SUBMIT_MS), expires),
                expires,
            )
        )
        signer: address = ecrecover(keccak256(concat(b"\x19\x01", domain, hashed)), unsafe_add(27, v), vote.r, vote.s)
        assert signer != empty(address), "no signer"
        assert convert(signer, uint256) == word >> 96, "other signer"
        ends = min(ends, expires)
        bit: uint256 = 1 << (word & 255)
        found = unsafe_add(found, convert(seen & bit == 0, uint256))
        seen |= bit
    assert found >= needed, "short of threshold"
    # rounded up: a lease is kept at least
    self._restrict(id, self._record(at), False, (ends + 999) // 1000, subject)


@external
@nonreentrant
def heed(id: uint256, registry: address, subject: bytes32, threat: uint256):
    """@notice What a registry shows of a listed subject restricts, as long as it shows it."""
    self._check_live(id)
    at: address = empty(address)
    level: uint256 = 0
    needed: uint256 = 0
    at, level, needed = self._reason(id, registry, subject, threat)
    assert needed == 0, "no registry"
    until: uint256 = staticcall Registry(registry).level_until(subject, threat, level)
    self._restrict(id, self._record(at), False, until, subject)


@external
@nonreentrant
def act_alone(id: uint256, until: uint256, key: bytes32):
    """@notice The operator's own node, within `aloneLease` and `aloneBudget`. `key` names its action in the event."""
    operating: uint256 = self.operating
    assert convert(msg.sender, uint256) == operating & ADDRESS, "not operator"
    assert block.timestamp >= operating >> 160, "not yet operator"
    self._check_live(id)
    lever: Lever = self._record(self.records[id])
    assert lever.aloneLease > 0, "not alone"
    self._restrict(id, lever, True, until, key)


# -- who lifts


@external
@nonreentrant
def lapse(id: uint256):
    """
    @notice Anybody, once nobody's word holds it, or the lever is off or removed; or to note that somebody has lifted it
            at the target. Where the target refuses, that is told, and it may be asked again.
    """
    assert self.states[id] & OURS != 0, "nothing to lift"
    if self.states[id] >> LIVE & TIME >= OFF:
        self._end_term(id, False)
        self._end_term(id, True)
    if self._stands(self.states[id]):
        # somebody opened it themselves: once that is noted, what they close later is theirs
        assert self._shows(self._record(self.records[id])) == OPEN, "not over"
    self._lift(id)


@external
@nonreentrant
def release(id: uint256):
    """@notice The owner: it ends now, and nobody restricts by this lever again before the cooldown is over."""
    self._only_owner()
    self._release(id)


@external
@nonreentrant
def release_alone(id: uint256):
    """@notice The operator takes its own word back; the quorum's holds on."""
    assert convert(msg.sender, uint256) == self.operating & ADDRESS, "not operator"
    assert id < self.lever_count, "no such lever"
    self._end_term(id, True)
    log Released(lever=id, alone=True)
    if not self._stands(self.states[id]):
        self._lift(id)


# -- the owner


@external
@nonreentrant
def forget(id: uint256):
    """@notice As `release`, and the target is left as it is: whatever stands there is the owner's from now on."""
    self._only_owner()
    self.states[id] &= ~OURS
    self._release(id)


@external
@nonreentrant
def add(lever: Lever) -> uint256:
    """@notice Its number. It is live after the delay; it restricts for the reasons that `reason` lists."""
    self._only_owner()
    assert lever.target.is_contract, "no target"
    assert lever.target != self and lever.target != safe, "target"
    assert len(lever.restrict) >= 4 and len(lever.lift) >= 4, "calldata"
    assert len(lever.probe) == 0 or len(lever.probe) >= 4, "probe"
    assert lever.closed & lever.mask == lever.closed, "mask"
    assert lever.cooldown >= COOLDOWN_MIN and lever.cooldown <= DELAY_MAX, "cooldown"
    assert lever.lease > 0 and lever.lease <= lever.budget // 2 and lever.budget <= WINDOW, "lease"
    assert lever.aloneLease <= lever.lease and lever.aloneLease <= lever.aloneBudget // 2, "alone lease"
    assert lever.aloneBudget <= lever.budget, "alone budget"
    what: bytes32 = keccak256(abi_encode(lever.target, lever.lift))
    other: uint256 = self.listed[what]
    if other > 0:  # of two that lift one thing, one would lift the other's
        assert self.states[other - 1] & (REMOVED << LIVE | OURS) == REMOVED << LIVE, "listed"
    id: uint256 = self.lever_count
    assert id < LEVERS_MAX, "levers"
    live: uint256 = block.timestamp + self.delay
    record: Bytes[LEVER_BYTES] = slice(concat(abi_encode(lever), abi_encode(empty(uint256[32]))), 0, LEVER_BYTES)
    self.records[id] = raw_create(concat(AS_CODE, record))
    self.states[id] = MADE | live << LIVE
    self.listed[what] = id + 1
    self.lever_count = id + 1
    log Listed(lever=id, live=live)
    return id


@external
@nonreentrant
def remove(id: uint256):
    """@notice At once, for good; what stands by it is lifted."""
    self._only_owner()
    self.states[id] |= REMOVED << LIVE
    log Removed(lever=id)
    self._release(id)


@external
@nonreentrant
def make_list(network: bytes32, voice: address, keys: DynArray[uint256, KEYS_MAX]) -> address:
    """
    @notice A list of members that reasons may name; it never changes. `voice`: the contract that their signatures are
            for, on this chain: a registry, or nobody where it is this guard. `keys`: ascending words, address << 96 |
            number of its group.
    """
    self._only_owner()
    last: uint256 = 0
    for word: uint256 in keys:
        assert word >> 96 > last, "key order"
        assert word & (2**96 - 1) < 256, "key word"
        last = word >> 96
    named: address = self if voice == empty(address) else voice
    words: Bytes[LIST_BYTES] = slice(abi_encode(keys), 64, 32 * len(keys))
    record: Bytes[LIST_BYTES] = slice(
        concat(network, convert(named, bytes32), words, abi_encode(empty(uint256[KEYS_MAX]))), 0, LIST_BYTES
    )
    list: address = raw_create(concat(AS_CODE, record))
    self.lists[list] = True
    log ListMade(list=list)
    return list


@external
@nonreentrant
def reason(id: uint256, source: address, subject: bytes32, threat: uint256, level: uint256, groups: uint256):
    """
    @notice Words of `level` or above on this subject and threat (0: any) restrict by the lever, after the delay: of
            `groups` of a list; or, where groups is 0, those that a registry shows, by its own thresholds. Level 0: no
            more, at once.
    """
    self._only_owner()
    assert id < self.lever_count, "no such lever"
    live: uint256 = block.timestamp
    word: uint256 = 0
    if level > 0:
        live += self.delay
        assert level >= 2 and level <= HALT, "level"
        if groups > 0:
            assert self.lists[source], "no list"
            assert groups >= 2 and groups <= KEYS_MAX, "groups"  # one key is no quorum
        else:
            assert source.is_contract and not self.lists[source], "no registry"
        word = convert(self.records[id], uint256) | level << 160 | groups << 168 | live << 176
    self.reasons[self._reason_key(id, source, subject, threat)] = word
    log Reasoned(lever=id, subject=subject, source=source, threat=threat, level=level, groups=groups, live=live)


@external
@nonreentrant
def set_operator(operator: address):
    """@notice Who acts alone: the one before no more at once, this one after the delay. Nobody: nobody."""
    self._only_owner()
    live: uint256 = block.timestamp + self.delay
    self.operating = convert(operator, uint256) | live << 160
    log Operated(operator=operator, live=live)


@external
@nonreentrant
def switch_off():
    """@notice Nobody restricts any more, by whatever lever; anybody may lift what stands."""
    self._only_owner()
    self._switch(OFF)


@external
@nonreentrant
def switch_on():
    """@notice After the delay, every lever that was not removed."""
    self._only_owner()
    self._switch(block.timestamp + self.delay)


@external
@nonreentrant
def raise_delay(delay: uint256):
    """@notice It never falls: whoever uses the targets sees what is added so long before it holds."""
    self._only_owner()
    assert delay > self.delay and delay <= DELAY_MAX, "delay"
    self.delay = delay
    log Delayed(delay=delay)


@external
@nonreentrant
def offer(owner: address):
    self._only_owner()
    self.offered = owner
    log Offered(owner=owner)


@external
@nonreentrant
def accept():
    assert msg.sender == self.offered, "not offered"
    self.owner = msg.sender
    self.offered = empty(address)
    log Owned(owner=msg.sender)


# -- what anybody reads


@external
@view
def lever(id: uint256) -> (Lever, uint256):
    """@notice As it was listed, and from when on it is live; 2**34 - 1: removed, 2**34 - 2: off."""
    assert id < self.lever_count, "no such lever"
    return self._record(self.records[id]), self.states[id] >> LIVE & TIME


@external
@view
def standing(id: uint256) -> (uint256, uint256, bool, uint256):
    """
    @notice Until when the quorum's and the operator's word hold it (past or 0 where they do not), whether the guard
            has to lift it, and what the target shows: 0 open, 1 closed, 2 unknown.
    """
    assert id < self.lever_count, "no such lever"
    state: uint256 = self.states[id]
    shows: uint256 = self._shows(self._record(self.records[id]))
    return state >> UNTIL & TIME, state >> (LANE + UNTIL) & TIME, state & OURS != 0, shows


@external
@view
def grant(id: uint256, alone: bool) -> (uint256, uint256):
    """
    @notice (from, until): from when on who speaks now may restrict, by lease and cooldown, and how far at most.
    """
    assert id < self.lever_count, "no such lever"
    return self._grant(self._record(self.records[id]), self.states[id], alone)


@external
@view
def reason_of(id: uint256, source: address, subject: bytes32, threat: uint256) -> (uint256, uint256, uint256):
    """@notice (level, groups, from when on) as listed for just this threat; 0 where it is not."""
    word: uint256 = self.reasons[self._reason_key(id, source, subject, threat)]
    return word >> 160 & 255, word >> 168 & 255, word >> 176


@external
@view
def list_of(list: address) -> (bytes32, address, DynArray[uint256, KEYS_MAX]):
    """@notice (network, voice, keys) of a list."""
    assert self.lists[list], "no list"
    record: Bytes[LIST_BYTES] = slice(list.code, 1, LIST_BYTES)
    keys: DynArray[uint256, KEYS_MAX] = []
    for i: uint256 in range(KEYS_MAX):
        word: uint256 = extract32(record, 64 + 32 * i, output_type=uint256)
        if word == 0:
            break
        keys.append(word)
    return extract32(record, 0), extract32(record, 32, output_type=address), keys


@external
@view
def operator() -> (address, uint256):
    """@notice Who acts alone, and from when on."""
    return convert(self.operating & ADDRESS, address), self.operating >> 160


# -- within


@internal
@view
def _only_owner():
    assert msg.sender == self.owner, "not owner"


@internal
@view
def _record(at: address) -> Lever:
    return abi_decode(slice(at.code, 1, LEVER_BYTES), Lever)


@internal
@view
def _check_live(id: uint256):
    state: uint256 = self.states[id]
    assert state != 0, "no such lever"
    live: uint256 = state >> LIVE & TIME
    assert live != REMOVED, "removed"
    assert live != OFF, "off"
    assert block.timestamp >= live, "not yet"


@internal
@pure
def _reason_key(id: uint256, source: address, subject: bytes32, threat: uint256) -> bytes32:
    return keccak256(abi_encode(id, source, subject, threat))


@internal
@view
def _reason(id: uint256, source: address, subject: bytes32, threat: uint256) -> (address, uint256, uint256):
    assert threat != ANY, "threat"
    word: uint256 = self.reasons[self._reason_key(id, source, subject, threat)]
    if word == 0:
        word = self.reasons[self._reason_key(id, source, subject, ANY)]
    assert word != 0, "no reason"
    assert block.timestamp >= word >> 176, "not yet a reason"
    return convert(word & ADDRESS, address), word >> 160 & 255, word >> 168 & 255


@internal
def _switch(live: uint256):
    """@dev In each lever's own word, so that acting reads no further one."""
    for id: uint256 in range(self.lever_count, bound=LEVERS_MAX):
        state: uint256 = self.states[id]
        if state >> LIVE & TIME != REMOVED:
            self.states[id] = state & ~(TIME << LIVE) | live << LIVE
    log Switched(live=live)


@internal
@pure
def _stretch(seconds: uint256, budget: uint256) -> uint256:
    """@dev How long a lane must wait for what it was granted: half of the budget flows back in one WINDOW."""
    return (seconds * 2 * WINDOW + budget - 1) // budget


@internal
@view
def _grant(lever: Lever, state: uint256, alone: bool) -> (uint256, uint256):
    """
    @dev From when on, and how far. A term is as long as the lease, from the first word on: within it a word may end
         and another one begin, so that nobody can spend it by a short one. Half of the budget may be granted at once
         and flows back over a WINDOW: in no WINDOW is more than the budget.
    """
    lane: uint256 = state >> LANE if alone else state
    began: uint256 = lane & TIME
    until: uint256 = lane >> UNTIL & TIME
    owed: uint256 = max(lane >> OWED & TIME, block.timestamp)
    lease: uint256 = lever.aloneLease if alone else lever.lease
    budget: uint256 = lever.aloneBudget if alone else lever.budget
    start: uint256 = block.timestamp
    if start >= began + lease:
        start = began + lease + lever.cooldown if began > 0 else 0
        began = max(start, block.timestamp)
    left: uint256 = 0
    if owed < block.timestamp + WINDOW:
        left = (block.timestamp + WINDOW - owed) * budget // (2 * WINDOW)
    return start, min(began + lease, max(until, block.timestamp) + left)


@internal
def _restrict(id: uint256, lever: Lever, alone: bool, wanted: uint256, about: bytes32):
    """@dev State first, then the target."""
    state: uint256 = self.states[id]
    place: uint256 = LANE if alone else 0
    start: uint256 = 0
    most: uint256 = 0
    start, most = self._grant(lever, state, alone)
    assert block.timestamp >= start, "cooldown"
    assert wanted > block.timestamp, "expired"
    lane: uint256 = state >> place & LANE_BITS
    stood: uint256 = max(lane >> UNTIL & TIME, block.timestamp)
    lease: uint256 = lever.aloneLease if alone else lever.lease
    until: uint256 = min(wanted, most)
    if until <= stood:
        # the term is used up, or it stands so long already: nothing changes; where nothing stands, the budget is
        assert stood > block.timestamp, "budget"
        return
    began: uint256 = lane & TIME
    if block.timestamp >= began + lease:
        began = block.timestamp
    granted: uint256 = self._stretch(until - stood, lever.aloneBudget if alone else lever.budget)
    owed: uint256 = max(lane >> OWED & TIME, block.timestamp) + granted
    begins: bool = not self._stands(state)
    called: bool = begins and self._shows(lever) != CLOSED
    state = state & ~(LANE_BITS << place) | (began | until << UNTIL | owed << OWED) << place
    if called:
        state |= OURS
    self.states[id] = state
    log Restricted(lever=id, alone=alone, about=about, until=until)
    if called:
        assert self._do(lever.target, lever.restrict), "target refused"
    elif begins:
        log Stood(lever=id)


@internal
@view
def _stands(state: uint256) -> bool:
    return block.timestamp < max(state >> UNTIL & TIME, state >> (LANE + UNTIL) & TIME)


@internal
def _end_term(id: uint256, alone: bool):
    """@dev A lane's term is over now, its cooldown begins, and what was not used flows back."""
    lever: Lever = self._record(self.records[id])
    state: uint256 = self.states[id]
    place: uint256 = LANE if alone else 0
    lane: uint256 = state >> place & LANE_BITS
    until: uint256 = lane >> UNTIL & TIME
    owed: uint256 = lane >> OWED & TIME
    lease: uint256 = lever.aloneLease if alone else lever.lease
    budget: uint256 = lever.aloneBudget if alone else lever.budget
    if until > block.timestamp:
        owed -= (until - block.timestamp) * 2 * WINDOW // budget
        until = block.timestamp
    self.states[id] = state & ~(LANE_BITS << place) | (block.timestamp - lease | until << UNTIL | owed << OWED) << place


@internal
def _release(id: uint256):
    assert id < self.lever_count, "no such lever"
    self._end_term(id, False)
    self._end_term(id, True)
    log Released(lever=id, alone=False)
    self._lift(id)


@internal
def _lift(id: uint256):
    """@dev Only what is ours, and nothing where the target shows it open: somebody lifted it. Never reverts."""
    state: uint256 = self.states[id]
    if state & OURS == 0:
        return
    self.states[id] = state & ~OURS
    lever: Lever = self._record(self.records[id])
    if self._shows(lever) == OPEN:
        log Lifted(lever=id, called=False)
    elif self._do(lever.target, lever.lift):
        log Lifted(lever=id, called=True)
    else:
        self.states[id] = state
        log LiftRefused(lever=id)


@internal
@view
def _shows(lever: Lever) -> uint256:
    if len(lever.probe) == 0:
        return UNKNOWN
    done: bool = False
    word: Bytes[32] = b""
    done, word = raw_call(
        lever.target, lever.probe, max_outsize=32, is_static_call=True, revert_on_failure=False
    )
    if not done or len(word) < 32:
        return UNKNOWN
    return CLOSED if extract32(word, 0, output_type=uint256) & lever.mask == lever.closed else OPEN


@internal
def _do(target: address, data: Bytes[132]) -> bool:
    """@dev The only place that calls: a listed target with listed calldata, no value, no delegation."""
    if safe == empty(address):
        return raw_call(target, data, max_outsize=0, revert_on_failure=False)
    done: bool = False
    word: Bytes[32] = b""
    done, word = raw_call(
        safe,
        abi_encode(
            target,
            empty(uint256),
            data,
            empty(uint256),
            method_id=method_id("execTransactionFromModule(address,uint256,bytes,uint8)"),
        ),
        max_outsize=32,
        revert_on_failure=False,
    )
    return done and len(word) == 32 and extract32(word, 0, output_type=uint256) == 1
