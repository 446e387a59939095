"""What all tests of this folder play on, each built once; each test has a copy of it and of its chain, to spoil."""

import multiprocessing
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from node.testnet.chain_evm import EmbeddedChain
from tests.integration.levers.aave_market import FUNDED, Market, build
from tests.integration.levers.forked import answering, served
from tests.integration.levers.locked_token import LockedToken, build_locked
from tests.integration.levers.managed_token import DAY_S, ManagedToken, build_managed
from tests.integration.levers.packages import AAVE, OPEN_ZEPPELIN, OPEN_ZEPPELIN_4, SAFE, SYNTHETIX, missing
from tests.integration.levers.pausable_token import Token, build_token
from tests.integration.levers.perp_v2_market import PACKAGES, Perp, perp_chain
from tests.integration.levers.safe_token import SafeToken, build_safe
from tests.integration.levers.synthetix_system import System, build_system

AHEAD_S = multiprocessing.Value("d", 0.0)
"""Shared with the processes that serve a chain."""


@pytest.fixture(scope="session")
def built() -> tuple[EmbeddedChain, Market]:
    chain = EmbeddedChain(1, {bytes.fromhex(address[2:]): wei for address, wei in FUNDED.items()})
    return chain, build("", answering(chain))


@pytest.fixture
def market(request: pytest.FixtureRequest) -> Iterator[Market]:
    why = missing(AAVE)
    if why:
        pytest.skip(why)
    chain, found = request.getfixturevalue("built")
    with served(chain) as url:
        yield replace(found, url=url, answer=None)


@pytest.fixture(scope="session")
def minted() -> tuple[EmbeddedChain, Token]:
    chain = EmbeddedChain(1, {bytes.fromhex(address[2:]): wei for address, wei in FUNDED.items()})
    return chain, build_token("", answering(chain))


@pytest.fixture
def token(request: pytest.FixtureRequest) -> Iterator[Token]:
    why = missing(OPEN_ZEPPELIN_4)
    if why:
        pytest.skip(why)
    chain, found = request.getfixturevalue("minted")
    with served(chain) as url:
        yield replace(found, url=url, answer=None)


@pytest.fixture(scope="session")
def governed() -> tuple[EmbeddedChain, ManagedToken]:
    """Built eight days ago, since when longer delays hold."""
    accounts = {bytes.fromhex(address[2:]): wei for address, wei in FUNDED.items()}
    AHEAD_S.value = -8 * DAY_S
    chain = EmbeddedChain(1, accounts, clock=lambda: time.time() + AHEAD_S.value)
    return chain, build_managed("", answering(chain))


@pytest.fixture
def ahead(request: pytest.FixtureRequest) -> Iterator[Callable[[float], None]]:
    """Moves the managed token's chain to so many seconds after the wall clock; asked for before it: never back."""
    why = missing(OPEN_ZEPPELIN_4) or missing(OPEN_ZEPPELIN)
    if why:
        pytest.skip(why)
    request.getfixturevalue("governed")

    def moved(seconds: float) -> None:
        AHEAD_S.value = seconds

    moved(0)
    yield moved
    moved(0)


@pytest.fixture
def managed(request: pytest.FixtureRequest, ahead: Callable[[float], None]) -> Iterator[ManagedToken]:
    why = missing(OPEN_ZEPPELIN_4) or missing(OPEN_ZEPPELIN)
    if why:
        pytest.skip(why)
    chain, found = request.getfixturevalue("governed")
    with served(chain) as url:
        yield replace(found, token=replace(found.token, url=url, answer=None))


@pytest.fixture(scope="session")
def signed_for() -> tuple[EmbeddedChain, SafeToken]:
    chain = EmbeddedChain(1, {bytes.fromhex(address[2:]): wei for address, wei in FUNDED.items()})
    return chain, build_safe("", answering(chain))


@pytest.fixture
def safe(request: pytest.FixtureRequest) -> Iterator[SafeToken]:
    why = missing(OPEN_ZEPPELIN_4) or missing(SAFE)
    if why:
        pytest.skip(why)
    chain, found = request.getfixturevalue("signed_for")
    with served(chain) as url:
        yield replace(found, token=replace(found.token, url=url, answer=None))


@pytest.fixture(scope="session")
def delayed() -> tuple[EmbeddedChain, LockedToken]:
    chain = EmbeddedChain(1, {bytes.fromhex(address[2:]): wei for address, wei in FUNDED.items()})
    return chain, build_locked("", answering(chain))


@pytest.fixture
def locked(request: pytest.FixtureRequest) -> Iterator[LockedToken]:
    why = missing(OPEN_ZEPPELIN_4) or missing(OPEN_ZEPPELIN)
    if why:
        pytest.skip(why)
    chain, found = request.getfixturevalue("delayed")
    with served(chain) as url:
        yield replace(found, token=replace(found.token, url=url, answer=None))


@pytest.fixture(scope="session")
def founded() -> tuple[EmbeddedChain, System]:
    chain = EmbeddedChain(1, {bytes.fromhex(address[2:]): wei for address, wei in FUNDED.items()})
    return chain, build_system("", answering(chain))


@pytest.fixture
def system(request: pytest.FixtureRequest) -> Iterator[System]:
    why = missing(SYNTHETIX)
    if why:
        pytest.skip(why)
    chain, found = request.getfixturevalue("founded")
    with served(chain) as url:
        yield replace(found, url=url, answer=None)


@pytest.fixture(scope="session")
def listed() -> tuple[EmbeddedChain, Perp]:
    return perp_chain()


@pytest.fixture
def perp(request: pytest.FixtureRequest) -> Iterator[Perp]:
    why = next(filter(None, map(missing, PACKAGES)), "")
    if why:
        pytest.skip(why)
    chain, found = request.getfixturevalue("listed")
    with served(chain) as url:
        yield replace(found, url=url, answer=None)
