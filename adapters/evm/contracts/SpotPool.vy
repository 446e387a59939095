# pragma version 0.4.3
"""
@title Constant product pool of an asset (base) against a quote
@notice Its spot price moves with every swap: whoever reads it as an index can be lied to for one swap's cost.
"""
from ethereum.ercs import IERC20

event Swapped:
    sender: indexed(address)
    base_in: bool
    amount_in: uint256
    amount_out: uint256
    price_e18: uint256

event LiquidityAdded:
    sender: indexed(address)
    base_amount: uint256
    quote_amount: uint256

FEE_BPS: public(constant(uint256)) = 30

owner: public(address)
base: public(immutable(address))
quote: public(immutable(address))
base_reserve: public(uint256)
quote_reserve: public(uint256)
updated_at: public(uint256)


@deploy
def __init__(base_asset: address, quote_asset: address):
    assert base_asset != quote_asset, "same asset"
    self.owner = msg.sender
    base = base_asset
    quote = quote_asset


@internal
@view
def _price() -> uint256:
    assert self.base_reserve > 0, "empty pool"
    return self.quote_reserve * 10**18 // self.base_reserve


@external
@view
def spot_price_e18() -> uint256:
    return self._price()


@external
@view
def price() -> uint256:
    """@notice The same under the name that an index source has."""
    return self._price()


@external
def add_liquidity(base_amount: uint256, quote_amount: uint256):
    """@notice A donation to the pool: there are no shares, only the owner adds and removes."""
    assert msg.sender == self.owner, "not owner"
    self.base_reserve += base_amount
    self.quote_reserve += quote_amount
    self.updated_at = block.timestamp
    log LiquidityAdded(sender=msg.sender, base_amount=base_amount, quote_amount=quote_amount)
    assert extcall IERC20(base).transferFrom(msg.sender, self, base_amount), "transfer"
    assert extcall IERC20(quote).transferFrom(msg.sender, self, quote_amount), "transfer"


@external
def remove_liquidity(base_amount: uint256, quote_amount: uint256):
    assert msg.sender == self.owner, "not owner"
    assert base_amount <= self.base_reserve and quote_amount <= self.quote_reserve, "balance"
    self.base_reserve -= base_amount
    self.quote_reserve -= quote_amount
    assert extcall IERC20(base).transfer(msg.sender, base_amount), "transfer"
    assert extcall IERC20(quote).transfer(msg.sender, quote_amount), "transfer"


@external
def swap(token_in: address, amount_in: uint256, min_out: uint256) -> uint256:
    assert token_in == base or token_in == quote, "unknown asset"
    assert amount_in > 0, "zero amount"
    base_in: bool = token_in == base
    reserve_in: uint256 = self.base_reserve if base_in else self.quote_reserve
    reserve_out: uint256 = self.quote_reserve if base_in else self.base_reserve
    token_out: address = quote if base_in else base
    after_fee: uint256 = amount_in * (10_000 - FEE_BPS) // 10_000
    amount_out: uint256 = reserve_out * after_fee // (reserve_in + after_fee)
    assert amount_out > 0 and amount_out >= min_out, "slippage"
    if base_in:
        self.base_reserve += amount_in
        self.quote_reserve -= amount_out
    else:
        self.quote_reserve += amount_in
        self.base_reserve -= amount_out
    self.updated_at = block.timestamp
    log Swapped(
        sender=msg.sender, base_in=base_in, amount_in=amount_in, amount_out=amount_out, price_e18=self._price()
    )
    assert extcall IERC20(token_in).transferFrom(msg.sender, self, amount_in), "transfer"
    assert extcall IERC20(token_out).transfer(msg.sender, amount_out), "transfer"
    return amount_out
