"""What all batches of kills begin with: a chain with a market of Aave v3 of many reserves and many tokens that pause,
one account that may move all of it, and a node's files for as many levers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from adapters.evm.aave_rows import BORROW_CAP, FREEZE, LTV_ZERO, AaveRow
from adapters.evm.account import Account
from node.testnet.chain_evm import EmbeddedChain
from tests.integration.kill9.child import CHAIN, SOURCE, subject
from tests.integration.levers.aave_market import (
    ABIS,
    BONUS,
    FUNDED,
    KEYS,
    LOAN_CAP,
    LTV,
    NOBODY,
    THRESHOLD,
    Market,
    abi,
    build,
)
from tests.integration.levers.forked import answering
from tests.integration.levers.packages import AAVE, OPEN_ZEPPELIN_4, artifact, linked
from tests.integration.levers.pausable_token import PAUSER, PRESET
from tests.integration.levers.pausable_token import abi as token_abi
from tests.integration.levers.rpc import People

ROLE = "pool_admin"
"""Whose account the node has."""
OWN = Account(KEYS[ROLE]).address
ROWS: tuple[AaveRow, ...] = (LTV_ZERO, FREEZE, BORROW_CAP)
"""The pause of Aave blocks exits and so waits for people; it is the same code."""
LEASE_S = 1_800
PUBLIC_AFTER_S = 2
RAY = 10**27


@dataclass(frozen=True)
class Spot:
    """One lever on one target of its own. `row` None: a token's pause."""

    at: bytes
    row: AaveRow | None

    @property
    def call(self) -> str:
        return self.row.declared.call if self.row is not None else "pausable.pause"


@dataclass(frozen=True)
class Base:
    chain: EmbeddedChain
    market: Market
    spots: tuple[Spot, ...]


def build_base(count: int) -> Base:
    """So many spots, every other one a token's. Some seconds. PackageFault."""
    chain = EmbeddedChain(1, {bytes.fromhex(address[2:]): wei for address, wei in FUNDED.items()})
    market = build("", answering(chain))
    reserves = _reserves(market, -(-(count // 2) // len(ROWS)))
    aave = [Spot(token, row) for token in reserves for row in ROWS]
    tokens = [Spot(_token(market.people), None) for _ in range(count - count // 2)]
    spots = [one for pair in zip(tokens, aave) for one in pair] + tokens[len(aave) :]
    return Base(chain, market, tuple(spots[:count]))


def _token(people: People) -> bytes:
    at = people.make(KEYS["owner"], linked(artifact(OPEN_ZEPPELIN_4, PRESET), {}), token_abi(), ("Wrapped", "WRP"))
    people.do(KEYS["owner"], at, token_abi(), "grantRole", PAUSER, OWN)
    return at


def _reserves(market: Market, count: int) -> list[bytes]:
    people, known = market.people, ABIS["configurator"]()

    def make(contract: str, *args: object) -> bytes:
        found = artifact(AAVE, contract)
        return people.make(KEYS["owner"], linked(found, {}), abi(contract), args)

    kinds = [make(kind, market.pool) for kind in ("AToken", "StableDebtToken", "VariableDebtToken")]
    curve = (8 * RAY // 10, 0, 4 * RAY // 100, 60 * RAY // 100, 0, 0, 0, 0, 0)
    rates = make("DefaultReserveInterestRateStrategy", market.provider, *curve)
    tokens = [make("MintableERC20", f"t{number}", f"T{number}", 18) for number in range(count)]
    words = ["x"] * 6
    rows = [(*kinds, 18, rates, token, Account(KEYS["owner"]).address, NOBODY, *words, b"") for token in tokens]
    for row, token in zip(rows, tokens):
        people.do(KEYS["pool_admin"], market.configurator, known, "initReserves", [row])
        for fn, args in (
            ("configureReserveAsCollateral", (token, LTV, THRESHOLD, BONUS)),
            ("setReserveBorrowing", (token, True)),
            ("setBorrowCap", (token, LOAN_CAP)),
        ):
            people.do(KEYS["risk_admin"], market.configurator, known, fn, *args)
    return tokens


# --- the node's files


def policy(spots: Sequence[Spot]) -> str:
    ways = {None: ("transfer",)} | {row.declared.call: tuple(sorted(row.declared.closes)) for row in ROWS}
    first = next(number for number, spot in enumerate(spots) if spot.row is not None)
    lines = ["policy = 1", 'mode = "act"', *(f'asset.a{i} = ["{subject(i)}"]' for i in range(len(spots)))]
    lines.append("[exposure]")
    for i, spot in enumerate(spots):
        own = "" if spot.row is not None else f', target = "t{i}", behind = "e{first}"'
        target = "" if spot.row is None else f', target = "t{i}"'
        out = ways[spot.row.declared.call if spot.row is not None else None]
        exits = ", ".join(f'"{way}"' for way in out)
        lines.append(
            f'e{i} = {{ asset = "a{i}", read = "aave.reserve", max_age = "5m"{own}{target}, ways_out = [{exits}] }}'
        )
    lines.append("[lever]")
    for i, spot in enumerate(spots):
        closes = ", ".join(f'"{way}"' for way in ways[spot.row.declared.call if spot.row is not None else None])
        limits = 'max = "6h", cooldown = "2h"' if spot.row is not None else 'max = "1h", cooldown = "1h"'
        lines.append(
            f'l{i} = {{ on = "e{i}", call = "{spot.call}", closes = [{closes}], expires_by = "node", '
            f"accept_overdue = true, {limits} }}"
        )
    lines.append("[rule]")
    lines += [
        f'r{i} = {{ asset = "a{i}", level = "none", own = "verified", do = ["l{i}"], for = "{LEASE_S}s" }}'
        for i in range(len(spots))
    ]
    return "\n".join([*lines, 'other = { asset = "any", level = "any", own = "any", do = [], page = true }', ""])


def node_toml(urls: Sequence[str], market: Market, spots: Sequence[Spot], relay: str = "") -> str:
    text = 'node = 1\nmember = "m0"\nlisten = "/ip4/127.0.0.1/tcp/4001"\npolicy = "policy.toml"\n'
    text += 'control = "c.sock"\nlog = "node.log"\n'
    for source, url in zip((SOURCE, "m1.eip155-1"), urls):
        text += f'[[connection]]\nid = "{source}"\nchain = "{CHAIN}"\nurl = "{url}"\n'
    if relay:
        text += f'[[relay]]\nchain = "{CHAIN}"\nurl = "{relay}"\npublic_after_s = {PUBLIC_AFTER_S}\n'
    for i, spot in enumerate(spots):
        text += f'[target.t{i}]\nchain = "{CHAIN}"\nkey_file = "keys/lever.key"\nasset = "0x{spot.at.hex()}"\n'
        if spot.row is not None:
            text += f'kind = "evm.aave"\ncontract = "0x{market.pool.hex()}"\n'
        else:
            text += f'kind = "evm.pausable"\ncontract = "0x{spot.at.hex()}"\nrung = "ISOLATE"\nblocks_exit = false\n'
            text += 'closes = ["transfer"]\nmax = "1h"\ncooldown = "1h"\n'
    return text


def write_files(folder: Path, urls: Sequence[str], base: Base, relay: str = "") -> None:
    (folder / "policy.toml").write_text(policy(base.spots))
    (folder / "node.toml").write_text(node_toml(urls, base.market, base.spots, relay))
