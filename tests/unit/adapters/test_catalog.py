"""The configuration's adapters: what it may say, every fault at once, and nothing loaded that it does not name."""

import subprocess
import sys
import tomllib

import pytest
import trio

from adapters.api import ExpiresBy, Instances, LeverOrder
from adapters.catalog import CatalogFaults, build
from protocol.ids import ActionKey, EpochHash, NetworkId, SourceId
from protocol.membership import Epoch, Source
from protocol.messages import Level
from protocol.subjects import asset

ADDRESS = "0x" + "ab" * 20
KEY = bytes(range(1, 33))
SOURCES = (Source(SourceId("lender-a.home"), "lender-a", "eip155:1"),)
EPOCH = Epoch(NetworkId(bytes(32)), 0, EpochHash(bytes(32)), 0, (), sources=SOURCES)

GOOD = f"""
[[connection]]
id = "lender-a.home"
chain = "eip155:1"
url = "http://127.0.0.1:8545"
[target.lend]
kind = "evm.lending"
chain = "eip155:1"
contract = "{ADDRESS}"
asset = "{ADDRESS}"
usd_per_loan_unit = 2350.0
key_file = "keys/lever.key"
[target.dry]
kind = "log"
[sensor.bridge]
kind = "evm.bridge"
poll_ms = 250
"""


def made(text: str, secret: bytes = KEY, said: list[str] | None = None) -> Instances:
    async def run() -> Instances:
        log = (said if said is not None else []).append
        found = build(tomllib.loads(text), lambda: EPOCH, lambda name: secret, log)
        for close in found.closers:
            await close()
        return found

    return trio.run(run)


def faults(text: str, secret: bytes = KEY) -> list[str]:
    with pytest.raises(CatalogFaults) as seen:
        made(text, secret)
    return seen.value.faults


def test_targets_give_readers_and_levers_by_name():
    found = made(GOOD)
    assert sorted(found.readers) == ["lend:lending.reserve", "lend:lending.utilisation"]
    assert sorted(found.levers) == [
        "dry:log.note",
        "lend:lending.cap",
        "lend:lending.freeze",
        "lend:lending.ltv_zero",
    ]
    assert [sensor.name for sensor in found.sensors] == ["bridge"]
    assert "evm-release-without-burn" in found.verifiers[0].claim_types


def test_a_reserve_of_aave_gives_four_levers_and_two_readings_and_names_its_own_price():
    target = f'kind = "evm.aave"\nchain = "eip155:1"\ncontract = "{ADDRESS}"\nasset = "{ADDRESS}"\n'
    connection = GOOD.partition("[target.lend]")[0]
    found = made(f'{connection}[target.aave]\n{target}key_file = "keys/lever.key"\n')
    calls = ("aave.borrow_cap", "aave.freeze", "aave.ltv_zero", "aave.pause")
    assert sorted(found.levers) == [f"aave:{call}" for call in calls]
    assert sorted(found.readers) == ["aave:aave.reserve", "aave:aave.utilisation"]
    (fault,) = faults(f"{connection}[target.aave]\n{target}usd_per_loan_unit = 1.0\n")
    assert fault == "target.aave.usd_per_loan_unit: is no key here; allowed: asset, chain, contract, key_file, kind"


PAUSABLE = f"""{GOOD.partition("[target.lend]")[0]}[target.token]
kind = "evm.pausable"
chain = "eip155:1"
contract = "{ADDRESS}"
asset = "{ADDRESS}"
rung = "HALT"
closes = ["transfer", "mint"]
max = "6h"
cooldown = "90m"
key_file = "keys/lever.key"
"""


def test_a_pausable_contract_gives_one_lever_as_its_owner_declares_it_and_no_reading():
    found = made(PAUSABLE)
    said = found.levers["token:pausable.pause"].declared
    assert len(found.levers) == 1 and not found.readers
    assert (said.rung, said.closes, said.blocks_exit) == (Level.HALT, {"transfer", "mint"}, True)
    assert (said.max_ms, said.cooldown_ms, said.expires_by) == (6 * 3_600_000, 90 * 60_000, ExpiresBy.NODE)
    open_ways = made(PAUSABLE.replace('max = "6h"', 'max = "24h"\nblocks_exit = false'))
    assert not open_ways.levers["token:pausable.pause"].declared.blocks_exit
    assert not made(PAUSABLE.replace('key_file = "keys/lever.key"\n', "")).levers


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"HALT"', '"WATCH"', "rung: 'WATCH' must be one of GUARD, ISOLATE, HALT"),
        ('rung = "HALT"\n', "", "rung: is missing"),
        ('["transfer", "mint"]', "[]", "closes: must be a list of names"),
        ('["transfer", "mint"]', '["Transfer"]', "closes: must be a list of names"),
        ('["transfer", "mint"]', '"transfer"', "closes: must be a list of names"),
        ('closes = ["transfer", "mint"]\n', "", "closes: is missing"),
        ('"6h"', '"25h"', 'max: must be a duration like "90s", "5m" or "6h", at most 1d'),
        ('"6h"', "21600", "max: must be a duration"),
        ('"90m"', '"0m"', "cooldown: must be a duration"),
        ('cooldown = "90m"\n', "", "cooldown: is missing"),
        ('rung = "HALT"', 'rung = "HALT"\nblocks_exit = "no"', "blocks_exit: must be true or false"),
    ],
)
def test_what_a_pausable_target_may_not_say(old: str, new: str, says: str):
    assert old in PAUSABLE
    (fault,) = faults(PAUSABLE.replace(old, new))
    assert fault.startswith(f"target.token.{says}")


GUARDED = PAUSABLE.replace("evm.pausable", "evm.guard").replace("target.token", "target.gate")


def test_a_lever_of_a_guard_is_ended_by_the_guard():
    found = made(GUARDED.replace('rung = "HALT"', 'rung = "HALT"\nlever = 3'))
    said = found.levers["gate:guard.pull"].declared
    assert len(found.levers) == 1 and not found.readers and said.expires_by is ExpiresBy.GUARD
    assert (said.rung, said.closes, said.max_ms) == (Level.HALT, {"transfer", "mint"}, 6 * 3_600_000)
    assert found.levers["gate:guard.pull"].slot.endswith("/3")


@pytest.mark.parametrize("number", ["-1", "64", '"0"', "true"])
def test_a_guard_has_sixty_four_levers(number: str):
    (fault,) = faults(GUARDED.replace('rung = "HALT"', f'rung = "HALT"\nlever = {number}'))
    assert fault == "target.gate.lever: must be a whole number from 0 to 63"


def test_a_target_without_a_key_is_only_read():
    found = made(GOOD.replace('key_file = "keys/lever.key"\n', ""))
    assert list(found.levers) == ["dry:log.note"] and len(found.readers) == 2


@pytest.mark.parametrize("secret", [KEY, KEY.hex().encode() + b"\n", b"0x" + KEY.hex().encode()], ids=range(3))
def test_a_key_file_is_raw_or_hex(secret):
    assert len(made(GOOD, secret).levers) == 4


def test_a_bad_key_is_said_without_the_key():
    (fault,) = faults(GOOD, b"s3cret-not-hex")
    assert fault.startswith("target.lend.key_file: 'keys/lever.key': not a key") and "s3cret" not in fault


def test_every_fault_is_told_at_once_with_its_key():
    bad = """
    [[connection]]
    id = "a"
    chain = "mainnet"
    url = "ftp://x/SECRET"
    [[connection]]
    chain = "eip155:1"
    url = "http://127.0.0.1:1"
    speed = 3
    [target.lend]
    kind = "evm.lending"
    chain = "eip155:5"
    contract = "0x12"
    usd_per_loan_unit = -1
    colour = "red"
    [target.what]
    kind = "evm.dex"
    [target."Bad Name"]
    kind = "log"
    [sensor.bridge]
    kind = "evm.bridge"
    poll_ms = "fast"
    [lever.x]
    """
    got = "\n".join(faults(bad))
    for want in (
        "lever: is no section here; allowed: connection, relay, sensor, sink, target",
        "connection[0].chain: 'mainnet' must be a chain like eip155:1",
        "connection[0].url: must be an http:// or https:// address",
        "connection[1].id: is missing",
        "connection[1].speed: is no key here; allowed: chain, id, url",
        "target.lend.contract: '0x12' must be an address",
        "target.lend.asset: is missing",
        "target.lend.usd_per_loan_unit: must be a number above 0",
        "target.lend.colour: is no key here",
        "target.lend.chain: no [[connection]] sees eip155:5",
        "target.what.kind: 'evm.dex' is unknown; built in: evm.lending, evm.perp, evm.escrow, evm.aave, evm.pausable, ",
        "target.Bad Name: a name is 1 to 32",
        "sensor.bridge.poll_ms: must be a whole number",
        "sensor.bridge.kind: evm.bridge needs a [[connection]]",
    ):
        assert want in got
    assert "SECRET" not in got


def test_a_source_that_is_twice_there_is_a_fault():
    assert any("is there twice" in fault for fault in faults(GOOD + GOOD.partition("[target")[0]))


def test_a_connection_outside_the_register_is_told_and_not_refused():
    said: list[str] = []
    made(GOOD.replace("lender-a.home", "mine"), said=said)
    assert said == [
        "connection mine: it is not in the epoch's source register; what it says counts for no quorum",
    ]


def test_the_sections_may_be_wrong_in_kind():
    assert len(faults("connection = 1\ntarget = 2\nsensor = 3")) == 3


def test_what_is_not_named_is_not_imported():
    code = (
        "import sys, adapters.catalog as c\n"
        "c.build({'target': {'dry': {'kind': 'log'}}}, lambda: None, lambda n: b'', print)\n"
        "sys.exit('web3' in sys.modules or 'adapters.evm.client' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=30).returncode == 0


REGISTRY = f"""
[[connection]]
id = "lender-a.home"
chain = "eip155:1"
url = "http://127.0.0.1:8545"
[sensor.mirror]
kind = "evm.registry"
chain = "eip155:1"
contract = "{ADDRESS}"
patience_s = 60
"""


def test_a_registry_is_watched_by_name():
    (sensor,) = made(REGISTRY).sensors
    assert (sensor.name, sensor.where) == ("mirror", f"registry {ADDRESS} on eip155:1")


def test_a_registry_needs_a_connection_and_an_address():
    said = faults(
        REGISTRY.replace('contract = "', 'contract = "0x').replace('eip155:1"\ncontract', 'eip155:2"\ncontract')
    )
    assert len(said) == 2
    assert "sensor.mirror.contract" in said[0] or "sensor.mirror.contract" in said[1]
    assert any("no [[connection]] sees eip155:2" in one for one in said)


def test_with_a_key_a_nodes_words_are_signed_for_the_registry():
    found = made(REGISTRY.replace("patience_s = 60", 'key_file = "keys/evm.key"'))
    assert found.countersign is not None
    assert made(REGISTRY).countersign is None
    assert any("not a key" in one for one in faults(REGISTRY + 'key_file = "keys/evm.key"\n', secret=b"short"))


def test_a_word_has_room_for_one_signature():
    second = REGISTRY[REGISTRY.index("[sensor") :].replace("mirror", "other")
    said = faults((REGISTRY + second).replace("patience_s = 60", 'key_file = "keys/evm.key"'))
    assert said == ["sensor.other.key_file: stands in sensor.mirror too; a word has room for one signature"]


RELAY = '[[relay]]\nchain = "eip155:1"\nurl = "https://relay.example/s3cret"\n'


async def planned(text: str) -> str:
    found = build(tomllib.loads(text), lambda: EPOCH, lambda name: KEY, [].append)
    order = LeverOrder(ActionKey(b"\1" * 32), "x", asset("eip155:1", bytes(20)), Level.GUARD, 2**41, False)
    says = (await found.levers["lend:lending.ltv_zero"].plan(order)).says
    for close in found.closers:
        await close()
    return says


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("", "; sent through 1 relay, public after 25 s"),
        ("public_after_s = 40\n" + RELAY + "public_after_s = 40\n", "; sent through 2 relays, public after 40 s"),
        ("never_public = true\n", "; sent through 1 relay, never public"),
    ],
)
def test_a_plan_says_how_it_leaves(more: str, says: str):
    told = trio.run(planned, GOOD + RELAY + more)
    assert says in told and "s3cret" not in told
    assert "relay" not in trio.run(planned, GOOD)


def test_a_relay_of_a_chain_that_nobody_sees_is_a_fault():
    (fault,) = faults(GOOD + RELAY.replace("eip155:1", "eip155:5"))
    assert fault.startswith("relay[0].chain: no [[connection]] sees eip155:5; add one")
