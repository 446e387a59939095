"""A target that is written as calls: what it may say, every fault at once, and which functions no lever calls."""

import tomllib

import pytest

from adapters.api import ExpiresBy
from adapters.evm.abi import Abi
from adapters.evm.call_abi import REFUSED, fragment_of, why_refused
from adapters.evm.call_config import BEFORE, UNTIL, CallTarget, read_target
from adapters.section import Section
from protocol.messages import Level

ASSET = "0x" + "ab" * 20
CAP = f"""
rung = "GUARD"
closes = ["borrow"]
max = "6h"
cooldown = "1h"
blocks_exit = false
becomes = 1000
restrict = {{ fn = "function setCap(address asset, uint256 cap)", args = ["{ASSET}", 1000] }}
lift = {{ fn = "function setCap(address asset, uint256 cap)", args = ["{ASSET}", "{{before}}"] }}
read = {{ fn = "function caps(address) view returns (uint256)", args = ["{ASSET}"], stands = ["> 0", "<= 1000"] }}
events = [{{ fn = "event CapSet(address indexed asset, uint256 cap)", field = "cap", where = {{ asset = "{ASSET}" }} }}]
"""
FLAG = """
rung = "HALT"
closes = ["transfer"]
max = "6h"
cooldown = "1h"
restrict = { fn = "function stop()" }
lift = { fn = "function go()" }
read = { fn = "function stopped() view returns (bool)", stands = "== true" }
"""
LEASE = """
rung = "GUARD"
closes = ["open"]
max = "6h"
cooldown = "1h"
restrict = { fn = "function stopUntil(uint64)", args = ["{until_s}"] }
lift = { fn = "function go()" }
read = { fn = "function stoppedUntil() view returns (uint64)", stands = ">= {until_s}" }
"""


def read(text: str) -> tuple[CallTarget | None, list[str]]:
    faults: list[str] = []
    keys = Section("target.x", tomllib.loads(text), faults)
    found = read_target("x", keys, "eip155:1", b"\x01" * 20, b"\x02" * 20)
    keys.done()
    return found, faults


def good(text: str) -> CallTarget:
    found, faults = read(text)
    assert found is not None and not faults, faults
    return found


def test_a_number_is_moved_and_what_stood_is_put_back():
    target = good(CAP)
    assert target.restrict.filled(5, 7) == (bytes.fromhex("ab" * 20), 1000)
    assert target.lift is not None and target.lift.filled(5, 7) == (bytes.fromhex("ab" * 20), 7)
    said = target.declared
    assert (said.rung, said.expires_by, said.blocks_exit, said.closes) == (
        Level.GUARD,
        ExpiresBy.NODE,
        False,
        frozenset({"borrow"}),
    )


@pytest.mark.parametrize(("number", "stands"), [(0, False), (1, True), (1000, True), (1001, False)])
def test_all_comparisons_must_hold(number: int, stands: bool):
    assert good(CAP).read.holds(number, 0) is stands


def test_people_are_shown_the_selector():
    selector = Abi([{"type": "function", "name": "stop", "inputs": [], "outputs": []}]).function("stop").selector
    assert f"stop() (0x{selector.hex()})" in good(FLAG).declared.says


def test_a_flags_lift_leaves_the_other_flag():
    target = good(FLAG)
    assert (target.becomes, target.lifted, target.declared.blocks_exit) == (1, 0, True)


def test_a_contract_that_takes_an_end_ends_it_itself():
    target = good(LEASE)
    assert target.keeps_ends and target.restrict.uses(UNTIL) and target.declared.expires_by is ExpiresBy.TARGET
    assert target.read.holds(10, 10) and not target.read.holds(9, 10)


def test_what_cannot_be_undone_says_so_and_nobody_but_people_may_pull_it():
    text = FLAG.replace('lift = { fn = "function go()" }\n', "")
    assert any(fault.startswith("target.x.lift: is missing") for fault in read(text)[1])
    target = good(text + "reversible = false\nlifted = 0\n")
    assert not target.declared.reversible and target.declared.expires_by is ExpiresBy.HUMAN


@pytest.mark.parametrize(
    ("text", "old", "new", "says"),
    [
        (CAP, "setCap(address asset", "setCap(tuple asset", "restrict.fn: 'tuple' is no type here"),
        (CAP, '"{A}", 1000]', '"{A}"]', "restrict.args: setCap(address,uint256) takes 2 arguments"),
        (CAP, '"{A}", 1000]', '"0xab", 1000]', "restrict.args[0]: '0xab' is no address"),
        (CAP, '"{A}", 1000]', '"{A}", -1]', "restrict.args[1]: '-1' is no uint256"),
        (CAP, '"{A}", 1000]', '"{A}", 1.5]', "restrict.args[1]: '1.5' is no uint256"),
        (CAP, '"{A}", 1000]', '"{A}", true]', "restrict.args[1]: 'True' is no uint256"),
        (CAP, '"{A}", 1000]', '"{A}", "{subject}"]', "restrict.args[1]: '{subject}' stands for nothing here"),
        (CAP, '"{A}", 1000]', '"{A}", "{before}"]', "restrict.args[1]: '{before}' stands for nothing here"),
        (CAP, '"{A}", 1000]', '"{until_s}", 1000]', "restrict.args[0]: {until_s} is a number, and address"),
        (CAP, "becomes = 1000", "becomes = 1001", "becomes: must be what the view says"),
        (CAP, "becomes = 1000\n", "", "becomes: must be what the view says"),
        (CAP, '"{before}"', "5000", "lifted: must be what the view says after the lift"),
        (CAP, '["> 0", "<= 1000"]', '">= {until_s}"', "becomes: must be"),
        (CAP, '["> 0", "<= 1000"]', '"about 1000"', "read.stands: each is a comparison"),
        (CAP, '["> 0", "<= 1000"]', "[]", "read.stands: must be like"),
        (CAP, "(address) view returns", "(address) returns", "read.fn: must say view or pure"),
        (CAP, "returns (uint256)", "returns (address)", "read.field: 0 is no number"),
        (CAP, "returns (uint256)", "returns (uint256,uint256)", "read.field: must name what is read"),
        (CAP, 'field = "cap"', 'field = "asset"', "events[0].field: must be a number"),
        (CAP, 'field = "cap", ', "", "events[0].field: give field"),
        (CAP, "where = { asset", "where = { owner", "events[0].where: must be a table of the event's own fields"),
        (CAP, "event CapSet", "function CapSet", "events[0].fn"),
        (CAP, 'becomes = 1000', 'becomes = 1000\nvalue = 1', "value: is no key here"),
        (CAP, '1000] }', '1000], value = 1 }', "restrict.value: is no key here"),
        (FLAG, "function stop()", "function stop() payable", "restrict.fn: 'payable' follows the function"),
        (FLAG, "function stop()", "function stop() view", "restrict.fn: changes nothing"),
        (FLAG, "function stop()", "fallback()", "restrict.fn: must be like"),
        (FLAG, "function stop()", "function fallback()", "restrict.fn: fallback() gives away"),
        (FLAG, "function go()", "function renounceOwnership()", "lift.fn: renounceOwnership() gives away"),
        (FLAG, "function go()", "function renounce_ownership()", "lift.fn: renounce_ownership() gives away"),
        (FLAG, '"== true"', '"== {until_s}"', "becomes: must be"),
        (LEASE, "uint64)", "uint32)", "restrict.args[0]: {until_s} is a number, and uint32"),
        (LEASE, '">= {until_s}"', '"== 1"', "read.stands: must be \">= {until_s}\""),
    ],
)  # fmt: skip
def test_what_a_target_of_calls_may_not_say(text: str, old: str, new: str, says: str):
    old, new = old.replace("{A}", ASSET), new.replace("{A}", ASSET)
    assert old in text
    found, faults = read(text.replace(old, new, 1))
    assert found is None or faults
    assert any(fault.startswith(f"target.x.{says}") for fault in faults), faults


def test_all_faults_are_told_at_once():
    text = CAP.replace("1000] }", '"x"] }').replace("event CapSet", "event").replace('"6h"', '"48h"')
    said = " ".join(read(text)[1])
    assert "restrict.args[1]" in said and "events[0].fn" in said and ".max" in said


@pytest.mark.parametrize("signature", [one for one in REFUSED if "receive" not in one])
def test_a_function_that_gives_something_away_is_refused_with_any_arguments(signature: str):
    name = signature.partition("(")[0]
    assert why_refused(fragment_of(f"function {name}(uint8,uint8,uint8)"))
    assert why_refused(fragment_of(f"function {name.upper()}(uint8)"))


def test_a_harmless_name_with_the_selector_of_a_transfer_is_refused():
    twin = fragment_of("function many_msg_babbage(bytes1)")
    assert twin.selector.hex() == "a9059cbb" and "transfer(address,uint256)" in why_refused(twin)


@pytest.mark.parametrize("kind", ["bytes", "bytes[]"])
def test_bytes_of_any_length_may_be_a_call_and_are_refused(kind: str):
    assert "a call of their own" in why_refused(fragment_of(f"function stop({kind})"))
    assert not why_refused(fragment_of("function stop(bytes32,bytes4[])"))


def test_a_large_number_is_written_as_text():
    target = good(
        CAP.replace("1000", '"1000"').replace('becomes = "1000"', "becomes = 1000").replace('<= "1000"', "<= 1000")
    )
    assert target.restrict.args[1] == 1000 and BEFORE in (target.lift.args if target.lift else ())
