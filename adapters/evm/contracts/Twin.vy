# pragma version 0.4.3
"""
@title Far end of a bridge: the twin asset, minted for locks at home, burned to go home
@notice `burn_out` is a message home and leaves its record under its nonce for ever; `burn` is only a burn
        (supply then differs from backing, and nothing is wrong).
"""
from ethereum.ercs import IERC20

implements: IERC20

event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    value: uint256

event Approval:
    owner: indexed(address)
    spender: indexed(address)
    value: uint256

event BurnedOut:
    nonce: indexed(uint256)
    sender: indexed(address)
    recipient: indexed(address)
    amount: uint256

event Minted:
    nonce: indexed(uint256)
    recipient: indexed(address)
    amount: uint256

name: public(String[32])
symbol: public(String[16])
decimals: public(constant(uint8)) = 18
totalSupply: public(uint256)
balanceOf: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])
owner: public(address)
endpoint: public(address)
burn_count: public(uint256)
burned_total: public(uint256)
minted_total: public(uint256)
burned: public(HashMap[uint256, uint256])
burned_to: public(HashMap[uint256, address])
minted_amount: public(HashMap[uint256, uint256])


@deploy
def __init__(name: String[32], symbol: String[16], endpoint: address):
    self.name = name
    self.symbol = symbol
    self.owner = msg.sender
    self.endpoint = endpoint


@external
def set_endpoint(endpoint: address):
    assert msg.sender == self.owner, "not owner"
    self.endpoint = endpoint


@internal
def _move(sender: address, receiver: address, amount: uint256):
    assert receiver != empty(address), "zero address"
    assert self.balanceOf[sender] >= amount, "balance"
    self.balanceOf[sender] -= amount
    self.balanceOf[receiver] += amount
    log Transfer(sender=sender, receiver=receiver, value=amount)


@internal
def _burn(sender: address, amount: uint256):
    assert amount > 0, "zero amount"
    assert self.balanceOf[sender] >= amount, "balance"
    self.balanceOf[sender] -= amount
    self.totalSupply -= amount
    log Transfer(sender=sender, receiver=empty(address), value=amount)


@external
def transfer(receiver: address, amount: uint256) -> bool:
    self._move(msg.sender, receiver, amount)
    return True


@external
def transferFrom(sender: address, receiver: address, amount: uint256) -> bool:
    allowed: uint256 = self.allowance[sender][msg.sender]
    assert allowed >= amount, "allowance"
    if allowed != max_value(uint256):
        self.allowance[sender][msg.sender] = allowed - amount
    self._move(sender, receiver, amount)
    return True


@external
def approve(spender: address, amount: uint256) -> bool:
    self.allowance[msg.sender][spender] = amount
    log Approval(owner=msg.sender, spender=spender, value=amount)
    return True


@external
def burn(amount: uint256):
    self._burn(msg.sender, amount)


@external
def burn_out(amount: uint256, home_recipient: address) -> uint256:
    """@notice Burn here to have it released at home. Returns the message's nonce, counted from 1."""
    self._burn(msg.sender, amount)
    nonce: uint256 = self.burn_count + 1
    self.burn_count = nonce
    self.burned_total += amount
    self.burned[nonce] = amount
    self.burned_to[nonce] = home_recipient
    log BurnedOut(nonce=nonce, sender=msg.sender, recipient=home_recipient, amount=amount)
    return nonce


@external
def deliver(nonce: uint256, recipient: address, amount: uint256):
    """@notice Mint for home's lock `nonce`; never twice."""
    assert msg.sender == self.endpoint, "not endpoint"
    assert amount > 0, "zero amount"
    assert recipient != empty(address), "zero address"
    assert self.minted_amount[nonce] == 0, "nonce used"
    self.minted_amount[nonce] = amount
    self.minted_total += amount
    self.totalSupply += amount
    self.balanceOf[recipient] += amount
    log Transfer(sender=empty(address), receiver=recipient, value=amount)
    log Minted(nonce=nonce, recipient=recipient, amount=amount)
