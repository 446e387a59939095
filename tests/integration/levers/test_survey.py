"""`tocsin survey` on contracts that others published: it says what holds, and sends nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import trio

from adapters.evm.aave_rows import AAVE_ROWS
from adapters.evm.abi import Abi, keccak256
from adapters.evm.account import Account
from adapters.evm.client import ChainClient
from adapters.evm.survey.draft import policy_text, targets_text
from adapters.evm.survey.facts import Asset, Control, Place, Survey
from adapters.evm.survey.look import STRANGER, Looker
from adapters.evm.survey.run import survey
from adapters.evm.survey.say import lines_of
from adapters.evm.unregistered import connections_of
from adapters.policy import Mode, parse_text
from adapters.policy.check import check
from node.cli import main
from tests.integration.levers.aave_market import KEYS, Market
from tests.integration.levers.packages import OPEN_ZEPPELIN, OPEN_ZEPPELIN_4, SAFE, artifact, linked, missing
from tests.integration.levers.rpc import People
from tests.unit.protocol import world

pytestmark = pytest.mark.network
EPOCH = world.epoch(7)
OWNER = KEYS["owner"]
DAYS_2 = 2 * 86_400


def looked(url: str, *addresses: bytes, holders: tuple[bytes, ...] = (), past: bool = True) -> Survey:
    async def run() -> Survey:
        links = await connections_of([url])
        client = ChainClient(links)
        look = Looker(client, links[0].chain, holders)
        if not past:
            look.logs = _none  # type: ignore[method-assign]
        try:
            return await survey(look, addresses)
        finally:
            await client.aclose()

    return trio.run(run)


async def _none(address: bytes, topic: bytes) -> None:
    return None


def placed(market: Market, **more: Any) -> Place:
    (found,) = looked(market.url, market.pool, **more).places
    return found


def asset(place: Place, symbol: str = "COLLATERAL") -> Asset:
    return next(one for one in place.assets if one.symbol == symbol)


def control(place: Place, name: str) -> Control:
    return next(one for one in place.controls if one.name == name and one.asset in ("COLLATERAL", ""))


def also(place: Place, right: str) -> tuple[str, ...]:
    return next(one.also for one in place.rights if one.name == right)


def published(package: str, contract: str) -> tuple[bytes, Abi]:
    why = missing(package)
    if why:
        pytest.skip(why)
    found = artifact(package, contract)
    return linked(found, {}), Abi(found["abi"])


def made(url: str, package: str, contract: str, *args: Any) -> bytes:
    code, abi = published(package, contract)
    return People(url).make(OWNER, code, abi, args)


def safe(url: str, owners: int, threshold: int) -> bytes:
    people = People(url)
    singleton, factory = made(url, SAFE, "Safe"), made(url, SAFE, "SafeProxyFactory")
    _, setup = published(SAFE, "Safe")
    _, makes = published(SAFE, "SafeProxyFactory")
    who = [keccak256(bytes([at]))[12:] for at in range(owners)]
    first = setup.function("setup").encode((who, threshold, bytes(20), b"", bytes(20), bytes(20), 0, bytes(20)))
    call = (factory, makes, "createProxyWithNonce", singleton, first, len(url))
    address: bytes = people.view(*call)
    people.do(OWNER, *call)
    return address


# --- a market


def test_only_an_ltv_of_zero_closes_borrowing_against_an_asset_alone(market: Market) -> None:
    assert asset(placed(market)).ways["borrow"] == ("LTV → 0", "pool pause")


def test_it_says_that_on_this_version_a_freeze_alone_leaves_borrowing_open(market: Market) -> None:
    place = placed(market)
    assert "3.0" in place.what
    assert any("a freeze alone leaves borrowing open" in one for one in place.warnings)
    assert "borrow" in control(place, "freeze").leaves


def test_each_right_is_tried_and_not_believed_by_its_name(market: Market) -> None:
    place = placed(market)
    assert control(place, "freeze").by == ("RISK_ADMIN", "POOL_ADMIN")
    assert control(place, "pause").by == ("EMERGENCY_ADMIN", "POOL_ADMIN")
    assert control(place, "pool pause").by == ("EMERGENCY_ADMIN",)


def test_it_says_what_else_a_right_can_do(market: Market) -> None:
    place = placed(market)
    assert "set prices" in also(place, "POOL_ADMIN")
    assert "lift a freeze" in also(place, "RISK_ADMIN")
    assert also(place, "EMERGENCY_ADMIN") == ("pause everything at once", "lift a pause")
    assert "replace the pool and every other part of the market" in also(place, "owner of the addresses provider")


def test_a_way_out_that_nobody_can_close_is_named(market: Market) -> None:
    for role, kind in (("risk_admin", "Risk"), ("emergency_admin", "Emergency"), ("pool_admin", "Pool")):
        market.do("owner", "acl", f"remove{kind}Admin", market.address(role))
    found = looked(market.url, market.pool)
    assert set(asset(found.places[0]).ways.values()) == {()}
    assert sum("NO LEVER" in line for line in lines_of(found)) == len(found.places[0].assets) * 5


def test_a_role_that_was_taken_back_is_nobodys(market: Market) -> None:
    market.do("owner", "acl", "removeRiskAdmin", market.address("risk_admin"))
    place = placed(market)
    assert control(place, "freeze").by == ("POOL_ADMIN",)
    assert next(one for one in place.rights if one.name == "RISK_ADMIN").holders == ()


def test_a_safe_tells_how_many_must_be_awake(market: Market) -> None:
    market.do("owner", "acl", "addRiskAdmin", safe(market.url, 3, 2))
    for role, kind in (("risk_admin", "Risk"), ("pool_admin", "Pool")):
        market.do("owner", "acl", f"remove{kind}Admin", market.address(role))
    said = "\n".join(lines_of(looked(market.url, market.pool)))
    assert "a Safe: 2 of 3 owners" in said and "LTV → 0 (2 people awake)" in said


def test_a_timelock_is_no_lever_in_time(market: Market) -> None:
    lock = made(market.url, OPEN_ZEPPELIN, "TimelockController", DAYS_2, [], [], bytes(20))
    market.do("owner", "acl", "addRiskAdmin", lock)
    for role, kind in (("risk_admin", "Risk"), ("pool_admin", "Pool")):
        market.do("owner", "acl", f"remove{kind}Admin", market.address(role))
    assert "LTV → 0 (only after 2 d)" in "\n".join(lines_of(looked(market.url, market.pool)))


def test_what_stands_already_is_said(market: Market) -> None:
    market.do("risk_admin", "configurator", "setReserveFreeze", market.collateral, True)
    place = placed(market)
    assert control(place, "freeze").stands
    assert "frozen now" in asset(place).facts
    assert "COLLATERAL is frozen and still backs new loans" in place.warnings


def test_what_anybody_may_call_is_said_first(market: Market) -> None:
    market.do("owner", "acl", "addRiskAdmin", STRANGER)
    place = placed(market)
    assert control(place, "freeze").by == ("anybody",)
    assert "setReserveFreeze(COLLATERAL, true): anybody can" in place.warnings


def test_any_part_of_a_market_leads_to_it_once(market: Market) -> None:
    found = looked(market.url, market.provider, market.pool, market.acl)
    assert [one.address for one in found.places] == [market.provider]


def test_without_the_past_it_says_so_and_tries_who_is_named(market: Market) -> None:
    place = placed(market, past=False)
    assert any("RISK_ADMIN" in one and "--holder" in one for one in place.unknown)
    named = placed(market, past=False, holders=(market.address("risk_admin"),))
    assert control(named, "freeze").by == ("RISK_ADMIN",)


def test_a_survey_sends_nothing(market: Market) -> None:
    people = market.people
    before = [people.ask("eth_getTransactionCount", "0x" + market.address(one).hex(), "latest") for one in KEYS]
    frozen = market.view("data_provider", "getPaused", market.collateral)
    placed(market)
    after = [people.ask("eth_getTransactionCount", "0x" + market.address(one).hex(), "latest") for one in KEYS]
    assert before == after and frozen == market.view("data_provider", "getPaused", market.collateral)


# --- the first policy


def test_the_first_policy_observes_and_reads_whole(market: Market) -> None:
    policy = parse_text(policy_text([looked(market.url, market.pool)]))
    assert policy.mode is Mode.OBSERVE
    assert sorted(policy.levers) == ["collateral_freeze", "collateral_ltv0", "loan_freeze", "loan_ltv0"]


def test_the_first_policy_passes_its_own_check(market: Market) -> None:
    policy = parse_text(policy_text([looked(market.url, market.pool)]))
    declared = {row.declared.call: row.declared for row in AAVE_ROWS}
    assert check(policy, declared, EPOCH.lease_ms, n_groups=7, f=2) == ()


def test_a_control_that_nobody_may_use_is_in_no_policy(market: Market) -> None:
    for role, kind in (("risk_admin", "Risk"), ("pool_admin", "Pool")):
        market.do("owner", "acl", f"remove{kind}Admin", market.address(role))
    policy = parse_text(policy_text([looked(market.url, market.pool)]))
    assert not policy.levers and list(policy.rules) and policy.exposures


def test_the_targets_name_pool_and_asset(market: Market) -> None:
    text = targets_text([looked(market.url, market.pool)])
    assert f'contract = "0x{market.pool.hex()}"' in text and f'asset = "0x{market.loan.hex()}"' in text


# --- contracts of no known family


def test_a_pausable_token_with_roles(market: Market) -> None:
    token = made(market.url, OPEN_ZEPPELIN_4, "ERC20PresetMinterPauser", "Wrapped", "WRP")
    (place,) = looked(market.url, token).places
    assert place.what == "Wrapped (WRP)"
    assert place.controls[0].by == ("PAUSER_ROLE", "MINTER_ROLE", "DEFAULT_ADMIN_ROLE"), "one account has all of them"
    assert any("which ways a pause closes" in one for one in place.unknown)


def test_a_proxy_tells_who_replaces_its_code(market: Market) -> None:
    token = made(market.url, OPEN_ZEPPELIN_4, "ERC20PresetMinterPauser", "Wrapped", "WRP")
    owner = Account(OWNER).address
    proxy = made(market.url, OPEN_ZEPPELIN, "TransparentUpgradeableProxy", token, owner, keccak256(b"paused()")[:4])
    (place,) = looked(market.url, proxy).places
    assert any(f"a proxy for 0x{token.hex()}" in one and f"0x{owner.hex()}" in one for one in place.warnings)


def test_a_timelock_shows_what_waits_in_it(market: Market) -> None:
    owner = Account(OWNER).address
    lock = made(market.url, OPEN_ZEPPELIN, "TimelockController", DAYS_2, [owner], [owner], bytes(20))
    _, abi = published(OPEN_ZEPPELIN, "TimelockController")
    market.people.do(OWNER, lock, abi, "schedule", market.pool, 0, b"", bytes(32), bytes(32), DAYS_2)
    (place,) = looked(market.url, lock).places
    assert place.what == "a timelock of 2 d: it closes nothing in time" and len(place.warnings) == 1


def test_an_account_without_code_is_said_to_be_one(market: Market) -> None:
    (place,) = looked(market.url, market.address("honest")).places
    assert "one key" in place.what and not place.controls


# --- the command


def test_the_command_tells_people_and_programs(market: Market, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["survey", "--rpc", market.url, "--address", f"0x{market.pool.hex()}"]
    assert main(asked) == 0
    human = capsys.readouterr().out
    assert main([*asked, "-o", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert "Ways out" in human and "Nothing was sent" in human
    assert told["chains"][0]["places"][0]["assets"][0]["ways"]["borrow"] == ["LTV → 0", "pool pause"]


def test_a_configured_protocol_is_surveyed_by_its_own_connections(
    market: Market, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "node.toml"
    config.write_text(
        f"""node = 1\nmember = "lender"\ncharter = "charter.toml"\ndata_dir = "data"\nlisten = "none"
[[connection]]\nid = "lender-home"\nchain = "{market.chain}"\nurl = "{market.url}"
[target.lend]\nkind = "evm.aave"\nchain = "{market.chain}"
contract = "0x{market.pool.hex()}"\nasset = "0x{market.collateral.hex()}"\n""",
        "utf-8",
    )
    assert main(["survey", "--config", str(config)]) == 0
    assert "as told by lender-home" in capsys.readouterr().out


def test_a_policy_that_stands_there_is_never_written_over(
    market: Market, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "policy.toml"
    asked = ["survey", "--rpc", market.url, "--address", f"0x{market.pool.hex()}", "--policy", str(mine)]
    assert main(asked) == 0
    mine.write_text("mine", "utf-8")
    assert main(asked) == 1
    assert mine.read_text("utf-8") == "mine" and "stands there already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--rpc", "http://127.0.0.1:9", "--address", "0x" + "11" * 20], 1, "cannot connect"),
        (["--rpc", "ftp://127.0.0.1:9", "--address", "0x" + "11" * 20], 1, "no http:// or https:// address"),
        (["--rpc", "http://127.0.0.1:9", "--address", "0x11"], 2, "no address"),
        (["--address", "0x" + "11" * 20], 2, "give --rpc and --address"),
        (["--config", "nowhere.toml"], 1, "nowhere.toml"),
    ],
)
def test_what_cannot_be_asked_is_said_in_one_line(
    words: list[str], code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["survey", *words]) == code
    said = capsys.readouterr().err
    assert says in said and said.count("\n") == 1
