# pragma version 0.4.3
"""
@title A price pushed by one feeder
"""
event Pushed:
    round: indexed(uint256)
    price: uint256
    at: uint256

owner: public(address)
feeder: public(address)
price: public(uint256)  # 18 decimals
updated_at: public(uint256)
round: public(uint256)


@deploy
def __init__(feeder: address, price_e18: uint256):
    self.owner = msg.sender
    self.feeder = feeder
    self._push(price_e18)


@internal
def _push(price_e18: uint256):
    assert price_e18 > 0, "zero price"
    self.round += 1
    self.price = price_e18
    self.updated_at = block.timestamp
    log Pushed(round=self.round, price=price_e18, at=block.timestamp)


@external
def push(price_e18: uint256):
    assert msg.sender == self.feeder, "not feeder"
    self._push(price_e18)


@external
def set_feeder(feeder: address):
    assert msg.sender == self.owner, "not owner"
    self.feeder = feeder
