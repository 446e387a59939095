# pragma version 0.4.3
"""
@title Restrictions that only restrict, expire by themselves and are counted from outside
@notice A module: every contract with levers uses it, so the rules cannot differ between them.
        - A setter starts, extends or tightens; it never shortens or loosens. A repeat that changes
          nothing succeeds without an event: a retry after a crash costs gas and no second effect.
        - Automatic and human restrictions lie in separate slots; lifting one leaves the other.
        - A restriction reads as lifted when block.timestamp >= until, whether or not anybody says so.
        - No lease is longer than MAX_LEASE: a stolen guardian key cannot close anything for ever.
"""

event Restricted:
    what: indexed(bytes32)  # left-aligned ASCII: "pause", "freeze", "ltv_zero", ...
    asset: indexed(address)
    until: uint256
    by_human: bool
    action_key: indexed(bytes32)

event Lifted:
    what: indexed(bytes32)
    asset: indexed(address)
    by_human: bool
    action_key: indexed(bytes32)

MAX_LEASE: public(constant(uint256)) = 30 * 86400

owner: public(address)
guardians: public(HashMap[address, bool])
untils: HashMap[bytes32, HashMap[address, HashMap[bool, uint256]]]
values: HashMap[bytes32, HashMap[address, HashMap[bool, uint256]]]


@deploy
def __init__(guardian: address):
    self.owner = msg.sender
    self.guardians[guardian] = True


@internal
@view
def _only_owner():
    assert msg.sender == self.owner, "not owner"


@external
def set_guardian(guardian: address, allowed: bool):
    """@notice Changing who may restrict never lifts what stands."""
    self._only_owner()
    self.guardians[guardian] = allowed


@internal
def _restrict(
    what: bytes32,
    asset: address,
    until: uint256,
    by_human: bool,
    action_key: bytes32,
    limit: uint256 = 0,
    lower_is_tighter: bool = True,
):
    """
    @dev Two overlapping requests merge to the tighter limit and the later end: each of them is covered
         in full, and neither can be used to loosen the other.
    """
    assert self.guardians[msg.sender] or msg.sender == self.owner, "not guardian"
    current: uint256 = self.untils[what][asset][by_human]
    old: uint256 = self.values[what][asset][by_human]
    tightest: uint256 = limit
    if block.timestamp < current:
        tightest = min(old, limit) if lower_is_tighter else max(old, limit)
    latest: uint256 = max(current, until)
    if latest == current and tightest == old:
        return
    assert until > block.timestamp, "expired"
    assert until <= block.timestamp + MAX_LEASE, "lease too long"
    self.untils[what][asset][by_human] = latest
    self.values[what][asset][by_human] = tightest
    log Restricted(what=what, asset=asset, until=latest, by_human=by_human, action_key=action_key)


@internal
def _lift(what: bytes32, asset: address, by_human: bool, action_key: bytes32):
    """@dev Lifting what does not stand (never set, lapsed, lifted) succeeds without an event."""
    assert self.guardians[msg.sender] or msg.sender == self.owner, "not guardian"
    if block.timestamp >= self.untils[what][asset][by_human]:
        return
    self.untils[what][asset][by_human] = 0
    self.values[what][asset][by_human] = 0
    log Lifted(what=what, asset=asset, by_human=by_human, action_key=action_key)


@internal
@view
def _until(what: bytes32, asset: address, by_human: bool) -> uint256:
    return self.untils[what][asset][by_human]


@internal
@view
def _latest(what: bytes32, asset: address) -> uint256:
    return max(self.untils[what][asset][False], self.untils[what][asset][True])


@internal
@view
def _active(what: bytes32, asset: address) -> bool:
    return block.timestamp < self._latest(what, asset)


@internal
@view
def _limit(what: bytes32, asset: address, by_human: bool) -> (uint256, uint256):
    """@dev (limit, until) of one slot; until is in the past or zero when it does not bind."""
    return self.values[what][asset][by_human], self.untils[what][asset][by_human]
