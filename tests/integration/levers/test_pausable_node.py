"""A whole node with the pause of two tokens: its policy is checked, its key is tried, and an exposure that another
target reads pauses one of them until the lease ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from node import keys
from node.keys import Purpose
from tests.integration.levers.aave_market import KEYS, Market
from tests.integration.levers.packages import OPEN_ZEPPELIN_4, missing
from tests.integration.levers.pausable_token import GUARD, Token, build_token
from tests.integration.levers.rpc import Refused
from tests.integration.levers.test_aave_node import action, alarm
from tests.integration.network.forked import ForkedSite
from tests.integration.network.site import SUBJECT, wait_for

pytestmark = pytest.mark.network
LEASE_S = 4
POLICY = f"""
policy = 1
mode = "act"
asset.rseth = ["{SUBJECT}"]
[exposure]
pool = {{ asset = "rseth", read = "aave.reserve", max_age = "5m", ways_out = ["withdraw"] }}
token = {{ asset = "rseth", read = "aave.reserve", max_age = "5m", target = "wrapped", behind = "pool", ways_out = ["transfer"] }}
other = {{ asset = "rseth", read = "aave.reserve", max_age = "5m", target = "vault", behind = "pool", ways_out = ["mint"] }}
[lever]
pause = {{ on = "token", call = "pausable.pause", closes = ["transfer"], expires_by = "node", accept_overdue = true, max = "1h", cooldown = "1h" }}
shut = {{ on = "other", call = "pausable.pause", closes = ["mint"], expires_by = "node", accept_overdue = true, max = "2h", cooldown = "2h" }}
[rule]
stop = {{ asset = "rseth", level = "ISOLATE", own = "any", do = ["pause"], for = "{LEASE_S}s" }}
rest = {{ asset = "any", level = "any", own = "any", do = [], page = true }}
"""  # noqa: E501


@pytest.fixture
def site(tmp_path: Path) -> Iterator[ForkedSite]:
    one = ForkedSite(tmp_path)
    one.found()
    yield one
    one.close()


def target(name: str, at: bytes, more: str) -> str:
    lines = f'[target.{name}]\nchain = "eip155:1"\ncontract = "0x{at.hex()}"\nasset = "0x{at.hex()}"\n'
    return f'{lines}kind = "evm.pausable"\nblocks_exit = false\nkey_file = "keys/lever.key"\n{more}\n'


def furnish(site: ForkedSite, market: Market) -> tuple[Token, Token]:
    why = missing(OPEN_ZEPPELIN_4)
    if why:
        pytest.skip(why)
    tokens = build_token(market.url), build_token(market.url)
    data = site.folder / "venue" / "data"
    (site.folder / "venue" / "policy.toml").write_text(POLICY)
    (data / "keys" / "lever.key").unlink()
    keys.write_key(data, Purpose.LEVER, keys.Secret(KEYS[GUARD]))
    pool = f'[target.pool]\nkind = "evm.aave"\nchain = "eip155:1"\ncontract = "0x{market.pool.hex()}"\n'
    pool += f'asset = "0x{market.collateral.hex()}"\n'
    connection = f'[[connection]]\nid = "venue.home"\nchain = "eip155:1"\nurl = "{market.url}"\n'
    wrapped = target("wrapped", tokens[0].at, 'rung = "ISOLATE"\ncloses = ["transfer"]\nmax = "1h"\ncooldown = "1h"')
    vault = target("vault", tokens[1].at, 'rung = "GUARD"\ncloses = ["mint"]\nmax = "2h"\ncooldown = "2h"')
    path = site.config("venue")
    path.write_text(path.read_text() + f"\n{connection}{pool}{wrapped}{vault}")
    return tokens


def test_a_policy_is_checked_against_the_target_that_it_names(site: ForkedSite, market: Market):
    furnish(site, market)
    ran = site.at("venue", "policy", "check")
    assert ran.code == 0, ran
    path = site.folder / "venue" / "policy.toml"
    path.write_text(POLICY.replace('closes = ["mint"]', 'closes = ["transfer"]'))
    wrong = site.at("venue", "policy", "check")
    assert wrong.code and 'write closes = ["mint"]' in wrong.out + wrong.err


def test_each_pause_is_tried_at_its_own_contract(site: ForkedSite, market: Market):
    furnish(site, market)
    ran = site.at("venue", "lever", "test", "pause", "shut", "-o", "json")
    found = {one["name"]: one for one in json.loads(ran.out)}
    assert ran.code == 0 and found["pause"]["ok"] and found["shut"]["ok"]
    assert found["pause"]["beyond"] == {"tried": 5, "may": []}


def test_the_networks_word_pauses_one_token_until_the_lease_ends(site: ForkedSite, market: Market):
    token, untouched = furnish(site, market)
    token.transfer("attacker")
    alarm(site)
    wait_for("the pause is read back", lambda: action(site).get("phase") == "effective", 10)
    with pytest.raises(Refused):
        token.transfer("attacker")
    untouched.transfer("attacker")
    wait_for("the token moves", lambda: not token.view("paused"), LEASE_S + 10)
    token.transfer("attacker")
