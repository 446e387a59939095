"""What all tests of this folder play on, each built once; each test has a copy of it and of its chain, to spoil."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from node.testnet.chain_evm import EmbeddedChain
from tests.integration.levers.aave_market import FUNDED, Market, build
from tests.integration.levers.forked import answering, served
from tests.integration.levers.packages import AAVE, OPEN_ZEPPELIN_4, SYNTHETIX, missing
from tests.integration.levers.pausable_token import Token, build_token
from tests.integration.levers.perp_v2_market import PACKAGES, Perp, perp_chain
from tests.integration.levers.synthetix_system import System, build_system


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
