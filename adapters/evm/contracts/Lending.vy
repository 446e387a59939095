# pragma version 0.4.3
"""
@title A lending market: one loan asset, several collateral assets
@notice No interest and no liquidation: what the stories measure is who can borrow against what, and when.
        Levers keep to the way of Aave v3.0, because names lie there too: a frozen, even a paused,
        collateral still backs new borrowing; only LTV zero stops that.
        While an asset has LTV zero, another collateral leaves only if the rest, counted at effective LTVs,
        still covers the debt (else clean collateral could be swapped for the contaminated one); the asset
        itself leaves under its own LTV, as if nothing had been set.
        Repaying is never blocked. Withdrawing is blocked by `pause` alone.
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

event CollateralSupplied:
    user: indexed(address)
    asset: indexed(address)
    amount: uint256

event CollateralWithdrawn:
    user: indexed(address)
    asset: indexed(address)
    amount: uint256

event Provided:
    user: indexed(address)
    amount: uint256

event Withdrawn:
    user: indexed(address)
    amount: uint256

event Borrowed:
    user: indexed(address)
    amount: uint256

event Repaid:
    payer: indexed(address)
    user: indexed(address)
    amount: uint256

struct Collateral:
    price_e18: uint256  # in units of the loan asset
    ltv_bps: uint256

LTV_ZERO: constant(bytes32) = 0x6c74765f7a65726f000000000000000000000000000000000000000000000000
FREEZE: constant(bytes32) = 0x667265657a650000000000000000000000000000000000000000000000000000
PAUSE: constant(bytes32) = 0x7061757365000000000000000000000000000000000000000000000000000000
BORROW_CAP: constant(bytes32) = 0x626f72726f775f63617000000000000000000000000000000000000000000000
E18: constant(uint256) = 10**18
BPS: constant(uint256) = 10_000

loan_asset: public(immutable(address))
oracle_role: public(address)
assets: public(DynArray[address, 8])
collateral: public(HashMap[address, Collateral])
collateral_of: public(HashMap[address, HashMap[address, uint256]])
total_collateral: public(HashMap[address, uint256])
debt_of: public(HashMap[address, uint256])
provided_of: public(HashMap[address, uint256])
total_provided: public(uint256)
total_borrowed: public(uint256)


@deploy
def __init__(loan: address, oracle_role: address, guardian: address):
    restrictions.__init__(guardian)
    loan_asset = loan
    self.oracle_role = oracle_role


@external
def add_collateral(asset: address, price_e18: uint256, ltv_bps: uint256):
    restrictions._only_owner()
    assert self.collateral[asset].price_e18 == 0 and price_e18 > 0 and ltv_bps < BPS, "bad collateral"
    assert asset != loan_asset, "bad collateral"
    self.assets.append(asset)
    self.collateral[asset] = Collateral(price_e18=price_e18, ltv_bps=ltv_bps)


@external
def set_price(asset: address, price_e18: uint256):
    assert msg.sender == self.oracle_role, "not oracle"
    assert self.collateral[asset].price_e18 > 0 and price_e18 > 0, "bad collateral"
    self.collateral[asset].price_e18 = price_e18


@internal
@view
def _ltv(asset: address) -> uint256:
    return 0 if restrictions._active(LTV_ZERO, asset) else self.collateral[asset].ltv_bps


@internal
@view
def _power(user: address, effective: bool) -> uint256:
    """@dev Loan asset that the user's collateral backs: at effective LTVs, or at those without levers."""
    power: uint256 = 0
    for asset: address in self.assets:
        amount: uint256 = self.collateral_of[user][asset]
        if amount > 0:
            ltv: uint256 = self._ltv(asset) if effective else self.collateral[asset].ltv_bps
            power += amount * self.collateral[asset].price_e18 // E18 * ltv // BPS
    return power


@external
def supply_collateral(asset: address, amount: uint256):
    assert self.collateral[asset].price_e18 > 0, "bad collateral"
    assert amount > 0, "zero amount"
    assert not restrictions._active(PAUSE, asset), "paused"
    assert not restrictions._active(FREEZE, asset), "frozen"
    self.collateral_of[msg.sender][asset] += amount
    self.total_collateral[asset] += amount
    log CollateralSupplied(user=msg.sender, asset=asset, amount=amount)
    assert extcall IERC20(asset).transferFrom(msg.sender, self, amount), "transfer"


@external
def withdraw_collateral(asset: address, amount: uint256):
    assert not restrictions._active(PAUSE, asset), "paused"
    assert amount > 0 and self.collateral_of[msg.sender][asset] >= amount, "balance"
    self.collateral_of[msg.sender][asset] -= amount
    self.total_collateral[asset] -= amount
    if self.debt_of[msg.sender] > 0:
        effective: bool = not restrictions._active(LTV_ZERO, asset)
        assert self._power(msg.sender, effective) >= self.debt_of[msg.sender], "ltv"
    log CollateralWithdrawn(user=msg.sender, asset=asset, amount=amount)
    assert extcall IERC20(asset).transfer(msg.sender, amount), "transfer"


@external
def provide(amount: uint256):
    assert amount > 0, "zero amount"
    assert not restrictions._active(PAUSE, loan_asset), "paused"
    assert not restrictions._active(FREEZE, loan_asset), "frozen"
    self.provided_of[msg.sender] += amount
    self.total_provided += amount
    log Provided(user=msg.sender, amount=amount)
    assert extcall IERC20(loan_asset).transferFrom(msg.sender, self, amount), "transfer"


@external
def withdraw(amount: uint256):
    assert not restrictions._active(PAUSE, loan_asset), "paused"
    assert amount > 0 and self.provided_of[msg.sender] >= amount, "balance"
    assert amount <= self.total_provided - self.total_borrowed, "no liquidity"
    self.provided_of[msg.sender] -= amount
    self.total_provided -= amount
    log Withdrawn(user=msg.sender, amount=amount)
    assert extcall IERC20(loan_asset).transfer(msg.sender, amount), "transfer"


@external
def borrow(amount: uint256):
    assert amount > 0, "zero amount"
    assert not restrictions._active(PAUSE, loan_asset), "paused"
    assert not restrictions._active(FREEZE, loan_asset), "frozen"
    assert self._power(msg.sender, True) >= self.debt_of[msg.sender] + amount, "ltv"
    assert amount <= self.total_provided - self.total_borrowed, "no liquidity"
    cap: uint256 = 0
    until: uint256 = 0
    cap, until = self._cap()
    assert self.total_borrowed + amount <= cap, "cap"
    self.debt_of[msg.sender] += amount
    self.total_borrowed += amount
    log Borrowed(user=msg.sender, amount=amount)
    assert extcall IERC20(loan_asset).transfer(msg.sender, amount), "transfer"


@external
def repay(amount: uint256, on_behalf: address):
    """@notice Anyone repays for anyone, at most the debt; no lever blocks it."""
    paid: uint256 = min(amount, self.debt_of[on_behalf])
    assert paid > 0, "no debt"
    self.debt_of[on_behalf] -= paid
    self.total_borrowed -= paid
    log Repaid(payer=msg.sender, user=on_behalf, amount=paid)
    assert extcall IERC20(loan_asset).transferFrom(msg.sender, self, paid), "transfer"


@external
def set_ltv_zero(asset: address, until: uint256, by_human: bool, action_key: bytes32):
    restrictions._restrict(LTV_ZERO, asset, until, by_human, action_key)


@external
def freeze(asset: address, until: uint256, by_human: bool, action_key: bytes32):
    restrictions._restrict(FREEZE, asset, until, by_human, action_key)


@external
def pause(asset: address, until: uint256, by_human: bool, action_key: bytes32):
    restrictions._restrict(PAUSE, asset, until, by_human, action_key)


@external
def set_borrow_cap(cap: uint256, until: uint256, by_human: bool, action_key: bytes32):
    restrictions._restrict(BORROW_CAP, loan_asset, until, by_human, action_key, cap, True)


@external
def lift_ltv_zero(asset: address, by_human: bool, action_key: bytes32):
    restrictions._lift(LTV_ZERO, asset, by_human, action_key)


@external
def lift_freeze(asset: address, by_human: bool, action_key: bytes32):
    restrictions._lift(FREEZE, asset, by_human, action_key)


@external
def lift_pause(asset: address, by_human: bool, action_key: bytes32):
    restrictions._lift(PAUSE, asset, by_human, action_key)


@external
def lift_borrow_cap(by_human: bool, action_key: bytes32):
    restrictions._lift(BORROW_CAP, loan_asset, by_human, action_key)


@internal
@view
def _cap() -> (uint256, uint256):
    cap: uint256 = max_value(uint256)
    until: uint256 = 0
    for by_human: bool in [False, True]:
        limit: uint256 = 0
        end: uint256 = 0
        limit, end = restrictions._limit(BORROW_CAP, loan_asset, by_human)
        if block.timestamp < end and limit < cap:
            cap = limit
            until = end
    return cap, until


@external
@view
def borrow_cap() -> (uint256, uint256):
    """@notice The tightest cap in force and its end; (max uint256, 0) when none is."""
    return self._cap()


@external
@view
def borrow_cap_of(by_human: bool) -> (uint256, uint256):
    """@notice One slot as written: (cap, until), until in the past or 0 when it does not bind."""
    return restrictions._limit(BORROW_CAP, loan_asset, by_human)


@external
@view
def ltv_zero_until(asset: address, by_human: bool) -> uint256:
    return restrictions._until(LTV_ZERO, asset, by_human)


@external
@view
def frozen_until(asset: address, by_human: bool) -> uint256:
    return restrictions._until(FREEZE, asset, by_human)


@external
@view
def paused_until(asset: address, by_human: bool) -> uint256:
    return restrictions._until(PAUSE, asset, by_human)


@external
@view
def effective_ltv_bps(asset: address) -> uint256:
    return self._ltv(asset)


@external
@view
def is_frozen(asset: address) -> bool:
    return restrictions._active(FREEZE, asset)


@external
@view
def is_paused(asset: address) -> bool:
    return restrictions._active(PAUSE, asset)


@external
@view
def borrow_power(user: address) -> uint256:
    """@notice All that the user's collateral backs at effective LTVs, before subtracting debt."""
    return self._power(user, True)


@external
@view
def available() -> uint256:
    return self.total_provided - self.total_borrowed


@external
@view
def utilisation_bps() -> uint256:
    """@notice Borrowed ÷ provided; 0 when nothing is provided."""
    if self.total_provided == 0:
        return 0
    return self.total_borrowed * BPS // self.total_provided
