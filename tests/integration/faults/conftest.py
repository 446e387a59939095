"""One process that has imported everything, for all lives of these tests, and the files of one node that has lived."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.faults.flips import Copies, lived
from tests.integration.kill9.forks import Server


@pytest.fixture(scope="session")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("forks"))
    yield server
    server.close()


@pytest.fixture(scope="session")
def copies(tmp_path_factory: pytest.TempPathFactory, forks: Server) -> Copies:
    folder = tmp_path_factory.mktemp("lived")
    return Copies(lived(folder / "m0", forks), folder / "work")
