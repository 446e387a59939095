"""One process that has imported everything, for all lives of these tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.kill9.forks import Server


@pytest.fixture(scope="session")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("forks"))
    yield server
    server.close()
