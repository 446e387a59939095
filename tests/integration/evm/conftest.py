"""Two embedded chains for all tests of this folder; every test deploys contracts of its own on them."""

from collections.abc import Iterator

import pytest

from node.testnet.chain_process import ChainProcess, start_chain
from tests.integration.evm.world import FUNDED


@pytest.fixture(scope="session")
def chains() -> Iterator[tuple[ChainProcess, ChainProcess]]:
    started = []
    try:
        for chain_id in (1, 130):
            started.append(start_chain("embedded", chain_id, FUNDED))
        yield started[0], started[1]
    finally:
        for chain in started:
            chain.stop()
