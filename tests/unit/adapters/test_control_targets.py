"""What the configuration says of levers that go through somebody's manager, timelock or Safe."""

from __future__ import annotations

import pytest

from adapters.api import ExpiresBy
from protocol.messages import Level
from tests.unit.adapters.test_catalog import ADDRESS, GOOD, faults, made

CONNECTED = GOOD.partition("[target.lend]")[0]
MANAGED = f"""{CONNECTED}[target.token]
kind = "evm.access_manager"
call = "access.close_target"
chain = "eip155:1"
contract = "{ADDRESS}"
manages = "{ADDRESS}"
asset = "{ADDRESS}"
rung = "HALT"
closes = ["mint"]
max = "1h"
cooldown = "1h"
key_file = "keys/lever.key"
"""


@pytest.mark.parametrize("call", ["access.close_target", "access.pause"])
def test_a_managed_contract_gives_the_one_lever_that_it_names(call: str):
    found = made(MANAGED.replace("access.close_target", call))
    said = found.levers[f"token:{call}"].declared
    assert len(found.levers) == 1 and not found.readers
    assert (said.call, said.rung, said.closes, said.blocks_exit) == (call, Level.HALT, {"mint"}, True)
    assert said.expires_by is ExpiresBy.NODE and said.reversible
    assert not made(MANAGED.replace('key_file = "keys/lever.key"\n', "")).levers


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            '"access.close_target"',
            '"access.open"',
            "call: 'access.open' must be one of access.close_target, access.pause",
        ),
        (f'manages = "{ADDRESS}"\n', "", "manages: is missing"),
        ('"1h"\ncooldown', '"25h"\ncooldown', "max: must be a duration"),
        ('"eip155:1"\ncontract', '"eip155:9"\ncontract', "chain: no [[connection]] sees eip155:9"),
        ('["mint"]', "[]", "closes: must be a list of names"),
    ],
)
def test_what_a_managed_contract_may_not_say(old: str, new: str, says: str):
    assert old in MANAGED
    (fault,) = faults(MANAGED.replace(old, new))
    assert fault.startswith(f"target.token.{says}")
