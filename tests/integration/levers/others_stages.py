"""Stages on contracts that others published: a reserve of Aave v3, and a token that pauses."""

from __future__ import annotations

from adapters.declared import Owned
from adapters.evm.aave import AaveLever
from adapters.evm.aave_reserve import AaveTarget
from adapters.evm.aave_rows import AAVE_ROWS, AaveRow
from adapters.evm.client import ChainClient
from adapters.evm.pausable import CALL, PausableTarget, PauseLever, declared
from adapters.evm.safe_module import CALL as MODULE_CALL
from adapters.evm.safe_module import ModulePauseLever
from adapters.evm.sending import Sender
from protocol.messages import Level
from tests.integration.levers.aave_market import ABIS, BONUS, KEYS, LOAN_CAP, LTV, THRESHOLD, Market
from tests.integration.levers.cases import Stage
from tests.integration.levers.pausable_token import GUARD, HOUR_MS, PERSON, WAYS, Token, abi
from tests.integration.levers.rpc import People
from tests.integration.levers.scene import SEATS

PERSONS_CAP = 9_000
"""Of a person, in whole tokens: below what is lent out."""


def aave_stage(row: AaveRow, market: Market) -> Stage:
    token = market.loan if row.field == "cap" else market.collateral
    moves: dict[str, tuple[str, tuple[int, ...], tuple[int, ...]]] = {
        "ltv": ("configureReserveAsCollateral", (0, THRESHOLD, BONUS), (LTV, THRESHOLD, BONUS)),
        "frozen": ("setReserveFreeze", (True,), (False,)),
        "paused": ("setReservePause", (True,), (False,)),
        "cap": ("setBorrowCap", (PERSONS_CAP,), (LOAN_CAP,)),
    }
    fn, shut, free = moves[row.field]

    def move(people: People, numbers: tuple[int, ...]) -> None:
        people.do(KEYS["pool_admin"], market.configurator, ABIS["configurator"](), fn, token, *numbers)

    def shows(people: People) -> object:
        return people.view(market.pool, ABIS["pool"](), "getConfiguration", token)

    def persons(people: People) -> bool:
        known = ABIS["data_provider"]()
        if row.field == "cap":
            return bool(people.view(market.data_provider, known, "getReserveCaps", token)[0] == PERSONS_CAP)
        if row.field == "paused":
            return bool(people.view(market.data_provider, known, "getPaused", token))
        config = people.view(market.data_provider, known, "getReserveConfigurationData", token)
        return bool(config[9] if row.field == "frozen" else config[1] == 0)

    return Stage(
        row.declared.call,
        market.chain,
        token,
        KEYS[SEATS[row.declared.call]],
        lambda client, sender: AaveLever(row, AaveTarget("market", market.chain, market.pool, token), client, sender),
        shows,
        lambda people: move(people, shut),
        lambda people: move(people, free),
        persons,
    )


def pause_stage(token: Token, safe: bytes = b"") -> Stage:
    """With `safe`: by the module of a Safe that may pause it."""
    said = declared(Owned(Level.HALT, WAYS, True, HOUR_MS, HOUR_MS))
    target = PausableTarget("wrapped", token.chain, token.at, token.at)

    def lever(client: ChainClient, sender: Sender) -> PauseLever:
        if safe:
            return ModulePauseLever(target, safe, said, client, sender)
        return PauseLever(target, said, client, sender)

    def move(people: People, fn: str) -> None:
        people.do(KEYS[PERSON], token.at, abi(), fn)

    def paused(people: People) -> bool:
        return bool(people.view(token.at, abi(), "paused"))

    def restricts(people: People) -> None:
        if paused(people):
            move(people, "unpause")
        move(people, "pause")

    return Stage(
        MODULE_CALL if safe else CALL,
        token.chain,
        token.at,
        KEYS[GUARD],
        lever,
        paused,
        restricts,
        lambda people: move(people, "unpause"),
        paused,
    )


ROW_OF = {row.declared.call: row for row in AAVE_ROWS}
