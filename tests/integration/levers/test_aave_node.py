"""A whole node beside Aave's own contracts: the network's word freezes a reserve, and the node frees it in time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from node import keys
from node.keys import Purpose
from tests.integration.levers.aave_market import Market
from tests.integration.levers.rpc import Refused
from tests.integration.network.forked import ForkedSite
from tests.integration.network.site import NAMES, SUBJECT, wait_for

pytestmark = pytest.mark.network
LEASE_S = 4
POLICY = f"""
policy = 1
mode = "act"
asset.rseth = ["{SUBJECT}"]
[exposure]
pool = {{ asset = "rseth", read = "aave.reserve", max_age = "5m", ways_out = ["supply", "borrow", "withdraw"] }}
[lever.freeze]
on = "pool"
call = "aave.freeze"
closes = ["supply"]
expires_by = "node"
accept_overdue = true
max = "6h"
cooldown = "2h"
[rule]
shut = {{ asset = "rseth", level = "ISOLATE", own = "any", do = ["freeze"], for = "{LEASE_S}s" }}
other = {{ asset = "any", level = "any", own = "any", do = [], page = true }}
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[ForkedSite]:
    one = ForkedSite(tmp_path)
    one.found()
    yield one
    one.close()


def furnish(site: ForkedSite, market: Market) -> None:
    """The venue answers with a freeze of the market's collateral, from the account of its risk admin."""
    folder = site.folder / "venue"
    (folder / "policy.toml").write_text(POLICY)
    (folder / "data" / "keys" / "lever.key").unlink()
    keys.write_key(folder / "data", Purpose.LEVER, keys.Secret(market.keys["risk_admin"]))
    target = f'kind = "evm.aave"\nchain = "eip155:1"\ncontract = "0x{market.pool.hex()}"\n'
    target += f'asset = "0x{market.collateral.hex()}"\nkey_file = "keys/lever.key"\n'
    connection = f'[[connection]]\nid = "venue.home"\nchain = "eip155:1"\nurl = "{market.url}"\n'
    path = site.config("venue")
    path.write_text(path.read_text() + f"\n{connection}[target.pool]\n{target}")


def action(site: ForkedSite) -> dict[str, object]:
    found = json.loads(site.at("venue", "action", "list", "-o", "json").out or "[]")
    return found[0] if found else {}


def frozen(market: Market) -> bool:
    return bool(market.view("data_provider", "getReserveConfigurationData", market.collateral)[9])


def alarm(site: ForkedSite) -> None:
    site.up(*NAMES)
    site.meshed(*NAMES, hears=4)
    for name in NAMES[:3]:
        assert site.at(name, "alert", "raise", SUBJECT, "bridge-forgery", "ISOLATE", "--person", "anna").code == 0


def test_the_networks_word_freezes_a_reserve_and_the_node_frees_it_when_the_lease_ends(
    site: ForkedSite, market: Market
):
    furnish(site, market)
    alarm(site)
    wait_for("the reserve is frozen", lambda: frozen(market), 10)
    with pytest.raises(Refused, match=r"^28$"):
        market.supply("attacker")
    wait_for("the reserve is free", lambda: not frozen(market), LEASE_S + 10)
    market.supply("attacker")
    assert wait_for("the action has ended", lambda: action(site).get("phase") == "lifted", 5)


def test_a_node_that_was_killed_ends_its_freeze_when_it_is_back(site: ForkedSite, market: Market):
    furnish(site, market)
    alarm(site)
    wait_for("the freeze is read back", lambda: action(site).get("phase") == "effective", 10)
    site.children.pop("venue").kill()
    assert frozen(market)
    site.up("venue")
    wait_for("the reserve is free", lambda: not frozen(market), LEASE_S + 15)


def test_a_freeze_that_a_person_took_over_outlives_the_nodes_lease(site: ForkedSite, market: Market):
    furnish(site, market)
    alarm(site)
    wait_for("the freeze is read back", lambda: action(site).get("phase") == "effective", 10)
    market.do("pool_admin", "configurator", "setReserveFreeze", market.collateral, True)
    wait_for("the action has ended", lambda: action(site).get("phase") == "lifted", LEASE_S + 10)
    assert frozen(market)
    assert "left alone" in site.at("venue", "action", "show", str(action(site)["key"])).out
