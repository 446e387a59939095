"""One network for a module: three honest nodes, and a fourth seat whose keys the attackers hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from node.testnet.zygote import import_everything
from tests.integration.hostile.attacker import Attacker, begin
from tests.integration.hostile.lab import Lab

Attackers = Callable[..., list[Attacker]]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    import_everything()  # before the forks: none of the children imports anything
    one = Lab(tmp_path_factory.mktemp("lab"), members=4, hostile=1)
    try:
        one.up()
        one.meshed()
        yield one
    finally:
        one.close()


@pytest.fixture
def attackers(lab: Lab) -> Iterator[Attackers]:
    """Begins attacks by name, members' ones each under an identity of its own, and ends them all."""
    running: list[Attacker] = []

    def start(*names: str) -> list[Attacker]:
        started = [begin(lab, name, number) for number, name in enumerate(names)]
        running.extend(started)
        return started

    yield start
    for one in running:
        one.child.kill()
