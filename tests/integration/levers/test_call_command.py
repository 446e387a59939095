"""`tocsin lever` and `tocsin policy check` on a target that is written as calls."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from node import keys
from node.keys import Purpose
from tests.integration.levers.aave_market import KEYS
from tests.integration.levers.call_targets import pausing
from tests.integration.levers.pausable_token import GUARD, Token
from tests.integration.network.forked import ForkedSite

pytestmark = pytest.mark.network


@pytest.fixture
def site(tmp_path: Path, token: Token) -> Iterator[ForkedSite]:
    one = ForkedSite(tmp_path)
    one.found()
    data = one.folder / "venue" / "data"
    (data / "keys" / "lever.key").unlink()
    keys.write_key(data, Purpose.LEVER, keys.Secret(KEYS[GUARD]))
    at = f"0x{token.at.hex()}"
    path = one.config("venue")
    path.write_text(f"""{path.read_text()}
[[connection]]
id = "venue.home"
chain = "{token.chain}"
url = "{token.url}"
[target.stop]
kind = "evm.call"
chain = "{token.chain}"
contract = "{at}"
asset = "{at}"
rung = "HALT"
max = "6h"
cooldown = "1h"
key_file = "keys/lever.key"
{pausing(token).text}""")
    yield one
    one.close()


def asked(site: ForkedSite, *words: str, code: int = 0) -> Any:
    ran = site.at("venue", "lever", *words, "-o", "json")
    assert ran.code == code, ran
    return json.loads(ran.out)


def test_it_is_listed_shown_planned_and_tried_and_nothing_is_sent(site: ForkedSite, token: Token) -> None:
    name = "stop:evm.call"
    (listed,) = asked(site, "list")
    assert listed["at"] == name and listed["closes"] == ["transfer"] and listed["blocks_exit"]
    shown = asked(site, "show", name)
    assert "pause() (0x8456cb59)" in shown["says"] and shown["expires_by"] == "node"
    assert "lifted by this node" in asked(site, "plan", name)["plan"]
    (tried,) = asked(site, "test", name)
    assert tried["ok"] and tried["beyond"] == {"tried": 5, "may": []}
    assert not token.view("paused")


def test_a_target_that_calls_what_no_lever_may_is_refused_by_name(site: ForkedSite) -> None:
    path = site.config("venue")
    path.write_text(path.read_text().replace("function unpause()", "function renounceOwnership()"))
    ran = site.at("venue", "lever", "list")
    assert ran.code == 1 and "target.stop.lift.fn: renounceOwnership() gives away" in ran.out + ran.err
