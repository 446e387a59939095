"""What all tests of this folder play on, each built once; each test has a copy of it and of its chain, to spoil."""

import multiprocessing
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from node.testnet.chain_evm import EmbeddedChain
from tests.integration.levers.aave_market import FUNDED, build
from tests.integration.levers.forked import answering, served
from tests.integration.levers.locked_token import build_locked
from tests.integration.levers.managed_token import DAY_S, ManagedToken, build_managed
from tests.integration.levers.packages import AAVE, OPEN_ZEPPELIN, OPEN_ZEPPELIN_4, SAFE, SYNTHETIX, missing
from tests.integration.levers.pausable_token import build_token
from tests.integration.levers.perp_v2_market import PACKAGES, Perp, perp_chain
from tests.integration.levers.safe_token import build_safe
from tests.integration.levers.synthetix_system import build_system

AHEAD_S = multiprocessing.Value("d", 0.0)
"""Shared with the processes that serve a chain."""


ACCOUNTS = {bytes.fromhex(address[2:]): wei for address, wei in FUNDED.items()}


def skip_without(*packages: str) -> None:
    why = next(filter(None, map(missing, packages)), "")
    if why:
        pytest.skip(why)


def once(build: Callable[[str, Any], Any]) -> Any:
    """(chain, what stands on it), for all tests."""

    def made() -> tuple[EmbeddedChain, Any]:
        chain = EmbeddedChain(1, ACCOUNTS)
        return chain, build("", answering(chain))

    return pytest.fixture(scope="session")(made)


def copied(whole: str, *packages: str, first: str = "") -> Any:
    """A test's own: `whole` is the fixture that built it, `first` one that comes before."""

    def copy(request: pytest.FixtureRequest) -> Iterator[Any]:
        skip_without(*packages)
        if first:
            request.getfixturevalue(first)
        chain, found = request.getfixturevalue(whole)
        with served(chain) as url:
            yield on_copy(found, url)

    return pytest.fixture(copy)


def on_copy(found: Any, url: str) -> Any:
    if hasattr(found, "url"):
        return replace(found, url=url, answer=None)
    return replace(found, token=replace(found.token, url=url, answer=None))


@pytest.fixture(scope="session")
def governed() -> tuple[EmbeddedChain, ManagedToken]:
    """Built eight days ago, since when longer delays hold."""
    AHEAD_S.value = -8 * DAY_S
    chain = EmbeddedChain(1, ACCOUNTS, clock=lambda: time.time() + AHEAD_S.value)
    return chain, build_managed("", answering(chain))


@pytest.fixture
def ahead(request: pytest.FixtureRequest) -> Iterator[Callable[[float], None]]:
    """Moves the managed token's chain to so many seconds after the wall clock; asked for before it: never back."""
    skip_without(OPEN_ZEPPELIN_4, OPEN_ZEPPELIN)
    request.getfixturevalue("governed")

    def moved(seconds: float) -> None:
        AHEAD_S.value = seconds

    moved(0)
    yield moved
    moved(0)


@pytest.fixture(scope="session")
def listed() -> tuple[EmbeddedChain, Perp]:
    return perp_chain()


built, market = once(build), copied("built", AAVE)
minted, token = once(build_token), copied("minted", OPEN_ZEPPELIN_4)
signed_for, safe = once(build_safe), copied("signed_for", OPEN_ZEPPELIN_4, SAFE)
delayed, locked = once(build_locked), copied("delayed", OPEN_ZEPPELIN_4, OPEN_ZEPPELIN)
founded, system = once(build_system), copied("founded", SYNTHETIX)
managed = copied("governed", OPEN_ZEPPELIN_4, OPEN_ZEPPELIN, first="ahead")
perp = copied("listed", *PACKAGES)
