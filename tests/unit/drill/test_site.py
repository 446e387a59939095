"""A drill node's configuration and the drill's charter: the same members and sections, other keys, another id."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from governance.card import Card, parse_card
from governance.charter import Charter, Parameters, found
from node.commands.home import make_home
from node.config import NodeConfig, load
from node.drill.mark import LEASE_MS, drill_of
from node.drill.site import charter_faults, config_text, drill_charter, same_sections
from protocol.membership import LEASE_MS_MOST
from protocol.messages import Level
from tests.unit.machine.world import START_MS

NAMES = ("issuer", "lender", "venue", "oracle")
SECTIONS = """
[metrics]
listen = "127.0.0.1:9464"

[[connection]]   # home
id = "home"
chain = "eip155:1"
url = "http://127.0.0.1:8545"

[target.pool]
kind = "evm.lending"
key_file = "keys/lever.key"
rows = [
  "a",
]

[target.pool.more]
x = 1

[sensor.bridge]
kind = "evm.bridge"

[sink.pager]
kind = "webhook"
url = "http://127.0.0.1:9"
"""


def cards(folder: Path) -> list[Card]:
    return [parse_card(make_home(folder / name, name, "", ()).card_path.read_text("utf-8")) for name in NAMES]


@pytest.fixture
def real(tmp_path: Path) -> Charter:
    return found(cards(tmp_path / "real"), Parameters("tocsin", START_MS))


def node(folder: Path) -> NodeConfig:
    folder.mkdir()
    head = 'node = 1\nmember = "issuer"\nlisten = "none"\n'
    (folder / "node.toml").write_text(head + SECTIONS, "utf-8")
    return load(folder / "node.toml", {})


def drill(real: NodeConfig, *, lever_keys: bool = False) -> NodeConfig:
    text = config_text(real, real.path.read_text("utf-8"), "none", lever_keys=lever_keys)
    (real.path.parent / "drill.toml").write_text(text, "utf-8")
    return load(real.path.parent / "drill.toml", {})


def test_a_drill_charter_has_the_same_seats_and_rules_and_another_id(real: Charter, tmp_path: Path) -> None:
    made = drill_charter(real, cards(tmp_path / "drill"), START_MS + 1)
    assert charter_faults(real, made) == []
    assert made.network != real.network and drill_of(made.parameters.name) == real.network.hex()[:32]
    assert made.epoch0().thresholds == real.epoch0().thresholds
    assert made.parameters.lease_ms[Level.ISOLATE] == LEASE_MS < LEASE_MS_MOST[Level.ISOLATE]


def test_what_is_no_drill_among_the_same_members_is_said(real: Charter, tmp_path: Path) -> None:
    own = cards(tmp_path / "drill")
    stranger = parse_card(make_home(tmp_path / "x", "x", "", ()).card_path.read_text("utf-8"))
    made = drill_charter(real, [replace(own[0], group=own[1].group), *own[1:3], stranger], START_MS)
    assert charter_faults(real, made) == [
        "x has a seat there and not here",
        "oracle has no seat there",
        "issuer is of group lender there, issuer here",
    ]
    assert "the drill of this network is" in charter_faults(real, found(own, Parameters("other", START_MS)))[0]


def test_a_governance_key_of_the_real_network_is_not_taken(real: Charter, tmp_path: Path) -> None:
    own = cards(tmp_path / "drill")
    key = real.by_name[own[0].name].governance_key
    made = drill_charter(real, [replace(own[0], governance=key), *own[1:]], START_MS)
    assert charter_faults(real, made) == [f"{key.hex()[:16]}… is a governance key of the real network"]


def test_it_looks_at_the_same_things_with_keys_of_its_own(tmp_path: Path) -> None:
    one = node(tmp_path / "member")
    two = drill(one)
    assert same_sections(one, two) == []
    assert two.targets == one.targets
    assert two.keys != one.keys and two.store != one.store and two.mark != one.mark
    assert (two.sensors, two.metrics.listen, two.canary.every_s) == ({}, None, 0)


def test_real_keys_of_levers_are_named_only_where_their_owner_says_so(tmp_path: Path) -> None:
    one = node(tmp_path / "member")
    assert drill(one).targets["pool"]["key_file"] == "keys/lever.key"
    assert drill(one, lever_keys=True).targets["pool"]["key_file"] == str(one.data_dir / "keys/lever.key")
    assert same_sections(one, drill(one, lever_keys=True)) == []


def test_a_section_that_lines_do_not_show_is_missed(tmp_path: Path) -> None:
    one = node(tmp_path / "member")
    one.path.write_text('target.pool.kind = "log"\n' + one.path.read_text("utf-8").split("[target", 1)[0], "utf-8")
    assert same_sections(load(one.path, {}), drill(load(one.path, {}))) == ["target"]
