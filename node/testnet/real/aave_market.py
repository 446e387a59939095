"""A lender's own market of Aave v3.0, planned into a world's transactions from the artifacts that Aave published.

Each market has its own addresses provider, roles, pool, oracle and rates. Libraries, which keep no state, are shared.
Every address is known before anything is sent: a proxy's from the provider that creates it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from adapters.evm.abi import Abi, created_address
from node.testnet.real.packages import AAVE, artifact, linked
from node.testnet.scenario import Thing
from node.testnet.world import CROWD, DEPLOYER, UNIT, units

if TYPE_CHECKING:
    from node.testnet.world_build import Site

BPS = 10_000
NOBODY = bytes(20)
GAS = 12_000_000
VARIABLE = 2
"""Aave's number for a loan at a variable rate."""
LIBRARIES = (
    "BorrowLogic",
    "FlashLoanLogic",
    "SupplyLogic",
    "LiquidationLogic",
    "EModeLogic",
    "BridgeLogic",
    "PoolLogic",
    "ConfiguratorLogic",
    "PoolConfigurator",
)
"""In the order in which one links the other; the last one keeps nothing of its own where it stands behind a proxy."""
LOAN_CAP = 10_000_000
"""The loan's borrow cap in whole tokens: above all that a story lends."""
ABOVE_LTV_BPS, BONUS_BPS = 100, 10_300
"""A liquidation threshold above the LTV, and what a liquidator gets: Aave asks that both together stay below all."""


class AaveMarket:
    """Plans one market of a site; nothing here waits."""

    def __init__(self, site: Site, thing: Thing, libraries: dict[str, bytes]) -> None:
        self.site, self.thing, self.libraries = site, thing, libraries
        self.loan: str = thing.params["loan"]
        self.provider = self._make("PoolAddressesProvider", thing.name, self._owner)
        # a contract counts the contracts that it creates from one
        self.pool, self.configurator = (created_address(self.provider, number) for number in (1, 2))
        self.acl = self.data = b""

    @property
    def _owner(self) -> bytes:
        return self.site.signers[DEPLOYER].address

    def _make(self, contract: str, *args: Any) -> bytes:
        found = artifact(AAVE, contract)
        code = linked(found, self.libraries) + Abi(found["abi"]).construct(args)
        return self.site.home.create(DEPLOYER, code, f"deploy {contract} of Aave's", GAS)

    def _do(self, who: str, at: bytes, contract: str, fn: str, *args: Any) -> bytes:
        data = Abi(artifact(AAVE, contract)["abi"]).function(fn).encode(args)
        return self.site.home.call(who, at, data, f"{who}: {fn} at {self.thing.name}", GAS)

    def _register(self, fn: str, at: bytes) -> bytes:
        self._do(DEPLOYER, self.provider, "PoolAddressesProvider", fn, at)
        return at

    def plan(self) -> dict[str, bytes]:
        """Part → address; `contract` is the Pool."""
        for library in LIBRARIES:
            if library not in self.libraries:
                self.libraries[library] = self._make(library)
        self._roles()
        self._core()
        self._reserves()
        return {
            "contract": self.pool,
            "loan": self.site.at[self.loan]["token"],
            "configurator": self.configurator,
            "data": self.data,
            "acl": self.acl,
        }

    def _roles(self) -> None:
        self._register("setACLAdmin", self._owner)
        self.acl = self._register("setACLManager", self._make("ACLManager", self.provider))
        self._do(DEPLOYER, self.acl, "ACLManager", "addPoolAdmin", self._owner)
        for guardian in self.site.guardians(self.thing.name):
            self._do(DEPLOYER, self.acl, "ACLManager", "addRiskAdmin", guardian)

    def _core(self) -> None:
        assets = (self.loan, *self.thing.params["collateral"])
        prices = [round(self.site.scenario.usd(name) * 10**8) for name in assets]
        feeds = [self._make("MockAggregator", price) for price in prices]
        tokens = [self.site.at[name]["token"] for name in assets]
        oracle = self._make("AaveOracle", self.provider, tokens, feeds, NOBODY, NOBODY, 10**8)
        self._register("setPriceOracle", oracle)
        self._register("setPoolImpl", self._make("Pool", self.provider))
        self._register("setPoolConfiguratorImpl", self.libraries["PoolConfigurator"])
        self.data = self._register("setPoolDataProvider", self._make("AaveProtocolDataProvider", self.provider))

    def _reserves(self) -> None:
        ray = 10**27
        curve = (8 * ray // 10, 0, 4 * ray // 100, 60 * ray // 100, 0, 0, 0, 0, 0)
        rates = self._make("DefaultReserveInterestRateStrategy", self.provider, *curve)
        kinds = [self._make(kind, self.pool) for kind in ("AToken", "StableDebtToken", "VariableDebtToken")]
        for name in (self.loan, *self.thing.params["collateral"]):
            words = [f"{kind} {name}" for kind in ("a", "a", "v", "v", "s", "s")]
            reserve = (*kinds, 18, rates, self.site.at[name]["token"], self._owner, NOBODY, *words, b"")
            self._configure("initReserves", [reserve])
        for name, ltv in self.thing.params["collateral"].items():
            terms = (round(ltv * BPS), round(ltv * BPS) + ABOVE_LTV_BPS, BONUS_BPS)
            self._configure("configureReserveAsCollateral", self.site.at[name]["token"], *terms)
        self._configure("setReserveBorrowing", self.site.at[self.loan]["token"], True)
        self._configure("setBorrowCap", self.site.at[self.loan]["token"], LOAN_CAP)

    def _configure(self, fn: str, *args: Any) -> None:
        self._do(DEPLOYER, self.configurator, "PoolConfigurator", fn, *args)

    def supply(self, asset: str, amount: int) -> bytes:
        """The crowd's; the transaction's hash."""
        own = self.site.signers[CROWD].address
        return self._do(CROWD, self.pool, "Pool", "supply", self.site.at[asset]["token"], amount, own, 0)

    def people(self) -> bytes:
        """Honest users lend, post collateral and owe. The transaction in which they lend."""
        params = self.thing.params
        lent = self.supply(self.loan, units(params["provided"]))
        for asset, amount in params["posted"].items():
            self.supply(asset, units(amount))
        debt = units(params["borrowed"])
        if debt:
            asset = params["against"] or next(iter(params["collateral"]))
            ltv_bps = round(params["collateral"][asset] * BPS)
            # half as much again as the debt needs: honest users keep away from the edge
            self.supply(asset, debt * UNIT // self.site.price(asset, self.loan) * 15_000 // ltv_bps)
            loan, own = self.site.at[self.loan]["token"], self.site.signers[CROWD].address
            self._do(CROWD, self.pool, "Pool", "borrow", loan, debt, VARIABLE, 0, own)
        return lent
