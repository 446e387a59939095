from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.venue.scene import Site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    one = Site(tmp_path)
    one.start()
    yield one
    one.stop()
