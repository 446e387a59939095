"""A node whose policy names levers on perpetuals of others: it is checked against what they declare, and each tried."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from node import keys
from node.keys import Purpose
from tests.integration.levers.aave_market import KEYS, Market
from tests.integration.levers.packages import SYNTHETIX, missing
from tests.integration.levers.perp_v2_market import Perp
from tests.integration.levers.synthetix_system import GUARD, System, build_system
from tests.integration.network.forked import ForkedSite
from tests.integration.network.site import SUBJECT

pytestmark = pytest.mark.network
ENDS = 'expires_by = "node", accept_overdue = true'
POLICY = f"""
policy = 1
mode = "act"
asset.rseth = ["{SUBJECT}"]
[exposure]
pool = {{ asset = "rseth", read = "aave.reserve", max_age = "5m", ways_out = ["withdraw"] }}
market = {{ asset = "rseth", read = "aave.reserve", max_age = "5m", target = "eth", behind = "pool", ways_out = ["open"] }}
[lever]
still = {{ on = "market", call = "synthetix.synth_exchange", closes = ["exchange"], blocks_exit = true, {ENDS}, max = "6h", cooldown = "2h" }}
stop = {{ on = "market", call = "synthetix.market", closes = ["close", "margin", "open"], blocks_exit = true, {ENDS}, max = "1h", cooldown = "6h" }}
[rule]
shut = {{ asset = "rseth", level = "HALT", own = "any", hold = "4m", silent = ["ltv"], do = ["stop"], for = "1h" }}
rest = {{ asset = "any", level = "any", own = "any", do = [], page = true }}
"""  # noqa: E501
SILENT = f'ltv = {{ on = "pool", call = "aave.ltv_zero", closes = ["borrow"], {ENDS}, max = "12h", cooldown = "2h" }}\n'


@pytest.fixture
def site(tmp_path: Path) -> Iterator[ForkedSite]:
    one = ForkedSite(tmp_path)
    one.found()
    yield one
    one.close()


def furnish(site: ForkedSite, market: Market) -> System:
    why = missing(SYNTHETIX)
    if why:
        pytest.skip(why)
    system, data = build_system(market.url), site.folder / "venue" / "data"
    (site.folder / "venue" / "policy.toml").write_text(POLICY.replace("[lever]\n", f"[lever]\n{SILENT}"))
    (data / "keys" / "lever.key").unlink()
    keys.write_key(data, Purpose.LEVER, keys.Secret(KEYS[GUARD]))
    tables = f'[[connection]]\nid = "venue.home"\nchain = "eip155:1"\nurl = "{market.url}"\n'
    tables += f'[target.pool]\nkind = "evm.aave"\nchain = "eip155:1"\ncontract = "0x{market.pool.hex()}"\n'
    tables += f'asset = "0x{market.collateral.hex()}"\nkey_file = "keys/lever.key"\n'
    resolver = system.at["AddressResolver"].hex()
    tables += f'[target.eth]\nkind = "evm.synthetix"\nchain = "eip155:1"\ncontract = "0x{resolver}"\n'
    tables += 'market = "sETHPERP"\nsynth = "sETH"\nkey_file = "keys/lever.key"\n'
    path = site.config("venue")
    path.write_text(path.read_text() + f"\n{tables}")
    return system


def test_a_policy_that_hides_that_people_are_locked_in_does_not_pass(site: ForkedSite, market: Market):
    furnish(site, market)
    ran = site.at("venue", "policy", "check")
    assert ran.code == 0, ran
    path = site.folder / "venue" / "policy.toml"
    path.write_text(path.read_text().replace("blocks_exit = true, ", ""))
    wrong = site.at("venue", "policy", "check")
    assert wrong.code and "write blocks_exit = true" in wrong.out + wrong.err


def test_each_suspension_is_tried_as_the_nodes_account_and_nothing_is_sent(site: ForkedSite, market: Market):
    system = furnish(site, market)
    ran = site.at("venue", "lever", "test", "still", "stop", "-o", "json")
    found = {one["name"]: one for one in json.loads(ran.out)}
    assert ran.code == 0 and found["still"]["ok"] and found["stop"]["ok"], ran
    assert "suspend any other synth" in found["stop"]["beyond"]["may"]
    system.trade("attacker")


def test_a_halt_is_tried_at_its_market_by_its_name_in_the_configuration(site: ForkedSite, perp: Perp):
    data, path = site.folder / "venue" / "data", site.config("venue")
    (data / "keys" / "lever.key").unlink()
    keys.write_key(data, Purpose.LEVER, keys.Secret(KEYS["owner"]))
    house, base = perp.at["ClearingHouse"].hex(), perp.base.hex()
    tables = f'[[connection]]\nid = "venue.home"\nchain = "eip155:1"\nurl = "{perp.url}"\n'
    tables += f'[target.veth]\nkind = "evm.perp_v2"\nchain = "eip155:1"\ncontract = "0x{house}"\nasset = "0x{base}"\n'
    path.write_text(path.read_text() + f'\n{tables}key_file = "keys/lever.key"\n')
    ran = site.at("venue", "lever", "test", "veth:perp2.halt", "veth:perp2.spread", "-o", "json")
    found = {one["name"]: one for one in json.loads(ran.out)}
    assert ran.code == 0 and found["veth:perp2.halt"]["ok"] and found["veth:perp2.spread"]["ok"], ran
    assert "end the market for good" in found["veth:perp2.halt"]["beyond"]["may"]
    perp.open("attacker", 100)
