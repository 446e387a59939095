"""A whole node with a venue: the network's word halts a pair there until the lease ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.levers.aave_market import Market
from tests.integration.levers.test_aave_node import action, alarm
from tests.integration.network.forked import ForkedSite
from tests.integration.network.site import SUBJECT, wait_for
from tests.integration.venue import document
from tests.integration.venue.engine import SEED
from tests.integration.venue.scene import Site

pytestmark = pytest.mark.network
LEASE_S = 4
POLICY = f"""
policy = 1
mode = "act"
asset.rseth = ["{SUBJECT}"]
[exposure]
pool = {{ asset = "rseth", read = "aave.reserve", max_age = "5m", ways_out = ["withdraw"] }}
book = {{ asset = "rseth", read = "aave.reserve", max_age = "5m", target = "exch", behind = "pool", ways_out = ["close"] }}
[lever]
calm = {{ on = "book", call = "venue.margin", closes = ["leverage"], expires_by = "node", accept_overdue = true, max = "1h", cooldown = "1h" }}
[rule]
stop = {{ asset = "rseth", level = "ISOLATE", own = "any", do = ["calm"], for = "{LEASE_S}s" }}
rest = {{ asset = "any", level = "any", own = "any", do = [], page = true }}
"""  # noqa: E501


@pytest.fixture
def site(tmp_path: Path) -> Iterator[ForkedSite]:
    folder = tmp_path / "nodes"
    folder.mkdir()
    one = ForkedSite(folder)
    one.found()
    yield one
    one.close()


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[Site]:
    folder = tmp_path / "books"
    folder.mkdir()
    one = Site(folder, "rfc9421")
    one.start()
    yield one
    one.stop()


def furnish(site: ForkedSite, market: Market, venue: Site) -> None:
    (site.folder / "venue" / "policy.toml").write_text(POLICY)
    key = site.folder / "venue" / "data" / "keys" / "venue.key"
    key.write_text(SEED.hex())
    key.chmod(0o600)
    path = site.config("venue")
    (path.parent / "venue.json").write_bytes(document.raw())
    pool = f'[target.pool]\nkind = "evm.aave"\nchain = "eip155:1"\ncontract = "0x{market.pool.hex()}"\n'
    pool += f'asset = "0x{market.collateral.hex()}"\n'
    connection = f'[[connection]]\nid = "venue.home"\nchain = "eip155:1"\nurl = "{market.url}"\n'
    path.write_text(f"{path.read_text()}\n{connection}{pool}{document.target(venue.url, venue.scheme)}")


def test_the_networks_word_raises_a_margin_at_the_venue_until_the_lease_ends(
    site: ForkedSite, market: Market, venue: Site
) -> None:
    furnish(site, market, venue)
    checked = site.at("venue", "policy", "check")
    assert checked.code == 0, checked
    assert venue.trades("margin")
    alarm(site)
    wait_for("the margin is read back", lambda: action(site).get("phase") == "effective", 10)
    assert not venue.trades("margin")
    wait_for("the margin is back", lambda: venue.trades("margin"), LEASE_S + 10)
    assert venue.books("select margin_bps from pairs") == [(1000,)]
