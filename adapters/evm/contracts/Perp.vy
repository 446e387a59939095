# pragma version 0.4.3
"""
@title A perpetuals venue: margin, one pool as the counterparty, one index source per market
@notice Profit and loss settle at the index price from the venue's pool, so whoever moves the index takes
        money out: that is the flaw. An asset may count as margin too, valued at its market's index price.
        No funding and no liquidation.
        `reduce only` blocks opening and leaves closing free. A raised margin asks more of opening and of
        taking margin out under an open position (else one could open and then thin out); closing is free.
        `halt` blocks opening and closing: the only lever here that stops a moved index, and it blocks exits.
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

interface IndexSource:
    def price() -> uint256: view

event MarginMoved:
    user: indexed(address)
    asset: indexed(address)
    deposited: bool
    amount: uint256

event Opened:
    user: indexed(address)
    market: indexed(address)
    size: int256
    price_e18: uint256

event Closed:
    user: indexed(address)
    market: indexed(address)
    size: uint256
    price_e18: uint256
    pnl: int256

struct Market:
    index_source: address
    initial_margin_bps: uint256

struct Position:
    size: int256  # index asset, 18 decimals; negative is short
    entry_e18: uint256  # mean entry price, in the margin asset

REDUCE_ONLY: constant(bytes32) = 0x7265647563655f6f6e6c79000000000000000000000000000000000000000000
MARGIN: constant(bytes32) = 0x6d617267696e0000000000000000000000000000000000000000000000000000
HALT: constant(bytes32) = 0x68616c7400000000000000000000000000000000000000000000000000000000
E18: constant(uint256) = 10**18
BPS: constant(uint256) = 10_000
MAX_SIZE: constant(uint256) = 10**36

margin_asset: public(immutable(address))
collateral_asset: public(immutable(address))
collateral_bps: public(immutable(uint256))
markets: public(DynArray[address, 4])
market_of: public(HashMap[address, Market])
margin_of: public(HashMap[address, int256])  # below zero: a loss that the margin did not cover
collateral_margin_of: public(HashMap[address, uint256])
positions: HashMap[address, HashMap[address, Position]]
open_interest: public(HashMap[address, uint256])
pool: public(uint256)


@deploy
def __init__(margin: address, collateral: address, counted_bps: uint256, guardian: address):
    """@param counted_bps how much of the collateral asset's index value counts as margin"""
    assert counted_bps < BPS and margin != collateral, "bad collateral"
    restrictions.__init__(guardian)
    margin_asset = margin
    collateral_asset = collateral
    collateral_bps = counted_bps


@external
def add_market(market: address, index_source: address, initial_margin_bps: uint256):
    """@param market the index asset's address, which names the market"""
    restrictions._only_owner()
    assert self.market_of[market].index_source == empty(address), "market exists"
    assert index_source != empty(address) and initial_margin_bps > 0, "bad market"
    self.markets.append(market)
    self.market_of[market] = Market(index_source=index_source, initial_margin_bps=initial_margin_bps)


@internal
@view
def _price(market: address) -> uint256:
    source: address = self.market_of[market].index_source
    assert source != empty(address), "unknown market"
    return staticcall IndexSource(source).price()


@internal
@view
def _pnl(position: Position, size: uint256, price: uint256) -> int256:
    moved: int256 = convert(price, int256) - convert(position.entry_e18, int256)
    signed: int256 = convert(size, int256) if position.size > 0 else -convert(size, int256)
    return signed * moved // convert(E18, int256)


@internal
@view
def _margin_bps(market: address) -> uint256:
    bps: uint256 = self.market_of[market].initial_margin_bps
    for by_human: bool in [False, True]:
        limit: uint256 = 0
        end: uint256 = 0
        limit, end = restrictions._limit(MARGIN, market, by_human)
        if block.timestamp < end:
            bps = max(bps, limit)
    return bps


@internal
@view
def _free(user: address) -> int256:
    """@dev Equity less initial margin of what is open, at index prices, in the margin asset."""
    free: int256 = self.margin_of[user]
    if self.collateral_margin_of[user] > 0:
        value: uint256 = self.collateral_margin_of[user] * self._price(collateral_asset) // E18
        free += convert(value * collateral_bps // BPS, int256)
    for market: address in self.markets:
        position: Position = self.positions[user][market]
        if position.size != 0:
            price: uint256 = self._price(market)
            size: uint256 = convert(abs(position.size), uint256)
            free += self._pnl(position, size, price)
            free -= convert(size * price // E18 * self._margin_bps(market) // BPS, int256)
    return free


@internal
def _credit(user: address, amount: uint256):
    """@dev What a user owes from uncovered losses goes to the pool first."""
    owed: uint256 = convert(max(0, -self.margin_of[user]), uint256)
    self.pool += min(owed, amount)
    self.margin_of[user] += convert(amount, int256)


@external
def fund_pool(amount: uint256):
    """@notice A donation to the counterparty pool."""
    self.pool += amount
    assert extcall IERC20(margin_asset).transferFrom(msg.sender, self, amount), "transfer"


@external
def deposit_margin(amount: uint256):
    assert amount > 0 and amount <= MAX_SIZE, "bad amount"
    self._credit(msg.sender, amount)
    log MarginMoved(user=msg.sender, asset=margin_asset, deposited=True, amount=amount)
    assert extcall IERC20(margin_asset).transferFrom(msg.sender, self, amount), "transfer"


@external
def withdraw_margin(amount: uint256):
    assert amount > 0 and amount <= MAX_SIZE, "bad amount"
    assert self.margin_of[msg.sender] >= convert(amount, int256), "balance"
    self.margin_of[msg.sender] -= convert(amount, int256)
    assert self._free(msg.sender) >= 0, "margin"
    log MarginMoved(user=msg.sender, asset=margin_asset, deposited=False, amount=amount)
    assert extcall IERC20(margin_asset).transfer(msg.sender, amount), "transfer"


@external
def deposit_collateral_margin(amount: uint256):
    assert amount > 0 and amount <= MAX_SIZE, "bad amount"
    self.collateral_margin_of[msg.sender] += amount
    log MarginMoved(user=msg.sender, asset=collateral_asset, deposited=True, amount=amount)
    assert extcall IERC20(collateral_asset).transferFrom(msg.sender, self, amount), "transfer"


@external
def withdraw_collateral_margin(amount: uint256):
    assert amount > 0 and self.collateral_margin_of[msg.sender] >= amount, "balance"
    self.collateral_margin_of[msg.sender] -= amount
    assert self._free(msg.sender) >= 0, "margin"
    log MarginMoved(user=msg.sender, asset=collateral_asset, deposited=False, amount=amount)
    assert extcall IERC20(collateral_asset).transfer(msg.sender, amount), "transfer"


@external
def open(market: address, size: int256):
    """@notice Adds to a position, or starts one; turning one round goes through `close`."""
    assert not restrictions._active(HALT, market), "halted"
    assert not restrictions._active(REDUCE_ONLY, market), "reduce only"
    held: Position = self.positions[msg.sender][market]
    assert size != 0 and (held.size == 0 or (held.size > 0) == (size > 0)), "use close"
    price: uint256 = self._price(market)
    # the bound goes first: abs() of the least int256 reverts without a reason
    assert size <= convert(MAX_SIZE, int256) and size >= -convert(MAX_SIZE, int256), "bad amount"
    added: uint256 = convert(abs(size), uint256)
    before: uint256 = convert(abs(held.size), uint256)
    entry: uint256 = (before * held.entry_e18 + added * price) // (before + added)
    self.positions[msg.sender][market] = Position(size=held.size + size, entry_e18=entry)
    self.open_interest[market] += added
    assert self._free(msg.sender) >= 0, "margin"
    log Opened(user=msg.sender, market=market, size=size, price_e18=price)


@external
def close(market: address, size: uint256):
    """@notice Closes up to `size` of the position. Profit is paid as far as the pool reaches."""
    assert not restrictions._active(HALT, market), "halted"
    held: Position = self.positions[msg.sender][market]
    closed: uint256 = min(size, convert(abs(held.size), uint256))
    assert closed > 0, "no position"
    price: uint256 = self._price(market)
    pnl: int256 = self._pnl(held, closed, price)
    rest: int256 = held.size - (convert(closed, int256) if held.size > 0 else -convert(closed, int256))
    self.positions[msg.sender][market] = Position(size=rest, entry_e18=held.entry_e18 if rest != 0 else 0)
    self.open_interest[market] -= closed
    if pnl >= 0:
        paid: uint256 = min(convert(pnl, uint256), self.pool)
        self.pool -= paid
        pnl = convert(paid, int256)
        self._credit(msg.sender, paid)
    else:
        covered: int256 = min(-pnl, max(self.margin_of[msg.sender], 0))
        self.pool += convert(covered, uint256)
        self.margin_of[msg.sender] += pnl
    log Closed(user=msg.sender, market=market, size=closed, price_e18=price, pnl=pnl)


@external
def set_reduce_only(market: address, until: uint256, by_human: bool, action_key: bytes32):
    restrictions._restrict(REDUCE_ONLY, market, until, by_human, action_key)


@external
def set_initial_margin_bps(market: address, bps: uint256, until: uint256, by_human: bool, action_key: bytes32):
    """@notice Only upward: a request below what is in force changes at most the end, never the level."""
    assert bps >= self.market_of[market].initial_margin_bps and bps <= 100 * BPS, "only upward"
    restrictions._restrict(MARGIN, market, until, by_human, action_key, bps, False)


@external
def halt(market: address, until: uint256, by_human: bool, action_key: bytes32):
    restrictions._restrict(HALT, market, until, by_human, action_key)


@external
def lift_reduce_only(market: address, by_human: bool, action_key: bytes32):
    restrictions._lift(REDUCE_ONLY, market, by_human, action_key)


@external
def lift_initial_margin(market: address, by_human: bool, action_key: bytes32):
    restrictions._lift(MARGIN, market, by_human, action_key)


@external
def lift_halt(market: address, by_human: bool, action_key: bytes32):
    restrictions._lift(HALT, market, by_human, action_key)


@external
@view
def reduce_only_until(market: address, by_human: bool) -> uint256:
    return restrictions._until(REDUCE_ONLY, market, by_human)


@external
@view
def initial_margin_of(market: address, by_human: bool) -> (uint256, uint256):
    """@notice One slot as written: (bps, until), until in the past or 0 when it does not bind."""
    return restrictions._limit(MARGIN, market, by_human)


@external
@view
def halted_until(market: address, by_human: bool) -> uint256:
    return restrictions._until(HALT, market, by_human)


@external
@view
def is_reduce_only(market: address) -> bool:
    return restrictions._active(REDUCE_ONLY, market)


@external
@view
def is_halted(market: address) -> bool:
    return restrictions._active(HALT, market)


@external
@view
def effective_margin_bps(market: address) -> uint256:
    return self._margin_bps(market)


@external
@view
def index_price(market: address) -> uint256:
    return self._price(market)


@external
@view
def position_of(user: address, market: address) -> (int256, uint256):
    """@notice (size, mean entry price); negative size is short."""
    position: Position = self.positions[user][market]
    return position.size, position.entry_e18


@external
@view
def free_margin(user: address) -> int256:
    return self._free(user)
