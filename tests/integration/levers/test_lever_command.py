"""`tocsin lever`: what a lever would do to Aave's own contracts, and what its key could do besides; nothing is sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from node import keys
from node.keys import Purpose
from tests.integration.levers.aave_market import Market
from tests.integration.levers.test_aave_node import furnish
from tests.integration.network.forked import ForkedSite

pytestmark = pytest.mark.network


@pytest.fixture
def site(tmp_path: Path, market: Market) -> Iterator[ForkedSite]:
    one = ForkedSite(tmp_path)
    one.found()
    furnish(one, market)
    yield one
    one.close()


def as_role(site: ForkedSite, market: Market, role: str) -> None:
    data = site.folder / "venue" / "data"
    (data / "keys" / "lever.key").unlink()
    keys.write_key(data, Purpose.LEVER, keys.Secret(market.keys[role]))


def asked(site: ForkedSite, *words: str, code: int = 0) -> Any:
    ran = site.at("venue", "lever", *words, "-o", "json")
    assert ran.code == code, ran
    return json.loads(ran.out)


def test_a_list_names_levers_as_the_policy_does_and_those_that_no_rule_pulls(site: ForkedSite) -> None:
    found = {one["name"]: one for one in asked(site, "list")}
    assert found["freeze"]["at"] == "pool:aave.freeze" and found["freeze"]["rules"] == ["shut"]
    assert found["pool:aave.pause"]["rules"] == [] and found["pool:aave.pause"]["blocks_exit"]


def test_what_a_lever_declares_is_told_in_sentences(site: ForkedSite) -> None:
    said = site.at("venue", "lever", "show", "freeze").out
    assert "closes    supply; exits stay open" in said and "ends      by node, after 6h at most" in said


def test_a_plan_says_what_would_be_done_and_does_nothing(site: ForkedSite, market: Market) -> None:
    said = site.at("venue", "lever", "plan", "freeze").out
    assert "aave.freeze on pool" in said
    assert not market.view("data_provider", "getReserveConfigurationData", market.collateral)[9]


def test_each_lever_is_tried_as_its_own_account(site: ForkedSite) -> None:
    named = ("freeze", "pool:aave.ltv_zero", "pool:aave.pause")
    found = {one["name"]: one for one in asked(site, "test", *named, code=1)}
    assert found["freeze"]["ok"] and found["pool:aave.ltv_zero"]["ok"]
    assert not found["pool:aave.pause"]["ok"] and "EMERGENCY_ADMIN or POOL_ADMIN" in found["pool:aave.pause"]["says"]


def test_where_none_is_named_those_are_tried_that_a_rule_pulls(site: ForkedSite) -> None:
    assert [one["name"] for one in asked(site, "test")] == ["freeze"]


def test_what_its_key_could_do_beyond_its_mandate_is_named(site: ForkedSite, market: Market) -> None:
    (narrow,) = asked(site, "test", "freeze")
    as_role(site, market, "pool_admin")
    (wide,) = asked(site, "test", "freeze")
    assert "lift a freeze" in narrow["beyond"]["may"] and "set prices" not in narrow["beyond"]["may"]
    assert "set prices" in wide["beyond"]["may"] and wide["beyond"]["tried"] == narrow["beyond"]["tried"]


def test_a_key_without_any_right_would_not_move_and_could_do_nothing(site: ForkedSite, market: Market) -> None:
    as_role(site, market, "honest")
    ran = site.at("venue", "lever", "test", "freeze")
    assert ran.code == 1
    assert "freeze: WOULD NOT MOVE" in ran.out and "could do none of" in ran.out


def test_a_lever_that_is_not_there_is_refused_with_those_that_are(site: ForkedSite) -> None:
    ran = site.at("venue", "lever", "show", "frieze")
    assert ran.code == 1 and "no lever frieze here; known: freeze" in ran.err
