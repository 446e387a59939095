"""A whole node whose lever is a Safe's: the network's word makes a proposal, two owners sign it, and it is sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.evm.evm_key import EvmKey
from adapters.evm.safe_files import parse_proposal, sign_proposal
from node import keys
from node.keys import Purpose
from tests.integration.levers.aave_market import KEYS, Market
from tests.integration.levers.packages import OPEN_ZEPPELIN_4, SAFE, missing
from tests.integration.levers.rpc import Refused
from tests.integration.levers.safe_token import GUARD, OWNERS, SafeToken, build_safe
from tests.integration.levers.test_aave_node import action, alarm
from tests.integration.network.forked import ForkedSite
from tests.integration.network.site import SUBJECT, wait_for

pytestmark = pytest.mark.network
POLICY = f"""
policy = 1
mode = "act"
asset.rseth = ["{SUBJECT}"]
[exposure]
pool = {{ asset = "rseth", read = "aave.reserve", max_age = "5m", ways_out = ["withdraw"] }}
token = {{ asset = "rseth", read = "aave.reserve", max_age = "5m", target = "council", behind = "pool", ways_out = ["transfer"] }}
[lever]
stop = {{ on = "token", call = "safe.propose", closes = ["transfer"], expires_by = "human", accept_overdue = true, max = "1h", cooldown = "1h" }}
[rule]
stop = {{ asset = "rseth", level = "ISOLATE", own = "any", do = ["stop"], for = "5m" }}
rest = {{ asset = "any", level = "any", own = "any", do = [], page = true }}
"""  # noqa: E501


@pytest.fixture
def site(tmp_path: Path) -> Iterator[ForkedSite]:
    one = ForkedSite(tmp_path)
    one.found()
    yield one
    one.close()


def furnish(site: ForkedSite, market: Market) -> SafeToken:
    why = missing(OPEN_ZEPPELIN_4) or missing(SAFE)
    if why:
        pytest.skip(why)
    built = build_safe(market.url)
    data = site.folder / "venue" / "data"
    (site.folder / "venue" / "policy.toml").write_text(POLICY)
    (data / "keys" / "lever.key").unlink()
    keys.write_key(data, Purpose.LEVER, keys.Secret(KEYS[GUARD]))
    at = f"0x{built.token.at.hex()}"
    pool = f'[target.pool]\nkind = "evm.aave"\nchain = "eip155:1"\ncontract = "0x{market.pool.hex()}"\n'
    pool += f'asset = "0x{market.collateral.hex()}"\n'
    connection = f'[[connection]]\nid = "venue.home"\nchain = "eip155:1"\nurl = "{market.url}"\n'
    council = f'[target.council]\nkind = "evm.safe"\nchain = "eip155:1"\ncontract = "0x{built.safe.hex()}"\n'
    council += (
        f'asset = "{at}"\nrestrict = ["{at} pause()"]\nlift = ["{at} unpause()"]\nshows = "{at} paused() = true"\n'
    )
    council += 'inbox = "council"\nrung = "ISOLATE"\ncloses = ["transfer"]\nblocks_exit = false\n'
    council += 'max = "1h"\ncooldown = "1h"\nkey_file = "keys/lever.key"\n'
    path = site.config("venue")
    path.write_text(path.read_text() + f"\n{connection}{pool}{council}")
    return built


def test_two_owners_words_carry_out_what_the_network_asked_for(site: ForkedSite, market: Market):
    built = furnish(site, market)
    assert site.at("venue", "policy", "check").code == 0
    inbox = site.folder / "venue" / "data" / "council"
    built.token.transfer("attacker")
    alarm(site)
    wait_for("a proposal lies there", lambda: list(inbox.glob("*.proposal.json")), 10)
    (path,) = inbox.glob("*.proposal.json")
    one = parse_proposal(path.read_text())
    (inbox / "one.json").write_text(sign_proposal(one, EvmKey(KEYS[OWNERS[0]])))
    ran = site.at("venue", "lever", "test", "stop", "-o", "json")
    (said,) = json.loads(ran.out)[0]["outstanding"]
    assert "waits: 1 of 2 owners have signed" in said and not built.paused
    (inbox / "two.json").write_text(sign_proposal(one, EvmKey(KEYS[OWNERS[1]])))
    wait_for("the pause is read back", lambda: action(site).get("phase") == "effective", 20)
    with pytest.raises(Refused):
        built.token.transfer("attacker")
    assert not list(inbox.iterdir())
