"""`venue.http` passes the suite that is offered to the authors of levers, at a venue that runs as a process of its
own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest
import trio

from adapters.api import Lever, LeverOrder
from adapters.conformance import LeverCase, lever_facts
from tests.integration.venue.engine import SECRET
from tests.integration.venue.scene import Node, Site

pytestmark = pytest.mark.network
FACTS = [fact.name for fact in lever_facts(LeverCase)]
ROW = [
    "what_is_declared_is_consistent",
    "read_back_is_the_targets_word",
    "undo_puts_back_what_stood",
    "undo_leaves_what_a_person_set_since",
]
"""What depends on the action alone."""
PERSONS = {
    "halt": "update pairs set status = 'halted', reason = 'by hand', until_ms = 0",
    "reduce_only": "update pairs set status = 'reduce_only', reason = 'by hand', until_ms = 0",
    "margin": "update pairs set margin_bps = 9500, reason = 'by hand'",
    "lock_withdrawals": "update account set withdrawals = 'locked', w_reason = 'by hand'",
    "suspend_keys": "update account set keys = 'suspended', k_reason = 'by hand'",
}
LIFTS = {
    "halt": "update pairs set status = 'trading', reason = '', until_ms = 0",
    "reduce_only": "update pairs set status = 'trading', reason = '', until_ms = 0",
    "margin": "update pairs set margin_bps = 1000, reason = ''",
    "lock_withdrawals": "update account set withdrawals = 'open', w_reason = ''",
    "suspend_keys": "update account set keys = 'active', k_reason = ''",
}


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long a question to a venue that is away waits is not what the suite tries."""
    monkeypatch.setattr("adapters.venue.http.AGAIN_S", 0.02)


class VenueCase(LeverCase):
    """The venue's books are looked into, and written by its own people, past its interface."""

    def __init__(self, site: Site, action: str) -> None:
        self.site, self.action = site, action
        self.secrets = (SECRET.decode(), SECRET.hex())

    async def __aenter__(self) -> Any:
        self.built = self.site.build()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for close in self.built.closers:
            await close()

    def lever(self) -> Lever:
        return Node(self.site, self.site.build()).lever(self.action)

    def order(self) -> LeverOrder:
        return Node(self.site, self.built).order(self.action)

    async def shows(self) -> object:
        pair = self.site.books("select status, margin_bps, until_ms from pairs")
        return pair, self.site.books("select withdrawals, keys from account")

    async def sent(self) -> int:
        return self.site.effects()

    async def person_restricts(self) -> None:
        self.site.books(PERSONS[self.action])

    async def person_lifts(self) -> None:
        self.site.books(LIFTS[self.action])

    async def persons_stands(self) -> bool:
        found = self.site.books("select p.reason, a.w_reason, a.k_reason from pairs p, account a")[0]
        return "by hand" in found

    async def cut(self) -> None:
        await trio.to_thread.run_sync(self.site.stop)

    async def mend(self) -> None:
        await trio.to_thread.run_sync(self.site.start)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    one = Site(tmp_path)
    one.start()
    yield one
    one.stop()


def played() -> list[Any]:
    """What is the slower half of it is played where there is time."""
    now = [(action, fact) for action in PERSONS for fact in FACTS if action == "halt" or fact in ROW]
    late = [("margin", fact) for fact in FACTS if fact not in ROW]
    return [*now, *(pytest.param(*one, marks=pytest.mark.long) for one in late)]


@pytest.mark.parametrize(("action", "fact"), played())
def test_an_action_at_a_venue(action: str, fact: str, site: Site) -> None:
    (found,) = [one for one in lever_facts(lambda: VenueCase(site, action)) if one.name == fact]
    found.check()
