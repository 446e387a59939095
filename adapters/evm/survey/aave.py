"""Aave v3: what each reserve's controls close, tried as those who hold its roles.

Names lie. Up to v3.0 a frozen reserve, and on every version a paused one, still backs new loans of whoever supplied it:
only an LTV of zero stops that (`BorrowLogic` looks at the reserve that is borrowed, and counts all collateral).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from adapters.evm.aave_abi import Terms, terms_of
from adapters.evm.abi import keccak256
from adapters.evm.survey.facts import Asset, Control, Holder, Place, Right
from adapters.evm.survey.holders import DEFAULT_ADMIN, holder, owner_of, role_holders
from adapters.evm.survey.look import STRANGER, Looker, as_address

RESERVES_MAX = 256
ROLES = ("EMERGENCY_ADMIN", "RISK_ADMIN", "POOL_ADMIN")
OWNER = "owner of the addresses provider"
ADMIN = "DEFAULT_ADMIN of the ACL manager"
WAYS = {
    "supply": "more of it is supplied",
    "borrow": "something else is borrowed against it",
    "borrowed": "it is borrowed itself",
    "withdraw": "it is taken out",
    "transfer": "claims on it change hands (aToken)",
}
STAYS = "by nothing but another call of the same right: with nobody awake it stays"
"""How every restriction of Aave ends: it keeps no times."""


@dataclass(frozen=True)
class Market:
    provider: bytes
    pool: bytes
    configurator: bytes
    acl: bytes
    oracle: bytes
    freeze_zeroes_ltv: bool
    revision: str


@dataclass(frozen=True)
class Reserve:
    asset: bytes
    symbol: str
    terms: Terms

    @property
    def ways(self) -> tuple[str, ...]:
        """Those there are: what backs no loans and is not lent has fewer."""
        backs = ("borrow",) if self.terms.threshold else ()
        return ("supply", *backs, *(("borrowed",) if self.terms.borrowing else ()), "withdraw", "transfer")


async def provider_of(look: Looker, address: bytes) -> bytes | None:
    """The addresses provider behind any contract of a market: itself, the pool, an aToken, the ACL manager."""
    pool, acl, behind, of_token = map(
        as_address,
        await look.views(
            address, "getPool() address", "getACLManager() address", "ADDRESSES_PROVIDER() address", "POOL() address"
        ),
    )
    if pool is not None and acl is not None:
        return address
    if behind is None and of_token is not None:
        behind = as_address(await look.view(of_token, "ADDRESSES_PROVIDER() address"))
    if behind is None or as_address(await look.view(behind, "getACLManager() address")) is None:
        return None
    return behind


async def place(look: Looker, provider: bytes, only: frozenset[bytes] = frozenset()) -> Place:
    """`only`: these assets; empty for all."""
    pool = as_address(await look.view(provider, "getPool() address")) or bytes(20)
    listed = await look.view(pool, "getReservesList() address[]") or ()
    assets = [bytes.fromhex(one[2:]) for one in listed][:RESERVES_MAX]
    wanted = [one for one in assets if not only or one in only]
    market = await _parts(look, provider, assets)
    who, unknown = await _who(look, market)
    known = {one: await holder(look, one) for one in sorted({one for held in who.values() for one in held})}
    reserves = labelled([await _reserve(look, market, asset) for asset in wanted])
    controls: list[Control] = []
    for reserve in reserves:
        controls += await _controls(look, market, reserve, who)
    whole = await _whole_pool(look, market, who)
    rights = [await _right(look, market, name, held, known, reserves) for name, held in who.items()]
    everything = [*controls, *whole]
    return Place(
        provider,
        f"Aave v3 market, pool 0x{pool.hex()}, {market.revision}",
        tuple(everything),
        tuple(rights),
        tuple(_asset(one, everything) for one in reserves),
        tuple(_warnings(market, reserves, everything, who, known)),
        tuple(unknown),
        pool,
    )


def labelled(reserves: list[Reserve]) -> list[Reserve]:
    """Controls are told apart by symbol, and anybody may give a token another's: then the address stands beside it."""
    times = Counter(one.symbol for one in reserves)
    return [
        replace(one, symbol=f"{one.symbol} 0x{one.asset.hex()}") if times[one.symbol] > 1 else one for one in reserves
    ]


async def _parts(look: Looker, provider: bytes, assets: list[bytes]) -> Market:
    """Versions are not told by a number that means the same everywhere: what a freeze does shows by what is there."""
    names = ("getPool", "getPoolConfigurator", "getACLManager", "getPriceOracle")
    found = await look.views(provider, *(f"{one}() address" for one in names))
    pool, configurator, acl, oracle = (as_address(one) or bytes(20) for one in found)
    revision = await look.view(pool, "POOL_REVISION() uint256")
    pending = await look.view(configurator, "getPendingLtv(address) uint256", assets[0]) if assets else None
    later = pending is not None
    says = f"pool revision {revision}, " if revision is not None else ""
    says += "3.1 or later (a freeze zeroes the LTV too)" if later else "3.0 (a freeze leaves the LTV)"
    return Market(provider, pool, configurator, acl, oracle, later, says)


async def _who(look: Looker, market: Market) -> tuple[dict[str, list[bytes]], list[str]]:
    """Right → its holders, those of narrow rights first; and what could not be found out."""
    who: dict[str, list[bytes]] = {}
    unknown = []
    for name in (*ROLES, ADMIN):
        role = DEFAULT_ADMIN if name == ADMIN else keccak256(name.encode())
        held = await role_holders(look, market.acl, role)
        if held is None:
            unknown.append(f"who holds {name}: no connection gives the ACL manager's past; try --holder ADDRESS")
        who[name] = held or []
    owner = await owner_of(look, market.provider)
    who[OWNER] = [] if owner is None else [owner]
    return who, unknown


async def _reserve(look: Looker, market: Market, asset: bytes) -> Reserve:
    word = await look.view(market.pool, "getConfiguration(address) uint256", asset)
    symbol = await look.text(asset, "symbol")
    return Reserve(asset, symbol or f"0x{asset.hex()[:8]}…", terms_of(word or 0))


Call = tuple[str, tuple[Any, ...]]


def _rows(market: Market, one: Reserve) -> list[tuple[Control, Call]]:
    """The narrowest first."""
    rest = one.ways
    frozen = ("supply", "borrowed", *(("borrow",) if market.freeze_zeroes_ltv else ()))
    alone = "" if market.freeze_zeroes_ltv else "it still backs new loans of who supplied it, unless its LTV is zero"
    asset, a = one.asset, one.symbol
    lowers = f"configureReserveAsCollateral({a}, 0, {one.terms.threshold}, {one.terms.bonus})"
    rows: list[tuple[Control, Call]] = [
        (
            _control("borrow cap", f"setBorrowCap({a}, …)", a, ("borrowed",), rest, lever="aave.borrow_cap"),
            ("setBorrowCap(address,uint256)", (asset, 1)),
        ),
        (
            _control("LTV → 0", lowers, a, ("borrow",), rest, lever="aave.ltv_zero", stands=not one.terms.ltv),
            (
                "configureReserveAsCollateral(address,uint256,uint256,uint256)",
                (asset, 0, one.terms.threshold, one.terms.bonus),
            ),
        ),
        (
            _control(
                "freeze", f"setReserveFreeze({a}, true)", a, frozen, rest, lever="aave.freeze",
                stands=one.terms.frozen, note=alone,
            ),
            # from 3.1 on a repeat is refused: then the right shows by lifting it
            ("setReserveFreeze(address,bool)", (asset, not (one.terms.frozen and market.freeze_zeroes_ltv))),
        ),
        (
            _control(
                "pause", f"setReservePause({a}, true)", a, ("supply", "borrowed", "withdraw", "transfer"), rest,
                lever="aave.pause", stands=one.terms.paused, blocks_exit=True,
                note="repaying and liquidations stop too, and what lies there still backs new loans",
            ),
            ("setReservePause(address,bool)", (asset, True)),
        ),
    ]  # fmt: skip
    return [row for row in rows if not row[0].closes or set(row[0].closes) & set(one.ways)]


def _control(name: str, call: str, asset: str, closes: tuple[str, ...], ways: tuple[str, ...], **more: Any) -> Control:
    shut = tuple(one for one in closes if one in ways)
    leaves = tuple(one for one in ways if one not in closes)
    return Control(
        name, call, asset, (), shut, leaves, more.pop("blocks_exit", False), STAYS, **more
    )  # `by` comes by trying


async def _controls(look: Looker, market: Market, reserve: Reserve, who: Mapping[str, list[bytes]]) -> list[Control]:
    return [
        replace(control, by=await _taken(look, market.configurator, call, who))
        for control, call in _rows(market, reserve)
    ]


async def _whole_pool(look: Looker, market: Market, who: Mapping[str, list[bytes]]) -> list[Control]:
    ways = tuple(WAYS)
    all_of_it = Control(
        "pool pause", "setPoolPause(true)", "", (), ways, (), True, STAYS,
        note="every reserve at once; repaying and liquidations stop too",
    )  # fmt: skip
    return [replace(all_of_it, by=await _taken(look, market.configurator, ("setPoolPause(bool)", (True,)), who))]


ANYBODY = "anybody"


async def _taken(look: Looker, to: bytes, call: Call, who: Mapping[str, list[bytes]]) -> tuple[str, ...]:
    """Rights all of whose holders could make this call now; ANYBODY where a stranger could."""
    asked = sorted({one for held in who.values() for one in held})
    refused, *said = await look.tries(to, *call, STRANGER, *asked)
    if not refused:
        return (ANYBODY,)
    may = {one for one, why in zip(asked, said) if not why}
    return tuple(name for name, held in who.items() if held and may.issuperset(held))


async def _right(
    look: Looker,
    market: Market,
    name: str,
    held: list[bytes],
    known: Mapping[bytes, Holder],
    reserves: list[Reserve],
) -> Right:
    """What its holders could do beyond restricting, each tried as the first of them with the numbers that stand."""
    also = []
    for says, to, call in _beyond(market, reserves) if held else ():
        (why,) = await look.tries(to, *call, held[0])
        if not why:
            also.append(says)
    return Right(name, tuple(known[one] for one in held), tuple(also))


async def beyond(look: Looker, pool: bytes, asset: bytes, account: bytes) -> tuple[int, tuple[str, ...]]:
    """How many calls beyond restricting were tried as this account, and what those that were taken would do."""
    provider = as_address(await look.view(pool, "ADDRESSES_PROVIDER() address")) or bytes(20)
    market = await _parts(look, provider, [asset])
    rows = _beyond(market, [await _reserve(look, market, asset)])
    said = [await look.tries(to, *call, account) for _, to, call in rows]
    return len(rows), tuple(says for (says, _, _), (why,) in zip(rows, said) if not why)


def _beyond(market: Market, reserves: list[Reserve]) -> list[tuple[str, bytes, Call]]:
    rows: list[tuple[str, bytes, Call]] = [
        (
            "replace the pool and every other part of the market",
            market.provider,
            ("setAddress(bytes32,address)", (keccak256(b"tocsin survey"), STRANGER)),
        ),
        ("give anybody any of these roles", market.acl, ("addPoolAdmin(address)", (STRANGER,))),
        ("pause everything at once", market.configurator, ("setPoolPause(bool)", (True,))),
    ]
    for one in reserves[:1]:
        kept = (one.asset, one.terms.threshold and one.terms.ltv, one.terms.threshold, one.terms.bonus)
        rows += [
            ("set prices", market.oracle, ("setAssetSources(address[],address[])", ([one.asset], [STRANGER]))),
            (
                "switch reserves off and replace their tokens, so move what lies there",
                market.configurator,
                ("setReserveActive(address,bool)", (one.asset, True)),
            ),
            (
                "change LTV and liquidation thresholds, up as well",
                market.configurator,
                ("configureReserveAsCollateral(address,uint256,uint256,uint256)", kept),
            ),
            ("change fees, caps and rates", market.configurator,
             ("setReserveFactor(address,uint256)", (one.asset, one.terms.factor))),
            ("lift a freeze", market.configurator, ("setReserveFreeze(address,bool)", (one.asset, False))),
            ("lift a pause", market.configurator, ("setReservePause(address,bool)", (one.asset, False))),
        ]  # fmt: skip
    return rows


def _asset(reserve: Reserve, controls: list[Control]) -> Asset:
    """A pause of all the pool stands last: it closes every way of everybody."""
    mine = [one for one in controls if one.asset in (reserve.symbol, "") and one.by]
    ways = {way: tuple(one.name for one in mine if way in one.closes) for way in reserve.ways}
    facts = [f"LTV {reserve.terms.ltv / 100:g} %, liquidated at {reserve.terms.threshold / 100:g} %"]
    facts += ["lent out"] if reserve.terms.borrowing else ["not lent out"]
    facts += [] if reserve.terms.active else ["not active"]
    facts += ["frozen now"] if reserve.terms.frozen else []
    facts += ["paused now"] if reserve.terms.paused else []
    return Asset(reserve.symbol, reserve.asset, ways, tuple(facts))


def _warnings(
    market: Market,
    reserves: list[Reserve],
    controls: list[Control],
    who: Mapping[str, list[bytes]],
    known: Mapping[bytes, Holder],
) -> list[str]:
    said = []
    if not market.freeze_zeroes_ltv:
        said.append(
            "a freeze alone leaves borrowing open: frozen collateral still backs new loans; set its LTV to zero"
        )
    said.append("a pause alone leaves borrowing open too, and shuts the exits of honest users meanwhile")
    said += [f"{one.call}: anybody can" for one in controls if ANYBODY in one.by]
    for name, held in who.items():
        said += [f"{name}: one key alone (0x{one.hex()})" for one in held if known[one].kind == "account"]
    by_name = {name for one in controls for name in one.by}
    idle = [name for name in ROLES if who[name] and name not in by_name]
    said += [f"{name} can do none of what was tried" for name in idle]
    backing = [one.symbol for one in reserves if one.terms.frozen and one.terms.ltv]
    said += [f"{symbol} is frozen and still backs new loans" for symbol in backing if not market.freeze_zeroes_ltv]
    return said
