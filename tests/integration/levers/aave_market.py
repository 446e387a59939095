"""A market of Aave v3.0 with two reserves, built on a running chain from the artifacts that Aave published.

    from node.testnet.chain_process import start_chain
    chain = start_chain("embedded", 1, FUNDED)
    market = build(chain.url)

`market` has the addresses of all contracts and the keys of all people. About 45 transactions, some seconds. It needs
`make levers`; `packages.missing(AAVE)` says so for a skip."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from adapters.evm.abi import Abi
from adapters.evm.account import Account
from tests.integration.levers.packages import AAVE, artifact, linked
from tests.integration.levers.rpc import Done, People

E18 = 10**18
NOBODY = bytes(20)
ROLES = ("owner", "pool_admin", "emergency_admin", "risk_admin", "lender", "honest", "attacker")
KEYS: dict[str, bytes] = {role: bytes([0x60 + index]) * 32 for index, role in enumerate(ROLES)}
"""Private keys. `owner` owns the addresses provider and may grant roles; each admin has its one role and no other."""
FUNDED = {"0x" + Account(key).address.hex(): 10**24 for key in KEYS.values()}
"""For a chain's genesis: 0x address → wei."""
LTV, THRESHOLD, BONUS = 7_500, 8_000, 10_500
"""Of both reserves, in basis points."""
LOAN_CAP = 900_000
"""The loan reserve's borrow cap at first, in whole tokens."""
PRICES = {"collateral": 2_000 * 10**8, "loan": 10**8}
"""USD with 8 decimals, the unit of Aave's oracle."""
LENT, POSTED, BORROWED = 1_000_000 * E18, 100 * E18, 10_000 * E18
"""The lender's supply of the loan token; honest user's and attacker's collateral each; the honest user's loan."""
VARIABLE = 2
POOL_LIBRARIES = ("SupplyLogic", "LiquidationLogic", "EModeLogic", "BridgeLogic", "PoolLogic")


@dataclass(frozen=True)
class Market:
    url: str
    chain_id: int
    keys: dict[str, bytes]
    provider: bytes
    pool: bytes
    configurator: bytes
    acl: bytes
    oracle: bytes
    data_provider: bytes
    collateral: bytes
    """The token that attacker and honest user have supplied; both still hold as much again, approved."""
    loan: bytes
    transactions: int
    answer: Callable[[bytes], bytes | None] | None = None
    """Where the chain is in this process and has no endpoint (yet)."""

    @property
    def chain(self) -> str:
        return f"eip155:{self.chain_id}"

    @property
    def people(self) -> People:
        return People(self.url, self.answer)

    def address(self, role: str) -> bytes:
        return Account(self.keys[role]).address

    def do(self, role: str, contract: str, fn: str, *args: Any) -> Done:
        """One transaction: `contract` is a field of this market, "pool" or "configurator" above all. Refused."""
        return self.people.do(self.keys[role], getattr(self, contract), ABIS[contract](), fn, *args)

    def view(self, contract: str, fn: str, *args: Any) -> Any:
        return self.people.view(getattr(self, contract), ABIS[contract](), fn, *args)

    def supply(self, role: str, amount: int = E18, token: str = "collateral") -> Done:
        return self.do(role, "pool", "supply", getattr(self, token), amount, self.address(role), 0)

    def borrow(self, role: str, amount: int = E18, token: str = "loan") -> Done:
        return self.do(role, "pool", "borrow", getattr(self, token), amount, VARIABLE, 0, self.address(role))

    def repay(self, role: str, amount: int = E18, token: str = "loan") -> Done:
        return self.do(role, "pool", "repay", getattr(self, token), amount, VARIABLE, self.address(role))

    def withdraw(self, role: str, amount: int = E18, token: str = "collateral") -> Done:
        return self.do(role, "pool", "withdraw", getattr(self, token), amount, self.address(role))


def abi(contract: str) -> Abi:
    return Abi(artifact(AAVE, contract)["abi"])


def _token_abi() -> Abi:
    """Without the mint that mints to the caller: an `Abi` keeps one of two that share a name."""
    entries = artifact(AAVE, "MintableERC20")["abi"]
    return Abi(one for one in entries if one.get("name") != "mint" or len(one["inputs"]) == 2)


ABIS = {
    "provider": lambda: abi("PoolAddressesProvider"),
    "pool": lambda: abi("Pool"),
    "configurator": lambda: abi("PoolConfigurator"),
    "acl": lambda: abi("ACLManager"),
    "oracle": lambda: abi("AaveOracle"),
    "data_provider": lambda: abi("AaveProtocolDataProvider"),
    "collateral": _token_abi,
    "loan": _token_abi,
}


class _Builder:
    def __init__(self, people: People) -> None:
        self.people, self.sent = people, 0
        self.at: dict[str, bytes] = {}

    def make(self, contract: str, *args: Any, name: str = "") -> bytes:
        found = artifact(AAVE, contract)
        self.at[name or contract] = self.people.make(KEYS["owner"], linked(found, self.at), Abi(found["abi"]), args)
        self.sent += 1
        return self.at[name or contract]

    def do(self, role: str, contract: bytes, known: Abi, fn: str, *args: Any) -> None:
        self.people.do(KEYS[role], contract, known, fn, *args)
        self.sent += 1

    def registered(self, fn: str) -> bytes:
        found: bytes = self.people.view(self.at["PoolAddressesProvider"], abi("PoolAddressesProvider"), fn)
        return found


def build(url: str, answer: Callable[[bytes], bytes | None] | None = None) -> Market:
    """Deploys all of it at a JSON-RPC endpoint whose chain has funded the accounts of KEYS. PackageFault, Refused.

    With `answer` (request body → answer body) on a chain in this process instead, whatever `url` says."""
    made = _Builder(People(url, answer))
    tokens = {name: made.make("MintableERC20", name, name.upper(), 18, name=name) for name in ("collateral", "loan")}
    pool, configurator = _core(made, tokens)
    _reserves(made, configurator, tokens)
    market = Market(
        url,
        made.people.chain_id,
        dict(KEYS),
        made.at["PoolAddressesProvider"],
        pool,
        configurator,
        made.at["ACLManager"],
        made.at["AaveOracle"],
        made.at["AaveProtocolDataProvider"],
        tokens["collateral"],
        tokens["loan"],
        made.sent,
        answer,
    )
    return _peopled(market)


def _core(made: _Builder, tokens: dict[str, bytes]) -> tuple[bytes, bytes]:
    """Roles, oracle, pool and configurator, registered at one addresses provider; (pool, configurator) as proxies."""
    known, owner = abi("PoolAddressesProvider"), Account(KEYS["owner"]).address
    provider = made.make("PoolAddressesProvider", "the market of the tests", owner)
    made.do("owner", provider, known, "setACLAdmin", owner)
    acl = made.make("ACLManager", provider)
    made.do("owner", provider, known, "setACLManager", acl)
    for role, grant in (("pool", "addPoolAdmin"), ("emergency", "addEmergencyAdmin"), ("risk", "addRiskAdmin")):
        made.do("owner", acl, abi("ACLManager"), grant, Account(KEYS[f"{role}_admin"]).address)
    feeds = [made.make("MockAggregator", PRICES[name], name=f"feed of {name}") for name in tokens]
    oracle = made.make("AaveOracle", provider, [*tokens.values()], feeds, NOBODY, NOBODY, 10**8)
    made.do("owner", provider, known, "setPriceOracle", oracle)
    for library in ("BorrowLogic", "FlashLoanLogic", *POOL_LIBRARIES, "ConfiguratorLogic"):
        made.make(library)
    made.do("owner", provider, known, "setPoolImpl", made.make("Pool", provider))
    made.do("owner", provider, known, "setPoolConfiguratorImpl", made.make("PoolConfigurator"))
    made.do("owner", provider, known, "setPoolDataProvider", made.make("AaveProtocolDataProvider", provider))
    return made.registered("getPool"), made.registered("getPoolConfigurator")


def _reserves(made: _Builder, configurator: bytes, tokens: dict[str, bytes]) -> None:
    pool, known, ray = made.registered("getPool"), abi("PoolConfigurator"), 10**27
    provider = made.at["PoolAddressesProvider"]
    curve = (8 * ray // 10, 0, 4 * ray // 100, 60 * ray // 100, 0, 0, 0, 0, 0)
    rates = made.make("DefaultReserveInterestRateStrategy", provider, *curve)
    kinds = [made.make(kind, pool) for kind in ("AToken", "StableDebtToken", "VariableDebtToken")]
    for name, token in tokens.items():
        words = [f"{kind} {name}" for kind in ("a", "a", "v", "v", "s", "s")]
        reserve = (*kinds, 18, rates, token, Account(KEYS["owner"]).address, NOBODY, *words, b"")
        made.do("pool_admin", configurator, known, "initReserves", [reserve])
        made.do("risk_admin", configurator, known, "configureReserveAsCollateral", token, LTV, THRESHOLD, BONUS)
        made.do("risk_admin", configurator, known, "setReserveBorrowing", token, True)
    made.do("risk_admin", configurator, known, "setBorrowCap", tokens["loan"], LOAN_CAP)


def _peopled(market: Market) -> Market:
    """The lender lends, honest user and attacker post collateral, the honest user has a loan."""
    for role, token, amount in (
        ("lender", "loan", LENT),
        ("honest", "collateral", 2 * POSTED),
        ("attacker", "collateral", 2 * POSTED),
    ):
        market.do("owner", token, "mint", market.address(role), amount)
        market.do(role, token, "approve", market.pool, 2**256 - 1)
    market.do("honest", "loan", "approve", market.pool, 2**256 - 1)
    market.supply("lender", LENT, "loan")
    market.supply("honest", POSTED)
    market.supply("attacker", POSTED)
    market.borrow("honest", BORROWED)
    return market
