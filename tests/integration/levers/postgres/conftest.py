"""One server for all tests of this folder; each test has a database and roles of its own, to spoil."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.levers.postgres.server import Server, missing, serving
from tests.integration.levers.postgres.shop import Shop, open_shop


@pytest.fixture(scope="session")
def started() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Server:
    why = missing()
    if why:
        pytest.skip(why)
    found: Server = request.getfixturevalue("started")
    if found.process is None:
        found.start()
    return found


@pytest.fixture
def shop(server: Server, tmp_path: Path) -> Iterator[Shop]:
    with open_shop(server, tmp_path) as made:
        yield made
