"""A pack with errors: everything that is wrong at once, with its line and what is allowed."""

from __future__ import annotations

import contextlib
import copy
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from node.testnet import scenario_toml
from node.testnet.scenario import Fault, ScenarioFaults, load
from node.testnet.scenario_parse import parse_pack

GOOD = """
pack = { format = 1, id = "p", family = "integrity.bridge", says = "one" }
[run]
t0 = 2026-01-01T00:00:00Z
known_until = 2026-01-01
history_divided_by = 60
ends = "10m"
lease = { GUARD = "30s", ISOLATE = "30s", HALT = "30s" }
[fact]
seen = { at = "1m", say = "it was seen", src = "a paper", err = "1m" }
[thing]
weth = { kind = "token", usd = 1 }
rs = { kind = "bridge.escrow", usd = 1, escrowed = 100 }
lend = { kind = "lending", loan = "weth", collateral = { rs = 0.9 }, provided = 50 }
[member]
lender = { needed = true, exposed = ["lend"], levers = ["lend.freeze"], mode = "act" }
[policy.lender]
exposure.pool = { asset = "rs", read = "lending.reserve", target = "lend", max_age = "5m", ways_out = ["supply"] }
[policy.lender.lever]
freeze = {on = "pool", call = "lending.freeze", closes = ["supply"], expires_by = "target", max = "6h", cooldown = "2h"}
[policy.lender.rule]
other = { asset = "any", level = "any", own = "any", do = [], page = true }
[event]
forge = { at = "0s", who = "attacker", do = "rs.forge_release", amount = 90, fact = "seen" }
[expect]
all = { of = "rs.forged_released", is = 90 }
"""


def faults_of(*changes: tuple[str, str]) -> list[Fault]:
    text = GOOD
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    with pytest.raises(ScenarioFaults) as raised:
        parse_pack(text, "test")
    return list(raised.value.faults)


def line_of(fragment: str) -> int:
    return next(number for number, line in enumerate(GOOD.splitlines(), start=1) if fragment in line)


def test_the_pack_without_a_change_is_good() -> None:
    assert parse_pack(GOOD, "test").id == "p"


def test_all_faults_are_told_at_once_in_the_order_of_the_file() -> None:
    found = faults_of(
        ('family = "integrity.bridge"', 'familly = "x"'),
        ("history_divided_by = 60", "history_divided_by = 0"),
        ("usd = 1 }", "usd = -1 }"),
        ("forge_release", "forge_relese"),
        ("rs.forged_released", "rs.forged"),
    )
    assert [fault.where for fault in found] == [
        "pack.familly",
        "pack.family",
        "run.history_divided_by",
        "thing.weth.usd",
        "event.forge.do",
        "expect.all.of",
    ]
    assert [fault.line for fault in found] == sorted(fault.line for fault in found)


def test_a_fault_has_line_place_what_and_what_is_allowed() -> None:
    (fault,) = faults_of(("forge_release", "forge_relese"))
    assert fault.line == line_of("forge =")
    assert "forge_relese" in fault.what and "forge_release" in fault.allowed


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ('"0s"', '"-1m"', "event.forge.at"),
        ('"0s"', "0", "event.forge.at"),
        ("amount = 90", "amount = true", "event.forge.amount"),
        ("amount = 90", "amount = 1e300", "event.forge.amount"),
        ("amount = 90", "amount = nan", "event.forge.amount"),
        ("amount = 90, ", "", "event.forge.amount"),
        ("amount = 90", "amount = 90, colour = 3", "event.forge.colour"),
        ("amount = 90", "amount = 90, steps = 3", "event.forge.over"),
        ("amount = 90", 'amount = 90, else = ["lend.repay"]', "event.forge.else"),
        ('who = "attacker"', 'who = "crowd"', "event.forge.do"),
        ('who = "attacker"', 'who = "nobody"', "event.forge.who"),
        ('fact = "seen"', 'fact = "unseen"', "event.forge.fact"),
        ('kind = "token"', 'kind = "tokens"', "thing.weth.kind"),
        ('loan = "weth"', 'loan = "lend"', "thing.lend.loan"),
        ("rs = 0.9", "gold = 0.9", "thing.lend.collateral"),
        ('["lend.freeze"]', '["lend.halt"]', "member.lender.levers"),
        ('exposed = ["lend"]', 'exposed = "lend"', "member.lender.exposed"),
        ("needed = true", "needed = false", "member"),
        ("[policy.lender]", "[policy.lander]", "policy.lander"),
        ('target = "lend"', 'target = "lent"', "policy.lender.exposure.pool.target"),
        ('asset = "rs"', 'asset = "gold"', "policy.lender.asset.gold"),
        ('expires_by = "target"', 'expires_by = "never"', "policy.lender.lever.freeze.expires_by"),
        ("2026-01-01T00:00:00Z", '"noon"', "run.t0"),
        ('src = "a paper", ', "", "fact.seen.src"),
        ("is = 90", "tolerance = 0.1", "expect.all"),
        ("format = 1", "format = 2", "pack.format"),
        ("escrowed = 100", 'escrowed = 100, far = "eip155:1"', "thing.rs.far"),
    ],
)
def test_each_fault_names_its_place(old: str, new: str, where: str) -> None:
    found = faults_of((old, new))
    assert where in [fault.where for fault in found]
    assert all(fault.what and fault.allowed for fault in found)


def test_leases_that_the_attacker_could_wait_for_are_a_fault() -> None:
    found = faults_of(('at = "0s"', 'at = "9m"'), ('GUARD = "30s"', 'GUARD = "5s"'))
    assert [fault.where for fault in found] == ["run.lease.GUARD"]


def test_what_is_no_toml_names_its_line() -> None:
    (fault,) = faults_of(("[event]", "[event"))
    assert fault.line == line_of("[event]")


def test_tables_that_are_no_tables_are_faults_and_no_crash() -> None:
    for key in ("run", "fact", "thing", "member", "policy", "event", "expect"):
        with pytest.raises(ScenarioFaults):
            parse_pack(f"{key} = 3\n", "test")
        with pytest.raises(ScenarioFaults):
            parse_pack(f"[{key}]\na = 3\n", "test")


JUNK = (0, -1, 1e308, True, "", "x", "5m", "-5m", "rs", "lend", [], {}, ["a"], [1], [[]], {"a": 1}, "é" * 500)


def leaves(table: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    for key, value in table.items() if isinstance(table, dict) else enumerate(table):
        yield (*path, key)
        if isinstance(value, (dict, list)):
            yield from leaves(value, (*path, key))


def test_whatever_stands_in_place_of_a_value_is_read_or_is_a_fault() -> None:
    whole = tomllib.loads(GOOD.replace("2026-01-01T00:00:00Z", '"T0"').replace("l = 2026-01-01", 'l = "2026-01-01"'))
    for path in leaves(whole):
        for junk in JUNK:
            changed = copy.deepcopy(whole)
            at = changed
            for key in path[:-1]:
                at = at[key]
            at[path[-1]] = junk
            text = "".join(f"{key} = {scenario_toml.value(value)}\n" for key, value in changed.items())
            with contextlib.suppress(ScenarioFaults):
                parse_pack(text.replace('"T0"', "2026-01-01T00:00:00Z"), "test")


def test_a_name_that_is_neither_pack_nor_file_lists_the_packs() -> None:
    with pytest.raises(ScenarioFaults) as raised:
        load("no-such-pack")
    assert "forged-bridge-release" in str(raised.value)


def test_a_pack_is_read_from_any_file(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(GOOD)
    assert load(mine).id == "p"
