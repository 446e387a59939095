# pragma version 0.4.3
"""
@title A gate that whoever may closes and opens: the plain flag of OpenZeppelin's Pausable
@notice No lease and no memory of whose a closing was: what a Guard is there for.
"""

event Paused:
    account: address

event Unpaused:
    account: address

owner: public(address)
paused: public(bool)
pausers: public(HashMap[address, bool])
passed: public(uint256)


@deploy
def __init__():
    self.owner = msg.sender


@external
def set_pauser(account: address, allowed: bool):
    assert msg.sender == self.owner, "not owner"
    self.pausers[account] = allowed


@external
def pause():
    assert self.pausers[msg.sender], "not pauser"
    assert not self.paused, "paused"
    self.paused = True
    log Paused(account=msg.sender)


@external
def unpause():
    assert self.pausers[msg.sender], "not pauser"
    assert self.paused, "not paused"
    self.paused = False
    log Unpaused(account=msg.sender)


@external
def go_through():
    """@notice What a pause closes."""
    assert not self.paused, "paused"
    self.passed += 1
