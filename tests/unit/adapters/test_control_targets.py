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


SAFE = f"""{CONNECTED}[target.council]
kind = "evm.safe"
chain = "eip155:1"
contract = "{ADDRESS}"
asset = "{ADDRESS}"
restrict = ["{ADDRESS} pause()"]
lift = ["{ADDRESS} unpause()"]
shows = "{ADDRESS} paused() = true"
inbox = "/nowhere/council"
rung = "HALT"
closes = ["transfer"]
max = "1h"
cooldown = "1h"
key_file = "keys/lever.key"
"""


def test_a_safe_gives_one_lever_that_people_lift():
    said = made(SAFE).levers["council:safe.propose"].declared
    assert (said.expires_by, said.reversible, said.closes) == (ExpiresBy.HUMAN, True, {"transfer"})


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('pause()"]\nlift', 'pause"]\nlift', "restrict: must be an address, a function with its types"),
        ('["0x', '[7, "0x', "restrict: must be a list of texts, 1 to 8"),
        ("paused() = true", "paused()", "shows: must be a view and what it says"),
        ("/nowhere/council", "council", "inbox: 'council' must be a directory below data_dir, or a whole path"),
        ('pause()"]\nlift', f'pause()", "{ADDRESS} stop()"]\nlift', "multi_send: is missing"),
        (f'shows = "{ADDRESS} paused() = true"\n', "", "shows: is missing"),
    ],
)
def test_what_a_safe_may_not_say(old: str, new: str, says: str):
    assert old in SAFE
    (fault,) = faults(SAFE.replace(old, new, 1))
    assert fault.startswith(f"target.council.{says}")


LOCK = f"""{CONNECTED}[target.lock]
kind = "evm.timelock"
chain = "eip155:1"
contract = "{ADDRESS}"
asset = "{ADDRESS}"
calls = ["{ADDRESS} upgradeTo(address)"]
rung = "ISOLATE"
closes = ["upgrade"]
max = "1h"
cooldown = "1h"
key_file = "keys/lever.key"
"""


@pytest.mark.parametrize("calls", [f'["{ADDRESS} upgradeTo(address)"]', '["any"]'])
def test_a_cancellation_is_declared_irreversible(calls: str):
    said = made(LOCK.replace(f'["{ADDRESS} upgradeTo(address)"]', calls)).levers["lock:timelock.cancel"].declared
    assert not said.reversible and said.expires_by is ExpiresBy.HUMAN


@pytest.mark.parametrize("calls", ["[]", '["upgradeTo(address)"]', f'["any", "{ADDRESS} f()"]', f'["{ADDRESS} f(("]'])
def test_what_a_timelock_may_not_say(calls: str):
    (fault,) = faults(LOCK.replace(f'["{ADDRESS} upgradeTo(address)"]', calls))
    assert fault.startswith("target.lock.calls: must be ")


MODULE = f"""{CONNECTED}[target.council]
kind = "evm.safe_module"
chain = "eip155:1"
contract = "{ADDRESS}"
pauses = "{ADDRESS}"
asset = "{ADDRESS}"
accept_wide = true
rung = "HALT"
closes = ["transfer"]
max = "1h"
cooldown = "1h"
key_file = "keys/lever.key"
"""


def test_a_module_is_refused_unless_its_width_is_accepted():
    said = made(MODULE).levers["council:safe.module_pause"].declared
    assert said.expires_by is ExpiresBy.NODE and "whose module this node's account is" in said.says
    (fault,) = faults(MODULE.replace("accept_wide = true\n", ""))
    assert fault.startswith("target.council.accept_wide: a thief of this key could make the Safe do anything")
