"""A network that starts for the first time while its attackers are there already."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from node.testnet.zygote import import_everything
from tests.integration.hostile.attacker import begin
from tests.integration.hostile.lab import Lab

pytestmark = pytest.mark.network


@pytest.fixture
def cold(tmp_path: Path) -> Iterator[Lab]:
    import_everything()
    one = Lab(tmp_path, members=4, hostile=1)
    yield one
    one.close()


def test_members_find_each_other_among_attackers_that_were_there_first(cold: Lab) -> None:
    names = ("half-handshakes", "sybils", "moving-heads", "endless-ranges")
    attackers = [begin(cold, name, number) for number, name in enumerate(names)]
    try:
        cold.up()
        cold.meshed()
        cold.until_certified(cold.alarms(3, 0.2), 40)
    finally:
        for one in attackers:
            one.child.kill()
    assert sum(sum(one.did().values()) for one in attackers) > 0
