# pragma version 0.4.3
"""
@title Home end of a bridge: holds the asset, releases it on the endpoint's word
@notice The flaw is the design, as in April 2026: `deliver` trusts one key. Nothing here can know whether
        the message ever existed; only a look at the other chain (Twin.burned) can.
"""
from ethereum.ercs import IERC20
import restrictions

initializes: restrictions
exports: (
    restrictions.owner,
    restrictions.guardians,
    restrictions.set_guardian,
    restrictions.MAX_LEASE,
)

event Locked:
    nonce: indexed(uint256)
    sender: indexed(address)
    recipient: indexed(address)
    amount: uint256

event Released:
    nonce: indexed(uint256)
    recipient: indexed(address)
    amount: uint256

PAUSE: constant(bytes32) = 0x7061757365000000000000000000000000000000000000000000000000000000  # "pause"

token: public(immutable(address))
endpoint: public(address)
lock_count: public(uint256)
locked_total: public(uint256)
released_total: public(uint256)
locked: public(HashMap[uint256, uint256])
locked_to: public(HashMap[uint256, address])
released_amount: public(HashMap[uint256, uint256])
released_to: public(HashMap[uint256, address])


@deploy
def __init__(asset: address, endpoint: address, guardian: address):
    restrictions.__init__(guardian)
    token = asset
    self.endpoint = endpoint


@external
def set_endpoint(endpoint: address):
    restrictions._only_owner()
    self.endpoint = endpoint


@external
def lock(amount: uint256, far_recipient: address) -> uint256:
    """@notice Send `amount` to the far chain. Returns the message's nonce, counted from 1."""
    assert amount > 0, "zero amount"
    nonce: uint256 = self.lock_count + 1
    self.lock_count = nonce
    self.locked_total += amount
    self.locked[nonce] = amount
    self.locked_to[nonce] = far_recipient
    log Locked(nonce=nonce, sender=msg.sender, recipient=far_recipient, amount=amount)
    assert extcall IERC20(token).transferFrom(msg.sender, self, amount), "transfer"
    return nonce


@external
def deliver(nonce: uint256, recipient: address, amount: uint256):
    """@notice Release for the far chain's message `nonce`. Refused while paused; never twice."""
    assert msg.sender == self.endpoint, "not endpoint"
    assert not restrictions._active(PAUSE, token), "paused"
    assert amount > 0, "zero amount"
    assert self.released_amount[nonce] == 0, "nonce used"
    self.released_amount[nonce] = amount
    self.released_to[nonce] = recipient
    self.released_total += amount
    log Released(nonce=nonce, recipient=recipient, amount=amount)
    assert extcall IERC20(token).transfer(recipient, amount), "transfer"


@external
def pause_releases(until: uint256, by_human: bool, action_key: bytes32):
    restrictions._restrict(PAUSE, token, until, by_human, action_key)


@external
def lift_pause(by_human: bool, action_key: bytes32):
    restrictions._lift(PAUSE, token, by_human, action_key)


@external
@view
def releases_paused_until() -> uint256:
    """@notice The later end of the automatic and the human pause; in the past or 0 when none binds."""
    return restrictions._latest(PAUSE, token)


@external
@view
def paused_until(by_human: bool) -> uint256:
    return restrictions._until(PAUSE, token, by_human)
