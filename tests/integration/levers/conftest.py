"""One embedded chain for all tests of this folder; every test builds a market of its own on it, in a second."""

from collections.abc import Iterator

import pytest

from node.testnet.chain_process import start_chain
from tests.integration.levers.aave_market import FUNDED, Market, build
from tests.integration.levers.packages import AAVE, missing


@pytest.fixture(scope="session")
def chain_url() -> Iterator[str]:
    chain = start_chain("embedded", 1, FUNDED)
    try:
        yield chain.url
    finally:
        chain.stop()


@pytest.fixture
def market(request: pytest.FixtureRequest) -> Market:
    why = missing(AAVE)
    if why:
        pytest.skip(why)
    return build(request.getfixturevalue("chain_url"))
