from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from governance.charter import Parameters, create, sign
from node import keys, mark, people
from node.check import examine
from node.check_types import Finding, Moves, Probes, try_port
from node.commands.home import Home, founder_of, make_home
from node.keys import Purpose
from protocol.ids import SourceId
from protocol.membership import Source

NOW_MS = 1_780_000_000_000
HOUR_MS = 3_600_000
CHAINED = """
[[connection]]
id = "a-home"
chain = "eip155:1"
url = "http://127.0.0.1:8545/s3cret"
[target.lending]
kind = "evm.lending"
chain = "eip155:1"
contract = "0x1111111111111111111111111111111111111111"
asset = "0x2222222222222222222222222222222222222222"
usd_per_loan_unit = 3000
key_file = "lever.key"
"""


class Site:
    """A founded member on disk and a world of answers."""

    def __init__(self, base: Path) -> None:
        self.home: Home = make_home(base / "a", "a", "", ("/ip4/127.0.0.1/tcp/4001",), seed=b"\x01" * 32)
        self.found(self.home, Parameters("net", NOW_MS, sources=(Source(SourceId("a-home"), "a", "eip155:1"),)))
        self.answers: dict[str, Any] = {"eth_chainId": "0x1", "eth_getBalance": hex(10**18)}
        self.moves: list[Moves] = []
        self.probes = Probes(
            NOW_MS,
            False,
            {},
            port=lambda host, port: "",
            rpc=self.rpc,
            status=lambda path: None,
            synchronised=lambda: True,
            free_bytes=lambda path: 1 << 40,
            sync_ms=lambda path: 0.9,
            levers=lambda config, charter: self.moves,
            collector=lambda collector: "",
        )

    def found(self, home: Home, parameters: Parameters) -> None:
        founder = founder_of(home.directory, None, "365d", NOW_MS)
        text = sign(create([home.card], parameters), home.card.name, founder.governance, founder.keyset)
        (self.home.directory / "charter.toml").write_text(text)

    def rpc(self, url: str, method: str, params: list[Any]) -> Any:
        found = self.answers[method]
        if isinstance(found, Exception):
            raise found
        return found(url, *params) if callable(found) else found

    @property
    def data(self) -> Path:
        return self.home.directory / "data"

    def add(self, text: str) -> None:
        path = self.home.config_path
        path.write_text(path.read_text() + text)

    def findings(self) -> list[Finding]:
        return examine(self.home.config_path, self.probes)

    def faults(self) -> list[str]:
        return [f"{one.name}: {one.says}; {one.do}" for one in self.findings() if one.ok is False]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_a_well_founded_member_has_no_fault(site: Site) -> None:
    site.add(CHAINED)
    assert site.faults() == []
    assert {"keys", "mark", "charter", "seat", "port", "chain", "lever"} <= {
        one.name for one in site.findings() if one.ok
    }


def _open_key(site: Site) -> None:
    (site.data / "keys" / "transport.key").chmod(0o644)


def _no_key(site: Site) -> None:
    (site.data / "keys" / "attestation.key").unlink()


def _no_mark(site: Site) -> None:
    (site.data / "mark.cbor").unlink()


def _torn_mark(site: Site) -> None:
    (site.data / "mark.cbor").write_bytes(b"\x00")


def _other_mark(site: Site) -> None:
    mark.write(site.data / "mark.cbor", mark.nothing_signed(site.home.card.governance, 1))


def _signed_without_store(site: Site) -> None:
    mark.write(site.data / "mark.cbor", mark.Mark(site.home.card.attestation, 1, 7, bytes(32), ()))


def _no_charter(site: Site) -> None:
    (site.home.directory / "charter.toml").unlink()


def _foreign_charter(site: Site) -> None:
    other = make_home(site.home.directory.parent / "b", "b", "", ("/ip4/127.0.0.1/tcp/4002",))
    site.found(other, Parameters("other", NOW_MS))


def _changed_charter(site: Site) -> None:
    path = site.home.directory / "charter.toml"
    path.write_text(path.read_text().replace('network = "net"', 'network = "nett"'))


def _undelegated_key(site: Site) -> None:
    (site.data / "keys" / "attestation.key").unlink()
    (site.data / "mark.cbor").unlink()
    keys.new_keys(site.data, purposes=(Purpose.ATTESTATION,))


def _foreign_store(site: Site) -> None:
    from node.store import Store

    store = Store.open(site.data / "store.sqlite")
    store.bind_network(b"\x09" * 32, "a")
    store.close()


def _name_policy(site: Site) -> None:
    path = site.home.config_path
    lines = [line for line in path.read_text().splitlines() if not line.startswith(("policy", "# policy"))]
    path.write_text("\n".join([*lines[:2], 'policy = "own.toml"', *lines[2:]]) + "\n")


def _bad_policy(site: Site) -> None:
    _name_policy(site)
    (site.home.directory / "own.toml").write_text("policy = 1\nmood = 'act'\n")


def _no_policy_file(site: Site) -> None:
    _name_policy(site)


def _two_config_faults(site: Site) -> None:
    site.add("[clock]\nskew_max = 1\n[peers]\nx = 1\n")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_open_key, "keys: others than its owner can read or write this key"),
        (_no_key, "keys: no key is here"),
        (_no_mark, "mark: no mark at"),
        (_torn_mark, "mark: the mark is torn"),
        (_other_mark, "mark: the mark is of another attestation key"),
        (_signed_without_store, "mark: the key has signed up to seq 7 and there is no store"),
        (_no_charter, "cannot be read: No such file"),
        (_foreign_charter, "seat: a has no seat in this charter (b)"),
        (_changed_charter, "charter: founder a: its signature does not hold for this id"),
        (_undelegated_key, "seat: the governance key has not delegated this attestation key"),
        (_foreign_store, "store: the store is of another network than the charter"),
        (_bad_policy, "mood"),
        (_no_policy_file, "own.toml cannot be read"),
        (_two_config_faults, "config: clock.skew_max: is an unknown key; did you mean 'skew_max_ms'?"),
        (_two_config_faults, "config: peers: is an unknown key; did you mean 'peer'?"),
    ],
)
def test_what_is_wrong_on_disk_is_named(site: Site, spoil: Callable[[Site], None], says: str) -> None:
    spoil(site)
    assert any(says in fault for fault in site.faults()), site.faults()


@pytest.mark.parametrize(
    ("method", "answer", "says"),
    [
        ("eth_chainId", "0x89", "a-home at http://127.0.0.1:8545 is chain eip155:137, not eip155:1; mend"),
        ("eth_chainId", OSError("Connection refused"), "does not answer: Connection refused"),
        ("eth_chainId", ValueError("no JSON came back"), "does not answer: no JSON"),
        ("eth_chainId", {"odd": 1}, "does not answer"),
        ("eth_getBalance", "0x0", "has no gas on eip155:1; send it some"),
    ],
)
def test_what_a_chain_says_is_judged_and_its_token_never_shown(site: Site, method: str, answer: Any, says: str) -> None:
    site.add(CHAINED)
    site.answers[method] = answer
    faults = site.faults()
    assert any(says in fault for fault in faults), faults
    assert "s3cret" not in str(site.findings())


def test_a_connection_that_the_charter_does_not_know_is_noted(site: Site) -> None:
    site.add(CHAINED.replace("a-home", "a-hom"))
    assert any("counts for no quorum" in one.says for one in site.findings() if one.ok is None)


def test_a_port_in_use_is_a_fault_unless_the_node_itself_holds_it(site: Site) -> None:
    site.probes = dataclasses.replace(site.probes, port=lambda host, port: "cannot be listened on: in use")
    assert any("port: /ip4/127.0.0.1/tcp/4001: cannot be listened on" in fault for fault in site.faults())
    running = {"skew_ms": 5, "signing": {"may": True, "why": ""}}
    site.probes = dataclasses.replace(site.probes, status=lambda path: running)
    assert site.faults() == []


def test_a_running_node_tells_its_clock_and_why_it_signs_nothing(site: Site) -> None:
    running = {"skew_ms": -45_000, "signing": {"may": False, "why": "clock"}}
    site.probes = dataclasses.replace(site.probes, status=lambda path: running)
    faults = site.faults()
    assert any("clock: -45000 ms from the members' median, 30000 allowed" in fault for fault in faults)
    assert any("signing: the node signs nothing: clock" in fault for fault in faults)


def test_an_expired_keyset_is_a_fault_of_charter_and_seat(site: Site) -> None:
    site.probes = dataclasses.replace(site.probes, now_ms=NOW_MS + 366 * 24 * HOUR_MS)
    assert any("seat: the KeySet has expired" in fault for fault in site.faults())


def test_python_without_checks_is_a_fault(site: Site) -> None:
    site.probes = dataclasses.replace(site.probes, optimised=True)
    assert any("runs with -O" in fault for fault in site.faults())


def test_an_address_of_another_machine_cannot_be_listened_on() -> None:
    # TEST-NET-1: nobody's, so binding it fails without a packet
    assert "cannot be listened on" in try_port("192.0.2.1", 4001)


EYE = "12D3KooWGjH27LzQpZLZpNMGdyEDPjnSCo4YhkQFGsLLShAYgMfR"


def observer(peer_id: str) -> str:
    return f'\n[[observer]]\nname = "exchange-x"\npeer_id = "{peer_id}"\n'


def test_who_may_read_along_is_said(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.add(observer(EYE))
    assert [one.says for one in site.findings() if one.name == "observer"] == [
        "may connect and read certificates: exchange-x (up to TLP:GREEN)"
    ]


def test_an_observer_under_a_members_peer_id_is_a_fault(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.add(observer(site.home.card.peer_id))
    (fault,) = [one for one in site.faults() if one.startswith("observer")]
    assert "exchange-x is listed under the peer id of a, a member" in fault
    assert "remove that [[observer]]" in fault


def test_a_member_behind_nat_is_made_and_found_in_order(tmp_path: Path) -> None:
    home = make_home(tmp_path / "b", "b", "", (), seed=b"\x02" * 32)
    assert home.card.addresses == ()
    found = [one for one in examine(home.config_path, Site(tmp_path).probes) if one.name == "port"]
    assert [(one.ok, one.says) for one in found] == [(None, "listens nowhere: this node dials, nobody can dial it")]


def test_two_people_that_nobody_could_be_are_a_fault_until_there_are_two(site: Site) -> None:
    (site.home.directory / "policy.toml").write_text('policy = 1\nrelease = { need = 2, socket = "Anna" }\n')
    (fault,) = site.faults()
    assert "only anna can" in fault and "tocsin person add" in fault
    site.add('[console]\nlisten = "127.0.0.1:8443"\n')
    people.add(site.data / "people.json", "anna", "releaser")
    people.add(site.data / "people.json", "carol", "operator")
    assert "only anna can" in site.faults()[0]
    people.add(site.data / "people.json", "bob", "releaser")
    assert site.faults() == []
